//! Resident memory grows, but the managed heap does not.

use crate::facts::{Facts, bytes, known, percent, real};
use crate::gcfacts::{allocated, rows};
use crate::hostfacts::{Growth, host_rows};
use crate::need::Need;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::metered;

const GROWTH: Threshold = Threshold {
    name: "growth of resident memory beyond what the managed heap can have taken",
    value: 50e6,
    unit: "B",
    source: "measured: up to 25 MB in healthy services under load, mostly in their first seconds, when code, stacks and buffers are created",
};
const RELATIVE: Threshold = Threshold {
    name: "growth relative to the resident memory at the start",
    value: 0.15,
    unit: "share",
    source: "resident memory goes up and down by a tenth",
};
const STEADY: Threshold = Threshold {
    name: "share of pairs of readings of which the later is larger",
    value: 0.9,
    unit: "share",
    source: "Kendall's tau of 0.8: it grows nearly all the time",
};
/// The share of the growth in the second half of the time. Less: something fills up. More: it has only just begun.
const LATER: std::ops::RangeInclusive<f64> = 0.3..=0.75;
/// The runtime keeps events in the process until they are read: no more than the recorder's usual buffer,
const EVENT_BUFFER: f64 = 256e6;
/// and hardly more than this share of the bytes that were read.
const KEPT_OF_EVENTS: f64 = 0.5;
/// A shorter recording shows no trend.
const SHORTEST_SECONDS: f64 = 5.0;
/// From this growth per second on, the limit is not far away.
const FAST: f64 = 5e6;

pub(super) const RULE: Rule = Rule {
    id: "native-memory-growth",
    about: "resident memory keeps growing, but the managed heap does not",
    needs: &[Need::ResidentMemory],
    thresholds: &[GROWTH, RELATIVE, STEADY],
    silent: "if the heap can explain it (what is committed after collections, and what was allocated since the last one), \
             or the events that the runtime keeps until the recorder reads them. If the growth ends within the recording (a \
             start, a pool of buffers that fills). For mapped files, if the host counts them separately",
    why: "The GC does not know about memory outside its heap: native libraries (compression, images, databases, \
          TLS), `Marshal.AllocHGlobal` and `NativeMemory`, thread stacks, and freed memory that `malloc` keeps in its \
          arenas. If a small managed object frees native memory in its finalizer, that waits for a collection, for which the heap \
          itself has no reason. It ends at the container's limit, where the kernel kills the process.",
    tries: &[
        "Dispose of objects with native memory (`using`): images, compression streams, certificates, `SafeHandle`s; free each `AllocHGlobal` in a `finally`",
        "Report it to the GC: `GC.AddMemoryPressure` with each native allocation, so that collections run",
        "Find out which library allocates: `MALLOC_CONF=prof:true` with jemalloc, `heaptrack`, or `perf` with user probes on `malloc`",
        "If it levels off after hours, the cause is malloc's arenas: `MALLOC_ARENA_MAX=2`, or jemalloc",
    ],
    verify: "Record some minutes: `process.rss.anon` in the table `host` stays within a tenth under steady load.",
    places_of: "the samples that show it",
    view: View { shows: "the readings of memory", lane: "resident", tab: "/sql", metric: None },
    before: &["memory-limit"],
    absorbs: &[],
    check,
};

/// Readings of the resident memory.
struct Resident {
    readings: Vec<(i64, f64)>,
    /// The host's figure. `None` if the runtime reported them.
    name: Option<&'static str>,
}

/// The resident memory, without mapped files if the host counts them separately.
fn resident(facts: &Facts<'_>) -> Option<Resident> {
    // A process that is ending has none left.
    let alive = |readings: Vec<(i64, f64)>| readings.into_iter().filter(|(_, bytes)| *bytes > 0.0).collect();
    for name in ["process.rss.anon", "process.rss"] {
        let readings: Vec<(i64, f64)> = alive(facts.recording.of_host(name));
        if !readings.is_empty() {
            return Some(Resident { readings, name: Some(name) });
        }
    }
    let meters = [("dotnet.process.memory.working_set", 1.0), ("working-set", 1e6)];
    meters.into_iter().find_map(|(name, unit)| {
        let values = metered(facts.recording, name, "value");
        let readings: Vec<(i64, f64)> = alive(values.iter().map(|of| (of.ts_ns, of.value * unit)).collect());
        (!readings.is_empty()).then_some(Resident { readings, name: None })
    })
}

