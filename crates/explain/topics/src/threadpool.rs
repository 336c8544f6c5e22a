//! The thread pool: work items, threads, why their number changes, starvation.

use crate::facts::TopicFacts;
use crate::topic::{Id, Topic};
use crate::words::{counted, is_one, listed, ms, number, only, plain, share, was, when};
use runtime::{POOL_DONE, POOL_QUEUE, PoolUse};

/// The topic.
pub(crate) fn topic(facts: &TopicFacts<'_>) -> Topic {
    let mut topic = Topic::new(Id::ThreadPool);
    let part = facts.part("threadpool");
    let used = facts.sampling.as_ref().map(|of| runtime::pool_use(facts.recording, of, facts.index));
    let queue = course(facts, &POOL_QUEUE);
    let done = course(facts, &POOL_DONE);
    topic.figures_of(part, &["workers.first", "workers.last", "workers.max", "adjustments"]);
    let of = |name| facts.value("threadpool", name);
    topic.figure("starvation", of("starvation"), "", "Threads added because of starvation");
    topic.figures_of(part, &["throughput.mean", "throughput.max", "climbing.mean", "climbing.max"]);
    topic.figure("queue.mean", mean(&queue), "", "Work items in the queue, on average");
    topic.figure("queue.max", most(&queue), "", "Work items in the queue, max of the readings");
    if let Some(used) = &used {
        topic.figure("running", Some(used.running), "", "Pool threads that ran managed code, on average");
        topic.figure(
            "external",
            Some(used.external),
            "",
            "Pool threads in native code within their work, on average",
        );
        topic.figure(
            "held_up",
            Some(used.held_up_all()),
            "",
            "Pool threads that waited within their work, on average",
        );
        topic.figure("idle", Some(used.idle), "", "Pool threads without work, on average");
    }
    topic.course_of(part, "workers");
    topic.list_of(part, "reasons", 6);
    work(&mut topic, facts, &done);
    workers(&mut topic, facts);
    climbing(&mut topic, facts);
    gate(&mut topic, facts);
    blocking(&mut topic, facts);
    occupancy(&mut topic, used.as_ref());
    starvation(&mut topic, &queue, &done);
    topic.missing_of(part);
    topic.lacks(
        used.is_none(),
        "what the threads did: the recording has no samples (needs the profile default)",
    );
    topic.lacks(
        queue.is_empty(),
        "the length of the queue: the recording has no counters of it (needs the profile default)",
    );
    topic.lacks(
        facts.events("ThreadPoolEnqueueWork") <= 0.0,
        "how long each work item waited in the queue: needs System.Diagnostics.Eventing.FrameworkEventSource (keyword 0x2, level 5), which costs two events per item",
    );
    topic
}

/// Work items completed per second on average, by the runtime's counter.
pub(crate) fn items_a_second(facts: &TopicFacts<'_>) -> Option<f64> {
    mean(&course(facts, &POOL_DONE)).filter(|rate| *rate > 0.0)
}

/// The values of the first of these counters that was published.
fn course(facts: &TopicFacts<'_>, names: &[(&str, &str)]) -> Vec<f64> {
    runtime::first_totals(facts.recording, names).into_iter().map(|(_, value)| value).collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    let count = base::number::count(values.len());
    (count > 0.0).then(|| values.iter().sum::<f64>() / count)
}

fn most(values: &[f64]) -> Option<f64> {
    values.iter().copied().max_by(f64::total_cmp)
}

fn work(topic: &mut Topic, facts: &TopicFacts<'_>, done: &[f64]) {
    let requests = facts.value("requests", "rate").filter(|rate| *rate > 0.0);
    let done = mean(done).filter(|rate| *rate > 0.0);
    let each = match (done, requests) {
        (Some(done), Some(requests)) => format!(
            "With {} requests per second that is {} per request.",
            number(requests),
            counted(done / requests, "item", "items")
        ),
        _ => String::new(),
    };
    topic.say(
        "work",
        &[
            plain(
                "A work item is a callback: a continuation of an async method, a Task.Run, a timer that fired, a socket that became ready. Items from \
                 other threads go into one global queue, first in, first out. Items that a pool thread queues go into its own local queue, from which it takes \
                 the latest first, as its data is still in the CPU cache. A thread whose local queue is empty takes from the global queue, and then \
                 steals from the other end of another thread's queue.",
            ),
            when(done, |done| format!("Here {} {} completed per second.", counted(done, "item", "items"), was(done))),
            each,
        ],
    );
}

