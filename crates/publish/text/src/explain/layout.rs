//! The layout of the parts of a trace, as data: which figures in which words, which values over time, which lists.
//!
//! Parts of other kinds of evidence need no layout: all their figures are printed, then their lists.

use super::detail::Detail;
use crate::page::Page;
use report::Part;

/// Figures of a part with their words, in order. In the words, `{}` is the value and `{name}` the value of another
/// figure; if that one has no value, the words are not printed. They are only printed if the figure of a `{!name}` has no
/// value, and that of a `{+name}` is above 0.
type Words = &'static [(&'static str, &'static str)];

const REQUESTS: Words = &[
    ("count", "{} requests"),
    ("rate", "{}"),
    ("p50", "p50 {}"),
    ("p50.low", "p50 somewhere from {} to {p50.high}"),
    ("p90", "p90 {}"),
    ("p99", "p99 {}"),
    ("p99.low", "p99 somewhere from {} to {p99.high}"),
    ("max", "max {}"),
    ("p99.highest", "worst p99 of any route in any second {}"),
    ("queue.wait", "before these times begin, a wait of about {} for a pool thread, on average"),
    ("failed", "{} failed ({failed.share})"),
    ("in_flight.first", "{} in flight at the start"),
    ("in_flight.last", "{} at the end"),
    ("unfinished", "{} without an end event"),
];
const CPU: Words = &[
    ("cpu.share", "CPU use {} of its limit of {allowed.quota}"),
    ("cpu.share", "CPU use {} of the {allowed.set} that it may run on"),
    ("cpu.share", "CPU use {} of the machine's {allowed.machine}"),
    ("throttled.share", "throttled in {} of the periods"),
    ("cores", "{} CPU cores in use"),
];
const SAMPLES: Words = &[
    ("samples", "{} samples of threads"),
    ("running", "{} running"),
    ("waiting", "{} waiting"),
    ("external", "{} in native code, running or waiting"),
];
const THREADPOOL: Words = &[
    ("workers.first", "{} threads at the start"),
    ("workers.last", "{} at the end"),
    ("workers.max", "max {}"),
    ("adjustments", "{} adjustments"),
    ("throughput.mean", "{} items completed"),
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
    ("gen0", "{+count}gen0 {}"),
    ("gen1", "{+count}gen1 {}"),
    ("gen2", "{+count}gen2 {}"),
    ("background", "{+background}{} of these in the background"),
    ("induced", "{+induced}{} induced"),
];
const GC_PAUSES: Words = &[
    ("pause.total", "{+count}pauses {}"),
    ("pause.share", "{+count}{} of the time"),
    ("pause.max", "longest {}"),
];
const GC_HEAP: Words = &[
    ("heap.after", "heap after the last collection {}"),
    ("heap.max", "max {}"),
    ("gen2.bytes", "gen2 {}"),
    ("loh.bytes", "large objects {}"),
    ("promoted", "promoted {}"),
];
const ALLOCATION: Words =
    &[("rate", "about {} on average"), ("bytes", "{} in total"), ("samples", "estimated from {} samples")];
const EXCEPTIONS: Words =
    &[("count", "{} thrown"), ("within", "all within {}"), ("rate", "{!within}{} on average")];
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
    /// The first rows of a list, by its name. The full page has all its rows.
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
        short: &[Figures("cpu", CPU), Figures("samples", SAMPLES), Course("running")],
        full: &[
            Figures("cpu", CPU),
            Figures("samples", SAMPLES),
            Course("running"),
            List("methods", 6),
            List("user_code", 4),
            Row("waiting samples by what they wait for:", "waiting_on"),
        ],
    },
    Layout {
        part: "threadpool",
        short: &[Figures("thread pool", THREADPOOL), Course("workers")],
        full: &[
            Figures("thread pool", THREADPOOL),
            Course("workers"),
            Row("adjustments by reason:", "reasons"),
        ],
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
            Row("collections by reason:", "reasons"),
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
    Layout { part: "counters", short: &[], full: &[AllFigures] },
];

/// The layout of a part, if it is one of a trace.
pub(super) fn of(part: &Part) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| layout.part == part.id)
}

impl Layout {
    /// Prints what the short page has of the part.
    pub(super) fn show_short(&self, page: &mut Page, part: &Part) {
        show(page, part, self.short, Detail::Short);
    }

    /// Prints what the full page has of the part: that of the layout, then all other lists.
    pub(super) fn show_full(&self, page: &mut Page, part: &Part) {
        show(page, part, self.full, Detail::Full);
        let is_shown =
            |name: &str| self.full.iter().any(|item| matches!(item, List(of, _) | Row(_, of) if *of == name));
        for list in part.lists.iter().filter(|list| !is_shown(list.name)) {
            page.list(part, list.name, usize::MAX);
        }
    }
}

fn show(page: &mut Page, part: &Part, items: &[Item], detail: Detail) {
    for item in items {
        match *item {
            Figures(label, words) => page.figures(label, part, words),
            AllFigures => page.all_figures(part),
            Course(name) => page.course(part, name),
            List(name, rows) => page.list(part, name, if detail == Detail::Full { usize::MAX } else { rows }),
            Row(words, name) => page.row(words, part, name, said),
        }
    }
}

/// A name of a row in words: what threads wait for is a code in the table `samples`.
fn said(name: &str) -> &str {
    match name {
        "queue" => "queue (no work)",
        "event" => "event (handle)",
        "monitor" => "monitor (signal)",
        "lock" => "lock (taken)",
        "start" => "start (of a thread)",
        "join" => "join (end of a thread)",
        _ => name,
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
