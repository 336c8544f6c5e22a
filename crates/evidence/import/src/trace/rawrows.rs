//! The tables whose rows have stacks, while streams are read: the stacks are addresses until all code is known.

use super::rawstacks::RawStack;
use model::{Allocations, Contentions, Events, Exceptions, GcRows, Jit, Samples, StackId, Trace, Waits};

/// Makes [`RawRows`] and all that it does with every table from one list of them, so that no table is forgotten.
macro_rules! raw_rows {
    ($($table:ident: $Rows:ident,)*) => {
        /// The rows of those tables, with stacks of addresses.
        #[derive(Debug, Default)]
        pub(crate) struct RawRows {
            $(pub(crate) $table: $Rows<RawStack>,)*
        }

        impl RawRows {
            /// Sorts every table by time; rows of equal time keep their order.
            pub(crate) fn sort_by_time(&mut self) {
                $(self.$table.sort_by_time();)*
            }

            /// Bytes that the rows take.
            pub(crate) fn size_bytes(&self) -> usize {
                [$(self.$table.size_bytes()),*].into_iter().fold(0, usize::saturating_add)
            }

            /// Moves the rows into the recording. `name` returns the row of `stacks` for a stack that was seen at a time.
            pub(crate) fn name_stacks(
                self,
                recording: &mut Trace,
                mut name: impl FnMut(&mut Trace, RawStack, i64) -> Option<StackId>,
            ) {
                $(
                    let rows = self.$table.rename_stacks(|stack, ns| name(recording, stack?, ns));
                    recording.$table = rows;
                )*
            }
        }
    };
}

raw_rows! {
    events: Events,
    samples: Samples,
    gc: GcRows,
    allocations: Allocations,
    exceptions: Exceptions,
    contention: Contentions,
    waits: Waits,
    jit: Jit,
}