/// How much of the growth the managed heap can explain: the growth of what is committed after collections, and everything
/// allocated since the last one. Committed memory becomes resident when it is first used, so allocations into memory that
/// was committed before count too, as far as there is any.
fn by_heap(facts: &Facts<'_>) -> f64 {
    let meters = [("dotnet.gc.last_collection.memory.committed_size", 1.0), ("gc-committed", 1e6)];
    let committed = meters.into_iter().find_map(|(name, unit)| {
        let values = metered(facts.recording, name, "value");
        let first = values.first()?.value;
        let most = values.iter().map(|of| of.value).max_by(f64::total_cmp)?;
        Some((first * unit, most * unit))
    });
    let sizes: Vec<f64> = rows(facts).filter_map(|row| known(row.heap_after_bytes)).map(real).collect();
    let before = rows(facts).filter_map(|row| known(row.heap_before_bytes)).map(real);
    let most = before.chain(sizes.iter().copied()).max_by(f64::total_cmp);
    let of_sizes = || Some((*sizes.first()?, most?));
    let last = rows(facts).map(|row| row.start_ns).max();
    let since = allocated(facts, |row| last.is_none_or(|last| row.ts_ns > last));
    let since = since.max(metered_since(facts, last));
    let all = allocated(facts, |_| true).max(metered_since(facts, None));
    let (first, most) = committed.or_else(of_sizes).unwrap_or((0.0, 0.0));
    let live = sizes.first().copied().unwrap_or(first).min(first);
    let used_first = all.min((most - live).max(0.0));
    ((most - first).max(0.0) + since).max(used_first)
}

/// Bytes allocated since a time, by the runtime's own counter: sampled allocations may be missing.
fn metered_since(facts: &Facts<'_>, since: Option<i64>) -> f64 {
    let counters = [("dotnet.gc.heap.total_allocated", 1.0), ("alloc-rate", 1.0)];
    let of = |(name, unit): (&str, f64)| {
        let rates = metered(facts.recording, name, "rate");
        let step = rates.windows(2).filter_map(|pair| <&[runtime::Metered; 2]>::try_from(pair).ok());
        // A rate covers the interval that ends with it.
        let sum: f64 = step
            .filter(|[_, after]| since.is_none_or(|since| after.ts_ns > since))
            .map(|[before, after]| {
                after.value.max(0.0) * unit * real(after.ts_ns.saturating_sub(before.ts_ns)) / 1e9
            })
            .sum();
        (sum > 0.0).then_some(sum)
    };
    counters.into_iter().find_map(of).unwrap_or(0.0)
}

