//! A call tree as nested lists that open and close by themselves, heaviest first.

use crate::page::Ctx;
use crate::params::Params;
use crate::selection::Selection;
use crate::words::{counted, percent};
use maud::{Markup, PreEscaped, html};
use stacks::{Profile, View, written_weight as weight};

/// A node with a larger share of the root is open from the beginning.
const OPEN: f64 = 0.1;
/// Nodes further down are behind a link: browsers nest only so deep.
const DEEPEST: u32 = 150;

/// The tree of a view; `params` are those of the page that its links zoom in.
pub(crate) fn tree(
    ctx: &Ctx<'_>,
    selection: &Selection,
    profile: &Profile,
    picture: &View,
    params: &Params,
) -> Markup {
    let nodes = &picture.nodes;
    let root = nodes.weight.first().copied().unwrap_or(0.0);
    let mut text = String::new();
    // Lists that are open, by the depth of their nodes.
    let mut open: Vec<u32> = Vec::new();
    for at in 0..nodes.id.len() {
        let depth = nodes.depth.get(at).copied().unwrap_or(0);
        while open.last().is_some_and(|last| *last >= depth) {
            open.pop();
            text.push_str("</ul></details></li>");
        }
        if depth > DEEPEST {
            continue;
        }
        let below = nodes.depth.get(at + 1).is_some_and(|next| *next > depth);
        let row = row(selection, profile, picture, at);
        let id = nodes.id.get(at).map_or("", String::as_str);
        // Beside the row and not in it: what opens and closes has no other control in it.
        let zoom = html! {
            @if !ctx.is_file() {
                a.zoom href=(params.with("root", id).href(ctx.path)) aria-label=(format!("Zoom in on {}", short_name(profile, picture, at))) {
                    @if below && depth == DEEPEST { "deeper" } @else { "zoom" }
                }
            }
        };
        if !below || depth == DEEPEST {
            text.push_str(&html! { li.leaf { (zoom) (row) } }.into_string());
        } else {
            text.extend(["<li>", &zoom.into_string()]);
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
    html! {
        div.scroll tabindex="0" role="region" aria-label="Call tree" {
            div.tree-head.compared[compared] {
                span.nums {
                    span.num.share { "share" } span.num { "total" } span.num.own { "own" }
                    @if compared { span.num.other { "other" } }
                }
                "method"
            }
            ul.tree.compared[compared] { (PreEscaped(text)) }
        }
        @if picture.hidden_nodes > 0 {
            p.hint { (counted(picture.hidden_nodes, "smaller subtree")) " not listed (" (percent(picture.hidden_weight, picture.total)) ")." }
        }
    }
}

fn short_name<'a>(profile: &'a Profile, picture: &View, at: usize) -> &'a str {
    let name = picture.nodes.name.get(at).and_then(|name| profile.shape.names.get(*name as usize));
    name.map_or("", |name| name.short.as_str())
}

fn row(selection: &Selection, profile: &Profile, picture: &View, at: usize) -> Markup {
    let nodes = &picture.nodes;
    let unit = selection.metric.unit();
    let value = |column: &[f64]| column.get(at).copied().unwrap_or(0.0);
    let name = nodes.name.get(at).and_then(|name| profile.shape.names.get(*name as usize));
    let Some(name) = name else { return html! {} };
    html! {
        span.nums {
            span.num.share { (percent(value(&nodes.weight), picture.total)) }
            span.num { (weight(value(&nodes.weight), unit)) }
            span.num.own { @if value(&nodes.own) > 0.0 { (weight(value(&nodes.own), unit)) } }
            @if !nodes.against.is_empty() { span.num.other { (weight(value(&nodes.against), unit)) } }
        }
        span class=(format!("name {}", name.class.name())) title=(name.full) { (name.short) }
    }
}
