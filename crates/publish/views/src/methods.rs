//! The methods in stacks: a list with the sums of each, and the callers and callees of one.

use crate::legend::{module_of, modules};
use crate::stacked::{Stacked, missed};
use crate::tree::{detail, more, tree};
use crate::words::{counted_len, percent};
use crate::{Links, place};
use maud::{Markup, html};
use report::unit::duration;
use stacks::{Direction, MethodRow, ViewOptions, distinct, methods, view, written_weight as weight};

/// The most rows of the list.
const ROWS: usize = 200;
/// The rows of the list beside a flame graph.
const TOP: usize = 12;
/// How many methods are offered if none was chosen.
const OFFERED: usize = 12;

/// The methods with the most weight of their own, to stand beside a flame graph. Script marks each in the other. Without links,
/// names are only names.
pub(crate) fn top(links: Option<&dyn Links>, of: Stacked<'_>) -> Markup {
    let methods = methods(of.profile);
    let rows = methods.rows.iter().filter(|row| row.own > 0.0).take(TOP).collect();
    let callers = |full: &str| {
        links.map(|links| {
            links.here(&links.params().with("show", "callers").with("method", full).without(&["root"]))
        })
    };
    html! {
        div.top-methods {
            table {
                caption { "Top methods" }
                thead { tr {
                    th.num scope="col" { "own" }
                    th.num scope="col" { "total" }
                    th scope="col" { "method" }
                } }
                tbody { @for (row, label) in labelled(of, rows) {
                    @if let Some(name) = of.profile.shape.names.get(row.name) {
                        tr data-name=(name.full) {
                            td.num title=(worth(of, row.own)) { (percent(row.own, methods.total)) }
                            td.num title=(worth(of, row.total)) { (percent(row.total, methods.total)) }
                            td.name { @if let Some(href) = callers(&name.full) { a href=(href) title=(name.full) { (label) } } @else { span title=(name.full) { (label) } } }
                        }
                    }
                } }
            }
        }
    }
}

/// A weight in words, with the time that it stands for.
fn worth(of: Stacked<'_>, value: f64) -> String {
    let unit = of.metric.unit();
    let noun = if matches!(unit, "samples" | "events") { format!(" {unit}") } else { String::new() };
    let time = of.time(value).map_or_else(String::new, |time| format!(" {time}"));
    format!("{}{noun}{time}", weight(value, unit))
}

/// The methods of stacks with their sums, as a table.
pub fn method_list(links: &dyn Links, of: Stacked<'_>) -> Markup {
    let params = links.params();
    let methods = methods(of.profile);
    let mut rows: Vec<&MethodRow> = methods.rows.iter().collect();
    let find = params.get("methods.find").map(str::to_lowercase);
    let name = |row: &MethodRow| of.profile.shape.names.get(row.name);
    if let Some(find) = &find {
        rows.retain(|row| {
            name(row).is_some_and(|name| {
                let texts = [name.full.as_str(), name.short.as_str()]
                    .into_iter()
                    .chain(of.profile.shape.also(row.name));
                texts.map(str::to_lowercase).any(|text| text.contains(find))
            })
        });
    }
    if params.get("methods.sort") == Some("-total") {
        rows.sort_by(|a, b| b.total.total_cmp(&a.total).then(a.name.cmp(&b.name)));
    }
    let all = rows.len();
    rows.truncate(ROWS);
    let rows = labelled(of, rows);
    let sort = |by: &str| links.here(&params.with("methods.sort", by));
    let has_time = of.time_ns(0.0).is_some();
    html! {
        div.toolbar {
            h3 { "Methods" } span.hint { (counted_len(all, "row")) @if all > ROWS { ", the first " (ROWS) " are shown" } }
            form.find method="get" action=(place(links.path())) {
                @for (name, value) in params.without(&["methods.find"]).pairs() { input type="hidden" name=(name) value=(value); }
                label { span.quiet { "Filter methods" } input type="search" name="methods.find" value=(find.as_deref().unwrap_or_default()) placeholder="Part of a name"; }
                button type="submit" { "Filter" }
            }
            button.copy type="button" data-copy="methods" hidden { "Copy as CSV" }
        }
        (modules(of.profile, methods.rows.iter().map(|row| (row.name, row.own))))
        div.scroll tabindex="0" role="region" aria-label="Methods" {
            table #methods data-table="methods" data-complete[find.is_none() && all <= ROWS] {
                thead { tr {
                    th.num scope="col" data-column="own" { a href=(sort("-own")) { "own" } }
                    @if has_time { th.num scope="col" data-column="own_ns" { "time" } }
                    th.num scope="col" { "share" }
                    th.num scope="col" data-column="total" { a href=(sort("-total")) { "with callees" } }
                    @if has_time { th.num scope="col" data-column="total_ns" { "time" } }
                    th.num scope="col" { "share" }
                    @if methods.total_against.is_some() { th.num scope="col" { "own, other" } th.num scope="col" { "with callees, other" } }
                    th scope="col" { "method" }
                } }
                tbody { @for (row, label) in rows { (method_row(links, of, row, &label, methods.total)) } }
            }
        }
    }
}

