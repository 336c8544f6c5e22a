//! Asynchronous methods: state machines, continuations, contexts, and how stacks show them.

use crate::facts::TopicFacts;
use crate::topic::{Id, Topic};
use crate::words::{bytes, counted, is_one, listed, number, only, plain, share, was, when};
use runtime::Asynchrony;

/// The topic.
pub(crate) fn topic(facts: &TopicFacts<'_>) -> Topic {
    let mut topic = Topic::new(Id::Async);
    let seen = facts
        .sampling
        .as_ref()
        .map(|of| Asynchrony::new(facts.recording, of, |stack| facts.index.waits_in_entry(stack)));
    let allocated = runtime::async_allocations(facts.recording);
    let total = allocated.iter().map(|of| of.share).sum::<f64>();
    if let Some(seen) = &seen {
        topic.figure("running.share", seen.running_share, "share", "Running samples within an async method");
        topic.figure("methods", Some(seen.methods), "", "Async methods seen running");
        topic.figure("deepest", Some(seen.deepest), "", "The most async methods on one stack");
        topic.figure(
            "blocked",
            Some(seen.blocked_on_task),
            "",
            "Threads that blocked on a Task, on average, without the program's entry point",
        );
    }
    topic.figure(
        "allocated.share",
        (!allocated.is_empty()).then_some(total),
        "share",
        "Sampled bytes that were state machines, tasks and contexts",
    );
    topic.figure("timers", timers(facts), "", "Active timers, last value");
    machines(&mut topic, seen.as_ref());
    continuations(&mut topic, facts);
    stacks(&mut topic, seen.as_ref());
    context(&mut topic, &allocated);
    configure(&mut topic);
    blocking(&mut topic, facts, seen.as_ref());
    waiting(&mut topic, facts);
    topic.lacks(
        seen.is_none(),
        "which async methods ran: the recording has no samples (needs the profile default)",
    );
    topic.lacks(
        facts.value("allocation", "samples").is_none(),
        "what async methods allocate: the recording has no sampled allocations (needs the profile default)",
    );
    topic.lacks(
        true,
        "which method awaits which: only System.Threading.Tasks.TplEventSource reports it, of which the profile requests records the activity ids",
    );
    topic
}

fn timers(facts: &TopicFacts<'_>) -> Option<f64> {
    facts.latest("dotnet.timer.count", "value").or_else(|| facts.latest("active-timer-count", "value"))
}

fn machines(topic: &mut Topic, seen: Option<&Asynchrony>) {
    let busiest = seen.map_or_else(Vec::new, |seen| {
        let rows = seen.busiest.iter().take(3).map(|(name, part)| format!("{name} ({})", share(*part)));
        rows.collect::<Vec<_>>()
    });
    topic.say(
        "machines",
        &[
            plain(
                "The compiler turns an async method into a state machine: a type <Name>d__N with the method's locals as fields and one method, MoveNext, that \
                 runs from one await to the next. It begins as a struct on the stack. Only an await of something unfinished moves it to the heap \
                 (as an AsyncStateMachineBox, which is also the Task). An async method that only awaits finished work allocates little or nothing.",
            ),
            seen.map_or_else(String::new, |seen| {
                when(seen.running_share, |of| {
                    if seen.methods <= 0.0 {
                        return plain("Here no running sample had such a method on the stack.");
                    }
                    format!("Here {} of the running samples had such a method on the stack, of {}.", share(of), counted(seen.methods, "async method", "different async methods"))
                })
            }),
            only(!busiest.is_empty(), || format!("The innermost of them {} most often {}.", if busiest.len() == 1 { "was" } else { "were" }, listed(&busiest))),
            only(seen.is_some(), || plain("Iterators (yield return) have names of the same form and are included.")),
        ],
    );
}

fn continuations(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let done = crate::threadpool::items_a_second(facts);
    topic.say(
        "awaits",
        &[
            plain(
                "At an await of unfinished work the method registers MoveNext as the continuation of the awaited Task and returns to its caller: no thread waits. \
                 Whatever completes the Task (a ready socket, a timer, another method) runs the continuation or queues it to the thread pool. After the await \
                 the method may run on another thread. Thread-local state does not move with it, and a lock cannot be held across an await.",
            ),
            when(done, |done| format!("The pool here ran {} per second on average; in an asynchronous service, most of them are continuations.", counted(done, "work item", "work items"))),
        ],
    );
}

