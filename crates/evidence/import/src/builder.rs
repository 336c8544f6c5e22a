//! The sink of the decoder: each event into the table of all events, and on to the table it feeds.
//!
//! Rows refer to stacks by raw node until the end, when methods are known; see `finish`.

use crate::clock::{Clock, rfc3339};
use crate::counters::CounterRows;
use crate::gc::GcBuilder;
use crate::kinds::{Decoder, Decoding, GcEvent, Handler, Kind, Layouts};
use crate::methods::Methods;
use crate::rawstacks::{NO_STACK, RawStacks};
use crate::requests::OpenRequests;
use crate::rows::OpenRows;
use crate::spans::SeenTexts;
use crate::threads::ThreadFacts;
use base::damage::Damage;
use clr::layout::Layout;
use clr::payload::Payload;
use model::{EventKind, FileDamage, LossRow, NO_ID, Recording, SampleRow, Sym};
use nettrace::{Event, Gap, Sink, StreamHeader, Summary};
use rustc_hash::FxHashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// Files that are named with what is missing of them; of more it is told that there are some.
const MOST_FILES_NAMED: usize = 20;

/// What was observed in a stream.
#[derive(Debug, Default)]
pub(crate) struct StreamFacts {
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    pub(crate) events: u64,
    pub(crate) samples: u64,
    pub(crate) rundown: bool,
    providers: Vec<Sym>,
}

/// An event as the tables' builders see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) ns: i64,
    pub(crate) thread: u32,
    /// Raw node.
    pub(crate) stack: u32,
    pub(crate) activity: u32,
    pub(crate) layout: &'a Layout,
    pub(crate) payload: &'a [u8],
    pub(crate) pointer_size: u8,
}

impl<'a> Seen<'a> {
    pub(crate) fn fields(&self) -> Payload<'a> {
        Payload::new(self.layout, self.payload, self.pointer_size)
    }
}

/// Kinds of events whose version or opcode a label of the very event changes.
type OverriddenKinds = FxHashMap<(u32, Option<u8>, Option<u8>), (u32, Rc<Kind>)>;

/// Fills a recording from streams.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) recording: Recording,
    keep_payloads: bool,
    /// By the decoder's number of the kind; anew for each file.
    kinds: Vec<Option<(u32, Rc<Kind>)>>,
    overridden: OverriddenKinds,
    /// By the decoder's number of the kind; anew for each file.
    layouts: Layouts,
    kind_numbers: FxHashMap<EventKind, u32>,
    dynamic: FxHashMap<(u32, String), u32>,
    pub(crate) decoder: Decoder,
    pub(crate) main: Option<StreamHeader>,
    clock: Option<Clock>,
    pointer_size: u8,
    pub(crate) streams: Vec<StreamFacts>,
    /// By the decoder's number of the thread; anew for each file.
    thread_slots: Vec<u32>,
    thread_numbers: FxHashMap<i64, u32>,
    activity_numbers: FxHashMap<[u8; 16], u32>,
    pub(crate) raw: RawStacks,
    pub(crate) methods: Methods,
    pub(crate) gc: GcBuilder,
    pub(crate) rows: OpenRows,
    pub(crate) requests: OpenRequests,
    pub(crate) counters: CounterRows,
    pub(crate) threads: ThreadFacts,
    pub(crate) texts: SeenTexts,
    sample_words: [Sym; 3],
}

impl Builder {
    pub(crate) fn new(keep_payloads: bool) -> Self {
        let mut recording = Recording::default();
        let sample_words = ["managed", "external", "error"].map(|word| recording.strings.intern(word));
        Self {
            recording,
            keep_payloads,
            kinds: Vec::new(),
            overridden: FxHashMap::default(),
            layouts: Layouts::default(),
            kind_numbers: FxHashMap::default(),
            dynamic: FxHashMap::default(),
            decoder: Decoder::default(),
            main: None,
            clock: None,
            pointer_size: 8,
            streams: Vec::new(),
            thread_slots: Vec::new(),
            thread_numbers: FxHashMap::default(),
            activity_numbers: FxHashMap::default(),
            raw: RawStacks::default(),
            methods: Methods::default(),
            gc: GcBuilder::default(),
            rows: OpenRows::default(),
            requests: OpenRequests::default(),
            counters: CounterRows::default(),
            threads: ThreadFacts::default(),
            texts: SeenTexts::default(),
            sample_words,
        }
    }

