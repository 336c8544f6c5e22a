//! The sink of the decoder: each event into the table of all events, and on to the table it feeds.
//!
//! Rows refer to stacks by raw node until the end, when methods are known; see `finish`.

use super::clock::{Clock, rfc3339};
use super::counters::CounterRows;
use super::gc::GcBuilder;
use super::kinds::{Decoder, Decoding, GcEvent, Handler, Kind, Layouts};
use super::methods::Methods;
use super::processes::{Origins, Processes};
use super::rawstacks::{NO_STACK, RawStacks};
use super::requests::OpenRequests;
use super::rows::OpenRows;
use super::spans::SeenTexts;
use super::threads::ThreadFacts;
use super::told::{KindKey, ProcessKey, SessionKey, Told};
use super::universal::Spaces;
use base::seeded::{SeededMap, SeededSet};
use clr::layout::Layout;
use clr::payload::Payload;
use clr::whole::Starts;
use model::{EventKind, LossRow, NO_ID, SampleRow, Sym, Trace};
use nettrace::{Event, Gap, Sink, StreamHeader, Summary};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

const OTHER_PROCESS: &str = "stream of another process than the main session's: its rows stand in the same tables, \
     told apart by the column process";

/// Streams that `events.stream` tells apart.
const MOST_STREAMS: usize = 1 << 16;
const MANY_STREAMS: &str = "more streams than have a number: the last ones share it in events.stream";

/// Kinds of a stream whose version or opcode labels of events change: each takes up to 1.5 KB, though it may be of four
/// bytes of the input. Writers give an event of a kind at most a start and a stop.
const MOST_OVERRIDDEN: usize = 1 << 13;
const MANY_OVERRIDDEN: &str =
    "event whose labels make it one of more than 8,192 kinds: its labels were not used";
/// What a kind of event takes beside its fields and its name.
const KIND_BYTES: usize = 256;

/// What was observed in a stream.
#[derive(Debug)]
pub(crate) struct StreamFacts {
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    pub(crate) events: u64,
    pub(crate) samples: u64,
    /// Whether any process was sampled, also one that is not wanted.
    pub(crate) sampled: bool,
    /// When the last event of a rundown was sent; some come while the session lasts. `i64::MIN` if none was.
    pub(crate) rundown_ns: i64,
    /// Whether its file ends within it.
    pub(crate) is_cut: bool,
    header: StreamHeader,
    pub(crate) process: Option<u64>,
    /// The command line of the process, if the stream says it.
    pub(crate) command: Option<String>,
    /// Whether it is of the main session's process: the same number on the same clock.
    of_main: bool,
    /// Whether it is the main session or a segment of it, as told by its file's name; none where no name tells.
    pub(crate) is_main: Option<bool>,
    /// Known from its first event on.
    session: Option<SessionKey>,
    last_ticks: i64,
    /// Up to when an earlier stream told the same session.
    told_until: Option<i64>,
    /// Provider and number of each kind that it has sent.
    kinds: SeededSet<KindKey>,
}

impl StreamFacts {
    fn new(header: &StreamHeader, from_ns: i64, of_main: bool, is_main: Option<bool>) -> Self {
        Self {
            from_ns,
            to_ns: from_ns,
            events: 0,
            samples: 0,
            sampled: false,
            rundown_ns: i64::MIN,
            is_cut: false,
            header: header.clone(),
            process: header.process,
            command: None,
            of_main,
            is_main,
            session: None,
            last_ticks: i64::MIN,
            told_until: None,
            kinds: SeededSet::default(),
        }
    }

    /// Whether it has events of a rundown.
    pub(crate) fn has_rundown(&self) -> bool {
        self.rundown_ns != i64::MIN
    }

    /// Which process it is of; where it is not the main session's, the number alone says it.
    fn process(&self) -> ProcessKey {
        (self.of_main, self.process)
    }
}

/// An event as the tables' builders see it.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) ns: i64,
    pub(crate) thread: u32,
    /// Raw node.
    pub(crate) stack: u32,
    pub(crate) activity: u32,
    pub(crate) layout: &'a Layout,
    pub(crate) payload: &'a [u8],
    pub(crate) pointer_size: u8,
    /// Of the payload in its stream.
    pub(crate) offset: u64,
    pub(crate) fields: Payload<'a>,
}

