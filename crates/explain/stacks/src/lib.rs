//! Stacks summed up: flame graphs, call trees, callers and callees, and hot methods, for any event that has a stack.
//!
//! ```text
//! rows of a table ─ Metric, Filter ─► weights by stack ─┐
//! stacks of a recording ─ Shaping ──► ShapedTree ───────┴─► WeightedTree ─► TreeView: the nodes of a picture
//!                                                                        └► Methods: a table
//! ```
//!
//! A [`ShapedTree`] is the tree of stacks, with its frames grouped and folded. It does not depend on rows, so one tree serves
//! every metric and every range of time. A [`WeightedTree`] adds weights. For a comparison, two recordings share one tree.
//! Nothing here prints or draws. A view counts what it leaves out.
//!
//! Invariants: a parent's number is smaller than those of its children, so walks end. The weights of a selection add up to its
//! total, whatever the shape. The id of a node means the same stack for every metric and range.

mod filter;
mod methods;
mod metric;
mod profile;
mod shape;
mod short;
#[cfg(test)]
mod testing;
mod view;
mod weigh;

pub use filter::{Filter, PatternError, SampleSet, pattern};
pub use methods::{MethodRow, Methods, methods};
pub use metric::{Metric, Offer, offers, written_weight};
pub use profile::WeightedTree;
pub use shape::{GroupBy, Name, NameClass, NameId, ShapedTree, Shaping};
pub use short::{distinct, short_name, short_written};
pub use view::{Direction, Nodes, TreeView, ViewOptions, view};
pub use weigh::{Weighed, weigh};
