//! Figures of the whole service: one row for each thing that its runtime did.

use crate::book::{Book, Measure, Of, Quantity};
use crate::many::Tier;
use crate::noise::Between;
use crate::presence::{Both, Thing, in_both};
use crate::scope::{Scope, known_rows};
use crate::tally::Tally;
use base::number::real;
use model::NO_INT;
use report::{Better, Subject};
use runtime::{cpu_shares, metered_totals};

/// What the measures below have in common.
const FIGURE: Measure = Measure {
    subject: Subject::Gc,
    name: "",
    quantity: Quantity::Count,
    better: Better::Lower,
    tier: Tier::Figures,
    between: Between::of(0.1, 0.0),
    importance: 0.3,
    notable: 1.0,
    table: "gc",
    metric: None,
};

/// How often the GC runs follows the budgets of its generations, which adapt to the load for minutes after the start.
const GC: Measure = Measure { between: Between::of(0.15, 0.0), ..FIGURE };
const HEAP: Measure = Measure {
    subject: Subject::Heap,
    quantity: Quantity::Level("B"),
    between: Between::of(0.1, 1e6),
    importance: 0.4,
    notable: 50e6,
    ..FIGURE
};

const COLLECTIONS: Thing = Thing {
    name: "collections",
    events: &["GC/Start", "GC/Triggered", "GC/HeapStats", "GC/AllocationTick", "GC/SuspendEEStart"],
    since: Some(1),
    always: false,
};
const ALLOCATIONS: Thing = Thing {
    name: "allocations",
    events: &["GC/AllocationTick", "AllocationSampled"],
    since: None,
    always: false,
};
const LOCKS: Thing =
    Thing { name: "waits for locks", events: &["Contention/"], since: Some(1), always: false };
const WAITS: Thing =
    Thing { name: "waits for handles", events: &["WaitHandleWait/"], since: Some(9), always: true };
const EXCEPTIONS: Thing =
    Thing { name: "exceptions", events: &["Exception/"], since: Some(1), always: false };
const COMPILED: Thing =
    Thing { name: "compiled methods", events: &["Method/Load"], since: None, always: false };
const LOGS: Thing =
    Thing { name: "log lines", events: &["FormattedMessage", "MessageJson"], since: None, always: false };

/// Adds the figures of everything but requests, methods and counters.
pub(crate) fn add(book: &mut Book, caveats: &mut Vec<String>, before: &Scope<'_>, after: &Scope<'_>) -> Both {
    let mut ask = |book: &mut Book, thing: &Thing, has: fn(&Scope<'_>) -> bool| {
        in_both(book, caveats, thing, (before, has(before)), (after, has(after)))
    };
    let collections = ask(book, &COLLECTIONS, |of| !of.recording().gc.start_ns.is_empty());
    let jit = ask(book, &COMPILED, |of| !of.recording().jit.ts_ns.is_empty());
    let both = Both {
        allocations: ask(book, &ALLOCATIONS, |of| !of.recording().allocations.ts_ns.is_empty()),
        contention: ask(book, &LOCKS, |of| !of.recording().contention.ts_ns.is_empty()),
        waits: ask(book, &WAITS, |of| !of.recording().waits.ts_ns.is_empty()),
        exceptions: ask(book, &EXCEPTIONS, |of| !of.recording().exceptions.ts_ns.is_empty()),
        logs: ask(book, &LOGS, |of| !of.recording().logs.ts_ns.is_empty()),
    };
    let mut add = |measure: &Measure, tally: &dyn Fn(&Scope<'_>) -> Option<Tally>| {
        book.tallies(measure, Of::default(), tally(before).as_ref(), tally(after).as_ref());
    };
    if collections {
        gc(&mut add);
        heap(&mut add);
    }
    rates(&mut add, both);
    if jit {
        compiled(&mut add);
    }
    threads(&mut add);
    if collections {
        longest_pause(book, before, after);
    }
    both
}

type Add<'a> = dyn FnMut(&Measure, &dyn Fn(&Scope<'_>) -> Option<Tally>) + 'a;

