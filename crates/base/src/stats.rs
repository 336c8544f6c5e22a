//! Statistics that several crates need, each implemented once, with the source of its algorithm.
//!
//! Plain functions over slices and doubles. They know no unit and no table, and never panic: what has no answer is `None`.

mod quantile;
pub mod student;
mod theil_sen;

pub use quantile::{Share, Sorted, interpolated, quantile, select};
pub use theil_sen::{pairs, theil_sen};
