//! Which finding causes which: the mechanism, and what the two findings must have in common.
//!
//! [`Rule::before`](crate::Rule) only orders findings. One is reported as the cause of another if a mechanism leads from
//! one to the other, and the evidence of both is from the same place, or from enough of the same time. What only occurs
//! together is left out: allocation causes collections but no collection causes allocation, and a slow call makes blocking
//! worse but no blocked thread slows the call.

use report::{Finding, Place};

/// What the two findings must have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Agree {
    /// Nothing: the mechanism is enough, as one is part of the other.
    Mechanism,
    /// The same places in the code, for enough of what both measured.
    Place,
    /// The named measurement of the cause is at least this large.
    Much(&'static str, f64),
    /// The effect has the named measurement.
    Effect(&'static str),
    /// The first measurement, of the cause, is a large part of the second, of the effect.
    PartOf(&'static str, &'static str),
    /// In a large part of the pauses the GC's threads did not run.
    Stalled,
}

/// A cause and an effect.
#[derive(Debug, Clone, Copy)]
struct Link {
    cause: &'static str,
    effect: &'static str,
    agree: Agree,
}

/// How large that part must be.
const PART: f64 = 0.5;
/// Places need less in common, as each rule counts its own selection of samples.
const SAME_PLACE: f64 = 0.3;

/// How the names of these measurements begin in each rule about collections.
const PAUSED: &str = "share of the time";
const FOR_ROOM: &str = "share of the collections that ran because there was no room";

const fn link(cause: &'static str, effect: &'static str, agree: Agree) -> Link {
    Link { cause, effect, agree }
}

/// All links. If several causes of an effect apply, the first is reported: the most exact one.
const LINKS: &[Link] = &[
    // Collections pause the program.
    link("gc-induced", "gc-pauses", Agree::PartOf(PAUSED, PAUSED)),
    link("loh-churn", "gc-pauses", Agree::PartOf(PAUSED, PAUSED)),
    link("gc-gen2-churn", "gc-pauses", Agree::PartOf(PAUSED, PAUSED)),
    link("memory-limit", "gc-pauses", Agree::Much(FOR_ROOM, PART)),
    link("cpu-limited", "gc-pauses", Agree::Stalled),
    link(
        "pinning",
        "gc-pauses",
        Agree::PartOf("collections with that many pinned objects, per second", "collections per second"),
    ),
    // A collection takes longer the more survives it.
    link("heap-growth", "gc-pauses", Agree::Mechanism),
    link("high-allocation-rate", "gc-pauses", Agree::PartOf(PAUSED, PAUSED)),
    link("finalizer-backlog", "gc-pauses", Agree::Mechanism),
    // An object that waits for its finalizer survives one more collection, and dies in an older generation.
    link("finalizer-backlog", "heap-growth", Agree::Place),
    link("finalizer-backlog", "gc-gen2-churn", Agree::Place),
    link("memory-limit", "gc-gen2-churn", Agree::Much(FOR_ROOM, PART)),
    link("memory-limit", "exceptions", Agree::Place),
    link("native-memory-growth", "memory-limit", Agree::Effect("memory limit of the control group")),
    // Threads that block or compute do not take work from the queue.
    link("sync-over-async", "threadpool-queue-flood", Agree::Place),
    link("blocking-call-on-pool", "threadpool-queue-flood", Agree::Place),
    link("lock-contention", "threadpool-queue-flood", Agree::Place),
    link("regex-backtracking", "threadpool-queue-flood", Agree::Place),
    link("cpu-limited", "threadpool-queue-flood", Agree::Mechanism),
    link("cpu-limited", "startup-jit", Agree::Mechanism),
    // A thread that blocks inside a lock holds it meanwhile.
    link("sync-over-async", "lock-contention", Agree::Place),
    link("deadlock", "blocking-call-on-pool", Agree::Place),
    link("deadlock", "sync-over-async", Agree::Place),
    link("thread-per-request", "blocking-call-on-pool", Agree::Place),
    // Each connection is held for all these queries.
    link("db-n-plus-one", "db-pool-exhausted", Agree::Place),
    link("db-pool-exhausted", "exceptions", Agree::Place),
    link("db-pool-exhausted", "sync-over-async", Agree::Place),
    // Each call waits for its own new connection.
    link("http-client-per-request", "slow-dependency", Agree::Place),
    // The work itself takes CPU and memory.
    link("db-n-plus-one", "cpu-hot-path", Agree::Place),
    link("logging-flood", "cpu-hot-path", Agree::Place),
    link("gc-induced", "cpu-hot-path", Agree::Place),
    link("exceptions", "cpu-hot-path", Agree::Much("share of the busy samples in throwing", PART)),
    link("jit-churn", "cpu-hot-path", Agree::Much("share of the busy samples that make code", PART)),
    link("db-n-plus-one", "high-allocation-rate", Agree::Place),
    link("logging-flood", "high-allocation-rate", Agree::Place),
    link("http-client-per-request", "high-allocation-rate", Agree::Place),
    link("jit-churn", "high-allocation-rate", Agree::Place),
    // A method that was generated at run time has a finalizer.
    link("jit-churn", "finalizer-backlog", Agree::Place),
];

/// The finding above a note that causes this one. `None` if none is known to.
pub(crate) fn cause_of(effect: &Finding, notable: &[Finding]) -> Option<&'static str> {
    let links = LINKS.iter().filter(|link| link.effect == effect.id);
    let mut found = links.filter_map(|link| {
        let cause = notable.iter().find(|of| of.id == link.cause)?;
        agree(link.agree, cause, effect).then_some(link.cause)
    });
    found.next()
}

