//! Bursts: short sessions at intervals, one stream after another in one file.
//!
//! The intervals vary, so that periodic work is neither missed by all bursts nor met by all. They vary by a fixed sequence of
//! numbers, not at random, so they are the same in every recording.

use crate::budget::DiskBudget;
use crate::error::Error;
use crate::file::{TraceFile, Written};
use crate::profile::Bursts;
use crate::pump::{End, Gauge, Reader, SessionFacts, pump, stop};
use base::time::{Deadline, Patience, Stopwatch};
use dotnet_ipc::session::{Request, Starter};
use exhibit::Folder;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a session has to begin.
const BEGIN: Duration = Duration::from_secs(5);
/// How often a burst checks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often, between bursts, it is checked whether no more are wanted.
const LOOK_BETWEEN: Duration = Duration::from_millis(100);
/// Bursts that may fail in a row. After that no more are tried.
const MAX_FAILURES: u32 = 5;
/// The first burst begins after this part of an interval.
const FIRST: f64 = 0.25;
/// The part of an interval by which a beginning varies.
const VARIATION: f64 = 0.4;
/// The fraction of the golden ratio. The fractions of its multiples are spread evenly between 0 and 1.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// The file that bursts are written to. It is created with the first of them.
#[derive(Debug)]
pub(crate) struct BurstFile {
    folder: Folder,
    name: String,
    budget: Arc<DiskBudget>,
    file: Option<TraceFile>,
}

impl BurstFile {
    pub(crate) fn new(folder: &Folder, name: String, budget: &Arc<DiskBudget>) -> Self {
        Self { folder: folder.clone(), name, budget: Arc::clone(budget), file: None }
    }

    fn open(&mut self) -> Result<&mut TraceFile, Error> {
        let file = match self.file.take() {
            Some(file) => file,
            None => TraceFile::create(&self.folder, self.name.as_ref(), &self.budget)?,
        };
        Ok(self.file.insert(file))
    }

    /// Ends it. `None` if there was no burst.
    pub(crate) fn finish(self) -> Result<Option<Written>, Error> {
        self.file.map(TraceFile::finish).transpose().map_err(Error::write(&self.folder.path_of(&self.name)))
    }
}

/// What the thread of bursts and the recording share.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Whether no more bursts are wanted.
    pub(crate) stop: AtomicBool,
    /// Whether even the current burst is not waited for.
    abandoned: AtomicBool,
    tally: Mutex<Tally>,
}

/// What the bursts have done so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// The sum of all bursts.
    pub(crate) facts: SessionFacts,
    /// How many there were.
    pub(crate) bursts: u32,
    /// How many could not be started, or did not end properly.
    pub(crate) failed: u32,
    /// Bytes received.
    pub(crate) bytes: u64,
    /// How long they were in all.
    pub(crate) sampled: Duration,
    /// What went wrong last.
    pub(crate) problem: Option<String>,
}

