//! Threads that wait for locks that others hold.

use crate::evidence;
use crate::facts::{Facts, count, known, percent, real, said};
use crate::places::{Places, in_place, named};
use crate::rule::{Found, Need, Rule, Threshold};
use model::{NO_ID, NO_INT, Sym};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Group, Marks, State};
use rustc_hash::FxHashMap;

const WAITING: Threshold = Threshold {
    name: "threads waiting for locks, on average",
    value: 0.2,
    unit: "",
    source: "measured: below 0.01 in healthy services under load, 0.2 to 2 with a lock held through each request",
};
const SHARE: Threshold = Threshold {
    name: "their share of threads at work",
    value: 0.12,
    unit: "share",
    source: "a tenth of the working time is worth an engineer's day",
};
/// Waits that lie within such a part of the recording, and are no more than so many, are of a first use.
const EPISODE: f64 = 0.25;
const EPISODE_SECONDS: f64 = 2.5;
const EPISODE_WAITS: u64 = 200;
/// So many threads that wait are a line, however many processors there are.
const CRITICAL: f64 = 4.0;

/// Samples that cover less of the time were taken in bursts.
const WHOLE: f64 = 0.9;

pub(super) const RULE: Rule = Rule {
    id: "lock-contention",
    about: "threads wait for monitors or reader-writer locks, with the owner's frame where known; waits confined to \
            first-use initialisation stay `note`",
    needs: &[Need::Locks],
    thresholds: &[WAITING, SHARE],
    silent: "where the waits are few and in one short stretch, as of a cache or a model that is built at first use (a note then), \
             and where logging waits for its sink (`logging-flood`)",
    why: "`lock` is a monitor: a thread that finds it taken spins for a moment, then sleeps in the kernel until the owner \
          leaves (events Contention/Start and /Stop, which name the owner; `System.Threading.Lock` sends them too, a \
          reader-writer lock none). While the lock is held, only one thread does \
          this work however many processors there are; with a pool thread for each waiter, requests queue behind it.",
    tries: &[
        "Do less while holding it: compute before, publish after; no I/O, no logging, no allocation of large objects inside",
        "Split it: a lock for each key or partition, or data owned by one thread",
        "For data read far more often than written: an immutable snapshot behind `Volatile.Read`, or `FrozenDictionary`; `ConcurrentDictionary`, whose locks are many",
    ],
    verify: "Record the same load again: `contention.share` in `metrics` (for monitors) or samples that wait on `lock` fall, and throughput rises with the number of clients.",
    view: View { tab: "/stacks", params: &[("metric", "contention-time")] },
    causes: &["threadpool-queue-flood", "cpu-hot-path", "slow-dependency", "async-lock"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let rows = &facts.recording.contention;
    let end = facts.recording.exhibit.duration_ns;
    let mut places = Places::default();
    let (mut waited, mut longest, mut initialising) = (0.0, 0.0f64, 0.0);
    let mut times = Vec::new();
    let next: FxHashMap<u32, i64> = rows.thread.iter().copied().zip(rows.ts_ns.iter().copied()).collect();
    // A wait without a managed frame, where others have them, is for a lock of the runtime's own, as that of a new thread.
    let has_stacks = rows.stack.iter().any(|stack| *stack != NO_ID);
    for row in (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)) {
        let marks = facts.index.marks(row.stack);
        if marks.has(Marks::LOGGING) || (has_stacks && row.stack == NO_ID) {
            continue;
        }
        // A wait whose end is missing had ended when its thread began the next one.
        let open = || next.get(&row.thread).filter(|at| **at > row.ts_ns).copied().unwrap_or(end);
        let lasted = facts.lasted(row.dur_ns);
        let Some(dur_ns) = lasted.or_else(|| facts.lasted(open().saturating_sub(row.ts_ns))) else {
            continue;
        };
        if marks.has(Marks::INITIALISATION) {
            initialising += dur_ns;
        }
        waited += dur_ns;
        longest = longest.max(dur_ns);
        times.push((row.ts_ns, row.ts_ns.saturating_add(known(row.dur_ns).unwrap_or(0))));
        places.add(facts, row.stack, row.thread, row.ts_ns, dur_ns);
    }
    // Reader-writer locks send no events; their waits are in the samples. Those of monitors are in both, and where samples
    // were taken for a part of the time the events tell more: one wait that fell into a burst is no tenth of the time.
    let events_tell_more = !rows.ts_ns.is_empty() && facts.sampled_share() < WHOLE;
    let in_lock = |group: &Group| waits(facts, group) && !(events_tell_more && sends_events(facts, group));
    let by_samples = facts.threads(in_lock);
    let by_events = waited / (facts.seconds() * 1e9);
    let waiting = by_events.max(by_samples);
    // Without samples the processors that the process used stand in for the threads that ran.
    let by_cpu = facts.cpu.map(|of_machine| of_machine * facts.cores);
    let busy = if facts.has(Need::Samples) { Some(facts.busy()) } else { by_cpu };
    let share = waiting / (waiting + busy.unwrap_or(waiting)).max(0.1);
    if waiting < WAITING.value || share < SHARE.value {
        return None;
    }
    if places.is_empty() || by_samples > 1.5 * by_events {
        places = facts.places(in_lock);
    }
    let once = by_samples <= 1.5 * by_events && is_one_episode(&times, facts.seconds());
    let mostly_first_use = initialising > 0.5 * waited && waited > 0.0;
    let severity = match () {
        () if once || mostly_first_use => Severity::Note,
        () if waiting >= facts.cores.clamp(1.0, CRITICAL) && share >= 0.4 => Severity::Critical,
        () => Severity::Warning,
    };
    let places = places.top(facts.recording);
    let owner = owner(facts);
    let held = owner.as_ref().map_or_else(String::new, |frame| format!(", held in {frame}"));
    let title = if severity == Severity::Note {
        format!("Threads waited for locks in one short stretch{}: a first use", in_place(&places))
    } else {
        format!(
            "{} threads on average wait for a lock{}{held}: {} of the threads at work",
            said(waiting),
            in_place(&places),
            percent(share)
        )
    };
    let mut measured = vec![WAITING.measured(waiting), SHARE.measured(share)];
    if longest > 0.0 && by_events >= by_samples {
        measured.push(Measured { name: "longest wait", value: longest / 1e6, unit: "ms", threshold: None });
    }
    let mut evidence = Vec::new();
    if !times.is_empty() {
        let sql = "select lock, owner_thread, count(*) as waits, sum(dur_ns) / 1e6 as waited_ms, max(dur_ns) / 1e6 as longest_ms, \
                   min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns from contention group by 1, 2 order by 4 desc limit 20";
        evidence.push(EvidenceRows::of("contention", sql, times.iter().map(|(ts_ns, _)| *ts_ns)));
    }
    if by_samples > 0.0 {
        evidence.push(evidence::samples(
            facts,
            "samples.state = 'waiting' and samples.waiting_on = 'lock'",
            in_lock,
        ));
    }
    Some(Found { title, severity, score: share, measured, places, evidence })
}

