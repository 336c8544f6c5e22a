//! The flows of one worker: which arrival begins what, which request is next, and what became of each. It knows no protocol.
//!
//! ```text
//! arrival ─► begin ─► parts ─► (the engine sends it) ─► ended ─┬─► the next step is due: waiting ─► parts ...
//!                       │                                      └─► completed, or failed: what is left is never sent
//!                       └── a value does not fit: never sent
//! ```

use super::answer::Answer;
use super::model::{Flow, Scenario, Unfit};
use super::tally::Tally;
use crate::outcome::Outcome;
use crate::parts::Parts;
use crate::record::{Counts, Ended, Interval};
use std::collections::BTreeMap;

/// The most flows of a worker between their first request and their last. Further arrivals wait, as if no connection was free.
const MAX_FLOWS: usize = 100_000;

/// The flows of one worker.
#[derive(Debug)]
pub(crate) struct Script<'a> {
    scenario: &'a Scenario,
    /// The number of the next arrival, and how far the one after it is.
    next: u64,
    stride: u64,
    /// Flows whose next request is not sent, by when it is due.
    waiting: BTreeMap<(u64, u64), Flow>,
    /// The number of the next flow that waits.
    serial: u64,
    /// Flows that have begun and not ended.
    open: usize,
    tally: Tally,
}

impl<'a> Script<'a> {
    /// The flows of one of several workers: every so many arrivals, as [`crate::pace::Pace::open`] has it.
    pub(crate) fn new(scenario: &'a Scenario, worker: usize, workers: usize) -> Self {
        let [next, stride] = [worker, workers].map(base::number::wide);
        let tally = Tally::new(scenario);
        Self { scenario, next, stride, waiting: BTreeMap::new(), serial: 0, open: 0, tally }
    }

    /// When the next request of a flow that has begun is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|((due_ns, _), _)| *due_ns)
    }

    /// Whether another flow may begin.
    pub(crate) fn has_room(&self) -> bool {
        self.open < MAX_FLOWS
    }

    /// Takes the flow whose next request is due at that time, if there is one.
    pub(crate) fn take_waiting(&mut self, due_ns: u64) -> Option<Flow> {
        let first = self.waiting.first_entry().filter(|first| first.key().0 == due_ns);
        first.map(std::collections::btree_map::OccupiedEntry::remove)
    }

    /// Begins the flow of the next arrival.
    pub(crate) fn begin(&mut self) -> Flow {
        let flow = self.scenario.begin(self.next);
        self.next = self.next.saturating_add(self.stride);
        self.open += 1;
        if let Some(of) = self.tally.flows.get_mut(flow.which) {
            of.planned += 1;
        }
        flow
    }

    /// The number of the request that a flow is at.
    pub(crate) fn request_of(&self, flow: &Flow) -> usize {
        self.scenario.request_of(flow)
    }

    /// The request that a flow sends next.
    pub(crate) fn parts(&self, flow: &Flow) -> Result<Parts<'a>, Unfit> {
        self.scenario.parts(flow)
    }

    /// Counts a flow's request as sent.
    pub(crate) fn sent(&mut self, flow: &Flow, counts: &mut Counts) {
        counts.steps += u64::from(flow.step > 0);
        if let Some(of) = self.tally.requests.get_mut(self.scenario.request_of(flow)) {
            of.counts.sent += 1;
        }
    }

    /// A flow's request has ended: makes the checks of its response. Returns whether the flow is over.
    pub(crate) fn ended(
        &mut self,
        mut flow: Flow,
        ended: &Ended,
        answer: Option<&Answer>,
        counts: &mut Counts,
    ) -> bool {
        let number = self.scenario.request_of(&flow);
        let mut is_answered = false;
        if let Outcome::Response(status) = ended.outcome {
            let failed = self.scenario.check(&mut flow, status, answer).err();
            is_answered = failed.is_none() && status < 500;
            if let Some(check) = failed {
                let of = self.tally.requests.get_mut(number);
                if let Some(count) = of.and_then(|of| of.failed.get_mut(check)) {
                    *count += 1;
                }
                counts.failed_checks += 1;
                counts.failed_checks_5xx += u64::from(status >= 500);
            }
        }
        if let Some(of) = self.tally.requests.get_mut(number) {
            of.ended(ended);
        }
        flow.step += 1;
        let is_last = self.scenario.is_over(&flow);
        if !is_answered || is_last {
            if is_answered && let Some(of) = self.tally.flows.get_mut(flow.which) {
                of.completed += 1;
            }
            self.skip(flow, counts);
            return true;
        }
        let due_ns = ended.end_ns.saturating_add(self.scenario.think_ns(&flow));
        self.waiting.insert((due_ns, self.serial), flow);
        self.serial += 1;
        false
    }

    /// A flow's request cannot be sent, because a value does not fit into it.
    pub(crate) fn refused(&mut self, mut flow: Flow, counts: &mut Counts) {
        self.unsent(&flow, counts);
        counts.unsent += 1;
        counts.refused += 1;
        flow.step += 1;
        self.skip(flow, counts);
    }

    /// An arrival was due and will never be sent. Returns the number of its first request.
    pub(crate) fn give_up(&mut self, due_ns: u64, now_ns: u64, interval: &mut Interval) -> usize {
        let flow = self.begin();
        let request = self.request_of(&flow);
        self.never_sent(flow, due_ns, now_ns, interval);
        request
    }

    /// Takes a flow whose next request is not sent, with when that is due.
    pub(crate) fn take_any(&mut self) -> Option<(u64, Flow)> {
        self.waiting.pop_first().map(|((due_ns, _), flow)| (due_ns, flow))
    }

    /// The run is over: what the flow has not sent will never be sent.
    pub(crate) fn leave(&mut self, flow: Flow, due_ns: u64, now_ns: u64, interval: &mut Interval) {
        if due_ns <= now_ns {
            self.never_sent(flow, due_ns, now_ns, interval);
        } else {
            self.skip(flow, &mut interval.counts);
        }
    }

    /// What became of everything.
    pub(crate) fn into_tally(self) -> Tally {
        self.tally
    }

    fn never_sent(&mut self, mut flow: Flow, due_ns: u64, now_ns: u64, interval: &mut Interval) {
        interval.unsent(due_ns, now_ns);
        self.unsent(&flow, &mut interval.counts);
        if let Some(of) = self.tally.requests.get_mut(self.scenario.request_of(&flow)) {
            of.schedule.saturating_record(now_ns.saturating_sub(due_ns).max(1));
        }
        flow.step += 1;
        self.skip(flow, &mut interval.counts);
    }

    /// Counts a flow's request as never sent, apart from the count of all requests.
    fn unsent(&mut self, flow: &Flow, counts: &mut Counts) {
        counts.steps += u64::from(flow.step > 0);
        if let Some(of) = self.tally.requests.get_mut(self.scenario.request_of(flow)) {
            of.counts.unsent += 1;
        }
    }

    /// A flow is over: the requests that it has left will never be sent. They were never due, so they have no latency.
    fn skip(&mut self, mut flow: Flow, counts: &mut Counts) {
        while !self.scenario.is_over(&flow) {
            self.unsent(&flow, counts);
            counts.unsent += 1;
            counts.skipped += 1;
            flow.step += 1;
        }
        self.open -= 1;
    }
}
