//! A load run: what a service did under load, as the generator of the load measured it.

use crate::kind::tables;
use crate::tables::{Shared, table};

table! { LoadRequests, LoadRequestRow, "requests",
    "A request of the run, if the run kept them: the order is that of the file.";
    planned_ns int "ns" "When it was due by the schedule; null in a closed loop, which has none"
    sent_ns int "ns" "When it was sent; null if it never was"
    first_byte_ns int "ns" "When the first byte of the response came; null if none came"
    end_ns int "ns" "When it ended, in whatever way: answered, failed, timed out, or given up without being sent"
    connection int "" "The connection that it was sent on; null if it never was"
    outcome text "" "How it ended: response, timeout, unsent, or the generator's word for an error"
    status int "" "The status of the response; null without a response"
    bytes int "" "Bytes of the response that came; null if it was never sent"
    request int "" "Its number among the requests of the scenario, as in by_request; null without a scenario"
}
table! { Latencies, LatencyRow, "latency",
    "A quantile of the latency of the whole run, as far as there are enough samples for it.";
    basis text "" "From when on the latency counts: schedule (when the request was due) or send (when it was sent)"
    quantile real "" "The share of the requests that took no longer, from 0 to 1"
    ms real "ms" "How long they took"
}
table! { LoadSeconds, LoadSecondRow, "seconds",
    "A second of the run.";
    ts_ns time "ns" "When it began"
    dur_ns int "ns" "How long it lasted"
    asked int "" "Requests that were due by the schedule; in a closed loop, those that were sent"
    sent int "" "Requests that were sent"
    answered int "" "Responses that came"
    errors int "" "Requests that ended without a response, time-outs left out"
    timeouts int "" "Requests that the generator stopped waiting for"
    lateness_max_ns int "ns" "The worst lateness of the generator itself with a request"
}
table! { LoadBuckets, LoadBucketRow, "histogram",
    "How many requests of an interval took how long: a bucket that is not empty, at most 40 for each factor of ten.";
    ts_ns time "ns" "When the interval began"
    dur_ns int "ns" "How long it lasted"
    basis text "" "From when on the latency counts: schedule or send"
    from_ms real "ms" "The least latency of the bucket"
    to_ms real "ms" "Where the next bucket begins"
    count int "" "Requests in it"
}
table! { LoadStatuses, LoadStatusRow, "statuses",
    "How many responses had which status.";
    what text "" "The status"
    count int "" "Responses"
}
table! { LoadFailures, LoadFailureRow, "failures",
    "How many requests ended without a response, by what went wrong; time-outs are among them.";
    what text "" "What went wrong, in the generator's word"
    count int "" "Requests"
}
table! { LoadByRequests, LoadByRequestRow, "by_request",
    "A request of the scenario, with what became of it; empty without a scenario.";
    number int "" "Its number in the scenario, from 0"
    name text "" "Its name"
    planned int "" "How often it was planned"
    sent int "" "How often it was sent"
    responses int "" "Responses that came"
    errors int "" "How often it ended without a response, time-outs left out"
    timeouts int "" "How often the generator stopped waiting for it"
    unsent int "" "How often it was planned and never sent"
    failed_checks int "" "Responses that failed a check"
    p50_ms real "ms" "Half of them took no longer: from the schedule, or from the send without one; null with too few"
    p99_ms real "ms" "99 % of them took no longer"
}
table! { LoadChanges, LoadChangeRow, "changes",
    "A time at which the latency changed for good, as the generator's test for steadiness says.";
    ts_ns time "ns" "When it changed"
    metric text "" "What changed: p50 or p95 of each second; null if the file does not say it"
    before_ms real "ms" "The latency before, from the change before this one on"
    after_ms real "ms" "The latency after"
}

tables! {
    /// All that was read of a load run.
    pub struct Load {
        tables {
            requests: LoadRequests,
            latency: Latencies,
            seconds: LoadSeconds,
            histogram: LoadBuckets,
            statuses: LoadStatuses,
            failures: LoadFailures,
            changes: LoadChanges,
            by_request: LoadByRequests,
        }
        beside {
        /// What was asked for, and what the generator says of the run.
        run: LoadRun,
        }
    }
}

/// What was asked for, and what the generator says of the run in words; its figures are in `metrics`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadRun {
    /// Where the requests went.
    pub url: Option<String>,
    /// Their method.
    pub method: Option<String>,
    /// How the requests were planned: `constant`, `poisson`, `closed` …
    pub schedule: Option<String>,
    /// The settings of the schedule, each with its value.
    pub settings: Vec<(String, String)>,
    /// Whether the measured part was steady: `steady`, `not steady` or `too short`.
    pub steadiness: Option<String>,
    /// How it ended: `complete`, `interrupted` or `aborted`.
    pub ended: Option<String>,
    /// Remarks of the generator.
    pub notes: Vec<String>,
    /// How the run was set on the clock of the trace that was recorded during it. `None` if times count from the run's own start.
    pub clock: Option<OneClock>,
}