    /// Counts damage that the decoder did not see.
    pub(crate) fn note_damage(&mut self, what: &'static str, offset: u64) {
        self.recording.lost.damage.note(what, offset);
    }

    /// Says what is missing of a file.
    pub(crate) fn note_file(&mut self, path: &Path, what: String) {
        let lost = &mut self.recording.lost;
        if lost.files.len() >= MOST_FILES_NAMED {
            return lost.damage.note("further file that was not read, or not as a whole", 0);
        }
        let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        lost.files.push(FileDamage { file, what });
    }

    /// Begins a file: the decoder's numbers start anew.
    pub(crate) fn begin_file(&mut self) {
        self.kinds.clear();
        self.overridden.clear();
        self.layouts.clear();
        self.thread_slots.clear();
        self.raw.begin_file();
    }

    /// Ends a file.
    pub(crate) fn end_file(&mut self, summary: &Summary) {
        let lost = &mut self.recording.lost;
        lost.truncated_at = lost.truncated_at.or(summary.truncated_at);
        for Damage { what, count, first_offset } in summary.damage.kinds() {
            lost.damage.add(&Damage { what, count: *count, first_offset: *first_offset });
        }
        let exhibit = &mut self.recording.exhibit;
        exhibit.bytes = exhibit.bytes.saturating_add(summary.bytes);
    }

    /// The number and the description of an event's kind.
    fn kind_of(&mut self, event: &Event<'_>) -> (u32, Rc<Kind>) {
        let index = event.metadata.index as usize;
        if event.opcode.is_some() || event.version.is_some() {
            let key = (event.metadata.index, event.opcode, event.version);
            if let Some((number, kind)) = self.overridden.get(&key) {
                return (*number, Rc::clone(kind));
            }
            let made = self.make_kind(event);
            self.overridden.insert(key, (made.0, Rc::clone(&made.1)));
            return made;
        }
        if let Some(Some((number, kind))) = self.kinds.get(index) {
            return (*number, Rc::clone(kind));
        }
        let made = self.make_kind(event);
        if index >= self.kinds.len() {
            self.kinds.resize(index + 1, None);
        }
        if let Some(place) = self.kinds.get_mut(index) {
            *place = Some((made.0, Rc::clone(&made.1)));
        }
        made
    }

    fn make_kind(&mut self, event: &Event<'_>) -> (u32, Rc<Kind>) {
        let kind = Kind::new(event.metadata, event.version, event.opcode, &mut self.layouts);
        let version = event.version.unwrap_or(event.metadata.version);
        let provider = self.recording.strings.intern(&event.metadata.provider);
        if let Some(stream) = self.streams.last_mut()
            && !stream.providers.contains(&provider)
        {
            stream.providers.push(provider);
        }
        let decoding = Decoding::Plain(Arc::clone(&kind.layout));
        let number = self.number_kind(provider, &kind.name, event.metadata.event_id, version, decoding);
        (number, Rc::new(kind))
    }

    fn number_kind(&mut self, provider: Sym, name: &str, id: u32, version: u8, decoding: Decoding) -> u32 {
        let name = self.recording.strings.intern(name);
        let key = EventKind { provider, name, id: i64::from(id), version: i64::from(version) };
        let same = self.kind_numbers.get(&key).copied().filter(|number| {
            match (self.decoder.kinds.get(*number as usize), &decoding) {
                (Some(Decoding::Plain(known)), Decoding::Plain(new)) => known == new,
                (known, _) => known.is_some(),
            }
        });
        if let Some(number) = same {
            return number;
        }
        let number = self.recording.events.add_kind(key);
        self.decoder.kinds.push(decoding);
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
        let next = u32::try_from(self.recording.thread_ids.len()).unwrap_or(NO_ID);
        let number = *self.thread_numbers.entry(os_id).or_insert(next);
        if number == next {
            self.recording.thread_ids.push(os_id);
        }
        if slot >= self.thread_slots.len() {
            self.thread_slots.resize(slot + 1, NO_ID);
        }
        if let Some(place) = self.thread_slots.get_mut(slot) {
            *place = number;
        }
        number
    }

