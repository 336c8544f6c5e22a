//! Short sessions that come again and again, one stream after another in one file.
//!
//! Their distance varies, so that work which comes at a fixed beat is not missed by all of them, or met by all. The
//! variation is the same each time: a row of numbers, no chance.

use crate::error::Error;
use crate::file::{TraceFile, Written};
use crate::profile::Bursts;
use crate::pump::{End, Facts, Gauge, Reader, pump, stop};
use crate::room::Room;
use base::time::{Deadline, Patience, Stopwatch};
use dotnet_ipc::session::{Request, Starter};
use exhibit::Folder;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a session has to begin.
const BEGIN: Duration = Duration::from_secs(5);
/// How often the end of a burst, or of all of them, is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the end of all is looked for between them.
const LOOK_BETWEEN: Duration = Duration::from_millis(100);
/// Bursts that may fail in a row before no more are tried.
const MOST_FAILURES: u32 = 5;
/// Part of the distance after which the first begins.
const FIRST: f64 = 0.25;
/// Part of the distance by which it varies.
const VARIATION: f64 = 0.4;
/// The part of the golden ratio behind its point: its multiples lie as evenly between 0 and 1 as any do.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// The file that bursts are written to; it is made with the first of them.
#[derive(Debug)]
pub(crate) struct BurstFile {
    folder: Folder,
    name: String,
    room: Arc<Room>,
    file: Option<TraceFile>,
}

impl BurstFile {
    pub(crate) fn new(folder: &Folder, name: String, room: &Arc<Room>) -> Self {
        Self { folder: folder.clone(), name, room: Arc::clone(room), file: None }
    }

    fn open(&mut self) -> Result<&mut TraceFile, Error> {
        let file = match self.file.take() {
            Some(file) => file,
            None => TraceFile::create(&self.folder, self.name.as_ref(), &self.room)?,
        };
        Ok(self.file.insert(file))
    }

    /// Ends it; none where there was no burst.
    pub(crate) fn finish(self) -> Result<Option<Written>, Error> {
        self.file.map(TraceFile::finish).transpose().map_err(Error::write(&self.folder.path_of(&self.name)))
    }
}

/// What the bursts did, and what is to be done with them.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Whether no more are wanted.
    pub(crate) stop: AtomicBool,
    /// Whether not even the end of the one that runs is waited for.
    abandoned: AtomicBool,
    told: Mutex<Told>,
}

/// What the bursts did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// All of them together.
    pub(crate) facts: Facts,
    /// How many there were.
    pub(crate) bursts: u32,
    /// How many could not be started or did not end as they should.
    pub(crate) failed: u32,
    /// Bytes that came.
    pub(crate) bytes: u64,
    /// How long they were, together.
    pub(crate) sampled: Duration,
    /// What went wrong last.
    pub(crate) problem: Option<String>,
}

impl State {
    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
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

/// When a burst begins, after the beginning of the recording. The first is not at once: the program is busy with the
/// sessions then, whose instruments it makes and compiles.
fn begin_of(number: u32, bursts: &Bursts) -> Duration {
    let varied = FIRST + (f64::from(number) * GOLDEN).fract() * VARIATION;
    bursts.every.saturating_mul(number).saturating_add(bursts.every.mul_f64(varied))
}

/// Takes bursts until they are no longer wanted. The file is held during each; between them it may be exchanged.
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
        let is_full = file.lock().unwrap_or_else(PoisonError::into_inner).room.full().is_some();
        if state.is_stopped() || is_full || failures >= MOST_FAILURES {
            return;
        }
        // A burst that is late by a whole distance is left out.
        if begun.elapsed() > begin.saturating_add(bursts.every) {
            continue;
        }
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let took = one(bursts.length, &request, starter, &mut file, make_reader, state);
        drop(file);
        state.tell(|told| told.bursts = told.bursts.saturating_add(1));
        match took {
            Ok(()) => failures = 0,
            Err(error) if error.is_called_off() || error.is_full() => return,
            Err(error) => {
                failures = failures.saturating_add(1);
                state.tell(|told| {
                    told.failed = told.failed.saturating_add(1);
                    told.problem = Some(error.to_string());
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
        // Without it nothing would end the burst.
        let watching = watch.spawn_scoped(scope, || {
            while !state.is_stopped() && !gauge.has_ended() && lasted.elapsed() < length {
                std::thread::sleep(length.saturating_sub(lasted.elapsed()).min(LOOK_EVERY));
            }
            // The sampler stops within milliseconds of the command; the stream's end takes longer.
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
    state.tell(|told| {
        told.facts.add(&facts);
        told.bytes = told.bytes.saturating_add(gauge.bytes.load(Ordering::Relaxed));
    });
    let (end, sampled) = end?;
    state.tell(|told| told.sampled = told.sampled.saturating_add(sampled));
    match end {
        // That there is no room is said of the whole recording.
        End::Closed | End::Full => Ok(()),
        End::Abandoned => Err(Error::Runtime(dotnet_ipc::Error::Closed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_keep_their_distance_on_average_and_have_no_beat() {
        let (every, length) = (Duration::from_secs(2), Duration::from_millis(200));
        let bursts = Bursts { providers: Vec::new(), every, length };
        let begins: Vec<Duration> = (0..100).map(|number| begin_of(number, &bursts)).collect();
        assert_eq!(begins[0], Duration::from_millis(500));
        assert!(begins.windows(2).all(|pair| pair[1].saturating_sub(pair[0]) >= Duration::from_secs(1)));
        assert!(begins[99] < every * 100);
        // Where in a second they begin: every tenth of it is met.
        let mut tenths: Vec<u32> = begins.iter().map(|begin| begin.subsec_millis() / 100).collect();
        tenths.sort_unstable();
        tenths.dedup();
        assert!(tenths.len() >= 8, "{tenths:?}");
    }
}