fn gc(add: &mut Add<'_>) {
    for (generation, name, importance, notable) in [
        (0, "collections of generation 0", 0.3, 2.0),
        (1, "collections of generation 1", 0.3, 1.0),
        (2, "collections of generation 2", 0.5, 0.2),
    ] {
        let between = Between { least: notable / 4.0, ..GC.between };
        let measure = Measure { name, importance, notable, between, metric: Some("collections"), ..GC };
        add(&measure, &|scope| {
            let rows = &scope.recording().gc;
            let course = scope.course(&rows.start_ns);
            let of = rows.start_ns.iter().zip(&rows.generation).filter(|(_, of)| **of == generation);
            Some(course.rate(of.map(|(ns, _)| (*ns, 1.0))))
        });
    }
    let induced = Measure {
        name: "induced collections",
        between: Between::of(0.1, 0.02),
        importance: 0.6,
        notable: 0.2,
        metric: Some("collections"),
        ..GC
    };
    add(&induced, &|scope| {
        let rows = &scope.recording().gc;
        let of = rows.start_ns.iter().zip(&rows.reason);
        let of = of.filter(|(_, reason)| scope.text(**reason).starts_with("Induced"));
        Some(scope.course(&rows.start_ns).rate(of.map(|(ns, _)| (*ns, 1.0))))
    });
    let pauses = Measure {
        name: "GC pauses",
        quantity: Quantity::ProgramSeconds,
        between: Between { least: 0.002, ..GC.between },
        importance: 0.9,
        notable: 0.02,
        table: "pauses",
        metric: Some("gc-pause"),
        ..GC
    };
    add(&pauses, &|scope| {
        let pauses = gc_pauses(scope);
        Some(scope.events.rate(pauses.into_iter().map(|(ns, ms)| (ns, ms / 1e3))))
    });
    let pause = Measure {
        name: "mean GC pause",
        quantity: Quantity::Level("ms"),
        between: Between { least: 0.25, ..GC.between },
        importance: 0.5,
        notable: 5.0,
        table: "pauses",
        metric: Some("gc-pause"),
        ..GC
    };
    add(&pause, &|scope| Some(scope.events.mean(gc_pauses(scope))));
}

/// When each GC pause began, and how many milliseconds it lasted. Without recorded suspensions, the pauses that the
/// collections report.
fn gc_pauses(scope: &Scope<'_>) -> Vec<(i64, f64)> {
    let pauses = &scope.recording().pauses;
    let cause = scope.recording().strings.find("gc");
    let rows = pauses.ts_ns.iter().zip(&pauses.dur_ns).zip(&pauses.cause);
    let rows = rows.filter(|((_, ns), of)| Some(**of) == cause && **ns != NO_INT);
    let own: Vec<_> = rows.map(|((at, ns), _)| (*at, real((*ns).max(0)) / 1e6)).collect();
    if !own.is_empty() {
        return own;
    }
    let gc = &scope.recording().gc;
    known_rows(&gc.start_ns, &gc.pause_ns, 1e-6).filter(|(_, ms)| *ms >= 0.0).collect()
}

/// Adds the longest pause. A recording has one value of it, so its noise is not known.
fn longest_pause(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let longest = |scope: &Scope<'_>| {
        let inside = |(ns, _): &(i64, f64)| scope.events.grid.piece(*ns).is_some();
        gc_pauses(scope).into_iter().filter(inside).map(|(_, ms)| ms).max_by(f64::total_cmp)
    };
    let measure = Measure {
        name: "longest GC pause",
        quantity: Quantity::Level("ms"),
        importance: 0.5,
        notable: 10.0,
        table: "pauses",
        metric: Some("gc-pause"),
        ..GC
    };
    if let (Some(before), Some(after)) = (longest(before), longest(after)) {
        let why = "each recording has one value: how it varies is not known";
        book.plain(&measure, Of::default(), (Some(before), Some(after)), why);
    }
}

