//! Rows by what they are of: allocations by type and caller, waits by place, exceptions by type.
//!
//! Sums by key decide which keys are looked at in pieces, so that a recording of a million types costs no more than
//! one of a thousand.

use crate::MOST_UNNAMED;
use crate::book::{Book, Measure, Of, Quantity};
use crate::figures::{Both, weight};
use crate::many::Tier;
use crate::names::stable;
use crate::noise::{Between, Tally};
use crate::scope::{Course, Scope};
use base::number::real;
use model::{NO_INT, Sym, Trace};
use report::{Better, Subject};
use runtime::counted_allocations;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// How many keys of each recording are compared, those with most first.
const MOST_KEYS: usize = 150;
/// A key that is a smaller part of both wholes is not listed.
const LEAST_SHARE: f64 = 0.002;
/// What stands for a text that the recording does not give.
const NOT_TOLD: &str = "not told";

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Type,
    Method,
    Word,
}

/// A key, a time, a weight.
type KeyedRow = (Sym, i64, f64);

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

/// Adds the lists of what both recordings tell of.
pub(crate) fn add(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>, both: Both) {
    if both.allocations {
        let types = Measure { name: "allocated, by type", ..LIST };
        keyed(book, &types, Key::Type, (before, allocated(before)), (after, allocated(after)));
        let callers = Measure { name: "allocated, by caller", ..LIST };
        if have_names(book, callers.name, [before, after], |of| &of.allocations.stack) {
            keyed(book, &callers, Key::Method, (before, allocated_by(before)), (after, allocated_by(after)));
        }
    }
    let (quantity, notable, between) = (Quantity::ThreadSeconds, 0.05, Between::of(0.1, 0.005));
    if both.contention {
        let (subject, table, metric) = (Subject::Contention, "contention", Some("contention-time"));
        let name = "threads waiting for locks, by place";
        let locks = Measure { subject, name, quantity, between, table, metric, ..LIST };
        let locks = Measure { notable, importance: 0.7, ..locks };
        let rows = |scope: &Scope<'_>| {
            let rows = &scope.recording().contention;
            places(scope, &rows.ts_ns, &rows.dur_ns, &rows.stack)
        };
        if have_names(book, locks.name, [before, after], |of| &of.contention.stack) {
            keyed(book, &locks, Key::Method, (before, rows(before)), (after, rows(after)));
        }
    }
    if both.waits {
        let (subject, table, metric) = (Subject::Wait, "waits", Some("wait-time"));
        let name = "threads waiting for handles, by place";
        let quantity = Quantity::Level("threads");
        let between = Between::whole(0.1);
        let waits = Measure { subject, name, quantity, between, table, metric, ..LIST };
        let waits = Measure { notable: 1.0, importance: 0.3, ..waits };
        let rows = |scope: &Scope<'_>| {
            let rows = &scope.recording().waits;
            places(scope, &rows.ts_ns, &rows.dur_ns, &rows.stack)
        };
        if have_names(book, waits.name, [before, after], |of| &of.waits.stack) {
            keyed(book, &waits, Key::Method, (before, rows(before)), (after, rows(after)));
        }
    }
    let (quantity, notable, between) = (Quantity::Count, 1.0, Between::of(0.1, 0.05));
    if both.exceptions {
        let (subject, table, metric) = (Subject::Exceptions, "exceptions", Some("exceptions"));
        let name = "exceptions thrown, by type";
        let thrown = Measure { subject, name, quantity, between, notable, table, metric, ..LIST };
        let rows = |scope: &Scope<'_>| {
            let rows = &scope.recording().exceptions;
            rows.class.iter().zip(&rows.ts_ns).map(|(class, ns)| (*class, *ns, 1.0)).collect()
        };
        keyed(book, &thrown, Key::Type, (before, rows(before)), (after, rows(after)));
    }
    if both.logs {
        let (subject, table, metric) = (Subject::Logs, "logs", None);
        let (name, importance, between) = ("log lines, by level", 0.3, Between::of(0.1, 1.0));
        let lines = Measure { subject, name, quantity, between, importance, ..LIST };
        let lines = Measure { notable, table, metric, ..lines };
        let rows = |scope: &Scope<'_>| {
            let rows = &scope.recording().logs;
            rows.level.iter().zip(&rows.ts_ns).map(|(level, ns)| (*level, *ns, 1.0)).collect()
        };
        keyed(book, &lines, Key::Word, (before, rows(before)), (after, rows(after)));
    }
}