/// Kinds of events whose version or opcode a label of the very event changes.
type OverriddenKinds = SeededMap<(u32, Option<u8>, Option<u8>), (u32, Rc<Kind>)>;

/// Fills a recording from streams.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) recording: Trace,
    pub(crate) keep_payloads: bool,
    /// By the decoder's number of the kind; anew for each stream.
    kinds: Vec<Option<(u32, Rc<Kind>)>>,
    overridden: OverriddenKinds,
    /// By the decoder's number of the kind; anew for each stream.
    layouts: Layouts,
    kind_numbers: SeededMap<EventKind, u32>,
    /// About how many bytes the kinds of all streams take.
    pub(crate) kept_kinds: usize,
    /// What reading has cost in the tables, in the decoder's steps, as far as it is more than the events' own bytes.
    pub(crate) work: u64,
    /// What it may cost, by the bytes that came in.
    pub(crate) most_work: u64,
    /// Bytes that were read, as far as files of their size have so many: what may be kept is in proportion to them.
    pub(crate) credit: u64,
    dynamic: SeededMap<(u32, String), u32>,
    pub(crate) decoder: Decoder,
    pub(crate) main: Option<StreamHeader>,
    clock: Option<Clock>,
    pointer_size: u8,
    /// Whether the streams of the file at hand are the main session, where its name tells.
    role: Option<bool>,
    pub(crate) streams: Vec<StreamFacts>,
    pub(crate) told: Told,
    /// By the decoder's number of the thread; anew for each file.
    thread_slots: Vec<u32>,
    thread_numbers: SeededMap<(u32, i64), u32>,
    pub(crate) processes: Processes,
    pub(crate) origins: Origins,
    pub(crate) spaces: Spaces,
    activity_numbers: SeededMap<[u8; 16], u32>,
    /// By the thread's number: its last activity, since most events are of the one before.
    thread_activities: Vec<([u8; 16], u32)>,
    pub(crate) raw: RawStacks,
    pub(crate) methods: Methods,
    pub(crate) gc: GcBuilder,
    /// Collections of processes that were read before.
    pub(crate) earlier_gc: Vec<GcBuilder>,
    pub(crate) rows: OpenRows,
    pub(crate) requests: OpenRequests,
    pub(crate) counters: CounterRows,
    pub(crate) threads: ThreadFacts,
    pub(crate) texts: SeenTexts,
    sample_words: [Sym; 3],
}

impl Builder {
    /// `process` is the only one that is wanted.
    pub(crate) fn new(keep_payloads: bool, process: Option<u64>) -> Self {
        let mut recording = Trace::default();
        let sample_words = ["managed", "external", "error"].map(|word| recording.strings.intern(word));
        Self {
            recording,
            keep_payloads,
            kinds: Vec::new(),
            overridden: SeededMap::default(),
            layouts: Layouts::default(),
            kind_numbers: SeededMap::default(),
            kept_kinds: 0,
            work: 0,
            most_work: u64::MAX,
            credit: 0,
            dynamic: SeededMap::default(),
            decoder: Decoder::default(),
            main: None,
            clock: None,
            pointer_size: 8,
            role: None,
            streams: Vec::new(),
            told: Told::default(),
            thread_slots: Vec::new(),
            thread_numbers: SeededMap::default(),
            processes: Processes::new(process),
            origins: Origins::default(),
            spaces: Spaces::default(),
            activity_numbers: SeededMap::default(),
            thread_activities: Vec::new(),
            raw: RawStacks::default(),
            methods: Methods::default(),
            gc: GcBuilder::default(),
            earlier_gc: Vec::new(),
            rows: OpenRows::default(),
            requests: OpenRequests::default(),
            counters: CounterRows::default(),
            threads: ThreadFacts::default(),
            texts: SeenTexts::default(),
            sample_words,
        }
    }

