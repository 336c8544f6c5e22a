//! Lists: allocations by type and caller, waits by place, exceptions by type.
//!
//! Only the keys with the largest sums are cut into pieces, so that a recording of a million types costs no more than one
//! of a thousand.

use crate::book::{Book, Measure, Of, Quantity};
use crate::many::Tier;
use crate::names::{MAX_UNNAMED, too_few};
use crate::noise::Between;
use crate::presence::Both;
use crate::scope::{Course, Scope};
use crate::tally::Tally;
use base::number::real;
use model::{AllocationRow, FrameId, NO_INT, StackId, Sym, Trace};
use report::{Better, Subject};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// How many keys of each recording are compared: those with the largest sums.
const MAX_KEYS: usize = 150;
/// A key is listed if it has at least this share of the whole, before or after.
const MIN_SHARE: f64 = 0.002;
/// The name of rows whose key is not recorded.
const NOT_RECORDED: &str = "not recorded";

/// What the keys of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Type,
    Method,
    Word,
}

/// A row of a table that is summed up by its key.
#[derive(Debug, Clone, Copy)]
struct KeyedRow {
    key: Sym,
    ts_ns: i64,
    weight: f64,
}

impl KeyedRow {
    fn new(key: Sym, ts_ns: i64, weight: f64) -> Self {
        Self { key, ts_ns, weight }
    }
}

/// The rows of one recording.
struct Rows<'a> {
    scope: &'a Scope<'a>,
    /// The time in which they could be recorded.
    course: &'a Course,
    all: Vec<KeyedRow>,
}

impl<'a> Rows<'a> {
    /// Rows of events.
    fn of_events(scope: &'a Scope<'a>, rows: Vec<KeyedRow>) -> Self {
        let times: Vec<i64> = rows.iter().map(|row| row.ts_ns).collect();
        Self { scope, course: scope.course(&times), all: rows }
    }

    /// Rows of events that are counted by their key.
    fn counted(scope: &'a Scope<'a>, keys: &[Sym], times: &[i64]) -> Self {
        let rows = keys.iter().zip(times).map(|(key, ns)| KeyedRow::new(*key, *ns, 1.0));
        Self::of_events(scope, rows.collect())
    }

    /// Rows of samples: the key of each, by its place in the table. Without a key, a sample does not count.
    fn of_samples(scope: &'a Scope<'a>, key: impl Fn(usize) -> Option<Sym>) -> Self {
        let times = scope.recording().samples.ts_ns.iter().enumerate();
        let rows = times.filter_map(|(at, ts_ns)| {
            let piece = scope.samples.grid.piece(*ts_ns)?;
            Some(KeyedRow::new(key(at)?, *ts_ns, scope.seconds_per_sample(piece)))
        });
        Self { scope, course: &scope.samples, all: rows.collect() }
    }
}

const LIST: Measure = Measure {
    subject: Subject::Allocation,
    name: "",
    quantity: Quantity::Bytes,
    better: Better::Lower,
    tier: Tier::Details,
    between: Between::of(0.1, 1e5),
    importance: 0.5,
    notable: 20e6,
    table: "allocations",
    metric: Some("allocated-bytes"),
};

