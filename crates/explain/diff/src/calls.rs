//! Spans by their names: how many there were, how long one took. Requests have rows of their own.

use crate::book::{Book, Measure, Of, Quantity};
use crate::many::Tier;
use crate::noise::{Between, Tally};
use crate::scope::Scope;
use base::number::real;
use model::{NO_INT, Sym};
use report::{Better, Subject};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// How many names of each recording are compared, those with most spans first.
const MOST_NAMES: usize = 60;

const CALLS: Measure = Measure {
    subject: Subject::Calls,
    name: "spans, by name",
    quantity: Quantity::Count,
    better: Better::Neither,
    tier: Tier::Details,
    between: Between::of(0.05, 0.05),
    importance: 0.4,
    notable: 1.0,
    table: "spans",
    metric: None,
};
const TIME: Measure = Measure {
    name: "time of a span on average, by name",
    quantity: Quantity::Level("ms"),
    better: Better::Lower,
    between: Between::of(0.08, 0.05),
    importance: 0.7,
    notable: 2.0,
    ..CALLS
};

/// Adds them, where both recordings have any.
pub(crate) fn add(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let has = |scope: &Scope<'_>| !scope.recording().spans.start_ns.is_empty();
    match (has(before), has(after)) {
        (true, true) => {}
        (false, false) => return,
        (of_before, _) => {
            let which = if of_before { "after" } else { "before" };
            book.not_compared("spans", format!("the recording {which} has none (profile requests)"));
            return;
        }
    }
    let (all_before, all_after) = (names(before), names(after));
    let listed = all_before.iter().take(MOST_NAMES).chain(all_after.iter().take(MOST_NAMES));
    let listed: BTreeSet<&str> = listed.copied().collect();
    let (of_before, of_after) = (tallies(before, &listed), tallies(after, &listed));
    for (name, (before, after)) in listed.iter().zip(of_before.iter().zip(&of_after)) {
        book.tallies(&CALLS, Of::named(*name), Some(&before.0), Some(&after.0));
        book.tallies(&TIME, Of::named(*name), Some(&before.1), Some(&after.1));
    }
    let all: BTreeSet<&str> = all_before.into_iter().chain(all_after).collect();
    book.left_out(all.len().saturating_sub(listed.len()), CALLS.name);
}

/// Rows that are calls: begin, name, length.
fn calls(scope: &Scope<'_>) -> impl Iterator<Item = (i64, Sym, i64)> {
    let rows = &scope.recording().spans;
    let server = scope.recording().strings.find("Server");
    let rows_of = (0..rows.start_ns.len()).filter_map(|at| rows.row(at));
    let calls =
        rows_of.filter(move |row| Some(row.kind) != server && row.dur_ns != NO_INT && row.dur_ns >= 0);
    calls.map(|row| (row.start_ns, row.name, row.dur_ns))
}

/// Names, those with most spans first.
fn names<'a>(scope: &Scope<'a>) -> Vec<&'a str> {
    let mut counts: FxHashMap<Sym, u64> = FxHashMap::default();
    for (_, name, _) in calls(scope) {
        *counts.entry(name).or_default() += 1;
    }
    let mut names: Vec<(u64, &str)> =
        counts.into_iter().map(|(name, many)| (many, scope.text(name))).collect();
    names.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    names.into_iter().map(|(_, name)| name).collect()
}

/// How many, and how long on average, in the order of the names.
fn tallies(scope: &Scope<'_>, names: &BTreeSet<&str>) -> Vec<(Tally, Tally)> {
    let course = &scope.events;
    let empty = || (Tally::of_base(&course.base, &course.ramp), Tally::mean(&course.ramp));
    let mut tallies: Vec<(Tally, Tally)> = names.iter().map(|_| empty()).collect();
    let places: FxHashMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    for (start_ns, name, dur_ns) in calls(scope) {
        let place = places.get(scope.text(name)).and_then(|at| tallies.get_mut(*at));
        if let (Some((many, time)), Some(piece)) = (place, course.grid.piece(start_ns)) {
            many.count(piece, 1.0);
            time.value(piece, real(dur_ns) / 1e6, 1.0);
        }
    }
    tallies
}
