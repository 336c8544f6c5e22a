//! Memory: how objects are allocated, sampled and kept alive, and where the rest of the process's memory is.

use crate::facts::TopicFacts;
use crate::topic::{Id, Topic};
use crate::words::{bytes, counted, listed, number, only, plain, said, share, was, when};
use runtime::{Free, written_name};

/// .NET 10 samples each byte with a chance of one in this many.
const SAMPLED_ONE_IN: f64 = 102_400.0;

/// The topic.
pub(crate) fn topic(facts: &TopicFacts<'_>) -> Topic {
    let mut topic = Topic::new(Id::Memory);
    let part = facts.part("allocation");
    let free = runtime::fragmentation(facts.recording);
    topic.figures_of(part, &["samples", "bytes", "rate"]);
    topic.figure(
        "rate.counted",
        counted_rate(facts),
        "B/s",
        "Bytes allocated per second, by the runtime's counter",
    );
    topic.figures_of(facts.part("gc"), &["heap.after", "promoted"]);
    topic.figure("large", of_kind(facts, "Large"), "B", "Allocated as large objects");
    topic.figure("pinned", of_kind(facts, "Pinned"), "B", "Allocated in the pinned object heap");
    topic.figure(
        "free.share",
        free_share(&free),
        "share",
        "Free space within the heap after the last collection",
    );
    topic.figure(
        "committed",
        facts.latest("gc-committed", "value").map(|mega| mega * 1e6).filter(|of| *of > 0.0),
        "B",
        "Memory committed by the GC, last reported",
    );
    topic.figure("working.set", working_set(facts), "B", "Resident memory of the process, last reported");
    topic.figure("pinned.objects", pinned(facts), "", "Pinned objects per collection, max");
    topic.figure("finalized", finalized(facts), "", "Finalizers that ran");
    topic.course_of(part, "bytes");
    topic.list_of(part, "types", 8);
    topic.list_of(part, "callers", 6);
    allocating(&mut topic, facts);
    sampling(&mut topic, facts);
    what(&mut topic, facts);
    survival(&mut topic, facts);
    large(&mut topic, facts);
    fragmentation(&mut topic, &free);
    pinning(&mut topic, facts);
    finalizers(&mut topic, facts);
    process(&mut topic, facts);
    topic.missing_of(part);
    topic.lacks(free.is_empty(), "free space within the generations: reported since .NET 9, after a first collection (needs the meter System.Runtime, as in the profile default)");
    topic.lacks(
        pinned(facts).is_none(),
        "pinned objects: no collection reported them (needs the profile default)",
    );
    topic.lacks(true, "what keeps an object alive: a heap snapshot shows that, a recording of events cannot");
    topic
}

fn counted_rate(facts: &TopicFacts<'_>) -> Option<f64> {
    let names = [("dotnet.gc.heap.total_allocated", "rate"), ("alloc-rate", "rate")];
    let rates = runtime::first_totals(facts.recording, &names);
    let count = base::number::count(rates.len());
    (count > 0.0).then(|| rates.iter().map(|(_, rate)| rate).sum::<f64>() / count)
}

fn of_kind(facts: &TopicFacts<'_>, kind: &str) -> Option<f64> {
    let kinds = facts.rows("allocation", "kinds", 0);
    let are_known = kinds.iter().any(|(name, _)| *name == "Small");
    kinds.iter().find(|(name, _)| *name == kind).map(|(_, bytes)| *bytes).or(are_known.then_some(0.0))
}

fn working_set(facts: &TopicFacts<'_>) -> Option<f64> {
    let meter = facts.latest("dotnet.process.memory.working_set", "value");
    meter.or_else(|| facts.latest("working-set", "value").map(|mega| mega * 1e6)).filter(|of| *of > 0.0)
}

fn pinned(facts: &TopicFacts<'_>) -> Option<f64> {
    let known = facts.recording.gc.pinned_objects.iter().copied().filter(|of| *of != model::NO_INT);
    known.max().map(crate::facts::real)
}

/// How many finalizers ran. `None` if it is unknown whether they would have been recorded.
fn finalized(facts: &TopicFacts<'_>) -> Option<f64> {
    let ran = facts.events("GC/FinalizeObject");
    (ran > 0.0 || facts.events("GC/FinalizersStop") > 0.0).then_some(ran)
}

fn free_share(free: &[Free]) -> Option<f64> {
    let (all, free) = free.iter().fold((0.0, 0.0), |sum, of| (sum.0 + of.bytes, sum.1 + of.free_bytes));
    (all > 0.0).then_some(free / all)
}

