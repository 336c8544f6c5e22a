//! Whether two values differ by more than two runs of one service do.
//!
//! Two sources of noise count: how much a value varies within its recording (`tally`), and what two runs differ by on top
//! of that, which one recording of each cannot show: [`Between`].
//!
//! The test is Welch's, with Satterthwaite's degrees of freedom. It is blind if every piece resembles its neighbours:
//! nothing is certain with two degrees of freedom, not even 0 against 8,000 exceptions per second. Noise grows with the
//! value, so values of which one is at least twice the other are also compared by their logarithms, if both are known
//! well enough (`relative`). `many` decides whether a difference stands out among all that were tested.

use crate::tally::{Estimate, MIN_FILLED};
use base::stats::student::{threshold, two_sided};

/// Fewer rows in both recordings together say nothing. Even ten against none come by chance one time in five hundred, and
/// a comparison has hundreds of rows.
const MIN_ROWS: u64 = 10;
/// Values that differ by at least this factor are also compared by their logarithms.
const LARGE_RATIO: f64 = 2.0;
/// A value with a larger relative variance comes from a few outbursts, and its logarithm says nothing.
const MAX_RELATIVE: f64 = 0.25;
/// The number of events that has that relative variance. A value of fewer events counts as if it had this many.
const MIN_EVENTS: f64 = 1.0 / MAX_RELATIVE;
/// Half of a 95 % interval, in standard deviations that are known.
const NORMAL: f64 = 1.96;

/// What two runs of one service differ by, beyond what each varies within itself.
///
/// A run keeps its layout of memory, order of compilation, number of threads and neighbours on the machine from its beginning to
/// its end. The seconds of one run are therefore more alike than two runs are, and no number of them shows by how much
/// (T. Kalibera and R. Jones, Rigorous Benchmarking in Reasonable Time, ISMM 2013; T. Mytkowicz et al., Producing Wrong
/// Data Without Doing Anything Obviously Wrong, ASPLOS 2009). These are the smallest deviations that are assumed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Between {
    /// The standard deviation of a run, as a share of the value.
    pub(crate) share: f64,
    /// The least standard deviation, as an amount.
    pub(crate) least: f64,
    /// Whether the value counts things, such as threads or timers. Their number varies between runs as a Poisson count
    /// does, even if it never changes during one.
    pub(crate) whole: bool,
}

impl Between {
    pub(crate) const fn of(share: f64, least: f64) -> Self {
        Self { share, least, whole: false }
    }

    /// What runs differ by in a number of things.
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

/// What a comparison of two values says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Tested(Test),
    /// There are too few values: why.
    TooLittle(String),
}

/// What the test says of a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Test {
    /// How likely such a difference is between two runs of one service.
    pub(crate) p: f64,
    /// How likely it is by the noise within the recordings alone.
    pub(crate) p_within: f64,
    /// Half of the 95 % interval of the difference.
    pub(crate) margin: f64,
    /// Half of the 95 % interval of what two runs differ by.
    pub(crate) between: f64,
}

/// Tests the difference of two values.
pub(crate) fn hold(before: &Estimate, after: &Estimate, between: &Between) -> Outcome {
    let rows = before.rows.saturating_add(after.rows);
    if rows < MIN_ROWS {
        let noun = if rows == 1 { "value" } else { "values" };
        return Outcome::TooLittle(format!("only {rows} {noun} in both recordings together"));
    }
    let filled = before.filled.min(after.filled);
    if filled < MIN_FILLED {
        return Outcome::TooLittle(format!(
            "one recording has values in only {filled} of its pieces of time"
        ));
    }
    // Counted events vary at least as independent ones do; both recordings say how large each event is.
    let dispersion = (before.squares + after.squares) / (before.base + after.base);
    let [of_before, of_after] = [before, after]
        .map(|side| Variance { value: side.variance.max(dispersion / side.base), degrees: side.degrees });
    let runs = between.variance(before.value, after.value);
    let noise = Noise { before: of_before, after: of_after, runs };
    if !noise.variance().is_finite() {
        return Outcome::TooLittle("its values are too large to be compared".to_owned());
    }
    let difference = after.value - before.value;
    let test = |between: &Between| {
        let runs = between.variance(before.value, after.value);
        let by_value = Noise { runs, ..noise }.test(difference);
        let by_ratio = relative(before, after, between).filter(|test| 2.0 * test.p < by_value.p);
        // The better of two tests has two chances to be wrong.
        by_ratio.map_or(by_value, |test| Welch { p: 2.0 * test.p, ..test })
    };
    let seen = test(between);
    let margin = if seen.half_interval > 0.0 && difference != 0.0 {
        // The interval that belongs to the test that was made (O. Miettinen, Estimability and Estimation in
        // Case-Referent Studies, American Journal of Epidemiology 103, 1976).
        difference.abs() * seen.half_interval
    } else {
        noise.margin()
    };
    let p_within = test(&Between::of(0.0, 0.0)).p.min(seen.p);
    Outcome::Tested(Test { p: seen.p, p_within, margin, between: NORMAL * runs.sqrt() })
}

