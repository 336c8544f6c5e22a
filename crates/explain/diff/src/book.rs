//! The list of changes: values of both sides become rows, and rows get their verdict and their order.
//!
//! Rows of different units are in one list, so each has an impact from 0 to 1:
//!
//! ```text
//! certain = difference less half of its interval
//! change  = certain / (smaller value + certain)      of a part of a whole: certain / larger whole
//! impact  = importance * level / (level + notable level) * change
//! ```
//!
//! A change is 0.5 if a value certainly doubled or halved, and near 1 if there was nothing before. A part of a whole (a
//! method, a type) that doubles from nearly nothing comes after one that takes a tenth more of everything. Each
//! measure has an importance and a notable level, which are judgement: what users feel comes before what explains it,
//! and nothing comes first that is small both before and after.

use crate::many::{Tier, beyond_chance};
use crate::noise::{Between, Outcome, hold};
use crate::reason::{is_unsteady, reason};
use crate::tally::{Around, Estimate, Tally};
use report::{Basis, Better, Change, ChangeVerdict, NotCompared, Subject};
use std::borrow::Cow;

/// What the values of a row count or measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// How often something happened.
    Count,
    Bytes,
    /// Seconds of threads. Divided by the observed time, they are the average number of threads.
    ThreadSeconds,
    /// Seconds of the whole program. Divided by the observed time, they are a share.
    ProgramSeconds,
    /// A mean, a quantile or a level in this unit. It is never divided by the basis.
    Level(&'static str),
}

impl Quantity {
    /// The unit of values on a basis, and the factor that turns amounts into it.
    fn unit(self, basis: Basis) -> (&'static str, f64) {
        match (self, basis) {
            (Self::Count, Basis::Duration) => ("1/s", 1.0),
            (Self::Count, Basis::Request) => ("1/request", 1.0),
            (Self::Bytes, Basis::Duration) => ("B/s", 1.0),
            (Self::Bytes, Basis::Request) => ("B/request", 1.0),
            (Self::ThreadSeconds, Basis::Duration) => ("threads", 1.0),
            (Self::ProgramSeconds, Basis::Duration) => ("share", 1.0),
            (Self::ThreadSeconds | Self::ProgramSeconds, Basis::Request) => ("ms/request", 1e3),
            (Self::Level(unit), _) => (unit, 1.0),
        }
    }
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    pub(crate) subject: Subject,
    pub(crate) name: &'static str,
    pub(crate) quantity: Quantity,
    pub(crate) better: Better,
    /// Which part of the probability of a false alarm its rows share.
    pub(crate) tier: Tier,
    /// What two runs of one service differ by, on the basis of duration.
    pub(crate) between: Between,
    /// How much it matters that it changes, 0 to 1.
    pub(crate) importance: f64,
    /// The level at which it begins to matter, on the basis of duration.
    pub(crate) notable: f64,
    pub(crate) table: &'static str,
    /// The metric of stacks that shows it.
    pub(crate) metric: Option<&'static str>,
}

/// What a row is of, and where readers find it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Of<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) method: Option<&'a str>,
    pub(crate) class: Option<&'a str>,
    /// Whether the name is that of a handler.
    pub(crate) is_handler: bool,
    /// The wholes before and after that its values are parts of, in the unit of the tallies.
    pub(crate) wholes: Option<(f64, f64)>,
    /// Replaces the measure's name.
    pub(crate) measure: Option<String>,
    /// Replaces the measure's unit.
    pub(crate) unit: Option<&'a str>,
    /// Why no difference is claimed, whatever the test says.
    pub(crate) unclaimed: Option<String>,
}

