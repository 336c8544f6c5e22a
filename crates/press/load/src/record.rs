//! What one worker counts within an interval of a second.

use crate::outcome::{Failure, Outcome};
use hdrhistogram::Histogram;

/// The longest latency that is recorded as it is: an hour. A longer one counts as that.
pub(crate) const LONGEST_NS: u64 = 3_600_000_000_000;
/// Significant digits of a histogram.
pub(crate) const DIGITS: u8 = 3;

/// A histogram of times in nanoseconds. Its size does not depend on what it counts.
pub(crate) fn histogram() -> Histogram<u64> {
    let made = Histogram::new_with_bounds(1, LONGEST_NS, DIGITS);
    made.unwrap_or_else(|_| unreachable!("the bounds are constants that are valid"))
}

/// Counts of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were begun to be sent.
    pub sent: u64,
    /// Complete responses.
    pub responses: u64,
    /// Requests without a response, by [`Failure::ALL`].
    pub errors: [u64; Failure::ALL.len()],
    /// Requests without a complete response in time.
    pub timeouts: u64,
    /// Requests that were due and never sent.
    pub unsent: u64,
    /// Of those never sent: requests of a flow whose earlier request failed, or that had not come to them at the end of the run.
    pub skipped: u64,
    /// Of those never sent: requests into which a value did not fit.
    pub refused: u64,
    /// Requests, sent or not, that are not the first of their flow.
    pub steps: u64,
    /// Responses that failed a check.
    pub failed_checks: u64,
    /// Of those: responses with a status of 500 or above.
    pub failed_checks_5xx: u64,
    /// Responses by their status.
    pub statuses: Vec<(u16, u64)>,
    /// Bytes received.
    pub bytes: u64,
    /// Responses after which the peer sent more bytes than it had said.
    pub excess: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// How long the generator did not run although it was due, in nanoseconds: see [`crate::engine`].
    pub stopped_ns: u64,
    /// The largest lateness of a request, in nanoseconds.
    pub lateness_max_ns: u64,
    /// When the last request was sent, in nanoseconds since the beginning.
    pub last_sent_ns: u64,
    /// When the last response was complete.
    pub last_response_ns: u64,
}

impl Counts {
    /// All errors.
    pub fn failed(&self) -> u64 {
        self.errors.iter().sum()
    }

    /// Requests that failed, by kind: those that occurred.
    pub fn errors(&self) -> impl Iterator<Item = (Failure, u64)> + '_ {
        Failure::ALL.into_iter().zip(self.errors).filter(|(_, count)| *count > 0)
    }

    /// Requests without an answer of use: those without a response, and responses with a status of 500 or above or that failed a check.
    pub fn without_use(&self) -> u64 {
        self.failed_responses() + self.failed() + self.timeouts + self.unsent
    }

    /// Adds the counts of another worker or interval.
    pub fn add(&mut self, other: &Self) {
        for (sum, of) in self.errors.iter_mut().zip(&other.errors) {
            *sum += of;
        }
        for (status, count) in &other.statuses {
            self.status(*status, *count);
        }
        self.sent += other.sent;
        self.responses += other.responses;
        self.timeouts += other.timeouts;
        self.unsent += other.unsent;
        self.skipped += other.skipped;
        self.refused += other.refused;
        self.steps += other.steps;
        self.failed_checks += other.failed_checks;
        self.failed_checks_5xx += other.failed_checks_5xx;
        self.bytes += other.bytes;
        self.excess += other.excess;
        self.connections += other.connections;
        self.stopped_ns += other.stopped_ns;
        self.lateness_max_ns = self.lateness_max_ns.max(other.lateness_max_ns);
        self.last_sent_ns = self.last_sent_ns.max(other.last_sent_ns);
        self.last_response_ns = self.last_response_ns.max(other.last_response_ns);
    }

    /// Responses that say that the service failed: by a status of 500 or above, or by failing a check.
    pub fn failed_responses(&self) -> u64 {
        let is_failed = |of: &&(u16, u64)| of.0 >= 500;
        let by_status: u64 = self.statuses.iter().filter(is_failed).map(|(_, count)| count).sum();
        by_status + self.failed_checks - self.failed_checks_5xx
    }

    /// Counts a request that has ended. Returns whether it has a latency: a failure has none, since nothing was answered.
    #[inline]
    pub(crate) fn ended(&mut self, ended: &Ended) -> bool {
        match ended.outcome {
            Outcome::Response(status) => {
                self.responses += 1;
                self.last_response_ns = ended.end_ns;
                self.status(status, 1);
            }
            Outcome::TimedOut => self.timeouts += 1,
            Outcome::Failed(failure) => {
                self.error(failure);
                return false;
            }
        }
        true
    }

    fn status(&mut self, status: u16, count: u64) {
        match self.statuses.iter_mut().find(|(of, _)| *of == status) {
            Some((_, sum)) => *sum += count,
            None => self.statuses.push((status, count)),
        }
    }

    fn error(&mut self, failure: Failure) {
        let at = Failure::ALL.iter().position(|of| *of == failure);
        if let Some(count) = at.and_then(|at| self.errors.get_mut(at)) {
            *count += 1;
        }
    }
}

