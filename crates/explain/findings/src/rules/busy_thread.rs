//! A thread that spins or computes all the time.

use crate::facts::{Facts, is_stop, percent, real_u64};
use crate::need::Need;
use crate::places::named;
use crate::queries;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::{ByFrame, FrameId, StackId, Sym, ThreadId};
use report::{Measured, Severity, View};
use runtime::{Group, Marks, State};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

const RUNNING: Threshold = Threshold {
    name: "share of the samples in which the thread ran",
    value: 0.6,
    unit: "share",
    source: "a thread that waits for work runs a small part of the time; measured: 0.88 for one that polls on 2 busy CPU cores",
};
const NARROW: Threshold = Threshold {
    name: "share of its samples in its top three methods (innermost frames)",
    value: 0.8,
    unit: "share",
    source: "a polling loop calls the same few methods; varied work does not",
};
/// A loop has this many innermost methods.
const LOOP: usize = 3;
/// A thread that waits for a larger share of its samples does not spin.
const MAX_WAITING: f64 = 0.1;

pub(super) const RULE: Rule = Rule {
    id: "busy-thread",
    about: "one thread is busy nearly all the time without serving requests: it polls, spins or computes",
    needs: &[Need::Running],
    thresholds: &[RUNNING, NARROW],
    silent: "if the thread's time is spread over many methods, as in a batch that computes, or if it is a thread-pool thread that \
             runs one work item after another",
    why: "A thread that never waits keeps a CPU core for itself: a computing thread for as long as it has work, a polling thread \
          even if it has none. On a machine or container with few cores, requests share the rest and wait for their turn, which \
          shows as a longer tail.",
    tries: &[
        "If the thread polls, wait for the work instead: `BlockingCollection.Take`, `Channel.Reader.WaitToReadAsync`, `SemaphoreSlim.WaitAsync`, an event",
        "If it must poll, pause in between: `PeriodicTimer` or `Task.Delay`; `SpinWait.SpinOnce` gives up the CPU core only after some rounds",
        "If the loop computes, make that cheaper, do it less often, or move it to its own process or core. If it only checks whether something has happened, wait for that instead",
    ],
    verify: "Record again: the thread waits most of the time, and `cpu.share` in `metrics` falls by about one CPU core.",
    places_of: "the samples of that thread",
    view: View {
        shows: "what the busy thread does",
        lane: "running",
        tab: "/stacks",
        metric: Some("running"),
    },
    before: &[],
    absorbs: &[],
    check,
};

#[derive(Default)]
struct Thread {
    running: u64,
    waiting: u64,
    all: u64,
    pool_dispatches: bool,
    leaves: FxHashMap<Option<FrameId>, u64>,
}

/// The thread that is busy, and how.
struct Busy {
    number: ThreadId,
    running: f64,
    narrow: f64,
}

/// Whether the busy thread polls: again and again it yields the CPU core, checks for work, or reads the time. A thread that
/// is only seen in its own code may also compute.
pub(crate) fn polls(facts: &Facts<'_>) -> bool {
    /// Share of the thread's samples. Work that reads the time now and then has less.
    const POLLING: f64 = 0.3;
    /// Share of the thread's samples in checks for work, if these are most of what the loop calls.
    const LOOKING: f64 = 0.01;
    let Some(busy) = busiest(facts) else { return false };
    let of_thread = |group: &&Group| group.thread == busy.number && group.state == State::Running;
    let mut methods: FxHashMap<Option<FrameId>, [u64; 2]> = FxHashMap::default();
    let (mut polling, mut calling, mut all) = (0u64, 0u64, 0u64);
    for group in facts.groups().iter().filter(of_thread) {
        all += group.samples;
        polling += if is_poll(facts, group.stack, false) { group.samples } else { 0 };
        let blamed = facts.index.blamed_frame(group.stack);
        let [samples, looking] = methods.entry(blamed).or_default();
        *samples += group.samples;
        *looking += if is_poll(facts, group.stack, true) { group.samples } else { 0 };
        let is_call = blamed != leaf_of_loop(facts, group);
        calling += if is_call { group.samples } else { 0 };
    }
    // The sampler stops threads at the end of the loop far more often than inside short calls, so few samples show what
    // the loop calls. If the time is in other methods of the service, the loop has work to do.
    let [in_loop, looking] = methods.into_values().max().unwrap_or_default();
    let looks_for_work = real_u64(looking) >= LOOKING * real_u64(all).max(1.0)
        && looking * 2 > calling
        && real_u64(in_loop) >= NARROW.value * real_u64(all);
    looks_for_work || real_u64(polling) >= POLLING * real_u64(all).max(1.0)
}

