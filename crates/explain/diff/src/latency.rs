//! Requests: how long they took, how many there were, and how many failed, of the whole service and by route.
//!
//! Values are exact if both recordings have the table `requests` for all of their time. Otherwise they come from the meter of
//! ASP.NET Core, which publishes quantiles of an interval and a set of tags each. `runtime::routes` turns those into one
//! value, as for the figures of one recording; here is how much that value varies.

use crate::book::{Book, Measure, Of, Quantity};
use crate::many::Tier;
use crate::mix;
use crate::noise::Between;
use crate::quantile::{Measurement, Quantile, quantile};
use crate::rounds::Rounds;
use crate::scope::{RequestSource, Scope};
use crate::tally::Tally;
use base::number::{count, real};
use model::{NO_INT, REQUESTS_METER, Sym};
use report::{Better, Subject, unit};
use runtime::{Bounds, Work, is_failed, metered, metered_seconds, tag};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// How many routes of each recording are compared: those with the most requests.
const MAX_ROUTES: usize = 100;
/// How many routes of a meter are kept apart: tags are texts that anyone may send.
const MAX_METERED: usize = 1_000;

const LATENCY: Measure = Measure {
    subject: Subject::Latency,
    name: "",
    quantity: Quantity::Level("ms"),
    better: Better::Lower,
    tier: Tier::Felt,
    between: Between::of(0.04, 0.02),
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
    between: Between::of(0.03, 0.02),
    notable: 1.0,
    importance: 0.95,
    ..LATENCY
};

const FAILED: Measure = Measure {
    subject: Subject::Throughput,
    name: "share of requests that failed",
    quantity: Quantity::Level("share"),
    better: Better::Lower,
    between: Between::of(0.1, 0.0005),
    importance: 1.0,
    notable: 0.005,
    ..LATENCY
};

/// Adds all rows of requests. Returns how the mix of requests changed, if it did.
pub(crate) fn add(
    book: &mut Book,
    caveats: &mut Vec<String>,
    before: &Scope<'_>,
    after: &Scope<'_>,
) -> Option<String> {
    let is_metered =
        |scope: &Scope<'_>| RequestSource::of(scope.recording()).is_some_and(RequestSource::is_published);
    let table = if is_metered(before) || is_metered(after) { "counters" } else { REQUESTS.table };
    // The throughput is per second, whatever the basis.
    if let (Some(of_before), Some(of_after)) = (&before.requests, &after.requests) {
        book.tallies(&Measure { table, ..REQUESTS }, Of::default(), Some(of_before), Some(of_after));
    }
    // A burst has only those requests in full that are shorter than it, so their latency is not that of all requests.
    let has_rows = |scope: &Scope<'_>| {
        let recording = scope.recording();
        !recording.requests_are_of_bursts() && recording.requests.dur_ns.iter().any(|ns| *ns != NO_INT)
    };
    let has_meter = |scope: &Scope<'_>| !metered(scope.recording(), REQUESTS_METER, "count").is_empty();
    let which = match (has_rows(before), has_rows(after)) {
        (true, true) => return from_rows(book, before, after),
        (true, false) => Some("before"),
        (false, true) => Some("after"),
        (false, false) => None,
    };
    if let Some(which) = which {
        let why = format!("only the recording {which} has them (profile requests)");
        book.not_compared("single requests", why);
    }
    match (has_meter(before), has_meter(after)) {
        (true, true) => return from_meter(book, caveats, before, after),
        (false, false) => {
            book.not_compared("latency of requests", "neither recording has requests or their meter");
        }
        (of_before, _) => {
            let which = if of_before { "after" } else { "before" };
            book.not_compared("latency of requests", format!("the recording {which} has no meter of them"));
        }
    }
    None
}

/// The measure of a route, from that of all requests: routes are many, and vary more. An empty name is of all requests.
fn of_route(measure: Measure, name: &str) -> Measure {
    if name.is_empty() {
        return measure;
    }
    let between = Between { share: 1.5 * measure.between.share, ..measure.between };
    Measure { tier: Tier::Routes, between, ..measure }
}

/// What two runs differ by in a median.
const MEDIAN: Between = LATENCY.between;
/// What two runs differ by in a 99th percentile, which a few stalls of the machine decide.
const P99: Between = Between::of(0.08, 0.1);

/// The requests of a route.
#[derive(Debug, Default)]
struct Route {
    /// The pieces in which requests began.
    starts: Vec<usize>,
    /// How many milliseconds requests took.
    times: Vec<Measurement>,
    /// The pieces in which requests began that failed.
    failed: Vec<usize>,
    /// Whether any request has a status.
    has_status: bool,
}

