//! Requests: how long they took, how many there were, how many failed; as a whole and by route.
//!
//! Exact from the table of requests where both recordings have it, else from the meter of ASP.NET Core: its quantiles
//! are of an interval and a set of tags each, so their mean is compared, weighted by requests.

use crate::book::{Book, Family, Measure, Of, Quantity};
use crate::noise::{Tally, quantile};
use crate::scope::{Counted, Scope};
use base::number::real;
use model::{NO_INT, Sym};
use report::{Better, Subject};
use runtime::{metered, tag};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// The meter of requests.
pub(crate) const METER: &str = "http.server.request.duration";
/// How many routes of each recording are compared, those with most requests first.
const MOST_ROUTES: usize = 100;
/// How many routes of a meter are looked at at all: tags are texts that anyone may send.
const MOST_METERED: usize = 1_000;

const LATENCY: Measure = Measure {
    subject: Subject::Latency,
    name: "",
    quantity: Quantity::Level("ms"),
    better: Better::Lower,
    family: Family::Figures,
    importance: 1.0,
    notable: 2.0,
    table: "requests",
    metric: None,
};
const REQUESTS: Measure = Measure {
    subject: Subject::Throughput,
    name: "requests",
    quantity: Quantity::Level("1/s"),
    better: Better::Higher,
    notable: 1.0,
    importance: 0.95,
    ..LATENCY
};

/// Adds all of it.
pub(crate) fn add(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>, counted: Option<Counted>) {
    throughput(book, before, after, counted);
    let has_rows = |scope: &Scope<'_>| scope.recording().requests.dur_ns.iter().any(|ns| *ns != NO_INT);
    let has_meter = |scope: &Scope<'_>| !metered(scope.recording(), METER, "count").is_empty();
    let rows = (has_rows(before), has_rows(after));
    if rows == (true, true) {
        from_rows(book, before, after);
        return;
    }
    if rows != (false, false) {
        let which = if rows.0 { "before" } else { "after" };
        book.not_compared(
            "single requests",
            format!("only the recording {which} has them (profile requests)"),
        );
    }
    match (has_meter(before), has_meter(after)) {
        (true, true) => from_meter(book, before, after),
        (false, false) => {
            book.not_compared("latency of requests", "neither recording has requests or their meter");
        }
        (of_before, _) => {
            let which = if of_before { "after" } else { "before" };
            book.not_compared("latency of requests", format!("the recording {which} has no meter of them"));
        }
    }
}

/// Requests a second, whatever the basis.
fn throughput(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>, counted: Option<Counted>) {
    let Some(counted) = counted else { return };
    let tally = |scope: &Scope<'_>| {
        let mut tally = Tally::of_base(&scope.events.seconds, &scope.events.ramp);
        for (ns, requests) in counted.times(scope.recording()) {
            if let Some(piece) = scope.events.grid.piece(ns) {
                count_many(&mut tally, piece, requests);
            }
        }
        tally
    };
    let table = if counted == Counted::Meter { "counters" } else { REQUESTS.table };
    let (of_before, of_after) = (tally(before), tally(after));
    book.tallies(&Measure { table, ..REQUESTS }, Of::default(), Some(&of_before), Some(&of_after));
}

/// Adds so many at once: what a meter counted came one by one.
fn count_many(tally: &mut Tally, piece: usize, many: f64) {
    let squares = tally.squares;
    tally.count(piece, many);
    tally.squares = squares + many.max(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of requests, at most 1e15"
    )]
    let more = (many - 1.0).max(0.0) as u64;
    tally.rows = tally.rows.saturating_add(more);
}

/// What is known of the requests of a route.
#[derive(Debug, Default)]
struct Route {
    /// Begins, with their pieces left out where they lie outside.
    starts: Vec<usize>,
    /// Milliseconds, and the piece.
    times: Vec<(f64, usize)>,
    failed: Vec<usize>,
    told: bool,
}

