//! Requests answered: how many, how fast.
//!
//! Exact from the table of requests. Without rows there, from the meter `http.server.request.duration`, which gives
//! quantiles of an interval and a set of tags: they cannot be put together exactly, and their names say so.

use crate::figure::{known, millis, spread};
use crate::load::routes;
use crate::metered::{metered_seconds, metered_totals};
use base::number::{count, real};
use base::stats::{Share, Sorted, quantile};
use model::{CountedBy, LimitKind, REQUESTS_METER, Sym, Trace};
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
    part.figure("rate", ended.map(|of| of.per_second()), "1/s", "Requests that ended per second");
    let source = ended.map(|of| match of.by {
        CountedBy::Meter => "the meter http.server.request.duration",
        CountedBy::Counter => "the event counter total-requests",
        CountedBy::Bursts => "the events of bursts",
        CountedBy::Events => "events",
    });
    if let Some(source) = source {
        part.counted_by(&["rate"], source);
    }
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
    part.figure("p50", at(500), "ms", "Latency, p50");
    part.figure("p90", at(900), "ms", "Latency, p90");
    part.figure("p99", at(990), "ms", "Latency, p99");
    part.figure("max", at(1000), "ms", "Latency, max");
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
    List::ranked("paths", "Routes, or paths if the route is unknown", PATHS, list.collect())
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

/// A shorter wait in the pool's queue says nothing beside the times of requests.
const LEAST_QUEUE_MS: f64 = 1.0;

/// How long an item waits in the pool's queue on average, by Little's law; none where either side was not published.
fn queue_wait_ms(recording: &Trace) -> Option<f64> {
    let mean = |values: Vec<f64>| {
        let sum: f64 = values.iter().sum();
        (!values.is_empty()).then(|| sum / count(values.len()))
    };
    let first = |names: [(&str, &str); 2]| {
        let totals = names.into_iter().map(|(name, kind)| metered_totals(recording, name, kind));
        mean(totals.into_iter().find(|of| !of.is_empty())?.into_iter().map(|(_, value)| value).collect())
    };
    let length = first([("dotnet.thread_pool.queue.length", "total"), ("threadpool-queue-length", "value")])?;
    let completed = first([
        ("threadpool-completed-items-count", "rate"),
        ("dotnet.thread_pool.work_item.count", "rate"),
    ])?;
    (length >= 0.0 && completed > 0.0).then(|| length / completed * 1e3)
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
    part.figure("p50.middle", work.and_then(|of| of.p50_ms), "ms", "p50 of a typical second");
    part.figure("p99.middle", work.and_then(|of| of.p99_ms), "ms", "p99 of a typical second");
    let highest = metered_seconds(recording, REQUESTS_METER, "p99");
    let highest = highest.iter().map(|of| of.value * 1e3).max_by(f64::total_cmp);
    part.figure("p99.highest", highest, "ms", "Highest p99 of any second and route");
    // The meter's times begin when a worker takes the request up: a client waits for so much longer, at least.
    if let Some(ms) = queue_wait_ms(recording).filter(|ms| *ms >= LEAST_QUEUE_MS) {
        let about = "Wait in the pool's queue before the meter begins, on average";
        part.figure("queue.wait", Some(ms), "ms", about);
        part.counted_by(&["queue.wait"], "the length of the pool's queue over the items completed");
    }
    part.lists.push(slowest(recording));
    if recording.missing.limits.any(LimitKind::is_of_histograms) && counted.is_some() {
        let is_whole = ended.is_some_and(|of| of.by != CountedBy::Meter);
        part.mark_partial(
            "some routes are in no figure of the meter: the runtime follows a limited number of series",
        );
        if is_whole {
            part.mark_whole("rate");
        }
    }
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
    fn a_route_whose_path_has_numbers_is_one_row_and_not_one_for_each_number() {
        let mut recording = recording(1_000_000_000);
        for (path, dur_ns) in
            [("/parts/1", 4_000_000), ("/parts/22", 6_000_000), ("/parts", 1), ("/of/7", 1_000)]
        {
            request(&mut recording, path, dur_ns, 200);
        }
        let part = part(&recording);
        let rows: Vec<_> = part.list("routes").unwrap().rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(rows, ["/parts/{id}", "/of/7", "/parts"]);
        assert_eq!(part.list("routes").unwrap().rows[0].values.last(), Some(&Some(2.0)));
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

    #[test]
    fn what_waits_before_the_meter_begins_is_said_beside_its_times() {
        let check = |length: f64, expected: Option<f64>| {
            let mut recording = recording(2_000_000_000);
            let mut push = |name: &str, kind: &str, value: f64| {
                let mut text = |text| recording.strings.intern(text);
                let (provider, name, unit) = (text("System.Runtime"), text(name), text(""));
                let (kind, tags, ts_ns) = (text(kind), text("{}"), 1_000_000_000);
                recording.counters.push(CounterRow { ts_ns, provider, name, unit, kind, value, tags });
            };
            push("dotnet.thread_pool.queue.length", "total", length);
            push("threadpool-completed-items-count", "rate", 500.0);
            assert_eq!(part(&recording).value("queue.wait"), expected, "{length}");
        };
        check(10.0, Some(20.0));
        check(0.1, None);
    }
}
