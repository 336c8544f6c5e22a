//! Whether two values differ by more than two runs of one service do.
//!
//! What a recording varies within itself. A value is an amount over a base (bytes over seconds, pauses over requests),
//! both cut into pieces:
//!
//! - its variance is that of a ratio estimate over the pieces (W. Cochran, Sampling Techniques, 3rd edition, 6.3):
//!   `k / (k - strata) * sum((amount - value of the stratum * base)^2) / base^2`;
//! - pieces before the load begins or after it ends are a stratum of their own (the same, 5A): that nothing happens
//!   without load is no noise of what happens under it, however it lies within the recording;
//! - neighbouring pieces that are alike tell less than pieces that are not. With the correlation `r` of neighbours, `k`
//!   pieces are worth `k * (1 - r) / (1 + r)` (the effective sample size of a first-order autoregressive series): the
//!   variance grows by that factor, and the degrees of freedom shrink by it. A short series shows less correlation than it
//!   has; `(1 + 4 r) / k` is added for it (F. Marriott and J. Pope, Bias in the Estimation of Autocorrelations,
//!   Biometrika 41, 1954), and half of its standard error, `1 / sqrt(k)`, as it is estimated and not known;
//! - what is counted varies at least as events do that know nothing of each other: a sum of weights has the variance
//!   of a compound Poisson process, the sum of the squared weights. Both recordings together say how large that is,
//!   so that none at all on one side is not taken for certainty.
//!
//! What two runs differ by on top of it, which one recording of each cannot show: [`Between`].
//!
//! Two values are held against each other by Welch's test with Satterthwaite's degrees of freedom. Ten pieces of which each
//! is like its neighbour leave it blind: nothing is certain with two degrees of freedom, not even 0 against 8,000
//! exceptions per second. Noise grows with the value, so a value that at least doubled or halved is also held against the
//! other by its logarithm, if both are known well enough for that (`relative`). Whether a difference stands out among
//! all that were looked at is decided in `many`.

use crate::grid::LEAST_PIECES;
use crate::sections;
use base::number::count;
use base::stats::student::{threshold, two_sided};
use base::stats::{self, Share, Sorted};

/// Fewer rows on both sides together say nothing: even ten against none are chance one time in five hundred, and there
/// are hundreds of rows.
const LEAST_ROWS: u64 = 10;
/// Fewer pieces with values say nothing of how it varies.
const LEAST_FILLED: usize = LEAST_PIECES / 2;
/// The largest correlation of neighbours that is reckoned with.
const MOST_CORRELATION: f64 = 0.8;

/// Standard errors by which the correlation of neighbours is taken for larger than it looks: without them, chance is
/// called a change three times as often as promised if it is 0.6.
const CAUTION: f64 = 0.5;
/// Degrees of freedom that a value with all its pieces has at least. Fewer make the test blind, and no more correct: chance
/// is called a change as often with 3 as with 1 (the test of series at the end of this file).
const LEAST_DEGREES: f64 = 3.0;
/// From this ratio on two values are held against each other by their logarithms, too.
const LARGE_RATIO: f64 = 2.0;
/// A value with a larger relative variance stands on a few outbursts, whose logarithm tells nothing.
const MOST_RELATIVE: f64 = 0.25;
/// From this part of a quantile's thinner side on the interval of its rank says little of it, and its pieces more.
const MOST_OF_RANK: f64 = 0.5;
/// So many events have that relative variance. A value of fewer counts as one of so many.
const LEAST_EVENTS: f64 = 1.0 / MOST_RELATIVE;

/// What two runs of one service differ by, beyond what each varies within itself.
///
/// A run has its own layout of memory, order of compilation, number of threads and neighbours on the machine, and keeps
/// them from its beginning to its end. So the seconds of a run are more alike than two runs are, and no number of
/// them shows by how much (T. Kalibera and R. Jones, Rigorous Benchmarking in Reasonable Time, ISMM 2013; T. Mytkowicz et
/// al., Producing Wrong Data Without Doing Anything Obviously Wrong, ASPLOS 2009). This is the least that is reckoned
/// with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Between {
    /// The standard deviation of a run, as a share of the value.
    pub(crate) share: f64,
    /// The same as an amount, below which nothing matters.
    pub(crate) least: f64,
    /// Whether the value counts things that a run has or has not (threads, timers): such a number varies between runs
    /// as a Poisson count does, even if it never changes during one.
    pub(crate) whole: bool,
}

