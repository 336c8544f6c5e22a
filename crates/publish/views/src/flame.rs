//! The flame graph: an SVG whose frames are links, the path to the zoomed frame, the legend, and the data for script.

mod json;
pub(crate) mod legend;

pub use json::json;
use legend::legend;

use crate::words::{counted, percent};
use crate::{Links, Params, Target, script};
use charts::FlameOptions;
use maud::{Markup, PreEscaped, html};
use stacks::{Metric, Name, NameId, TreeView, ViewOptions, WeightedTree, view};

/// The width of the picture without script, in pixels.
const WIDTH: f64 = 1200.0;

/// Stacks summed up by a metric, and how to show them.
#[derive(Debug, Clone, Copy)]
pub struct Stacked<'a> {
    /// The sums.
    pub profile: &'a WeightedTree,
    /// What was summed up.
    pub metric: &'a Metric,
    /// Direction, method and zoom.
    pub options: &'a ViewOptions,
}

/// The flame graph of stacks. Its frames link to other states of the view, which a server must answer.
pub fn flame(links: &dyn Links, of: Stacked<'_>) -> Markup {
    let Stacked { profile, metric, options } = of;
    let params = links.params();
    let picture =
        view(profile, &ViewOptions { least_share: 1.5 / WIDTH, most_nodes: 1_500, ..options.clone() });
    let unit = metric.unit();
    let link = |node: &str| links.here(&params.with("root", node));
    let drawn = charts::flame(profile, &picture, &FlameOptions { width: WIDTH, unit, link: &link });
    let compared = profile.total_against().is_some();
    html! {
        (missed(links, &picture))
        (legend(profile, &picture))
        (crumbs(links, profile, &picture, params))
        div.flame #flame data-flame="" data-flame-url=[links.to(Target::FlameData(params))]
            data-search=[params.get("search")] data-compared[compared] {
            (PreEscaped(&drawn.svg))
        }
        p.hint {
            @if drawn.left_out + picture.hidden_nodes > 0 {
                (counted(drawn.left_out + picture.hidden_nodes, "subtree")) " too narrow to be drawn"
                @if picture.hidden_weight > 0.0 { " (" (percent(picture.hidden_weight, picture.total)) ")" }
                ": zoom in to see them. "
            }
        }
    }
}

/// A small flame graph for a card, with its legend and without controls. A picture of a single bar says nothing, so it is left out.
pub fn small_flame(of: Stacked<'_>, link: &dyn Fn(&str) -> String) -> Markup {
    let Stacked { profile, metric, options } = of;
    let picture = view(profile, options);
    if picture.nodes.id.len() < 2 {
        return html! {};
    }
    let drawn = charts::flame(profile, &picture, &FlameOptions { width: WIDTH, unit: metric.unit(), link });
    html! { (legend(profile, &picture)) div.flame-small { (PreEscaped(&drawn.svg)) } }
}

/// A flame graph that needs no server: the picture, and the data for script as a separate element.
///
/// `options` apply to the data; the picture has fewer frames.
pub fn flame_with_data(of: Stacked<'_>) -> (Markup, String) {
    let Stacked { profile, metric, options } = of;
    let unit = metric.unit();
    let all = view(profile, options);
    let few = view(profile, &ViewOptions { least_share: 1.0 / 300.0, most_nodes: 1_000, ..options.clone() });
    let link = |_: &str| String::new();
    let drawn = charts::flame(profile, &few, &FlameOptions { width: WIDTH, unit, link: &link });
    let compared = profile.total_against().is_some();
    let id = format!("data-{}", metric.name());
    let markup = html! {
        (legend(profile, &few))
        div.flame data-flame="" data-flame-data=(id) data-compared[compared] { (PreEscaped(&drawn.svg)) }
        @if all.hidden_nodes > 0 {
            p.loss { (counted(all.hidden_nodes, "small subtree")) " are not in this file, "
                (percent(all.hidden_weight, all.total)) " in all." }
        }
    };
    (markup, script::data(&id, &json(profile, &all, unit)))
}

/// The colour of a name's module, beside the name in lists.
pub(crate) fn module_of(name: &Name) -> Markup {
    html! { span class=(format!("swatch {}", charts::tone(name.class, &name.module))) title=(name.module) {} }
}

/// Says which requested method or frame the picture lacks.
pub(crate) fn missed(links: &dyn Links, picture: &TreeView) -> Markup {
    html! {
        @if picture.method_missed { p.error role="alert" { "No stack of this " (links.noun()) " has this method in this grouping." } }
        @if picture.zoom_missed { p.error role="alert" { "The zoomed frame has no weight in this selection: the frame above it is shown." } }
    }
}

/// The frames from the root to the zoomed one, as links.
pub(crate) fn crumbs(
    links: &dyn Links,
    profile: &WeightedTree,
    picture: &TreeView,
    params: &Params,
) -> Markup {
    let names = &profile.shape.names;
    let name = |of: NameId| names.get(of).map_or(("", ""), |name| (name.full.as_str(), name.short.as_str()));
    html! {
        @if picture.path.len() > 1 {
            nav.crumbs aria-label="Zoomed to" {
                @for (at, (id, of)) in picture.path.iter().enumerate() {
                    @if at + 1 == picture.path.len() { span title=(name(*of).0) { (name(*of).1) } }
                    @else { a href=(links.here(&params.with("root", id))) title=(name(*of).0) { (name(*of).1) } }
                }
            }
        }
    }
}
