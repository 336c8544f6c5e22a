//! The explanation of one exhibit.

use crate::{Heading, Part, Report, Verdict};

/// Everything that is said of one exhibit. A kind of evidence without rules has an empty report and no verdict.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Explanation {
    /// What it is.
    pub heading: Heading,
    /// What the rules say.
    pub report: Report,
    /// What the rules say in one sentence.
    pub verdict: Option<Verdict>,
    /// Its figures, in the order in which readers want them.
    pub parts: Vec<Part>,
}
