//! Writes the bytes of a session to a file, and passes them to a reader too.

use crate::error::Error;
use crate::file::TraceFile;
use base::time::{Deadline, Stopwatch};
use dotnet_ipc::session::{Received, Session};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The most bytes of one read.
const PIECE: usize = 256 << 10;
/// After a read that returns less than this, the next read waits a little, so that we wake up less often.
const SMALL: usize = 32 << 10;
/// How long it waits. The socket can hold what comes meanwhile, even at ten times the usual rate.
const GATHER: Duration = Duration::from_millis(30);
/// How long a read waits before it is checked whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a runtime that was asked to stop may send no event; other bytes do not count.
const SILENCE: Duration = Duration::from_secs(20);
/// How long a runtime that was asked to stop may go on sending. The names of a million methods take a minute.
const MAX_ENDING: Duration = Duration::from_mins(10);
/// The bytes that it may send meanwhile. The names of a million methods take half of this.
const MAX_AFTER_STOP: u64 = 1 << 30;
/// How long a session may take to end by itself if the runtime could not be asked to end it: its process may have ended.
const NOT_ASKED: Duration = Duration::from_secs(1);
/// How long a runtime may take to answer the command to stop. It does not answer while it sends method names.
const STOP_ANSWER: Duration = Duration::from_mins(10);

/// The session that a reader reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The main session.
    Main,
    /// A short session with samples.
    Burst,
    /// A session that takes method names.
    Names,
}

/// What a reader has seen of a session so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionFacts {
    /// When the session began, in nanoseconds of the system's monotonic clock; `None` until its header is read.
    pub start_ns: Option<i64>,
    /// Events.
    pub events: u64,
    /// Events that the runtime dropped.
    pub lost: u64,
    /// How long the sampler paused the process, in nanoseconds.
    pub sampler_stopped_ns: u64,
    /// Samples.
    pub samples: u64,
    /// Whether the event came at which the recording should end.
    pub ends: bool,
    /// Whether the bytes are something other than a trace.
    pub is_not_a_trace: bool,
    /// Whether the session was sent to its end. It is set when the session has ended.
    pub is_whole: bool,
}

impl SessionFacts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.events = self.events.saturating_add(other.events);
        self.lost = self.lost.saturating_add(other.lost);
        self.sampler_stopped_ns = self.sampler_stopped_ns.saturating_add(other.sampler_stopped_ns);
        self.samples = self.samples.saturating_add(other.samples);
        self.ends |= other.ends;
        self.is_not_a_trace |= other.is_not_a_trace;
    }
}

/// Reads a session while it is recorded: takes its bytes in order, cut anywhere.
pub trait Reader: Send {
    /// Takes the next bytes.
    fn take(&mut self, bytes: &[u8]);
    /// The session has ended.
    fn end(&mut self);
    /// What it has seen so far.
    fn facts(&self) -> SessionFacts;
}

/// What the thread that pumps a session shares with other threads.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// Bytes received.
    pub(crate) bytes: AtomicU64,
    /// Whether the runtime was asked to stop.
    pub(crate) stopping: AtomicBool,
    /// Whether to stop reading, whatever the runtime does.
    pub(crate) abandon: AtomicBool,
    /// Whether the session has ended.
    pub(crate) ended: AtomicBool,
    /// Whether its file can be opened, since the header has been flushed.
    readable: AtomicBool,
    /// Why the runtime could not be asked to stop.
    stop_error: Mutex<Option<dotnet_ipc::Error>>,
    facts: Mutex<SessionFacts>,
}

impl Gauge {
    pub(crate) fn facts(&self) -> SessionFacts {
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_facts(&self, facts: SessionFacts) {
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = facts;
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readable.load(Ordering::Acquire)
    }

    /// Why the runtime could not be asked to stop, if it could not.
    fn take_stop_error(&self) -> Option<dotnet_ipc::Error> {
        self.stop_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The runtime closed it, because it was asked to or because its process ended.
    Closed,
    /// We closed it, because the runtime was silent for too long or nobody wanted to wait.
    Abandoned,
    /// We closed it, because the recording has reached a limit.
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
    let mut asked_to_stop: Option<Stopwatch> = None;
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
                // The header came: from now on the file can be opened.
                if facts.start_ns.is_some() && !gauge.is_readable() {
                    file.flush().map_err(Error::write(&path))?;
                    gauge.readable.store(true, Ordering::Release);
                }
                if facts.is_not_a_trace {
                    return Err(Error::NotATrace);
                }
                if asked_to_stop.is_some() {
                    after_stop = after_stop.saturating_add(len as u64);
                }
                if asked_to_stop.is_none() || facts.events > events {
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
            // A peer that is asked to stop must not keep us for ever, whether it is silent or sends without end.
            let since = asked_to_stop.get_or_insert_with(Stopwatch::start);
            if heard.elapsed() > SILENCE || since.elapsed() > MAX_ENDING || after_stop > MAX_AFTER_STOP {
                return Ok(End::Abandoned);
            }
            if since.elapsed() > NOT_ASKED
                && let Some(cause) = gauge.take_stop_error()
            {
                return Err(Error::NotStopped(cause));
            }
        }
        if gauge.abandon.load(Ordering::Acquire) {
            return Ok(End::Abandoned);
        }
    }
}

/// File descriptors that are reserved for the end of a recording. Two sessions are ended at once, each by way of a connection
/// that is checked first.
const RESERVE: usize = 8;

/// Reserved file descriptors. They are freed, by dropping this, just before sessions are ended, so that this works even if
/// something else has taken all others.
#[derive(Debug)]
pub struct Reserve(#[expect(dead_code, reason = "they are held")] Vec<(UnixStream, UnixStream)>);

impl Reserve {
    /// Reserves them. An error if there are not enough.
    pub fn take() -> std::io::Result<Self> {
        // A pair of sockets needs no file, so this works in a container without /dev, too.
        std::iter::repeat_with(UnixStream::pair).take(RESERVE / 2).collect::<Result<_, _>>().map(Self)
    }
}

/// Asks the runtime to end a session, without waiting for its answer: the runtime sends the rest of the session first.
pub(crate) fn stop(session: &dotnet_ipc::session::Stopper, gauge: &Arc<Gauge>) -> Result<(), Error> {
    gauge.stopping.store(true, Ordering::Release);
    let (stopper, shared) = (session.clone(), Arc::clone(gauge));
    let thread = std::thread::Builder::new().name("stop".to_owned());
    let stopping = thread.spawn(move || match stopper.stop(Deadline::after(STOP_ANSWER)) {
        // If the answer does not come, the end of the session still shows that the command arrived.
        Ok(()) | Err(dotnet_ipc::Error::Silent(_) | dotnet_ipc::Error::Closed) => {}
        Err(error) => *shared.stop_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
    });
    stopping.map(drop).map_err(Error::Thread)
}
