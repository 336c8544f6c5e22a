//! Exceptions thrown, caught or not.

use crate::figure::{Tally, rate, spread, within_ms};
use crate::frames::StackIndex;
use crate::observed::{has_events, observed_ns};
use base::number::count;
use model::Trace;
use report::{List, ListColumn, Part, Row, Series};

const TIMES: &[ListColumn] =
    &[ListColumn { name: "times", unit: "" }, ListColumn { name: "rate", unit: "1/s" }];

/// The part of exceptions.
pub(crate) fn part(recording: &Trace, index: &StackIndex) -> Part {
    let mut part = Part::new("exceptions");
    let rows = &recording.exceptions;
    let seen = !rows.ts_ns.is_empty() || has_events(recording, "Exception/");
    if !seen {
        part.missing.push(
            "the recording has no exception: none was thrown, or they were not recorded (needs the profile default)",
        );
    }
    let observed = observed_ns(recording, "events");
    part.figure("count", seen.then(|| count(rows.ts_ns.len())), "", "Exceptions thrown");
    part.figure(
        "rate",
        rate(count(rows.ts_ns.len()), observed).filter(|_| seen),
        "1/s",
        "Exceptions per second of the observed time",
    );
    let within = within_ms(&rows.ts_ns, observed);
    part.figure(
        "within",
        within,
        "ms",
        "Time from the first exception to the last, if all were thrown within a second",
    );
    if rows.ts_ns.is_empty() {
        return part;
    }
    let mut types = Tally::default();
    let mut throwers = Tally::default();
    rows.class.iter().for_each(|class| types.add(*class, 0.0));
    rows.stack.iter().for_each(|stack| throwers.add(index.named_frame(recording, *stack), 0.0));
    let list = |name, about, tally: &Tally| {
        // One burst has no rate that goes on.
        let per_second = |times| rate(times, observed).filter(|_| within.is_none());
        let rows = tally.rows(recording);
        let rows = rows.map(|(name, times, _)| Row { name, values: vec![Some(times), per_second(times)] });
        List::ranked(name, about, TIMES, rows.collect())
    };
    part.lists.push(list("types", "Types by how often they were thrown", &types));
    part.lists.push(list("throwers", "Who threw: innermost method of yours, if any", &throwers));
    part.series.push(Series {
        name: "thrown",
        unit: "",
        about: "Exceptions thrown per bar",
        values: spread(recording, rows.ts_ns.iter().map(|ts_ns| (*ts_ns, 1.0))),
    });
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::ExceptionRow;

    #[test]
    fn the_rate_is_of_the_time_observed() {
        let mut recording = recording(250_000_000);
        for class in ["System.FormatException", "System.IO.IOException", "System.FormatException"] {
            let class = recording.text(class);
            recording.exceptions.push(ExceptionRow { class, ..ExceptionRow::blank() });
        }
        let part = part(&recording, &StackIndex::new(&recording));
        assert_eq!(part.value("rate"), Some(12.0));
        let types = &part.list("types").unwrap().rows;
        assert_eq!(
            types[0],
            Row { name: "System.FormatException".to_owned(), values: vec![Some(2.0), Some(8.0)] }
        );
    }
}
