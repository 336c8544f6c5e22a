//! Stacks by the names of their frames.
//!
//! A recording has one frame for each name and tier, since it matters how code was compiled. In a viewer a method is
//! one method, so stacks that differ only in tiers are one stack here, and frames without a name are `?`. A node's
//! parent has a smaller number, so every walk ends at the root; walks are short, since the depth is limited.

use crate::written::{Count, LeftOut};
use model::{ByFrame, ById, ByStack, Id, StackId, Trace};
use rustc_hash::FxHashMap;

/// The frame of a stack that the recording does not have.
pub(crate) const NO_STACK: &str = "[no stack]";
/// The name of a frame without a name.
const NO_NAME: &str = "?";
/// The most frames of a stack. The runtime records about a hundred; formats that write stacks out must not grow with
/// what a file claims.
const MAX_FRAMES: u32 = 512;

/// A node of the tree: a stack. `None` is the root, the stack without frames, of a row whose stack is unknown.
pub(crate) type Node = Option<Id<Nodes>>;

/// What the ids of nodes are of.
#[derive(Debug)]
pub(crate) enum Nodes {}

/// The name of a frame, see [`Tree::names`].
pub(crate) type NameId = Id<Name>;

/// What the ids of names are of.
#[derive(Debug)]
pub(crate) enum Name {}

/// The tree of stacks, by names.
#[derive(Debug, Default)]
pub(crate) struct Tree<'a> {
    /// The names of frames, each once, in the order of the recording.
    pub(crate) names: ById<Name, &'a str>,
    /// The caller of each node.
    parent: ById<Nodes, Node>,
    /// The name of each node.
    name: ById<Nodes, NameId>,
    /// The number of frames of each node.
    frames: ById<Nodes, u32>,
    /// The node of each stack of the recording.
    of: ByStack<Node>,
    /// How many stacks are deeper than the limit and are cut there.
    cut: u64,
}

impl<'a> Tree<'a> {
    /// Joins what differs only in tiers, in one pass over the frames and one over the stacks.
    pub(crate) fn new(recording: &'a Trace) -> Self {
        let mut known: FxHashMap<&str, NameId> = FxHashMap::default();
        let mut names: ById<Name, &str> = ById::default();
        let mut name_of = |text: &'a str| *known.entry(text).or_insert_with(|| names.push(text));
        let text = |sym| recording.strings.get(sym).filter(|name| !name.is_empty()).unwrap_or(NO_NAME);
        let frame_names: ByFrame<NameId> =
            recording.frames.name.iter().map(|sym| name_of(text(*sym))).collect();
        let stacks = &recording.stacks;
        let mut tree = Self::default();
        let mut nodes: FxHashMap<(Node, NameId), Node> = FxHashMap::default();
        for (parent, frame) in stacks.parent.iter().zip(&stacks.frame) {
            // The outermost frame has no parent, and a parent that does not come earlier is damage: both begin at the
            // root.
            let parent = tree.node(*parent);
            let frames = parent.and_then(|parent| tree.frames.get(parent)).map_or(1, |frames| frames + 1);
            if frames > MAX_FRAMES {
                tree.cut += 1;
                tree.of.push(parent);
                continue;
            }
            let name = frame_names.get(*frame).copied().unwrap_or_else(|| name_of(NO_NAME));
            let node = *nodes.entry((parent, name)).or_insert_with(|| {
                tree.parent.push(parent);
                tree.name.push(name);
                Some(tree.frames.push(frames))
            });
            tree.of.push(node);
        }
        tree.names = names;
        tree
    }

    /// The node of a stack of the recording; the root if there is no such stack.
    pub(crate) fn node(&self, stack: Option<StackId>) -> Node {
        self.of.get(stack?).copied().flatten()
    }

    /// What the tree lacks.
    pub(crate) fn left_out(&self) -> Option<LeftOut> {
        let about = || {
            let stacks = Count::new("stacks", self.cut).words();
            format!("the inner frames of {stacks} (deeper than {MAX_FRAMES})")
        };
        (self.cut > 0).then(|| LeftOut::cut(about(), self.cut))
    }

    /// The caller of a node, and the node's name. `None` for the root.
    pub(crate) fn step(&self, node: Node) -> Option<(Node, NameId)> {
        Some((*self.parent.get(node?)?, *self.name.get(node?)?))
    }

    /// The names of a node's frames from the outermost frame inwards, in a list that the caller reuses.
    pub(crate) fn path(&self, node: Node, into: &mut Vec<NameId>) {
        into.clear();
        let mut at = node;
        while let Some((parent, name)) = self.step(at) {
            into.push(name);
            at = parent;
        }
        into.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;
    use model::{Frame, Sym};

    #[test]
    fn stacks_that_differ_only_in_tiers_are_one() {
        let mut builder = Builder::default();
        let plain = builder.stack(&["A", "B"]);
        let a = builder.recording.stacks.frame[0];
        let [name, tier] = builder.recording.texts(["B", "OptimizedTier1"]);
        let none = Sym::NONE;
        let frame = Frame { module: none, declaring_type: none, method: none, signature: none, name, tier };
        let again = builder.recording.frames.push(frame);
        let outer = Some(builder.recording.stacks.child(None, a));
        let optimised = Some(builder.recording.stacks.child(outer, again));
        let nameless = builder.recording.frames.push(Frame { name: none, tier: none, ..frame });
        let unknown = Some(builder.recording.stacks.child(outer, nameless));
        let recording = builder.done();
        let tree = Tree::new(&recording);
        assert_ne!(plain, optimised);
        assert_eq!(tree.node(plain), tree.node(optimised));
        assert_eq!((tree.node(None), tree.name.len()), (None, 3));
        let mut path = Vec::new();
        tree.path(tree.node(unknown), &mut path);
        let names: Vec<&str> = path.iter().map(|name| *tree.names.get(*name).unwrap()).collect();
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
