//! The thread pool: work, workers, why their number changes, starvation.

use crate::facts::Facts;
use crate::topic::{Id, Topic};
use crate::words::{counted, is_one, listed, ms, number, only, plain, share, was, when};
use runtime::{POOL_DONE, POOL_QUEUE, PoolUse};

/// The topic.
pub(crate) fn topic(facts: &Facts<'_>) -> Topic {
    let mut topic = Topic::new(Id::ThreadPool);
    let part = facts.part("threadpool");
    let used = facts.sampling.as_ref().map(|of| runtime::pool_use(facts.recording, of, facts.index));
    let queue = course(facts, &POOL_QUEUE);
    let done = course(facts, &POOL_DONE);
    topic.figures_of(part, &["workers.first", "workers.last", "workers.max", "adjustments"]);
    let of = |name| facts.value("threadpool", name);
    topic.figure("starvation", of("starvation"), "", "Threads added because of starvation");
    topic.figures_of(part, &["throughput.mean", "throughput.max", "climbing.mean", "climbing.max"]);
    topic.figure("queue.mean", mean(&queue), "", "Work items that waited, on average");
    topic.figure("queue.max", most(&queue), "", "The most work items that waited when it was asked");
    if let Some(used) = &used {
        topic.figure("running", Some(used.running), "", "Workers that ran managed code, on average");
        topic.figure(
            "external",
            Some(used.external),
            "",
            "Workers outside managed code within their work, on average",
        );
        topic.figure(
            "held_up",
            Some(used.held_up_all()),
            "",
            "Workers that waited within their work, on average",
        );
        topic.figure("idle", Some(used.idle), "", "Workers without work, on average");
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
    topic.lacks(used.is_none(), "what workers did: the recording has no samples (needs the profile default)");
    topic.lacks(
        queue.is_empty(),
        "the length of the queue: the recording has no counters of it (needs the profile default)",
    );
    topic.lacks(
        facts.events("ThreadPoolEnqueueWork") <= 0.0,
        "how long each work item waited in the queue: needs System.Diagnostics.Eventing.FrameworkEventSource (keyword 0x2, level 5), which costs two events an item",
    );
    topic
}

/// Work items done a second on average, by the runtime's counter.
pub(crate) fn items_a_second(facts: &Facts<'_>) -> Option<f64> {
    mean(&course(facts, &POOL_DONE)).filter(|rate| *rate > 0.0)
}

/// The values of the first of these counters that was published.
fn course(facts: &Facts<'_>, names: &[(&str, &str)]) -> Vec<f64> {
    runtime::first_totals(facts.recording, names).into_iter().map(|(_, value)| value).collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    let count = crate::facts::real(i64::try_from(values.len()).unwrap_or(0));
    (count > 0.0).then(|| values.iter().sum::<f64>() / count)
}

fn most(values: &[f64]) -> Option<f64> {
    values.iter().copied().max_by(f64::total_cmp)
}

fn work(topic: &mut Topic, facts: &Facts<'_>, done: &[f64]) {
    let requests = facts.value("requests", "rate").filter(|rate| *rate > 0.0);
    let done = mean(done).filter(|rate| *rate > 0.0);
    let each = match (done, requests) {
        (Some(done), Some(requests)) => format!(
            "With {} requests a second that is {} a request.",
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
                 outside go into one global queue, first in, first out. What a worker queues itself goes into its own local queue, from which it takes \
                 the latest first, since that is still warm in the cache; a worker that runs dry takes the global queue's next, and then \
                 steals from the other end of another worker's.",
            ),
            when(done, |done| format!("Here {} {} done a second.", counted(done, "item", "items"), was(done))),
            each,
        ],
    );
}

fn workers(topic: &mut Topic, facts: &Facts<'_>) {
    let of = |name| facts.value("threadpool", name);
    let course = match (of("workers.first"), of("workers.max"), of("workers.last")) {
        (Some(first), Some(max), Some(last)) => format!(
            "Here the pool reported {} at first, max {}, and {} at last.",
            counted(first, "worker", "workers"),
            number(max),
            number(last)
        ),
        _ => String::new(),
    };
    topic.say(
        "workers",
        &[
            plain(
                "Workers take items and run them one at a time. Up to the minimum, one for each processor unless SetMinThreads says otherwise, the pool makes \
                 a worker at once; beyond that it is slow on purpose, for more threads than processors help only where threads wait.",
            ),
            when(facts.cores, |cores| format!("This process may use {}, so the minimum is {} unless it was set.", counted(cores, "processor", "processors"), number(cores))),
            course,
            plain("A worker without work waits for twenty seconds or so and then ends."),
        ],
    );
}

