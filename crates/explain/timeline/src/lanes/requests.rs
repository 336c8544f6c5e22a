//! What users of the service felt: how many requests there were, how long they took, and how many were under way.

use super::{Ground, Subject};
use crate::grid::Spread;
use crate::lane::{Lane, LaneValues, Layer};
use crate::observed::Per;
use crate::published;
use base::number::{count, real};
use base::stats::{Share, select};
use model::{NO_INT, REQUESTS_METER};
use runtime::{known, metered_seconds, metered_totals};

/// Requests per second.
pub(crate) fn rate(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "requests",
        title: "Requests",
        unit: "1/s",
        counts: "",
        about: "Requests that began, per second",
        table: "requests",
        metric: None,
    };
    let rows = &ground.recording.requests;
    if ground.recording.has_each_request() {
        return ground.rate(subject, &rows.start_ns);
    }
    let subject = Subject {
        about: "Requests answered per second, as a meter counted them",
        table: "counters",
        ..subject
    };
    let counts = metered_totals(ground.recording, REQUESTS_METER, "count");
    if counts.is_empty() {
        return subject.published(ground.counted_rate(&[("requests-per-second", "rate", 1.0)])?);
    }
    // The meter publishes the count of each interval.
    let rates = published::intervals(&counts).map(|of| {
        let seconds = real(of.to_ns.saturating_sub(of.from_ns).max(1)) / 1e9;
        of.with(of.value.max(0.0) / seconds)
    });
    subject.published(published::mean(&ground.grid, rates))
}

/// How long requests took.
pub(crate) fn latency(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "latency",
        title: "Latency",
        unit: "ms",
        counts: "",
        about: "Half took no longer than p50, 99 in 100 no longer than p99",
        table: "requests",
        metric: None,
    };
    let rows = &ground.recording.requests;
    if !ground.recording.has_each_request() {
        return metered_latency(ground, subject);
    }
    let (mut p50, mut p99, mut endless) = (Vec::new(), Vec::new(), 0usize);
    let mut times: Vec<i64> = Vec::new();
    for piece in ground.grid.rows_of_pieces(&rows.start_ns) {
        let all = rows.dur_ns.get(piece).unwrap_or_default();
        times.clear();
        times.extend(all.iter().filter_map(|ns| known(*ns)));
        endless += all.len() - times.len();
        p50.push(quantile_ms(&mut times, Share::MEDIAN));
        p99.push(quantile_ms(&mut times, Share::PerMille(990)));
    }
    let layers = vec![Layer { name: "p99", values: p99 }, Layer { name: "p50", values: p50 }];
    let observed = ground.observed(&rows.start_ns).in_pieces(&ground.grid).shares(&ground.grid);
    subject.lane(LaneValues::Area { stacked: false, layers }, observed, count(endless))
}

/// A quantile of times, in milliseconds.
fn quantile_ms(times: &mut [i64], share: Share) -> Option<f64> {
    select(times, share, i64::cmp).map(|ns| real(ns.max(0)) / 1e6)
}

/// The highest p99 of any route, since quantiles of several routes cannot be combined.
fn metered_latency(ground: &Ground<'_>, subject: Subject) -> Option<Lane> {
    let mut highest: Vec<(i64, f64)> = Vec::new();
    for of in metered_seconds(ground.recording, REQUESTS_METER, "p99") {
        let millis = of.value.max(0.0) * 1e3;
        match highest.last_mut() {
            // A round of publishing takes less than this.
            Some((ns, most)) if of.ts_ns.saturating_sub(*ns) < 100_000_000 => *most = most.max(millis),
            _ => highest.push((of.ts_ns, millis)),
        }
    }
    let values = published::mean(&ground.grid, published::intervals(&highest));
    let about = "The highest p99 of any route, as a meter published it";
    Subject { title: "p99 of the slowest route", about, table: "counters", ..subject }.published(values)
}

