//! The blocks of a stream: what is inside each kind.
//!
//! [`Stream`] holds what the blocks of a stream define for later ones: kinds of events, stacks, threads, and waiting
//! events. It does not know how blocks are framed. Damage inside a block loses the rest of that block and nothing else.

use crate::batch::{Batch, Extras, Waiting, payload_start};
use crate::header::{EventHeader, HeaderLayout, flag};
use crate::limits::Limits;
use crate::metadata::{self, Metadata};
use crate::region::{LabelLists, Labels, StackRef, Stacks, clear_map};
use crate::stream::{Event, Sink, Stack, StreamHeader};
use crate::threads::{SHARED_SLOT, Sequence, Threads};
use crate::work::Work;
use base::bytes::{Cause, Cursor, ReadError};
use base::damage::DamageLog;
use rustc_hash::FxHashMap;

/// Memory that the descriptions of a stream's kinds of events may take: a hundred times what those of a large service take.
/// A description of 60 KB may have 15,000 fields.
const MAX_KIND_BYTES: usize = 32 << 20;
const TOO_MANY_KINDS: &str = "description of a kind of event beyond the 32 MB that are kept of a stream";
const TOO_MANY_THREADS: &str = "event of a thread beyond the half million that are distinguished";
const NO_SEQUENCE_POINT: &str = "too many events without a sequence point: their order may be wrong";

/// The kinds of blocks that a stream is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Trace,
    Events,
    Metadata,
    SequencePoint,
    Stacks,
    Threads,
    RemovedThreads,
    LabelLists,
    /// A kind that this reader does not know and skips.
    Unknown,
}

/// What the fields of an event header refer to. It is kept from one event to the next, since most headers repeat them.
#[derive(Debug, Clone, Copy, Default)]
struct Resolved {
    metadata: Option<u32>,
    thread_slot: u32,
    capture_slot: u32,
    stack: StackRef,
    extra: u32,
}

/// What the blocks of the input have defined so far.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) header: StreamHeader,
    /// The kinds of events of the current stream.
    kinds: Vec<Metadata>,
    /// The memory that they take.
    kind_bytes: usize,
    by_id: FxHashMap<u32, u32>,
    stacks: Stacks,
    labels: LabelLists,
    threads: Threads,
    batch: Batch,
    /// The latest time of a version 3 stream.
    v3_clock: i64,
}

impl Stream {
    /// Begins a stream. What the stream before it defined is dropped.
    pub(crate) fn begin(&mut self, header: StreamHeader, sink: &mut impl Sink) {
        self.flush(None, sink);
        self.kinds = Vec::new();
        self.kind_bytes = 0;
        clear_map(&mut self.by_id);
        self.stacks.forget();
        self.labels.forget();
        self.threads.begin_stream(header.version >= 6);
        self.v3_clock = i64::MIN;
        sink.stream(&header);
        self.header = header;
    }

    /// What sorting events has cost.
    pub(crate) fn work(&self) -> Work {
        self.batch.work
    }

    /// Reads a block. `partial`: the input ends inside it, so that it is cut short but not damaged.
    pub(crate) fn read_block<S: Sink>(
        &mut self,
        kind: BlockKind,
        cursor: Cursor<'_>,
        partial: bool,
        limits: Limits,
        damage: &mut DamageLog,
        sink: &mut S,
    ) {
        let (done, what) = match kind {
            BlockKind::Trace if partial => return,
            BlockKind::Trace => return damage.note("another trace header inside a stream", cursor.offset()),
            BlockKind::Unknown => return,
            BlockKind::Events if self.header.version <= 3 => return self.events_v3(cursor, damage, sink),
            BlockKind::Events => (self.events(cursor, limits, damage, sink), "event cut short"),
            BlockKind::Metadata => (self.metadata(cursor, damage), base::damage::DESCRIPTION),
            BlockKind::SequencePoint => {
                (self.sequence_point(cursor, damage, sink), "sequence point cut short")
            }
            BlockKind::Stacks => (self.stacks.read_block(cursor, damage), "stack cut short"),
            BlockKind::Threads => (self.thread_rows(cursor, damage), "thread row damaged"),
            BlockKind::RemovedThreads => {
                (self.removed_threads(cursor, damage, sink), "list of removed threads damaged")
            }
            BlockKind::LabelLists => (self.labels.read_block(cursor, damage), "label list damaged"),
        };
        if let Err(error) = done
            && !partial
        {
            damage.note(what, error.offset);
        }
    }

