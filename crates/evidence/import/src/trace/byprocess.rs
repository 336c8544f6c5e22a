//! What is kept for each process while streams are read: its code and its collections.
//!
//! Two processes may have the same address, or the same number of a collection, by chance. The state of the process whose
//! events come is at hand; entering another process swaps it.

use super::budget::of;
use super::code::Methods;
use super::gc::Collections;
use super::jit::Loads;

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
#[derive(Debug, Default)]
pub(crate) struct ByProcess {
    /// The state of the process at hand.
    pub(crate) at_hand: OfProcess,
    /// The number of that process in the recording.
    number: u32,
    /// The state of the others, by their numbers; the place of the process at hand is empty.
    others: Vec<OfProcess>,
    /// Collections of streams that ended before one of another process.
    ended_gc: Vec<Collections>,
}

impl ByProcess {
    /// Works on the state of a process from here on, by its number in the recording.
    pub(crate) fn enter(&mut self, process: u32) {
        if process == self.number {
            return;
        }
        let most = process.max(self.number) as usize;
        if self.others.len() <= most {
            self.others.resize_with(most.saturating_add(1), OfProcess::default);
        }
        for of in [self.number, process] {
            if let Some(kept) = self.others.get_mut(of as usize) {
                std::mem::swap(kept, &mut self.at_hand);
            }
        }
        self.number = process;
    }

    /// A stream of another process begins: its events do not end the collections that are under way.
    pub(crate) fn end_collections(&mut self) {
        self.ended_gc.push(std::mem::take(&mut self.at_hand.gc));
    }

    /// The state of each process by its number, and the collections that were ended before.
    pub(crate) fn into_all(mut self) -> (Vec<OfProcess>, Vec<Collections>) {
        self.enter(0);
        match self.others.first_mut() {
            Some(first) => *first = self.at_hand,
            None => self.others.push(self.at_hand),
        }
        (self.others, self.ended_gc)
    }

    /// About how many bytes it takes. There are few processes, so that they can be gone over.
    pub(crate) fn kept_bytes(&self) -> usize {
        let ended = of(self.ended_gc.len(), size_of::<Collections>());
        let all = self.others.iter().chain([&self.at_hand]);
        all.map(OfProcess::kept_bytes).fold(ended, usize::saturating_add)
    }
}
