//! The tab of stacks: flame graph, call tree, methods, callers and callees of a method, of whatever has stacks.
//!
//! Each view is a page of its own that works without script: the flame graph is an SVG whose frames are links. Script
//! draws it anew on a canvas, from `flame.json` with the same parameters.

use crate::page::Ctx;
use crate::params::{Params, place};
use crate::selection::Selection;
use crate::tree::tree;
use crate::words::{counted, percent};
use crate::works::how_it_works;
use charts::FlameOptions;
use maud::{Markup, html};
use stacks::{
    Direction, MethodRow, Metric, Profile, View, ViewOptions, methods, view, written_weight as weight,
};

/// The ways to look at stacks.
const SHOWS: [(&str, &str); 4] = [
    ("flame", "Flame graph"),
    ("tree", "Call tree"),
    ("methods", "Methods"),
    ("callers", "Callers and callees"),
];
/// Rows of the list of methods.
const METHODS: usize = 200;
/// The method that threads are found in when they stop for the sampler.
const STOPPED: &str = "System.Threading.Thread.PollGC";
/// Kinds of events offered, those that came most.
const MOST_EVENTS: usize = 500;
/// Methods offered to look at the callers of.
const OFFERED: usize = 12;
/// How wide the picture without script is, in pixels.
const WIDTH: f64 = 1200.0;

/// The tab.
pub(crate) fn stack_view(ctx: &Ctx<'_>) -> Markup {
    let Some(selection) = Selection::of(ctx.pages, ctx.params) else {
        return html! { p.empty { "This recording has no stacks: record with the profile default, light or cpu." } };
    };
    let (profile, scale) = selection.profile(ctx.pages);
    let show = ctx.params.get("show").unwrap_or("flame");
    let of_method = show == "callers";
    html! {
        h2 { (selection.metric.title()) }
        p.hint { (selection.metric.about()) }
        (toolbar(ctx, &selection, show))
        @for problem in &selection.problems { p.error role="alert" { (problem) } }
        (said(ctx, &selection, &profile, scale))
        @match show {
            "tree" => (call_tree(ctx, &selection, &profile)),
            "methods" => (method_list(ctx, &selection, &profile)),
            _ if of_method => (around(ctx, &selection, &profile)),
            _ => (flame(ctx, &selection, &profile)),
        }
        (how_it_works(ctx, "/stacks"))
    }
}

/// How much is summed up, of what, and what is not in it.
fn said(ctx: &Ctx<'_>, selection: &Selection, profile: &Profile, scale: Option<f64>) -> Markup {
    let unit = selection.metric.unit();
    let narrowing = ["from", "to", "thread", "on", "class", "include", "exclude"];
    let is_narrowed = narrowing.iter().any(|name| ctx.params.get(name).is_some());
    let offer = ctx.here().offers.iter().find(|offer| offer.metric == selection.metric);
    let whole = offer.map(|offer| offer.rows).filter(|_| is_narrowed);
    let only = |name: &str, before: &str| {
        html! {
            @if let Some(value) = ctx.params.get(name) {
                " " (before) " " b { (value) } " (" a href=(ctx.params.without(&[name, "root"]).href(ctx.path)) { "take this off" } ")."
            }
        }
    };
    html! {
        p.said {
            b { (weight(profile.total(), unit)) " " (if unit == "samples" || unit == "events" { unit } else { "" }) }
            @if unit != "samples" && unit != "events" { " in " (counted(profile.rows, "row")) }
            @if let Some(whole) = whole.filter(|whole| *whole > profile.rows) { ", of " (counted(whole, "row")) " in the recording" }
            @if profile.unweighed > 0 { "; " (counted(profile.unweighed, "row")) " without a known weight are left out" }
            @if let Some(against) = profile.total_against() {
                "; the other recording has " (weight(against, unit)) @if selection.is_per_request() { " for as many requests" } @else { " in as much observed time" }
                @if let Some(scale) = scale {
                    " (its weights × " (format!("{scale:.3}")) ")"
                } @else { ", without a common measure of time" }
            }
            "."
            (only("on", "Only what waits for")) (only("class", "Only of the type"))
        }
    }
}