    /// Reads the events of a block from version 4 on. They wait in the batch.
    fn events<S: Sink>(
        &mut self,
        mut cursor: Cursor<'_>,
        limits: Limits,
        damage: &mut DamageLog,
        sink: &mut S,
    ) -> Result<(), ReadError> {
        let waiting = self.batch.bytes_len().saturating_add(cursor.rest().len());
        if waiting > limits.waiting_bytes || self.batch.kept() > limits.waiting_events {
            damage.note(NO_SEQUENCE_POINT, cursor.offset());
            self.flush(None, sink);
        }
        let layout = self.block_header(&mut cursor)?;
        // The batch keeps all bytes of the block at once; payloads are found in it by their distance from `start_offset`.
        let (mut start_offset, mut kept_at) = (cursor.offset(), self.batch.keep(cursor.rest()));
        let room = limits.waiting_events.max(1);
        let mut header = EventHeader { changed: u8::MAX, ..EventHeader::default() };
        let mut known = Resolved::default();
        let mut seen = 0usize;
        let mut sorted_at = None;
        while !cursor.is_empty() {
            let at = cursor.offset();
            if seen == room {
                // No writer puts as many events into a block. The flush dropped the block's bytes, so the rest is kept again.
                damage.note(NO_SEQUENCE_POINT, at);
                self.flush(None, sink);
                (start_offset, kept_at) = (at, self.batch.keep(cursor.rest()));
                self.batch.work.bytes(cursor.rest().len());
                seen = 0;
            }
            header.read(&mut cursor, layout)?;
            if seen == 0 {
                // A flush also dropped the extras that `known` refers to: everything is looked up again.
                header.changed = u8::MAX;
            }
            seen = seen.saturating_add(1);
            if header.sorted {
                sorted_at = Some(header.ticks);
            }
            self.resolve(&header, &mut known, at, damage);
            let offset = cursor.offset();
            cursor.take(header.payload_size as usize, "event payload")?;
            cursor.take((header.trailing as usize).min(cursor.rest().len()), "padding")?;
            let sequence = self.threads.saw_event(
                known.capture_slot,
                header.sequence,
                header.ticks,
                self.header.sync_ticks,
            );
            report(sequence, at, damage, sink);
            let Some(metadata) = known.metadata else {
                damage.note(base::damage::NOT_DESCRIBED, at);
                continue;
            };
            // The distance lies within the block, so it fits.
            let distance = usize::try_from(offset.wrapping_sub(start_offset)).unwrap_or(usize::MAX);
            let event = Waiting {
                ticks: header.ticks,
                metadata,
                thread_slot: known.thread_slot,
                stack: known.stack,
                extra: known.extra,
                payload_start: payload_start(kept_at.saturating_add(distance)),
                payload_len: header.payload_size,
                offset,
            };
            let key = self.threads.order_key(known.capture_slot, header.ticks);
            self.batch.push(key, event);
        }
        // Only now, since a flush drops the bytes of the whole block.
        if let Some(limit) = sorted_at
            && self.batch.is_worth_ordering()
        {
            self.flush(Some(limit), sink);
        }
        Ok(())
    }

    fn block_header(&self, cursor: &mut Cursor<'_>) -> Result<HeaderLayout, ReadError> {
        let offset = cursor.offset();
        let size = usize::from(cursor.u16("block HeaderSize")?);
        if size < 20 {
            let cause = Cause::Value(size as u64);
            return Err(ReadError { offset, what: "block HeaderSize", cause });
        }
        let flags = cursor.u16("block Flags")?;
        cursor.take(size.saturating_sub(4), "block header")?;
        Ok(HeaderLayout { version: self.header.version, compressed: flags & 1 != 0 })
    }

