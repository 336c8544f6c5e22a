//! The course of a run on one worker: what is due next, what became of the requests, and when it is over.

use crate::clock::Clock;

use crate::outcome::Outcome;
use crate::pace::Pace;
use crate::parts::Parts;
use crate::record::{Counts, Ended, Interval};
use crate::requests::{Feed, Request, Sent};
use crate::scenario::{Answer, Flow, Script, Tally};
use crate::work::{SECOND_NS, Work};
use std::sync::atomic::Ordering;

/// How often a worker wakes at least.
pub(crate) const HEARTBEAT_NS: u64 = 10_000_000;
/// A worker that runs so much later than its timer said was stopped.
const STOPPED_NS: u64 = 20_000_000;
/// How long a closed loop's user pauses after a failure, so that a service that refuses is not asked as fast as this machine can.
const PAUSE_AFTER_FAILURE_NS: u64 = 10_000_000;
/// How long an interrupted run waits for what is under way.
const LAST_ANSWERS_NS: u64 = 1_000_000_000;
/// How long connections may take to open before a run begins.
pub(crate) const OPENING_NS: u64 = 5_000_000_000;

/// The next request.
pub(crate) struct Next<'a> {
    /// The flow whose request it is, in a scenario.
    pub(crate) flow: Option<Flow>,
    /// Its number among the requests of the plan.
    pub(crate) request: usize,
    /// Its parts, if values change them.
    pub(crate) parts: Option<Parts<'a>>,
}

/// The course of a run, as far as it does not depend on how requests are sent.
pub(crate) struct Course<'a, F> {
    work: &'a Work<'a>,
    pace: Pace,
    /// What a scenario does.
    script: Option<Script<'a>>,
    pub(crate) clock: Clock,
    /// What has been counted since the last whole second.
    pub(crate) interval: Interval,
    finished: F,
    /// Who takes the requests one by one, if anybody does.
    feed: Feed,
    /// How many requests are under way.
    under_way: u32,
    /// Since when at least one request could be sent. While none can, when one last could does not matter.
    free_since_ns: u64,
    interrupted_ns: Option<u64>,
}

impl<'a, F: FnMut(Interval)> Course<'a, F> {
    pub(crate) fn new(work: &'a Work<'a>, pace: Pace, script: Option<Script<'a>>, finished: F) -> Self {
        Self {
            work,
            pace,
            script,
            clock: Clock::start(),
            interval: Interval::default(),
            finished,
            feed: Feed::new(work.requests.clone(), work.first_connection),
            under_way: 0,
            free_since_ns: 0,
            interrupted_ns: None,
        }
    }

    /// Counts time from now on by the clock that all workers share.
    pub(crate) fn begin(&mut self, clock: Clock) {
        self.clock = clock;
        self.free_since_ns = 0;
        self.interval.counts = Counts::default();
        // A run that is called off before it begins sends nothing.
        if self.work.interrupt.load(Ordering::Relaxed) {
            self.interrupted_ns = Some(0);
        }
    }

    /// The worker was to run at one time, and runs at another. The difference counts as stopped, if it is long.
    pub(crate) fn ran(&mut self, due_ns: u64, now_ns: u64) {
        if now_ns > due_ns.saturating_add(STOPPED_NS) {
            self.interval.counts.stopped_ns += now_ns - due_ns;
        }
    }

    /// Begins the next interval at the end of each second.
    pub(crate) fn turn(&mut self, now_ns: u64) {
        let second = now_ns / SECOND_NS;
        while self.interval.second < second {
            let next = Interval { second: self.interval.second + 1, ..Interval::default() };
            (self.finished)(std::mem::replace(&mut self.interval, next));
            self.feed.hand_on();
        }
    }

    /// When the next request is due that will be sent if a connection is free. What was due before the end of the schedule is still
    /// sent after it, as long as a request may take.
    #[inline]
    pub(crate) fn next_due(&mut self, now_ns: u64) -> Option<u64> {
        let last_ns = self.work.end_ns.saturating_add(self.work.timeout_ns);
        let sends = self.interrupted_ns.is_none() && (now_ns < last_ns || !self.pace.is_open());
        if !sends {
            return None;
        }
        let Some(script) = &self.script else { return self.pace.next_due() };
        let of_flow = script.next_due().filter(|due| *due < last_ns && now_ns < last_ns);
        let of_pace = if script.has_room() { self.pace.next_due() } else { None };
        of_flow.into_iter().chain(of_pace).min()
    }

    /// Whether everything is accounted for, or no more will be.
    pub(crate) fn is_over(&mut self, now_ns: u64) -> bool {
        if self.interrupted_ns.is_none() && self.work.interrupt.load(Ordering::Relaxed) {
            self.interrupted_ns = Some(now_ns);
        }
        if let Some(since) = self.interrupted_ns {
            return self.under_way == 0 || now_ns >= since.saturating_add(LAST_ANSWERS_NS);
        }
        if now_ns < self.work.end_ns {
            return false;
        }
        self.under_way == 0 && self.next_due(now_ns).is_none()
    }

