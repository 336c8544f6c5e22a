//! Routes with a few requests that take far longer than the others, which a good median hides.
//!
//! A meter only publishes quantiles per interval. The time that the requests took beyond their median, divided by the p99, is
//! about how many of them were as slow as the p99. Requests that were recorded each are counted per second instead. The
//! first interval of a route is left out, since its code is compiled then.

use crate::load::{Work, open_path};
use crate::metered::{metered, metered_seconds, tag};
use base::number::{count, real};
use base::stats::{Share, Sorted, quantile};
use model::{NO_INT, REQUESTS_METER, Sym, Trace};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// A slow request takes at least this many milliseconds.
pub const TAIL_MS: f64 = 500.0;
/// A slow request takes at least this many times the median of its route.
pub const TAIL_TIMES: f64 = 10.0;
/// The fewest slow requests that matter. Fewer may be a hiccup of the machine.
pub const MIN_SLOW: f64 = 10.0;
/// The smallest share of the route's requests that matters.
pub const MIN_SHARE: f64 = 0.01;
/// The fewest intervals that have slow requests.
const MIN_INTERVALS: usize = 2;
/// The smallest share of the intervals with requests that have slow ones.
const SHARE_OF_INTERVALS: f64 = 0.2;
const SECOND_NS: i64 = 1_000_000_000;

/// The requests of a route that take far longer than its others.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    /// The route.
    pub route: String,
    /// All requests of the route.
    pub work: Work,
    /// How many milliseconds the slow requests take: their median, or the median of the p99 of their intervals.
    pub slow_ms: f64,
    /// About how many slow requests there are.
    pub slow: f64,
    /// How many of them are under way on average.
    pub under_way: f64,
}

impl Tail {
    /// The share of the route's requests that are slow.
    pub fn share(&self) -> f64 {
        (self.slow / self.work.count.max(1.0)).min(1.0)
    }
}

/// The slow requests of an interval.
#[derive(Debug, Clone, Copy, Default)]
struct Interval {
    requests: f64,
    slow: f64,
    /// The seconds that the slow requests took together, beyond what others take.
    seconds: f64,
}

/// The requests of a route over time.
#[derive(Debug)]
struct Course {
    /// A request is slow from this on.
    from_ms: f64,
    intervals: BTreeMap<i64, Interval>,
    /// How many microseconds slow requests took.
    slow_us: Vec<i64>,
}

impl Course {
    fn new(work: &Work) -> Self {
        let from_ms = work.p50_ms.map_or(f64::INFINITY, |p50_ms| (p50_ms * TAIL_TIMES).max(TAIL_MS));
        Self { from_ms, intervals: BTreeMap::new(), slow_us: Vec::new() }
    }

    fn add(&mut self, at: i64, requests: f64, slow: f64, seconds: f64) {
        let of = self.intervals.entry(at).or_default();
        of.requests += requests;
        of.slow += slow;
        of.seconds += seconds;
    }

    fn took(&mut self, ms: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "milliseconds of a request, in whole microseconds"
        )]
        self.slow_us.push((ms * 1e3) as i64);
    }

    /// `None` if the slow requests are too few, or come at one moment alone.
    fn tail(mut self, route: &str, work: Work) -> Option<Tail> {
        let busy: Vec<Interval> = self.intervals.into_values().filter(|of| of.requests > 0.0).collect();
        let later = || busy.iter().skip(1);
        let slow: f64 = later().map(|of| of.slow).sum();
        let with_slow = later().filter(|of| of.slow > 0.0).count();
        let lasts =
            with_slow >= MIN_INTERVALS && count(with_slow) >= SHARE_OF_INTERVALS * count(later().count());
        if !lasts || slow < MIN_SLOW || slow < MIN_SHARE * work.count {
            return None;
        }
        let slow_ms = real(quantile(&Sorted::new(&mut self.slow_us), Share::MEDIAN)?) / 1e3;
        let seconds: f64 = later().map(|of| of.seconds).sum();
        let under_way = seconds * 1e9 / real(work.observed_ns.max(1));
        Some(Tail { route: route.to_owned(), work, slow_ms, slow, under_way })
    }
}

/// The routes with slow requests, those with the most time in slow requests first.
pub fn tails(recording: &Trace, routes: &[(String, Work)]) -> Vec<Tail> {
    let numbers: FxHashMap<&str, usize> = routes.iter().map(|(route, _)| route.as_str()).zip(0..).collect();
    let mut courses: Vec<Course> = routes.iter().map(|(_, work)| Course::new(work)).collect();
    if recording.has_each_request() {
        of_rows(recording, &numbers, &mut courses);
    } else {
        of_meter(recording, &numbers, &mut courses);
    }
    let tails = routes.iter().zip(courses).filter_map(|((route, work), course)| course.tail(route, *work));
    let mut tails: Vec<Tail> = tails.collect();
    tails.sort_by(|a, b| b.under_way.total_cmp(&a.under_way).then_with(|| a.route.cmp(&b.route)));
    tails
}