    /// Looks up what the header changed.
    #[inline]
    fn resolve(&mut self, header: &EventHeader, known: &mut Resolved, at: u64, damage: &mut DamageLog) {
        let changed = header.changed;
        if changed & flag::METADATA_ID != 0 {
            known.metadata = self.by_id.get(&header.metadata_id).copied();
        }
        if changed & flag::THREAD != 0 {
            known.thread_slot = self.thread_slot(header.thread, at, damage);
        }
        if changed & flag::CAPTURE_THREAD_AND_SEQUENCE != 0 {
            known.capture_slot = if header.capture_thread == header.thread && changed & flag::THREAD != 0 {
                known.thread_slot
            } else {
                self.thread_slot(header.capture_thread, at, damage)
            };
        }
        if changed & flag::STACK != 0 {
            known.stack = self.stacks.find(header.stack_id).unwrap_or_else(|| {
                if header.stack_id != 0 {
                    damage.note("event refers to a stack that the trace does not have", at);
                }
                StackRef::default()
            });
        }
        if changed & (flag::ACTIVITY | flag::RELATED_ACTIVITY) != 0 {
            known.extra = self.extras(header, at, damage);
        }
    }

    fn extras(&mut self, header: &EventHeader, at: u64, damage: &mut DamageLog) -> u32 {
        if self.header.version < 6 {
            let extras =
                Extras { activity: header.activity, related: header.related, opcode: None, version: None };
            return self.batch.keep_extras(extras);
        }
        let labels = self.labels.find(header.label_list).unwrap_or_else(|| {
            damage.note("event refers to a label list that the trace does not have", at);
            Labels::default()
        });
        let Labels { activity, related, opcode, version } = labels;
        self.batch.keep_extras(Extras { activity, related, opcode, version })
    }

    /// The slot of a thread that events name `index`.
    fn thread_slot(&mut self, index: u64, at: u64, damage: &mut DamageLog) -> u32 {
        let process = self.header.process;
        let slot = self.threads.slot(index, process).unwrap_or_else(|| {
            damage.note("thread that no thread block describes", at);
            self.threads.unknown_slot(index, process)
        });
        if slot == SHARED_SLOT {
            damage.note(TOO_MANY_THREADS, at);
        }
        slot
    }

    /// Reads the events of a version 3 block. It has no header; descriptions of kinds stand among the events, and a stack
    /// behind each payload.
    fn events_v3<S: Sink>(&mut self, mut cursor: Cursor<'_>, damage: &mut DamageLog, sink: &mut S) {
        let mut header = EventHeader::default();
        while !cursor.is_empty() {
            let at = cursor.offset();
            if let Err(error) = self.event_v3(&mut cursor, &mut header, damage) {
                damage.note("event cut short", error.offset.max(at));
                break;
            }
        }
        self.flush(None, sink);
        self.stacks.forget();
    }

    fn event_v3(
        &mut self,
        cursor: &mut Cursor<'_>,
        header: &mut EventHeader,
        damage: &mut DamageLog,
    ) -> Result<(), ReadError> {
        let at = cursor.offset();
        header.read_v3(cursor)?;
        let offset = cursor.offset();
        let payload = cursor.take(header.payload_size as usize, "event payload")?;
        let mut behind = cursor.part(header.trailing as usize, "stack behind the payload")?;
        if header.metadata_id == 0 {
            self.define(metadata::read_v5(&mut Cursor::new(payload, offset)), at, damage);
            return Ok(());
        }
        let stack_size = behind.u32("stack size")? as usize;
        let addresses = behind.take(stack_size, "stack addresses")?;
        let Some(metadata) = self.by_id.get(&header.metadata_id).copied() else {
            damage.note(base::damage::NOT_DESCRIBED, at);
            return Ok(());
        };
        let thread_slot = self.thread_slot(header.thread, at, damage);
        let start = self.batch.keep(payload);
        let extras =
            Extras { activity: header.activity, related: header.related, opcode: None, version: None };
        let event = Waiting {
            ticks: header.ticks,
            metadata,
            thread_slot,
            stack: self.stacks.store(addresses),
            extra: self.batch.keep_extras(extras),
            payload_start: payload_start(start),
            payload_len: header.payload_size,
            offset,
        };
        // The writer of version 3 sorts. If its clock readings step back, the file's order is kept.
        self.v3_clock = self.v3_clock.max(header.ticks);
        self.batch.push(self.v3_clock, event);
        Ok(())
    }

