//! What all crates share: reading bytes with errors that say where, counting damage, statistics.
//!
//! It knows neither a format nor the product. Nothing here prints, only [`time`] reads a clock, and only [`ground`] opens
//! a file.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod bytes;
pub mod damage;
pub mod ground;
pub mod near;
pub mod number;
pub mod random;
pub mod seeded;
pub mod stats;
pub mod steering;
pub mod time;
