//! Threads that wait for locks that others hold.

use crate::facts::{Facts, known, percent, real, real_u64, said, wide};
use crate::need::Need;
use crate::places::{Places, in_place, named};
use crate::queries;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::{Contentions, FrameId, StackId, Sym, ThreadId};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Group, Marks, State};
use rustc_hash::{FxHashMap, FxHashSet};

const WAITING: Threshold = Threshold {
    name: "threads waiting for locks, on average",
    value: 0.2,
    unit: "",
    source: "measured: below 0.01 in healthy services under load, 0.2 to 2 with a lock held through each request",
};
const SHARE: Threshold = Threshold {
    name: "their share of the threads that have work, running or blocked",
    value: 0.12,
    unit: "share",
    source: "our judgement: a smaller share is rarely worth fixing",
};
/// All waits are from a first use if they are few and lie within this share of the recording,
const EPISODE: f64 = 0.25;
/// or within this time,
const EPISODE_SECONDS: f64 = 2.5;
/// and are no more than this.
const EPISODE_WAITS: u64 = 200;
/// This many waiting threads are a queue, however many CPU cores there are.
const CRITICAL: f64 = 4.0;

/// Types in which threads spin before they enter a lock, as SQL over `frames`.
const SPINNING: &str = "frames.type in ('System.Threading.SpinLock', 'System.Threading.Lock', \
     'System.Threading.ReaderWriterLockSlim', 'System.Threading.ReaderWriterLockSlim+SpinLock', \
     'System.Threading.ReaderWriterLock')";

/// From this share of the waits on, the title says that they fall into GC pauses.
const MUCH_PAUSED: f64 = 0.1;
/// A smaller share is not worth a figure.
const MIN_PAUSED: f64 = 0.005;
const IN_PAUSES: &str = "share of the time waited that falls into GC pauses, by lock events";

/// Samples that cover a smaller share of the time were taken in bursts.
const WHOLE: f64 = 0.9;

