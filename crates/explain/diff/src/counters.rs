//! Counters and meters as published: one row per name, kind and set of tags.
//!
//! Only their kind is known: counts of an interval are divided by the basis, and anything else is a level. These are the
//! service's own counters, and those of the runtime that no other row has (`twins`).

use crate::book::{Book, Measure, Of, Quantity};
use crate::many::Tier;
use crate::noise::Between;
use crate::rounds::Rounds;
use crate::scope::Scope;
use crate::tally::Tally;
use crate::twins;
use model::{REQUESTS_METER, Sym};
use report::{Better, Subject};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// How many counters are compared; names and tags are texts that anyone may send.
const MAX_COUNTERS: usize = 500;
/// The largest value that is believed, as in figures.
const MOST: f64 = 1e15;

/// How the meters begin that the runtime sets at the end of a collection; until the first one, they say 0
/// (dotnet/runtime: RuntimeMetrics.cs, which reads `GC.GetGCMemoryInfo`).
const LAST_COLLECTION: &str = "dotnet.gc.last_collection.";
/// The event counters that it sets then (dotnet/runtime: RuntimeEventSource.cs).
const OF_LAST_COLLECTION: [&str; 7] =
    ["gen-0-size", "gen-1-size", "gen-2-size", "loh-size", "poh-size", "gc-committed", "gc-fragmentation"];

/// Which counter a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    instrument: Instrument<'a>,
    kind: &'a str,
}

/// A counter of any kind, with one set of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Instrument<'a> {
    provider: &'a str,
    name: &'a str,
    tags: &'a str,
}

const COUNTER: Measure = Measure {
    subject: Subject::Counter,
    name: "",
    quantity: Quantity::Level(""),
    better: Better::Neither,
    tier: Tier::Details,
    between: Between::of(0.15, 0.0),
    importance: 0.25,
    notable: 0.0,
    table: "counters",
    metric: None,
};

/// Adds the counters that both recordings have, and says how many only one has.
pub(crate) fn add(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let falling: BTreeSet<Instrument<'_>> = falling(before).chain(falling(after)).collect();
    let (keys_before, keys_after) = (keys(before, &falling), keys(after, &falling));
    let shared: Vec<Key<'_>> =
        keys_before.keys().filter(|key| keys_after.contains_key(*key)).copied().collect();
    let names: BTreeSet<(&str, &str)> =
        shared.iter().map(|key| (key.instrument.provider, key.instrument.name)).collect();
    // Of several names of one quantity, only one is compared.
    let once = |key: &&Key<'_>| {
        twins::of(key.instrument.provider, key.instrument.name).is_none_or(|(quantity, preferred)| {
            let is_figure = quantity.figures.iter().any(|figure| book.compares(figure));
            !is_figure && !preferred.iter().any(|name| names.contains(name))
        })
    };
    let single: Vec<Key<'_>> = shared.iter().filter(once).copied().collect();
    book.left_out(shared.len() - single.len(), "counters that another row covers");
    let common: Vec<Key<'_>> = single.iter().take(MAX_COUNTERS).copied().collect();
    book.left_out(single.len() - common.len(), "counters, by the order of their names");
    let (series_before, series_after) = (series(before, &common), series(after, &common));
    for key in &common {
        let (Some(of_before), Some(of_after)) = (series_before.get(key), series_after.get(key)) else {
            continue;
        };
        // Shared keys are in both maps.
        let unit = keys_after.get(key).copied().unwrap_or_default();
        compare(book, *key, unit, (before, of_before), (after, of_after));
    }
    for (keys, which) in [(&keys_before, "before"), (&keys_after, "after")] {
        let alone = keys.len().saturating_sub(shared.len());
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

/// What the values of a counter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// Counts of intervals.
    Counts,
    /// A total since the process began. How much it grew is compared.
    Total,
    /// A level.
    Level,
}

