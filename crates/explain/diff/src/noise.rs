//! Whether two values differ by more than each recording varies by itself.
//!
//! A value is an amount over a base (bytes over seconds, pauses over requests), both cut into pieces:
//!
//! - its variance is that of a ratio estimate over the pieces (W. Cochran, Sampling Techniques, 3rd edition, 6.3):
//!   `k / (k - strata) * sum((amount - value of the stratum * base)^2) / base^2`;
//! - pieces before the load begins or after it ends are a stratum of their own (the same, 5A): that nothing happens
//!   without load is no noise of what happens under it, however it lies within the recording;
//! - neighbouring pieces that are alike tell less than pieces that are not: the variance is multiplied by
//!   `(1 + r) / (1 - r)` where the correlation `r` of neighbours is above 0;
//! - what is counted varies at least as events do that know nothing of each other: a sum of weights has the variance
//!   of a compound Poisson process, the sum of the squared weights. Both recordings together say how large that is,
//!   so that none at all on one side is not taken for certainty;
//! - two values are held against each other by Welch's test with Satterthwaite's degrees of freedom;
//! - of many rows some differ by chance: Benjamini's and Hochberg's procedure keeps the share of such ones among those
//!   called beyond noise at one in twenty.

use crate::grid::LEAST_PIECES;
use base::number::count;
use base::stats::student::{threshold, two_sided};
use base::stats::{self, Share, Sorted};

/// The share of rows called beyond noise that may be there by chance.
const FALSE_SHARE: f64 = 0.05;
/// Fewer rows on both sides together say nothing: even ten against none are chance one time in five hundred, and there
/// are hundreds of rows.
const LEAST_ROWS: u64 = 10;
/// Fewer pieces with values say nothing of how it varies.
const LEAST_FILLED: usize = LEAST_PIECES / 2;
/// The correlation of neighbours that is believed at most.
const MOST_CORRELATION: f64 = 0.8;

/// Amounts and what they are divided by, in pieces.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tally {
    pub(crate) amount: Vec<f64>,
    pub(crate) base: Vec<f64>,
    /// Pieces in which the load begins or ends: what sets them apart from the others is no noise.
    ramp: Vec<bool>,
    /// Squared weights of what was counted; 0 where nothing was.
    pub(crate) squares: f64,
    /// Rows that it stands on.
    pub(crate) rows: u64,
}

impl Tally {
    /// Nothing yet, of a base that is known: seconds, requests.
    pub(crate) fn of_base(base: &[f64], ramp: &[bool]) -> Self {
        Self {
            amount: vec![0.0; base.len()],
            base: base.to_vec(),
            ramp: ramp.to_vec(),
            squares: 0.0,
            rows: 0,
        }
    }

    /// Nothing yet, of a base that grows with the rows: a mean.
    pub(crate) fn mean(ramp: &[bool]) -> Self {
        Self::of_base(&vec![0.0; ramp.len()], ramp)
    }

    /// Adds a row that was counted.
    pub(crate) fn count(&mut self, piece: usize, weight: f64) {
        if let Some(amount) = self.amount.get_mut(piece).filter(|_| weight.is_finite()) {
            *amount += weight;
            self.squares += weight * weight;
            self.rows += 1;
        }
    }

