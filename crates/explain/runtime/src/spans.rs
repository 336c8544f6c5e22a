//! Spans that ended during the recording, by source and name.

use crate::figure::{known, millis};
use base::number::{count, real};
use base::stats::{Share, Sorted, quantile};
use model::{Sym, Trace};
use report::{List, ListColumn, Part, Row};
use std::collections::BTreeMap;

const NAMES: &[ListColumn] = &[
    ListColumn { name: "spans", unit: "" },
    ListColumn { name: "p50", unit: "ms" },
    ListColumn { name: "p99", unit: "ms" },
];

/// The part of spans.
pub(crate) fn part(recording: &Trace) -> Part {
    let mut part = Part::new("spans");
    let rows = &recording.spans;
    let seen = !rows.start_ns.is_empty();
    if !seen {
        part.missing.push("the recording has no spans: needs the profile requests");
    }
    part.figure("count", seen.then(|| count(rows.start_ns.len())), "", "Spans that ended");
    if !seen {
        return part;
    }
    let mut names: BTreeMap<(Sym, Sym), Vec<i64>> = BTreeMap::new();
    for row in (0..rows.start_ns.len()).filter_map(|at| rows.row(at)) {
        names.entry((row.source, row.name)).or_default().extend(known(row.dur_ns));
    }
    let list = names.into_iter().map(|((source, name), mut times)| {
        let times = Sorted::new(&mut times);
        let name = format!("{} {}", recording.strings.text(source), recording.strings.text(name));
        let at = |per_mille| quantile(&times, Share::PerMille(per_mille)).map(|ns| millis(real(ns)));
        Row { name, values: vec![Some(count(times.len())), at(500), at(990)] }
    });
    part.lists.push(List::ranked("names", "Spans by source and name", NAMES, list.collect()));
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::SpanRow;

    #[test]
    fn spans_are_grouped_by_source_and_name() {
        let mut recording = Trace::default();
        for dur_ns in [1_000_000, 3_000_000] {
            let [source, name] = recording.texts(["Npgsql", "SELECT"]);
            recording.spans.push(SpanRow { dur_ns, source, name, ..SpanRow::blank() });
        }
        let part = part(&recording);
        let rows = &part.list("names").unwrap().rows;
        assert_eq!(
            rows,
            &[Row { name: "Npgsql SELECT".to_owned(), values: vec![Some(2.0), Some(1.0), Some(3.0)] }]
        );
    }
}
