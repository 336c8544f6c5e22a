//! The tables of the tabs, as queries, and what surrounds them.

use super::links::all_samples;
use super::own::STACKS;
use super::pages::TraceCtx;
use maud::{Markup, html};
use model::{ByFrame, FrameId, StackId, Sym};
use stacks::Metric;
use std::sync::Arc;
use views::tables::literal;
use views::{Sum, Summed, TableView, place};

/// The condition of the allocation samples that count. A recording may have two kinds of samples of the same bytes;
/// then only the finer kind counts.
const COUNTED: &str = "(source = 'sample' or not exists (select 1 from allocations where source = 'sample'))";

/// A sum that is computed from the columns, over the page's range.
fn summed(ctx: &TraceCtx<'_>, sum: Sum) -> Summed {
    Summed { trace: Arc::clone(&ctx.here().recording), sum, range: ctx.range() }
}

pub(super) fn generations(ctx: &TraceCtx<'_>) -> TableView {
    let start = ctx.during("start_ns");
    TableView::new(
        "generations",
        "Generations",
        "Collections by the oldest generation that each collected.",
        format!(
            "select generation, type, count(*) as collections, sum(pause_ns) as pauses_ns, max(pause_ns) as longest_pause_ns, \
             avg(pause_ns) as mean_pause_ns, sum(promoted_bytes) as promoted_bytes, max(heap_before_bytes) as largest_heap_bytes \
             from gc where {start} group by 1, 2 order by 1, 2"
        ),
    )
}

pub(super) fn reasons(ctx: &TraceCtx<'_>) -> TableView {
    let start = ctx.during("start_ns");
    TableView::new(
        "reasons",
        "Reasons",
        "Collections by what triggered them.",
        format!(
            "select reason, count(*) as collections, sum(pause_ns) as pauses_ns, max(pause_ns) as longest_pause_ns from gc where {start} group by 1 order by 2 desc"
        ),
    )
}

pub(super) fn collections(ctx: &TraceCtx<'_>) -> TableView {
    let start = ctx.during("start_ns");
    TableView::new(
        "collections",
        "Collections",
        "Each collection.",
        format!(
            "select start_ns, number, generation, type, reason, pause_ns, suspend_ns, dur_ns, heap_before_bytes, heap_after_bytes, promoted_bytes, \
             gen0_bytes, gen1_bytes, gen2_bytes, loh_bytes, poh_bytes, pinned_objects, stack from gc where {start}"
        ),
    )
}

pub(super) fn pauses(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "pauses",
        "Pauses",
        "Each time the program was paused; those for the sampler (cause profiler) come last.",
        format!(
            "select ts_ns, dur_ns, cause from pauses where {ts} order by cause = 'profiler', dur_ns desc"
        ),
    )
}

pub(super) fn allocated_types(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    let counted = COUNTED;
    TableView::new(
        "types",
        "Types",
        "Bytes allocated by type, estimated from samples.",
        format!(
            "select type, kind, count(*) as samples, sum(weight_bytes) as allocated_bytes, \
             sum(weight_bytes) / (select sum(weight_bytes) from allocations where {counted} and {ts}) as share \
             from allocations where {counted} and {ts} group by 1, 2 order by 4 desc"
        ),
    )
}

pub(super) fn sampled_allocations(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    let counted = COUNTED;
    TableView::new(
        "sampled",
        "Sampled allocations",
        "Each allocation sample.",
        format!(
            "select ts_ns, type, kind, bytes, weight_bytes, source, thread, stack from allocations where {counted} and {ts}"
        ),
    )
}

/// Whether only the requests in bursts were recorded. Tables of requests then say so.
fn in_bursts(ctx: &TraceCtx<'_>) -> bool {
    ctx.here().recording.requests_are_of_bursts()
}