/// Adds the lists of the tables that both recordings have.
pub(crate) fn add(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>, both: Both) {
    let sides = [before, after];
    if both.allocations {
        let types = Measure { name: "allocated, by type", ..LIST };
        list(book, &types, Key::Type, sides, &|scope| allocated(scope, |row| row.class));
        let callers = Measure { name: "allocated, by caller", ..LIST };
        if have_names(book, callers.name, sides, |of| &of.allocations.stack) {
            list(book, &callers, Key::Method, sides, &|scope| {
                let mut names = FxHashMap::default();
                allocated(scope, |row| named(scope, &mut names, row.stack))
            });
        }
    }
    let (quantity, notable, between) = (Quantity::ThreadSeconds, 0.05, Between::of(0.1, 0.005));
    if both.contention {
        let (subject, table, metric) = (Subject::Contention, "contention", Some("contention-time"));
        let name = "threads waiting for locks, by place";
        let locks = Measure { subject, name, quantity, between, table, metric, ..LIST };
        let locks = Measure { notable, importance: 0.7, ..locks };
        if have_names(book, locks.name, sides, |of| &of.contention.stack) {
            list(book, &locks, Key::Method, sides, &|scope| {
                let rows = &scope.recording().contention;
                places(scope, &rows.ts_ns, &rows.dur_ns, &rows.stack)
            });
        }
    }
    if both.waits {
        let (subject, table, metric) = (Subject::Wait, "waits", Some("wait-time"));
        let name = "threads waiting for handles, by place";
        let quantity = Quantity::Level("threads");
        let between = Between::whole(0.1);
        let waits = Measure { subject, name, quantity, between, table, metric, ..LIST };
        let waits = Measure { notable: 1.0, importance: 0.3, ..waits };
        if have_names(book, waits.name, sides, |of| &of.waits.stack) {
            list(book, &waits, Key::Method, sides, &|scope| {
                let rows = &scope.recording().waits;
                places(scope, &rows.ts_ns, &rows.dur_ns, &rows.stack)
            });
        }
    }
    let (quantity, notable, between) = (Quantity::Count, 1.0, Between::of(0.1, 0.05));
    if both.exceptions {
        let (subject, table, metric) = (Subject::Exceptions, "exceptions", Some("exceptions"));
        let name = "exceptions thrown, by type";
        let thrown = Measure { subject, name, quantity, between, notable, table, metric, ..LIST };
        list(book, &thrown, Key::Type, sides, &|scope| {
            let rows = &scope.recording().exceptions;
            Rows::counted(scope, &rows.class, &rows.ts_ns)
        });
    }
    if both.logs {
        let (subject, table, metric) = (Subject::Logs, "logs", None);
        let (name, importance, between) = ("log lines, by level", 0.3, Between::of(0.1, 1.0));
        let lines = Measure { subject, name, quantity, between, importance, ..LIST };
        let lines = Measure { notable, table, metric, ..lines };
        list(book, &lines, Key::Word, sides, &|scope| {
            let rows = &scope.recording().logs;
            Rows::counted(scope, &rows.level, &rows.ts_ns)
        });
    }
}

/// Whether enough frames of the stacks of a table have names in both recordings. If not, the book says so.
fn have_names(
    book: &mut Book,
    what: &str,
    sides: [&Scope<'_>; 2],
    stacks: impl for<'a> Fn(&'a Trace) -> &'a Vec<Option<StackId>>,
) -> bool {
    for (scope, which) in sides.into_iter().zip(["before", "after"]) {
        let unnamed = unnamed_share(scope.recording(), stacks(scope.recording()));
        if unnamed > MAX_UNNAMED {
            book.not_compared(what, too_few(unnamed, which));
            return false;
        }
    }
    true
}

/// The share of the frames of these stacks that have no name. Walks each distinct stack once.
fn unnamed_share(recording: &Trace, stacks: &[Option<StackId>]) -> f64 {
    let is_unnamed = |frame: FrameId| recording.frames.method.get(frame).is_none_or(|of| *of == Sym::NONE);
    let mut counts: FxHashMap<Option<StackId>, FrameCounts> = FxHashMap::default();
    let mut all = FrameCounts::default();
    for stack in stacks {
        let of_stack = *counts.entry(*stack).or_insert_with(|| {
            let mut of_stack = FrameCounts::default();
            for node in recording.stacks.walk(*stack) {
                let frame = recording.stacks.frame.get(node);
                of_stack.frames += 1.0;
                of_stack.unnamed += if frame.is_none_or(|frame| is_unnamed(*frame)) { 1.0 } else { 0.0 };
            }
            of_stack
        });
        all.frames += of_stack.frames;
        all.unnamed += of_stack.unnamed;
    }
    if all.frames > 0.0 { all.unnamed / all.frames } else { 0.0 }
}

