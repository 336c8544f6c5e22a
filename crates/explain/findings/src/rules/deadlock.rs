//! Threads that wait for each other's locks and never continue.

use crate::facts::{Facts, count, known, real, said};
use crate::need::Need;
use crate::places::{Places, in_place};
use crate::queries;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::{ContentionRow, NO_INT, SampleRow, StackId, ThreadId};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Group, Marks, State};
use rustc_hash::{FxHashMap, FxHashSet};

const STUCK: Threshold = Threshold {
    name: "threads that wait for a lock until the recording's end",
    value: 2.0,
    unit: "",
    source: "a circle has at least two",
};
const MIN_SECONDS: Threshold = Threshold {
    name: "wait of the second longest of them",
    value: 2.0,
    unit: "s",
    source: "no service means to hold a lock so long; if events name the owners, they prove the circle",
};
/// A thread that still waits this shortly before the last sample had not stopped waiting.
const END_NS: i64 = 200_000_000;

pub(super) const RULE: Rule = Rule {
    id: "deadlock",
    about: "threads wait for each other's locks and never continue",
    needs: &[Need::Locks],
    thresholds: &[STUCK, MIN_SECONDS],
    silent: "if a known owner runs or waits for something else: then it only holds its lock for long",
    why: "One thread holds lock A and asks for B, another holds B and asks for A: neither can continue, and no time-out ends it, \
          as `lock` has none. Each further request that needs one of the locks blocks one more thread-pool thread, until all \
          threads of the pool wait (adjustments with reason Starvation).",
    tries: &[
        "Take locks in the same order everywhere: by an id or a rank",
        "Hold one lock at a time: copy what is needed under the first, release it, then take the second",
        "As a safeguard, use `Monitor.TryEnter` with a time-out, and log when it expires",
    ],
    verify: "Run the two code paths concurrently under load: threads wait for `lock` and continue, and none stays.",
    places_of: "the threads that wait for each other",
    view: View {
        shows: "the stacks that wait for each other",
        lane: "waiting",
        tab: "/stacks",
        metric: Some("waiting"),
    },
    before: &["blocking-call-on-pool", "threadpool-queue-flood", "sync-over-async"],
    absorbs: &["lock-contention"],
    check,
};

/// A thread that waits for a lock from a time until the end.
struct Stuck {
    thread: ThreadId,
    stack: Option<StackId>,
    since_ns: i64,
}

fn check(facts: &Facts<'_>) -> Option<Found> {
    let stuck = stuck_threads(facts);
    // Samples say nothing about threads after the last one.
    let last_look = facts.recording.samples.ts_ns.last().copied();
    let end = last_look.unwrap_or(facts.recording.exhibit.duration_ns);
    let mut waits: Vec<f64> = stuck.iter().map(|of| real(end.saturating_sub(of.since_ns)) / 1e9).collect();
    waits.sort_by(|a, b| b.total_cmp(a));
    let second = waits.get(1).copied()?;
    if second < MIN_SECONDS.value {
        return None;
    }
    let threads: FxHashSet<ThreadId> = stuck.iter().map(|of| of.thread).collect();
    let owners = owners(facts, &threads);
    let proven = has_circle(&owners);
    // An owner that is not stuck will release its lock.
    if !proven && owners.values().any(|owner| !threads.contains(owner)) {
        return None;
    }
    if !proven && goes_on(facts, &stuck) {
        return None;
    }
    let mut places = Places::default();
    for of in &stuck {
        places.add(facts, of.stack, of.thread, of.since_ns, 1.0);
    }
    let places = places.top(facts);
    let threads_stuck = count(stuck.len());
    let (deadlock, locks) = if proven {
        ("Deadlock", "each other's locks")
    } else {
        ("Probably a deadlock", "locks that nobody releases")
    };
    let title = format!(
        "{deadlock}: {} threads wait for {locks}{} and do not continue for {} s",
        said(threads_stuck),
        in_place(&places),
        said(second)
    );
    let in_lock = |group: &Group| {
        group.state == State::Waiting
            && threads.contains(&group.thread)
            && facts.text(group.waiting_on) == "lock"
    };
    let mut evidence = Vec::new();
    if facts.has(Need::Samples) {
        evidence.push(queries::samples(
            facts,
            "samples.state = 'waiting' and samples.waiting_on = 'lock'",
            in_lock,
        ));
    }
    let rows = &facts.recording.contention;
    let open: Vec<i64> =
        rows.ts_ns.iter().zip(&rows.dur_ns).filter(|(_, ns)| **ns == NO_INT).map(|(ts, _)| *ts).collect();
    if !open.is_empty() {
        let sql =
            "select ts_ns, thread, owner_thread, lock from contention where dur_ns is null order by ts_ns";
        evidence.push(EvidenceRows::of("contention", sql, open.into_iter()));
    }
    let mut measured = vec![STUCK.measured(threads_stuck), MIN_SECONDS.measured(second)];
    if proven {
        let name = "circle of owners, from events";
        measured.push(Measured { name, value: 1.0, unit: "", threshold: None });
    }
    Some(Found {
        title,
        severity: Severity::Critical,
        // These threads do nothing else until the end.
        harms: vec![Harm::Share(1.0)],
        sure: if proven { Sure::Seen } else { Sure::Inferred },
        measured,
        places,
        evidence,
    })
}

