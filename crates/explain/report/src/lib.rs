//! What pages and text show of an exhibit, as plain values: figures, findings, changes, and the lines above them.
//!
//! ```text
//! Explanation
//! ├─ Heading   what it is, when it was recorded, what is missing
//! ├─ Verdict   the first sentence              ┐ only for kinds of evidence
//! ├─ Report    findings; rules not checked     ┘ that have rules
//! └─ Part …    figures, lists, series
//!
//! Diff         two exhibits: changes, caveats, what was not compared
//! ```
//!
//! Crates that know a kind of evidence fill these values; crates that print them need nothing else. This crate therefore
//! knows no evidence and no table, computes no figure, and decides nothing.

mod change;
mod distribution;
mod explanation;
mod figure;
mod finding;
mod heading;
mod loss;
mod picture;
pub mod unit;

pub use change::{
    Basis, Better, Change, ChangeVerdict, Diff, FindingChange, FindingState, Group, NotCompared,
    SAMPLES_OF_STACKS, Subject,
};
pub use distribution::Distribution;
pub use explanation::Explanation;
pub use figure::{Figure, List, ListColumn, Part, Row, Series, ShownColumn};
pub use finding::{
    EvidenceRows, Finding, Measured, NotChecked, Place, Report, SCORE, SampleGroup, Severity, State,
    Threshold, Verdict, View,
};
pub use heading::Heading;
pub use loss::damage_sentences;
pub use picture::{Curve, HeatCell, HeatMap};