/// Whether one of the innermost frames polls. With `for_work` only checks for work count.
fn is_poll(facts: &Facts<'_>, stack: Option<StackId>, for_work: bool) -> bool {
    const INNERMOST: usize = 4;
    /// Types, and the beginnings of their methods that yield, read the clock, or check for work without waiting.
    const POLLS: [(&str, &[&str]); 9] = [
        ("System.Threading.SpinWait", &[""]),
        ("System.Threading.Thread", &["Yield", "Sleep", "SpinWait", "UninterruptibleSleep"]),
        ("System.Diagnostics.Stopwatch", &[""]),
        ("System.DateTime", &["get_UtcNow", "get_Now"]),
        ("System.DateTimeOffset", &["get_UtcNow", "get_Now"]),
        ("System.Environment", &["get_TickCount"]),
        ("System.Collections.Concurrent.", &["TryDequeue", "TryTake", "TryPeek", "TryPop", "get_IsEmpty"]),
        ("System.Threading.", &["TryRead", "TryPeek", "TryReceive", "TryEnter", "get_IsCompleted"]),
        ("System.Net.Sockets.", &["Poll", "get_Available"]),
    ];
    let recording = facts.recording;
    let frames = recording.stacks.frames(stack).take(INNERMOST);
    // Every loop contains the runtime's own polls.
    frames.filter(|frame| !is_stop(facts, *frame)).any(|frame| {
        let of = |column: &ByFrame<Sym>| column.get(frame).map_or("", |sym| facts.text(*sym));
        let (class, method) = (of(&recording.frames.declaring_type), of(&recording.frames.method));
        POLLS.iter().filter(|(name, _)| !for_work || name.ends_with('.')).any(|(name, methods)| {
            let is_of = if name.ends_with('.') { class.starts_with(name) } else { class == *name };
            is_of && methods.iter().any(|start| method.starts_with(start))
        })
    })
}

fn busiest(facts: &Facts<'_>) -> Option<Busy> {
    let looks = real_u64(facts.sampling.as_ref()?.looks);
    let mut threads: BTreeMap<ThreadId, Thread> = BTreeMap::new();
    for group in facts.groups() {
        let infrastructure = matches!(
            facts.text(group.kind),
            "gate" | "timer" | "finalizer" | "tiering" | "io" | "sampler" | "gc"
        );
        if infrastructure {
            continue;
        }
        let thread = threads.entry(group.thread).or_default();
        thread.all += group.samples;
        match group.state {
            State::Running => {
                thread.running += group.samples;
                let leaf = leaf_of_loop(facts, group);
                *thread.leaves.entry(leaf).or_default() += group.samples;
            }
            State::Waiting => thread.waiting += group.samples,
            State::External => {}
        }
        // A pool thread that returns for more work, or serves requests, is not a dedicated thread.
        thread.pool_dispatches |= facts.is_pool(group)
            && (!facts.is_at_work(group) || facts.index.marks(group.stack).has(Marks::REQUEST));
    }
    let mut best: Option<Busy> = None;
    for (number, thread) in &threads {
        let running = real_u64(thread.running) / looks.max(1.0);
        let waiting = real_u64(thread.waiting) / real_u64(thread.all).max(1.0);
        let mut leaves: Vec<u64> = thread.leaves.values().copied().collect();
        leaves.sort_unstable_by(|a, b| b.cmp(a));
        let narrow = real_u64(leaves.iter().take(LOOP).sum()) / real_u64(thread.running).max(1.0);
        let spins = running >= RUNNING.value
            && waiting <= MAX_WAITING
            && narrow >= NARROW.value
            && !thread.pool_dispatches;
        let is_busier = |of: &Busy| (running, of.number) > (of.running, *number);
        if spins && best.as_ref().is_none_or(is_busier) {
            best = Some(Busy { number: *number, running, narrow });
        }
    }
    best
}

fn check(facts: &Facts<'_>) -> Option<Found> {
    let Busy { number, running, narrow } = busiest(facts)?;
    let of_thread = |group: &Group| group.thread == number && group.state == State::Running;
    let places = facts.places(of_thread).top(facts);
    let name = named(&places)?;
    let id = *facts.recording.thread_ids.get(number)?;
    let title = format!("Thread {id} hardly ever waits: it runs {name} {} of the time", percent(running));
    let evidence =
        vec![queries::samples(facts, &format!("samples.thread = {id}"), |group| group.thread == number)];
    let of_machine = (running / facts.cores).min(1.0);
    let threads = Measured {
        name: "share of all CPU cores that the process may use",
        value: of_machine,
        unit: "share",
        threshold: None,
    };
    Some(Found {
        title,
        severity: if of_machine >= 0.9 { Severity::Critical } else { Severity::Warning },
        harms: vec![Harm::Share(of_machine)],
        sure: Sure::Seen,
        measured: vec![RUNNING.measured(running), NARROW.measured(narrow), threads],
        places,
        evidence,
    })
}

