//! A run from beginning to end: workers on threads, and one place that adds up what they counted.

use crate::course::Course;
use crate::engine;
use crate::generator::Generator;
use crate::http2;
use crate::outcome::Failure;
use crate::pace::Pace;
use crate::parts::Http2Error;
use crate::plan::{Drive, Plan, Protocol, nanoseconds};
use crate::prepared::Prepared;
use crate::reason::Abort;
use crate::record::{Counts, Interval, Latencies};
use crate::requests::Requests;
use crate::scenario::{Script, Tally};
use crate::second::{Second, Typical};
use crate::tls::{Client, TlsError};
use crate::work::{Gate, SECOND_NS, Used, Work};
use base::number::{real_u64, wide};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver};
use std::time::SystemTime;

/// The rows of seconds that are kept. In a longer run each row has several seconds.
const MAX_ROWS: usize = 7_200;

/// How many intervals may wait to be added up. Each has some hundred kilobytes.
const MAX_WAITING: usize = 64;

/// What a run has shown.
#[derive(Debug, Clone)]
pub struct Run {
    /// When it began.
    pub start: SystemTime,
    /// The same by the monotonic clock of the machine, in nanoseconds. A recording of a service on this machine has the same clock.
    /// `None` if the run never began.
    pub start_monotonic_ns: Option<u64>,
    /// How many requests were planned: all are accounted for.
    pub planned: u64,
    /// What became of them.
    pub counts: Counts,
    /// Their latencies.
    pub latencies: Latencies,
    /// The same by time.
    pub seconds: Vec<Second>,
    /// For how long requests were due, in seconds.
    pub due_seconds: f64,
    /// How long it took until everything was accounted for, in seconds.
    pub wall_seconds: f64,
    /// The share of a core that the busiest thread used.
    pub cpu_share: f64,
    /// Connections that were open at the beginning.
    pub connections: u64,
    /// Whether it was interrupted before its end.
    pub is_interrupted: bool,
    /// What was wrong when TLS first failed, if it did.
    pub tls_error: Option<String>,
    /// What became of each request of a scenario. Empty without one.
    pub tally: Tally,
    /// Why it was ended early, if that was because it made no sense any more: the caller, who ended it, says so.
    pub abort: Option<Abort>,
    /// How well the generators did, if the run is of several: the worst of each figure.
    pub worst: Option<Generator>,
}

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system refused something that every run needs.
    #[error("the system refuses what a run needs: {0}")]
    System(std::io::Error),
    /// No encrypted connection can be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The request cannot be written as HTTP/2.
    #[error(transparent)]
    Http2(#[from] Http2Error),
    /// A thread failed.
    #[error("a thread of the generator failed")]
    Thread,
}

/// Whoever wants to know while a run is under way.
pub trait Watcher {
    /// The run has begun.
    fn begun(&mut self, at: SystemTime);

    /// An interval is over: what all workers counted in it.
    fn interval(&mut self, second: &Second, latencies: &Latencies);

    /// Who takes the requests one by one. If nobody does, nothing is kept of them.
    fn requests(&self) -> Option<Requests> {
        None
    }

    /// When the run is to begin. It begins at once if this is past.
    fn start_at(&self) -> Option<SystemTime> {
        None
    }
}

/// Nobody wants to know.
impl Watcher for () {
    fn begun(&mut self, _: SystemTime) {}

    fn interval(&mut self, _: &Second, _: &Latencies) {}
}

