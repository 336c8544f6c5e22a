//! One method of the service uses most of the CPU.

use crate::facts::{Facts, is_stop, percent, real_u64, said};
use crate::need::Need;
use crate::places::named;
use crate::queries::{self, literal};
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::{FrameId, ThreadId};
use report::{Severity, View};
use runtime::{Group, Owner, State, Work};
use rustc_hash::FxHashMap;

const SHARE: Threshold = Threshold {
    name: "share of the busy samples in one method of the service and what it calls",
    value: 0.4,
    unit: "share",
    source: "measured: up to 0.6 for handlers of healthy services, 0.45 and more for a computation, so the next must pass too",
};
const COMPUTING: Threshold = Threshold {
    name: "share of the busy samples in the five most common innermost methods under it",
    value: 0.4,
    unit: "share",
    source: "measured: up to 0.29 in healthy services with busy CPU cores, whose work is spread over the framework; 0.34 to 1.0 for a computation",
};
const BUSY: Threshold = Threshold {
    name: "threads that run or are ready to run, as a share of the CPU cores (up to 100 %)",
    value: 0.6,
    unit: "share",
    source: "Azure's diagnostics call 70 % of the instance a potential cause; here the load generator's own CPU time is not included",
};
const MEDIAN: Threshold = Threshold {
    name: "median of a route that takes a fifth of the requests' time or more",
    value: 2.0,
    unit: "ms",
    source: "measured: 0.05 to 0.4 ms for healthy routes that serialize at full speed, 4 ms for a computation; a busy CPU alone harms nobody",
};
const TAIL: Threshold = Threshold {
    name: "p99 of a route that takes a fifth of the requests' time or more",
    value: 50.0,
    unit: "ms",
    source: "users notice about 100 ms, and a page makes several calls",
};
/// Routes with a smaller share of the requests' time are left out: the CPU is not used for them.
const OF_TIME: f64 = 0.2;
/// The quantile of the normal distribution with one in twenty above it.
const ONE_IN_TWENTY: f64 = 1.645;
/// From this share of the CPU cores on, nothing is left for other work.
const CRITICAL: f64 = 0.85;
/// A computation has this many innermost methods.
const INNERMOST: usize = 5;
const OF_MACHINE: Threshold = Threshold {
    name: "share of the machine that the process used, upper quartile of the seconds",
    value: 0.4,
    unit: "share",
    source: "by the runtime's own counter; below it, threads are ready to run but do not lack CPU",
};

pub(super) const RULE: Rule = Rule {
    id: "cpu-hot-path",
    about: "CPU is the limit, and one method of the service with what it calls uses most of the running samples. A service \
            that is merely busy, its time spread over the framework's work for many requests, is healthy",
    needs: &[Need::Running],
    thresholds: &[SHARE, COMPUTING, BUSY, OF_MACHINE, MEDIAN, TAIL],
    silent: "if CPU is free, if the busy time is spread over many methods or over the framework's own work for requests, or if \
             threads are busy only while they hold a lock that others wait for. A note if requests are fast anyway, or \
             nothing is known about them: a busy service can be healthy",
    why: "A request that computes keeps its thread and a CPU core until it is done. Once all cores are busy, further work queues \
          and latency grows with the number of clients. No setting of the thread pool helps: the work itself is the cost.",
    tries: &[
        "Look at what the method calls most (flame graph, callees): a better algorithm, a cache of its result, less work per request",
        "Take work out of the request: compute ahead, or in the background",
        "If it cannot be less, spread it: more CPU cores, or a limit on how many run at once so that others still get their share",
    ],
    verify: "Record the same load again: the method's share of running samples falls and requests per second rise.",
    places_of: "the samples of running threads",
    view: View { shows: "the hot path", lane: "running", tab: "/stacks", metric: Some("running") },
    before: &["busy-thread", "high-allocation-rate"],
    absorbs: &[],
    check,
};

/// Samples of a method, with what it calls.
#[derive(Default)]
struct Method {
    samples: f64,
    by_leaf: FxHashMap<FrameId, f64>,
    by_thread: FxHashMap<ThreadId, f64>,
    pool: f64,
}

