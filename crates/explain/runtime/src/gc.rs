//! Garbage collections.

use crate::figure::{Tally, known, largest, millis, share, spread, sum};
use crate::observed::{has_events, observed_ns};
use base::number::{count, real};
use model::Trace;
use report::{List, ListColumn, Part, Row, Series};

const REASONS: &[ListColumn] =
    &[ListColumn { name: "collections", unit: "" }, ListColumn { name: "pause", unit: "ms" }];

/// The part of the GC.
pub(crate) fn part(recording: &Trace) -> Part {
    let mut part = Part::new("gc");
    let gc = &recording.gc;
    // Suspensions have the same keyword as collections, and the sampler suspends the program each time it runs.
    let asked = ["GC/Start", "GC/Triggered", "GC/HeapStats", "GC/AllocationTick", "GC/SuspendEEStart"];
    let seen = !gc.start_ns.is_empty() || asked.iter().any(|name| has_events(recording, name));
    if !seen {
        part.missing.push("the recording has no collection: none ran, or they were not recorded (needs the profile default)");
    }
    let collections = |generation: i64| {
        let rows = gc.generation.iter().filter(|of| **of == generation).count();
        seen.then(|| count(rows))
    };
    let pauses = gc_pauses(recording);
    let total: f64 = pauses.iter().map(|(_, dur_ns)| *dur_ns).sum();
    // Collections whose pause is unknown did not necessarily run without one.
    let timed = seen && (!pauses.is_empty() || gc.start_ns.is_empty());
    if seen && !timed {
        part.missing.push("how long collections paused the program: no suspension was recorded");
    }
    let most = pauses.iter().map(|(_, dur_ns)| *dur_ns).max_by(f64::total_cmp);
    let observed = observed_ns(recording, "events");
    part.figure("count", seen.then(|| count(gc.start_ns.len())), "", "Collections");
    part.figure("gen0", collections(0), "", "Collections of generation 0");
    part.figure("gen1", collections(1), "", "Collections of generations 0 and 1");
    part.figure("gen2", collections(2), "", "Generation 2 collections, blocking and background");
    part.figure(
        "background",
        seen.then(|| of_kind(recording, "BackgroundGC")),
        "",
        "Background generation 2 collections",
    );
    part.figure(
        "induced",
        seen.then(|| induced(recording)),
        "",
        "Induced collections (GC.Collect, or the runtime itself)",
    );
    part.figure("pause.total", timed.then_some(millis(total)), "ms", "Time that the GC paused the program");
    part.figure("pause.max", most.map(millis), "ms", "Longest pause");
    let of_time = observed.and_then(|ns| share(total, real(ns))).filter(|_| timed);
    part.figure("pause.share", of_time, "share", "Share of the observed time spent paused");
    let rows = !gc.start_ns.is_empty();
    part.figure(
        "promoted",
        if rows { sum(&gc.promoted_bytes) } else { None },
        "B",
        "Promoted, over all collections",
    );
    let last = |column: &[i64]| column.iter().rev().find_map(|bytes| known(*bytes)).map(real);
    part.figure("heap.after", last(&gc.heap_after_bytes), "B", "Heap after the last collection");
    part.figure("heap.max", largest(&gc.heap_after_bytes), "B", "Heap after a collection, max");
    part.figure("gen2.bytes", last(&gc.gen2_bytes), "B", "Generation 2 after the last collection");
    part.figure("loh.bytes", last(&gc.loh_bytes), "B", "Large object heap after the last collection");
    if rows {
        part.lists.push(reasons(recording));
        part.series.push(Series {
            name: "pause",
            unit: "ms",
            about: "Time paused per bar",
            values: spread(recording, pauses.iter().map(|(ts_ns, dur_ns)| (*ts_ns, millis(*dur_ns)))),
        });
    }
    part
}

/// When each GC pause began, and how many nanoseconds it lasted. Without recorded suspensions, the pauses that the collections
/// report. One pause may hold two collections, and a background collection has two pauses.
pub fn gc_pauses(recording: &Trace) -> Vec<(i64, f64)> {
    let pauses = &recording.pauses;
    let cause = recording.strings.find("gc");
    let times = pauses.ts_ns.iter().zip(&pauses.dur_ns).zip(&pauses.cause);
    let own: Vec<_> = times
        .filter(|(_, of)| Some(**of) == cause)
        .filter_map(|((ts_ns, dur_ns), _)| Some((*ts_ns, real(known(*dur_ns)?))))
        .collect();
    if !own.is_empty() {
        return own;
    }
    let gc = &recording.gc;
    let times = gc.start_ns.iter().zip(&gc.pause_ns);
    times.filter_map(|(ts_ns, dur_ns)| Some((*ts_ns, real(known(*dur_ns)?)))).collect()
}

fn of_kind(recording: &Trace, kind: &str) -> f64 {
    let kind = recording.strings.find(kind);
    count(recording.gc.kind.iter().filter(|of| Some(**of) == kind).count())
}

fn induced(recording: &Trace) -> f64 {
    let reasons = recording.gc.reason.iter().map(|reason| recording.strings.text(*reason));
    count(reasons.filter(|reason| reason.starts_with("Induced")).count())
}

fn reasons(recording: &Trace) -> List {
    let mut tally = Tally::default();
    for (reason, pause_ns) in recording.gc.reason.iter().zip(&recording.gc.pause_ns) {
        tally.add_known(*reason, known(*pause_ns).map(real));
    }
    let rows = tally.known_rows(recording);
    let rows = rows.map(|(name, seen, ns)| Row { name, values: vec![Some(seen), ns.map(millis)] });
    List::ranked("reasons", "Why it collected", REASONS, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::{GcRow, PauseRow};

    fn collection(recording: &mut Trace, generation: i64, reason: &str, heap_after_bytes: i64) {
        let [kind, reason] = recording.texts(["NonConcurrentGC", reason]);
        recording.gc.push(GcRow { generation, kind, reason, heap_after_bytes, ..GcRow::blank() });
    }

    fn pause(recording: &mut Trace, dur_ns: i64, cause: &str) {
        let cause = recording.text(cause);
        recording.pauses.push(PauseRow { ts_ns: 0, dur_ns, cause });
    }

    #[test]
    fn pauses_are_a_share_of_the_observed_time_and_the_samplers_are_not_the_collectors() {
        let mut recording = recording(100_000_000);
        collection(&mut recording, 0, "AllocSmall", 5_000);
        collection(&mut recording, 2, "Induced", 4_000);
        pause(&mut recording, 3_000_000, "gc");
        pause(&mut recording, 1_000_000, "gc");
        pause(&mut recording, 90_000_000, "profiler");
        let part = part(&recording);
        let values = ["count", "gen0", "gen1", "gen2", "induced", "pause.total", "pause.max", "pause.share"];
        let values: Vec<_> = values.iter().map(|name| part.value(name)).collect();
        assert_eq!(
            values,
            [Some(2.0), Some(1.0), Some(0.0), Some(1.0), Some(1.0), Some(4.0), Some(3.0), Some(0.04)]
        );
        assert_eq!(part.value("heap.after"), Some(4_000.0));
        assert_eq!(part.value("heap.max"), Some(5_000.0));
        assert_eq!(part.value("promoted"), None);
    }
}
