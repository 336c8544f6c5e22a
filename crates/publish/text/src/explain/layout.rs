//! The layout of the parts of a trace, as data: which figures in which words, which values over time, which lists.
//!
//! Parts of other kinds of evidence need no layout: all their figures are printed, then their lists.

use crate::page::Page;
use report::Part;

/// Figures of a part with their words, in order. In the words, `{}` is the value and `{name}` the value of another
/// figure; if that one has no value, the words are not printed.
type Words = &'static [(&'static str, &'static str)];

const REQUESTS: Words = &[
    ("count", "{} requests"),
    ("rate", "{}"),
    ("p50", "p50 {}"),
    ("p50.low", "p50 between {} and {p50.high}"),
    ("p90", "p90 {}"),
    ("p99", "p99 {}"),
    ("p99.low", "p99 between {} and {p99.high}"),
    ("max", "max {}"),
    ("p99.highest", "worst one-second p99 of a route {}"),
    ("queue.wait", "plus about {} waiting in the thread-pool queue, on average"),
    ("failed", "{} failed ({failed.share})"),
    ("under_way.first", "{} under way at the start"),
    ("under_way.last", "{} at the end"),
    ("unfinished", "{} without an end event"),
];
const CPU: Words = &[
    ("samples", "{} samples of threads"),
    ("running", "{} running"),
    ("waiting", "{} waiting"),
    ("external", "{} in native code"),
    ("cpu.share", "{} of its limit of {allowed.quota}"),
    ("cpu.share", "{} of the {allowed.set} that it may run on"),
    ("cpu.share", "{} of the machine's {allowed.machine}"),
    ("throttled.share", "throttled in {} of the periods"),
    ("cores", "{} CPU cores in use"),
];
const THREADPOOL: Words = &[
    ("workers.first", "{} threads at the start"),
    ("workers.last", "{} at the end"),
    ("workers.max", "max {}"),
    ("adjustments", "{} adjustments"),
    ("throughput.mean", "{} items done"),
    ("throughput.max", "max {}"),
];
const CONTENTION: Words = &[
    ("count", "{} waits"),
    ("rate", "{}"),
    ("wait.total", "{} over all threads"),
    ("wait.gc", "{} of that in GC pauses"),
    ("wait.max", "longest {}"),
    ("unended", "{} waits without an end, not included in these times"),
];
const WAITS: Words = &[
    ("count", "{} waits"),
    ("observed", "recorded over {}"),
    ("wait.total", "{} over all threads"),
    ("wait.max", "longest {}"),
    ("unended", "{} waits without an end, not included in these times"),
];
const GC: Words = &[
    ("count", "{} collections"),
    ("gen0", "gen0 {}"),
    ("gen1", "gen1 {}"),
    ("gen2", "gen2 {}"),
    ("background", "{} of these in the background"),
    ("induced", "{} induced"),
];
const GC_PAUSES: Words =
    &[("pause.total", "pauses {}"), ("pause.share", "{} of the time"), ("pause.max", "longest {}")];
const GC_HEAP: Words = &[
    ("heap.after", "heap {} after the last"),
    ("heap.max", "max {}"),
    ("gen2.bytes", "gen2 {}"),
    ("loh.bytes", "large objects {}"),
    ("promoted", "promoted {}"),
];
const ALLOCATION: Words =
    &[("rate", "about {} on average"), ("bytes", "{} in total"), ("samples", "estimated from {} samples")];
const EXCEPTIONS: Words =
    &[("count", "{} thrown"), ("within", "all in one burst of {}"), ("rate", "{} on average")];
const JIT: Words = &[
    ("count", "{} methods"),
    ("time.total", "{} of compile time (elapsed), summed over all threads"),
    ("native", "{} of code"),
];
const SPANS: Words = &[("count", "{} spans")];
const LOGS: Words = &[("lines", "{} lines"), ("rate", "{}")];

