//! Memory: how objects are allocated, sampled, kept alive, and where the rest of the process's memory is.

use crate::facts::Facts;
use crate::topic::{Id, Topic};
use crate::words::{bytes, counted, listed, number, only, plain, said, share, was, when};
use runtime::{Free, written_name};

/// The chance that the finest sampling takes a byte is one in so many.
const SAMPLED_ONE_IN: f64 = 102_400.0;

/// The topic.
pub(crate) fn topic(facts: &Facts<'_>) -> Topic {
    let mut topic = Topic::new(Id::Memory);
    let part = facts.part("allocation");
    let free = runtime::fragmentation(facts.recording);
    topic.figures_of(part, &["samples", "bytes", "rate"]);
    topic.figure(
        "rate.counted",
        counted_rate(facts),
        "B/s",
        "Bytes allocated a second, by the runtime's counter",
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
        "Memory that the collector held, told last",
    );
    topic.figure("working.set", working_set(facts), "B", "Memory of the process that is in use, told last");
    topic.figure("pinned.objects", pinned(facts), "", "Pinned objects that a collection met, max");
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
    topic.lacks(free.is_empty(), "free space within the generations: the runtime tells it from .NET 9 on, after a first collection (needs the meter System.Runtime, as in the profile default)");
    topic.lacks(
        pinned(facts).is_none(),
        "pinned objects: no collection told of them (needs the profile default)",
    );
    topic.lacks(true, "what keeps an object alive: no recording of events shows that, a heap snapshot does");
    topic
}

fn counted_rate(facts: &Facts<'_>) -> Option<f64> {
    let names = [("dotnet.gc.heap.total_allocated", "rate"), ("alloc-rate", "rate")];
    let rates = runtime::first_totals(facts.recording, &names);
    let count = crate::facts::real(i64::try_from(rates.len()).unwrap_or(0));
    (count > 0.0).then(|| rates.iter().map(|(_, rate)| rate).sum::<f64>() / count)
}

fn of_kind(facts: &Facts<'_>, kind: &str) -> Option<f64> {
    let kinds = facts.rows("allocation", "kinds", 0);
    let told = kinds.iter().any(|(name, _)| *name == "Small");
    kinds.iter().find(|(name, _)| *name == kind).map(|(_, bytes)| *bytes).or(told.then_some(0.0))
}

fn working_set(facts: &Facts<'_>) -> Option<f64> {
    let meter = facts.latest("dotnet.process.memory.working_set", "value");
    meter.or_else(|| facts.latest("working-set", "value").map(|mega| mega * 1e6)).filter(|of| *of > 0.0)
}

fn pinned(facts: &Facts<'_>) -> Option<f64> {
    let told = facts.recording.gc.pinned_objects.iter().copied().filter(|of| *of != model::NO_INT);
    told.max().map(crate::facts::real)
}

/// Finalizers that ran: none where nothing tells whether they would have been recorded.
fn finalized(facts: &Facts<'_>) -> Option<f64> {
    let ran = facts.events("GC/FinalizeObject");
    (ran > 0.0 || facts.events("GC/FinalizersStop") > 0.0).then_some(ran)
}

fn free_share(free: &[Free]) -> Option<f64> {
    let (all, free) = free.iter().fold((0.0, 0.0), |sum, of| (sum.0 + of.bytes, sum.1 + of.free_bytes));
    (all > 0.0).then_some(free / all)
}

fn allocating(topic: &mut Topic, facts: &Facts<'_>) {
    let rate = facts.value("allocation", "rate").or_else(|| counted_rate(facts)).filter(|rate| *rate > 0.0);
    let requests = facts.value("requests", "rate").filter(|rate| *rate > 0.0);
    let each = match (rate, requests) {
        (Some(rate), Some(requests)) => format!(
            "With {} requests a second that is {} a request, everything else that the process does included.",
            number(requests),
            bytes(rate / requests)
        ),
        _ => String::new(),
    };
    topic.say(
        "allocating",
        &[
            plain(
                "Each thread has an allocation context: a stretch of generation 0, about 8 kB of zeroed memory. A new object is a pointer moved forward \
                 within it, a few instructions without any lock; only a thread that has used up its stretch asks the heap for the next, and that is \
                 where a collection may begin. So allocating is cheap, and its price is paid later, by collections and by caches that new memory \
                 pushes other data out of.",
            ),
            when(rate, |rate| format!("Here about {} a second were allocated.", bytes(rate))),
            each,
        ],
    );
}

