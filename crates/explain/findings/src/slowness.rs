//! Whether requests fail, never end or are slow, or a queue grows, and nothing explains it.
//!
//! By Little's law, the requests' time per second of the recording is the average number under way. What explains them has
//! the same unit: threads that run or wait within work, calls under way, work in the pool's queue, requests that wait for a
//! database connection. If these explain less than half, the rest of the time is spent somewhere that was not recorded: an
//! asynchronous gate, a timer, a dependency without a meter.

use crate::facts::Facts;
use crate::failing::{self, Failing};
use crate::rules::PENDING_METERS;
use model::{REQUESTS_METER, Trace};
use runtime::{Marks, State, Tail, Unending, Work, metered_totals};

/// A route with this median or more, in milliseconds, is slow.
pub(crate) const SLOW_MS: f64 = 50.0;
/// A route with fewer requests is left out, as the first ones compile its code.
const FEWEST: f64 = 5.0;
/// At least this share of the slow requests' time must be explained.
pub(crate) const EXPLAINED: f64 = 0.5;
/// From this share of the machine on, CPU is short.
const SATURATED: f64 = 0.9;
/// Below this share of the machine, CPU is not why work queues.
const IDLE: f64 = 0.5;
/// A queue that grew by less does not count as growing.
pub(crate) const GREW_BY: f64 = 10.0;
/// A queue must grow at least this much from each quarter of the recording to the next. One that grows steadily from nothing
/// is 1.67 and then 1.4 times as long.
const GREW_TIMES: f64 = 1.25;

/// What is wrong and not explained.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Slowness {
    /// Requests fail.
    Failing(Failing),
    /// Requests never end.
    Unending(Unending),
    /// Requests of a route take long.
    Requests {
        /// The slow route with the most time.
        route: String,
        /// Its requests.
        work: Work,
        /// The share of the time of all slow requests that is explained.
        explained: f64,
    },
    /// A part of a route's requests takes far longer than the others.
    Tail {
        /// That part.
        tail: Tail,
        /// The share of the time of all such requests that is explained.
        explained: f64,
    },
    /// A queue gets longer and longer.
    Queue {
        /// What waits.
        what: &'static str,
        /// How many wait at first.
        from: f64,
        /// How many wait at the end.
        to: f64,
    },
    /// Requests of a route take long, CPU is short, and no finding says what uses it.
    Cpu {
        /// The slow route with the most time.
        route: String,
        /// How many milliseconds they take, and which of them: `at p50`.
        took: (f64, &'static str),
        /// The share of the CPU in use.
        share: f64,
    },
}

/// What is wrong and not explained, the worst for users first.
pub(crate) fn of(facts: &Facts<'_>) -> Option<Slowness> {
    failing::of(facts)
        .map(Slowness::Failing)
        .or_else(|| runtime::unending(facts.recording).map(Slowness::Unending))
        .or_else(|| slow_requests(facts))
        .or_else(|| slow_tail(facts))
        .or_else(|| growing_queue(facts.recording))
}

/// The route that answers the service's own calls, if it calls itself: what explains the caller explains these.
fn own_calls<'a>(facts: &'a Facts<'_>) -> Option<&'a str> {
    facts.http.and_then(|calls| facts.called_itself(calls)).map(|(route, _)| route)
}

fn slow_requests(facts: &Facts<'_>) -> Option<Slowness> {
    let is_slow = |work: &Work| work.count >= FEWEST && work.p50_ms.is_some_and(|p50_ms| p50_ms >= SLOW_MS);
    let own = own_calls(facts);
    let routes = facts.routes().iter().filter(|(name, _)| own != Some(name.as_str()));
    let (slow, fast): (Vec<_>, Vec<_>) = routes.partition(|(_, work)| is_slow(work));
    let (route, work) = slow.first()?;
    let under_way: f64 = slow.iter().map(|(_, work)| work.under_way()).sum();
    if let Some(share) = facts.cpu.filter(|share| *share >= SATURATED) {
        let took = (work.p50_ms.unwrap_or(SLOW_MS), "at p50");
        return Some(Slowness::Cpu { route: route.clone(), took, share });
    }
    let of_fast = fast.iter().map(|(_, work)| work.under_way()).sum();
    let explained = (explained(facts, of_fast, under_way) / under_way.max(1e-9)).min(1.0);
    (explained < EXPLAINED).then(|| Slowness::Requests { route: route.clone(), work: *work, explained })
}

