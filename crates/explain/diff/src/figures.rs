//! Figures of the whole service: what its runtime did, each as one row.

use crate::book::{Book, Measure, Of, Quantity};
use crate::many::Tier;
use crate::noise::{Between, Tally};
use crate::presence::{Thing, in_both};
use crate::scope::{Course, Scope, known_rows};
use base::number::real;
use model::NO_INT;
use report::{Better, Subject};
use runtime::{cpu_shares, metered_totals};

/// What the rows of figures begin from.
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

/// Budgets of the generations follow the load for minutes after the start, and with them how often is collected.
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

/// Which tables both recordings tell of.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a flag a table")]
pub(crate) struct Both {
    pub(crate) allocations: bool,
    pub(crate) contention: bool,
    pub(crate) waits: bool,
    pub(crate) exceptions: bool,
    pub(crate) logs: bool,
}

/// Adds the figures of everything that is no request, method or counter.
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
        name: "collections asked for by code or the runtime",
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
        name: "pauses for collections",
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
        name: "a pause for collections, on average",
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

/// Begin of each pause, and its milliseconds; those of the collections where no suspension was recorded.
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

/// The longest pause: one value a recording, whose noise nothing tells.
fn longest_pause(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let longest = |scope: &Scope<'_>| {
        let inside = |(ns, _): &(i64, f64)| scope.events.grid.piece(*ns).is_some();
        gc_pauses(scope).into_iter().filter(inside).map(|(_, ms)| ms).max_by(f64::total_cmp)
    };
    let measure = Measure {
        name: "the longest pause for a collection",
        quantity: Quantity::Level("ms"),
        importance: 0.5,
        notable: 10.0,
        table: "pauses",
        metric: Some("gc-pause"),
        ..GC
    };
    if let (Some(before), Some(after)) = (longest(before), longest(after)) {
        let why = "one value a recording: how it varies is not known";
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
        // Steps up and down follow each other and are no events of their own: their noise is that of the pieces.
        tally.squares = 0.0;
        Some(tally)
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
            let rows: Vec<_> = crate::lists::allocated(scope);
            let times: Vec<i64> = rows.iter().map(|row| row.1).collect();
            Some(scope.course(&times).rate(rows.into_iter().map(|(_, ns, bytes)| (ns, bytes))))
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
        let name = "threads waiting for handles and signals";
        let (subject, table, metric) = (Subject::Wait, "waits", Some("wait-time"));
        // Threads that wait do so without any requests as well.
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

/// Times and known lengths in seconds; nothing lasts less than no time.
fn seconds<'a>(times: &'a [i64], lengths: &'a [i64]) -> impl Iterator<Item = (i64, f64)> + 'a {
    known_rows(times, lengths, 1e-9).filter(|(_, seconds)| *seconds >= 0.0)
}

fn compiled(add: &mut Add<'_>) {
    // What is compiled when depends on when the calls of a method pass a limit, and on what ran before the recording.
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

/// Name, counters, what runs differ by, importance and notable level, which way is good.
type PoolLevel = (&'static str, [&'static str; 2], Between, (f64, f64), Better);

/// Counters that mean the same under two names: that of .NET 9 and later, and the older one.
const POOL: [PoolLevel; 2] = [
    (
        "work waiting in the thread pool's queue",
        ["dotnet.thread_pool.queue.length", "threadpool-queue-length"],
        Between::of(0.15, 0.5),
        (0.8, 5.0),
        Better::Lower,
    ),
    (
        "threads of the thread pool",
        ["dotnet.thread_pool.thread.count", "threadpool-thread-count"],
        Between::whole(0.1),
        (0.5, 4.0),
        Better::Neither,
    ),
];

fn threads(add: &mut Add<'_>) {
    let level = |scope: &Scope<'_>, rows: Vec<(i64, f64)>| {
        // Each value is of the time before it, so the last may lie behind the last event.
        (!rows.is_empty()).then(|| scope.events.mean(rows))
    };
    for (name, counters, between, (importance, notable), better) in POOL {
        let (subject, quantity, table) = (Subject::Threads, Quantity::Level(""), "counters");
        let measure = Measure { subject, name, quantity, better, between, ..FIGURE };
        let measure = Measure { importance, notable, table, ..measure };
        add(&measure, &|scope| {
            let told = counters.iter().map(|counter| metered_totals(scope.recording(), counter, "value"));
            level(scope, told.into_iter().find(|rows| !rows.is_empty()).unwrap_or_default())
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

/// Threads on average by what they were doing, from samples.
pub(crate) fn sampled(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>, looks: (&[f64], &[f64])) {
    // Only those that run do it for requests: threads that wait are there without any as well.
    let level = Quantity::Level("threads");
    for (state, name, importance, quantity, between) in [
        ("running", "threads running", 0.6, Quantity::ThreadSeconds, Between::of(0.1, 0.02)),
        ("waiting", "threads waiting", 0.2, level, Between::whole(0.1)),
        ("external", "threads outside managed code", 0.2, level, Between::whole(0.1)),
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
        let tally = |scope: &Scope<'_>, looks: &[f64]| {
            let course = &scope.samples;
            let mut tally = Tally::of_base(course.base_of(quantity), &course.ramp);
            let state = scope.recording().strings.find(state);
            let rows = &scope.recording().samples;
            for (ns, _) in rows.ts_ns.iter().zip(&rows.state).filter(|(_, of)| Some(**of) == state) {
                if let Some(piece) = course.grid.piece(*ns) {
                    tally.count(piece, weight(course, looks, piece));
                }
            }
            tally
        };
        let (of_before, of_after) = (tally(before, looks.0), tally(after, looks.1));
        book.tallies(&measure, Of::default(), Some(&of_before), Some(&of_after));
    }
}

/// Seconds of a thread that a sample of a piece stands for.
pub(crate) fn weight(course: &Course, looks: &[f64], piece: usize) -> f64 {
    let (seconds, looks) = (course.seconds.get(piece), looks.get(piece).filter(|looks| **looks > 0.0));
    seconds.zip(looks).map_or(0.0, |(seconds, looks)| seconds / looks)
}
