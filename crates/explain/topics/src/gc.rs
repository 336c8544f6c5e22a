//! The garbage collector: generations, budgets, pauses, kinds of collections, modes.

use crate::facts::TopicFacts;
use crate::topic::{Id, Topic};
use crate::words::{bytes, counted, is_one, listed, ms, number, only, plain, share, was, when};
use base::stats::{Share, select};
use runtime::{Collected, Collection};

/// The topic.
pub(crate) fn topic(facts: &TopicFacts<'_>) -> Topic {
    let mut topic = Topic::new(Id::Gc);
    let part = facts.part("gc");
    let kinds = runtime::collected(facts.recording);
    let budget = median_budget(facts);
    topic.figures_of(part, &["count", "gen0", "gen1", "gen2"]);
    let of = |name| facts.value("gc", name);
    topic.figure("background", of("background"), "", "Background generation 2 collections");
    topic.figure("induced", of("induced"), "", "Induced collections (GC.Collect, or the runtime itself)");
    topic.figure("pause.total", of("pause.total"), "ms", "Time that the GC paused the program");
    topic.figure("pause.share", of("pause.share"), "share", "Share of the observed time spent paused");
    topic.figure("pause.max", of("pause.max"), "ms", "The longest pause");

    let of_kind = |wanted| kinds.iter().find(|of| of.kind == wanted);
    topic.figure(
        "pause.gen0",
        of_kind(Collection::Gen0).and_then(|of| of.middle_ms),
        "ms",
        "Median pause of generation 0",
    );
    topic.figure(
        "pause.suspend",
        suspend_share(&kinds),
        "share",
        "Share of the pauses spent stopping the threads",
    );
    topic.figure(
        "gen0.budget",
        budget.map(|(bytes, _)| bytes),
        "B",
        "Allocated between two collections, median",
    );
    topic.figure("gen0.budget.set", reported_budget(facts), "B", "The budget of generation 0, last reported");
    let survived = |kind| runtime::survival(facts.recording, kind);
    topic.figure(
        "survival.gen0",
        survived(Collection::Gen0),
        "share",
        "Share that survived collections of generation 0",
    );
    topic.figure(
        "survival.gen1",
        survived(Collection::Gen1),
        "share",
        "Share that survived collections of generation 1",
    );
    topic.figures_of(part, &["promoted", "heap.after", "heap.max"]);
    topic.course_of(part, "pause");
    topic.series.extend(runtime::heap_courses(facts.recording));
    topic.list_of(part, "reasons", 6);
    generations(&mut topic, facts);
    budgets(&mut topic, facts, budget);
    why(&mut topic, facts);
    pauses(&mut topic, facts, &kinds);
    full(&mut topic, facts, &kinds);
    heap(&mut topic, facts);
    modes(&mut topic, facts);
    topic.missing_of(part);
    topic.lacks(
        facts.recording.session.server_gc.is_none(),
        "Workstation or Server GC: in the rundown at a recording's end (Runtime/Start), which this one lacks",
    );
    topic.lacks(
        !kinds.is_empty() && budget.is_none() && reported_budget(facts).is_none(),
        "what was allocated between collections: there are too few consecutive collections, or they lack heap sizes (needs the profile default)",
    );
    topic
}

/// The median of what was allocated between two collections, and the number of such pairs.
fn median_budget(facts: &TopicFacts<'_>) -> Option<(f64, usize)> {
    let mut budgets = runtime::gen0_budgets(facts.recording);
    let pairs = budgets.len();
    Some((select(&mut budgets, Share::MEDIAN, f64::total_cmp)?, pairs))
}

fn reported_budget(facts: &TopicFacts<'_>) -> Option<f64> {
    facts.latest("gen-0-gc-budget", "value").map(|mega| mega * 1e6).filter(|bytes| *bytes > 0.0)
}

