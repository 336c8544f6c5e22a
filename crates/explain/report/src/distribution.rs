//! Distributions of measurements.

use base::stats::{Sorted, interpolated};

/// Measurements of one thing, with the numbers of a box plot.
///
/// Outliers are the values outside Tukey's fences: more than one and a half times the interquartile range below the first
/// quartile or above the third (J. Tukey, Exploratory Data Analysis, 1977).
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// What was measured.
    pub name: String,
    /// Unit of the values, as of a figure.
    pub unit: &'static str,
    /// The values, ascending.
    pub values: Vec<f64>,
    /// First quartile, median and third quartile.
    pub quartiles: [f64; 3],
    /// The smallest and the largest value within the fences.
    pub whiskers: (f64, f64),
    /// How many values lie outside the fences.
    pub outliers: usize,
}

impl Distribution {
    /// The distribution of values in any order, without those that are not finite. `None` if there are none.
    pub fn of(name: String, unit: &'static str, mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        let sorted = Sorted::by(&mut values, f64::total_cmp);
        let quartile = |share| interpolated(&sorted, share);
        let quartiles = [quartile(0.25)?, quartile(0.5)?, quartile(0.75)?];
        let [first, _, third] = quartiles;
        let reach = 1.5 * (third - first);
        let is_within = |value: &&f64| (first - reach..=third + reach).contains(*value);
        let within = || sorted.iter().filter(is_within);
        // The quartiles lie within the fences, so some value does.
        let whiskers = (*within().next()?, *within().next_back()?);
        let outliers = sorted.len().saturating_sub(within().count());
        Some(Self { name, unit, values, quartiles, whiskers, outliers })
    }

    /// Whether a value lies outside the fences.
    pub fn is_outlier(&self, value: f64) -> bool {
        value < self.whiskers.0 || value > self.whiskers.1
    }

    /// The mean of the values.
    pub fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / base::number::count(self.values.len().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_far_outside_is_an_outlier_and_no_end_of_a_whisker() {
        let values = vec![f64::NAN, 5.0, 3.0, 4.0, 2.0, 1.0, 90.0];
        let of = Distribution::of("x".to_owned(), "ns", values).unwrap();
        assert_eq!((of.quartiles, of.whiskers, of.outliers), ([2.25, 3.5, 4.75], (1.0, 5.0), 1));
        assert!(of.is_outlier(90.0) && !of.is_outlier(5.0));
        assert!((of.mean() - 17.5).abs() < 1e-12);
    }

    #[test]
    fn nothing_has_no_distribution_and_equal_values_have_no_outlier() {
        assert_eq!(Distribution::of(String::new(), "ns", vec![f64::INFINITY]), None);
        let of = Distribution::of(String::new(), "ns", vec![7.0; 3]).unwrap();
        assert_eq!((of.quartiles, of.whiskers, of.outliers), ([7.0; 3], (7.0, 7.0), 0));
    }
}
