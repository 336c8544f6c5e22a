//! Framing: turns bytes, cut anywhere, into whole blocks.
//!
//! Up to version 5 a block is an object of FastSerialization: begin tag, type with its name, size, padding to four
//! bytes of the file, payload, end tag. From version 6 on it is a size, a kind and a payload. After damage, the end tag
//! and the type name lead back to the next object. Version 6 has neither, so damage to a size ends the reading of the
//! stream.
//!
//! ```text
//!            magic                 trace header           end
//!  Start ───────────▶ Objects ─────────────────▶ Objects ─────▶ Between ──magic──▶ …
//!                     Blocks (v6)                Blocks
//!                        │  not an object
//!                        └──────────────▶ Searching ──object or magic──▶ Objects
//! ```

use crate::block::{BlockKind, Stream};
use crate::limits::Limits;
use crate::stream::{Sink, StreamHeader};
use crate::work::{Work, most_steps};
use base::bytes::{Cursor, ReadError};
use base::damage::DamageLog;
use thiserror::Error;

mod start;
use start::{read_trace_start, read_trace_v6};

/// The newest version of the format that is read.
pub const MAX_MAJOR_VERSION: u32 = 6;

const MIN_MAJOR_VERSION: u32 = 3;
const MAGIC: &[u8; 8] = b"Nettrace";
const SERIALIZATION: &[u8; 24] = b"\x14\0\0\0!FastSerialization.1";
/// Type names are a few letters; the longest known has 39.
const MAX_TYPE_NAME: usize = 64;
/// Bytes of an object before its name: begin tags, two versions and the name's length.
const OBJECT_START: usize = 15;
/// Noted if an input costs far more steps per byte than any recording.
const TOO_MUCH_WORK: &str = "costs far more to read than a recording of its size: the rest was not read";
/// Steps that a block costs beside its bytes.
const STEPS_PER_BLOCK: usize = 16;
/// Bytes in a row that may belong to no recording: zeros, or bytes that are skipped on the way to the next block or stream.
/// A file with a hole can have any number of them without taking room on the disk.
const MAX_BARREN: u64 = 64 << 20;
const BARREN: &str = "more than 64 MB in a row belong to no recording: the rest was not read";
/// A last block that is cut and longer than this has a wrong size: the runtime writes blocks up to 100 KB.
const MAX_OF_A_CUT_BLOCK: u64 = 1 << 20;

/// Why an input cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no bytes.
    #[error("the input is empty: expected a .nettrace or .netperf recording")]
    Empty,
    /// The first bytes are those of something else.
    #[error("not a trace: expected `Nettrace` or `!FastSerialization.1` at the start")]
    NotATrace,
    /// A version that this reader does not know.
    #[error("version {0} of the format is not known: this program reads 3 to {MAX_MAJOR_VERSION}{newer}", newer = newer(*.0))]
    Version(u32),
    /// The input ends before its header does.
    #[error("the input ends within its header, after {0} bytes: the recording was cut before it began")]
    HeaderCut(u64),
    /// A field of the header is damaged.
    #[error("the trace header cannot be read: {0}")]
    Header(ReadError),
    /// A field of the header has an impossible value.
    #[error("the trace header has {what} {value}, which is impossible")]
    HeaderValue {
        /// The field.
        what: &'static str,
        /// Its value.
        value: i64,
    },
}

fn newer(version: u32) -> &'static str {
    if version > MAX_MAJOR_VERSION { "; a newer one may" } else { "" }
}

/// How the reading went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of the input.
    pub bytes: u64,
    /// Streams of the input.
    pub streams: u32,
    /// Where the input broke off inside a stream, if it did.
    pub truncated_at: Option<u64>,
    /// Bytes that were skipped because they cannot be read or belong to no stream. What they held is unknown.
    pub unread_bytes: u64,
    /// What could not be read.
    pub damage: DamageLog,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the magic.
    Start,
    /// At an object (up to version 5); the first is the trace header.
    Objects { header_read: bool },
    /// At a block (from version 6).
    Blocks { header_read: bool },
    /// After damage: looking for the next object or stream.
    Searching,
    /// After a stream's end: another may follow.
    Between,
    /// After bytes that follow a stream's end: looking for the next stream.
    Trailing,
    /// The input costs too much, or held nothing for too long: the rest is skipped.
    Stopped,
}

