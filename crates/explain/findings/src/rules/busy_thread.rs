//! A thread that spins.

use crate::evidence;
use crate::facts::{Facts, is_stop, percent, real_u64};
use crate::places::{Places, named};
use crate::rule::{Found, Need, Rule, Threshold};
use report::{Measured, Severity, View};
use runtime::{Group, Marks, State};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

const RUNNING: Threshold = Threshold {
    name: "share of the looks in which the thread ran",
    value: 0.6,
    unit: "share",
    source: "a thread that waits for its work runs a small part of the time; measured: 0.88 for one that polls on 2 busy processors",
};
const NARROW: Threshold = Threshold {
    name: "share of its samples in its three commonest innermost methods",
    value: 0.8,
    unit: "share",
    source: "a loop that polls calls the same few methods; work of many kinds does not",
};
/// Innermost methods that make up a loop.
const LOOP: usize = 3;
/// What a thread may wait in between and still be called spinning.
const MOST_WAITING: f64 = 0.1;

pub(super) const RULE: Rule = Rule {
    id: "busy-thread",
    about: "one thread spins without a pause, not serving requests",
    needs: &[Need::Samples],
    thresholds: &[RUNNING, NARROW],
    silent: "where the thread's time is spread over many methods, as of a batch that computes, and where the thread is a \
             worker of the pool that takes one piece of work after another",
    why: "A loop that looks for work without waiting for it keeps a processor for itself, whether there is work or not. On a \
          machine or container with few processors, requests get the rest, and the scheduler's turns show as a longer tail.",
    tries: &[
        "Wait for the work: `BlockingCollection.Take`, `Channel.Reader.WaitToReadAsync`, `SemaphoreSlim.WaitAsync`, an event",
        "If it must poll, with a pause: `PeriodicTimer` or `Task.Delay`; `SpinWait.SpinOnce` gives the processor away only after some turns",
    ],
    verify: "Record again: the thread waits nearly all the time, and `cpu.share` in `metrics` falls by about one processor.",
    view: View { tab: "/stacks", params: &[("metric", "running")] },
    causes: &[],
    absorbs: &[],
    check,
};

#[derive(Default)]
struct Thread {
    running: u64,
    waiting: u64,
    all: u64,
    pool_dispatches: bool,
    leaves: FxHashMap<u32, u64>,
}

fn check(facts: &Facts<'_>) -> Option<Found> {
    let looks = real_u64(facts.sampling.as_ref()?.looks);
    let mut threads: BTreeMap<u32, Thread> = BTreeMap::new();
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
        // A worker that goes back for more work, or serves requests, is no thread of its own.
        thread.pool_dispatches |= facts.is_pool(group)
            && (!facts.index.marks(group.stack).has(Marks::WORK)
                || facts.index.marks(group.stack).has(Marks::REQUEST));
    }
    let mut best: Option<(u32, f64, f64)> = None;
    for (number, thread) in &threads {
        let running = real_u64(thread.running) / looks.max(1.0);
        let waiting = real_u64(thread.waiting) / real_u64(thread.all).max(1.0);
        let mut leaves: Vec<u64> = thread.leaves.values().copied().collect();
        leaves.sort_unstable_by(|a, b| b.cmp(a));
        let narrow = real_u64(leaves.iter().take(LOOP).sum()) / real_u64(thread.running).max(1.0);
        let spins = running >= RUNNING.value
            && waiting <= MOST_WAITING
            && narrow >= NARROW.value
            && !thread.pool_dispatches;
        if spins && best.is_none_or(|(other, most, _)| (running, other) > (most, *number)) {
            best = Some((*number, running, narrow));
        }
    }
    let (number, running, narrow) = best?;
    let of_thread = |group: &Group| group.thread == number && group.state == State::Running;
    let mut places = Places::default();
    for group in facts.groups().iter().filter(|group| of_thread(group)) {
        places.add(facts, group.stack, group.thread, group.first_ns, real_u64(group.samples));
    }
    let places = places.top(facts.recording);
    let name = named(&places)?;
    let id = facts.recording.thread_ids.get(number as usize).copied().unwrap_or(0);
    let title = format!("Thread {id} runs without a pause in {name}: {} of the time", percent(running));
    let evidence =
        vec![evidence::samples(facts, &format!("samples.thread = {id}"), |group| group.thread == number)];
    let of_machine = (running / facts.cores).min(1.0);
    let threads = Measured {
        name: "share of the processors that it keeps busy",
        value: of_machine,
        unit: "share",
        threshold: None,
    };
    Some(Found {
        title,
        severity: if of_machine >= 0.9 { Severity::Critical } else { Severity::Warning },
        score: (0.4 + 0.5 * of_machine).min(0.9),
        measured: vec![RUNNING.measured(running), NARROW.measured(narrow), threads],
        places,
        evidence,
    })
}

/// The innermost frame that is no stop for the sampler.
fn leaf_of_loop(facts: &Facts<'_>, group: &Group) -> u32 {
    let stacks = &facts.recording.stacks;
    let mut frames = stacks.walk(group.stack).filter_map(|node| stacks.frame.get(node as usize).copied());
    frames.find(|frame| !is_stop(facts, *frame)).unwrap_or(0)
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
        alone.recording.exhibit.processors = Some(1);
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