fn sampling(topic: &mut Topic, facts: &Facts<'_>) {
    let rows = &facts.recording.allocations;
    let fine = facts.recording.strings.find("sample").is_some_and(|sample| rows.source.contains(&sample));
    let samples = facts.value("allocation", "samples").filter(|samples| *samples > 0.0);
    let how = if samples.is_none() {
        plain(
            "Allocations are sampled, since there are too many to record. Up to .NET 9 the runtime tells of one about every 100 kB of a thread's \
             allocations (AllocationTick); .NET 10 takes each byte with a chance of 1 in 102,400.",
        )
    } else if fine {
        format!(
            "This recording has .NET 10's sampling: each byte is taken with a chance of 1 in {}, so an object of size s is seen with the chance \
             1 - (1 - 1/102,400)^s, and one that was seen stands for s divided by that chance: a string of 40 bytes for about 102 kB, an array of 1 MB for \
             itself. Sums with these weights are right on average, whatever the sizes.",
            number(SAMPLED_ONE_IN)
        )
    } else {
        plain(
            "This recording has ticks (AllocationTick): whenever about 100 kB have been allocated, the runtime tells of the object that asked for the next \
             stretch of memory, and that object stands for all of them. Larger objects ask for one more often than their share, so their types are told \
             too high, and small ones too low.",
        )
    };
    let error = when(samples, |samples| {
        format!(
            "A sum of n samples is off by about 1/√n: {} for all {} here, 10 % for a type with 100 of them, and a type with one or two says only that it exists.",
            share(1.0 / samples.sqrt()),
            number(samples)
        )
    });
    let checked = match (facts.value("allocation", "rate"), counted_rate(facts)) {
        (Some(sampled), Some(told)) if sampled > 0.0 && told > 0.0 => format!(
            "The runtime's own counter, which counts every byte but only once a second, says {}; the samples say {}.",
            said(told, "B/s"),
            said(sampled, "B/s")
        ),
        _ => String::new(),
    };
    topic.say("sampling", &[how, error, checked]);
}

fn what(topic: &mut Topic, facts: &Facts<'_>) {
    let top = |list, count: usize, name: fn(&str) -> String| {
        let rows = facts.rows("allocation", list, 1);
        let rows = rows
            .into_iter()
            .filter(|(of, _)| *of != "not told")
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
            only(!callers.is_empty(), || format!("They were allocated in {}: the service's own method, where one is on the stack.", listed(&callers))),
            plain(
                "Bytes allocated are not bytes held. A type at the top of this list may be dead a millisecond later, and a leak may be too slow to be on it \
                 at all: what is held is seen after collections, or in a heap snapshot.",
            ),
        ],
    );
}

fn survival(topic: &mut Topic, facts: &Facts<'_>) {
    let promoted = facts.value("gc", "promoted");
    let allocated = facts.value("allocation", "bytes").filter(|bytes| *bytes > 0.0);
    let collections = facts.value("gc", "count");
    let seen = match (promoted, allocated, collections) {
        (Some(promoted), Some(allocated), Some(collections)) if collections > 0.0 => format!(
            "Here {} were allocated, and {} promoted {} in all; an object that is promoted twice counts twice.",
            bytes(allocated),
            counted(collections, "collection", "collections"),
            bytes(promoted)
        ),
        (_, _, Some(collections)) if collections <= 0.0 => {
            plain("Here no collection ran, so nothing is known of what would survive one.")
        }
        _ => String::new(),
    };
    topic.say(
        "survival",
        &[
            plain(
                "What a collection finds alive is copied or kept, and belongs to the next older generation. Objects of a request that are alive when a \
                 collection happens to come are promoted with it: the longer requests take and the more are under way, the more dies in middle age, and \
                 generation 2 fills with what is garbage already.",
            ),
            seen,
        ],
    );
}

