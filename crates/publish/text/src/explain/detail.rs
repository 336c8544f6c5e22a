//! How much of an explanation a page shows.

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// A line or two for each part, and how it changes over time.
    Short,
    /// Everything: all lists, findings with all their places, the checks that passed, and what the exhibit lacks.
    Full,
}
