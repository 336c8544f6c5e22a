//! The tree of stacks, with its frames grouped and folded.

use model::{ByFrame, ById, ByStack, Id, StackId, Sym, Trace};
use regex::Regex;
use runtime::{Owner, StackIndex, written_name};
use rustc_hash::FxHashMap;

/// A node of a shape.
pub(crate) type NodeId = Id<ShapedTree>;
/// A name of a shape.
pub type NameId = Id<Name>;

/// The node above all stacks.
pub(crate) const ROOT: NodeId = Id::at(0);
/// The node of rows without a stack.
pub(crate) const STACKLESS: NodeId = Id::at(1);
/// The name of the root.
pub(crate) const ALL_NAME: NameId = Id::at(0);
const STACKLESS_NAME: NameId = Id::at(1);
const ALL: &str = "all";
/// The longest name of a group, in bytes. A replacement may repeat what its pattern matched.
const LONGEST_GROUP: usize = 1024;
/// The name of the node of rows without a stack.
const NO_STACK: &str = "[no stack]";

/// Which frames share a name.
#[derive(Debug, Clone, Default)]
pub enum GroupBy {
    /// Those of one method, in any tier.
    #[default]
    Method,
    /// Those of one type.
    Type,
    /// Those of one namespace.
    Namespace,
    /// Those of one module.
    Module,
    /// Those for which the first pattern that matches has the same replacement. `$1` is the first group of the pattern. A frame
    /// that no pattern matches is named by its method.
    Patterns(Vec<(Regex, String)>),
}

/// How a tree of stacks is to be shaped.
#[derive(Debug, Clone, Default)]
pub struct Shaping {
    /// Which frames share a name.
    pub group: GroupBy,
    /// Whether frames that are not the user's own are left out, so that their weight goes to their callers. The outermost frame of
    /// a stack always stays.
    pub my_code: bool,
    /// Frames whose full name matches are left out, so that their weight goes to their callers.
    pub fold: Option<Regex>,
}

/// Whose code a name is, by the first frame that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameClass {
    /// The service's own.
    User,
    /// A package's.
    Library,
    /// The runtime's.
    Framework,
    /// Made at run time.
    Dynamic,
    /// An address without a name, or no frame at all.
    Unknown,
}

impl NameClass {
    fn of(owner: Owner) -> Self {
        match owner {
            Owner::User => Self::User,
            Owner::Library => Self::Library,
            Owner::Framework => Self::Framework,
            Owner::Dynamic => Self::Dynamic,
            Owner::Unknown => Self::Unknown,
        }
    }

    fn is_foreign(self) -> bool {
        matches!(self, Self::Library | Self::Framework | Self::Unknown)
    }

    /// Its name in pages and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Library => "library",
            Self::Framework => "framework",
            Self::Dynamic => "dynamic",
            Self::Unknown => "unknown",
        }
    }
}

/// A name of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// In full: `Module!Namespace.Type.Method(signature)`.
    pub full: String,
    /// For pictures: `Type.Method`.
    pub short: String,
    /// Whose code it is.
    pub class: NameClass,
    /// Whether it does not say what ran, so that it counts for its caller.
    pub stands_in: bool,
}

/// A shaped tree of stacks. Node 0 is above all stacks, node 1 is for rows without a stack.
#[derive(Debug, Clone, Default)]
pub struct ShapedTree {
    /// The names of nodes.
    pub names: ById<Name, Name>,
    /// The parent of each node; none for the root. Parents come before children, so walks end.
    pub(crate) parent: ById<ShapedTree, Option<NodeId>>,
    /// The name of each node.
    pub(crate) name: ById<ShapedTree, NameId>,
    /// The first stack of each node, by which the node is known in every shape; none for nodes 0 and 1. In a joined shape,
    /// the stacks of the other recording follow the own ones.
    pub(crate) representative: ById<ShapedTree, Option<StackId>>,
    pub(crate) node_of_stack: ByStack<NodeId>,
    /// The children of node `n` are `children[first_child[n]..first_child[n + 1]]`.
    first_child: Vec<u32>,
    children: Vec<NodeId>,
}

