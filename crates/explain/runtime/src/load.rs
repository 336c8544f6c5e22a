//! The load: requests to the service, and its outgoing calls, with the time that they took.
//!
//! Figures are exact if requests and spans were recorded, and come from the meters of the libraries otherwise. The sum of all
//! times over the observed time is how many were under way on average (Little's law), which compares with threads.

use crate::failures::Failures;
use crate::figure::known;
use crate::metered::{Metered, metered, metered_seconds, tag};
use crate::mixture::{Bounds, Part, bounds};
use crate::observed::observed_ns;
use base::number::{count, real, real_u64};
use base::stats::{Share, Sorted, quantile};
use model::{NO_INT, REQUESTS_METER, Sym, Trace};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// Where figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Each request or call was recorded.
    Rows,
    /// A meter published sums.
    Meter,
}

/// Requests, or calls of a kind.
///
/// Rates are [`Self::per_second`] and [`Self::under_way`], never the count over the recording's length: a meter only counts
/// up to its last publication.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// How many ended.
    pub count: f64,
    /// The sum of the seconds that they took.
    pub seconds: f64,
    /// For how many nanoseconds they were counted.
    pub observed_ns: i64,
    /// The median, in milliseconds. From a meter, it is an estimate for comparisons and not to be printed as the median: the
    /// median of the intervals' medians, weighted by requests and moved into the bounds of `p50`.
    pub p50_ms: Option<f64>,
    /// The 99th percentile, in milliseconds. From a meter, it is an estimate, too.
    pub p99_ms: Option<f64>,
    /// How many of them failed. `None` if neither a status nor an error was recorded.
    pub failures: Option<Failures>,
    /// The bounds of the median, in milliseconds. A meter says nothing closer.
    pub p50: Option<Bounds>,
    /// The bounds of the 99th percentile, in milliseconds.
    pub p99: Option<Bounds>,
    /// Where this comes from.
    pub basis: Basis,
}

impl Work {
    /// How many seconds each took on average.
    pub fn mean_seconds(&self) -> f64 {
        if self.count > 0.0 { self.seconds / self.count } else { 0.0 }
    }

    /// How many ended per second.
    pub fn per_second(&self) -> f64 {
        self.count * 1e9 / real(self.observed_ns.max(1))
    }

    /// How many were under way on average (Little's law).
    pub fn under_way(&self) -> f64 {
        self.seconds * 1e9 / real(self.observed_ns.max(1))
    }
}

/// Requests answered.
pub fn requests(recording: &Trace) -> Option<Work> {
    whole_requests(recording).or_else(|| from_meter(recording, REQUESTS_METER))
}

/// Requests from their rows, if all were recorded. A burst only has those in full that are shorter than it.
fn whole_requests(recording: &Trace) -> Option<Work> {
    if !recording.has_each_request() {
        return None;
    }
    let rows = &recording.requests.dur_ns;
    let mut times: Vec<i64> = rows.iter().copied().filter(|ns| *ns != NO_INT).collect();
    if times.is_empty() {
        return None;
    }
    let failures = Failures::of_statuses(recording.requests.status.iter().copied());
    let work = from_times(&Sorted::new(&mut times), observed_ns(recording, "events")?);
    Some(Work { failures, ..work })
}

/// The name for requests without a route, such as those that middleware answers itself.
const NO_ROUTE: &str = "no route";

/// Histograms of a database's commands: OpenTelemetry's name, and that of Npgsql before version 10.
pub const DATABASE_METERS: [&str; 2] = ["db.client.operation.duration", "db.client.commands.duration"];

/// Calls of a database.
pub fn database_calls(recording: &Trace) -> Option<Work> {
    let metered = || DATABASE_METERS.iter().find_map(|name| from_meter(recording, name));
    from_spans(recording, is_database).or_else(metered)
}

/// Outgoing HTTP calls.
pub fn http_calls(recording: &Trace) -> Option<Work> {
    from_spans(recording, is_http).or_else(|| from_meter(recording, "http.client.request.duration"))
}

/// Whether a span is a command of a database, by the names that OpenTelemetry gives its tags.
pub fn is_database(recording: &Trace, span: usize) -> bool {
    has_tag(recording, span, &["db.query.text", "db.statement"])
}

/// Whether a span is an outgoing HTTP call.
pub fn is_http(recording: &Trace, span: usize) -> bool {
    let client = recording.spans.kind.get(span).is_some_and(|kind| recording.strings.text(*kind) == "Client");
    client && has_tag(recording, span, &["http.request.method", "http.method"])
}

