//! The tabs of a trace, as data.

use super::own::{CHANGES, Own, STACKS, Works};
use super::pages::{TraceCtx, TracePages};
use super::stackview::{self, stack_view};
use super::tables::{self, kind_form};
use super::{changes, compared};
use crate::kind::{Body, InFile, PartPlace, Shown, Tab};
use crate::{paths, sqlpage};
use maud::{Markup, html};
use stacks::Metric;
use topics::Id;

/// The summary. In a comparison, what changed comes before the figures of this recording.
fn summary(ctx: &TraceCtx<'_>) -> Markup {
    match compared::body(ctx) {
        Some(body) => crate::summary::summary_with(ctx, &body),
        None => crate::summary::summary(ctx, &without_samples(ctx)),
    }
}

/// Says that a recording has no samples, and what it has instead.
fn without_samples(ctx: &TraceCtx<'_>) -> Markup {
    if ctx.here().sums_up_by(&Metric::Wall) {
        return html! {};
    }
    let others = ctx.site.shown_tabs().filter(|tab| !matches!(tab.path, "/" | CHANGES | paths::SQL));
    html! {
        p.said {
            "This recording has no samples of threads, so there are no flame graphs of what ran and what waited"
            " (record with the profile default, light or cpu for them). It has:"
            @for (at, tab) in others.enumerate() { (if at > 0 { ", " } else { " " }) a href=(ctx.address(tab.path, &ctx.params.kept())) { (tab.title) } }
            "."
        }
    }
}

/// The lanes of tabs that have no better ones.
pub(super) const USUAL_LANES: &[&str] = &["cores", "running"];

const NOTHING: Own = Own { works: None, metrics: &[], form: None };

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
        above: Some(compared::above),
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
        own: Own { works: Some(Works { title: "CPU cores and the sampler", topics: &[Id::Cpu] }), ..NOTHING },
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
            works: Some(Works { title: "the GC", topics: &[Id::Gc] }),
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
        body: Body::Tables(&[tables::allocated_types, tables::sampled_allocations]),
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
        // A sampler of CPUs never sees a waiting thread, so there may be samples and no waits.
        shown: Shown::If(|pages| {
            let of = &pages.here;
            !of.recording.contention.ts_ns.is_empty()
                || !of.recording.waits.ts_ns.is_empty()
                || of.sums_up_by(&Metric::Waiting)
        }),
        lanes: &["locks", "lock-waits", "waiting"],
        parts: &["contention", "waits"],
        body: Body::Tables(&[tables::locks, tables::waits, tables::waiting, tables::contention]),
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
        path: paths::SQL,
        title: "SQL",
        body: Body::Drawn(sqlpage::sql_page),
        in_file: InFile::Nothing,
        ..TAB
    },
];

const fn part(id: &'static str, title: &'static str, tab: &'static str) -> PartPlace {
    PartPlace { id, title, tab, first: None }
}

/// Title and tab of each part of the explanation.
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
