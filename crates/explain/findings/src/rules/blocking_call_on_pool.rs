//! Thread-pool threads that block in anything but a Task or a lock.

use crate::facts::{Facts, count, percent, real_u64, said};
use crate::need::Need;
use crate::places::{Verb, subject};
use crate::queries;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::FrameId;
use report::{EvidenceRows, Measured, Place, Severity, View};
use runtime::{Group, Marks};
use std::collections::{BTreeMap, BTreeSet};

const BLOCKED: Threshold = Threshold {
    name: "thread-pool threads blocked in synchronous calls and waits, on average",
    value: 0.5,
    unit: "",
    source: "measured: below 0.02 in healthy services under load, 6 in a starved one with 64 clients",
};
const STARVED: Threshold = Threshold {
    name: "threads added because of starvation (Starvation)",
    value: 5.0,
    unit: "",
    source: "the pool's own sign of starvation (dotnet/docs, debug-threadpool-starvation); a first use of code can show a few. Decides only without samples. 5 per minute; a recording shorter than a minute needs 5, too",
};
const CRITICAL_A_CORE: f64 = 2.0;
/// What blocks a thread, and how the title says it.
const WAITS: [(&str, &str); 13] = [
    ("sleep", "sleep"),
    ("semaphore", "wait for a semaphore"),
    ("event", "wait for a handle (event, Mutex, Semaphore)"),
    ("queue", "wait for a bounded queue"),
    ("io", "wait for synchronous I/O"),
    ("join", "wait for another thread to end"),
    ("start", "wait for a new thread to begin"),
    ("process", "wait for another process"),
    ("monitor", "wait for a monitor's signal"),
    ("barrier", "wait at a barrier"),
    ("countdown", "wait for a countdown"),
    ("parallel", "wait for the other workers of a parallel loop"),
    ("spin", "spin until a condition holds"),
];

