//! Quantiles of values.
//!
//! [`quantile`] and [`select`] return the nearest rank: always one of the values, never a mix of two. It is the smallest
//! value such that at least the given share of all values is not above it, so the median of an even number of values is
//! the lower of the two in the middle. [`interpolated`] returns a value between two of them instead, as spreadsheets, R
//! and BenchmarkDotNet do.
//!
//! These are definitions 1 and 7 of R. Hyndman and Y. Fan, Sample Quantiles in Statistical Packages, The American
//! Statistician 50, 1996.

use std::cmp::Ordering;
use std::ops::Deref;

/// Which quantile: the share of the values that are at or below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Share {
    /// In thousandths: 990 is p99. The rank is computed in integers, so it is exact for any number of values.
    PerMille(u16),
    /// From 0 to 1, for a share that was computed. Shares outside this range have no quantile.
    Fraction(f64),
}

impl Share {
    /// Half of the values.
    pub const MEDIAN: Self = Self::PerMille(500);

    /// The index of the quantile among `len` sorted values.
    fn index(self, len: usize) -> Option<usize> {
        let rank = match self {
            Self::PerMille(share) => len.saturating_mul(usize::from(share)).div_ceil(1000),
            Self::Fraction(share) if (0.0..=1.0).contains(&share) => {
                let rank = (share * crate::number::count(len)).ceil();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "from 0 to the number of values"
                )]
                let rank = rank as usize;
                rank
            }
            Self::Fraction(_) => return None,
        };
        Some(rank.saturating_sub(1)).filter(|index| *index < len)
    }
}

/// Values that are sorted in ascending order. Reads like a slice.
#[derive(Debug)]
pub struct Sorted<'a, T>(&'a [T]);

impl<'a, T> Sorted<'a, T> {
    /// Sorts the values in place.
    pub fn new(values: &'a mut [T]) -> Self
    where
        T: Ord,
    {
        values.sort_unstable();
        Self(values)
    }

    /// Sorts the values in place by the caller's order, such as `f64::total_cmp`.
    pub fn by(values: &'a mut [T], order: impl FnMut(&T, &T) -> Ordering) -> Self {
        values.sort_unstable_by(order);
        Self(values)
    }
}

impl<T> Deref for Sorted<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0
    }
}

/// The quantile of sorted values. Use it if several quantiles of the same values are needed. `None` if there are no values,
/// or the share is out of range.
pub fn quantile<T: Copy>(sorted: &Sorted<'_, T>, share: Share) -> Option<T> {
    sorted.get(share.index(sorted.len())?).copied()
}

/// The quantile of values in any order, in linear time. Use it if only one or two are needed. Reorders the values.
///
/// Equal to [`quantile`] of the values sorted by `order`. If `order` treats different values as equal, it may return
/// another one of them.
pub fn select<T: Copy>(values: &mut [T], share: Share, order: impl FnMut(&T, &T) -> Ordering) -> Option<T> {
    let index = share.index(values.len())?;
    let (_, value, _) = values.select_nth_unstable_by(index, order);
    Some(*value)
}

/// The quantile of sorted values, interpolated linearly between the two nearest. `None` if there are no values, or the
/// share is outside 0 to 1.
pub fn interpolated(sorted: &Sorted<'_, f64>, share: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&share) {
        return None;
    }
    let place = share * crate::number::count(sorted.len().checked_sub(1)?);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to the number of values"
    )]
    let below = place.floor() as usize;
    let low = *sorted.get(below)?;
    // The last value has no next one. Its `part` is 0, so it does not matter what `high` is.
    let high = sorted.get(below.saturating_add(1)).copied().unwrap_or(low);
    let part = place - place.floor();
    let between = low + (high - low) * part;
    // The difference of two very large values may overflow, but this sum does not.
    Some(if between.is_finite() { between } else { low * (1.0 - part) + high * part })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways to compute a quantile of values in any order.
    fn check(values: &[i64], share: Share, expected: Option<i64>) {
        let (mut sorted, mut selected) = (values.to_vec(), values.to_vec());
        assert_eq!(quantile(&Sorted::new(&mut sorted), share), expected, "{share:?} of {values:?}, sorted");
        assert_eq!(select(&mut selected, share, i64::cmp), expected, "{share:?} of {values:?}, selected");
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        check(&[], Share::MEDIAN, None);
        check(&[7], Share::PerMille(990), Some(7));
        check(&[4, 2, 3, 1], Share::MEDIAN, Some(2));
        check(&[4, 2, 3, 1], Share::PerMille(990), Some(4));
        check(&[4, 2, 3, 1], Share::PerMille(1000), Some(4));
        check(&[4, 2, 3, 1], Share::PerMille(0), Some(1));
    }

    #[test]
    fn a_computed_share_out_of_range_has_no_quantile() {
        check(&[4, 2, 3, 1], Share::Fraction(0.5), Some(2));
        check(&[4, 2, 3, 1], Share::Fraction(0.500_001), Some(3));
        check(&[4, 2, 3, 1], Share::Fraction(0.0), Some(1));
        check(&[4, 2, 3, 1], Share::Fraction(1.0), Some(4));
        for outside in [-0.001, 1.001, f64::NAN, f64::INFINITY] {
            check(&[4, 2, 3, 1], Share::Fraction(outside), None);
        }
    }

    #[test]
    fn a_share_in_thousandths_never_rounds_to_the_next_rank() {
        // In doubles, 0.07 of 100 values is slightly more than 7 of them: the eighth value.
        let values: Vec<i64> = (1..=100).collect();
        check(&values, Share::PerMille(70), Some(7));
        check(&values, Share::Fraction(0.07), Some(8));
        check(&values, Share::PerMille(1001), None);
    }

    #[test]
    fn an_interpolated_quantile_lies_between_two_values() {
        let check = |values: &[f64], share, expected| {
            let mut values = values.to_vec();
            assert_eq!(interpolated(&Sorted::by(&mut values, f64::total_cmp), share), expected, "{share}");
        };
        check(&[4.0, 2.0, 3.0, 1.0], 0.25, Some(1.75));
        check(&[4.0, 2.0, 3.0, 1.0], 0.5, Some(2.5));
        check(&[4.0, 2.0, 3.0, 1.0], 1.0, Some(4.0));
        check(&[7.0], 0.75, Some(7.0));
        check(&[f64::MIN, f64::MAX], 0.5, Some(0.0));
        check(&[], 0.5, None);
        check(&[1.0], f64::NAN, None);
    }

    #[test]
    fn nan_has_a_place_in_the_order() {
        let mut values = [f64::NAN, 2.0, f64::NEG_INFINITY, 1.0];
        assert_eq!(select(&mut values, Share::MEDIAN, f64::total_cmp), Some(1.0));
        assert_eq!(Sorted::by(&mut values, f64::total_cmp).first(), Some(&f64::NEG_INFINITY));
    }
}
