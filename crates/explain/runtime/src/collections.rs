//! Collections by kind: how often they ran, how long they paused the program, what survived, and the heap after them.
//!
//! The runtime reports sizes of the heap with its free space. What follows from their differences is therefore approximate.

use crate::figure::{SERIES_PIECES, known, millis, piece_of, share};
use crate::metered::{metered, tag};
use base::number::{count, real};
use base::stats::{Share, Sorted, quantile};
use model::{GcRow, Trace};
use report::Series;

/// A kind of collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Collection {
    /// Of generation 0 alone.
    Gen0,
    /// Of generations 0 and 1.
    Gen1,
    /// Of generation 2 (and so of all), while the program is paused.
    Full,
    /// Of generation 2, mostly while the program runs.
    Background,
}

impl Collection {
    /// All of them, the cheapest first.
    pub const ALL: [Self; 4] = [Self::Gen0, Self::Gen1, Self::Full, Self::Background];
}

/// What the collections of a kind did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Collected {
    /// The kind.
    pub kind: Collection,
    /// How many.
    pub count: f64,
    /// Milliseconds that they paused the program. `None` if no pause was recorded.
    pub paused_ms: Option<f64>,
    /// The longest of these pauses.
    pub longest_ms: Option<f64>,
    /// The median of these pauses.
    pub middle_ms: Option<f64>,
    /// The part of the pauses that was spent on stopping threads.
    pub suspend_ms: Option<f64>,
}

fn rows(recording: &Trace) -> impl Iterator<Item = GcRow> + '_ {
    (0..recording.gc.start_ns.len()).filter_map(|at| recording.gc.row(at))
}

fn kind(recording: &Trace, row: &GcRow) -> Option<Collection> {
    match row.generation {
        0 => Some(Collection::Gen0),
        1 => Some(Collection::Gen1),
        2 if recording.strings.text(row.kind) == "BackgroundGC" => Some(Collection::Background),
        2 => Some(Collection::Full),
        _ => None,
    }
}

/// The kinds of collections that ran.
pub fn collected(recording: &Trace) -> Vec<Collected> {
    let of_kind = |wanted: Collection| {
        let rows: Vec<GcRow> = rows(recording).filter(|row| kind(recording, row) == Some(wanted)).collect();
        let mut pauses: Vec<i64> = rows.iter().filter_map(|row| known(row.pause_ns)).collect();
        let pauses = Sorted::new(&mut pauses);
        let suspends: Vec<f64> = rows.iter().filter_map(|row| known(row.suspend_ns)).map(real).collect();
        let total = |of: &[i64]| of.iter().copied().map(real).sum::<f64>();
        (!rows.is_empty()).then(|| Collected {
            kind: wanted,
            count: count(rows.len()),
            paused_ms: (!pauses.is_empty()).then(|| millis(total(&pauses))),
            longest_ms: pauses.last().copied().map(real).map(millis),
            middle_ms: quantile(&pauses, Share::MEDIAN).map(real).map(millis),
            suspend_ms: (!suspends.is_empty()).then(|| millis(suspends.iter().sum())),
        })
    };
    Collection::ALL.into_iter().filter_map(of_kind).collect()
}

/// Bytes allocated between each two consecutive collections: how much of the budget of generation 0 was used up. Background
/// collections do not count, since the heap changes while they run.
pub fn gen0_budgets(recording: &Trace) -> Vec<f64> {
    let rows: Vec<GcRow> = rows(recording).collect();
    let pairs = rows.windows(2).filter_map(|pair| <&[GcRow; 2]>::try_from(pair).ok());
    let between = pairs.filter_map(|[before, after]| {
        let background =
            [before, after].iter().any(|row| kind(recording, row) == Some(Collection::Background));
        let for_space = recording.strings.text(after.reason).starts_with("Alloc");
        let follows = before.number.checked_add(1) == Some(after.number) || known(after.number).is_none();
        let used = known(after.heap_before_bytes)?.saturating_sub(known(before.heap_after_bytes)?);
        (!background && for_space && follows && used > 0).then(|| real(used))
    });
    between.collect()
}

/// The share that survived the collections of a kind: promoted bytes over promoted and freed bytes.
pub fn survival(recording: &Trace, wanted: Collection) -> Option<f64> {
    let sizes = rows(recording).filter(|row| kind(recording, row) == Some(wanted)).filter_map(|row| {
        let freed = known(row.heap_before_bytes)?.saturating_sub(known(row.heap_after_bytes)?).max(0);
        Some((real(known(row.promoted_bytes)?), real(freed)))
    });
    let (promoted, freed) = sizes.fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    share(promoted, promoted + freed)
}

/// The heap after each collection over time: a series for each generation that was ever larger than 0.
pub fn heap_courses(recording: &Trace) -> Vec<Series> {
    let gc = &recording.gc;
    let columns: [(&str, &str, &[i64]); 5] = [
        ("gen0", "Generation 0 after each GC", &gc.gen0_bytes),
        ("gen1", "Generation 1 after each GC", &gc.gen1_bytes),
        ("gen2", "Generation 2 after each GC", &gc.gen2_bytes),
        ("loh", "Large object heap after each GC", &gc.loh_bytes),
        ("poh", "Pinned object heap after each GC", &gc.poh_bytes),
    ];
    let used =
        columns.into_iter().filter(|(_, _, bytes)| bytes.iter().any(|of| known(*of).is_some_and(|n| n > 0)));
    used.map(|(name, about, bytes)| Series { name, unit: "B", about, values: latest(recording, bytes) })
        .collect()
}

