//! Threads and their sequence numbers: which thread sent an event, and how many of its events are missing.
//!
//! A thread numbers its events one by one, including those that were dropped before they reached the file, so a jump in
//! the numbers is a loss. Up to version 5 a thread is known by the operating system's id, which can be reused: its
//! numbers then start again, which is not a loss.

use crate::region::clear_map;
use crate::stream::Gap;
use base::seeded::SeededMap;

/// The slot that all threads beyond [`MAX_THREADS`] share. It lies behind the last row, so that [`Threads::get`] returns
/// `None` for it.
pub(crate) const SHARED_SLOT: u32 = 1 << 19;
/// Threads that get a slot of their own. Each takes about 200 bytes here and in the model, although it may come from three
/// bytes of the input. A service that starts a thread per request has about ten thousand per minute.
const MAX_THREADS: usize = SHARED_SLOT as usize;

/// A thread of the trace.
#[derive(Debug)]
pub(crate) struct Thread {
    /// The operating system's id; 0 if the trace does not report it.
    pub(crate) os_id: u64,
    pub(crate) process: Option<u64>,
    sequence: Option<u32>,
    last_ticks: Option<i64>,
    /// The latest time among its waiting events: the file's order of a thread's events is kept.
    latest: i64,
    /// The round of ordering that `latest` belongs to.
    round: u64,
}

/// What a sequence number shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequence {
    InOrder,
    Lost(Gap),
    SteppedBack,
}

/// The threads of the input, up to [`MAX_THREADS`]. A slot is never reused. A thread is found in constant time, and no
/// operation visits all of them.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    all: Vec<Thread>,
    by_index: SeededMap<u64, u32>,
    indexed: bool,
    /// Counts the rounds of ordering: starting a round resets `latest` of all threads without visiting them.
    round: u64,
}

impl Threads {
    /// Starts a stream. `indexed`: events name threads by an index that thread blocks define (version 6), not by id.
    pub(crate) fn begin_stream(&mut self, indexed: bool) {
        clear_map(&mut self.by_index);
        self.indexed = indexed;
    }

    /// The slot of the thread that events name `index`. Before version 6 a thread gets its slot when it is first seen.
    pub(crate) fn slot(&mut self, index: u64, process: Option<u64>) -> Option<u32> {
        if let Some(slot) = self.by_index.get(&index) {
            return Some(*slot);
        }
        if self.indexed {
            return None;
        }
        Some(self.add(index, index, process, None))
    }

    /// A new slot for a thread that no thread block defines.
    pub(crate) fn unknown_slot(&mut self, index: u64, process: Option<u64>) -> u32 {
        self.add(index, 0, process, None)
    }

    /// Defines the thread of an index, and returns whether the index was taken.
    pub(crate) fn define(&mut self, index: u64, os_id: u64, process: Option<u64>) -> bool {
        let taken = self.by_index.contains_key(&index);
        // In version 6 a thread's first event has the number 1, so a loss before it shows too.
        self.add(index, os_id, process, Some(0));
        taken
    }

    fn add(&mut self, index: u64, os_id: u64, process: Option<u64>, sequence: Option<u32>) -> u32 {
        if self.all.len() >= MAX_THREADS {
            return SHARED_SLOT;
        }
        // It always fits, since it is below `SHARED_SLOT`.
        let slot = u32::try_from(self.all.len()).unwrap_or(SHARED_SLOT);
        let round = self.round;
        self.all.push(Thread { os_id, process, sequence, last_ticks: None, latest: i64::MIN, round });
        self.by_index.insert(index, slot);
        slot
    }

    /// Ends an index, which may then be defined again. Returns whether it was known.
    pub(crate) fn remove(&mut self, index: u64) -> bool {
        self.by_index.remove(&index).is_some()
    }

    /// Ends all indices.
    pub(crate) fn forget_all(&mut self) {
        clear_map(&mut self.by_index);
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Thread> {
        self.all.get(slot as usize)
    }

    /// Notes an event of the thread and returns the time to sort it by. That is never before an earlier event of the same
    /// thread: the writer keeps a thread's events in order, but its clock readings may step back.
    pub(crate) fn order_key(&mut self, slot: u32, ticks: i64) -> i64 {
        let round = self.round;
        let Some(thread) = self.all.get_mut(slot as usize) else { return ticks };
        thread.latest = if thread.round == round { thread.latest.max(ticks) } else { ticks };
        thread.round = round;
        thread.latest
    }

    /// Starts a new round of ordering, once no event waits. A damaged time therefore harms only its own batch.
    pub(crate) fn forget_order(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Notes the sequence number of an event.
    #[inline]
    pub(crate) fn saw_event(&mut self, slot: u32, sequence: u32, ticks: i64, start: i64) -> Sequence {
        let indexed = self.indexed;
        let Some(thread) = self.all.get_mut(slot as usize) else { return Sequence::InOrder };
        let found = check(thread, sequence.wrapping_sub(1), ticks, start, indexed);
        thread.sequence = Some(sequence);
        thread.last_ticks = Some(ticks);
        found
    }

    /// Notes the sequence number that a sequence point has for the thread's last event.
    pub(crate) fn saw_point(&mut self, slot: u32, sequence: u32, ticks: i64, start: i64) -> Sequence {
        let indexed = self.indexed;
        let Some(thread) = self.all.get_mut(slot as usize) else { return Sequence::InOrder };
        match check(thread, sequence, ticks, start, indexed) {
            // The number is a lower bound: the thread may have sent more events since.
            Sequence::SteppedBack => Sequence::InOrder,
            found => {
                thread.sequence = Some(sequence);
                found
            }
        }
    }
}

/// Compares the number of the thread's last known event with the one that it should have by now.
#[inline]
fn check(thread: &Thread, expected: u32, ticks: i64, start: i64, indexed: bool) -> Sequence {
    let Some(last) = thread.sequence else { return Sequence::InOrder };
    // Before version 6, a last number of 0 can also mean that it is unknown, so nothing can be compared with it.
    if last == expected || (!indexed && last == 0) {
        return Sequence::InOrder;
    }
    let missing = expected.wrapping_sub(last).cast_signed();
    if missing < 0 {
        return Sequence::SteppedBack;
    }
    let from_ticks = thread.last_ticks.unwrap_or(start);
    let events = u64::from(missing.cast_unsigned());
    Sequence::Lost(Gap { thread: thread.os_id, from_ticks, to_ticks: ticks, events })
}
