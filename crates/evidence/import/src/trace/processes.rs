//! The processes of a recording: which there are, and which one is wanted.
//!
//! A stream says that it is of one process, or its threads say it (`dotnet-trace collect-linux`). What is kept for each
//! process is in `byprocess`. A recording of one process pays for none of this.

use super::ids::{Process, ProcessId};
use super::kinds::{is_sample, shortened};
use super::streams::StreamFacts;
use crate::error::{Error, Held};
use base::number::saturated;
use base::seeded::SeededMap;
use model::{ById, ByThread, Lost, NO_INT, ProcessRow, Sym, ThreadId, Trace, or_none};
use nettrace::{Event, StreamHeader};

/// How many processes are distinguished; a machine has some hundreds.
const MAX_PROCESSES: usize = 10_000;
const TOO_MANY: &str = "event of a process beyond the 10,000 that are distinguished";
/// The number of a process that the recording does not say.
const NOT_SAID: i64 = NO_INT;

/// What was seen of a process.
#[derive(Debug, Clone)]
struct Known {
    /// As the operating system numbers it; [`NOT_SAID`] if that is not known.
    id: i64,
    name: Option<String>,
    /// Its number in its own container.
    own_id: Option<i64>,
    first_ns: Option<i64>,
    last_ns: Option<i64>,
    events: u64,
    samples: u64,
}

/// The processes of a recording.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    ids: SeededMap<i64, ProcessId>,
    known: ById<Process, Known>,
    /// The only process that is wanted.
    wanted: Option<i64>,
    /// The process of the stream at hand; none if its threads say it.
    of_stream: Option<ProcessId>,
    /// Whether the stream at hand is of a process that is not wanted.
    skips_stream: bool,
    /// The process of each thread.
    of_thread: ByThread<ProcessId>,
}

impl Processes {
    /// About how many bytes it takes beside the processes, of which there are few.
    pub(crate) fn kept_bytes(&self) -> usize {
        size_of_val::<[_]>(&self.of_thread)
    }

    pub(crate) fn new(wanted: Option<u64>) -> Self {
        Self { wanted: wanted.map(u64::cast_signed), ..Self::default() }
    }

    /// A process by the operating system's number; none if there are too many.
    fn of_id(&mut self, id: i64) -> Option<ProcessId> {
        if let Some(known) = self.ids.get(&id) {
            return Some(*known);
        }
        if self.known.len() >= MAX_PROCESSES && id != NOT_SAID {
            return None;
        }
        let process = self.known.push(Known {
            id,
            name: None,
            own_id: None,
            first_ns: None,
            last_ns: None,
            events: 0,
            samples: 0,
        });
        self.ids.insert(id, process);
        Some(process)
    }

    /// Begins a stream. Returns whether it is to be read.
    pub(crate) fn begin_stream(&mut self, header: &StreamHeader) -> bool {
        let id = header.process.map(u64::cast_signed);
        self.of_stream = id.and_then(|id| self.of_id(id));
        self.skips_stream = id.is_some() && self.wanted.is_some() && id != self.wanted;
        !self.skips_stream
    }

    pub(crate) fn skips_stream(&self) -> bool {
        self.skips_stream
    }

    /// The process of the stream at hand, if it is of one.
    pub(crate) fn of_stream(&self) -> Option<ProcessId> {
        self.of_stream
    }

    /// The process that an event is of; none if there are too many processes.
    pub(crate) fn of_event(&mut self, event: &Event<'_>) -> Option<ProcessId> {
        let said = event.process.map_or(NOT_SAID, u64::cast_signed);
        self.of_stream.or_else(|| self.of_id(said)).or_else(|| self.of_id(NOT_SAID))
    }

    /// Adds a thread, which has the next number.
    pub(crate) fn add_thread(&mut self, process: ProcessId) {
        self.of_thread.push(process);
    }

    /// As the operating system numbers it.
    pub(crate) fn id(&self, process: ProcessId) -> i64 {
        self.known.get(process).map_or(NOT_SAID, |known| known.id)
    }

    /// The number of the process that the operating system numbers so, if there is one.
    pub(crate) fn find(&self, id: i64) -> Option<ProcessId> {
        self.ids.get(&id).copied()
    }

    /// Whether there are several.
    fn are_several(&self) -> bool {
        self.known.len() > 1
    }

    /// Fails if a process is wanted that the recording does not hold.
    pub(crate) fn check(&self, path: &str) -> Result<(), Error> {
        let Some(process) = self.wanted.map(i64::cast_unsigned) else { return Ok(()) };
        let (path, held) = (path.to_owned(), self.held());
        if held.is_empty() {
            return Err(Error::NoProcess { path, process });
        }
        let is_there = held.iter().any(|of| of.id == process);
        if is_there { Ok(()) } else { Err(Error::NoSuchProcess { path, process, held }) }
    }

