//! A call tree as nested lists that open and close without script, heaviest first.

use crate::legend::{module_of, of_tree};
use crate::stacked::{Stacked, crumbs, missed};
use crate::words::{counted, percent};
use crate::{Links, Params};
use maud::{Markup, PreEscaped, html};
use report::unit::duration;
use stacks::{TreeView, ViewOptions, WeightedTree, view, written_weight as weight};

/// Nodes with at least this share of the root are open at first.
const OPEN: f64 = 0.1;
/// Deeper nodes need a click on a link, since browsers limit how deep elements may nest.
const DEEPEST: u32 = 150;

/// How often a reader can ask for more of the tree: each time ten times smaller subtrees.
const MOST_MORE: u32 = 2;

/// How often the reader asked for more, from 0.
pub(crate) fn more(params: &Params) -> u32 {
    params.get("more").and_then(|more| more.parse().ok()).unwrap_or(0u32).min(MOST_MORE)
}

/// The smallest subtree, as a share of the whole, and the most nodes.
pub(crate) fn detail(more: u32) -> (f64, usize) {
    match more {
        0 => (0.005, 1_500),
        1 => (0.000_5, 6_000),
        _ => (0.000_05, 20_000),
    }
}

/// The call tree of stacks.
pub fn call_tree(links: &dyn Links, of: Stacked<'_>) -> Markup {
    let (least_share, most_nodes) = detail(more(links.params()));
    let picture = view(of.profile, &ViewOptions { least_share, most_nodes, ..of.options.clone() });
    html! {
        (missed(links, &picture))
        (crumbs(links, of.profile, &picture, links.params()))
        (of_tree(of.profile, &picture))
        (tree(links, of, &picture, links.params()))
    }
}

/// The tree of a picture. Its links zoom in on nodes, in the view with these parameters.
pub(crate) fn tree(links: &dyn Links, of: Stacked<'_>, picture: &TreeView, params: &Params) -> Markup {
    let profile = of.profile;
    let nodes = &picture.nodes;
    // Without nodes the loop below does nothing.
    let root = nodes.weight.first().copied().unwrap_or(0.0);
    let mut text = String::new();
    // The depths of the nodes whose lists are open.
    let mut open: Vec<u32> = Vec::new();
    for at in 0..nodes.id.len() {
        let Some(depth) = nodes.depth.get(at).copied() else { break };
        while open.last().is_some_and(|last| *last >= depth) {
            open.pop();
            text.push_str("</ul></details></li>");
        }
        if depth > DEEPEST {
            continue;
        }
        let below = nodes.depth.get(at + 1).is_some_and(|next| *next > depth);
        let row = row(of, picture, at);
        let id = nodes.id.get(at).map_or("", String::as_str);
        // Beside the summary, not in it: a summary must not contain another control.
        let zoom = html! {
            @if !links.is_file() {
                a.zoom href=(links.here(&params.with("root", id))) aria-label=(format!("Zoom in on {}", short_name(profile, picture, at))) {
                    @if below && depth == DEEPEST { "deeper" } @else { "zoom" }
                }
            }
        };
        if !below || depth == DEEPEST {
            text.push_str(&html! { li.leaf { (zoom) (row) } }.into_string());
        } else {
            text.extend(["<li>", &zoom.into_string()]);
            // All columns of the nodes are equally long; `against` is empty without a comparison.
            let share = nodes.weight.get(at).copied().unwrap_or(0.0) / root;
            let state = if share >= OPEN || depth == 0 { " open" } else { "" };
            text.extend(["<details", state, "><summary>", &row.into_string(), "</summary><ul>"]);
            open.push(depth);
        }
    }
    for _ in open {
        text.push_str("</ul></details></li>");
    }
    let compared = !nodes.against.is_empty();
    let has_time = of.time_ns(0.0).is_some();
    let more = more(params);
    html! {
        div.scroll tabindex="0" role="region" aria-label="Call tree" {
            div.tree-head.compared[compared].timed[has_time] {
                span.nums {
                    span.num.share { "share" } @if has_time { span.num.time { "time" } } span.num { "total" } span.num.own { "own" }
                    @if compared { span.num.other { "other" } }
                }
                "method"
            }
            ul.tree.compared[compared].timed[has_time] { (PreEscaped(text)) }
        }
        @if picture.hidden_nodes > 0 {
            p.hint { (counted(picture.hidden_nodes, "smaller subtree")) " not listed (" (percent(picture.hidden_weight, picture.total)) ")"
                @if more < MOST_MORE && !links.is_file() { ": " a href=(links.here(&links.params().with("more", &(more + 1).to_string()))) { "list more of them" } } @else if !links.is_file() { ": zoom in to see them" } "." }
        }
    }
}

fn short_name<'a>(profile: &'a WeightedTree, picture: &TreeView, at: usize) -> &'a str {
    let name = picture.nodes.name.get(at).and_then(|name| profile.shape.names.get(*name));
    name.map_or("", |name| name.short.as_str())
}

fn row(of: Stacked<'_>, picture: &TreeView, at: usize) -> Markup {
    let nodes = &picture.nodes;
    let unit = of.metric.unit();
    // `against` is empty without a comparison, and then not asked for.
    let value = |column: &[f64]| column.get(at).copied().unwrap_or(0.0);
    let name = nodes.name.get(at).and_then(|name| of.profile.shape.names.get(*name));
    let Some(name) = name else { return html! {} };
    html! {
        span.nums {
            span.num.share { (percent(value(&nodes.weight), picture.total)) }
            @if let Some(ns) = of.time_ns(value(&nodes.weight)) { span.num.time { (duration(ns / 1e6)) } }
            span.num { (weight(value(&nodes.weight), unit)) }
            span.num.own { @if value(&nodes.own) > 0.0 { (weight(value(&nodes.own), unit)) } }
            @if !nodes.against.is_empty() { span.num.other { (weight(value(&nodes.against), unit)) } }
        }
        (module_of(name)) span class=(format!("name {}", name.class.name())) title=(name.full) { (name.short) }
    }
}