fn large(topic: &mut Topic, facts: &Facts<'_>) {
    let large = of_kind(facts, "Large");
    let all = facts.value("allocation", "bytes").filter(|bytes| *bytes > 0.0);
    let seen = match (large, all) {
        (Some(large), Some(all)) if large > 0.0 => {
            format!("Here {} were allocated so, {} of all bytes.", bytes(large), share(large / all))
        }
        (Some(_), Some(_)) => plain("Here no sampled allocation was one."),
        _ => String::new(),
    };
    topic.say(
        "large",
        &[
            plain(
                "An object of 85,000 bytes or more goes to the large object heap: an array of 85,000 bytes, of 42,500 characters, of 10,625 \
                 references. It is zeroed as a whole, collected with generation 2 alone, and not moved unless one asks for it. A list or string builder that \
                 grows by doubling passes the line unseen; buffers from ArrayPool, or reading in pieces, stay below it.",
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
                "Where objects die between ones that live and are not moved, gaps are left (fragmentation). They are kept in lists and used for later \
                 promotions, so they are not lost, but they count as heap, and objects larger than each gap cannot use them.",
            ),
            only(!each.is_empty(), || format!("Free space after the last collection: {}.", listed(&each))),
            when(free_share(free), |of| format!("That is {} of the heap.", share(of))),
        ],
    );
}

fn pinning(topic: &mut Topic, facts: &Facts<'_>) {
    let seen = when(pinned(facts), |most| {
        if most > 0.0 {
            format!("Here a collection met {} at most.", counted(most, "pinned object", "pinned objects"))
        } else {
            plain("Here no collection met one.")
        }
    });
    topic.say(
        "pinning",
        &[
            plain(
                "An object whose address was given to native code must not move: it is pinned, by a fixed statement for a moment or by a handle for as long as \
                 it exists. A collection works around it and leaves gaps. Buffers that stay pinned belong into the pinned object heap \
                 (GC.AllocateArray with pinned: true), where they disturb nobody.",
            ),
            seen,
        ],
    );
}

fn finalizers(topic: &mut Topic, facts: &Facts<'_>) {
    let seen = when(finalized(facts), |ran| {
        let pace = when(facts.seconds.filter(|seconds| ran > 0.0 && *seconds > 0.0), |seconds| {
            format!(", {} a second", number(ran / seconds))
        });
        format!("Here {} ran{pace}.", counted(ran, "finalizer", "finalizers"))
    });
    topic.say(
        "finalizers",
        &[
            plain(
                "An object with a finalizer is written into a list when it is made, which is slow. Found dead, it is not freed: it goes to a queue, one thread runs \
                 all finalizers one after the other, and the memory, with all that the object refers to, is freed by a later collection of an older \
                 generation. Dispose with GC.SuppressFinalize saves all that; a finalizer that waits holds up every other.",
            ),
            seen,
        ],
    );
}

fn process(topic: &mut Topic, facts: &Facts<'_>) {
    let committed = facts.latest("gc-committed", "value").map(|mega| mega * 1e6).filter(|of| *of > 0.0);
    let sizes = match (working_set(facts), committed) {
        (Some(set), Some(committed)) => format!(
            "Here the process used {} at last, of which the collector had committed {}.",
            bytes(set),
            bytes(committed)
        ),
        (Some(set), None) => format!("Here the process used {} at last.", bytes(set)),
        _ => String::new(),
    };
    let held = when(facts.value("gc", "heap.after"), |after| {
        format!(
            "The objects themselves, with the gaps between them, took {} after the last collection.",
            bytes(after)
        )
    });
    let threads = facts.recording.threads.thread.len();
    let threads = crate::facts::real(i64::try_from(threads).unwrap_or(0));
    topic.say(
        "process",
        &[
            plain(
                "The memory that the system shows is more than the heap: machine code, the runtime's own tables of types and methods, stacks, native libraries, \
                 memory that the collector keeps for the next allocations. A process whose working set grows while its heap does not leaks outside \
                 the collector's reach.",
            ),
            sizes,
            held,
            only(threads > 0.0, || format!("{} {} seen; each has a stack, usually of 1.5 to 8 MB of addresses, of which only what was touched takes memory.", counted(threads, "thread", "threads"), was(threads))),
        ],
    );
}
