//! The list as it grows: values of both sides become rows, rows get their verdict and their order.
//!
//! Rows of different units stand in one list, so each has an impact from 0 to 1:
//!
//! ```text
//! certain = difference less half of its interval
//! change  = certain / (smaller value + certain)      of a part of a whole: certain / larger whole
//! impact  = importance * level / (level + notable level) * change
//! ```
//!
//! So a change is 0.5 for a value that certainly doubled or halved, and near 1 for something that was not there. A
//! part of a whole (a method, a type) that doubles from nearly nothing stays behind one that takes a tenth more of
//! everything. Importance and notable level are judgement, and stand with each measure: what users of the service
//! feel before what explains it, and nothing in front that is small after as before.

use crate::many::{Tier, beyond_chance};
use crate::noise::{Between, Estimate, Outcome, Tally, Told, hold};
use crate::reason::{Pieces, is_unsteady, reason};
use report::{Basis, Better, Change, ChangeVerdict, NotCompared, Subject};
use std::borrow::Cow;

/// What a value is an amount of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// Times that something happened.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds of threads: over the observed time they are threads on average.
    ThreadSeconds,
    /// Seconds of the whole program: over the observed time they are a share of it.
    ProgramSeconds,
    /// Not divided by the basis: a mean, a quantile, a level, of this unit.
    Level(&'static str),
}

impl Quantity {
    /// The unit of values on a basis, and what amounts are multiplied by for it.
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
    /// How its rows share the probability of a false one.
    pub(crate) tier: Tier,
    /// What two runs of one service differ by, on the basis of duration.
    pub(crate) between: Between,
    /// How much it matters that it changes, 0 to 1.
    pub(crate) importance: f64,
    /// The level from which on it matters, on the basis of duration.
    pub(crate) notable: f64,
    pub(crate) table: &'static str,
    pub(crate) metric: Option<&'static str>,
}

/// What a row is of, and how a reader finds it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Of<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) method: Option<&'a str>,
    pub(crate) class: Option<&'a str>,
    /// What the whole is that it is a part of: before, after, on the scale of the tallies' values.
    pub(crate) wholes: Option<(f64, f64)>,
    /// In place of the measure's own name.
    pub(crate) measure: Option<String>,
    /// In place of the measure's own unit.
    pub(crate) unit: Option<&'a str>,
    /// Why a difference is not claimed, whatever the test says.
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
    /// On which side the pieces after are of the value before.
    pieces: Option<Pieces>,
    /// Why a difference is not claimed, whatever the outcome says.
    unclaimed: Option<String>,
}

impl Draft {
    /// What takes part in the correction for many comparisons. Two zeros are no comparison.
    fn judged(&self) -> Option<(Tier, f64)> {
        let is_nothing = self.change.before == Some(0.0) && self.change.after == Some(0.0);
        Some((self.tier, self.told()?.p)).filter(|_| !is_nothing)
    }

    /// Whether it is of what users feel: of all requests, or of a route.
    fn is_felt(&self) -> bool {
        matches!(self.change.subject, Subject::Throughput | Subject::Latency)
            && matches!(self.tier, Tier::Felt | Tier::Routes)
    }

    fn told(&self) -> Option<Told> {
        match self.outcome {
            Outcome::Told(told) => Some(told),
            Outcome::TooLittle(_) => None,
        }
    }
}

/// The list as it grows.
#[derive(Debug)]
pub(crate) struct Book {
    basis: Basis,
    /// Requests a second, the larger of both: it brings levels per request back to those per second.
    requests_a_second: f64,
    rows: Vec<Draft>,
    pub(crate) not_compared: Vec<NotCompared>,
    pub(crate) left_out: Vec<(usize, String)>,
}

impl Book {
    pub(crate) fn new(basis: Basis, requests_a_second: f64) -> Self {
        Self { basis, requests_a_second, rows: Vec::new(), not_compared: Vec::new(), left_out: Vec::new() }
    }

