//! What pages and text print of an exhibit, as plain values: figures, findings, changes, and the lines above them.
//!
//! ```text
//! Explanation
//! ├─ Heading   what it is, when it was recorded, what is missing
//! ├─ Verdict   the first sentence              ┐ none for a kind of evidence
//! ├─ Report    findings; rules not checked     ┘ without rules
//! └─ Part …    figures, lists, series
//!
//! Diff         two exhibits: changes, caveats, what was not compared
//! ```
//!
//! Whoever knows a kind of evidence fills these values; whoever prints them needs nothing else. The crate therefore
//! knows no evidence and no table, computes no figure and decides nothing.

mod change;
mod distribution;
mod explanation;
mod figure;
mod finding;
mod heading;
mod loss;
pub mod unit;

pub use change::{
    Basis, Better, Change, ChangeVerdict, Diff, FindingChange, FindingState, Group, NotCompared, Subject,
};
pub use distribution::Distribution;
pub use explanation::Explanation;
pub use figure::{Figure, List, ListColumn, Part, Row, Series, ShownColumn};
pub use finding::{
    EvidenceRows, Finding, Measured, NotChecked, Place, Report, Severity, State, Verdict, View,
};
pub use heading::Heading;
pub use loss::damage_sentences;