pub(super) const RULE: Rule = Rule {
    id: "lock-contention",
    about: "threads wait for monitors or reader-writer locks; names the owner's frame if it is known. Waits that only belong to \
            first-use initialisation are a `note`",
    needs: &[Need::Locks],
    thresholds: &[WAITING, SHARE],
    silent: "if logging waits for its sink (`logging-flood`). A note if the waits are few and close together, as when a cache or a \
             model is built at first use",
    why: "`lock` is a monitor: a thread that finds it taken spins for a moment, then sleeps in the kernel until the holder leaves. \
          Meanwhile only one thread does this work, however many CPU cores there are, and each waiter blocks a thread-pool thread, \
          so that requests queue. Events (Contention/Start and /Stop) name the holder of a monitor or a `System.Threading.Lock`. \
          Reader-writer and spin locks send none: samples show their waiters, and a thread in the same method that does not wait \
          is taken to be the holder.",
    tries: &[
        "Do less while holding it: compute before, publish after; no I/O, no logging and no allocation of large objects inside",
        "Split it: one lock per key or partition, or data owned by one thread",
        "For data that is read far more often than written: an immutable snapshot behind `Volatile.Read`, `FrozenDictionary`, or `ConcurrentDictionary`, which has many locks",
    ],
    verify: "Record the same load again: fewer threads wait (for monitors, `contention.waiting` in `metrics`; for other locks, samples that wait on `lock`), and throughput rises with the number of clients.",
    places_of: "the time that threads wait for locks",
    view: View {
        shows: "the stacks that wait for the lock",
        lane: "locks",
        tab: "/stacks",
        metric: Some("contention-time"),
    },
    before: &["threadpool-queue-flood", "cpu-hot-path", "slow-dependency", "async-lock"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let rows = &facts.recording.contention;
    let end = facts.recording.exhibit.duration_ns;
    let mut places = Places::default();
    let (mut waited, mut longest, mut initialising) = (0.0, 0.0f64, 0.0);
    let mut times = Vec::new();
    let next = next_waits(rows, end);
    // If others have managed frames, a wait without one is for a lock of the runtime itself, such as at a thread's start.
    let has_stacks = rows.stack.iter().any(Option::is_some);
    for (row, next) in (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)).zip(next) {
        let marks = facts.index.marks(row.stack);
        if marks.has(Marks::LOGGING) || (has_stacks && row.stack.is_none()) {
            continue;
        }
        // A wait without an end had ended by the time its thread began the next one.
        let open = next.saturating_sub(row.ts_ns);
        let Some(dur_ns) = facts.lasted(row.dur_ns).or_else(|| facts.lasted(open)) else { continue };
        if marks.has(Marks::INITIALISATION) {
            initialising += dur_ns;
        }
        waited += dur_ns;
        longest = longest.max(dur_ns);
        // A wait without an end is known at its beginning only.
        times.push((row.ts_ns, row.ts_ns.saturating_add(known(row.dur_ns).unwrap_or(0))));
        places.add(facts, row.stack, row.thread, row.ts_ns, dur_ns);
    }
    // Waits for reader-writer locks are only in the samples. Waits for monitors are also in the events, which say more if
    // samples cover a part of the time: one wait within a short burst would look like a tenth of the time.
    let events_say_more = !rows.ts_ns.is_empty() && facts.sampled_share() < WHOLE;
    let in_lock = |group: &Group| waits(facts, group) && !(events_say_more && sends_events(facts, group));
    let by_samples = facts.threads(in_lock);
    let by_events = waited / (facts.seconds() * 1e9);
    let waiting = by_events.max(by_samples);
    // Without samples, the CPU cores in use stand for the running threads.
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
    let severity = severity(facts, once || mostly_first_use, waiting, share);
    let places = places.top(facts);
    let primitive = primitive(facts, in_lock);
    let owner = if by_samples > 1.5 * by_events { holder_by_samples(facts, in_lock) } else { None };
    let owner = owner.or_else(|| owner_by_events(facts));
    let held = owner.as_ref().map_or_else(String::new, |(frame, _)| held_in(facts, frame));
    let in_pauses = runtime::lock_waits_in_gc_pauses(facts.recording).filter(|of| *of >= MIN_PAUSED);
    let title = if severity == Severity::Note {
        format!("Threads waited for locks only for a short time{}, as at a first use", in_place(&places))
    } else {
        format!(
            "On average {} threads wait for {primitive}{}{held}. They are {} of the threads that have work{}",
            said(waiting),
            in_place(&places),
            percent(share),
            said_of_pauses(in_pauses)
        )
    };
    let mut measured = vec![WAITING.measured(waiting)];
    measured.extend(by_other_source(facts, by_events, by_samples));
    measured.push(SHARE.measured(share));
    measured.extend(in_pauses.map(|value| Measured {
        name: IN_PAUSES,
        value,
        unit: "share",
        threshold: None,
    }));
    if longest > 0.0 && by_events >= by_samples {
        measured.push(Measured { name: "longest wait", value: longest / 1e6, unit: "ms", threshold: None });
    }
    if let Some((_, share)) = owner {
        let name = "share of the holder's samples in the named method";
        measured.push(Measured { name, value: share, unit: "share", threshold: None });
    }
    let mut evidence: Vec<EvidenceRows> = by_lock(&times).into_iter().collect();
    if by_samples > 0.0 {
        evidence.extend(sampled(facts, in_lock));
    }
    // Waits that fall into GC pauses are the harm of these.
    let harms = vec![Harm::Share(share * (1.0 - in_pauses.unwrap_or(0.0)))];
    Some(Found { title, severity, harms, sure: Sure::Seen, measured, places, evidence })
}

fn severity(facts: &Facts<'_>, is_first_use: bool, waiting: f64, share: f64) -> Severity {
    match () {
        () if is_first_use => Severity::Note,
        () if waiting >= facts.cores.clamp(1.0, CRITICAL) && share >= 0.4 => Severity::Critical,
        () => Severity::Warning,
    }
}

/// The waits in the events, by lock and owner.
fn by_lock(times: &[(i64, i64)]) -> Option<EvidenceRows> {
    let sql = "select lock, owner_thread, count(*) as waits, sum(dur_ns) / 1e6 as waited_ms, max(dur_ns) / 1e6 as longest_ms, \
               min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns from contention group by 1, 2 order by 4 desc limit 20";
    let times = (!times.is_empty()).then(|| times.iter().map(|(ts_ns, _)| *ts_ns))?;
    Some(EvidenceRows::of("contention", sql, times))
}

