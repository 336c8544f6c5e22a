//! Threads as viewers list them: their names, and the busiest first.

use crate::weigh::States;
use model::{NO_INT, Sym, ThreadId, Trace};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A thread that was sampled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sampled {
    pub(crate) thread: ThreadId,
    /// The rows of `samples`, in order.
    pub(crate) rows: Vec<u32>,
    /// How many of them ran.
    pub(crate) running: u64,
}

/// The threads that were sampled, the ones with most running samples first, then those with most samples.
pub(crate) fn sampled(recording: &Trace) -> Vec<Sampled> {
    let states = States::new(recording);
    let samples = &recording.samples;
    let mut threads: BTreeMap<ThreadId, Sampled> = BTreeMap::new();
    for ((thread, state), row) in samples.thread.iter().zip(&samples.state).zip(0u32..) {
        let new = || Sampled { thread: *thread, rows: Vec::new(), running: 0 };
        let of = threads.entry(*thread).or_insert_with(new);
        of.rows.push(row);
        of.running += u64::from(Some(*state) == states.running);
    }
    let mut threads: Vec<Sampled> = threads.into_values().collect();
    threads.sort_by_key(|of| (Reverse(of.running), Reverse(of.rows.len()), os_id(recording, of.thread)));
    threads
}

/// The operating system's number of a thread, if it is known.
pub(crate) fn os_id(recording: &Trace, thread: ThreadId) -> Option<i64> {
    recording.thread_ids.get(thread).copied().filter(|id| *id >= 0)
}

/// The operating system's number of a thread as text.
pub(crate) fn id_text(recording: &Trace, thread: ThreadId) -> String {
    os_id(recording, thread).map_or_else(|| "not known".to_owned(), |id| id.to_string())
}

/// Names of threads, by their numbers.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    recording: &'a Trace,
    /// By the operating system's numbers of process and thread. The process is [`NO_INT`] in a recording of one
    /// process.
    rows: BTreeMap<(i64, i64), Texts>,
}

/// What the table of threads says of one.
#[derive(Debug, Clone, Copy)]
struct Texts {
    name: Sym,
    kind: Sym,
}

impl<'a> Names<'a> {
    pub(crate) fn new(recording: &'a Trace) -> Self {
        let threads = &recording.threads;
        let texts = threads.name.iter().zip(&threads.kind);
        let ids = threads.process.iter().copied().zip(threads.thread.iter().copied());
        let rows = ids.zip(texts).map(|(ids, (name, kind))| (ids, Texts { name: *name, kind: *kind }));
        Self { recording, rows: rows.collect() }
    }

    /// What a thread is for: `pool`, `gc` …
    pub(crate) fn kind(&self, thread: ThreadId) -> Option<&'a str> {
        self.row(thread).and_then(|texts| self.recording.strings.get(texts.kind))
    }

    fn row(&self, thread: ThreadId) -> Option<Texts> {
        let id = *self.recording.thread_ids.get(thread)?;
        // The table has no process either if there is only one.
        self.rows.get(&(self.process(thread).unwrap_or(NO_INT), id)).copied()
    }

    /// The process of a thread, in a recording of several.
    fn process(&self, thread: ThreadId) -> Option<i64> {
        self.recording.thread_processes.get(thread).copied().filter(|id| *id != NO_INT)
    }

    /// The name, kind and number of a thread, as far as they are known.
    pub(crate) fn label(&self, thread: ThreadId) -> String {
        let name = self.row(thread).and_then(|texts| self.recording.strings.get(texts.name));
        let id = id_text(self.recording, thread);
        let label = match (name.filter(|name| !name.is_empty()), self.kind(thread)) {
            (Some(name), Some(kind)) => format!("{name} ({kind} {id})"),
            (Some(name), None) => format!("{name} ({id})"),
            (None, Some(kind)) => format!("{kind} {id}"),
            (None, None) => format!("thread {id}"),
        };
        match self.process(thread) {
            Some(process) => format!("{label} of process {process}"),
            None => label,
        }
    }
}