/// Runs a plan until everything is accounted for, or `interrupt` is set.
pub fn run(plan: &Plan, interrupt: &AtomicBool, watcher: &mut dyn Watcher) -> Result<Run, RunError> {
    let connections = match plan.drive {
        Drive::Users { users, .. } => users,
        Drive::Schedule(_) | Drive::Max => plan.connections,
    };
    let threads = plan.threads.clamp(1, usize::try_from(connections).unwrap_or(1).max(1));
    let addresses = plan.target.addresses();
    let streams = plan.protocol.streams();
    let prepared = Prepared::new(plan)?;
    let offered: &[u8] = match plan.protocol {
        Protocol::Http1 => b"http/1.1",
        Protocol::Http2 { .. } => b"h2",
    };
    let tls = if plan.target.is_tls {
        Some(Client::new(&plan.target.host, &plan.trust, &[offered])?)
    } else {
        None
    };
    let gate = Gate::new(threads, watcher.start_at(), interrupt);
    let end_ns = nanoseconds(plan.duration);
    let (sender, receiver) = mpsc::sync_channel(MAX_WAITING);
    let mut adding = Adding::new(plan, threads);
    let requests = watcher.requests();
    let used = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let work = Work {
                    addresses: &addresses,
                    tls: tls.as_ref(),
                    prepared: &prepared,
                    connections: match plan.drive {
                        // Each user has a stream.
                        Drive::Users { .. } => part(connections, worker, threads).div_ceil(streams),
                        Drive::Schedule(_) | Drive::Max => part(connections, worker, threads),
                    },
                    keeps_alive: plan.keeps_alive,
                    timeout_ns: nanoseconds(plan.timeout),
                    end_ns,
                    interrupt,
                    gate: &gate,
                    requests: requests.clone(),
                    first_connection: (0..worker).map(|before| part(connections, before, threads)).sum(),
                };
                let pace = pace(plan, &work, (worker, threads));
                let script = plan.scenario.as_ref().map(|of| Script::new(of, worker, threads));
                let sender = sender.clone();
                scope.spawn(move || {
                    let finished = |interval| drop(sender.send(interval));
                    let course = Course::new(&work, pace, script, finished);
                    match plan.protocol {
                        Protocol::Http1 => engine::run(&work, course).map_err(std::io::Error::from),
                        Protocol::Http2 { streams } => http2::run(&work, streams, course),
                    }
                })
            })
            .collect();
        drop(sender);
        adding.take_all(&receiver, watcher, &gate);
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_panic| RunError::Thread))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let used: Result<Vec<Used>, _> = used.into_iter().collect();
    let used = used.map_err(RunError::System)?;
    let tls_error = tls.as_ref().and_then(Client::first_error);
    Ok(Run { tls_error, ..adding.finish(plan, gate.begun(), &used, interrupt) })
}

/// The part of a number that a worker has.
fn part(of: u32, worker: usize, workers: usize) -> u32 {
    let (worker, workers) = (u32::try_from(worker).unwrap_or(0), u32::try_from(workers).unwrap_or(1));
    of / workers + u32::from(worker < of % workers)
}

/// What a worker sends: the part that its number among the workers has.
fn pace(plan: &Plan, work: &Work<'_>, (worker, workers): (usize, usize)) -> Pace {
    let number = |of: u32| usize::try_from(of).unwrap_or(0);
    match &plan.drive {
        Drive::Schedule(schedule) => Pace::open(schedule.times(work.end_ns), worker, workers),
        Drive::Users { users, think } => {
            Pace::closed(number(part(*users, worker, workers)), nanoseconds(*think), work.end_ns)
        }
        Drive::Max => {
            let places = number(work.connections) * number(plan.protocol.streams());
            Pace::closed(places, 0, work.end_ns)
        }
    }
}

/// The intervals of a second, as far as workers have finished it.
#[derive(Debug, Default)]
struct Gathered {
    workers: usize,
    counts: Counts,
    latencies: Latencies,
}

/// Adds up what workers counted.
#[derive(Debug)]
struct Adding<'a> {
    workers: usize,
    has_begun: bool,
    /// The seconds that not all workers have finished.
    open: BTreeMap<u64, Gathered>,
    counts: Counts,
    latencies: Latencies,
    seconds: Vec<Second>,
    /// How many seconds a row has.
    per_row: u64,
    plan: &'a Plan,
    /// The times at which requests are due, as far as they have not been counted by second.
    due: Option<std::iter::Peekable<crate::schedule::Times>>,
}

impl<'a> Adding<'a> {
    fn new(plan: &'a Plan, workers: usize) -> Self {
        let due = match &plan.drive {
            Drive::Schedule(schedule) => Some(schedule.times(nanoseconds(plan.duration)).peekable()),
            Drive::Users { .. } | Drive::Max => None,
        };
        let seconds = plan.duration.as_secs().saturating_add(plan.timeout.as_secs());
        Self {
            workers,
            has_begun: false,
            open: BTreeMap::new(),
            counts: Counts::default(),
            latencies: Latencies::default(),
            seconds: Vec::new(),
            per_row: seconds.div_ceil(wide(MAX_ROWS)).max(1),
            plan,
            due,
        }
    }

