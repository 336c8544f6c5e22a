//! What reading costs in steps, and how many steps an input may cost.
//!
//! A step is about the cost of reading one byte. Steps are counted per block, batch and search, never per event, so that
//! counting is free. A recording costs in proportion to its size; an input that costs far more was built to do so, and
//! its reading ends early.

/// Steps to sort a waiting event, or to move one that is not due yet.
const STEPS_PER_EVENT: u64 = 16;
/// Steps per byte of input. Recordings take 1 to 2, and nothing that the runtime writes takes 10.
const MAX_STEPS_PER_BYTE: u64 = 64;
/// Steps that any input may take, however small: a fraction of a second.
const FREE_STEPS: u64 = 1 << 26;

/// Counts steps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work(u64);

impl Work {
    /// Counts bytes that were looked at or moved.
    pub(crate) fn bytes(&mut self, count: usize) {
        self.0 = self.0.saturating_add(count as u64);
    }

    /// Counts events that were sorted or moved.
    pub(crate) fn events(&mut self, count: usize) {
        self.0 = self.0.saturating_add((count as u64).saturating_mul(STEPS_PER_EVENT));
    }

    pub(crate) fn steps(self) -> u64 {
        self.0
    }
}

/// How many steps an input of this many bytes may take.
pub(crate) fn most_steps(bytes: u64) -> u64 {
    bytes.saturating_mul(MAX_STEPS_PER_BYTE).saturating_add(FREE_STEPS)
}
