//! What [`crate::compare`] takes: two sides, and how to compare them.

use model::Trace;
use report::{Basis, Report};
use runtime::StackIndex;

/// A recording to compare, with what was already computed from it.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The tables.
    pub recording: &'a Trace,
    /// The index of its stacks.
    pub index: &'a StackIndex,
    /// What the rules say of it.
    pub report: &'a Report,
    /// The half-open time range to compare, in nanoseconds since the session's start. `None` for the whole recording.
    /// The rules always judge the whole recording.
    pub range: Option<(i64, i64)>,
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What amounts are divided by. If a recording has no requests, amounts are divided by time, and a caveat says so.
    pub basis: Basis,
}
