//! What a tab's rows weigh by the service's own code: where its threads wait, what allocates, what throws.
//!
//! Each row of a table has a stack whose innermost frame is the runtime's (`Monitor.Enter_Slowpath`), which says nothing. Here
//! it counts for the innermost frame of the service.

use super::own::STACKS;
use super::pages::TraceCtx;
use maud::{Markup, html};
use model::Sym;
use report::unit::duration;
use rustc_hash::FxHashMap;
use stacks::{Filter, Metric, distinct, short_name, weigh, written_weight};
use views::words::{counted, counted_len, percent};

/// The most methods of a list.
const ROWS: usize = 10;

/// What is summed up by the service's code: the metric, the count of the same rows, and the heading.
const SUMS: [(Metric, Option<Metric>, &str); 5] = [
    (Metric::ContentionTime, Some(Metric::Contentions), "Where threads wait for locks, by your code"),
    (Metric::Waiting, None, "Where sampled threads wait, by your code"),
    (Metric::WaitTime, None, "Where threads wait for handles, by your code"),
    (Metric::AllocatedBytes, Some(Metric::Allocations), "What allocates, by your code"),
    (Metric::Exceptions, None, "What throws, by your code"),
];

/// A list for each metric of the tab that has rows in the requested range.
pub(super) fn by_own_code(ctx: &TraceCtx<'_>) -> Markup {
    let metrics = ctx.tab.map_or(&[][..], |tab| tab.own.metrics);
    let sums = SUMS.iter().filter(|(metric, ..)| metrics.contains(metric) && ctx.here().sums_up_by(metric));
    html! { @for (metric, counts, title) in sums { (list(ctx, metric, counts.as_ref(), title)) } }
}

/// What one method weighs.
#[derive(Debug, Default, Clone, Copy)]
struct Weight {
    weight: f64,
    rows: f64,
}

fn list(ctx: &TraceCtx<'_>, metric: &Metric, counts: Option<&Metric>, title: &str) -> Markup {
    let here = ctx.here();
    let (from_ns, to_ns) = ctx.range();
    let idle = (*metric == Metric::Waiting).then(|| here.idle().clone());
    let left_out = idle.is_some();
    let filter = Filter { from_ns, to_ns, idle, ..Filter::default() };
    let weighed = weigh(&here.recording, metric, &filter);
    let times = counts.map(|counts| weigh(&here.recording, counts, &filter));
    let mut sums: FxHashMap<Sym, Weight> = FxHashMap::default();
    for (stack, weight) in weighed.own.iter_with_ids() {
        let rows = times.as_ref().and_then(|of| of.own.get(stack)).copied().unwrap_or(0.0);
        if *weight > 0.0 || rows > 0.0 {
            let sum = sums.entry(here.index.named_frame(&here.recording, Some(stack))).or_default();
            sum.weight += weight;
            sum.rows += rows;
        }
    }
    let mut sums = by_handler(ctx, sums);
    sums.sort_by(|a, b| b.1.weight.total_cmp(&a.1.weight).then(a.0.cmp(&b.0)));
    let more = sums.len().saturating_sub(ROWS);
    sums.truncate(ROWS);
    let names: Vec<&str> = sums.iter().map(|(name, _)| here.recording.strings.text(*name)).collect();
    let shorts: Vec<String> = names.iter().map(|name| short(ctx, name)).collect();
    let labels = distinct(&shorts.iter().map(String::as_str).zip(names.iter().copied()).collect::<Vec<_>>());
    let (unit, each) = (metric.unit(), here.sample_ns.filter(|_| metric.is_of_samples()));
    let id = format!("own-{}", metric.name());
    html! {
        @if !sums.is_empty() { section.block {
            div.toolbar { h2 { (title) } button.copy type="button" data-copy=(id) hidden { "Copy as CSV" } }
            p.hint {
                "Each stack counts for its innermost method of yours; without one, for what the framework does there."
                @if left_out && weighed.idle > 0 { " Idle threads are left out (" (report::unit::short(base::number::real_u64(weighed.idle))) " samples)." }
                @if weighed.unweighed > 0 { " " (counted(weighed.unweighed, "row")) " of unknown weight are left out." }
                @if weighed.stackless > 0.0 { " " (written_weight(weighed.stackless, unit)) " have no stack." }
            }
            div.scroll tabindex="0" role="region" aria-label=(title) {
                table data-table=(id) data-complete[more == 0] {
                    thead { tr {
                        th.num scope="col" data-column="share" { "share" }
                        th.num scope="col" data-column=(unit) { (heading(metric)) }
                        @if each.is_some() { th.num scope="col" data-column="time_ns" { "time" } }
                        @if counts.is_some() { th.num scope="col" data-column="rows" { "times" } }
                        th scope="col" data-column="method" { "method" }
                    } }
                    tbody { @for (((_, of), name), label) in sums.iter().zip(&names).zip(&labels) { tr {
                        td.num data-v=(of.weight) { (percent(of.weight, weighed.total)) }
                        td.num data-v=(of.weight) { (written_weight(of.weight, unit)) }
                        @if let Some(each) = each { td.num data-v=(each * of.weight) { "≈ " (duration(each * of.weight / 1e6)) } }
                        @if counts.is_some() { td.num data-v=(of.rows) { (written_weight(of.rows, "events")) } }
                        td.name { @if ctx.file { span title=(name) { (label) } } @else { a href=(callers(ctx, metric, name)) title=(name) { (label) } } }
                    } } }
                }
            }
            @if more > 0 { p.hint { (counted_len(more, "more method")) ": see the call tree." } }
        } }
    }
}

/// The sums with the methods of each handler as one.
fn by_handler(ctx: &TraceCtx<'_>, sums: FxHashMap<Sym, Weight>) -> Vec<(Sym, Weight)> {
    let mut sums: Vec<(Sym, Weight)> = sums.into_iter().collect();
    sums.sort_by_key(|(name, _)| *name);
    let mut of_handler: FxHashMap<&str, usize> = FxHashMap::default();
    let mut out: Vec<(Sym, Weight)> = Vec::new();
    for (name, of) in sums {
        let handler = ctx.here().handler(ctx.here().recording.strings.text(name));
        let next = out.len();
        let at = handler.map_or(next, |handler| *of_handler.entry(handler).or_insert(next));
        match out.get_mut(at) {
            Some((_, sum)) => {
                sum.weight += of.weight;
                sum.rows += of.rows;
            }
            None => out.push((name, of)),
        }
    }
    out
}

/// The name of a method as pictures show it.
fn short(ctx: &TraceCtx<'_>, method: &str) -> String {
    ctx.here().handler(method).map_or_else(|| short_name(method), str::to_owned)
}

/// The name of the column of weights.
fn heading(metric: &Metric) -> &'static str {
    match metric.unit() {
        "ns" => "waited",
        "bytes" => "allocated",
        "samples" => "samples",
        _ => "times",
    }
}

/// The callers and callees of a method, by the same metric.
fn callers(ctx: &TraceCtx<'_>, metric: &Metric, method: &str) -> String {
    ctx.params
        .kept()
        .with("metric", &metric.name())
        .with("show", "callers")
        .with("method", method)
        .href(STACKS)
}