    /// Adds rows that were counted and weigh the same each, by what they weigh together and what one does.
    pub(crate) fn count_equal(&mut self, piece: usize, (weight, one): (f64, f64)) {
        if let Some(amount) = self.amount.get_mut(piece).filter(|_| one > 0.0 && weight > 0.0) {
            *amount += weight;
            self.squares += weight * one;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a number of rows, above 0"
            )]
            let rows = (weight / one).round() as u64;
            self.rows = self.rows.saturating_add(rows);
        }
    }

    /// Adds an amount of which it is not known what it consists of.
    pub(crate) fn add(&mut self, piece: usize, weight: f64) {
        if let Some(amount) = self.amount.get_mut(piece).filter(|_| weight.is_finite()) {
            *amount += weight;
            self.rows += 1;
        }
    }

    /// Adds a value to a mean, with the weight given.
    pub(crate) fn value(&mut self, piece: usize, value: f64, weight: f64) {
        let is_sound = value.is_finite() && weight.is_finite() && weight > 0.0;
        if let (Some(amount), Some(base)) = (self.amount.get_mut(piece), self.base.get_mut(piece))
            && is_sound
        {
            *amount += value * weight;
            *base += weight;
            self.rows += 1;
        }
    }

    /// The value with its noise; none of no base.
    pub(crate) fn estimate(&self) -> Option<Estimate> {
        let base: f64 = self.base.iter().sum();
        let value = self.amount.iter().sum::<f64>() / base;
        if base <= 0.0 || !value.is_finite() {
            return None;
        }
        // The ramp is a stratum of its own: each piece is held against the value of its kind.
        let rows =
            || self.amount.iter().zip(&self.base).zip(&self.ramp).filter(|((_, base), _)| **base > 0.0);
        let of_kind = |ramp: bool| {
            let sums = rows().filter(|(_, of)| **of == ramp);
            sums.fold((0.0, 0.0), |sum, ((amount, base), _)| (sum.0 + amount, sum.1 + base))
        };
        let sums = [of_kind(false), of_kind(true)];
        let [steady, ramp] = sums.map(|(amount, base)| if base > 0.0 { amount / base } else { 0.0 });
        let expected = |is_ramp: bool| if is_ramp { ramp } else { steady };
        let residuals: Vec<f64> = rows().map(|((amount, base), of)| amount - expected(*of) * base).collect();
        let strata = sums.iter().filter(|(_, base)| *base > 0.0).count();
        let degrees = count(residuals.len()) - count(strata);
        Some(Estimate {
            value,
            variance: variance(&residuals, degrees) / (base * base),
            filled: residuals.len(),
            degrees: degrees.max(1.0),
            base,
            squares: self.squares,
            rows: self.rows,
        })
    }
}

/// The variance of a sum by what its parts are away from what was expected of them.
fn variance(residuals: &[f64], degrees: f64) -> f64 {
    let squares: f64 = residuals.iter().map(|of| of * of).sum();
    if degrees < 1.0 || squares <= 0.0 {
        return 0.0;
    }
    let neighbours: f64 = residuals.iter().zip(residuals.iter().skip(1)).map(|(one, next)| one * next).sum();
    let correlation = (neighbours / squares).clamp(0.0, MOST_CORRELATION);
    count(residuals.len()) / degrees * squares * (1.0 + correlation) / (1.0 - correlation)
}

/// A value with its noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    /// Its variance by the pieces.
    variance: f64,
    /// Pieces that have a value.
    filled: usize,
    /// Degrees of freedom of the variance.
    degrees: f64,
    base: f64,
    squares: f64,
    pub(crate) rows: u64,
}

impl Estimate {
    /// Everything in another unit.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        let square = factor * factor;
        let (value, variance) = (self.value * factor, self.variance * square);
        Self { value, variance, squares: self.squares * square, ..self }
    }
}

/// What a comparison of two values says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Outcome {
    /// How likely the difference is by chance, and half of its interval of 95 %.
    Told { p: f64, margin: f64 },
    /// There are too few values.
    TooLittle,
}

/// Holds two values against each other.
pub(crate) fn hold(before: &Estimate, after: &Estimate) -> Outcome {
    let rows = before.rows.saturating_add(after.rows);
    if rows < LEAST_ROWS || before.filled.min(after.filled) < LEAST_FILLED {
        return Outcome::TooLittle;
    }
    let dispersion = (before.squares + after.squares) / (before.base + after.base);
    let of = |side: &Estimate| side.variance.max(dispersion / side.base);
    let (of_before, of_after) = (of(before), of(after));
    let (sum, difference) = (of_before + of_after, after.value - before.value);
    if !sum.is_finite() {
        return Outcome::TooLittle;
    }
    if difference == 0.0 {
        return Outcome::Told { p: 1.0, margin: if sum > 0.0 { 1.96 * sum.sqrt() } else { 0.0 } };
    }
    if sum <= 0.0 {
        return Outcome::Told { p: 0.0, margin: 0.0 };
    }
    let part = |variance: f64, degrees: f64| variance * variance / degrees;
    let degrees = sum * sum / (part(of_before, before.degrees) + part(of_after, after.degrees));
    // Squares of the smallest and largest numbers are none.
    let degrees = if degrees.is_finite() { degrees } else { before.degrees.min(after.degrees) };
    let p = two_sided(difference / sum.sqrt(), degrees);
    Outcome::Told { p, margin: threshold(0.05, degrees) * sum.sqrt() }
}

