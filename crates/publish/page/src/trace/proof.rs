//! What proves a finding: the lane that decides, a small flame graph of what it counts, and its rows.

use super::explained::{Explained, GLIMPSE_PATIENCE};
use super::links::{counted, metric_of};
use super::own::STACKS;
use super::pages::TraceCtx;
use super::selection::{Selection, my_stacks_of, rests_on};
use crate::frame;
use crate::reply::Reply;
use base::number::real;
use maud::{Markup, html};
use report::Finding;
use stacks::{Direction, ViewOptions};
use timeline::Span;
use views::flame::{Stacked, small_flame};
use views::words::counted as count_of;
use views::{TableView, cards, lanes};

/// The tables of one finding that a page shows.
const MAX_TABLES: usize = 5;
/// The smallest part of a card's flame graph, of 1.
const LEAST_SHARE: f64 = 0.01;
/// The most nodes of a card's flame graph.
const MOST_NODES: usize = 60;
/// The largest share of the recording that is marked in a lane.
const MAX_MARKED: f64 = 0.95;

/// The pictures of a finding's card. In a page of one file, the rows of a finding that is not proved by stacks, too.
pub(super) fn proof(ctx: &TraceCtx<'_>, finding: &Finding) -> Markup {
    let has_rows = counted(ctx, finding).is_none();
    html! {
        (lane(ctx.here(), finding))
        (flame(ctx, finding))
        @if has_rows { (glimpse(ctx, finding)) }
        @if has_rows && ctx.file {
            details.rows { summary { "See " (finding.view.shows) } @for table in rows(ctx, finding, finding.id) { (table) } }
        }
    }
}

/// The first rows of a finding that is not proved by stacks.
fn glimpse(ctx: &TraceCtx<'_>, finding: &Finding) -> Markup {
    let Some(first) = finding.evidence.first() else { return html! {} };
    // A file is the same on every machine, however slow.
    let patience = if ctx.file { views::tables::PATIENCE } else { GLIMPSE_PATIENCE };
    let id = format!("first-{}", finding.id);
    html! {
        @match ctx.here().glimpse(&first.sql, patience) {
            Some(answer) => (views::tables::glimpse(ctx, id, finding.view.shows, &answer)),
            None => p.hint { "Its first rows take long to find, so they are not here." },
        }
    }
}

/// The same of a finding of another recording: its lane and its stacks, without links into views of this recording.
pub(super) fn proof_elsewhere(of: &Explained, finding: &Finding) -> Markup {
    let metric = metric_of(finding).filter(|metric| of.sums_up_by(metric) && rests_on(finding, metric));
    let flame = metric.map(|metric| {
        let profile = my_stacks_of(of, finding, &metric);
        let options = ViewOptions {
            direction: Direction::Down,
            method: None,
            zoom: None,
            least_share: LEAST_SHARE,
            most_nodes: MOST_NODES,
        };
        let stacked =
            Stacked { profile: &profile, metric: &metric, options: &options, sample_ns: of.sample_ns };
        small_flame(stacked, &|_| String::new())
    });
    html! { (lane(of, finding)) @if let Some(flame) = flame { (flame) } }
}

/// The lane that decides, with the time of the finding's rows marked.
fn lane(of: &Explained, finding: &Finding) -> Markup {
    let whole = Span::whole(&of.recording);
    let all = of.lanes(whole);
    let Some(lane) = all.iter().find(|lane| lane.id == finding.view.lane) else { return html! {} };
    let first = finding.evidence.iter().filter_map(|of| of.first_ts_ns).min();
    let last = finding.evidence.iter().filter_map(|of| of.last_ts_ns).max();
    let marked = first.zip(last).map(|(from_ns, to_ns)| Span { from_ns, to_ns });
    // A mark over nearly all of it says nothing.
    let marked = marked.filter(|marked| real(marked.len_ns()) < MAX_MARKED * real(whole.len_ns()));
    html! { div.deciding { (lanes::marked(lane, whole, marked)) } }
}

/// The stacks that the finding counts, of the service's own code.
fn flame(ctx: &TraceCtx<'_>, finding: &Finding) -> Markup {
    let Some(params) = counted(ctx, finding) else { return html! {} };
    let Some(selection) = Selection::of(ctx.kind(), &params.with("my", "1").with("alone", "1")) else {
        return html! {};
    };
    let selected = selection.selected(ctx.kind());
    let options = ViewOptions { least_share: LEAST_SHARE, most_nodes: MOST_NODES, ..selection.view.clone() };
    let link = |node: &str| {
        if ctx.file { String::new() } else { params.with("my", "1").with("root", node).href(STACKS) }
    };
    let sample_ns = ctx.here().sample_ns;
    let of = Stacked { profile: &selected.profile, metric: &selection.metric, options: &options, sample_ns };
    small_flame(of, &link)
}

/// The page of a finding: its card, and the rows that it rests on.
pub(super) fn page(ctx: &TraceCtx<'_>) -> Reply {
    let explanation = &ctx.here().explanation;
    let id = ctx.params.get("id").unwrap_or_default();
    let Some(finding) = explanation.report.findings.iter().find(|finding| finding.id == id) else {
        let what = if id.is_empty() {
            "The address does not say which finding.".to_owned()
        } else {
            format!("The recording has no finding {id}.")
        };
        return Reply::of(404, "text/html; charset=utf-8", frame::not_found(ctx, Some(&what)));
    };
    let body = html! {
        @if ctx.params.range() != (None, None) { p.said { "The finding and its rows are of the whole recording; the views that it leads to show the selected range." } }
        (cards::exhibit(ctx, explanation, finding, None, &|finding| lane(ctx.here(), finding)))
        @for table in rows(ctx, finding, "rows") { (table) }
    };
    frame::reply(ctx, finding.id, &body)
}

/// The rows that a finding rests on, as tables whose names in the address begin with `name`.
fn rows(ctx: &TraceCtx<'_>, finding: &Finding, name: &str) -> Vec<Markup> {
    let tables = &ctx.here().tables;
    let shown = finding.evidence.iter().take(MAX_TABLES).enumerate().filter_map(|(at, rows)| {
        let spec = tables.table(rows.table)?.spec;
        let name = if at == 0 { name.to_owned() } else { format!("{name}-{}", at + 1) };
        let view = TableView::new(name, spec.name, spec.about, rows.sql.clone());
        Some(html! {
            @if rows.rows > 0 { p.said { "It rests on " b { (count_of(rows.rows, "row")) } " of the table " code { (rows.table) } ", here summed up or the first of them." } }
            (views::tables::table(ctx, tables, &view))
        })
    });
    shown.collect()
}