/// Requests under way.
pub(crate) fn under_way(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "in-flight",
        title: "Requests in flight",
        unit: "",
        counts: "requests",
        about: "On average, without those that began before the recording",
        table: "requests",
        metric: None,
    };
    let rows = &ground.recording.requests;
    if !ground.recording.has_each_request() {
        let about = "Requests in flight, as the service counted them";
        let counters = [
            ("http.server.active_requests", "value", 1.0),
            ("http.server.active_requests", "total", 1.0),
            ("current-requests", "value", 1.0),
        ];
        return Subject { about, table: "counters", ..subject }.published(ground.counted_level(&counters)?);
    }
    let observed = ground.observed(&rows.start_ns);
    let squeezed = observed.squeezed(&ground.grid);
    let mut spread = Spread::new(&squeezed);
    let mut left_out = 0usize;
    // A request without an end is still under way, unless the end may be among the events that were lost.
    let are_hanging = ground.recording.missing.events == 0;
    let end = ground.recording.exhibit.duration_ns.saturating_add(1);
    for (from, dur) in rows.start_ns.iter().zip(&rows.dur_ns) {
        let to = match *dur {
            NO_INT if are_hanging => end,
            NO_INT => {
                left_out += usize::from(ground.grid.piece(*from).is_some());
                continue;
            }
            dur => from.saturating_add(dur.max(0)),
        };
        spread.add(observed.before(*from), observed.before(to), 1.0);
    }
    let pieces = observed.in_pieces(&ground.grid);
    let (values, _) = pieces.rates(&spread.finish(), Per::Nanosecond);
    subject.level(values, pieces.shares(&ground.grid), count(left_out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Grid, Span};
    use crate::testing::{counter, levels, recording};
    use model::{RequestRow, Trace};

    const SECOND: i64 = 1_000_000_000;

    fn served(requests: &[(i64, i64)]) -> Trace {
        let mut recording = recording(&[("events", 0, 4 * SECOND - 1)]);
        for (start_ns, dur_ns) in requests {
            let (start_ns, dur_ns, activity) = (*start_ns, *dur_ns, Some(0.into()));
            recording.requests.push(RequestRow { start_ns, dur_ns, activity, ..RequestRow::blank() });
        }
        recording
    }

    fn ground(recording: &Trace) -> Ground<'_> {
        Ground::new(recording, Grid::new(Span { from_ns: 0, to_ns: 4 * SECOND }, 4))
    }

    #[test]
    fn requests_are_counted_where_they_began_and_timed_there() {
        let recording = served(&[
            (0, SECOND),
            (1, SECOND / 2),
            (2, SECOND / 4),
            (SECOND, NO_INT),
            (2 * SECOND, i64::MAX),
        ]);
        let ground = ground(&recording);
        assert_eq!(levels(&rate(&ground).unwrap()), [Some(3.0), Some(1.0), Some(1.0), Some(0.0)]);
        let lane = latency(&ground).unwrap();
        let LaneValues::Area { layers, stacked: false } = &lane.shape else { panic!("no layers") };
        assert_eq!(layers[0].values[..2], [Some(1000.0), None]);
        assert_eq!(layers[1].values[..2], [Some(500.0), None]);
        assert_eq!(lane.left_out, 1, "the request without an end");
    }

    #[test]
    fn a_request_without_an_end_is_under_way_unless_its_end_may_be_lost() {
        let mut recording = served(&[(SECOND, SECOND), (SECOND, NO_INT), (3 * SECOND, -5)]);
        let lane = under_way(&ground(&recording)).unwrap();
        assert_eq!(levels(&lane), [Some(0.0), Some(2.0), Some(1.0), Some(1.0)]);
        recording.missing.events = 1;
        let lane = under_way(&ground(&recording)).unwrap();
        assert_eq!((levels(&lane), lane.left_out), (vec![Some(0.0), Some(1.0), Some(0.0), Some(0.0)], 1));
    }

    #[test]
    fn without_requests_the_meter_tells_of_its_intervals() {
        let mut recording = served(&[]);
        for (at, requests, seconds) in [(1, 10.0, 0.5), (2, 20.0, 0.25), (3, 0.0, 0.0)] {
            counter(&mut recording, at * SECOND, REQUESTS_METER, "count", requests);
            counter(&mut recording, at * SECOND, REQUESTS_METER, "p99", seconds);
            counter(&mut recording, at * SECOND + 5, REQUESTS_METER, "p99", seconds / 2.0);
        }
        let ground = ground(&recording);
        assert_eq!(levels(&rate(&ground).unwrap()), [Some(10.0), Some(20.0), Some(0.0), None]);
        assert_eq!(levels(&latency(&ground).unwrap()), [Some(500.0), Some(250.0), Some(0.0), None]);
        assert!(under_way(&ground).is_none());
    }
}