/// Latencies and their counts.
#[derive(Debug, Clone)]
pub struct Latencies {
    /// From when a request was due. Time-outs and requests that were never sent count with the time waited.
    pub schedule: Histogram<u64>,
    /// From when it was sent. Time-outs count with the time waited.
    pub send: Histogram<u64>,
    /// From when a request could be sent until it was: how late the generator was.
    pub lateness: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { schedule: histogram(), send: histogram(), lateness: histogram() }
    }
}

impl Latencies {
    /// Adds those of another worker or interval.
    pub fn add(&mut self, other: &Self) {
        // All histograms have the same bounds, so nothing can be out of them.
        for (sum, of) in [
            (&mut self.schedule, &other.schedule),
            (&mut self.send, &other.send),
            (&mut self.lateness, &other.lateness),
        ] {
            if sum.add(of).is_err() {
                unreachable!("all histograms have the same bounds");
            }
        }
    }
}

/// A request that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// When it was due, in nanoseconds since the beginning.
    pub(crate) due_ns: u64,
    /// When it was begun to be sent.
    pub(crate) sent_ns: u64,
    /// When the first byte of the response came, if any did.
    pub(crate) first_byte_ns: Option<u64>,
    /// When it ended.
    pub(crate) end_ns: u64,
    /// The number of its connection on the worker.
    pub(crate) connection: u32,
    /// Bytes of the response that came.
    pub(crate) bytes: u64,
    /// What became of it.
    pub(crate) outcome: Outcome,
}

impl Ended {
    /// How long it took from when it was due.
    pub(crate) fn since_due_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.due_ns).max(1)
    }

    /// How long it took from when it was sent.
    pub(crate) fn since_send_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.sent_ns).max(1)
    }
}

/// What a worker counted from one time to another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interval {
    /// The number of the interval: whole seconds since the beginning.
    pub(crate) second: u64,
    /// The counts.
    pub(crate) counts: Counts,
    /// The latencies of what ended in it.
    pub(crate) latencies: Latencies,
}

impl Interval {
    /// Counts a request that is sent. `late_ns` is how much later than it could be.
    #[inline]
    pub(crate) fn sent(&mut self, now_ns: u64, late_ns: u64) {
        self.counts.sent += 1;
        self.counts.last_sent_ns = now_ns;
        self.counts.lateness_max_ns = self.counts.lateness_max_ns.max(late_ns);
        self.latencies.lateness.saturating_record(late_ns.max(1));
    }

    /// Counts a request that has ended.
    #[inline]
    pub(crate) fn ended(&mut self, ended: &Ended) {
        if self.counts.ended(ended) {
            self.latencies.schedule.saturating_record(ended.since_due_ns());
            self.latencies.send.saturating_record(ended.since_send_ns());
        }
    }

    /// Counts a request that was due and will never be sent.
    pub(crate) fn unsent(&mut self, due_ns: u64, now_ns: u64) {
        self.counts.unsent += 1;
        self.latencies.schedule.saturating_record(now_ns.saturating_sub(due_ns).max(1));
    }
}