    /// Takes what is due at that time: the next request of a flow, or what the next arrival asks for. `None` if it cannot be sent,
    /// because a value does not fit into it: then it is accounted for.
    #[inline]
    pub(crate) fn take(&mut self, due_ns: u64, now_ns: u64) -> Option<Next<'a>> {
        let Some(script) = &mut self.script else {
            self.pace.take();
            return Some(Next { flow: None, request: 0, parts: None });
        };
        let flow = script.take_waiting(due_ns).unwrap_or_else(|| {
            self.pace.take();
            script.begin()
        });
        let request = script.request_of(&flow);
        let parts =
            if self.work.prepared.is_constant(request) { Ok(None) } else { script.parts(&flow).map(Some) };
        if let Ok(parts) = parts {
            return Some(Next { flow: Some(flow), request, parts });
        }
        self.refuse(Some(flow), due_ns, now_ns);
        None
    }

    /// A request that was taken cannot be sent.
    pub(crate) fn refuse(&mut self, flow: Option<Flow>, due_ns: u64, now_ns: u64) {
        let unsent = self.interval.counts.unsent;
        let mut request = None;
        if let (Some(script), Some(flow)) = (&mut self.script, flow) {
            request = Some(script.request_of(&flow));
            script.refused(flow, &mut self.interval.counts);
        }
        self.keep_unsent(unsent, request, Some(due_ns), now_ns);
        self.pace.ended(now_ns, PAUSE_AFTER_FAILURE_NS);
    }

    /// Counts a request that is sent now.
    #[inline]
    pub(crate) fn sent(&mut self, flow: Option<&Flow>, due_ns: u64, now_ns: u64) {
        if let (Some(script), Some(flow)) = (&mut self.script, flow) {
            script.sent(flow, &mut self.interval.counts);
        }
        self.under_way += 1;
        self.interval.sent(now_ns, now_ns.saturating_sub(due_ns.max(self.free_since_ns)));
    }

    /// No request could be sent until now.
    #[inline]
    pub(crate) fn free(&mut self, now_ns: u64) {
        self.free_since_ns = now_ns;
    }

    /// Records what became of a request that was sent, with what was kept of its response.
    #[inline]
    pub(crate) fn end(&mut self, ended: &Ended, flow: Option<Flow>, answer: Option<&Answer>) {
        self.under_way -= 1;
        self.interval.ended(ended);
        let Ended { due_ns, sent_ns, first_byte_ns, end_ns, connection, bytes, outcome } = *ended;
        let is_open = self.pace.is_open();
        let request = flow.as_ref().and_then(|flow| Some(self.script.as_ref()?.request_of(flow)));
        self.feed.add(|first| Request {
            planned_ns: is_open.then_some(due_ns),
            sent: Some(Sent { sent_ns, first_byte_ns, connection: first + connection, bytes }),
            end_ns,
            outcome: Some(outcome),
            request,
        });
        if let (Some(flow), Some(script)) = (flow, &mut self.script) {
            let unsent = self.interval.counts.unsent;
            let is_over = script.ended(flow, ended, answer, &mut self.interval.counts);
            self.keep_unsent(unsent, request.map(|request| request + 1), None, end_ns);
            // A flow that goes on is not over for its user.
            if !is_over {
                return;
            }
        }
        let pause_ns = if matches!(outcome, Outcome::Failed(_)) { PAUSE_AFTER_FAILURE_NS } else { 0 };
        self.pace.ended(end_ns, pause_ns);
    }

    /// Keeps the requests that were found to be never sent since there were `before` of them. The first was due, the others of its flow
    /// never were. `first` is the number of the first in the scenario; the requests of a flow follow one another.
    fn keep_unsent(&mut self, before: u64, first: Option<usize>, due_ns: Option<u64>, end_ns: u64) {
        for (step, number) in (before..self.interval.counts.unsent).enumerate() {
            let planned_ns = due_ns.filter(|_| number == before);
            let request = first.map(|first| first + step);
            self.feed.add(|_| Request { planned_ns, sent: None, end_ns, outcome: None, request });
        }
    }

    /// Accounts for what is left: the requests under way, and those that were not sent.
    pub(crate) fn finish(&mut self, left: impl Iterator<Item = (Ended, Option<Flow>)>) {
        let now_ns = self.clock.now_ns();
        self.turn(now_ns);
        for (ended, flow) in left {
            self.end(&Ended { end_ns: now_ns, ..ended }, flow, None);
        }
        while let Some((due_ns, flow)) = self.script.as_mut().and_then(Script::take_any) {
            let unsent = self.interval.counts.unsent;
            let mut request = None;
            if let Some(script) = &mut self.script {
                request = Some(script.request_of(&flow));
                script.leave(flow, due_ns, now_ns, &mut self.interval);
            }
            self.keep_unsent(unsent, request, Some(due_ns).filter(|due_ns| *due_ns <= now_ns), now_ns);
        }
        for due_ns in self.pace.give_up(self.interrupted_ns.unwrap_or(now_ns)) {
            let unsent = self.interval.counts.unsent;
            let request =
                self.script.as_mut().map(|script| script.give_up(due_ns, now_ns, &mut self.interval));
            if request.is_none() {
                self.interval.unsent(due_ns, now_ns);
            }
            self.keep_unsent(unsent, request, Some(due_ns), now_ns);
        }
        // A run ends a little after the next second begins: the part of it in which nothing happened is not a part of it.
        if self.interval.second == 0 || self.interval.counts != Counts::default() {
            (self.finished)(std::mem::take(&mut self.interval));
        }
        self.feed.hand_on();
    }

    /// What became of the requests of a scenario, once everything is accounted for.
    pub(crate) fn into_tally(self) -> Option<Tally> {
        self.script.map(Script::into_tally)
    }
}
