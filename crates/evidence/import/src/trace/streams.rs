//! The streams of a recording: when each was recorded, on which clock, and what an earlier one has already.
//!
//! The first stream is the main session's; all times count from its start. Two sessions of one process may send the same
//! event, and a copy of a session sends all of it again: such an event must not be counted twice.

use super::clock::{Clock, rfc3339};
use super::earlier::{Earlier, KindKey, ProcessKey, SessionKey};
use super::kinds::{RUNDOWN, is_sample};
use super::seen::Seen;
use base::seeded::SeededSet;
use model::{CoverageRow, EarlyEnd, Exhibit, Lost, Missing, Session, Trace};
use nettrace::{Event, Gap, StreamHeader};

pub(crate) const OTHER_PROCESS: &str = "stream of another process than the main session's: its rows are in the same \
     tables, where the column process tells them apart";

/// Streams that have a number of their own in `events.stream`.
const MAX_STREAMS: usize = 1 << 16;
const MANY_STREAMS: &str = "more streams than have a number: the last ones share it in events.stream";

/// Files that are named with the place where they end early: the main session and those beside it are fewer.
const MAX_EARLY_ENDS: usize = 20;

/// What was observed in a stream.
#[derive(Debug)]
pub(crate) struct StreamFacts {
    pub(crate) from_ns: i64,
    /// When its last event was sent that is not of a rundown.
    pub(crate) to_ns: i64,
    pub(crate) events: u64,
    pub(crate) samples: u64,
    /// Whether any process was sampled, also one that is not wanted.
    sampled: bool,
    /// When the last event of a rundown was sent; some come while the session lasts.
    rundown_ns: Option<i64>,
    /// Whether its file ends within it.
    is_cut: bool,
    header: StreamHeader,
    pub(crate) process: Option<u64>,
    /// The command line of the process, if the stream says it.
    pub(crate) command: Option<String>,
    /// Whether it is of the main session's process: the same number on the same clock.
    of_main: bool,
    /// Whether it is the main session or a segment of it, by its file's name; none outside of a folder.
    is_main: Option<bool>,
    /// Known from its first event on.
    session: Option<SessionKey>,
    last_ticks: i64,
    /// The last tick that earlier streams of the same session have.
    known_until: Option<i64>,
}

impl StreamFacts {
    fn new(header: &StreamHeader, from_ns: i64, of_main: bool, is_main: Option<bool>) -> Self {
        Self {
            from_ns,
            to_ns: from_ns,
            events: 0,
            samples: 0,
            sampled: false,
            rundown_ns: None,
            is_cut: false,
            header: header.clone(),
            process: header.process,
            command: None,
            of_main,
            is_main,
            session: None,
            last_ticks: i64::MIN,
            known_until: None,
        }
    }

    /// The process that it is of. Another process than the main session's is known by its number alone.
    fn process(&self) -> ProcessKey {
        (self.of_main, self.process)
    }
}

/// A stream that ended because another began.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) to_ns: i64,
    /// Whether the next stream is of another process.
    pub(crate) ends_process: bool,
}

/// The streams of a recording.
#[derive(Debug)]
pub(crate) struct Streams {
    all: Vec<StreamFacts>,
    main: Option<StreamHeader>,
    /// The clock of the stream at hand.
    clock: Option<Clock>,
    pub(crate) pointer_size: u8,
    /// Whether the streams of the file at hand are the main session, if its name says so.
    role: Option<bool>,
    earlier: Earlier,
}

impl Streams {
    pub(crate) fn new() -> Self {
        Self {
            all: Vec::new(),
            main: None,
            clock: None,
            pointer_size: 8,
            role: None,
            earlier: Earlier::default(),
        }
    }

    pub(crate) fn all(&self) -> &[StreamFacts] {
        &self.all
    }

    /// Says whether the streams of the next file are the main session, or a segment of it.
    pub(crate) fn begin_role(&mut self, is_main: Option<bool>) {
        self.role = is_main;
    }

    /// Whether any stream has begun.
    pub(crate) fn has_main(&self) -> bool {
        self.main.is_some()
    }

    /// When the main session began, in nanoseconds of its clock; 0 before it.
    pub(crate) fn main_start_ns(&self) -> i64 {
        let Some(main) = &self.main else { return 0 };
        let ns = i128::from(main.sync_ticks) * 1_000_000_000 / i128::from(main.ticks_per_second.max(1));
        // A clock that counts longer than an i64 has nanoseconds (292 years) is damaged.
        i64::try_from(ns).unwrap_or(0)
    }