impl ShapedTree {
    /// Shapes the stacks of a recording.
    pub fn new(recording: &Trace, index: &StackIndex, shaping: &Shaping) -> Self {
        let names = FrameNames::new(recording, index, shaping);
        let mut shape = Self { names: names.names, ..Self::default() };
        let mut known: FxHashMap<(NodeId, NameId), NodeId> = FxHashMap::default();
        shape.push(None, ALL_NAME, None);
        shape.push(Some(ROOT), STACKLESS_NAME, None);
        let collapses = !matches!(shaping.group, GroupBy::Method);
        let stacks = &recording.stacks;
        for ((stack, parent), frame) in stacks.parent.iter_with_ids().zip(&stacks.frame) {
            let caller = parent.and_then(|parent| shape.node_of_stack.get(parent)).copied().unwrap_or(ROOT);
            let name = names.of_frame.get(*frame).copied().flatten();
            let class = names.class.get(*frame).copied().unwrap_or(NameClass::Unknown);
            // The outermost frame stays, so that threads without user code remain distinct.
            let joins_run = shaping.my_code && class.is_foreign() && caller != ROOT;
            let joins_caller = |name: &NameId| collapses && shape.name.get(caller) == Some(name);
            // Frames that are folded, or that continue their caller's name, add no node.
            let node = match name.filter(|name| !joins_run && !joins_caller(name)) {
                None => caller,
                Some(name) => *known
                    .entry((caller, name))
                    .or_insert_with(|| shape.push(Some(caller), name, Some(stack))),
            };
            shape.node_of_stack.push(node);
        }
        shape.link();
        shape
    }

    fn push(&mut self, parent: Option<NodeId>, name: NameId, representative: Option<StackId>) -> NodeId {
        self.parent.push(parent);
        self.name.push(name);
        self.representative.push(representative)
    }

    /// Lists the children of every node.
    fn link(&mut self) {
        let len = self.parent.len();
        let mut first = vec![0u32; len + 1];
        for parent in self.parent.iter().flatten() {
            first[parent.index() + 1] += 1;
        }
        for at in 1..first.len() {
            first[at] += first[at - 1];
        }
        let mut next = first.clone();
        let mut children = vec![ROOT; len.saturating_sub(1)];
        for (node, parent) in self.parent.iter_with_ids() {
            let Some(parent) = parent else { continue };
            let place = &mut next[parent.index()];
            children[*place as usize] = node;
            *place += 1;
        }
        self.first_child = first;
        self.children = children;
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.parent.len()
    }

    /// The nodes that a node calls.
    pub(crate) fn children(&self, node: NodeId) -> &[NodeId] {
        let at = node.index();
        let (Some(from), Some(to)) = (self.first_child.get(at), self.first_child.get(at + 1)) else {
            return &[];
        };
        self.children.get(*from as usize..*to as usize).unwrap_or_default()
    }

    /// The node that calls a node. `None` for outermost frames.
    pub(crate) fn caller(&self, node: NodeId) -> Option<NodeId> {
        self.parent.get(node).copied().flatten().filter(|parent| *parent != ROOT)
    }

    /// The name of a node.
    pub(crate) fn name_of(&self, node: NodeId) -> Option<NameId> {
        self.name.get(node).copied()
    }

    /// A name by its full text.
    pub(crate) fn find_name(&self, full: &str) -> Option<NameId> {
        self.names.find(|name| name.full == full)
    }

    /// The node that is known by a stack. `None` stands for rows without a stack.
    pub(crate) fn node_of(&self, stack: Option<StackId>) -> Option<NodeId> {
        let Some(stack) = stack else { return Some(STACKLESS) };
        // Nodes that only the other recording has follow the own stacks.
        let own = self.node_of_stack.get(stack).copied();
        own.or_else(|| self.representative.find(|of| *of == Some(stack)))
    }

