//! What the service had to do, and what it asked of others: requests and outgoing calls, with the time they took.
//!
//! Exact from requests and spans; from the meters of the libraries where the recording has none of these. Time over
//! observed time is how many were under way on average (Little's law), which compares with threads.

use crate::figure::known;
use crate::metered::{metered, tag};
use base::number::{count, real, real_u64};
use base::stats::{Share, Sorted, quantile, select};
use model::{NO_INT, Sym, Trace};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Where figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Each one was recorded.
    Rows,
    /// Sums that a meter published.
    Meter,
}

/// Requests, or calls of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// How many ended.
    pub count: f64,
    /// Seconds that they took, added up.
    pub seconds: f64,
    /// Half of them took no longer, in milliseconds; from a meter the middle of its intervals' medians.
    pub p50_ms: Option<f64>,
    /// Where this comes from.
    pub basis: Basis,
}

impl Work {
    /// Seconds that one took on average.
    pub fn mean_seconds(&self) -> f64 {
        if self.count > 0.0 { self.seconds / self.count } else { 0.0 }
    }
}

/// Requests answered.
pub fn requests(recording: &Trace) -> Option<Work> {
    let rows = &recording.requests.dur_ns;
    let mut times: Vec<i64> = rows.iter().copied().filter(|ns| *ns != NO_INT).collect();
    if times.is_empty() {
        return from_meter(recording, "http.server.request.duration");
    }
    Some(from_times(&Sorted::new(&mut times)))
}

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
    // Most spans share their tags; each set is looked at once.
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
    Some(from_times(&Sorted::new(&mut times)))
}

fn from_times(sorted: &Sorted<'_, i64>) -> Work {
    let p50_ms = quantile(sorted, Share::MEDIAN).map(|ns| crate::figure::millis(real(ns)));
    let seconds = sorted.iter().map(|ns| real(*ns) / 1e9).sum();
    Work { count: count(sorted.len()), seconds, p50_ms, basis: Basis::Rows }
}

fn from_meter(recording: &Trace, name: &str) -> Option<Work> {
    let counts = metered(recording, name, "count");
    // A meter of durations counts up alone.
    let total = |values: &[crate::metered::Metered]| -> f64 {
        values.iter().map(|of| of.value).sum::<f64>().max(0.0)
    };
    let (count, seconds) = (total(&counts), total(&metered(recording, name, "sum")));
    let mut medians: Vec<f64> = metered(recording, name, "p50").iter().map(|of| of.value * 1e3).collect();
    let p50_ms = select(&mut medians, Share::MEDIAN, f64::total_cmp);
    (count > 0.0).then_some(Work { count, seconds, p50_ms, basis: Basis::Meter })
}

/// Requests by route, most time first: route, count, seconds. The path stands in where the route is not told.
pub fn routes(recording: &Trace) -> Vec<(String, Work)> {
    let mut routes: BTreeMap<String, (Vec<i64>, f64, f64, Vec<f64>)> = BTreeMap::new();
    let rows = &recording.requests;
    for row in (0..rows.start_ns.len()).filter_map(|at| rows.row(at)).filter(|row| row.dur_ns != NO_INT) {
        let name = if row.route == Sym::NONE { row.path } else { row.route };
        routes.entry(recording.strings.text(name).to_owned()).or_default().0.push(row.dur_ns);
    }
    if routes.is_empty() {
        for (kind, place) in [("count", 0), ("sum", 1), ("p50", 2)] {
            for of in metered(recording, "http.server.request.duration", kind) {
                let route = tag(recording, of.tags, "http.route").unwrap_or("no route");
                let entry = routes.entry(route.to_owned()).or_default();
                match place {
                    0 => entry.1 += of.value,
                    1 => entry.2 += of.value,
                    _ => entry.3.push(of.value * 1e3),
                }
            }
        }
    }
    let work = routes.into_iter().map(|(name, (mut times, count, seconds, mut medians))| {
        if times.is_empty() {
            let p50_ms = select(&mut medians, Share::MEDIAN, f64::total_cmp);
            return (name, Work { count, seconds, p50_ms, basis: Basis::Meter });
        }
        (name, from_times(&Sorted::new(&mut times)))
    });
    let mut work: Vec<_> = work.filter(|(_, work)| work.count > 0.0).collect();
    work.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds).then_with(|| a.0.cmp(&b.0)));
    work
}

/// How many of something a second, of the seconds given.
pub fn a_second(count: u64, observed_ns: i64) -> f64 {
    if observed_ns > 0 { real_u64(count) * 1e9 / real(observed_ns) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::SpanRow;

    #[test]
    fn calls_are_told_apart_by_their_tags() {
        let mut recording = recording(1_000_000_000);
        let tags = [r#"{"db.query.text":"select 1"}"#, r#"{"http.request.method":"GET"}"#, "{}"];
        for (dur_ns, tags) in [(2_000_000, tags[0]), (4_000_000, tags[0]), (8_000_000, tags[1]), (9, tags[2])]
        {
            let mut text = |text| recording.strings.intern(text);
            let (kind, tags, none) = (text("Client"), text(tags), Sym::NONE);
            recording.spans.push(SpanRow {
                start_ns: 0,
                dur_ns,
                source: none,
                name: none,
                kind,
                span_id: none,
                parent_id: none,
                trace_id: none,
                tags,
            });
        }
        let database = database_calls(&recording).unwrap();
        assert_eq!((database.count, database.p50_ms), (2.0, Some(2.0)));
        assert!((database.seconds - 0.006).abs() < 1e-9);
        assert_eq!(http_calls(&recording).map(|calls| calls.count), Some(1.0));
        assert_eq!(requests(&recording), None);
    }
}
