//! The sink of the decoder: adds each event to the table of all events, and hands it to the part that fills its table.
//!
//! Each part owns what must be remembered between events. It takes one event at a time and, of the recording, is lent
//! only the tables that it fills. Rows with stacks are kept apart until the end, when methods are known; see `finish`.

use super::budget::{Work, of};
use super::byprocess::ByProcess;
use super::counters::{CounterRows, CounterTables};
use super::facts;
use super::finish::Parts;
use super::gc::GcTables;
use super::ids::ProcessId;
use super::jit::{CodeTables, JitStarts};
use super::kinds::{GcEvent, Handler, ProcessEvent, is_of_space};
use super::kindtable::{KindLists, KindTable};
use super::numbers::{ActivityNumbers, ThreadLists, ThreadNumbers};
use super::origins::Origins;
use super::pairs::{PairTables, Pairs};
use super::processes::Processes;
use super::rawrows::RawRows;
use super::rawstacks::RawStacks;
use super::requests::{OpenRequests, RequestTables};
use super::rows::{self, RowTables};
use super::samples::SampleWords;
use super::seen::Seen;
use super::spans::{SeenTags, SpanTables};
use super::streams::{self, Streams};
use super::texts::SeenTexts;
use super::threads::ThreadFacts;
use super::universal::{CpuTables, Spaces};
use crate::error::Error;
use base::number::saturated;
use clr::whole::Starts;
use model::{KindId, LossRow, ThreadId, Trace};
use nettrace::{Event, Gap, Sink, StreamHeader, Summary};
use std::path::Path;

const TOO_SHORT: &str = "event with fewer bytes than its fields need";

/// Fills a recording from streams.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) recording: Trace,
    pub(crate) work: Work,
    pub(crate) keep_payloads: bool,
    /// Bytes that were read, as far as files of their size usually have so many: what may be kept is in proportion to them.
    pub(crate) credit: u64,
    streams: Streams,
    origins: Origins,
    processes: Processes,
    by_process: ByProcess,
    kinds: KindTable,
    thread_numbers: ThreadNumbers,
    activity_numbers: ActivityNumbers,
    raw: RawStacks,
    rows: RawRows,
    threads: ThreadFacts,
    sample_words: SampleWords,
    spaces: Spaces,
    pairs: Pairs,
    jit: JitStarts,
    requests: OpenRequests,
    counters: CounterRows,
    texts: SeenTexts,
    tags: SeenTags,
}

impl Builder {
    /// `process` is the only one that is wanted.
    pub(crate) fn new(keep_payloads: bool, process: Option<u64>) -> Self {
        let mut recording = Trace::default();
        let sample_words = SampleWords::new(&mut recording.strings);
        Self {
            recording,
            work: Work::new(),
            keep_payloads,
            credit: 0,
            streams: Streams::new(),
            origins: Origins::default(),
            processes: Processes::new(process),
            by_process: ByProcess::default(),
            kinds: KindTable::default(),
            thread_numbers: ThreadNumbers::default(),
            activity_numbers: ActivityNumbers::default(),
            raw: RawStacks::default(),
            rows: RawRows::default(),
            threads: ThreadFacts::default(),
            sample_words,
            spaces: Spaces::default(),
            pairs: Pairs::default(),
            jit: JitStarts::default(),
            requests: OpenRequests::default(),
            counters: CounterRows::default(),
            texts: SeenTexts::default(),
            tags: SeenTags::default(),
        }
    }

    /// Begins a file: the decoder's numbers start anew. `is_main` is whether its name says that it is the main session, or a
    /// segment of it; none outside of a folder.
    pub(crate) fn begin_file(&mut self, is_main: Option<bool>) {
        self.streams.begin_role(is_main);
        self.kinds.forget();
        self.thread_numbers.begin_file();
        self.raw.begin_file();
    }

