//! Lines of logs, by level.

use crate::figure::{Tally, rate};
use crate::observed::observed_ns;
use base::number::count;
use model::Trace;
use report::{List, ListColumn, Part, Row};

const LINES: &[ListColumn] = &[ListColumn { name: "lines", unit: "" }];

/// The part of logs.
pub(crate) fn part(recording: &Trace) -> Part {
    let mut part = Part::new("logs");
    let rows = &recording.logs;
    let seen = !rows.ts_ns.is_empty();
    if !seen {
        part.missing.push("the recording has no log lines: needs the profile logs");
    }
    let lines = count(rows.ts_ns.len());
    part.figure("lines", seen.then_some(lines), "", "Lines written");
    part.figure(
        "rate",
        rate(lines, observed_ns(recording, "events")).filter(|_| seen),
        "1/s",
        "Lines per second of the observed time",
    );
    if !seen {
        return part;
    }
    let list = |name, about, column: &[model::Sym]| {
        let mut tally = Tally::default();
        for sym in column {
            tally.add(*sym, 0.0);
        }
        let rows = tally.rows(recording).map(|(name, lines, _)| Row { name, values: vec![Some(lines)] });
        List::ranked(name, about, LINES, rows.collect())
    };
    part.lists.push(list("levels", "Levels by lines", &rows.level));
    part.lists.push(list("loggers", "Loggers by lines", &rows.logger));
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::LogRow;

    #[test]
    fn lines_are_counted_by_level() {
        let mut recording = recording(500_000_000);
        for level in ["Information", "Error", "Information"] {
            let level = recording.text(level);
            recording.logs.push(LogRow { level, ..LogRow::blank() });
        }
        let part = part(&recording);
        assert_eq!(part.value("rate"), Some(6.0));
        assert_eq!(
            part.list("levels").unwrap().rows[0],
            Row { name: "Information".to_owned(), values: vec![Some(2.0)] }
        );
    }
}
