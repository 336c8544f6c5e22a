//! The processes of a recording: which there are, which one is wanted, and whose state the builder works on.
//!
//! A stream says that it is of one process, or leaves it to its threads (`dotnet-trace collect-linux`). What two
//! processes have in common by chance, an address, a thread's number, a collection's, must not be taken for the same
//! thing: threads are numbered by process, and code and collections are kept for each. A recording of one process pays
//! for none of this.

use super::budget::of;
use super::builder::{Builder, Seen};
use super::gc::GcBuilder;
use super::kinds::{self, RUNDOWN};
use super::methods::{Code, Methods};
use super::universal;
use crate::error::{Error, Held};
use base::seeded::SeededMap;
use model::{JitRow, NO_INT, ProcessRow, Sym, Trace, or_none};
use nettrace::{Event, StreamHeader};
use std::path::Path;

/// Processes that are told apart; a machine has some hundreds.
const MOST_PROCESSES: usize = 10_000;
const TOO_MANY: &str = "event of a process beyond the 10,000 that are told apart";
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

/// What is kept for each process while streams are read.
#[derive(Debug, Default)]
pub(crate) struct OfProcess {
    pub(crate) methods: Methods,
    pub(crate) gc: GcBuilder,
    pub(crate) loads: Vec<(Code, JitRow)>,
}

/// The processes of a recording.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    numbers: SeededMap<i64, u32>,
    known: Vec<Known>,
    /// The only process that is wanted.
    wanted: Option<i64>,
    /// The process of the stream at hand; none if its threads say it.
    of_stream: Option<u32>,
    /// Whether the stream at hand is of a process that is not wanted.
    skips_stream: bool,
    /// The process of each thread, by the thread's number.
    of_thread: Vec<u32>,
    /// Whose state the builder has.
    current: u32,
    /// The state of the others; that of the current one is with the builder.
    others: Vec<OfProcess>,
}

impl OfProcess {
    fn kept_bytes(&self) -> usize {
        let loads = of(self.loads.len(), size_of::<(Code, JitRow)>().saturating_add(size_of::<JitRow>()));
        self.methods.kept_bytes().saturating_add(self.gc.kept_bytes()).saturating_add(loads)
    }
}

impl Processes {
    /// About how many bytes are kept of those that are not at hand; there are at most [`MOST_PROCESSES`].
    pub(crate) fn kept_bytes(&self) -> usize {
        self.others.iter().fold(of(self.of_thread.len(), 4), |sum, one| sum.saturating_add(one.kept_bytes()))
    }

    pub(crate) fn new(wanted: Option<u64>) -> Self {
        Self { wanted: wanted.map(u64::cast_signed), ..Self::default() }
    }

    /// The number of a process in the recording; none if there are too many.
    fn number(&mut self, id: i64) -> Option<u32> {
        if let Some(number) = self.numbers.get(&id) {
            return Some(*number);
        }
        if self.known.len() >= MOST_PROCESSES && id != NOT_SAID {
            return None;
        }
        let number = u32::try_from(self.known.len()).ok()?;
        self.known.push(Known {
            id,
            name: None,
            own_id: None,
            first_ns: None,
            last_ns: None,
            events: 0,
            samples: 0,
        });
        self.numbers.insert(id, number);
        Some(number)
    }

    /// Begins a stream; returns whether it is to be read.
    pub(crate) fn begin_stream(&mut self, header: &StreamHeader) -> bool {
        let id = header.process.map(u64::cast_signed);
        self.of_stream = id.and_then(|id| self.number(id));
        self.skips_stream = id.is_some() && self.wanted.is_some() && id != self.wanted;
        !self.skips_stream
    }

    pub(crate) fn skips_stream(&self) -> bool {
        self.skips_stream
    }

    /// The process of the stream at hand, if it is of one.
    pub(crate) fn of_stream(&self) -> Option<u32> {
        self.of_stream
    }

    /// The process that an event is of; none if there are too many processes.
    pub(crate) fn of_event(&mut self, event: &Event<'_>) -> Option<u32> {
        let said = event.process.map_or(NOT_SAID, u64::cast_signed);
        self.of_stream.or_else(|| self.number(said)).or_else(|| self.number(NOT_SAID))
    }