/// The requests of each route, and of all routes together.
fn routes(scope: &Scope<'_>) -> (BTreeMap<String, Route>, Route) {
    let rows = &scope.recording().requests;
    let mut names: FxHashMap<(Sym, Sym), String> = FxHashMap::default();
    let (mut routes, mut all): (BTreeMap<String, Route>, Route) = (BTreeMap::new(), Route::default());
    for row in (0..rows.start_ns.len()).filter_map(|at| rows.row(at)) {
        let Some(piece) = scope.events.grid.piece(row.start_ns) else { continue };
        // Paths have ids in them, routes do not: group by the route if it is known.
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
                route.times.push(Measurement { value: real(row.dur_ns) / 1e6, piece });
            }
            route.has_status |= row.status != NO_INT;
            if row.status >= 500 {
                route.failed.push(piece);
            }
        }
    }
    (routes, all)
}

fn from_rows(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) -> Option<String> {
    let ((mut of_before, mut all_before), (mut of_after, mut all_after)) = (routes(before), routes(after));
    compare_route(book, "", (before, &mut all_before), (after, &mut all_after));
    let mut names = Vec::new();
    for routes in [&of_before, &of_after] {
        let mut of_side: Vec<(usize, &String)> =
            routes.iter().map(|(name, of)| (of.starts.len(), name)).collect();
        of_side.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        names.extend(of_side.into_iter().take(MAX_ROUTES).map(|(_, name)| name.clone()));
    }
    names.sort_unstable();
    names.dedup();
    let only_after = of_after.keys().filter(|name| !of_before.contains_key(*name)).count();
    let all = of_before.len() + only_after;
    // A single route has the same rows as all requests.
    if names.len() < 2 && all < 2 {
        return None;
    }
    let counts = |routes: &BTreeMap<String, Route>| {
        let counts = routes.iter().map(|(name, of)| (name.clone(), count(of.starts.len())));
        counts.collect::<Vec<_>>()
    };
    let mix = mix_of(&counts(&of_before), &counts(&of_after));
    for name in &names {
        let (mut none_before, mut none_after) = (Route::default(), Route::default());
        let before = (before, of_before.get_mut(name).unwrap_or(&mut none_before));
        let after = (after, of_after.get_mut(name).unwrap_or(&mut none_after));
        compare_route(book, name, before, after);
    }
    book.left_out(all.saturating_sub(names.len()), "routes with the fewest requests");
    mix
}

/// How the mix of requests changed, from the number of requests of each route.
fn mix_of(before: &[(String, f64)], after: &[(String, f64)]) -> Option<String> {
    fn counts(of: &[(String, f64)]) -> mix::Counts<'_> {
        of.iter().map(|(name, requests)| (name.as_str(), *requests)).collect()
    }
    mix::changed(&counts(before), &counts(after))
}

