//! Finalizers that cannot keep up.

use crate::facts::{Facts, percent, real_u64};
use crate::gcfacts::{allocators, most_allocated};
use crate::need::Need;
use crate::places::in_place;
use crate::queries;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Group, State};

const BUSY: Threshold = Threshold {
    name: "share of the time that the finalizer thread spends in finalizers",
    value: 0.25,
    unit: "share",
    source: "measured: below 0.07 in ordinary services, 0.8 in one that relies on finalizers",
};

pub(super) const RULE: Rule = Rule {
    id: "finalizer-backlog",
    about: "objects are created faster than their finalizers run, or a finalizer blocks",
    needs: &[Need::Samples],
    thresholds: &[BUSY],
    silent: "if the finalizer thread waits for work, as it does nearly always",
    why: "An object with a finalizer is not freed when it becomes garbage: the GC puts it on a queue, keeps it and everything it refers \
          to alive, and promotes it. One thread of the process runs all finalizers one after another, and only the next collection of the \
          older generation frees the object. If that thread cannot keep up, or a finalizer waits, the queue is a leak.",
    tries: &[
        "Dispose of the objects: `using`, and `GC.SuppressFinalize(this)` in `Dispose`, so that finalizers rarely run",
        "No finalizers on objects that are created per request; wrap only the native handle, in a `SafeHandle`",
        "Nothing that can wait in a finalizer: no lock, no I/O, no call to other objects with finalizers",
    ],
    verify: "Record the same load again: the finalizer thread waits, and `promoted_bytes` in `gc` falls.",
    places_of: "the finalizer's samples, then of the allocated bytes",
    view: View {
        shows: "what the finalizer thread does",
        lane: "heap",
        tab: "/stacks",
        metric: Some("waiting"),
    },
    before: &["heap-growth", "gc-pauses", "gc-gen2-churn", "high-allocation-rate", "lock-contention"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let of_thread = |group: &Group| facts.text(group.kind) == "finalizer";
    // An idle finalizer thread waits in native code of the runtime.
    let at_work = |group: &Group| {
        of_thread(group)
            && (group.state == State::Running
                || (group.state == State::Waiting && facts.index.user_frame(group.stack).is_some()))
    };
    let share = facts.threads(at_work);
    if share < BUSY.value {
        return None;
    }
    let blocked = facts.threads(|group| at_work(group) && group.state == State::Waiting);
    let mut places = facts.places(at_work);
    if places.is_empty() {
        places = allocators(facts, |_| true);
    }
    let mut places = places.top(facts);
    places.extend(allocators(facts, |_| true).top(facts).into_iter().take(2));
    let what = if blocked > 0.5 * share { "waits in finalizers" } else { "runs finalizers" };
    let class = most_allocated(facts, |_| true)
        .map_or_else(String::new, |(class, _)| format!("; the most allocated type is {class}"));
    let title = format!(
        "The finalizer thread {what} {} of the time{}{class}",
        percent(share.min(1.0)),
        in_place(&places)
    );
    let mut evidence = vec![queries::samples(facts, "threads.kind = 'finalizer'", of_thread)];
    let growth = &facts.recording.gc;
    if !growth.start_ns.is_empty() {
        let sql = "select number, generation, start_ns, promoted_bytes / 1e6 as promoted_mb, gen2_bytes / 1e6 as gen2_mb from gc order by start_ns limit 200";
        evidence.push(EvidenceRows::of("gc", sql, growth.start_ns.iter().copied()));
    }
    let waits = Measured {
        name: "share of the time that a finalizer waits",
        value: blocked,
        unit: "share",
        threshold: None,
    };
    let looks = facts.sampling.as_ref().map_or(0.0, |sampling| real_u64(sampling.looks));
    Some(Found {
        title,
        severity: if share >= 0.7 { Severity::Critical } else { Severity::Warning },
        harms: vec![Harm::Share(share)],
        sure: Sure::Seen,
        measured: vec![
            BUSY.measured(share),
            waits,
            Measured { name: "rounds of sampling", value: looks, unit: "", threshold: None },
        ],
        places,
        evidence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const FINALIZER: &str = "Shop!Shop.Handle.Finalize";

    #[test]
    fn a_finalizer_thread_at_work_or_held_up_is_said_with_the_finalizer() {
        let mut busy = Scene::new();
        let thread = busy.thread("finalizer");
        busy.runs(thread, 0..50, &["System.Private.CoreLib!System.GC.RunFinalizers", FINALIZER]);
        assert_eq!(busy.says(&RULE), says(Severity::Warning, FINALIZER));
        let mut blocked = Scene::new();
        let thread = blocked.thread("finalizer");
        blocked.waits(thread, 0..LOOKS, "lock", &[FINALIZER, WAIT]);
        assert_eq!(blocked.says(&RULE), says(Severity::Critical, FINALIZER));
    }

    #[test]
    fn a_finalizer_thread_at_rest_and_one_with_a_little_to_do_keep_up() {
        let check = |work, speaks| {
            let mut scene = Scene::new();
            let thread = scene.thread("finalizer");
            scene.runs(thread, 0..work, &[FINALIZER]);
            scene.outside(thread, work..LOOKS, &[]);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{work} looks at work");
        };
        check(0, false);
        check(20, false);
        check(30, true);
        let mut rest = Scene::new();
        let thread = rest.thread("finalizer");
        rest.waits(thread, 0..LOOKS, "event", &["System.Private.CoreLib!System.GC.RunFinalizers", WAIT]);
        assert_eq!(rest.says(&RULE), None);
    }
}