    /// Adds what the decoder has cost to what the recording says of it.
    pub(crate) fn count_work(&mut self, steps: u64) {
        let work = &mut self.recording.session.work;
        *work = work.saturating_add(steps);
    }

    /// Ends a file that could be read, given by its own name in a folder.
    pub(crate) fn end_file(&mut self, summary: &Summary, file: &str) {
        let Trace { exhibit, lost, missing, .. } = &mut self.recording;
        if let Some(offset) = summary.truncated_at {
            self.streams.note_early_end(self.origins.streams_before(), offset, file, missing);
        }
        lost.truncated_at = lost.truncated_at.or(summary.truncated_at);
        lost.unread_bytes = lost.unread_bytes.saturating_add(summary.unread_bytes);
        summary.damage.kinds().iter().for_each(|damage| lost.damage.add(damage));
        exhibit.bytes = exhibit.bytes.saturating_add(summary.bytes);
    }

    /// Ends a file of a folder, also one that could not be read.
    pub(crate) fn end_origin(&mut self, path: &Path) {
        self.origins.end_file(path, self.streams.all());
    }

    /// Refuses what cannot be read as one: a process that is not there, and files of different processes of which
    /// nothing says that they belong together (`is_loose`).
    pub(crate) fn check_processes(&self, name: &str, is_loose: bool) -> Result<(), Error> {
        if is_loose {
            self.origins.check(name)?;
        }
        self.processes.check(name)
    }

    /// When the main session began, in nanoseconds of its clock; 0 if there is none.
    pub(crate) fn main_start_ns(&self) -> i64 {
        self.streams.main_start_ns()
    }

    /// Ends the reading.
    pub(crate) fn finish(mut self, name: &str) -> Trace {
        self.count_work(self.work.spent());
        name.clone_into(&mut self.recording.exhibit.file);
        let parts = Parts {
            streams: self.streams,
            processes: self.processes,
            by_process: self.by_process,
            raw: self.raw,
            rows: self.rows,
            spaces: self.spaces,
            threads: self.threads,
            pairs: self.pairs,
            counters: self.counters,
            decoder: self.kinds.into_decoder(),
        };
        parts.finish(self.recording)
    }

