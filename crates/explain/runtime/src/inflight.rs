//! Requests under way, from their starts and stops alone.
//!
//! Every start of ASP.NET Core's hosting adds one, and every stop removes one, whichever belong together. The area under that
//! curve, over the time, is the average number under way. Divided by the rate of stops, it is how long a request took on
//! average (Little's law). Requests that neither began nor ended in the recording are not counted. Lost events would add up,
//! so there is no result if any were lost.

use crate::figure::{SERIES_PIECES, piece_of};
use crate::observed::observed_ns;
use base::number::{count, real};
use model::{ByKind, Sym, Trace};
use report::Series;

const HOSTING: &str = "Microsoft.AspNetCore.Hosting";
const START: i64 = 3;
const STOP: i64 = 4;

/// Requests under way.
#[derive(Debug, Clone, PartialEq)]
pub struct InFlight {
    /// Requests that began.
    pub began: f64,
    /// Requests that ended.
    pub ended: f64,
    /// The average number under way.
    pub mean: f64,
    /// The most at once.
    pub most: f64,
    /// How many seconds each took on average, by Little's law. `None` if none ended.
    pub mean_seconds: Option<f64>,
    /// The most in each piece of the recording.
    pub course: Series,
}

/// Counts the requests under way. `None` without such events, or if events were lost.
pub fn in_flight(recording: &Trace) -> Option<InFlight> {
    let Course { observed_ns, at_first, steps } = course(recording)?;
    let mut pieces: Vec<Option<f64>> = vec![None; SERIES_PIECES];
    let (mut level, mut most, mut area, mut since) = (at_first, at_first, 0.0, 0i64);
    for Step { ts_ns, change } in &steps {
        area += real(level) * real(ts_ns.saturating_sub(since).max(0));
        since = *ts_ns;
        level += change;
        most = most.max(level);
        if let Some(piece) = pieces.get_mut(piece_of(recording, *ts_ns)) {
            // A piece without a step yet.
            *piece = Some(piece.unwrap_or(0.0).max(real(level.max(level - change))));
        }
    }
    area += real(level) * real(recording.exhibit.duration_ns.saturating_sub(since).max(0));
    let ended = count(steps.iter().filter(|step| step.change < 0).count());
    Some(InFlight {
        began: count(steps.len()) - ended,
        ended,
        mean: area / real(observed_ns),
        most: real(most),
        mean_seconds: (ended > 0.0).then(|| area / ended / 1e9),
        course: Series {
            name: "in_flight",
            unit: "",
            about: "Requests in flight, max per bar",
            values: pieces,
        },
    })
}

/// The number of requests under way over time.
struct Course {
    observed_ns: i64,
    at_first: i64,
    steps: Vec<Step>,
}

/// A start or a stop.
#[derive(Debug, Clone, Copy)]
struct Step {
    ts_ns: i64,
    /// 1 for a start, -1 for a stop.
    change: i64,
}

/// `None` without such events, or if some are missing.
fn course(recording: &Trace) -> Option<Course> {
    let observed_ns = observed_ns(recording, "events")?;
    if recording.missing.events > 0 || recording.requests_are_of_bursts() {
        return None;
    }
    let steps = steps(recording);
    // Stops of requests that began before the recording take the level below 0: that many were under way at first.
    let levels = steps.iter().scan(0i64, |level, step| {
        *level += step.change;
        Some(*level)
    });
    let at_first = levels.min()?.min(0).saturating_neg();
    Some(Course { observed_ns, at_first, steps })
}

/// The most readings of a recording.
const MAX_READINGS: i64 = 1_000;
const SECOND_NS: i64 = 1_000_000_000;

