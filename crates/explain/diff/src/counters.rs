//! Counters and meters as published, one row a name, kind and set of tags.
//!
//! Nothing is known of them but their kind: what was counted in an interval is divided by the basis, anything else is
//! a level. What a service counts under its own names shows here; what the runtime counts has figures of its own as
//! well, so these rows stand behind.

use crate::book::{Book, Family, Measure, Of, Quantity};
use crate::latency::METER;
use crate::noise::Tally;
use crate::scope::Scope;
use model::Sym;
use report::{Better, Subject};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// How many counters are compared; names and tags are texts that anyone may send.
const MOST_COUNTERS: usize = 500;
/// The largest value that is believed, as figures have it.
const MOST: f64 = 1e15;

/// Provider, name, tags, kind.
type Key<'a> = (&'a str, &'a str, &'a str, &'a str);

const COUNTER: Measure = Measure {
    subject: Subject::Counter,
    name: "",
    quantity: Quantity::Level(""),
    better: Better::Neither,
    family: Family::Counters,
    importance: 0.25,
    notable: 0.0,
    table: "counters",
    metric: None,
};

/// Adds the counters that both recordings have; counts those that one has alone.
pub(crate) fn add(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let (keys_before, keys_after) = (keys(before), keys(after));
    let common: Vec<Key<'_>> =
        keys_before.keys().filter(|key| keys_after.contains_key(*key)).take(MOST_COUNTERS).copied().collect();
    let (of_before, of_after) = (tallies(before, &common), tallies(after, &common));
    for key in &common {
        let (provider, name, tags, kind) = *key;
        let unit = keys_after.get(key).copied().unwrap_or_default();
        let tags = if matches!(tags, "" | "{}") { String::new() } else { format!(" {tags}") };
        let (unit, notable) = unit_of(unit, kind);
        // What the runtime counts has figures of its own.
        let importance = if provider == "System.Runtime" { 0.03 } else { COUNTER.importance };
        let measure = Measure { quantity: quantity(kind), importance, notable, ..COUNTER };
        let of = Of {
            name: format!("{provider} {name}{tags}").into(),
            measure: Some(kind.to_owned()),
            unit: (!is_counted(kind)).then_some(unit.as_ref()),
            ..Of::default()
        };
        book.tallies(&measure, of, of_before.get(key), of_after.get(key));
    }
    let shared = keys_before.keys().filter(|key| keys_after.contains_key(*key)).count();
    book.left_out(shared.saturating_sub(common.len()), "counters, by the order of their names");
    for (keys, which) in [(&keys_before, "before"), (&keys_after, "after")] {
        let alone = keys.len().saturating_sub(shared);
        if alone > 0 {
            let sets = if alone == 1 {
                "1 counter or set of tags".to_owned()
            } else {
                format!("{alone} counters or sets of tags")
            };
            book.not_compared(sets, format!("only the recording {which} has them"));
        }
    }
}

/// A published unit as figures write it, and the level from which on a value of it matters.
fn unit_of<'a>(published: &'a str, kind: &str) -> (Cow<'a, str>, f64) {
    let bare = match published {
        "By" => "B",
        // UCUM writes what is counted in braces.
        counted if counted.starts_with('{') => "",
        other => other,
    };
    let notable = match bare {
        "B" => 1e6,
        "s" => 0.01,
        _ => 1.0,
    };
    match (kind, bare) {
        ("rate", "") => (Cow::Borrowed("1/s"), notable),
        ("rate", bare) => (Cow::Owned(format!("{bare}/s")), notable),
        (_, bare) => (Cow::Borrowed(bare), notable),
    }
}

/// Whether values are counts of an interval, which add up.
fn is_counted(kind: &str) -> bool {
    matches!(kind, "count" | "sum")
}

fn quantity(kind: &str) -> Quantity {
    if is_counted(kind) { Quantity::Count } else { Quantity::Level("") }
}

/// The counters of a recording, and the unit of each. Latency of requests has rows of its own; a total is told by its
/// rate.
fn keys<'a>(scope: &Scope<'a>) -> BTreeMap<Key<'a>, &'a str> {
    let rows = &scope.recording().counters;
    let mut seen: BTreeSet<(Sym, Sym, Sym, Sym, Sym)> = BTreeSet::new();
    let columns = rows.provider.iter().zip(&rows.name).zip(&rows.tags).zip(&rows.kind).zip(&rows.unit);
    for ((((provider, name), tags), kind), unit) in columns {
        seen.insert((*provider, *name, *tags, *kind, *unit));
    }
    let text = |sym| scope.text(sym);
    let wanted =
        seen.into_iter().filter(|(_, name, _, kind, _)| text(*name) != METER && text(*kind) != "total");
    wanted
        .map(|(provider, name, tags, kind, unit)| {
            ((text(provider), text(name), text(tags), text(kind)), text(unit))
        })
        .collect()
}

fn tallies<'a>(scope: &Scope<'a>, keys: &[Key<'a>]) -> BTreeMap<Key<'a>, Tally> {
    let empty = |key: &Key<'a>| {
        let tally = if is_counted(key.3) {
            Tally::of_base(&scope.events.base, &scope.events.ramp)
        } else {
            Tally::mean(&scope.events.ramp)
        };
        (*key, tally)
    };
    let mut tallies: BTreeMap<Key<'a>, Tally> = keys.iter().map(empty).collect();
    let rows = &scope.recording().counters;
    for row in (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)) {
        let key =
            (scope.text(row.provider), scope.text(row.name), scope.text(row.tags), scope.text(row.kind));
        let Some(tally) = tallies.get_mut(&key).filter(|_| row.value.abs() <= MOST) else { continue };
        let Some(piece) = scope.events.grid.piece(row.ts_ns) else { continue };
        if is_counted(key.3) {
            tally.add(piece, row.value);
        } else {
            tally.value(piece, row.value, 1.0);
        }
    }
    tallies
}