    /// When the main session began, in nanoseconds of its clock; 0 where there is none.
    pub(crate) fn main_start_ns(&self) -> i64 {
        let Some(main) = &self.main else { return 0 };
        let ns = i128::from(main.sync_ticks) * 1_000_000_000 / i128::from(main.ticks_per_second.max(1));
        i64::try_from(ns).unwrap_or(0)
    }

    /// Counts damage that the decoder did not see.
    pub(crate) fn note_damage(&mut self, what: &'static str, offset: u64) {
        self.recording.lost.damage.note(what, offset);
    }

    /// Says what is missing of a file.
    pub(crate) fn note_file(&mut self, path: &Path, what: String) {
        self.recording.lost.note_file(path, what);
    }

    /// Tells whether the streams of the next file are the main session, or a segment of it.
    pub(crate) fn begin_role(&mut self, is_main: Option<bool>) {
        self.role = is_main;
    }

    /// Begins a file: the decoder's numbers start anew.
    pub(crate) fn begin_file(&mut self) {
        self.forget_kinds();
        self.thread_slots.clear();
        self.raw.begin_file();
    }

    /// Adds what the decoder has cost to what the recording says of it.
    pub(crate) fn count_work(&mut self, steps: u64) {
        let work = &mut self.recording.session.work;
        *work = work.saturating_add(steps);
    }

    fn forget_kinds(&mut self) {
        self.kinds.clear();
        self.overridden = SeededMap::default();
        self.layouts = Layouts::default();
    }

    /// Ends a file, given by its own name in a folder.
    pub(crate) fn end_file(&mut self, summary: &Summary, file: &str) {
        if let Some(offset) = summary.truncated_at {
            self.note_early_end(offset, file);
        }
        let lost = &mut self.recording.lost;
        lost.truncated_at = lost.truncated_at.or(summary.truncated_at);
        lost.unread_bytes = lost.unread_bytes.saturating_add(summary.unread_bytes);
        summary.damage.kinds().iter().for_each(|damage| lost.damage.add(damage));
        let exhibit = &mut self.recording.exhibit;
        exhibit.bytes = exhibit.bytes.saturating_add(summary.bytes);
    }

    /// Counts steps that are more than an event's own bytes; false if there were too many, so that nothing more of the kind
    /// is done until the reading ends (see `budget`).
    pub(crate) fn spend(&mut self, steps: u64) -> bool {
        self.work = self.work.saturating_add(steps);
        self.work <= self.most_work
    }

    /// Nanoseconds since the main session's start.
    pub(crate) fn ns(&self, ticks: i64) -> i64 {
        self.clock.map_or(0, |clock| clock.ns(ticks))
    }

    /// The number and the description of an event's kind.
    fn kind_of(&mut self, event: &Event<'_>) -> (u32, Rc<Kind>) {
        let index = event.metadata.index as usize;
        if event.opcode.is_some() || event.version.is_some() {
            let key = (event.metadata.index, event.opcode, event.version);
            if let Some((number, kind)) = self.overridden.get(&key) {
                return (*number, Rc::clone(kind));
            }
            if self.overridden.len() < MOST_OVERRIDDEN {
                let made = self.make_kind(event, event.version, event.opcode);
                self.overridden.insert(key, (made.0, Rc::clone(&made.1)));
                return made;
            }
            self.note_damage(MANY_OVERRIDDEN, event.offset);
        }
        if let Some(Some((number, kind))) = self.kinds.get(index) {
            return (*number, Rc::clone(kind));
        }
        let made = self.make_kind(event, None, None);
        if index >= self.kinds.len() {
            self.kinds.resize(index + 1, None);
        }
        if let Some(place) = self.kinds.get_mut(index) {
            *place = Some((made.0, Rc::clone(&made.1)));
        }
        made
    }