/// Requests under way at the end of each second. `None` as for [`in_flight`].
pub(crate) fn levels(recording: &Trace) -> Option<Vec<(i64, f64)>> {
    let Course { at_first: mut level, steps, .. } = course(recording)?;
    let duration_ns = recording.exhibit.duration_ns.max(0);
    let every = SECOND_NS.max(duration_ns / MAX_READINGS);
    let mut readings = Vec::new();
    let mut rest = steps.iter().peekable();
    // Counted by number, since adding to the end of a recording may overflow.
    for at in (1..=duration_ns / every).map(|piece| piece * every) {
        while let Some(step) = rest.next_if(|step| step.ts_ns <= at) {
            level += step.change;
        }
        readings.push((at, real(level)));
    }
    (!readings.is_empty()).then_some(readings)
}

/// All starts and stops, in order of time.
fn steps(recording: &Trace) -> Vec<Step> {
    let events = &recording.events;
    let change = |(provider, id): (&Sym, &i64)| {
        let hosting = recording.strings.text(*provider) == HOSTING;
        match *id {
            START if hosting => 1,
            STOP if hosting => -1,
            _ => 0,
        }
    };
    let changes: ByKind<i64> = events.kind_provider.iter().zip(&events.kind_id).map(change).collect();
    if changes.iter().all(|change| *change == 0) {
        return Vec::new();
    }
    let rows = events.ts_ns.iter().zip(&events.kind);
    let steps = rows.filter_map(|(ts_ns, kind)| {
        let change = changes.get(*kind).copied().filter(|change| *change != 0)?;
        Some(Step { ts_ns: *ts_ns, change })
    });
    steps.collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::EventKind;

    pub(crate) fn hosting(observed_ns: i64, steps: &[(i64, i64)]) -> Trace {
        let mut recording = recording(observed_ns);
        let [provider, name] = recording.texts([HOSTING, "Request"]);
        for id in [START, STOP] {
            recording.events.add_kind(EventKind { provider, name, id, version: 0 });
        }
        for (ts_ns, step) in steps {
            recording.events.ts_ns.push(*ts_ns);
            recording.events.kind.push(u16::from(*step < 0).into());
            recording.events.stream.push(1);
        }
        recording.count_events(&[false, false]);
        recording
    }

    #[test]
    fn the_area_over_the_ends_is_the_mean_time() {
        // Two requests of 300 ms and 100 ms within a second.
        let steps = [(100_000_000, 1), (200_000_000, 1), (300_000_000, -1), (400_000_000, -1)];
        let of = in_flight(&hosting(1_000_000_000, &steps)).unwrap();
        assert_eq!((of.began, of.ended, of.most), (2.0, 2.0, 2.0));
        assert!((of.mean - 0.4).abs() < 1e-9);
        assert!((of.mean_seconds.unwrap() - 0.2).abs() < 1e-9);
    }

    #[test]
    fn a_request_that_began_before_is_under_way_from_the_beginning() {
        let of = in_flight(&hosting(1_000_000_000, &[(500_000_000, -1)])).unwrap();
        assert_eq!((of.began, of.ended, of.most), (0.0, 1.0, 1.0));
        assert!((of.mean - 0.5).abs() < 1e-9);
    }

    #[test]
    fn starts_and_stops_that_were_recorded_in_bursts_make_no_course() {
        let mut recording = hosting(1_000_000_000, &[(100_000_000, 1), (150_000_000, -1)]);
        recording.count_events(&[false, true]);
        assert_eq!(in_flight(&recording), None);
    }

    #[test]
    fn a_recording_that_ends_at_the_last_time_there_is_takes_no_memory_without_end() {
        let mut recording = hosting(i64::MAX, &[(i64::MAX, 1)]);
        recording.exhibit.duration_ns = i64::MAX;
        let readings = levels(&recording).unwrap();
        assert_eq!(readings.len(), usize::try_from(MAX_READINGS).unwrap());
        assert!(readings.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn where_events_were_lost_the_course_would_drift() {
        let mut recording = hosting(1_000_000_000, &[(500_000_000, 1)]);
        recording.missing.events = 1;
        assert_eq!(in_flight(&recording), None);
    }
}
