//! Requests answered: how many, how fast.
//!
//! Exact from the table of requests. Without rows there, from the meter `http.server.request.duration`, which gives
//! quantiles of an interval and a set of tags: they cannot be put together exactly, and their names say so.

use crate::figure::{known, millis, rate, spread};
use crate::observed::observed_ns;
use base::number::{count, real};
use base::stats::{Share, Sorted, quantile};
use model::{Sym, Trace};
use report::{List, ListColumn, Part, Row, Series};
use std::collections::BTreeMap;

const METER: &str = "http.server.request.duration";
const PATHS: &[ListColumn] = &[
    ListColumn { name: "requests", unit: "" },
    ListColumn { name: "p50", unit: "ms" },
    ListColumn { name: "p99", unit: "ms" },
];

/// The part of requests.
pub(crate) fn part(recording: &Trace) -> Part {
    if recording.requests.start_ns.is_empty() { from_meter(recording) } else { from_rows(recording) }
}

fn from_rows(recording: &Trace) -> Part {
    let mut part = Part::new("requests");
    let rows = &recording.requests;
    let total = count(rows.start_ns.len());
    let mut all: Vec<i64> = rows.dur_ns.iter().copied().filter_map(known).collect();
    let sorted = Sorted::new(&mut all);
    let at = |per_mille| quantile(&sorted, Share::PerMille(per_mille)).map(|ns| millis(real(ns)));
    part.figure("count", Some(total), "", "Requests that began");
    part.figure("unfinished", Some(total - count(sorted.len())), "", "Requests whose end was not recorded");
    part.figure(
        "rate",
        rate(total, observed_ns(recording, "events")),
        "1/s",
        "Requests a second of the observed time",
    );
    part.figure("p50", at(500), "ms", "Half took no longer");
    part.figure("p90", at(900), "ms", "Nine in ten took no longer");
    part.figure("p99", at(990), "ms", "99 in 100 took no longer");
    part.figure("max", at(1000), "ms", "The slowest");
    let told = rows.status.iter().any(|status| known(*status).is_some());
    let failed = rows.status.iter().filter(|status| **status >= 500).count();
    part.figure("failed", told.then(|| count(failed)), "", "Answered with a status of 500 or above");
    part.lists.push(paths(recording));
    part.series.push(Series {
        name: "began",
        unit: "",
        about: "Requests that began",
        values: spread(recording, rows.start_ns.iter().map(|ts_ns| (*ts_ns, 1.0))),
    });
    part
}

fn paths(recording: &Trace) -> List {
    let rows = &recording.requests;
    let mut paths: BTreeMap<(Sym, Sym), (usize, Vec<i64>)> = BTreeMap::new();
    for at in 0..rows.start_ns.len() {
        let Some(row) = rows.row(at) else { continue };
        // Paths carry ids, routes do not: group by the route where it is known.
        let path = if row.route == Sym::NONE { row.path } else { row.route };
        let group = paths.entry((row.method, path)).or_default();
        group.0 += 1;
        group.1.extend(known(row.dur_ns));
    }
    let list = paths.into_iter().map(|((method, path), (requests, mut times))| {
        let times = Sorted::new(&mut times);
        let name = format!("{} {}", recording.strings.text(method), recording.strings.text(path));
        let at = |per_mille| quantile(&times, Share::PerMille(per_mille)).map(|ns| millis(real(ns)));
        Row { name: name.trim().to_owned(), values: vec![Some(count(requests)), at(500), at(990)] }
    });
    List::ranked("paths", "Routes, or paths where the route is not told", PATHS, list.collect())
}

fn from_meter(recording: &Trace) -> Part {
    let mut part = Part::new("requests");
    let metered = metered(recording);
    let seen = !metered.is_empty();
    part.missing.push(if seen {
        "single requests were not recorded: needs the profile requests"
    } else {
        "the recording has no requests: needs the profile requests"
    });
    let total: f64 = metered.values().filter_map(|of| of.count).sum();
    let counted = metered.values().any(|of| of.count.is_some());
    part.figure("count", counted.then_some(total), "", "Requests that the meter counted");
    part.figure(
        "rate",
        rate(total, observed_ns(recording, "events")).filter(|_| counted),
        "1/s",
        "Requests a second of the observed time",
    );
    let mut medians: Vec<(f64, f64)> =
        metered.values().filter_map(|of| Some((of.p50?, of.count.unwrap_or(1.0)))).collect();
    medians.sort_by(|a, b| a.0.total_cmp(&b.0));
    part.figure(
        "p50.middle",
        middle(&medians),
        "ms",
        "The middle one of the meter's p50, each counted by its requests",
    );
    let highest = metered.values().filter_map(|of| of.p99).max_by(f64::total_cmp);
    part.figure("p99.highest", highest, "ms", "The highest p99 of any interval and set of tags");
    part
}