    /// Adds a row of two tallies; nothing where both have no value.
    pub(crate) fn tallies(
        &mut self,
        measure: &Measure,
        of: Of<'_>,
        before: Option<&Tally>,
        after: Option<&Tally>,
    ) {
        let estimate = |tally: Option<&Tally>| tally.and_then(Tally::estimate);
        let (of_before, of_after) = (estimate(before), estimate(after));
        let pieces = of_before.zip(after).map(|(before, after)| Pieces::new(after.beside(before.value)));
        self.held(measure, of, (of_before, of_after), pieces);
    }

    /// Adds a row of two values with their noise.
    pub(crate) fn estimates(
        &mut self,
        measure: &Measure,
        of: Of<'_>,
        before: Option<Estimate>,
        after: Option<Estimate>,
    ) {
        self.held(measure, of, (before, after), None);
    }

    fn held(
        &mut self,
        measure: &Measure,
        of: Of<'_>,
        (before, after): (Option<Estimate>, Option<Estimate>),
        pieces: Option<Pieces>,
    ) {
        let factor = measure.quantity.unit(self.basis).1;
        // A value that overflows in the unit of the row is none.
        let scaled = |of: Option<Estimate>| of.map(|of| of.scaled(factor)).filter(|of| of.value.is_finite());
        let (before, after) = (scaled(before), scaled(after));
        let (value_before, value_after) = (before.map(|of| of.value), after.map(|of| of.value));
        let outcome = match (&before, &after) {
            (Some(before), Some(after)) => hold(before, after, &self.between(measure)),
            _ => Outcome::TooLittle("only one recording has values".to_owned()),
        };
        let wholes = of.wholes.map(|(before, after)| (before * factor, after * factor));
        self.row(measure, Of { wholes, ..of }, (value_before, value_after), (outcome, pieces));
    }

    /// What two runs differ by, on the basis of this comparison.
    fn between(&self, measure: &Measure) -> Between {
        let is_level = matches!(measure.quantity, Quantity::Level(_));
        match self.basis {
            Basis::Request if !is_level && self.requests_a_second > 0.0 => {
                let factor = measure.quantity.unit(self.basis).1;
                Between { least: measure.between.least * factor / self.requests_a_second, ..measure.between }
            }
            _ => measure.between,
        }
    }

    /// Adds a row of two values whose noise is not known: why.
    pub(crate) fn plain(
        &mut self,
        measure: &Measure,
        of: Of<'_>,
        values: (Option<f64>, Option<f64>),
        why: &str,
    ) {
        self.row(measure, of, values, (Outcome::TooLittle(why.to_owned()), None));
    }

    fn row(
        &mut self,
        measure: &Measure,
        of: Of<'_>,
        (before, after): (Option<f64>, Option<f64>),
        (outcome, pieces): (Outcome, Option<Pieces>),
    ) {
        let most = before.unwrap_or(0.0).abs().max(after.unwrap_or(0.0).abs());
        if (before.is_none() && after.is_none()) || (most == 0.0 && measure.tier == Tier::Details) {
            return;
        }
        let both = before.zip(after);
        // Through 0 there is nothing of the one in the other.
        let crosses = both.is_some_and(|(before, after)| before.signum() * after.signum() < 0.0);
        let least = if crosses { 0.0 } else { before.unwrap_or(0.0).abs().min(after.unwrap_or(0.0).abs()) };
        let (p, margin) = match &outcome {
            Outcome::Told(told) => (Some(told.p), Some(told.margin)),
            Outcome::TooLittle(_) => (None, None),
        };
        let difference = both.map_or(0.0, |(before, after)| after - before);
        let share = |value: f64, whole: f64| if whole > 0.0 { (value / whole).clamp(0.0, 1.0) } else { 0.0 };
        let change = Change {
            subject: measure.subject,
            measure: of.measure.unwrap_or_else(|| measure.name.to_owned()),
            name: of.name.into_owned(),
            before,
            after,
            unit: of.unit.unwrap_or(measure.quantity.unit(self.basis).0).to_owned(),
            shares: both.zip(of.wholes).map(|(of, whole)| (share(of.0, whole.0), share(of.1, whole.1))),
            interval: margin
                .filter(|_| both.is_some())
                .map(|margin| (difference - margin, difference + margin)),
            p,
            verdict: if p.is_some() { ChangeVerdict::WithinNoise } else { ChangeVerdict::TooLittleData },
            reason: None,
            better: measure.better,
            impact: self.impact(measure, (least, most), (difference.abs(), margin), of.wholes),
            metric: measure.metric,
            method: of.method.map(str::to_owned),
            class: of.class.map(str::to_owned),
            table: measure.table,
        };
        self.rows.push(Draft { tier: measure.tier, change, outcome, pieces, unclaimed: of.unclaimed });
    }

