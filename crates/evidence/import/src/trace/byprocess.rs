//! What is kept for each process while streams are read: its code and its collections.
//!
//! Two processes may have the same address, or the same number of a collection, by chance. The state of the process whose
//! events come is at hand; entering another process swaps it.

use super::budget::of;
use super::code::Methods;
use super::gc::Collections;
use super::ids::{Process, ProcessId};
use super::jit::Loads;
use model::ById;

/// What is kept for one process.
#[derive(Debug, Default)]
pub(crate) struct OfProcess {
    pub(crate) methods: Methods,
    pub(crate) gc: Collections,
    pub(crate) loads: Loads,
}

impl OfProcess {
    fn kept_bytes(&self) -> usize {
        let Self { methods, gc, loads } = self;
        methods.kept_bytes().saturating_add(gc.kept_bytes()).saturating_add(loads.kept_bytes())
    }
}

/// The state of all processes.
#[derive(Debug)]
pub(crate) struct ByProcess {
    /// The state of the process at hand.
    pub(crate) at_hand: OfProcess,
    /// That process.
    process: ProcessId,
    /// The state of the others; the place of the process at hand is empty.
    others: ById<Process, OfProcess>,
    /// Collections of streams that ended before one of another process.
    ended_gc: Vec<Collections>,
}

impl Default for ByProcess {
    fn default() -> Self {
        let (at_hand, others) = (OfProcess::default(), ById::default());
        Self { at_hand, process: ProcessId::FIRST, others, ended_gc: Vec::new() }
    }
}

impl ByProcess {
    /// Works on the state of a process from here on.
    pub(crate) fn enter(&mut self, process: ProcessId) {
        if process == self.process {
            return;
        }
        for of in [self.process, process] {
            if let Some(kept) = self.others.get_or_grow(of) {
                std::mem::swap(kept, &mut self.at_hand);
            }
        }
        self.process = process;
    }

    /// A stream of another process begins: its events do not end the collections that are under way.
    pub(crate) fn end_collections(&mut self) {
        self.ended_gc.push(std::mem::take(&mut self.at_hand.gc));
    }

    /// The state of each process in the order of their ids, and the collections that were ended before.
    pub(crate) fn into_all(mut self) -> (Vec<OfProcess>, Vec<Collections>) {
        self.enter(ProcessId::FIRST);
        if let Some(first) = self.others.get_or_grow(ProcessId::FIRST) {
            *first = self.at_hand;
        }
        (self.others.into(), self.ended_gc)
    }

    /// About how many bytes it takes. There are few processes, so that they can be gone over.
    pub(crate) fn kept_bytes(&self) -> usize {
        let ended = of(self.ended_gc.len(), size_of::<Collections>());
        let all = self.others.iter().chain([&self.at_hand]);
        all.map(OfProcess::kept_bytes).fold(ended, usize::saturating_add)
    }
}
