//! The GC: its pauses, the heap, and what is allocated.

use super::{Ground, Subject, Words};
use crate::lane::{Lane, LaneValues, Layer, Stretch};
use crate::observed::Per;
use crate::published;
use base::number::count;
use model::{NO_INT, Trace};
use runtime::counted_allocations;

/// GC pauses.
pub(crate) fn collections(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "gc",
        title: "GC pauses",
        unit: "ns",
        counts: "",
        about: "By the oldest generation collected; a higher bar is a longer pause",
        table: "pauses",
        metric: Some("gc-pause"),
    };
    let recording = ground.recording;
    let pauses = &recording.pauses;
    let causes = Words::new(recording, &["gc"]);
    let mut kinds = Kinds::new(recording);
    let rows = pauses.ts_ns.iter().zip(&pauses.dur_ns).zip(&pauses.cause);
    let rows = rows.filter(|(_, cause)| causes.number(**cause).is_some());
    let own: Vec<Stretch> = rows
        .map(|((from_ns, dur_ns), _)| {
            let dur_ns = length(*dur_ns);
            Stretch {
                from_ns: *from_ns,
                dur_ns,
                class: kinds.within(*from_ns, from_ns.saturating_add(dur_ns)),
            }
        })
        .collect();
    if !own.is_empty() {
        return pauses_of(ground, subject, own.into_iter(), &pauses.ts_ns);
    }
    let gc = &recording.gc;
    let rows = gc.start_ns.iter().zip(&gc.pause_ns).enumerate().filter(|(_, (_, dur_ns))| **dur_ns != NO_INT);
    let reported = rows.map(|(row, (from_ns, dur_ns))| Stretch {
        from_ns: *from_ns,
        dur_ns: length(*dur_ns),
        class: kind(recording, row),
    });
    pauses_of(ground, Subject { table: "gc", ..subject }, reported, &gc.start_ns)
}

/// Pauses for anything but the GC and the sampler.
pub(crate) fn other_pauses(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "pauses",
        title: "Other pauses",
        unit: "ns",
        counts: "",
        about: "For neither the GC nor the sampler; a higher bar is a longer pause",
        table: "pauses",
        metric: None,
    };
    let pauses = &ground.recording.pauses;
    let causes = Words::new(ground.recording, &["gc", "profiler"]);
    let rows = pauses.ts_ns.iter().zip(&pauses.dur_ns).zip(&pauses.cause);
    let rows = rows.filter(|(_, cause)| causes.number(**cause).is_none());
    let others = rows.map(|((from_ns, dur_ns), _)| Stretch {
        from_ns: *from_ns,
        dur_ns: length(*dur_ns),
        class: "other",
    });
    pauses_of(ground, subject, others, &pauses.ts_ns)
}

/// A length that is not negative.
fn length(dur_ns: i64) -> i64 {
    dur_ns.max(0)
}

/// The stretches in the range: the longest of those that begin in the same piece.
fn pauses_of(
    ground: &Ground<'_>,
    subject: Subject,
    stretches: impl Iterator<Item = Stretch>,
    times: &[i64],
) -> Option<Lane> {
    let span = ground.grid.span;
    let mut kept: Vec<(usize, Stretch)> = Vec::new();
    let mut left_out = 0usize;
    for stretch in stretches {
        let end = stretch.from_ns.saturating_add(stretch.dur_ns.max(1));
        if stretch.from_ns >= span.to_ns || end <= span.from_ns {
            continue;
        }
        // It overlaps with the range, so its beginning lies in a piece.
        let piece = ground.grid.piece(stretch.from_ns.max(span.from_ns)).unwrap_or(0);
        match kept.last_mut() {
            Some((at, last)) if *at == piece => {
                left_out += 1;
                if stretch.dur_ns > last.dur_ns {
                    *last = stretch;
                }
            }
            _ => kept.push((piece, stretch)),
        }
    }
    let observed = ground.observed(times).in_pieces(&ground.grid).shares(&ground.grid);
    let kept = kept.into_iter().map(|(_, stretch)| stretch).collect();
    subject.lane(LaneValues::Spans(kept), observed, count(left_out))
}