/// A route with a good median of which a part of the requests takes far longer.
fn slow_tail(facts: &Facts<'_>) -> Option<Slowness> {
    let tails: Vec<Tail> = runtime::tails(facts.recording, facts.routes());
    let own = own_calls(facts);
    let tails: Vec<Tail> = tails.into_iter().filter(|of| own != Some(of.route.as_str())).collect();
    let under_way: f64 = tails.iter().map(|of| of.under_way).sum();
    let all: f64 = facts.routes().iter().map(|(_, work)| work.under_way()).sum();
    let tail = tails.into_iter().next()?;
    if let Some(share) = facts.cpu.filter(|share| *share >= SATURATED) {
        let took = (tail.slow_ms, "in their slow part");
        return Some(Slowness::Cpu { route: tail.route, took, share });
    }
    let of_fast = (all - under_way).max(0.0);
    let explained = (explained(facts, of_fast, under_way) / under_way.max(1e-9)).min(1.0);
    (explained < EXPLAINED).then_some(Slowness::Tail { tail, explained })
}

/// How many of the slow requests under way are explained. `of_fast` is the number of fast ones under way, which need an
/// explanation of their own.
fn explained(facts: &Facts<'_>, of_fast: f64, under_way: f64) -> f64 {
    let calls = [facts.database, facts.http].into_iter().flatten();
    // Long calls cannot be part of fast requests.
    let (long, short): (Vec<Work>, Vec<Work>) =
        calls.partition(|work| work.p50_ms.is_some_and(|p50_ms| p50_ms >= SLOW_MS / 2.0));
    let sum = |calls: &[Work]| calls.iter().map(Work::under_way).sum::<f64>();
    let threads = threads_in_work(facts);
    // A queue is an explanation if the CPU is busy. On an idle machine it is a symptom: why threads do not take work is unknown.
    let is_idle = facts.cpu.is_some_and(|share| share < IDLE);
    let queued = if is_idle { 0.0 } else { queued(facts.recording) } + pending_connections(facts.recording);
    let paused = pause_share(facts) * under_way;
    sum(&long) + queued + paused + (sum(&short) + threads - of_fast).max(0.0)
}

/// The average number of threads that run or wait within work, without those that wait for a call that counts already.
///
/// A thread in native code may run or wait, and its stack does not say which. No more of them count than the process used
/// CPU cores; the rest explains nothing.
fn threads_in_work(facts: &Facts<'_>) -> f64 {
    let used = facts.cpu.map_or(f64::MAX, |share| share * facts.cores);
    let waiting = facts.threads(|group| {
        let marks = facts.index.marks(group.stack);
        let is_call = facts.database.is_some() && marks.has(Marks::DATABASE)
            || facts.http.is_some() && marks.has(Marks::HTTP);
        group.state == State::Waiting && !facts.stands(group) && marks.has(Marks::WORK) && !is_call
    });
    waiting + facts.busy().min(used)
}

/// Work in the thread pool's queue, on average.
fn queued(recording: &Trace) -> f64 {
    mean(recording, &runtime::POOL_QUEUE)
}

/// Requests that wait for a database connection, on average.
fn pending_connections(recording: &Trace) -> f64 {
    mean(recording, &PENDING_METERS.map(|name| [(name, "value"), (name, "total")]).concat())
}

/// The mean of the first of these that was published; 0 if none was.
fn mean(recording: &Trace, names: &[(&str, &str)]) -> f64 {
    let values = runtime::first_totals(recording, names);
    let sum: f64 = values.iter().map(|(_, value)| value).sum();
    (sum / base::number::count(values.len()).max(1.0)).max(0.0)
}

fn pause_share(facts: &Facts<'_>) -> f64 {
    crate::gcfacts::pause_share(facts, |_| true)
}

/// Queues that the runtime and its servers publish, and what waits in them.
const QUEUES: [(&str, &str); 6] = [
    ("dotnet.thread_pool.queue.length", "work items in the thread pool's queue"),
    ("threadpool-queue-length", "work items in the thread pool's queue"),
    ("http.server.active_requests", UNDER_WAY),
    ("current-requests", UNDER_WAY),
    ("kestrel.queued_connections", "connections that wait for Kestrel"),
    ("kestrel.queued_requests", "requests that wait for Kestrel"),
];
const UNDER_WAY: &str = "requests in flight";

