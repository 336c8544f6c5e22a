//! When requests are due: one global schedule, whatever connections there are.
//!
//! The times are computed one by one, so that a long run needs no more memory than a short one. They do not depend on how fast
//! the service answers: that is what makes the tail of an open loop true.

use base::number::{count, real_u64, wide};
use base::random::SplitMix;

const SECOND_NS: f64 = 1e9;

/// When requests are due.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// As many requests per second all the time.
    Constant {
        /// Requests per second.
        rate: f64,
    },
    /// Rates one after the other, each for an equal part of the duration.
    Steps {
        /// Requests per second of each part.
        rates: Vec<f64>,
    },
    /// A rate that grows or falls evenly over the duration.
    Ramp {
        /// Requests per second at the beginning.
        from: f64,
        /// Requests per second at the end.
        to: f64,
    },
    /// Requests at random times, as from many users who do not know each other.
    Poisson {
        /// Requests per second, on average.
        rate: f64,
        /// The seed of the random times.
        seed: u64,
    },
    /// Given times, in nanoseconds since the beginning, in ascending order.
    Replay {
        /// The times.
        times_ns: Vec<u64>,
    },
    /// The part of a schedule that one of several generators has: every so many requests.
    Part {
        /// The whole schedule.
        of: Box<Schedule>,
        /// Which part, from 1 on.
        number: u32,
        /// How many parts there are: no more than [`MAX_PARTS`].
        parts: u32,
    },
}

/// Parts that a schedule can have.
pub const MAX_PARTS: u32 = 10_000;

impl Schedule {
    /// How many requests are due within a duration.
    pub fn planned(&self, duration_ns: u64) -> u64 {
        let seconds = real_u64(duration_ns) / SECOND_NS;
        match self {
            Self::Constant { rate } | Self::Poisson { rate, .. } => whole(rate * seconds),
            Self::Steps { rates } => whole(rates.iter().sum::<f64>() * seconds / count(rates.len())),
            Self::Ramp { from, to } => whole(f64::midpoint(*from, *to) * seconds),
            Self::Replay { times_ns } => wide(times_ns.partition_point(|at| *at < duration_ns)),
            Self::Part { of, number, parts } => {
                // Part n has requests n, n + parts, n + 2·parts …
                (of.planned(duration_ns) + u64::from(*parts) - u64::from(*number)) / u64::from(*parts)
            }
        }
    }

    /// The times at which requests are due within a duration, in ascending order: as many as [`Self::planned`] says.
    pub fn times(&self, duration_ns: u64) -> Times {
        if let Self::Part { of, number, parts } = self {
            // A part of a part is not made by anybody; it would be the inner part's requests.
            let of = of.times(duration_ns);
            return Times { left_out: (u64::from(*number) - 1, u64::from(*parts) - 1), ..of };
        }
        let planned = self.planned(duration_ns);
        let random = match self {
            Self::Poisson { seed, .. } => SplitMix(*seed),
            _ => SplitMix(0),
        };
        Times {
            schedule: self.clone(),
            duration_ns,
            planned,
            next: 0,
            random,
            last: 0.0,
            part: (0, 0),
            left_out: (0, 0),
        }
    }

    /// The rate that is asked for, on average over a duration, in requests per second.
    pub fn mean_rate(&self, duration_ns: u64) -> f64 {
        real_u64(self.planned(duration_ns)) * SECOND_NS / real_u64(duration_ns.max(1))
    }
}

/// The next times of a schedule, in nanoseconds since the beginning.
#[derive(Debug, Clone)]
pub struct Times {
    schedule: Schedule,
    duration_ns: u64,
    planned: u64,
    next: u64,
    random: SplitMix,
    /// The last random time, as a share of the duration.
    last: f64,
    /// Of steps: the part, and how many requests of earlier parts there were.
    part: (usize, u64),
    /// How many times are of other generators: before the next one, and after each.
    left_out: (u64, u64),
}

impl Iterator for Times {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        for _ in 0..std::mem::replace(&mut self.left_out.0, self.left_out.1) {
            self.one()?;
        }
        self.one()
    }
}

impl Times {
    /// The next time, whichever generator has it.
    fn one(&mut self) -> Option<u64> {
        if self.next >= self.planned {
            return None;
        }
        let number = self.next;
        self.next += 1;
        let duration = real_u64(self.duration_ns);
        let at = match &self.schedule {
            Schedule::Constant { rate } => real_u64(number) * SECOND_NS / rate,
            Schedule::Replay { times_ns } => {
                return usize::try_from(number).ok().and_then(|at| times_ns.get(at)).copied();
            }
            Schedule::Ramp { from, to } => {
                // The number of requests until t is from·t + (to − from)·t² / 2d, solved for t without a difference of nearly
                // equal numbers.
                let (from, to) = (from / SECOND_NS, to / SECOND_NS);
                let root = (from * from + 2.0 * (to - from) / duration * real_u64(number)).max(0.0).sqrt();
                if from + root > 0.0 { 2.0 * real_u64(number) / (from + root) } else { 0.0 }
            }
            Schedule::Steps { rates } => {
                let of_part = duration / count(rates.len());
                loop {
                    let (part, before) = self.part;
                    let rate = rates.get(part)?;
                    // All parts until this one have as many as their rates say together, so that no rounding adds up.
                    let sum: f64 = rates.iter().take(part + 1).sum();
                    let until = whole(sum * of_part / SECOND_NS);
                    if number < until {
                        break count(part) * of_part + real_u64(number - before) * SECOND_NS / rate;
                    }
                    self.part = (part + 1, until);
                }
            }
            // Its times are those of the whole schedule.
            Schedule::Part { .. } => return None,
            Schedule::Poisson { .. } => {
                // Given their number, the arrivals of a Poisson process are independent and uniform. The smallest of n uniform
                // times after `last` is at 1 − (1 − last)·u^(1/n) (Devroye, Non-Uniform Random Variate Generation, V.3.1).
                let rest = real_u64(self.planned - number);
                self.last = 1.0 - (1.0 - self.last) * self.random.unit().powf(1.0 / rest);
                self.last * duration
            }
        };
        Some(saturated(at).min(self.duration_ns.saturating_sub(1)))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and times are not negative"
)]
fn saturated(ns: f64) -> u64 {
    ns as u64
}