    fn make_kind(&mut self, event: &Event<'_>, version: Option<u8>, opcode: Option<u8>) -> (u32, Rc<Kind>) {
        let kind = Kind::new(event.metadata, version, opcode, &mut self.layouts);
        let version = version.unwrap_or(event.metadata.version);
        let provider = self.recording.strings.intern(&event.metadata.provider);
        if let Some(stream) = self.streams.last_mut() {
            // Each stream of a file has numbers of its own, so its kinds are made anew.
            stream.kinds.insert((provider, i64::from(event.metadata.event_id)));
        }
        let decoding = Decoding::Plain(Arc::clone(&kind.layout));
        let number = self.number_kind(provider, &kind.name, event.metadata.event_id, version, decoding);
        (number, Rc::new(kind))
    }

    fn number_kind(&mut self, provider: Sym, name: &str, id: u32, version: u8, decoding: Decoding) -> u32 {
        let name = self.recording.strings.intern(name);
        let key = EventKind { provider, name, id: i64::from(id), version: i64::from(version) };
        let same = self.kind_numbers.get(&key).copied().filter(|number| {
            match (self.decoder.get(*number), &decoding) {
                (Some(Decoding::Plain(known)), Decoding::Plain(new)) => known == new,
                (known, _) => known.is_some(),
            }
        });
        if let Some(number) = same {
            return number;
        }
        self.kept_kinds = self.kept_kinds.saturating_add(KIND_BYTES).saturating_add(decoding.kept_bytes());
        let number = self.recording.events.add_kind(key);
        self.decoder.push(decoding);
        self.kind_numbers.insert(key, number);
        number
    }

    fn thread_of(&mut self, event: &Event<'_>) -> u32 {
        let slot = event.thread_slot as usize;
        if let Some(number) = self.thread_slots.get(slot)
            && *number != NO_ID
        {
            return *number;
        }
        let os_id = event.thread.cast_signed();
        let process = self.processes.of_event(event).unwrap_or(0);
        let next = u32::try_from(self.recording.thread_ids.len()).unwrap_or(NO_ID);
        let number = *self.thread_numbers.entry((process, os_id)).or_insert(next);
        if number == next {
            self.recording.thread_ids.push(os_id);
            self.recording.thread_processes.push(self.processes.id(process));
            self.processes.add_thread(process);
        }
        if slot >= self.thread_slots.len() {
            self.thread_slots.resize(slot + 1, NO_ID);
        }
        if let Some(place) = self.thread_slots.get_mut(slot) {
            *place = number;
        }
        number
    }

    fn activity_of(&mut self, event: &Event<'_>, thread: u32) -> u32 {
        if event.activity == [0; 16] {
            return NO_ID;
        }
        let thread = thread as usize;
        if let Some((activity, number)) = self.thread_activities.get(thread)
            && *activity == event.activity
        {
            return *number;
        }
        let next = u32::try_from(self.recording.activities.len()).unwrap_or(NO_ID);
        let number = *self.activity_numbers.entry(event.activity).or_insert(next);
        if number == next {
            self.recording.activities.push(event.activity);
        }
        if thread >= self.thread_activities.len() {
            self.thread_activities.resize(self.recording.thread_ids.len(), ([0; 16], NO_ID));
        }
        if let Some(place) = self.thread_activities.get_mut(thread) {
            *place = (event.activity, number);
        }
        number
    }

    /// Whether this event is in the tables already: an earlier stream of the process covers its time, and sends events
    /// of the very kind. Two sessions of a provider may have asked for different ones.
    fn told_before(&self, kind: u32, ns: i64) -> bool {
        let Some(current) = self.streams.last().filter(|_| self.streams.len() > 1) else { return false };
        self.kind_key(kind).is_some_and(|kind| self.told.has(current.process(), kind, ns))
    }

    /// Notes what the stream told that another follows.
    fn end_stream(&mut self) {
        let Some(ended) = self.streams.last_mut() else { return };
        let kinds = std::mem::take(&mut ended.kinds);
        self.told.covered(ended.process(), kinds, ended.from_ns, ended.to_ns);
        if let Some(session) = ended.session.take() {
            self.told.ended(session, ended.last_ticks);
        }
        let ended = ended.to_ns;
        self.end_request_marks(ended);
    }

    /// A kind as streams share it: numbers of versions and labels differ from stream to stream.
    fn kind_key(&self, kind: u32) -> Option<KindKey> {
        let events = &self.recording.events;
        Some((*events.kind_provider.get(kind as usize)?, *events.kind_id.get(kind as usize)?))
    }

