//! Waits for locks that another thread held.

use crate::figure::{Tally, add_waits, known, millis, rate, spread};
use crate::frames::StackIndex;
use crate::observed::{has_events, observed_ns};
use base::number::{count, real};
use model::Trace;
use report::{List, ListColumn, Part, Row, Series};

const FRAMES: &[ListColumn] =
    &[ListColumn { name: "wait", unit: "ms" }, ListColumn { name: "times", unit: "" }];

/// The smallest share of waits in GC pauses that has a figure.
const MIN_OF_GC: f64 = 0.005;

/// The part of contended locks.
pub(crate) fn part(recording: &Trace, index: &StackIndex) -> Part {
    let mut part = Part::new("contention");
    let rows = &recording.contention;
    // A recording without rows may have had no contended lock, or may not have asked for them.
    let seen = !rows.ts_ns.is_empty() || has_events(recording, "Contention/");
    if !seen {
        part.missing.push("the recording has no wait for a lock: none was contended, or it was not recorded (needs the profile default)");
    }
    part.figure("count", seen.then(|| count(rows.ts_ns.len())), "", "Waits for a lock");
    let per_second = rate(count(rows.ts_ns.len()), observed_ns(recording, "events")).filter(|_| seen);
    part.figure("rate", per_second, "1/s", "Waits per second of the observed time");
    if seen {
        add_waits(&mut part, &rows.dur_ns);
        let about =
            "Share of the time waited that lies in GC pauses: no thread could release a lock meanwhile";
        if let Some(share) = in_gc_pauses(recording).filter(|share| *share >= MIN_OF_GC) {
            part.figure("wait.gc", Some(share), "share", about);
        }
    }
    part.counted_by(&["count", "rate", "wait.total", "wait.max"], "contention events");
    if rows.ts_ns.is_empty() {
        return part;
    }
    let mut frames = Tally::default();
    for (stack, dur_ns) in rows.stack.iter().zip(&rows.dur_ns) {
        frames.add_known(index.named_frame(recording, *stack), known(*dur_ns).map(real));
    }
    let list = frames.known_rows(recording);
    let list = list.map(|(name, times, ns)| Row { name, values: vec![ns.map(millis), Some(times)] });
    part.lists.push(List::ranked(
        "frames",
        "Who waited: innermost method of yours, if any",
        FRAMES,
        list.collect(),
    ));
    let times = rows.ts_ns.iter().zip(&rows.dur_ns);
    if rows.dur_ns.iter().all(|ns| known(*ns).is_none()) {
        return part;
    }
    part.series.push(Series {
        name: "wait",
        unit: "ms",
        about: "Time waited per bar, by the start of the wait",
        values: spread(
            recording,
            times.map(|(ts_ns, ns)| (*ts_ns, known(*ns).map_or(0.0, |ns| millis(real(ns))))),
        ),
    });
    part
}

/// The share of the time waited that lies in GC pauses. `None` without waits or without pauses.
pub fn in_gc_pauses(recording: &Trace) -> Option<f64> {
    let mut pauses: Vec<(f64, f64)> =
        crate::gc::gc_pauses(recording).into_iter().map(|(from, ns)| (real(from), real(from) + ns)).collect();
    pauses.sort_by(|a, b| a.0.total_cmp(&b.0));
    // The total length of all pauses before each pause. Pauses that overlap count once.
    let mut before = Vec::with_capacity(pauses.len());
    let (mut sum, mut until) = (0.0, f64::MIN);
    for (from, to) in &mut pauses {
        *from = from.max(until);
        before.push(sum);
        sum += (*to - *from).max(0.0);
        until = until.max(*to);
    }
    let paused_until = |at: f64| {
        let next = pauses.partition_point(|(from, _)| *from <= at);
        let last = next.checked_sub(1).and_then(|last| Some((pauses.get(last)?, before.get(last)?)));
        last.map_or(0.0, |((from, to), before)| before + (at.min(*to) - from).max(0.0))
    };
    let rows = recording.contention.ts_ns.iter().zip(&recording.contention.dur_ns);
    let waits = rows.filter_map(|(from, ns)| Some((real(*from), real(known(*ns)?))));
    let (within, all) = waits.fold((0.0, 0.0), |(within, all), (from, ns)| {
        (within + paused_until(from + ns) - paused_until(from), all + ns)
    });
    (!pauses.is_empty() && all > 0.0).then(|| (within / all).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::{ContentionRow, NO_INT, PauseRow};

    #[test]
    fn a_wait_that_lasts_while_the_collector_stops_all_threads_says_so() {
        let mut recording = recording(500_000_000);
        for (ts_ns, dur_ns) in [(0, 100), (50, 100), (1_000, 100), (2_000, NO_INT)] {
            recording.contention.push(ContentionRow { ts_ns, dur_ns, ..ContentionRow::blank() });
        }
        assert_eq!(in_gc_pauses(&recording), None);
        let cause = recording.text("gc");
        for (ts_ns, dur_ns) in [(50, 50), (60, 20), (500, 50)] {
            recording.pauses.push(PauseRow { ts_ns, dur_ns, cause });
        }
        // Half of each of the first two waits, nothing of the third.
        assert_eq!(in_gc_pauses(&recording), Some(100.0 / 300.0));
        assert_eq!(part(&recording, &StackIndex::new(&recording)).value("wait.gc"), Some(100.0 / 300.0));
    }

    #[test]
    fn a_wait_without_an_end_is_counted_but_adds_no_time() {
        let mut recording = recording(500_000_000);
        let stack = recording.stack(&["Shop!Price", "System.Private.CoreLib!Enter"]);
        for dur_ns in [2_000_000, NO_INT, 4_000_000] {
            recording.contention.push(ContentionRow { dur_ns, stack, ..ContentionRow::blank() });
        }
        let part = part(&recording, &StackIndex::new(&recording));
        let values = ["count", "rate", "wait.total", "wait.max"].map(|name| part.value(name));
        assert_eq!(values, [Some(3.0), Some(6.0), Some(6.0), Some(4.0)]);
        let frames = &part.list("frames").unwrap().rows;
        assert_eq!(frames, &[Row { name: "Shop!Price".to_owned(), values: vec![Some(6.0), Some(3.0)] }]);
    }
}
