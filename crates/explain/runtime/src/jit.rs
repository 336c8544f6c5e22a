//! Code that was compiled during the recording.

use crate::figure::{Tally, known, millis, spread, sum, unknown};
use crate::observed::has_events;
use base::number::{count, real};
use model::Trace;
use report::{List, ListColumn, Part, Row, Series};

const TIERS: &[ListColumn] =
    &[ListColumn { name: "methods", unit: "" }, ListColumn { name: "time", unit: "ms" }];
const METHODS: &[ListColumn] =
    &[ListColumn { name: "time", unit: "ms" }, ListColumn { name: "times", unit: "" }];

/// The part of compilation.
pub(crate) fn part(recording: &Trace) -> Part {
    let mut part = Part::new("jit");
    let rows = &recording.jit;
    let seen = !rows.ts_ns.is_empty() || has_events(recording, "Method/JittingStarted");
    if !seen {
        part.missing.push("the recording has no compiled method: none was loaded, or it was not recorded (needs the profile default)");
    }
    part.figure("count", seen.then(|| count(rows.ts_ns.len())), "", "Methods whose code was loaded");
    part.figure(
        "time.total",
        seen.then(|| sum(&rows.dur_ns).map(millis)).flatten(),
        "ms",
        "Time compiling, including waits for a CPU core, over all threads",
    );
    let untimed = unknown(&rows.dur_ns);
    if untimed > 0 {
        part.mark_partial_of(&["time.total"]);
        part.figure("untimed", Some(count(untimed)), "", "Methods loaded whose compiling time is not known");
    }
    part.figure("native", seen.then(|| sum(&rows.native_bytes)).flatten(), "B", "Machine code loaded");
    if rows.ts_ns.is_empty() {
        return part;
    }
    let mut tiers = Tally::default();
    let mut methods = Tally::default();
    for (at, dur_ns) in rows.dur_ns.iter().enumerate() {
        let (Some(tier), Some(method)) = (rows.tier.get(at), rows.method.get(at)) else { continue };
        let took = known(*dur_ns).map(real);
        tiers.add_known(*tier, took);
        methods.add_known(*method, took);
    }
    let list =
        tiers.known_rows(recording).map(|(name, n, ns)| Row { name, values: vec![Some(n), ns.map(millis)] });
    part.lists.push(List::ranked("tiers", "How it was compiled", TIERS, list.collect()));
    let list = methods
        .known_rows(recording)
        .map(|(name, n, ns)| Row { name, values: vec![ns.map(millis), Some(n)] });
    part.lists.push(List::ranked("methods", "Methods by compiling time", METHODS, list.collect()));
    let times = rows.ts_ns.iter().map(|ts_ns| (*ts_ns, 1.0));
    part.series.push(Series {
        name: "methods",
        unit: "",
        about: "Methods loaded per bar",
        values: spread(recording, times),
    });
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::JitRow;

    #[test]
    fn code_loaded_without_compiling_has_a_count_but_no_time() {
        let mut recording = recording(1);
        let row = JitRow { native_bytes: 40, tier: recording.text("ReadyToRun"), ..JitRow::blank() };
        recording.jit.push(row);
        assert_eq!(part(&recording).value("count"), Some(1.0));
        assert_eq!(part(&recording).value("time.total"), None);
        assert_eq!(part(&recording).list("tiers").unwrap().rows[0].values, [Some(1.0), None]);
        recording.jit.push(JitRow { dur_ns: 3_000_000, ..row });
        let part = part(&recording);
        assert_eq!((part.value("time.total"), part.value("untimed")), (Some(3.0), Some(1.0)));
        assert_eq!(part.list("tiers").unwrap().rows[0].values, [Some(2.0), Some(3.0)]);
    }
}