    fn take_all(&mut self, receiver: &Receiver<Interval>, watcher: &mut dyn Watcher, gate: &Gate<'_>) {
        for interval in receiver {
            if let Some((at, _)) = gate.begun().filter(|_| !std::mem::replace(&mut self.has_begun, true)) {
                watcher.begun(at);
            }
            let of = self.open.entry(interval.second).or_default();
            of.workers += 1;
            of.counts.add(&interval.counts);
            of.latencies.add(&interval.latencies);
            while let Some(first) =
                self.open.first_entry().filter(|first| first.get().workers >= self.workers)
            {
                let (second, of) = first.remove_entry();
                self.close(second, &of, watcher);
            }
        }
        // Workers do not end within the same second.
        for (second, of) in std::mem::take(&mut self.open) {
            self.close(second, &of, watcher);
        }
    }

    fn close(&mut self, second: u64, of: &Gathered, watcher: &mut dyn Watcher) {
        self.counts.add(&of.counts);
        self.latencies.add(&of.latencies);
        let until = (second + 1).saturating_mul(SECOND_NS);
        let asked = match &mut self.due {
            // Each arrival is a request. The others of its flow are due whenever the one before them is answered.
            Some(due) => wide(std::iter::from_fn(|| due.next_if(|at| *at < until)).count()) + of.counts.steps,
            None => of.counts.sent + of.counts.unsent,
        };
        let row = Second {
            ts_ns: second * SECOND_NS,
            dur_ns: SECOND_NS,
            asked,
            counts: of.counts.clone(),
            typical: Typical::of(self.plan, &of.latencies),
        };
        watcher.interval(&row, &of.latencies);
        match self.seconds.last_mut().filter(|_| !second.is_multiple_of(self.per_row)) {
            Some(last) => {
                last.typical.add(row.typical, last.dur_ns / SECOND_NS);
                last.dur_ns += row.dur_ns;
                last.asked += row.asked;
                last.counts.add(&row.counts);
            }
            None => self.seconds.push(row),
        }
    }

    fn finish(
        mut self,
        plan: &Plan,
        begun: Option<(SystemTime, u64)>,
        used: &[Used],
        interrupt: &AtomicBool,
    ) -> Run {
        let Counts { sent, unsent, .. } = self.counts;
        let planned = sent + unsent;
        let wall_ns = used.iter().map(|of| of.wall_ns).max().unwrap_or(0);
        let share = |of: &Used| real_u64(of.cpu_ns) / real_u64(of.wall_ns.max(1));
        let due_ns = nanoseconds(plan.duration).min(wall_ns);
        let mut tally = Tally::default();
        for of in used.iter().filter_map(|of| of.tally.as_ref()) {
            if tally.requests.is_empty() {
                tally = of.clone();
            } else {
                tally.add(of);
            }
        }
        // What was due after an early end was not asked for.
        let mut after_end = self.seconds.iter().map(|of| of.asked).sum::<u64>().saturating_sub(planned);
        for row in self.seconds.iter_mut().rev() {
            let cut = row.asked.min(after_end);
            row.asked -= cut;
            after_end -= cut;
        }
        let is_interrupted = interrupt.load(std::sync::atomic::Ordering::Relaxed)
            && plan.planned().is_none_or(|of| of != planned);
        Run {
            start: begun.map_or_else(base::time::calendar, |(at, _)| at),
            start_monotonic_ns: begun.map(|(_, ns)| ns),
            planned,
            counts: self.counts,
            latencies: self.latencies,
            seconds: self.seconds,
            due_seconds: real_u64(due_ns) / 1e9,
            wall_seconds: real_u64(wall_ns) / 1e9,
            cpu_share: used.iter().map(share).fold(0.0, f64::max),
            connections: used.iter().map(|of| of.connections).sum(),
            is_interrupted,
            tls_error: None,
            tally,
            abort: None,
            worst: None,
        }
    }
}

impl Run {
    /// How it ended: `complete`, `interrupted` or `aborted`.
    pub fn ended(&self) -> &'static str {
        match (&self.abort, self.is_interrupted) {
            (Some(_), _) => "aborted",
            (None, true) => "interrupted",
            (None, false) => "complete",
        }
    }

    /// Requests that failed, by kind: those that occurred.
    pub fn errors(&self) -> impl Iterator<Item = (Failure, u64)> + '_ {
        self.counts.errors()
    }
}