fn suspend_share(kinds: &[Collected]) -> Option<f64> {
    let sum = |of: fn(&Collected) -> Option<f64>| kinds.iter().filter_map(of).sum::<f64>();
    let paused = sum(|of| of.paused_ms);
    let suspend = sum(|of| of.suspend_ms);
    (paused > 0.0 && kinds.iter().any(|of| of.suspend_ms.is_some())).then_some(suspend / paused)
}

fn generations(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let of = |name| facts.value("gc", name);
    let kinds = runtime::collected(facts.recording);
    let each: Vec<String> = kinds.iter().map(|of| counted_kind(of.kind, of.count)).collect();
    let counts = when(of("count"), |all| {
        if all > 0.0 {
            let noun = counted(all, "collection", "collections");
            return format!("{} there {} {noun}: {}.", facts.in_time(), was(all), listed(&each));
        }
        format!(
            "{} none ran: everything allocated fitted into the budget of generation 0, so the GC had no reason to.",
            facts.in_time()
        )
    });
    let survived = |kind, name: &str| {
        when(runtime::survival(facts.recording, kind), |of| {
            format!("In collections of {name}, about {} survived.", share(of))
        })
    };
    topic.say(
        "generations",
        &[
            plain(
                "A new object begins in generation 0. A collection finds what is still reachable from stacks, static fields and handles. \
                 What survives in generation 0 moves to generation 1, and what survives there to generation 2. The assumption is that most \
                 objects die young: the cost of a collection depends on what lives, not on what died.",
            ),
            counts,
            survived(Collection::Gen0, "generation 0"),
            survived(Collection::Gen1, "generations 0 and 1"),
            plain(
                "A young collection need not search the old generations: each store of a reference into an old object \
                 marks a card (the write barrier), and only marked cards are searched.",
            ),
        ],
    );
}

fn budgets(topic: &mut Topic, facts: &TopicFacts<'_>, budget: Option<(f64, usize)>) {
    let rate = facts.value("allocation", "rate").filter(|rate| *rate > 0.0);
    let reported = reported_budget(facts);
    let measured = budget.map_or_else(String::new, |(size, pairs)| {
        let from =
            if pairs == 1 { "from one interval".to_owned() } else { format!("median of {pairs} intervals") };
        format!(
            "Here about {} were allocated between two collections ({from} without a background collection, ended by a \
             used-up budget).",
            bytes(size)
        )
    });
    let size = budget.map(|(size, _)| size).or(reported);
    let pace = match (size, rate) {
        (Some(size), Some(rate)) => format!(
            "At {} allocated, a budget of {} lasts {}.",
            crate::words::said(rate, "B/s"),
            bytes(size),
            ms(size / rate * 1e3)
        ),
        _ => String::new(),
    };
    let came = match (facts.seconds, facts.value("gc", "count")) {
        (Some(seconds), Some(count)) if count > 1.0 => {
            format!(
                "Counting all {} collections, of any kind and for any reason, one came every {} on average.",
                number(count),
                ms(seconds / count * 1e3)
            )
        }
        _ => String::new(),
    };
    topic.say(
        "budget",
        &[
            plain(
                "Collections do not run on a schedule. Each generation has a budget of bytes. When allocations have used up that of generation 0, the \
                 thread that asks for more memory starts a collection.",
            ),
            measured,
            when(reported, |size| format!("The runtime itself last reported {}.", bytes(size))),
            pace,
            came,
            plain(
                "The GC adjusts the budget after each collection, within bounds that depend on the CPU cache and the memory \
                 limit. It is larger if much survived, as collecting then frees less. Allocating half as much halves the number of collections, but \
                 does not shorten a collection, whose duration depends on what survives.",
            ),
        ],
    );
}

