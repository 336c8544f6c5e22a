//! The tree of stacks, with its frames grouped and folded.

use crate::short::{short_async_name, short_name, shown_type};
use crate::weigh::Weighed;
use model::{ByFrame, ById, ByStack, Id, StackId, Sym, Trace};
use regex::Regex;
use runtime::{HandlerNames, Owner, Plumbing, StackIndex};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

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
/// The type of methods that were made at run time.
const MADE_AT_RUN_TIME: &str = "!dynamicClass.";
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
    /// Whether async plumbing is left out, so that its weight goes to its callers. Of a stack that has nothing else, the frame
    /// that says most stays.
    pub folds_plumbing: bool,
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
    /// In full: `Module!Namespace.Type.Method(signature)`. Of several methods that handle the requests to one route, that of the
    /// service.
    pub full: String,
    /// For pictures: `Type.Method`, `Type.Method (async)` for what an async method runs, or `handler of GET /orders/{id}`.
    pub short: String,
    /// The module of the first frame that has it; empty without one.
    pub module: Arc<str>,
    /// Whose code it is.
    pub class: NameClass,
    /// Whether it does not say what ran, so that it counts for its caller.
    pub stands_in: bool,
    /// Whether it stands for what handles the requests to one route.
    pub is_handler: bool,
}

impl Name {
    /// What the name has in common with that of the same code in another recording. The compiler and the runtime number handlers
    /// anew in each build.
    fn in_every_recording(&self) -> &str {
        if self.is_handler { &self.short } else { &self.full }
    }
}

/// A shaped tree of stacks. Node 0 is above all stacks, node 1 is for rows without a stack.
#[derive(Debug, Clone, Default)]
pub struct ShapedTree {
    /// The names of nodes.
    pub names: ById<Name, Name>,
    /// Names in full of methods whose node has another one's name: those that handle the requests to one route.
    pub(crate) aliases: BTreeMap<String, NameId>,
    /// The parent of each node; none for the root. Parents come before children, so walks end.
    pub(crate) parent: ById<ShapedTree, Option<NodeId>>,
    /// The name of each node.
    pub(crate) name: ById<ShapedTree, NameId>,
    /// The first stack of each node, by which the node is known in every shape; none for nodes 0 and 1. In a joined shape,
    /// the stacks of the other recording follow the own ones.
    pub(crate) representative: ById<ShapedTree, Option<StackId>>,
    pub(crate) node_of_stack: ByStack<NodeId>,
    /// Which stacks have plumbing as their innermost frame that is left out only because plumbing is folded. Empty if it is not.
    folded: ByStack<bool>,
    /// The children of node `n` are `children[first_child[n]..first_child[n + 1]]`.
    first_child: Vec<u32>,
    children: Vec<NodeId>,
}

impl ShapedTree {
    /// Shapes the stacks of a recording, with all methods under their own names.
    pub fn new(recording: &Trace, index: &StackIndex, shaping: &Shaping) -> Self {
        Self::with_handlers(recording, index, &HandlerNames::default(), shaping)
    }

    /// Shapes the stacks of a recording. Grouped by method, what handles the requests to one route has one name, and one node
    /// where one part of it calls the other.
    pub fn with_handlers(
        recording: &Trace,
        index: &StackIndex,
        handlers: &HandlerNames,
        shaping: &Shaping,
    ) -> Self {
        let names = FrameNames::new(recording, index, handlers, shaping);
        let mut grower = Grower {
            shape: Self { names: names.names, aliases: names.aliases, ..Self::default() },
            known: FxHashMap::default(),
            my_code: shaping.my_code,
            collapses: !matches!(shaping.group, GroupBy::Method),
        };
        grower.shape.push(None, ALL_NAME, None);
        grower.shape.push(Some(ROOT), STACKLESS_NAME, None);
        let mut places: ByStack<Place> = ByStack::default();
        let stacks = &recording.stacks;
        for ((stack, parent), frame) in stacks.parent.iter_with_ids().zip(&stacks.frame) {
            let place = parent.and_then(|parent| places.get(parent)).copied().unwrap_or_default();
            let name = names.of_frame.get(*frame).copied().flatten();
            let plumbing = index.plumbing(*frame).filter(|_| shaping.folds_plumbing).zip(name);
            let (node, place) = if let Some(plumbing) = plumbing {
                grower.fold(stack, place, plumbing)
            } else {
                let class = names.class.get(*frame).copied().unwrap_or(NameClass::Unknown);
                let is_handler = handlers.of(*frame).is_some();
                grower.add(
                    stack,
                    place,
                    Added { name, class, stands_in: index.stands_in(*frame), is_handler },
                )
            };
            if shaping.folds_plumbing {
                // Just my code leaves out all but the outermost frames anyway.
                let would_be_shown = !shaping.my_code || parent.is_none();
                grower.shape.folded.push(plumbing.is_some() && would_be_shown);
            }
            grower.shape.node_of_stack.push(node);
            places.push(place);
        }
        grower.shape.link();
        grower.shape
    }