fn heap(add: &mut Add<'_>) {
    type Column = fn(&model::GcRows) -> &Vec<i64>;
    let levels: [(&'static str, Column, f64); 5] = [
        ("heap after a collection", |gc| &gc.heap_after_bytes, 0.6),
        ("generation 2 after a collection", |gc| &gc.gen2_bytes, 0.5),
        ("large objects after a collection", |gc| &gc.loh_bytes, 0.5),
        ("pinned objects' heap after a collection", |gc| &gc.poh_bytes, 0.4),
        ("survivors of a collection", |gc| &gc.promoted_bytes, 0.4),
    ];
    for (name, column, importance) in levels {
        add(&Measure { name, importance, ..HEAP }, &|scope| {
            let gc = &scope.recording().gc;
            Some(scope.course(&gc.start_ns).mean(known_rows(&gc.start_ns, column(gc), 1.0)))
        });
    }
    let growth = Measure {
        name: "growth of the heap from collection to collection",
        quantity: Quantity::Bytes,
        between: Between::of(0.1, 1e5),
        importance: 0.7,
        notable: 1e6,
        ..HEAP
    };
    add(&growth, &|scope| {
        let gc = &scope.recording().gc;
        let course = scope.course(&gc.start_ns);
        let inside = known_rows(&gc.start_ns, &gc.heap_after_bytes, 1.0);
        let heaps: Vec<(i64, f64)> = inside.filter(|(ns, _)| course.grid.piece(*ns).is_some()).collect();
        let steps = heaps.iter().zip(heaps.iter().skip(1));
        let mut tally = course.rate(steps.map(|(from, to)| (to.0, to.1 - from.1)));
        // Steps up and down depend on each other, so only the pieces say how much they vary.
        tally.squares = 0.0;
        // Without two collections, how much the heap grew is not known.
        (heaps.len() > 1).then_some(tally)
    });
}

fn rates(add: &mut Add<'_>, both: Both) {
    let allocation = Measure {
        subject: Subject::Allocation,
        name: "bytes allocated",
        quantity: Quantity::Bytes,
        between: Between::of(0.05, 4e5),
        importance: 0.6,
        notable: 20e6,
        table: "allocations",
        metric: Some("allocated-bytes"),
        ..FIGURE
    };
    if both.allocations {
        add(&allocation, &|scope| {
            let times: Vec<i64> = scope.allocations().map(|row| row.ts_ns).collect();
            Some(scope.course(&times).rate(scope.allocations().map(|row| (row.ts_ns, row.weight_bytes))))
        });
    }
    let locks = Measure { subject: Subject::Contention, table: "contention", ..FIGURE };
    if both.contention {
        let name = "threads waiting for locks";
        let (quantity, metric) = (Quantity::ThreadSeconds, Some("contention-time"));
        let between = Between::of(0.1, 0.005);
        let measure = Measure { name, quantity, between, importance: 0.8, notable: 0.05, metric, ..locks };
        add(&measure, &|scope| {
            let rows = &scope.recording().contention;
            Some(scope.course(&rows.ts_ns).rate(seconds(&rows.ts_ns, &rows.dur_ns)))
        });
        let (name, metric) = ("waits for locks", Some("contentions"));
        let between = Between::of(0.1, 1.0);
        add(&Measure { name, between, notable: 10.0, metric, ..locks }, &|scope| {
            let times = &scope.recording().contention.ts_ns;
            Some(scope.course(times).rate(times.iter().map(|ns| (*ns, 1.0))))
        });
    }
    if both.waits {
        let name = "threads waiting on wait handles";
        let (subject, table, metric) = (Subject::Wait, "waits", Some("wait-time"));
        // Threads also wait without any requests.
        let quantity = Quantity::Level("threads");
        let between = Between::whole(0.1);
        let waits = Measure { subject, table, metric, name, quantity, between, notable: 1.0, ..FIGURE };
        add(&waits, &|scope| {
            let rows = &scope.recording().waits;
            let course = scope.course(&rows.ts_ns);
            let waited = seconds(&rows.ts_ns, &rows.dur_ns);
            Some(course.rate_over(course.base_of(quantity), waited))
        });
    }
    if both.exceptions {
        let (subject, table, metric) = (Subject::Exceptions, "exceptions", Some("exceptions"));
        let (name, between) = ("exceptions thrown", Between::of(0.04, 0.05));
        let measure = Measure { subject, table, metric, name, between, importance: 0.6, ..FIGURE };
        add(&measure, &|scope| {
            let times = &scope.recording().exceptions.ts_ns;
            Some(scope.course(times).rate(times.iter().map(|ns| (*ns, 1.0))))
        });
    }
    if both.logs {
        let (subject, table, better) = (Subject::Logs, "logs", Better::Neither);
        let (name, between) = ("log lines", Between::of(0.05, 1.0));
        let line = Measure { subject, name, better, between, table, ..FIGURE };
        let measure = Measure { importance: 0.2, notable: 100.0, ..line };
        add(&measure, &|scope| {
            let times = &scope.recording().logs.ts_ns;
            Some(scope.course(times).rate(times.iter().map(|ns| (*ns, 1.0))))
        });
    }
}

/// The times and the lengths in seconds, without unknown and negative lengths.
fn seconds<'a>(times: &'a [i64], lengths: &'a [i64]) -> impl Iterator<Item = (i64, f64)> + 'a {
    known_rows(times, lengths, 1e-9).filter(|(_, seconds)| *seconds >= 0.0)
}

fn compiled(add: &mut Add<'_>) {
    // A method is compiled again when its calls pass a limit, so much depends on what ran before the recording.
    let jit = Measure { subject: Subject::Jit, table: "jit", metric: Some("jit-time"), ..FIGURE };
    let between = Between::of(0.25, 2.5);
    add(&Measure { name: "methods compiled", between, notable: 50.0, ..jit }, &|scope| {
        let times = &scope.recording().jit.ts_ns;
        Some(scope.course(times).rate(times.iter().map(|ns| (*ns, 1.0))))
    });
    let (name, quantity) = ("threads compiling", Quantity::ThreadSeconds);
    let between = Between::of(0.25, 0.005);
    add(&Measure { name, quantity, between, importance: 0.4, notable: 0.05, ..jit }, &|scope| {
        let rows = &scope.recording().jit;
        Some(scope.course(&rows.ts_ns).rate(seconds(&rows.ts_ns, &rows.dur_ns)))
    });
}

/// A level of the thread pool that counters publish.
struct PoolLevel {
    name: &'static str,
    /// Its counters: that of .NET 9 and later, and the older one.
    counters: [&'static str; 2],
    between: Between,
    importance: f64,
    notable: f64,
    better: Better,
}

const POOL: [PoolLevel; 2] = [
    PoolLevel {
        name: "work waiting in the thread pool's queue",
        counters: ["dotnet.thread_pool.queue.length", "threadpool-queue-length"],
        between: Between::of(0.15, 0.5),
        importance: 0.8,
        notable: 5.0,
        better: Better::Lower,
    },
    PoolLevel {
        name: "threads of the thread pool",
        counters: ["dotnet.thread_pool.thread.count", "threadpool-thread-count"],
        between: Between::whole(0.1),
        importance: 0.5,
        notable: 4.0,
        better: Better::Neither,
    },
];

fn threads(add: &mut Add<'_>) {
    let level =
        |scope: &Scope<'_>, rows: Vec<(i64, f64)>| (!rows.is_empty()).then(|| scope.events.mean(rows));
    for PoolLevel { name, counters, between, importance, notable, better } in POOL {
        let (subject, quantity, table) = (Subject::Threads, Quantity::Level(""), "counters");
        let measure = Measure { subject, name, quantity, better, between, ..FIGURE };
        let measure = Measure { importance, notable, table, ..measure };
        add(&measure, &|scope| {
            let mut published = counters.iter().map(|name| metered_totals(scope.recording(), name, "value"));
            level(scope, published.find(|rows| !rows.is_empty()).unwrap_or_default())
        });
    }
    let cpu = Measure {
        subject: Subject::Cpu,
        name: "CPU in use, of what the process may use",
        quantity: Quantity::Level("share"),
        tier: Tier::Felt,
        between: Between::of(0.03, 0.005),
        importance: 0.7,
        notable: 0.1,
        table: "counters",
        ..FIGURE
    };
    add(&cpu, &|scope| level(scope, cpu_shares(scope.recording())));
}

/// Adds the average number of threads in each state, from samples.
pub(crate) fn sampled(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    // Threads run because of requests, but wait without any, too: only running is an amount per request.
    let level = Quantity::Level("threads");
    for (state, name, importance, quantity, between) in [
        ("running", "threads running", 0.6, Quantity::ThreadSeconds, Between::of(0.1, 0.02)),
        ("waiting", "threads waiting", 0.2, level, Between::whole(0.1)),
        ("external", "threads in native code", 0.2, level, Between::whole(0.1)),
    ] {
        let measure = Measure {
            subject: Subject::Threads,
            name,
            quantity,
            better: Better::Neither,
            between,
            importance,
            table: "samples",
            metric: Some(state),
            ..FIGURE
        };
        let tally = |scope: &Scope<'_>| {
            let course = &scope.samples;
            let mut tally = Tally::of_base(course.base_of(quantity), &course.ramp);
            let state = scope.recording().strings.find(state);
            let rows = &scope.recording().samples;
            for (ns, _) in rows.ts_ns.iter().zip(&rows.state).filter(|(_, of)| Some(**of) == state) {
                if let Some(piece) = course.grid.piece(*ns) {
                    tally.count(piece, scope.seconds_per_sample(piece));
                }
            }
            tally
        };
        book.tallies(&measure, Of::default(), Some(&tally(before)), Some(&tally(after)));
    }
}