fn of_rows(recording: &Trace, numbers: &FxHashMap<&str, usize>, courses: &mut [Course]) {
    let rows = &recording.requests;
    // Many requests share a name, so the route of each name is kept.
    let mut of_name: FxHashMap<Sym, Option<usize>> = FxHashMap::default();
    for row in (0..rows.start_ns.len()).filter_map(|at| rows.row(at)).filter(|row| row.dur_ns != NO_INT) {
        let name = if row.route == Sym::NONE { row.path } else { row.route };
        let number = *of_name.entry(name).or_insert_with(|| {
            let path = recording.strings.text(name);
            // Paths that differ only in numbers are one route, which has the name of the path if there is only one.
            numbers.get(path).or_else(|| numbers.get(open_path(path).as_str())).copied()
        });
        let Some(course) = number.and_then(|number| courses.get_mut(number)) else { continue };
        let ms = real(row.dur_ns.max(0)) / 1e6;
        let is_slow = ms >= course.from_ms;
        let slow = if is_slow { 1.0 } else { 0.0 };
        course.add(row.start_ns.max(0) / SECOND_NS, 1.0, slow, slow * ms / 1e3);
        if is_slow {
            course.took(ms);
        }
    }
}

fn of_meter(recording: &Trace, numbers: &FxHashMap<&str, usize>, courses: &mut [Course]) {
    let values = |kind: &str| -> FxHashMap<(i64, Sym), f64> {
        let values = metered_seconds(recording, REQUESTS_METER, kind).into_iter();
        values.map(|of| ((of.ts_ns, of.tags), of.value)).collect()
    };
    let (p50s, p99s, sums) = (values("p50"), values("p99"), values("sum"));
    let mut of_tags: FxHashMap<Sym, Option<usize>> = FxHashMap::default();
    for of in metered(recording, REQUESTS_METER, "count") {
        let number = *of_tags.entry(of.tags).or_insert_with(|| {
            let route = crate::load::metered_route(tag(recording, of.tags, "http.route"));
            numbers.get(route).copied()
        });
        let Some(course) = number.and_then(|number| courses.get_mut(number)) else { continue };
        let from_ms = course.from_ms;
        let value = |of_kind: &FxHashMap<(i64, Sym), f64>| of_kind.get(&(of.ts_ns, of.tags)).copied();
        // Without its p99 an interval does not count as slow; without its p50 all of its time is beyond the median.
        let (p50, p99) = (value(&p50s).unwrap_or(0.0), value(&p99s).unwrap_or(0.0));
        let is_slow = of.value > 0.0 && p99 * 1e3 >= from_ms;
        // The time beyond the median, so that the time of fast requests does not count as that of slow ones.
        let beyond = value(&sums).map_or(0.0, |sum| sum - of.value * p50.min(from_ms / 1e3));
        let slow = if is_slow { (beyond / p99).clamp(0.0, of.value) } else { 0.0 };
        course.add(of.ts_ns / SECOND_NS, of.value.max(0.0), slow, if is_slow { beyond } else { 0.0 });
        if is_slow {
            course.took(p99 * 1e3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;

    fn tails_of(recording: &Trace) -> Vec<Tail> {
        tails(recording, &crate::load::routes(recording))
    }

    /// Ten seconds of a route with 100 requests each of 1 ms, of which so many take 3 s.
    fn served(slow: impl Fn(i64) -> f64) -> Trace {
        let mut recording = recording(10_000_000_000);
        recording.exhibit.duration_ns = 10_000_000_000;
        for second in 1..=10 {
            let slow = slow(second);
            let p99 = if slow >= 1.0 { 3.0 } else { 0.002 };
            let sum = slow * 3.0 + (100.0 - slow) * 0.001;
            for (kind, value) in [("count", 100.0), ("sum", sum), ("p50", 0.001), ("p99", p99)] {
                let (provider, tags) = ("Microsoft.AspNetCore.Hosting", r#"{"http.route":"/cart"}"#);
                let texts = [provider, REQUESTS_METER, "s", kind, tags];
                recording.counter(second * 1_000_000_000, texts, value);
            }
        }
        recording
    }

    #[test]
    fn one_request_in_twelve_that_takes_three_seconds_is_not_hidden_by_the_median() {
        let tails = tails_of(&served(|_| 8.0));
        assert_eq!(tails.len(), 1);
        let of = &tails[0];
        assert_eq!((of.route.as_str(), of.slow.round(), of.slow_ms), ("/cart", 72.0, 3_000.0));
        assert!((of.under_way - 21.6).abs() < 0.2, "{}", of.under_way);
    }

    #[test]
    fn a_cold_start_or_one_hiccup_is_no_tail() {
        let check = |slow: &dyn Fn(i64) -> f64| assert_eq!(tails_of(&served(slow)), []);
        // The first second, in which code is compiled.
        check(&|second| if second == 1 { 50.0 } else { 0.0 });
        check(&|second| if second == 6 { 50.0 } else { 0.0 });
        // Fewer than one in a hundred.
        check(&|second| if second % 2 == 0 { 1.0 } else { 0.0 });
    }
}
