//! The tab of stacks: the requested stacks in the chosen view.
//!
//! Each view is a page of its own that works without script: the flame graph is an SVG whose frames are links. Script
//! redraws it on a canvas, from [`FLAME_DATA`] with the same parameters.

use super::links::{counted, graph_of};
use super::own::FLAME_DATA;
use super::pages::TraceCtx;
use super::selection::{IDLE, PLUMBING, Selected, Selection, shows_plumbing, takes_idle};
use super::works::how_it_works;
use crate::kind::{Detail, Section};
use crate::reply::Reply;
use maud::{Markup, html};
use model::Sampler;
use report::unit::duration;
use stacks::{Metric, ViewOptions, written_weight as weight};
use views::flame::{Stacked, flame, flame_with_data, json};
use views::methods::{around, method_list};
use views::words::{counted as count_of, counted_len};
use views::{Links, Params, call_tree, place};

/// The views of stacks.
const SHOWS: [(&str, &str); 4] = [
    ("flame", "Flame graph"),
    ("tree", "Call tree"),
    ("methods", "Methods"),
    ("callers", "Callers and callees"),
];
/// The most kinds of events that are offered, the most frequent first.
const MAX_EVENTS: usize = 500;

fn sampler(ctx: &TraceCtx<'_>) -> Sampler {
    ctx.here().recording.session.sampler
}

/// The tab.
pub(super) fn stack_view(ctx: &TraceCtx<'_>) -> Markup {
    let Some(selection) = Selection::of(ctx.kind(), ctx.params) else {
        return html! { p.empty { "This recording has no stacks: record with the profile default, light or cpu." } };
    };
    let selected = selection.selected(ctx.kind());
    let show = ctx.params.get("show").unwrap_or("flame");
    let of = stacked(ctx, &selection, &selected, &selection.view);
    html! {
        h2 { (selection.metric.title()) }
        p.hint { (selection.metric.about(sampler(ctx))) }
        (toolbar(ctx, &selection, show))
        @for problem in &selection.problems { p.error role="alert" { (problem) } }
        (said(ctx, &selection, &selected))
        @match show {
            "tree" => (call_tree(ctx, of)),
            "methods" => (method_list(ctx, of)),
            "callers" => (around(ctx, of)),
            _ => (flame(ctx, of)),
        }
        (how_it_works(ctx))
    }
}

/// The data of the flame graph that the address asks for.
pub(super) fn flame_data(ctx: &TraceCtx<'_>) -> Reply {
    let Some(selection) = Selection::of(ctx.kind(), ctx.params) else {
        return Reply::of(404, "application/json", "{\"error\":\"the recording has no stacks\"}");
    };
    let selected = selection.selected(ctx.kind());
    let view = stacks::view(&selected.profile, &selection.view);
    Reply::json(&json(&stacked(ctx, &selection, &selected, &selection.view), &view))
}

fn stacked<'a>(
    ctx: &TraceCtx<'_>,
    selection: &'a Selection,
    selected: &'a Selected,
    options: &'a ViewOptions,
) -> Stacked<'a> {
    let sample_ns = ctx.here().sample_ns;
    Stacked { profile: &selected.profile, metric: &selection.metric, options, sample_ns }
}

/// The address of that data, if the page shows the flame graph.
pub(super) fn preload(ctx: &TraceCtx<'_>) -> Option<String> {
    let is_flame = ctx.params.get("show").is_none_or(|show| show == "flame");
    is_flame.then(|| ctx.params.href(FLAME_DATA))
}

/// The flame graphs of a page of one file, with their data: of what each finding counts, then of each metric. One of them is open.
pub(super) fn in_file(ctx: &TraceCtx<'_>, detail: Detail) -> Section {
    let findings = ctx.here().explanation.report.findings.iter();
    let proofs = findings.filter_map(|finding| {
        let title = format!("{}: {}", capitalised(finding.view.shows), finding.title);
        let of = GraphInFile { id: graph_of(finding), title, params: counted(ctx, finding)? };
        of.drawn(ctx, detail)
    });
    let is_event = |offer: &&stacks::Offer| matches!(offer.metric, Metric::Event(..));
    let events = ctx.here().offers.iter().filter(is_event).count();
    let fixed = ctx.here().offers.iter().filter(|offer| !is_event(offer)).filter_map(|offer| {
        let name = offer.metric.name();
        let params = Params::default().with("metric", &name);
        GraphInFile { id: format!("stacks-all-{name}"), title: offer.metric.title(), params }
            .drawn(ctx, detail)
    });
    let drawn: Vec<_> = proofs.chain(fixed).collect();
    let body = html! {
        h2 { "Flame graphs" }
        p.hint { "A click on a line opens its flame graph and closes the other." }
        @for (at, (graph, markup, _)) in drawn.iter().enumerate() {
            details.graph name="graphs" open[at == 0] {
                summary { (graph.title) }
                div id=(graph.id) { (markup) }
            }
        }
        @if drawn.is_empty() { p.empty { "This recording has no stacks." } }
        @if events > 0 { p.loss { "This file has no flame graphs of events (" (events) " kinds): casebook open shows them." } }
    };
    Section { body, data: drawn.into_iter().map(|(_, _, data)| data).collect() }
}