    /// Names a process. One that runs another program has the new one's name.
    pub(crate) fn name(&mut self, process: ProcessId, name: &str, own_id: Option<i64>) {
        if let Some(known) = self.known.get_mut(process) {
            if !name.is_empty() {
                known.name = Some(shortened(name).to_owned());
            }
            known.own_id = own_id.or(known.own_id);
        }
    }

    /// Counts an event of a stream that is not wanted.
    pub(crate) fn count_skipped(&mut self, event: &Event<'_>, ns: Option<i64>) {
        if let Some(process) = self.of_stream {
            self.count(process, ns, is_sample(event.metadata));
        }
    }

    /// The process of a thread.
    pub(crate) fn of_thread(&self, thread: ThreadId) -> Option<ProcessId> {
        self.of_thread.get(thread).copied()
    }

    /// Counts an event of a stream whose threads say their process. Returns the process.
    pub(crate) fn saw(
        &mut self,
        event: &Event<'_>,
        thread: ThreadId,
        ns: i64,
        lost: &mut Lost,
    ) -> Option<ProcessId> {
        let process = self.of_thread(thread)?;
        if event.process.is_some() && self.id(process) == NOT_SAID {
            lost.damage.note(TOO_MANY, event.offset);
        }
        self.count(process, Some(ns), is_sample(event.metadata));
        Some(process)
    }

    /// Whether the events of a process are to be read.
    pub(crate) fn is_wanted(&self, process: ProcessId) -> bool {
        self.wanted.is_none_or(|wanted| wanted == self.id(process))
    }

    fn count(&mut self, process: ProcessId, ns: Option<i64>, is_sample: bool) {
        let Some(known) = self.known.get_mut(process) else { return };
        known.events = known.events.saturating_add(1);
        known.samples = known.samples.saturating_add(u64::from(is_sample));
        known.span(ns, ns);
    }

    /// Counts the events of streams that are of one process each.
    pub(crate) fn add_streams(&mut self, streams: &[StreamFacts]) {
        for stream in streams {
            let process = stream.process.and_then(|id| self.ids.get(&id.cast_signed()));
            let Some(known) = process.and_then(|process| self.known.get_mut(*process)) else {
                continue;
            };
            known.events = known.events.saturating_add(stream.events);
            known.samples = known.samples.saturating_add(stream.samples);
            known.span(Some(stream.from_ns), Some(stream.to_ns));
        }
    }

    /// The processes for a refusal: those with most samples first.
    fn held(&self) -> Vec<Held> {
        let mut known: Vec<&Known> = self.known.iter().filter(|known| known.id != NOT_SAID).collect();
        known.sort_by_key(|known| (std::cmp::Reverse((known.samples, known.events)), known.id));
        let held = |known: &Known| Held { id: known.id.cast_unsigned(), name: known.name.clone() };
        known.into_iter().map(held).collect()
    }

    /// Fills the table of processes, and says in the heading which one the recording is of.
    pub(crate) fn fill(&self, recording: &mut Trace) {
        if !self.are_several() {
            recording.thread_processes = ByThread::default();
        }
        let of_one = match &*self.known {
            [only] => Some(only),
            all => all.iter().find(|known| Some(known.id) == self.wanted),
        };
        if let Some(known) = of_one.filter(|known| known.id != NOT_SAID) {
            recording.exhibit.pid = Some(known.id.cast_unsigned());
            let name = recording.exhibit.name.take();
            recording.exhibit.name = name.or_else(|| known.name.clone());
        }
        let mut rows: Vec<&Known> = self.known.iter().filter(|known| known.events > 0).collect();
        rows.sort_by_key(|known| known.id);
        for known in rows {
            let name = known.name.as_deref().map_or(Sym::NONE, |name| recording.strings.intern(name));
            let count = |n: u64| saturated(n);
            recording.processes.push(ProcessRow {
                process: known.id,
                name,
                own_id: or_none(known.own_id),
                first_ts_ns: or_none(known.first_ns),
                last_ts_ns: or_none(known.last_ns),
                events: count(known.events),
                samples: count(known.samples),
            });
        }
    }
}

impl Known {
    fn span(&mut self, from_ns: Option<i64>, to_ns: Option<i64>) {
        self.first_ns = [self.first_ns, from_ns].into_iter().flatten().min();
        self.last_ns = [self.last_ns, to_ns].into_iter().flatten().max();
    }
}