pub(super) const RULE: Rule = Rule {
    id: "blocking-call-on-pool",
    about: "thread-pool threads block in other calls: sleep, synchronous I/O, semaphore, event, bounded queue, synchronous database or HTTP call",
    needs: &[Need::Samples, Need::ThreadPool],
    thresholds: &[BLOCKED, STARVED],
    silent: "if one thread waits at one place all the time, as a consumer does that waits for its next item; if logging waits \
             for its sink (`logging-flood`); if threads wait for a lock (`lock-contention`)",
    why: "A thread-pool thread that sleeps or waits does no work, but the pool counts it as a worker. Queued work waits until \
          the pool adds a thread: about one or two per second once the queue makes no progress (reason Starvation), or when \
          hill climbing tries more (ClimbingMove). Until then requests queue while the CPU cores are idle.",
    tries: &[
        "If the blocked thread holds a lock, every thread that needs the lock waits too. First move the wait out of the lock: wait before or after it, and hold the lock only for the data (nothing can be awaited inside `lock`)",
        "Wait without a thread: `await Task.Delay` instead of `Thread.Sleep`; better, wait for the event itself and not for a time",
        "Await the input or output: `ReadAsync`, `WriteAsync`, `ExecuteReaderAsync`, `HttpClient.SendAsync`",
        "Await the gate: `SemaphoreSlim.WaitAsync`, and hold it for a shorter time",
        "Put a `Channel` in place of the blocking queue, with `WriteAsync` and `ReadAsync`, and find out why the other end is slower",
        "Use the asynchronous form of the call and await it",
        "Move work that must block to its own threads (`TaskCreationOptions.LongRunning`): a fixed number, behind a queue",
    ],
    verify: "Record the same load again: no thread-pool thread waits in these calls, and `dotnet.thread_pool.queue.length` stays near 0.",
    places_of: "the samples in which a pool thread is blocked",
    view: View { shows: "the blocked stacks", lane: "waiting", tab: "/stacks", metric: Some("waiting") },
    before: &["threadpool-queue-flood", "async-lock", "slow-dependency", "exceptions"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let words: Vec<&str> = WAITS.iter().map(|(what, _)| *what).collect();
    let held_up = |group: &Group| {
        facts.is_held_up(group, &words) && !facts.index.marks(group.stack).has(Marks::LOGGING)
    };
    // A few threads that always wait at one place are consumers. More of them than CPU cores are not.
    let standing = facts.threads(|group| held_up(group) && facts.stands(group));
    let counts_all = standing > facts.cores;
    let waits = |group: &Group| held_up(group) && (counts_all || !facts.stands(group));
    let blocked = facts.threads(waits);
    let starved = real_u64(facts.adjustments("Starvation"));
    let sampled = facts.has(Need::Samples);
    if blocked < BLOCKED.value && (sampled || starved < facts.at_least(STARVED.value)) {
        return None;
    }
    let places = facts.places(waits).top(facts);
    let share = blocked / (blocked + facts.busy()).max(0.1);
    let against = facts.at_least(STARVED.value);
    let mut measured = Vec::new();
    let mut evidence = Vec::new();
    let title;
    if sampled {
        let kinds = kinds(facts, waits);
        title = title_of(blocked, &kinds, &places, share) + gate(facts, waits, &kinds);
        measured.push(BLOCKED.measured(blocked));
        measured.push(Measured {
            name: "their share of the threads that have work, running or blocked",
            value: share,
            unit: "share",
            threshold: None,
        });
        let several = kinds.iter().filter(|(_, share)| *share >= MIN_KIND && kinds.len() > 1);
        measured.extend(several.map(|(what, share)| Measured {
            name: word(what),
            value: share * blocked,
            unit: "",
            threshold: None,
        }));
        let list = words.iter().map(|what| format!("'{what}'")).collect::<Vec<_>>().join(", ");
        let filter = format!(
            "samples.state = 'waiting' and threads.kind = 'pool' and samples.waiting_on in ({list}) \
             and frames.name not like '%LowLevelLifoSemaphore%'"
        );
        evidence.push(queries::samples(facts, &filter, waits));
    } else {
        title = format!(
            "Thread-pool threads block: the pool added {} threads because of starvation",
            said(starved)
        );
        let sql = "select ts_ns, reason, workers, throughput from threadpool where reason = 'Starvation' order by ts_ns";
        evidence.push(EvidenceRows::of("threadpool", sql, facts.adjusted("Starvation").into_iter()));
    }
    // Zero passes no threshold: the blocked threads decided.
    if starved > 0.0 {
        measured.push(STARVED.measured_against(starved, against));
    }
    let critical = blocked >= CRITICAL_A_CORE * facts.cores;
    let severity = if critical { Severity::Critical } else { Severity::Warning };
    Some(Found {
        title,
        severity,
        harms: vec![if sampled {
            Harm::Share(share)
        } else {
            Harm::Beyond { value: starved, harmless: against }
        }],
        sure: if sampled { Sure::Seen } else { Sure::Inferred },
        measured,
        places,
        evidence,
    })
}

/// From this share on, the title names only this kind of wait.
const NEARLY_ALL: f64 = 0.95;
/// The title does not name a kind of wait with a smaller share.
const MIN_KIND: f64 = 0.05;

/// The title: one kind of wait, or each with its share.
fn title_of(blocked: f64, kinds: &[(&str, f64)], places: &[Place], share: f64) -> String {
    let blocks = Verb { singular: "blocks", plural: "block" };
    let who = subject(places, blocks).unwrap_or_else(|| "Waits block".to_owned());
    let threads = said(blocked);
    let of_work = format!("({} of the threads that have work)", percent(share));
    if let [(what, of_all), ..] = kinds
        && *of_all >= NEARLY_ALL
    {
        let word = word(what);
        return format!("{who} thread-pool threads: on average {threads} {word} {of_work}");
    }
    let named = kinds.iter().filter(|(_, share)| *share >= MIN_KIND);
    let named: Vec<String> =
        named.map(|(what, share)| format!("{} {}", percent(*share), word(what))).collect();
    format!("{who} thread-pool threads: on average {threads} {of_work}, of which {}", named.join(", "))
}

/// Whether most of the blocking threads hold a lock that others wait for, as far as events name the holders.
pub(crate) fn is_in_lock(facts: &Facts<'_>) -> bool {
    const MOSTLY: f64 = 0.5;
    let Some(what) = ways(facts).first().copied() else { return false };
    let is_meant = |group: &Group| facts.is_held_up(group, &[what]);
    let all: u64 = facts.groups().iter().filter(|group| is_meant(group)).map(|group| group.samples).sum();
    let held = facts.holder_samples().filter(|row| facts.text(row.waiting_on) == what).count();
    count(held) >= MOSTLY * real_u64(all).max(1.0)
}

/// What threads do in the method in which others wait for a semaphore: they hold it, most likely.
fn gate(facts: &Facts<'_>, waits: impl Fn(&Group) -> bool, kinds: &[(&str, f64)]) -> &'static str {
    if !kinds.iter().any(|(what, share)| *what == "semaphore" && *share >= MIN_KIND) {
        return "";
    }
    let at_gate = |group: &Group| waits(group) && facts.text(group.waiting_on) == "semaphore";
    let blamed = |group: &Group| facts.index.blamed_frame(group.stack);
    let doors: BTreeSet<FrameId> =
        facts.groups().iter().filter(|of| at_gate(of)).filter_map(blamed).collect();
    let beside = |group: &Group| {
        waits(group) && !at_gate(group) && blamed(group).is_some_and(|of| doors.contains(&of))
    };
    match self::kinds(facts, beside).first() {
        Some(("sleep", _)) => "; threads wait for the semaphore while others in the same method sleep",
        Some(_) => "; threads wait for the semaphore while others in the same method block",
        None => "",
    }
}

fn word(what: &str) -> &'static str {
    WAITS.iter().find(|(known, _)| *known == what).map_or("wait", |(_, word)| word)
}

/// The kinds of wait that need advice, as in [`WAITS`]. None without samples.
pub(crate) fn ways<'a>(facts: &Facts<'a>) -> Vec<&'a str> {
    let words: Vec<&str> = WAITS.iter().map(|(what, _)| *what).collect();
    let kinds = kinds(facts, |group| {
        facts.is_held_up(group, &words) && !facts.index.marks(group.stack).has(Marks::LOGGING)
    });
    kinds.into_iter().filter(|(_, share)| *share >= MIN_WAY).map(|(what, _)| what).collect()
}