/// Whether the stacks of a table's rows have names in both recordings. Without them, the methods of one side look as if
/// they were gone.
fn have_names(
    book: &mut Book,
    what: &str,
    sides: [&Scope<'_>; 2],
    stacks: impl for<'a> Fn(&'a Trace) -> &'a Vec<u32>,
) -> bool {
    for (scope, which) in sides.into_iter().zip(["before", "after"]) {
        let unnamed = unnamed_share(scope, stacks(scope.recording()));
        if unnamed > MOST_UNNAMED {
            let share = report::unit::show(unnamed, "share");
            let why = format!("{share} of the frames of the recording {which} have no name");
            book.not_compared(what, why);
            return false;
        }
    }
    true
}

/// The share of the frames of these stacks that have no name; each stack is looked at once.
fn unnamed_share(scope: &Scope<'_>, stacks: &[u32]) -> f64 {
    let recording = scope.recording();
    let is_unnamed =
        |frame: u32| recording.frames.method.get(frame as usize).is_none_or(|of| *of == Sym::NONE);
    let mut counts: FxHashMap<u32, [f64; 2]> = FxHashMap::default();
    let [mut all, mut unnamed] = [0.0, 0.0];
    for stack in stacks {
        let [frames, without] = *counts.entry(*stack).or_insert_with(|| {
            let frames = recording.stacks.walk(*stack);
            frames.fold([0.0, 0.0], |[all, unnamed], node| {
                let frame = recording.stacks.frame.get(node as usize);
                let is_unnamed = frame.is_none_or(|frame| is_unnamed(*frame));
                [all + 1.0, unnamed + if is_unnamed { 1.0 } else { 0.0 }]
            })
        });
        all += frames;
        unnamed += without;
    }
    if all > 0.0 { unnamed / all } else { 0.0 }
}

/// Adds what threads waited for, by the sampler.
pub(crate) fn waiting_on(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>, looks: (&[f64], &[f64])) {
    let measure = Measure {
        subject: Subject::Wait,
        name: "threads waiting, by what for",
        quantity: Quantity::Level("threads"),
        between: Between::whole(0.1),
        importance: 0.5,
        notable: 1.0,
        table: "samples",
        metric: Some("waiting"),
        ..LIST
    };
    let rows = |scope: &Scope<'_>, looks: &[f64]| -> Vec<KeyedRow> {
        let rows = &scope.recording().samples;
        let course = &scope.samples;
        let told = rows.waiting_on.iter().zip(&rows.ts_ns).filter(|(on, _)| **on != Sym::NONE);
        let weighed = told.filter_map(|(on, ns)| {
            let piece = course.grid.piece(*ns)?;
            Some((*on, *ns, weight(course, looks, piece)))
        });
        weighed.collect()
    };
    let (of_before, of_after) = (rows(before, looks.0), rows(after, looks.1));
    let courses = (&before.samples, &after.samples);
    keyed_in(book, &measure, Key::Word, &(before, courses.0, of_before), &(after, courses.1, of_after));
}