fn has_tag(recording: &Trace, span: usize, names: &[&str]) -> bool {
    let tags = recording.spans.tags.get(span).map_or("", |tags| recording.strings.text(*tags));
    names.iter().any(|name| tags.contains(&format!("\"{name}\":")))
}

fn from_spans(recording: &Trace, wanted: fn(&Trace, usize) -> bool) -> Option<Work> {
    // Most spans share their tags, so the answer for each set of tags is kept.
    let mut known_tags: FxHashMap<(Sym, Sym), bool> = FxHashMap::default();
    let spans = &recording.spans;
    let mut times = Vec::new();
    for at in 0..spans.start_ns.len() {
        let (Some(tags), Some(kind), Some(ns)) =
            (spans.tags.get(at), spans.kind.get(at), spans.dur_ns.get(at))
        else {
            continue;
        };
        let is_wanted = *known_tags.entry((*tags, *kind)).or_insert_with(|| wanted(recording, at));
        times.extend(known(*ns).filter(|_| is_wanted));
    }
    if times.is_empty() {
        return None;
    }
    Some(from_times(&Sorted::new(&mut times), observed_ns(recording, "events")?))
}

fn from_times(sorted: &Sorted<'_, i64>, observed_ns: i64) -> Work {
    let at = |share| quantile(sorted, share).map(|ns| crate::figure::millis(real(ns)));
    let seconds = sorted.iter().map(|ns| real(*ns) / 1e9).sum();
    Work {
        count: count(sorted.len()),
        seconds,
        observed_ns,
        p50_ms: at(Share::MEDIAN),
        p99_ms: at(Share::PerMille(990)),
        failures: None,
        p50: at(Share::MEDIAN).map(Bounds::exactly),
        p99: at(Share::PerMille(990)).map(Bounds::exactly),
        basis: Basis::Rows,
    }
}

fn from_meter(recording: &Trace, name: &str) -> Option<Work> {
    let mut published = Published::default();
    for kind in Published::KINDS {
        published.of_kind(kind).extend(of_durations(recording, name, kind));
    }
    published.work(recording, recording.metered_ns()?)
}

/// The values of a histogram of durations: in seconds, except for counts.
fn of_durations(recording: &Trace, name: &str, kind: &str) -> Vec<Metered> {
    if kind == "count" { metered(recording, name, kind) } else { metered_seconds(recording, name, kind) }
}

/// What a histogram published of one route, or of everything.
#[derive(Debug, Default)]
struct Published {
    counts: Vec<Metered>,
    sums: Vec<Metered>,
    medians: Vec<Metered>,
    p95s: Vec<Metered>,
    p99s: Vec<Metered>,
}

impl Published {
    const KINDS: [&'static str; 5] = ["count", "sum", "p50", "p95", "p99"];

    fn of_kind(&mut self, kind: &str) -> &mut Vec<Metered> {
        match kind {
            "count" => &mut self.counts,
            "sum" => &mut self.sums,
            "p50" => &mut self.medians,
            "p95" => &mut self.p95s,
            _ => &mut self.p99s,
        }
    }

    /// `None` if nothing was counted.
    fn work(&self, recording: &Trace, observed_ns: i64) -> Option<Work> {
        // A histogram of durations cannot sum up to less than nothing; damage can.
        let total = |values: &[Metered]| values.iter().map(|of| of.value).sum::<f64>().max(0.0);
        let counts: FxHashMap<(i64, Sym), f64> =
            self.counts.iter().map(|of| ((of.ts_ns, of.tags), of.value)).collect();
        // A quantile counts as many times as its interval has requests, so that of an empty interval does not count.
        let median = |values: &[Metered]| {
            let weight = |of: &Metered| counts.get(&(of.ts_ns, of.tags)).copied().unwrap_or(0.0);
            let weighted = values.iter().map(|of| (of.value * 1e3, weight(of)));
            weighted_median(weighted.filter(|(_, weight)| *weight > 0.0).collect())
        };
        let count = total(&self.counts);
        let parts = self.parts();
        let (p50, p99) = (bounds(&parts, 500), bounds(&parts, 990));
        let possible = |value: Option<f64>, of: Option<Bounds>| match (value, of) {
            (Some(value), Some(of)) => Some(of.nearest(value)),
            (value, _) => value,
        };
        (count > 0.0).then(|| Work {
            count,
            seconds: total(&self.sums),
            observed_ns,
            p50_ms: possible(median(&self.medians), p50),
            p99_ms: possible(median(&self.p99s), p99),
            p50,
            p99,
            failures: Failures::of_counts(recording, &self.counts),
            basis: Basis::Meter,
        })
    }

    /// The requests of each interval and set of tags, with their quantiles in milliseconds.
    fn parts(&self) -> Vec<Part> {
        let mut parts: BTreeMap<(i64, Sym), Part> = BTreeMap::new();
        for of in self.counts.iter().filter(|of| of.value >= 1.0) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count; the cast saturates"
            )]
            let count = of.value.round() as u64;
            parts.insert((of.ts_ns, of.tags), Part { count, quantiles: Vec::new() });
        }
        for (per_mille, values) in [(500, &self.medians), (950, &self.p95s), (990, &self.p99s)] {
            for of in values {
                if let Some(part) = parts.get_mut(&(of.ts_ns, of.tags)) {
                    part.quantiles.push((per_mille, of.value * 1e3));
                }
            }
        }
        parts.into_values().collect()
    }
}