/// What a reason means.
fn meaning(reason: &str) -> &'static str {
    match reason {
        "AllocSmall" => "the budget of generation 0 was used up",
        "AllocLarge" => {
            "the budget of the large object heap was used up, which needs a generation 2 collection"
        }
        "Induced" => "the program called GC.Collect, and waits for it",
        "InducedNotForced" => {
            "the program or a library suggested one, or the runtime did because many threads had ended"
        }
        "InducedCompacting" => "the program asked for one that compacts",
        "InducedLowMemory" | "LowMemory" | "LowMemoryHost" | "LowMemoryHostBlocking" => {
            "the system or its limit was short of memory"
        }
        "OutOfSpaceSOH" | "OutOfSpaceLOH" => "there was no room for the object",
        "Empty" | "Internal" => "the runtime itself started it",
        _ => "",
    }
}

fn why(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let reasons = facts.rows("gc", "reasons", 0);
    let each = reasons.iter().take(5).map(|(reason, times)| {
        let meaning = meaning(reason);
        let behind = if meaning.is_empty() { String::new() } else { format!(" ({meaning})") };
        format!("{reason} {}{behind}", number(*times))
    });
    let each: Vec<String> = each.collect();
    topic.say(
        "reasons",
        &[
            plain("Each collection has a reason."),
            only(!each.is_empty(), || format!("Here: {}.", each.join("; "))),
            only(each.is_empty(), || {
                plain(
                    "AllocSmall means that the budget of generation 0 was used up, AllocLarge that of the large object heap, Induced that the \
                     program called GC.Collect, LowMemory that the system was short of memory.",
                )
            }),
            plain(
                "Which generation is collected is another decision: the oldest one whose own budget is used up. So a collection for a small object \
                 only covers generation 0, unless generation 1 is full as well.",
            ),
        ],
    );
}

fn pauses(topic: &mut Topic, facts: &TopicFacts<'_>, kinds: &[Collected]) {
    let of = |name| facts.value("gc", name);
    let total = match (of("pause.total"), of("pause.max"), of("pause.share")) {
        (Some(total), Some(longest), Some(of_time)) => format!(
            "Here it paused the program for {} in total, {} of the time, with a maximum of {}.",
            ms(total),
            share(of_time),
            ms(longest)
        ),
        _ => String::new(),
    };
    let rows: Vec<String> = kinds
        .iter()
        .filter_map(|of| {
            let (middle, longest) = (of.middle_ms?, of.longest_ms?);
            let name = name(of.kind);
            Some(if is_one(of.count) {
                format!("{name} {}", ms(middle))
            } else {
                format!("{name} {} (max {})", ms(middle), ms(longest))
            })
        })
        .collect();
    let sampler = sampler_pauses(facts);
    topic.say(
        "pauses",
        &[
            plain(
                "To move objects, or to find the reachable ones, the GC stops all threads that run managed code. Each continues to its next \
                 safe point, a poll in a loop or the return from a method. A thread in native code may continue until it returns.",
            ),
            total,
            only(!rows.is_empty(), || format!("Median pause, by the kind of collection: {}.", rows.join(", "))),
            when(suspend_share(kinds), |of| format!("Stopping the threads took {} of these pauses; the rest is marking, compacting and resuming the threads.", share(of))),
            sampler,
            plain("A request in flight waits for the whole pause, and all of them wait at once, so pauses show in the tail of latency long before they show in its mean."),
        ],
    );
}

fn sampler_pauses(facts: &TopicFacts<'_>) -> String {
    let pauses = &facts.recording.pauses;
    let cause = facts.recording.strings.find("profiler");
    let of_sampler = pauses.cause.iter().filter(|of| cause.is_some() && Some(**of) == cause).count();
    if of_sampler == 0 {
        return String::new();
    }
    let times = base::number::count(of_sampler);
    format!(
        "The sampler of this recording also stopped the threads, {}. That is not counted here, but if both want to stop them, \
         one waits for the other, so pauses are longer than without it.",
        if is_one(times) { "once".to_owned() } else { format!("{} times", number(times)) }
    )
}