impl<'a> Of<'a> {
    pub(crate) fn named(name: impl Into<Cow<'a, str>>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// A row before its verdict.
#[derive(Debug)]
struct Draft {
    tier: Tier,
    change: Change,
    outcome: Outcome,
    /// How the pieces after lie around the value before.
    around: Option<Around>,
    /// Why no difference is claimed, whatever the outcome says.
    unclaimed: Option<String>,
}

impl Draft {
    /// What takes part in the correction for many comparisons. Two zeros do not.
    fn judged(&self) -> Option<(Tier, f64)> {
        let is_nothing = self.change.before == Some(0.0) && self.change.after == Some(0.0);
        Some((self.tier, self.change.p?)).filter(|_| !is_nothing)
    }

    /// Whether users feel it: the requests of the whole service, or of a route.
    fn is_felt(&self) -> bool {
        matches!(self.change.subject, Subject::Throughput | Subject::Latency)
            && matches!(self.tier, Tier::Felt | Tier::Routes)
    }
}

/// Two values of a row, in its unit.
#[derive(Debug, Clone, Copy)]
struct Values {
    before: Option<f64>,
    after: Option<f64>,
}

impl Values {
    fn both(self) -> Option<(f64, f64)> {
        self.before.zip(self.after)
    }

    /// The absolute value furthest from 0. A missing value counts as 0.
    fn most(self) -> f64 {
        self.before.unwrap_or(0.0).abs().max(self.after.unwrap_or(0.0).abs())
    }

    /// The absolute value nearest to 0. It is 0 if a value is missing, or if one is negative and the other positive, as they
    /// then have nothing in common.
    fn least(self) -> f64 {
        let common = self.both().filter(|(before, after)| before.signum() * after.signum() >= 0.0);
        common.map_or(0.0, |(before, after)| before.abs().min(after.abs()))
    }

    /// 0 if a value is missing.
    fn difference(self) -> f64 {
        self.both().map_or(0.0, |(before, after)| after - before)
    }
}

/// The list of changes, as it grows.
#[derive(Debug)]
pub(crate) struct Book {
    basis: Basis,
    /// The larger rate of both recordings. It turns levels per request into levels per second.
    requests_per_second: f64,
    rows: Vec<Draft>,
    pub(crate) not_compared: Vec<NotCompared>,
    pub(crate) left_out: Vec<(usize, String)>,
}

impl Book {
    pub(crate) fn new(basis: Basis, requests_per_second: f64) -> Self {
        Self { basis, requests_per_second, rows: Vec::new(), not_compared: Vec::new(), left_out: Vec::new() }
    }

    /// Adds a row of two tallies. Adds nothing if neither has a value.
    pub(crate) fn tallies(
        &mut self,
        measure: &Measure,
        of: Of<'_>,
        before: Option<&Tally>,
        after: Option<&Tally>,
    ) {
        let estimate = |tally: Option<&Tally>| tally.and_then(Tally::estimate);
        let (of_before, of_after) = (estimate(before), estimate(after));
        let around = of_before.zip(after).map(|(before, after)| after.around(before.value));
        self.tested(measure, of, (of_before, of_after), around);
    }

    /// Adds a row of two values with their noise.
    pub(crate) fn estimates(
        &mut self,
        measure: &Measure,
        of: Of<'_>,
        before: Option<Estimate>,
        after: Option<Estimate>,
    ) {
        self.tested(measure, of, (before, after), None);
    }

    fn tested(
        &mut self,
        measure: &Measure,
        of: Of<'_>,
        (before, after): (Option<Estimate>, Option<Estimate>),
        around: Option<Around>,
    ) {
        let factor = measure.quantity.unit(self.basis).1;
        // A value that overflows in the unit of the row counts as missing.
        let scaled = |of: Option<Estimate>| of.map(|of| of.scaled(factor)).filter(|of| of.value.is_finite());
        let (before, after) = (scaled(before), scaled(after));
        let outcome = match (&before, &after) {
            (Some(before), Some(after)) => hold(before, after, &self.between(measure)),
            _ => Outcome::TooLittle("only one recording has values".to_owned()),
        };
        let wholes = of.wholes.map(|(before, after)| (before * factor, after * factor));
        let values = Values { before: before.map(|of| of.value), after: after.map(|of| of.value) };
        self.row(measure, Of { wholes, ..of }, values, outcome, around);
    }

    /// What two runs differ by, on the basis of this comparison.
    fn between(&self, measure: &Measure) -> Between {
        let is_level = matches!(measure.quantity, Quantity::Level(_));
        match self.basis {
            Basis::Request if !is_level && self.requests_per_second > 0.0 => {
                let factor = measure.quantity.unit(self.basis).1;
                let least = measure.between.least * factor / self.requests_per_second;
                Between { least, ..measure.between }
            }
            _ => measure.between,
        }
    }

    /// Adds a row of two values whose noise is not known, and says why.
    pub(crate) fn plain(
        &mut self,
        measure: &Measure,
        of: Of<'_>,
        (before, after): (Option<f64>, Option<f64>),
        why: &str,
    ) {
        self.row(measure, of, Values { before, after }, Outcome::TooLittle(why.to_owned()), None);
    }

    fn row(
        &mut self,
        measure: &Measure,
        of: Of<'_>,
        values: Values,
        outcome: Outcome,
        around: Option<Around>,
    ) {
        let Values { before, after } = values;
        let is_missing = before.is_none() && after.is_none();
        if is_missing || (values.most() == 0.0 && measure.tier == Tier::Details) {
            return;
        }
        let test = match &outcome {
            Outcome::Tested(test) => Some(test),
            Outcome::TooLittle(_) => None,
        };
        let (p, margin) = (test.map(|test| test.p), test.map(|test| test.margin));
        let interval = |margin: f64| (values.difference() - margin, values.difference() + margin);
        let share = |value: f64, whole: f64| if whole > 0.0 { (value / whole).clamp(0.0, 1.0) } else { 0.0 };
        let shares = values.both().zip(of.wholes);
        let change = Change {
            subject: measure.subject,
            measure: of.measure.unwrap_or_else(|| measure.name.to_owned()),
            name: of.name.into_owned(),
            // Set once all rows are known.
            label: None,
            before,
            after,
            unit: of.unit.unwrap_or(measure.quantity.unit(self.basis).0).to_owned(),
            shares: shares.map(|(value, whole)| (share(value.0, whole.0), share(value.1, whole.1))),
            interval: margin.filter(|_| values.both().is_some()).map(interval),
            p,
            verdict: if p.is_some() { ChangeVerdict::WithinNoise } else { ChangeVerdict::TooLittleData },
            reason: None,
            better: measure.better,
            // Without a test, the whole difference counts as certain.
            impact: self.impact(measure, values, margin.unwrap_or(0.0), of.wholes),
            metric: measure.metric,
            method: of.method.map(str::to_owned),
            is_handler: of.is_handler,
            class: of.class.map(str::to_owned),
            table: measure.table,
        };
        self.rows.push(Draft { tier: measure.tier, change, outcome, around, unclaimed: of.unclaimed });
    }

    /// How much a row matters, 0 to 1: see the head of this file.
    fn impact(&self, measure: &Measure, values: Values, margin: f64, wholes: Option<(f64, f64)>) -> f64 {
        let difference = values.difference().abs();
        // A difference within its interval has no certain part. Its size still orders such rows among themselves.
        let certain = if difference > margin { difference - margin } else { difference };
        let whole = wholes.map(|(before, after)| before.max(after).max(values.most()));
        let is_level = matches!(measure.quantity, Quantity::Level(_));
        // Notable levels are per second.
        let (scale, factor) = match self.basis {
            Basis::Request if !is_level => (self.requests_per_second, measure.quantity.unit(self.basis).1),
            _ => (1.0, 1.0),
        };
        let level = whole.unwrap_or(values.most()) * scale / factor;
        let change = certain / whole.unwrap_or(values.least() + certain);
        let impact = measure.importance * level / (level + measure.notable) * change;
        // Without any level, nothing changed and nothing matters.
        if impact.is_finite() { impact.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Whether a measure has a tested row of the whole service.
    pub(crate) fn compares(&self, measure: &str) -> bool {
        let is_it = |of: &Change| of.measure == measure && of.name.is_empty() && of.p.is_some();
        self.rows.iter().any(|draft| is_it(&draft.change))
    }

    /// Notes something that is not compared.
    pub(crate) fn not_compared(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.not_compared.push(NotCompared { what: what.into(), why: why.into() });
    }

    /// Notes how many rows are not listed.
    pub(crate) fn left_out(&mut self, rows: usize, what: impl Into<String>) {
        if rows > 0 {
            self.left_out.push((rows, what.into()));
        }
    }

    /// Gives every row its verdict. Returns the rows, and how many comparisons were made.
    pub(crate) fn close(&mut self) -> (Vec<Change>, usize) {
        let judged: Vec<(Tier, f64)> = self.rows.iter().filter_map(Draft::judged).collect();
        let mut flags = beyond_chance(&judged).into_iter();
        let close = |mut draft: Draft| {
            // There is one flag for each row that is judged, in the same order.
            let is_beyond = draft.judged().is_some() && flags.next() == Some(true);
            if is_beyond && draft.change.difference() != Some(0.0) {
                draft.change.verdict = match draft.unclaimed {
                    None => ChangeVerdict::BeyondNoise,
                    Some(_) => ChangeVerdict::TooLittleData,
                };
                draft.change.reason = draft.unclaimed;
            } else {
                draft.change.reason = reason(&draft.change, &draft.outcome, draft.around, judged.len());
                // Values that differ tenfold are not alike, even if they vary too much for the test.
                if draft.is_felt() && is_unsteady(&draft.change, &draft.outcome) {
                    draft.change.verdict = ChangeVerdict::TooLittleData;
                }
            }
            draft.change
        };
        let rows = self.rows.drain(..).map(close).collect();
        (rows, judged.len())
    }
}

/// Sorts rows by verdict, then by how much they matter.
pub(crate) fn sort(rows: &mut [Change]) {
    rows.sort_by(|a, b| {
        let by_impact = b.impact.total_cmp(&a.impact);
        let by_verdict = a.verdict.cmp(&b.verdict).then(by_impact);
        by_verdict.then_with(|| (a.subject, &a.name, &a.measure).cmp(&(b.subject, &b.name, &b.measure)))
    });
}
