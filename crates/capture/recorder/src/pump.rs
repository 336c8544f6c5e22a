//! A session's bytes into a file, with a reader beside it.

use crate::error::Error;
use crate::file::TraceFile;
use base::time::{Deadline, Stopwatch};
use dotnet_ipc::session::{Received, Session};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bytes read at once.
const PIECE: usize = 256 << 10;
/// A read that brings less was early: what comes until the next is gathered, which wakes us less often.
const SMALL: usize = 32 << 10;
/// How long it is gathered. A socket holds what comes meanwhile at ten times the usual rate.
const GATHER: Duration = Duration::from_millis(30);
/// How long a read waits before it looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a runtime that was told to stop may be silent: without an event, whatever bytes come.
const SILENCE: Duration = Duration::from_secs(20);
/// How long a runtime that was told to stop may go on sending: the names of a million methods take a minute.
const MOST_ENDING: Duration = Duration::from_mins(10);
/// What it may send until then: the names of a million methods take half of it.
const MOST_AFTER_STOP: u64 = 1 << 30;
/// How long a session may take to end by itself if the runtime could not be told to end it: its process may have ended.
const NOT_TOLD: Duration = Duration::from_secs(1);
/// How long a runtime has to answer that it stops. While it works on its names it answers nothing.
const STOP_ANSWER: Duration = Duration::from_mins(10);

/// Which session a reader reads along with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one that lasts.
    Main,
    /// A short one with samples.
    Burst,
    /// The one that takes names.
    Names,
}

/// What a reader saw of a session so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// When the session began, in nanoseconds of the system's monotonic clock; none before its header is read.
    pub start_ns: Option<i64>,
    /// Events.
    pub events: u64,
    /// Events that the runtime dropped.
    pub lost: u64,
    /// How long the sampler stopped the program, in nanoseconds.
    pub sampler_stopped_ns: u64,
    /// Samples.
    pub samples: u64,
    /// Whether the event came that ends the recording.
    pub ends: bool,
    /// Whether the bytes are no trace.
    pub is_no_trace: bool,
    /// Whether the session came to its end: known once it has ended.
    pub is_whole: bool,
}

impl Facts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.events = self.events.saturating_add(other.events);
        self.lost = self.lost.saturating_add(other.lost);
        self.sampler_stopped_ns = self.sampler_stopped_ns.saturating_add(other.sampler_stopped_ns);
        self.samples = self.samples.saturating_add(other.samples);
        self.ends |= other.ends;
        self.is_no_trace |= other.is_no_trace;
    }
}

/// Reads along with a session: takes its bytes in order, in any cut.
pub trait Reader: Send {
    /// Takes the next bytes.
    fn take(&mut self, bytes: &[u8]);
    /// The session has ended.
    fn end(&mut self);
    /// What it saw so far.
    fn facts(&self) -> Facts;
}

/// What a pump and those who watch it share.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// Bytes that came.
    pub(crate) bytes: AtomicU64,
    /// Whether the runtime was told to stop.
    pub(crate) stopping: AtomicBool,
    /// Whether to stop reading, whatever the runtime does.
    pub(crate) abandon: AtomicBool,
    /// Whether it is over.
    pub(crate) ended: AtomicBool,
    /// Whether its file can be opened: the header is on its way to the disk.
    readable: AtomicBool,
    /// Why the runtime could not be told to stop.
    not_told: Mutex<Option<dotnet_ipc::Error>>,
    facts: Mutex<Facts>,
}

