//! Whether the measured part of a run was steady: whether its latency changed for good at some time.
//!
//! Two series are tested: the median of each second, and its p95, which only seconds with enough requests have. What is tested is the
//! latency that the run is about: from the schedule or, in a closed loop, from the send. Seconds without an answer have none. The test
//! itself is [`base::stats::changes`].

use crate::plan::nanoseconds;
use crate::run::Run;
use crate::second::{Second, Typical};
use base::number::real_u64;
use base::stats::{MIN_VALUES, changes};

/// The share of steady runs that are said not to be, for both series together.
const CHANCE: f64 = 0.005;
/// A change by less than this factor is of no importance.
const LEAST: f64 = 1.15;

/// A quantile of a second.
type Quantile = fn(&Typical) -> Option<u64>;

/// A time at which the latency changed for good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// When, in nanoseconds since the beginning.
    pub ts_ns: u64,
    /// What changed: `p50` or `p95` of each second.
    pub metric: &'static str,
    /// Its median before, in milliseconds.
    pub before_ms: f64,
    /// Its median after.
    pub after_ms: f64,
}

/// Whether a run was steady.
#[derive(Debug, Clone, PartialEq)]
pub enum Steadiness {
    /// Fewer seconds with an answer than the test needs.
    TooShort,
    /// No change was found.
    Steady,
    /// It changed, in order of time.
    Changed(Vec<Shift>),
}

impl Steadiness {
    /// That of a run.
    pub fn of(run: &Run) -> Self {
        // What is answered after the last request was due does not belong to what was measured.
        let end_ns = nanoseconds(std::time::Duration::try_from_secs_f64(run.due_seconds).unwrap_or_default());
        let measured = run.seconds.iter().filter(|of| of.ts_ns + of.dur_ns <= end_ns);
        let measured: Vec<&Second> = measured.collect();
        let mut is_tested = false;
        let series: [(&str, Quantile); 2] = [("p50", |of| of.p50_ns), ("p95", |of| of.p95_ns)];
        for (metric, of) in series {
            let values = measured.iter().filter_map(|second| Some((second.ts_ns, of(&second.typical)?)));
            let (times, values): (Vec<u64>, Vec<f64>) =
                values.map(|(ts_ns, ns)| (ts_ns, real_u64(ns) / 1e6)).unzip();
            let Some(found) = changes(&values, CHANCE / 2.0, LEAST) else { continue };
            is_tested = true;
            // What moves the median moves p95 too: it is said once.
            if !found.is_empty() {
                let shift = |of: &base::stats::Change| Shift {
                    ts_ns: times.get(of.at).copied().unwrap_or(0),
                    metric,
                    before_ms: of.before,
                    after_ms: of.after,
                };
                return Self::Changed(found.iter().map(shift).collect());
            }
        }
        if is_tested { Self::Steady } else { Self::TooShort }
    }

    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooShort => "too short",
            Self::Steady => "steady",
            Self::Changed(_) => "not steady",
        }
    }

    /// The changes.
    pub fn changes(&self) -> &[Shift] {
        match self {
            Self::Changed(changes) => changes,
            Self::TooShort | Self::Steady => &[],
        }
    }

    /// Seconds with an answer that the test needs.
    pub const MIN_SECONDS: usize = MIN_VALUES;
}
