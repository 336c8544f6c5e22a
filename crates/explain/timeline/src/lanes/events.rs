//! Lanes of single events: waits for locks, exceptions, compiling, log lines.

use super::{Ground, Subject, Words, without_empty};
use crate::lane::{Lane, LaneValues, Layer};
use crate::observed::Per;

/// Threads that wait for a lock.
pub(crate) fn waiting_for_locks(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "locks",
        title: "Waiting for locks",
        unit: "",
        counts: "threads",
        about: "Threads that wait for a lock that another holds, on average",
        table: "contention",
        metric: Some("contention-time"),
    };
    let rows = &ground.recording.contention;
    if rows.ts_ns.is_empty() {
        return None;
    }
    let (values, pieces, endless) = ground.under_way(&rows.ts_ns, &rows.dur_ns);
    subject.level(values, pieces.shares(&ground.grid), endless)
}

/// Waits for locks that began.
pub(crate) fn lock_waits(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "lock-waits",
        title: "Lock waits",
        unit: "",
        counts: "waits",
        about: "Waits for a lock that another thread held, when they began",
        table: "contention",
        metric: Some("contentions"),
    };
    let times = &ground.recording.contention.ts_ns;
    if times.is_empty() {
        return None;
    }
    let pieces = ground.observed(times).in_pieces(&ground.grid);
    let shares = pieces.shares(&ground.grid);
    let counts = ground.grid.rows_of_pieces(times).zip(pieces.into_seen());
    let marks = counts.map(|(rows, seen)| {
        // More than this cannot be drawn.
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        // Rows count even outside of the observed time.
        (seen || count > 0).then_some(count)
    });
    subject.lane(LaneValues::Marks(marks.collect()), shares, 0.0)
}

/// Exceptions thrown.
pub(crate) fn exceptions(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "exceptions",
        title: "Exceptions",
        unit: "1/s",
        counts: "",
        about: "Exceptions thrown per second, caught or not",
        table: "exceptions",
        metric: Some("exceptions"),
    };
    let times = &ground.recording.exceptions.ts_ns;
    if !times.is_empty() {
        return ground.rate(subject, times);
    }
    let counters = [("exception-count", "rate", 1.0), ("dotnet.exceptions", "rate", 1.0)];
    let values = ground.counted_rate(&counters)?;
    // A lane that is always 0 is left out.
    let any = values.iter().flatten().any(|value| *value > 0.0);
    any.then(|| Subject { table: "counters", metric: None, ..subject }.published(values))?
}

/// Threads that compile.
pub(crate) fn compiling(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "jit",
        title: "Compiling (JIT)",
        unit: "",
        counts: "threads",
        about: "Threads that compiled methods, on average",
        table: "jit",
        metric: Some("jit-time"),
    };
    let rows = &ground.recording.jit;
    if !rows.dur_ns.iter().any(|dur_ns| runtime::known(*dur_ns).is_some()) {
        return subject_of_meter(ground, subject);
    }
    let (values, pieces, endless) = ground.under_way(&rows.ts_ns, &rows.dur_ns);
    subject.level(values, pieces.shares(&ground.grid), endless)
}

fn subject_of_meter(ground: &Ground<'_>, subject: Subject) -> Option<Lane> {
    let values = ground.counted_rate(&[("dotnet.jit.compilation.time", "rate", 1.0)])?;
    Subject { table: "counters", metric: None, ..subject }.published(values)
}

/// Log lines by level.
pub(crate) fn log_lines(ground: &Ground<'_>) -> Option<Lane> {
    const LEVELS: [&str; 7] = ["Critical", "Error", "Warning", "Information", "Debug", "Trace", "other"];
    let subject = Subject {
        id: "logs",
        title: "Log lines",
        unit: "1/s",
        counts: "",
        about: "Log lines per second, by level",
        table: "logs",
        metric: None,
    };
    let rows = &ground.recording.logs;
    if rows.ts_ns.is_empty() {
        return None;
    }
    let words = Words::new(ground.recording, &LEVELS);
    let mut counts = vec![vec![0.0; ground.grid.len()]; LEVELS.len()];
    for (piece, lines) in ground.grid.rows_of_pieces(&rows.ts_ns).enumerate() {
        for level in rows.level.get(lines).unwrap_or_default() {
            let number = words.number(*level).unwrap_or(LEVELS.len() - 1);
            if let Some(count) = counts.get_mut(number).and_then(|of| of.get_mut(piece)) {
                *count += 1.0;
            }
        }
    }
    let pieces = ground.observed(&rows.ts_ns).in_pieces(&ground.grid);
    let mut left_out = 0.0;
    let layers = LEVELS.iter().zip(counts).map(|(name, counts)| {
        let (values, left) = pieces.rates(&counts, Per::Second);
        left_out += left;
        Layer { name, values }
    });
    let layers = without_empty(layers.collect());
    subject.lane(LaneValues::Area { stacked: true, layers }, pieces.shares(&ground.grid), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Grid, Span};
    use crate::testing::{levels, recording};
    use model::{ContentionRow, LogRow, NO_INT, Trace};

    fn ground(recording: &Trace) -> Ground<'_> {
        Ground::new(recording, Grid::new(Span { from_ns: 0, to_ns: 4_000_000_000 }, 4))
    }

    #[test]
    fn waits_for_locks_are_threads_and_those_without_an_end_are_counted() {
        let mut recording = recording(&[("events", 0, 3_999_999_999)]);
        for (ts_ns, dur_ns) in
            [(500_000_000, 1_000_000_000), (700_000_000, NO_INT), (3_000_000_000, 500_000_000)]
        {
            recording.contention.push(ContentionRow { ts_ns, dur_ns, ..ContentionRow::blank() });
        }
        let lane = waiting_for_locks(&ground(&recording)).unwrap();
        assert_eq!((levels(&lane), lane.left_out), (vec![Some(0.5), Some(0.5), Some(0.0), Some(0.5)], 1));
        let lane = lock_waits(&ground(&recording)).unwrap();
        assert_eq!(lane.shape, LaneValues::Marks(vec![Some(2), Some(0), Some(0), Some(1)]));
        assert_eq!(lane.mean_or_total(), Some(3.0));
    }

    #[test]
    fn lines_stand_on_each_other_by_level_and_an_unknown_level_is_not_lost() {
        let mut recording = recording(&[("events", 0, 3_999_999_999)]);
        for (ts_ns, level) in
            [(0, "Error"), (1, "Information"), (2, "Information"), (3_000_000_000, "Shouting")]
        {
            let level = recording.text(level);
            recording.logs.push(LogRow { ts_ns, level, ..LogRow::blank() });
        }
        let lane = log_lines(&ground(&recording)).unwrap();
        assert_eq!(levels(&lane), [Some(3.0), Some(0.0), Some(0.0), Some(1.0)]);
        let LaneValues::Area { layers, stacked: true } = lane.shape else { panic!("no stacked layers") };
        assert_eq!(layers.iter().map(|of| of.name).collect::<Vec<_>>(), ["Error", "Information", "other"]);
    }

    #[test]
    fn what_the_recording_lacks_has_no_lane() {
        let recording = recording(&[("events", 0, 3_999_999_999), ("samples", 0, 3_999_999_999)]);
        let index = runtime::StackIndex::new(&recording);
        assert_eq!(crate::lanes(&recording, &index, Span::whole(&recording), 100), []);
    }
}
