//! Regular expressions that backtrack.

use crate::facts::{Facts, percent, real, real_u64, said};
use crate::need::Need;
use crate::places::in_place;
use crate::queries;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::{StackId, ThreadId};
use report::{Measured, Severity, View};
use runtime::{Group, Marks};
use rustc_hash::FxHashMap;

const SHARE: Threshold = Threshold {
    name: "share of the busy samples in the regular-expression engine",
    value: 0.2,
    unit: "share",
    source: "our judgement; a pattern that does not backtrack rarely shows up in samples",
};
const LONGEST: Threshold = Threshold {
    name: "longest stretch of a thread's samples in the engine, within one request and caller, without a gap",
    value: 25.0,
    unit: "ms",
    source: "matching scans the input at about 100 MB/s and more: in 25 ms of one request, 2.5 MB. 50 ms outside of requests",
};
/// Outside of requests, many matches may follow one another.
const OUTSIDE_MS: f64 = 50.0;
/// A service with fewer threads in the engine is nearly idle.
const MIN_THREADS: f64 = 0.1;
/// Between samples farther apart than this, sampling paused.
const GAP_NS: i64 = 500_000_000;
/// The same for samples this many times as far apart as usual.
const GAP_TIMES: f64 = 10.0;

pub(super) const RULE: Rule = Rule {
    id: "regex-backtracking",
    about: "the regular-expression engine spends CPU on backtracking",
    needs: &[Need::Running],
    thresholds: &[SHARE, LONGEST],
    silent: "if many short matches add up to much time: that is `cpu-hot-path`, and the pattern does not do the harm",
    why: "The default engine tries one alternative after another and goes back when one fails. Nested or overlapping repetition, \
          as in `(a+)+$`, can match in exponentially many ways, and an input that almost matches makes the engine try them \
          all. Then one request keeps a CPU core for seconds, and a client can choose such an input.",
    tries: &[
        "`RegexOptions.NonBacktracking` (.NET 7 and later): time linear in the input, for patterns without lookarounds and backreferences",
        "Rewrite the pattern so that each character can be matched in one way only; atomic groups `(?>…)`",
        "In any case a time-out: `new Regex(pattern, options, TimeSpan.FromMilliseconds(100))`, or `AppContext` REGEX_DEFAULT_MATCH_TIMEOUT",
    ],
    verify: "Record the same load again: `System.Text.RegularExpressions` disappears from the running samples.",
    places_of: "the samples in the regular-expression engine",
    view: View {
        shows: "the stacks in the regular expression",
        lane: "running",
        tab: "/stacks",
        metric: Some("running"),
    },
    before: &["threadpool-queue-flood"],
    absorbs: &["cpu-hot-path"],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let in_regex = |group: &Group| facts.is_busy(group) && facts.index.marks(group.stack).has(Marks::REGEX);
    let (inside, busy) = (facts.threads(in_regex), facts.busy());
    let share = inside / busy.max(0.01);
    if share < SHARE.value || inside < MIN_THREADS {
        return None;
    }
    let Longest { in_request, outside } = longest(facts);
    let by_request = in_request >= outside || outside < OUTSIDE_MS;
    let longest = if by_request { in_request } else { outside };
    if longest < LONGEST.value {
        return None;
    }
    let places = facts.places(in_regex).top(facts);
    let title = format!(
        "A regular expression backtracks{}: {} of the busy time, and up to {} ms in one {}",
        in_place(&places),
        percent(share),
        said(longest),
        if by_request { "request" } else { "thread" }
    );
    let under = "frames.type like 'System.Text.RegularExpressions.%' or frames.type = 'dynamicClass' and frames.method like 'Regex%'";
    let evidence = vec![queries::samples_under(facts, under, "samples.state <> 'waiting'", in_regex)];
    let threads =
        Measured { name: "threads in the engine, on average", value: inside, unit: "", threshold: None };
    let severity = if inside >= 0.5 * facts.cores { Severity::Critical } else { Severity::Warning };
    let measured = vec![SHARE.measured(share), LONGEST.measured(longest), threads];
    Some(Found {
        title,
        severity,
        harms: vec![Harm::Share(share)],
        sure: Sure::Seen,
        measured,
        places,
        evidence,
    })
}

/// A stretch of samples of one thread in the engine.
struct Stretch {
    /// The stack that entered the engine.
    entry: StackId,
    /// How many starts and ends of requests came before, on this thread.
    passed: usize,
    from_ns: i64,
    last_ns: i64,
}

/// The longest stretches of samples, in milliseconds.
struct Longest {
    in_request: f64,
    outside: f64,
}

/// The longest stretches of samples of one thread in the engine.
///
/// A stretch ends at the start or end of a request, at another caller, at a sample outside the engine, and at a gap. A caller
/// that makes one match after another makes one stretch, so it is the time within one request, not of one match.
fn longest(facts: &Facts<'_>) -> Longest {
    let samples = &facts.recording.samples;
    let gap_ns = gap_ns(facts);
    let mut since: FxHashMap<ThreadId, Stretch> = FxHashMap::default();
    let mut entries: FxHashMap<Option<StackId>, Option<StackId>> = FxHashMap::default();
    let mut follower = facts.paths.follow();
    let (mut in_request, mut outside) = (0i64, 0i64);
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
        let longest = if path.is_some() { &mut in_request } else { &mut outside };
        *longest = (*longest).max(row.ts_ns.saturating_sub(of.from_ns));
    }
    Longest { in_request: real(in_request) / 1e6, outside: real(outside) / 1e6 }
}

/// The stack up to the engine's first frame. `None` for a stack outside the engine.
fn entry(facts: &Facts<'_>, stack: Option<StackId>) -> Option<StackId> {
    let inside = |node: &StackId| facts.index.marks(*node).has(Marks::REGEX);
    facts.recording.stacks.walk(stack).take_while(inside).last()
}

/// Samples farther apart than this, in nanoseconds, belong to different stretches.
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
    fn scene(cores: u32, looks: i64, share: i64) -> Scene {
        let mut scene = Scene::lasting(10, cores);
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
            let worker = scene.recording.thread_ids.ids().last().unwrap();
            for at in (0..=10_000 / ms).map(|at| at * ms) {
                scene.enters(worker, at, "/cart");
            }
            let title = scene.facts(check_of);
            assert_eq!(title.as_deref(), expected, "a request in {ms} ms");
        };
        check(50, None);
        let title = "A regular expression backtracks in Shop.Cart.Total: 100 % of the busy time, and up to 200 ms in one request";
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
