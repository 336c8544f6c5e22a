//! Small recordings and trees in words, for tests.

use crate::{
    Direction, Filter, Metric, ShapedTree, Shaping, TreeView, ViewOptions, WeightedTree, methods, view, weigh,
};
use model::{Frame, FrameId, SampleRow, Sym, Trace};
use runtime::StackIndex;
use std::sync::Arc;

/// A recording of running samples: stacks, with the outermost frame first, and how often each was sampled. A frame is
/// `Module!Method`.
pub(crate) fn recording(stacks: &[(&[&str], u64)]) -> Trace {
    let mut recording = Trace::default();
    recording.thread_ids.push(7);
    let [state, kind] = ["running", "managed"].map(|text| recording.strings.intern(text));
    let mut ts_ns = 0;
    for (frames, count) in stacks {
        let stack = frames.iter().fold(None, |parent, name| {
            let name = frame(&mut recording, name);
            Some(recording.stacks.child(parent, name))
        });
        for _ in 0..*count {
            let row = SampleRow { ts_ns, thread: 0.into(), stack, kind, state, waiting_on: Sym::NONE };
            recording.samples.push(row);
            ts_ns += 1;
        }
    }
    recording
}

fn frame(recording: &mut Trace, name: &str) -> FrameId {
    let sym = recording.strings.intern(name);
    if let Some(known) = recording.frames.name.find(|of| *of == sym) {
        return known;
    }
    let none = Sym::NONE;
    // Code whose name is lost is `?`.
    let (module, method) = name.split_once('!').unwrap_or_default();
    let [module, method] =
        [module, method].map(|text| if text.is_empty() { none } else { recording.strings.intern(text) });
    recording.frames.push(Frame {
        module,
        declaring_type: none,
        method,
        signature: none,
        name: sym,
        tier: none,
    })
}

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
