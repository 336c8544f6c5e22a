//! Objectives of a service level, and whether a run meets them: `p99<50ms`, `errors<0.1%`, `rate>=190`, `mean<20ms`.

use crate::figures::{Figures, quantile_ms};
use crate::plan::Plan;
use crate::record::Latencies;
use crate::run::Run;
use base::number::real_u64;
use hdrhistogram::Histogram;
use std::str::FromStr;

/// An objective.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    text: String,
    what: What,
    comparison: Comparison,
    /// In milliseconds, a share of 1, or requests per second.
    bound: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    /// A quantile of the latency from the schedule; of a closed loop, from the send.
    Latency(f64),
    /// The longest latency.
    Longest,
    /// The mean of the same latency.
    Mean,
    /// The share of planned requests that were not answered, or answered with a status of 500 or above, or whose answer failed a check.
    Errors,
    /// Responses per second.
    Rate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// What must be watched to know early that an objective is missed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Watched {
    /// Latencies above the bound of this quantile.
    Latency(f64),
    /// Any latency above the bound.
    Longest,
    /// Requests without an answer of use, above this share.
    Errors(f64),
    /// Responses per second.
    Rate,
}

/// Whether an objective is met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It is, by this value.
    Met(f64),
    /// It is not.
    Missed(f64),
    /// Too few requests for the percentile that it asks for.
    TooFew,
}

/// Why a text is not an objective.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an objective: expected for example p99<50ms, mean<20ms, max<2s, errors<0.1% or rate>=190"
)]
pub struct ObjectiveError(String);

impl FromStr for Objective {
    type Err = ObjectiveError;

    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        let invalid = || ObjectiveError(text.to_owned());
        let at = text.find(['<', '>', '≤', '≥']).ok_or_else(invalid)?;
        let (what, rest) = text.split_at(at);
        let signs = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("≤", Comparison::AtMost),
            ("≥", Comparison::AtLeast),
            ("<", Comparison::Below),
            (">", Comparison::Above),
        ];
        let (bound, comparison) = signs
            .into_iter()
            .find_map(|(sign, of)| Some((rest.strip_prefix(sign)?, of)))
            .ok_or_else(invalid)?;
        let what = match what.trim() {
            "errors" => What::Errors,
            "rate" => What::Rate,
            "max" => What::Longest,
            "mean" => What::Mean,
            percentile => What::Latency(quantile(percentile).ok_or_else(invalid)?),
        };
        let (number, unit) = split_unit(bound.trim());
        let number: f64 = number.parse().map_err(|_no_number| invalid())?;
        let factor = match (what, unit) {
            (What::Latency(_) | What::Longest | What::Mean, "us" | "µs") => 1e-3,
            (What::Latency(_) | What::Longest | What::Mean, "s") => 1e3,
            (What::Errors, "%") => 0.01,
            (What::Latency(_) | What::Longest | What::Mean, "ms")
            | (What::Errors, "")
            | (What::Rate, "" | "/s") => 1.0,
            _ => return Err(invalid()),
        };
        let bound = number * factor;
        if !bound.is_finite() || bound < 0.0 {
            return Err(invalid());
        }
        Ok(Self { text: text.to_owned(), what, comparison, bound })
    }
}

