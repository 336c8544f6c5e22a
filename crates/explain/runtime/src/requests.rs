//! Requests answered: how many, how fast.
//!
//! Exact from the table of requests. Without rows there, from the meter `http.server.request.duration`, which gives
//! quantiles of an interval and a set of tags: they cannot be put together exactly, and their names say so.

use crate::figure::{known, millis, spread};
use crate::load::routes;
use crate::metered::metered;
use base::number::{count, real};
use base::stats::{Share, Sorted, quantile};
use model::{CountedBy, REQUESTS_METER, Sym, Trace};
use report::{List, ListColumn, Part, Row, Series};
use std::collections::BTreeMap;

const PATHS: &[ListColumn] = &[
    ListColumn { name: "requests", unit: "" },
    ListColumn { name: "p50", unit: "ms" },
    ListColumn { name: "p99", unit: "ms" },
];

/// The part of requests.
pub(crate) fn part(recording: &Trace) -> Part {
    if recording.has_each_request() { from_rows(recording) } else { from_meter(recording) }
}

/// Requests per second, wherever they were counted.
fn rate(part: &mut Part, recording: &Trace) {
    let ended = recording.ended_requests();
    let about = match ended.map(|of| of.by) {
        Some(CountedBy::Meter) => "Requests per second, counted by the meter http.server.request.duration",
        Some(CountedBy::Bursts) => "Requests per second of the bursts in which they were recorded",
        Some(CountedBy::Events) | None => "Requests that ended per second",
    };
    part.figure("rate", ended.map(|of| of.per_second()), "1/s", about);
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
    rate(&mut part, recording);
    part.figure("p50", at(500), "ms", "Half took no longer");
    part.figure("p90", at(900), "ms", "Nine in ten took no longer");
    part.figure("p99", at(990), "ms", "99 in 100 took no longer");
    part.figure("max", at(1000), "ms", "The slowest");
    let told = rows.status.iter().any(|status| known(*status).is_some());
    let failed = rows.status.iter().filter(|status| **status >= 500).count();
    part.figure("failed", told.then(|| count(failed)), "", "Answered with a status of 500 or above");
    part.lists.push(paths(recording));
    part.lists.push(slowest(recording));
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

/// Routes by their p99: the rate of the whole service hides a slow one behind a health check.
fn slowest(recording: &Trace) -> List {
    const COLUMNS: &[ListColumn] = &[
        ListColumn { name: "p99", unit: "ms" },
        ListColumn { name: "p50", unit: "ms" },
        ListColumn { name: "rate", unit: "1/s" },
    ];
    let rows = routes(recording).into_iter().map(|(name, of)| Row {
        name: if name.is_empty() { "(no name)".to_owned() } else { name },
        values: vec![of.p99_ms, of.p50_ms, Some(of.per_second())],
    });
    List::ranked("routes", "Routes, the slowest first", COLUMNS, rows.collect())
}

fn from_meter(recording: &Trace) -> Part {
    let mut part = Part::new("requests");
    let ended = recording.ended_requests();
    let work = crate::load::requests(recording);
    part.missing.push(match ended {
        Some(_) => "single requests were not recorded: needs the profile requests",
        None => "the recording has no requests: needs the profile requests",
    });
    let counted = recording.metered_count(REQUESTS_METER);
    part.figure("count", counted.map(|of| of.count), "", "Requests that the meter counted");
    rate(&mut part, recording);
    part.figure(
        "p50.middle",
        work.and_then(|of| of.p50_ms),
        "ms",
        "The p50 of a typical second: the median of what the meter published",
    );
    part.figure(
        "p99.middle",
        work.and_then(|of| of.p99_ms),
        "ms",
        "The p99 of a typical second: the median of what the meter published",
    );
    let highest = metered(recording, REQUESTS_METER, "p99");
    let highest = highest.iter().map(|of| of.value * 1e3).max_by(f64::total_cmp);
    part.figure("p99.highest", highest, "ms", "The highest p99 of any second and route");
    part.lists.push(slowest(recording));
    part
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
        let (provider, name) = (text("Microsoft.AspNetCore.Hosting"), text(REQUESTS_METER));
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
            [Some(4.0), Some(1.0), Some(6.0), Some(2.0), Some(9.0), Some(1.0)]
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
        for (ts_ns, seconds, requests) in [(1, 0.010, 90.0), (2, 0.050, 12.0), (3, 0.0, 0.0)] {
            counter(&mut recording, ts_ns * 1_000_000_000, "p50", seconds);
            counter(&mut recording, ts_ns * 1_000_000_000, "p99", seconds * 2.0);
            counter(&mut recording, ts_ns * 1_000_000_000, "count", requests);
        }
        let part = part(&recording);
        let names = ["count", "rate", "p50.middle", "p99.highest"];
        assert_eq!(names.map(|name| part.value(name)), [Some(102.0), Some(34.0), Some(10.0), Some(100.0)]);
        assert_eq!(part.value("p99"), None);
        assert_eq!(part.missing, ["single requests were not recorded: needs the profile requests"]);
    }
}
