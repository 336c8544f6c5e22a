//! Profiles: what views and tables are made from.

use crate::shape::{NodeId, ROOT, STACKLESS, ShapedTree};
use crate::weigh::Weighed;
use model::{ById, StackId};
use std::sync::Arc;

/// A shape with the weight of each node, in one recording or in two for a comparison.
#[derive(Debug, Clone)]
pub struct WeightedTree {
    /// The nodes.
    pub shape: Arc<ShapedTree>,
    /// Weights of the recording.
    pub(crate) here: Weights,
    /// Weights of the other recording, scaled to this one.
    pub(crate) against: Option<Weights>,
    /// Rows that were summed up.
    pub rows: u64,
    /// Selected rows whose weight is not known.
    pub unweighed: u64,
}

/// The weights of nodes.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    pub(crate) own: ById<ShapedTree, f64>,
    /// Including everything that a node calls.
    pub(crate) total: ById<ShapedTree, f64>,
}

impl Weights {
    fn new(shape: &ShapedTree, weighed: &Weighed, scale: f64, node_of: impl Fn(StackId) -> NodeId) -> Self {
        let mut own = ById::from(vec![0.0; shape.len()]);
        let mut add = |node: NodeId, weight: f64| {
            if let Some(place) = own.get_mut(node) {
                *place += weight * scale;
            }
        };
        for (stack, weight) in weighed.own.iter_with_ids().filter(|(_, weight)| **weight != 0.0) {
            add(node_of(stack), *weight);
        }
        if weighed.stackless != 0.0 {
            add(STACKLESS, weighed.stackless);
        }
        let mut total = own.clone();
        for (node, parent) in shape.parent.iter().enumerate().rev() {
            let weight = total[node];
            if let Some(place) = parent.and_then(|parent| total.get_mut(parent)) {
                *place += weight;
            }
        }
        Self { own, total }
    }
}

impl WeightedTree {
    /// A shape with the weights of its own recording.
    pub fn new(shape: Arc<ShapedTree>, weighed: &Weighed) -> Self {
        let node_of = |stack: StackId| shape.node_of_stack.get(stack).copied().unwrap_or(ROOT);
        let here = Weights::new(&shape, weighed, 1.0, node_of);
        Self { here, against: None, rows: weighed.rows, unweighed: weighed.unweighed, shape }
    }

    /// Two recordings in one shape. The weights of the other one are multiplied by `scale` to make the two comparable.
    pub fn compared(
        shape: &ShapedTree,
        weighed: &Weighed,
        other: (&ShapedTree, &Weighed),
        scale: f64,
    ) -> Self {
        let (joined, node_of_other) = shape.joined(other.0);
        let own = |stack: StackId| shape.node_of_stack.get(stack).copied().unwrap_or(ROOT);
        let others = |stack: StackId| {
            let node = other.0.node_of_stack.get(stack);
            node.and_then(|node| node_of_other.get(*node)).copied().unwrap_or(ROOT)
        };
        let here = Weights::new(&joined, weighed, 1.0, own);
        let against = Some(Weights::new(&joined, other.1, scale, others));
        Self { here, against, rows: weighed.rows, unweighed: weighed.unweighed, shape: Arc::new(joined) }
    }

    /// The weight of everything.
    pub fn total(&self) -> f64 {
        self.here.total.first().copied().unwrap_or(0.0)
    }

    /// The weight of everything in the other recording, scaled to this one.
    pub fn total_against(&self) -> Option<f64> {
        self.against.as_ref().map(|against| against.total.first().copied().unwrap_or(0.0))
    }

    pub(crate) fn weight(&self, node: NodeId) -> f64 {
        self.here.total.get(node).copied().unwrap_or(0.0)
    }

    pub(crate) fn own(&self, node: NodeId) -> f64 {
        self.here.own.get(node).copied().unwrap_or(0.0)
    }

    pub(crate) fn weight_against(&self, node: NodeId) -> f64 {
        self.against.as_ref().and_then(|of| of.total.get(node)).copied().unwrap_or(0.0)
    }

    pub(crate) fn own_against(&self, node: NodeId) -> f64 {
        self.against.as_ref().and_then(|of| of.own.get(node)).copied().unwrap_or(0.0)
    }
}