/// The quantile that `p99`, `p99.9` or `p999` names.
fn quantile(name: &str) -> Option<f64> {
    let digits = name.strip_prefix('p')?;
    let is_number = !digits.is_empty() && digits.chars().all(|of| of.is_ascii_digit() || of == '.');
    let percent: f64 = is_number.then(|| digits.parse().ok())??;
    // p999 and p9999 are written without their point.
    let percent = if percent > 100.0 {
        format!("{}.{}", digits.get(..2)?, digits.get(2..)?).parse().ok()?
    } else {
        percent
    };
    // Rounded, so that 99.9 / 100 is 0.999.
    (percent > 0.0 && percent < 100.0).then(|| (percent * 1e7).round() / 1e9)
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|of: char| !(of.is_ascii_digit() || of == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

impl Objective {
    /// As the user wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The unit of its value: `ms`, `share` or `1/s`.
    pub fn unit(&self) -> &'static str {
        match self.what {
            What::Latency(_) | What::Longest | What::Mean => "ms",
            What::Errors => "share",
            What::Rate => "1/s",
        }
    }

    /// What must be watched to know early that it is missed. `None` for an objective that more requests can only help, such as a
    /// latency that is to be large.
    pub(crate) fn watched(&self) -> Option<Watched> {
        let is_upper = self.is_upper();
        match self.what {
            What::Latency(quantile) if is_upper => Some(Watched::Latency(quantile)),
            What::Longest if is_upper => Some(Watched::Longest),
            What::Errors if is_upper => Some(Watched::Errors(self.bound)),
            What::Rate if !is_upper => Some(Watched::Rate),
            _ => None,
        }
    }

    /// How many values of a histogram of nanoseconds miss it.
    pub(crate) fn misses(&self, histogram: &Histogram<u64>) -> u64 {
        let slow = histogram.iter_recorded().filter(|of| {
            // A quantile is the largest value of its bucket.
            let largest = histogram.highest_equivalent(of.value_iterated_to());
            !self.holds(real_u64(largest) / 1e6)
        });
        slow.map(|of| of.count_at_value()).sum()
    }

    /// The limit of the mean latency in milliseconds, if it sets one.
    pub fn mean_limit_ms(&self) -> Option<f64> {
        (self.what == What::Mean && self.is_upper()).then_some(self.bound)
    }

    /// The quantile of the latency that it limits, if it limits one.
    pub fn limited_quantile(&self) -> Option<f64> {
        match self.what {
            What::Latency(quantile) if self.is_upper() => Some(quantile),
            _ => None,
        }
    }

    /// Whether it sets an upper limit.
    fn is_upper(&self) -> bool {
        matches!(self.comparison, Comparison::Below | Comparison::AtMost)
    }

    /// Whether a value meets it.
    pub fn holds(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Below => value < self.bound,
            Comparison::AtMost => value <= self.bound,
            Comparison::Above => value > self.bound,
            Comparison::AtLeast => value >= self.bound,
        }
    }

    /// Whether a run meets it.
    pub fn verdict(&self, plan: &Plan, run: &Run) -> Verdict {
        let Latencies { schedule, send, .. } = &run.latencies;
        let latencies = if plan.planned().is_some() { schedule } else { send };
        let figures = Figures::of(plan, run);
        let longest = || figures.from_schedule.unwrap_or(figures.from_send).max;
        let value = match self.what {
            What::Latency(quantile) => quantile_ms(latencies, quantile),
            What::Longest => longest(),
            What::Mean => (!latencies.is_empty()).then(|| latencies.mean() / 1e6),
            What::Errors => Some(errors(run)),
            What::Rate => Some(figures.answered_rate),
        };
        let Some(value) = value else {
            // A run that was ended because it is lost has few requests, and yet misses it.
            let is_lost = run.abort.as_ref().is_some_and(|of| of.reason.objective() == Some(self.text()));
            return match self.what {
                What::Latency(quantile) if is_lost => {
                    Verdict::Missed(real_u64(latencies.value_at_quantile(quantile)) / 1e6)
                }
                _ => Verdict::TooFew,
            };
        };
        if self.holds(value) { Verdict::Met(value) } else { Verdict::Missed(value) }
    }
}

/// The share of planned requests without an answer of use.
fn errors(run: &Run) -> f64 {
    real_u64(run.counts.without_use()) / real_u64(run.planned.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_read() {
        let check = |text: &str, what, comparison, bound| {
            let of: Objective = text.parse().unwrap();
            assert_eq!((of.what, of.comparison, of.bound, of.text()), (what, comparison, bound, text));
        };
        check("p99<50ms", What::Latency(0.99), Comparison::Below, 50.0);
        check("p99.9 <= 1.5s", What::Latency(0.999), Comparison::AtMost, 1_500.0);
        check("p999<200us", What::Latency(0.999), Comparison::Below, 0.2);
        check("mean<20ms", What::Mean, Comparison::Below, 20.0);
        check("max<2s", What::Longest, Comparison::Below, 2_000.0);
        check("errors<0.1%", What::Errors, Comparison::Below, 0.001);
        check("rate>=190", What::Rate, Comparison::AtLeast, 190.0);
        for text in [
            "",
            "p99",
            "p99<50",
            "p0<1ms",
            "p100<1ms",
            "pp<1ms",
            "errors<1ms",
            "rate>1%",
            "p99<-1ms",
            "p99<ms",
            "x<1",
        ] {
            assert_eq!(text.parse::<Objective>(), Err(ObjectiveError(text.to_owned())), "{text}");
        }
    }
}
