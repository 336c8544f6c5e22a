//! Rows of a table summed up by stack: what a flame graph is made of.
//!
//! Weights are whole numbers, so that every format has the same sums. A row without a weight, such as a wait that did
//! not end, is counted but not summed up.

use crate::tree::{Node, Tree};
use crate::written::{Count, LeftOut};
use model::{NO_INT, StackId, Sym, ThreadId, Trace};
use rustc_hash::FxHashMap;

/// A choice of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// All samples, whether the thread ran or waited: wall-clock time of all threads.
    Samples,
    /// Samples of threads that ran managed code.
    Running,
    /// Samples of threads that waited.
    Waiting,
    /// Sampled allocations, by the bytes that they represent.
    Allocations,
    /// Waits for locks, by their time.
    Contention,
    /// Waits for handles, by their time (.NET 9 and later).
    Waits,
    /// Exceptions thrown.
    Exceptions,
}

/// What a weight counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Samples,
    Exceptions,
    Bytes,
    Nanoseconds,
}

impl What {
    /// All choices, in the order of the formats.
    pub const ALL: [Self; 7] = [
        Self::Running,
        Self::Samples,
        Self::Waiting,
        Self::Allocations,
        Self::Contention,
        Self::Waits,
        Self::Exceptions,
    ];

    /// What the rows are called.
    pub fn rows(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Running => "running samples",
            Self::Waiting => "waiting samples",
            Self::Allocations => "sampled allocations",
            Self::Contention => "waits for locks",
            Self::Waits => "waits for handles",
            Self::Exceptions => "exceptions",
        }
    }

    /// What a weight counts, in words.
    pub fn unit(self) -> &'static str {
        match self.weight() {
            Unit::Samples => "samples",
            Unit::Exceptions => "exceptions",
            Unit::Bytes => "bytes",
            Unit::Nanoseconds => "nanoseconds",
        }
    }

    /// The rows that have no weight, if there are any.
    pub(crate) fn without_weight(self, count: u64) -> Option<LeftOut> {
        let of = if self.weight() == Unit::Bytes { "size" } else { "length" };
        let about = || format!("the {of} of {} (so not in the file)", Count::new(self.rows(), count).words());
        (count > 0).then(|| LeftOut::missing(about(), count))
    }

    /// What a weight counts.
    pub(crate) fn weight(self) -> Unit {
        match self {
            Self::Samples | Self::Running | Self::Waiting => Unit::Samples,
            Self::Allocations => Unit::Bytes,
            Self::Contention | Self::Waits => Unit::Nanoseconds,
            Self::Exceptions => Unit::Exceptions,
        }
    }
}

/// What stands inside a stack's innermost frame. Rows of one stack form one group per leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Leaf {
    /// Nothing: the thread ran in its innermost frame.
    Own,
    /// The thread waited for this.
    Waiting(Sym),
    /// The thread was in native code, running or not.
    External,
    /// An object or exception of this type.
    Type(Sym),
}

impl Leaf {
    /// The leaf of a sample in this state.
    pub(crate) fn of_sample(states: States, state: Sym, waiting_on: Sym) -> Self {
        if Some(state) == states.running {
            Self::Own
        } else if Some(state) == states.waiting {
            Self::Waiting(waiting_on)
        } else {
            Self::External
        }
    }

    /// The frame that shows it.
    pub(crate) fn frame(self, recording: &Trace) -> Option<String> {
        let text = |sym| recording.strings.get(sym);
        match self {
            Self::Own => None,
            Self::Waiting(on) => {
                Some(text(on).map_or_else(|| "[waiting]".to_owned(), |on| format!("[waiting: {on}]")))
            }
            Self::External => Some("[native code]".to_owned()),
            Self::Type(class) => Some(format!("[{}]", text(class).unwrap_or("type not known"))),
        }
    }
}

/// The symbols of states in a recording. `None` if no sample has the state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct States {
    pub(crate) running: Option<Sym>,
    pub(crate) waiting: Option<Sym>,
}

impl States {
    pub(crate) fn new(recording: &Trace) -> Self {
        let find = |text| recording.strings.find(text);
        Self { running: find("running"), waiting: find("waiting") }
    }
}

/// A row of a table with its weight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weighed {
    /// The row's number in its table.
    pub(crate) row: usize,
    pub(crate) thread: ThreadId,
    pub(crate) node: Node,
    pub(crate) leaf: Leaf,
    pub(crate) weight: u64,
}

/// Rows of one stack, summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) node: Node,
    pub(crate) leaf: Leaf,
    pub(crate) weight: u64,
}

/// All rows, summed up.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    /// By stack and leaf, in the order of their first rows.
    pub(crate) groups: Vec<Group>,
    /// How many rows have a weight.
    pub(crate) rows: u64,
    /// The sum of their weights.
    pub(crate) total: u64,
    /// How many rows have none.
    pub(crate) without_weight: u64,
}

