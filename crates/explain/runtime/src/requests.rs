//! Requests: how many, and how fast.
//!
//! Figures are exact if each request was recorded. Otherwise they come from the meter `http.server.request.duration`. It
//! publishes quantiles per interval and set of tags, which only bound the quantiles of all requests.

use crate::failures::failures;
use crate::figure::{known, millis, share, spread};
use crate::load::{Basis, Work, routes};
use crate::metered::{first_totals, metered_seconds};
use crate::mixture::Bounds;
use crate::threadpool::{POOL_DONE, POOL_QUEUE};
use crate::underway::UnderWay;
use base::number::{count, real};
use base::stats::{Share, Sorted, quantile};
use model::{CountedBy, LimitKind, REQUESTS_METER, Sym, Trace};
use report::{List, ListColumn, Part, Row, Series, unit};
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

/// Adds the requests per second, and what counted them.
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
    failed(&mut part, recording);
    under_way(&mut part, recording);
    part.lists.push(paths(recording));
    part.lists.push(slowest(recording));
    part.series.push(Series {
        name: "began",
        unit: "",
        about: "Requests that began per bar",
        values: spread(recording, rows.start_ns.iter().map(|ts_ns| (*ts_ns, 1.0))),
    });
    part
}

/// Adds how many requests failed.
fn failed(part: &mut Part, recording: &Trace) {
    let failures = failures(recording);
    let about = "Answered with a status of 500 or above, or ended by an exception";
    part.figure("failed", failures.map(|of| of.failed), "", about);
    let about = "Share of requests that failed, of those whose outcome is known";
    part.figure("failed.share", failures.map(|of| of.share()), "share", about);
}

/// Adds the requests under way, of those that began while they were counted.
fn under_way(part: &mut Part, recording: &Trace) {
    let of = crate::underway::under_way(recording);
    let about = "Requests in flight at the start (first count), of those that began in the recording";
    part.figure("in_flight.first", of.as_ref().map(UnderWay::first), "", about);
    let about = "Requests in flight at the end (last count), of those that began in the recording";
    part.figure("in_flight.last", of.as_ref().map(UnderWay::last), "", about);
    if let Some(of) = of {
        part.counted_by(&["in_flight.first", "in_flight.last"], of.by.words());
    }
}

fn paths(recording: &Trace) -> List {
    #[derive(Default)]
    struct OfPath {
        requests: usize,
        times: Vec<i64>,
    }
    let rows = &recording.requests;
    let mut paths: BTreeMap<(Sym, Sym), OfPath> = BTreeMap::new();
    for at in 0..rows.start_ns.len() {
        let Some(row) = rows.row(at) else { continue };
        // Paths have ids in them, routes do not: group by the route if it is known.
        let path = if row.route == Sym::NONE { row.path } else { row.route };
        let group = paths.entry((row.method, path)).or_default();
        group.requests += 1;
        group.times.extend(known(row.dur_ns));
    }
    let list = paths.into_iter().map(|((method, path), mut of_path)| {
        let times = Sorted::new(&mut of_path.times);
        let name = format!("{} {}", recording.strings.text(method), recording.strings.text(path));
        let at = |per_mille| quantile(&times, Share::PerMille(per_mille)).map(|ns| millis(real(ns)));
        Row { name: name.trim().to_owned(), values: vec![Some(count(of_path.requests)), at(500), at(990)] }
    });
    List::ranked("paths", "Routes, or paths if the route is unknown", PATHS, list.collect())
}

/// Routes by their p99. The figures of the whole service hide a slow route behind a health check.
fn slowest(recording: &Trace) -> List {
    const COLUMNS: &[ListColumn] = &[
        ListColumn { name: "p99", unit: "ms" },
        ListColumn { name: "p50", unit: "ms" },
        ListColumn { name: "rate", unit: "1/s" },
        ListColumn { name: "failed", unit: "share" },
    ];
    const BOUNDS: &[ListColumn] = &[
        ListColumn { name: "p99 ≥", unit: "ms" },
        ListColumn { name: "p99 ≤", unit: "ms" },
        ListColumn { name: "p50 ≥", unit: "ms" },
        ListColumn { name: "p50 ≤", unit: "ms" },
        ListColumn { name: "rate", unit: "1/s" },
        ListColumn { name: "failed", unit: "share" },
    ];
    let routes = routes(recording);
    let is_metered = routes.iter().any(|(_, of)| of.basis == Basis::Meter);
    // Requests may lack a status that the meter's tags have.
    let is_known = is_metered || routes.iter().all(|(_, of)| of.failures.is_some());
    let failed = if is_known { BTreeMap::new() } else { crate::load::metered_route_failures(recording) };
    let (low, high) = (|of: Option<Bounds>| Some(of?.low), |of: Option<Bounds>| Some(of?.high));
    let rows = routes.into_iter().map(|(name, of)| {
        let rate = Some(of.per_second());
        let failures = of.failures.or_else(|| failed.get(&name).copied()).map(|failures| failures.share());
        let values = if is_metered {
            vec![low(of.p99), high(of.p99), low(of.p50), high(of.p50), rate, failures]
        } else {
            vec![of.p99_ms, of.p50_ms, rate, failures]
        };
        Row { name: if name.is_empty() { "(no name)".to_owned() } else { name }, values }
    });
    let columns = if is_metered { BOUNDS } else { COLUMNS };
    let (columns, rows) = without_unknown(columns, rows.collect());
    List::ranked("routes", "Routes, the slowest first", columns, rows)
}

