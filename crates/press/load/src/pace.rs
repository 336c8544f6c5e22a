//! What is to be sent next, on one worker.

use crate::schedule::Times;
use std::collections::VecDeque;
use std::iter::{Peekable, Skip, StepBy};

/// When a worker's requests are due.
#[derive(Debug)]
pub(crate) enum Pace {
    /// At the times of the schedule: this worker's part of them.
    Open(Box<Peekable<StepBy<Skip<Times>>>>),
    /// Whenever a user has the answer to the last one, and has thought.
    Closed {
        /// When users are ready, the earliest first.
        ready: VecDeque<u64>,
        think_ns: u64,
        end_ns: u64,
    },
}

impl Pace {
    /// The part of a schedule that belongs to one of several workers: every so many requests.
    pub(crate) fn open(times: Times, worker: usize, workers: usize) -> Self {
        Self::Open(Box::new(times.skip(worker).step_by(workers).peekable()))
    }

    /// A number of users, who are all ready at the beginning.
    pub(crate) fn closed(users: usize, think_ns: u64, end_ns: u64) -> Self {
        Self::Closed { ready: std::iter::repeat_n(0, users).collect(), think_ns, end_ns }
    }

    /// When the next request is due. `None` if none is, or not before another has ended.
    #[inline]
    pub(crate) fn next_due(&mut self) -> Option<u64> {
        match self {
            Self::Open(times) => times.peek().copied(),
            Self::Closed { ready, .. } => ready.front().copied(),
        }
    }

    /// Takes the next request.
    #[inline]
    pub(crate) fn take(&mut self) {
        match self {
            Self::Open(times) => drop(times.next()),
            Self::Closed { ready, .. } => drop(ready.pop_front()),
        }
    }

    /// A request has ended. A closed loop's user goes on, after at least `pause_ns`.
    #[inline]
    pub(crate) fn ended(&mut self, now_ns: u64, pause_ns: u64) {
        if let Self::Closed { ready, think_ns, end_ns } = self {
            let again = now_ns.saturating_add((*think_ns).max(pause_ns));
            if again < *end_ns {
                let at = ready.partition_point(|other| *other <= again);
                ready.insert(at, again);
            }
        }
    }

    /// Gives up what is left. Returns how many requests were due by then and not sent, with their times.
    pub(crate) fn give_up(&mut self, now_ns: u64) -> Vec<u64> {
        let mut left = Vec::new();
        if let Self::Open(times) = self {
            while let Some(due) = times.next_if(|due| *due <= now_ns) {
                left.push(due);
            }
        }
        left
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }
}
