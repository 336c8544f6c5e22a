//! One clock for a load run and the trace that was recorded during it.
//!
//! ```text
//!  trace   0────────────────────────────────▶   since its session's start
//!              offset
//!  run     ├─────────▶0──────────────────▶      since its own start, until it is set on the trace's clock
//! ```
//!
//! Both say when they began by the machine's monotonic clock, whose readings need no correction, and by UTC. The header of a trace
//! has UTC in milliseconds only, so the monotonic clock decides, unless UTC contradicts it: then the two are of different boots, or
//! the service has a clock of its own (a time namespace).

use crate::folder::FoundExhibit;
use model::{Evidence, Exhibit, Load, OneClock};
use std::path::Path;
use std::sync::Arc;

/// UTC is rounded to a millisecond in traces and in logs of latencies, and the calendar is read a moment after the other clock.
const UTC_ERROR_NS: i64 = 2_000_000;
/// The two clocks may disagree by this much: what UTC is rounded by, a reader that was interrupted between reading both, and
/// corrections of the calendar in the meantime.
const MAX_DISAGREEMENT_NS: i64 = 50_000_000;

/// The clock of a trace and a run. `None` if their times cannot be compared, or do not overlap.
fn of(trace: &Exhibit, run: &Exhibit) -> Option<OneClock> {
    let utc = |of: &Exhibit| Some(of.start_utc.parse::<jiff::Timestamp>().ok()?.as_nanosecond());
    let by_utc = i64::try_from(utc(run)?.checked_sub(utc(trace)?)?).ok()?;
    let monotonic = run.start_monotonic_ns.zip(trace.start_monotonic_ns);
    let by_monotonic = monotonic.and_then(|(run, trace)| run.checked_sub(trace));
    let differs = |offset: i64| by_utc.saturating_sub(offset);
    let by_monotonic = by_monotonic.filter(|offset| differs(*offset).saturating_abs() <= MAX_DISAGREEMENT_NS);
    let clock = match by_monotonic {
        Some(offset_ns) => OneClock { offset_ns, error_ns: 0, utc_differs_ns: Some(differs(offset_ns)) },
        None => OneClock { offset_ns: by_utc, error_ns: UTC_ERROR_NS, utc_differs_ns: None },
    };
    let run_ends = clock.offset_ns.saturating_add(run.duration_ns);
    (clock.offset_ns < trace.duration_ns && run_ends > 0).then_some(clock)
}

/// Sets the load runs on the clock of the trace beside them: of each folder with exactly one of both in its sub-folders.
///
/// Runs of another time stay as they are. Nobody else may hold the evidence yet.
pub fn set_on_one_clock<'a>(exhibits: impl Iterator<Item = (&'a FoundExhibit, &'a mut Evidence)>) {
    let mut folders: Vec<(&Path, Vec<&mut Evidence>)> = Vec::new();
    for (found, evidence) in exhibits {
        let Some(within) = found.within.as_deref() else { continue };
        match folders.iter_mut().find(|(folder, _)| *folder == within) {
            Some((_, of)) => of.push(evidence),
            None => folders.push((within, vec![evidence])),
        }
    }
    for (_, mut of) in folders {
        if let Some((load, trace)) = pair(&mut of) {
            set_on_clock_of(&trace.exhibit().clone(), load);
        }
    }
}

/// The only run and the only trace of a folder.
fn pair<'a>(of: &'a mut [&mut Evidence]) -> Option<(&'a mut Load, &'a Evidence)> {
    let (mut loads, mut traces) = (Vec::new(), Vec::new());
    for evidence in of {
        match &mut **evidence {
            Evidence::Load(load) => loads.push(Arc::get_mut(load)?),
            trace @ Evidence::Trace(_) => traces.push(&*trace),
            Evidence::Bench(_) => {}
        }
    }
    match (loads.pop(), traces.as_slice()) {
        (Some(load), [trace]) if loads.is_empty() => Some((load, *trace)),
        _ => None,
    }
}