    /// Whether an event was told by an earlier copy of its session. A copy that goes on where the earlier one broke off
    /// is read from there on.
    fn is_copy(&mut self, event: &Event<'_>) -> bool {
        let Some(current) = self.streams.last_mut() else { return false };
        if current.session.is_none() {
            let session = SessionKey {
                header: std::mem::take(&mut current.header),
                ticks: event.ticks,
                thread: event.thread,
                event_id: event.metadata.event_id,
                payload: event.payload.to_vec(),
            };
            current.told_until = self.told.until(&session);
            current.session = Some(session);
            if let Some(until) = current.told_until {
                current.from_ns = self.clock.map_or(current.from_ns, |clock| clock.ns(until));
                self.recording.lost.damage.note("stream told twice: read once", event.offset);
            }
        }
        current.last_ticks = current.last_ticks.max(event.ticks);
        current.told_until.is_some_and(|until| event.ticks <= until)
    }

    /// A GC/DynamicTraceEvent is known by the name in its payload.
    fn dynamic_kind(&mut self, number: u32, event: &Event<'_>, kind: &Kind) -> u32 {
        let fields = Payload::new(&kind.layout, event.payload, self.pointer_size);
        let Some(name) = fields.text("Name") else { return number };
        if let Some(known) = self.dynamic.get(&(number, name.clone())) {
            return *known;
        }
        let made = match clr::schema::dynamic_event(&name) {
            Some(inner) => {
                let provider = self.recording.strings.intern(&event.metadata.provider);
                let decoding = Decoding::Dynamic(Arc::clone(&kind.layout), inner.layout);
                self.number_kind(
                    provider,
                    inner.name,
                    event.metadata.event_id,
                    event.metadata.version,
                    decoding,
                )
            }
            None => number,
        };
        self.kept_kinds = self.kept_kinds.saturating_add(KIND_BYTES).saturating_add(name.len());
        self.dynamic.insert((number, name), made);
        made
    }

    fn push_event(&mut self, kind: u32, seen: &Seen<'_>) {
        let events = &mut self.recording.events;
        events.ts_ns.push(seen.ns);
        events.kind.push(kind);
        events.thread.push(seen.thread);
        events.stack.push(seen.stack);
        events.activity.push(seen.activity);
        events.stream.push(u16::try_from(self.streams.len().saturating_sub(1)).unwrap_or(u16::MAX));
        if self.keep_payloads {
            let start = events.payload_bytes.len() as u64;
            events.payload_bytes.extend_from_slice(seen.payload);
            events.payload.push((start, u32::try_from(seen.payload.len()).unwrap_or(u32::MAX)));
        }
    }

    fn sample(&mut self, seen: &Seen<'_>) {
        let kind = match seen.payload.first() {
            Some(2) => self.sample_words[0],
            Some(1) => self.sample_words[1],
            _ => self.sample_words[2],
        };
        let none = Sym::NONE;
        let row = SampleRow {
            ts_ns: seen.ns,
            thread: seen.thread,
            stack: seen.stack,
            kind,
            state: none,
            waiting_on: none,
        };
        self.recording.samples.push(row);
        if let Some(stream) = self.streams.last_mut() {
            stream.samples += 1;
        }
    }
}