/// The last value in each piece of the recording. A piece without a value has that of the piece before.
fn latest(recording: &Trace, column: &[i64]) -> Vec<Option<f64>> {
    let mut pieces: Vec<Option<f64>> = vec![None; SERIES_PIECES];
    for (ts_ns, bytes) in recording.gc.start_ns.iter().zip(column) {
        if let (Some(bytes), Some(piece)) = (known(*bytes), pieces.get_mut(piece_of(recording, *ts_ns))) {
            *piece = Some(real(bytes));
        }
    }
    let mut last = None;
    for piece in &mut pieces {
        last = piece.or(last);
        *piece = last;
    }
    pieces
}

/// The free space in a generation after the last collection, as the runtime published it.
#[derive(Debug, Clone, PartialEq)]
pub struct Free {
    /// `gen0` … `gen2`, `loh`, `poh`.
    pub generation: String,
    /// The size of the generation.
    pub bytes: f64,
    /// The free space within it.
    pub free_bytes: f64,
}

/// The generations that .NET 9 and later publish gauges for, in their order.
pub fn fragmentation(recording: &Trace) -> Vec<Free> {
    let last = |name: &str, generation: &str| {
        let values = metered(recording, name, "value");
        let of =
            values.iter().rev().find(|of| tag(recording, of.tags, "gc.heap.generation") == Some(generation));
        of.map(|of| of.value)
    };
    let generations = ["gen0", "gen1", "gen2", "loh", "poh"].into_iter();
    let free = generations.filter_map(|generation| {
        let bytes = last("dotnet.gc.last_collection.heap.size", generation)?;
        let free_bytes = last("dotnet.gc.last_collection.heap.fragmentation.size", generation)?;
        (bytes > 0.0).then(|| Free { generation: generation.to_owned(), bytes, free_bytes })
    });
    free.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;

    fn collection(recording: &mut Trace, number: i64, generation: i64, kind: &str, sizes: [i64; 3]) {
        let [kind, reason] = recording.texts([kind, "AllocSmall"]);
        let [heap_before_bytes, heap_after_bytes, promoted_bytes] = sizes;
        recording.gc.push(GcRow {
            number,
            generation,
            kind,
            reason,
            start_ns: number * 100_000_000,
            pause_ns: (number + 1) * 1_000_000,
            heap_before_bytes,
            heap_after_bytes,
            promoted_bytes,
            gen0_bytes: 0,
            gen2_bytes: heap_after_bytes,
            ..GcRow::blank()
        });
    }

    #[test]
    fn the_budget_is_what_was_allocated_between_two_collections_that_stopped_the_program() {
        let mut recording = recording(1);
        collection(&mut recording, 0, 0, "NonConcurrentGC", [100, 40, 10]);
        collection(&mut recording, 1, 0, "NonConcurrentGC", [90, 40, 30]);
        collection(&mut recording, 2, 2, "BackgroundGC", [95, 30, 30]);
        collection(&mut recording, 3, 1, "NonConcurrentGC", [200, 30, 30]);
        assert_eq!(gen0_budgets(&recording), [50.0]);
        // 10 and 30 of 70 and 80 bytes.
        let survived = survival(&recording, Collection::Gen0).unwrap();
        assert!((survived - 40.0 / 150.0).abs() < 1e-9);
        assert_eq!(survival(&recording, Collection::Full), None);
    }

    #[test]
    fn kinds_that_did_not_run_are_not_there_and_pauses_are_theirs_alone() {
        let mut recording = recording(1);
        collection(&mut recording, 0, 0, "NonConcurrentGC", [100, 40, 10]);
        collection(&mut recording, 1, 2, "BackgroundGC", [90, 40, 30]);
        collection(&mut recording, 2, 0, "NonConcurrentGC", [90, 40, 30]);
        let rows: Vec<_> = collected(&recording).iter().map(|of| (of.kind, of.count, of.paused_ms)).collect();
        assert_eq!(rows, [(Collection::Gen0, 2.0, Some(4.0)), (Collection::Background, 1.0, Some(2.0))]);
    }

    #[test]
    fn a_generation_keeps_its_size_until_the_next_collection_and_has_none_before_the_first() {
        let mut recording = recording(1);
        collection(&mut recording, 1, 0, "NonConcurrentGC", [100, 40, 10]);
        let courses = heap_courses(&recording);
        let names: Vec<_> = courses.iter().map(|of| of.name).collect();
        assert_eq!(names, ["gen2"]);
        assert_eq!(
            [SERIES_PIECES / 10 - 1, SERIES_PIECES / 10, SERIES_PIECES - 1].map(|at| courses[0].values[at]),
            [None, Some(40.0), Some(40.0)]
        );
    }
}
