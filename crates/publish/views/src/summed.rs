//! Tables whose rows are sums over all events or samples. They are computed from the columns, since SQL would take
//! seconds for a large recording.
//!
//! The query in the same `TableView` returns the same rows. The SQL tab runs that query, and a test compares the two.

use base::number::{real, saturated};
use model::{ByKind, StackId, Sym, ThreadId, Trace, sorted_range};
use rustc_hash::{FxHashMap, FxHashSet};
use sql::{Answer, AnswerColumn, Cell};
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

/// What the rows of a computed table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// Events by provider and name.
    Kinds,
    /// Samples of waiting threads by what they wait for and the innermost frame.
    Waiting,
    /// Threads with their samples.
    Threads,
}

/// A sum over a range of time of a trace.
#[derive(Debug, Clone)]
pub struct Summed {
    /// The trace.
    pub trace: Arc<Trace>,
    /// What its rows are.
    pub sum: Sum,
    /// The range in nanoseconds, half-open; open-ended if `None`.
    pub range: (Option<i64>, Option<i64>),
}

impl Summed {
    /// The rows, in their usual order.
    pub fn answer(&self) -> Answer {
        let recording = &*self.trace;
        let (from_ns, to_ns) = self.range;
        let within = |ascending: &[i64]| {
            let to = to_ns.map_or(i64::MAX, |to| to.saturating_sub(1));
            let range = sorted_range(ascending, from_ns.unwrap_or(i64::MIN), to);
            range.start..range.end.min(ascending.len())
        };
        match self.sum {
            Sum::Kinds => kinds(recording, within(&recording.events.ts_ns)),
            Sum::Waiting => waiting(recording, within(&recording.samples.ts_ns)),
            Sum::Threads => threads(recording, within(&recording.samples.ts_ns)),
        }
    }
}

fn answer(columns: &[&str], mut rows: Vec<Vec<Cell>>, by: usize) -> Answer {
    let columns =
        columns.iter().map(|name| AnswerColumn { name: (*name).to_owned(), kind: None, unit: String::new() });
    sort(&mut rows, by, true);
    Answer { columns: columns.collect(), rows, truncated: false }
}

fn text(recording: &Trace, sym: Sym) -> Cell {
    recording.strings.get(sym).map_or(Cell::Null, |text| Cell::Text(text.to_owned()))
}

fn whole(count: u64) -> Cell {
    // A count of rows in memory always fits.
    Cell::Int(saturated(count))
}

fn part<T>(column: &[T], rows: &Range<usize>) -> impl Iterator<Item = T>
where
    T: Copy,
{
    column.get(rows.clone()).unwrap_or_default().iter().copied()
}

/// The events of one provider and name, counted.
#[derive(Debug, Clone, Copy)]
struct Group {
    count: u64,
    with_stack: u64,
    threads: u64,
    first_ns: i64,
    last_ns: i64,
}

fn kinds(recording: &Trace, rows: Range<usize>) -> Answer {
    let events = &recording.events;
    // Kinds of events also differ by version and number; a row of this table is a provider and a name.
    let mut group_of: FxHashMap<(Sym, Sym), usize> = FxHashMap::default();
    let mut names = Vec::new();
    let groups: ByKind<usize> = (events.kind_provider.iter().zip(&events.kind_name))
        .map(|(provider, name)| {
            *group_of.entry((*provider, *name)).or_insert_with(|| {
                names.push((*provider, *name));
                names.len() - 1
            })
        })
        .collect();
    let none = Group { count: 0, with_stack: 0, threads: 0, first_ns: i64::MAX, last_ns: i64::MIN };
    let mut sums = vec![none; names.len()];
    // Threads that a group has already counted.
    let mut seen: FxHashSet<(usize, ThreadId)> = FxHashSet::default();
    let columns = part(&events.ts_ns, &rows).zip(part(&events.kind, &rows));
    let columns = columns.zip(part(&events.thread, &rows).zip(part(&events.stack, &rows)));
    for ((ts_ns, kind), (thread, stack)) in columns {
        let Some(group) = groups.get(kind).copied() else { continue };
        let Some(sum) = sums.get_mut(group) else { continue };
        sum.count += 1;
        sum.with_stack += u64::from(stack.is_some());
        let is_known = recording.thread_ids.get(thread).is_some();
        sum.threads += u64::from(is_known && seen.insert((group, thread)));
        sum.first_ns = sum.first_ns.min(ts_ns);
        sum.last_ns = sum.last_ns.max(ts_ns);
    }
    let row = |((provider, name), sum): ((Sym, Sym), Group)| {
        let counts = [sum.count, sum.with_stack, sum.threads].map(whole);
        let times = [sum.first_ns, sum.last_ns].map(Cell::Int);
        let texts = [provider, name].map(|sym| text(recording, sym));
        texts.into_iter().chain(counts).chain(times).collect()
    };
    let rows = names.into_iter().zip(sums).filter(|(_, sum)| sum.count > 0).map(row).collect();
    answer(&["provider", "name", "events", "with_stack", "threads", "first_ts_ns", "last_ts_ns"], rows, 2)
}

