//! What is kept of events beside the tables: no table of its own, and nothing that SQL sees.

use crate::ids::{ByKind, ThreadId};
use crate::strings::Sym;
use crate::tables::{order_of, permute};

/// Where requests began and ended, by thread: also where nothing pairs the two, as without activity ids.
#[derive(Debug, Default)]
pub struct RequestMarks {
    /// When, in order.
    pub ts_ns: Vec<i64>,
    /// The thread.
    pub thread: Vec<ThreadId>,
    /// The path of a request that begins; none for an end.
    pub path: Vec<Sym>,
}

/// How many events of each kind the main session sent, how many the sessions beside it, and when meters were read.
#[derive(Debug, Default)]
pub struct Counts {
    /// By kind.
    pub(super) by_kind: ByKind<KindCount>,
    /// When meters were read, one time per round that was published to its end, in order.
    pub(super) rounds: Vec<i64>,
}

/// How many events of a kind there are.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct KindCount {
    pub(super) in_main: u64,
    /// In sessions beside the main session.
    pub(super) beside: u64,
}

impl RequestMarks {
    /// Sorts the rows by time; rows of equal time keep their order.
    pub(crate) fn sort_by_time(&mut self) {
        if let Some(order) = order_of(&self.ts_ns) {
            permute(&mut self.ts_ns, &order);
            permute(&mut self.thread, &order);
            permute(&mut self.path, &order);
        }
    }

    /// Bytes that the rows take.
    pub(crate) fn size_bytes(&self) -> usize {
        self.ts_ns.len() * (size_of::<i64>() + size_of::<ThreadId>() + size_of::<Sym>())
    }
}