/// Sums the rows up by stack and leaf.
pub(crate) fn sums(recording: &Trace, tree: &Tree<'_>, what: What) -> Sums {
    let mut sums = Sums::default();
    let mut places: FxHashMap<(Node, Leaf), usize> = FxHashMap::default();
    sums.without_weight = each(recording, tree, what, &mut |row| {
        sums.rows += 1;
        sums.total = sums.total.saturating_add(row.weight);
        let next = sums.groups.len();
        let place = *places.entry((row.node, row.leaf)).or_insert(next);
        match sums.groups.get_mut(place) {
            Some(group) => group.weight = group.weight.saturating_add(row.weight),
            None => sums.groups.push(Group { node: row.node, leaf: row.leaf, weight: row.weight }),
        }
    });
    sums
}

/// Passes every row that has a weight to `take`, in the order of the table. Returns how many rows have none.
pub(crate) fn each(recording: &Trace, tree: &Tree<'_>, what: What, take: &mut dyn FnMut(Weighed)) -> u64 {
    let mut without = 0;
    let mut add = |row: usize, thread: ThreadId, stack: Option<StackId>, leaf: Leaf, weight: Option<u64>| {
        match weight {
            Some(weight) => take(Weighed { row, thread, node: tree.node(stack), leaf, weight }),
            None => without += 1,
        }
    };
    match what {
        What::Samples | What::Running | What::Waiting => {
            let states = States::new(recording);
            for (at, row) in rows(recording.samples.ts_ns.len(), |at| recording.samples.row(at)) {
                let leaf = Leaf::of_sample(states, row.state, row.waiting_on);
                let asked = match what {
                    What::Running => leaf == Leaf::Own,
                    What::Waiting => matches!(leaf, Leaf::Waiting(_)),
                    _ => true,
                };
                if asked {
                    add(at, row.thread, row.stack, leaf, Some(1));
                }
            }
        }
        What::Allocations => {
            for (at, row) in rows(recording.allocations.ts_ns.len(), |at| recording.allocations.row(at)) {
                add(at, row.thread, row.stack, Leaf::Type(row.class), whole(row.weight_bytes));
            }
        }
        What::Contention => {
            for (at, row) in rows(recording.contention.ts_ns.len(), |at| recording.contention.row(at)) {
                add(at, row.thread, row.stack, Leaf::Own, nanoseconds(row.dur_ns));
            }
        }
        What::Waits => {
            for (at, row) in rows(recording.waits.ts_ns.len(), |at| recording.waits.row(at)) {
                add(at, row.thread, row.stack, Leaf::Own, nanoseconds(row.dur_ns));
            }
        }
        What::Exceptions => {
            for (at, row) in rows(recording.exceptions.ts_ns.len(), |at| recording.exceptions.row(at)) {
                add(at, row.thread, row.stack, Leaf::Type(row.class), Some(1));
            }
        }
    }
    without
}

/// The rows of a table with their numbers.
pub(crate) fn rows<T>(len: usize, row: impl Fn(usize) -> Option<T>) -> impl Iterator<Item = (usize, T)> {
    (0..len).filter_map(move |at| row(at).map(|row| (at, row)))
}

/// A duration, unless it is unknown or damaged.
pub(crate) fn nanoseconds(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|_| value != NO_INT)
}

/// More bytes than any process allocates, but few enough that doubles are exact.
const MAX_BYTES: f64 = 9e15;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is whole, not negative and below 2^53"
)]
fn whole(value: f64) -> Option<u64> {
    let rounded = value.round();
    (0.0..MAX_BYTES).contains(&rounded).then_some(rounded as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;

    #[test]
    fn what_has_no_weight_is_counted_and_not_summed_up() {
        let mut builder = Builder::default();
        builder.allocates(0, 1, "System.String", 100.4, &["A"]);
        for weight in [f64::NAN, -1.0, f64::INFINITY] {
            builder.allocates(0, 1, "System.String", weight, &["A"]);
        }
        builder.contends(0, 1, Some(5), &["A"]);
        builder.contends(0, 1, None, &["A"]);
        let recording = builder.done();
        let tree = Tree::new(&recording);
        let check = |what, expected: (u64, u64, u64)| {
            let sums = sums(&recording, &tree, what);
            assert_eq!((sums.rows, sums.total, sums.without_weight), expected, "{what:?}");
        };
        check(What::Allocations, (1, 100, 3));
        check(What::Contention, (1, 5, 1));
        check(What::Running, (0, 0, 0));
    }

    #[test]
    fn running_and_waiting_samples_are_parts_of_all() {
        let mut builder = Builder::default();
        builder.sample(0, 1, "running", None, &["A", "B"]);
        builder.sample(10, 1, "waiting", Some("task"), &["A", "B"]);
        builder.sample(20, 1, "external", None, &[]);
        let recording = builder.done();
        let tree = Tree::new(&recording);
        let totals = [What::Samples, What::Running, What::Waiting].map(|what| {
            let sums = sums(&recording, &tree, what);
            (sums.total, sums.groups.len())
        });
        assert_eq!(totals, [(3, 3), (1, 1), (1, 1)]);
    }
}
