//! What was allocated, by the runtime's own sampling of it.
//!
//! Where both kinds of sampling are in a recording they tell of the same bytes, so the finer one alone counts.

use crate::figure::{Tally, rate, share, spread};
use crate::frames::StackIndex;
use crate::observed::{has_events, observed_ns};
use base::number::count;
use model::{AllocationRow, Trace};
use report::{List, ListColumn, Part, Row, Series};

const SHARES: &[ListColumn] =
    &[ListColumn { name: "bytes", unit: "B" }, ListColumn { name: "share", unit: "share" }];

/// The sampled allocations that count. If a recording has ticks and samples, only samples do, since both cover the same bytes.
pub fn counted_allocations(recording: &Trace) -> impl Iterator<Item = AllocationRow> {
    let rows = &recording.allocations;
    let fine = recording.strings.find("sample").filter(|sample| rows.source.contains(sample));
    let rows = (0..rows.ts_ns.len()).filter_map(|at| rows.row(at));
    rows.filter(move |row| fine.is_none_or(|fine| row.source == fine) && row.weight_bytes.is_finite())
}

/// The part of allocations.
pub(crate) fn part(recording: &Trace, index: &StackIndex) -> Part {
    let mut part = Part::new("allocation");
    let counted: Vec<AllocationRow> = counted_allocations(recording).collect();
    let seen = !counted.is_empty() || has_events(recording, "GC/AllocationTick");
    if !seen {
        part.missing.push("the recording has no sampled allocations: needs the profile default");
    }
    let total: f64 = counted.iter().map(|row| row.weight_bytes).sum();
    part.figure("samples", seen.then(|| count(counted.len())), "", "Allocations that were sampled");
    part.figure("bytes", seen.then_some(total), "B", "Bytes that they stand for");
    let per_second = rate(total, observed_ns(recording, "events")).filter(|_| seen);
    part.figure("rate", per_second, "B/s", "Bytes per second of the observed time");
    if counted.is_empty() {
        return part;
    }
    let mut types = Tally::default();
    let mut callers = Tally::default();
    let mut kinds = Tally::default();
    for row in &counted {
        types.add(row.class, row.weight_bytes);
        kinds.add(row.kind, row.weight_bytes);
        callers.add(index.named_frame(recording, row.stack), row.weight_bytes);
    }
    let list = |name, about, tally: &Tally| {
        let rows = tally.rows(recording);
        let rows = rows.map(|(name, _, bytes)| Row { name, values: vec![Some(bytes), share(bytes, total)] });
        List::ranked(name, about, SHARES, rows.collect())
    };
    part.lists.push(list("types", "Types by bytes allocated", &types));
    part.lists.push(list("kinds", "Heaps by bytes allocated: small, large or pinned objects", &kinds));
    part.lists.push(list(
        "callers",
        "Who allocated: the service's own method, else a package's, else the innermost",
        &callers,
    ));
    let times = counted.iter().map(|row| (row.ts_ns, row.weight_bytes));
    part.series.push(Series {
        name: "bytes",
        unit: "B",
        about: "Bytes allocated",
        values: spread(recording, times),
    });
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;

    fn allocation(recording: &mut Trace, class: &str, source: &str, weight_bytes: f64) {
        let (stack, [class, source]) = (recording.stack(&["Shop!Main"]), recording.texts([class, source]));
        let none = AllocationRow::blank();
        recording.allocations.push(AllocationRow { class, source, weight_bytes, stack, ..none });
    }

    #[test]
    fn two_ways_of_sampling_are_not_added_up() {
        let mut recording = recording(500_000_000);
        allocation(&mut recording, "System.Byte[]", "tick", 900.0);
        allocation(&mut recording, "System.String", "sample", 300.0);
        allocation(&mut recording, "System.Byte[]", "sample", 100.0);
        let part = part(&recording, &StackIndex::new(&recording));
        assert_eq!(part.value("bytes"), Some(400.0));
        assert_eq!(part.value("rate"), Some(800.0));
        let types = &part.list("types").unwrap().rows;
        assert_eq!(types[0], Row { name: "System.String".to_owned(), values: vec![Some(300.0), Some(0.75)] });
    }

    #[test]
    fn ticks_count_where_nothing_finer_is_there() {
        let mut recording = recording(1_000_000_000);
        allocation(&mut recording, "System.Byte[]", "tick", 900.0);
        assert_eq!(part(&recording, &StackIndex::new(&recording)).value("rate"), Some(900.0));
    }
}