pub(super) fn paths(ctx: &TraceCtx<'_>) -> TableView {
    let start = ctx.during("start_ns");
    TableView::new(
        "paths",
        "Paths",
        if in_bursts(ctx) {
            "Requests by route, only those recorded in bursts together with samples. Long requests are cut at the end of \
             a burst, so the percentiles are too low."
        } else {
            "Requests by route; the percentiles are of whole requests."
        },
        format!(
            "select method, ifnull(route, path) as route, count(*) as requests, percentile(dur_ns, 50) as p50_ns, percentile(dur_ns, 99) as p99_ns, \
             max(dur_ns) as longest_ns, sum(dur_ns) as together_ns from requests where {start} group by 1, 2 order by 7 desc"
        ),
    )
}

pub(super) fn requests(ctx: &TraceCtx<'_>) -> TableView {
    let start = ctx.during("start_ns");
    TableView::new(
        "requests",
        "Requests",
        if in_bursts(ctx) {
            "Each request that was recorded in a burst, together with samples."
        } else {
            "Each request."
        },
        format!(
            "select start_ns, dur_ns, method, path, status, thread_first as thread, trace_id, activity from requests where {start} order by dur_ns desc nulls last"
        ),
    )
}

pub(super) fn spans(ctx: &TraceCtx<'_>) -> TableView {
    let start = ctx.during("start_ns");
    TableView::new(
        "spans",
        "Spans",
        "Calls and other parts of requests, from their activity sources.",
        format!(
            "select source, name, kind, count(*) as spans, percentile(dur_ns, 50) as p50_ns, percentile(dur_ns, 99) as p99_ns, sum(dur_ns) as together_ns \
             from spans where {start} group by 1, 2, 3 order by 7 desc"
        ),
    )
}

pub(super) fn locks(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "locks",
        "Locks",
        "Waits by lock.",
        format!(
            "select lock, count(*) as waits, sum(dur_ns) as waited_ns, max(dur_ns) as longest_ns, count(distinct thread) as waiting_threads, \
             count(distinct owner_thread) as owners from contention where {ts} group by 1 order by 3 desc"
        ),
    )
}

pub(super) fn waits(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "waits",
        "Waits for handles",
        "Waits by source and the innermost frame (.NET 9 and later).",
        format!(
            "select source, frames.name as frame, count(*) as waits, sum(dur_ns) as waited_ns, max(dur_ns) as longest_ns from waits \
             left join stacks on stacks.id = waits.stack left join frames on frames.id = stacks.frame where {ts} group by 1, 2 order by 4 desc"
        ),
    )
}

pub(super) fn waiting(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "waiting",
        "What sampled threads wait for",
        "Samples of waiting threads by what they wait for.",
        format!(
            "select waiting_on, frames.name as frame, count(*) as samples, count(distinct samples.thread) as threads from samples \
             left join stacks on stacks.id = samples.stack left join frames on frames.id = stacks.frame \
             where state = 'waiting' and {ts} group by 1, 2 order by 3 desc"
        ),
    )
    .computed(summed(ctx, Sum::Waiting))
}

pub(super) fn contention(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "contention",
        "Each wait for a lock",
        "From Contention/Start to /Stop.",
        format!(
            "select ts_ns, dur_ns, thread, owner_thread, lock, stack from contention where {ts} order by dur_ns desc nulls last"
        ),
    )
}

pub(super) fn thrown_types(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "thrown-types",
        "Types",
        "Thrown exceptions by type, caught or not.",
        format!(
            "select type, count(*) as thrown, min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns, count(distinct thread) as threads \
                 from exceptions where {ts} group by 1 order by 2 desc"
        ),
    )
}

pub(super) fn thrown(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "thrown",
        "Exceptions",
        "Each exception, with its message.",
        format!("select ts_ns, type, message, thread, stack from exceptions where {ts}"),
    )
}

pub(super) fn tiers(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "tiers",
        "Tiers",
        "Loads of compiled code by how it was compiled.",
        format!(
            "select tier, count(*) as methods, sum(dur_ns) as compiling_ns, sum(native_bytes) as native_bytes from jit where {ts} group by 1 order by 2 desc"
        ),
    )
}