/// Threads that still wait for a lock at the end, from samples or else from events.
fn stuck_threads(facts: &Facts<'_>) -> Vec<Stuck> {
    let samples = &facts.recording.samples;
    let Some(last_look) = samples.ts_ns.last().copied() else { return by_events(facts) };
    let waits = |row: &SampleRow| {
        facts.text(row.waiting_on) == "lock" && !facts.index.marks(row.stack).has(Marks::INITIALISATION)
    };
    // Only threads that wait in their last sample, near the end, can be stuck.
    let rows = (0..samples.ts_ns.len()).rev().filter_map(|at| samples.row(at));
    let mut last: FxHashMap<ThreadId, bool> = FxHashMap::default();
    for row in rows.take_while(|row| last_look.saturating_sub(row.ts_ns) <= END_NS) {
        last.entry(row.thread).or_insert_with(|| waits(&row));
    }
    if !last.values().any(|waits| *waits) {
        return Vec::new();
    }
    let mut since: FxHashMap<ThreadId, Stuck> = FxHashMap::default();
    let rows = (0..samples.ts_ns.len()).filter_map(|at| samples.row(at));
    for row in rows.filter(|row| last.get(&row.thread) == Some(&true)) {
        match since.get(&row.thread) {
            Some(of) if of.stack == row.stack && waits(&row) => {}
            _ if waits(&row) => {
                since.insert(row.thread, Stuck { thread: row.thread, stack: row.stack, since_ns: row.ts_ns });
            }
            _ => {
                since.remove(&row.thread);
            }
        }
    }
    let moved = moved(facts, &since);
    let mut stuck: Vec<Stuck> = since.into_values().filter(|of| !moved.contains(&of.thread)).collect();
    stuck.sort_by_key(|of| (of.since_ns, of.thread));
    stuck
}