/// How the times of a run lie on the clock of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneClock {
    /// When the run began, in nanoseconds since the trace's start.
    pub offset_ns: i64,
    /// How wrong that may be, in nanoseconds. 0 if both have the same monotonic clock.
    pub error_ns: i64,
    /// By how much UTC says otherwise, in nanoseconds. `None` if UTC alone decided.
    pub utc_differs_ns: Option<i64>,
}

/// Latency that counts from when a request was due.
pub const SCHEDULE: &str = "schedule";
/// Latency that counts from when a request was sent.
pub const SEND: &str = "send";

/// Samples above a quantile without which it says more about chance than about the service.
pub const LEAST_ABOVE: u64 = 5;

/// Whether so many samples carry a quantile. The least and the largest value need one sample.
pub fn carries(samples: u64, quantile: f64) -> bool {
    if quantile <= 0.0 || quantile >= 1.0 {
        return samples > 0;
    }
    // The half absorbs what 1 − 0.999 is short of a thousandth.
    base::number::real_u64(samples) * (1.0 - quantile) >= base::number::real_u64(LEAST_ABOVE) - 1e-6
}

impl Load {
    fn shared(&self) -> Shared<'_> {
        Shared { strings: &self.strings, thread_ids: &[], thread_processes: &[], activities: &[] }
    }

    /// The basis that figures without one are of: the schedule if there was one.
    pub fn main_basis(&self) -> Option<&str> {
        let has = |basis: &str| {
            let of = self.strings.find(basis);
            self.latency.basis.iter().any(|basis| Some(*basis) == of)
        };
        let known = [SCHEDULE, SEND].into_iter().find(|basis| has(basis));
        known.or_else(|| self.strings.get(*self.latency.basis.first()?))
    }

    /// A quantile of the latency, in milliseconds.
    pub fn quantile(&self, basis: &str, quantile: f64) -> Option<f64> {
        let of = self.strings.find(basis)?;
        let mut rows = (0..self.latency.ms.len()).filter_map(|at| self.latency.row(at));
        let row = rows.find(|row| row.basis == of && (row.quantile - quantile).abs() < 1e-9)?;
        Some(row.ms).filter(|ms| ms.is_finite())
    }

    /// Counts all times from the start of the trace that was recorded meanwhile.
    pub fn set_clock(&mut self, clock: OneClock, start: &crate::Exhibit) {
        let by_ns = clock.offset_ns;
        let moved = |times: &mut Vec<i64>| {
            for at in times.iter_mut().filter(|at| **at != crate::NO_INT) {
                *at = at.saturating_add(by_ns);
            }
        };
        let LoadRequests { planned_ns, sent_ns, first_byte_ns, end_ns, .. } = &mut self.requests;
        [planned_ns, sent_ns, first_byte_ns, end_ns].into_iter().for_each(moved);
        [&mut self.seconds.ts_ns, &mut self.histogram.ts_ns, &mut self.changes.ts_ns]
            .into_iter()
            .for_each(moved);
        self.exhibit.duration_ns = self.exhibit.duration_ns.saturating_add(by_ns).max(0);
        self.exhibit.start_utc.clone_from(&start.start_utc);
        self.exhibit.start_monotonic_ns = start.start_monotonic_ns;
        self.run.clock = Some(clock);
    }

    /// When the run began, in nanoseconds since the times of its tables count.
    pub fn begins_ns(&self) -> i64 {
        self.run.clock.map_or(0, |clock| clock.offset_ns)
    }

    /// How long the run lasted, in nanoseconds.
    pub fn length_ns(&self) -> i64 {
        self.exhibit.duration_ns.saturating_sub(self.begins_ns())
    }

    /// Sorts the rows of every table with times; whoever fills them does this last.
    pub fn sort_by_time(&mut self) {
        for table in self.all_mut() {
            table.sort_by_time();
        }
    }

    /// Bytes that all tables take.
    pub fn size_bytes(&self) -> usize {
        self.tables_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_needs_samples_above_it() {
        let check = |samples, quantile, expected| {
            assert_eq!(carries(samples, quantile), expected, "{samples} {quantile}");
        };
        check(500, 0.99, true);
        check(499, 0.99, false);
        check(5_000, 0.999, true);
        check(0, 1.0, false);
        check(1, 0.0, true);
    }
}
