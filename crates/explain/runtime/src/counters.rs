//! The latest value of each counter and meter.

use base::number::{count, real};
use model::{Sym, Trace};
use report::{List, ListColumn, Part, Row};
use std::collections::BTreeMap;

const LATEST: &[ListColumn] =
    &[ListColumn { name: "value", unit: "" }, ListColumn { name: "at", unit: "ms" }];

/// The part of counters. Its list has all of them, by name.
pub(crate) fn part(recording: &Trace) -> Part {
    let mut part = Part::new("counters");
    let rows = &recording.counters;
    let seen = !rows.ts_ns.is_empty();
    if !seen {
        part.missing.push("the recording has no counters: needs the profile default");
    }
    let mut latest: BTreeMap<[Sym; 4], usize> = BTreeMap::new();
    for at in 0..rows.ts_ns.len() {
        let Some(row) = rows.row(at) else { continue };
        let kept = latest.entry([row.provider, row.name, row.kind, row.tags]).or_insert(at);
        if rows.ts_ns.get(*kept).is_some_and(|ts_ns| *ts_ns <= row.ts_ns) {
            *kept = at;
        }
    }
    part.figure("values", seen.then(|| count(rows.ts_ns.len())), "", "Values published");
    part.figure(
        "series",
        seen.then(|| count(latest.len())),
        "",
        "Counters and meters, counted per set of tags",
    );
    if !seen {
        return part;
    }
    let mut list: Vec<Row> = latest
        .values()
        .filter_map(|at| rows.row(*at))
        .map(|row| {
            let text = |sym| recording.strings.text(sym);
            let tags = Some(text(row.tags)).filter(|tags| !tags.is_empty() && *tags != "{}");
            let unit = Some(text(row.unit)).filter(|unit| !unit.is_empty());
            let name = [Some(text(row.provider)), Some(text(row.name)), Some(text(row.kind)), unit, tags];
            let name: Vec<&str> = name.into_iter().flatten().collect();
            let value = row.value.is_finite().then_some(row.value);
            Row { name: name.join(" "), values: vec![value, Some(real(row.ts_ns) / 1e6)] }
        })
        .collect();
    list.sort_by(|a, b| a.name.cmp(&b.name));
    let about = "Provider, name, kind, unit and tags, with the latest value and when it was published";
    part.lists.push(List { name: "latest", about, columns: LATEST, rows: list, more: 0 });
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_value_of_each_set_of_tags_stays() {
        let mut recording = Trace::default();
        for (ts_ns, tags, value) in
            [(1_000_000, "{}", 5.0), (2_000_000, "{}", 7.0), (1_000_000, r#"{"a":"b"}"#, 1.0)]
        {
            recording.counter(ts_ns, ["System.Runtime", "cpu-usage", "%", "value", tags], value);
        }
        let part = part(&recording);
        let rows = part.list("latest").unwrap().rows.iter().map(|row| (row.name.as_str(), row.values[0]));
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [
                ("System.Runtime cpu-usage value %", Some(7.0)),
                (r#"System.Runtime cpu-usage value % {"a":"b"}"#, Some(1.0)),
            ]
        );
    }
}