pub(super) fn compiled_methods(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "methods",
        "Methods",
        "Compiled methods, the slowest to compile first.",
        format!(
            "select ts_ns, method, tier, dur_ns, il_bytes, native_bytes, thread, stack from jit where {ts} order by dur_ns desc nulls last"
        ),
    )
}

pub(super) fn threads(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "threads",
        "Threads",
        "What each thread is for and how it was sampled.",
        format!(
            "select threads.thread, name, kind, first_ts_ns, last_ts_ns, iif(known, ifnull(seen.samples, 0), null) as samples, \
             iif(known, ifnull(running, 0), null) as running, iif(known, ifnull(waiting, 0), null) as waiting from threads left join (select thread, count(*) as samples, sum(state = 'running') as running, \
             sum(state = 'waiting') as waiting from samples where {ts} group by 1) as seen on seen.thread = threads.thread, \
             (select exists (select 1 from samples) as known) order by 6 desc"
        ),
    )
    .computed(summed(ctx, Sum::Threads))
}

pub(super) fn pool(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "pool",
        "Thread pool",
        "What the thread pool decided, and why.",
        format!("select ts_ns, event, reason, workers, throughput from threadpool where {ts}"),
    )
}

pub(super) fn loggers(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "levels",
        "Loggers",
        "Lines by logger and level.",
        format!(
            "select logger, level, count(*) as lines, min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns from logs where {ts} group by 1, 2 order by 3 desc"
        ),
    )
}

pub(super) fn log_lines(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "lines",
        "Lines",
        "Each line.",
        format!("select ts_ns, level, logger, message, trace_id from logs where {ts}"),
    )
}

pub(super) fn meters(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "meters",
        "Counters and meters",
        "Values by counter or meter.",
        format!(
            "select provider, name, kind, unit, count(*) as readings, min(value) as lowest, avg(value) as mean, max(value) as highest, tags \
                 from counters where {ts} group by provider, name, kind, unit, tags order by 1, 2, 9, 3"
        ),
    )
}

pub(super) fn readings(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "readings",
        "Readings",
        "Each value.",
        format!("select ts_ns, provider, name, kind, value, unit, tags from counters where {ts}"),
    )
}

pub(super) fn host(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "host",
        "Host",
        "Readings of the machine during the recording.",
        format!(
            "select name, unit, count(*) as readings, min(value) as lowest, avg(value) as mean, max(value) as highest from host where {ts} group by 1, 2 order by 1"
        ),
    )
}

pub(super) fn kinds(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    TableView::new(
        "kinds",
        "Kinds",
        "Events in this range of time, by provider and name. The choice above applies to the list below.",
        format!(
            "select provider, name, count(*) as events, count(stack) as with_stack, count(distinct thread) as threads, min(ts_ns) as first_ts_ns, \
             max(ts_ns) as last_ts_ns from events where {ts} group by 1, 2 order by 3 desc"
        ),
    )
    .computed(summed(ctx, Sum::Kinds))
}

pub(super) fn events(ctx: &TraceCtx<'_>) -> TableView {
    let ts = ctx.during("ts_ns");
    let is = |column: &str| ctx.params.get(column).map(|text| format!(" and {column} = {}", literal(text)));
    let narrowed: String = ["provider", "name"].iter().filter_map(|column| is(column)).collect();
    let thread = ctx.params.get("thread").and_then(|thread| thread.parse::<i64>().ok());
    let thread = thread.map_or_else(String::new, |thread| format!(" and thread = {thread}"));
    TableView::new(
        "events",
        "Events",
        "Each event with its fields. A filter over all columns reads every field: narrow it by kind first.",
        format!(
            "select ts_ns, provider, name, thread, fields, activity, stack from events where {ts}{narrowed}{thread}"
        ),
    )
}