impl State {
    pub(crate) fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Stops reading, whatever the runtime does.
    pub(crate) fn abandon(&self) {
        self.stop.store(true, Ordering::Release);
        self.abandoned.store(true, Ordering::Release);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// When a burst begins, counted from the start of the recording. The first one waits, since at the start the process is busy
/// creating and compiling what the sessions ask for.
fn begin_of(number: u32, bursts: &Bursts) -> Duration {
    let varied = FIRST + (f64::from(number) * GOLDEN).fract() * VARIATION;
    bursts.every.saturating_mul(number).saturating_add(bursts.every.mul_f64(varied))
}

/// Takes bursts until no more are wanted. The file is locked during a burst; between bursts it may be exchanged.
pub(crate) fn run(
    bursts: &Bursts,
    buffer_megabytes: u32,
    starter: &Starter,
    file: &Mutex<BurstFile>,
    make_reader: &dyn Fn() -> Box<dyn Reader>,
    state: &State,
) {
    let begun = Stopwatch::start();
    let request = Request { providers: bursts.providers.clone(), buffer_megabytes, rundown: 0 };
    let mut failures = 0;
    for number in 0u32.. {
        let begin = begin_of(number, bursts);
        while !state.is_stopped() && begun.elapsed() < begin {
            let left = begin.saturating_sub(begun.elapsed());
            std::thread::sleep(left.min(LOOK_BETWEEN));
        }
        let is_full = file.lock().unwrap_or_else(PoisonError::into_inner).budget.limit().is_some();
        if state.is_stopped() || is_full || failures >= MAX_FAILURES {
            return;
        }
        // A burst that is late by a whole interval is skipped.
        if begun.elapsed() > begin.saturating_add(bursts.every) {
            continue;
        }
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let took = one(bursts.length, &request, starter, &mut file, make_reader, state);
        drop(file);
        state.count(|tally| tally.bursts = tally.bursts.saturating_add(1));
        match took {
            Ok(()) => failures = 0,
            Err(error) if error.is_called_off() || error.is_full() => return,
            Err(error) => {
                failures = failures.saturating_add(1);
                state.count(|tally| {
                    tally.failed = tally.failed.saturating_add(1);
                    tally.problem = Some(error.to_string());
                });
            }
        }
    }
}

fn one(
    length: Duration,
    request: &Request,
    starter: &Starter,
    file: &mut BurstFile,
    make_reader: &dyn Fn() -> Box<dyn Reader>,
    state: &State,
) -> Result<(), Error> {
    let session = starter.start(request, Patience::unless(&state.stop, Deadline::after(BEGIN)))?;
    let file = file.open()?;
    let stopper = session.stopper();
    let gauge = Arc::new(Gauge::default());
    let mut reader = make_reader();
    let lasted = Stopwatch::start();
    let end = std::thread::scope(|scope| {
        let watch = std::thread::Builder::new().name("burst-end".to_owned());
        // This thread ends the session in time, while the other one reads it.
        let watching = watch.spawn_scoped(scope, || {
            while !state.is_stopped() && !gauge.has_ended() && lasted.elapsed() < length {
                std::thread::sleep(length.saturating_sub(lasted.elapsed()).min(LOOK_EVERY));
            }
            // The sampler stops within milliseconds of the command, while the stream takes longer to end.
            let sampled = lasted.elapsed();
            let stopped = stop(&stopper, &gauge);
            if stopped.is_err() {
                gauge.abandon.store(true, Ordering::Release);
            }
            while !gauge.has_ended() {
                if state.abandoned.load(Ordering::Acquire) {
                    gauge.abandon.store(true, Ordering::Release);
                }
                std::thread::sleep(LOOK_EVERY);
            }
            sampled
        });
        let watching = watching.map_err(Error::Thread)?;
        let end = pump(session, reader.as_mut(), file, &gauge);
        gauge.ended.store(true, Ordering::Release);
        let sampled = watching.join().unwrap_or_default();
        end.map(|end| (end, sampled))
    });
    let path = file.path().to_path_buf();
    file.flush().map_err(Error::write(&path))?;
    let facts = reader.facts();
    state.count(|tally| {
        tally.facts.add(&facts);
        tally.bytes = tally.bytes.saturating_add(gauge.bytes.load(Ordering::Relaxed));
    });
    let (end, sampled) = end?;
    state.count(|tally| tally.sampled = tally.sampled.saturating_add(sampled));
    match end {
        // The limit is reported once, of the whole recording.
        End::Closed | End::Full => Ok(()),
        End::Abandoned => Err(Error::Runtime(dotnet_ipc::Error::Closed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_keep_their_interval_on_average_and_are_not_periodic() {
        let (every, length) = (Duration::from_secs(2), Duration::from_millis(200));
        let bursts = Bursts { providers: Vec::new(), every, length };
        let begins: Vec<Duration> = (0..100).map(|number| begin_of(number, &bursts)).collect();
        assert_eq!(begins[0], Duration::from_millis(500));
        assert!(begins.windows(2).all(|pair| pair[1].saturating_sub(pair[0]) >= Duration::from_secs(1)));
        assert!(begins[99] < every * 100);
        // They begin in nearly every tenth of a second.
        let mut tenths: Vec<u32> = begins.iter().map(|begin| begin.subsec_millis() / 100).collect();
        tenths.sort_unstable();
        tenths.dedup();
        assert!(tenths.len() >= 8, "{tenths:?}");
    }
}