/// Whether a group waits for a lock that is not a log's.
fn waits(facts: &Facts<'_>, group: &Group) -> bool {
    group.state == State::Waiting
        && facts.text(group.waiting_on) == "lock"
        && !facts.index.marks(group.stack).has(Marks::LOGGING)
}

/// Whether a wait is for a monitor, or a lock that sends a monitor's events.
fn sends_events(facts: &Facts<'_>, group: &Group) -> bool {
    let frame = runtime::leaf_frame(facts.recording, group.stack);
    let of = frame.and_then(|frame| facts.recording.frames.declaring_type.get(frame as usize));
    of.is_some_and(|of| matches!(facts.text(*of), "System.Threading.Monitor" | "System.Threading.Lock"))
}

/// Seconds that a first use may take; of a short recording half, for it cannot tell.
fn episode(seconds: f64) -> f64 {
    (EPISODE * seconds).max(EPISODE_SECONDS.min(seconds / 2.0))
}

/// Whether few waits lie in one short stretch.
fn is_one_episode(times: &[(i64, i64)], seconds: f64) -> bool {
    let first = times.iter().map(|(from, _)| *from).min();
    let last = times.iter().map(|(_, to)| *to).max();
    let (Some(first), Some(last)) = (first, last) else { return false };
    let stretch = real(last.saturating_sub(first)) / 1e9;
    if count(times.len()) > EPISODE_WAITS {
        return false;
    }
    stretch <= episode(seconds) || outside_is_little(times, seconds)
}

/// Whether a stretch as long as an episode may be holds nearly all of the time waited.
fn outside_is_little(times: &[(i64, i64)], seconds: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a recording; the cast saturates")]
    let stretch = (episode(seconds) * 1e9) as i64;
    let waited = |list: &mut dyn Iterator<Item = &(i64, i64)>| -> f64 {
        list.map(|(from, to)| real(to.saturating_sub(*from))).sum()
    };
    let all = waited(&mut times.iter());
    times.iter().any(|(from, _)| {
        let end = from.saturating_add(stretch);
        waited(&mut times.iter().filter(|(start, _)| start >= from && *start <= end)) >= 0.9 * all
    })
}

