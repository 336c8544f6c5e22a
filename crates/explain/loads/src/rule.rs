//! A rule: its entry in the catalogue, and the function that decides.

use crate::facts::Facts;
pub(crate) use report::Threshold;
use report::{EvidenceRows, Finding, Measured, Severity, View};

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name. Scripts rely on it.
    pub id: &'static str,
    /// When it is reported.
    pub about: &'static str,
    /// The numbers that it compares with.
    pub thresholds: &'static [Threshold],
    /// Similar situations that it does not report.
    pub silent: &'static str,
    /// How it comes about.
    pub why: &'static str,
    /// What to try.
    pub tries: &'static [&'static str],
    /// How to see whether it helped.
    pub verify: &'static str,
    /// The view of the pages that shows what it found.
    pub view: View,
    /// Whether the run has its data; else what it needs.
    pub(crate) needs: fn(&Facts<'_>) -> Result<(), &'static str>,
    /// Decides. `None` if there is nothing to report.
    pub(crate) check: fn(&Facts<'_>) -> Option<Found>,
}

/// What a rule found.
#[derive(Debug)]
pub(crate) struct Found {
    /// One sentence without a full stop.
    pub(crate) title: String,
    pub(crate) severity: Severity,
    /// The share of the harm that it explains, times how certain that is.
    pub(crate) score: f64,
    pub(crate) measured: Vec<Measured>,
    pub(crate) evidence: Vec<EvidenceRows>,
}

impl Rule {
    /// The finding, with the texts of the catalogue.
    pub(crate) fn finding(&self, mut found: Found) -> Finding {
        found.measured.retain(|of| of.value.is_finite());
        found.evidence.retain(|of| of.rows > 0);
        Finding {
            id: self.id,
            title: found.title,
            severity: found.severity,
            follows: None,
            score: found.score.clamp(0.0, 1.0),
            measured: found.measured,
            places: Vec::new(),
            places_of: "",
            evidence: found.evidence,
            view: self.view,
            why: self.why.to_owned(),
            tries: self.tries.iter().map(|text| (*text).to_owned()).collect(),
            verify: self.verify.to_owned(),
        }
    }
}

/// Rows of a table without times, for a finding.
pub(crate) fn rows_of(table: &'static str, sql: &str, rows: usize) -> EvidenceRows {
    EvidenceRows { rows: base::number::wide(rows), ..EvidenceRows::of(table, sql, std::iter::empty()) }
}

/// The path of the tab that shows latency.
pub(crate) const LATENCY: &str = "/latency";
/// The path of the tab that shows rates.
pub(crate) const RATES: &str = "/rates";
/// The path of the tab that shows what failed.
pub(crate) const FAILURES: &str = "/failures";

/// The view that shows what a rule found.
pub(crate) const fn view(shows: &'static str, lane: &'static str, tab: &'static str) -> View {
    View { shows, lane, tab, metric: None }
}

/// A number that only explains, without a threshold.
pub(crate) fn explains(name: &'static str, value: f64, unit: &'static str) -> Measured {
    Measured { name, value, unit, threshold: None }
}