/// The class of a collection, by its kind.
fn kind(recording: &Trace, row: usize) -> &'static str {
    let gc = &recording.gc;
    match gc.generation.get(row).copied() {
        Some(0) => "gen0",
        Some(1) => "gen1",
        Some(2) => {
            let kind = gc.kind.get(row).map_or("", |kind| recording.strings.text(*kind));
            if kind == "BackgroundGC" { "background" } else { "gen2" }
        }
        _ => "gc",
    }
}

/// Finds the collection that a pause is for, of pauses in their order.
struct Kinds<'a> {
    recording: &'a Trace,
    next: usize,
    /// When the last background collection ended.
    background_until_ns: i64,
}

impl<'a> Kinds<'a> {
    fn new(recording: &'a Trace) -> Self {
        Self { recording, next: 0, background_until_ns: i64::MIN }
    }

    /// The class of the collection that began within a pause. If none did, the pause belongs to a background collection.
    fn within(&mut self, from_ns: i64, to_ns: i64) -> &'static str {
        let gc = &self.recording.gc;
        while let Some(start) = gc.start_ns.get(self.next).filter(|start| **start < from_ns) {
            self.passed(*start);
            self.next += 1;
        }
        match gc.start_ns.get(self.next) {
            Some(start) if *start <= to_ns => kind(self.recording, self.next),
            _ if from_ns <= self.background_until_ns => "background",
            _ => "gc",
        }
    }

    /// Notes how long a background collection lasts. Without an end, it may still run.
    fn passed(&mut self, start_ns: i64) {
        if kind(self.recording, self.next) == "background" {
            let dur_ns = self.recording.gc.dur_ns.get(self.next).copied().filter(|dur_ns| *dur_ns != NO_INT);
            let end_ns = dur_ns.map_or(i64::MAX, |dur_ns| start_ns.saturating_add(dur_ns.max(0)));
            self.background_until_ns = self.background_until_ns.max(end_ns);
        }
    }
}

/// The heap after each collection.
pub(crate) fn heap(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "heap",
        title: "Heap",
        unit: "B",
        counts: "",
        about: "After the last collection, with its free space, by generation",
        table: "gc",
        metric: None,
    };
    let gc = &ground.recording.gc;
    let in_bursts = ground.is_in_bursts(&gc.start_ns);
    if in_bursts || gc.heap_after_bytes.iter().all(|bytes| *bytes == NO_INT) {
        let about = "As the runtime published it";
        let counters = [
            ("gc-heap-size", "value", 1e6),
            ("dotnet.gc.last_collection.heap.size", "value", 1.0),
            ("dotnet.gc.last_collection.heap.size", "total", 1.0),
        ];
        if let Some(values) = ground.counted_level(&counters) {
            return Subject { about, table: "counters", ..subject }.published(values);
        }
    }
    let columns: [(&'static str, &[i64]); 5] = [
        ("gen 2", &gc.gen2_bytes),
        ("large objects", &gc.loh_bytes),
        ("pinned", &gc.poh_bytes),
        ("gen 1", &gc.gen1_bytes),
        ("gen 0", &gc.gen0_bytes),
    ];
    let layer = |(name, bytes): (&'static str, &[i64])| {
        let values = ground.latest(&gc.start_ns, bytes);
        Layer { name, values: values.into_iter().map(|of| of.map(|bytes| bytes.max(0.0))).collect() }
    };
    let layers = super::without_empty(columns.into_iter().map(layer).collect());
    let observed = ground.observed(&gc.start_ns).in_pieces(&ground.grid).shares(&ground.grid);
    subject.lane(LaneValues::Area { stacked: true, layers }, observed, 0.0)
}