impl Between {
    /// Of an amount: the share of the value, and the least.
    pub(crate) const fn of(share: f64, least: f64) -> Self {
        Self { share, least, whole: false }
    }

    /// Of a number of things.
    pub(crate) const fn whole(share: f64) -> Self {
        Self { share, least: 0.0, whole: true }
    }

    /// The variance of the difference of two runs.
    fn variance(&self, before: f64, after: f64) -> f64 {
        let level = f64::midpoint(before.abs(), after.abs());
        let of_run = (self.share * level).powi(2) + self.least.powi(2);
        2.0 * of_run + if self.whole { before.abs() + after.abs() } else { 0.0 }
    }

    /// The variance of a value of one run, relative to the value.
    fn relative(&self, value: f64) -> f64 {
        self.share.powi(2) + (self.least / value).powi(2) + if self.whole { 1.0 / value } else { 0.0 }
    }
}

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

    /// Adds so many at once, which came one by one.
    pub(crate) fn count_many(&mut self, piece: usize, many: f64) {
        if let Some(amount) = self.amount.get_mut(piece).filter(|_| many.is_finite()) {
            *amount += many;
            self.squares += many.max(0.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a number of events, at least 0"
            )]
            let rows = many.max(0.0).round() as u64;
            self.rows = self.rows.saturating_add(rows);
        }
    }

    /// Adds so many at once whose share is asked for: all of them to the base, and to the amount if they count.
    pub(crate) fn outcomes(&mut self, piece: usize, many: f64, count: bool) {
        if let Some(base) = self.base.get_mut(piece).filter(|_| many.is_finite()) {
            *base += many.max(0.0);
            if count {
                self.count_many(piece, many);
            }
        }
    }

    /// Multiplies the amounts so that the value is the one given; how it varies stays as it is, relative to the value.
    pub(crate) fn scale_to(&mut self, value: f64) {
        let (amount, base): (f64, f64) = (self.amount.iter().sum(), self.base.iter().sum());
        let factor = value * base / amount;
        if factor.is_finite() && factor > 0.0 {
            self.amount.iter_mut().for_each(|of| *of *= factor);
            self.squares *= factor * factor;
        }
    }

    /// Says which pieces are those in which the load begins or ends.
    pub(crate) fn set_ramp(&mut self, ramp: &[bool]) {
        self.ramp = ramp.to_vec();
    }

    /// In how many pieces the value is below another, in how many above it, of how many.
    pub(crate) fn beside(&self, value: f64) -> (usize, usize, usize) {
        let pieces = self.amount.iter().zip(&self.base).filter(|(_, base)| **base > 0.0);
        pieces.fold((0, 0, 0), |(below, above, all), (amount, base)| {
            let of = amount / base;
            (below + usize::from(of < value), above + usize::from(of > value), all + 1)
        })
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
        let strata = count(sums.iter().filter(|(_, base)| *base > 0.0).count());
        let worth = worth(&residuals);
        Some(Estimate {
            value,
            variance: variance(&residuals, strata, worth) / (base * base),
            filled: residuals.len(),
            degrees: (count(residuals.len()) * worth - strata)
                .max(LEAST_DEGREES.min(count(residuals.len()) - strata))
                .max(1.0),
            base,
            squares: self.squares,
            rows: self.rows,
        })
    }
}

/// What a piece is worth, of one that knows nothing of its neighbours.
fn worth(residuals: &[f64]) -> f64 {
    let squares: f64 = residuals.iter().map(|of| of * of).sum();
    let neighbours: f64 = residuals.iter().zip(residuals.iter().skip(1)).map(|(one, next)| one * next).sum();
    if squares <= 0.0 {
        return 1.0;
    }
    let seen = neighbours / squares;
    let pieces = count(residuals.len());
    let unbiased = seen + (1.0 + 4.0 * seen) / pieces;
    let correlation = (unbiased + CAUTION / pieces.sqrt()).clamp(0.0, MOST_CORRELATION);
    (1.0 - correlation) / (1.0 + correlation)
}

/// The variance of a sum by what its parts are away from what was expected of them.
fn variance(residuals: &[f64], strata: f64, worth: f64) -> f64 {
    let pieces = count(residuals.len());
    if pieces - strata < 1.0 {
        return 0.0;
    }
    pieces / (pieces - strata) * residuals.iter().map(|of| of * of).sum::<f64>() / worth
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
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Told(Told),
    /// There are too few values: why.
    TooLittle(String),
}

