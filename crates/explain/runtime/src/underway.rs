//! Requests under way: how many at the beginning, how many at the end, and whether some of them never end.
//!
//! They are counted by the meter `http.server.active_requests`, otherwise by the event counter `current-requests`, otherwise
//! by starts and stops. All of these begin to count with the recording, so they miss requests that began before it.
//!
//! By Little's law, the sum of the times of all requests that ended, over the observed time, is how many of them were under
//! way on average. If more are under way at every reading of the second half, the others do not end. A rising load, however
//! steep, does not look like that: its requests end, so their times are in the sum.
//!
//! ```text
//!  under way   ┤            ┌────────  40 at the end
//!              ┤      ┌─────┘
//!              ┤ ─────┘                 8 at the beginning
//!  of which    ┤
//!  end         ┤ ____________________  0.01 (times of those that ended / time)
//! ```

use crate::load::open_path;
use crate::metered::{first_totals, metered, metered_seconds, metered_totals};
use base::number::{count, real};
use model::{LimitKind, NO_INT, REQUESTS_METER, Sym, Trace};
use std::collections::BTreeMap;

/// The fewest readings that represent the second half.
const MIN_READINGS: usize = 3;
/// The fewest requests that do not end. Fewer may be a reading that coincided with a burst of the load.
pub const MIN_STUCK: f64 = 3.0;
/// They must be at least this share of the requests that end, whose number varies from reading to reading.
const NOTABLE: f64 = 0.25;
/// If the p99 is a larger share of the half, requests lie partly outside of it, and their sum is rough.
const SHORT: f64 = 0.25;
/// Values that are published closer together than this belong to one round.
const ONE_ROUND_NS: i64 = 100_000_000;

/// What counted the requests under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// The meter `http.server.active_requests`.
    Meter,
    /// The event counter `current-requests`.
    EventCounter,
    /// Events of starts and stops.
    Events,
}

impl Counter {
    /// Its name in sentences.
    pub fn words(self) -> &'static str {
        match self {
            Self::Meter => "the meter http.server.active_requests",
            Self::EventCounter => "the event counter current-requests",
            Self::Events => "events",
        }
    }
}

/// Requests under way, of those that began while they were counted.
#[derive(Debug, Clone, PartialEq)]
pub struct UnderWay {
    /// When they were counted, and how many there were. Never empty.
    pub readings: Vec<(i64, f64)>,
    /// What counted them.
    pub by: Counter,
}

impl UnderWay {
    /// At the first reading.
    pub fn first(&self) -> f64 {
        self.readings.first().map_or(0.0, |(_, level)| *level)
    }

    /// At the last reading.
    pub fn last(&self) -> f64 {
        self.readings.last().map_or(0.0, |(_, level)| *level)
    }
}

/// Requests under way. `None` if nothing counted them.
pub fn under_way(recording: &Trace) -> Option<UnderWay> {
    let named = |name: &str, by: Counter| {
        let readings = first_totals(recording, &[(name, "value"), (name, "total")]);
        (!readings.is_empty()).then(|| UnderWay { readings: from_zero(readings), by })
    };
    named("http.server.active_requests", Counter::Meter)
        .or_else(|| named("current-requests", Counter::EventCounter))
        .or_else(|| Some(UnderWay { readings: crate::inflight::levels(recording)?, by: Counter::Events }))
}

/// Raises the readings so that none is below 0. Requests that began before the counting take it below 0 when they end, so
/// that many more were under way at first.
fn from_zero(mut readings: Vec<(i64, f64)>) -> Vec<(i64, f64)> {
    let lowest = readings.iter().map(|(_, level)| *level).fold(0.0, f64::min);
    for (_, level) in &mut readings {
        *level -= lowest;
    }
    readings
}

/// Requests that do not end.
#[derive(Debug, Clone, PartialEq)]
pub struct Unending {
    /// Under way at the first reading.
    pub first: f64,
    /// Under way at the last reading.
    pub last: f64,
    /// How many, at least, do not end during the second half of the recording.
    pub stuck: f64,
    /// How many milliseconds requests that ended took on average. `None` if none ended.
    pub ended_ms: Option<f64>,
    /// The route of most of them. `None` if requests were not recorded each.
    pub route: Option<String>,
}