/// Links to the flame graphs of the tab's rows; none in a file.
pub(super) fn stacks_links(ctx: &TraceCtx<'_>) -> Markup {
    let metrics: Vec<&Metric> = ctx.metrics().collect();
    html! {
        @if !metrics.is_empty() && !ctx.file {
            p.links { "As a flame graph: "
                @for metric in metrics { a.button href=(ctx.params.kept().with("metric", &metric.name()).href(STACKS)) { (metric.title()) } " " }
            }
        }
    }
}

/// The most providers, and the most names of events, in the form.
const MAX_OFFERED: usize = 2_000;

/// The form that chooses a kind of event and a thread; none in a file.
pub(super) fn kind_form(ctx: &TraceCtx<'_>) -> Markup {
    if ctx.file {
        return html! {};
    }
    let recording = &ctx.here().recording;
    let events = &recording.events;
    let mut kinds: Vec<(&str, &str)> = events
        .kind_provider
        .iter()
        .zip(&events.kind_name)
        .map(|(provider, name)| (recording.strings.text(*provider), recording.strings.text(*name)))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut providers: Vec<&str> = kinds.iter().map(|(provider, _)| *provider).collect();
    providers.dedup();
    let chosen = |name: &str| ctx.params.get(name).unwrap_or_default();
    let names: Vec<_> = kinds
        .iter()
        .filter(|(provider, _)| chosen("provider").is_empty() || *provider == chosen("provider"))
        .collect();
    let (more_providers, more_names) =
        (providers.len().saturating_sub(MAX_OFFERED), names.len().saturating_sub(MAX_OFFERED));
    html! {
        form.toolbar method="get" action=(place(ctx.path)) {
            @for (name, value) in ctx.params.without(&["provider", "name", "thread", "events.page"]).pairs() { input type="hidden" name=(name) value=(value); }
            label { "Provider " select name="provider" { option value="" { "all" } @for provider in providers.into_iter().take(MAX_OFFERED) { option value=(provider) selected[provider == chosen("provider")] { (provider) } } } }
            label { "Event " select name="name" { option value="" { "all" } @for (_, name) in names.iter().take(MAX_OFFERED) { option value=(name) selected[*name == chosen("name")] { (name) } } } }
            label { "Thread " input name="thread" inputmode="numeric" size="8" value=(chosen("thread")); }
            button type="submit" { "Show" }
        }
        @if more_providers + more_names > 0 {
            p.hint { (more_providers) " more providers and " (more_names) " more events are not listed: use SQL to find them." }
        }
        @if !chosen("thread").is_empty() && chosen("thread").parse::<i64>().is_err() {
            p.error role="alert" { "A thread is chosen by its number here: all threads are shown." }
        }
    }
}

/// One stack, frame by frame.
pub(super) fn one_stack(ctx: &TraceCtx<'_>) -> Markup {
    /// The most frames that are shown.
    const MOST: usize = 2_000;
    let recording = &ctx.here().recording;
    let id = ctx.params.get("id").and_then(|id| StackId::new(id.parse().ok()?));
    let Some(id) = id.filter(|id| recording.stacks.frame.get(*id).is_some()) else {
        return html! { p.error role="alert" { "There is no stack with this number." } };
    };
    let frames: Vec<FrameId> = recording.stacks.frames(id).collect();
    let text = |list: &ByFrame<Sym>, frame: FrameId| {
        list.get(frame).map_or("", |sym| recording.strings.text(*sym)).to_owned()
    };
    let count = frames.len();
    let all = all_samples(ctx);
    html! {
        h2 { "Stack " (id.number()) }
        p.hint { (count) " frames, the innermost first" @if count > MOST { "; the first " (MOST) " are shown" } "." }
        ol.frames {
            @for frame in frames.iter().copied().take(MOST) {
                @let name = text(&recording.frames.name, frame);
                li { a.name href=(ctx.params.kept().with("show", "callers").with("method", &name).with("metric", all).href(STACKS)) { (name) }
                    " " span.hint { (text(&recording.frames.tier, frame)) } }
            }
        }
    }
}
