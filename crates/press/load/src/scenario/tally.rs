//! What became of each request and each flow of a scenario: how often it was planned, how it ended, how long it took.

use super::model::Scenario;
use crate::record::{Counts, Ended, histogram};
use hdrhistogram::Histogram;

/// What became of one request of a scenario.
#[derive(Debug, Clone)]
pub struct RequestTally {
    /// Its counts. `planned = sent + unsent`.
    pub counts: Counts,
    /// Responses that failed a check, by the number of the first check that failed.
    pub failed: Vec<u64>,
    /// Latencies from when it was due.
    pub schedule: Histogram<u64>,
    /// Latencies from when it was sent.
    pub send: Histogram<u64>,
}

/// How often a flow was planned, and how often all its requests were answered as expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlowTally {
    /// Arrivals.
    pub planned: u64,
    /// Those whose last request was answered as expected.
    pub completed: u64,
}

/// What became of the requests and flows of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// By request, in the order of the file.
    pub requests: Vec<RequestTally>,
    /// By flow. A single request is a flow of one.
    pub flows: Vec<FlowTally>,
}

impl Tally {
    /// Nothing so far.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let request = |checks: usize| RequestTally {
            counts: Counts::default(),
            failed: vec![0; checks],
            schedule: histogram(),
            send: histogram(),
        };
        Self {
            requests: scenario.requests().map(|of| request(of.checks().count())).collect(),
            flows: vec![FlowTally::default(); scenario.flows().count()],
        }
    }

    /// Adds what another worker counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, of) in self.requests.iter_mut().zip(&other.requests) {
            sum.counts.add(&of.counts);
            for (sum, of) in sum.failed.iter_mut().zip(&of.failed) {
                *sum += of;
            }
            for (sum, of) in [(&mut sum.schedule, &of.schedule), (&mut sum.send, &of.send)] {
                if sum.add(of).is_err() {
                    unreachable!("all histograms have the same bounds");
                }
            }
        }
        for (sum, of) in self.flows.iter_mut().zip(&other.flows) {
            sum.planned += of.planned;
            sum.completed += of.completed;
        }
    }
}

impl RequestTally {
    /// How often the request was planned.
    pub fn planned(&self) -> u64 {
        self.counts.sent + self.counts.unsent
    }

    pub(super) fn ended(&mut self, ended: &Ended) {
        if self.counts.ended(ended) {
            self.schedule.saturating_record(ended.since_due_ns());
            self.send.saturating_record(ended.since_send_ns());
        }
    }
}
