//! Spans by name: how many there were, and how long they took. Requests have rows of their own (`latency`).

use crate::book::{Book, Measure, Of, Quantity};
use crate::many::Tier;
use crate::noise::Between;
use crate::scope::Scope;
use crate::tally::Tally;
use base::number::real;
use model::{NO_INT, SpanRow, Sym};
use report::{Better, Subject};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// How many names of each recording are compared: those with the most spans.
const MAX_NAMES: usize = 60;

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
    name: "mean time of a span, by name",
    quantity: Quantity::Level("ms"),
    better: Better::Lower,
    between: Between::of(0.08, 0.05),
    importance: 0.7,
    notable: 2.0,
    ..CALLS
};

/// Adds the rows of spans, if both recordings have spans.
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
    let listed = all_before.iter().take(MAX_NAMES).chain(all_after.iter().take(MAX_NAMES));
    let listed: BTreeSet<&str> = listed.copied().collect();
    let (of_before, of_after) = (tallies(before, &listed), tallies(after, &listed));
    for (name, (before, after)) in listed.iter().zip(of_before.iter().zip(&of_after)) {
        book.tallies(&CALLS, Of::named(*name), Some(&before.spans), Some(&after.spans));
        book.tallies(&TIME, Of::named(*name), Some(&before.time), Some(&after.time));
    }
    let all: BTreeSet<&str> = all_before.into_iter().chain(all_after).collect();
    book.left_out(all.len().saturating_sub(listed.len()), CALLS.name);
}

/// Spans of known length that are not requests to the service itself.
fn calls(scope: &Scope<'_>) -> impl Iterator<Item = SpanRow> {
    let rows = &scope.recording().spans;
    let server = scope.recording().strings.find("Server");
    let rows = (0..rows.start_ns.len()).filter_map(|at| rows.row(at));
    rows.filter(move |row| Some(row.kind) != server && row.dur_ns != NO_INT && row.dur_ns >= 0)
}

/// All names, those with the most spans first.
fn names<'a>(scope: &Scope<'a>) -> Vec<&'a str> {
    let mut counts: FxHashMap<Sym, u64> = FxHashMap::default();
    for row in calls(scope) {
        *counts.entry(row.name).or_default() += 1;
    }
    let mut names: Vec<(u64, &str)> =
        counts.into_iter().map(|(name, spans)| (spans, scope.text(name))).collect();
    names.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    names.into_iter().map(|(_, name)| name).collect()
}

/// The spans of one name.
struct OfName {
    /// How many there were.
    spans: Tally,
    /// How many milliseconds they took on average.
    time: Tally,
}

/// The tallies of each name, in the order of the names.
fn tallies(scope: &Scope<'_>, names: &BTreeSet<&str>) -> Vec<OfName> {
    let course = &scope.events;
    let empty =
        || OfName { spans: Tally::of_base(&course.base, &course.ramp), time: Tally::mean(&course.ramp) };
    let mut tallies: Vec<OfName> = names.iter().map(|_| empty()).collect();
    let places: FxHashMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    for row in calls(scope) {
        let of_name = places.get(scope.text(row.name)).and_then(|at| tallies.get_mut(*at));
        if let (Some(of_name), Some(piece)) = (of_name, course.grid.piece(row.start_ns)) {
            of_name.spans.count(piece, 1.0);
            of_name.time.value(piece, real(row.dur_ns) / 1e6, 1.0);
        }
    }
    tallies
}