/// Numbers of frames.
#[derive(Debug, Clone, Copy, Default)]
struct FrameCounts {
    frames: f64,
    unnamed: f64,
}

/// Adds what threads waited for, from samples.
pub(crate) fn waiting_on(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let measure = Measure {
        subject: Subject::Wait,
        name: "threads waiting, by reason",
        quantity: Quantity::Level("threads"),
        between: Between::whole(0.1),
        importance: 0.5,
        notable: 1.0,
        table: "samples",
        metric: Some("waiting"),
        ..LIST
    };
    list(book, &measure, Key::Word, [before, after], &|scope| {
        let waiting_on = &scope.recording().samples.waiting_on;
        Rows::of_samples(scope, |at| waiting_on.get(at).copied().filter(|on| *on != Sym::NONE))
    });
}

/// Adds the average number of threads by what they are for, from samples.
pub(crate) fn thread_kinds(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let measure = Measure {
        subject: Subject::Threads,
        name: "threads, by kind",
        quantity: Quantity::Level("threads"),
        better: Better::Neither,
        between: Between::whole(0.1),
        importance: 0.4,
        notable: 4.0,
        table: "samples",
        metric: Some("wall"),
        ..LIST
    };
    list(book, &measure, Key::Word, [before, after], &|scope| {
        let recording = scope.recording();
        let threads = &recording.threads;
        let by_id: FxHashMap<i64, Sym> =
            threads.thread.iter().copied().zip(threads.kind.iter().copied()).collect();
        Rows::of_samples(scope, |at| {
            let number = *recording.samples.thread.get(at)?;
            let id = recording.thread_ids.get(number);
            Some(id.and_then(|id| by_id.get(id)).copied().unwrap_or(Sym::NONE))
        })
    });
}

/// The bytes of the sampled allocations, by a key of each.
fn allocated<'a>(scope: &'a Scope<'a>, mut key: impl FnMut(&AllocationRow) -> Sym) -> Rows<'a> {
    let rows = scope.allocations().map(|row| KeyedRow::new(key(&row), row.ts_ns, row.weight_bytes));
    Rows::of_events(scope, rows.collect())
}

/// The method to name for a stack. Walks each distinct stack once.
fn named(scope: &Scope<'_>, names: &mut FxHashMap<Option<StackId>, Sym>, stack: Option<StackId>) -> Sym {
    *names.entry(stack).or_insert_with(|| scope.side.index.named_frame(scope.recording(), stack))
}

/// Seconds waited, by the method to name for the stack.
fn places<'a>(scope: &'a Scope<'a>, times: &[i64], lengths: &[i64], stacks: &[Option<StackId>]) -> Rows<'a> {
    let mut names: FxHashMap<Option<StackId>, Sym> = FxHashMap::default();
    let rows = times.iter().zip(lengths).zip(stacks).filter(|((_, ns), _)| **ns != NO_INT && **ns >= 0);
    let rows =
        rows.map(|((at, ns), stack)| KeyedRow::new(named(scope, &mut names, *stack), *at, real(*ns) / 1e9));
    Rows::of_events(scope, rows.collect())
}