    /// About how many bytes are kept. Its cost does not grow with what is kept.
    pub(crate) fn kept_bytes(&self) -> usize {
        /// A thread's number in its map, what was seen of it, and its last activity.
        const THREAD: usize = 160;
        /// An activity's number in its map.
        const ACTIVITY: usize = 42;
        let Trace { thread_ids, thread_processes, activities, .. } = &self.recording;
        [
            self.recording.size_bytes(),
            self.rows.size_bytes(),
            of(thread_ids.len(), THREAD).saturating_add(size_of_val::<[_]>(thread_processes)),
            of(activities.len(), ACTIVITY),
            self.kinds.kept_bytes(),
            self.streams.kept_bytes(),
            self.raw.kept_bytes(),
            self.processes.kept_bytes(),
            self.by_process.kept_bytes(),
            self.pairs.kept_bytes(),
            self.jit.kept_bytes(),
            self.counters.kept_bytes(),
            self.requests.kept_bytes(),
            self.texts.kept_bytes(),
            self.tags.kept_bytes(),
            self.spaces.kept_bytes(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// Works on the state of a process from here on.
    fn enter(&mut self, process: ProcessId) {
        self.by_process.enter(process);
        self.raw.of_process(process);
    }

    /// Enters the process of an event whose stream leaves that to its threads. Returns whether the event is to be read.
    fn admit(&mut self, event: &Event<'_>, thread: ThreadId, ns: i64) -> bool {
        let lost = &mut self.recording.lost;
        let Some(process) = self.processes.saw(event, thread, ns, lost) else { return true };
        self.enter(process);
        self.streams.observed(event, ns);
        if self.processes.is_wanted(process) {
            return true;
        }
        // Code of one process may be described by events of another: the kernel's, that of a parent.
        if is_of_space(event.metadata) {
            self.spaces.take(event, process, ns, &mut self.processes, &mut self.recording.lost);
        }
        false
    }

    /// The recording's number for an event's thread.
    fn thread_of(&mut self, event: &Event<'_>) -> ThreadId {
        let Trace { thread_ids: ids, thread_processes: processes, .. } = &mut self.recording;
        self.thread_numbers.of(event, &mut self.processes, ThreadLists { ids, processes })
    }

    fn push_event(&mut self, kind: KindId, seen: &Seen<'_>) {
        let events = &mut self.rows.events;
        events.ts_ns.push(seen.ns);
        events.kind.push(kind);
        events.thread.push(seen.thread);
        events.stack.push(seen.stack);
        events.activity.push(seen.activity);
        events.stream.push(self.streams.number());
        if self.keep_payloads {
            let start = events.payload_bytes.len() as u64;
            events.payload_bytes.extend_from_slice(seen.payload);
            // The container counts the bytes of a payload in 32 bits.
            events.payload.push((start, u32::try_from(seen.payload.len()).unwrap_or(u32::MAX)));
        }
    }

    /// Whether an event adds something that is not in the tables yet.
    fn is_new(&self, kind: KindId, ns: i64, handler: Handler, is_of_main: bool) -> bool {
        if handler == Handler::None {
            return false;
        }
        if handler.is_name() {
            return true;
        }
        if handler.is_of_process() {
            return is_of_main;
        }
        let events = &self.rows.events;
        // Numbers of versions and labels differ from stream to stream, so a kind is known by its provider and number.
        let key = || Some((*events.kind_provider.get(kind)?, *events.kind_id.get(kind)?));
        !self.streams.is_covered(ns, key)
    }

    /// Hands an event to the part that fills its table.
    fn feed(&mut self, handler: Handler, seen: &Seen<'_>, event: &Event<'_>) {
        let Trace {
            exhibit,
            session,
            strings,
            lost,
            missing,
            threadpool,
            counters,
            requests,
            request_marks: marks,
            spans,
            logs,
            ..
        } = &mut self.recording;
        let RawRows { samples, allocations, exceptions, contention, waits, .. } = &mut self.rows;
        let at_hand = &mut self.by_process.at_hand;
        match handler {
            Handler::None | Handler::Finalizer | Handler::TieringThread => {}
            Handler::Sample => {
                self.sample_words.take(seen, samples);
                self.streams.count_sample();
            }
            Handler::CpuSample => {
                self.spaces.cpu_sample(seen, CpuTables { strings, lost, samples });
                self.streams.count_sample();
            }
            Handler::Space => {
                // Every thread was added with its process.
                let Some(process) = self.processes.of_thread(seen.thread) else { return };
                self.spaces.take(event, process, seen.ns, &mut self.processes, lost);
            }
            Handler::Gc(of) => at_hand.gc.take(of, seen, GcTables { strings, lost, missing }),
            Handler::Row(of) => {
                let tables = RowTables { strings, lost, allocations, exceptions, threadpool };
                rows::take(of, seen, &mut self.texts, tables);
            }
            Handler::Pair(of) => self.pairs.take(of, seen, PairTables { strings, lost, contention, waits }),
            Handler::Code(of) => {
                let (methods, loads) = (&mut at_hand.methods, &mut at_hand.loads);
                self.jit.take(of, seen, CodeTables { methods, loads, strings, lost });
            }
            Handler::Process(of) => facts::take(of, seen, exhibit, session),
            Handler::Counter(of) => {
                let (limits, work) = (&mut missing.limits, &mut self.work);
                let tables = CounterTables { strings, counters, limits, work };
                self.counters.take(of, seen, &event.metadata.provider, tables);
            }
            Handler::Request(of) => {
                let (texts, tags) = (&mut self.texts, &mut self.tags);
                let spans = SpanTables { texts, tags, strings, lost, spans, logs };
                self.requests.take(of, seen, RequestTables { requests, marks, spans });
            }
        }
    }
}

impl Sink for Builder {
    fn stream(&mut self, header: &StreamHeader) {
        self.kinds.forget();
        if !self.processes.begin_stream(header) {
            return;
        }
        let Trace { exhibit, session, lost, request_marks, .. } = &mut self.recording;
        let sent = self.kinds.begin_stream(header.pointer_size);
        if let Some(ended) = self.streams.begin(header, sent, lost) {
            if ended.ends_process {
                // Threads and suspensions of one process do not end what another began.
                self.pairs.begin_process();
                self.by_process.end_collections();
            }
            self.requests.end_stream(ended.to_ns, request_marks);
        }
        streams::describe(header, exhibit, session);
        self.jit.begin_stream();
        self.spaces.begin_stream();
        if let Some(process) = self.processes.of_stream() {
            self.enter(process);
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        if self.processes.skips_stream() {
            let ns = self.streams.has_main().then(|| self.streams.ns(event.ticks));
            return self.processes.count_skipped(event, ns);
        }
        if self.streams.is_copy(event, &mut self.recording.lost) {
            return;
        }
        let ns = self.streams.ns(event.ticks);
        let thread = self.thread_of(event);
        if self.processes.of_stream().is_none() && !self.admit(event, thread, ns) {
            return;
        }
        let pointer_size = self.streams.pointer_size;
        let Trace { strings, lost, activities, .. } = &mut self.recording;
        let events = &mut self.rows.events;
        let (mut number, kind) = self.kinds.of(event, KindLists { strings, events, lost });
        let is_dynamic = kind.handler == Handler::Gc(GcEvent::Dynamic);
        if is_dynamic {
            let lists = KindLists { strings, events, lost };
            number = self.kinds.of_dynamic(number, event, &kind, pointer_size, lists);
        }
        if kind.steps > 0 && !self.work.spend(kind.steps) {
            return;
        }
        let stack = event.stack.and_then(|stack| self.raw.node(stack.serial, stack.addresses, pointer_size));
        let mut starts = Starts::default();
        let seen = Seen {
            ns,
            thread,
            stack,
            activity: self.activity_numbers.of(event, thread, activities),
            layout: &kind.layout,
            payload: event.payload,
            pointer_size,
            offset: event.offset,
            fields: kind.fields(event.payload, pointer_size, &mut starts),
        };
        let is_damaged = if is_dynamic {
            self.kinds.is_damaged(number, event.payload, pointer_size)
        } else {
            !seen.fields.is_whole()
        };
        if is_damaged {
            lost.damage.note(TOO_SHORT, event.offset);
        }
        self.push_event(number, &seen);
        // What describes a process's memory does not mean that the thread ran.
        if kind.handler != Handler::Space {
            self.threads.saw(thread, ns, kind.handler);
        }
        let Some(is_of_main) = self.streams.count(ns, kind.rundown) else { return };
        if kind.handler == Handler::Process(ProcessEvent::Info) {
            self.streams.note_command(&seen);
        }
        if self.is_new(number, ns, kind.handler, is_of_main) {
            self.feed(kind.handler, &seen, event);
        }
    }

    fn gap(&mut self, gap: Gap) {
        if self.processes.skips_stream() {
            return;
        }
        let Some((from_ns, to_ns)) = self.streams.gap_ns(&gap) else { return };
        let Trace { missing, loss, .. } = &mut self.recording;
        missing.events = missing.events.saturating_add(gap.events);
        let events = saturated(gap.events);
        let os_id = gap.thread.cast_signed();
        loss.push(LossRow { thread: os_id, from_ns, to_ns, events });
        let process = self.processes.of_stream().unwrap_or(ProcessId::FIRST);
        if let Some(thread) = self.thread_numbers.known(process, os_id) {
            self.pairs.lose(thread);
        }
    }
}

#[cfg(test)]
mod tests;