fn check(facts: &Facts<'_>) -> Option<Found> {
    let Resident { readings, name } = resident(facts)?;
    let growth = Growth::of(&readings).filter(|of| of.seconds >= SHORTEST_SECONDS)?;
    // If nothing says what the heap takes, it may explain all of the growth.
    if !facts.has(Need::ResidentMemory) {
        return None;
    }
    let heap = by_heap(facts);
    let events = base::number::real_u64(facts.recording.exhibit.bytes) * KEPT_OF_EVENTS;
    let native = growth.grown() - heap - events.min(EVENT_BUFFER);
    let relative = native / growth.from.max(1e6);
    if native < GROWTH.value
        || relative < RELATIVE.value
        || growth.rising < STEADY.value
        || !LATER.contains(&growth.later)
        // The heap explains most of it.
        || native < 0.5 * growth.grown()
    {
        return None;
    }
    let a_second = growth.a_second * native / growth.grown().max(1.0);
    let title = format!(
        "Memory outside the managed heap grows by {}/s: resident memory rose from {} to {} in {} s, and the heap explains no more than {} of it",
        bytes(a_second),
        bytes(growth.from),
        bytes(growth.to),
        crate::facts::said(growth.seconds),
        bytes(heap.min(growth.to))
    );
    let evidence = if let Some(name) = name {
        host_rows(facts, &[name, "process.rss", "cgroup.memory"])
    } else {
        let sql = "select ts_ns, name, value from counters where name in ('working-set', 'dotnet.process.memory.working_set', 'gc-committed', \
                       'dotnet.gc.last_collection.memory.committed_size') order by name, ts_ns limit 1000";
        EvidenceRows::of("counters", sql, readings.iter().map(|(ts_ns, _)| *ts_ns))
    };
    let fast = a_second >= FAST;
    let rate = Measured { name: "growth per second", value: a_second, unit: "B/s", threshold: None };
    Some(Found {
        title: if growth.rising > 0.99 {
            title
        } else {
            format!("{title} ({} of the readings rise)", percent(growth.rising))
        },
        severity: if fast { Severity::Critical } else { Severity::Warning },
        // Of what is resident at the end.
        harms: vec![Harm::Share(native / growth.to.max(1e6))],
        sure: Sure::Trend { rising: growth.rising },
        measured: vec![
            GROWTH.measured(native),
            RELATIVE.measured(relative),
            STEADY.measured(growth.rising),
            rate,
        ],
        places: Vec::new(),
        evidence: vec![evidence],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Resident memory in megabytes at each second of twenty.
    fn scene(resident: impl Fn(f64) -> f64) -> Scene {
        let mut scene = Scene::lasting(20, 2);
        scene.host("process.rss", |second| resident(second) * 1e6);
        scene.allocates(0, "Small", 1e3);
        scene
    }

    #[test]
    fn a_heap_that_is_not_recorded_may_be_what_grows() {
        let mut scene = Scene::lasting(20, 2);
        scene.host("process.rss", |second| (220.0 + 50.0 * second) * 1e6);
        assert_eq!(scene.says(&RULE), None);
    }

    #[test]
    fn what_a_recording_lacks_is_named_and_not_what_it_has() {
        let needs = |scene: Scene| {
            let report = crate::explain(&scene.done());
            let of = report.not_checked.into_iter().find(|of| of.id == RULE.id);
            of.map(|of| of.needs.split(" (record").next().unwrap_or_default().to_owned())
        };
        let both = "the process's resident memory and its allocation rate";
        assert_eq!(needs(Scene::lasting(20, 2)).as_deref(), Some(both));
        let mut allocates = Scene::lasting(20, 2);
        allocates.allocates(0, "Small", 1e6);
        assert_eq!(needs(allocates).as_deref(), Some("the process's resident memory"));
        let mut resident = Scene::lasting(20, 2);
        resident.host("process.rss", |_| 220e6);
        assert_eq!(needs(resident).as_deref(), Some("the allocation rate"));
    }

    #[test]
    fn a_heap_that_warms_up_within_what_it_has_committed_is_no_leak() {
        let warming = |allocated: f64| {
            let mut scene = scene(|second| 150.0 + 10.0 * second);
            for second in 0..20 {
                let name = "dotnet.gc.last_collection.memory.committed_size";
                scene.counter(i64::from(second) * 1000, name, "value", 400e6, "{}");
            }
            scene.gc(100, "AllocSmall", |row| row.heap_after_bytes = 20_000_000);
            scene.gc(19_500, "AllocSmall", |row| row.heap_after_bytes = 20_000_000);
            (0..19).for_each(|second| scene.allocates(second * 1000, "Small", allocated));
            scene.says(&RULE).map(|of| of.0)
        };
        assert_eq!(warming(30e6), None);
        // Who allocates little cannot have used it.
        assert_eq!(warming(1e6), Some(Severity::Critical));
    }

    #[test]
    fn memory_that_grows_outside_the_heap_is_told() {
        let severity = |scene: Scene| scene.says(&RULE).map(|of| of.0);
        assert_eq!(severity(scene(|second| 220.0 + 50.0 * second)), Some(Severity::Critical));
        assert_eq!(severity(scene(|second| 220.0 + 4.0 * second)), Some(Severity::Warning));
    }

    #[test]
    fn a_start_and_a_pool_that_fills_and_a_slow_drift_are_no_leak() {
        assert_eq!(scene(|second| 100.0 + 60.0 * second.min(4.0)).says(&RULE), None);
        assert_eq!(scene(|second| 200.0 + 2.0 * second).says(&RULE), None);
        assert_eq!(scene(|second| 2000.0 + 10.0 * second).says(&RULE), None);
        assert_eq!(scene(|second| 200.0 + 100.0 * (second % 3.0)).says(&RULE), None);
    }

    #[test]
    fn memory_that_the_recording_itself_takes_is_no_leak() {
        // Tens of thousands of exceptions per second, each an event with its stack.
        let mut recorded = scene(|second| 115.0 + 6.0 * second);
        assert!(scene(|second| 115.0 + 6.0 * second).says(&RULE).is_some());
        recorded.recording.exhibit.bytes = 300_000_000;
        assert_eq!(recorded.says(&RULE), None);
        // It comes and goes, and has just come again.
        let again =
            [115.0, 128.0, 130.0, 152.0, 157.0, 131.0, 127.0, 133.0, 144.0, 160.0, 182.0, 197.0, 213.0];
        let mut scene = Scene::lasting(12, 2);
        let seconds = (0..).map(f64::from);
        scene.host("process.rss", |at| {
            let found = seconds.clone().zip(again).find(|(second, _)| *second >= at);
            found.map_or(0.0, |(_, megabytes)| megabytes) * 1e6
        });
        assert_eq!(scene.says(&RULE), None);
    }

    #[test]
    fn what_the_heap_took_is_not_native() {
        let grows = || scene(|second| 220.0 + 20.0 * second);
        assert!(grows().says(&RULE).is_some());
        let mut committed = grows();
        for second in 0..20 {
            let bytes = f64::from(second) * 20e6;
            committed.counter(
                i64::from(second) * 1000,
                "dotnet.gc.last_collection.memory.committed_size",
                "value",
                bytes,
                "{}",
            );
        }
        assert_eq!(committed.says(&RULE), None);
        // No collection yet: the heap takes what is allocated.
        let mut allocating = grows();
        (0..20).for_each(|second| allocating.allocates(second * 1000, "Small", 19e6));
        assert_eq!(allocating.says(&RULE), None);
    }

    #[test]
    fn files_that_are_mapped_are_told_apart_where_the_host_does() {
        let mut scene = scene(|second| 220.0 + 50.0 * second);
        scene.host("process.rss.anon", |_| 200e6);
        assert_eq!(scene.says(&RULE), None);
    }
}