/// Adds a row for each key that has a large sum in either recording.
fn list<'a>(
    book: &mut Book,
    measure: &Measure,
    key: Key,
    [before, after]: [&'a Scope<'a>; 2],
    rows: &dyn Fn(&'a Scope<'a>) -> Rows<'a>,
) {
    let (before, after) = (rows(before), rows(after));
    let (sums_before, sums_after) = (sums(&before), sums(&after));
    let mut names: BTreeSet<Cow<'_, str>> = BTreeSet::new();
    for sums in [&sums_before, &sums_after] {
        let whole: f64 = sums.iter().map(|(_, sum)| sum).sum();
        let chosen = sums.iter().take(MAX_KEYS).filter(|(_, sum)| *sum >= MIN_SHARE * whole);
        names.extend(chosen.map(|(name, _)| name.clone()));
    }
    let whole = |rows: &Rows<'_>| {
        let base: f64 = rows.course.base_of(measure.quantity).iter().sum();
        let inside = rows.all.iter().filter(|row| rows.course.grid.piece(row.ts_ns).is_some());
        if base > 0.0 { inside.map(|row| row.weight).sum::<f64>() / base } else { 0.0 }
    };
    let wholes = (whole(&before), whole(&after));
    let tallies = |rows| tallies(rows, measure.quantity, &names);
    for (name, (of_before, of_after)) in names.iter().zip(tallies(&before).iter().zip(&tallies(&after))) {
        let full = of_after.full.or(of_before.full);
        let of = Of {
            name: name.as_ref().into(),
            method: full.filter(|_| key == Key::Method),
            class: full.filter(|_| key == Key::Type),
            is_handler: key == Key::Method && (of_after.is_handler || of_before.is_handler),
            wholes: Some(wholes),
            ..Of::default()
        };
        book.tallies(measure, of, Some(&of_before.tally), Some(&of_after.tally));
    }
    let all: BTreeSet<&Cow<'_, str>> = sums_before.iter().chain(&sums_after).map(|(name, _)| name).collect();
    book.left_out(all.len().saturating_sub(names.len()), measure.name);
}

/// The name of a key. Only methods have the names of handlers.
fn name<'a>(scope: &'a Scope<'_>, key: Sym) -> Cow<'a, str> {
    if scope.text(key).is_empty() {
        Cow::Borrowed(NOT_RECORDED)
    } else {
        scope.names.of(scope.recording(), key)
    }
}

/// The sum of each name over the observed time, the largest first.
fn sums<'a>(rows: &Rows<'a>) -> Vec<(Cow<'a, str>, f64)> {
    let mut of_keys: FxHashMap<Sym, f64> = FxHashMap::default();
    for row in &rows.all {
        if rows.course.grid.piece(row.ts_ns).is_some() {
            *of_keys.entry(row.key).or_default() += row.weight;
        }
    }
    // Several keys may have one name.
    let mut of_keys: Vec<(Sym, f64)> = of_keys.into_iter().collect();
    of_keys.sort_unstable_by_key(|(key, _)| *key);
    let mut sums: FxHashMap<Cow<'a, str>, f64> = FxHashMap::default();
    for (key, sum) in of_keys {
        *sums.entry(name(rows.scope, key)).or_default() += sum;
    }
    let mut sums: Vec<(Cow<'a, str>, f64)> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sums
}

/// The rows of one name in one recording.
#[derive(Debug)]
struct OfName<'a> {
    tally: Tally,
    /// The name with its addresses. `None` if the recording does not have it.
    full: Option<&'a str>,
    is_handler: bool,
}

/// The rows of the chosen names in pieces, in the order of the names. The tally of a name that the recording does not have
/// is empty.
fn tallies<'a>(rows: &Rows<'a>, quantity: Quantity, names: &BTreeSet<Cow<'_, str>>) -> Vec<OfName<'a>> {
    let Rows { scope, course, all } = rows;
    let empty = || OfName {
        tally: Tally::of_base(course.base_of(quantity), &course.ramp),
        full: None,
        is_handler: false,
    };
    let mut tallies: Vec<OfName<'a>> = names.iter().map(|_| empty()).collect();
    let by_name: FxHashMap<&str, usize> =
        names.iter().enumerate().map(|(at, name)| (name.as_ref(), at)).collect();
    let mut slots: FxHashMap<Sym, Option<usize>> = FxHashMap::default();
    for KeyedRow { key, ts_ns, weight } in all {
        let slot = *slots.entry(*key).or_insert_with(|| by_name.get(name(scope, *key).as_ref()).copied());
        let (Some(of), Some(piece)) =
            (slot.and_then(|slot| tallies.get_mut(slot)), course.grid.piece(*ts_ns))
        else {
            continue;
        };
        of.tally.count(piece, *weight);
        of.is_handler |= scope.names.is_handler(*key);
        of.full = of.full.or_else(|| scope.recording().strings.get(*key).filter(|text| !text.is_empty()));
    }
    tallies
}