    /// Reads descriptions of kinds of events: the payloads of events up to version 5, rows from version 6 on.
    fn metadata(&mut self, mut cursor: Cursor<'_>, damage: &mut DamageLog) -> Result<(), ReadError> {
        let layout = if self.header.version >= 6 {
            let size = cursor.u16("metadata HeaderSize")?;
            cursor.take(usize::from(size), "metadata header")?;
            None
        } else {
            Some(self.block_header(&mut cursor)?)
        };
        let mut header = EventHeader::default();
        while !cursor.is_empty() {
            let at = cursor.offset();
            // A description that cannot be read costs only itself, since its size is known.
            let read = if let Some(layout) = layout {
                header.read(&mut cursor, layout)?;
                metadata::read_v5(&mut cursor.part(header.payload_size as usize, "metadata payload")?)
            } else {
                let size = cursor.u16("metadata row size")?;
                metadata::read_v6(&mut cursor.part(usize::from(size), "metadata row")?)
            };
            self.define(read, at, damage);
        }
        Ok(())
    }

    /// Keeps the description of a kind of event, if it could be read.
    fn define(&mut self, read: Result<Metadata, ReadError>, at: u64, damage: &mut DamageLog) {
        let mut row = match read {
            Ok(row) => row,
            Err(error) => return damage.note(base::damage::DESCRIPTION, error.offset),
        };
        // It fits, since `MAX_KIND_BYTES` bounds the kinds.
        row.index = u32::try_from(self.kinds.len()).unwrap_or(u32::MAX);
        if self.by_id.contains_key(&row.id) {
            damage.note(base::damage::DESCRIBED_TWICE, at);
            return;
        }
        let kind_bytes = self.kind_bytes.saturating_add(row.kept_bytes());
        if kind_bytes > MAX_KIND_BYTES {
            damage.note(TOO_MANY_KINDS, at);
            return;
        }
        self.kind_bytes = kind_bytes;
        self.by_id.insert(row.id, row.index);
        self.kinds.push(row);
    }

    fn sequence_point<S: Sink>(
        &mut self,
        mut cursor: Cursor<'_>,
        damage: &mut DamageLog,
        sink: &mut S,
    ) -> Result<(), ReadError> {
        self.flush(None, sink);
        self.stacks.forget();
        self.labels.forget();
        let v6 = self.header.version >= 6;
        let at = cursor.offset();
        let ticks = cursor.i64("sequence point TimeStamp")?;
        let flags = if v6 { cursor.u32("sequence point Flags")? } else { 0 };
        let count = cursor.u32("ThreadCount")?;
        for _ in 0..count {
            let (index, sequence) = if v6 {
                (cursor.varu64("ThreadIndex")?, cursor.varu32("SequenceNumber")?)
            } else {
                (cursor.u64("ThreadId")?, cursor.u32("SequenceNumber")?)
            };
            let slot = self.thread_slot(index, at, damage);
            let found = self.threads.saw_point(slot, sequence, ticks, self.header.sync_ticks);
            report(found, at, damage, sink);
        }
        // The writer may say that it forgets all threads, and all kinds of events.
        if flags & 1 != 0 {
            self.threads.forget_all();
        }
        if flags & 2 != 0 {
            clear_map(&mut self.by_id);
        }
        Ok(())
    }