    /// What the main session says of the rate of its samples.
    pub(crate) fn sampling_rate(&self) -> Option<u32> {
        self.main.as_ref().and_then(|header| header.sampling_rate)
    }

    /// Nanoseconds since the main session's start.
    pub(crate) fn ns(&self, ticks: i64) -> i64 {
        self.clock.map_or(0, |clock| clock.ns(ticks))
    }

    /// The number of the stream at hand in `events.stream`.
    pub(crate) fn number(&self) -> u16 {
        // The last streams share a number, see `MANY_STREAMS`.
        u16::try_from(self.all.len().saturating_sub(1)).unwrap_or(u16::MAX)
    }

    /// Begins a stream. `sent` are the kinds that the one before has sent. Returns what is known of that one.
    pub(crate) fn begin(
        &mut self,
        header: &StreamHeader,
        sent: SeededSet<KindKey>,
        lost: &mut Lost,
    ) -> Option<Ended> {
        let main = self.main.get_or_insert_with(|| header.clone());
        let clock = Clock::new(main, header);
        let of_main = main.process == header.process && clock.is_mains;
        if !of_main {
            lost.damage.remark(OTHER_PROCESS, 0);
        }
        self.clock = Some(clock);
        self.pointer_size = header.pointer_size;
        let stream = StreamFacts::new(header, clock.ns(header.sync_ticks), of_main, self.role);
        let ended = self.all.last_mut().map(|ended| {
            self.earlier.covered(ended.process(), sent, ended.from_ns, ended.to_ns);
            if let Some(session) = ended.session.take() {
                self.earlier.ended(session, ended.last_ticks);
            }
            Ended { to_ns: ended.to_ns, ends_process: ended.process() != stream.process() }
        });
        if self.all.len() == MAX_STREAMS {
            lost.damage.remark(MANY_STREAMS, 0);
        }
        self.all.push(stream);
        ended
    }

    /// Whether an earlier stream of the same session has the event already. A copy that goes on where the earlier one
    /// broke off is read from there on.
    #[inline]
    pub(crate) fn is_copy(&mut self, event: &Event<'_>, lost: &mut Lost) -> bool {
        if self.all.last().is_some_and(|current| current.session.is_none()) {
            self.begin_session(event, lost);
        }
        let Some(current) = self.all.last_mut() else { return false };
        current.last_ticks = current.last_ticks.max(event.ticks);
        current.known_until.is_some_and(|until| event.ticks <= until)
    }

    /// Finds out by its first event which session a stream belongs to, and until when an earlier stream has it.
    #[cold]
    fn begin_session(&mut self, event: &Event<'_>, lost: &mut Lost) {
        let Some(current) = self.all.last_mut() else { return };
        let session = SessionKey {
            header: std::mem::take(&mut current.header),
            ticks: event.ticks,
            thread: event.thread,
            event_id: event.metadata.event_id,
            payload: event.payload.to_vec(),
        };
        current.known_until = self.earlier.until(&session);
        current.session = Some(session);
        if let Some(until) = current.known_until {
            current.from_ns = self.clock.map_or(current.from_ns, |clock| clock.ns(until));
            lost.damage.note("copy of a stream that was read before: left out", event.offset);
        }
    }

    /// From when to when a gap is, unless an earlier stream of the same session has what is missing.
    pub(crate) fn gap_ns(&self, gap: &Gap) -> Option<(i64, i64)> {
        let clock = self.clock?;
        let known_until = self.all.last().and_then(|stream| stream.known_until);
        let is_known = known_until.is_some_and(|until| gap.to_ticks <= until);
        (!is_known).then(|| (clock.ns(gap.from_ticks), clock.ns(gap.to_ticks)))
    }

    /// Whether a stream before this one has the events of a kind at a time: it is of the same process, covers the time, and
    /// sends that kind. Two sessions of a provider may have asked for different ones.
    pub(crate) fn is_covered(&self, ns: i64, kind: impl FnOnce() -> Option<KindKey>) -> bool {
        let Some(current) = self.all.last().filter(|_| self.all.len() > 1) else { return false };
        kind().is_some_and(|kind| self.earlier.has(current.process(), kind, ns))
    }