fn compare_route(
    book: &mut Book,
    name: &str,
    (before, requests_before): (&Scope<'_>, &mut Route),
    (after, requests_after): (&Scope<'_>, &mut Route),
) {
    for (share, measure, importance, between) in [(0.5, "p50", 0.95, MEDIAN), (0.99, "p99", 1.0, P99)] {
        let at = |scope: &Scope<'_>, route: &mut Route| quantile(&mut route.times, share, &scope.events.ramp);
        let (of_before, of_after) = (at(before, requests_before), at(after, requests_after));
        let measure = of_route(Measure { name: measure, importance, between, ..LATENCY }, name);
        match (of_before, of_after) {
            (
                Some(Quantile { estimate: Some(of_before), .. }),
                Some(Quantile { estimate: Some(of_after), .. }),
            ) => book.estimates(&measure, Of::named(name), Some(of_before), Some(of_after)),
            (of_before, of_after) => {
                let values = (of_before.map(|of| of.value), of_after.map(|of| of.value));
                book.plain(&measure, Of::named(name), values, "too few requests for this quantile");
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
        route.has_status.then(|| over(scope, &all.amount, &route.failed))
    };
    let failed = of_route(FAILED, name);
    let (of_before, of_after) = (per_request(before, requests_before), per_request(after, requests_after));
    if of_before.is_some() && of_after.is_some() {
        book.tallies(&failed, Of::named(name), of_before.as_ref(), of_after.as_ref());
    }
    if !name.is_empty() {
        let rate = |scope: &Scope<'_>, route: &Route| over(scope, &scope.events.seconds, &route.starts);
        let (of_before, of_after) = (rate(before, requests_before), rate(after, requests_after));
        let measure = of_route(Measure { importance: 0.7, ..REQUESTS }, name);
        book.tallies(&measure, Of::named(name), Some(&of_before), Some(&of_after));
    }
}

/// A quantile by the meter, which publishes one per second and set of tags.
#[derive(Debug)]
struct Metered {
    tally: Tally,
    /// Between what the quantile of all requests lies. `None` if that is not known.
    bounds: Option<Bounds>,
}

impl Metered {
    fn new(ramp: &[bool]) -> Self {
        Self { tally: Tally::mean(ramp), bounds: None }
    }

    /// Sets the value and the bounds that the figures of the recording show.
    fn settle(&mut self, value: Option<f64>, bounds: Option<Bounds>) {
        if let Some(value) = value {
            self.tally.scale_to(value);
        }
        self.bounds = bounds;
    }

    /// Why a difference to another quantile is not claimed. `None` if their bounds do not overlap, or are not known.
    fn overlap(&self, after: &Self) -> Option<String> {
        let (before, after) = self.bounds.zip(after.bounds)?;
        let shown = |of: Bounds| format!("{} to {}", unit::show(of.low, "ms"), unit::show(of.high, "ms"));
        (before.low <= after.high && after.low <= before.high).then(|| {
            let (before, after) = (shown(before), shown(after));
            format!("the meter only bounds it, and the bounds overlap: {before} before, {after} after")
        })
    }
}

/// What the meter published of a route.
#[derive(Debug)]
struct MeteredRoute {
    p50: Metered,
    p99: Metered,
    mean: Tally,
    requests: Tally,
    /// Failed requests, over those whose outcome is known.
    failed: Tally,
    /// Whether any outcome is known.
    has_outcomes: bool,
    /// The tags of the first value.
    tags: Option<Sym>,
    /// Whether its values have several sets of tags. No value published is then the quantile of all of its requests.
    is_mixed: bool,
}

impl MeteredRoute {
    /// An empty route of a meter that counted for `seconds` of each piece.
    fn new(scope: &Scope<'_>, seconds: &[f64]) -> Self {
        let ramp = &scope.events.ramp;
        let mean = || Tally::mean(ramp);
        let requests = Tally::of_base(seconds, ramp);
        let quantile = || Metered::new(ramp);
        Self {
            p50: quantile(),
            p99: quantile(),
            mean: mean(),
            requests,
            failed: mean(),
            has_outcomes: false,
            tags: None,
            is_mixed: false,
        }
    }

    /// The share that failed. `None` if no outcome is known.
    fn failures(&self) -> Option<&Tally> {
        self.has_outcomes.then_some(&self.failed)
    }

    /// Sets the values that the figures of the recording show.
    fn settle(&mut self, work: &Work) {
        self.p50.settle(work.p50_ms, work.p50);
        self.p99.settle(work.p99_ms, work.p99);
        self.mean.scale_to(work.mean_seconds() * 1e3);
        self.requests.scale_to(work.per_second());
    }
}

/// What the meter published of each route, and an empty route for those that it does not have. The empty name is of all
/// requests.
///
/// With `is_whole`, values are those that the figures of the recording show.
fn metered_routes<'a>(scope: &Scope<'a>, is_whole: bool) -> (BTreeMap<&'a str, MeteredRoute>, MeteredRoute) {
    let recording = scope.recording();
    let millis = |kind: &str| -> FxHashMap<(i64, Sym), f64> {
        let seconds = metered_seconds(recording, REQUESTS_METER, kind).into_iter();
        seconds.map(|of| ((of.ts_ns, of.tags), of.value * 1e3)).collect()
    };
    let (p50, p99, sum) = (millis("p50"), millis("p99"), millis("sum"));
    let counts = metered(recording, REQUESTS_METER, "count");
    let rounds = Rounds::new(&scope.events.grid, counts.iter().map(|of| of.ts_ns));
    let seconds = rounds.base(scope.events.grid.pieces());
    let mut routes: BTreeMap<&str, MeteredRoute> = BTreeMap::new();
    let mut outcomes: FxHashMap<Sym, Option<bool>> = FxHashMap::default();
    for of in counts {
        let Some(piece) = rounds.piece(of.ts_ns).filter(|_| of.value > 0.0) else { continue };
        let route = tag(recording, of.tags, "http.route").unwrap_or("no route");
        let value = |published: &FxHashMap<(i64, Sym), f64>| published.get(&(of.ts_ns, of.tags)).copied();
        let outcome = *outcomes.entry(of.tags).or_insert_with(|| is_failed(recording, of.tags));
        let is_known = routes.contains_key(route) || routes.len() < MAX_METERED;
        for name in ["", if is_known { route } else { "further routes" }] {
            let route = routes.entry(name).or_insert_with(|| MeteredRoute::new(scope, &seconds));
            route.is_mixed |= *route.tags.get_or_insert(of.tags) != of.tags;
            if let Some(p50) = value(&p50) {
                route.p50.tally.value(piece, p50, of.value);
            }
            if let Some(p99) = value(&p99) {
                route.p99.tally.value(piece, p99, of.value);
            }
            if let Some(sum) = value(&sum) {
                route.mean.value(piece, sum / of.value, of.value);
            }
            route.requests.count_many(piece, of.value);
            if let Some(failed) = outcome {
                route.has_outcomes = true;
                route.failed.outcomes(piece, of.value, failed);
            }
        }
    }
    if is_whole {
        let known: FxHashMap<String, Work> = runtime::routes(recording).into_iter().collect();
        let whole = runtime::request_work(recording);
        for (name, route) in &mut routes {
            let work = if name.is_empty() { whole.as_ref() } else { known.get(*name) };
            if let Some(work) = work.filter(|work| work.basis == runtime::Basis::Meter) {
                route.settle(work);
            }
        }
    }
    (routes, MeteredRoute::new(scope, &seconds))
}

/// Says that the whole service's requests were not counted by the meter, so that those of its routes need not add up to them.
fn two_counts(
    (before, empty_before): (&Scope<'_>, &MeteredRoute),
    (after, empty_after): (&Scope<'_>, &MeteredRoute),
) -> Option<String> {
    let seconds = |tally: &Tally| unit::duration(tally.base.iter().sum::<f64>() * 1e3);
    let whole = |scope: &Scope<'_>| {
        let source = RequestSource::of(scope.recording())?;
        Some((source, format!("by {} over {}", source.name(), seconds(scope.requests.as_ref()?))))
    };
    let ((one, of_before), (other, of_after)) = whole(before).zip(whole(after))?;
    if one == RequestSource::Meter && other == RequestSource::Meter {
        return None;
    }
    let (by_before, by_after) = (seconds(&empty_before.requests), seconds(&empty_after.requests));
    Some(format!(
        "requests per second are counted in two ways, so routes need not add up to the whole: the whole {of_before} before, \
         {of_after} after; routes by the meter over {by_before} before, {by_after} after"
    ))
}

fn from_meter(
    book: &mut Book,
    caveats: &mut Vec<String>,
    before: &Scope<'_>,
    after: &Scope<'_>,
) -> Option<String> {
    // Figures are of whole recordings. If one side is a range, neither side uses them.
    let is_whole = before.side.range.is_none() && after.side.range.is_none();
    let ((of_before, empty_before), (of_after, empty_after)) =
        (metered_routes(before, is_whole), metered_routes(after, is_whole));
    let mut names: Vec<&str> = of_before.keys().chain(of_after.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    // A single route has the same rows as all requests.
    let alone = names.len() <= 2;
    let listed = if alone { 1 } else { MAX_ROUTES };
    let two_counts = if alone { None } else { two_counts((before, &empty_before), (after, &empty_after)) };
    let by_route = if two_counts.is_some() { "requests (by the meter)" } else { REQUESTS.name };
    caveats.extend(two_counts);
    if !alone {
        book.left_out(names.len().saturating_sub(listed), "routes of the meter");
    }
    for name in names.into_iter().take(listed) {
        let before = of_before.get(name).unwrap_or(&empty_before);
        let after = of_after.get(name).unwrap_or(&empty_after);
        let latency = Measure { table: "counters", ..LATENCY };
        let is_mixed = before.is_mixed || after.is_mixed;
        for (name_of, importance, between, before, after) in [
            ("p50 (estimate from the meter)", 0.95, MEDIAN, &before.p50, &after.p50),
            ("p99 (estimate from the meter)", 1.0, P99, &before.p99, &after.p99),
        ] {
            let measure = of_route(Measure { name: name_of, importance, between, ..latency }, name);
            let unclaimed = if is_mixed { before.overlap(after) } else { None };
            let of = Of { unclaimed, ..Of::named(name) };
            book.tallies(&measure, of, Some(&before.tally), Some(&after.tally));
        }
        let mean = of_route(Measure { name: "mean", importance: 0.9, ..latency }, name);
        book.tallies(&mean, Of::named(name), Some(&before.mean), Some(&after.mean));
        if let (Some(before), Some(after)) = (before.failures(), after.failures()) {
            let measure = of_route(Measure { table: "counters", ..FAILED }, name);
            book.tallies(&measure, Of::named(name), Some(before), Some(after));
        }
        if !name.is_empty() {
            let measure = Measure { name: by_route, table: "counters", importance: 0.7, ..REQUESTS };
            let measure = of_route(measure, name);
            book.tallies(&measure, Of::named(name), Some(&before.requests), Some(&after.requests));
        }
    }
    let requests = |routes: &BTreeMap<&str, MeteredRoute>| {
        let named = routes.iter().filter(|(name, _)| !name.is_empty());
        let counts = named.map(|(name, of)| ((*name).to_owned(), of.requests.amount.iter().sum::<f64>()));
        counts.collect::<Vec<_>>()
    };
    mix_of(&requests(&of_before), &requests(&of_after))
}
