//! Work that does not block fills the thread pool's queue.

use crate::facts::{Facts, count, percent, real_u64, said};
use crate::need::Need;
use crate::places::{Places, in_place};
use crate::queries;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use base::stats::{Share, select};
use report::{EvidenceRows, Measured, Place, Severity, View};
use runtime::{Group, Marks, State};

const QUEUE: Threshold = Threshold {
    name: "work items in the pool's queue, upper quartile of the published values",
    value: 50.0,
    unit: "",
    source: "measured: 0 to 12 in healthy services on 2 CPU cores, 300 to 1,400 in a flooded one; scaled by CPU cores",
};
const BLOCKED_SHARE: Threshold = Threshold {
    name: "share of the threads that have work but wait (no more than)",
    value: 0.5,
    unit: "share",
    source: "if more wait, the queue is a symptom of what they wait for",
};

/// At least this share of the running threads must run the flood.
const MIN_FLOOD: f64 = 0.5;
/// If the pool adds more threads per minute because of blocking, threads block.
const BLOCKING: f64 = 5.0;

pub(super) const RULE: Rule = Rule {
    id: "threadpool-queue-flood",
    about: "non-blocking work fills the pool's queue, and other work waits behind it",
    needs: &[Need::ThreadPool],
    thresholds: &[QUEUE, BLOCKED_SHARE],
    silent: "if threads block (then the queue is a symptom), if most of the work is requests (`cpu-hot-path`), or if the queue \
             is short",
    why: "The pool runs work in the order in which it was queued, without priorities. A burst of short items, each harmless, \
          delays every request behind it. The pool adds no threads, as the CPU cores are busy. Requests are delayed by the \
          queue's length (meter `dotnet.thread_pool.queue.length`) over the pool's throughput.",
    tries: &[
        "Queue fewer, larger items: batches, `Parallel.ForEachAsync` with a limit, a `Channel` with a few consumers",
        "Run background work elsewhere: on dedicated threads or a limited `TaskScheduler`",
    ],
    verify: "Record the same load again: `dotnet.thread_pool.queue.length` stays below the number of threads and the p99 falls.",
    places_of: "the samples of threads that run or queue such work",
    view: View { shows: "what fills the queue", lane: "queue", tab: "/stacks", metric: Some("running") },
    before: &[],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let lengths = runtime::first_totals(facts.recording, &runtime::POOL_QUEUE);
    let mut values: Vec<f64> = lengths.iter().map(|(_, value)| *value).collect();
    let least = QUEUE.value * (facts.cores / 2.0).max(1.0);
    let long = select(&mut values, Share::PerMille(750), f64::total_cmp)?;
    // With few values the quartile is a matter of luck, so a share of all values must be long too.
    let share_long = count(values.iter().filter(|value| **value >= least).count()) / count(values.len());
    if long < least || share_long < 0.25 {
        return None;
    }
    let working = |group: &Group| facts.is_pool(group) && facts.is_at_work(group);
    let busy = |group: &Group| working(group) && facts.is_busy(group);
    let (at_work, running) = (facts.threads(working), facts.threads(busy));
    let waiting = 1.0 - running / at_work.max(0.01);
    if facts.has(Need::Samples) && waiting > BLOCKED_SHARE.value {
        return None;
    }
    // Without samples, threads added because of blocking show the same.
    if !facts.has(Need::Samples)
        && real_u64(facts.adjustments("CooperativeBlocking") + facts.adjustments("Starvation"))
            > facts.at_least(BLOCKING)
    {
        return None;
    }
    // The flood is work outside of requests: requests that compute wait for CPU (`cpu-hot-path`).
    let flood = |group: &Group| busy(group) && !facts.index.marks(group.stack).has(Marks::REQUEST);
    if facts.has(Need::Samples) && facts.threads(flood) < MIN_FLOOD * running {
        return None;
    }
    let places = what_runs(facts, flood);
    let most = values.iter().copied().fold(0.0, f64::max);
    let done = runtime::first_totals(facts.recording, &runtime::POOL_DONE);
    let a_second = done.iter().map(|(_, rate)| rate).sum::<f64>() / count(done.len()).max(1.0);
    let mut measured = vec![QUEUE.measured_against(long, least)];
    // Only samples show it.
    measured.extend(facts.has(Need::Samples).then(|| BLOCKED_SHARE.measured(waiting.max(0.0))));
    measured.push(Measured { name: "longest queue published", value: most, unit: "", threshold: None });
    if a_second > 0.0 {
        measured.push(Measured {
            name: "delay at that length",
            value: most / a_second * 1e3,
            unit: "ms",
            threshold: None,
        });
        let name = "items completed per second, by the runtime's counter";
        measured.push(Measured { name, value: a_second, unit: "1/s", threshold: None });
    }
    let title = format!(
        "The thread pool's queue is long (max {} items, above {} in {} of the readings) although its threads are busy{}",
        said(most),
        said(least),
        percent(share_long),
        in_place(&places)
    );
    let sql = "select ts_ns, name, value from counters where name in ('dotnet.thread_pool.queue.length', 'threadpool-queue-length') \
               and kind in ('total', 'value') order by ts_ns";
    let times = lengths.iter().map(|(ts_ns, _)| *ts_ns);
    let mut evidence = vec![EvidenceRows::of("counters", sql, times)];
    if facts.has(Need::Samples) {
        let filter = "samples.state <> 'waiting' and threads.kind = 'pool'";
        evidence.push(queries::samples(facts, filter, busy));
    }
    let severity = if most >= 20.0 * least { Severity::Critical } else { Severity::Warning };
    let harms = vec![Harm::Share(share_long)];
    let sure = if facts.has(Need::Samples) { Sure::Seen } else { Sure::Inferred };
    Some(Found { title, severity, harms, sure, measured, places, evidence })
}