/// Drops the last column if no row has a value in it. Next to a figure of the whole service, dashes look like a contradiction.
fn without_unknown(columns: &'static [ListColumn], mut rows: Vec<Row>) -> (&'static [ListColumn], Vec<Row>) {
    let is_known = rows.iter().any(|row| row.values.last().is_some_and(Option::is_some));
    match columns.split_last() {
        Some((_, others)) if !is_known => {
            for row in &mut rows {
                row.values.pop();
            }
            (others, rows)
        }
        _ => (columns, rows),
    }
}

/// The shortest wait in the pool's queue that matters next to the times of requests.
const MIN_QUEUE_MS: f64 = 1.0;

/// How long an item waits in the pool's queue on average, by Little's law. `None` if the length of the queue or the number of
/// completed items was not published.
fn queue_wait_ms(recording: &Trace) -> Option<f64> {
    let mean = |names: &[(&str, &str)]| {
        let totals = first_totals(recording, names);
        share(totals.iter().map(|(_, value)| value).sum(), count(totals.len()))
    };
    let (length, completed) = (mean(&POOL_QUEUE)?, mean(&POOL_DONE)?);
    (length >= 0.0 && completed > 0.0).then(|| length / completed * 1e3)
}

/// What bounds the quantiles of all requests.
const BOUNDED_BY: &str = "the meter, which has no closer value";