/// Says how much of the waits falls into GC pauses, if it is much.
fn said_of_pauses(share: Option<f64>) -> String {
    let much = share.filter(|share| *share >= MUCH_PAUSED);
    much.map_or_else(String::new, |of| format!("; {} of the time waited was GC pauses", percent(of)))
}

/// For each wait, when its thread began the next one; the recording's end if there is none.
fn next_waits(rows: &Contentions, end_ns: i64) -> Vec<i64> {
    let mut later: FxHashMap<ThreadId, i64> = FxHashMap::default();
    let times = rows.thread.iter().zip(&rows.ts_ns).rev();
    let mut next: Vec<i64> =
        times.map(|(thread, ts_ns)| later.insert(*thread, *ts_ns).unwrap_or(end_ns)).collect();
    next.reverse();
    next
}

/// The waiting threads by the source that did not decide, if it shows any: both show the same waits, over different times.
fn by_other_source(facts: &Facts<'_>, by_events: f64, by_samples: f64) -> Option<Measured> {
    let (name, value) = if by_events >= by_samples {
        ("the same, by samples", facts.threads(|group| waits(facts, group)))
    } else {
        ("the same, by lock events", by_events)
    };
    (value > 0.0).then_some(Measured { name, value, unit: "", threshold: None })
}

/// The samples that show the waits: threads that sleep, and threads that spin.
fn sampled(facts: &Facts<'_>, in_lock: impl Fn(&Group) -> bool) -> [EvidenceRows; 2] {
    let sleeps = |group: &Group| in_lock(group) && group.state == State::Waiting;
    let spins = |group: &Group| in_lock(group) && group.state != State::Waiting;
    let asleep = "samples.state = 'waiting' and samples.waiting_on = 'lock'";
    [
        queries::samples(facts, asleep, sleeps),
        queries::samples_under(facts, SPINNING, "samples.state <> 'waiting'", spins),
    ]
}

/// Whether a group waits for a lock, asleep or spinning. Locks of logging do not count.
fn waits(facts: &Facts<'_>, group: &Group) -> bool {
    let asleep = group.state == State::Waiting && facts.text(group.waiting_on) == "lock";
    (asleep || facts.spins_for_lock(group)) && !facts.index.marks(group.stack).has(Marks::LOGGING)
}

