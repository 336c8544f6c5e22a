//! Threads and their sequence numbers: who sent an event, and how many of its events are missing.
//!
//! A thread numbers its events one by one, also those that were dropped before they reached the file; a jump in the
//! numbers is a loss. Up to version 5 a thread is known by the operating system's number, which can be given again:
//! the count then starts anew, and that is no loss.

use crate::region::clear_map;
use crate::stream::Gap;
use base::seeded::SeededMap;

/// The slot of all threads beyond those that are told apart: nothing is known of them.
pub(crate) const SHARED_SLOT: u32 = 1 << 19;
/// Threads that are told apart: each takes about 200 bytes here and in the model, though it may be of three bytes of
/// the input. A service that starts one for each request has some ten thousand a minute.
const MOST_THREADS: usize = SHARED_SLOT as usize;

/// A thread of the trace.
#[derive(Debug)]
pub(crate) struct Thread {
    /// Number by the operating system; 0 where it is not told.
    pub(crate) os_id: u64,
    pub(crate) process: Option<u64>,
    sequence: Option<u32>,
    last_ticks: Option<i64>,
    /// The latest time among its events that wait to be given out: within a thread, order in the file is order.
    latest: i64,
    /// Which ordering `latest` is of.
    ordering: u64,
}

/// What a sequence number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequence {
    InOrder,
    Lost(Gap),
    SteppedBack,
}

/// All threads of the input, [`MOST_THREADS`] of them; a slot is never given twice. Each is found in constant time, and
/// nothing goes over all of them.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    all: Vec<Thread>,
    by_index: SeededMap<u64, u32>,
    indexed: bool,
    /// Counts the orderings, so that all threads begin one anew without being gone over.
    ordering: u64,
}

impl Threads {
    /// Starts a stream. `indexed`: threads are named by rows of thread blocks (version 6), not by their own number.
    pub(crate) fn begin_stream(&mut self, indexed: bool) {
        clear_map(&mut self.by_index);
        self.indexed = indexed;
    }

    /// The slot of a thread by the number events give; before version 6 a new one is made on first sight.
    pub(crate) fn slot(&mut self, index: u64, process: Option<u64>) -> Option<u32> {
        if let Some(slot) = self.by_index.get(&index) {
            return Some(*slot);
        }
        if self.indexed {
            return None;
        }
        Some(self.add(index, index, process, None))
    }

    /// A slot for the events of a thread that the trace names nowhere.
    pub(crate) fn unknown_slot(&mut self, index: u64, process: Option<u64>) -> u32 {
        self.add(index, 0, process, None)
    }

    /// Makes a thread known under a number; true where the number was taken.
    pub(crate) fn define(&mut self, index: u64, os_id: u64, process: Option<u64>) -> bool {
        let taken = self.by_index.contains_key(&index);
        // Version 6 threads number their events from 1 on, so the first loss shows as well.
        self.add(index, os_id, process, Some(0));
        taken
    }

    fn add(&mut self, index: u64, os_id: u64, process: Option<u64>, sequence: Option<u32>) -> u32 {
        if self.all.len() >= MOST_THREADS {
            return SHARED_SLOT;
        }
        let slot = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let ordering = self.ordering;
        self.all.push(Thread { os_id, process, sequence, last_ticks: None, latest: i64::MIN, ordering });
        self.by_index.insert(index, slot);
        slot
    }

    /// Ends a number; false where it was not known.
    pub(crate) fn remove(&mut self, index: u64) -> bool {
        self.by_index.remove(&index).is_some()
    }

    pub(crate) fn forget_all(&mut self) {
        clear_map(&mut self.by_index);
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Thread> {
        self.all.get(slot as usize)
    }

    /// Notes an event of the thread and gives the time by which it is to be ordered: never before an earlier one of
    /// the same thread, since the writer keeps a thread's events in order and its clock readings may step back.
    pub(crate) fn order_key(&mut self, slot: u32, ticks: i64) -> i64 {
        let ordering = self.ordering;
        let Some(thread) = self.all.get_mut(slot as usize) else { return ticks };
        thread.latest = if thread.ordering == ordering { thread.latest.max(ticks) } else { ticks };
        thread.ordering = ordering;
        thread.latest
    }

    /// Starts ordering anew, once no event waits any more: a damaged time then harms its own batch alone.
    pub(crate) fn forget_order(&mut self) {
        self.ordering = self.ordering.wrapping_add(1);
    }

    /// Notes that an event with this number was seen.
    #[inline]
    pub(crate) fn saw_event(&mut self, slot: u32, sequence: u32, ticks: i64, start: i64) -> Sequence {
        let indexed = self.indexed;
        let Some(thread) = self.all.get_mut(slot as usize) else { return Sequence::InOrder };
        let told = check(thread, sequence.wrapping_sub(1), ticks, start, indexed);
        thread.sequence = Some(sequence);
        thread.last_ticks = Some(ticks);
        told
    }

    /// Notes that a sequence point gives this number for the thread's last event.
    pub(crate) fn saw_point(&mut self, slot: u32, sequence: u32, ticks: i64, start: i64) -> Sequence {
        let indexed = self.indexed;
        let Some(thread) = self.all.get_mut(slot as usize) else { return Sequence::InOrder };
        match check(thread, sequence, ticks, start, indexed) {
            // A sequence point is a lower bound: the thread may have gone on since.
            Sequence::SteppedBack => Sequence::InOrder,
            told => {
                thread.sequence = Some(sequence);
                told
            }
        }
    }
}

#[inline]
fn check(thread: &Thread, expected: u32, ticks: i64, start: i64, indexed: bool) -> Sequence {
    let Some(last) = thread.sequence else { return Sequence::InOrder };
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