/// The median of values with weights: the value at half of the weight.
pub(crate) fn weighted_median(mut values: Vec<(f64, f64)>) -> Option<f64> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut before = 0.0;
    values.into_iter().find_map(|(value, weight)| {
        before += weight;
        (before >= half).then_some(value)
    })
}

/// Requests by route, or by path if the route is not known. The route with the most time comes first.
pub fn routes(recording: &Trace) -> Vec<(String, Work)> {
    let by_rows = routes_of_rows(recording);
    let mut work = if by_rows.is_empty() { routes_of_meter(recording) } else { by_rows };
    work.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds).then_with(|| a.0.cmp(&b.0)));
    work
}

fn routes_of_rows(recording: &Trace) -> Vec<(String, Work)> {
    let Some(observed_ns) = observed_ns(recording, "events").filter(|_| recording.has_each_request()) else {
        return Vec::new();
    };
    // Paths that differ only in numbers are one route: each alone would have few requests.
    let mut routes: Vec<RouteRows> = Vec::new();
    let mut of_shape: FxHashMap<String, usize> = FxHashMap::default();
    let mut of_name: FxHashMap<Sym, usize> = FxHashMap::default();
    let rows = &recording.requests;
    for row in (0..rows.start_ns.len()).filter_map(|at| rows.row(at)).filter(|row| row.dur_ns != NO_INT) {
        let name = if row.route == Sym::NONE { row.path } else { row.route };
        let number = *of_name.entry(name).or_insert_with(|| {
            let path = recording.strings.text(name);
            let next = routes.len();
            let number = *of_shape.entry(open_path(path)).or_insert(next);
            match routes.get_mut(number) {
                Some(route) => route.name = open_path(path),
                None => routes.push(RouteRows { name: path.to_owned(), ..RouteRows::default() }),
            }
            number
        });
        if let Some(route) = routes.get_mut(number) {
            route.times.push(row.dur_ns);
            route.statuses.push(row.status);
        }
    }
    let work = routes.into_iter().map(|mut of| {
        let failures = Failures::of_statuses(of.statuses.into_iter());
        (of.name, Work { failures, ..from_times(&Sorted::new(&mut of.times), observed_ns) })
    });
    work.collect()
}

/// Requests of paths that are one route.
#[derive(Debug, Default)]
struct RouteRows {
    /// The path, or the pattern of several paths.
    name: String,
    times: Vec<i64>,
    statuses: Vec<i64>,
}

/// A path with `{id}` in place of each segment that is a number or looks like an id.
pub fn open_path(path: &str) -> String {
    let is_id = |part: &str| {
        let digits = part.chars().filter(char::is_ascii_digit).count();
        let hex = part.len() >= 16 && part.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        !part.is_empty() && (digits == part.len() || hex)
    };
    path.split('/').map(|part| if is_id(part) { "{id}" } else { part }).collect::<Vec<_>>().join("/")
}

/// The name of a route, from the meter's tag.
pub(crate) fn metered_route(tag: Option<&str>) -> &str {
    tag.unwrap_or(NO_ROUTE)
}

/// The one route that all these paths belong to, by the service's name for it, which figures use, too. `None` if no route or
/// several routes match.
pub fn route_of(recording: &Trace, paths: &[&str]) -> Option<String> {
    route_among(&route_names(recording), paths)
}

/// The service's own names of its routes.
pub(crate) fn route_names(recording: &Trace) -> BTreeSet<&str> {
    let published = metered(recording, REQUESTS_METER, "count");
    let tags: BTreeSet<Sym> = published.iter().map(|of| of.tags).collect();
    let of_meter = tags.into_iter().filter_map(|tags| tag(recording, tags, "http.route"));
    let of_rows: BTreeSet<Sym> = recording.requests.route.iter().copied().collect();
    let of_rows = of_rows.into_iter().filter_map(|route| recording.strings.get(route));
    of_meter.chain(of_rows).collect()
}