    /// Adds a thread, which has the next number.
    pub(crate) fn add_thread(&mut self, process: u32) {
        self.of_thread.push(process);
    }

    /// As the operating system numbers it.
    pub(crate) fn id(&self, process: u32) -> i64 {
        self.known.get(process as usize).map_or(NOT_SAID, |known| known.id)
    }

    /// The number of the process that the operating system numbers so, if there is one.
    pub(crate) fn find(&self, id: i64) -> Option<u32> {
        self.numbers.get(&id).copied()
    }

    /// Whether there are several.
    pub(crate) fn are_several(&self) -> bool {
        self.known.len() > 1
    }

    pub(crate) fn wanted(&self) -> Option<u64> {
        self.wanted.map(i64::cast_unsigned)
    }

    /// Names a process. One that runs another program has the new one's name.
    pub(crate) fn name(&mut self, process: u32, name: &str, own_id: Option<i64>) {
        if let Some(known) = self.known.get_mut(process as usize) {
            if !name.is_empty() {
                known.name = Some(kinds::shortened(name).to_owned());
            }
            known.own_id = own_id.or(known.own_id);
        }
    }

    fn saw(&mut self, process: u32, ns: Option<i64>, is_sample: bool) {
        let Some(known) = self.known.get_mut(process as usize) else { return };
        known.events = known.events.saturating_add(1);
        known.samples = known.samples.saturating_add(u64::from(is_sample));
        known.span(ns, ns);
    }

    /// Adds what a stream of one process had.
    pub(crate) fn add_stream(
        &mut self,
        process: u32,
        [from_ns, to_ns]: [i64; 2],
        [events, samples]: [u64; 2],
    ) {
        let Some(known) = self.known.get_mut(process as usize) else { return };
        known.events = known.events.saturating_add(events);
        known.samples = known.samples.saturating_add(samples);
        known.span(Some(from_ns), Some(to_ns));
    }

    /// What is kept for the other processes, by their numbers.
    pub(crate) fn take_others(&mut self) -> Vec<OfProcess> {
        std::mem::take(&mut self.others)
    }

    /// The processes for a refusal: those with most samples first.
    pub(crate) fn held(&self) -> Vec<Held> {
        let mut known: Vec<&Known> = self.known.iter().filter(|known| known.id != NOT_SAID).collect();
        known.sort_by_key(|known| (std::cmp::Reverse((known.samples, known.events)), known.id));
        let held = |known: &Known| Held { id: known.id.cast_unsigned(), name: known.name.clone() };
        known.into_iter().map(held).collect()
    }

    /// Fills the table of processes, and says in the heading which one the recording is of.
    pub(crate) fn fill(&self, recording: &mut Trace) {
        if !self.are_several() {
            recording.thread_processes = Vec::new();
        }
        let of_one = match self.known.as_slice() {
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
            let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
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

/// A process of which a file of a folder is.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    id: u64,
    command: Option<String>,
    file: String,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, command, file } = self;
        match command {
            Some(command) => write!(f, "{id} in {file} ({})", command.escape_debug()),
            None => write!(f, "{id} in {file}"),
        }
    }
}

/// Which processes the files of a folder are of, as far as they say it: one entry for each that differs.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    all: Vec<Origin>,
    /// Streams that were looked at.
    pub(crate) streams: usize,
}

/// Different processes of a folder that are kept: a refusal names fewer, and each stream is compared with all of them.
const MOST_ORIGINS: usize = 1_000;

impl Origins {
    fn add(&mut self, origin: Origin) {
        if self.all.len() >= MOST_ORIGINS {
            return;
        }
        // A file without a command line may be of the same process: names and samples come without.
        let same = self.all.iter_mut().find(|of| {
            let command = of.command.as_ref().zip(origin.command.as_ref());
            of.id == origin.id && command.is_none_or(|(a, b)| a == b)
        });
        match same {
            Some(known) => known.command = known.command.take().or(origin.command),
            None => self.all.push(origin),
        }
    }
}

impl Builder {
    /// Ends a file of a folder: notes which process it is of.
    pub(crate) fn end_role(&mut self, path: &Path) {
        let file = || path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        for stream in self.streams.iter().skip(self.origins.streams) {
            let Some(id) = stream.process else { continue };
            let command = stream.command.as_deref().map(kinds::shortened).map(str::to_owned);
            self.origins.add(Origin { id, command, file: file() });
        }
        self.origins.streams = self.streams.len();
    }

