//! The nodes of a picture: a call tree from its root down, or from methods up to their callers.
//!
//! A node of a view is a bundle of nodes of the shape: one in a plain call tree, and several if a method is shown wherever it
//! is called, or if the tree is inverted. Nodes that are too narrow to be seen are only counted.
//!
//! ```text
//! down:  all ─► outermost frames ─► what they call …          id: the number of a stack
//! up:    all ─► innermost frames ─► what calls them …         id: the number of a stack, and how many frames up
//! ```

use crate::profile::WeightedTree;
use crate::shape::{ALL_NAME, NameId, NodeId, ROOT, STACKLESS, ShapedTree};
use model::{ById, Id, StackId};

/// Which way a view grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// From callers to what they call.
    #[default]
    Down,
    /// From methods to their callers.
    Up,
}

/// What to show of a profile.
#[derive(Debug, Clone)]
pub struct ViewOptions {
    /// Which way it grows.
    pub direction: Direction,
    /// The full name of the method to start from. `None` starts from everything.
    pub method: Option<String>,
    /// The id of the node to zoom to.
    pub zoom: Option<String>,
    /// Nodes below this share of the zoomed one are left out.
    pub least_share: f64,
    /// The most nodes.
    pub most_nodes: usize,
}

/// The nodes of a view in pre-order, as columns. The first one is the zoomed node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Nodes {
    /// The id of the node, which is the same for every metric and range.
    pub id: Vec<String>,
    /// Its name in the shape.
    pub name: Vec<NameId>,
    /// 0 for the first node.
    pub depth: Vec<u32>,
    /// Where it begins, in units of `span`.
    pub start: Vec<f64>,
    /// Its width: its weight, plus the weight in the other recording in a comparison.
    pub span: Vec<f64>,
    /// Its weight, including everything below it.
    pub weight: Vec<f64>,
    /// Its own weight.
    pub own: Vec<f64>,
    /// `weight` in the other recording. Empty without a comparison.
    pub against: Vec<f64>,
}

/// A picture of a profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TreeView {
    /// The weight of the whole selection.
    pub total: f64,
    /// The weight of the whole selection in the other recording, scaled to this one.
    pub total_against: Option<f64>,
    /// The nodes from the outermost to the zoomed one: id and name.
    pub path: Vec<(String, NameId)>,
    /// Whether the method to start from is on no stack.
    pub method_missed: bool,
    /// Whether the zoomed node has no weight in this selection, so that a node above it is shown.
    pub zoom_missed: bool,
    /// The nodes.
    pub nodes: Nodes,
    /// How many subtrees are too small to be shown.
    pub hidden_nodes: u64,
    /// The weight of these subtrees.
    pub hidden_weight: f64,
}

/// A node of the shape in a bundle.
#[derive(Debug, Clone, Copy)]
struct Item {
    node: NodeId,
    /// The node that the walk up began at.
    origin: NodeId,
    weight: f64,
    against: f64,
}

#[derive(Debug, Clone)]
struct Bundle {
    name: NameId,
    /// Frames from where the walk up began.
    level: u32,
    items: Vec<Item>,
}

struct Viewer<'a> {
    profile: &'a WeightedTree,
    direction: Direction,
    /// The name to start from. `None` starts from everything.
    method: Option<NameId>,
}

/// The picture of a profile that the options ask for.
pub fn view(profile: &WeightedTree, options: &ViewOptions) -> TreeView {
    let mut view =
        TreeView { total: profile.total(), total_against: profile.total_against(), ..TreeView::default() };
    let method = options.method.as_ref().map(|full| profile.shape.find_name(full));
    view.method_missed = method == Some(None);
    let viewer = Viewer { profile, direction: options.direction, method: method.flatten() };
    let mut root = match method {
        Some(None) => Bundle { name: ALL_NAME, level: 0, items: Vec::new() },
        Some(Some(name)) => viewer.wherever(name),
        None => viewer.whole(),
    };
    let names = options.zoom.as_deref().map(|id| viewer.names_to(id));
    view.path.push((viewer.id(&root), root.name));
    for name in names.iter().flatten().flatten() {
        let Some(next) = viewer.expand(&root).into_iter().find(|of| of.name == *name) else {
            view.zoom_missed = true;
            break;
        };
        root = next;
        view.path.push((viewer.id(&root), root.name));
    }
    view.zoom_missed |= matches!(names, Some(None));
    let mut least = root.span() * options.least_share;
    while !viewer.fill(&root, least, options.most_nodes.max(1), &mut view) {
        least = if least > 0.0 { least * 2.0 } else { root.span() * 1e-9 };
    }
    view
}

impl Bundle {
    // An empty sum is -0.0.
    fn weight(&self) -> f64 {
        self.items.iter().map(|item| item.weight).sum::<f64>() + 0.0
    }

