//! The thread pool.

use super::{Ground, Subject};
use crate::lane::Lane;

/// Threads of the thread pool.
pub(crate) fn workers(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "workers",
        title: "Pool workers",
        unit: "",
        counts: "threads",
        about: "Threads of the thread pool, as the runtime published them",
        table: "counters",
        metric: None,
    };
    let counters = [
        ("threadpool-thread-count", "value", 1.0),
        ("dotnet.thread_pool.thread.count", "value", 1.0),
        ("dotnet.thread_pool.thread.count", "total", 1.0),
    ];
    if let Some(values) = ground.counted_level(&counters) {
        return subject.published(values);
    }
    let rows = &ground.recording.threadpool;
    if rows.ts_ns.is_empty() {
        return None;
    }
    let about = "Threads that the thread pool aimed at or had active, by its latest event";
    let values = ground.latest(&rows.ts_ns, &rows.workers);
    Subject { about, table: "threadpool", ..subject }.published(values)
}

/// Work items in the queue of the thread pool.
pub(crate) fn queue(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "queue",
        title: "Pool queue",
        unit: "",
        counts: "items",
        about: "Work items that wait for a thread, as the runtime published them",
        table: "counters",
        metric: None,
    };
    let counters = [
        ("threadpool-queue-length", "value", 1.0),
        ("dotnet.thread_pool.queue.length", "value", 1.0),
        ("dotnet.thread_pool.queue.length", "total", 1.0),
    ];
    subject.published(ground.counted_level(&counters)?)
}
