//! All tables of a trace.

use super::events::Events;
use super::marks::{Counts, RequestMarks};
use super::session::{Missing, Session};
use super::stacks::{Frames, Stacks};
use super::tables::{
    Allocations, Contentions, Counters, Coverage, Exceptions, GcRows, Host, Jit, Logs, LossRows, Pauses,
    Processes, Requests, Samples, Spans, ThreadCpu, ThreadPool, ThreadRows, Waits,
};
use crate::ids::{ByActivity, ByThread, StackId};
use crate::kind::tables;
use crate::tables::{Shared, TableRows};

tables! {
    /// All that was read of a trace.
    pub struct Trace {
        tables {
        events: Events,
        samples: Samples,
        stacks: Stacks,
        frames: Frames,
        threads: ThreadRows,
        processes: Processes,
        gc: GcRows,
        pauses: Pauses,
        allocations: Allocations,
        exceptions: Exceptions,
        contention: Contentions,
        waits: Waits,
        threadpool: ThreadPool,
        jit: Jit,
        counters: Counters,
        requests: Requests,
        spans: Spans,
        logs: Logs,
        loss: LossRows,
        coverage: Coverage,
        host: Host,
        thread_cpu: ThreadCpu,
        }
        beside {
        /// How it was recorded.
        session: Session,
        /// What is missing of it without being damaged.
        missing: Missing,
        /// The threads that rows refer to, as the operating system numbers them.
        thread_ids: ByThread<i64>,
        /// The process of each of them; empty if the recording is of one process.
        thread_processes: ByThread<i64>,
        /// The activities that events refer to.
        activities: ByActivity<[u8; 16]>,
        /// Not a table: what `requests` is made of, before it is paired.
        request_marks: RequestMarks,
        /// Not a table: how many events of each kind there are, and in which sessions.
        counts: Counts,
        }
    }
}

impl Trace {
    fn shared(&self) -> Shared<'_> {
        Shared {
            strings: &self.strings,
            thread_ids: &self.thread_ids,
            thread_processes: &self.thread_processes,
            activities: &self.activities,
        }
    }

    /// Sorts every table that has a time by it; rows of equal time keep their order.
    pub fn sort_by_time(&mut self) {
        self.all_mut().for_each(TableRows::sort_by_time);
        self.request_marks.sort_by_time();
    }

    /// The name of a stack's innermost frame.
    pub fn leaf_name(&self, stack: Option<StackId>) -> Option<&str> {
        self.strings.get(*self.frames.name.get(self.stacks.leaf(stack)?)?)
    }

    /// Bytes that all tables take: what a trace costs in memory once it is read.
    pub fn size_bytes(&self) -> usize {
        let activities = size_of_val::<[_]>(&self.activities);
        self.tables_bytes() + activities + self.request_marks.size_bytes()
    }
}
