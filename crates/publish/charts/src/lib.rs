//! Pictures as SVG within HTML, which need no script: flame graphs, lanes over time, distributions, sparklines, bars.
//!
//! ```text
//! stacks::View ──► flame ──┐
//! timeline::Lane ─► lanes ─┤
//! report::Distribution ────┼─► markup (String) ─► a page
//! values ─► sparkline, bar ┘        classes ─► charts.css, colours for light and dark
//! ```
//!
//! The invariants: every text from a recording goes through [`escape`]; no markup carries a style or a script, so that
//! pages can forbid both; and no number of a recording, however large, becomes a number that SVG cannot read. What is
//! not drawn is counted. The colours of all pages stand in `charts.css`.

#[cfg(test)]
mod colours;
mod distribution;
mod escape;
mod flame;
mod lanes;
mod number;
mod small;
#[cfg(test)]
mod testing;

pub use distribution::distribution;
pub use escape::escape;
pub use flame::{Flame, FlameOptions, flame};
pub use lanes::{LaneOptions, lanes};
pub use small::{bar, sparkline};