/// The rules whose findings it may cause, in the order of the links.
pub(crate) fn effects_of(cause: &str) -> impl Iterator<Item = &'static str> {
    LINKS.iter().filter(move |link| link.cause == cause).map(|link| link.effect)
}

fn agree(agree: Agree, cause: &Finding, effect: &Finding) -> bool {
    match agree {
        Agree::Mechanism => true,
        Agree::Place => same_places(cause, effect) >= SAME_PLACE,
        Agree::Much(name, least) => measured(cause, name).is_some_and(|value| value >= least),
        Agree::Effect(name) => measured(effect, name).is_some(),
        Agree::PartOf(part, whole) => {
            let both = measured(cause, part).zip(measured(effect, whole));
            both.is_some_and(|(part, whole)| whole > 0.0 && part >= PART * whole)
        }
        Agree::Stalled => {
            let of = |what: &str| measured(effect, &format!("of the pauses: {what}")).unwrap_or(0.0);
            let stalled = of("the GC's threads did not run");
            let rest = of("the GC's busiest thread ran") + of("until the program's threads had stopped");
            stalled > 0.0 && stalled >= PART * (stalled + rest)
        }
    }
}

/// The measurement whose name begins so.
fn measured(finding: &Finding, name: &str) -> Option<f64> {
    finding.measured.iter().find(|of| of.name.starts_with(name)).map(|of| of.value)
}

