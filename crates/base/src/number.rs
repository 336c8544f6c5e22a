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

/// A number of elements, or of bytes in memory, in 64 bits.
pub fn wide(len: usize) -> u64 {
    // A `usize` has at most 64 bits on every target that we build for.
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// An integer that is never negative, as an `i64`. It saturates: only damaged input has a larger one.
pub fn saturated(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// A count with commas between thousands.
pub fn grouped(count: u64) -> String {
    thousands(&count.to_string())
}

/// The digits of a whole number, with commas between thousands.
pub fn thousands(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut text = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of elements as a double.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub fn count(len: usize) -> f64 {
    len as f64
}
