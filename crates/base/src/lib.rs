//! What every crate shares: reading bytes with errors that say where, and counting damage.
//!
//! It knows no format and no product: nothing here opens a file, reads a clock or prints.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod bytes;
pub mod damage;
pub mod ground;