fn routes(scope: &Scope<'_>) -> (BTreeMap<String, Route>, Route) {
    let rows = &scope.recording().requests;
    let mut names: FxHashMap<(Sym, Sym), String> = FxHashMap::default();
    let (mut routes, mut all): (BTreeMap<String, Route>, Route) = (BTreeMap::new(), Route::default());
    for row in (0..rows.start_ns.len()).filter_map(|at| rows.row(at)) {
        let Some(piece) = scope.events.grid.piece(row.start_ns) else { continue };
        // Paths carry ids, routes do not: group by the route where it is known.
        let path = if row.route == Sym::NONE { row.path } else { row.route };
        let name = names
            .entry((row.method, path))
            .or_insert_with(|| format!("{} {}", scope.text(row.method), scope.text(path)).trim().to_owned());
        if !routes.contains_key(name.as_str()) {
            routes.insert(name.clone(), Route::default());
        }
        let of_route = routes.get_mut(name.as_str());
        for route in of_route.into_iter().chain([&mut all]) {
            route.starts.push(piece);
            if row.dur_ns != NO_INT && row.dur_ns >= 0 {
                route.times.push((real(row.dur_ns) / 1e6, piece));
            }
            route.told |= row.status != NO_INT;
            if row.status >= 500 {
                route.failed.push(piece);
            }
        }
    }
    (routes, all)
}

fn from_rows(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let ((mut of_before, mut all_before), (mut of_after, mut all_after)) = (routes(before), routes(after));
    compare_route(book, "", (before, &mut all_before), (after, &mut all_after));
    let mut names = Vec::new();
    for routes in [&of_before, &of_after] {
        let mut of_side: Vec<(usize, &String)> =
            routes.iter().map(|(name, of)| (of.starts.len(), name)).collect();
        of_side.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        names.extend(of_side.into_iter().take(MOST_ROUTES).map(|(_, name)| name.clone()));
    }
    names.sort_unstable();
    names.dedup();
    let other = of_after.keys().filter(|name| !of_before.contains_key(*name)).count();
    let all = of_before.len() + other;
    if names.len() < 2 && all < 2 {
        return;
    }
    for name in &names {
        let (mut none_before, mut none_after) = (Route::default(), Route::default());
        let before = (before, of_before.get_mut(name).unwrap_or(&mut none_before));
        let after = (after, of_after.get_mut(name).unwrap_or(&mut none_after));
        compare_route(book, name, before, after);
    }
    book.left_out(all.saturating_sub(names.len()), "routes with the fewest requests");
}

fn compare_route(
    book: &mut Book,
    name: &str,
    (before, requests_before): (&Scope<'_>, &mut Route),
    (after, requests_after): (&Scope<'_>, &mut Route),
) {
    for (share, measure, importance) in [(0.5, "p50", 0.95), (0.99, "p99", 1.0)] {
        let at = |scope: &Scope<'_>, route: &mut Route| quantile(&mut route.times, share, &scope.events.ramp);
        let (of_before, of_after) = (at(before, requests_before), at(after, requests_after));
        let measure = Measure { name: measure, importance, ..LATENCY };
        match (of_before, of_after) {
            (Some((_, Some(of_before))), Some((_, Some(of_after)))) => {
                book.estimates(&measure, Of::named(name), Some(of_before), Some(of_after));
            }
            (of_before, of_after) => {
                let value = |of: Option<(f64, _)>| of.map(|(value, _)| value);
                book.plain(&measure, Of::named(name), value(of_before), value(of_after));
            }
        }
    }
    let over = |scope: &Scope<'_>, base: &[f64], pieces: &[usize]| {
        let mut tally = Tally::of_base(base, &scope.events.ramp);
        for piece in pieces {
            tally.count(*piece, 1.0);
        }
        tally
    };
    let per_request = |scope: &Scope<'_>, route: &Route| {
        let all = over(scope, &scope.events.seconds, &route.starts);
        route.told.then(|| over(scope, &all.amount, &route.failed))
    };
    let failed = Measure {
        subject: Subject::Throughput,
        name: "failed, of all (status 500 and above)",
        quantity: Quantity::Level("share"),
        better: Better::Lower,
        importance: 1.0,
        notable: 0.005,
        ..LATENCY
    };
    let (of_before, of_after) = (per_request(before, requests_before), per_request(after, requests_after));
    if of_before.is_some() && of_after.is_some() {
        book.tallies(&failed, Of::named(name), of_before.as_ref(), of_after.as_ref());
    }
    if !name.is_empty() {
        let rate = |scope: &Scope<'_>, route: &Route| over(scope, &scope.events.seconds, &route.starts);
        let (of_before, of_after) = (rate(before, requests_before), rate(after, requests_after));
        let measure = Measure { importance: 0.7, ..REQUESTS };
        book.tallies(&measure, Of::named(name), Some(&of_before), Some(&of_after));
    }
}