    /// The shape with the nodes of another one added, and the node of each of the other's nodes.
    pub(crate) fn joined(&self, other: &Self) -> (Self, ById<Self, NodeId>) {
        let mut joined = self.clone();
        let mut by_text: FxHashMap<&str, NameId> = FxHashMap::default();
        for (id, name) in self.names.iter_with_ids() {
            by_text.entry(&name.full).or_insert(id);
        }
        let mut name_of: ById<Name, NameId> = ById::default();
        for name in &other.names {
            let known = by_text.get(name.full.as_str()).copied();
            name_of.push(known.unwrap_or_else(|| joined.names.push(name.clone())));
        }
        let mut known: FxHashMap<(Option<NodeId>, NameId), NodeId> = FxHashMap::default();
        for ((node, parent), name) in self.parent.iter_with_ids().zip(&self.name) {
            known.entry((*parent, *name)).or_insert(node);
        }
        let own_stacks = self.node_of_stack.len();
        let mut node_of: ById<Self, NodeId> = ById::default();
        for ((parent, name), first) in other.parent.iter().zip(&other.name).zip(&other.representative) {
            let Some(parent) = parent else {
                node_of.push(ROOT);
                continue;
            };
            let caller = node_of.get(*parent).copied().unwrap_or(ROOT);
            // Every name of the other shape has its name here by now.
            let name = name_of.get(*name).copied().unwrap_or(ALL_NAME);
            let first = first.and_then(|first| StackId::new(own_stacks.saturating_add(first.index())));
            let node = known.entry((Some(caller), name));
            node_of.push(*node.or_insert_with(|| joined.push(Some(caller), name, first)));
        }
        joined.link();
        (joined, node_of)
    }
}

/// The name and the class of every frame.
struct FrameNames {
    names: ById<Name, Name>,
    /// The name of each frame. `None` if the frame is folded.
    of_frame: ByFrame<Option<NameId>>,
    class: ByFrame<NameClass>,
}

impl FrameNames {
    fn new(recording: &Trace, index: &StackIndex, shaping: &Shaping) -> Self {
        let special = |text: &str| Name {
            full: text.into(),
            short: text.into(),
            class: NameClass::Unknown,
            stands_in: false,
        };
        let mut names = ById::from(vec![special(ALL), special(NO_STACK)]);
        let mut known: FxHashMap<String, NameId> = FxHashMap::default();
        let frames = &recording.frames;
        let (mut of_frame, mut classes) = (ByFrame::default(), ByFrame::default());
        for (frame, sym) in frames.name.iter_with_ids() {
            let full = recording.strings.text(*sym);
            let class = NameClass::of(index.owner(frame));
            classes.push(class);
            if shaping.fold.as_ref().is_some_and(|fold| fold.is_match(full)) {
                of_frame.push(None);
                continue;
            }
            let text = |list: &ByFrame<Sym>| {
                list.get(frame).and_then(|sym| recording.strings.get(*sym)).unwrap_or_default()
            };
            let grouped = group(&shaping.group, full, text(&frames.module), text(&frames.declaring_type));
            let name = *known.entry(grouped).or_insert_with_key(|full| {
                let short = match &shaping.group {
                    GroupBy::Method => short_name(full),
                    GroupBy::Patterns(_) if full.contains('!') => short_name(full),
                    GroupBy::Type => full.rsplit('!').next().unwrap_or(full).to_owned(),
                    _ => full.clone(),
                };
                let by_method = matches!(shaping.group, GroupBy::Method);
                let stands_in = by_method && index.stands_in(frame);
                names.push(Name { full: full.clone(), short, class, stands_in })
            });
            of_frame.push(Some(name));
        }
        Self { names, of_frame, class: classes }
    }
}

/// The name of a frame in a grouping.
fn group(by: &GroupBy, full: &str, module: &str, class: &str) -> String {
    let module_or_full = || if module.is_empty() { full.to_owned() } else { module.to_owned() };
    match by {
        GroupBy::Method => full.to_owned(),
        GroupBy::Module => module_or_full(),
        GroupBy::Type if class.is_empty() => module_or_full(),
        GroupBy::Type => format!("{module}!{class}"),
        GroupBy::Namespace => namespace(class).map_or_else(module_or_full, str::to_owned),
        GroupBy::Patterns(patterns) => {
            for (pattern, replacement) in patterns {
                if let Some(found) = pattern.captures(full) {
                    let mut name = String::new();
                    found.expand(replacement, &mut name);
                    name.truncate(name.floor_char_boundary(LONGEST_GROUP));
                    return name;
                }
            }
            full.to_owned()
        }
    }
}