/// The share of what both measured that is at the same places.
///
/// A method that serves every route is a different place for each of them; the body of a lambda is always one place.
fn same_places(a: &Finding, b: &Finding) -> f64 {
    let same = |one: &Place, other: &Place| {
        let requests = one.request.as_ref().zip(other.request.as_ref());
        one.frame == other.frame && (one.frame.contains(">b__") || requests.is_none_or(|(a, b)| a == b))
    };
    let shared = |one: &Place| {
        let others: f64 = b.places.iter().filter(|other| same(one, other)).map(|other| other.share).sum();
        others.min(one.share)
    };
    a.places.iter().map(shared).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Found;
    use report::{Measured, Severity};

    fn finding(id: &str, measured: &[(&'static str, f64)], places: &[(&str, f64)]) -> Finding {
        let rule = crate::RULES.iter().find(|rule| rule.id == id).unwrap();
        let measured =
            measured.iter().map(|(name, value)| Measured { name, value: *value, unit: "", threshold: None });
        let places = places.iter().map(|(frame, share)| Place {
            frame: (*frame).to_owned(),
            share: *share,
            request: None,
        });
        rule.finding(Found {
            title: String::new(),
            severity: Severity::Warning,
            harms: Vec::new(),
            sure: crate::score::Sure::Seen,
            measured: measured.collect(),
            places: places.collect(),
            evidence: Vec::new(),
        })
    }

    #[test]
    fn what_is_caused_stands_behind_its_cause_and_each_pair_is_named_once() {
        for (at, link) in LINKS.iter().enumerate() {
            let rule = crate::RULES.iter().find(|rule| rule.id == link.cause).unwrap();
            assert!(rule.before.contains(&link.effect), "{} is not before {}", link.cause, link.effect);
            let again =
                LINKS.iter().skip(at + 1).any(|of| (of.cause, of.effect) == (link.cause, link.effect));
            assert!(!again, "{} and {} twice", link.cause, link.effect);
        }
    }

    #[test]
    fn a_measurement_that_is_renamed_takes_no_cause_away_unseen() {
        let has = |id: &str, name: &str| {
            let path = format!("{}/src/rules/{}.rs", env!("CARGO_MANIFEST_DIR"), id.replace('-', "_"));
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(&format!("\"{name}")), "{id} measures no {name}");
        };
        for link in LINKS {
            match link.agree {
                Agree::Mechanism | Agree::Place => {}
                Agree::Much(name, _) => has(link.cause, name),
                Agree::Effect(name) => has(link.effect, name),
                Agree::PartOf(part, whole) => {
                    has(link.cause, part);
                    has(link.effect, whole);
                }
                Agree::Stalled => has(link.effect, "of the pauses: the GC's threads did not run"),
            }
        }
    }

    #[test]
    fn no_collection_is_said_to_cause_allocation_and_no_blocked_thread_a_slow_call() {
        let place = [("Shop.Cart.Total", 1.0)];
        let wrong = [
            ("gc-gen2-churn", "high-allocation-rate"),
            ("gc-gen2-churn", "lock-contention"),
            ("loh-churn", "high-allocation-rate"),
            ("cpu-hot-path", "high-allocation-rate"),
            ("heap-growth", "high-allocation-rate"),
            ("finalizer-backlog", "high-allocation-rate"),
            ("sync-over-async", "slow-dependency"),
            ("blocking-call-on-pool", "slow-dependency"),
            ("lock-contention", "slow-dependency"),
            ("lock-contention", "cpu-hot-path"),
            ("gc-induced", "heap-growth"),
        ];
        for (cause, effect) in wrong {
            let (cause, effect) = (finding(cause, &[], &place), finding(effect, &[], &place));
            assert_eq!(cause_of(&effect, std::slice::from_ref(&cause)), None, "{} → {}", cause.id, effect.id);
        }
    }

    #[test]
    fn a_few_collections_do_not_cause_the_pauses_of_all_others() {
        let check = |of_churn: f64, expected| {
            let churn = finding("gc-gen2-churn", &[(PAUSED, of_churn)], &[]);
            let pauses = finding("gc-pauses", &[(PAUSED, 0.4)], &[]);
            assert_eq!(cause_of(&pauses, &[churn]), expected, "{of_churn}");
        };
        check(0.3, Some("gc-gen2-churn"));
        check(0.1, None);
    }

    #[test]
    fn threads_that_block_elsewhere_do_not_cause_a_wait() {
        let check = |place: &str, expected| {
            let join = finding("thread-per-request", &[], &[("Shop.Cart.Total", 0.8)]);
            let block = finding("blocking-call-on-pool", &[], &[(place, 0.9)]);
            assert_eq!(cause_of(&block, &[join]), expected, "{place}");
        };
        check("Shop.Cart.Total", Some("thread-per-request"));
        check("Shop.Stock.Take", None);
    }
}