/// Rows with their names, of which no two are alike.
fn labelled<'a>(of: Stacked<'_>, rows: Vec<&'a MethodRow>) -> Vec<(&'a MethodRow, String)> {
    let names = rows.iter().filter_map(|row| of.profile.shape.names.get(row.name));
    let names: Vec<_> = names.map(|name| (name.short.as_str(), name.full.as_str())).collect();
    let labels = distinct(&names);
    rows.into_iter().zip(labels).collect()
}

fn method_row(links: &dyn Links, of: Stacked<'_>, row: &MethodRow, label: &str, total: f64) -> Markup {
    let unit = of.metric.unit();
    let cell = |value: f64| html! { td.num data-v=(value) { (weight(value, unit)) } };
    let time = |value: f64| html! { @if let Some(ns) = of.time_ns(value) { td.num data-v=(ns) { (duration(ns / 1e6)) } } };
    let Some(name) = of.profile.shape.names.get(row.name) else { return html! {} };
    let callers = links.params().with("show", "callers").with("method", &name.full).without(&["root"]);
    html! {
        tr {
            (cell(row.own)) (time(row.own)) td.num data-v=(row.own) { (percent(row.own, total)) }
            (cell(row.total)) (time(row.total)) td.num data-v=(row.total) { (percent(row.total, total)) }
            @if let (Some(own), Some(all)) = (row.own_against, row.total_against) { (cell(own)) (cell(all)) }
            td.name {
                (module_of(name))
                a class=(name.class.name()) href=(links.here(&callers)) title=(name.full) { (label) }
                @if name.stands_in { span.hint { " does not show what ran: counted as its caller's own" } }
            }
        }
    }
}

/// The callers and callees of the method that the options name, or a choice of methods.
pub fn around(links: &dyn Links, of: Stacked<'_>) -> Markup {
    let Stacked { profile, metric, options, .. } = of;
    let params = links.params();
    let Some(method) = &options.method else {
        let methods = methods(profile);
        return html! {
            p { "Which method? The heaviest are:" }
            ul { @for (row, label) in labelled(of, methods.rows.iter().take(OFFERED).collect()) {
                @if let Some(name) = profile.shape.names.get(row.name) {
                    li { a href=(links.here(&params.with("method", &name.full))) title=(name.full) { (label) } }
                }
            } }
        };
    };
    let towards = |direction| {
        let (least_share, most_nodes) = detail(more(params));
        let options = ViewOptions { direction, zoom: None, least_share, most_nodes, ..options.clone() };
        view(profile, &options)
    };
    let (callers, callees) = (towards(Direction::Up), towards(Direction::Down));
    let unit = metric.unit();
    // A picture without nodes weighs nothing.
    let first = |column: &[f64]| column.first().copied().unwrap_or(0.0);
    let flame = params.with("show", "").without(&["root"]);
    // For a recursive method the view has only the outermost calls, so its own weight comes from the list.
    let sums = methods(profile);
    let wanted = profile.shape.find_name(method);
    let is_it = |row: &&MethodRow| wanted == Some(row.name);
    let own = sums.rows.iter().find(is_it).map(|row| row.own);
    let known = wanted.and_then(|name| profile.shape.names.get(name));
    let shown = known.map_or_else(|| stacks::short_name(method), |name| name.short.clone());
    let (up, down) = (flame.with("up", "1"), flame.with("up", ""));
    html! {
        h3.name title=(method) { (shown) }
        p.hint { (method) }
        (missed(links, &callees))
        dl.figures {
            div.measure { dt { "with what it called" } dd { (weight(first(&callees.nodes.weight), unit)) " (" (percent(first(&callees.nodes.weight), callees.total)) ")" @if let Some(time) = of.time(first(&callees.nodes.weight)) { " " span.hint { (time) } } } }
            @if let Some(own) = own { div.measure { dt { "own" } dd { (weight(own, unit)) " (" (percent(own, callees.total)) ")" @if let Some(time) = of.time(own) { " " span.hint { (time) } } } } }
        }
        div.pair {
            section { div.toolbar { h3 { "Callers" } a href=(links.here(&up)) { "as a flame graph" } }
                (tree(links, of, &callers, &up)) }
            section { div.toolbar { h3 { "Callees" } a href=(links.here(&down)) { "as a flame graph" } }
                (tree(links, of, &callees, &down)) }
        }
    }
}