/// The means of the second, third and last quarter of the recording. `None` if one has fewer than two values.
///
/// The first quarter is left out, as the load may begin there.
fn quarters(recording: &Trace, values: &[(i64, f64)]) -> Option<[f64; 3]> {
    let quarter = recording.exhibit.duration_ns / 4;
    let mean_of = |at: i64| {
        let inside = values.iter().filter(|(ts_ns, _)| *ts_ns >= quarter * at && *ts_ns < quarter * (at + 1));
        let (sum, count) = inside.fold((0.0, 0.0), |sum, (_, value)| (sum.0 + value, sum.1 + 1.0));
        (count >= 2.0).then(|| sum / count)
    };
    Some([mean_of(1)?, mean_of(2)?, mean_of(3)?])
}

/// A queue that gets longer from quarter to quarter.
fn growing_queue(recording: &Trace) -> Option<Slowness> {
    QUEUES.into_iter().find_map(|(name, what)| {
        let kinds = ["value", "total"].map(|kind| metered_totals(recording, name, kind));
        let values = kinds.into_iter().find(|values| !values.is_empty())?;
        let [second, third, last] = quarters(recording, &values)?;
        let grows = second >= 1.0
            && third >= second * GREW_TIMES
            && last >= third * GREW_TIMES
            && last - third >= GREW_BY;
        let rises = || what == UNDER_WAY && load_rises(recording, last / second);
        let (from, to) = (values.first()?.1, values.last()?.1);
        (grows && !rises()).then_some(Slowness::Queue { what, from, to })
    })
}