/// Which of many probabilities are so small that chance does not explain them: a flag each.
pub(crate) fn beyond_chance(p: &[f64]) -> Vec<bool> {
    let mut sorted: Vec<f64> = p.to_vec();
    sorted.sort_by(f64::total_cmp);
    let all = count(p.len());
    let ranked = (1usize..).zip(&sorted);
    let limit = ranked.filter(|(rank, p)| **p <= FALSE_SHARE * count(*rank) / all).map(|(_, p)| *p).last();
    p.iter().map(|p| limit.is_some_and(|limit| *p <= limit)).collect()
}

/// A quantile of values, each with its piece, and the quantile's noise.
///
/// How many values are above the quantile varies from piece to piece. The values at the ends of that interval are the
/// interval of the quantile (R. Woodruff, Confidence Intervals for Medians and Other Position Measures, JASA 47, 1952). No
/// noise if that interval leaves the values, as for the 99th percentile of 100 values.
pub(crate) fn quantile(
    values: &mut [(f64, usize)],
    share: f64,
    ramp: &[bool],
) -> Option<(f64, Option<Estimate>)> {
    let values = Sorted::by(values, |a, b| a.0.total_cmp(&b.0));
    let at = |share: f64| stats::quantile(&values, Share::Fraction(share)).map(|(value, _)| value);
    let value = at(share)?;
    let mut tally = Tally::mean(ramp);
    for (of, piece) in values.iter() {
        tally.value(*piece, if *of > value { 1.0 } else { 0.0 }, 1.0);
    }
    let noise = || {
        let above = tally.estimate().filter(|above| above.filled >= LEAST_FILLED)?;
        let variance = above.variance.max(share * (1.0 - share) / above.base);
        let t = threshold(0.05, above.degrees);
        let half = t * variance.sqrt();
        let deviation = (at(share + half)? - at(share - half)?) / (2.0 * t);
        Some(Estimate { value, variance: deviation * deviation, squares: 0.0, ..above })
    };
    Some((value, noise()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(amounts: &[f64]) -> Tally {
        let mut tally = Tally::of_base(&vec![1.0; amounts.len()], &vec![false; amounts.len()]);
        tally.amount = amounts.to_vec();
        tally.rows = 1_000;
        tally
    }

    fn p(before: &Tally, after: &Tally) -> f64 {
        match hold(&before.estimate().unwrap(), &after.estimate().unwrap()) {
            Outcome::Told { p, .. } => p,
            Outcome::TooLittle => panic!("too little"),
        }
    }

    /// Numbers from 0 to 1 that look like chance, the same each time (Knuth's MMIX generator).
    fn chance(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1u32 << 31)
        }
    }

    #[test]
    fn the_variance_of_equal_pieces_is_that_of_a_mean() {
        // Alternating, so that neighbours are not alike: s^2 = 10/9, of the mean a tenth of it.
        let amounts = [4.0, 6.0, 4.0, 6.0, 4.0, 6.0, 4.0, 6.0, 4.0, 6.0];
        let estimate = tally(&amounts).estimate().unwrap();
        assert!((estimate.value - 5.0).abs() < 1e-12);
        assert!((estimate.variance - 1.0 / 9.0).abs() < 1e-12, "{}", estimate.variance);
    }

    #[test]
    fn welch_test_gives_the_value_of_the_closed_form() {
        let (before, after) = ([4.0, 6.0].repeat(5), [5.0, 7.0].repeat(5));
        // t = 1 / sqrt(2/9), with 18 degrees of freedom.
        let expected = two_sided(1.0 / (2.0f64 / 9.0).sqrt(), 18.0);
        assert!((p(&tally(&before), &tally(&after)) - expected).abs() < 1e-12);
        assert!(expected < 0.05);
    }

    #[test]
    fn pieces_that_follow_a_trend_are_worth_less_than_pieces_that_do_not() {
        let trend = tally(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]).estimate().unwrap();
        let mixed = tally(&[1.0, 10.0, 2.0, 9.0, 3.0, 8.0, 4.0, 7.0, 5.0, 6.0]).estimate().unwrap();
        assert!(trend.variance > 4.0 * mixed.variance, "{} {}", trend.variance, mixed.variance);
    }

    #[test]
    fn a_second_without_load_at_the_beginning_is_no_noise() {
        let mut amounts = [20.0, 22.0, 20.0, 22.0, 20.0, 22.0, 20.0, 22.0, 20.0, 0.0];
        amounts.reverse();
        let mut loaded = tally(&amounts);
        let noisy = loaded.estimate().unwrap();
        loaded.ramp[0] = true;
        let steady = loaded.estimate().unwrap();
        assert_eq!(steady.value.to_bits(), noisy.value.to_bits());
        assert!(steady.variance * 20.0 < noisy.variance, "{} {}", steady.variance, noisy.variance);
        assert_eq!((steady.degrees, noisy.degrees), (8.0, 9.0));
    }

    #[test]
    fn events_that_never_happened_on_one_side_are_no_certainty() {
        let base = vec![1.0; 10];
        let (none, mut few, mut many) = (
            Tally::of_base(&base, &[false; 10]),
            Tally::of_base(&base, &[false; 10]),
            Tally::of_base(&base, &[false; 10]),
        );
        (0..5).for_each(|piece| few.count(piece * 2, 1.0));
        (0..100).for_each(|at| many.count(at % 10, 1.0));
        let hold = |tally: &Tally| super::hold(&none.estimate().unwrap(), &tally.estimate().unwrap());
        assert_eq!(hold(&few), Outcome::TooLittle);
        assert!(matches!(hold(&many), Outcome::Told { p, .. } if p < 1e-6));
    }

    #[test]
    fn a_single_outburst_is_no_change() {
        let base = vec![1.0; 10];
        let (none, mut outburst) = (Tally::of_base(&base, &[false; 10]), Tally::of_base(&base, &[false; 10]));
        (0..100).for_each(|_| outburst.count(3, 1.0));
        assert!(p(&none, &outburst) > 0.2);
    }

    #[test]
    fn chance_alone_is_called_beyond_noise_as_seldom_as_promised() {
        let mut next = chance(7);
        let mut sum_of = |n: usize| (0..n).map(|_| next()).sum::<f64>();
        let all = 2_000;
        let mut p_values = Vec::new();
        for _ in 0..all {
            let mut side = || tally(&(0..10).map(|_| 50.0 + sum_of(6)).collect::<Vec<_>>());
            p_values.push(p(&side(), &side()));
        }
        let below = count(p_values.iter().filter(|p| **p < 0.05).count()) / count(all);
        assert!((0.01..0.06).contains(&below), "{below}");
        assert_eq!(beyond_chance(&p_values).into_iter().filter(|beyond| *beyond).count(), 0);
    }

    #[test]
    fn of_many_rows_only_those_that_chance_does_not_explain_are_beyond_it() {
        // The example of Benjamini and Hochberg, 1995, table 1: four of fifteen at 0.05.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        let flags = beyond_chance(&p);
        assert_eq!(flags.iter().filter(|flag| **flag).count(), 4);
        assert_eq!(beyond_chance(&[]), Vec::<bool>::new());
    }

    #[test]
    fn a_quantile_has_the_noise_of_its_rank_and_too_few_values_have_none() {
        let mut next = chance(11);
        let mut values: Vec<(f64, usize)> = (0..10_000).map(|at| (next(), at % 10)).collect();
        let (median, noise) = quantile(&mut values, 0.5, &[false; 10]).unwrap();
        assert!((median - 0.5).abs() < 0.03);
        // Of values spread evenly the deviation is that of the share: sqrt(0.25 / 10,000).
        let deviation = noise.unwrap().variance.sqrt();
        assert!((0.004..0.01).contains(&deviation), "{deviation}");
        let mut few: Vec<(f64, usize)> = (0..100).map(|at| (count(at), at % 10)).collect();
        assert_eq!(quantile(&mut few, 0.99, &[false; 10]), Some((98.0, None)));
        assert_eq!(quantile(&mut [], 0.5, &[false; 10]), None);
    }
}