    /// How many frames of async plumbing are folded in stacks that weigh something: a frame once for each way of being called.
    pub fn folded(&self, recording: &Trace, weighed: &Weighed) -> usize {
        let weighs = |stack: StackId| weighed.own.get(stack).is_some_and(|weight| *weight != 0.0);
        // Which stacks are called on the way to one that weighs something, and which nodes have such a stack.
        let mut on_the_way: ByStack<bool> = self.folded.iter().map(|_| false).collect();
        let mut shown: ById<Self, bool> = self.parent.iter().map(|_| false).collect();
        let ids: Vec<StackId> = self.folded.ids().collect();
        for stack in ids.iter().rev().copied() {
            if !weighs(stack) && on_the_way.get(stack) != Some(&true) {
                continue;
            }
            let parent = recording.stacks.parent.get(stack).copied().flatten();
            for stack in [Some(stack), parent].into_iter().flatten() {
                if let Some(place) = on_the_way.get_mut(stack) {
                    *place = true;
                }
            }
            let node = self.node_of_stack.get(stack).filter(|_| weighs(stack));
            if let Some(place) = node.and_then(|node| shown.get_mut(*node)) {
                *place = true;
            }
        }
        for node in self.parent.ids().collect::<Vec<_>>().into_iter().rev() {
            let parent = self.parent.get(node).copied().flatten().filter(|_| shown.get(node) == Some(&true));
            if let Some(place) = parent.and_then(|parent| shown.get_mut(parent)) {
                *place = true;
            }
        }
        // The node of a stack of nothing but plumbing shows its frame.
        let is_shown = |stack: StackId| {
            let node = self.node_of_stack.get(stack).copied().unwrap_or(ROOT);
            shown.get(node) == Some(&true) && self.representative.get(node) == Some(&Some(stack))
        };
        let is_folded = |stack: StackId| self.folded.get(stack) == Some(&true);
        let is_counted =
            |stack: &StackId| on_the_way.get(*stack) == Some(&true) && is_folded(*stack) && !is_shown(*stack);
        ids.iter().filter(|stack| is_counted(stack)).count()
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

    /// The other methods that a name stands for, in full: those that are parts of one handler.
    pub fn also(&self, name: NameId) -> impl Iterator<Item = &str> {
        self.aliases.iter().filter(move |(_, of)| **of == name).map(|(full, _)| full.as_str())
    }

    /// A name by its full text.
    pub fn find_name(&self, full: &str) -> Option<NameId> {
        self.names.find(|name| name.full == full).or_else(|| self.aliases.get(full).copied())
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
            by_text.entry(name.in_every_recording()).or_insert(id);
        }
        let mut name_of: ById<Name, NameId> = ById::default();
        for name in &other.names {
            let known = by_text.get(name.in_every_recording()).copied();
            name_of.push(known.unwrap_or_else(|| joined.names.push(name.clone())));
        }
        for (full, name) in &other.aliases {
            if let Some(name) = name_of.get(*name).filter(|_| !by_text.contains_key(full.as_str())) {
                joined.aliases.entry(full.clone()).or_insert(*name);
            }
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

/// A shape that grows by the frames of stacks.
struct Grower {
    shape: ShapedTree,
    known: FxHashMap<(NodeId, NameId), NodeId>,
    my_code: bool,
    /// Whether a frame that continues its caller's name adds no node.
    collapses: bool,
}

/// A frame to add to a shape. It has no name if it is folded by a pattern.
#[derive(Debug, Clone, Copy)]
struct Added {
    name: Option<NameId>,
    class: NameClass,
    stands_in: bool,
    is_handler: bool,
}

impl Grower {
    /// The node of a name below a caller, which a stack adds if it is the first one.
    fn child(&mut self, stack: StackId, caller: NodeId, name: NameId) -> NodeId {
        let Self { shape, known, .. } = self;
        *known.entry((caller, name)).or_insert_with(|| shape.push(Some(caller), name, Some(stack)))
    }

    /// Folds a frame of plumbing. Returns the node of its stack, and the place of what it calls.
    fn fold(&mut self, stack: StackId, place: Place, plumbing: (Plumbing, NameId)) -> (NodeId, Place) {
        let place = place.with(plumbing);
        (self.held(stack, place), place)
    }

    /// The node above a place. Of a stack of nothing but plumbing, the node of the frame that says most.
    fn held(&mut self, stack: StackId, place: Place) -> NodeId {
        place.only.map_or(place.node, |(_, name)| self.child(stack, ROOT, name))
    }

    /// Adds a frame that is not plumbing. Returns the node of its stack, and the place of what it calls.
    fn add(&mut self, stack: StackId, place: Place, frame: Added) -> (NodeId, Place) {
        let Some(name) = frame.name else { return (self.held(stack, place), place) };
        // A frame that does not say what ran counts for its caller, which must then be there.
        let caller = if frame.stands_in { self.held(stack, place) } else { place.node };
        // The outermost frame stays, so that threads without user code remain distinct.
        let joins_run = self.my_code && frame.class.is_foreign() && caller != ROOT;
        // What the runtime made to call a handler, and the handler, are one.
        let joins_caller = (self.collapses || frame.is_handler) && self.shape.name.get(caller) == Some(&name);
        let node = if joins_run || joins_caller { caller } else { self.child(stack, caller, name) };
        (node, Place { node, only: None })
    }
}

/// Where in a shape the callees of a stack go.
#[derive(Debug, Clone, Copy)]
struct Place {
    node: NodeId,
    /// The plumbing that says most, if the stack has had no other frame.
    only: Option<(Plumbing, NameId)>,
}

impl Default for Place {
    fn default() -> Self {
        Self { node: ROOT, only: None }
    }
}

impl Place {
    /// The place below a frame of plumbing. Of several that say as much, the outermost one is kept.
    fn with(self, plumbing: (Plumbing, NameId)) -> Self {
        let says_more = self.only.is_none_or(|(kept, _)| plumbing.0 > kept);
        let is_outermost = self.node == ROOT;
        Self { only: if is_outermost && says_more { Some(plumbing) } else { self.only }, ..self }
    }
}

/// The name and the class of every frame.
struct FrameNames {
    names: ById<Name, Name>,
    /// Other full names of them.
    aliases: BTreeMap<String, NameId>,
    /// The name of each frame. `None` if the frame is folded.
    of_frame: ByFrame<Option<NameId>>,
    class: ByFrame<NameClass>,
}

impl FrameNames {
    fn new(recording: &Trace, index: &StackIndex, handlers: &HandlerNames, shaping: &Shaping) -> Self {
        let special = |text: &str| Name {
            full: text.into(),
            short: text.into(),
            module: Arc::default(),
            class: NameClass::Unknown,
            stands_in: false,
            is_handler: false,
        };
        let mut names = ById::from(vec![special(ALL), special(NO_STACK)]);
        let mut known: FxHashMap<String, NameId> = FxHashMap::default();
        // Many names share a module.
        let mut modules: FxHashMap<Sym, Arc<str>> = FxHashMap::default();
        let frames = &recording.frames;
        let (mut of_frame, mut classes) = (ByFrame::default(), ByFrame::default());
        let mut of_routes: FxHashMap<&str, NameId> = FxHashMap::default();
        let mut aliases: BTreeMap<String, NameId> = BTreeMap::new();
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
            let by_method = matches!(shaping.group, GroupBy::Method);
            let handled = handlers.of(frame).filter(|_| by_method);
            let of_route = handled.and_then(|route| of_routes.get(route).copied());
            if let Some(name) = of_route {
                let module = text(&frames.module);
                alias(&mut names, &mut aliases, name, Method { full, module, class });
                of_frame.push(Some(name));
                continue;
            }
            let name = *known.entry(grouped).or_insert_with_key(|full| {
                let short = match (handled, &shaping.group) {
                    (Some(handled), _) => handled.to_owned(),
                    (None, GroupBy::Method) if index.is_async(frame) => short_async_name(full),
                    (None, GroupBy::Method) => short_name(full),
                    (None, GroupBy::Patterns(_)) if full.contains('!') => short_name(full),
                    (None, GroupBy::Type) => shown_type(full.rsplit('!').next().unwrap_or(full)),
                    _ => full.clone(),
                };
                let stands_in = by_method && index.stands_in(frame);
                // A handler that the runtime made, and a group of several modules, have none.
                let is_made = class == NameClass::Dynamic && handled.is_some()
                    || matches!(shaping.group, GroupBy::Namespace | GroupBy::Patterns(_));
                let module = frames.module.get(frame).copied().filter(|_| !is_made).unwrap_or(Sym::NONE);
                let module = modules.entry(module).or_insert_with(|| recording.strings.text(module).into());
                let module = Arc::clone(module);
                // A handler is the service's own, even where it is compiled into what calls it.
                let class = if handled.is_some() { NameClass::User } else { class };
                let is_handler = handled.is_some();
                names.push(Name { full: full.clone(), short, module, class, stands_in, is_handler })
            });
            if let Some(route) = handled {
                of_routes.insert(route, name);
            }
            of_frame.push(Some(name));
        }
        Self { names, aliases, of_frame, class: classes }
    }
}

/// A further method of a name.
#[derive(Debug, Clone, Copy)]
struct Method<'a> {
    full: &'a str,
    module: &'a str,
    class: NameClass,
}

/// Adds a method to the name of a handler, which is in full that of the service's own method, if there is one.
fn alias(
    names: &mut ById<Name, Name>,
    aliases: &mut BTreeMap<String, NameId>,
    of: NameId,
    method: Method<'_>,
) {
    let Some(name) = names.get_mut(of).filter(|name| name.full != method.full) else { return };
    let mut other = method.full.to_owned();
    if method.class != NameClass::Dynamic && name.full.contains(MADE_AT_RUN_TIME) {
        std::mem::swap(&mut name.full, &mut other);
        name.module = method.module.into();
    }
    aliases.entry(other).or_insert(of);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tree;
    use crate::{Filter, Metric, pattern, weigh};
    use model::ThreadId;

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

    const THREAD: &str = "System.Private.CoreLib!System.Threading.Thread.StartCallback()";
    const POOL: &str = "System.Private.CoreLib!System.Threading.ThreadPoolWorkQueue.Dispatch()";
    const CONTEXT: &str = "System.Private.CoreLib!System.Threading.ExecutionContext.RunInternal()";
    const START: &str =
        "System.Private.CoreLib!System.Runtime.CompilerServices.AsyncMethodBuilderCore.Start(!!0&)";
    const PAY: &str = "Shop!Shop.Cart+<PayAsync>d__1.MoveNext()";
    const WAIT: &str = "System.Private.CoreLib!System.Threading.Monitor.Wait()";

    fn folding() -> Shaping {
        Shaping { folds_plumbing: true, ..Shaping::default() }
    }

    fn folded(recording: &Trace) -> usize {
        let shape = ShapedTree::new(recording, &StackIndex::new(recording), &folding());
        shape.folded(recording, &weigh(recording, &Metric::Running, &Filter::default()))
    }

    #[test]
    fn plumbing_between_and_below_other_frames_counts_for_its_callers() {
        let recording = Trace::sampled(&[
            (&[THREAD, POOL, CONTEXT, PAY, START], 2),
            (&[THREAD, POOL, CONTEXT, PAY, START, WAIT], 3),
            (&[THREAD, WAIT], 4),
        ]);
        let expected = format!("all 9\n {PAY} 5 (2)\n  {WAIT} 3 (3)\n {WAIT} 4 (4)\n");
        assert_eq!(tree(&recording, &folding()), expected);
        assert_eq!(folded(&recording), 4);
    }

    #[test]
    fn of_a_stack_of_nothing_but_plumbing_the_frame_that_says_most_is_kept() {
        let recording = Trace::sampled(&[
            (&[THREAD], 1),
            (&[THREAD, POOL, CONTEXT], 2),
            (&[THREAD, POOL, CONTEXT, START], 3),
            (&[THREAD, POOL, "?"], 4),
        ]);
        let expected = format!("all 10\n {POOL} 6 (2)\n  ? 4 (4)\n {START} 3 (3)\n {THREAD} 1 (1)\n");
        assert_eq!(tree(&recording, &folding()), expected);
        assert_eq!(folded(&recording), 1);
    }

    #[test]
    fn plumbing_is_folded_in_every_grouping_and_with_just_my_code() {
        let recording = Trace::sampled(&[(&[THREAD, POOL, "System.Linq!Sum", PAY, START, WAIT], 1)]);
        let shaped = |shaping: Shaping| tree(&recording, &shaping);
        let group = GroupBy::Module;
        assert_eq!(
            shaped(Shaping { group, ..folding() }),
            "all 1\n System.Linq 1\n  Shop 1\n   System.Private.CoreLib 1 (1)\n"
        );
        let expected = format!("all 1\n System.Linq!Sum 1\n  {PAY} 1 (1)\n");
        assert_eq!(shaped(Shaping { my_code: true, ..folding() }), expected);
    }

    #[test]
    fn what_an_async_method_runs_is_told_from_the_method_that_starts_it() {
        let recording = Trace::sampled(&[(&["Shop!Shop.Cart.PayAsync()", START, PAY], 1)]);
        let shape = ShapedTree::new(&recording, &StackIndex::new(&recording), &folding());
        let shorts: Vec<&str> = shape.names.iter().map(|name| name.short.as_str()).collect();
        assert!(shorts.contains(&"Cart.PayAsync") && shorts.contains(&"Cart.PayAsync (async)"));
    }

    #[test]
    fn a_handler_and_what_the_runtime_made_to_call_it_are_one_node_under_either_name() {
        let [made, handler] =
            ["Anonymous!dynamicClass.lambda_method1()", "Shop!Program+<>c.<<Main>$>b__0_3()"];
        let server = "Microsoft.AspNetCore!Microsoft.AspNetCore.Hosting.Process";
        let stacks: [(&[&str], u64); 2] = [(&[server, made, handler, "Shop!Pay"], 2), (&[server, made], 1)];
        let mut recording = Trace::sampled(&stacks);
        let path = recording.text("/pay");
        recording.request_marks.ts_ns.push(0);
        recording.request_marks.thread.push(ThreadId::FIRST);
        recording.request_marks.path.push(path);
        let index = StackIndex::new(&recording);
        let handlers = HandlerNames::new(&recording, &index);
        let shape = ShapedTree::with_handlers(&recording, &index, &handlers, &Shaping::default());
        let name = shape.find_name(handler).unwrap();
        assert_eq!(shape.find_name(made), Some(name));
        let is_it = |node: &&NameId| **node == name;
        assert_eq!(shape.name.iter().filter(is_it).count(), 1);
        let Name { full, short, class, .. } = shape.names.get(name).unwrap();
        assert_eq!((full.as_str(), short.as_str(), *class), (handler, "handler of /pay", NameClass::User));
    }
}