/// A kind of wait with a smaller share needs no advice.
const MIN_WAY: f64 = 0.1;

/// What threads wait for, each with its share, the largest first.
fn kinds<'a>(facts: &Facts<'a>, waits: impl Fn(&Group) -> bool) -> Vec<(&'a str, f64)> {
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    for group in facts.groups().iter().filter(|group| waits(group)) {
        *tally.entry(facts.text(group.waiting_on)).or_default() += group.samples;
    }
    let all = real_u64(tally.values().sum()).max(1.0);
    let mut kinds: Vec<_> =
        tally.into_iter().map(|(what, samples)| (what, real_u64(samples) / all)).collect();
    kinds.sort_by(|a, b| b.1.total_cmp(&a.1));
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const SLEEP: [&str; 3] = [WORK, CART, "System.Private.CoreLib!System.Threading.Thread.Sleep"];

    #[test]
    fn workers_that_sleep_are_said_with_who_sleeps() {
        let check = |workers, expected| {
            let mut scene = Scene::new();
            scene.workers_wait(workers, 0..80, "sleep", &SLEEP);
            assert_eq!(scene.says(&RULE), says(expected, CART), "{workers} workers");
        };
        check(1, Severity::Warning);
        check(5, Severity::Critical);
    }

    #[test]
    fn consumers_that_wait_for_their_next_item_are_at_rest_unless_they_take_up_the_pool() {
        let check = |consumers, speaks| {
            let mut scene = Scene::new();
            scene.workers_wait(consumers, 0..LOOKS, "queue", &[WORK, "Shop!Shop.Outbox.Run", WAIT]);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{consumers} consumers");
        };
        check(2, false);
        check(3, true);
    }

    #[test]
    fn workers_that_wait_for_the_logs_sink_for_work_or_seldom_are_not_blocked_here() {
        let check = |looks, stack: &[&str], speaks| {
            let mut scene = Scene::new();
            scene.workers_wait(4, 0..looks, "event", stack);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{looks} looks, {stack:?}");
        };
        check(80, &[WORK, CART, LOG, WAIT], false);
        check(80, &[WAIT], false);
        check(10, &[WORK, CART, WAIT], false);
        check(20, &[WORK, CART, WAIT], true);
    }

    #[test]
    fn without_samples_the_workers_that_the_pool_added_in_a_minute_tell() {
        let check = |seconds, added, speaks| {
            let mut scene = Scene::lasting(seconds, 2).without_samples();
            (0..added).for_each(|at| scene.adjusts(at, "Starvation", 3 + at));
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{added} in {seconds} s");
        };
        check(10, 4, false);
        check(10, 5, true);
        check(3600, 20, false);
    }

    #[test]
    fn waits_of_two_kinds_are_each_named_with_their_share() {
        let mut scene = Scene::new();
        let enters = "System.Private.CoreLib!System.Threading.SemaphoreSlim.Wait";
        scene.workers_wait(2, 0..LOOKS - 10, "sleep", &SLEEP);
        scene.workers_wait(1, 0..LOOKS - 10, "semaphore", &[WORK, CART, enters]);
        let found = scene.facts(|facts| check(facts).map(|found| (found.title, found.measured)));
        let (title, measured) = found.unwrap();
        let expected = "Shop.Cart.Total blocks thread-pool threads: on average 2.70 (100 % of the threads that have work), of which \
                        66.7 % sleep, 33.3 % wait for a semaphore; threads wait for the semaphore while others in the same \
                        method sleep";
        assert_eq!(title, expected);
        let of = |name: &str| measured.iter().find(|of| of.name == name).map(|of| (of.value * 10.0).round());
        assert_eq!((of("sleep"), of("wait for a semaphore")), (Some(18.0), Some(9.0)));
    }
}
