//! The course of a run on one worker: what is due next, what became of the requests, and when it is over.

use crate::clock::Clock;
use crate::engine::{SECOND_NS, Work};
use crate::outcome::{Failure, Outcome};
use crate::pace::Pace;
use crate::record::{Counts, Ended, Interval};
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

/// The course of a run, as far as it does not depend on how requests are sent.
pub(crate) struct Course<'a, F> {
    work: &'a Work<'a>,
    pace: Pace,
    pub(crate) clock: Clock,
    /// What has been counted since the last whole second.
    pub(crate) interval: Interval,
    finished: F,
    /// How many requests are under way.
    under_way: u32,
    /// Since when at least one request could be sent. While none can, when one last could does not matter.
    free_since_ns: u64,
    interrupted_ns: Option<u64>,
}

impl<'a, F: FnMut(Interval)> Course<'a, F> {
    pub(crate) fn new(work: &'a Work<'a>, pace: Pace, finished: F) -> Self {
        Self {
            work,
            pace,
            clock: Clock::start(),
            interval: Interval::default(),
            finished,
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
        }
    }

    /// When the next request is due that will be sent if a connection is free. What was due before the end of the schedule is still
    /// sent after it, as long as a request may take.
    #[inline]
    pub(crate) fn next_due(&mut self, now_ns: u64) -> Option<u64> {
        let last_ns = self.work.end_ns.saturating_add(self.work.timeout_ns);
        let sends = self.interrupted_ns.is_none() && (now_ns < last_ns || !self.pace.is_open());
        if sends { self.pace.next_due() } else { None }
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

    /// Takes the next request, which is sent now.
    #[inline]
    pub(crate) fn send(&mut self, due_ns: u64, now_ns: u64) {
        self.pace.take();
        self.under_way += 1;
        self.interval.sent(now_ns, now_ns.saturating_sub(due_ns.max(self.free_since_ns)));
    }

    /// No request could be sent until now.
    #[inline]
    pub(crate) fn free(&mut self, now_ns: u64) {
        self.free_since_ns = now_ns;
    }

    /// Records what became of a request that was sent.
    #[inline]
    pub(crate) fn end(&mut self, ended: &Ended) {
        self.under_way -= 1;
        self.interval.ended(ended);
        let pause_ns = if matches!(ended.outcome, Outcome::Failed(_)) { PAUSE_AFTER_FAILURE_NS } else { 0 };
        self.pace.ended(ended.end_ns, pause_ns);
    }

    /// Accounts for what is left: the requests under way, as (due, sent), and those that were not sent.
    pub(crate) fn finish(&mut self, left: impl Iterator<Item = (u64, u64)>) {
        let now_ns = self.clock.now_ns();
        self.turn(now_ns);
        for (due_ns, sent_ns) in left {
            let outcome = Outcome::Failed(Failure::Interrupted);
            self.end(&Ended { due_ns, sent_ns, end_ns: now_ns, outcome });
        }
        for due_ns in self.pace.give_up(self.interrupted_ns.unwrap_or(now_ns)) {
            self.interval.unsent(due_ns, now_ns);
        }
        // A run ends a little after the next second begins: the part of it in which nothing happened is not a part of it.
        if self.interval.second == 0 || self.interval.counts != Counts::default() {
            (self.finished)(std::mem::take(&mut self.interval));
        }
    }
}
