//! Regular expressions that backtrack.

use crate::evidence;
use crate::facts::{Facts, percent, real, real_u64, said};
use crate::places::in_place;
use crate::rule::{Found, Need, Rule, Threshold};
use report::{Measured, Severity, View};
use runtime::{Group, Marks};
use rustc_hash::FxHashMap;

const SHARE: Threshold = Threshold {
    name: "share of the busy samples in the regular-expression engine",
    value: 0.2,
    unit: "share",
    source: "a fifth of the processors' work is worth a look; a pattern that does not backtrack is seldom seen in samples",
};
const LONGEST: Threshold = Threshold {
    name: "longest stretch of a thread's samples in the engine, without a request, a caller or a gap between them",
    value: 25.0,
    unit: "ms",
    source: "matching is a scan of the input at about 100 MB/s and more: 25 ms of one request are 2.5 MB. 50 ms where no request bounds it",
};
/// Outside of a request many matches may follow on each other, unseen.
const OUTSIDE_MS: f64 = 50.0;
/// A service that matches less is nearly idle.
const LEAST_THREADS: f64 = 0.1;
/// Looks farther apart than this have a time between them in which nothing was sampled.
const GAP_NS: i64 = 500_000_000;
/// So have looks that are so many times as far apart as usual.
const GAP_TIMES: f64 = 10.0;

pub(super) const RULE: Rule = Rule {
    id: "regex-backtracking",
    about: "CPU is spent in the regular-expression engine by backtracking",
    needs: &[Need::Running],
    thresholds: &[SHARE, LONGEST],
    silent: "where many short matches add up to much time: that is `cpu-hot-path`, and the pattern is not the harm",
    why: "The default engine tries one alternative after another and goes back where it fails. Nested or overlapping repetition, \
          as in `(a+)+$`, can be divided in exponentially many ways, and an input that almost matches makes the engine try them \
          all: one request then holds a processor for seconds, and a client can choose such an input.",
    tries: &[
        "`RegexOptions.NonBacktracking` (.NET 7 and later): time linear in the input, for patterns without lookarounds and backreferences",
        "Rewrite the pattern so that each character can be matched in one way only; atomic groups `(?>…)`",
        "In any case a time-out: `new Regex(pattern, options, TimeSpan.FromMilliseconds(100))`, or `AppContext` REGEX_DEFAULT_MATCH_TIMEOUT",
    ],
    verify: "Record the same load again: `System.Text.RegularExpressions` leaves the running samples.",
    places_of: "the samples that show it",
    view: View {
        tab: "/stacks",
        params: &[("metric", "running"), ("include", "System\\.Text\\.RegularExpressions")],
    },
    before: &["threadpool-queue-flood"],
    absorbs: &["cpu-hot-path"],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let in_regex = |group: &Group| facts.is_busy(group) && facts.index.marks(group.stack).has(Marks::REGEX);
    let (inside, busy) = (facts.threads(in_regex), facts.busy());
    let share = inside / busy.max(0.01);
    if share < SHARE.value || inside < LEAST_THREADS {
        return None;
    }
    let (in_request, outside) = longest_ms(facts);
    let by_request = in_request >= outside || outside < OUTSIDE_MS;
    let longest = if by_request { in_request } else { outside };
    if longest < LONGEST.value {
        return None;
    }
    let places = facts.places(in_regex).top(facts);
    let title = format!(
        "Regular expressions backtrack{}: {} of the busy time, {} ms of samples of one {}",
        in_place(&places),
        percent(share),
        said(longest),
        if by_request { "request" } else { "thread" }
    );
    let under = "frames.type like 'System.Text.RegularExpressions.%' or frames.type = 'dynamicClass' and frames.method like 'Regex%'";
    let evidence = vec![evidence::samples_under(facts, under, "samples.state <> 'waiting'", in_regex)];
    let threads = Measured { name: "threads in it, on average", value: inside, unit: "", threshold: None };
    let severity = if inside >= 0.5 * facts.cores { Severity::Critical } else { Severity::Warning };
    let measured = vec![SHARE.measured(share), LONGEST.measured(longest), threads];
    Some(Found { title, severity, score: share, measured, places, evidence })
}

/// A stretch of samples of one thread in the engine.
struct Stretch {
    /// The stack by which the engine was entered.
    entry: u32,
    /// Starts and ends of requests that the thread has passed.
    passed: usize,
    from_ns: i64,
    last_ns: i64,
}