/// Adds threads on average, by what they are for.
pub(crate) fn thread_kinds(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>, looks: (&[f64], &[f64])) {
    let measure = Measure {
        subject: Subject::Threads,
        name: "threads, by what they are for",
        quantity: Quantity::Level("threads"),
        better: Better::Neither,
        between: Between::whole(0.1),
        importance: 0.4,
        notable: 4.0,
        table: "samples",
        metric: Some("wall"),
        ..LIST
    };
    let rows = |scope: &Scope<'_>, looks: &[f64]| -> Vec<KeyedRow> {
        let recording = scope.recording();
        let threads = &recording.threads;
        let by_id: FxHashMap<i64, Sym> =
            threads.thread.iter().copied().zip(threads.kind.iter().copied()).collect();
        let kind = |number: &u32| {
            let id = recording.thread_ids.get(*number as usize);
            id.and_then(|id| by_id.get(id)).copied().unwrap_or(Sym::NONE)
        };
        let rows = recording.samples.ts_ns.iter().zip(&recording.samples.thread);
        let weighed = rows.filter_map(|(ns, thread)| {
            let piece = scope.samples.grid.piece(*ns)?;
            Some((kind(thread), *ns, weight(&scope.samples, looks, piece)))
        });
        weighed.collect()
    };
    let (of_before, of_after) = (rows(before, looks.0), rows(after, looks.1));
    let courses = (&before.samples, &after.samples);
    keyed_in(book, &measure, Key::Word, &(before, courses.0, of_before), &(after, courses.1, of_after));
}

/// The sampled allocations that count, by type.
pub(crate) fn allocated(scope: &Scope<'_>) -> Vec<KeyedRow> {
    let rows = counted_allocations(scope.recording());
    rows.filter(|row| row.weight_bytes >= 0.0).map(|row| (row.class, row.ts_ns, row.weight_bytes)).collect()
}

fn allocated_by(scope: &Scope<'_>) -> Vec<KeyedRow> {
    let mut names: FxHashMap<u32, Sym> = FxHashMap::default();
    let rows = counted_allocations(scope.recording()).filter(|row| row.weight_bytes >= 0.0);
    rows.map(|row| (named(scope, &mut names, row.stack), row.ts_ns, row.weight_bytes)).collect()
}

/// The method to name for a stack; each stack is looked at once.
fn named(scope: &Scope<'_>, names: &mut FxHashMap<u32, Sym>, stack: u32) -> Sym {
    *names.entry(stack).or_insert_with(|| scope.side.index.named_frame(scope.recording(), stack))
}

/// Seconds waited, by the method to name for the stack.
fn places(scope: &Scope<'_>, times: &[i64], lengths: &[i64], stacks: &[u32]) -> Vec<KeyedRow> {
    let mut names: FxHashMap<u32, Sym> = FxHashMap::default();
    let rows = times.iter().zip(lengths).zip(stacks).filter(|((_, ns), _)| **ns != NO_INT && **ns >= 0);
    let seconds = |ns: i64| real(ns) / 1e9;
    rows.map(|((at, ns), stack)| (named(scope, &mut names, *stack), *at, seconds(*ns))).collect()
}

type Keyed<'a> = (&'a Scope<'a>, Vec<KeyedRow>);

fn keyed(book: &mut Book, measure: &Measure, key: Key, before: Keyed<'_>, after: Keyed<'_>) {
    let times = |rows: &[KeyedRow]| rows.iter().map(|row| row.1).collect::<Vec<i64>>();
    let (of_before, of_after) = (before.0.course(&times(&before.1)), after.0.course(&times(&after.1)));
    keyed_in(book, measure, key, &(before.0, of_before, before.1), &(after.0, of_after, after.1));
}

/// One side: the recording, the time that rows are of, the rows.
type KeyedIn<'a> = (&'a Scope<'a>, &'a Course, Vec<KeyedRow>);

