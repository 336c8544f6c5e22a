//! Amounts in pieces of time: a value, and how much it varies within its recording.
//!
//! A value is an amount over a base: bytes over seconds, pauses over requests. Both are cut into pieces of time.
//!
//! - Its variance is that of a ratio estimate over the pieces (W. Cochran, Sampling Techniques, 3rd edition, 6.3):
//!   `k / (k - strata) * sum((amount - value of the stratum * base)^2) / base^2`.
//! - Pieces before the load begins and after it ends are a stratum of their own (the same, 5A). An idle piece says nothing
//!   about the noise under load.
//! - Neighbouring pieces that resemble each other carry less information. If `r` is the correlation of neighbours, `k`
//!   pieces are worth `k * (1 - r) / (1 + r)` independent ones (the effective sample size of a first-order autoregressive
//!   series): the variance grows by that factor, and the degrees of freedom shrink by it. A short series shows less
//!   correlation than it has, so `(1 + 4 r) / k` is added (F. Marriott and J. Pope, Bias in the Estimation of
//!   Autocorrelations, Biometrika 41, 1954), and half of its standard error, `1 / sqrt(k)`, because it is an estimate.
//! - Counted events vary at least as independent ones do: a sum of weights has the variance of a compound Poisson
//!   process, the sum of the squared weights. The test takes that from both recordings together (`noise`), so that no
//!   events at all on one side do not count as certainty.

use crate::grid::MIN_PIECES;
use base::number::count;

/// With fewer pieces that have a value, nothing says how the value varies.
pub(crate) const MIN_FILLED: usize = MIN_PIECES / 2;
/// The largest correlation of neighbours that is used.
const MAX_CORRELATION: f64 = 0.8;
/// Standard errors that are added to the correlation of neighbours. Without them, chance passes for a change three times
/// as often as promised if the correlation is 0.6.
const CAUTION: f64 = 0.5;
/// The least degrees of freedom of a value with all its pieces. Fewer blind the test without making it more correct:
/// chance passes for a change as often with 3 as with 1 (the test of series in `noise`).
const MIN_DEGREES: f64 = 3.0;

/// Amounts, and what they are divided by, in pieces of time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tally {
    pub(crate) amount: Vec<f64>,
    pub(crate) base: Vec<f64>,
    /// Pieces before the load begins or after it ends: how they differ from the others is not noise.
    pub(crate) ramp: Vec<bool>,
    /// The sum of the squared weights of counted rows; 0 without any.
    pub(crate) squares: f64,
    /// How many rows were added.
    pub(crate) rows: u64,
}

impl Tally {
    /// An empty tally over a known base: seconds, requests.
    pub(crate) fn of_base(base: &[f64], ramp: &[bool]) -> Self {
        Self {
            amount: vec![0.0; base.len()],
            base: base.to_vec(),
            ramp: ramp.to_vec(),
            squares: 0.0,
            rows: 0,
        }
    }

    /// An empty tally of a mean: its base is the weight of its values.
    pub(crate) fn mean(ramp: &[bool]) -> Self {
        Self::of_base(&vec![0.0; ramp.len()], ramp)
    }

    /// Adds one counted row.
    pub(crate) fn count(&mut self, piece: usize, weight: f64) {
        if let Some(amount) = self.amount.get_mut(piece).filter(|_| weight.is_finite()) {
            *amount += weight;
            self.squares += weight * weight;
            self.rows += 1;
        }
    }

