//! A quantile of values, and how much it varies.
//!
//! The noise of a quantile comes from its rank: how many values are above it varies from piece to piece. The values at the
//! ends of that interval are the interval of the quantile (R. Woodruff, Confidence Intervals for Medians and Other
//! Position Measures, JASA 47, 1952).
//!
//! The interval of the rank says nothing if it takes in most of the values: a few requests that come in phases, half of them
//! slow in one piece and none in the next. Then the quantiles of the pieces show how it varies, as batch means do
//! (B. Schmeiser, Batch Size Effects in the Analysis of Simulation Output, Operations Research 30, 1982), if each piece has
//! values on both sides of it.

use crate::tally::{Estimate, MIN_FILLED, Tally};
use base::number::count;
use base::stats::student::threshold;
use base::stats::{self, Share, Sorted};

/// If the interval of the rank is wider than this part of the quantile's thinner side, the pieces say more.
const MAX_OF_RANK: f64 = 0.5;
/// The least number of values that a piece has on the thinner side of its quantile.
const MIN_ASIDE: f64 = 5.0;

/// A measured value and the piece of time that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measurement {
    pub(crate) value: f64,
    pub(crate) piece: usize,
}

/// A quantile of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantile {
    pub(crate) value: f64,
    /// `None` if the interval leaves the values, as that of the 99th percentile of 100 values does.
    pub(crate) estimate: Option<Estimate>,
}

/// The quantile of values at a share, 0 to 1. `None` without values. Sorts the values.
pub(crate) fn quantile(values: &mut [Measurement], share: f64, ramp: &[bool]) -> Option<Quantile> {
    let values = Sorted::by(values, |a, b| a.value.total_cmp(&b.value));
    let at = |share: f64| stats::quantile(&values, Share::Fraction(share)).map(|of| of.value);
    let value = at(share)?;
    let mut above = Tally::mean(ramp);
    for of in values.iter() {
        above.value(of.piece, if of.value > value { 1.0 } else { 0.0 }, 1.0);
    }
    let estimate = || {
        let above = above.estimate().filter(|above| above.filled >= MIN_FILLED)?;
        let variance = above.variance.max(share * (1.0 - share) / above.base);
        let t = threshold(0.05, above.degrees);
        let half = t * variance.sqrt();
        if half > MAX_OF_RANK * share.min(1.0 - share)
            && let Some(of_pieces) = quantiles_of_pieces(&values, share, ramp).estimate()
            && of_pieces.filled >= MIN_FILLED
        {
            return Some(Estimate { value, ..of_pieces });
        }
        let deviation = (at(share + half)? - at(share - half)?) / (2.0 * t);
        Some(Estimate { value, variance: deviation * deviation, squares: 0.0, ..above })
    };
    Some(Quantile { value, estimate: estimate() })
}

/// The mean of the quantiles of the pieces, weighted by how many values each has. Pieces with too few values are left out.
fn quantiles_of_pieces(values: &[Measurement], share: f64, ramp: &[bool]) -> Tally {
    let mut pieces: Vec<Vec<f64>> = vec![Vec::new(); ramp.len()];
    for of in values {
        if let Some(of_piece) = pieces.get_mut(of.piece) {
            of_piece.push(of.value);
        }
    }
    let mut tally = Tally::mean(ramp);
    for (piece, of_piece) in pieces.iter_mut().enumerate() {
        let values = count(of_piece.len());
        if values * share.min(1.0 - share) < MIN_ASIDE {
            continue;
        }
        let sorted = Sorted::by(of_piece, f64::total_cmp);
        if let Some(value) = stats::quantile(&sorted, Share::Fraction(share)) {
            tally.value(piece, value, values);
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::{Between, Outcome, hold};
    use crate::testing::chance;

    fn measured(value: f64, piece: usize) -> Measurement {
        Measurement { value, piece }
    }

    #[test]
    fn a_quantile_has_the_noise_of_its_rank_and_too_few_values_have_none() {
        let mut next = chance(11);
        let mut values: Vec<Measurement> = (0..10_000).map(|at| measured(next(), at % 10)).collect();
        let median = quantile(&mut values, 0.5, &[false; 10]).unwrap();
        assert!((median.value - 0.5).abs() < 0.03);
        // Of values spread evenly the deviation is that of the share: sqrt(0.25 / 10,000).
        let deviation = median.estimate.unwrap().variance.sqrt();
        assert!((0.004..0.01).contains(&deviation), "{deviation}");
        let mut few: Vec<Measurement> = (0..100).map(|at| measured(count(at), at % 10)).collect();
        let expected = Quantile { value: 98.0, estimate: None };
        assert_eq!(quantile(&mut few, 0.99, &[false; 10]), Some(expected));
        assert_eq!(quantile(&mut [], 0.5, &[false; 10]), None);
    }

    #[test]
    fn requests_that_take_twice_as_long_are_a_change_although_their_phases_differ() {
        // In every other stretch half a millisecond more: the rank of the median varies by nearly all of the values.
        let of_run = |level: f64| {
            let one = |at: usize| {
                let piece = at / 50;
                let phase = if piece % 5 < 3 { 0.5 } else { 0.0 };
                measured(level + phase + count(at % 50) / 200.0, piece)
            };
            let mut values: Vec<Measurement> = (0..500).map(one).collect();
            quantile(&mut values, 0.5, &[false; 10]).unwrap().estimate.unwrap()
        };
        let between = Between::of(0.04, 0.02);
        let p = |after: f64| match hold(&of_run(103.0), &of_run(after), &between) {
            Outcome::Tested(test) => test.p,
            Outcome::TooLittle(why) => panic!("{why}"),
        };
        assert!(p(211.0) < 1e-3, "{}", p(211.0));
        assert!(p(106.0) > 0.05, "{}", p(106.0));
    }
}