    fn against(&self) -> f64 {
        self.items.iter().map(|item| item.against).sum::<f64>() + 0.0
    }

    fn span(&self) -> f64 {
        self.weight() + self.against()
    }
}

impl Viewer<'_> {
    fn item(&self, node: NodeId) -> Item {
        let weight = self.profile.weight(node);
        Item { node, origin: node, weight, against: self.profile.weight_against(node) }
    }

    /// The bundle of everything.
    fn whole(&self) -> Bundle {
        Bundle { name: ALL_NAME, level: 0, items: vec![self.item(ROOT)] }
    }

    /// The bundle of the outermost occurrences of a method.
    fn wherever(&self, name: NameId) -> Bundle {
        let shape = &self.profile.shape;
        let mut inside: ById<ShapedTree, bool> = ById::default();
        let mut items = Vec::new();
        for (node, parent) in shape.parent.iter_with_ids() {
            let in_parent = parent.and_then(|parent| inside.get(parent)) == Some(&true);
            let is_it = shape.name_of(node) == Some(name);
            if is_it && !in_parent {
                items.push(self.item(node));
            }
            inside.push(in_parent || is_it);
        }
        items.retain(|item| item.weight != 0.0 || item.against != 0.0);
        Bundle { name, level: 0, items }
    }

    /// The own weight of a bundle: as the innermost frame if the view grows down, as the outermost if it grows up.
    fn own(&self, bundle: &Bundle) -> f64 {
        let of = |item: &Item| match self.direction {
            Direction::Down => self.profile.own(item.node),
            Direction::Up if item.node == ROOT => self.profile.own(ROOT),
            Direction::Up if self.profile.shape.caller(item.node).is_none() => item.weight,
            Direction::Up => 0.0,
        };
        bundle.items.iter().map(of).sum::<f64>() + 0.0
    }

    /// The bundles below a bundle, the heaviest first.
    fn expand(&self, bundle: &Bundle) -> Vec<Bundle> {
        let shape = &self.profile.shape;
        let mut items: Vec<(NameId, Item)> = Vec::new();
        let level = match self.direction {
            Direction::Down => {
                let below = bundle.items.iter().flat_map(|item| shape.children(item.node));
                items.extend(below.filter_map(|node| Some((shape.name_of(*node)?, self.item(*node)))));
                0
            }
            Direction::Up if bundle.items.iter().any(|item| item.node == ROOT) => {
                for (node, name) in shape.name.iter_with_ids().skip(1) {
                    let (weight, against) = (self.profile.own(node), self.profile.own_against(node));
                    items.push((*name, Item { node, origin: node, weight, against }));
                }
                0
            }
            Direction::Up => {
                for item in &bundle.items {
                    let caller = shape.caller(item.node);
                    items
                        .extend(caller.and_then(|node| Some((shape.name_of(node)?, Item { node, ..*item }))));
                }
                bundle.level.saturating_add(1)
            }
        };
        items.retain(|(_, item)| item.weight != 0.0 || item.against != 0.0);
        self.bundles(items, level)
    }

    fn bundles(&self, mut items: Vec<(NameId, Item)>, level: u32) -> Vec<Bundle> {
        items.sort_by_key(|(name, item)| (*name, item.node, item.origin));
        let mut bundles: Vec<Bundle> = Vec::new();
        for (name, item) in items {
            match bundles.last_mut().filter(|last| last.name == name) {
                Some(last) => match last.items.last_mut().filter(|other| other.node == item.node) {
                    // Two callees of the same caller: the first origin represents both.
                    Some(other) => {
                        other.weight += item.weight;
                        other.against += item.against;
                    }
                    None => last.items.push(item),
                },
                None => bundles.push(Bundle { name, level, items: vec![item] }),
            }
        }
        let text = |of: &Bundle| self.profile.shape.names.get(of.name).map_or("", |name| &name.full);
        bundles.sort_by(|a, b| b.span().total_cmp(&a.span()).then_with(|| text(a).cmp(text(b))));
        bundles
    }

    /// The id of a bundle: the first stack of its first node, and how many frames up from there.
    fn id(&self, bundle: &Bundle) -> String {
        let shape = &self.profile.shape;
        let first = match self.direction {
            Direction::Down => bundle.items.iter().map(|item| item.node).min(),
            Direction::Up => bundle.items.iter().map(|item| item.origin).min(),
        };
        if first == Some(STACKLESS) {
            return "none".to_owned();
        }
        // The root has no first stack.
        let stack = first.and_then(|node| shape.representative.get(node).copied().flatten());
        match (stack.map(Id::number), self.direction) {
            (None, _) => String::new(),
            (Some(stack), Direction::Down) => stack.to_string(),
            (Some(stack), Direction::Up) => format!("{stack}~{}", bundle.level),
        }
    }

    /// The names on the way from the view's start to the node with an id. `None` if there is no such node.
    fn names_to(&self, id: &str) -> Option<Vec<NameId>> {
        let shape = &self.profile.shape;
        if id.is_empty() {
            return Some(Vec::new());
        }
        let (stack, level) = id.split_once('~').unwrap_or((id, "0"));
        let stack = if stack == "none" { None } else { Some(StackId::new(stack.parse().ok()?)?) };
        let level: usize = level.parse().ok()?;
        let node = shape.node_of(stack)?;
        let up = std::iter::successors(Some(node).filter(|node| *node != ROOT), |node| shape.caller(*node));
        let mut names: Vec<NameId> = up.filter_map(|node| shape.name_of(node)).collect();
        match (self.direction, self.method) {
            (Direction::Up, None) => names.truncate(level.saturating_add(1)),
            (Direction::Up, Some(_)) => {
                names.truncate(level.saturating_add(1));
                names = names.split_off(1.min(names.len()));
            }
            (Direction::Down, None) => names.reverse(),
            (Direction::Down, Some(method)) => {
                // The outermost occurrence of the method is the view's start.
                names.truncate(names.iter().rposition(|name| *name == method)?);
                names.reverse();
            }
        }
        Some(names)
    }

    /// Fills the view with nodes. Returns `false` if there are too many.
    fn fill(&self, root: &Bundle, least: f64, most: usize, view: &mut TreeView) -> bool {
        let mut nodes = Nodes::default();
        let (mut hidden_nodes, mut hidden_weight) = (0u64, 0.0);
        let mut open = vec![(root.clone(), 0u32, 0.0f64)];
        while let Some((bundle, depth, start)) = open.pop() {
            if nodes.id.len() >= most && least < root.span() {
                return false;
            }
            nodes.id.push(self.id(&bundle));
            nodes.name.push(bundle.name);
            nodes.depth.push(depth);
            nodes.start.push(start);
            nodes.span.push(bundle.span());
            nodes.weight.push(bundle.weight());
            nodes.own.push(self.own(&bundle));
            if self.profile.against.is_some() {
                nodes.against.push(bundle.against());
            }
            let mut next = start;
            let first = open.len();
            for child in self.expand(&bundle) {
                let span = child.span();
                if span < least {
                    hidden_nodes += 1;
                    hidden_weight += child.weight();
                    continue;
                }
                open.push((child, depth.saturating_add(1), next));
                next += span;
            }
            // The last one in is the first one out.
            open[first..].reverse();
        }
        view.nodes = nodes;
        (view.hidden_nodes, view.hidden_weight) = (hidden_nodes, hidden_weight);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{lines, options, profile};
    use crate::{Filter, GroupBy, Metric, ShapedTree, Shaping, weigh};
    use model::Trace;
    use proptest::prelude::*;
    use runtime::StackIndex;

    const SHOP: &[(&[&str], u64)] = &[
        (&["A!main", "A!pay", "B!wait"], 3),
        (&["A!main", "A!ship", "B!wait"], 2),
        (&["A!main", "A!pay"], 1),
    ];

    fn shown(options: &ViewOptions) -> String {
        let profile = profile(&Trace::sampled(SHOP), &Shaping::default());
        lines(&profile, &view(&profile, options))
    }

    #[test]
    fn a_tree_grows_from_callers_to_callees_heaviest_first() {
        let expected = "all 6\n A!main 6\n  A!pay 4 (1)\n   B!wait 3 (3)\n  A!ship 2\n   B!wait 2 (2)\n";
        assert_eq!(shown(&options(Direction::Down)), expected);
    }

    #[test]
    fn upwards_it_grows_from_the_innermost_frames_to_their_callers() {
        let expected = "all 6\n B!wait 5\n  A!pay 3\n   A!main 3 (3)\n  A!ship 2\n   A!main 2 (2)\n A!pay 1\n  A!main 1 (1)\n";
        assert_eq!(shown(&options(Direction::Up)), expected);
    }

    #[test]
    fn a_method_has_its_callers_and_what_it_called_wherever_it_stands() {
        let of = |name: &str, direction| ViewOptions { method: Some(name.into()), ..options(direction) };
        assert_eq!(shown(&of("A!pay", Direction::Down)), "A!pay 4 (1)\n B!wait 3 (3)\n");
        let callers = "B!wait 5\n A!pay 3\n  A!main 3 (3)\n A!ship 2\n  A!main 2 (2)\n";
        assert_eq!(shown(&of("B!wait", Direction::Up)), callers);
        assert_eq!(shown(&of("C!nowhere", Direction::Up)), "all 0\n");
    }

    #[test]
    fn what_is_too_small_is_counted() {
        let profile = profile(&Trace::sampled(SHOP), &Shaping::default());
        let few = view(&profile, &ViewOptions { least_share: 0.4, ..options(Direction::Down) });
        assert_eq!(lines(&profile, &few), "all 6\n A!main 6\n  A!pay 4 (1)\n   B!wait 3 (3)\n");
        assert_eq!((few.hidden_nodes, few.hidden_weight), (1, 2.0));
        let capped = view(&profile, &ViewOptions { most_nodes: 3, ..options(Direction::Down) });
        assert!(capped.nodes.id.len() <= 3 && capped.hidden_nodes > 0);
    }

    #[test]
    fn an_id_leads_back_in_a_selection_in_which_the_node_weighs_nothing() {
        let mut recording = Trace::sampled(SHOP);
        recording.exhibit.duration_ns = 6;
        let index = StackIndex::new(&recording);
        let shape = std::sync::Arc::new(ShapedTree::new(&recording, &index, &Shaping::default()));
        let late = Filter { from_ns: Some(5), ..Filter::default() };
        let profile = WeightedTree::new(shape, &weigh(&recording, &Metric::Running, &late));
        let ship = recording.stacks.parent[4];
        let zoomed = view(
            &profile,
            &ViewOptions { zoom: Some(ship.unwrap().number().to_string()), ..options(Direction::Down) },
        );
        assert!(zoomed.zoom_missed);
        assert_eq!(lines(&profile, &zoomed), "A!main 1\n A!pay 1 (1)\n");
    }

    #[test]
    fn two_recordings_join_in_one_tree() {
        let other = Trace::sampled(&[(&["A!main", "C!new"], 4), (&["A!main", "A!pay"], 2)]);
        let here = Trace::sampled(SHOP);
        let [shape, other_shape] =
            [&here, &other].map(|of| ShapedTree::new(of, &StackIndex::new(of), &Shaping::default()));
        let [weights, others] = [&here, &other].map(|of| weigh(of, &Metric::Running, &Filter::default()));
        let profile = WeightedTree::compared(&shape, &weights, (&other_shape, &others), 0.5);
        let view = view(&profile, &options(Direction::Down));
        let by_name = |name: &str| {
            let at = view.nodes.name.iter().position(|of| profile.shape.names.get(*of).unwrap().full == name);
            at.map(|at| (view.nodes.weight[at], view.nodes.against[at]))
        };
        assert_eq!(by_name("A!main"), Some((6.0, 3.0)));
        assert_eq!(by_name("C!new"), Some((0.0, 2.0)));
        assert_eq!(by_name("A!pay"), Some((4.0, 1.0)));
    }

    proptest! {
        #[test]
        fn whatever_is_shown_adds_up_and_every_id_leads_back(
            stacks in prop::collection::vec((prop::collection::vec(0usize..8, 0..6), 1u64..4), 0..12),
            up: bool, my_code: bool, folds_plumbing: bool, by_module: bool, least_share in prop::sample::select(vec![0.0, 0.2]),
        ) {
            const NAMES: [&str; 8] = [
                "A!a", "A!b", "System.Linq!c", "System.Private.CoreLib!d", "B!e", "?",
                "System.Private.CoreLib!System.Threading.Thread.StartCallback",
                "System.Private.CoreLib!System.Threading.ThreadPoolWorkQueue.Dispatch",
            ];
            let frames: Vec<(Vec<&str>, u64)> = stacks.iter()
                .map(|(of, count)| (of.iter().map(|at| NAMES[*at]).collect(), *count)).collect();
            let borrowed: Vec<(&[&str], u64)> = frames.iter().map(|(of, count)| (of.as_slice(), *count)).collect();
            let direction = if up { Direction::Up } else { Direction::Down };
            let group = if by_module { GroupBy::Module } else { GroupBy::Method };
            let shaping = Shaping { group, my_code, folds_plumbing, fold: None };
            let profile = profile(&Trace::sampled(&borrowed), &shaping);
            let options = ViewOptions { least_share, ..options(direction) };
            let whole = view(&profile, &options);
            let total: u64 = frames.iter().map(|(_, count)| *count).sum();
            let own: f64 = whole.nodes.own.iter().sum();
            prop_assert!((own + whole.hidden_weight - total as f64).abs() < 1e-9);
            // Nothing is left without a name: the node above all stacks weighs nothing itself.
            prop_assert!(whole.nodes.own[0].abs() < 1e-9);
            for at in 0..whole.nodes.id.len() {
                let zoom = Some(whole.nodes.id[at].clone());
                let zoomed = view(&profile, &ViewOptions { zoom, ..options.clone() });
                prop_assert!(!zoomed.zoom_missed);
                prop_assert_eq!(zoomed.nodes.name[0], whole.nodes.name[at]);
                prop_assert!((zoomed.nodes.weight[0] - whole.nodes.weight[at]).abs() < 1e-9);
            }
        }
    }
}
