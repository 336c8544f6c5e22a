//! Stacks by the names of their frames.
//!
//! A recording has one frame for each name and tier, since it matters how code was compiled. In a viewer a method is
//! one method, so stacks that differ only in tiers are one stack here, and frames without a name are `?`. A node's
//! parent has a smaller number, so every walk ends at the root; walks are short, since the depth is limited.

use crate::written::LeftOut;
use model::Trace;
use rustc_hash::FxHashMap;

/// The frame of a stack that the recording does not have.
pub(crate) const NO_STACK: &str = "[no stack]";
/// The name of a frame without a name.
const NO_NAME: &str = "?";
/// The most frames of a stack. The runtime records about a hundred; formats that write stacks out must not grow with
/// what a file claims.
const MAX_FRAMES: u32 = 512;

/// A node of the tree: a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Node(u32);

impl Node {
    /// The stack without frames, of a row whose stack is unknown.
    pub(crate) const ROOT: Self = Self(0);

    /// The place of the node in the columns, which do not contain the root.
    fn place(self) -> Option<usize> {
        self.0.checked_sub(1).map(|place| place as usize)
    }
}

/// The tree of stacks, by names.
#[derive(Debug, Default)]
pub(crate) struct Tree<'a> {
    /// The names of frames, each once, in the order of the recording.
    pub(crate) names: Vec<&'a str>,
    /// The caller of each node.
    parent: Vec<Node>,
    /// The name of each node.
    name: Vec<u32>,
    /// The number of frames of each node.
    frames: Vec<u32>,
    /// The node of each stack of the recording.
    of: Vec<Node>,
    /// How many stacks are deeper than the limit and are cut there.
    cut: u64,
}

impl<'a> Tree<'a> {
    /// Joins what differs only in tiers, in one pass over the frames and one over the stacks.
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
        let mut nodes: FxHashMap<(Node, u32), Node> = FxHashMap::default();
        for (parent, frame) in stacks.parent.iter().zip(&stacks.frame) {
            // The outermost frame has no parent, and a parent that does not come earlier is damage: both begin at the
            // root.
            let parent = tree.node(*parent);
            let frames =
                parent.place().and_then(|place| tree.frames.get(place)).map_or(1, |frames| frames + 1);
            if frames > MAX_FRAMES {
                tree.cut += 1;
                tree.of.push(parent);
                continue;
            }
            let name = frame_names.get(*frame as usize).copied().unwrap_or_else(|| number_of(NO_NAME));
            let node = *nodes.entry((parent, name)).or_insert_with(|| {
                tree.parent.push(parent);
                tree.name.push(name);
                tree.frames.push(frames);
                // Numbers begin at 1, behind the root.
                Node(number(tree.name.len()))
            });
            tree.of.push(node);
        }
        tree.names = names;
        tree
    }

    /// The node of a stack of the recording; the root if there is no such stack.
    pub(crate) fn node(&self, stack: u32) -> Node {
        self.of.get(stack as usize).copied().unwrap_or(Node::ROOT)
    }

    /// What the tree lacks.
    pub(crate) fn left_out(&self) -> Option<LeftOut> {
        let about = format!("the inner frames of stacks that are deeper than {MAX_FRAMES}");
        (self.cut > 0).then(|| LeftOut::new(about, self.cut))
    }

    /// The caller of a node, and the number of the node's name. `None` for the root.
    pub(crate) fn step(&self, node: Node) -> Option<(Node, u32)> {
        let place = node.place()?;
        Some((*self.parent.get(place)?, *self.name.get(place)?))
    }

    /// The numbers of a node's names from the outermost frame inwards, in a list that the caller reuses.
    pub(crate) fn path(&self, node: Node, into: &mut Vec<u32>) {
        into.clear();
        let mut at = node;
        while let Some((parent, name)) = self.step(at) {
            into.push(name);
            at = parent;
        }
        into.reverse();
    }
}

/// A place in a list, as the number that refers to it.
pub(crate) fn number(place: usize) -> u32 {
    // The lists are no longer than the recording's own, whose numbers are `u32` too.
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;
    use model::{Frame, NO_ID, Sym};

    #[test]
    fn stacks_that_differ_only_in_tiers_are_one() {
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
        assert_eq!((tree.node(NO_ID), tree.name.len()), (Node::ROOT, 3));
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
