//! What a rule is: its entry in the catalogue, and the function that decides.

use crate::facts::Facts;
use report::{EvidenceRows, Finding, Measured, Place, Severity, View};
use runtime::{Gap, Hides};

/// A number that decides, with where it is from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// What is measured.
    pub name: &'static str,
    /// From which value on.
    pub value: f64,
    /// Its unit, as of a figure.
    pub unit: &'static str,
    /// Who says so, or what was measured to find it.
    pub source: &'static str,
}

impl Threshold {
    /// A measurement of it.
    pub(crate) fn measured(&self, value: f64) -> Measured {
        self.measured_against(value, self.value)
    }

    /// A measurement of it, against the threshold as it is for this recording.
    pub(crate) fn measured_against(&self, value: f64, threshold: f64) -> Measured {
        Measured { name: self.name, value, unit: self.unit, threshold: Some(threshold) }
    }
}

/// Data that a rule can work from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Sampled stacks of threads that run, whoever sampled them.
    Running,
    /// Sampled stacks of all threads, those that wait among them.
    Samples,
    /// Events of the thread pool.
    ThreadPool,
    /// Events of the collector.
    Gc,
    /// Sampled allocations.
    Allocations,
    /// Events of waits for locks, or samples that show them.
    Locks,
    /// Events of exceptions.
    Exceptions,
    /// Events of compiled methods.
    Jit,
    /// Requests one by one.
    EachRequest,
    /// Spans or meters of databases.
    Database,
    /// Spans or meters of outgoing HTTP calls.
    Http,
    /// Anything of the runtime's own provider.
    Runtime,
    /// Facts of the host beside the recording.
    Host,
    /// How much memory is resident, by the host or the runtime, and how much is allocated in the managed heap.
    ResidentMemory,
    /// How many files and sockets are open.
    Descriptors,
}

impl Need {
    /// The option of `record` that brings it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Running | Self::Samples => "samples: --profile default or cpu",
            Self::ThreadPool | Self::Gc | Self::Exceptions | Self::Runtime => {
                "events of the runtime: --profile light or default"
            }
            Self::Locks | Self::Jit => "events of the runtime: --profile default",
            Self::Allocations => "sampled allocations: --profile default",
            Self::EachRequest => "requests with activity ids: --profile requests",
            Self::Database => {
                "spans or meters of a database client: --profile requests (Npgsql's meters need no spans)"
            }
            Self::Host | Self::Descriptors => {
                "facts of the host: `casebook record` into a folder, of a process on the same machine"
            }
            Self::ResidentMemory => {
                "sampled allocations, or the counters of System.Runtime: --profile light or default"
            }
            Self::Http => {
                "spans or meters of HttpClient: --profile requests, or .NET 8 and later with --profile default"
            }
        }
    }
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name: what scripts rely on.
    pub id: &'static str,
    /// When it is said.
    pub about: &'static str,
    /// Data of which any one is enough to decide.
    pub needs: &'static [Need],
    /// The numbers that decide.
    pub thresholds: &'static [Threshold],
    /// When it stays silent though it looks alike.
    pub silent: &'static str,
    /// How it comes about, inside the runtime.
    pub why: &'static str,
    /// What to try.
    pub tries: &'static [&'static str],
    /// How to see that it helped.
    pub verify: &'static str,
    /// What the shares of its places are of: bytes, waits and samples read alike otherwise.
    pub places_of: &'static str,
    /// The view of the pages that shows what it found.
    pub view: View,
    /// Rules that are said behind it where both hold, and no worse: they see less of the same harm, or are its effects. Which
    /// of them it causes, and on what evidence, is in `links.rs`.
    pub before: &'static [&'static str],
    /// Rules that see the same harm less exactly: they are not said beside it.
    pub absorbs: &'static [&'static str],
    /// Decides.
    pub(crate) check: fn(&Facts<'_>) -> Option<Found>,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// One sentence.
    pub(crate) title: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// How much of the harm it explains, and how sure that is: 0 to 1.
    pub(crate) score: f64,
    /// What was measured.
    pub(crate) measured: Vec<Measured>,
    /// Where, the largest share first.
    pub(crate) places: Vec<Place>,
    /// What shows it.
    pub(crate) evidence: Vec<EvidenceRows>,
}

impl Rule {
    /// What the text on its silence names in code marks: the rules that speak instead are among it.
    pub fn leaves_to(&self) -> impl Iterator<Item = &'static str> {
        self.silent.split('`').skip(1).step_by(2)
    }

    /// Whether a gap takes a substantial part of what the rule works from.
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

    /// The finding, with what the catalogue says of it. What a damaged recording makes of a figure is left out if it is no
    /// number, and so is evidence without a row.
    pub(crate) fn finding(&self, mut found: Found) -> Finding {
        found.measured.retain(|of| of.value.is_finite());
        found.evidence.retain(|of| of.rows > 0);
        // No stack showed it: the route that took most of the time stands for it.
        let is_of_route = found.places.first().is_some_and(|place| place.frame == "?");
        let places_of = if is_of_route { "the requests' time" } else { self.places_of };
        let score = if found.score.is_nan() { 0.0 } else { found.score.clamp(0.0, 1.0) };
        Finding {
            id: self.id,
            title: found.title,
            severity: found.severity,
            follows: None,
            score,
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