/// What the meter told of an interval and a set of tags, in milliseconds.
#[derive(Debug, Default)]
struct Metered {
    p50: Option<f64>,
    p99: Option<f64>,
    count: Option<f64>,
}

fn metered(recording: &Trace) -> BTreeMap<(i64, Sym), Metered> {
    let mut metered: BTreeMap<(i64, Sym), Metered> = BTreeMap::new();
    let Some(meter) = recording.strings.find(METER) else { return metered };
    let rows = &recording.counters;
    let named = rows.name.iter().enumerate().filter(|(_, name)| **name == meter);
    for row in named.filter_map(|(at, _)| rows.row(at)).filter(|row| row.value.is_finite()) {
        let to_millis = if recording.strings.text(row.unit) == "ms" { 1.0 } else { 1000.0 };
        let of = metered.entry((row.ts_ns, row.tags)).or_default();
        match recording.strings.text(row.kind) {
            "p50" => of.p50 = Some(row.value * to_millis),
            "p99" => of.p99 = Some(row.value * to_millis),
            "count" => of.count = Some(row.value),
            _ => {}
        }
    }
    metered.retain(|_, of| of.count != Some(0.0));
    metered
}

/// The value at half of the weight, of sorted values.
fn middle(sorted: &[(f64, f64)]) -> Option<f64> {
    let half = sorted.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut before = 0.0;
    for (value, weight) in sorted {
        before += weight;
        if before >= half {
            return Some(*value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::{CounterRow, NO_ID, NO_INT, RequestRow};

    fn request(recording: &mut Trace, path: &str, dur_ns: i64, status: i64) {
        let method = recording.strings.intern("GET");
        let path = recording.strings.intern(path);
        let (none, no) = (Sym::NONE, NO_INT);
        recording.requests.push(RequestRow {
            start_ns: 0,
            dur_ns,
            method,
            path,
            route: none,
            status,
            activity: model::NO_ID,
            trace_id: none,
            thread_first: NO_ID,
            gc_ns: no,
            lock_ns: no,
            wait_ns: no,
            cpu_ns: no,
            database_ns: no,
            http_ns: no,
            queue_ns: no,
            await_ns: no,
            unknown_ns: no,
        });
    }

    fn counter(recording: &mut Trace, ts_ns: i64, kind: &str, value: f64) {
        let mut text = |text| recording.strings.intern(text);
        let (provider, name) = (text("Microsoft.AspNetCore.Hosting"), text(METER));
        let (unit, kind, tags) = (text("s"), text(kind), text("{}"));
        recording.counters.push(CounterRow { ts_ns, provider, name, unit, kind, value, tags });
    }

    #[test]
    fn quantiles_are_exact_and_unfinished_requests_are_told() {
        let mut recording = recording(500_000_000);
        for (dur_ns, status) in [(1_000_000, 200), (9_000_000, 500), (NO_INT, NO_INT), (2_000_000, 200)] {
            request(&mut recording, "/a", dur_ns, status);
        }
        let part = part(&recording);
        let names = ["count", "unfinished", "rate", "p50", "p99", "failed"];
        assert_eq!(
            names.map(|name| part.value(name)),
            [Some(4.0), Some(1.0), Some(8.0), Some(2.0), Some(9.0), Some(1.0)]
        );
        let paths = &part.list("paths").unwrap().rows;
        assert_eq!(
            paths[0],
            Row { name: "GET /a".to_owned(), values: vec![Some(4.0), Some(2.0), Some(9.0)] }
        );
    }

    #[test]
    fn without_requests_the_meter_answers_under_other_names() {
        let mut recording = recording(1_000_000_000);
        for (ts_ns, seconds, requests) in [(1, 0.010, 90.0), (2, 0.050, 10.0), (3, 0.0, 0.0)] {
            counter(&mut recording, ts_ns, "p50", seconds);
            counter(&mut recording, ts_ns, "p99", seconds * 2.0);
            counter(&mut recording, ts_ns, "count", requests);
        }
        let part = part(&recording);
        let names = ["count", "rate", "p50.middle", "p99.highest"];
        assert_eq!(names.map(|name| part.value(name)), [Some(100.0), Some(100.0), Some(10.0), Some(100.0)]);
        assert_eq!(part.value("p99"), None);
        assert_eq!(part.missing, ["single requests were not recorded: needs the profile requests"]);
    }
}