/// A flame graph of a page of one file.
struct GraphInFile {
    /// The id of its element.
    id: String,
    title: String,
    /// Which stacks, as an address says it.
    params: Params,
}

impl GraphInFile {
    /// The graph with its picture and its data. `None` if the recording has no stacks at all.
    fn drawn(self, ctx: &TraceCtx<'_>, detail: Detail) -> Option<(Self, Markup, String)> {
        let Detail { least_share, most_nodes } = detail;
        let ctx = &TraceCtx { params: &self.params, ..*ctx };
        let selection = Selection::of(ctx.kind(), ctx.params)?;
        let selected = selection.selected(ctx.kind());
        let options = ViewOptions { least_share, most_nodes, ..selection.view.clone() };
        let of = stacked(ctx, &selection, &selected, &options);
        let (drawn, data) = flame_with_data(of, &format!("data-{}", self.id));
        let markup = html! {
            p.hint { (selection.metric.about(sampler(ctx))) }
            (said(ctx, &selection, &selected))
            (drawn)
        };
        Some((self, markup, data))
    }
}

/// Words with a capital at their beginning.
fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// How much is summed up, and what is left out.
fn said(ctx: &TraceCtx<'_>, selection: &Selection, selected: &Selected) -> Markup {
    let Selected { profile, scale, .. } = selected;
    let unit = selection.metric.unit();
    let narrowing = ["from", "to", "thread", "on", "class", "finding", "include", "exclude"];
    let is_narrowed = narrowing.iter().any(|name| ctx.params.get(name).is_some());
    let offer = ctx.here().offers.iter().find(|offer| offer.metric == selection.metric);
    let whole = offer.map(|offer| offer.rows).filter(|_| is_narrowed);
    let only = |name: &str, before: &str| {
        html! {
            @if let Some(value) = ctx.params.get(name) {
                " " (before) " " b { (value) }
                @if !ctx.is_file() { " (" a href=(ctx.params.without(&[name, "root"]).href(ctx.path)) { "take this off" } ")" } "."
            }
        }
    };
    html! {
        p.said {
            b { (weight(profile.total(), unit)) " " (if unit == "samples" || unit == "events" { unit } else { "" }) }
            @if let Some(ns) = ctx.here().sample_ns.filter(|_| unit == "samples") {
                @match sampler(ctx) {
                    Sampler::Cpus { .. } => { ", about " (duration(ns * profile.total() / 1e6)) " of CPU time: a sample stands for " (duration(ns / 1e6)) }
                    Sampler::Threads => { ", about " (duration(ns * profile.total() / 1e6)) " of threads: each was sampled every " (duration(ns / 1e6)) " on average" }
                }
            }
            @if unit != "samples" && unit != "events" { " in " (count_of(profile.rows, "row")) }
            @if let Some(whole) = whole.filter(|whole| *whole > profile.rows) { ", of " (count_of(whole, "row")) " in the recording" }
            @if profile.unweighed > 0 { "; " (count_of(profile.unweighed, "row")) " of unknown weight are left out" }
            @if let Some(against) = profile.total_against() {
                "; the other recording has " (weight(against, unit)) @if selection.is_per_request() { " for as many requests" } @else { " in as much observed time" }
                @if let Some(scale) = scale {
                    " (its weights × " (format!("{scale:.3}")) ")"
                } @else { ", without a common measure of time" }
            }
            "."
            @if selection.filter.samples.is_some() || selection.filter.times.is_some() { (only("finding", "Only what counts for the finding")) } (only("on", "Only what waits for")) (only("class", "Only of the type"))
            @if !selection.filter.threads.is_empty() { (only("thread", "Only the thread")) }
            @if selection.filter.include.is_some() { (only("include", "Only stacks with")) }
            @if selection.filter.exclude.is_some() { (only("exclude", "Only stacks without")) }
            @if selection.shaping.fold.is_some() { (only("fold", "Without the frames")) }
            (plumbing(ctx, selection, selected))
            (idle(ctx, selection, selected))
        }
    }
}