/// What most of these waits are for, in words: the innermost frame of a lock's own type shows it.
fn primitive(facts: &Facts<'_>, wanted: impl Fn(&Group) -> bool) -> &'static str {
    /// How many frames to search, from the innermost on.
    const INNERMOST: usize = 8;
    const WORDS: [(&str, &str); 4] = [
        ("System.Threading.ReaderWriterLockSlim", "a reader-writer lock (ReaderWriterLockSlim)"),
        ("System.Threading.ReaderWriterLock", "a reader-writer lock (ReaderWriterLock)"),
        ("System.Threading.SpinLock", "a spin lock (SpinLock)"),
        ("System.Threading.Lock", "a lock"),
    ];
    let (recording, mut seen) = (facts.recording, [0u64; WORDS.len()]);
    let mut all = 0u64;
    for group in facts.groups().iter().filter(|group| wanted(group)) {
        all += group.samples;
        let frames = recording.stacks.frames(group.stack).take(INNERMOST);
        let mut types = frames.filter_map(|frame| recording.frames.declaring_type.get(frame));
        let word = types.find_map(|of| {
            let class = facts.text(*of).split('+').next().unwrap_or_default();
            WORDS.iter().position(|(name, _)| *name == class)
        });
        if let Some(seen) = word.and_then(|at| seen.get_mut(at)) {
            *seen += group.samples;
        }
    }
    let most = seen.iter().zip(WORDS).max_by_key(|(seen, _)| **seen);
    most.filter(|(seen, _)| **seen * 2 > all).map_or("a lock", |(_, (_, word))| word)
}

/// Whether a wait is for a lock that sends events.
fn sends_events(facts: &Facts<'_>, group: &Group) -> bool {
    let frame = facts.recording.stacks.leaf(group.stack);
    let of = frame.and_then(|frame| facts.recording.frames.declaring_type.get(frame));
    of.is_some_and(|of| matches!(facts.text(*of), "System.Threading.Monitor" | "System.Threading.Lock"))
}

/// How many seconds a first use may take. Half of a short recording, which cannot show whether waits go on.
fn episode(seconds: f64) -> f64 {
    (EPISODE * seconds).max(EPISODE_SECONDS.min(seconds / 2.0))
}

/// Whether the waits are few and close together.
fn is_one_episode(times: &[(i64, i64)], seconds: f64) -> bool {
    let first = times.iter().map(|(from, _)| *from).min();
    let last = times.iter().map(|(_, to)| *to).max();
    let (Some(first), Some(last)) = (first, last) else { return false };
    let stretch = real(last.saturating_sub(first)) / 1e9;
    if wide(times.len()) > EPISODE_WAITS {
        return false;
    }
    stretch <= episode(seconds) || outside_is_little(times, seconds)
}

/// Whether some stretch of an episode's length contains nearly all of the waiting time.
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

/// Where the lock's owner was sampled most while others waited for it, and the share of its samples there.
fn owner_by_events(facts: &Facts<'_>) -> Option<(String, f64)> {
    let mut places = Places::default();
    for row in facts.holder_samples() {
        places.add(facts, row.stack, row.thread, row.ts_ns, 1.0);
    }
    named_with_share(facts, &places)
}

/// Where the lock is held, and what its holder does there.
fn held_in(facts: &Facts<'_>, frame: &str) -> String {
    format!(", held in {frame}{}", blocked_holder(facts).unwrap_or_default())
}

/// What the lock's owner waits for most of the time while it holds the lock, in words: that is the cause.
fn blocked_holder(facts: &Facts<'_>) -> Option<String> {
    const MOSTLY: f64 = 0.5;
    let mut waits: FxHashMap<Sym, u64> = FxHashMap::default();
    let mut all = 0u64;
    for row in facts.holder_samples() {
        all += 1;
        *waits.entry(row.waiting_on).or_default() += 1;
    }
    let (what, times) = waits.into_iter().max_by_key(|(what, times)| (*times, *what))?;
    let is_most = real_u64(times) >= MOSTLY * real_u64(all);
    match facts.text(what) {
        _ if !is_most => None,
        "" | "lock" => None,
        "sleep" => Some(" by a thread that sleeps there".to_owned()),
        what => Some(format!(" by a thread that waits there ({what})")),
    }
}

/// If no event names the owner: a thread in the same method as the waiters that does not wait for the lock itself holds it.
/// Only samples taken while somebody waits count.
fn holder_by_samples(facts: &Facts<'_>, waits: impl Fn(&Group) -> bool) -> Option<(String, f64)> {
    /// One round of sampling takes less time.
    const ONE_LOOK_NS: i64 = 2_000_000;
    let recording = facts.recording;
    let mut doors: FxHashMap<FrameId, u64> = FxHashMap::default();
    let mut at_door: FxHashSet<(Option<StackId>, Sym)> = FxHashSet::default();
    for group in facts.groups().iter().filter(|group| waits(group)) {
        at_door.insert((group.stack, group.waiting_on));
        if let Some(frame) = facts.index.blamed_frame(group.stack) {
            *doors.entry(frame).or_default() += group.samples;
        }
    }
    let samples = &recording.samples;
    let rows = || (0..samples.ts_ns.len()).filter_map(|at| samples.row(at));
    let times: Vec<i64> =
        rows().filter(|row| at_door.contains(&(row.stack, row.waiting_on))).map(|row| row.ts_ns).collect();
    let is_waited_for = |ts_ns: i64| {
        let after = times.partition_point(|at| *at < ts_ns.saturating_sub(ONE_LOOK_NS));
        times.get(after).is_some_and(|at| *at <= ts_ns.saturating_add(ONE_LOOK_NS))
    };
    // Decided once per stack: whether it is inside one of the methods in which threads wait.
    let mut inside: FxHashMap<Option<StackId>, bool> = FxHashMap::default();
    let mut places = Places::default();
    for row in rows().filter(|row| !at_door.contains(&(row.stack, row.waiting_on))) {
        let is_inside = *inside
            .entry(row.stack)
            .or_insert_with(|| recording.stacks.frames(row.stack).any(|frame| doors.contains_key(&frame)));
        if is_inside && is_waited_for(row.ts_ns) {
            places.add(facts, row.stack, row.thread, row.ts_ns, 1.0);
        }
    }
    named_with_share(facts, &places)
}

/// The first place in words, with its share. `None` if only the framework was sampled.
fn named_with_share(facts: &Facts<'_>, places: &Places) -> Option<(String, f64)> {
    if places.is_empty() {
        return None;
    }
    let top = places.top(facts);
    Some((named(&top)?, top.first()?.share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use model::NO_INT;

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
    fn a_wait_without_an_end_weighs_no_more_than_until_its_threads_next_one() {
        let rows = [(1, 10), (2, 20), (1, 30), (1, 40), (2, 50)];
        let mut waits = Contentions::default();
        for (thread, ts_ns) in rows {
            let thread = ThreadId::at(thread);
            waits.push(model::ContentionRow { ts_ns, thread, ..model::ContentionRow::blank() });
        }
        assert_eq!(next_waits(&waits, 90), [30, 50, 40, 90, 90]);
    }

    #[test]
    fn a_lock_that_threads_wait_for_all_the_time_is_said_with_where_they_wait() {
        assert_eq!(scene(0..10, 30, 20, &LOCK).says(&RULE), says(Severity::Warning, CART));
        let (recording, name) = (scene(0..10, 30, 20, &LOCK).done(), "Shop.Stock.Take");
        let index = runtime::StackIndex::new(&recording);
        let owner = owner_by_events(&Facts::new(&recording, &index));
        assert_eq!(owner, Some((name.to_owned(), 1.0)));
    }

    #[test]
    fn a_line_for_a_reader_writer_lock_shows_in_samples_alone() {
        let check = |waiting, cores, expected| {
            let mut scene = Scene::lasting(10, cores);
            scene.workers_wait(waiting, 0..LOOKS, "lock", &LOCK);
            assert_eq!(scene.says(&RULE), says(expected, CART), "{waiting} on {cores}");
        };
        check(1, 2, Severity::Warning);
        check(8, 64, Severity::Critical);
    }

    #[test]
    fn a_holder_that_sleeps_is_named_by_its_own_method_and_not_by_what_it_did_after() {
        let mut scene = Scene::new();
        let (waits, holds) = (scene.thread("pool"), scene.thread("pool"));
        scene.waits(
            holds,
            0..90,
            "sleep",
            &[WORK, "Shop!Shop.Stock.Take", "System.Private.CoreLib!System.Threading.Thread.Sleep"],
        );
        scene.runs(holds, 90..LOOKS, &["System.Private.CoreLib!System.Threading.PortableThreadPool+WorkerThread.MaybeAddWorkingWorker"]);
        scene.contends(waits, 0, 9_999, Some(holds), &LOCK);
        let recording = scene.done();
        let index = runtime::StackIndex::new(&recording);
        let facts = Facts::new(&recording, &index);
        assert_eq!(blocked_holder(&facts).as_deref(), Some(" by a thread that sleeps there"));
        let (name, share) = owner_by_events(&facts).unwrap();
        assert_eq!((name.as_str(), (share * 100.0).round()), ("Shop.Stock.Take", 90.0));
    }

    #[test]
    fn the_holder_of_a_reader_writer_lock_is_who_is_in_the_method_and_does_not_wait() {
        let enters = "System.Private.CoreLib!System.Threading.ReaderWriterLockSlim.TryEnterWriteLockCore";
        let count = "Shop!Shop.Stock.Recount";
        let mut scene = Scene::new();
        scene.workers_wait(6, 0..LOOKS, "lock", &[WORK, CART, enters]);
        scene.workers_run(1, 0..LOOKS, &[WORK, CART, count]);
        scene.workers_run(1, 0..LOOKS, &[WORK, "Shop!Shop.Other.Work"]);
        let recording = scene.done();
        let index = runtime::StackIndex::new(&recording);
        let found = check(&Facts::new(&recording, &index)).unwrap();
        assert!(
            found.title.contains("(ReaderWriterLockSlim) in Shop.Cart.Total, held in Shop.Stock.Recount"),
            "{}",
            found.title
        );
    }

    #[test]
    fn threads_that_spin_for_a_lock_wait_for_it_and_are_not_busy() {
        let mut scene = Scene::new();
        let spins = [
            "System.Private.CoreLib!System.Threading.SpinLock.ContinueTryEnter",
            "System.Private.CoreLib!System.Threading.SpinWait.SpinOnceCore",
        ];
        scene.workers_run(3, 0..LOOKS, &[WORK, CART, spins[0], spins[1]]);
        assert_eq!(scene.says(&RULE), says(Severity::Critical, CART));
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
