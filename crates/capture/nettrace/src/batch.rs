//! Events that wait for their place in time.
//!
//! Writers send the events of one thread in order, then those of the next thread. Events wait here until no earlier event can
//! follow: until a sequence point or, once enough wait, an event that is marked as sorted. The file's order of a thread's
//! events is kept, even if its clock readings step back.

use crate::region::StackRef;
use crate::work::Work;

/// Fewer events than this are not sorted before a sequence point, so that sorting and dispatch work on long runs.
const ENOUGH: usize = 1 << 15;

/// An event that waits; its payload lies in the batch's bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) ticks: i64,
    pub(crate) metadata: u32,
    pub(crate) thread_slot: u32,
    pub(crate) stack: StackRef,
    /// Number of the batch's [`Extras`], counted from 1; 0 if the event has none.
    pub(crate) extra: u32,
    pub(crate) payload_start: u32,
    pub(crate) payload_len: u32,
    pub(crate) offset: u64,
}

/// Fields that only few events have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    pub(crate) activity: [u8; 16],
    pub(crate) related: [u8; 16],
    pub(crate) opcode: Option<u8>,
    pub(crate) version: Option<u8>,
}

/// A waiting event's place in time.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The time to sort by.
    key: i64,
    /// Index into [`Batch::events`].
    event: u32,
}

/// The place of a payload as events hold it. Places fit into 32 bits, since `Limits::waiting_bytes` is below 4 GiB; one that
/// did not would lie behind all bytes, so that the payload would be empty.
#[inline]
pub(crate) fn payload_start(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The waiting events.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    events: Vec<Waiting>,
    order: Vec<Place>,
    bytes: Vec<u8>,
    extras: Vec<Extras>,
    latest: i64,
    disordered: bool,
    /// The [`Batch::weight`] of what the last partial flush left waiting.
    left: usize,
    /// What sorting and moving events has cost.
    pub(crate) work: Work,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// The number of events or of extras, whichever is larger: both grow until the events are passed on.
    pub(crate) fn kept(&self) -> usize {
        self.events.len().max(self.extras.len())
    }

    /// The latest sort key; `None` if nothing waits.
    pub(crate) fn latest(&self) -> Option<i64> {
        (!self.order.is_empty()).then_some(self.latest)
    }

    /// Whether enough events wait that sorting them, and passing on those that are due, is worth its cost.
    ///
    /// Events that are not due are moved. So at least as much must have been added since as the last flush left. Otherwise
    /// events with times far ahead would make every block cost as much as everything that waits.
    pub(crate) fn is_worth_ordering(&self) -> bool {
        self.len() >= ENOUGH && self.weight() >= self.left.saturating_mul(2)
    }

    /// What moving everything that waits costs, in bytes.
    fn weight(&self) -> usize {
        self.len().saturating_mul(size_of::<Waiting>()).saturating_add(self.bytes.len())
    }

    /// Keeps bytes that hold payloads, and returns where they start in the batch.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start
    }

    /// Keeps extras and returns their number. Extras equal to the last ones are not kept again.
    pub(crate) fn keep_extras(&mut self, extras: Extras) -> u32 {
        if extras == Extras::default() {
            return 0;
        }
        if self.extras.last() != Some(&extras) {
            self.extras.push(extras);
        }
        // They fit, since `Limits::waiting_events` bounds them; otherwise the event would lose its extras.
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

    /// Adds an event that is sorted by `key`.
    #[inline]
    pub(crate) fn push(&mut self, key: i64, event: Waiting) {
        self.disordered |= key < self.latest;
        self.latest = self.latest.max(key);
        // It fits, since `Limits::waiting_events` bounds the events; otherwise `ordered` would not find the event.
        let index = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        self.order.push(Place { key, event: index });
        self.events.push(event);
    }

    /// Sorts the waiting events, and returns how many of them are due by `limit`: all if there is no limit.
    pub(crate) fn order(&mut self, limit: Option<i64>) -> usize {
        if self.disordered {
            self.work.events(self.order.len());
            // The sort is stable, so equal times keep the file's order. It finds the runs that the threads wrote and merges
            // them.
            self.order.sort_by_key(|place| place.key);
            self.disordered = false;
        }
        match limit {
            None => self.order.len(),
            Some(limit) => self.order.partition_point(|place| place.key <= limit),
        }
    }

    /// The event at a position of the order.
    pub(crate) fn ordered(&self, position: usize) -> Option<&Waiting> {
        let place = self.order.get(position)?;
        self.events.get(place.event as usize)
    }

    /// Drops the first `due` events of the order, with their payloads and extras.
    pub(crate) fn forget(&mut self, due: usize) {
        if due >= self.order.len() {
            // Nothing is left: the buffers are emptied and used again.
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
        for place in self.order.iter().skip(due) {
            let Some(event) = self.events.get(place.event as usize) else { continue };
            let payload_start = payload_start(kept.keep(self.payload(event)));
            let extra = kept.keep_extras(self.extras(event.extra));
            kept.push(place.key, Waiting { extra, payload_start, ..*event });
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
    fn events_with_times_far_ahead_do_not_make_every_block_expensive() {
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
            // Half of the events have times far ahead. After each event, all events up to now are due.
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
