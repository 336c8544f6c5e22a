//! A thread's time line: which stacks it had, and for how long.
//!
//! ```text
//!  samples   A   A   B               B       (how long a sample lasts, `held` says)
//!  boxes     ├─ A ───┼─ B ─┼─ none ──┼─ B ─┤  equal neighbours are one box
//! ```

use crate::held::Held;
use crate::threads::Sampled;
use crate::tree::{Node, Tree};
use crate::weigh::{Leaf, States};
use model::Trace;

/// What a sample shows of its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) node: Node,
    pub(crate) leaf: Leaf,
}

/// A box: a part of a time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// What was sampled. `None` for time without a sample.
    pub(crate) seen: Option<Seen>,
    /// The length in nanoseconds, never 0.
    pub(crate) ns: u64,
    /// How many samples it consists of.
    pub(crate) samples: u64,
}

/// The boxes of a thread from the recording's start. A sample that lasts no time is in none.
pub(crate) fn boxes(recording: &Trace, tree: &Tree<'_>, thread: &Sampled, held: &Held) -> Vec<Stretch> {
    let states = States::new(recording);
    let mut boxes: Vec<Stretch> = Vec::new();
    let mut add = |seen: Option<Seen>, ns: u64| {
        let samples = u64::from(seen.is_some());
        match boxes.last_mut() {
            _ if ns == 0 => {}
            Some(last) if last.seen == seen => {
                last.ns = last.ns.saturating_add(ns);
                last.samples += samples;
            }
            _ => boxes.push(Stretch { seen, ns, samples }),
        }
    };
    let mut at = 0;
    for row in &thread.rows {
        let row = *row as usize;
        let Some(sample) = recording.samples.row(row) else { continue };
        // A sample before the start, which only damage makes, counts as one at the start.
        let begin = u64::try_from(sample.ts_ns).unwrap_or(0);
        add(None, begin.saturating_sub(at));
        let leaf = Leaf::of_sample(states, sample.state, sample.waiting_on);
        let seen = Seen { node: tree.node(sample.stack), leaf };
        let ns = held.of(row);
        add(Some(seen), ns);
        at = begin.max(at).saturating_add(ns);
    }
    boxes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;
    use crate::threads::sampled;

    #[test]
    fn equal_neighbours_are_one_box_and_a_gap_is_one_without_a_stack() {
        let mut builder = Builder::default();
        for (at, stack) in [(5, "A"), (15, "A"), (25, "B"), (25, "A"), (500, "B")] {
            builder.sample(at, 1, "running", None, &[stack]);
        }
        let recording = builder.done();
        let tree = Tree::new(&recording);
        let thread = &sampled(&recording)[0];
        let found = boxes(&recording, &tree, thread, &Held::new(&recording));
        let found: Vec<_> =
            found.iter().map(|of| (of.seen.is_some(), of.ns / 1_000_000, of.samples)).collect();
        // The first of the two samples at 25 ms lasts no time, so the box before it goes on.
        assert_eq!(found, [(false, 5, 0), (true, 50, 3), (false, 445, 0), (true, 10, 1)]);
    }
}
