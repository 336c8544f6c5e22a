//! What an input can make grow, and how far.

/// How much the decoder holds of an input at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one block; the runtime writes up to 100 KB.
    pub block_bytes: usize,
    /// Bytes of the events that wait for their place in time.
    pub waiting_bytes: usize,
    /// Events that wait for their place in time. Each takes about 64 bytes here and then a row of each of its tables, although
    /// it may come from two bytes of the input. The runtime writes a sequence point per 10 MB of its buffers, so about a hundred
    /// thousand events wait.
    pub waiting_events: usize,
}

impl Limits {
    /// Far above what writers produce, and far below a machine's memory.
    pub const USUAL: Self = Self { block_bytes: 64 << 20, waiting_bytes: 128 << 20, waiting_events: 1 << 19 };
}
