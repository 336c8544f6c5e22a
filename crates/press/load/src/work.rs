//! What workers are given, where they wait for each other, and what they needed.

use crate::clock::Clock;
use crate::prepared::Prepared;
use crate::requests::Requests;
use crate::scenario::Tally;
use crate::tls::Client;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, OnceLock};
use std::time::{Duration, SystemTime};

/// The length of an interval.
pub(crate) const SECOND_NS: u64 = 1_000_000_000;
/// How often a worker that waits for its start looks whether it is interrupted.
const START_LOOK: Duration = Duration::from_millis(20);

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
    pub(crate) gate: &'a Gate<'a>,
    /// Who takes the requests one by one, if anybody does.
    pub(crate) requests: Option<Requests>,
    /// The number of its first connection among those of all workers.
    pub(crate) first_connection: u32,
}

/// Where all workers wait until their connections are open, to begin at one moment.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    workers: Barrier,
    start_at: Option<SystemTime>,
    interrupt: &'a AtomicBool,
    begun: OnceLock<(Clock, SystemTime)>,
}

impl<'a> Gate<'a> {
    /// A gate for so many workers, which opens at a time at the earliest, unless the run is interrupted.
    pub(crate) fn new(workers: usize, start_at: Option<SystemTime>, interrupt: &'a AtomicBool) -> Self {
        Self { workers: Barrier::new(workers), start_at, interrupt, begun: OnceLock::new() }
    }

    /// Waits for the others. Returns the clock that all have.
    pub(crate) fn wait(&self) -> Clock {
        self.workers.wait();
        let open = || {
            let left =
                || self.start_at?.duration_since(base::time::calendar()).ok().filter(|left| !left.is_zero());
            while let Some(left) = left().filter(|_| !self.interrupt.load(Ordering::Relaxed)) {
                std::thread::sleep(left.min(START_LOOK));
            }
            (Clock::start(), base::time::calendar())
        };
        self.begun.get_or_init(open).0
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