impl Sink for Builder {
    fn stream(&mut self, header: &StreamHeader) {
        self.forget_kinds();
        if !self.processes.begin_stream(header) {
            return;
        }
        let main = self.main.get_or_insert_with(|| header.clone());
        let clock = Clock::new(main, header);
        let of_main = main.process == header.process && clock.is_mains;
        if !of_main {
            self.recording.lost.damage.remark(OTHER_PROCESS, 0);
        }
        let from_ns = clock.ns(header.sync_ticks);
        self.clock = Some(clock);
        self.pointer_size = header.pointer_size;
        self.decoder.pointer_sizes.push(header.pointer_size);
        let stream = StreamFacts::new(header, from_ns, of_main, self.role);
        if self.streams.last().is_some_and(|last| last.process() != stream.process()) {
            // Threads and suspensions of one process do not end what another began.
            self.rows.begin_process();
            self.earlier_gc.push(std::mem::take(&mut self.gc));
        }
        self.end_stream();
        if self.streams.len() == MOST_STREAMS {
            self.recording.lost.damage.remark(MANY_STREAMS, 0);
        }
        self.streams.push(stream);
        self.rows.begin_stream();
        self.spaces.begin_stream();
        if let Some(process) = self.processes.of_stream() {
            self.enter(process);
        }
        let Trace { exhibit, session, .. } = &mut self.recording;
        session.streams = session.streams.saturating_add(1);
        if session.streams == 1 {
            exhibit.pid = header.process;
            exhibit.processors = header.processors.filter(|count| *count > 0);
            exhibit.start_utc = rfc3339(header.sync_time);
            session.format_version = header.version;
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        if self.processes.skips_stream() {
            return self.count_skipped(event);
        }
        if self.is_copy(event) {
            return;
        }
        let ns = self.ns(event.ticks);
        let thread = self.thread_of(event);
        if self.processes.of_stream().is_none() && !self.admit(event, thread, ns) {
            return;
        }
        let (mut number, kind) = self.kind_of(event);
        if kind.handler == Handler::Gc(GcEvent::Dynamic) {
            number = self.dynamic_kind(number, event, &kind);
        }
        if kind.steps > 0 && !self.spend(kind.steps) {
            return;
        }
        let stack = event
            .stack
            .map_or(NO_STACK, |stack| self.raw.node(stack.serial, stack.addresses, self.pointer_size));
        let mut starts = Starts::default();
        let seen = Seen {
            ns,
            thread,
            stack,
            activity: self.activity_of(event, thread),
            layout: &kind.layout,
            payload: event.payload,
            pointer_size: self.pointer_size,
            offset: event.offset,
            fields: kind.fields(event.payload, self.pointer_size, &mut starts),
        };
        let is_damaged = match kind.handler {
            Handler::Gc(GcEvent::Dynamic) => {
                self.decoder.is_damaged(number, event.payload, self.pointer_size)
            }
            _ => !seen.fields.is_whole(),
        };
        if is_damaged {
            self.recording.lost.damage.note("event with fewer bytes than its fields need", event.offset);
        }
        self.push_event(number, &seen);
        if kind.handler != Handler::Space {
            self.threads.saw(thread, ns, kind.handler);
        }
        let Some(stream) = self.streams.last_mut() else { return };
        stream.events += 1;
        if kind.rundown {
            stream.rundown_ns = stream.rundown_ns.max(ns);
        } else {
            stream.to_ns = stream.to_ns.max(ns);
        }
        let of_main = stream.of_main;
        if kind.handler == Handler::ProcessInfo {
            self.note_command(&seen);
        }
        let is_new = match kind.handler {
            Handler::None => false,
            handler if handler.is_name() => true,
            handler if handler.is_of_process() => of_main,
            _ => !self.told_before(number, ns),
        };
        if !is_new {
            return;
        }
        match kind.handler {
            Handler::Sample => self.sample(&seen),
            Handler::CpuSample => self.cpu_sample(&seen),
            Handler::Space => self.space_of_thread(event, thread, ns),
            handler => self.feed(handler, &seen, &event.metadata.provider),
        }
    }

    fn gap(&mut self, gap: Gap) {
        if self.processes.skips_stream() {
            return;
        }
        let Some(clock) = self.clock else { return };
        let told_until = self.streams.last().and_then(|stream| stream.told_until);
        if told_until.is_some_and(|until| gap.to_ticks <= until) {
            return;
        }
        let events = i64::try_from(gap.events).unwrap_or(i64::MAX);
        self.recording.missing.events = self.recording.missing.events.saturating_add(gap.events);
        self.recording.loss.push(LossRow {
            thread: gap.thread.cast_signed(),
            from_ns: clock.ns(gap.from_ticks),
            to_ns: clock.ns(gap.to_ticks),
            events,
        });
    }
}

#[cfg(test)]
mod tests;