fn compare(
    book: &mut Book,
    key: Key<'_>,
    unit: &str,
    (before, of_before): (&Scope<'_>, &Series),
    (after, of_after): (&Scope<'_>, &Series),
) {
    let Key { instrument: Instrument { provider, name, tags }, kind } = key;
    let nature = match kind {
        "count" | "sum" => Nature::Counts,
        // Meters say which values are totals. An EventCounter does not: it is one if it has no unit and only grows.
        "value" if unit.is_empty() && of_before.only_grows() && of_after.only_grows() => Nature::Total,
        _ => Nature::Level,
    };
    let is_whole = nature == Nature::Level && kind != "rate" && of_before.is_whole() && of_after.is_whole();
    let tags = if matches!(tags, "" | "{}") { String::new() } else { format!(" {tags}") };
    let (unit, notable) = unit_of(unit, kind);
    // Figures say more of what the runtime counts.
    let importance = if provider == "System.Runtime" { 0.03 } else { COUNTER.importance };
    let quantity = if nature == Nature::Level { Quantity::Level("") } else { Quantity::Count };
    let between = between(&unit, is_whole);
    let measure = Measure { quantity, between, importance, notable, ..COUNTER };
    let of = Of {
        name: format!("{provider} {name}{tags}").into(),
        measure: Some(if nature == Nature::Total { "growth".to_owned() } else { kind.to_owned() }),
        unit: (nature == Nature::Level).then_some(unit.as_ref()),
        ..Of::default()
    };
    let (of_before, of_after) = (of_before.tally(before, nature), of_after.tally(after, nature));
    book.tallies(&measure, of, Some(&of_before), Some(&of_after));
}

/// What two runs of one service differ by. A size of memory depends on when the last collection was; a number of whole things
/// (connections, timers) varies as a Poisson count does.
fn between(unit: &str, is_whole: bool) -> Between {
    let (size, is_rate) = unit.strip_suffix("/s").map_or((unit, false), |size| (size, true));
    let least = match size {
        "B" => 1e6,
        "kB" => 1e3,
        "MB" | "%" => 1.0,
        "s" => 0.001,
        "ms" => 0.1,
        _ => return Between { whole: is_whole, ..Between::of(0.15, 0.1) },
    };
    Between::of(0.15, if is_rate { least / 10.0 } else { least })
}

/// A published unit as figures write it, and the level at which a value begins to matter.
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

/// Instruments that go up and down, but are published as totals with rates.
fn falling<'a>(scope: &Scope<'a>) -> impl Iterator<Item = Instrument<'a>> {
    let rows = &scope.recording().counters;
    let rate = scope.recording().strings.find("rate");
    let of_rows = (0..rows.ts_ns.len()).filter_map(|at| rows.row(at));
    let falls = of_rows.filter(move |row| row.value < 0.0 && Some(row.kind) == rate);
    falls.map(|row| instrument(scope, row.provider, row.name, row.tags))
}

fn instrument<'a>(scope: &Scope<'a>, provider: Sym, name: Sym, tags: Sym) -> Instrument<'a> {
    Instrument { provider: scope.text(provider), name: scope.text(name), tags: scope.text(tags) }
}

/// The counters of a recording that are compared, and the unit of each. Of a total with a rate, that is the rate, unless the
/// total falls: then it is a level. Latency of requests has rows of its own.
fn keys<'a>(scope: &Scope<'a>, falling: &BTreeSet<Instrument<'_>>) -> BTreeMap<Key<'a>, &'a str> {
    let rows = &scope.recording().counters;
    let mut seen: BTreeSet<(Sym, Sym, Sym, Sym, Sym)> = BTreeSet::new();
    let columns = rows.provider.iter().zip(&rows.name).zip(&rows.tags).zip(&rows.kind).zip(&rows.unit);
    for ((((provider, name), tags), kind), unit) in columns {
        seen.insert((*provider, *name, *tags, *kind, *unit));
    }
    let keys = seen.into_iter().map(|(provider, name, tags, kind, unit)| {
        let instrument = instrument(scope, provider, name, tags);
        (Key { instrument, kind: scope.text(kind) }, scope.text(unit))
    });
    let unset = unset(scope);
    let wanted = keys.filter(|(Key { instrument, kind }, _)| match *kind {
        _ if instrument.name == REQUESTS_METER || unset.contains(&instrument.name) => false,
        "total" => falling.contains(instrument),
        "rate" => !falling.contains(instrument),
        _ => true,
    });
    wanted.collect()
}

