//! Statistics that several crates need, each with the source of its algorithm.
//!
//! Plain functions over slices and doubles, without units or tables. They never panic, and return `None` if there is no
//! answer.

mod changes;
mod quantile;
pub mod student;
mod theil_sen;

pub use changes::{Change, MIN_VALUES, changes};
pub use quantile::{Share, Sorted, interpolated, quantile, select};
pub use theil_sen::{pairs, theil_sen};