/// How much async plumbing is folded, and the way to the opposite.
fn plumbing(ctx: &TraceCtx<'_>, selection: &Selection, selected: &Selected) -> Markup {
    let params = ctx.params.without(&["root", PLUMBING]);
    let link = |params: &Params, text: &str| html! { a href=(params.href(ctx.path)) { (text) } };
    let others = selected.folded_against.filter(|count| *count > 0);
    let is_asked_for = shows_plumbing(ctx.params);
    html! {
        @if !selection.shaping.folds_plumbing {
            " Async plumbing is shown"
            @if is_asked_for { " (" (link(&params, "fold it")) ")." } @else { ", because this method is part of it." }
        } @else if selected.folded > 0 || others.is_some() {
            " " (counted_len(selected.folded, "frame")) " of async plumbing"
            @if let Some(others) = others { " here and " (counted_len(others, "frame")) " there" }
            @if selected.folded == 1 && others.is_none() { " is" } @else { " are" }
            " folded ("
            @if ctx.is_file() { "casebook open shows them" } @else { (link(&params.with(PLUMBING, "1"), "show them")) }
            ")."
        }
    }
}

/// How many samples of idle threads are left out, and the way to the opposite.
fn idle(ctx: &TraceCtx<'_>, selection: &Selection, selected: &Selected) -> Markup {
    let params = ctx.params.without(&["root", IDLE]);
    let is_asked_for = takes_idle(ctx.params);
    let narrowed = ["method", "include"].iter().any(|name| ctx.params.get(name).is_some());
    let may_be_idle =
        matches!(selection.metric, Metric::Waiting | Metric::Wall) && ctx.params.get("finding").is_none();
    html! {
        @if selected.idle > 0 || selected.idle_against.is_some_and(|count| count > 0) {
            " " (count_of(selected.idle, "sample"))
            @if let Some(others) = selected.idle_against { " here and " (count_of(others, "sample")) " there" }
            " of idle threads" @if selected.idle == 1 && selected.idle_against.is_none() { " is" } @else { " are" } " left out ("
            @if ctx.is_file() { "casebook open shows them" } @else { a href=(params.with(IDLE, "1").href(ctx.path)) { "show them" } }
            ")."
        } @else if narrowed && may_be_idle && !is_asked_for {
            " Idle threads are counted here, too."
        } @else if is_asked_for {
            " Idle threads are shown (" a href=(params.href(ctx.path)) { "leave them out" } ")."
        }
    }
}