/// Threads that did something after they were first seen in this wait. Threads that queue for a lock again and again also
/// look the same in every sample. A reader-writer lock sends no events, but waits for handles and requests do.
fn moved(facts: &Facts<'_>, since: &FxHashMap<ThreadId, Stuck>) -> FxHashSet<ThreadId> {
    let rows = &facts.recording.contention;
    let later = (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)).filter(|row| {
        let end = known(row.dur_ns).map_or(row.ts_ns, |ns| row.ts_ns.saturating_add(ns));
        since.get(&row.thread).is_some_and(|of| row.ts_ns.max(end) > of.since_ns)
    });
    let mut moved: FxHashSet<ThreadId> = later.map(|row| row.thread).collect();
    let waits = &facts.recording.waits;
    let ends = waits.thread.iter().zip(&waits.ts_ns).zip(&waits.dur_ns);
    let ends =
        ends.map(|((thread, ts_ns), ns)| (*thread, known(*ns).map_or(*ts_ns, |ns| ts_ns.saturating_add(ns))));
    let marks = &facts.recording.request_marks;
    let requests = marks.thread.iter().copied().zip(marks.ts_ns.iter().copied());
    let is_later = |(thread, ns): &(ThreadId, i64)| since.get(thread).is_some_and(|of| *ns > of.since_ns);
    moved.extend(ends.chain(requests).filter(is_later).map(|(thread, _)| thread));
    moved
}

/// Without samples: waits that have no end, of threads that sent no later event.
fn by_events(facts: &Facts<'_>) -> Vec<Stuck> {
    let (rows, threads) = (&facts.recording.contention, &facts.recording.threads);
    let last: FxHashMap<i64, i64> =
        threads.thread.iter().copied().zip(threads.last_ts_ns.iter().copied()).collect();
    let silent_since = |row: &ContentionRow| {
        let id = facts.recording.thread_ids.get(row.thread);
        id.and_then(|id| last.get(id)).is_none_or(|last| last.saturating_sub(row.ts_ns) <= END_NS)
    };
    let open = (0..rows.ts_ns.len()).filter_map(|at| rows.row(at));
    open.filter(|row| row.dur_ns == NO_INT && silent_since(row))
        .filter_map(|row| Some(Stuck { thread: row.thread, stack: row.stack, since_ns: known(row.ts_ns)? }))
        .collect()
}

/// Whether all stuck threads wait for reader-writer or spin locks, which name no owner, while other threads still enter such
/// locks: readers can wait for many seconds behind writers that take turns.
fn goes_on(facts: &Facts<'_>, stuck: &[Stuck]) -> bool {
    let enters = |stack: Option<StackId>| facts.index.marks(stack).has(Marks::ENTERING);
    // Without a stuck thread, nothing is asked of this time.
    let since_ns = stuck.iter().map(|of| of.since_ns).min().unwrap_or(0);
    let is_stuck = |thread: ThreadId| stuck.iter().any(|of| of.thread == thread);
    stuck.iter().all(|of| enters(of.stack))
        && facts
            .groups()
            .iter()
            .any(|group| group.last_ns > since_ns && enters(group.stack) && !is_stuck(group.thread))
}

/// For each stuck thread, the thread that owns its lock, if an event names it.
fn owners(facts: &Facts<'_>, stuck: &FxHashSet<ThreadId>) -> FxHashMap<ThreadId, ThreadId> {
    let rows = &facts.recording.contention;
    let thread = |os_id: i64| facts.recording.thread_ids.find(|known| *known == os_id);
    let open = (0..rows.ts_ns.len()).filter_map(|at| rows.row(at));
    open.filter(|row| row.dur_ns == NO_INT && stuck.contains(&row.thread) && row.owner_thread != NO_INT)
        .filter_map(|row| Some((row.thread, thread(row.owner_thread)?)))
        .collect()
}

