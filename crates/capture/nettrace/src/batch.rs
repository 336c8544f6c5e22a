//! Events that wait for their place in time.
//!
//! Writers give each thread's events in order, and the threads one after another. Here they wait until it is known
//! that no earlier one can follow: at a sequence point, or at an event marked as sorted once enough are waiting.
//! Within a thread the order of the file is kept, even where its clock readings step back.

use crate::region::StackRef;
use crate::work::Work;

/// Events wait at least until this many are there, so that sorting and dispatch work on runs.
const ENOUGH: usize = 1 << 15;

/// An event that waits; its payload lies in the batch's bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) ticks: i64,
    pub(crate) metadata: u32,
    pub(crate) thread_slot: u32,
    pub(crate) stack: StackRef,
    /// Number of an entry of the batch's [`Extras`]; 0 for none.
    pub(crate) extra: u32,
    pub(crate) payload_start: u32,
    pub(crate) payload_len: u32,
    pub(crate) offset: u64,
}

/// What few events have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    pub(crate) activity: [u8; 16],
    pub(crate) related: [u8; 16],
    pub(crate) opcode: Option<u8>,
    pub(crate) version: Option<u8>,
}

/// The waiting events.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    events: Vec<Waiting>,
    /// Time to order by, and index into `events`.
    order: Vec<(i64, u32)>,
    bytes: Vec<u8>,
    extras: Vec<Extras>,
    latest: i64,
    disordered: bool,
    /// What the last ordering that was not of all left waiting, as [`Batch::weight`] counts it.
    left: usize,
    /// What ordering and moving events has cost.
    pub(crate) work: Work,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// How many events and what few events have there are, whichever are more: both are kept until they are given out.
    pub(crate) fn kept(&self) -> usize {
        self.events.len().max(self.extras.len())
    }

    /// The latest time to order by; `None` if nothing waits.
    pub(crate) fn latest(&self) -> Option<i64> {
        (!self.order.is_empty()).then_some(self.latest)
    }

    /// Whether enough waits to be ordered, and given out as far as it is due.
    ///
    /// What is not due is moved, so at least as much must have come since as was left the last time. Otherwise a few
    /// events of far ahead would make every block cost as much as all that waits.
    pub(crate) fn is_worth_ordering(&self) -> bool {
        self.len() >= ENOUGH && self.weight() >= self.left.saturating_mul(2)
    }

    /// What moving all that waits costs, in bytes.
    fn weight(&self) -> usize {
        self.len().saturating_mul(size_of::<Waiting>()).saturating_add(self.bytes.len())
    }

    /// Keeps bytes that payloads lie in; gives the start, to be added to their places in `bytes`.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start
    }

    /// Keeps what only few events have; equal to the one before, it is kept once.
    pub(crate) fn keep_extras(&mut self, extras: Extras) -> u32 {
        if extras == Extras::default() {
            return 0;
        }
        if self.extras.last() != Some(&extras) {
            self.extras.push(extras);
        }
        u32::try_from(self.extras.len()).unwrap_or(0)
    }

    pub(crate) fn extras(&self, number: u32) -> Extras {
        let at = (number as usize).checked_sub(1);
        at.and_then(|at| self.extras.get(at)).copied().unwrap_or_default()
    }

    pub(crate) fn payload(&self, event: &Waiting) -> &[u8] {
        let start = event.payload_start as usize;
        self.bytes.get(start..start.saturating_add(event.payload_len as usize)).unwrap_or_default()
    }

    /// Adds an event, to be ordered by `key`.
    #[inline]
    pub(crate) fn push(&mut self, key: i64, event: Waiting) {
        self.disordered |= key < self.latest;
        self.latest = self.latest.max(key);
        let index = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        self.order.push((key, index));
        self.events.push(event);
    }

    /// Brings the waiting events into order; gives how many of them are due by `limit` (all without one).
    pub(crate) fn order(&mut self, limit: Option<i64>) -> usize {
        if self.disordered {
            self.work.events(self.order.len());
            // Equal times keep the file's order, since the index is part of the key. The stable sort finds the runs that
            // the threads wrote and merges them.
            self.order.sort_by_key(|(key, _)| *key);
            self.disordered = false;
        }
        match limit {
            None => self.order.len(),
            Some(limit) => self.order.partition_point(|(key, _)| *key <= limit),
        }
    }

    /// The event at a place of the order.
    pub(crate) fn ordered(&self, place: usize) -> Option<&Waiting> {
        let (_, index) = self.order.get(place)?;
        self.events.get(*index as usize)
    }

    /// Forgets the first `due` events of the order, and what only they needed.
    pub(crate) fn forget(&mut self, due: usize) {
        if due >= self.order.len() {
            *self = Self {
                events: cleared(std::mem::take(&mut self.events)),
                order: cleared(std::mem::take(&mut self.order)),
                bytes: cleared(std::mem::take(&mut self.bytes)),
                extras: cleared(std::mem::take(&mut self.extras)),
                latest: i64::MIN,
                disordered: false,
                left: 0,
                work: self.work,
            };
            return;
        }
        let mut kept = Self { latest: i64::MIN, work: self.work, ..Self::default() };
        for (key, index) in self.order.iter().skip(due) {
            let Some(event) = self.events.get(*index as usize) else { continue };
            let payload_start = u32::try_from(kept.keep(self.payload(event))).unwrap_or(u32::MAX);
            let extra = kept.keep_extras(self.extras(event.extra));
            kept.push(*key, Waiting { extra, payload_start, ..*event });
        }
        kept.left = kept.weight();
        kept.work.events(kept.len());
        kept.work.bytes(kept.bytes_len());
        *self = kept;
    }
}

fn cleared<T>(mut list: Vec<T>) -> Vec<T> {
    list.clear();
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_far_ahead_do_not_make_every_block_expensive() {
        const EVENTS: i64 = 400_000;
        let mut batch = Batch::default();
        let (mut moved, mut orderings) = (0usize, 0usize);
        let event = |ticks| Waiting {
            ticks,
            metadata: 0,
            thread_slot: 0,
            stack: StackRef::default(),
            extra: 0,
            payload_start: 0,
            payload_len: 0,
            offset: 0,
        };
        for at in 0..EVENTS {
            // Half of them wait for the end; after each event a block says that all of up to now are there.
            let ticks = if at % 2 == 0 { at } else { EVENTS + at };
            batch.push(ticks, event(ticks));
            if batch.is_worth_ordering() {
                let due = batch.order(Some(at));
                moved += batch.len() - due;
                orderings += 1;
                batch.forget(due);
            }
        }
        assert!(orderings < 20, "{orderings}");
        assert!(moved < 800_000, "{moved}");
        assert_eq!(batch.latest(), Some(2 * EVENTS - 1));
    }
}