    fn impact(
        &self,
        measure: &Measure,
        (least, most): (f64, f64),
        (difference, margin): (f64, Option<f64>),
        wholes: Option<(f64, f64)>,
    ) -> f64 {
        // A difference within its interval has no certain part; its size still orders those rows among themselves.
        let certain = Some(difference - margin.unwrap_or(0.0)).filter(|of| *of > 0.0).unwrap_or(difference);
        let whole = wholes.map(|(before, after)| before.max(after).max(most));
        let is_level = matches!(measure.quantity, Quantity::Level(_));
        let (scale, factor) = match self.basis {
            Basis::Request if !is_level => (self.requests_a_second, measure.quantity.unit(self.basis).1),
            _ => (1.0, 1.0),
        };
        let level = whole.unwrap_or(most) * scale / factor;
        let change = certain / whole.unwrap_or(least + certain);
        let impact = measure.importance * level / (level + measure.notable) * change;
        if impact.is_finite() { impact.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Whether there is a row of the whole service for a measure.
    pub(crate) fn compares(&self, measure: &str) -> bool {
        let is_it = |of: &Change| of.measure == measure && of.name.is_empty() && of.p.is_some();
        self.rows.iter().any(|draft| is_it(&draft.change))
    }

    /// Says what one side lacks.
    pub(crate) fn not_compared(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.not_compared.push(NotCompared { what: what.into(), why: why.into() });
    }

    /// Counts rows that are not listed.
    pub(crate) fn left_out(&mut self, rows: usize, what: impl Into<String>) {
        if rows > 0 {
            self.left_out.push((rows, what.into()));
        }
    }

    /// Gives every row its verdict, and how many comparisons were made.
    pub(crate) fn close(&mut self) -> (Vec<Change>, usize) {
        let judged: Vec<(Tier, f64)> = self.rows.iter().filter_map(Draft::judged).collect();
        let mut flags = beyond_chance(&judged).into_iter();
        let close = |mut draft: Draft| {
            let beyond = draft.judged().is_some() && flags.next() == Some(true);
            if beyond && draft.change.difference() != Some(0.0) {
                draft.change.verdict = match draft.unclaimed {
                    None => ChangeVerdict::BeyondNoise,
                    Some(_) => ChangeVerdict::TooLittleData,
                };
                draft.change.reason = draft.unclaimed;
            } else {
                draft.change.reason = reason(&draft.change, &draft.outcome, draft.pieces, judged.len());
                // Ten times as many are no noise that was measured: what they vary by is not known.
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

/// Brings rows into their order: by verdict, then by how much they matter.
pub(crate) fn sort(rows: &mut [Change]) {
    rows.sort_by(|a, b| {
        let by_impact = b.impact.total_cmp(&a.impact);
        let by_verdict = a.verdict.cmp(&b.verdict).then(by_impact);
        by_verdict.then_with(|| (a.subject, &a.name, &a.measure).cmp(&(b.subject, &b.name, &b.measure)))
    });
}