/// Adds the bounds of the quantiles of all requests, and the medians of the meter's quantiles.
fn quantiles(part: &mut Part, work: Option<&Work>) {
    let of = |quantile: fn(&Work) -> Option<Bounds>| work.and_then(quantile);
    let (p50, p99) = (of(|work| work.p50), of(|work| work.p99));
    // Bounds that read alike are the value.
    let is_known = |of: &Bounds| unit::show(of.low, "ms") == unit::show(of.high, "ms");
    let known = |of: Option<Bounds>| of.filter(is_known).map(|of| of.high);
    let open = |of: Option<Bounds>| of.filter(|of| !is_known(of));
    let low = |of: Option<Bounds>| open(of).map(|of| of.low);
    let high = |of: Option<Bounds>| open(of).map(|of| of.high);
    part.figure("p50", known(p50), "ms", "Latency, p50");
    part.figure("p50.low", low(p50), "ms", "Latency, p50, lower bound");
    part.figure("p50.high", high(p50), "ms", "Latency, p50, upper bound");
    part.figure("p99", known(p99), "ms", "Latency, p99");
    part.figure("p99.low", low(p99), "ms", "Latency, p99, lower bound");
    part.figure("p99.high", high(p99), "ms", "Latency, p99, upper bound");
    part.counted_by(&["p50.low", "p99.low"], BOUNDED_BY);
    let (p50, p99) = (work.and_then(|of| of.p50_ms), work.and_then(|of| of.p99_ms));
    part.figure("p50.middle", p50, "ms", "Median of the p50s of all seconds and routes: an estimate");
    part.figure(
        "p99.middle",
        p99,
        "ms",
        "Median of the p99s of all seconds and routes: not the p99 of all requests",
    );
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
    // Bursts have a tenth of all requests or fewer, so their count says less than the rate.
    let all = ended.filter(|of| of.by != CountedBy::Bursts).map(|of| of.count);
    part.figure("count", all.or(counted.map(|of| of.count)), "", "Requests that ended");
    rate(&mut part, recording);
    quantiles(&mut part, work.as_ref());
    let highest = metered_seconds(recording, REQUESTS_METER, "p99");
    let highest = highest.iter().map(|of| of.value * 1e3).max_by(f64::total_cmp);
    part.figure("p99.highest", highest, "ms", "Worst p99 of any route in any second");
    failed(&mut part, recording);
    under_way(&mut part, recording);
    // The meter's times begin when a thread-pool thread takes the request. Clients wait at least this much longer.
    if let Some(ms) = queue_wait_ms(recording).filter(|ms| *ms >= MIN_QUEUE_MS) {
        let about = "Wait in the pool's queue before the meter begins, on average";
        part.figure("queue.wait", Some(ms), "ms", about);
        part.counted_by(&["queue.wait"], "queue length / items completed per second");
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
    use model::NO_INT;

    fn counter(recording: &mut Trace, ts_ns: i64, kind: &str, value: f64) {
        let texts = ["Microsoft.AspNetCore.Hosting", REQUESTS_METER, "s", kind, "{}"];
        recording.counter(ts_ns, texts, value);
    }

    #[test]
    fn quantiles_are_exact_and_unfinished_requests_are_counted() {
        let mut recording = recording(500_000_000);
        for (dur_ns, status) in [(1_000_000, 200), (9_000_000, 500), (NO_INT, NO_INT), (2_000_000, 200)] {
            recording.request(0, dur_ns, "/a", status);
        }
        let part = part(&recording);
        let names = ["count", "unfinished", "rate", "p50", "p99", "failed.share"];
        assert_eq!(
            names.map(|name| part.value(name)),
            [Some(4.0), Some(1.0), Some(6.0), Some(2.0), Some(9.0), Some(1.0 / 3.0)]
        );
        let paths = &part.list("paths").unwrap().rows;
        assert_eq!(
            paths[0],
            Row { name: "GET /a".to_owned(), values: vec![Some(4.0), Some(2.0), Some(9.0)] }
        );
    }

    #[test]
    fn routes_of_which_no_outcome_is_known_have_no_column_of_dashes() {
        let mut recording = recording(1_000_000_000);
        recording.request(0, 4_000_000, "/a", NO_INT);
        let columns = |recording: &Trace| {
            let part = part(recording);
            let list = part.list("routes").unwrap();
            (list.columns.last().map(|column| column.name), list.rows[0].values.len())
        };
        assert_eq!(columns(&recording), (Some("rate"), 3));
        recording.request(0, 4_000_000, "/b", 500);
        assert_eq!(columns(&recording), (Some("failed"), 4));
    }

    #[test]
    fn a_route_whose_path_has_numbers_is_one_row_and_not_one_for_each_number() {
        let mut recording = recording(1_000_000_000);
        for (path, dur_ns) in
            [("/parts/1", 4_000_000), ("/parts/22", 6_000_000), ("/parts", 1), ("/of/7", 1_000)]
        {
            recording.request(0, dur_ns, path, 200);
        }
        let part = part(&recording);
        let rows: Vec<_> = part.list("routes").unwrap().rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(rows, ["/parts/{id}", "/of/7", "/parts"]);
        assert_eq!(part.list("routes").unwrap().rows[0].values, [Some(6.0), Some(4.0), Some(2.0), Some(0.0)]);
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
        let names = ["count", "rate", "p50.middle", "p99.highest", "p50.low", "p50.high"];
        let expected = [Some(102.0), Some(34.0), Some(10.0), Some(100.0), Some(10.0), Some(20.0)];
        assert_eq!(names.map(|name| part.value(name)), expected);
        // The largest of the 12 slow ones: 2 of 102 are above the p99 of all, so it is no less than 50 ms.
        assert_eq!(
            ["p99.low", "p99.high", "p99"].map(|name| part.value(name)),
            [Some(50.0), Some(100.0), None]
        );
        let lower = part.figures.iter().find(|figure| figure.name == "p50.low").unwrap();
        assert!(lower.about.ends_with(", lower bound"), "pages show both bounds in one row by these words");
        assert_eq!(part.missing, ["single requests were not recorded: needs the profile requests"]);
    }

    #[test]
    fn what_waits_before_the_meter_begins_is_said_beside_its_times() {
        let check = |length: f64, expected: Option<f64>| {
            let mut recording = recording(2_000_000_000);
            let mut push = |name: &str, kind: &str, value: f64| {
                recording.counter(1_000_000_000, ["System.Runtime", name, "", kind, "{}"], value);
            };
            push("dotnet.thread_pool.queue.length", "total", length);
            push("threadpool-completed-items-count", "rate", 500.0);
            assert_eq!(part(&recording).value("queue.wait"), expected, "{length}");
        };
        check(10.0, Some(20.0));
        check(0.1, None);
    }
}