fn allocating(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let rate = facts.value("allocation", "rate").or_else(|| counted_rate(facts)).filter(|rate| *rate > 0.0);
    let requests = facts.value("requests", "rate").filter(|rate| *rate > 0.0);
    let each = match (rate, requests) {
        (Some(rate), Some(requests)) => format!(
            "With {} requests per second that is {} per request, including everything else that the process does.",
            number(requests),
            bytes(rate / requests)
        ),
        _ => String::new(),
    };
    topic.say(
        "allocating",
        &[
            plain(
                "Each thread has an allocation context: about 8 kB of zeroed memory in generation 0. Allocating an object moves a pointer \
                 within it, which takes a few instructions and no lock. Only when the context is used up, the thread asks the heap for the next one, and that is \
                 when a collection may begin. So allocating is cheap, and its price is paid later: by collections, and by new memory that pushes \
                 other data out of the CPU caches.",
            ),
            when(rate, |rate| format!("Here about {} per second were allocated.", bytes(rate))),
            each,
        ],
    );
}

fn sampling(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let rows = &facts.recording.allocations;
    let fine = facts.recording.strings.find("sample").is_some_and(|sample| rows.source.contains(&sample));
    let samples = facts.value("allocation", "samples").filter(|samples| *samples > 0.0);
    let how = if samples.is_none() {
        plain(
            "Allocations are sampled, as there are too many to record. Up to .NET 9 the runtime reports one about every 100 kB \
             (AllocationTick); .NET 10 samples each byte with a chance of 1 in 102,400.",
        )
    } else if fine {
        format!(
            "This recording has .NET 10's sampling: each byte is sampled with a chance of 1 in {}, so an object of size s is sampled with the chance \
             1 - (1 - 1/102,400)^s, and a sampled object stands for s divided by that chance: a string of 40 bytes for about 102 kB, an array of 1 MB for \
             itself. Sums with these weights are right on average, for all sizes.",
            number(SAMPLED_ONE_IN)
        )
    } else {
        plain(
            "This recording has ticks (AllocationTick): whenever about 100 kB have been allocated, the runtime reports the object that needed the next \
             piece of memory, and that object stands for all of them. Larger objects are reported more often than their share, so the figures of their types \
             are too high, and those of small ones too low.",
        )
    };
    let error = when(samples, |samples| {
        format!(
            "The error of a sum of n samples is about 1/√n: {} for all {} here, 10 % for a type with 100 of them. One or two samples of a type only show that it exists.",
            share(1.0 / samples.sqrt()),
            number(samples)
        )
    });
    let checked = match (facts.value("allocation", "rate"), counted_rate(facts)) {
        (Some(sampled), Some(exact)) if sampled > 0.0 && exact > 0.0 => format!(
            "The runtime's own counter, which counts every byte but is read only once per second, says {}; the samples say {}.",
            said(exact, "B/s"),
            said(sampled, "B/s")
        ),
        _ => String::new(),
    };
    topic.say("sampling", &[how, error, checked]);
}

fn what(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let top = |list, count: usize, name: fn(&str) -> String| {
        let rows = facts.rows("allocation", list, 1);
        let rows = rows
            .into_iter()
            .filter(|(of, _)| *of != runtime::NOT_RECORDED)
            .take(count)
            .map(|(of, part)| format!("{} ({})", name(of), share(part)));
        rows.collect::<Vec<_>>()
    };
    let types = top("types", 3, str::to_owned);
    let callers = top("callers", 2, written_name);
    topic.say(
        "who",
        &[
            only(!types.is_empty(), || format!("Most of the bytes were {}.", listed(&types))),
            only(!callers.is_empty(), || format!("They were allocated in {} (the service's own method, if one is on the stack).", listed(&callers))),
            plain(
                "Allocated bytes are not live bytes. Objects of a type at the top of this list may die a millisecond later, and a leak may be too slow to be on it \
                 at all. What stays alive shows after collections, or in a heap snapshot.",
            ),
        ],
    );
}

fn survival(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let promoted = facts.value("gc", "promoted");
    let allocated = facts.value("allocation", "bytes").filter(|bytes| *bytes > 0.0);
    let collections = facts.value("gc", "count");
    let seen = match (promoted, allocated, collections) {
        (Some(promoted), Some(allocated), Some(collections)) if collections > 0.0 => format!(
            "Here {} were allocated, and {} promoted {} in total; an object that is promoted twice counts twice.",
            bytes(allocated),
            counted(collections, "collection", "collections"),
            bytes(promoted)
        ),
        (_, _, Some(collections)) if collections <= 0.0 => {
            plain("Here no collection ran, so it is unknown what would survive one.")
        }
        _ => String::new(),
    };
    topic.say(
        "survival",
        &[
            plain(
                "What survives a collection moves to the next older generation. Objects of a request that are alive when a \
                 collection happens to run are promoted too. The longer requests take and the more are under way, the more objects die in an older generation, and \
                 generation 2 fills with garbage.",
            ),
            seen,
        ],
    );
}

