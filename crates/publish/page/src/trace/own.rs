//! What only tabs of a trace have, and the addresses that several of its pages refer to.

use super::pages::TraceCtx;
use maud::Markup;
use stacks::Metric;
use topics::Id;

/// The tab of changes.
pub(super) const CHANGES: &str = "/diff";
/// The tab of stacks.
pub(super) const STACKS: &str = "/stacks";
/// The page of one stack, which is not a tab.
pub(super) const STACK: &str = "/stack";
/// The page of one finding with the rows that it rests on, which is not a tab.
pub(super) const FINDING: &str = "/finding";
/// The data of a flame graph.
pub(super) const FLAME_DATA: &str = "/flame.json";

/// What only tabs of a trace have.
#[derive(Debug)]
pub(crate) struct Own {
    /// What the foot of the tab explains.
    pub(super) works: Option<Works>,
    /// The metrics that its rows have stacks for, the most useful first.
    pub(super) metrics: &'static [Metric],
    /// A form above its tables.
    pub(super) form: Option<fn(&TraceCtx<'_>) -> Markup>,
}

/// What the foot of a tab explains.
#[derive(Debug)]
pub(crate) struct Works {
    /// What the part of the runtime is called.
    pub(super) title: &'static str,
    /// The topics, in order.
    pub(super) topics: &'static [Id],
}