/// The longest stretches of samples in milliseconds, in a request and outside of any.
///
/// Two samples of one thread in the engine are of one stretch as far as nothing is known to lie between them: neither the
/// start or end of a request, nor another caller, nor a look that found the thread elsewhere, nor a gap. A caller that asks
/// for one match after another makes one stretch of them: it is the time of one request at most, and not of one match.
fn longest_ms(facts: &Facts<'_>) -> (f64, f64) {
    let samples = &facts.recording.samples;
    let gap_ns = gap_ns(facts);
    let mut since: FxHashMap<u32, Stretch> = FxHashMap::default();
    let mut entries: FxHashMap<u32, Option<u32>> = FxHashMap::default();
    let mut follower = facts.paths.follow();
    let mut longest = (0i64, 0i64);
    for row in (0..samples.ts_ns.len()).filter_map(|at| samples.row(at)) {
        let Some(entry) = *entries.entry(row.stack).or_insert_with(|| entry(facts, row.stack)) else {
            since.remove(&row.thread);
            continue;
        };
        let (passed, path) = follower.at(row.thread, row.ts_ns);
        let new = || Stretch { entry, passed, from_ns: row.ts_ns, last_ns: row.ts_ns };
        let of = since.entry(row.thread).or_insert_with(new);
        if of.entry != entry || of.passed != passed || row.ts_ns.saturating_sub(of.last_ns) > gap_ns {
            *of = new();
        }
        of.last_ns = row.ts_ns;
        let longest = if path.is_some() { &mut longest.0 } else { &mut longest.1 };
        *longest = (*longest).max(row.ts_ns.saturating_sub(of.from_ns));
    }
    (real(longest.0) / 1e6, real(longest.1) / 1e6)
}

/// The stack that called the engine, with the engine's first frame; none of a stack without the engine.
fn entry(facts: &Facts<'_>, stack: u32) -> Option<u32> {
    let inside = |node: &u32| facts.index.marks(*node).has(Marks::REGEX);
    facts.recording.stacks.walk(stack).take_while(inside).last()
}

/// What lies farther apart is not of one stretch, in nanoseconds.
fn gap_ns(facts: &Facts<'_>) -> i64 {
    let Some(sampling) = facts.sampling.as_ref() else { return GAP_NS };
    let usual = real(sampling.observed_ns) / real_u64(sampling.looks).max(1.0);
    #[expect(clippy::cast_possible_truncation, reason = "nanoseconds of a recording; the cast saturates")]
    let usual = (usual * GAP_TIMES) as i64;
    usual.clamp(1, GAP_NS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const MATCH: &str = "System.Text.RegularExpressions!System.Text.RegularExpressions.RegexInterpreter.TryMatchAtCurrentPosition";

    /// A worker in matches of so many looks each (of 100 ms), with one look between them.
    fn scene(processors: u32, looks: i64, share: i64) -> Scene {
        let mut scene = Scene::lasting(10, processors);
        let worker = scene.thread("pool");
        for look in 0..LOOKS {
            let inside = look < share && look % (looks + 1) < looks;
            let stack: &[&str] = if inside { &[WORK, CART, MATCH] } else { &[WORK, CART] };
            scene.runs(worker, look..look + 1, stack);
        }
        scene
    }

    #[test]
    fn a_match_that_takes_long_is_said_with_who_asked_for_it() {
        assert_eq!(scene(1, 5, LOOKS).says(&RULE), says(Severity::Critical, CART));
        assert_eq!(scene(8, 5, LOOKS).says(&RULE), says(Severity::Warning, CART));
    }

    #[test]
    fn short_matches_and_few_of_them_do_not_backtrack() {
        let check = |looks, share, speaks| {
            assert_eq!(scene(2, looks, share).says(&RULE).is_some(), speaks, "{looks} {share}");
        };
        check(1, LOOKS, false);
        check(2, LOOKS, true);
        check(5, 15, false);
        check(5, 30, true);
    }

    #[test]
    fn two_looks_with_a_pause_of_the_sampler_between_them_are_two_matches() {
        let check = |step_ms: i64, speaks| {
            let mut scene = Scene::lasting(step_ms / 10, 2);
            scene.workers_run(1, 0..LOOKS, &[WORK, CART, MATCH]);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "a look in {step_ms} ms");
        };
        check(1000, false);
        check(100, true);
    }

    #[test]
    fn requests_on_one_thread_that_follow_on_each_other_are_not_one_long_match() {
        let check = |ms: i64, expected: Option<&str>| {
            let mut scene = Scene::lasting(10, 2);
            scene.workers_run(1, 0..LOOKS, &[WORK, CART, MATCH]);
            let worker = u32::try_from(scene.recording.thread_ids.len() - 1).unwrap();
            for at in (0..=10_000 / ms).map(|at| at * ms) {
                scene.enters(worker, at, "/cart");
            }
            let title = scene.facts(check_of);
            assert_eq!(title.as_deref(), expected, "a request in {ms} ms");
        };
        check(50, None);
        let title = "Regular expressions backtrack in Shop.Cart.Total: 100 % of the busy time, 200 ms of samples of one request";
        check(300, Some(title));
    }

    fn check_of(facts: &Facts<'_>) -> Option<String> {
        check(facts).map(|found| found.title)
    }

    #[test]
    fn matches_of_two_callers_are_not_one_long_match() {
        let mut scene = Scene::lasting(10, 2);
        let worker = scene.thread("pool");
        for look in 0..LOOKS {
            let caller = if look % 2 == 0 { CART } else { "Shop!Shop.Stock.Take" };
            scene.runs(worker, look..look + 1, &[WORK, caller, MATCH]);
        }
        assert_eq!(scene.says(&RULE), None);
    }
}
