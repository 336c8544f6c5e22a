//! Trees in words, for tests.

use crate::{
    Direction, Filter, Metric, ShapedTree, Shaping, TreeView, ViewOptions, WeightedTree, methods, view, weigh,
};
use model::Trace;
use runtime::StackIndex;
use std::sync::Arc;

pub(crate) fn profile(recording: &Trace, shaping: &Shaping) -> WeightedTree {
    let shape = ShapedTree::new(recording, &StackIndex::new(recording), shaping);
    WeightedTree::new(Arc::new(shape), &weigh(recording, &Metric::Running, &Filter::default()))
}

pub(crate) fn options(direction: Direction) -> ViewOptions {
    ViewOptions { direction, method: None, zoom: None, least_share: 0.0, most_nodes: 1000 }
}

/// The nodes of a view, one per line, indented by depth: name, weight, and own weight in brackets unless it is 0.
pub(crate) fn lines(profile: &WeightedTree, view: &TreeView) -> String {
    let mut text = String::new();
    for at in 0..view.nodes.id.len() {
        let indent = " ".repeat(view.nodes.depth[at] as usize);
        let name = &profile.shape.names.get(view.nodes.name[at]).unwrap().full;
        let own =
            if view.nodes.own[at] == 0.0 { String::new() } else { format!(" ({})", view.nodes.own[at]) };
        text.extend([format!("{indent}{name} {}{own}\n", view.nodes.weight[at])]);
    }
    text
}

pub(crate) fn tree(recording: &Trace, shaping: &Shaping) -> String {
    let profile = profile(recording, shaping);
    lines(&profile, &view(&profile, &options(Direction::Down)))
}

pub(crate) fn method_lines(recording: &Trace) -> String {
    let profile = profile(recording, &Shaping::default());
    let methods = methods(&profile);
    let line = |row: &crate::MethodRow| {
        let name = &profile.shape.names.get(row.name).unwrap().full;
        format!("{name} own {} total {}\n", row.own, row.total)
    };
    methods.rows.iter().map(line).collect()
}
