//! What every crate shares: reading bytes with errors that say where, counting damage, statistics.
//!
//! It knows no format and no product: nothing here opens a file or prints, and only [`time`] reads a clock.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod bytes;
pub mod damage;
pub mod ground;
pub mod near;
pub mod number;
pub mod seeded;
pub mod stats;
pub mod steering;
pub mod time;