/// What a look at the available bytes resulted in.
enum Step {
    /// This many bytes are done with.
    Took(usize),
    /// At least this many bytes are needed from here on.
    Needs(usize),
}

/// A push decoder of traces: takes bytes, cut anywhere, and passes on events.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// Bytes that are done with, followed by those of a block that is not complete yet.
    pending: Vec<u8>,
    /// How many bytes of `pending` are done with.
    taken: usize,
    /// Bytes received.
    received: u64,
    /// The cost of framing.
    work: Work,
    /// Bytes in a row, up to here, that belong to no recording.
    barren: u64,
    /// How many bytes must wait in `pending` before it is worth looking at them again.
    needed: usize,
    /// Absolute offset of the next byte to look at.
    offset: u64,
    stream_start: u64,
    begin_tag: u8,
    stream: Stream,
    summary: Summary,
    limits: Limits,
}

impl Decoder {
    /// A decoder at the start of an input.
    pub fn new(limits: Limits) -> Self {
        Self {
            state: State::Start,
            pending: Vec::new(),
            taken: 0,
            received: 0,
            work: Work::default(),
            barren: 0,
            needed: 1,
            offset: 0,
            stream_start: 0,
            begin_tag: 5,
            stream: Stream::default(),
            summary: Summary::default(),
            limits,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// The input is not a trace, or its version is unknown. After the first event, nothing is an error.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Error> {
        let mut rest = bytes;
        self.received = self.received.saturating_add(bytes.len() as u64);
        // While an incomplete block waits, only as many bytes are copied behind it as it needs.
        while !self.pending.is_empty() && !rest.is_empty() {
            let missing = self.needed.saturating_sub(self.waiting()).min(rest.len());
            let (taken, left) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
            self.pending.extend_from_slice(taken);
            rest = left;
            if self.waiting() < self.needed {
                return Ok(());
            }
            let buffer = std::mem::take(&mut self.pending);
            let done = self.advance(buffer.get(self.taken..).unwrap_or_default(), sink)?;
            self.pending = buffer;
            self.forget_pending(done);
        }
        // Everything else is read where it is, without a copy.
        if !rest.is_empty() {
            let done = self.advance(rest, sink)?;
            self.pending.extend_from_slice(rest.get(done..).unwrap_or_default());
        }
        Ok(())
    }

    /// The cost of reading so far, in steps. A step is about the cost of reading one byte.
    ///
    /// A recording costs 1 to 2 steps per byte. Any input may cost up to 64 steps per byte and 64 million more; beyond that
    /// the decoder stops ([`Decoder::is_stopped`]).
    pub fn work(&self) -> u64 {
        self.work.steps().saturating_add(self.stream.work().steps())
    }

    /// Whether the rest of the input is skipped because it costs too much, or held nothing for too long. The damage says
    /// which.
    pub fn is_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    /// How many bytes wait in `pending`.
    fn waiting(&self) -> usize {
        self.pending.len().saturating_sub(self.taken)
    }

    /// Drops the first `done` of the bytes that wait.
    ///
    /// The rest is moved to the front only once it is shorter than the bytes before it. Moving it each time would cost the
    /// square of the input if many objects have a wrong size.
    fn forget_pending(&mut self, done: usize) {
        self.taken = self.taken.saturating_add(done).min(self.pending.len());
        if self.taken >= self.waiting() {
            self.work.bytes(self.waiting());
            self.pending.drain(..self.taken);
            self.taken = 0;
        }
    }

    /// Passes on the events that wait for their place in time, although earlier events of other threads may still follow.
    ///
    /// This is for watching a running session: one with few events has a sequence point only after minutes.
    pub fn flush_waiting(&mut self, sink: &mut impl Sink) {
        self.stream.flush(None, sink);
    }

    /// Ends the input: passes on the events that still wait, and returns how the reading went.
    ///
    /// # Errors
    ///
    /// The input is not a trace, or ends before that is known.
    pub fn finish(mut self, sink: &mut impl Sink) -> Result<Summary, Error> {
        let buffer = std::mem::take(&mut self.pending);
        let mut rest = buffer.get(self.taken..).unwrap_or_default();
        let end = self.offset.saturating_add(rest.len() as u64);
        self.summary.bytes = end;
        loop {
            match self.state {
                State::Start if end == 0 => return Err(Error::Empty),
                State::Start
                | State::Objects { header_read: false }
                | State::Blocks { header_read: false } => {
                    if self.summary.streams == 0 {
                        return Err(self.start_error(rest, end));
                    }
                    self.summary.truncated_at = Some(self.offset);
                }
                State::Objects { header_read: true } => {
                    if self.resume_inside(rest) {
                        // The search starts behind this object's begin tag, or it would find the same object again.
                        rest = rest.get(1..).unwrap_or_default();
                        self.offset = self.offset.saturating_add(1);
                        let done = self.advance(rest, sink)?;
                        rest = rest.get(done..).unwrap_or_default();
                        continue;
                    }
                    self.finish_object(rest, sink);
                }
                State::Blocks { header_read: true } => self.finish_block(rest, sink),
                State::Searching => {
                    self.count_unread(rest.len());
                    self.summary.truncated_at = Some(end);
                }
                State::Stopped => self.count_unread(rest.len()),
                State::Between | State::Trailing => {}
            }
            break;
        }
        self.stream.flush(None, sink);
        Ok(self.summary)
    }

    /// Whether bytes are skipped in the current state.
    fn skips(&self) -> bool {
        matches!(self.state, State::Searching | State::Trailing | State::Stopped)
    }

    fn count_unread(&mut self, bytes: usize) {
        self.summary.unread_bytes = self.summary.unread_bytes.saturating_add(bytes as u64);
    }

    /// Why an input that ended here is not a trace.
    fn start_error(&self, rest: &[u8], end: u64) -> Error {
        let known =
            |magic: &[u8]| rest.starts_with(magic.get(..rest.len().min(magic.len())).unwrap_or_default());
        if self.state != State::Start || known(MAGIC) || known(SERIALIZATION) {
            Error::HeaderCut(end)
        } else {
            Error::NotATrace
        }
    }

    /// Reads as many whole blocks as there are in `bytes`, and returns how many bytes are done with.
    fn advance(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<usize, Error> {
        let mut done = 0usize;
        loop {
            let rest = bytes.get(done..).unwrap_or_default();
            self.needed = 1;
            if rest.is_empty() {
                return Ok(done);
            }
            let was_skipping = self.skips();
            let step = match self.state {
                State::Start => self.start(rest),
                State::Objects { header_read } => self.object(rest, header_read, sink),
                State::Blocks { header_read } => self.block(rest, header_read, sink),
                State::Searching => Ok(self.search(rest, true)),
                State::Trailing => Ok(self.search(rest, false)),
                State::Between => Ok(self.between(rest)),
                State::Stopped => Ok(Step::Took(rest.len())),
            };
            match step.or_else(|error| self.skip_stream(error))? {
                Step::Took(len) => {
                    let is_skipped = was_skipping || self.skips();
                    if is_skipped {
                        self.count_unread(len);
                    }
                    done = done.saturating_add(len);
                    self.offset = self.offset.wrapping_add(len as u64);
                    self.work.bytes(len.saturating_add(STEPS_PER_BLOCK));
                    let is_barren = is_skipped || self.state == State::Between;
                    self.barren = if is_barren { self.barren.saturating_add(len as u64) } else { 0 };
                    if self.is_stopped() {
                        continue;
                    }
                    if self.work() > most_steps(self.received) {
                        self.stop(TOO_MUCH_WORK, sink);
                    } else if self.barren > MAX_BARREN {
                        self.stop(BARREN, sink);
                    }
                }
                Step::Needs(len) => {
                    self.needed = len.max(rest.len().saturating_add(1));
                    return Ok(done);
                }
            }
        }
    }

    /// Ends the reading of an input early.
    fn stop(&mut self, why: &'static str, sink: &mut impl Sink) {
        self.summary.damage.note(why, self.offset);
        self.summary.truncated_at = Some(self.offset);
        self.stream.flush(None, sink);
        self.state = State::Stopped;
    }

    /// A stream that cannot be read is an error if it is the first, since then nothing was read; otherwise it is damage.
    fn skip_stream(&mut self, error: Error) -> Result<Step, Error> {
        if self.summary.streams == 0 {
            return Err(error);
        }
        self.summary.damage.note("stream that cannot be read: skipped to the next", self.offset);
        self.state = State::Searching;
        Ok(Step::Took(1))
    }

    fn start(&mut self, rest: &[u8]) -> Result<Step, Error> {
        self.stream_start = self.offset;
        if let Some(step) = wait_for(rest, SERIALIZATION) {
            if matches!(step, Step::Took(_)) {
                self.begin_tag = 4;
                self.state = State::Objects { header_read: false };
            }
            return Ok(step);
        }
        let Some(step) = wait_for(rest, MAGIC) else { return Err(Error::NotATrace) };
        if matches!(step, Step::Needs(_)) {
            return Ok(step);
        }
        let Some(after) = rest.get(8..12) else { return Ok(Step::Needs(12)) };
        if after != [0; 4] {
            let Some(name) = rest.get(8..32) else { return Ok(Step::Needs(32)) };
            if name != SERIALIZATION {
                return Err(Error::NotATrace);
            }
            self.begin_tag = 5;
            self.state = State::Objects { header_read: false };
            return Ok(Step::Took(32));
        }
        let Some(version) = rest.get(12..16) else { return Ok(Step::Needs(20)) };
        if rest.len() < 20 {
            return Ok(Step::Needs(20));
        }
        let major = Cursor::new(version, self.offset).u32("MajorVersion").map_err(Error::Header)?;
        if major != 6 {
            return Err(Error::Version(major));
        }
        self.state = State::Blocks { header_read: false };
        Ok(Step::Took(20))
    }

    fn object(&mut self, rest: &[u8], header_read: bool, sink: &mut impl Sink) -> Result<Step, Error> {
        if rest.first() == Some(&1) && header_read {
            self.stream.flush(None, sink);
            self.state = State::Between;
            return Ok(Step::Took(1));
        }
        let Some(start) = rest.first_chunk::<OBJECT_START>() else { return Ok(Step::Needs(OBJECT_START)) };
        let Some((version, name_len)) = self.object_start(start) else {
            return self.not_an_object(header_read);
        };
        let name_end = OBJECT_START.saturating_add(name_len);
        let Some(name) = rest.get(OBJECT_START..name_end) else {
            return Ok(Step::Needs(name_end.saturating_add(5)));
        };
        let kind = kind_of(name);
        if !header_read {
            return self.trace_object(rest, kind, version, name_end, sink);
        }
        let Some(size) = rest.get(name_end.saturating_add(1)..).and_then(<[u8]>::first_chunk::<4>) else {
            return Ok(Step::Needs(name_end.saturating_add(5)));
        };
        let size = u32::from_le_bytes(*size) as usize;
        if rest.get(name_end) != Some(&6) || size > self.limits.block_bytes {
            return self.not_an_object(header_read);
        }
        let payload_at = self.payload_start(name_end);
        let payload_end = payload_at.saturating_add(size);
        let Some(end_tag) = rest.get(payload_end) else {
            return Ok(Step::Needs(payload_end.saturating_add(1)));
        };
        if *end_tag != 6 {
            return self.not_an_object(header_read);
        }
        let payload = rest.get(payload_at..payload_end).unwrap_or_default();
        let cursor = Cursor::new(payload, self.offset.wrapping_add(payload_at as u64));
        self.stream.read_block(kind, cursor, false, self.limits, &mut self.summary.damage, sink);
        Ok(Step::Took(payload_end.saturating_add(1)))
    }

    /// Where the payload begins: at the next multiple of four bytes of the stream.
    fn payload_start(&self, name_end: usize) -> usize {
        let after_size = name_end.saturating_add(5);
        let place = self.offset.wrapping_sub(self.stream_start).wrapping_add(after_size as u64);
        // 0 to 3, so it fits.
        after_size.saturating_add(usize::try_from(place.wrapping_neg() & 3).unwrap_or(0))
    }

    /// The version and the length of the name, if an object begins here.
    fn object_start(&self, start: &[u8; OBJECT_START]) -> Option<(u32, usize)> {
        let mut cursor = Cursor::new(start, 0);
        let tags = cursor.take(3, "tags").ok()?;
        let version = cursor.u32("version").ok()?;
        cursor.u32("minimum reader version").ok()?;
        let name_len = cursor.u32("name length").ok()? as usize;
        (tags == [self.begin_tag, self.begin_tag, 1] && name_len <= MAX_TYPE_NAME)
            .then_some((version, name_len))
    }

    fn trace_object(
        &mut self,
        rest: &[u8],
        kind: BlockKind,
        version: u32,
        name_end: usize,
        sink: &mut impl Sink,
    ) -> Result<Step, Error> {
        if kind != BlockKind::Trace {
            return self.not_an_object(false);
        }
        if !(MIN_MAJOR_VERSION..=4).contains(&version) {
            return Err(Error::Version(version));
        }
        let start = name_end.saturating_add(1);
        let end = start.saturating_add(48);
        let (Some(bytes), Some(_)) = (rest.get(start..end), rest.get(end)) else {
            return Ok(Step::Needs(end.saturating_add(1)));
        };
        let mut cursor = Cursor::new(bytes, self.offset.wrapping_add(start as u64));
        let mut header = read_trace_start(&mut cursor).map_err(Error::Header)?;
        header.version = version;
        header.process = Some(u64::from(cursor.u32("ProcessId").map_err(Error::Header)?));
        header.cores = cursor.u32("NumberOfProcessors").ok();
        header.sampling_rate = cursor.u32("ExpectedCPUSamplingRate").ok();
        self.begin_stream(header, sink)?;
        self.state = State::Objects { header_read: true };
        Ok(Step::Took(end.saturating_add(1)))
    }

    fn begin_stream(&mut self, header: StreamHeader, sink: &mut impl Sink) -> Result<(), Error> {
        if header.ticks_per_second <= 0 {
            return Err(Error::HeaderValue { what: "ticks per second", value: header.ticks_per_second });
        }
        if !matches!(header.pointer_size, 4 | 8) {
            return Err(Error::HeaderValue { what: "pointer size", value: i64::from(header.pointer_size) });
        }
        self.summary.streams = self.summary.streams.saturating_add(1);
        self.stream.begin(header, sink);
        Ok(())
    }

    /// Handles bytes that are not an object: an error before the first header, damage after it.
    fn not_an_object(&mut self, header_read: bool) -> Result<Step, Error> {
        if !header_read {
            return Err(Error::NotATrace);
        }
        self.summary.damage.note("block that cannot be read: skipped to the next", self.offset);
        self.state = State::Searching;
        Ok(Step::Took(1))
    }

    /// Looks for the next stream and, if `objects`, for the next object of this one.
    fn search(&mut self, rest: &[u8], objects: bool) -> Step {
        /// Long enough to hold the whole name of any known object.
        const WINDOW: usize = OBJECT_START + 14;
        for (at, window) in rest.windows(WINDOW).enumerate() {
            if window.starts_with(MAGIC) {
                self.state = State::Start;
                return Step::Took(at);
            }
            if objects && window.first() == Some(&self.begin_tag) && self.is_known_object(window) {
                self.state = State::Objects { header_read: true };
                return Step::Took(at);
            }
        }
        self.work.bytes(rest.len());
        // An object may begin in the last bytes: they wait for the next ones.
        match rest.len().saturating_sub(WINDOW.saturating_sub(1)) {
            0 => Step::Needs(WINDOW),
            passed => Step::Took(passed),
        }
    }

    fn is_known_object(&self, bytes: &[u8]) -> bool {
        let Some((_, name_len)) = bytes.first_chunk().and_then(|start| self.object_start(start)) else {
            return false;
        };
        let name_end = OBJECT_START.saturating_add(name_len);
        let name = bytes.get(OBJECT_START..name_end);
        name.is_some_and(|name| !matches!(kind_of(name), BlockKind::Unknown | BlockKind::Trace))
            && bytes.get(name_end) == Some(&6)
    }

    fn between(&mut self, rest: &[u8]) -> Step {
        // Padding with zeros is not damage.
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        if zeros > 0 {
            return Step::Took(zeros);
        }
        let whole = rest.get(..8).unwrap_or(rest);
        if MAGIC.starts_with(whole) || SERIALIZATION.starts_with(whole) {
            if whole.len() < 8 {
                return Step::Needs(8);
            }
            self.state = State::Start;
            return Step::Took(0);
        }
        self.summary.damage.note("bytes after the end of the stream", self.offset);
        self.state = State::Trailing;
        Step::Took(1)
    }

    fn block(&mut self, rest: &[u8], header_read: bool, sink: &mut impl Sink) -> Result<Step, Error> {
        let Some(start) = rest.first_chunk::<4>() else { return Ok(Step::Needs(4)) };
        let word = u32::from_le_bytes(*start);
        // The low three bytes are the size, the high one is the kind.
        let size = (word & 0x00ff_ffff) as usize;
        let kind = block_kind(word >> 24);
        let end = size.saturating_add(4);
        let Some(payload) = rest.get(4..end) else { return Ok(Step::Needs(end)) };
        let mut cursor = Cursor::new(payload, self.offset.wrapping_add(4));
        if !header_read {
            if kind != Some(BlockKind::Trace) {
                return Err(Error::NotATrace);
            }
            let header = read_trace_v6(&mut cursor).map_err(Error::Header)?;
            self.begin_stream(header, sink)?;
            self.state = State::Blocks { header_read: true };
            return Ok(Step::Took(end));
        }
        match kind {
            None => {
                self.stream.flush(None, sink);
                self.state = State::Between;
            }
            Some(kind) => {
                self.stream.read_block(kind, cursor, false, self.limits, &mut self.summary.damage, sink);
            }
        }
        Ok(Step::Took(end))
    }

    /// At the end of the input, inside an object: whether another object begins inside it, so that its size is wrong.
    fn resume_inside(&mut self, rest: &[u8]) -> bool {
        let found = (1..rest.len()).find(|at| {
            let bytes = rest.get(*at..).unwrap_or_default();
            bytes.first() == Some(&self.begin_tag) && self.is_known_object(bytes)
        });
        self.work.bytes(found.unwrap_or(rest.len()));
        if found.is_some() {
            self.summary.damage.note("block that cannot be read: skipped to the next", self.offset);
            self.state = State::Searching;
        }
        found.is_some()
    }

    /// Reads the beginning of an object that the end of the input cuts.
    fn finish_object(&mut self, rest: &[u8], sink: &mut impl Sink) {
        self.summary.truncated_at = Some(self.offset.saturating_add(rest.len() as u64));
        let Some((_, name_len)) = rest.first_chunk().and_then(|start| self.object_start(start)) else {
            return;
        };
        let name_end = OBJECT_START.saturating_add(name_len);
        let kind = rest.get(OBJECT_START..name_end).map_or(BlockKind::Unknown, kind_of);
        let payload_at = self.payload_start(name_end);
        self.finish_payload(kind, rest, payload_at, sink);
    }

    /// Reads the beginning of a block that the end of the input cuts.
    fn finish_block(&mut self, rest: &[u8], sink: &mut impl Sink) {
        if rest.len() as u64 > MAX_OF_A_CUT_BLOCK {
            self.count_unread(rest.len());
        }
        self.summary.truncated_at = Some(self.offset.saturating_add(rest.len() as u64));
        let Some(start) = rest.first_chunk::<4>() else { return };
        let kind = block_kind(u32::from_le_bytes(*start) >> 24).unwrap_or(BlockKind::Unknown);
        self.finish_payload(kind, rest, 4, sink);
    }

    fn finish_payload(&mut self, kind: BlockKind, rest: &[u8], payload_at: usize, sink: &mut impl Sink) {
        // Half a sequence point is useless: it would only drop what the events before it still refer to.
        let (Some(payload), false) = (rest.get(payload_at..), kind == BlockKind::SequencePoint) else {
            return;
        };
        let cursor = Cursor::new(payload, self.offset.wrapping_add(payload_at as u64));
        self.stream.read_block(kind, cursor, true, self.limits, &mut self.summary.damage, sink);
    }
}

/// Takes `magic` if `rest` begins with it, or waits for the rest of it; `None` if something else is there.
fn wait_for(rest: &[u8], magic: &[u8]) -> Option<Step> {
    if rest.starts_with(magic) {
        return Some(Step::Took(magic.len()));
    }
    magic.starts_with(rest).then_some(Step::Needs(magic.len()))
}

fn kind_of(name: &[u8]) -> BlockKind {
    match name {
        b"Trace" | b"Microsoft.DotNet.Runtime.EventPipeFile" => BlockKind::Trace,
        b"EventBlock" => BlockKind::Events,
        b"MetadataBlock" => BlockKind::Metadata,
        b"StackBlock" => BlockKind::Stacks,
        b"SPBlock" => BlockKind::SequencePoint,
        _ => BlockKind::Unknown,
    }
}

/// The kind of a version 6 block; `None` for the end of the stream.
fn block_kind(number: u32) -> Option<BlockKind> {
    Some(match number {
        0 => return None,
        1 => BlockKind::Trace,
        2 => BlockKind::Events,
        3 => BlockKind::Metadata,
        4 => BlockKind::SequencePoint,
        5 => BlockKind::Stacks,
        6 => BlockKind::Threads,
        7 => BlockKind::RemovedThreads,
        8 => BlockKind::LabelLists,
        _ => BlockKind::Unknown,
    })
}

#[cfg(test)]
mod tests;