fn has_circle(owners: &FxHashMap<ThreadId, ThreadId>) -> bool {
    owners.keys().any(|start| {
        let mut at = *start;
        for _ in 0..owners.len() {
            match owners.get(&at) {
                Some(next) if next == start => return true,
                Some(next) => at = *next,
                None => return false,
            }
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn readers_that_starve_behind_writers_who_take_turns_are_in_no_deadlock() {
        let check = |others: i64, speaks| {
            let enters = "System.Private.CoreLib!System.Threading.ReaderWriterLockSlim.TryEnterReadLockCore";
            let mut scene = Scene::new();
            scene.workers_wait(4, 0..LOOKS, "lock", &[WORK, CART, enters]);
            let writer = scene.thread("pool");
            scene.waits(writer, 50..50 + others, "lock", &[WORK, "Shop!Shop.Stock.Recount", enters]);
            scene.runs(writer, 50 + others..LOOKS, &[WORK, "Shop!Shop.Stock.Recount"]);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{others} looks of others at the door");
        };
        check(0, true);
        check(20, false);
    }

    #[test]
    fn a_circle_comes_back_to_where_it_began() {
        let check = |pairs: &[(u16, u16)], expected| {
            let owners = pairs.iter().map(|(of, owner)| ((*of).into(), (*owner).into()));
            assert_eq!(has_circle(&owners.collect()), expected, "{pairs:?}");
        };
        check(&[(1, 2), (2, 1)], true);
        check(&[(1, 2), (2, 3), (3, 1), (4, 1)], true);
        check(&[(1, 2), (2, 3)], false);
        check(&[], false);
    }

    const LOCK: [&str; 3] = [WORK, CART, "System.Private.CoreLib!System.Threading.Monitor.Enter_Slowpath"];

    /// Two workers that wait for a lock from a look on until the end.
    fn scene(from: i64) -> (Scene, ThreadId, ThreadId) {
        let mut scene = Scene::new();
        let (one, other) = (scene.thread("pool"), scene.thread("pool"));
        for thread in [one, other] {
            scene.runs(thread, 0..from, &[WORK, CART]);
            scene.waits(thread, from..LOOKS, "lock", &LOCK);
        }
        (scene, one, other)
    }

    #[test]
    fn threads_that_stand_at_locks_to_the_end_are_said_with_where_they_stand() {
        let (mut scene, one, other) = scene(30);
        scene.contends(one, 2990, NO_INT, Some(other), &LOCK);
        scene.contends(other, 2990, NO_INT, Some(one), &LOCK);
        assert_eq!(scene.says(&RULE), says(Severity::Critical, CART));
    }

    #[test]
    fn a_lock_held_for_a_moment_or_by_a_thread_that_runs_is_no_deadlock() {
        let check = |from, change: fn(&mut Scene, ThreadId, ThreadId), speaks| {
            let (mut scene, one, other) = scene(from);
            change(&mut scene, one, other);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "from look {from}");
        };
        check(30, |_, _, _| {}, true);
        check(85, |_, _, _| {}, false);
        let held = |scene: &mut Scene, one, _| {
            let holds = scene.thread("pool");
            scene.runs(holds, 0..LOOKS, &[WORK, CART]);
            scene.contends(one, 2990, NO_INT, Some(holds), &LOCK);
        };
        check(30, held, false);
    }

    #[test]
    fn threads_in_a_line_are_seen_at_one_place_and_yet_move() {
        let check = |waits_of_it: i64, speaks| {
            let (mut scene, one, _) = scene(10);
            (0..waits_of_it).for_each(|at| scene.contends(one, at * 500, 490, None, &LOCK));
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{waits_of_it} waits");
        };
        check(1, true);
        check(10, false);
    }

    #[test]
    fn a_burst_of_looks_does_not_tell_what_comes_after_it() {
        let check = |last_look, speaks| {
            let mut scene = Scene::new();
            scene.recording.samples = model::Samples::default();
            for thread in [1, 2] {
                scene.thread("pool");
                scene.waits(thread.into(), 0..last_look, "lock", &LOCK);
            }
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{last_look} looks");
        };
        check(15, false);
        check(25, true);
    }

    #[test]
    fn without_samples_a_thread_that_sent_something_later_does_not_stand() {
        let check = |last_ms: i64, speaks| {
            let mut scene = Scene::new().without_samples();
            for _ in 0..2 {
                let thread = scene.thread_of("pool", 0, last_ms * 1_000_000);
                scene.contends(thread, 1000, NO_INT, None, &LOCK);
            }
            assert_eq!(scene.says(&RULE).is_some(), speaks, "last event at {last_ms}");
        };
        check(1000, true);
        check(9000, false);
    }
}
