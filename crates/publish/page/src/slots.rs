//! A limit on how many queries of readers run at the same time, so that pages stay responsive.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Readers' own queries that may run at the same time.
const MAX_QUERIES: usize = 2;

/// Counts the queries that run.
#[derive(Debug, Default)]
pub(crate) struct QuerySlots(AtomicUsize);

/// A claimed slot; dropping it frees the slot.
#[derive(Debug)]
pub(crate) struct QuerySlot<'a>(&'a AtomicUsize);

impl QuerySlots {
    /// Claims a slot. `None` if all are taken.
    pub(crate) fn claim(&self) -> Option<QuerySlot<'_>> {
        // Made before the count is compared, so that a refused claim takes itself back when it is dropped.
        let slot = QuerySlot(&self.0);
        (self.0.fetch_add(1, Ordering::AcqRel) < MAX_QUERIES).then_some(slot)
    }
}

impl Drop for QuerySlot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