/// The one of these routes that all these paths belong to.
pub(crate) fn route_among(routes: &BTreeSet<&str>, paths: &[&str]) -> Option<String> {
    let mut possible = routes.iter().filter(|route| paths.iter().all(|path| is_of_route(path, route)));
    let only = possible.next().filter(|_| !paths.is_empty())?;
    // Routes of controllers have no leading slash, but every path does.
    possible.next().is_none().then(|| format!("/{}", only.trim_start_matches('/')))
}

/// Whether a path matches a route: `{…}` stands for any segment, `{*…}` for all remaining ones.
fn is_of_route(path: &str, route: &str) -> bool {
    let mut segments = path.trim_start_matches('/').split('/');
    for part in route.trim_start_matches('/').split('/') {
        if part.starts_with("{*") {
            return true;
        }
        let Some(segment) = segments.next() else { return false };
        if !part.contains('{') && !part.eq_ignore_ascii_case(segment) || segment.is_empty() != part.is_empty()
        {
            return false;
        }
    }
    segments.next().is_none()
}

fn routes_of_meter(recording: &Trace) -> Vec<(String, Work)> {
    let Some(observed_ns) = recording.metered_ns() else { return Vec::new() };
    let mut routes: BTreeMap<&str, Published> = BTreeMap::new();
    for kind in Published::KINDS {
        for of in of_durations(recording, REQUESTS_METER, kind) {
            let route = metered_route(tag(recording, of.tags, "http.route"));
            routes.entry(route).or_default().of_kind(kind).push(of);
        }
    }
    let work = routes
        .into_iter()
        .filter_map(|(route, of)| Some((route.to_owned(), of.work(recording, observed_ns)?)));
    work.collect()
}

/// Failed requests by route, from the meter: for requests that were recorded without a status.
pub(crate) fn metered_route_failures(recording: &Trace) -> BTreeMap<String, Failures> {
    let routes = routes_of_meter(recording).into_iter();
    routes.filter_map(|(route, work)| Some((route, work.failures?))).collect()
}

/// A count per second of the observed time. 0 if nothing was observed.
pub fn a_second(count: u64, observed_ns: i64) -> f64 {
    if observed_ns > 0 { real_u64(count) * 1e9 / real(observed_ns) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_one_name_however_its_paths_differ() {
        assert!(is_of_route("/scans/17", "scans/{parcel:int}"));
        assert!(is_of_route("/Scans/17", "/scans/{parcel:int}"));
        assert!(is_of_route("/files/a/b", "files/{**path}"));
        assert!(!is_of_route("/scans", "scans/{parcel:int}"));
        assert!(!is_of_route("/scans/17/x", "scans/{parcel:int}"));
        assert!(!is_of_route("/parts/17", "scans/{parcel:int}"));
        let mut recording = recording(1_000_000_000);
        for route in ["scans/{parcel:int}", "scans/{parcel:int}/events"] {
            let tags = format!(r#"{{"http.route":"{route}"}}"#);
            recording.counter(1, ["P", REQUESTS_METER, "s", "count", &tags], 1.0);
        }
        assert_eq!(route_of(&recording, &["/scans/1", "/scans/2"]).as_deref(), Some("/scans/{parcel:int}"));
        assert_eq!(route_of(&recording, &["/scans/1", "/parts/2"]), None);
        assert_eq!(route_of(&recording, &[]), None);
    }
    use crate::observed::tests::recording;
    use model::SpanRow;

    #[test]
    fn calls_are_distinguished_by_their_tags() {
        let mut recording = recording(1_000_000_000);
        let tags = [r#"{"db.query.text":"select 1"}"#, r#"{"http.request.method":"GET"}"#, "{}"];
        for (dur_ns, tags) in [(2_000_000, tags[0]), (4_000_000, tags[0]), (8_000_000, tags[1]), (9, tags[2])]
        {
            let [kind, tags] = recording.texts(["Client", tags]);
            recording.spans.push(SpanRow { dur_ns, kind, tags, ..SpanRow::blank() });
        }
        let database = database_calls(&recording).unwrap();
        assert_eq!((database.count, database.p50_ms), (2.0, Some(2.0)));
        assert!((database.seconds - 0.006).abs() < 1e-9);
        assert_eq!(http_calls(&recording).map(|calls| calls.count), Some(1.0));
        assert_eq!(requests(&recording), None);
    }
}