/// The counters of the last collection that say 0 because there was none yet: they are not known.
fn unset<'a>(scope: &Scope<'a>) -> BTreeSet<&'a str> {
    if !scope.recording().gc.start_ns.is_empty() {
        return BTreeSet::new();
    }
    let rows = &scope.recording().counters;
    let mut known: BTreeMap<&str, bool> = BTreeMap::new();
    for (name, value) in rows.name.iter().zip(&rows.value) {
        let name = scope.text(*name);
        if name.starts_with(LAST_COLLECTION) || OF_LAST_COLLECTION.contains(&name) {
            *known.entry(name).or_default() |= *value != 0.0;
        }
    }
    known.into_iter().filter(|(_, is_known)| !is_known).map(|(name, _)| name).collect()
}

/// The values of a counter, in order of time.
#[derive(Debug, Default)]
struct Series {
    rows: Vec<(i64, f64)>,
    /// When the instrument was published, with any tags.
    rounds: Rc<Rounds>,
}

impl Series {
    fn is_whole(&self) -> bool {
        self.rows.iter().all(|(_, value)| value.fract() == 0.0)
    }

    /// Whether it never falls, and ends higher than it begins.
    fn only_grows(&self) -> bool {
        self.rows.is_sorted_by(|a, b| a.1 <= b.1)
            && self.rows.first().zip(self.rows.last()).is_some_and(|(first, last)| first.1 < last.1)
    }

    fn tally(&self, scope: &Scope<'_>, nature: Nature) -> Tally {
        let events = &scope.events;
        match nature {
            Nature::Level => events.mean(self.rows.iter().copied()),
            Nature::Total => {
                let steps = self.rows.iter().zip(self.rows.iter().skip(1));
                let mut tally = Tally::of_base(&events.base, &events.ramp);
                for (ns, grown) in steps.map(|(from, to)| (to.0, to.1 - from.1)) {
                    if let Some(piece) = events.grid.piece(ns) {
                        tally.add(piece, grown);
                    }
                }
                tally
            }
            Nature::Counts => {
                let seconds = self.rounds.base(events.grid.pieces());
                // Per request, they are divided by all requests; per second, by the time in which the meter counted.
                let base = if events.base == events.seconds { &seconds } else { &events.base };
                let mut tally = Tally::of_base(base, &events.ramp);
                for (ns, value) in &self.rows {
                    if let Some(piece) = self.rounds.piece(*ns) {
                        tally.add(piece, *value);
                    }
                }
                tally
            }
        }
    }
}

fn series<'a>(scope: &Scope<'a>, keys: &[Key<'a>]) -> BTreeMap<Key<'a>, Series> {
    let mut series: BTreeMap<Key<'a>, Series> = keys.iter().map(|key| (*key, Series::default())).collect();
    // An instrument publishes all of its sets of tags in one round.
    let round = |key: &Key<'a>| (key.instrument.provider, key.instrument.name, key.kind);
    let mut rounds: BTreeMap<(&str, &str, &str), Vec<i64>> = BTreeMap::new();
    let rows = &scope.recording().counters;
    for row in (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)) {
        let instrument = instrument(scope, row.provider, row.name, row.tags);
        let key = Key { instrument, kind: scope.text(row.kind) };
        let Some(of) = series.get_mut(&key).filter(|_| row.value.abs() <= MOST) else { continue };
        of.rows.push((row.ts_ns, row.value));
        rounds.entry(round(&key)).or_default().push(row.ts_ns);
    }
    let rounds: BTreeMap<_, _> = rounds
        .into_iter()
        .map(|(key, times)| (key, Rc::new(Rounds::new(&scope.events.grid, times))))
        .collect();
    for (key, of) in &mut series {
        of.rows.sort_by_key(|(ns, _)| *ns);
        of.rounds = rounds.get(&round(key)).cloned().unwrap_or_default();
    }
    series
}
