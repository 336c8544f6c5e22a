//! Why a run makes no sense any more.

/// Why a run makes no sense any more.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// An objective is lost: its text, and why.
    Objective {
        /// As the user wrote it.
        objective: String,
        /// Why it cannot be met.
        why: String,
    },
    /// The rate cannot be reached: why.
    Unreachable {
        /// What waits, and how fast requests are sent.
        why: String,
    },
}

impl Reason {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Objective { objective, why } => format!("{objective} cannot be met any more: {why}"),
            Self::Unreachable { why } => format!("the rate cannot be reached: {why}"),
        }
    }

    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Objective { .. } => "objective",
            Self::Unreachable { .. } => "rate",
        }
    }

    /// The objective that is lost.
    pub fn objective(&self) -> Option<&str> {
        match self {
            Self::Objective { objective, .. } => Some(objective),
            Self::Unreachable { .. } => None,
        }
    }
}

/// A run that was ended early, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Abort {
    /// Why.
    pub reason: Reason,
    /// When that was known, in seconds since the beginning.
    pub at_s: f64,
}
