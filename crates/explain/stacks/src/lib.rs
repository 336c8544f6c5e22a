//! Stacks summed up: flame graphs, call trees, callers and callees, hot methods, of any event that has a stack.
//!
//! ```text
//! rows of a table ─ Metric, Filter ─► weights by stack ─┐
//! tree of stacks ── Shaping ────────► Shape ────────────┴─► Profile ─► View: the nodes of a picture, Methods: a table
//! ```
//!
//! A [`Shape`] is the tree of stacks with its frames grouped and folded as asked; it hangs on no row, so one shape
//! serves every metric and every range of time. A [`Profile`] is a shape with weights; two recordings' profiles join in
//! one shape for a comparison. Nothing here prints or draws. Whatever a view leaves out is counted in it.
//!
//! The invariants: in a shape a parent's number is smaller than its children's, so walks end; the weights of a
//! selection add up to its total whatever the shape; and a node's id means the same stack for every metric and range.

mod filter;
mod methods;
mod metric;
mod profile;
mod shape;
#[cfg(test)]
mod testing;
mod view;
mod weigh;

pub use filter::{Filter, PatternError, pattern};
pub use methods::{MethodRow, Methods, methods};
pub use metric::{Metric, Offer, offers, written_weight};
pub use profile::Profile;
pub use shape::{GroupBy, Name, NameClass, Shape, Shaping, short_name};
pub use view::{Direction, Nodes, View, ViewOptions, view};
pub use weigh::{Weighed, weigh};
