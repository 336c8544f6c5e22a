//! What the rules share about a run.

use crate::intervals::{Interval, intervals, whole};
use base::number::{real, real_u64};
use model::{Load, NO_INT, SCHEDULE};

/// What the rules share.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) load: &'a Load,
    /// The rows by second.
    pub(crate) seconds: Vec<Second>,
    /// The intervals of the basis that latencies are of.
    pub(crate) intervals: Vec<Interval>,
    /// All of them as one.
    pub(crate) whole: Interval,
    /// The basis that latencies are of.
    pub(crate) basis: Option<&'a str>,
    /// When nothing was answered: of the service, and of the generator. `stillness` finds them.
    pub(crate) stalls: Vec<Stall>,
}

/// A time when nothing was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stall {
    /// When it began, as far as the rows say it.
    pub(crate) from_ns: i64,
    /// Where the rows that show it end.
    pub(crate) to_ns: i64,
    /// How long nothing was answered.
    pub(crate) ms: f64,
    /// Whether requests timed out during it. Then it was longer than the latencies say.
    pub(crate) is_longer: bool,
    /// Whether nothing was answered any more until the run was over.
    pub(crate) never_ends: bool,
    /// Whether the generator was late by as much, so that it was stopped itself.
    pub(crate) is_of_generator: bool,
}

impl Stall {
    /// A stall of which no more is known.
    pub(crate) fn of(from_ns: i64, to_ns: i64, ms: f64) -> Self {
        Self { from_ns, to_ns, ms, is_longer: false, never_ends: false, is_of_generator: false }
    }
}

/// A row by second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Second {
    pub(crate) ts_ns: i64,
    pub(crate) dur_ns: i64,
    pub(crate) asked: Option<f64>,
    pub(crate) answered: Option<f64>,
    /// Errors and time-outs.
    pub(crate) failed: f64,
    pub(crate) timeouts: f64,
    pub(crate) lateness_ms: Option<f64>,
}

impl Second {
    pub(crate) fn end_ns(&self) -> i64 {
        self.ts_ns.saturating_add(self.dur_ns)
    }
}

impl<'a> Facts<'a> {
    pub(crate) fn new(load: &'a Load) -> Self {
        let basis = load.main_basis();
        let intervals = intervals(load, basis.and_then(|basis| load.strings.find(basis)));
        let known = |value: i64| (value != NO_INT).then(|| real(value));
        let rows = (0..load.seconds.ts_ns.len()).filter_map(|at| load.seconds.row(at));
        let seconds = rows.map(|row| Second {
            ts_ns: row.ts_ns,
            dur_ns: row.dur_ns.max(0),
            asked: known(row.asked),
            answered: known(row.answered),
            failed: known(row.errors).unwrap_or(0.0) + known(row.timeouts).unwrap_or(0.0),
            timeouts: known(row.timeouts).unwrap_or(0.0),
            lateness_ms: known(row.lateness_max_ns).map(|ns| ns / 1e6),
        });
        Self {
            load,
            seconds: seconds.collect(),
            whole: whole(&intervals),
            intervals,
            basis,
            stalls: Vec::new(),
        }
    }

    /// A figure of the table `metrics`.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        self.load.metric(name)
    }

    /// A quantile of the latency, in milliseconds.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<f64> {
        self.load.quantile(self.basis?, quantile)
    }

    /// Whether requests were due by a schedule.
    pub(crate) fn has_schedule(&self) -> bool {
        self.basis == Some(SCHEDULE) || self.metric("rate.asked").is_some()
    }

    /// Requests whose latency is known.
    pub(crate) fn samples(&self) -> Option<f64> {
        let total = self.whole.total();
        if total > 0 {
            return Some(real_u64(total));
        }
        let answered = self.metric("responses")?;
        Some(answered + self.metric("timeouts").unwrap_or(0.0))
    }

    /// Requests that were planned; in a closed loop, those that were sent.
    pub(crate) fn planned(&self) -> Option<f64> {
        self.metric("planned").or_else(|| self.metric("sent")).filter(|planned| *planned > 0.0)
    }

    /// Length of the run in seconds.
    pub(crate) fn length_s(&self) -> f64 {
        real(self.load.length_ns()) / 1e9
    }

    /// The rate that was asked for or, without a schedule, the rate of responses; in requests per second.
    pub(crate) fn rate(&self) -> Option<f64> {
        let of_seconds = || {
            let asked: f64 = self.seconds.iter().map(|of| of.asked).sum::<Option<f64>>()?;
            Some(asked / self.length_s())
        };
        let counted = || Some(self.samples()? / self.length_s());
        let rate = self.metric("rate.asked").or_else(of_seconds).or_else(|| self.metric("rate.answered"));
        rate.or_else(counted).filter(|rate| rate.is_finite() && *rate > 0.0)
    }

    /// Whether nearly all requests were sent and answered at the rate that was asked for. `None` without a schedule.
    pub(crate) fn is_rate_kept(&self) -> Option<bool> {
        let answered = self.metric("rate.answered")?;
        Some(answered >= KEPT * self.metric("rate.asked")?)
    }

    /// Whether the generator may be why requests took so long: its CPU was used up, or it was late or stopped for a tenth of that.
    pub(crate) fn is_of_generator(&self, ms: f64) -> bool {
        let of = |name| self.metric(name).unwrap_or(0.0);
        let late = of("client.lateness_ms_p99").max(of("client.stopped_ms"));
        of("client.limited") > 0.0 && (of("client.cpu_share") >= FULL_CORE || late >= OF_LATENCY * ms)
    }

    /// The worst lateness of the generator in a range of time, in milliseconds. `None` if no row says it.
    pub(crate) fn lateness_ms(&self, from_ns: i64, to_ns: i64) -> Option<f64> {
        let during = self.seconds.iter().filter(|of| of.ts_ns < to_ns && of.end_ns() > from_ns);
        during.filter_map(|of| of.lateness_ms).max_by(f64::total_cmp)
    }
}

/// A share of one core from which on a generator has no time left.
const FULL_CORE: f64 = 0.9;
/// The generator's part of a latency from which on the latency is its own.
pub(crate) const OF_LATENCY: f64 = 0.1;
/// A share of the asked rate that counts as keeping it.
pub(crate) const KEPT: f64 = 0.98;