/// The requests that do not end, if there are any.
pub fn unending(recording: &Trace) -> Option<Unending> {
    let of = under_way(recording)?;
    let half_ns = recording.exhibit.duration_ns.max(0) / 2;
    let late = |ts_ns: i64| ts_ns >= half_ns;
    let readings: Vec<f64> =
        of.readings.iter().filter(|(ts_ns, _)| late(*ts_ns)).map(|(_, level)| *level).collect();
    let to_ns = of.readings.last()?.0;
    if readings.len() < MIN_READINGS || to_ns <= half_ns {
        return None;
    }
    let ended = ended(recording, &of, half_ns, readings.len())?;
    let lowest = readings.into_iter().fold(f64::MAX, f64::min);
    let stuck = lowest - ended.under_way - held_open(recording, half_ns);
    let window_ms = real(to_ns - half_ns) / 1e6;
    let is_short = ended.p99_ms.is_none_or(|p99_ms| p99_ms <= SHORT * window_ms);
    let least = if is_short { NOTABLE * ended.under_way } else { ended.under_way };
    (stuck >= MIN_STUCK.max(least)).then(|| Unending {
        first: of.first(),
        last: of.last(),
        stuck,
        ended_ms: ended.mean_ms,
        route: stuck_route(recording, half_ns),
    })
}