/// What a test says of a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Told {
    /// How likely such a difference is between two runs of one service.
    pub(crate) p: f64,
    /// The same by what each recording varies within itself alone.
    pub(crate) p_within: f64,
    /// Half of the 95 % interval of the difference.
    pub(crate) margin: f64,
    /// Half of the 95 % interval of what two runs differ by.
    pub(crate) between: f64,
}

/// Half of an interval of 95 % in standard deviations, if those are known.
const NORMAL: f64 = 1.96;

/// Holds two values against each other.
pub(crate) fn hold(before: &Estimate, after: &Estimate, between: &Between) -> Outcome {
    let rows = before.rows.saturating_add(after.rows);
    if rows < LEAST_ROWS {
        let noun = if rows == 1 { "value" } else { "values" };
        return Outcome::TooLittle(format!("only {rows} {noun} in both recordings together"));
    }
    let filled = before.filled.min(after.filled);
    if filled < LEAST_FILLED {
        return Outcome::TooLittle(format!(
            "one recording has values in only {filled} of its pieces of time"
        ));
    }
    let dispersion = (before.squares + after.squares) / (before.base + after.base);
    let of = |side: &Estimate| (side.variance.max(dispersion / side.base), side.degrees);
    let sides = (of(before), of(after));
    let (within, runs) = (sides.0.0 + sides.1.0, between.variance(before.value, after.value));
    if !(within + runs).is_finite() {
        return Outcome::TooLittle("its values are too large to be compared".to_owned());
    }
    let difference = after.value - before.value;
    let test = |between: &Between| {
        let runs = between.variance(before.value, after.value);
        let by_value = Test::new(difference, sides, runs);
        let by_ratio = relative(before, after, between).filter(|test| 2.0 * test.p < by_value.p);
        // Two chances to be wrong are reckoned with.
        by_ratio.map_or(by_value, |test| Test { p: 2.0 * test.p, share: test.share })
    };
    let seen = test(between);
    let margin = if seen.share > 0.0 && difference != 0.0 {
        // The interval that belongs to the test that was made (O. Miettinen, Estimability and Estimation in
        // Case-Referent Studies, American Journal of Epidemiology 103, 1976).
        difference.abs() * seen.share
    } else {
        Test::margin(sides, runs)
    };
    let alone = Between { share: 0.0, least: 0.0, whole: false };
    let p_within = test(&alone).p.min(seen.p);
    Outcome::Told(Told { p: seen.p, p_within, margin, between: NORMAL * runs.sqrt() })
}

/// Welch's test of a difference.
#[derive(Debug, Clone, Copy)]
struct Test {
    p: f64,
    /// Half of the 95 % interval, as a share of the difference. 0 if there is no difference.
    share: f64,
}

impl Test {
    /// Of two variances with their degrees of freedom, and what runs differ by on top.
    fn new(difference: f64, sides: ((f64, f64), (f64, f64)), runs: f64) -> Self {
        let variance = sides.0.0 + sides.1.0 + runs;
        if difference == 0.0 {
            return Self { p: 1.0, share: 0.0 };
        }
        if variance <= 0.0 {
            return Self { p: 0.0, share: 0.0 };
        }
        let degrees = degrees(sides, runs);
        let t = difference.abs() / variance.sqrt();
        Self { p: two_sided(t, degrees), share: threshold(0.05, degrees) / t }
    }

    /// Half of the 95 % interval of a difference.
    fn margin(sides: ((f64, f64), (f64, f64)), runs: f64) -> f64 {
        threshold(0.05, degrees(sides, runs)) * (sides.0.0 + sides.1.0 + runs).sqrt()
    }
}

/// Satterthwaite's degrees of freedom. What runs differ by is reckoned with, not estimated, and has none to lose.
fn degrees((before, after): ((f64, f64), (f64, f64)), runs: f64) -> f64 {
    let part = |(variance, degrees): (f64, f64)| variance * variance / degrees;
    let sum = before.0 + after.0 + runs;
    let degrees = sum * sum / (part(before) + part(after));
    // Squares of the smallest and largest numbers are none.
    if degrees.is_nan() { before.1.min(after.1) } else { degrees }
}

