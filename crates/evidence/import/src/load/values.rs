//! Values of `run.json`, and how many of them are kept.

/// Kinds of errors and outcomes, and statuses, that are kept.
pub(super) const MAX_KINDS: usize = 1_000;
/// Letters of a text.
const LONGEST_TEXT: usize = 2_000;

/// A whole number of a figure that is one.
#[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
pub(super) fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
}

/// The beginning of a text.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}
