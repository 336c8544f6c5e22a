//! What reading a recording may cost: memory and steps, in proportion to the bytes that were read of it.
//!
//! Rows are longer than the events that they are made of, and an event may be of two bytes: without a limit, a file of
//! 60 MB could fill a machine's memory. Each part says about how much it keeps, from the lengths of its lists, so that
//! asking costs nothing. See `reading` for when the limits are looked at.

use host::Proc;
use host::cgroup::Cgroup;
use std::sync::OnceLock;

/// Bytes that any recording may take.
const FREE_BYTES: usize = 48 << 20;
/// Bytes more for each byte that was read, unpacked. Recordings take up to 2.4, and with payloads 3.5.
const MAX_BYTES_PER_BYTE: usize = 3;
const MAX_BYTES_PER_BYTE_WITH_PAYLOADS: usize = 4;
/// Steps for each byte that was read, and steps besides, as the decoder has them for itself (see
/// [`nettrace::Decoder::work`]). A recording takes none: they are counted for what costs more than the bytes of its event.
const MAX_STEPS_PER_BYTE: u64 = 64;
const FREE_STEPS: u64 = 1 << 26;

/// Places of a map for each entry, on average.
pub(crate) const MAP: usize = 2;

/// What a list or map of so many entries takes, each of so many bytes.
pub(crate) fn of(entries: usize, bytes: usize) -> usize {
    entries.saturating_mul(bytes)
}

/// What a recording may take in memory, of which so many bytes were read.
pub(crate) fn most_bytes(read: u64, with_payloads: bool) -> usize {
    let each = if with_payloads { MAX_BYTES_PER_BYTE_WITH_PAYLOADS } else { MAX_BYTES_PER_BYTE };
    // With 32-bit addresses, a number that does not fit is more than all memory: no limit.
    let read = usize::try_from(read).unwrap_or(usize::MAX);
    read.saturating_mul(each).saturating_add(FREE_BYTES)
}

/// The memory that a recording may take on this machine, whatever its size: half of the memory, and of what limits us
/// (`ulimit -v`, the control group). Beyond that the kernel would not refuse memory, but kill us or a service beside us.
pub fn memory_limit() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| {
        let address_space = rustix::process::getrlimit(rustix::process::Resource::As).current;
        let group =
            Cgroup::of(&Proc::live(), std::process::id()).and_then(|group| group.limits().memory_bytes);
        let least = [host::memory_bytes(), address_space, group].into_iter().flatten().min();
        // Without `/proc` nothing is known, and nothing limits it.
        least.map_or(usize::MAX, |bytes| usize::try_from(bytes / 2).unwrap_or(usize::MAX))
    })
}

/// Steps that the tables have cost beyond the events' own bytes, and how many they may cost.
#[derive(Debug)]
pub(crate) struct Work {
    spent: u64,
    most: u64,
}

impl Work {
    /// Without a limit, until bytes are read.
    pub(crate) fn new() -> Self {
        Self { spent: 0, most: u64::MAX }
    }

    /// Sets the limit, by the bytes that were read so far.
    pub(crate) fn allow(&mut self, read: u64) {
        self.most = read.saturating_mul(MAX_STEPS_PER_BYTE).saturating_add(FREE_STEPS);
    }

    /// Counts steps; false if there were too many, so that nothing more of the kind is done until the reading ends.
    pub(crate) fn spend(&mut self, steps: u64) -> bool {
        self.spent = self.spent.saturating_add(steps);
        !self.is_exceeded()
    }

    pub(crate) fn is_exceeded(&self) -> bool {
        self.spent > self.most
    }

    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }
}