/// Samples of waiting threads with the same reason and innermost frame.
#[derive(Debug)]
struct WaitGroup {
    waiting_on: Sym,
    frame: Sym,
    samples: u64,
    threads: u64,
}

fn waiting(recording: &Trace, rows: Range<usize>) -> Answer {
    let samples = &recording.samples;
    let name_of = |stack: Option<StackId>| recording.frames.name.get(recording.stacks.leaf(stack)?).copied();
    let state = recording.strings.find("waiting");
    let mut group_of: FxHashMap<(Sym, Sym), usize> = FxHashMap::default();
    let mut groups: Vec<WaitGroup> = Vec::new();
    // Threads that a group has already counted.
    let mut seen: FxHashSet<(usize, ThreadId)> = FxHashSet::default();
    let columns = part(&samples.state, &rows).zip(part(&samples.waiting_on, &rows));
    let columns = columns.zip(part(&samples.thread, &rows).zip(part(&samples.stack, &rows)));
    for ((_, waiting_on), (thread, stack)) in columns.filter(|((of, _), _)| Some(*of) == state) {
        let frame = name_of(stack).unwrap_or(Sym::NONE);
        let group = *group_of.entry((waiting_on, frame)).or_insert_with(|| {
            groups.push(WaitGroup { waiting_on, frame, samples: 0, threads: 0 });
            groups.len() - 1
        });
        let Some(sum) = groups.get_mut(group) else { continue };
        sum.samples += 1;
        let is_known = recording.thread_ids.get(thread).is_some();
        sum.threads += u64::from(is_known && seen.insert((group, thread)));
    }
    let row = |of: WaitGroup| {
        let texts = [of.waiting_on, of.frame].map(|sym| text(recording, sym));
        texts.into_iter().chain([of.samples, of.threads].map(whole)).collect()
    };
    answer(&["waiting_on", "frame", "samples", "threads"], groups.into_iter().map(row).collect(), 2)
}

fn threads(recording: &Trace, rows: Range<usize>) -> Answer {
    let samples = &recording.samples;
    let [running, waiting] = ["running", "waiting"].map(|state| recording.strings.find(state));
    let mut sums: FxHashMap<i64, [u64; 3]> = FxHashMap::default();
    for (thread, state) in part(&samples.thread, &rows).zip(part(&samples.state, &rows)) {
        let Some(thread) = recording.thread_ids.get(thread) else { continue };
        let sum = sums.entry(*thread).or_default();
        for (count, is) in sum.iter_mut().zip([true, Some(state) == running, Some(state) == waiting]) {
            *count += u64::from(is);
        }
    }
    let known = (0..recording.threads.thread.len()).filter_map(|row| recording.threads.row(row));
    let row = |row: model::ThreadRow| {
        // Without any sample it is unknown how often a thread would have been sampled.
        let counted = |counts: [u64; 3]| {
            if samples.ts_ns.is_empty() { [const { Cell::Null }; 3] } else { counts.map(whole) }
        };
        let counts = counted(sums.get(&row.thread).copied().unwrap_or_default());
        let texts = [row.name, row.kind].map(|sym| text(recording, sym));
        let times = [row.first_ts_ns, row.last_ts_ns].map(Cell::Int);
        [Cell::Int(row.thread)].into_iter().chain(texts).chain(times).chain(counts).collect()
    };
    answer(
        &["thread", "name", "kind", "first_ts_ns", "last_ts_ns", "samples", "running", "waiting"],
        known.map(row).collect(),
        5,
    )
}

/// Keeps the rows with a cell that contains `wanted`, which must be in lower case.
pub(crate) fn keep(rows: &mut Vec<Vec<Cell>>, wanted: &str) {
    let has = |cell: &Cell| match cell {
        Cell::Text(text) => text.to_ascii_lowercase().contains(wanted),
        Cell::Int(value) => value.to_string().contains(wanted),
        Cell::Real(value) => value.to_string().contains(wanted),
        Cell::Null => false,
    };
    rows.retain(|row| row.iter().any(has));
}

/// Sorts rows by a column; rows without a value come last.
pub(crate) fn sort(rows: &mut [Vec<Cell>], by: usize, descending: bool) {
    let compare = |one: &Vec<Cell>, other: &Vec<Cell>| match (one.get(by), other.get(by)) {
        (Some(Cell::Null) | None, Some(Cell::Null) | None) => Ordering::Equal,
        (Some(Cell::Null) | None, _) => Ordering::Greater,
        (_, Some(Cell::Null) | None) => Ordering::Less,
        (Some(one), Some(other)) if descending => values(other, one),
        (Some(one), Some(other)) => values(one, other),
    };
    rows.sort_by(compare);
}

/// Numbers before texts, as SQL orders them.
fn values(one: &Cell, other: &Cell) -> Ordering {
    let number = |cell: &Cell| match cell {
        Cell::Int(value) => Some(real(*value)),
        Cell::Real(value) => Some(*value),
        _ => None,
    };
    match (one, other) {
        (Cell::Int(one), Cell::Int(other)) => one.cmp(other),
        (Cell::Text(one), Cell::Text(other)) => one.cmp(other),
        _ => match (number(one), number(other)) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            (one, other) => one.is_none().cmp(&other.is_none()),
        },
    }
}