/// What the meter told of a route.
#[derive(Debug)]
struct MeteredRoute {
    p50: Tally,
    p99: Tally,
    mean: Tally,
    requests: Tally,
}

impl MeteredRoute {
    fn new(scope: &Scope<'_>) -> Self {
        let mean = || Tally::mean(&scope.events.ramp);
        Self {
            p50: mean(),
            p99: mean(),
            mean: mean(),
            requests: Tally::of_base(&scope.events.seconds, &scope.events.ramp),
        }
    }
}

fn metered_routes<'a>(scope: &Scope<'a>) -> BTreeMap<&'a str, MeteredRoute> {
    let recording = scope.recording();
    let to_millis = unit_factor(scope);
    let told = |kind: &str| -> FxHashMap<(i64, Sym), f64> {
        metered(recording, METER, kind).into_iter().map(|of| ((of.ts_ns, of.tags), of.value)).collect()
    };
    let (p50, p99, sum) = (told("p50"), told("p99"), told("sum"));
    let mut routes: BTreeMap<&str, MeteredRoute> = BTreeMap::new();
    for of in metered(recording, METER, "count") {
        let Some(piece) = scope.events.grid.piece(of.ts_ns).filter(|_| of.value > 0.0) else { continue };
        let route = tag(recording, of.tags, "http.route").unwrap_or("no route");
        let value =
            |told: &FxHashMap<(i64, Sym), f64>| told.get(&(of.ts_ns, of.tags)).map(|value| value * to_millis);
        let is_known = routes.contains_key(route) || routes.len() < MOST_METERED;
        for name in ["", if is_known { route } else { "further routes" }] {
            let route = routes.entry(name).or_insert_with(|| MeteredRoute::new(scope));
            if let Some(p50) = value(&p50) {
                route.p50.value(piece, p50, of.value);
            }
            if let Some(p99) = value(&p99) {
                route.p99.value(piece, p99, of.value);
            }
            if let Some(sum) = value(&sum) {
                route.mean.value(piece, sum / of.value, of.value);
            }
            count_many(&mut route.requests, piece, of.value);
        }
    }
    routes
}

/// What the meter's values are multiplied by to be milliseconds.
fn unit_factor(scope: &Scope<'_>) -> f64 {
    let rows = &scope.recording().counters;
    let of_meter = rows.name.iter().zip(&rows.unit).find(|(name, _)| scope.text(**name) == METER);
    if of_meter.is_some_and(|(_, unit)| scope.text(*unit) == "ms") { 1.0 } else { 1e3 }
}

fn from_meter(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let (of_before, of_after) = (metered_routes(before), metered_routes(after));
    let mut names: Vec<&str> = of_before.keys().chain(of_after.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    // The whole and one route are the same twice.
    let alone = names.len() <= 2;
    let listed = if alone { 1 } else { MOST_ROUTES };
    if !alone {
        book.left_out(names.len().saturating_sub(listed), "routes of the meter");
    }
    let empty = (MeteredRoute::new(before), MeteredRoute::new(after));
    for name in names.into_iter().take(listed) {
        let before = of_before.get(name).unwrap_or(&empty.0);
        let after = of_after.get(name).unwrap_or(&empty.1);
        let latency = Measure { table: "counters", ..LATENCY };
        for (name_of, importance, before, after) in [
            ("p50, mean of the meter's intervals", 0.95, &before.p50, &after.p50),
            ("p99, mean of the meter's intervals", 1.0, &before.p99, &after.p99),
            ("mean", 0.9, &before.mean, &after.mean),
        ] {
            let measure = Measure { name: name_of, importance, ..latency };
            book.tallies(&measure, Of::named(name), Some(before), Some(after));
        }
        if !name.is_empty() {
            let measure = Measure { table: "counters", importance: 0.7, ..REQUESTS };
            book.tallies(&measure, Of::named(name), Some(&before.requests), Some(&after.requests));
        }
    }
}
