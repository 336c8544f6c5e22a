//! Waits for handles and for the signals of monitors.

use crate::figure::{Tally, add_waits, known, millis};
use crate::frames::StackIndex;
use crate::observed::{has_events, observed_ns};
use base::number::{count, real};
use model::Trace;
use report::{List, ListColumn, Part, Row};

const WAITS: &[ListColumn] =
    &[ListColumn { name: "wait", unit: "ms" }, ListColumn { name: "times", unit: "" }];

/// The part of waits.
pub(crate) fn part(recording: &Trace, index: &StackIndex) -> Part {
    let mut part = Part::new("waits");
    let rows = &recording.waits;
    let seen = !rows.ts_ns.is_empty() || has_events(recording, "WaitHandleWait/");
    if !seen {
        part.missing.push("the recording has no wait events: needs .NET 9 and the profile default");
    }
    part.figure(
        "count",
        seen.then(|| count(rows.ts_ns.len())),
        "",
        "Blocking waits, including those of idle threads",
    );
    let in_bursts = seen && recording.came_in_bursts(rows.ts_ns.iter().copied());
    let observed = observed_ns(recording, if in_bursts { "samples" } else { "events" }).filter(|_| seen);
    part.figure("observed", observed.map(|ns| real(ns) / 1e6), "ms", "Time in which waits were recorded");
    if seen {
        add_waits(&mut part, &rows.dur_ns);
    }
    if rows.ts_ns.is_empty() {
        return part;
    }
    let mut sources = Tally::default();
    let mut frames = Tally::default();
    for (at, dur_ns) in rows.dur_ns.iter().enumerate() {
        let (Some(source), Some(stack)) = (rows.source.get(at), rows.stack.get(at)) else { continue };
        let waited = known(*dur_ns).map(real);
        sources.add_known(*source, waited);
        frames.add_known(index.named_frame(recording, *stack), waited);
    }
    let list = |name, about, tally: &Tally| {
        let rows = tally.known_rows(recording);
        let rows = rows.map(|(name, times, ns)| Row { name, values: vec![ns.map(millis), Some(times)] });
        List::ranked(name, about, WAITS, rows.collect())
    };
    part.lists.push(list("sources", "What was waited for", &sources));
    part.lists.push(list("frames", "Who waited: innermost method of yours, if any", &frames));
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::NOT_RECORDED;
    use crate::observed::tests::recording;
    use model::WaitRow;

    #[test]
    fn waits_are_grouped_by_what_they_are_for() {
        let mut recording = recording(1);
        for (source, dur_ns) in
            [("MonitorWait", 1_000_000), ("Unknown", 5_000_000), ("MonitorWait", 2_000_000)]
        {
            let source = recording.text(source);
            recording.waits.push(WaitRow { dur_ns, source, ..WaitRow::blank() });
        }
        let part = part(&recording, &StackIndex::new(&recording));
        assert_eq!(part.value("wait.total"), Some(8.0));
        let sources: Vec<_> =
            part.list("sources").unwrap().rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(sources, ["Unknown", "MonitorWait"]);
        assert_eq!(part.list("frames").unwrap().rows[0].name, NOT_RECORDED);
    }
}