/// The resident memory of the process.
pub(crate) fn resident(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "resident",
        title: "Resident memory",
        unit: "B",
        counts: "",
        about: "RAM of the process, the heap included, as the system counts it",
        table: "host",
        metric: None,
    };
    let readings = ground.recording.of_host("process.rss").into_iter();
    let readings: Vec<(i64, f64)> = readings.map(|(ts_ns, bytes)| (ts_ns, bytes.max(0.0))).collect();
    subject.published(published::gauge(&ground.grid, &readings))
}

/// Bytes allocated per second.
pub(crate) fn allocation(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "allocation",
        title: "Allocation",
        unit: "B/s",
        counts: "",
        about: "Bytes allocated per second, estimated from sampled allocations",
        table: "allocations",
        metric: Some("allocated-bytes"),
    };
    let times = &ground.recording.allocations.ts_ns;
    if times.is_empty() || ground.is_in_bursts(times) {
        let counters = [("alloc-rate", "rate", 1.0), ("dotnet.gc.heap.total_allocated", "rate", 1.0)];
        if let Some(values) = ground.counted_rate(&counters) {
            let about = "Bytes allocated per second, as the runtime published them";
            let metric = subject.metric.filter(|_| !times.is_empty());
            return Subject { about, table: "counters", metric, ..subject }.published(values);
        }
    }
    if times.is_empty() {
        return None;
    }
    let mut bytes = vec![0.0; ground.grid.len()];
    for row in counted_allocations(ground.recording) {
        if let Some(sum) = ground.grid.piece(row.ts_ns).and_then(|piece| bytes.get_mut(piece)) {
            *sum += row.weight_bytes.clamp(0.0, MOST);
        }
    }
    let pieces = ground.observed(times).in_pieces(&ground.grid);
    let (values, _) = pieces.rates(&bytes, Per::Second);
    let without_rate = ground.grid.counts(times).into_iter().zip(&values).filter(|(_, rate)| rate.is_none());
    let left_out = without_rate.map(|(rows, _)| rows).sum();
    subject.level(values, pieces.shares(&ground.grid), left_out)
}

