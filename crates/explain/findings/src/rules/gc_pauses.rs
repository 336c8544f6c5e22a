//! The GC pauses the program for much of the time, or for long.

use super::cpu_limited;
use crate::facts::{Facts, count, percent, real_u64, said, wide};
use crate::gcfacts::{allocators, pauses_ms, rows};
use crate::hostfacts::{CpuSupply, PauseParts, throttling};
use crate::need::Need;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use report::{EvidenceRows, Measured, Severity, View};

const SHARE: Threshold = Threshold {
    name: "share of the time that the GC paused the program",
    value: 0.05,
    unit: "share",
    source: "Rider reports high GC activity from 20 % on; measured: up to 3 % in saturated healthy services. One of the two is enough",
};
const LONGEST: Threshold = Threshold {
    name: "longest pause (only if at least two are this long, and one per minute)",
    value: 200.0,
    unit: "ms",
    source: "PerfView's GCStats marks pauses above 200 ms",
};
const CRITICAL_SHARE: f64 = 0.3;

pub(super) const RULE: Rule = Rule {
    id: "gc-pauses",
    about: "the GC pauses the program for a large share of the time, or for long",
    needs: &[Need::Gc],
    thresholds: &[SHARE, LONGEST],
    silent: "for pauses that the sampler itself causes, and for background collections while the program runs",
    why: "Before the GC marks and moves objects it suspends all managed threads (GC/SuspendEEStart to GC/RestartEEStop). \
          The pause grows with what survives, not with the garbage: the work is to mark and compact live objects. \
          All requests in flight take that much longer, at the same time. A pause also lasts while the threads that must \
          stop, or the GC's own threads, wait for a CPU core: that part is not the GC's work.",
    tries: &[
        "Keep less alive between collections, and allocate less: the findings on allocation, generation 2 and large objects say what and where",
        "If the pauses are long because threads do not get to run (`cpu-limited`), give it the CPU that it lacks first",
        "With several CPU cores and memory to spare: Server GC (`DOTNET_gcServer=1`) collects in parallel with larger budgets",
    ],
    verify: "Record the same load again: `gc.pause.share` and `gc.pause.max` in `metrics`.",
    places_of: "the allocated bytes",
    view: View { shows: "the longest collections", lane: "gc", tab: "/gc", metric: None },
    before: &[],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let pauses = pauses_ms(facts);
    let share = (pauses.iter().sum::<f64>() / 1e3 / facts.seconds()).min(1.0);
    let longest = pauses.iter().copied().fold(0.0, f64::max);
    // A single long pause may come from a snapshot or a schedule. Two are a pattern.
    let long = count(pauses.iter().filter(|ms| **ms >= LONGEST.value).count());
    let often = long >= 2.0 && long >= facts.at_least(1.0);
    if share < SHARE.value && !often {
        return None;
    }
    let times: Vec<i64> = rows(facts).map(|row| row.start_ns).collect();
    let collections = wide(times.len());
    let places = allocators(facts, |_| true).top(facts);
    let parts = PauseParts::of(facts);
    let cause = want_of_cpu(facts).map_or_else(String::new, |of| format!("; {of}"));
    let title = format!(
        "The GC pauses the program {} of the time, for up to {} ms{cause}",
        percent(share),
        said(longest)
    );
    let sql = "select number, generation, type, reason, start_ns, pause_ns / 1e6 as pause_ms, promoted_bytes / 1e6 as promoted_mb, \
               heap_after_bytes / 1e6 as heap_after_mb from gc order by pause_ns desc limit 20";
    let rate = Measured {
        name: "collections per second",
        value: real_u64(collections) / facts.seconds(),
        unit: "1/s",
        threshold: None,
    };
    let mut measured = vec![SHARE.measured(share), LONGEST.measured(longest), rate];
    measured.extend(of_parts(facts, parts));
    Some(Found {
        title,
        severity: match () {
            () if share >= CRITICAL_SHARE => Severity::Critical,
            // Just above the threshold, and only because threads waited for a core: not the GC's fault.
            () if !often && share < 2.0 * SHARE.value && work_share(share, parts) < SHARE.value => {
                Severity::Note
            }
            () => Severity::Warning,
        },
        harms: vec![
            Harm::Share(share),
            // A single long pause harms nobody for long.
            Harm::Beyond { value: if often { longest } else { 0.0 }, harmless: LONGEST.value },
        ],
        sure: Sure::Seen,
        measured,
        places,
        evidence: evidence(facts, EvidenceRows::of("gc", sql, times.into_iter())),
    })
}

