//! Pool threads that block in anything but a Task or a lock.

use crate::evidence;
use crate::facts::{Facts, percent, real_u64, said};
use crate::places::in_place;
use crate::rule::{Found, Need, Rule, Threshold};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Group, Marks};
use std::collections::BTreeMap;

const BLOCKED: Threshold = Threshold {
    name: "workers blocked in such calls, on average",
    value: 0.5,
    unit: "",
    source: "measured: below 0.02 in healthy services under load, 6 in a starved one with 64 clients",
};
const STARVED: Threshold = Threshold {
    name: "workers added since queued work was not taken up (Starvation); the threshold is for each minute",
    value: 5.0,
    unit: "",
    source: "the pool's own sign of starvation (dotnet/docs, debug-threadpool-starvation); a first use of code can show a few",
};
const CRITICAL_A_CORE: f64 = 2.0;
/// What a worker can be held up by, and the words for it.
const WAITS: [(&str, &str); 11] = [
    ("sleep", "sleep"),
    ("semaphore", "wait for a semaphore"),
    ("event", "wait for an event"),
    ("queue", "wait for a bounded queue"),
    ("io", "wait for synchronous I/O"),
    ("join", "wait for another thread to end"),
    ("start", "wait for a new thread to begin"),
    ("process", "wait for another process"),
    ("monitor", "wait for a monitor's signal"),
    ("barrier", "wait at a barrier"),
    ("countdown", "wait for a countdown"),
];

pub(super) const RULE: Rule = Rule {
    id: "blocking-call-on-pool",
    about: "pool threads block otherwise: sleep, synchronous I/O, semaphore, event, bounded queue, synchronous database or HTTP call",
    needs: &[Need::Samples, Need::ThreadPool],
    thresholds: &[BLOCKED, STARVED],
    silent: "where one worker stands at one place for good, as a consumer that waits for its next item does, where \
             logging waits for its sink (that is `logging-flood`), and where a lock is waited for (`lock-contention`)",
    why: "A worker of the thread pool that sleeps or waits does no work, yet counts as one. Queued work waits until the \
          pool adds a worker: the gate thread adds about one or two a second once the queue stands still (reason Starvation), \
          or hill climbing tries more (ClimbingMove). Until then requests queue while the processors are idle.",
    tries: &[
        "Use the asynchronous form of the call and await it: `Task.Delay`, `SemaphoreSlim.WaitAsync`, `ReadAsync`, `ExecuteReaderAsync`",
        "Move work that must block to threads of its own (`TaskCreationOptions.LongRunning`), a fixed number of them behind a queue",
    ],
    verify: "Record the same load again: no pool thread waits in these calls, and `dotnet.thread_pool.queue.length` stays near 0.",
    view: View { tab: "/stacks", params: &[("metric", "waiting")] },
    causes: &["threadpool-queue-flood", "async-lock", "slow-dependency", "exceptions"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let words: Vec<&str> = WAITS.iter().map(|(what, _)| *what).collect();
    let held_up = |group: &Group| {
        facts.is_held_up(group, &words) && !facts.index.marks(group.stack).has(Marks::LOGGING)
    };
    // A few threads at one place for good wait for their next item; more than processors are more than consumers.
    let standing = facts.threads(|group| held_up(group) && facts.stands(group));
    let counts_all = standing > facts.cores;
    let waits = |group: &Group| held_up(group) && (counts_all || !facts.stands(group));
    let blocked = facts.threads(waits);
    let starved = real_u64(facts.adjustments("Starvation"));
    let sampled = facts.has(Need::Samples);
    if blocked < BLOCKED.value && (sampled || starved < facts.at_least(STARVED.value)) {
        return None;
    }
    let places = facts.places(waits).top(facts.recording);
    let share = blocked / (blocked + facts.busy()).max(0.1);
    let mut measured = Vec::new();
    let mut evidence = Vec::new();
    let title;
    if sampled {
        let what = most_waited_for(facts, waits);
        let word = WAITS.iter().find(|(known, _)| *known == what).map_or("wait", |(_, word)| word);
        title = format!(
            "{} pool threads on average {word}{}: {} of the workers at work",
            said(blocked),
            in_place(&places),
            percent(share)
        );
        measured.push(BLOCKED.measured(blocked));
        measured.push(Measured {
            name: "their share of workers at work",
            value: share,
            unit: "share",
            threshold: None,
        });
        let list = words.iter().map(|what| format!("'{what}'")).collect::<Vec<_>>().join(", ");
        let filter = format!(
            "samples.state = 'waiting' and threads.kind = 'pool' and samples.waiting_on in ({list}) \
             and frames.name not like '%LowLevelLifoSemaphore%'"
        );
        evidence.push(evidence::samples(facts, &filter, waits));
    } else {
        title = format!(
            "The pool added {} workers because queued work was not taken up: workers block",
            said(starved)
        );
        let sql = "select ts_ns, reason, workers, throughput from threadpool where reason = 'Starvation' order by ts_ns";
        evidence.push(EvidenceRows::of("threadpool", sql, facts.adjusted("Starvation").into_iter()));
    }
    measured.push(STARVED.measured(starved));
    let critical = blocked >= CRITICAL_A_CORE * facts.cores;
    let severity = if critical { Severity::Critical } else { Severity::Warning };
    Some(Found {
        title,
        severity,
        score: if sampled { share * 0.98 } else { 0.6 },
        measured,
        places,
        evidence,
    })
}

fn most_waited_for<'a>(facts: &Facts<'a>, waits: impl Fn(&Group) -> bool) -> &'a str {
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    for group in facts.groups().iter().filter(|group| waits(group)) {
        *tally.entry(facts.text(group.waiting_on)).or_default() += group.samples;
    }
    tally.into_iter().max_by_key(|(_, samples)| *samples).map_or("", |(what, _)| what)
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
}