fn stacks(topic: &mut Topic, seen: Option<&Asynchrony>) {
    let deepest = seen.map(|seen| seen.deepest).filter(|deepest| *deepest > 0.0);
    topic.say(
        "stacks",
        &[
            plain(
                "The stack of an async method shows what resumed it, not what called it. Before its first await the callers are on it as usual. After one, the \
                 outermost frames are the pool's (ThreadPoolWorkQueue.Dispatch), then the box's MoveNext and ExecutionContext.RunInternal, then the method's own \
                 MoveNext. The method that awaits it is on the heap, as the continuation of its Task. So a caller's total time in profiles \
                 ends at the first await.",
            ),
            when(deepest, |deepest| {
                format!(
                    "The deepest stack here had {}: callers that had not awaited yet, or nested continuations.",
                    counted(deepest, "state machine", "state machines")
                )
            }),
            plain("A request that awaits is not on any stack, so samples cannot show what it waits for. Spans can, and so can the table of requests with its parts."),
        ],
    );
}

fn context(topic: &mut Topic, allocated: &[runtime::AsyncGroup]) {
    let groups: Vec<String> =
        allocated.iter().map(|of| format!("{} {} ({})", of.what, bytes(of.bytes), share(of.share))).collect();
    topic.say(
        "context",
        &[
            plain(
                "State of the logical flow rather than of the thread (the current Activity, the HttpContext accessor, logging scopes) is AsyncLocal state in the \
                 ExecutionContext. It is captured when work is queued or awaited and restored when it continues. The context never changes: each \
                 assignment to an AsyncLocal creates a new one with a copied map. A timer or a cached task that captured one keeps everything in it alive.",
            ),
            only(!groups.is_empty(), || format!("Of the bytes allocated here, according to samples: {}.", listed(&groups))),
        ],
    );
}

fn configure(topic: &mut Topic) {
    topic.say(
        "configure",
        &[plain(
            "ConfigureAwait(false) says that the rest of the method need not return to its SynchronizationContext or TaskScheduler. ASP.NET Core has \
             no SynchronizationContext, so there it changes nothing; libraries use it because desktop programs may call them. It does not drop the \
             ExecutionContext (ExecutionContext.SuppressFlow does), and it does not make a continuation run elsewhere.",
        )],
    );
}

fn blocking(topic: &mut Topic, facts: &TopicFacts<'_>, seen: Option<&Asynchrony>) {
    let blocked = seen.map_or_else(String::new, |seen| {
        let threads = seen.blocked_on_task;
        if threads < 0.005 {
            plain("Here no sampled thread did so, except the program's entry point, which waits for the end.")
        } else {
            format!(
                "Here on average {} {} blocked on a Task, without the program's entry point.",
                counted(threads, "thread", "threads"),
                was(threads)
            )
        }
    });
    let cooperative =
        facts.rows("threadpool", "reasons", 0).into_iter().find(|(name, _)| *name == "CooperativeBlocking");
    topic.say(
        "blocking",
        &[
            plain(
                "Task.Wait, Task.Result and GetAwaiter().GetResult() turn an await into a blocked thread (sync over async). If that is a thread of the pool, \
                 and the Task needs a thread of the pool to finish, each such call occupies one thread and waits for another. That works until as many calls are \
                 in flight as the pool has threads.",
            ),
            blocked,
            cooperative.map_or_else(String::new, |(_, times)| {
                format!("The pool changed its number of threads {} to compensate for such waits.", if is_one(times) { "once".to_owned() } else { format!("{} times", number(times)) })
            }),
        ],
    );
}

fn waiting(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let timers = when(timers(facts), |timers| {
        format!("At the end {} {} active here.", counted(timers, "timer", "timers"), was(timers))
    });
    topic.say(
        "waiting",
        &[
            plain(
                "Task.Delay and timeouts are timers: entries of a list that one thread manages, so ten thousand delays cost ten thousand small objects \
                 and no threads. SemaphoreSlim.WaitAsync, channels and connection pools queue continuations in the same way. Such waits do not show in \
                 CPU, threads or samples, only as latency.",
            ),
            timers,
        ],
    );
}
