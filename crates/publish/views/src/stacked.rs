//! Stacks summed up as views show them: the sums with their metric, and what stands above every picture of them.

use crate::{Links, Params};
use maud::{Markup, html};
use report::unit::duration;
use stacks::{Metric, NameId, TreeView, ViewOptions, WeightedTree};

/// Stacks summed up by a metric, and how to show them.
#[derive(Debug, Clone, Copy)]
pub struct Stacked<'a> {
    /// The sums.
    pub profile: &'a WeightedTree,
    /// What was summed up.
    pub metric: &'a Metric,
    /// Direction, method and zoom.
    pub options: &'a ViewOptions,
    /// How much time of a thread one sample stands for, in nanoseconds, if that is known.
    pub sample_ns: Option<f64>,
}

impl Stacked<'_> {
    /// The time of threads that a weight stands for, in nanoseconds. `None` if it is not a number of samples.
    pub(crate) fn time_ns(&self, weight: f64) -> Option<f64> {
        self.metric.is_of_samples().then_some(self.sample_ns? * weight)
    }

    /// The same as text.
    pub(crate) fn time(&self, weight: f64) -> Option<String> {
        Some(format!("≈ {}", duration(self.time_ns(weight)? / 1e6)))
    }
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
