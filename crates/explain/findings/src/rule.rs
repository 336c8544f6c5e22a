//! A rule: its entry in the catalogue, and the function that decides.

use crate::facts::Facts;
use crate::need::Need;
use crate::score::{Harm, Sure, score};
pub(crate) use report::Threshold;
use report::{EvidenceRows, Finding, Measured, Place, Severity, View};
use runtime::{Gap, Hides};

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name. Scripts rely on it.
    pub id: &'static str,
    /// When it is reported.
    pub about: &'static str,
    /// Any one of these is enough to decide.
    pub needs: &'static [Need],
    /// The numbers that it compares with.
    pub thresholds: &'static [Threshold],
    /// Similar situations that it does not report.
    pub silent: &'static str,
    /// How it comes about, inside the runtime.
    pub why: &'static str,
    /// What to try.
    pub tries: &'static [&'static str],
    /// How to see whether it helped.
    pub verify: &'static str,
    /// What the shares of its places are shares of: bytes, waits, samples.
    pub places_of: &'static str,
    /// The view of the pages that shows what it found.
    pub view: View,
    /// Rules that are listed after it, with no higher severity, when both report something: they see less of the same
    /// harm, or are its effects. `links.rs` says which of them it causes, and what must agree for that.
    pub before: &'static [&'static str],
    /// Rules that see the same harm less exactly. They are left out when it reports something.
    pub absorbs: &'static [&'static str],
    /// Decides. `None` if there is nothing to report.
    pub(crate) check: fn(&Facts<'_>) -> Option<Found>,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// One sentence without a full stop.
    pub(crate) title: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What it explains of the harm, in each way that was measured.
    pub(crate) harms: Vec<Harm>,
    /// How sure that is.
    pub(crate) sure: Sure,
    /// The numbers behind it.
    pub(crate) measured: Vec<Measured>,
    /// Where it happens, the largest share first.
    pub(crate) places: Vec<Place>,
    /// The rows that show it.
    pub(crate) evidence: Vec<EvidenceRows>,
}

impl Rule {
    /// The names in code marks in `silent`. Among them are the rules that report the situation instead.
    pub fn leaves_to(&self) -> impl Iterator<Item = &'static str> {
        self.silent.split('`').skip(1).step_by(2)
    }

    /// Whether a gap hides much of the rule's data.
    pub(crate) fn is_touched(&self, gap: &Gap) -> bool {
        let is_of_host = |need: &Need| matches!(need, Need::Host | Need::ResidentMemory | Need::Descriptors);
        let is_of_samples = |need: &Need| matches!(need, Need::Running | Need::Samples | Need::Locks);
        match gap.hides {
            Hides::Events => !self.needs.iter().all(|need| matches!(need, Need::Host | Need::Descriptors)),
            Hides::Samples | Hides::Names => self.needs.iter().any(is_of_samples),
            Hides::Host => self.needs.iter().any(is_of_host),
            Hides::Details => false,
        }
    }

    /// The finding, with the texts of the catalogue. Figures that damage made NaN or infinite are left out, and so is
    /// evidence without rows.
    pub(crate) fn finding(&self, mut found: Found) -> Finding {
        found.measured.retain(|of| of.value.is_finite());
        found.evidence.retain(|of| of.rows > 0);
        // `?` stands for the route with the most time, when no stack shows a place.
        let is_of_route = found.places.first().is_some_and(|place| place.frame == "?");
        let places_of = if is_of_route { "the requests' time" } else { self.places_of };
        Finding {
            id: self.id,
            title: found.title,
            severity: found.severity,
            follows: None,
            score: score(&found.harms, found.sure),
            measured: found.measured,
            places_of,
            places: found.places,
            evidence: found.evidence,
            view: self.view,
            why: self.why.to_owned(),
            tries: self.tries.iter().map(|text| (*text).to_owned()).collect(),
            verify: self.verify.to_owned(),
        }
    }
}
