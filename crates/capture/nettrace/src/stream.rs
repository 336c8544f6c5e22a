//! What the decoder passes on: streams, events, gaps.
//!
//! Events borrow from the decoder and live until the sink returns.

use crate::metadata::Metadata;

/// A calendar time as the trace header writes it, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(missing_docs, reason = "the names are the whole of it")]
pub struct SyncTime {
    pub year: i16,
    pub month: i16,
    pub day: i16,
    pub hour: i16,
    pub minute: i16,
    pub second: i16,
    pub millisecond: i16,
}

/// The header of a stream: the Trace object or block that it begins with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct StreamHeader {
    /// Major version of the format: 3, 4 or 6.
    pub version: u32,
    /// When the session began, in UTC.
    pub sync_time: SyncTime,
    /// When the session began, in ticks of the stream's clock.
    pub sync_ticks: i64,
    /// Ticks per second of the stream's clock; never 0.
    pub ticks_per_second: i64,
    /// Size of an address in bytes: 4 or 8.
    pub pointer_size: u8,
    /// The process that was traced; `None` if the stream is of several.
    pub process: Option<u64>,
    /// CPU cores of the machine, if the writer reports them.
    pub cores: Option<u32>,
    /// Time between samples, in a unit that depends on the writer (milliseconds or nanoseconds); seldom meaningful.
    pub sampling_rate: Option<u32>,
    /// All named values of a version 6 header, as written.
    pub properties: Vec<(String, String)>,
}

/// A stack as addresses, innermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack<'a> {
    /// Number of the stack in the whole input. Equal numbers are the same stack, so that a sink can resolve it only once.
    pub serial: u32,
    /// The addresses, each of the stream's pointer size.
    pub addresses: &'a [u8],
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Its kind.
    pub metadata: &'a Metadata,
    /// Its time, in ticks of the stream's clock.
    pub ticks: i64,
    /// The operating system's id of its thread; 0, which no thread has, if it is not known.
    pub thread: u64,
    /// Number of the thread in the whole input, so that tables of threads can be indexed without hashing.
    pub thread_slot: u32,
    /// The process of the thread, if it is known.
    pub process: Option<u64>,
    /// Its stack, if it has one with at least one frame.
    pub stack: Option<Stack<'a>>,
    /// The activity that it belongs to; all zeros, as in the format, if none.
    pub activity: [u8; 16],
    /// The activity that caused it; all zeros if none.
    pub related: [u8; 16],
    /// The opcode of this one event (version 6), which replaces that of its kind.
    pub opcode: Option<u8>,
    /// The version of this one event (version 6), which replaces that of its kind.
    pub version: Option<u8>,
    /// The fields, encoded as the metadata or the provider's manifest says.
    pub payload: &'a [u8],
    /// Offset of the payload in the input.
    pub offset: u64,
}

/// Events that a thread sent and the trace does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The operating system's id of the thread that sent them.
    pub thread: u64,
    /// Ticks of the thread's last event before the gap, or of the session's start if there is none.
    pub from_ticks: i64,
    /// Ticks of what revealed the gap: the thread's next event, or a sequence point.
    pub to_ticks: i64,
    /// How many.
    pub events: u64,
}

/// Receives what a trace holds.
pub trait Sink {
    /// A stream begins; everything up to the next one belongs to it.
    fn stream(&mut self, header: &StreamHeader);
    /// The next event in order of time.
    fn event(&mut self, event: &Event<'_>);
    /// Events are missing.
    fn gap(&mut self, gap: Gap);
}