fn check(facts: &Facts<'_>) -> Option<Found> {
    let working = |group: &Group| {
        facts.is_busy(group)
            && !matches!(facts.text(group.kind), "gate" | "timer" | "finalizer" | "tiering" | "io")
    };
    let busy = facts.threads(working);
    // Threads that are ready and wait for a core count as busy: more of them than cores is saturation.
    let of_cores = (busy / facts.cores).min(1.0);
    let of_machine = facts.cpu.map_or(of_cores, |cpu| cpu.min(1.0));
    if of_cores < BUSY.value || of_machine < OF_MACHINE.value {
        return None;
    }
    let (methods, total) = methods(facts, working);
    let (frame, method) =
        methods.into_iter().max_by(|a, b| a.1.samples.total_cmp(&b.1.samples).then(b.0.cmp(&a.0)))?;
    let share = method.samples / total.max(1.0);
    let mut leaves: Vec<f64> = method.by_leaf.values().copied().collect();
    leaves.sort_by(|a, b| b.total_cmp(a));
    let computing = leaves.iter().take(INNERMOST).sum::<f64>() / total.max(1.0);
    // A dedicated thread that computes is another rule's business.
    let one_thread = method.by_thread.values().copied().fold(0.0, f64::max) >= 0.9 * method.samples;
    // A share of few samples is uncertain: its lower bound must pass.
    if at_least(share, total) < SHARE.value
        || at_least(computing, total) < COMPUTING.value
        || (one_thread && method.pool < 0.5 * method.samples)
    {
        return None;
    }
    let inside = |group: &Group| {
        let mut frames = facts.recording.stacks.frames(group.stack);
        working(group) && frames.any(|of| of == frame)
    };
    let mut places = facts.places(inside).top(facts);
    // Shares of all busy samples, as in the title.
    for place in &mut places {
        place.share *= share;
    }
    let name = named(&places)?;
    let frame = facts.recording.frames.name.get(frame).map_or("", |name| facts.text(*name));
    let title = format!(
        "{} of the busy time is spent in {name} and what it calls, while {} threads run or are ready to on {} CPU cores",
        percent(share),
        said(busy),
        said(facts.cores)
    );
    let (median, tail) = slowest(facts);
    let harms = median.is_some_and(|ms| ms >= MEDIAN.value) || tail.is_some_and(|ms| ms >= TAIL.value);
    let severity = match () {
        () if !harms => Severity::Note,
        () if of_cores >= CRITICAL && share >= 0.7 => Severity::Critical,
        () => Severity::Warning,
    };
    let mut measured = vec![SHARE.measured(share), COMPUTING.measured(computing), BUSY.measured(of_cores)];
    measured.extend(median.map(|ms| MEDIAN.measured(ms)));
    measured.extend(tail.map(|ms| TAIL.measured(ms)));
    if let Some(cpu) = facts.cpu {
        measured.push(OF_MACHINE.measured(cpu));
    }
    let under = format!("frames.name = {}", literal(frame));
    let evidence = vec![queries::samples_under(facts, &under, "samples.state <> 'waiting'", inside)];
    // Of the CPU that the service may use.
    let harms = vec![Harm::Share(share * of_cores)];
    Some(Found { title, severity, harms, sure: Sure::Seen, measured, places, evidence })
}

/// The longest median and the longest p99, in milliseconds, of routes with much of the requests' time.
fn slowest(facts: &Facts<'_>) -> (Option<f64>, Option<f64>) {
    let all: f64 = facts.routes().iter().map(|(_, work)| work.seconds).sum();
    let large = || facts.routes().iter().filter(|(_, work)| work.seconds >= OF_TIME * all);
    let most =
        |of: &dyn Fn(&Work) -> Option<f64>| large().filter_map(|(_, work)| of(work)).max_by(f64::total_cmp);
    // A meter's quantile is only known within bounds: the lower one is certain.
    let least = |of: Option<runtime::Bounds>, estimate: Option<f64>| of.map_or(estimate, |of| Some(of.low));
    (most(&|work| least(work.p50, work.p50_ms)), most(&|work| least(work.p99, work.p99_ms)))
}

/// The lower bound of a share of so many samples: Wilson's interval, one-sided, 95 %.
fn at_least(share: f64, samples: f64) -> f64 {
    let samples = samples.max(1.0);
    let square = ONE_IN_TWENTY * ONE_IN_TWENTY / samples;
    let spread = ONE_IN_TWENTY * (share * (1.0 - share) / samples + square / (4.0 * samples)).max(0.0).sqrt();
    (share + square / 2.0 - spread) / (1.0 + square)
}