    fn thread_rows(&mut self, mut cursor: Cursor<'_>, damage: &mut DamageLog) -> Result<(), ReadError> {
        while !cursor.is_empty() {
            let at = cursor.offset();
            let size = cursor.u16("thread RowSize")?;
            match self.thread_row(&mut cursor.part(usize::from(size), "thread row")?) {
                Ok(false) => {}
                Ok(true) => damage.note("two threads with one index: the second is kept", at),
                Err(error) => damage.note("thread row damaged", error.offset),
            }
        }
        Ok(())
    }

    /// Defines the thread of a row, and returns whether its index was taken.
    fn thread_row(&mut self, row: &mut Cursor<'_>) -> Result<bool, ReadError> {
        let index = row.varu64("thread Index")?;
        let (mut os_id, mut process) = (None, self.header.process);
        while !row.is_empty() {
            let offset = row.offset();
            match row.u8("thread info kind")? {
                1 => drop(row.utf8_counted("thread Name")?),
                2 => process = Some(row.varu64("OSProcessId")?),
                3 => os_id = Some(row.varu64("OSThreadId")?),
                4 => {
                    row.utf8_counted("thread Key")?;
                    row.utf8_counted("thread Value")?;
                }
                kind => {
                    let cause = Cause::Value(u64::from(kind));
                    return Err(ReadError { offset, what: "thread info kind", cause });
                }
            }
        }
        // No thread has the id 0: it stands for an unknown one.
        Ok(self.threads.define(index, os_id.unwrap_or(0), process))
    }

    fn removed_threads<S: Sink>(
        &mut self,
        mut cursor: Cursor<'_>,
        damage: &mut DamageLog,
        sink: &mut S,
    ) -> Result<(), ReadError> {
        while !cursor.is_empty() {
            let at = cursor.offset();
            let index = cursor.varu64("thread Index")?;
            let sequence = cursor.varu32("SequenceNumber")?;
            let slot = self.thread_slot(index, at, damage);
            let ticks = self.batch_end();
            let found = self.threads.saw_point(slot, sequence, ticks, self.header.sync_ticks);
            report(found, at, damage, sink);
            self.threads.remove(index);
        }
        Ok(())
    }

    /// The latest time so far, for rows that have no time of their own.
    fn batch_end(&self) -> i64 {
        self.batch.latest().unwrap_or(self.header.sync_ticks)
    }

    /// Passes on the waiting events up to the time `limit`, or all of them.
    pub(crate) fn flush(&mut self, limit: Option<i64>, sink: &mut impl Sink) {
        let due = self.batch.order(limit);
        for position in 0..due {
            let Some(waiting) = self.batch.ordered(position) else { continue };
            let Some(metadata) = self.kinds.get(waiting.metadata as usize) else { continue };
            let thread = self.threads.get(waiting.thread_slot);
            let stack = (!waiting.stack.is_empty()).then(|| Stack {
                serial: waiting.stack.serial,
                addresses: self.stacks.addresses(waiting.stack),
            });
            let extras =
                if waiting.extra == 0 { Extras::default() } else { self.batch.extras(waiting.extra) };
            sink.event(&Event {
                metadata,
                ticks: waiting.ticks,
                thread: thread.map_or(0, |thread| thread.os_id),
                thread_slot: waiting.thread_slot,
                process: thread.and_then(|thread| thread.process),
                stack,
                activity: extras.activity,
                related: extras.related,
                opcode: extras.opcode,
                version: extras.version,
                payload: self.batch.payload(waiting),
                offset: waiting.offset,
            });
        }
        self.batch.forget(due);
        if self.batch.len() == 0 {
            self.threads.forget_order();
        }
    }
}

/// Passes on what a sequence number shows.
fn report(sequence: Sequence, at: u64, damage: &mut DamageLog, sink: &mut impl Sink) {
    match sequence {
        Sequence::InOrder => {}
        Sequence::Lost(gap) => sink.gap(gap),
        Sequence::SteppedBack => damage.note(base::damage::STEPS_BACK, at),
    }
}