    /// Refuses what cannot be read as one: a process that is not there, and files of different processes of which
    /// nothing says that they belong together (`is_loose`).
    pub(crate) fn check_processes(&self, name: &str, is_loose: bool) -> Result<(), Error> {
        let path = name.to_owned();
        if is_loose && let [_, _, ..] = self.origins.all.as_slice() {
            let held = self.origins.all.iter().map(Origin::to_string).collect();
            return Err(Error::SeveralProcesses { path, held });
        }
        let Some(process) = self.processes.wanted() else { return Ok(()) };
        let held = self.processes.held();
        if held.is_empty() {
            return Err(Error::NoProcess { path, process });
        }
        let is_there = held.iter().any(|of| of.id == process);
        if is_there { Ok(()) } else { Err(Error::NoSuchProcess { path, process, held }) }
    }

    /// Keeps the command line of the stream's process, whichever process it is.
    pub(crate) fn note_command(&mut self, seen: &Seen<'_>) {
        let command = seen.fields.text("CommandLine").filter(|text| !text.is_empty());
        if let Some(stream) = self.streams.last_mut() {
            stream.command = command.or(stream.command.take());
        }
    }

    /// Works on the state of a process from here on.
    pub(crate) fn enter(&mut self, process: u32) {
        let current = self.processes.current;
        if process == current {
            return;
        }
        let most = process.max(current) as usize;
        if self.processes.others.len() <= most {
            self.processes.others.resize_with(most.saturating_add(1), OfProcess::default);
        }
        for of in [current, process] {
            if let Some(kept) = self.processes.others.get_mut(of as usize) {
                std::mem::swap(&mut kept.methods, &mut self.methods);
                std::mem::swap(&mut kept.gc, &mut self.gc);
                std::mem::swap(&mut kept.loads, &mut self.rows.loads);
            }
        }
        self.processes.current = process;
        self.raw.of_process(process);
    }

    /// An event of a stream that is not wanted: only counted.
    pub(crate) fn count_skipped(&mut self, event: &Event<'_>) {
        let ns = self.main.is_some().then(|| self.ns(event.ticks));
        if let Some(process) = self.processes.of_stream {
            self.processes.saw(process, ns, is_sample(event));
        }
    }

    /// Looks at an event of a stream whose threads say their process: enters the process, and returns whether the event
    /// is to be read.
    pub(crate) fn admit(&mut self, event: &Event<'_>, thread: u32, ns: i64) -> bool {
        let Some(process) = self.processes.of_thread.get(thread as usize).copied() else { return true };
        let id = self.processes.id(process);
        if id == NOT_SAID && event.process.is_some() {
            self.note_damage(TOO_MANY, event.offset);
        }
        self.enter(process);
        let sample = is_sample(event);
        self.processes.saw(process, Some(ns), sample);
        if let Some(stream) = self.streams.last_mut() {
            // Whoever is looked at, the time was observed for all.
            stream.sampled |= sample;
            if event.metadata.provider != RUNDOWN {
                stream.to_ns = stream.to_ns.max(ns);
            }
        }
        let Some(wanted) = self.processes.wanted else { return true };
        if wanted == id {
            return true;
        }
        // Code of one process may be told by events of another: the kernel's, that of a parent.
        if event.metadata.provider == universal::SYSTEM {
            self.space_event(event, process, ns);
        }
        false
    }
}

impl Builder {
    /// Takes an event about the memory of the process that its thread is of.
    pub(crate) fn space_of_thread(&mut self, event: &Event<'_>, thread: u32, ns: i64) {
        let process = self.processes.of_thread.get(thread as usize).copied().unwrap_or(0);
        self.space_event(event, process, ns);
    }
}

/// Whether an event is a sample, by what its kind is called.
fn is_sample(event: &Event<'_>) -> bool {
    let metadata = event.metadata;
    match metadata.provider.as_str() {
        universal::EVENTS => metadata.name == universal::CPU_SAMPLE,
        kinds::SAMPLER => metadata.event_id == 0,
        _ => false,
    }
}
