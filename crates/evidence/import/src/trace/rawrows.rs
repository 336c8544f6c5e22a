//! The tables whose rows have stacks, while streams are read: the stacks are addresses until all code is known.

use super::rawstacks::RawStack;
use model::{Allocations, Contentions, Events, Exceptions, GcRows, Jit, Samples, StackId, Trace, Waits};

/// The rows of those tables, with stacks of addresses.
#[derive(Debug, Default)]
pub(crate) struct RawRows {
    pub(crate) events: Events<RawStack>,
    pub(crate) samples: Samples<RawStack>,
    pub(crate) gc: GcRows<RawStack>,
    pub(crate) allocations: Allocations<RawStack>,
    pub(crate) exceptions: Exceptions<RawStack>,
    pub(crate) contention: Contentions<RawStack>,
    pub(crate) waits: Waits<RawStack>,
    pub(crate) jit: Jit<RawStack>,
}

impl RawRows {
    /// Sorts every table by time; rows of equal time keep their order.
    pub(crate) fn sort_by_time(&mut self) {
        self.events.sort_by_time();
        self.samples.sort_by_time();
        self.gc.sort_by_time();
        self.allocations.sort_by_time();
        self.exceptions.sort_by_time();
        self.contention.sort_by_time();
        self.waits.sort_by_time();
        self.jit.sort_by_time();
    }

    /// Bytes that the rows take.
    pub(crate) fn size_bytes(&self) -> usize {
        [
            self.events.size_bytes(),
            self.samples.size_bytes(),
            self.gc.size_bytes(),
            self.allocations.size_bytes(),
            self.exceptions.size_bytes(),
            self.contention.size_bytes(),
            self.waits.size_bytes(),
            self.jit.size_bytes(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// Moves the rows into the recording. `name` returns the row of `stacks` for a stack that was seen at a time.
    pub(crate) fn name_stacks(
        self,
        recording: &mut Trace,
        mut name: impl FnMut(&mut Trace, RawStack, i64) -> Option<StackId>,
    ) {
        macro_rules! move_all {
            ($($table:ident)*) => {$(
                let rows = self.$table.rename_stacks(|stack, ns| name(recording, stack?, ns));
                recording.$table = rows;
            )*};
        }
        move_all!(events samples gc allocations exceptions contention waits jit);
    }
}
