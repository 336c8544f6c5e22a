//! Threads that are created for each request or piece of work.

use crate::facts::{Facts, said, wide};
use crate::need::Need;
use crate::places::{Places, in_place};
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::{ByKind, Sym, ThreadRow};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::a_second;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

const RATE: Threshold = Threshold {
    name: "threads created and ended while recording, per second",
    value: 10.0,
    unit: "1/s",
    source: "the pool itself adds one or two per second; starting a thread takes about 50 to 200 µs and megabytes of address space",
};
/// In a shorter recording, threads that are seen once look as if they began and ended.
const MIN_SECONDS: f64 = 3.0;
/// Fewer threads are not a pattern.
const FEW: u64 = 30;
/// A thread that lives longer is not for a single request.
const SHORT_NS: i64 = 2_000_000_000;
/// Threads must begin in this many tenths of the recording. A single batch begins in one or two.
const SPREAD: usize = 3;

pub(super) const RULE: Rule = Rule {
    id: "thread-per-request",
    about: "threads are created and ended at a high rate",
    needs: &[Need::Runtime],
    thresholds: &[RATE],
    silent: "for threads that the pool adds and retires, for long-lived threads, for a single batch of threads, such as at the start, and \
             in recordings shorter than 3 s",
    why: "A thread is a kernel object with its own stack. Starting one takes a system call and a registration with the runtime, \
          each garbage collection must stop it, and its caches are cold. The pool exists to pay for that once. Threads per \
          request also have no limit: under load their number grows with the number of clients.",
    tries: &[
        "Queue the work to the pool with `Task.Run`, or simply await the asynchronous call",
        "For work that blocks, a fixed number of threads behind a `Channel` or `BlockingCollection`",
    ],
    verify: "Record the same load again: `threads` has no short-lived threads.",
    places_of: "the threads that were created",
    view: View { shows: "the threads", lane: "workers", tab: "/threads", metric: None },
    before: &["lock-contention", "cpu-hot-path", "blocking-call-on-pool"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let threads = &facts.recording.threads;
    let end = facts.recording.exhibit.duration_ns;
    let known_kinds =
        ["pool", "gate", "io", "timer", "tiering", "finalizer", "sampler", "gc", "main", "wait"];
    let rows = (0..threads.thread.len()).filter_map(|at| threads.row(at));
    let short = rows.filter(|row| {
        let lived = row.last_ts_ns.saturating_sub(row.first_ts_ns);
        row.first_ts_ns > 0
            && row.last_ts_ns < end
            && lived < SHORT_NS
            && !known_kinds.contains(&facts.text(row.kind))
    });
    let short: Vec<_> = short.collect();
    // Damaged events show threads that never existed.
    if facts.lacks_events {
        return None;
    }
    let rate = a_second(wide(short.len()), facts.observed_ns);
    let short_look = wide(short.len()) < FEW || facts.seconds() < MIN_SECONDS;
    if rate < RATE.value || short_look || !goes_on(&short, end) {
        return None;
    }
    let ids: FxHashSet<i64> = short.iter().map(|row| row.thread).collect();
    let mut places = creators(facts);
    if places.is_empty() {
        let is_short = |os_id: &i64| ids.contains(os_id);
        places = facts.places(|group| facts.recording.thread_ids.get(group.thread).is_some_and(is_short));
    }
    let places = places.top(facts);
    let title = format!("{} threads per second are created and end{}", said(rate), in_place(&places));
    let sql = "select thread, kind, first_ts_ns, last_ts_ns, (last_ts_ns - first_ts_ns) / 1e6 as lived_ms, samples from threads \
               where (kind is null or kind = 'user') and first_ts_ns > 0 and last_ts_ns - first_ts_ns < 2000000000 order by first_ts_ns limit 200";
    let evidence = vec![EvidenceRows::of("threads", sql, short.iter().map(|row| row.first_ts_ns))];
    let per_request = facts.per_request(rate);
    let mut measured = vec![RATE.measured(rate)];
    measured.extend(per_request.map(|value| Measured {
        name: "threads per request",
        value,
        unit: "",
        threshold: None,
    }));
    let severity = if rate >= 500.0 { Severity::Critical } else { Severity::Warning };
    // Of the requests that pay for a thread.
    let harm = per_request.map_or(Harm::Beyond { value: rate, harmless: RATE.value }, Harm::Share);
    Some(Found { title, severity, harms: vec![harm], sure: Sure::Seen, measured, places, evidence })
}

/// Whether threads begin in several parts of the recording.
fn goes_on(short: &[ThreadRow], end_ns: i64) -> bool {
    let tenth = |row: &ThreadRow| i128::from(row.first_ts_ns) * 10 / i128::from(end_ns.max(1));
    short.iter().map(tenth).collect::<BTreeSet<_>>().len() >= SPREAD
}

/// Where threads are created: stacks of Thread/Creating.
fn creators(facts: &Facts<'_>) -> Places {
    let mut places = Places::default();
    let events = &facts.recording.events;
    let creating: ByKind<bool> =
        events.kind_name.iter().map(|name| facts.text(*name) == "Thread/Creating").collect();
    if !creating.contains(&true) {
        return places;
    }
    for (at, kind) in events.kind.iter().enumerate() {
        if creating.get(*kind) != Some(&true) {
            continue;
        }
        let (Some(stack), Some(thread), Some(ts_ns)) =
            (events.stack.get(at), events.thread.get(at), events.ts_ns.get(at))
        else {
            continue;
        };
        // The pool creates its own threads from framework code only.
        let user = facts.index.blamed_frame(*stack).and_then(|frame| facts.recording.frames.name.get(frame));
        if user.is_some_and(|name| *name != Sym::NONE) {
            places.add(facts, *stack, *thread, *ts_ns, 1.0);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// So many threads in each of ten seconds from one on, of a kind, that live for so long.
    fn scene(a_second: i64, seconds: i64, kind: &str, lived_ms: i64) -> Scene {
        let mut scene = Scene::new();
        for at in 0..a_second * seconds {
            let first = 1 + at * 1_000_000_000 / a_second;
            scene.thread_of(kind, first, first + lived_ms * 1_000_000);
        }
        scene.event(1, RUNTIME, "Thread/Creating", 0.into(), &[WORK, CART]);
        scene
    }

    #[test]
    fn threads_that_come_and_go_are_said_with_who_makes_them() {
        let check = |a_second, expected| {
            assert_eq!(scene(a_second, 9, "", 20).says(&RULE), says(expected, CART), "{a_second}");
        };
        check(20, Severity::Warning);
        check(1000, Severity::Critical);
    }

    #[test]
    fn threads_of_damaged_events_are_no_threads_that_come_and_go() {
        let mut scene = scene(20, 9, "", 20);
        scene.recording.lost.damage.note(base::damage::PACKING, 0);
        let recording = scene.done();
        let report = crate::explain(&recording);
        assert!(report.findings.iter().all(|of| of.id != RULE.id));
        let of = report.not_checked.iter().find(|of| of.id == RULE.id).unwrap();
        assert!(of.needs.starts_with("an undamaged copy: "), "{of:?}");
    }

    #[test]
    fn the_pools_workers_threads_that_live_on_and_one_batch_are_no_thread_each() {
        let check = |scene: Scene, speaks| assert_eq!(scene.says(&RULE).is_some(), speaks);
        check(scene(20, 8, "pool", 20), false);
        check(scene(20, 7, "", 2_500), false);
        check(scene(10, 8, "", 20), false);
        check(scene(12, 9, "user", 20), true);
        check(scene(200, 1, "", 20), false);
        check(scene(200, 3, "", 20), true);
    }
}
