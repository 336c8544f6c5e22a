//! What workers are given, where they wait for each other, and what they needed.

use crate::clock::Clock;
use crate::prepared::Prepared;
use crate::scenario::Tally;
use crate::tls::Client;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Barrier, OnceLock};
use std::time::SystemTime;

/// The length of an interval.
pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// What a worker needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Work<'a> {
    /// The addresses of the service, in the order in which they are tried.
    pub(crate) addresses: &'a [SocketAddr],
    /// What encrypts, if anything does.
    pub(crate) tls: Option<&'a Client>,
    /// What is sent.
    pub(crate) prepared: &'a Prepared<'a>,
    pub(crate) connections: u32,
    pub(crate) keeps_alive: bool,
    pub(crate) timeout_ns: u64,
    /// When the schedule ends.
    pub(crate) end_ns: u64,
    pub(crate) interrupt: &'a AtomicBool,
    pub(crate) gate: &'a Gate,
}

/// Where all workers wait until their connections are open, to begin at one moment.
#[derive(Debug)]
pub(crate) struct Gate {
    workers: Barrier,
    begun: OnceLock<(Clock, SystemTime)>,
}

impl Gate {
    /// A gate for so many workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self { workers: Barrier::new(workers), begun: OnceLock::new() }
    }

    /// Waits for the others. Returns the clock that all have.
    pub(crate) fn wait(&self) -> Clock {
        self.workers.wait();
        self.begun.get_or_init(|| (Clock::start(), base::time::calendar())).0
    }

    /// When the run began, once it has: by the calendar, and by the monotonic clock in nanoseconds.
    pub(crate) fn begun(&self) -> Option<(SystemTime, u64)> {
        self.begun.get().map(|(clock, at)| (*at, clock.start_ns()))
    }
}

/// What a worker needed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used {
    /// Connections that were open when the run began.
    pub(crate) connections: u64,
    pub(crate) cpu_ns: u64,
    pub(crate) wall_ns: u64,
    /// What became of the requests of a scenario.
    pub(crate) tally: Option<Tally>,
}
