//! The tabs of a trace, as data: the one place where each is described.

use super::TracePages;
use super::stackview::{self, stack_view};
use super::tables::{self, kind_form};
use super::works::Works;
use super::{TraceCtx, changes, summary};
use crate::kind::{Body, InFile, PartPlace, Shown, Tab};
use crate::sqlpage;
use maud::Markup;
use stacks::Metric;
use topics::Id;

/// The path of the tab of changes.
pub(super) const CHANGES: &str = "/diff";
/// The path of the tab of stacks.
pub(super) const STACKS: &str = "/stacks";
/// The path of the page of one stack, which is not a tab.
pub(super) const STACK: &str = "/stack";

/// What a tab of a trace says beside what every tab says.
#[derive(Debug)]
pub(crate) struct Own {
    /// What it explains at its foot.
    pub(super) works: Option<Works>,
    /// What the stacks of its rows can be summed up by, the most telling first.
    pub(super) metrics: &'static [Metric],
    /// A form above its tables.
    pub(super) form: Option<fn(&TraceCtx<'_>) -> Markup>,
    /// What the card of a finding that leads here adds to the address.
    pub(super) takes: Takes,
}

/// What the card of a finding adds to the address of the tab that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// The range of time of its rows.
    Range,
    /// The range, and the frame of its first place: only stacks with it are shown.
    Frame,
    /// The query of its rows, and nothing else.
    Query,
}

/// Lanes shown first if none are closer to a page's subject.
pub(super) const USUAL_LANES: &[&str] = &["cores", "running"];

const NOTHING: Own = Own { works: None, metrics: &[], form: None, takes: Takes::Range };

/// What holds for a tab unless it says otherwise.
const TAB: Tab<TracePages> = Tab {
    path: "",
    title: "",
    shown: Shown::Always,
    lanes: USUAL_LANES,
    parts: &[],
    above: None,
    body: Body::Tables(&[]),
    in_file: InFile::Same,
    preload: None,
    own: NOTHING,
};