fn namespace(class: &str) -> Option<&str> {
    let outer = class.split(['+', '`', '[', '<']).next()?;
    outer.rsplit_once('.').map(|(namespace, _)| namespace)
}

/// `Type.Method` of a full name, without module, namespace and signature. Async methods have the name of their source.
pub fn short_name(full: &str) -> String {
    short_written(&written_name(full))
}

/// `Type.Method` of a name as its source has it.
pub fn short_written(written: &str) -> String {
    let mut depth = 0u32;
    let mut dots = Vec::new();
    for (at, character) in written.char_indices() {
        match character {
            '[' | '<' | '(' => depth += 1,
            ']' | '>' | ')' => depth = depth.saturating_sub(1),
            // A constructor is `..ctor`: its name begins with a dot.
            '.' if depth == 0 && !written.get(..at).is_some_and(|before| before.ends_with('.')) => {
                dots.push(at);
            }
            _ => {}
        }
    }
    let cut = dots.len().checked_sub(2).and_then(|at| dots.get(at));
    cut.and_then(|at| written.get(at + 1..)).unwrap_or(written).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern;
    use crate::testing::tree;

    #[test]
    fn a_picture_shows_type_and_method() {
        let check = |full, expected: &str| assert_eq!(short_name(full), expected, "{full}");
        check("Shop!Shop.Orders.Cart.Add(int32)", "Cart.Add");
        check("Shop!Shop.Cart+<AddAsync>d__7.MoveNext()", "Cart.AddAsync");
        check("System.Private.CoreLib!System.String..ctor(char[])", "String..ctor");
        check("Shop!Main", "Main");
        check("A!B.List`1[System.String].Add(!0)", "List`1[System.String].Add");
        check("?", "?");
        check("", "");
    }

    #[test]
    fn stacks_grouped_by_module_have_a_node_for_a_run_of_it() {
        let recording = Trace::sampled(&[(&["A!x", "A!y", "B!z", "A!x"], 1), (&["A!y", "B!z"], 2)]);
        let shaping = Shaping { group: GroupBy::Module, ..Shaping::default() };
        assert_eq!(tree(&recording, &shaping), "all 3\n A 3\n  B 3 (2)\n   A 1 (1)\n");
    }

    #[test]
    fn a_folded_frame_gives_what_it_weighs_to_its_caller() {
        let recording = Trace::sampled(&[(&["A!x", "B!z"], 1), (&["A!x", "B!z", "C!w"], 2), (&["B!z"], 4)]);
        let shaping = Shaping { fold: Some(pattern("^B!").unwrap()), ..Shaping::default() };
        assert_eq!(tree(&recording, &shaping), "all 7 (4)\n A!x 3 (1)\n  C!w 2 (2)\n");
    }

    #[test]
    fn just_my_code_takes_over_what_it_called_of_the_framework() {
        let recording = Trace::sampled(&[
            (&["System.Private.CoreLib!Start", "System.Private.CoreLib!Run", "Shop!Pay"], 1),
            (
                &[
                    "System.Private.CoreLib!Start",
                    "System.Private.CoreLib!Other",
                    "Shop!Pay",
                    "System.Linq!Sum",
                    "System.Private.CoreLib!Add",
                ],
                2,
            ),
        ]);
        let shaping = Shaping { my_code: true, ..Shaping::default() };
        assert_eq!(tree(&recording, &shaping), "all 3\n System.Private.CoreLib!Start 3\n  Shop!Pay 3 (3)\n");
    }

    #[test]
    fn patterns_group_by_their_replacement() {
        let recording = Trace::sampled(&[(&["Shop.Core!a", "Shop.Web!b", "Other!c"], 1)]);
        let group = GroupBy::Patterns(vec![(pattern("^(Shop)[^!]*!").unwrap(), "the $1".into())]);
        let shaping = Shaping { group, ..Shaping::default() };
        assert_eq!(tree(&recording, &shaping), "all 1\n the Shop 1\n  Other!c 1 (1)\n");
    }
}