/// Where the lock's owner was seen most, while others waited for it.
fn owner(facts: &Facts<'_>) -> Option<String> {
    let rows = &facts.recording.contention;
    let numbers: FxHashMap<i64, u32> = facts
        .recording
        .thread_ids
        .iter()
        .enumerate()
        .filter_map(|(at, id)| Some((*id, u32::try_from(at).ok()?)))
        .collect();
    let mut held: FxHashMap<u32, Vec<(i64, i64)>> = FxHashMap::default();
    for row in (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)) {
        if row.owner_thread == NO_INT || row.dur_ns == NO_INT {
            continue;
        }
        let Some(thread) = numbers.get(&row.owner_thread) else { continue };
        held.entry(*thread).or_default().push((row.ts_ns, row.ts_ns.saturating_add(row.dur_ns)));
    }
    let samples = &facts.recording.samples;
    let mut places = Places::default();
    for at in 0..samples.ts_ns.len() {
        let Some(row) = samples.row(at) else { continue };
        let Some(times) = held.get(&row.thread) else { continue };
        let after = times.partition_point(|(from, _)| *from <= row.ts_ns);
        let inside =
            after.checked_sub(1).and_then(|at| times.get(at)).is_some_and(|(_, to)| *to >= row.ts_ns);
        if inside && row.waiting_on == Sym::NONE {
            places.add(facts, row.stack, row.thread, row.ts_ns, 1.0);
        }
    }
    named(&places.top(facts.recording))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const LOCK: [&str; 3] = [WORK, CART, "System.Private.CoreLib!System.Threading.Monitor.Enter_Slowpath"];

    /// Waits of a worker, each of so many milliseconds, so many times in each of the recording's seconds.
    fn scene(seconds: std::ops::Range<i64>, times: i64, ms: i64, stack: &[&str]) -> Scene {
        let mut scene = Scene::new();
        let (waits, holds) = (scene.thread("pool"), scene.thread("pool"));
        scene.runs(holds, 0..LOOKS, &[WORK, "Shop!Shop.Stock.Take"]);
        for second in seconds {
            for at in 0..times {
                scene.contends(waits, second * 1000 + at * 1000 / times, ms, Some(holds), stack);
            }
        }
        scene
    }

    #[test]
    fn a_lock_that_threads_wait_for_all_the_time_is_said_with_where_they_wait() {
        assert_eq!(scene(0..10, 30, 20, &LOCK).says(&RULE), says(Severity::Warning, CART));
        let (recording, name) = (scene(0..10, 30, 20, &LOCK).done(), "Shop.Stock.Take");
        assert_eq!(
            owner(&Facts::new(&recording, &runtime::StackIndex::new(&recording))).as_deref(),
            Some(name)
        );
    }

    #[test]
    fn a_line_for_a_reader_writer_lock_shows_in_samples_alone() {
        let check = |waiting, processors, expected| {
            let mut scene = Scene::lasting(10, processors);
            scene.workers_wait(waiting, 0..LOOKS, "lock", &LOCK);
            assert_eq!(scene.says(&RULE), says(expected, CART), "{waiting} on {processors}");
        };
        check(1, 2, Severity::Warning);
        check(8, 64, Severity::Critical);
    }

    #[test]
    fn a_first_use_is_a_note_and_goes_on_only_if_it_lasts() {
        let check = |scene: Scene, expected| {
            assert_eq!(scene.says(&RULE).map(|(severity, _)| severity), expected);
        };
        check(scene(1..3, 3, 250, &LOCK), None);
        let mut long = scene(1..3, 3, 250, &LOCK);
        let other = long.thread("pool");
        long.contends(other, 1000, 1900, None, &LOCK);
        check(long, Some(Severity::Note));
        check(scene(1..9, 4, 120, &LOCK), Some(Severity::Warning));
        let cctor = [WORK, CART, "Shop!Shop.Prices..cctor", LOCK[2]];
        check(scene(1..9, 4, 120, &cctor), Some(Severity::Note));
    }

    #[test]
    fn waits_of_logging_and_short_ones_are_not_a_locks() {
        let check = |ms, stack: &[&str], speaks| {
            assert_eq!(scene(0..10, 30, ms, stack).says(&RULE).is_some(), speaks, "{ms} ms, {stack:?}");
        };
        check(20, &[WORK, CART, LOG, LOCK[2]], false);
        check(5, &LOCK, false);
        check(8, &LOCK, true);
    }

    #[test]
    fn a_wait_whose_end_was_lost_had_ended_when_its_thread_waited_again() {
        let check = |again, speaks| {
            let mut scene = Scene::new();
            let worker = scene.thread("pool");
            scene.contends(worker, 100, NO_INT, None, &LOCK);
            if again {
                scene.contends(worker, 200, 1, None, &LOCK);
            }
            assert_eq!(scene.says(&RULE).is_some(), speaks, "again {again}");
        };
        check(true, false);
        check(false, true);
    }
}
