//! What the events of the .NET runtime mean: their fields as data, and payloads to values.
//!
//! The runtime's native events carry neither names nor fields in the stream, so their schemas ship as text files, one
//! line a field (`schemas/`), with the differences between versions. Events of event sources describe themselves; they
//! are decoded by the same [`layout::Layout`]. Nothing here knows a container, a file or a table.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod json;
pub mod layout;
pub mod name;
pub mod payload;
pub mod schema;
pub mod whole;
