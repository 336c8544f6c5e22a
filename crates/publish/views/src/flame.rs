//! The flame graph: an SVG whose frames are links, the path to the zoomed frame, the legend, and the data for script.

mod json;

pub use crate::stacked::Stacked;
pub use json::json;

use crate::legend::legend;
use crate::methods::top;
use crate::stacked::{crumbs, missed};
use crate::words::{counted, percent};
use crate::{Links, Target, script};
use charts::FlameOptions;
use maud::{Markup, PreEscaped, html};
use stacks::{ViewOptions, view};

/// The width of the picture without script, in pixels.
const WIDTH: f64 = 1200.0;

/// The flame graph of stacks. Its frames link to other states of the view, which a server must answer.
pub fn flame(links: &dyn Links, of: Stacked<'_>) -> Markup {
    let Stacked { profile, metric, options, .. } = of;
    let params = links.params();
    let picture =
        view(profile, &ViewOptions { least_share: 1.5 / WIDTH, most_nodes: 1_500, ..options.clone() });
    let unit = metric.unit();
    let link = |node: &str| links.here(&params.with("root", node));
    let drawn = charts::flame(
        profile,
        &picture,
        &FlameOptions { width: WIDTH, unit, time_ns: of.time_ns(1.0), link: &link },
    );
    let compared = profile.total_against().is_some();
    html! {
        (missed(links, &picture))
        div.flame-and-top {
        div.flame-main {
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
        (top(Some(links), of))
        }
    }
}

/// A small flame graph for a card, with its legend and without controls. A picture of a single bar says nothing, so it is left out.
pub fn small_flame(of: Stacked<'_>, link: &dyn Fn(&str) -> String) -> Markup {
    let Stacked { profile, metric, options, .. } = of;
    let picture = view(profile, options);
    if picture.nodes.id.len() < 2 {
        return html! {};
    }
    let drawn = charts::flame(
        profile,
        &picture,
        &FlameOptions { width: WIDTH, unit: metric.unit(), time_ns: of.time_ns(1.0), link },
    );
    html! { (legend(profile, &picture)) div.flame-small { (PreEscaped(&drawn.svg)) } }
}

/// A flame graph that needs no server: the picture, and the data for script as a separate element.
///
/// `options` apply to the data, whose element has the id `id`; the picture has fewer frames.
pub fn flame_with_data(of: Stacked<'_>, id: &str) -> (Markup, String) {
    let Stacked { profile, metric, options, .. } = of;
    let unit = metric.unit();
    let all = view(profile, options);
    let few = view(profile, &ViewOptions { least_share: 1.0 / 300.0, most_nodes: 1_000, ..options.clone() });
    let link = |_: &str| String::new();
    let drawn = charts::flame(
        profile,
        &few,
        &FlameOptions { width: WIDTH, unit, time_ns: of.time_ns(1.0), link: &link },
    );
    let compared = profile.total_against().is_some();
    let markup = html! {
        div.flame-and-top {
            div.flame-main {
                (legend(profile, &few))
                div.flame data-flame="" data-flame-data=(id) data-compared[compared] { (PreEscaped(&drawn.svg)) }
            }
            (top(None, of))
        }
        @if all.hidden_nodes > 0 {
            p.loss { (counted(all.hidden_nodes, "small subtree")) " are not in this file, "
                (percent(all.hidden_weight, all.total)) " in all." }
        }
    };
    (markup, script::data(id, &json(&of, &all)))
}