fn toolbar(ctx: &Ctx<'_>, selection: &Selection, show: &str) -> Markup {
    let params = ctx.params;
    let named =
        ["metric", "group", "my", "fold", "include", "exclude", "thread", "up", "on", "class", "groups"];
    let rest = params.without(&named).without(&["root"]);
    let value = |name: &str| params.get(name).unwrap_or_default();
    html! {
        nav.shows aria-label="Ways to look at it" {
            @for (id, title) in SHOWS {
                a href=(params.with("show", if id == "flame" { "" } else { id }).href(ctx.path))
                    aria-current=[(id == show).then_some("true")] { (title) }
            }
        }
        @if ctx.pages.against.is_some() {
            nav.shows aria-label="Per" {
                @for (id, title) in [("", "By the second"), ("request", "By request")] {
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
            label.check { input type="checkbox" name="up" value="1" checked[params.get("up").is_some()]; " Upside down: callers of what ran" }
            details.more open[["include", "exclude", "fold", "on", "class", "groups"].iter().any(|name| params.get(name).is_some())] {
                summary { "Patterns" }
                label { "Only stacks with " input name="include" value=(value("include")) placeholder="regular expression"; }
                label { "Without " input name="exclude" value=(value("exclude")) placeholder="regular expression"; }
                @if selection.metric.is_of_samples() { label { "Waiting for " input name="on" value=(value("on")) placeholder="task, monitor, io …"; } }
                @else { label { "Of the type " input name="class" value=(value("class")) placeholder="System.String"; } }
                label { "Fold into callers " input name="fold" value=(value("fold")) placeholder="regular expression"; }
                label { "Groups " input name="groups" value=(value("groups")) placeholder="!Shop\\.(\\w+) -> $1; …"; }
                p.hint { "Patterns are looked for in Module!Namespace.Type.Method(…), without case where they have no capital. Groups win over the choice above." }
            }
            button type="submit" { "Apply" }
            @if named.iter().any(|name| *name != "metric" && params.get(name).is_some()) {
                a href=(rest.with("metric", value("metric")).href(ctx.path)) { "Clear" }
            }
        }
    }
}

fn metric_select(ctx: &Ctx<'_>, chosen: &Metric) -> Markup {
    let (events, fixed): (Vec<_>, Vec<_>) =
        ctx.here().offers.iter().partition(|offer| matches!(offer.metric, Metric::Event(..)));
    let offered = ctx.here().offers.iter().any(|offer| offer.metric == *chosen);
    let one = |offer: &stacks::Offer| {
        html! {
            option value=(offer.metric.name()) selected[offer.metric == *chosen] { (offer.metric.title()) " (" (counted(offer.rows, "row")) ")" }
        }
    };
    html! {
        select name="metric" {
            @if !offered { option value=(chosen.name()) selected { (chosen.title()) " (none here)" } }
            @for offer in fixed { (one(offer)) }
            @if !events.is_empty() {
                optgroup label="Any event with a stack, by count" {
                    @for offer in events.iter().take(MOST_EVENTS) { (one(offer)) }
                    @if events.len() > MOST_EVENTS { option disabled { (events.len() - MOST_EVENTS) " more: see the tab of events" } }
                }
            }
        }
    }
}

fn thread_select(ctx: &Ctx<'_>) -> Markup {
    /// Threads that are offered by number.
    const MOST: usize = 60;
    let recording = &ctx.here().recording;
    let threads = &recording.threads;
    let chosen = ctx.params.get("thread").unwrap_or_default();
    let mut order: Vec<usize> = (0..threads.thread.len()).collect();
    let samples = |row: usize| threads.samples.get(row).copied().unwrap_or(0);
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

/// Where the picture's data is, on a page that has one.
pub(crate) fn data(ctx: &Ctx<'_>) -> Option<String> {
    let is_flame = ctx.path == "/stacks" && ctx.params.get("show").is_none_or(|show| show == "flame");
    (is_flame && ctx.pages.has("/stacks")).then(|| ctx.params.href("/flame.json"))
}

fn flame(ctx: &Ctx<'_>, selection: &Selection, profile: &Profile) -> Markup {
    let picture =
        view(profile, &ViewOptions { least_share: 1.5 / WIDTH, most_nodes: 1_500, ..selection.view.clone() });
    html! { (picture_of(ctx, selection, profile, &picture, ctx.params, "flame")) }
}

/// A flame graph: an SVG whose frames are links, and where script finds its data.
fn picture_of(
    ctx: &Ctx<'_>,
    selection: &Selection,
    profile: &Profile,
    picture: &View,
    params: &Params,
    id: &str,
) -> Markup {
    let unit = selection.metric.unit();
    let link = |node: &str| params.with("root", node).href(ctx.path);
    let drawn = charts::flame(profile, picture, &FlameOptions { width: WIDTH, unit, link: &link });
    html! {
        (missed(picture))
        (crumbs(ctx, profile, picture, params))
        div.flame #(id) data-flame="" data-flame-url=(params.href("/flame.json"))
            data-search=[params.get("search")] data-compared[profile.total_against().is_some()] {
            (maud::PreEscaped(&drawn.svg))
        }
        p.hint {
            @if drawn.left_out + picture.hidden_nodes > 0 {
                (counted(drawn.left_out + picture.hidden_nodes, "subtree")) " too narrow to be drawn"
                @if picture.hidden_weight > 0.0 { " (" (percent(picture.hidden_weight, picture.total)) ")" }
                ": zoom in to see them. "
            }
        }
        (legend(profile.total_against().is_some()))
    }
}

fn missed(picture: &View) -> Markup {
    html! {
        @if picture.method_missed { p.error role="alert" { "No stack of this recording has this method in this grouping." } }
        @if picture.zoom_missed { p.error role="alert" { "What was zoomed to has no weight in this selection: the frame above it is shown." } }
    }
}

fn legend(compared: bool) -> Markup {
    let classes = [
        ("user", "your code"),
        ("library", "packages"),
        ("framework", "the runtime"),
        ("dynamic", "made at run time"),
        ("unknown", "no name"),
    ];
    html! {
        ul.legend aria-label="Colours" {
            @if compared {
                li { span.swatch.less {} "less than in the other recording" }
                li { span.swatch.same {} "the same" }
                li { span.swatch.more {} "more" }
            } @else {
                @for (class, title) in classes { li { span class=(format!("swatch {class}")) {} (title) } }
            }
        }
    }
}

fn crumbs(ctx: &Ctx<'_>, profile: &Profile, picture: &View, params: &Params) -> Markup {
    let names = &profile.shape.names;
    let name =
        |of: u32| names.get(of as usize).map_or(("", ""), |name| (name.full.as_str(), name.short.as_str()));
    html! {
        @if picture.path.len() > 1 {
            nav.crumbs aria-label="Zoomed to" {
                @for (at, (id, of)) in picture.path.iter().enumerate() {
                    @if at + 1 == picture.path.len() { span title=(name(*of).0) { (name(*of).1) } }
                    @else { a href=(params.with("root", id).href(ctx.path)) title=(name(*of).0) { (name(*of).1) } }
                }
            }
        }
    }
}

fn call_tree(ctx: &Ctx<'_>, selection: &Selection, profile: &Profile) -> Markup {
    let picture =
        view(profile, &ViewOptions { least_share: 0.005, most_nodes: 1_500, ..selection.view.clone() });
    html! {
        (missed(&picture))
        (crumbs(ctx, profile, &picture, ctx.params))
        (tree(ctx, selection, profile, &picture, ctx.params))
    }
}

fn method_list(ctx: &Ctx<'_>, selection: &Selection, profile: &Profile) -> Markup {
    let methods = methods(profile);
    let mut rows: Vec<&MethodRow> = methods.rows.iter().collect();
    let find = ctx.params.get("methods.find").map(str::to_lowercase);
    let name = |row: &MethodRow| profile.shape.names.get(row.name as usize);
    if let Some(find) = &find {
        rows.retain(|row| name(row).is_some_and(|name| name.full.to_lowercase().contains(find)));
    }
    if ctx.params.get("methods.sort") == Some("-total") {
        rows.sort_by(|a, b| b.total.total_cmp(&a.total).then(a.name.cmp(&b.name)));
    }
    let all = rows.len();
    rows.truncate(METHODS);
    let sort = |by: &str| ctx.params.with("methods.sort", by).href(ctx.path);
    html! {
        div.toolbar {
            h3 { "Methods" } span.hint { (counted(u64::try_from(all).unwrap_or(0), "row")) @if all > METHODS { ", the first " (METHODS) " are shown" } }
            form.find method="get" action=(place(ctx.path)) {
                @for (name, value) in ctx.params.without(&["methods.find"]).pairs() { input type="hidden" name=(name) value=(value); }
                label { span.quiet { "Filter methods" } input type="search" name="methods.find" value=(find.as_deref().unwrap_or_default()) placeholder="Part of a name"; }
                button type="submit" { "Filter" }
            }
            button.copy type="button" data-copy="methods" hidden { "Copy as CSV" }
        }
        div.scroll tabindex="0" role="region" aria-label="Methods" {
            table #methods data-table="methods" data-complete[find.is_none() && all <= METHODS] {
                thead { tr {
                    th.num scope="col" data-column="own" { a href=(sort("-own")) { "own" } }
                    th.num scope="col" { "share" }
                    th.num scope="col" data-column="total" { a href=(sort("-total")) { "with callees" } }
                    th.num scope="col" { "share" }
                    @if methods.total_against.is_some() { th.num scope="col" { "own, other" } th.num scope="col" { "with callees, other" } }
                    th scope="col" { "method" }
                } }
                tbody { @for row in rows { (method_row(ctx, selection, profile, row, methods.total)) } }
            }
        }
    }
}

fn method_row(
    ctx: &Ctx<'_>,
    selection: &Selection,
    profile: &Profile,
    row: &MethodRow,
    total: f64,
) -> Markup {
    let unit = selection.metric.unit();
    let cell = |value: f64| html! { td.num data-v=(value) { (weight(value, unit)) } };
    let Some(name) = profile.shape.names.get(row.name as usize) else { return html! {} };
    let href =
        ctx.params.with("show", "callers").with("method", &name.full).without(&["root"]).href(ctx.path);
    html! {
        tr {
            (cell(row.own)) td.num data-v=(row.own) { (percent(row.own, total)) }
            (cell(row.total)) td.num data-v=(row.total) { (percent(row.total, total)) }
            @if let (Some(own), Some(all)) = (row.own_against, row.total_against) { (cell(own)) (cell(all)) }
            td.name {
                a class=(name.class.name()) href=(href) title=(name.full) { (name.short) }
                @if name.full.contains(STOPPED) { span.hint { " where threads stop for the sampler: its caller is what ran" } }
            }
        }
    }
}

/// Callers and callees of a method.
fn around(ctx: &Ctx<'_>, selection: &Selection, profile: &Profile) -> Markup {
    let Some(method) = &selection.view.method else {
        let methods = methods(profile);
        return html! {
            p { "Which method? The heaviest are:" }
            ul { @for row in methods.rows.iter().take(OFFERED) {
                @if let Some(name) = profile.shape.names.get(row.name as usize) {
                    li { a href=(ctx.params.with("method", &name.full).href(ctx.path)) title=(name.full) { (name.short) } }
                }
            } }
        };
    };
    let towards = |direction| {
        let options = ViewOptions {
            direction,
            zoom: None,
            least_share: 0.005,
            most_nodes: 600,
            ..selection.view.clone()
        };
        view(profile, &options)
    };
    let (callers, callees) = (towards(Direction::Up), towards(Direction::Down));
    let unit = selection.metric.unit();
    let first = |column: &[f64]| column.first().copied().unwrap_or(0.0);
    let flame = ctx.params.with("show", "").without(&["root"]);
    // Of a method that calls itself the view has the outermost calls alone.
    let sums = methods(profile);
    let is_it = |row: &&MethodRow| {
        profile.shape.names.get(row.name as usize).is_some_and(|name| name.full == *method)
    };
    let own = sums.rows.iter().find(is_it).map(|row| row.own);
    html! {
        h3.name title=(method) { (stacks::short_name(method)) }
        p.hint { (method) }
        (missed(&callees))
        dl.figures {
            div.measure { dt { "with what it called" } dd { (weight(first(&callees.nodes.weight), unit)) " (" (percent(first(&callees.nodes.weight), callees.total)) ")" } }
            @if let Some(own) = own { div.measure { dt { "own" } dd { (weight(own, unit)) " (" (percent(own, callees.total)) ")" } } }
        }
        div.pair {
            section { div.toolbar { h3 { "Callers" } a href=(flame.with("up", "1").href(ctx.path)) { "as a flame graph" } }
                (tree(ctx, selection, profile, &callers, &flame.with("up", "1"))) }
            section { div.toolbar { h3 { "Callees" } a href=(flame.with("up", "").href(ctx.path)) { "as a flame graph" } }
                (tree(ctx, selection, profile, &callees, &flame.with("up", ""))) }
        }
    }
}

/// A flame graph of a metric for a page of one file, and its data for script.
pub(crate) fn in_file(
    ctx: &Ctx<'_>,
    metric: &Metric,
    least_share: f64,
    most_nodes: usize,
) -> Option<(Markup, String)> {
    let params = Params::default().with("metric", &metric.name());
    let selection = Selection::of(ctx.pages, &params)?;
    let (profile, scale) = selection.profile(ctx.pages);
    let unit = metric.unit();
    let options = ViewOptions { least_share, most_nodes, ..selection.view.clone() };
    let picture = view(&profile, &options);
    let few = view(&profile, &ViewOptions { least_share: 1.0 / 300.0, most_nodes: 1_000, ..options });
    let link = |_: &str| String::new();
    let drawn = charts::flame(&profile, &few, &FlameOptions { width: WIDTH, unit, link: &link });
    let id = format!("data-{}", metric.name());
    let markup = html! {
        section.block {
            h2 { (metric.title()) } p.hint { (metric.about()) }
            (said(ctx, &selection, &profile, scale))
            div.flame data-flame="" data-flame-data=(id) data-compared[profile.total_against().is_some()] { (maud::PreEscaped(&drawn.svg)) }
            @if picture.hidden_nodes > 0 {
                p.loss { (counted(picture.hidden_nodes, "small subtree")) " are not in this file, "
                    (percent(picture.hidden_weight, picture.total)) " in all." }
            }
            (legend(profile.total_against().is_some()))
        }
    };
    Some((markup, crate::assets::data(&id, &crate::flame::json(&profile, &picture, unit))))
}
