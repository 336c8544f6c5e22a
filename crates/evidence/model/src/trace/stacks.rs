//! Stacks as a tree, one row a node, and the frames they are made of.
//!
//! A node's parent is the frame that called it, and has a smaller number: walks end.

use crate::column::{Column, NO_ID};
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

/// Frames by number, in columns.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the fields are those of Frame")]
pub struct Frames {
    pub module: Vec<Sym>,
    pub declaring_type: Vec<Sym>,
    pub method: Vec<Sym>,
    pub signature: Vec<Sym>,
    pub name: Vec<Sym>,
    pub tier: Vec<Sym>,
}

impl Frames {
    /// Adds a frame; gives its number.
    pub fn push(&mut self, frame: Frame) -> u32 {
        let number = u32::try_from(self.name.len()).unwrap_or(NO_ID);
        self.module.push(frame.module);
        self.declaring_type.push(frame.declaring_type);
        self.method.push(frame.method);
        self.signature.push(frame.signature);
        self.name.push(frame.name);
        self.tier.push(frame.tier);
        number
    }
}

/// The tree of stacks.
#[derive(Debug, Default)]
pub struct Stacks {
    /// The caller's node; [`NO_ID`] at the outermost frame.
    pub parent: Vec<u32>,
    /// The frame of the node.
    pub frame: Vec<u32>,
    /// Frames outside of it: 0 for the outermost.
    pub depth: Vec<u32>,
    /// Stacks whose outermost frames are missing, in order: the runtime keeps [`RUNTIME_FRAMES`](super::RUNTIME_FRAMES).
    pub cut: Vec<u32>,
    children: FxHashMap<(u32, u32), u32>,
}

impl Stacks {
    /// The node of `frame` called from `parent` ([`NO_ID`] for none).
    pub fn child(&mut self, parent: u32, frame: u32) -> u32 {
        if let Some(node) = self.children.get(&(parent, frame)) {
            return *node;
        }
        let node = u32::try_from(self.parent.len()).unwrap_or(NO_ID);
        let depth = self.depth.get(parent as usize).map_or(0, |depth| depth.saturating_add(1));
        self.parent.push(parent);
        self.frame.push(frame);
        self.depth.push(depth);
        self.children.insert((parent, frame), node);
        node
    }

    /// The nodes of a stack from the innermost outwards.
    pub fn walk(&self, stack: u32) -> impl Iterator<Item = u32> + '_ {
        let known = |node: u32| (node as usize) < self.parent.len();
        std::iter::successors(Some(stack).filter(|node| known(*node)), move |node| {
            self.parent.get(*node as usize).copied().filter(|parent| known(*parent))
        })
    }

    /// Whether the outermost frames of a stack are missing.
    pub fn is_cut(&self, stack: u32) -> bool {
        self.cut.binary_search(&stack).is_ok()
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
        for node in (0..self.len()).rev() {
            let parent = self.parent[node] as usize;
            if parent < node {
                totals[parent] = totals[parent].saturating_add(totals[node]);
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
        vec![Column::Row, Column::Id(&self.parent), Column::Id(&self.frame), Column::Id(&self.depth)]
    }

    fn size_bytes(&self) -> usize {
        self.len() * 3 * size_of::<u32>()
    }

    fn ascending(&self) -> Option<usize> {
        Some(0)
    }
}