/// The busy samples of each method of the service, with what it calls, and the number of all busy samples.
fn methods(facts: &Facts<'_>, working: impl Fn(&Group) -> bool) -> (FxHashMap<FrameId, Method>, f64) {
    let mut methods: FxHashMap<FrameId, Method> = FxHashMap::default();
    let mut total = 0.0;
    for group in facts.groups().iter().filter(|group| working(group)) {
        let samples = real_u64(group.samples);
        total += samples;
        let frames = || facts.recording.stacks.frames(group.stack);
        let mut own: Vec<FrameId> = frames()
            .filter(|frame| matches!(facts.index.owner(*frame), Owner::User | Owner::Dynamic))
            .collect();
        own.sort_unstable();
        own.dedup();
        // Frames without a name and native code belong to the kernel and the runtime: not a computation of the service.
        let leaf = frames().find(|frame| !is_stop(facts, *frame));
        let computes =
            |leaf: &FrameId| facts.index.owner(*leaf) != Owner::Unknown && group.state == State::Running;
        let leaf = leaf.filter(computes);
        for frame in own {
            let method = methods.entry(frame).or_default();
            method.samples += samples;
            if let Some(leaf) = leaf {
                *method.by_leaf.entry(leaf).or_default() += samples;
            }
            *method.by_thread.entry(group.thread).or_default() += samples;
            method.pool += if facts.is_pool(group) { samples } else { 0.0 };
        }
    }
    (methods, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const PRICE: &str = "Shop!Shop.Price.Round";

    /// Two workers that compute in so many looks of a hundred, and otherwise run many things for requests.
    fn scene(cores: u32, computing: i64) -> Scene {
        let mut scene = Scene::lasting(10, cores);
        scene.meter("http.server.request.duration", 3000.0, 4.0, r#"{"http.route":"/price"}"#);
        for _ in 0..2 {
            let worker = scene.thread("pool");
            scene.runs(worker, 0..computing, &[WORK, REQUEST, CART, PRICE]);
            for look in computing..LOOKS {
                let name = format!("System.Private.CoreLib!System.Text.Part{look}.Write");
                scene.runs(worker, look..look + 1, &[WORK, REQUEST, &name]);
            }
        }
        scene
    }

    #[test]
    fn a_computation_that_keeps_the_processors_is_said_with_its_method() {
        assert_eq!(scene(2, 90).says(&RULE), says(Severity::Critical, PRICE));
        assert_eq!(scene(2, 50).says(&RULE), says(Severity::Warning, PRICE));
    }

    #[test]
    fn a_busy_service_without_a_computation_and_one_with_processors_to_spare_are_healthy() {
        let check = |cores, computing, speaks| {
            assert_eq!(scene(cores, computing).says(&RULE).is_some(), speaks, "{cores} {computing}");
        };
        check(2, 30, false);
        check(2, 50, true);
        check(4, 90, false);
        check(64, 90, false);
    }

    #[test]
    fn a_handler_whose_time_is_spread_over_the_framework_computes_nothing() {
        let check = |kinds: i64, speaks| {
            let mut scene = Scene::new();
            for _ in 0..2 {
                let worker = scene.thread("pool");
                for look in 0..LOOKS {
                    let name = format!("System.Text.Json!System.Text.Json.Part{}.Write", look % kinds);
                    scene.runs(worker, look..look + 1, &[WORK, REQUEST, CART, &name]);
                }
            }
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{kinds} kinds of work");
        };
        check(20, false);
        check(10, true);
    }

    #[test]
    fn busy_is_not_sick_where_requests_are_fast_or_unknown() {
        let check = |ms: Option<f64>, expected| {
            let mut scene = Scene::lasting(10, 2);
            if let Some(ms) = ms {
                scene.meter("http.server.request.duration", 60_000.0, ms, r#"{"http.route":"/json"}"#);
                // A slow route that nobody calls is not what the CPU is used for.
                scene.meter("http.server.request.duration", 5.0, 80.0, r#"{"http.route":"/report"}"#);
            }
            scene.workers_run(2, 0..LOOKS, &[WORK, REQUEST, CART, PRICE]);
            assert_eq!(scene.says(&RULE).map(|(severity, _)| severity), Some(expected), "{ms:?}");
        };
        check(Some(0.05), Severity::Note);
        check(None, Severity::Note);
        check(Some(4.0), Severity::Critical);
    }

    #[test]
    fn a_share_of_few_samples_counts_by_what_it_is_at_least() {
        let check = |samples, expected: f64| {
            assert!((at_least(0.5, samples) - expected).abs() < 0.001, "{}", at_least(0.5, samples));
        };
        // Closed form for one half: 0.5 - z / (2 sqrt(n + z²)).
        check(10.0, 0.2693);
        check(1000.0, 0.4740);
        check(1e9, 0.5);
    }

    #[test]
    fn one_thread_of_its_own_and_a_machine_with_time_left_are_no_hot_path() {
        let mut own = Scene::lasting(10, 1);
        let thread = own.thread("user");
        own.runs(thread, 0..LOOKS, &[CART]);
        assert_eq!(own.says(&RULE), None);
        let check = |cpu, speaks| {
            let mut scene = scene(2, 90);
            scene.counter(0, "cpu-usage", "value", cpu, "");
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{cpu} %");
        };
        check(30.0, false);
        check(45.0, true);
    }
}