/// A number of requests: 200/s for 0.1 s are 20, however 0.1 is rounded.
fn whole(count: f64) -> u64 {
    saturated(count.round())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn times(schedule: &Schedule, duration_ns: u64) -> Vec<u64> {
        let times: Vec<u64> = schedule.times(duration_ns).collect();
        assert_eq!(times.len() as u64, schedule.planned(duration_ns), "{schedule:?}");
        assert!(times.is_sorted() && times.last().is_none_or(|last| *last < duration_ns), "{schedule:?}");
        times
    }

    #[test]
    fn a_constant_rate_is_kept_exactly() {
        assert_eq!(
            times(&Schedule::Constant { rate: 4.0 }, SECOND),
            [0, SECOND / 4, SECOND / 2, 3 * SECOND / 4]
        );
        assert_eq!(times(&Schedule::Constant { rate: 200.0 }, SECOND / 10).len(), 20);
        assert_eq!(times(&Schedule::Constant { rate: 0.5 }, 6 * SECOND), [0, 2 * SECOND, 4 * SECOND]);
        let long = Schedule::Constant { rate: 20_000.0 }.times(3600 * SECOND).last();
        assert_eq!(long, Some(3600 * SECOND - 50_000));
    }

    #[test]
    fn steps_and_ramps_have_their_rates_in_every_part() {
        let within =
            |times: &[u64], from: u64, to: u64| times.iter().filter(|at| (from..to).contains(at)).count();
        let steps = times(&Schedule::Steps { rates: vec![10.0, 0.0, 30.0] }, 6 * SECOND);
        let of_parts = [0, 2, 4].map(|from| within(&steps, from * SECOND, (from + 2) * SECOND));
        assert_eq!(of_parts, [20, 0, 60]);
        let ramp = times(&Schedule::Ramp { from: 0.0, to: 100.0 }, 10 * SECOND);
        assert_eq!(ramp.len(), 500);
        for second in 0..10u64 {
            let expected = 10 * second + 5;
            let found = within(&ramp, second * SECOND, (second + 1) * SECOND) as u64;
            assert!(found.abs_diff(expected) <= 1, "{second}: {found}");
        }
        let falling = times(&Schedule::Ramp { from: 100.0, to: 0.0 }, 10 * SECOND);
        assert_eq!(within(&falling, 0, 5 * SECOND), 375);
    }

    #[test]
    fn poisson_arrivals_are_exponential_and_the_seed_repeats_them() {
        let schedule = Schedule::Poisson { rate: 1_000.0, seed: 7 };
        let arrivals = times(&schedule, 20 * SECOND);
        assert_eq!(arrivals, times(&schedule, 20 * SECOND));
        assert_ne!(arrivals, times(&Schedule::Poisson { rate: 1_000.0, seed: 8 }, 20 * SECOND));
        let gaps: Vec<f64> = arrivals.windows(2).map(|pair| real_u64(pair[1] - pair[0]) / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let above = |ms: f64| gaps.iter().filter(|gap| **gap > ms).count() as f64 / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        for ms in [0.5f64, 1.0, 2.0, 3.0] {
            assert!((above(ms) - (-ms).exp()).abs() < 0.012, "{ms}: {}", above(ms));
        }
    }

    #[test]
    fn given_times_are_replayed_as_far_as_the_duration_reaches() {
        let schedule = Schedule::Replay { times_ns: vec![0, 5, 5, 90, 100] };
        assert_eq!(times(&schedule, 100), [0, 5, 5, 90]);
    }

    #[test]
    fn the_parts_of_a_schedule_are_the_schedule() {
        let schedules = [
            Schedule::Constant { rate: 7.0 },
            Schedule::Steps { rates: vec![3.0, 0.0, 9.0] },
            Schedule::Poisson { rate: 11.0, seed: 3 },
            Schedule::Replay { times_ns: vec![1, 1, 5, 9] },
        ];
        for whole in schedules {
            for parts in [1, 2, 3, 7, 50] {
                let part = |number| Schedule::Part { of: Box::new(whole.clone()), number, parts };
                let mut all: Vec<u64> =
                    (1..=parts).flat_map(|number| times(&part(number), 3 * SECOND)).collect();
                all.sort_unstable();
                assert_eq!(all, times(&whole, 3 * SECOND), "{whole:?} in {parts}");
            }
        }
    }

    proptest! {
        #[test]
        fn times_ascend_and_are_as_many_as_planned(a in 0.0..5_000.0f64, b in 0.0..5_000.0f64, ms in 1..3_000u64, seed in any::<u64>()) {
            let schedules = [
                Schedule::Constant { rate: a },
                Schedule::Steps { rates: vec![a, b, a] },
                Schedule::Ramp { from: a, to: b },
                Schedule::Poisson { rate: a, seed },
            ];
            for schedule in schedules {
                times(&schedule, ms * 1_000_000);
            }
        }
    }
}