fn keyed_in(book: &mut Book, measure: &Measure, key: Key, before: &KeyedIn<'_>, after: &KeyedIn<'_>) {
    let (sums_before, sums_after) = (sums(before), sums(after));
    let mut names: BTreeSet<Cow<'_, str>> = BTreeSet::new();
    for (scope, sums) in [(before.0, &sums_before), (after.0, &sums_after)] {
        let whole: f64 = sums.iter().map(|(_, sum)| sum).sum();
        let chosen = sums.iter().take(MOST_KEYS).filter(|(_, sum)| *sum >= LEAST_SHARE * whole);
        names.extend(chosen.map(|(key, _)| name(scope, *key)));
    }
    let (base_before, base_after) = (before.1.base_of(measure.quantity), after.1.base_of(measure.quantity));
    let (of_before, of_after) = (tallies(before, base_before, &names), tallies(after, base_after, &names));
    let mut wholes = [0.0; 2];
    for (whole, (base, (_, course, rows))) in
        wholes.iter_mut().zip([(base_before, before), (base_after, after)])
    {
        let inside = rows.iter().filter(|row| course.grid.piece(row.1).is_some());
        let base: f64 = base.iter().sum();
        *whole = if base > 0.0 { inside.map(|row| row.2).sum::<f64>() / base } else { 0.0 };
    }
    for (name, (before, after)) in names.iter().zip(of_before.iter().zip(&of_after)) {
        let full = after.full.or(before.full);
        let of = Of {
            name: name.as_ref().into(),
            method: full.filter(|_| key == Key::Method),
            class: full.filter(|_| key == Key::Type),
            wholes: Some((wholes[0], wholes[1])),
            ..Of::default()
        };
        book.tallies(measure, of, Some(&before.tally), Some(&after.tally));
    }
    let mut all: BTreeSet<Cow<'_, str>> = sums_before.iter().map(|(key, _)| name(before.0, *key)).collect();
    all.extend(sums_after.iter().map(|(key, _)| name(after.0, *key)));
    book.left_out(all.len().saturating_sub(names.len()), measure.name);
}

fn name<'a>(scope: &Scope<'a>, key: Sym) -> Cow<'a, str> {
    let name = scope.recording().strings.get(key).unwrap_or(NOT_TOLD);
    if name.is_empty() { Cow::Borrowed(NOT_TOLD) } else { stable(name) }
}

/// Sums by key in what was observed, the largest first.
fn sums((scope, course, rows): &KeyedIn<'_>) -> Vec<(Sym, f64)> {
    let mut sums: FxHashMap<Sym, f64> = FxHashMap::default();
    for (key, ns, weight) in rows {
        if course.grid.piece(*ns).is_some() {
            *sums.entry(*key).or_default() += weight;
        }
    }
    let mut sums: Vec<(Sym, f64)> = sums.into_iter().collect();
    let text = |key: Sym| scope.text(key);
    sums.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| text(a.0).cmp(text(b.0))));
    sums
}

/// What a recording has of a name.
#[derive(Debug)]
struct OfName<'a> {
    tally: Tally,
    /// The name with its addresses, where the recording has it.
    full: Option<&'a str>,
}

/// The rows of the chosen names in pieces, in the order of the names; a name that a recording does not have has none
/// of it.
fn tallies<'a>(
    (scope, course, rows): &KeyedIn<'a>,
    base: &[f64],
    names: &BTreeSet<Cow<'_, str>>,
) -> Vec<OfName<'a>> {
    let empty = || OfName { tally: Tally::of_base(base, &course.ramp), full: None };
    let mut tallies: Vec<OfName<'a>> = names.iter().map(|_| empty()).collect();
    let by_name: FxHashMap<&str, usize> =
        names.iter().enumerate().map(|(at, name)| (name.as_ref(), at)).collect();
    let mut slots: FxHashMap<Sym, Option<usize>> = FxHashMap::default();
    for (key, ns, weight) in rows {
        let slot = *slots.entry(*key).or_insert_with(|| by_name.get(name(scope, *key).as_ref()).copied());
        let (Some(of), Some(piece)) = (slot.and_then(|slot| tallies.get_mut(slot)), course.grid.piece(*ns))
        else {
            continue;
        };
        of.tally.count(piece, *weight);
        of.full = of.full.or_else(|| scope.recording().strings.get(*key).filter(|text| !text.is_empty()));
    }
    tallies
}
