//! The Theil–Sen slope through points. Outliers, up to about a third of the points, hardly change it.
//!
//! H. Theil, A Rank-Invariant Method of Linear and Polynomial Regression Analysis, 1950; P. Sen, Estimates of the
//! Regression Coefficient Based on Kendall's Tau, JASA 63, 1968.

use super::{Share, select};

/// The median of the slopes between all pairs of points (x, y), which must be in ascending order of x. Of an even number
/// of slopes, the lower of the two in the middle. Points with the same x have no slope; `None` if no pair has one.
///
/// Time and memory grow with the square of the number of points, so a caller with many points passes only some of them.
pub fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let rising = pairs(points).filter(|(a, b)| b.0 > a.0);
    let mut slopes: Vec<f64> = rising.map(|(a, b)| (b.1 - a.1) / (b.0 - a.0)).collect();
    select(&mut slopes, Share::MEDIAN, f64::total_cmp)
}

/// All pairs of values, each with the earlier value first.
pub fn pairs<T: Copy>(values: &[T]) -> impl Iterator<Item = (T, T)> + '_ {
    let from = |at: usize| values.iter().skip(at.saturating_add(1));
    values.iter().enumerate().flat_map(move |(at, one)| from(at).map(|other| (*one, *other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outlier_does_not_change_the_slope() {
        let mut points: Vec<(f64, f64)> = (0..9).map(|n| (f64::from(n), f64::from(n) * 2.0 + 5.0)).collect();
        points[4].1 = 1000.0;
        assert_eq!(theil_sen(&points), Some(2.0));
    }

    #[test]
    fn points_with_the_same_x_have_no_slope() {
        assert_eq!(theil_sen(&[(1.0, 1.0), (1.0, 5.0)]), None);
        assert_eq!(theil_sen(&[(1.0, 1.0)]), None);
        assert_eq!(theil_sen(&[(1.0, 1.0), (1.0, 5.0), (2.0, 9.0)]), Some(4.0));
    }

    #[test]
    fn each_pair_is_visited_once() {
        assert_eq!(pairs(&[1, 2, 3]).collect::<Vec<_>>(), [(1, 2), (1, 3), (2, 3)]);
    }
}
