//! What reading costs, in steps, and how many steps so many bytes may cost.
//!
//! A step is about what it takes to read one byte. Steps are counted for blocks, batches and searches, never for a
//! single event, so that counting costs nothing. What a recording costs is in proportion to its bytes; an input that
//! costs far more was made to, and its reading ends early.

/// Steps to put a waiting event into order, or to move one that is not due yet.
const STEPS_AN_EVENT: u64 = 16;
/// Steps for each byte that came in. Recordings take 1 to 2; the runtime's writer can bring none to 10.
const MOST_STEPS_A_BYTE: u64 = 64;
/// Steps that any input may take: a fraction of a second.
const FREE_STEPS: u64 = 1 << 26;

/// Counts steps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work(u64);

impl Work {
    /// Bytes were looked at or moved.
    pub(crate) fn bytes(&mut self, count: usize) {
        self.0 = self.0.saturating_add(count as u64);
    }

    /// Events were put into order or moved.
    pub(crate) fn events(&mut self, count: usize) {
        self.0 = self.0.saturating_add((count as u64).saturating_mul(STEPS_AN_EVENT));
    }

    pub(crate) fn steps(self) -> u64 {
        self.0
    }
}

/// How many steps an input may take of which so many bytes came in.
pub(crate) fn most_steps(bytes: u64) -> u64 {
    bytes.saturating_mul(MOST_STEPS_A_BYTE).saturating_add(FREE_STEPS)
}