fn workers(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let of = |name| facts.value("threadpool", name);
    let course = match (of("workers.first"), of("workers.max"), of("workers.last")) {
        (Some(first), Some(max), Some(last)) => format!(
            "Here the pool reported {} at the start, max {}, and {} at the end.",
            counted(first, "thread", "threads"),
            number(max),
            number(last)
        ),
        _ => String::new(),
    };
    topic.say(
        "workers",
        &[
            plain(
                "Each thread of the pool (worker) runs one item at a time. Up to the minimum, one per CPU core unless SetMinThreads changes it, the pool adds \
                 a thread at once. Beyond that it is slow on purpose, as more threads than cores only help if threads wait.",
            ),
            when(facts.cores, |cores| format!("This process may use {}, so the minimum is {} unless it was set.", counted(cores, "CPU core", "CPU cores"), number(cores))),
            course,
            plain("A thread without work waits for about twenty seconds and then ends."),
        ],
    );
}

fn times(facts: &TopicFacts<'_>, reason: &str) -> f64 {
    facts
        .rows("threadpool", "reasons", 0)
        .into_iter()
        .find(|(name, _)| *name == reason)
        .map_or(0.0, |(_, times)| times)
}

fn climbing(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let moves = times(facts, "ClimbingMove");
    let measured =
        match (facts.value("threadpool", "climbing.mean"), facts.value("threadpool", "climbing.max")) {
            (Some(mean), Some(max)) => {
                format!("It measured {} items per second on average, max {}.", number(mean), number(max))
            }
            _ => String::new(),
        };
    let known = facts.part("threadpool").is_some_and(|part| part.value("adjustments").is_some());
    topic.say(
        "climbing",
        &[
            plain(
                "The best number of threads depends on how much they wait, which the pool cannot know, so it experiments (hill climbing): it varies the number \
                 of threads in a small wave, measures whether the throughput follows the wave, and moves in the direction in which it rises.",
            ),
            only(known, || format!("Here it made {} (ClimbingMove).", counted(moves, "such move", "such moves"))),
            measured,
            plain("A move by one or two back and forth is the wave itself, not a reaction to a problem."),
        ],
    );
}

fn gate(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let starved = facts.value("threadpool", "starvation");
    let added = starved.map_or_else(String::new, |times| {
        if times > 0.0 {
            format!(
                "Here it did so {} (reason Starvation).",
                if is_one(times) { "once".to_owned() } else { format!("{} times", number(times)) }
            )
        } else {
            plain("Here it added none (no adjustment with the reason Starvation).")
        }
    });
    topic.say(
        "gate",
        &[
            plain(
                "A gate thread checks the pool twice per second. If items wait and none was taken since the last check, it assumes that all threads are \
                 blocked and adds one. That is one or two threads per second, however many are needed: a burst that blocks a hundred threads \
                 causes delays for a minute.",
            ),
            added,
        ],
    );
}

fn blocking(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let cooperative = times(facts, "CooperativeBlocking");
    let seen = only(cooperative > 0.0, || {
        format!(
            "Here the number of threads changed {} because of it.",
            if is_one(cooperative) { "once".to_owned() } else { format!("{} times", number(cooperative)) }
        )
    });
    let none = only(
        cooperative <= 0.0
            && facts.value("threadpool", "adjustments").is_some()
            && facts.since(6) != Some(false),
        || {
            plain(
                "Here the pool added no thread for this reason (no adjustment CooperativeBlocking). It adds one only \
                 while its target is below the minimum plus the number of threads that wait for a Task.",
            )
        },
    );
    topic.say(
        "blocking",
        &[
            plain(
                "Since .NET 6 a wait for a Task notifies the pool that the thread is about to block (cooperative blocking), and the pool compensates: \
                 it adds threads, quickly at first, then with growing delays, and removes them afterwards. Sleeping, waiting for a lock or an event, and \
                 synchronous I/O do not notify the pool, so only the gate thread and hill climbing react to them.",
            ),
            seen,
            none,
        ],
    );
}