/// The test of two logarithms. `None` if the values are too close for it to say more, or not known well enough.
fn relative(before: &Estimate, after: &Estimate, between: &Between) -> Option<Test> {
    let amount = before.value * before.base + after.value * after.base;
    // What one event weighs; 0 for what is no sum of events.
    let one = if amount > 0.0 { (before.squares + after.squares) / amount } else { 0.0 };
    let smaller = before.value.min(after.value);
    let of = |side: &Estimate| {
        // The smaller value is taken for as large as it needs to be to be known well enough.
        let least = (LEAST_EVENTS * one / side.base).max((side.variance / MOST_RELATIVE).sqrt());
        let value = if side.value > smaller { side.value } else { side.value.max(least) };
        let variance = side.variance.max(value * one / side.base) / (value * value);
        let is_known = side.value >= 0.0 && value > 0.0 && variance <= MOST_RELATIVE * (1.0 + 1e-9);
        // So many events of one size have that variance.
        is_known.then(|| (value, (variance, side.degrees.min(1.0 / variance))))
    };
    let ((of_before, one_side), (of_after, other_side)) = (of(before)?, of(after)?);
    let difference = (of_after / of_before).ln();
    let runs = between.relative(of_before) + between.relative(of_after);
    let is_large = difference.abs() >= LARGE_RATIO.ln() && difference.is_finite() && runs.is_finite();
    is_large.then(|| Test::new(difference, (one_side, other_side), runs))
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
        if half > MOST_OF_RANK * share.min(1.0 - share)
            && let Some(of) = sections::of(&values, share, ramp).estimate()
            && of.filled >= LEAST_FILLED
        {
            return Some(Estimate { value, ..of });
        }
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

    /// Runs that differ by nothing of their own.
    const NOTHING: Between = Between { share: 0.0, least: 0.0, whole: false };

    fn p_between(before: &Tally, after: &Tally, between: &Between) -> f64 {
        match hold(&before.estimate().unwrap(), &after.estimate().unwrap(), between) {
            Outcome::Told(told) => told.p,
            Outcome::TooLittle(why) => panic!("{why}"),
        }
    }

    fn p(before: &Tally, after: &Tally) -> f64 {
        p_between(before, after, &NOTHING)
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
        assert!(steady.degrees <= 8.0 && noisy.degrees <= 9.0, "{} {}", steady.degrees, noisy.degrees);
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
        let hold =
            |tally: &Tally| super::hold(&none.estimate().unwrap(), &tally.estimate().unwrap(), &NOTHING);
        assert!(matches!(hold(&few), Outcome::TooLittle(why) if why.starts_with("only 5 values")));
        assert!(matches!(hold(&many), Outcome::Told(told) if told.p < 1e-6));
    }

    #[test]
    fn a_single_outburst_is_no_change() {
        let base = vec![1.0; 10];
        let (none, mut outburst) = (Tally::of_base(&base, &[false; 10]), Tally::of_base(&base, &[false; 10]));
        (0..100).for_each(|_| outburst.count(3, 1.0));
        assert!(p(&none, &outburst) > 0.2);
    }

    #[test]
    fn thousands_of_exceptions_against_none_are_a_change_although_their_rate_still_rises() {
        // As seen at the begin of a load: seconds that are like their neighbours.
        let base = vec![1.0; 10];
        let per_second = [1_102, 6_095, 6_935, 8_830, 13_462, 12_110, 10_186, 10_586, 8_444, 10_646];
        let (mut none, mut many) = (Tally::of_base(&base, &[false; 10]), Tally::of_base(&base, &[false; 10]));
        per_second.iter().zip(0..).for_each(|(of, piece)| many.count_many(piece, f64::from(*of)));
        many.ramp[0] = true;
        none.count(3, 1.0);
        none.count(7, 1.0);
        let between = Between::of(0.04, 0.05);
        assert!(p_between(&none, &many, &between) < 1e-3);
        let Outcome::Told(told) = hold(&none.estimate().unwrap(), &many.estimate().unwrap(), &between) else {
            panic!("told");
        };
        assert!(told.margin < 8_000.0, "{}", told.margin);
        let fewer = tally(&[12.0, 13.0, 11.0, 12.0, 10.0, 13.0, 12.0, 11.0, 12.0, 13.0]);
        let rising = tally(&[6.0, 7.0, 8.0, 10.0, 12.0, 14.0, 15.0, 15.0, 16.0, 17.0]);
        assert!(p_between(&fewer, &rising, &between) > 0.05);
    }

    /// A series of so many pieces whose neighbours have a correlation.
    fn series(next: &mut impl FnMut() -> f64, pieces: usize, correlation: f64) -> Tally {
        // Six numbers add up to nearly a normal one: mean 3, variance 1/2.
        let mut normal = || ((0..6).map(|_| next()).sum::<f64>() - 3.0) * std::f64::consts::SQRT_2;
        let mut state = normal();
        let values = (0..pieces).map(|_| {
            state = correlation * state + (1.0 - correlation * correlation).sqrt() * normal();
            50.0 + state
        });
        tally(&values.collect::<Vec<_>>())
    }

    #[test]
    fn chance_alone_is_called_a_change_as_seldom_as_promised_also_where_seconds_depend_on_each_other() {
        let mut next = chance(7);
        let all = 20_000;
        for (pieces, correlation) in [(10, 0.0), (20, 0.0), (20, 0.3), (20, 0.6), (30, 0.6)] {
            let p_values: Vec<f64> = (0..all)
                .map(|_| {
                    let before = series(&mut next, pieces, correlation);
                    p(&before, &series(&mut next, pieces, correlation))
                })
                .collect();
            for (limit, most) in [(0.05, 0.055), (0.005, 0.007), (0.0005, 0.002)] {
                let below = count(p_values.iter().filter(|p| **p < limit).count()) / count(all);
                assert!(below <= most, "{pieces} pieces, correlation {correlation}: {below} below {limit}");
            }
        }
    }

    #[test]
    fn runs_that_differ_by_more_than_their_seconds_are_no_change() {
        // Each run has a speed of its own, which its seconds do not show.
        let between = Between { share: 0.03, least: 0.0, whole: false };
        let mut next = chance(3);
        let (mut alone, mut told, all) = (0, 0, 2_000);
        for _ in 0..all {
            let mut run = || {
                let speed =
                    1.0 + 0.03 * ((0..6).map(|_| next()).sum::<f64>() - 3.0) * std::f64::consts::SQRT_2;
                let mut run = series(&mut next, 20, 0.0);
                run.amount.iter_mut().for_each(|of| *of *= speed);
                run
            };
            let (before, after) = (run(), run());
            alone += usize::from(p(&before, &after) < 0.005);
            told += usize::from(p_between(&before, &after, &between) < 0.005);
        }
        assert!(alone > all / 3, "{alone}: by the seconds alone, runs differ");
        assert!(told <= all / 100, "{told}");
        // A fifth less is more than that.
        let slower = tally(&[80.0, 81.0].repeat(10));
        assert!(p_between(&tally(&[100.0, 101.0].repeat(10)), &slower, &between) < 1e-5);
    }

    #[test]
    fn one_thread_more_all_the_time_is_no_change_and_twenty_are() {
        let threads = Between { share: 0.1, least: 0.0, whole: true };
        let always = |threads: f64| tally(&[threads; 20]);
        assert!(p(&always(23.0), &always(24.0)) < 1e-9);
        assert!(p_between(&always(23.0), &always(24.0), &threads) > 0.5);
        assert!(p_between(&always(4.0), &always(30.0), &threads) < 1e-3);
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

    #[test]
    fn requests_that_take_twice_as_long_are_a_change_although_their_phases_differ() {
        // In every other stretch half a millisecond more: the rank of the median varies by nearly all of the values.
        let of_run = |level: f64| {
            let one = |at: usize| {
                let piece = at / 50;
                let phase = if piece % 5 < 3 { 0.5 } else { 0.0 };
                (level + phase + count(at % 50) / 200.0, piece)
            };
            let mut values: Vec<(f64, usize)> = (0..500).map(one).collect();
            quantile(&mut values, 0.5, &[false; 10]).unwrap().1.unwrap()
        };
        let between = Between::of(0.04, 0.02);
        let told = |after: f64| match hold(&of_run(103.0), &of_run(after), &between) {
            Outcome::Told(told) => told.p,
            Outcome::TooLittle(why) => panic!("{why}"),
        };
        assert!(told(211.0) < 1e-3, "{}", told(211.0));
        assert!(told(106.0) > 0.05, "{}", told(106.0));
    }
}