fn toolbar(ctx: &TraceCtx<'_>, selection: &Selection, show: &str) -> Markup {
    let params = ctx.params;
    let named = [
        "metric", "group", "my", "fold", "include", "exclude", "thread", "up", "on", "class", "groups",
        PLUMBING, IDLE,
    ];
    let rest = params.without(&named).without(&["root"]);
    let value = |name: &str| params.get(name).unwrap_or_default();
    html! {
        nav.shows aria-label="Ways to look at it" {
            @for (id, title) in SHOWS {
                a href=(params.with("show", if id == "flame" { "" } else { id }).href(ctx.path))
                    aria-current=[(id == show).then_some("true")] { (title) }
            }
        }
        @if ctx.kind().against.is_some() {
            nav.shows aria-label="Per" {
                @for (id, title) in [("", "Per second"), ("request", "Per request")] {
                    a href=(params.with("per", id).without(&["root"]).href(ctx.path))
                        aria-current=[(value("per") == id).then_some("true")] { (title) }
                }
                @if params.get("alone").is_some() { a href=(params.without(&["alone"]).href(ctx.path)) { "Compare again" } }
                @else { a href=(params.with("alone", "1").href(ctx.path)) { "This recording alone" } }
            }
        }
        form.toolbar method="get" action=(place(ctx.path)) {
            @for (name, value) in rest.pairs() { input type="hidden" name=(name) value=(value); }
            label { "What " (metric_select(ctx, &selection.metric)) }
            label { "Group by "
                select name="group" {
                    @for (id, title) in [("", "method"), ("type", "type"), ("namespace", "namespace"), ("module", "module")] {
                        option value=(id) selected[value("group") == id] { (title) }
                    }
                }
            }
            label { "Thread " (thread_select(ctx)) }
            label.check { input type="checkbox" name="my" value="1" checked[params.get("my").is_some()]; " Just my code" }
            label.check title="Frames that only start or resume async methods or hand work to threads. Unless they are shown, their weight counts for their callers." {
                input type="checkbox" name=(PLUMBING) value="1" checked[params.get(PLUMBING).is_some()]; " Async plumbing"
            }
            @if matches!(selection.metric, Metric::Waiting | Metric::Wall) {
                label.check title="Threads of the pool without work, the runtime's own threads that wait for something to do, and the main thread of a host that waits for the end." {
                    input type="checkbox" name=(IDLE) value="1" checked[takes_idle(params)]; " Idle threads"
                }
            }
            label.check { input type="checkbox" name="up" value="1" checked[params.get("up").is_some()]; " Upside down: callers of what ran" }
            details.more open[["include", "exclude", "fold", "on", "class", "groups"].iter().any(|name| params.get(name).is_some())] {
                summary { "Patterns" }
                label { "Only stacks with " input name="include" value=(value("include")) placeholder="regular expression"; }
                label { "Without " input name="exclude" value=(value("exclude")) placeholder="regular expression"; }
                @if selection.metric.is_of_samples() { label { "Waiting for " input name="on" value=(value("on")) placeholder="task, monitor, io …"; } }
                @else { label { "Of the type " input name="class" value=(value("class")) placeholder="System.String"; } }
                label { "Fold into callers " input name="fold" value=(value("fold")) placeholder="regular expression"; }
                label { "Groups " input name="groups" value=(value("groups")) placeholder="!Shop\\.(\\w+) -> $1; …"; }
                p.hint { "Patterns are matched against Module!Namespace.Type.Method(…), ignoring case unless they contain a capital letter. Groups override the choice above." }
            }
            button type="submit" { "Apply" }
            @if named.iter().any(|name| *name != "metric" && params.get(name).is_some()) {
                a href=(rest.with("metric", value("metric")).href(ctx.path)) { "Clear" }
            }
        }
    }
}

fn metric_select(ctx: &TraceCtx<'_>, chosen: &Metric) -> Markup {
    let (events, fixed): (Vec<_>, Vec<_>) =
        ctx.here().offers.iter().partition(|offer| matches!(offer.metric, Metric::Event(..)));
    let offered = ctx.here().offers.iter().any(|offer| offer.metric == *chosen);
    let one = |offer: &stacks::Offer| {
        html! {
            option value=(offer.metric.name()) selected[offer.metric == *chosen] { (offer.metric.title()) " (" (count_of(offer.rows, "row")) ")" }
        }
    };
    html! {
        select name="metric" {
            @if !offered { option value=(chosen.name()) selected { (chosen.title()) " (none here)" } }
            @for offer in fixed { (one(offer)) }
            @if !events.is_empty() {
                optgroup label="Any event with a stack, by count" {
                    @for offer in events.iter().take(MAX_EVENTS) { (one(offer)) }
                    @if events.len() > MAX_EVENTS { option disabled { (events.len() - MAX_EVENTS) " more: see the tab of events" } }
                }
            }
        }
    }
}

fn thread_select(ctx: &TraceCtx<'_>) -> Markup {
    /// The most threads that are offered by number.
    const MOST: usize = 60;
    let recording = &ctx.here().recording;
    let threads = &recording.threads;
    let chosen = ctx.params.get("thread").unwrap_or_default();
    let mut order: Vec<usize> = (0..threads.thread.len()).collect();
    let samples = |row: usize| threads.samples.get(row).copied();
    order.sort_by_key(|row| std::cmp::Reverse(samples(*row)));
    let mut kinds: Vec<&str> = threads.kind.iter().filter_map(|kind| recording.strings.get(*kind)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let rows: Vec<_> = order.iter().take(MOST).filter_map(|row| threads.row(*row)).collect();
    let known = chosen.is_empty()
        || kinds.contains(&chosen)
        || rows.iter().any(|row| row.thread.to_string() == chosen);
    html! {
        select name="thread" {
            option value="" { "all" }
            @if !known { option value=(chosen) selected { (chosen) } }
            @for kind in kinds { option value=(kind) selected[chosen == kind] { "all of kind " (kind) } }
            @for row in rows {
                option value=(row.thread) selected[chosen == row.thread.to_string()] {
                    (row.thread) " " (recording.strings.text(row.kind)) " " (recording.strings.text(row.name))
                }
            }
        }
    }
}