/// Sets a run on the clock of a trace. Returns whether they were at the same time; otherwise nothing changes.
fn set_on_clock_of(trace: &Exhibit, run: &mut Load) -> bool {
    let clock = of(trace, &run.exhibit).filter(|_| run.run.clock.is_none());
    if let Some(clock) = clock {
        run.set_clock(clock, trace);
    }
    clock.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{LoadRequestRow, LoadSecondRow, NO_INT};

    fn exhibit(start_utc: &str, start_monotonic_ns: Option<i64>, duration_ns: i64) -> Exhibit {
        Exhibit { start_utc: start_utc.to_owned(), start_monotonic_ns, duration_ns, ..Exhibit::default() }
    }

    const TRACE: &str = "2026-11-30T10:00:00.123Z";
    const SECOND: i64 = 1_000_000_000;

    fn check(run: &Exhibit, expected: Option<(i64, i64, Option<i64>)>) {
        let clock = of(&exhibit(TRACE, Some(5 * SECOND), 10 * SECOND), run);
        assert_eq!(clock.map(|of| (of.offset_ns, of.error_ns, of.utc_differs_ns)), expected);
    }

    #[test]
    fn the_monotonic_clock_decides_to_the_nanosecond() {
        // UTC is later by what the header of the trace was rounded down by.
        let run = exhibit("2026-11-30T10:00:01.123999999Z", Some(6 * SECOND + 7), SECOND);
        check(&run, Some((SECOND + 7, 0, Some(999_992))));
    }

    #[test]
    fn another_boot_or_clock_shows_in_utc_which_then_decides() {
        let run = |monotonic| exhibit("2026-11-30T10:00:01.123Z", monotonic, SECOND);
        for monotonic in [None, Some(i64::MIN), Some(i64::MAX), Some(6 * SECOND + MAX_DISAGREEMENT_NS + 1)] {
            check(&run(monotonic), Some((SECOND, UTC_ERROR_NS, None)));
        }
    }

    #[test]
    fn runs_of_another_time_are_left_as_they_are() {
        check(&exhibit("2026-11-30T10:00:10.123Z", Some(15 * SECOND), SECOND), None);
        check(&exhibit("2026-11-30T09:59:59.123Z", Some(4 * SECOND), SECOND), None);
        check(
            &exhibit("2026-11-30T09:59:59.123Z", Some(4 * SECOND), SECOND + 1),
            Some((-SECOND, 0, Some(0))),
        );
        check(&exhibit("", Some(6 * SECOND), SECOND), None);
        check(&exhibit("9999-12-30T00:00:00Z", None, i64::MAX), None);
    }

    #[test]
    fn all_times_of_a_run_move_and_what_is_missing_stays_so() {
        let mut run = Load {
            exhibit: exhibit("2026-11-30T10:00:01.123Z", Some(6 * SECOND), 2 * SECOND),
            ..Load::default()
        };
        run.seconds.push(LoadSecondRow { ts_ns: SECOND, ..LoadSecondRow::blank() });
        run.requests.push(LoadRequestRow { sent_ns: 5, end_ns: NO_INT, ..LoadRequestRow::blank() });
        let trace = exhibit(TRACE, Some(5 * SECOND), 10 * SECOND);
        assert!(set_on_clock_of(&trace, &mut run));
        assert_eq!(
            (run.seconds.ts_ns[0], run.requests.sent_ns[0], run.requests.end_ns[0]),
            (2 * SECOND, SECOND + 5, NO_INT)
        );
        assert_eq!(
            (run.begins_ns(), run.length_ns(), run.exhibit.duration_ns),
            (SECOND, 2 * SECOND, 3 * SECOND)
        );
        assert_eq!(run.exhibit.start_utc, TRACE);
        assert!(!set_on_clock_of(&trace, &mut run), "once is enough");
    }
}
