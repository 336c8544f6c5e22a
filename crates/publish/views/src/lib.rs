//! Views of evidence as HTML: flame graphs, lanes over time, distributions, tables, findings, figures.
//!
//! A view is drawn from plain values and has no frame around it, so that pages, write-ups and exported files can all
//! embed it. Every view is complete without script; script finds its data in attributes of the markup or in JSON.
//!
//! ```text
//! WeightedTree ─────────► flame, tree, methods ─┐
//! Lane … ───────────────► lanes                 │
//! capacity::Fit ────────► capacity              │
//! Distribution … ───────► distributions         │            ┌─ params: the state of the view
//! Tables + TableView ───► tables                ├─► HTML  ◄──┤
//! Explanation, Part ────► cards, parts ─────────┘            └─ Links: the addresses of its links
//! ```
//!
//! Two invariants: a view does not know its page, so it asks [`Links`] for every address and shows plain text if
//! there is none. And no text of the evidence becomes markup or script: texts pass through `maud`, which escapes
//! them, or through [`script::data`], which makes JSON safe to embed in a page.

pub mod capacity;
pub mod cards;
mod distributions;
pub mod flame;
pub mod lanes;
mod legend;
mod links;
pub mod loads;
pub mod methods;
mod params;
pub mod parts;
pub mod script;
mod stacked;
mod summed;
pub mod tables;
mod tree;
pub mod words;

pub use charts::{of_subject, style};
pub use distributions::distributions;
pub use links::{Links, Target};
pub use params::{Params, place, seconds};
pub use summed::{Sum, Summed};
pub use tables::TableView;
pub use tree::call_tree;