/// A variance that was estimated.
#[derive(Debug, Clone, Copy)]
struct Variance {
    value: f64,
    degrees: f64,
}

/// Everything that makes two values differ without a change.
#[derive(Debug, Clone, Copy)]
struct Noise {
    before: Variance,
    after: Variance,
    /// The variance of what two runs differ by. It is assumed, not estimated.
    runs: f64,
}

/// The result of Welch's test.
#[derive(Debug, Clone, Copy)]
struct Welch {
    p: f64,
    /// Half of the 95 % interval, as a share of the difference. 0 if there is no difference.
    half_interval: f64,
}

impl Noise {
    fn variance(&self) -> f64 {
        self.before.value + self.after.value + self.runs
    }

    fn test(&self, difference: f64) -> Welch {
        let variance = self.variance();
        if difference == 0.0 {
            return Welch { p: 1.0, half_interval: 0.0 };
        }
        if variance <= 0.0 {
            return Welch { p: 0.0, half_interval: 0.0 };
        }
        let degrees = self.degrees();
        let t = difference.abs() / variance.sqrt();
        Welch { p: two_sided(t, degrees), half_interval: threshold(0.05, degrees) / t }
    }

    /// Half of the 95 % interval of a difference.
    fn margin(&self) -> f64 {
        threshold(0.05, self.degrees()) * self.variance().sqrt()
    }

    /// Satterthwaite's degrees of freedom. What two runs differ by is assumed, so it costs none.
    fn degrees(&self) -> f64 {
        let part = |of: Variance| of.value * of.value / of.degrees;
        let sum = self.variance();
        let degrees = sum * sum / (part(self.before) + part(self.after));
        // Squares of the smallest and the largest numbers leave the range of doubles.
        if degrees.is_nan() { self.before.degrees.min(self.after.degrees) } else { degrees }
    }
}

/// The test of the logarithms. `None` if the values are within a factor of 2, or not known well enough.
fn relative(before: &Estimate, after: &Estimate, between: &Between) -> Option<Welch> {
    let amount = before.value * before.base + after.value * after.base;
    // What one event weighs; 0 for a value that is not a sum of events.
    let event = if amount > 0.0 { (before.squares + after.squares) / amount } else { 0.0 };
    let smaller = before.value.min(after.value);
    let logarithm = |side: &Estimate| {
        // The smaller value counts as large as it must be to be known well enough.
        let least = (MIN_EVENTS * event / side.base).max((side.variance / MAX_RELATIVE).sqrt());
        let value = if side.value > smaller { side.value } else { side.value.max(least) };
        let variance = side.variance.max(value * event / side.base) / (value * value);
        let is_known = side.value >= 0.0 && value > 0.0 && variance <= MAX_RELATIVE * (1.0 + 1e-9);
        // `1 / variance` equal events have that variance, so no more degrees of freedom than that are left.
        let degrees = side.degrees.min(1.0 / variance);
        is_known.then_some((value, Variance { value: variance, degrees }))
    };
    let ((value_before, before), (value_after, after)) = (logarithm(before)?, logarithm(after)?);
    let difference = (value_after / value_before).ln();
    let runs = between.relative(value_before) + between.relative(value_after);
    let is_large = difference.abs() >= LARGE_RATIO.ln() && difference.is_finite() && runs.is_finite();
    is_large.then(|| Noise { before, after, runs }.test(difference))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Tally;
    use crate::testing::{chance, tally};
    use base::number::count;

    /// Runs that differ by nothing of their own.
    const NOTHING: Between = Between { share: 0.0, least: 0.0, whole: false };

    fn p_between(before: &Tally, after: &Tally, between: &Between) -> f64 {
        match hold(&before.estimate().unwrap(), &after.estimate().unwrap(), between) {
            Outcome::Tested(test) => test.p,
            Outcome::TooLittle(why) => panic!("{why}"),
        }
    }

    fn p(before: &Tally, after: &Tally) -> f64 {
        p_between(before, after, &NOTHING)
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
        assert!(matches!(hold(&many), Outcome::Tested(test) if test.p < 1e-6));
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
        let Outcome::Tested(test) = hold(&none.estimate().unwrap(), &many.estimate().unwrap(), &between)
        else {
            panic!("ten pieces of thousands of events are enough to test");
        };
        assert!(test.margin < 8_000.0, "{}", test.margin);
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
        let (mut alone, mut alarms, all) = (0, 0, 2_000);
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
            alarms += usize::from(p_between(&before, &after, &between) < 0.005);
        }
        assert!(alone > all / 3, "{alone}: by the seconds alone, runs differ");
        assert!(alarms <= all / 100, "{alarms}");
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
}