    /// Counts an event. Returns whether its stream is of the main session's process; none before the first stream.
    #[inline]
    pub(crate) fn count(&mut self, ns: i64, is_rundown: bool) -> Option<bool> {
        let stream = self.all.last_mut()?;
        stream.events += 1;
        if is_rundown {
            stream.rundown_ns = stream.rundown_ns.max(Some(ns));
        } else {
            stream.to_ns = stream.to_ns.max(ns);
        }
        Some(stream.of_main)
    }

    /// Counts a sample.
    pub(crate) fn count_sample(&mut self) {
        if let Some(stream) = self.all.last_mut() {
            stream.samples += 1;
        }
    }

    /// Notes an event of any process: even if it is not wanted, that time was observed.
    pub(crate) fn observed(&mut self, event: &Event<'_>, ns: i64) {
        if let Some(stream) = self.all.last_mut() {
            stream.sampled |= is_sample(event.metadata);
            if event.metadata.provider != RUNDOWN {
                stream.to_ns = stream.to_ns.max(ns);
            }
        }
    }

    /// Keeps the command line of the stream's process.
    pub(crate) fn note_command(&mut self, seen: &Seen<'_>) {
        let command = seen.fields.text("CommandLine").filter(|text| !text.is_empty());
        if let Some(stream) = self.all.last_mut() {
            stream.command = command.or(stream.command.take());
        }
    }

    /// Notes that a file ends within its last stream. `before` is how many streams the files before it have.
    pub(crate) fn note_early_end(&mut self, before: usize, offset: u64, file: &str, missing: &mut Missing) {
        let Some(stream) = self.all.get_mut(before..).and_then(<[_]>::last_mut) else { return };
        stream.is_cut = true;
        let ends = &mut missing.early_ends;
        if ends.len() < MAX_EARLY_ENDS {
            ends.push(EarlyEnd {
                file: file.to_owned(),
                is_main: stream.is_main.unwrap_or(true) || before == 0,
                at_ns: stream.to_ns,
                offset,
                in_names: stream.rundown_ns.is_some_and(|ns| ns > stream.to_ns),
            });
        }
    }

    /// What there is of the rundown.
    pub(crate) fn rundown(&self) -> Rundown {
        let mut rundown = Rundown::Missing;
        for stream in self.all.iter().filter(|stream| stream.rundown_ns.is_some()) {
            if !stream.is_cut {
                return Rundown::Whole;
            }
            rundown = Rundown::Cut;
        }
        rundown
    }

    /// Fills the table of what was recorded when: each stream from its start to its last event that is not of a rundown.
    pub(crate) fn cover(&self, recording: &mut Trace) {
        let [events, samples] = ["events", "samples"].map(|source| recording.strings.intern(source));
        let mut end = i64::MIN;
        let mut are_beside = Vec::with_capacity(self.all.len());
        for (number, stream) in self.all.iter().enumerate() {
            let (from_ns, to_ns) = (stream.from_ns, stream.to_ns);
            // A burst beside the main session adds samples; of events, only what the main session did not see.
            let beside = number > 0 && stream.is_main.map_or(end > from_ns, |is_main| !is_main);
            are_beside.push(beside);
            end = end.max(to_ns);
            if stream.events > 0 && !beside && to_ns > from_ns {
                recording.coverage.push(CoverageRow { source: events, from_ns, to_ns });
            }
            if stream.samples > 0 || stream.sampled {
                recording.coverage.push(CoverageRow { source: samples, from_ns, to_ns });
            }
        }
        recording.exhibit.duration_ns = end.max(0);
        recording.count_events(&are_beside);
    }

    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        /// What was observed in a stream, with its header.
        const STREAM: usize = 512;
        super::budget::of(self.all.len(), STREAM).saturating_add(self.earlier.kept_bytes())
    }
}

/// The rundown of a recording, which names the code that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rundown {
    Missing,
    /// There, but no stream has all of it.
    Cut,
    Whole,
}

/// Counts a stream that is read, and takes the recording's heading from the first one.
pub(crate) fn describe(header: &StreamHeader, exhibit: &mut Exhibit, session: &mut Session) {
    session.streams = session.streams.saturating_add(1);
    if session.streams == 1 {
        exhibit.pid = header.process;
        exhibit.cores = header.cores.filter(|count| *count > 0);
        exhibit.start_utc = rfc3339(header.sync_time);
        // On Linux, the runtime's ticks are the nanoseconds of the monotonic clock; other clocks tick otherwise.
        exhibit.start_monotonic_ns = (header.ticks_per_second == 1_000_000_000).then_some(header.sync_ticks);
        session.format_version = header.version;
    }
}
