//! Regular expressions that backtrack.

use crate::evidence;
use crate::facts::{Facts, percent, real, said};
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
    name: "longest stretch of samples in one match",
    value: 50.0,
    unit: "ms",
    source: "matching is a scan of the input at about 100 MB/s and more: 50 ms on the text of a request is backtracking",
};

/// Looks farther apart than this have a time between them in which nothing was sampled.
const GAP_NS: i64 = 500_000_000;

pub(super) const RULE: Rule = Rule {
    id: "regex-backtracking",
    about: "CPU is spent in the regular-expression engine by backtracking",
    needs: &[Need::Samples],
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
    view: View {
        tab: "/stacks",
        params: &[("metric", "running"), ("include", "System\\.Text\\.RegularExpressions")],
    },
    causes: &["threadpool-queue-flood"],
    absorbs: &["cpu-hot-path"],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let in_regex = |group: &Group| facts.is_busy(group) && facts.index.marks(group.stack).has(Marks::REGEX);
    let (inside, busy) = (facts.threads(in_regex), facts.busy());
    let share = inside / busy.max(0.01);
    let longest = longest_match_ns(facts) / 1e6;
    if share < SHARE.value || longest < LONGEST.value || inside < 0.1 {
        return None;
    }
    let places = facts.places(in_regex).top(facts.recording);
    let title = format!(
        "Regular expressions backtrack{}: {} of the busy time, one match for {} ms and more",
        in_place(&places),
        percent(share),
        said(longest)
    );
    let under = "frames.type like 'System.Text.RegularExpressions.%' or frames.type = 'dynamicClass' and frames.method like 'Regex%'";
    let evidence = vec![evidence::samples_under(facts, under, "samples.state <> 'waiting'", in_regex)];
    let threads = Measured { name: "threads in it, on average", value: inside, unit: "", threshold: None };
    let severity = if inside >= 0.5 * facts.cores { Severity::Critical } else { Severity::Warning };
    let measured = vec![SHARE.measured(share), LONGEST.measured(longest), threads];
    Some(Found { title, severity, score: share, measured, places, evidence })
}

/// The longest time in which a thread was seen in regular expressions without a break.
fn longest_match_ns(facts: &Facts<'_>) -> f64 {
    let samples = &facts.recording.samples;
    let mut since: FxHashMap<u32, (i64, i64)> = FxHashMap::default();
    let mut longest = 0i64;
    for row in (0..samples.ts_ns.len()).filter_map(|at| samples.row(at)) {
        if facts.index.marks(row.stack).has(Marks::REGEX) {
            let (from, last) = since.entry(row.thread).or_insert((row.ts_ns, row.ts_ns));
            if row.ts_ns.saturating_sub(*last) > GAP_NS {
                *from = row.ts_ns;
            }
            *last = row.ts_ns;
            longest = longest.max(row.ts_ns.saturating_sub(*from));
        } else {
            since.remove(&row.thread);
        }
    }
    real(longest)
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
}