    fn activity_of(&mut self, event: &Event<'_>) -> u32 {
        if event.activity == [0; 16] {
            return NO_ID;
        }
        let next = u32::try_from(self.recording.activities.len()).unwrap_or(NO_ID);
        let number = *self.activity_numbers.entry(event.activity).or_insert(next);
        if number == next {
            self.recording.activities.push(event.activity);
        }
        number
    }

    /// Whether a provider's events at this time were already told by an earlier stream of the recording.
    fn told_before(&self, kind: u32, ns: i64) -> bool {
        let Some((_current, earlier)) = self.streams.split_last() else { return false };
        if earlier.is_empty() {
            return false;
        }
        let Some(provider) = self.recording.events.kind_provider.get(kind as usize) else { return false };
        earlier.iter().any(|stream| {
            (stream.from_ns..=stream.to_ns).contains(&ns) && stream.providers.contains(provider)
        })
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
        let main = self.main.get_or_insert_with(|| header.clone());
        let clock = Clock::new(main, header);
        if main.process.is_some() && header.process.is_some() && main.process != header.process {
            self.recording
                .lost
                .damage
                .note("stream of another process than the first: both are shown as one", 0);
        }
        let from_ns = clock.ns(header.sync_ticks);
        self.clock = Some(clock);
        self.pointer_size = header.pointer_size;
        self.decoder.pointer_sizes.push(header.pointer_size);
        self.streams.push(StreamFacts { from_ns, to_ns: from_ns, ..StreamFacts::default() });
        self.rows.begin_stream();
        let exhibit = &mut self.recording.exhibit;
        exhibit.streams = exhibit.streams.saturating_add(1);
        if exhibit.streams == 1 {
            exhibit.kind = String::from("nettrace");
            exhibit.pid = header.process;
            exhibit.processors = header.processors.filter(|count| *count > 0);
            exhibit.start_utc = rfc3339(header.sync_time);
            exhibit.format_version = header.version;
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        let (mut number, kind) = self.kind_of(event);
        if kind.handler == Handler::Gc(GcEvent::Dynamic) {
            number = self.dynamic_kind(number, event, &kind);
        }
        let ns = self.clock.map_or(0, |clock| clock.ns(event.ticks));
        let thread = self.thread_of(event);
        let stack = event
            .stack
            .map_or(NO_STACK, |stack| self.raw.node(stack.serial, stack.addresses, self.pointer_size));
        let seen = Seen {
            ns,
            thread,
            stack,
            activity: self.activity_of(event),
            layout: &kind.layout,
            payload: event.payload,
            pointer_size: self.pointer_size,
        };
        if event.payload.len() < kind.least_bytes {
            self.recording.lost.damage.note("event with fewer bytes than its fields need", event.offset);
        }
        self.push_event(number, &seen);
        self.threads.saw(thread, ns, kind.handler);
        if let Some(stream) = self.streams.last_mut() {
            stream.events += 1;
            stream.rundown |= kind.rundown;
            if !kind.rundown {
                stream.to_ns = stream.to_ns.max(ns);
            }
        }
        if kind.handler == Handler::Sample {
            self.sample(&seen);
        } else if kind.handler != Handler::None && !self.told_before(number, ns) {
            self.feed(kind.handler, &seen, &event.metadata.provider);
        }
    }

    fn gap(&mut self, gap: Gap) {
        let Some(clock) = self.clock else { return };
        let events = i64::try_from(gap.events).unwrap_or(i64::MAX);
        self.recording.lost.events = self.recording.lost.events.saturating_add(gap.events);
        self.recording.loss.push(LossRow {
            thread: gap.thread.cast_signed(),
            from_ns: clock.ns(gap.from_ticks),
            to_ns: clock.ns(gap.to_ticks),
            events,
        });
    }
}
