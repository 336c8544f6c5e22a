//! How well the generator did its own work.

use base::number::real_u64;

/// A generator that was stopped for less than this in all was merely busy.
pub(crate) const STOPPED_NS: u64 = 100_000_000;

/// How well the generator did its own work.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Generator {
    /// The share of a core that its busiest thread used.
    pub cpu_share: f64,
    /// How late requests were sent that could be sent, in milliseconds: the median.
    pub lateness_ms_p50: Option<f64>,
    /// The same: 99 % were not later.
    pub lateness_ms_p99: Option<f64>,
    /// The same: the latest.
    pub lateness_ms_max: Option<f64>,
    /// How long it did not run although it was due, in milliseconds.
    pub stopped_ms: f64,
    /// Whether what was measured is in part the generator.
    pub is_limited: bool,
}

impl Generator {
    /// Whether it was stopped for so long that it matters.
    pub fn was_stopped(&self) -> bool {
        self.stopped_ms * 1e6 >= real_u64(STOPPED_NS)
    }
}