fn times(facts: &Facts<'_>, reason: &str) -> f64 {
    facts
        .rows("threadpool", "reasons", 0)
        .into_iter()
        .find(|(name, _)| *name == reason)
        .map_or(0.0, |(_, times)| times)
}

fn climbing(topic: &mut Topic, facts: &Facts<'_>) {
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
                "How many workers are best depends on how much they wait, which the pool cannot know, so it tries (hill climbing): it varies the number \
                 of workers in a small wave, measures whether the throughput follows the wave, and moves to where it rises.",
            ),
            only(known, || format!("Here it made {} (ClimbingMove).", counted(moves, "such move", "such moves"))),
            measured,
            plain("A move by one or two back and forth is the wave itself, not a problem that it reacts to."),
        ],
    );
}

fn gate(topic: &mut Topic, facts: &Facts<'_>) {
    let starved = facts.value("threadpool", "starvation");
    let added = starved.map_or_else(String::new, |times| {
        if times > 0.0 {
            format!(
                "Here it did so {} (reason Starvation).",
                if is_one(times) { "once".to_owned() } else { format!("{} times", number(times)) }
            )
        } else {
            plain("Here it never had to.")
        }
    });
    topic.say(
        "gate",
        &[
            plain(
                "A gate thread looks at the pool twice a second. If items wait and none was taken since its last look, it assumes that all workers are \
                 stuck and adds one. That is one or two workers a second, however many are needed: a burst that blocks a hundred workers \
                 is felt for a minute.",
            ),
            added,
        ],
    );
}

fn blocking(topic: &mut Topic, facts: &Facts<'_>) {
    let cooperative = times(facts, "CooperativeBlocking");
    let seen = only(cooperative > 0.0, || {
        format!(
            "Here the number of workers changed {} for it.",
            if is_one(cooperative) { "once".to_owned() } else { format!("{} times", number(cooperative)) }
        )
    });
    let none = only(
        cooperative <= 0.0
            && facts.value("threadpool", "adjustments").is_some()
            && facts.since(6) != Some(false),
        || plain("Here it never happened."),
    );
    topic.say(
        "blocking",
        &[
            plain(
                "Since .NET 6 a wait for a Task tells the pool that its worker is about to block (cooperative blocking), and the pool makes up for it: \
                 quickly at first, then with growing delays, and takes the workers away again afterwards. Sleeping, waiting for a lock or an event, and \
                 synchronous input and output tell it nothing; for those only the gate thread and hill climbing are left.",
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
        "at work",
        &[
            format!(
                "The sampler saw {} on average: {} ran, {} were outside managed code within their work, {} waited within their work, and {} had none.",
                counted(all, "worker", "workers"),
                number(used.running),
                number(used.external),
                number(used.held_up_all()),
                number(used.idle)
            ),
            only(!held_up.is_empty(), || format!("Those that waited within their work: {}.", listed(&held_up))),
            format!(
                "So {} of the workers' time was spent holding a thread without using a processor; that is what waiting by await, where it can be had, would give back.",
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
                "With {} items done a second an item waits {} on average: the length of the queue over its rate (Little's law).",
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
                "A pool starves when all workers wait for something that only another work item could bring: the continuation that would complete the \
                 Task stands in the queue behind the requests that wait for it. Processors are idle, the queue grows, workers come one by one. The \
                 cure is fewer blocked workers, not more of them.",
            ),
            waiting,
            delay,
            only(!queue.is_empty(), || plain("A counter is read once a second, so a short queue between two readings is not seen.")),
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ThreadPoolRow, Trace};

    fn text(reasons: &[&str], heading: &str) -> String {
        let mut recording = Trace::default();
        let event = recording.strings.intern("adjustment");
        for reason in reasons {
            let reason = recording.strings.intern(reason);
            recording.threadpool.push(ThreadPoolRow {
                ts_ns: 0,
                event,
                reason,
                workers: 3,
                throughput: f64::NAN,
            });
        }
        let topic = crate::facts::told(&recording, topic);
        topic.paragraphs.iter().find(|of| of.heading == heading).unwrap().text.clone()
    }

    #[test]
    fn changes_are_told_by_their_reasons() {
        assert!(text(&["Starvation"], "gate").ends_with("Here it did so once (reason Starvation)."));
        assert!(text(&["Starvation"; 2], "gate").ends_with("Here it did so 2 times (reason Starvation)."));
        assert!(text(&["ClimbingMove"], "gate").ends_with("Here it never had to."));
        assert!(text(&["ClimbingMove"], "climbing").contains("Here it made 1 such move (ClimbingMove)."));
        assert!(
            text(&["CooperativeBlocking"; 3], "blocking")
                .ends_with("Here the number of workers changed 3 times for it.")
        );
        assert!(text(&[], "gate").ends_with("is felt for a minute."));
    }
}
