//! The thread pool: its threads, why their number changed, and how fast work was done.

use crate::figure::{SERIES_PIECES, Tally, known, largest, piece_of, share};
use crate::metered::first_totals;
use crate::observed::observed_ns;
use base::number::{count, real};
use model::{NO_INT, Sym, Trace};
use report::{List, ListColumn, Part, Row, Series};

const REASONS: &[ListColumn] = &[ListColumn { name: "times", unit: "" }];

/// The part of the thread pool.
pub(crate) fn part(recording: &Trace) -> Part {
    let mut part = Part::new("threadpool");
    let pool = &recording.threadpool;
    let seen = !pool.ts_ns.is_empty();
    if !seen {
        part.missing.push("the recording has no events of the thread pool: needs the profile default");
    }
    let workers: Vec<i64> = pool.workers.iter().copied().filter(|workers| *workers != NO_INT).collect();
    part.figure("workers.first", workers.first().map(|n| real(*n)), "", "Threads at the start");
    part.figure("workers.last", workers.last().map(|n| real(*n)), "", "Threads at the end");
    part.figure("workers.max", largest(&workers), "", "Threads, max");
    let adjustment = recording.strings.find("adjustment");
    let adjustments = || pool.event.iter().zip(&pool.reason).filter(|(event, _)| Some(**event) == adjustment);
    part.figure(
        "adjustments",
        seen.then(|| count(adjustments().count())),
        "",
        "Changes of the target number of threads",
    );
    let starvation = recording.strings.find("Starvation");
    let starved =
        adjustments().filter(|(_, reason)| starvation.is_some() && Some(**reason) == starvation).count();
    part.figure("starvation", seen.then(|| count(starved)), "", "Threads added because of starvation");
    throughput(&mut part, recording);
    part.figure(
        "observed",
        observed_ns(recording, "events").filter(|_| seen).map(|ns| real(ns) / 1e6),
        "ms",
        "Time observed",
    );
    if seen {
        let mut tally = Tally::default();
        adjustments()
            .filter(|(_, reason)| **reason != Sym::NONE)
            .for_each(|(_, reason)| tally.add(*reason, 0.0));
        let rows = tally.rows(recording).map(|(name, times, _)| Row { name, values: vec![Some(times)] });
        part.lists.push(List::ranked(
            "reasons",
            "Why the number of threads changed",
            REASONS,
            rows.collect(),
        ));
        part.series.push(Series {
            name: "workers",
            unit: "",
            about: "Threads over time",
            values: workers_over_time(recording),
        });
    }
    part
}

/// Counters of work items in the queue: that of .NET 9 and later, and the older one.
pub const POOL_QUEUE: [(&str, &str); 2] =
    [("dotnet.thread_pool.queue.length", "total"), ("threadpool-queue-length", "value")];
/// Counters of work items completed: that of .NET 9 and later, and the older one.
pub const POOL_DONE: [(&str, &str); 2] =
    [("dotnet.thread_pool.work_item.count", "rate"), ("threadpool-completed-items-count", "rate")];

/// Adds the work items completed, from the counter if it was published. The pool's own measurements are only of moments at which it
/// considers to change the number of its threads.
fn throughput(part: &mut Part, recording: &Trace) {
    let of_pool = recording.threadpool.throughput.iter().copied().filter(|rate| rate.is_finite());
    let own: Vec<f64> = of_pool.collect();
    let counted: Vec<f64> = first_totals(recording, &POOL_DONE).into_iter().map(|(_, rate)| rate).collect();
    let (rates, source) = if counted.is_empty() {
        (own.clone(), "the pool's own measurements, samples of hill climbing")
    } else {
        (counted, "the runtime's counter")
    };
    let of = |rates: &[f64]| {
        (share(rates.iter().sum(), count(rates.len())), rates.iter().copied().max_by(f64::total_cmp))
    };
    let (mean, most) = of(&rates);
    part.figure("throughput.mean", mean, "1/s", "Work items completed, mean");
    part.figure("throughput.max", most, "1/s", "Work items completed, max");
    part.counted_by(&["throughput.mean", "throughput.max"], source);
    let (mean, most) = of(&own);
    part.figure(
        "climbing.mean",
        mean,
        "1/s",
        "Work items completed, mean of the intervals that hill climbing measured",
    );
    part.figure(
        "climbing.max",
        most,
        "1/s",
        "Work items completed, max of the intervals that hill climbing measured",
    );
}