fn large(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let large = of_kind(facts, "Large");
    let all = facts.value("allocation", "bytes").filter(|bytes| *bytes > 0.0);
    let seen = match (large, all) {
        (Some(large), Some(all)) if large > 0.0 => {
            format!(
                "Here {} were large objects, {} of all allocated bytes.",
                bytes(large),
                share(large / all)
            )
        }
        (Some(_), Some(_)) => plain("Here no sampled allocation was a large object."),
        _ => String::new(),
    };
    topic.say(
        "large",
        &[
            plain(
                "An object of 85,000 bytes or more goes to the large object heap: an array of 85,000 bytes, of 42,500 characters, of 10,625 \
                 references. It is zeroed as a whole, only collected with generation 2, and not moved unless requested. A list or string builder that \
                 grows by doubling exceeds this size unnoticed. Reading in pieces avoids it, and buffers from ArrayPool are reused.",
            ),
            seen,
        ],
    );
}

fn fragmentation(topic: &mut Topic, free: &[Free]) {
    let each = free.iter().filter(|of| of.free_bytes > 0.0);
    let each: Vec<String> =
        each.map(|of| format!("{} {} of {}", of.generation, bytes(of.free_bytes), bytes(of.bytes))).collect();
    topic.say(
        "gaps",
        &[
            plain(
                "When objects die between live ones that are not moved, they leave gaps (fragmentation). The gaps are kept in lists and used for later \
                 promotions. They are not lost, but they count as heap, and objects larger than each gap cannot use them.",
            ),
            only(!each.is_empty(), || format!("Free space after the last collection: {}.", listed(&each))),
            when(free_share(free), |of| format!("That is {} of the heap.", share(of))),
        ],
    );
}

fn pinning(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let seen = when(pinned(facts), |most| {
        if most > 0.0 {
            format!("Here a collection met up to {}.", counted(most, "pinned object", "pinned objects"))
        } else {
            plain("Here no collection met one.")
        }
    });
    topic.say(
        "pinning",
        &[
            plain(
                "An object whose address was passed to native code must not move: it is pinned, for a moment by a fixed statement, or by a handle for as long as \
                 that exists. A collection works around it and leaves gaps. Buffers that stay pinned belong in the pinned object heap \
                 (GC.AllocateArray with pinned: true), where they do no harm.",
            ),
            seen,
        ],
    );
}

fn finalizers(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let seen = when(finalized(facts), |ran| {
        let pace = when(facts.seconds.filter(|seconds| ran > 0.0 && *seconds > 0.0), |seconds| {
            format!(", {} per second", number(ran / seconds))
        });
        format!("Here {} ran{pace}.", counted(ran, "finalizer", "finalizers"))
    });
    topic.say(
        "finalizers",
        &[
            plain(
                "An object with a finalizer is added to a list when it is created, which is slow. When it dies, it is not freed but added to a queue. One thread runs \
                 all finalizers one after another, and the memory, with everything that the object refers to, is freed by a later collection of an older \
                 generation. Dispose with GC.SuppressFinalize avoids all that. A finalizer that waits delays all others.",
            ),
            seen,
        ],
    );
}

fn process(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let committed = facts.latest("gc-committed", "value").map(|mega| mega * 1e6).filter(|of| *of > 0.0);
    let sizes = match (working_set(facts), committed) {
        (Some(set), Some(committed)) => format!(
            "At the end the process used {}, of which the GC had committed {}.",
            bytes(set),
            bytes(committed)
        ),
        (Some(set), None) => format!("At the end the process used {}.", bytes(set)),
        _ => String::new(),
    };
    let held = when(facts.value("gc", "heap.after"), |after| {
        format!(
            "The objects themselves, including the gaps between them, took {} after the last collection.",
            bytes(after)
        )
    });
    let threads = facts.recording.threads.thread.len();
    let threads = base::number::count(threads);
    topic.say(
        "process",
        &[
            plain(
                "The memory that the system shows is more than the heap: machine code, the runtime's own tables of types and methods, stacks, native libraries, \
                 memory that the GC keeps for the next allocations. If the working set grows but the heap does not, memory leaks outside \
                 the heap.",
            ),
            sizes,
            held,
            only(threads > 0.0, || format!("{} {} recorded. Each has a stack, usually with 1.5 to 8 MB of address space, of which only the used part takes memory.", counted(threads, "thread", "threads"), was(threads))),
        ],
    );
}