/// All tabs, in their order.
pub(super) const TABS: &[Tab<TracePages>] = &[
    Tab {
        path: "/",
        title: "Summary",
        lanes: &["requests", "latency", "cores", "waiting", "gc", "heap", "resident", "exceptions"],
        above: Some(crate::summary::headline),
        body: Body::Drawn(summary),
        ..TAB
    },
    Tab {
        path: CHANGES,
        title: "Changes",
        shown: Shown::If(|pages| pages.diff.is_some()),
        body: Body::Drawn(changes::changes),
        ..TAB
    },
    Tab {
        path: STACKS,
        title: "Stacks",
        shown: Shown::If(|pages| !pages.here.offers.is_empty()),
        lanes: &["cores", "running", "waiting", "gc"],
        body: Body::Drawn(stack_view),
        in_file: InFile::Pictures(stackview::in_file),
        preload: Some(stackview::preload),
        own: Own {
            works: Some(Works { title: "processors and the sampler", topics: &[Id::Cpu] }),
            takes: Takes::Frame,
            ..NOTHING
        },
        ..TAB
    },
    Tab {
        path: "/gc",
        title: "GC",
        shown: Shown::Rows(&["gc", "pauses"]),
        lanes: &["gc", "heap", "resident", "allocation"],
        parts: &["gc"],
        body: Body::Tables(&[tables::generations, tables::reasons, tables::collections, tables::pauses]),
        own: Own {
            works: Some(Works { title: "the garbage collector", topics: &[Id::Gc] }),
            metrics: &[Metric::Collections, Metric::GcPause],
            ..NOTHING
        },
        ..TAB
    },
    Tab {
        path: "/allocations",
        title: "Allocations",
        shown: Shown::Rows(&["allocations"]),
        lanes: &["allocation", "gc"],
        parts: &["allocation"],
        body: Body::Tables(&[
            tables::allocated_types,
            tables::allocating_callers,
            tables::sampled_allocations,
        ]),
        own: Own {
            works: Some(Works { title: "memory", topics: &[Id::Memory] }),
            metrics: &[Metric::AllocatedBytes, Metric::Allocations],
            ..NOTHING
        },
        ..TAB
    },
    Tab {
        path: "/requests",
        title: "Requests",
        shown: Shown::Rows(&["requests", "spans"]),
        lanes: &["requests", "latency", "in-flight"],
        parts: &["requests", "spans"],
        body: Body::Tables(&[tables::paths, tables::requests, tables::spans]),
        own: Own {
            works: Some(Works { title: "requests and their latency", topics: &[Id::Requests] }),
            ..NOTHING
        },
        ..TAB
    },
    Tab {
        path: "/locks",
        title: "Locks and waits",
        // Samples of CPUs meet no thread that waits.
        shown: Shown::If(|pages| {
            let of = &pages.here;
            !of.recording.contention.ts_ns.is_empty()
                || !of.recording.waits.ts_ns.is_empty()
                || of.sums_up_by(&Metric::Waiting)
        }),
        lanes: &["locks", "lock-waits", "waiting"],
        parts: &["contention", "waits"],
        body: Body::Tables(&[
            tables::lock_sites,
            tables::locks,
            tables::waits,
            tables::waiting,
            tables::contention,
        ]),
        own: Own {
            metrics: &[Metric::ContentionTime, Metric::Contentions, Metric::WaitTime, Metric::Waiting],
            ..NOTHING
        },
        ..TAB
    },
    Tab {
        path: "/exceptions",
        title: "Exceptions",
        shown: Shown::Rows(&["exceptions"]),
        lanes: &["exceptions", "requests"],
        parts: &["exceptions"],
        body: Body::Tables(&[tables::thrown_types, tables::thrown]),
        own: Own { metrics: &[Metric::Exceptions], ..NOTHING },
        ..TAB
    },
    Tab {
        path: "/jit",
        title: "JIT",
        shown: Shown::Rows(&["jit"]),
        lanes: &["jit", "cores"],
        parts: &["jit"],
        body: Body::Tables(&[tables::tiers, tables::compiled_methods]),
        own: Own {
            works: Some(Works { title: "the JIT compiler", topics: &[Id::Jit] }),
            metrics: &[Metric::JitTime],
            ..NOTHING
        },
        ..TAB
    },
    Tab {
        path: "/threads",
        title: "Threads",
        shown: Shown::Rows(&["threads", "threadpool"]),
        lanes: &["workers", "queue", "running", "waiting"],
        parts: &["threadpool", "cpu"],
        body: Body::Tables(&[tables::threads, tables::pool]),
        own: Own {
            works: Some(Works {
                title: "the thread pool, and asynchronous methods",
                topics: &[Id::ThreadPool, Id::Async],
            }),
            metrics: &[Metric::Wall, Metric::Running],
            ..NOTHING
        },
        ..TAB
    },
    Tab {
        path: "/logs",
        title: "Logs",
        shown: Shown::Rows(&["logs"]),
        lanes: &["logs", "exceptions"],
        parts: &["logs"],
        body: Body::Tables(&[tables::loggers, tables::log_lines]),
        ..TAB
    },
    Tab {
        path: "/counters",
        title: "Counters",
        shown: Shown::Rows(&["counters", "host"]),
        body: Body::Tables(&[tables::meters, tables::readings, tables::host]),
        ..TAB
    },
    Tab {
        path: "/events",
        title: "Events",
        body: Body::Tables(&[tables::kinds, tables::events]),
        own: Own { form: Some(kind_form), ..NOTHING },
        ..TAB
    },
    Tab {
        path: sqlpage::PATH,
        title: "SQL",
        body: Body::Drawn(sqlpage::sql_page),
        in_file: InFile::Nothing,
        own: Own { takes: Takes::Query, ..NOTHING },
        ..TAB
    },
];

const fn part(id: &'static str, title: &'static str, tab: &'static str) -> PartPlace {
    PartPlace { id, title, tab, first: None }
}

/// What people call each part, and the tab that shows more of it.
pub(super) const PARTS: &[PartPlace] = &[
    PartPlace { first: Some("routes"), ..part("requests", "Requests", "/requests") },
    part("cpu", "CPU and samples", STACKS),
    part("threadpool", "Thread pool", "/threads"),
    part("contention", "Locks", "/locks"),
    part("waits", "Waits", "/locks"),
    part("gc", "GC", "/gc"),
    part("allocation", "Allocation", "/allocations"),
    part("exceptions", "Exceptions", "/exceptions"),
    part("jit", "JIT", "/jit"),
    part("spans", "Calls and other spans", "/requests"),
    part("logs", "Logs", "/logs"),
    part("counters", "Counters", "/counters"),
];
