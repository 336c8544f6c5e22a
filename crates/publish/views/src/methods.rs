//! The methods in stacks: a list with the sums of each, and the callers and callees of one.

use crate::flame::legend::modules;
use crate::flame::{Stacked, missed, module_of};
use crate::tree::tree;
use crate::words::{counted_len, percent};
use crate::{Links, place};
use maud::{Markup, html};
use stacks::{Direction, MethodRow, ViewOptions, distinct, methods, view, written_weight as weight};

/// The most rows of the list.
const ROWS: usize = 200;
/// How many methods are offered if none was chosen.
const OFFERED: usize = 12;

/// The methods of stacks with their sums, as a table.
pub fn method_list(links: &dyn Links, of: Stacked<'_>) -> Markup {
    let params = links.params();
    let methods = methods(of.profile);
    let mut rows: Vec<&MethodRow> = methods.rows.iter().collect();
    let find = params.get("methods.find").map(str::to_lowercase);
    let name = |row: &MethodRow| of.profile.shape.names.get(row.name);
    if let Some(find) = &find {
        rows.retain(|row| name(row).is_some_and(|name| name.full.to_lowercase().contains(find)));
    }
    if params.get("methods.sort") == Some("-total") {
        rows.sort_by(|a, b| b.total.total_cmp(&a.total).then(a.name.cmp(&b.name)));
    }
    let all = rows.len();
    rows.truncate(ROWS);
    let rows = labelled(of, rows);
    let sort = |by: &str| links.here(&params.with("methods.sort", by));
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
                    th.num scope="col" { "share" }
                    th.num scope="col" data-column="total" { a href=(sort("-total")) { "with callees" } }
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
    let Some(name) = of.profile.shape.names.get(row.name) else { return html! {} };
    let callers = links.params().with("show", "callers").with("method", &name.full).without(&["root"]);
    html! {
        tr {
            (cell(row.own)) td.num data-v=(row.own) { (percent(row.own, total)) }
            (cell(row.total)) td.num data-v=(row.total) { (percent(row.total, total)) }
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
    let Stacked { profile, metric, options } = of;
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
        let options =
            ViewOptions { direction, zoom: None, least_share: 0.005, most_nodes: 600, ..options.clone() };
        view(profile, &options)
    };
    let (callers, callees) = (towards(Direction::Up), towards(Direction::Down));
    let unit = metric.unit();
    // A picture without nodes weighs nothing.
    let first = |column: &[f64]| column.first().copied().unwrap_or(0.0);
    let flame = params.with("show", "").without(&["root"]);
    // For a recursive method the view has only the outermost calls, so its own weight comes from the list.
    let sums = methods(profile);
    let is_it = |row: &&MethodRow| profile.shape.names.get(row.name).is_some_and(|name| name.full == *method);
    let own = sums.rows.iter().find(is_it).map(|row| row.own);
    let known = profile.shape.names.iter().find(|name| name.full == *method);
    let shown = known.map_or_else(|| stacks::short_name(method), |name| name.short.clone());
    let (up, down) = (flame.with("up", "1"), flame.with("up", ""));
    html! {
        h3.name title=(method) { (shown) }
        p.hint { (method) }
        (missed(links, &callees))
        dl.figures {
            div.measure { dt { "with what it called" } dd { (weight(first(&callees.nodes.weight), unit)) " (" (percent(first(&callees.nodes.weight), callees.total)) ")" } }
            @if let Some(own) = own { div.measure { dt { "own" } dd { (weight(own, unit)) " (" (percent(own, callees.total)) ")" } } }
        }
        div.pair {
            section { div.toolbar { h3 { "Callers" } a href=(links.here(&up)) { "as a flame graph" } }
                (tree(links, of, &callers, &up)) }
            section { div.toolbar { h3 { "Callees" } a href=(links.here(&down)) { "as a flame graph" } }
                (tree(links, of, &callees, &down)) }
        }
    }
}