fn occupancy(topic: &mut Topic, used: Option<&PoolUse>) {
    let Some(used) = used else { return };
    let all = used.running + used.external + used.held_up_all() + used.idle;
    if all <= 0.0 {
        return;
    }
    let held_up: Vec<String> = used
        .held_up
        .iter()
        .filter(|(_, n)| *n >= 0.005)
        .take(4)
        .map(|(what, n)| format!("{} on {what}", number(*n)))
        .collect();
    topic.say(
        "occupancy",
        &[
            format!(
                "Samples show {} on average: {} ran, {} were in native code within their work, {} waited within their work, and {} had no work.",
                counted(all, "pool thread", "pool threads"),
                number(used.running),
                number(used.external),
                number(used.held_up_all()),
                number(used.idle)
            ),
            only(!held_up.is_empty(), || format!("Waits within work: {}.", listed(&held_up))),
            format!(
                "So the threads spent {} of their time blocked, without using a CPU core. Awaiting instead, where possible, would free them.",
                share(used.held_up_all() / all)
            ),
        ],
    );
}

fn starvation(topic: &mut Topic, queue: &[f64], done: &[f64]) {
    let waiting = match (most(queue), mean(queue)) {
        (Some(most), Some(mean)) => format!(
            "Here {} waited on average when the counter was read, max {}.",
            counted(mean, "item", "items"),
            number(most)
        ),
        _ => String::new(),
    };
    let delay = match (mean(queue), mean(done)) {
        (Some(queue), Some(done)) if done > 0.0 => {
            let delay = queue / done * 1e3;
            format!(
                "With {} items completed per second, an item waits {} on average: the queue's length over that rate (Little's law).",
                number(done),
                ms(delay)
            )
        }
        _ => String::new(),
    };
    topic.say(
        "starvation",
        &[
            plain(
                "A pool starves when all its threads wait for something that only another work item can deliver: the continuation that would complete the \
                 Task is in the queue behind the requests that wait for it. CPU cores are idle, the queue grows, and threads are added one by one. The \
                 cure is fewer blocked threads, not more threads.",
            ),
            waiting,
            delay,
            only(!queue.is_empty(), || plain("The counter is read once per second, so a short queue between two readings does not show.")),
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ThreadPoolRow, Trace};

    fn text(reasons: &[&str], heading: &str) -> String {
        let mut recording = Trace::default();
        for reason in reasons {
            let [event, reason] = recording.texts(["adjustment", reason]);
            recording.threadpool.push(ThreadPoolRow { event, reason, workers: 3, ..ThreadPoolRow::blank() });
        }
        let topic = crate::facts::topic_of(&recording, topic);
        topic.paragraphs.iter().find(|of| of.heading == heading).unwrap().text.clone()
    }

    #[test]
    fn changes_are_told_by_their_reasons() {
        assert!(text(&["Starvation"], "gate").ends_with("Here it did so once (reason Starvation)."));
        assert!(text(&["Starvation"; 2], "gate").ends_with("Here it did so 2 times (reason Starvation)."));
        assert!(
            text(&["ClimbingMove"], "gate")
                .ends_with("Here it added none (no adjustment with the reason Starvation).")
        );
        assert!(text(&["ClimbingMove"], "climbing").contains("Here it made 1 such move (ClimbingMove)."));
        assert!(
            text(&["CooperativeBlocking"; 3], "blocking")
                .ends_with("Here the number of threads changed 3 times because of it.")
        );
        assert!(text(&[], "gate").ends_with("causes delays for a minute."));
    }
}
