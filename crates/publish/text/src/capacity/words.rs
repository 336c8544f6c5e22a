//! Numbers of a fit, a queue and a network in words.

use base::number::thousands;
use report::unit::{MANY_DIGITS, duration};

/// Significant digits.
const DIGITS: f64 = 4.0;

/// A time in seconds.
pub(super) fn time(seconds: f64) -> String {
    duration(seconds * 1e3)
}

/// A number with four significant digits, and commas between thousands.
pub fn number(value: f64) -> String {
    /// Smaller numbers have an exponent.
    const SMALL: f64 = 1e-3;
    let size = value.abs();
    if !size.is_finite() {
        return "–".to_owned();
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(SMALL..MANY_DIGITS).contains(&size) {
        return format!("{value:.3e}").replace('-', "−");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 6")]
    let decimals = (DIGITS - 1.0 - size.log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    format!("{}{rest}", thousands(whole)).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (96.519, "96.52"),
            (1_883.9, "1,884"),
            (-25.1, "−25.1"),
            (1.0437e-4, "1.044e−4"),
            (0.0277, "0.0277"),
            (123_456.0, "123,456"),
            (1.0, "1"),
            (f64::NAN, "–"),
            (1e300, "1.000e300"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
