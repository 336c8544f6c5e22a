//! Thread-pool threads that block until a Task completes.

use crate::facts::{Facts, percent, real_u64, said};
use crate::need::Need;
use crate::places::{Verb, subject};
use crate::queries;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use report::{EvidenceRows, Measured, Severity, View};

const BLOCKED: Threshold = Threshold {
    name: "thread-pool threads waiting for a Task, on average",
    value: 0.5,
    unit: "",
    source: "measured: 0.0 in healthy services under load, 16 to 32 in starved ones; 0.5 is our judgement",
};
const COMPENSATED: Threshold = Threshold {
    name: "adjustments because a thread blocked (CooperativeBlocking)",
    value: 10.0,
    unit: "",
    source: "the pool adds a thread for each Task.Wait beyond the CPU cores; measured: 0 in healthy services. Decides only without samples. 10 per minute; a recording shorter than a minute needs 10, too",
};
/// From this many blocked threads per CPU core on, queued work waits for new threads.
const CRITICAL_A_CORE: f64 = 2.0;

pub(super) const RULE: Rule = Rule {
    id: "sync-over-async",
    about: "thread-pool threads block on a Task's completion (`.Result`, `.Wait()`, `GetAwaiter().GetResult()`), so that work queues",
    needs: &[Need::Samples, Need::ThreadPool],
    thresholds: &[BLOCKED, COMPENSATED],
    silent: "if only the program's entry point waits for its end, if other threads than those of the pool wait, or if \
             the Task is complete before the wait",
    why: "A thread-pool thread that calls `.Result` or `.Wait()` sleeps in `Task.InternalWait` until the Task \
          is complete, but the Task's continuation needs a thread of the same pool. While threads wait for each other, the \
          pool adds more one by one (events ThreadPoolWorkerThreadAdjustment, reasons CooperativeBlocking and \
          Starvation), and each costs a stack and context switches. Until then new requests wait in the queue while the \
          CPU cores are idle.",
    tries: &[
        "Await the Task instead: make the method async, and its callers too, up to the handler",
        "If a synchronous interface cannot be changed, call a synchronous API all the way down instead of wrapping an asynchronous one",
        "Only as a stopgap, raise the pool's minimum (`ThreadPool.SetMinThreads`, or `DOTNET_ThreadPool_ForceMinWorkerThreads`, which is hexadecimal) to the concurrency expected",
    ],
    verify: "Record the same load again: no samples wait on `task` under `ThreadPoolWorkQueue.Dispatch`, \
             `dotnet.thread_pool.thread.count` stays close to the number of CPU cores, and the p99 falls if requests were queued.",
    places_of: "the samples in which a pool thread waits for a Task",
    view: View { shows: "the blocked stacks", lane: "waiting", tab: "/stacks", metric: Some("waiting") },
    before: &[
        "threadpool-queue-flood",
        "lock-contention",
        "slow-dependency",
        "blocking-call-on-pool",
        "async-lock",
        "exceptions",
    ],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let waits = |group: &runtime::Group| facts.is_held_up(group, &["task"]);
    let blocked = facts.threads(waits);
    let added = real_u64(facts.adjustments("CooperativeBlocking"));
    let sampled = facts.has(Need::Samples);
    if blocked < BLOCKED.value && (sampled || added < facts.at_least(COMPENSATED.value)) {
        return None;
    }
    let places = facts.places(waits).top(facts);
    let workers = facts.most_workers().unwrap_or(0.0);
    let against = facts.at_least(COMPENSATED.value);
    let mut measured: Vec<Measured> =
        (added > 0.0).then(|| COMPENSATED.measured_against(added, against)).into_iter().collect();
    let mut evidence = Vec::new();
    let share = blocked / (blocked + facts.busy()).max(0.1);
    if sampled {
        measured.insert(0, BLOCKED.measured(blocked));
        measured.push(Measured {
            name: "their share of the threads that have work, running or blocked",
            value: share,
            unit: "share",
            threshold: None,
        });
        let filter = "samples.state = 'waiting' and samples.waiting_on = 'task' and threads.kind = 'pool'";
        evidence.push(queries::samples(facts, filter, waits));
    }
    if workers > 0.0 {
        measured.push(Measured {
            name: "thread-pool threads, max",
            value: workers,
            unit: "",
            threshold: None,
        });
    }
    let sql = "select ts_ns, reason, workers, throughput from threadpool \
               where event = 'adjustment' and reason = 'CooperativeBlocking' order by ts_ns";
    evidence.push(EvidenceRows::of("threadpool", sql, facts.adjusted("CooperativeBlocking").into_iter()));
    let title = if sampled {
        let blocks = Verb { singular: "blocks", plural: "block" };
        let who = subject(&places, blocks).unwrap_or_else(|| "Thread-pool threads block".to_owned());
        format!(
            "{who} on async code: on average {} thread-pool threads wait for a Task ({} of the threads that have work)",
            said(blocked),
            percent(share)
        )
    } else {
        format!(
            "Thread-pool threads block on async code: the pool added threads {} times because of it, up to {}",
            said(added),
            said(workers)
        )
    };
    let critical = blocked >= CRITICAL_A_CORE * facts.cores || (!sampled && workers >= 8.0 * facts.cores);
    let severity = if critical { Severity::Critical } else { Severity::Warning };
    let (harm, sure) = if sampled {
        (Harm::Share(share), Sure::Seen)
    } else {
        (Harm::Beyond { value: added, harmless: against }, Sure::Inferred)
    };
    Some(Found { title, severity, harms: vec![harm], sure, measured, places, evidence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const TASK: [&str; 4] =
        [WORK, CART, "System.Private.CoreLib!System.Threading.Tasks.Task.SpinThenBlockingWait", WAIT];

    #[test]
    fn workers_that_block_on_a_task_are_said_with_who_blocks() {
        let check = |workers, expected| {
            let mut scene = Scene::new();
            scene.workers_wait(workers, 0..LOOKS, "task", &TASK);
            assert_eq!(scene.says(&RULE), says(expected, CART), "{workers} workers");
        };
        check(1, Severity::Warning);
        check(4, Severity::Critical);
    }

    #[test]
    fn short_waits_other_threads_and_the_entry_point_are_no_blocked_workers() {
        let check = |looks, kind: &str, stack: &[&str], speaks| {
            let mut scene = Scene::new();
            for _ in 0..4 {
                let thread = scene.thread(kind);
                scene.waits(thread, 0..looks, "task", stack);
            }
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{looks} looks, {kind}, {stack:?}");
        };
        check(10, "pool", &TASK, false);
        check(20, "pool", &TASK, true);
        check(LOOKS, "user", &TASK, false);
        check(LOOKS, "pool", &[WORK, "Shop!Shop.Program+<Main>d__0.MoveNext", WAIT], false);
    }

    #[test]
    fn waits_whose_frames_have_no_name_accuse_nobody() {
        let nameless = ["Shop!Shop.Lost1.A", "Shop!Shop.Lost2.A", "Shop!Shop.Lost3.A"];
        let stack: Vec<&str> = TASK[..2].iter().chain(&nameless).chain(&TASK[2..]).copied().collect();
        let mut scene = Scene::new();
        scene.workers_wait(4, 0..LOOKS, "task", &stack);
        let mut recording = scene.done();
        assert!(crate::explain(&recording).findings.iter().any(|of| of.id == RULE.id));
        let lost = |sym: model::Sym| recording.strings.text(sym).starts_with("Shop.Lost");
        let lost: Vec<bool> = recording.frames.declaring_type.iter().map(|sym| lost(*sym)).collect();
        for (method, _) in recording.frames.method.iter_mut().zip(lost).filter(|(_, is_lost)| *is_lost) {
            *method = model::Sym::NONE;
        }
        // A whole recording has some: stubs, and code that is gone. One that ends among the names lacks more.
        assert!(crate::explain(&recording).findings.iter().any(|of| of.id == RULE.id));
        (recording.missing.frames, recording.missing.unnamed_frames) = (100, 40);
        let report = crate::explain(&recording);
        assert!(report.findings.iter().all(|of| of.id != RULE.id));
        let of = report.not_checked.iter().find(|of| of.id == RULE.id).unwrap();
        let needs = "names of methods: 42.9 % of the frames in the samples that show it have no name";
        assert_eq!(of.needs, needs);
    }

    #[test]
    fn without_samples_the_workers_that_the_pool_added_in_a_minute_tell() {
        let check = |seconds, added, speaks| {
            let mut scene = Scene::lasting(seconds, 2).without_samples();
            (0..added).for_each(|at| scene.adjusts(at, "CooperativeBlocking", 3 + at));
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{added} in {seconds} s");
        };
        check(10, 9, false);
        check(10, 10, true);
        check(3600, 20, false);
        check(3600, 600, true);
    }
}