/// The most workers in each piece. A piece without an event has the last number before it.
fn workers_over_time(recording: &Trace) -> Vec<Option<f64>> {
    let pool = &recording.threadpool;
    let mut pieces: Vec<Option<f64>> = vec![None; SERIES_PIECES];
    let mut last_of = pieces.clone();
    for (ts_ns, workers) in pool.ts_ns.iter().zip(&pool.workers) {
        let (Some(workers), piece) = (known(*workers).map(real), piece_of(recording, *ts_ns)) else {
            continue;
        };
        if let (Some(most), Some(last)) = (pieces.get_mut(piece), last_of.get_mut(piece)) {
            *most = Some(most.map_or(workers, |most| most.max(workers)));
            *last = Some(workers);
        }
    }
    let mut before = None;
    for (piece, last) in pieces.iter_mut().zip(last_of) {
        *piece = piece.or(before);
        before = last.or(before);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::ThreadPoolRow;

    fn row(recording: &mut Trace, ts_ns: i64, event: &str, reason: &str, workers: i64) {
        let [event, reason] = recording.texts([event, reason]);
        recording.threadpool.push(ThreadPoolRow { ts_ns, event, reason, workers, throughput: f64::NAN });
    }

    #[test]
    fn workers_hold_between_events_and_starvation_is_counted() {
        let mut recording = recording(1_000_000_000);
        row(&mut recording, 0, "start", "", 4);
        row(&mut recording, 500_000_000, "adjustment", "Starvation", 9);
        row(&mut recording, 500_000_001, "adjustment", "ClimbingMove", 6);
        row(&mut recording, 600_000_000, "sample", "", NO_INT);
        let part = part(&recording);
        let values = ["workers.first", "workers.last", "workers.max", "adjustments", "starvation"];
        assert_eq!(
            values.map(|name| part.value(name)),
            [Some(4.0), Some(6.0), Some(9.0), Some(2.0), Some(1.0)]
        );
        assert_eq!(part.value("throughput.mean"), None);
        let course = &part.course("workers").unwrap().values;
        let half = SERIES_PIECES / 2;
        assert_eq!(
            [course[0], course[half - 1], course[half], course[half + 1], course[SERIES_PIECES - 1]],
            [Some(4.0), Some(4.0), Some(9.0), Some(6.0), Some(6.0)]
        );
    }

    #[test]
    fn what_the_pool_measured_at_some_moments_is_not_called_its_throughput_where_a_counter_tells() {
        let mut recording = recording(3_000_000_000);
        row(&mut recording, 0, "sample", "", NO_INT);
        recording.threadpool.throughput[0] = 600.0;
        let source = |part: &Part| part.figures.iter().find(|of| of.name == "throughput.mean")?.source;
        let of_pool = part(&recording);
        assert_eq!(of_pool.value("throughput.mean"), Some(600.0));
        assert_eq!(source(&of_pool), Some("the pool's own measurements, samples of hill climbing"));
        for (ts_ns, value) in [(1_000_000_000, 100.0), (2_000_000_000, 300.0)] {
            let name = "threadpool-completed-items-count";
            recording.counter(ts_ns, ["System.Runtime", name, "", "rate", "{}"], value);
        }
        let counted = part(&recording);
        let values = ["throughput.mean", "throughput.max", "climbing.mean"];
        assert_eq!(values.map(|name| counted.value(name)), [Some(200.0), Some(300.0), Some(600.0)]);
        assert_eq!(source(&counted), Some("the runtime's counter"));
    }
}
