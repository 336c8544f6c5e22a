//! Integers as doubles, the type of all figures.
//!
//! All crates convert here, so that only this file has to say when digits are lost.

/// An integer as a double.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53: 104 days in nanoseconds")]
pub fn real(value: i64) -> f64 {
    value as f64
}

/// An unsigned integer as a double.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub fn real_u64(value: u64) -> f64 {
    value as f64
}

/// A number of elements as a double.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub fn count(len: usize) -> f64 {
    len as f64
}