fn name(kind: Collection) -> &'static str {
    match kind {
        Collection::Gen0 => "generation 0",
        Collection::Gen1 => "generations 0 and 1",
        Collection::Full => "blocking generation 2",
        Collection::Background => "background generation 2",
    }
}

/// How many collections of a kind there were, behind "collections:".
fn counted_kind(kind: Collection, count: f64) -> String {
    match kind {
        Collection::Gen0 => format!("{} of generation 0 alone", number(count)),
        Collection::Gen1 => format!("{} of generations 0 and 1", number(count)),
        Collection::Full | Collection::Background => {
            counted(count, &format!("{} collection", name(kind)), &format!("{} collections", name(kind)))
        }
    }
}

fn full(topic: &mut Topic, facts: &TopicFacts<'_>, kinds: &[Collected]) {
    let of_kind = |wanted| kinds.iter().find(|of| of.kind == wanted);
    let paused = |of: &Collected| {
        of.paused_ms.map_or_else(String::new, |paused| format!(", with pauses of {} in total", ms(paused)))
    };
    let background = of_kind(Collection::Background).map_or_else(String::new, |of| {
        format!(
            "Here {}{}.",
            if is_one(of.count) { "1 ran".to_owned() } else { format!("{} ran", number(of.count)) },
            paused(of)
        )
    });
    let blocking = of_kind(Collection::Full).map_or_else(String::new, |of| {
        let survived = runtime::survival(facts.recording, Collection::Full);
        let survived = when(survived, |share_of| format!(" About {} survived.", share(share_of)));
        format!(
            "Here {}{}.{survived}",
            if is_one(of.count) { "1 ran".to_owned() } else { format!("{} ran", number(of.count)) },
            paused(of)
        )
    });
    let none = only(
        of_kind(Collection::Background).is_none() && of_kind(Collection::Full).is_none() && !kinds.is_empty(),
        || plain("In this recording generation 2 was never collected."),
    );
    topic.say(
        "background",
        &[
            plain(
                "Generation 2 and the large object heap can be collected while the program runs: a background collection marks live objects on its own \
                 thread while requests continue, with two short pauses. Meanwhile generations 0 and 1 can be \
                 collected as usual. It adds freed space to lists of gaps and does not compact.",
            ),
            background,
            none,
        ],
    );
    topic.say(
        "full",
        &[
            plain(
                "A blocking generation 2 collection marks all live objects and usually compacts them, while all threads are stopped. It takes \
                 longer the larger the heap is. It runs when the program induces it (GC.Collect blocks by default), when memory is short, or \
                 when generation 2 is too fragmented.",
            ),
            blocking,
        ],
    );
}

fn heap(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let gc = &facts.recording.gc;
    let last = |column: &[i64]| {
        column.iter().rev().copied().find(|bytes| *bytes != model::NO_INT).map(crate::facts::real)
    };
    let columns = [
        ("generation 0", &gc.gen0_bytes),
        ("generation 1", &gc.gen1_bytes),
        ("generation 2", &gc.gen2_bytes),
        ("the large object heap", &gc.loh_bytes),
        ("the pinned object heap", &gc.poh_bytes),
    ];
    let sizes = columns.iter().filter_map(|(name, column)| Some(format!("{name} {}", bytes(last(column)?))));
    let sizes: Vec<String> = sizes.collect();
    let course = match (facts.value("gc", "heap.after"), facts.value("gc", "heap.max")) {
        (Some(after), Some(most)) if most > after * 1.02 => format!(
            "The whole heap was {} then, and {} after the collection that left the most.",
            bytes(after),
            bytes(most)
        ),
        (Some(after), _) => {
            format!("The whole heap was {} then, the most after any collection.", bytes(after))
        }
        _ => String::new(),
    };
    topic.say(
        "heap",
        &[
            plain(
                "The heap has five parts: generations 0 to 2 for small objects, the large object heap (LOH) for objects of 85,000 bytes and more, and \
                 the pinned object heap (POH, since .NET 5) for buffers that must not move. LOH and POH are only collected with generation 2, so a \
                 large object that lives for one request stays until then.",
            ),
            only(!sizes.is_empty(), || format!("After the last collection: {}.", listed(&sizes))),
            course,
            plain(
                "Sizes include free space between objects. Since .NET 7 the heap consists of regions (4 MB for small objects), which change their \
                 generation as a whole and are returned to the system when empty for a while; before, of segments.",
            ),
        ],
    );
}