/// Requests that ended in the second half.
#[derive(Debug, Default)]
struct Ended {
    /// How many of them were under way on average.
    under_way: f64,
    mean_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// Sums up the requests that ended. `None` if their times are not known, or not for all of them.
fn ended(recording: &Trace, of: &UnderWay, from_ns: i64, readings: usize) -> Option<Ended> {
    let to_ns = of.readings.last()?.0;
    let window_ns = real(to_ns.saturating_sub(from_ns).max(1));
    let counts = metered(recording, REQUESTS_METER, "count");
    if counts.is_empty() {
        return ended_rows(recording, of, from_ns, to_ns);
    }
    let mut rounds: Vec<i64> = counts.iter().map(|of| of.ts_ns).filter(|ts_ns| *ts_ns >= from_ns).collect();
    rounds.dedup_by(|ts_ns, last| ts_ns.saturating_sub(*last) < ONE_ROUND_NS);
    let is_lost = recording.missing.events > 0 && rounds.len() < readings;
    if is_lost || recording.missing.limits.any(LimitKind::is_of_histograms) {
        return None;
    }
    let late = |kind: &str| {
        let values = metered_seconds(recording, REQUESTS_METER, kind).into_iter();
        values.filter(|of| of.ts_ns >= from_ns).map(|of| of.value).collect::<Vec<f64>>()
    };
    let seconds: f64 = late("sum").into_iter().sum();
    let count: f64 = counts.iter().filter(|of| of.ts_ns >= from_ns).map(|of| of.value).sum();
    Some(Ended {
        under_way: (seconds * 1e9 / window_ns).max(0.0),
        mean_ms: (count > 0.0).then(|| seconds * 1e3 / count),
        p99_ms: late("p99").into_iter().max_by(f64::total_cmp).map(|seconds| seconds * 1e3),
    })
}

/// From the requests themselves. If they were not recorded, it may still be known that none ended.
fn ended_rows(recording: &Trace, of: &UnderWay, from_ns: i64, to_ns: i64) -> Option<Ended> {
    let rows = &recording.requests;
    if !recording.has_each_request() {
        // No source says how long requests took. If the level never sinks and no source counted an end, none ended.
        let none = recording.ended_requests().is_none_or(|of| of.count <= 0.0);
        let sinks = of.readings.iter().zip(of.readings.iter().skip(1)).any(|(from, to)| to.1 < from.1);
        return (none && !sinks && recording.missing.events == 0).then(Ended::default);
    }
    let times = rows.start_ns.iter().zip(&rows.dur_ns).filter(|(_, dur_ns)| **dur_ns != NO_INT);
    let ended = |start: i64, dur: i64| (from_ns..=to_ns).contains(&start.saturating_add(dur));
    let times: Vec<f64> =
        times.filter(|(start, dur)| ended(**start, **dur)).map(|(_, dur)| real((*dur).max(0))).collect();
    let (sum, number) = (times.iter().sum::<f64>(), count(times.len()));
    Some(Ended {
        under_way: sum / real(to_ns.saturating_sub(from_ns).max(1)),
        mean_ms: (number > 0.0).then(|| sum / number / 1e6),
        p99_ms: times.into_iter().max_by(f64::total_cmp).map(|ns| ns / 1e6),
    })
}

/// Connections that are held open on purpose and count as requests: WebSockets.
fn held_open(recording: &Trace, from_ns: i64) -> f64 {
    let levels = metered_totals(recording, "kestrel.upgraded_connections", "value");
    let levels = levels.into_iter().filter(|(ts_ns, _)| *ts_ns >= from_ns).map(|(_, level)| level);
    levels.fold(0.0, f64::max)
}

/// The route of most requests that began in the first half and did not end.
fn stuck_route(recording: &Trace, half_ns: i64) -> Option<String> {
    if !recording.has_each_request() {
        return None;
    }
    let rows = &recording.requests;
    let mut routes: BTreeMap<String, usize> = BTreeMap::new();
    let stuck = (0..rows.start_ns.len()).filter_map(|at| rows.row(at));
    for row in stuck.filter(|row| row.dur_ns == NO_INT && row.start_ns <= half_ns) {
        let name = if row.route == Sym::NONE { row.path } else { row.route };
        *routes.entry(open_path(recording.strings.text(name))).or_default() += 1;
    }
    routes.into_iter().max_by_key(|(_, requests)| *requests).map(|(route, _)| route)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;

    const ACTIVE: &str = "http.server.active_requests";

    /// Ten seconds in which so many are under way at each second, and so many end per second, of so many milliseconds each.
    fn served(under_way: impl Fn(i64) -> f64, per_second: impl Fn(i64) -> f64, ms: f64) -> Trace {
        let mut recording = recording(10_000_000_000);
        recording.exhibit.duration_ns = 10_000_000_000;
        let mut push = |second: i64, name: &str, kind: &str, value: f64| {
            let texts = ["Microsoft.AspNetCore.Hosting", name, "s", kind, "{}"];
            recording.counter(second * 1_000_000_000, texts, value);
        };
        for second in 1..=10 {
            push(second, ACTIVE, "value", under_way(second));
            push(second, REQUESTS_METER, "count", per_second(second));
            push(second, REQUESTS_METER, "sum", per_second(second) * ms / 1e3);
            push(second, REQUESTS_METER, "p99", ms / 1e3);
        }
        recording
    }

    #[test]
    fn requests_that_never_end_are_seen_whether_they_pile_up_or_are_there_from_the_beginning() {
        let check = |recording: &Trace, expected: Option<(f64, f64, f64)>| {
            let of = unending(recording).map(|of| (of.first, of.last, of.stuck.round()));
            assert_eq!(of, expected);
        };
        let second = |second: i64| base::number::real(second);
        // Beside 300 fast requests per second.
        check(&served(|at| 4.0 * second(at), |_| 300.0, 0.1), Some((4.0, 40.0, 20.0)));
        check(&served(|_| 8.0, |_| 300.0, 0.1), Some((8.0, 8.0, 8.0)));
        // None ends at all.
        check(&served(|at| 4.0 * second(at), |_| 0.0, 0.0), Some((4.0, 40.0, 20.0)));
        // One or two may be chance.
        check(&served(|_| 2.0, |_| 300.0, 0.1), None);
        // They went on at the end.
        check(&served(|at| if at < 9 { 8.0 } else { 0.0 }, |_| 300.0, 0.1), None);
    }

    #[test]
    fn a_load_that_rises_and_long_requests_that_end_are_no_requests_that_never_end() {
        let check = |recording: &Trace| assert_eq!(unending(recording), None);
        let second = |second: i64| base::number::real(second);
        check(&served(|at| 10.0 * second(at), |at| 100.0 * second(at), 100.0));
        check(&served(|_| 16.0, |_| 8.0, 2_000.0));
        check(&served(|at| if at > 3 { 50.0 } else { 0.0 }, |at| if at > 3 { 500.0 } else { 0.0 }, 100.0));
    }

    #[test]
    fn websockets_are_no_requests_that_never_end() {
        let mut recording = served(|_| 500.0, |_| 10.0, 1.0);
        assert!(unending(&recording).is_some());
        for second in 1..=10 {
            let (provider, name) = ("Microsoft.AspNetCore.Server.Kestrel", "kestrel.upgraded_connections");
            recording.counter(second * 1_000_000_000, [provider, name, "", "value", "{}"], 500.0);
        }
        assert_eq!(unending(&recording), None);
    }

    #[test]
    fn starts_and_stops_tell_of_requests_under_way_where_nothing_counts_them() {
        let starts: Vec<(i64, i64)> = (1..=9).map(|at| (at * 100_000_000, 1)).collect();
        let recording = crate::inflight::tests::hosting(1_000_000_000, &starts);
        let of = under_way(&recording).unwrap();
        assert_eq!((of.first(), of.last(), of.by), (9.0, 9.0, Counter::Events));
        assert_eq!(under_way(&Trace::default()), None);
    }
}
