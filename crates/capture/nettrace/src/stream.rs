//! What the decoder gives: streams, events, gaps.
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

/// The facts of one stream: the Trace object or block that begins it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct StreamHeader {
    /// Major version of the format: 3, 4 or 6.
    pub version: u32,
    /// When the session began, in UTC.
    pub sync_time: SyncTime,
    /// When the session began, in ticks of the stream's clock.
    pub sync_ticks: i64,
    /// Ticks a second of the stream's clock; never 0.
    pub ticks_per_second: i64,
    /// Bytes of an address: 4 or 8.
    pub pointer_size: u8,
    /// The process that was traced; none where the stream is of several.
    pub process: Option<u64>,
    /// Processors of the machine, where it is told.
    pub processors: Option<u32>,
    /// Milliseconds or nanoseconds between samples as the writer put it; seldom meaningful.
    pub sampling_rate: Option<u32>,
    /// Further facts of version 6, as written.
    pub properties: Vec<(String, String)>,
}

/// A stack as addresses, innermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack<'a> {
    /// Counts the stacks of the whole input: equal numbers are the same stack, so it can be looked at once.
    pub serial: u32,
    /// The addresses, each of the stream's pointer size.
    pub addresses: &'a [u8],
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// What kind of event it is.
    pub metadata: &'a Metadata,
    /// When, in ticks of the stream's clock.
    pub ticks: i64,
    /// The thread that the event is of, as the operating system numbers it; 0 where it is not known.
    pub thread: u64,
    /// Counts the threads of the whole input, so that tables about threads need no hashing.
    pub thread_slot: u32,
    /// The process of the thread, where it is known.
    pub process: Option<u64>,
    /// Its stack, if one of at least one frame was taken.
    pub stack: Option<Stack<'a>>,
    /// The activity that it belongs to; zero where there is none.
    pub activity: [u8; 16],
    /// The activity that caused it; zero where there is none.
    pub related: [u8; 16],
    /// Operation code given for this very event (version 6), instead of the metadata's.
    pub opcode: Option<u8>,
    /// Version given for this very event (version 6), instead of the metadata's.
    pub version: Option<u8>,
    /// The fields, encoded as the metadata or the provider's manifest says.
    pub payload: &'a [u8],
    /// Offset of the payload in the input.
    pub offset: u64,
}

/// Events that a thread sent and the trace does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The thread that sent them, as the operating system numbers it.
    pub thread: u64,
    /// Ticks of the thread's last event before the gap; of the session's start where there is none.
    pub from_ticks: i64,
    /// Ticks of what told of the gap: the thread's next event, or a sequence point.
    pub to_ticks: i64,
    /// How many.
    pub events: u64,
}

/// Takes what a trace holds.
pub trait Sink {
    /// A stream begins; what follows is of it.
    fn stream(&mut self, header: &StreamHeader);
    /// The next event in time.
    fn event(&mut self, event: &Event<'_>);
    /// Events are missing.
    fn gap(&mut self, gap: Gap);
}
