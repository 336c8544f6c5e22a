//! The collector stops the program for much of the time, or for long.

use crate::facts::{Facts, count, percent, real_u64, said};
use crate::gcfacts::{allocators, pause_share, rows};
use crate::rule::{Found, Need, Rule, Threshold};
use report::{EvidenceRows, Measured, Severity, View};

const SHARE: Threshold = Threshold {
    name: "share of the time that the program stood still for the collector",
    value: 0.05,
    unit: "share",
    source: "Rider reports high GC activity from 20 % on; measured: at most 3 % in healthy services that are saturated",
};
const LONGEST: Threshold = Threshold {
    name: "longest pause, of two at least and one in each minute",
    value: 200.0,
    unit: "ms",
    source: "PerfView's GCStats marks pauses above 200 ms",
};
const CRITICAL_SHARE: f64 = 0.3;

pub(super) const RULE: Rule = Rule {
    id: "gc-pauses",
    about: "the collector stops the program for a large share of time or for long",
    needs: &[Need::Gc],
    thresholds: &[SHARE, LONGEST],
    silent: "for the suspensions that the sampler makes itself, and for background collections as long as they run beside the program",
    why: "Before the collector marks and moves objects it suspends all managed threads (GC/SuspendEEStart to GC/RestartEEStop). \
          The pause grows with what survives, not with what is garbage: marking and compacting live objects is the work. \
          Requests that are under way take that much longer, and they all do at once.",
    tries: &[
        "Keep less alive between collections, and allocate less: the findings on allocation, generation 2 and the large object heap say what and where",
        "With several processors and memory to spare, and where it is the workstation GC now: Server GC (`DOTNET_gcServer=1`) collects in parallel with larger budgets",
    ],
    verify: "Record the same load again: `gc.pause.share` and `gc.pause.max` in `metrics`.",
    view: View { tab: "/gc", params: &[] },
    causes: &[],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let share = pause_share(facts, |_| true);
    let pauses: Vec<f64> =
        rows(facts).filter_map(|row| facts.lasted(row.pause_ns)).map(|ns| ns / 1e6).collect();
    let longest = pauses.iter().copied().fold(0.0, f64::max);
    // One long pause in a recording is an event, of a snapshot or a schedule; it takes two to be the way it is.
    let long = real_u64(count(pauses.iter().filter(|ms| **ms >= LONGEST.value).count()));
    let often = long >= 2.0 && long >= facts.at_least(1.0);
    if share < SHARE.value && !often {
        return None;
    }
    let times: Vec<i64> = rows(facts).map(|row| row.start_ns).collect();
    let collections = count(times.len());
    let places = allocators(facts, |_| true).top(facts.recording);
    let title = format!(
        "The program stood still for the collector {} of the time, {} ms at the longest",
        percent(share),
        said(longest)
    );
    let sql = "select number, generation, type, reason, start_ns, pause_ns / 1e6 as pause_ms, promoted_bytes / 1e6 as promoted_mb, \
               heap_after_bytes / 1e6 as heap_after_mb from gc order by pause_ns desc limit 20";
    let rate = Measured {
        name: "collections a second",
        value: real_u64(collections) / facts.seconds(),
        unit: "1/s",
        threshold: None,
    };
    Some(Found {
        title,
        severity: if share >= CRITICAL_SHARE { Severity::Critical } else { Severity::Warning },
        score: (share * 1.5).max(if often { 0.3 } else { 0.0 }).min(0.9),
        measured: vec![SHARE.measured(share), LONGEST.measured(longest), rate],
        places,
        evidence: vec![EvidenceRows::of("gc", sql, times.into_iter())],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Collections in each of so many seconds, of so many milliseconds.
    fn scene(lasts: i64, pauses: i64, ms: i64) -> Scene {
        let mut scene = Scene::lasting(lasts, 2);
        for at in 0..pauses {
            scene.gc(at * 1000 * lasts / pauses, "AllocSmall", |row| row.pause_ns = ms * 1_000_000);
        }
        scene.allocates(0, "Small", 1e6);
        scene
    }

    #[test]
    fn a_program_that_stands_still_is_said_with_who_allocates() {
        assert_eq!(scene(10, 10, 60).says(&RULE), says(Severity::Warning, CART));
        assert_eq!(scene(10, 10, 400).says(&RULE), says(Severity::Critical, CART));
    }

    #[test]
    fn short_pauses_and_one_long_pause_are_ordinary() {
        let check = |lasts, pauses, ms, speaks| {
            assert_eq!(scene(lasts, pauses, ms).says(&RULE).is_some(), speaks, "{pauses} of {ms} in {lasts}");
        };
        check(10, 10, 40, false);
        check(10, 1, 400, false);
        check(10, 2, 210, true);
        check(3600, 20, 400, false);
        check(3600, 70, 400, true);
    }
}
