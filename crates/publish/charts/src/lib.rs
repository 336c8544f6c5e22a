//! Pictures as SVG inside HTML, without script: flame graphs, lanes over time, distributions, heat maps,
//! percentiles, scalability, sparklines, bars.
//!
//! ```text
//! stacks::TreeView ─► flame ─┐
//! timeline::Lane ─► lanes ───┤
//! report::Distribution, ─────┼─► markup (String) ─► a page
//!   HeatMap, Curve           │
//! capacity::Fit ─────────────┤
//! values ─► sparkline, bar ──┘        classes ─► style: colours for light and dark, charts.css
//! ```
//!
//! The invariants: every text of a recording goes through [`escape`]; no markup has style or script, so that pages
//! can forbid both; every number that is written is one that SVG can read; and what is not drawn is counted.
//! `colours.rs` maps meanings to colours, for all pages.

mod colours;
mod curves;
mod distribution;
mod escape;
mod flame;
mod heat;
mod lanes;
mod number;
mod plane;
mod scalability;
mod small;
#[cfg(test)]
mod testing;

pub use colours::{of_subject, style, tone};
pub use curves::percentiles;
pub use distribution::distribution;
pub use escape::escape;
pub use flame::{Flame, FlameOptions, flame};
pub use heat::heat_map;
pub use lanes::{LaneOptions, LaneSide, lane_pairs, lanes};
pub use scalability::{scalability, scalability_file};
pub use small::{bar, sparkline};