/// The innermost frame that says something of its own.
fn leaf_of_loop(facts: &Facts<'_>, group: &Group) -> Option<FrameId> {
    let stacks = &facts.recording.stacks;
    let mut frames = stacks.frames(group.stack);
    frames.find(|frame| !is_stop(facts, *frame))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// A thread that runs in so many looks of a hundred, in so many methods in turn, and waits else.
    fn scene(kind: &str, running: i64, methods: i64) -> Scene {
        let mut scene = Scene::new();
        let thread = scene.thread(kind);
        for look in 0..running {
            let leaf = format!("System.Private.CoreLib!System.Part{}.Poll", look % methods);
            scene.runs(thread, look..look + 1, &["Shop!Shop.Outbox.Poll", &leaf]);
        }
        scene.waits(thread, running..LOOKS, "event", &["Shop!Shop.Outbox.Poll", WAIT]);
        scene
    }

    #[test]
    fn a_thread_that_polls_is_said_with_its_loop() {
        assert_eq!(scene("user", 100, 2).says(&RULE), says(Severity::Warning, "Shop!Shop.Outbox.Poll"));
        let mut alone = scene("user", 100, 2);
        alone.recording.exhibit.cores = Some(1);
        assert_eq!(alone.says(&RULE), says(Severity::Critical, "Shop!Shop.Outbox.Poll"));
    }

    #[test]
    fn a_batch_a_thread_that_waits_and_the_runtimes_own_do_not_spin() {
        let check = |kind: &str, running, methods, speaks| {
            assert_eq!(
                scene(kind, running, methods).says(&RULE).is_some(),
                speaks,
                "{kind} {running} {methods}"
            );
        };
        check("user", 100, 4, false);
        check("user", 100, 3, true);
        check("user", 85, 2, false);
        check("user", 92, 2, true);
        check("tiering", 100, 1, false);
    }

    #[test]
    fn a_loop_that_is_stopped_at_its_own_end_still_polls_by_what_it_calls() {
        let check = |leaf: &str, expected| {
            let mut scene = Scene::new();
            let thread = scene.thread("user");
            scene.runs(thread, 0..96, &["Shop!Shop.Outbox.Poll"]);
            scene.runs(thread, 96..LOOKS, &["Shop!Shop.Outbox.Poll", leaf]);
            let recording = scene.done();
            let index = runtime::StackIndex::new(&recording);
            assert_eq!(polls(&Facts::new(&recording, &index)), expected, "{leaf}");
        };
        check("System.Private.CoreLib!System.Collections.Concurrent.ConcurrentQueue`1.TryDequeue", true);
        check("System.Private.CoreLib!System.Diagnostics.Stopwatch.get_Elapsed", false);
        check("System.Private.CoreLib!System.Math.Sqrt", false);
        let mut scene = Scene::new();
        let thread = scene.thread("user");
        let queue = "System.Private.CoreLib!System.Collections.Concurrent.ConcurrentQueue`1.TryDequeue";
        scene.runs(thread, 0..96, &["Shop!Shop.Outbox.Poll", "Shop!Shop.Prices.Sum"]);
        scene.runs(thread, 96..LOOKS, &["Shop!Shop.Outbox.Poll", queue]);
        let recording = scene.done();
        let index = runtime::StackIndex::new(&recording);
        assert!(!polls(&Facts::new(&recording, &index)), "the loop computes between its looks for work");
    }

    #[test]
    fn a_thread_that_runs_half_of_the_time_has_pauses() {
        let check = |running, speaks| {
            let mut scene = Scene::new();
            let thread = scene.thread("user");
            scene.runs(thread, 0..running, &["Shop!Shop.Outbox.Poll"]);
            scene.outside(thread, running..LOOKS, &["Shop!Shop.Outbox.Poll"]);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{running} looks");
        };
        check(50, false);
        check(65, true);
    }

    #[test]
    fn a_worker_that_serves_requests_is_no_thread_of_its_own() {
        let check = |stack: &[&str], speaks| {
            let mut scene = Scene::new();
            scene.workers_run(1, 0..LOOKS, stack);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{stack:?}");
        };
        check(&[WORK, REQUEST, CART], false);
        check(&[WORK, CART], true);
    }

    #[test]
    fn a_few_looks_show_no_pause_and_tell_nothing() {
        let mut scene = Scene::new();
        scene.recording.samples = model::Samples::default();
        let thread = scene.thread("user");
        scene.runs(thread, 0..3, &["Shop!Shop.Outbox.Poll"]);
        assert_eq!(scene.says(&RULE), None);
    }
}