/// Whether the number of ended requests grows as much as the number under way: then the load rises, and each takes as long as
/// before.
fn load_rises(recording: &Trace, times: f64) -> bool {
    let ended = metered_totals(recording, REQUESTS_METER, "count");
    quarters(recording, &ended).is_some_and(|[second, _, last]| last >= second * times / GREW_TIMES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const REQUESTS: &str = "http.server.request.duration";
    const CALLS: &str = "http.client.request.duration";

    fn check(scene: Scene, expected: Option<f64>) {
        let explained = scene.facts(|facts| match of(facts) {
            Some(Slowness::Requests { explained, .. }) => Some(explained),
            Some(other) => panic!("{other:?}"),
            None => None,
        });
        let near = |a: f64, b: f64| (a - b).abs() < 0.02;
        assert!(
            explained.is_none() && expected.is_none()
                || explained.zip(expected).is_some_and(|(a, b)| near(a, b)),
            "{explained:?}, not {expected:?}"
        );
    }

    #[test]
    fn slow_requests_that_nothing_explains_are_told_apart_from_those_that_wait_for_a_call() {
        let served = |ms: f64| {
            let mut scene = Scene::new();
            scene.meter(REQUESTS, 1000.0, ms, r#"{"http.route":"/cart"}"#);
            scene
        };
        check(served(49.0), None);
        check(served(300.0), Some(0.0));
        let with_calls = |ms: f64| {
            let mut scene = served(300.0);
            scene.meter(CALLS, 1000.0, ms, "");
            scene
        };
        check(with_calls(60.0), Some(0.2));
        check(with_calls(200.0), None);
    }

    #[test]
    fn what_fast_requests_use_does_not_explain_slow_ones() {
        let mut scene = Scene::new();
        scene.meter(REQUESTS, 100.0, 300.0, r#"{"http.route":"/cart"}"#);
        scene.meter(REQUESTS, 10_000.0, 5.0, r#"{"http.route":"/health"}"#);
        // Ten calls per fast request: five under way on average, as many as fast requests.
        scene.meter(CALLS, 100_000.0, 0.5, "");
        check(scene, Some(0.0));
    }

    #[test]
    fn threads_outside_managed_code_explain_no_more_than_the_cpu_that_was_used() {
        let mut scene = Scene::new();
        scene.meter(REQUESTS, 1000.0, 80.0, r#"{"http.route":"/cart"}"#);
        for _ in 0..8 {
            let worker = scene.thread("pool");
            scene.outside(worker, 0..LOOKS, &[WORK, CART]);
        }
        scene.counter(0, "cpu-usage", "value", 5.0, "");
        scene.counter(0, "dotnet.thread_pool.queue.length", "total", 11.0, "{}");
        // Two CPU cores, of which 5 % were used: 0.1 of 8 requests under way.
        check(scene, Some(0.0125));
    }

    #[test]
    fn slow_requests_on_a_saturated_machine_are_no_all_clear() {
        let mut scene = Scene::new();
        scene.meter(REQUESTS, 1000.0, 80.0, r#"{"http.route":"/cart"}"#);
        scene.counter(0, "cpu-usage", "value", 95.0, "");
        assert!(matches!(scene.facts(super::of), Some(Slowness::Cpu { .. })));
    }

    #[test]
    fn requests_that_pile_up_are_a_growing_queue_and_a_load_that_begins_is_none() {
        let queue = |of: &dyn Fn(i64) -> f64| {
            let mut scene = Scene::new();
            for second in 1..10 {
                scene.counter(second * 1000, "http.server.active_requests", "total", of(second), "{}");
            }
            scene.facts(super::of)
        };
        assert!(matches!(queue(&|second| 20.0 * second as f64), Some(Slowness::Unending(_))));
        assert_eq!(queue(&|second| if second < 8 { 0.0 } else { 64.0 }), None);
        assert_eq!(queue(&|second| if second % 2 == 0 { 60.0 } else { 20.0 }), None);
    }

    /// Ten seconds in which so many are under way, and so many end, of so many milliseconds each.
    fn served(under_way: &dyn Fn(f64) -> f64, ended: &dyn Fn(f64) -> f64, ms: &dyn Fn(f64) -> f64) -> Scene {
        let mut scene = Scene::new();
        for second in 1..=10 {
            let at = base::number::real(second);
            let (count, seconds) = (ended(at), ms(at) / 1e3);
            scene.counter(second * 1000, "http.server.active_requests", "value", under_way(at), "{}");
            for (kind, value) in
                [("count", count), ("sum", count * seconds), ("p50", seconds), ("p99", seconds)]
            {
                scene.counter(second * 1000, REQUESTS, kind, value, r#"{"http.route":"/ok"}"#);
            }
        }
        scene
    }

    #[test]
    fn requests_that_never_end_are_no_all_clear_however_fast_the_others_are() {
        let scene = served(&|at| 4.0 * at, &|_| 284.0, &|_| 0.03);
        let Some(Slowness::Unending(of)) = scene.facts(super::of) else { panic!("silent") };
        assert_eq!((of.first, of.last), (4.0, 40.0));
    }

    #[test]
    fn a_load_that_rises_is_no_growing_queue_and_requests_that_take_ever_longer_are_one() {
        let rising = served(&|at| 20.0 * at, &|at| 500.0 * at, &|_| 40.0);
        assert_eq!(rising.facts(super::of), None);
        // As many end as before, and each waits for longer.
        let overloaded = served(&|at| 20.0 * at, &|_| 1_000.0, &|at| 18.0 * at);
        let of = overloaded.facts(|facts| growing_queue(facts.recording));
        assert!(matches!(of, Some(Slowness::Queue { from: 20.0, to: 200.0, .. })), "{of:?}");
    }

    /// Requests of a millisecond, and of every hundred so many that take 3 s.
    fn with_tail(slow: f64) -> Scene {
        let mut scene = Scene::new();
        for second in 1..=10 {
            let sum = slow * 3.0 + (100.0 - slow) * 0.001;
            for (kind, value) in [("count", 100.0), ("sum", sum), ("p50", 0.001), ("p99", 3.0)] {
                scene.counter(second * 1000, REQUESTS, kind, value, r#"{"http.route":"/cart"}"#);
            }
        }
        scene
    }

    #[test]
    fn a_slow_tail_behind_a_fast_median_is_no_all_clear_unless_it_is_explained() {
        let Some(Slowness::Tail { tail, explained }) = with_tail(8.0).facts(super::of) else {
            panic!("silent")
        };
        assert_eq!((tail.route.as_str(), tail.slow_ms), ("/cart", 3_000.0));
        assert!(explained < 0.01);
        let mut called = with_tail(8.0);
        called.meter(CALLS, 72.0, 3_000.0, "");
        assert_eq!(called.facts(super::of), None);
    }
}