/// The collections, and the pauses if they were recorded separately.
fn evidence(facts: &Facts<'_>, collections: EvidenceRows) -> Vec<EvidenceRows> {
    let (pauses, cause) = (&facts.recording.pauses, facts.recording.strings.find("gc"));
    let rows = pauses.ts_ns.iter().zip(&pauses.cause);
    let times: Vec<i64> = rows.filter(|(_, of)| Some(**of) == cause).map(|(ts_ns, _)| *ts_ns).collect();
    let sql =
        "select ts_ns, dur_ns / 1e6 as pause_ms from pauses where cause = 'gc' order by dur_ns desc limit 20";
    let of_pauses = (!times.is_empty()).then(|| EvidenceRows::of("pauses", sql, times.into_iter()));
    std::iter::once(collections).chain(of_pauses).collect()
}

/// What the pauses consist of: the GC's work, and the rest.
fn of_parts(facts: &Facts<'_>, parts: Option<PauseParts>) -> Vec<Measured> {
    let figure = |name, value| Measured { name, value, unit: "ms", threshold: None };
    let suspending: Vec<f64> = rows(facts).filter_map(|row| facts.lasted(row.suspend_ns)).collect();
    let Some(parts) = parts else {
        let sum = suspending.iter().sum::<f64>() / 1e6;
        let name = "of the pauses: until the program's threads had stopped";
        return if suspending.is_empty() { Vec::new() } else { vec![figure(name, sum)] };
    };
    vec![
        figure("of the pauses: the GC's busiest thread ran", parts.working),
        figure("of the pauses: until the program's threads had stopped", parts.suspending),
        figure("of the pauses: the GC's threads did not run", parts.stalled()),
    ]
}

/// The share of the time that the pauses would take if the GC's threads always ran.
fn work_share(share: f64, parts: Option<PauseParts>) -> f64 {
    parts.filter(|of| of.paused > 0.0).map_or(share, |of| share * (1.0 - of.stalled() / of.paused))
}

/// Says that lack of CPU makes up half of the pauses or more, if it does.
pub(crate) fn want_of_cpu(facts: &Facts<'_>) -> Option<String> {
    const MOST: f64 = 0.5;
    let throttled = throttling(facts).is_some_and(|of| of.share >= cpu_limited::THROTTLED.value);
    let lacks =
        |of: CpuSupply| of.pressure >= cpu_limited::PRESSURE.value && of.missing() > cpu_limited::GETS.value;
    let pressed = CpuSupply::of(facts).is_some_and(lacks);
    let why = match (throttled, pressed) {
        (true, _) => "because the service is throttled at its CPU limit",
        (false, true) => "because others use the machine's CPU cores",
        (false, false) => return None,
    };
    let parts = PauseParts::of(facts)?;
    let idle = parts.idle_share();
    (idle >= MOST && parts.paused > 0.0)
        .then(|| format!("for {} of that, threads that it needs did not get to run, {why}", percent(idle)))
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
    fn a_pause_in_which_the_collectors_threads_did_not_run_is_not_put_down_to_its_work() {
        let title = |working_ms: i64, pressure: f64| {
            let mut scene = scene(10, 10, 200);
            scene.recording.session.server_gc = Some(true);
            let thread = scene.thread("gc");
            for second in 0..=10 {
                let user_ns = working_ms * 1_000_000 * second / 10;
                scene.cpu_of(thread, second * 1000, user_ns);
            }
            scene.host("cores", |_| 2.0);
            scene.host("pressure.cpu.some", |_| pressure);
            scene.host("process.cpu.user", |second| second * 0.5);
            scene.host("process.cpu.system", |_| 0.0);
            scene.title(&RULE)
        };
        let lacks_cpu = "for 80 % of that, threads that it needs did not get to run, because others use the machine's CPU cores";
        assert!(title(400, 0.9).ends_with(lacks_cpu), "{}", title(400, 0.9));
        assert!(!title(1900, 0.9).contains("did not get to run"));
        assert!(!title(400, 0.1).contains("did not get to run"));
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