impl Gauge {
    pub(crate) fn facts(&self) -> Facts {
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_facts(&self, facts: Facts) {
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = facts;
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readable.load(Ordering::Acquire)
    }

    /// Why the runtime could not be told to stop, if it could not.
    fn take_not_told(&self) -> Option<dotnet_ipc::Error> {
        self.not_told.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The runtime closed it after it was told to stop, or since its process ended.
    Closed,
    /// We closed it: the runtime said nothing for too long, or nobody wanted to wait.
    Abandoned,
    /// We closed it: the recording has no room for more.
    Full,
}

/// Reads a session to its end.
pub(crate) fn pump(
    session: Session,
    reader: &mut dyn Reader,
    file: &mut TraceFile,
    gauge: &Gauge,
) -> Result<End, Error> {
    let end = read_to_end(session, reader, file, gauge);
    reader.end();
    gauge.set_facts(reader.facts());
    end
}

fn read_to_end(
    mut session: Session,
    reader: &mut dyn Reader,
    file: &mut TraceFile,
    gauge: &Gauge,
) -> Result<End, Error> {
    let mut buffer = vec![0; PIECE];
    let mut heard = Stopwatch::start();
    let mut events = 0;
    let mut told_to_stop: Option<Stopwatch> = None;
    let mut after_stop = 0u64;
    let path = file.path().to_path_buf();
    loop {
        match session.read(&mut buffer, LOOK_EVERY)? {
            Received::Bytes(len) => {
                let bytes = buffer.get(..len).unwrap_or_default();
                gauge.bytes.fetch_add(len as u64, Ordering::Relaxed);
                let added = file.write(bytes).map_err(Error::write(&path))?;
                reader.take(bytes.get(..added).unwrap_or_default());
                let facts = reader.facts();
                gauge.set_facts(facts);
                if added < bytes.len() {
                    return Ok(End::Full);
                }
                if facts.start_ns.is_some() && !gauge.is_readable() {
                    file.flush().map_err(Error::write(&path))?;
                    gauge.readable.store(true, Ordering::Release);
                }
                if facts.is_no_trace {
                    return Err(Error::NoTrace);
                }
                if told_to_stop.is_some() {
                    after_stop = after_stop.saturating_add(len as u64);
                }
                if told_to_stop.is_none() || facts.events > events {
                    heard = Stopwatch::start();
                    events = facts.events;
                }
                if len < SMALL {
                    std::thread::sleep(GATHER);
                }
            }
            Received::Nothing => {}
            Received::End => return Ok(End::Closed),
        }
        file.flush_when_due().map_err(Error::write(&path))?;
        if gauge.stopping.load(Ordering::Acquire) {
            let since = told_to_stop.get_or_insert_with(Stopwatch::start);
            if heard.elapsed() > SILENCE || since.elapsed() > MOST_ENDING || after_stop > MOST_AFTER_STOP {
                return Ok(End::Abandoned);
            }
            if since.elapsed() > NOT_TOLD
                && let Some(cause) = gauge.take_not_told()
            {
                return Err(Error::NotStopped(cause));
            }
        }
        if gauge.abandon.load(Ordering::Acquire) {
            return Ok(End::Abandoned);
        }
    }
}

/// Descriptors that are kept for the end of a recording: two sessions are told at once, each over a connection that is
/// checked first.
const RESERVE: usize = 8;

/// Descriptors that are given back, by dropping it, before sessions are told to end, whatever else has taken all others by
/// then.
#[derive(Debug)]
pub struct Reserve(#[expect(dead_code, reason = "it is held")] Vec<std::fs::File>);

impl Reserve {
    /// Takes them; an error if there are not as many.
    pub fn take() -> std::io::Result<Self> {
        std::iter::repeat_with(|| std::fs::File::open("/dev/null"))
            .take(RESERVE)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Tells the runtime to end a session, without waiting for its answer: it streams first, and may take long.
pub(crate) fn stop(session: &dotnet_ipc::session::Stopper, gauge: &Arc<Gauge>) -> Result<(), Error> {
    gauge.stopping.store(true, Ordering::Release);
    let (stopper, shared) = (session.clone(), Arc::clone(gauge));
    let thread = std::thread::Builder::new().name("stop".to_owned());
    let stopping = thread.spawn(move || match stopper.stop(Deadline::after(STOP_ANSWER)) {
        // Whether it worked shows in the session's end: the answer adds nothing.
        Ok(()) | Err(dotnet_ipc::Error::Silent(_) | dotnet_ipc::Error::Closed) => {}
        Err(error) => *shared.not_told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
    });
    stopping.map(drop).map_err(Error::Thread)
}