/// What is printed of a part, one line or table each.
#[derive(Debug, Clone, Copy)]
enum Item {
    /// Figures with a label.
    Figures(&'static str, Words),
    /// All figures, by their names.
    AllFigures,
    /// The values over time, by the name of the series.
    Course(&'static str),
    /// The first rows of a list, by its name.
    List(&'static str, usize),
    /// The names of a list in one line, behind these words.
    Row(&'static str, &'static str),
}

use Item::{AllFigures, Course, Figures, List, Row};

/// The layout of one part.
#[derive(Debug)]
pub(super) struct Layout {
    /// The id of the part.
    part: &'static str,
    /// What the short page prints; nothing of parts that make no sense without their lists.
    short: &'static [Item],
    /// What the full page prints.
    full: &'static [Item],
}

const LAYOUTS: &[Layout] = &[
    Layout {
        part: "requests",
        short: &[Figures("requests", REQUESTS), Course("began"), List("routes", 3)],
        full: &[Figures("requests", REQUESTS), Course("began"), List("routes", 3), List("paths", 5)],
    },
    Layout {
        part: "cpu",
        short: &[Figures("cpu", CPU), Course("running")],
        full: &[
            Figures("cpu", CPU),
            Course("running"),
            List("methods", 6),
            List("user_code", 4),
            Row("waiting for", "waiting_on"),
        ],
    },
    Layout {
        part: "threadpool",
        short: &[Figures("thread pool", THREADPOOL), Course("workers")],
        full: &[Figures("thread pool", THREADPOOL), Course("workers"), Row("adjusted for", "reasons")],
    },
    Layout {
        part: "contention",
        short: &[Figures("locks", CONTENTION)],
        full: &[Figures("locks", CONTENTION), Course("wait"), List("frames", 4)],
    },
    Layout { part: "waits", short: &[], full: &[Figures("waits", WAITS), List("frames", 3)] },
    Layout {
        part: "gc",
        short: &[Figures("gc", GC), Figures("", GC_PAUSES), Course("pause")],
        full: &[
            Figures("gc", GC),
            Figures("", GC_PAUSES),
            Course("pause"),
            Figures("", GC_HEAP),
            Row("because of", "reasons"),
        ],
    },
    Layout {
        part: "allocation",
        short: &[Figures("allocation", ALLOCATION)],
        full: &[Figures("allocation", ALLOCATION), List("types", 4)],
    },
    Layout {
        part: "exceptions",
        short: &[Figures("exceptions", EXCEPTIONS)],
        full: &[Figures("exceptions", EXCEPTIONS), Course("thrown"), List("types", 3)],
    },
    Layout {
        part: "jit",
        short: &[Figures("jit", JIT)],
        full: &[Figures("jit", JIT), Course("methods"), Row("tiers", "tiers")],
    },
    Layout { part: "spans", short: &[], full: &[Figures("spans", SPANS), List("names", 4)] },
    Layout { part: "logs", short: &[], full: &[Figures("logs", LOGS), Row("levels", "levels")] },
    // Its list has one row per counter, too many for a page.
    Layout { part: "counters", short: &[], full: &[AllFigures] },
];

/// The layout of a part, if it is one of a trace.
pub(super) fn of(part: &Part) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| layout.part == part.id)
}

impl Layout {
    /// Prints what the short page has of the part.
    pub(super) fn show_short(&self, page: &mut Page, part: &Part) {
        show(page, part, self.short);
    }

    /// Prints what the full page has of the part.
    pub(super) fn show_full(&self, page: &mut Page, part: &Part) {
        show(page, part, self.full);
    }
}

fn show(page: &mut Page, part: &Part, items: &[Item]) {
    for item in items {
        match *item {
            Figures(label, words) => page.figures(label, part, words),
            AllFigures => page.all_figures(part),
            Course(name) => page.course(part, name),
            List(name, rows) => page.list(part, name, rows),
            Row(words, name) => page.row(words, part, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Trace;

    #[test]
    fn every_part_of_a_trace_has_a_layout_and_every_layout_a_part() {
        let parts: Vec<&str> = runtime::parts(&Trace::default()).iter().map(|part| part.id).collect();
        let layouts: Vec<&str> = LAYOUTS.iter().map(|layout| layout.part).collect();
        assert_eq!(layouts, parts);
    }
}
