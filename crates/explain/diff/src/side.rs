//! What a comparison takes: two sides, and how to compare them.

use model::Trace;
use report::{Basis, Report};
use runtime::StackIndex;

/// A recording that takes part in a comparison, with what is worked out of it already.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The tables.
    pub recording: &'a Trace,
    /// What is known of its stacks.
    pub index: &'a StackIndex,
    /// What the rules say of it.
    pub report: &'a Report,
    /// The times that count, in nanoseconds since the session's start, the end not among them; none for all of them.
    /// What the rules say is of the whole recording all the same.
    pub range: Option<(i64, i64)>,
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What amounts are divided by. Where one recording has no requests, the duration stands in and a caveat says so.
    pub basis: Basis,
}