fn modes(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let mode = facts.recording.session.server_gc.map_or_else(String::new, |server| {
        format!("This process runs {} GC.", if server { "Server" } else { "Workstation" })
    });
    let cores = when(facts.cores, |cores| {
        format!(
            "This process may use {}. With a single one, the runtime always uses Workstation GC.",
            counted(cores, "CPU core", "CPU cores")
        )
    });
    topic.say(
        "modes",
        &[
            plain(
                "Workstation GC has one heap, collected by the thread that ran out of budget. Server GC, the default of ASP.NET Core with more than one \
                 core, has a heap and a thread per core, collects all heaps in parallel, and has larger budgets: fewer \
                 and often shorter pauses, for more memory. Since .NET 9 it adapts the number of heaps to what the program keeps alive \
                 (DATAS), so a small service no longer pays for heaps that it does not need.",
            ),
            mode,
            cores,
            plain("DOTNET_gcServer=1, DOTNET_gcConcurrent=0, DOTNET_GCHeapHardLimit and DOTNET_GCConserveMemory change this. In a container the hard limit is 75 % of the memory limit."),
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{GcRow, Trace};

    /// A second with collections of these generations, each of 10 MB of which 1 MB lives.
    fn recording(generations: &[i64]) -> Trace {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = 1_000_000_000;
        recording.covers("events", 0, 1_000_000_000);
        let [kind, reason] = recording.texts(["NonConcurrentGC", "AllocSmall"]);
        for (number, generation) in (0i64..).zip(generations) {
            recording.gc.push(GcRow {
                number,
                generation: *generation,
                kind,
                reason,
                start_ns: number * 1_000_000,
                heap_before_bytes: 10_000_000,
                heap_after_bytes: 1_000_000,
                promoted_bytes: 1_000_000,
                gen0_bytes: 0,
                ..GcRow::blank()
            });
        }
        recording
    }

    fn check(generations: &[i64], heading: &str, expected: &str) {
        let recording = recording(generations);
        let topic = crate::facts::topic_of(&recording, topic);
        let paragraph = topic.paragraphs.iter().find(|of| of.heading == heading).unwrap();
        assert!(paragraph.text.contains(expected), "{expected:?} is not in {}", paragraph.text);
    }

    #[test]
    fn collections_are_told_by_what_they_collected() {
        check(
            &[0],
            "generations",
            "In 1 s, there was 1 collection: 1 of generation 0 alone. In collections of",
        );
        check(
            &[0, 0, 2],
            "generations",
            "there were 3 collections: 2 of generation 0 alone and 1 blocking generation 2 collection.",
        );
        check(&[0], "generations", "about 10 % survived.");
    }

    #[test]
    fn the_budget_is_told_with_how_it_is_known() {
        check(
            &[0, 0],
            "budget",
            "Here about 9 MB were allocated between two collections (from one interval without a background collection, ended by",
        );
        check(
            &[0, 0, 0],
            "budget",
            "Counting all 3 collections, of any kind and for any reason, one came every 333 ms on average.",
        );
    }

    #[test]
    fn what_a_collection_does_not_tell_is_not_told() {
        let recording = recording(&[0]);
        let topic = crate::facts::topic_of(&recording, topic);
        let names: Vec<&str> = topic.figures.iter().map(|of| of.name).collect();
        assert!(!names.contains(&"pause.max") && !names.contains(&"gen0.budget"), "{names:?}");
        assert!(topic.missing.iter().any(|of| of.starts_with("what was allocated between collections")));
    }
}
