//! The lanes of a run's time line: rates, latency, failures, and how late the generator was.

use crate::intervals::{Interval, intervals};
use base::number::{count, real};
use model::{Load, NO_INT};
use timeline::{Lane, LaneValues, Layer, MAX_PIECES, Span};

/// The whole extent of a run.
pub fn whole(load: &Load) -> Span {
    Span { from_ns: 0, to_ns: load.exhibit.duration_ns.max(0).saturating_add(1) }
}

/// The lanes of a range, in so many pieces. A lane without a value is left out.
pub fn lanes(load: &Load, span: Span, pieces: usize) -> Vec<Lane> {
    let pieces = pieces.clamp(1, MAX_PIECES);
    let seconds = |column: &[i64], as_rate: bool| -> Vec<Row> {
        let times = load.seconds.ts_ns.iter().zip(&load.seconds.dur_ns);
        let rows = times.zip(column).filter(|((_, dur), value)| **dur > 0 && **value != NO_INT);
        rows.map(|((from, dur), value)| {
            let value = if as_rate { real(*value) * 1e9 / real(*dur) } else { real(*value) };
            Row { from_ns: *from, to_ns: from.saturating_add(*dur), value }
        })
        .collect()
    };
    let basis = load.main_basis().and_then(|basis| load.strings.find(basis));
    let intervals = intervals(load, basis);
    let quantile = |share: f64| -> Vec<Row> {
        let row =
            |of: &Interval| Some(Row { from_ns: of.ts_ns, to_ns: of.end_ns(), value: of.quantile(share)? });
        intervals.iter().filter_map(row).collect()
    };
    let of = &load.seconds;
    let layer = |name, rows: Vec<Row>| Layer { name, values: on_grid(&rows, span, pieces) };
    let lanes = [
        lane(
            ["rate", "Rate", "1/s", "seconds", "Requests asked for and responses, per second"],
            false,
            vec![layer("asked", seconds(&of.asked, true)), layer("answered", seconds(&of.answered, true))],
        ),
        lane(
            ["latency", "Latency", "ms", "histogram", "p50 and p99 of each interval"],
            false,
            vec![layer("p99", quantile(0.99)), layer("p50", quantile(0.5))],
        ),
        lane(
            ["failures", "Failures", "1/s", "seconds", "Requests without a response, per second"],
            true,
            vec![layer("errors", seconds(&of.errors, true)), layer("time-outs", seconds(&of.timeouts, true))],
        ),
        lane(
            [
                "lateness",
                "Lateness",
                "ns",
                "seconds",
                "How late the generator itself was: the worst of each second",
            ],
            false,
            vec![layer("lateness", seconds(&of.lateness_max_ns, false))],
        ),
    ];
    lanes.into_iter().flatten().collect()
}

/// A lane by its id, title, unit, table and what it shows. `None` without a value.
fn lane(words: [&'static str; 5], stacked: bool, mut layers: Vec<Layer>) -> Option<Lane> {
    let [id, title, unit, table, about] = words;
    layers.retain(|layer| layer.values.iter().any(Option::is_some));
    let pieces = layers.first()?.values.len();
    let has_value = |at: usize| layers.iter().any(|layer| layer.values.get(at).copied().flatten().is_some());
    Some(Lane {
        id,
        title,
        unit,
        counts: "",
        about,
        table,
        metric: None,
        observed: (0..pieces).map(|at| f64::from(u8::from(has_value(at)))).collect(),
        shape: LaneValues::Area { stacked, layers },
        full: None,
        busiest_second: None,
        left_out: 0,
    })
}

/// A value that holds for a time.
struct Row {
    from_ns: i64,
    to_ns: i64,
    value: f64,
}

/// The largest value in each piece of a range. The cost is that of the rows and the pieces: each row is spread over those it covers.
fn on_grid(rows: &[Row], span: Span, pieces: usize) -> Vec<Option<f64>> {
    let length = real(span.len_ns().max(1));
    // Within the range, so between 0 and the number of pieces.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the pieces")]
    let piece = |ns: i64, round: fn(f64) -> f64| {
        let place = real(ns.saturating_sub(span.from_ns)) / length;
        round(place * count(pieces)).clamp(0.0, count(pieces)) as usize
    };
    let mut values: Vec<Option<f64>> = vec![None; pieces];
    for row in rows.iter().filter(|row| row.from_ns < span.to_ns && row.to_ns > span.from_ns) {
        let first = piece(row.from_ns, f64::floor).min(pieces.saturating_sub(1));
        let last = piece(row.to_ns, f64::ceil).max(first.saturating_add(1));
        for value in values.iter_mut().take(last).skip(first) {
            *value = Some(value.map_or(row.value, |known| known.max(row.value)));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Run;

    #[test]
    fn a_second_covers_its_pieces_and_no_other() {
        let rows = [Row { from_ns: 10, to_ns: 20, value: 3.0 }, Row { from_ns: 15, to_ns: 20, value: 5.0 }];
        let values = on_grid(&rows, Span { from_ns: 0, to_ns: 40 }, 8);
        assert_eq!(values, [None, None, Some(3.0), Some(5.0), None, None, None, None]);
        assert_eq!(on_grid(&rows, Span { from_ns: 12, to_ns: 14 }, 1), [Some(3.0)]);
    }

    #[test]
    fn a_run_has_its_rates_latency_and_lateness() {
        let load = Run::steady(3).load();
        let lanes = lanes(&load, whole(&load), 30);
        let ids: Vec<&str> = lanes.iter().map(|lane| lane.id).collect();
        assert_eq!(ids, ["rate", "latency", "failures", "lateness"]);
        assert_eq!(lanes[0].levels().flatten().next(), Some(200.0));
        assert!(super::lanes(&Load::default(), Span { from_ns: 5, to_ns: 5 }, 0).is_empty());
    }
}