/// The most bytes that a sampled allocation may stand for. More is damage.
const MOST: f64 = 1e15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Grid, Span};
    use crate::testing::{counter, levels, recording};
    use model::{AllocationRow, GcRow, HostRow, PauseRow, Sym};

    #[test]
    fn memory_that_grows_outside_the_heap_can_be_seen() {
        let mut recording = recording(&[("events", 0, 399)]);
        let ([rss, cores], unit) = (recording.texts(["process.rss", "cores"]), Sym::NONE);
        for (at, bytes) in (0..4).zip([5.0, 7.0, 9.0, 11.0]) {
            recording.host.push(HostRow { ts_ns: at * 100, name: cores, value: 2.0, unit });
            recording.host.push(HostRow { ts_ns: at * 100, name: rss, value: bytes, unit });
        }
        let lane = resident(&ground(&recording, 400, 4)).unwrap();
        assert_eq!(levels(&lane), [Some(5.0), Some(7.0), Some(9.0), Some(11.0)]);
    }

    fn ground(recording: &Trace, to_ns: i64, pieces: usize) -> Ground<'_> {
        Ground::new(recording, Grid::new(Span { from_ns: 0, to_ns }, pieces))
    }

    fn collection(recording: &mut Trace, start_ns: i64, generation: i64, kind: &str, gen2_bytes: i64) {
        let dur_ns = if kind == "BackgroundGC" { 150 } else { 1 };
        let (kind, heap_after_bytes) = (recording.text(kind), gen2_bytes);
        recording.gc.push(GcRow {
            generation,
            kind,
            start_ns,
            dur_ns,
            pause_ns: 2,
            heap_after_bytes,
            gen2_bytes,
            ..GcRow::blank()
        });
    }

    fn pause(recording: &mut Trace, ts_ns: i64, dur_ns: i64, cause: &str) {
        let cause = recording.text(cause);
        recording.pauses.push(PauseRow { ts_ns, dur_ns, cause });
    }

    fn stretches(lane: Option<Lane>) -> Vec<(i64, i64, &'static str)> {
        let Some(Lane { shape: LaneValues::Spans(spans), .. }) = lane else { return Vec::new() };
        spans.into_iter().map(|of| (of.from_ns, of.dur_ns, of.class)).collect()
    }

    #[test]
    fn a_pause_has_the_kind_of_the_collection_that_it_is_for() {
        let mut recording = recording(&[("events", 0, 999)]);
        collection(&mut recording, 105, 0, "NonConcurrentGC", 1);
        collection(&mut recording, 205, 2, "BackgroundGC", 1);
        collection(&mut recording, 255, 1, "NonConcurrentGC", 1);
        collection(&mut recording, 405, 2, "NonConcurrentGC", 1);
        for (at, cause) in [
            (100, "gc"),
            (200, "gc"),
            (300, "gc"),
            (350, "profiler"),
            (400, "gc"),
            (500, "other"),
            (600, "gc"),
        ] {
            pause(&mut recording, at, 10, cause);
        }
        let all = ground(&recording, 1_000, 100);
        let classes: Vec<_> = stretches(collections(&all)).into_iter().map(|of| (of.0, of.2)).collect();
        assert_eq!(
            classes,
            [(100, "gen0"), (200, "background"), (300, "background"), (400, "gen2"), (600, "gc")]
        );
        assert_eq!(stretches(other_pauses(&all)), [(500, 10, "other")]);
    }

    #[test]
    fn of_pauses_in_one_piece_the_longest_is_kept_and_the_others_are_counted() {
        let mut recording = recording(&[("events", 0, 999)]);
        for (at, length) in [(10, 3), (20, 70), (40, 5), (700, i64::MAX), (800, i64::MIN)] {
            pause(&mut recording, at, length, "gc");
        }
        let lane = collections(&ground(&recording, 1_000, 10)).unwrap();
        assert_eq!((lane.left_out, lane.most()), (2, Some(base::number::real(i64::MAX))));
        assert_eq!(stretches(Some(lane)), [(20, 70, "gc"), (700, i64::MAX, "gc"), (800, 0, "gc")]);
        let after = Ground::new(&recording, Grid::new(Span { from_ns: 85, to_ns: 95 }, 10));
        assert_eq!(
            stretches(collections(&after)),
            [(20, 70, "gc")],
            "what reaches into the range belongs to it"
        );
    }

    #[test]
    fn the_heap_stands_until_the_next_collection() {
        let mut recording = recording(&[("events", 0, 999)]);
        collection(&mut recording, 250, 0, "NonConcurrentGC", 100);
        collection(&mut recording, 260, 0, "NonConcurrentGC", 150);
        collection(&mut recording, 650, 1, "NonConcurrentGC", 70);
        let lane = heap(&ground(&recording, 1_000, 5)).unwrap();
        assert_eq!(levels(&lane), [None, Some(150.0), Some(150.0), Some(70.0), Some(70.0)]);
        let later = Ground::new(&recording, Grid::new(Span { from_ns: 300, to_ns: 400 }, 2));
        assert_eq!(levels(&heap(&later).unwrap()), [Some(150.0), Some(150.0)]);
    }

    #[test]
    fn bytes_are_of_the_observed_time_and_counters_stand_in() {
        let mut recording = recording(&[("events", 0, 499_999_999)]);
        counter(&mut recording, 500_000_000, "alloc-rate", "rate", 7.0);
        let rate = |recording: &Trace| levels(&allocation(&ground(recording, 1_000_000_000, 2)).unwrap());
        assert_eq!(rate(&recording), [Some(7.0), None]);
        let [class, kind, source] = recording.texts(["T", "Small", "tick"]);
        for (ts_ns, weight_bytes) in [(100, 30.0), (200, f64::NAN), (300, 20.0)] {
            let row = AllocationRow { ts_ns, class, kind, source, weight_bytes, ..AllocationRow::blank() };
            recording.allocations.push(row);
        }
        assert_eq!(rate(&recording), [Some(100.0), None]);
    }
}