    /// Adds a published number of independent events, each of weight 1.
    pub(crate) fn count_many(&mut self, piece: usize, events: f64) {
        if let Some(amount) = self.amount.get_mut(piece).filter(|_| events.is_finite()) {
            *amount += events;
            self.squares += events.max(0.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a number of events, at least 0"
            )]
            let rows = events.max(0.0).round() as u64;
            self.rows = self.rows.saturating_add(rows);
        }
    }

    /// Adds rows of equal weight.
    pub(crate) fn count_equal(&mut self, piece: usize, rows: usize, weight_each: f64) {
        if let Some(amount) = self.amount.get_mut(piece).filter(|_| weight_each > 0.0) {
            let weight = weight_each * count(rows);
            *amount += weight;
            self.squares += weight * weight_each;
            self.rows = self.rows.saturating_add(rows as u64);
        }
    }

    /// Adds events to a share: all of them to the base, and to the amount only if they are `inside` the share.
    pub(crate) fn outcomes(&mut self, piece: usize, events: f64, inside: bool) {
        if let Some(base) = self.base.get_mut(piece).filter(|_| events.is_finite()) {
            *base += events.max(0.0);
            if inside {
                self.count_many(piece, events);
            }
        }
    }

    /// Scales the amounts to the given value. The noise relative to the value stays as it is.
    pub(crate) fn scale_to(&mut self, value: f64) {
        let (amount, base): (f64, f64) = (self.amount.iter().sum(), self.base.iter().sum());
        let factor = value * base / amount;
        if factor.is_finite() && factor > 0.0 {
            self.amount.iter_mut().for_each(|of| *of *= factor);
            self.squares *= factor * factor;
        }
    }

    /// How the values of the pieces lie around another value.
    pub(crate) fn around(&self, value: f64) -> Around {
        let pieces = self.amount.iter().zip(&self.base).filter(|(_, base)| **base > 0.0);
        pieces.fold(Around::default(), |around, (amount, base)| {
            let of_piece = amount / base;
            Around {
                below: around.below + usize::from(of_piece < value),
                above: around.above + usize::from(of_piece > value),
                pieces: around.pieces + 1,
            }
        })
    }

    /// Adds an amount whose parts are not known.
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

    /// The value with its noise. `None` without a base.
    pub(crate) fn estimate(&self) -> Option<Estimate> {
        let base: f64 = self.base.iter().sum();
        let value = self.amount.iter().sum::<f64>() / base;
        if base <= 0.0 || !value.is_finite() {
            return None;
        }
        let pieces =
            || self.amount.iter().zip(&self.base).zip(&self.ramp).filter(|((_, base), _)| **base > 0.0);
        // The value of each stratum: of pieces under load, and of the ramp.
        let value_of = |stratum: bool| {
            let of_stratum = pieces().filter(|(_, is_ramp)| **is_ramp == stratum);
            let sum =
                |(amounts, bases), ((amount, base), _): ((&f64, &f64), _)| (amounts + amount, bases + base);
            let (amount, base) = of_stratum.fold((0.0, 0.0), sum);
            (base > 0.0).then(|| amount / base)
        };
        let (loaded, ramp) = (value_of(false), value_of(true));
        let strata = count(usize::from(loaded.is_some()) + usize::from(ramp.is_some()));
        // How far each piece is from what its stratum lets expect.
        let residuals: Vec<f64> = pieces()
            .map(|((amount, base), is_ramp)| {
                // A piece with a base gives its stratum a value.
                let expected = if *is_ramp { ramp } else { loaded }.unwrap_or(0.0);
                amount - expected * base
            })
            .collect();
        let filled = count(residuals.len());
        let worth = worth(&residuals);
        Some(Estimate {
            value,
            variance: variance(&residuals, strata, worth) / (base * base),
            filled: residuals.len(),
            degrees: (filled * worth - strata).max(MIN_DEGREES.min(filled - strata)).max(1.0),
            base,
            squares: self.squares,
            rows: self.rows,
        })
    }
}

/// How many independent pieces one piece is worth: less than 1 if neighbours resemble each other.
fn worth(residuals: &[f64]) -> f64 {
    let squares: f64 = residuals.iter().map(|of| of * of).sum();
    let neighbours: f64 = residuals.iter().zip(residuals.iter().skip(1)).map(|(one, next)| one * next).sum();
    if squares <= 0.0 {
        return 1.0;
    }
    let seen = neighbours / squares;
    let pieces = count(residuals.len());
    let unbiased = seen + (1.0 + 4.0 * seen) / pieces;
    let correlation = (unbiased + CAUTION / pieces.sqrt()).clamp(0.0, MAX_CORRELATION);
    (1.0 - correlation) / (1.0 + correlation)
}

/// The variance of a sum of pieces, from their residuals.
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
    /// Its variance, from how it varies between pieces.
    pub(crate) variance: f64,
    /// Degrees of freedom of the variance.
    pub(crate) degrees: f64,
    /// Pieces that have a value.
    pub(crate) filled: usize,
    pub(crate) base: f64,
    pub(crate) squares: f64,
    pub(crate) rows: u64,
}

/// How the values of pieces lie around another value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Around {
    pub(crate) below: usize,
    pub(crate) above: usize,
    /// All pieces that have a value.
    pub(crate) pieces: usize,
}

impl Estimate {
    /// The same value in another unit.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        let square = factor * factor;
        let (value, variance) = (self.value * factor, self.variance * square);
        Self { value, variance, squares: self.squares * square, ..self }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::tally;

    #[test]
    fn the_variance_of_equal_pieces_is_that_of_a_mean() {
        // Alternating, so that neighbours are not alike: s^2 = 10/9, of the mean a tenth of it.
        let amounts = [4.0, 6.0, 4.0, 6.0, 4.0, 6.0, 4.0, 6.0, 4.0, 6.0];
        let estimate = tally(&amounts).estimate().unwrap();
        assert!((estimate.value - 5.0).abs() < 1e-12);
        assert!((estimate.variance - 1.0 / 9.0).abs() < 1e-12, "{}", estimate.variance);
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
}
