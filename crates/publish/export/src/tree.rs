//! Stacks by the names of their frames.
//!
//! A recording keeps one frame for each name and tier, since it matters how code was compiled. In a viewer a method
//! is one method, so stacks that differ in tiers alone are one here, and frames without a name are `?`. A node's
//! parent has a smaller number, so walks end; they end soon, since a stack has a limit.

use crate::left::LeftOut;
use model::{NO_ID, Trace};
use rustc_hash::FxHashMap;

/// What stands for a stack that the recording does not have.
pub(crate) const NO_STACK: &str = "[no stack]";
/// What stands for a frame without any name.
const NO_NAME: &str = "?";
/// Frames of a stack. The runtime records about a hundred; formats that write stacks out must not grow by what a file
/// claims.
const MOST_FRAMES: u32 = 512;

/// The tree of stacks, by names.
#[derive(Debug, Default)]
pub(crate) struct Tree<'a> {
    /// The names of frames, each once, in the order in which the recording has them.
    pub(crate) names: Vec<&'a str>,
    /// The caller of each node.
    parent: Vec<u32>,
    /// The name of each node.
    name: Vec<u32>,
    /// The frames of each node.
    frames: Vec<u32>,
    /// The node of each stack of the recording.
    of: Vec<u32>,
    /// Stacks that are deeper than the limit: they end there.
    cut: u64,
}

impl<'a> Tree<'a> {
    /// Joins what differs in tiers alone: one pass over the frames and one over the stacks.
    pub(crate) fn new(recording: &'a Trace) -> Self {
        let mut numbers: FxHashMap<&str, u32> = FxHashMap::default();
        let mut names: Vec<&str> = Vec::new();
        let mut number_of = |text: &'a str| {
            *numbers.entry(text).or_insert_with(|| {
                names.push(text);
                number(names.len() - 1)
            })
        };
        let text = |sym| recording.strings.get(sym).filter(|name| !name.is_empty()).unwrap_or(NO_NAME);
        let frame_names: Vec<u32> = recording.frames.name.iter().map(|sym| number_of(text(*sym))).collect();
        let stacks = &recording.stacks;
        let mut tree = Self::default();
        let mut nodes: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        for (parent, frame) in stacks.parent.iter().zip(&stacks.frame) {
            // A parent that is no earlier node is none: the outermost frame has no caller.
            let parent = tree.of.get(*parent as usize).copied().unwrap_or(NO_ID);
            let frames = tree.frames.get(parent as usize).map_or(1, |frames| frames.saturating_add(1));
            if frames > MOST_FRAMES {
                tree.cut += 1;
                tree.of.push(parent);
                continue;
            }
            let name = frame_names.get(*frame as usize).copied().unwrap_or_else(|| number_of(NO_NAME));
            let node = *nodes.entry((parent, name)).or_insert_with(|| {
                tree.parent.push(parent);
                tree.name.push(name);
                tree.frames.push(frames);
                number(tree.name.len() - 1)
            });
            tree.of.push(node);
        }
        tree.names = names;
        tree
    }

    /// The node of a stack; [`NO_ID`] where there is none.
    pub(crate) fn node(&self, stack: u32) -> u32 {
        self.of.get(stack as usize).copied().unwrap_or(NO_ID)
    }

    /// What of the stacks is not in the tree.
    pub(crate) fn left_out(&self) -> Option<LeftOut> {
        let about = format!("the inner frames of stacks that are deeper than {MOST_FRAMES}");
        (self.cut > 0).then(|| LeftOut::new(about, self.cut))
    }

    /// The caller of a node.
    pub(crate) fn parent(&self, node: u32) -> u32 {
        self.parent.get(node as usize).copied().unwrap_or(NO_ID)
    }

    /// The number of a node's name.
    pub(crate) fn name(&self, node: u32) -> Option<u32> {
        self.name.get(node as usize).copied()
    }

    /// The numbers of a node's names from the outermost frame inwards, in a list that is used again.
    pub(crate) fn path(&self, node: u32, into: &mut Vec<u32>) {
        into.clear();
        let mut at = node;
        while let Some(name) = self.name(at) {
            into.push(name);
            at = self.parent(at);
        }
        into.reverse();
    }
}

/// A place in a list, as the number that refers to it.
pub(crate) fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(NO_ID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;
    use model::{Frame, Sym};

    #[test]
    fn stacks_that_differ_in_tiers_alone_are_one() {
        let mut builder = Builder::default();
        let plain = builder.stack(&["A", "B"]);
        let a = builder.recording.stacks.frame[0];
        let name = builder.text("B");
        let tier = builder.text("OptimizedTier1");
        let none = Sym::NONE;
        let frame = Frame { module: none, declaring_type: none, method: none, signature: none, name, tier };
        let again = builder.recording.frames.push(frame);
        let outer = builder.recording.stacks.child(NO_ID, a);
        let optimised = builder.recording.stacks.child(outer, again);
        let nameless = builder.recording.frames.push(Frame { name: none, tier: none, ..frame });
        let unknown = builder.recording.stacks.child(outer, nameless);
        let recording = builder.done();
        let tree = Tree::new(&recording);
        assert_ne!(plain, optimised);
        assert_eq!(tree.node(plain), tree.node(optimised));
        assert_eq!((tree.node(NO_ID), tree.name.len()), (NO_ID, 3));
        let mut path = Vec::new();
        tree.path(tree.node(unknown), &mut path);
        let names: Vec<&str> = path.iter().map(|name| tree.names[*name as usize]).collect();
        assert_eq!(names, ["A", "?"]);
    }

    #[test]
    fn a_stack_without_end_is_cut_and_counted() {
        let mut builder = Builder::default();
        let deep = builder.stack(&vec!["A"; 10_000]);
        let recording = builder.done();
        let tree = Tree::new(&recording);
        let mut path = Vec::new();
        tree.path(tree.node(deep), &mut path);
        assert_eq!(path.len(), 512);
        assert_eq!(tree.left_out().and_then(|left| left.count), Some(10_000 - 512));
    }
}