/// What the work items run: the outermost of the service's own methods in them. Short items rarely show up in samples, as
/// threads stop for the sampler between them. Without any, what queues the items is named.
fn what_runs(facts: &Facts<'_>, flood: impl Fn(&Group) -> bool) -> Vec<Place> {
    let recording = facts.recording;
    let mut items = Places::default();
    for group in facts.groups().iter().filter(|group| flood(group)) {
        let outermost = facts.index.outermost_user_frame(recording, group.stack);
        let frame = outermost.or_else(|| facts.index.blamed_frame(group.stack));
        items.add_frame(facts, frame, real_u64(group.samples));
    }
    if !items.is_empty() {
        return items.top(facts);
    }
    let queues = facts
        .places(|group| group.state != State::Waiting && facts.index.marks(group.stack).has(Marks::QUEUES));
    if queues.is_empty() { Vec::new() } else { queues.top(facts) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// A queue that is long in so many of ten seconds, on so many cores; two workers work.
    fn scene(long_seconds: i64, cores: u32) -> Scene {
        let mut scene = Scene::lasting(10, cores);
        scene.adjusts(0, "ClimbingMove", 2);
        for second in 0..10 {
            let length = if second < long_seconds { 300.0 } else { 2.0 };
            scene.counter(second * 1000, "dotnet.thread_pool.queue.length", "total", length, "");
        }
        scene.workers_run(2, 0..LOOKS, &[WORK, "Shop!Shop.Report.Part"]);
        scene
    }

    #[test]
    fn a_long_queue_of_work_that_runs_is_said_with_the_work() {
        assert_eq!(scene(10, 2).says(&RULE), says(Severity::Warning, "Shop!Shop.Report.Part"));
    }

    #[test]
    fn a_flood_is_named_by_what_its_items_run_and_never_by_the_pool() {
        let mut deep = scene(10, 2);
        deep.workers_run(8, 0..LOOKS, &[WORK, "Shop!Shop.Report+<>c.<Feed>b__0", "Shop!Shop.Money.Round"]);
        assert_eq!(deep.says(&RULE), says(Severity::Warning, "Shop!Shop.Report+<>c.<Feed>b__0"));
        let poll = "System.Private.CoreLib!System.Threading.Thread.PollGC";
        let mut seldom = scene(10, 2);
        seldom.workers_run(8, 0..LOOKS, &[WORK, poll]);
        assert_eq!(seldom.says(&RULE), says(Severity::Warning, "Shop!Shop.Report.Part"));
        let mut tiny = scene(10, 2);
        tiny.recording.samples = model::Samples::default();
        tiny.workers_run(2, 0..LOOKS, &[WORK, poll]);
        assert_eq!(tiny.says(&RULE), says(Severity::Warning, ""));
        let mut queued = scene(10, 2);
        queued.recording.samples = model::Samples::default();
        queued.workers_run(2, 0..LOOKS, &[WORK, poll]);
        let feeds = queued.thread("user");
        let queue = "System.Private.CoreLib!System.Threading.ThreadPool.UnsafeQueueUserWorkItem";
        queued.runs(feeds, 0..5, &["Shop!Shop.Report.Feed", queue]);
        assert_eq!(queued.says(&RULE), says(Severity::Warning, "Shop!Shop.Report.Feed"));
    }

    #[test]
    fn a_burst_is_no_flood_and_many_processors_take_up_more() {
        let check = |long, cores, speaks| {
            assert_eq!(scene(long, cores).says(&RULE).is_some(), speaks, "{long} s, {cores}");
        };
        check(2, 2, false);
        check(3, 2, true);
        check(10, 64, false);
    }

    #[test]
    fn a_queue_of_requests_that_compute_is_the_symptom_of_what_they_compute() {
        let check = |requests, speaks| {
            let mut scene = scene(10, 2);
            scene.workers_run(requests, 0..LOOKS, &[WORK, REQUEST, CART]);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{requests} requests");
        };
        check(3, false);
        check(1, true);
    }

    #[test]
    fn a_queue_behind_workers_that_wait_is_the_symptom_of_their_wait() {
        let check = |blocked, speaks| {
            let mut scene = scene(10, 2);
            scene.workers_wait(blocked, 0..LOOKS, "task", &[WORK, CART, WAIT]);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{blocked} blocked");
        };
        check(3, false);
        check(1, true);
    }

    #[test]
    fn without_samples_workers_added_for_blocking_say_that_the_queue_is_a_symptom() {
        let check = |added, speaks| {
            let mut scene = scene(10, 2).without_samples();
            (0..added).for_each(|at| scene.adjusts(at, "Starvation", 3));
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{added} added");
        };
        check(6, false);
        check(1, true);
    }
}
