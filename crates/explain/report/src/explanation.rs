//! Everything that is said of one exhibit.

use crate::{Heading, Part, Report, Verdict};

/// One exhibit, explained. A kind of evidence without rules has an empty report and no verdict.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Explanation {
    /// What it is.
    pub heading: Heading,
    /// What its rules say.
    pub report: Report,
    /// What they say in one sentence.
    pub verdict: Option<Verdict>,
    /// Its figures, in the order in which a reader wants them.
    pub parts: Vec<Part>,
}
