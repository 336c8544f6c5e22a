//! What [`crate::compare`] takes: the two sides.

use model::Trace;
use report::Report;
use runtime::{HandlerNames, StackIndex};

/// A recording to compare, with what was already computed from it.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The tables.
    pub recording: &'a Trace,
    /// The index of its stacks.
    pub index: &'a StackIndex,
    /// The names of what handles its requests.
    pub handlers: &'a HandlerNames,
    /// What the rules say of it.
    pub report: &'a Report,
    /// The half-open time range to compare, in nanoseconds since the session's start. `None` for the whole recording.
    /// The rules always judge the whole recording.
    pub range: Option<(i64, i64)>,
}
