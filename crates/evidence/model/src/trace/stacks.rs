//! Stacks as a tree, one row a node, and the frames they are made of.
//!
//! A node's parent is the frame that called it, and has a smaller number: walks end.

use crate::column::{Column, Ids};
use crate::ids::{ByFrame, ByStack, FrameId, StackId};
use crate::strings::Sym;
use crate::tables::{Shared, TableRows, TableSpec, spec};
use rustc_hash::FxHashMap;

/// A method as a stack shows it: one row for each name and tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The module's file name without its ending.
    pub module: Sym,
    /// The type, with its namespace; none where it is not known.
    pub declaring_type: Sym,
    /// The method; none where the address has no name.
    pub method: Sym,
    /// What it takes, in parentheses.
    pub signature: Sym,
    /// All of it: `Module!Type.Method(signature)`.
    pub name: Sym,
    /// How its code was made: `QuickJitted`, `OptimizedTier1`, `ReadyToRun` …
    pub tier: Sym,
}

/// The table `frames`.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the fields are those of Frame")]
pub struct Frames {
    pub module: ByFrame<Sym>,
    pub declaring_type: ByFrame<Sym>,
    pub method: ByFrame<Sym>,
    pub signature: ByFrame<Sym>,
    pub name: ByFrame<Sym>,
    pub tier: ByFrame<Sym>,
}

impl Frames {
    /// Adds a frame; returns its id.
    pub fn push(&mut self, frame: Frame) -> FrameId {
        self.module.push(frame.module);
        self.declaring_type.push(frame.declaring_type);
        self.method.push(frame.method);
        self.signature.push(frame.signature);
        self.name.push(frame.name);
        self.tier.push(frame.tier)
    }
}

/// The tree of stacks.
#[derive(Debug, Default)]
pub struct Stacks {
    /// The caller's node; none at the outermost frame.
    pub parent: ByStack<Option<StackId>>,
    /// The frame of the node.
    pub frame: ByStack<FrameId>,
    /// Frames outside of it: 0 for the outermost.
    pub depth: ByStack<u32>,
    /// Stacks whose outermost frames are missing, in order: the runtime keeps [`RUNTIME_FRAMES`](super::RUNTIME_FRAMES).
    pub cut: Vec<StackId>,
    children: FxHashMap<(Option<StackId>, FrameId), StackId>,
}

impl Stacks {
    /// The node of `frame` called from `parent`.
    pub fn child(&mut self, parent: Option<StackId>, frame: FrameId) -> StackId {
        if let Some(node) = self.children.get(&(parent, frame)) {
            return *node;
        }
        let depth =
            parent.and_then(|parent| self.depth.get(parent)).map_or(0, |depth| depth.saturating_add(1));
        self.parent.push(parent);
        self.frame.push(frame);
        let node = self.depth.push(depth);
        self.children.insert((parent, frame), node);
        node
    }

    /// The nodes of a stack from the innermost outwards.
    pub fn walk(&self, stack: impl Into<Option<StackId>>) -> impl Iterator<Item = StackId> + '_ {
        let known = |node: &StackId| node.index() < self.parent.len();
        std::iter::successors(stack.into().filter(known), move |node| {
            self.parent.get(*node).copied().flatten().filter(known)
        })
    }

    /// The frames of a stack from the innermost outwards.
    pub fn frames(&self, stack: impl Into<Option<StackId>>) -> impl Iterator<Item = FrameId> + '_ {
        self.walk(stack).filter_map(|node| self.frame.get(node).copied())
    }

    /// The innermost frame of a stack.
    pub fn leaf(&self, stack: impl Into<Option<StackId>>) -> Option<FrameId> {
        self.frame.get(stack.into()?).copied()
    }

    /// Whether the outermost frames of a stack are missing.
    pub fn is_cut(&self, stack: impl Into<Option<StackId>>) -> bool {
        stack.into().is_some_and(|stack| self.cut.binary_search(&stack).is_ok())
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.parent.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.parent.is_empty()
    }

    /// Totals of a value over whole subtrees: what a node's own rows have, and those of all it called.
    pub fn totals(&self, own: &[u64]) -> Vec<u64> {
        let mut totals = own.to_vec();
        totals.resize(self.len(), 0);
        for (node, parent) in self.parent.iter().enumerate().rev() {
            let (callers, inner) = totals.split_at_mut(node);
            if let (Some(parent), Some(inner)) = (parent, inner.first())
                && let Some(caller) = callers.get_mut(parent.index())
            {
                *caller = caller.saturating_add(*inner);
            }
        }
        totals
    }

    /// Gives back what was only needed to build the tree.
    pub fn close(&mut self) {
        self.children = FxHashMap::default();
    }
}

impl Frames {
    /// The catalogue's entry.
    pub const SPEC: TableSpec = spec! { "frames",
        "A method in stacks: one row for each name and tier. Addresses without a name share a row.";
        id int "" "The number stacks refer to"
        module text "" "The module: its file's name without the ending"
        class ("type") text "" "The type, with its namespace"
        method text "" "The method; null where the address has no name"
        signature text "" "What it takes, in parentheses"
        name text "" "All of it, as TraceEvent writes it"
        tier text "" "How its code was made: QuickJitted, OptimizedTier1, ReadyToRun …"
    };
}

impl TableRows for Frames {
    fn spec(&self) -> &'static TableSpec {
        &Self::SPEC
    }

    fn rows(&self) -> usize {
        self.name.len()
    }

    fn columns<'a>(&'a self, shared: Shared<'a>) -> Vec<Column<'a>> {
        let Self { module, declaring_type, method, signature, name, tier } = self;
        let texts = [module, declaring_type, method, signature, name, tier];
        let texts = texts.into_iter().map(|list| Column::Text(list, shared.strings));
        std::iter::once(Column::Row).chain(texts).collect()
    }

    fn size_bytes(&self) -> usize {
        self.rows() * size_of::<Frame>()
    }

    fn ascending(&self) -> Option<usize> {
        Some(0)
    }
}

impl Stacks {
    /// The catalogue's entry.
    pub const SPEC: TableSpec = spec! { "stacks",
        "A stack, as a node of the tree of all stacks: its innermost frame, and the stack that called it.";
        id int "" "The number other tables refer to"
        parent int "" "The caller's stack; null at the outermost frame"
        frame int "" "The innermost frame, a row of frames"
        depth int "" "Frames outside of it: 0 for the outermost"
    };
}

impl TableRows for Stacks {
    fn spec(&self) -> &'static TableSpec {
        &Self::SPEC
    }

    fn rows(&self) -> usize {
        self.len()
    }

    fn columns<'a>(&'a self, _shared: Shared<'a>) -> Vec<Column<'a>> {
        let (parent, frame) = (Ids::Stack(&self.parent), Ids::Frame(&self.frame));
        vec![Column::Row, Column::Id(parent), Column::Id(frame), Column::Count(&self.depth)]
    }

    fn size_bytes(&self) -> usize {
        self.len() * 3 * size_of::<u32>()
    }

    fn ascending(&self) -> Option<usize> {
        Some(0)
    }
}
