//! What survives collections keeps growing.

use crate::facts::{Facts, bytes, known, real, said, wide};
use crate::gcfacts::{allocators, most_allocated, rows};
use crate::hostfacts::MemoryLimits;
use crate::need::Need;
use crate::places::in_place;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use base::stats::{pairs, theil_sen};
use model::GcRow;
use report::{EvidenceRows, Measured, Severity, View};

const GROWTH: Threshold = Threshold {
    name: "growth of generations 1 and 2 and of large and pinned objects, after collections",
    value: 10e6,
    unit: "B",
    source: "measured: below 6 MB in healthy services, 300 MB to 1 GB in leaking ones, in ten seconds",
};
const RELATIVE: Threshold = Threshold {
    name: "growth relative to the size at the start",
    value: 0.3,
    unit: "share",
    source: "Eclipse MAT lists growth by 2 % of the heap between two snapshots; here it must stand out from the noise of one recording",
};
const STEADY: Threshold = Threshold {
    name: "share of pairs of collections with the later size larger",
    value: 0.8,
    unit: "share",
    source: "Kendall's tau of 0.6; 0.5 (tau 0) if the heap grows and shrinks",
};
/// A cache that fills levels off, so this share of the growth must come in the second half of the time.
const LATER: f64 = 0.25;
/// A trend over a shorter time is a note.
const SHORT_NS: f64 = 3e9;
/// Fewer collections show no trend.
const FEW: usize = 4;
const A_SECOND: &str = "growth per second, from the first to the last collection";
/// Two collections can be compared, which is worth a note.
const TWO: usize = 2;

pub(super) const RULE: Rule = Rule {
    id: "heap-growth",
    about: "what survives keeps growing: generation 2, LOH and POH after successive collections of any generation; what type, which caller",
    needs: &[Need::Gc],
    thresholds: &[GROWTH, RELATIVE, STEADY],
    silent: "if the heap shrinks again after full collections (`gc-gen2-churn`), or the growth ends within the recording (a cache \
             that fills). A note if there were only two or three collections, or if it lasted less than 3 s",
    why: "The GC frees what nothing refers to. Growth after collections means that something still refers to the new \
          objects: a static collection, a cache without a limit, an event whose handlers are never removed, a timer, or a context that \
          a timer captured. It ends at the memory limit, and until then collections take longer and longer, as they mark all of it.",
    tries: &[
        "Take two heap snapshots a few minutes apart, and compare what retains the type that grew",
        "Give each cache a limit and a lifetime (`MemoryCache` with `SizeLimit`), remove event handlers, dispose of timers and registrations",
        "Until it is fixed: a memory limit with restarts, so that it cannot take other services down with it",
    ],
    verify: "Record an hour: generation 2 returns to the same size after its collections.",
    places_of: "the allocated bytes",
    view: View {
        shows: "what allocates the memory",
        lane: "heap",
        tab: "/stacks",
        metric: Some("allocated-bytes"),
    },
    before: &["gc-pauses", "high-allocation-rate", "lock-contention", "gc-gen2-churn", "pinning"],
    absorbs: &[],
    check,
};

/// Bytes that outlived a collection. Includes generation 1, where what leaks waits for the next collection.
fn old_bytes(row: &GcRow) -> Option<f64> {
    let part = |bytes: i64| known(bytes).map_or(0.0, real);
    Some(real(known(row.gen2_bytes)?) + part(row.gen1_bytes) + part(row.loh_bytes) + part(row.poh_bytes))
}

/// The collections while the heap could grow: at its hard limit it no longer can.
fn growing<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = GcRow> + 'a {
    let full = MemoryLimits::of(facts).heap_full_at(facts);
    rows(facts).filter(move |row| full.is_none_or(|full| row.start_ns <= full))
}

fn check(facts: &Facts<'_>) -> Option<Found> {
    let points: Vec<(f64, f64)> =
        growing(facts).filter_map(|row| Some((real(row.start_ns), old_bytes(&row)?))).collect();
    if points.len() < TWO {
        return None;
    }
    let few = points.len() < FEW;
    let slope = slope_of(&points)?;
    let span = points.last()?.0 - points.first()?.0;
    let first = points.iter().take(3).map(|(_, size)| *size).fold(f64::MAX, f64::min);
    let trend = slope * span;
    let steady = rising_pairs(&points);
    // From the sizes at the beginning and the end. The slope only shows how steady the growth is.
    let grown = (points.last()?.1 - first).min(trend.max(0.0) * 2.0);
    let relative = grown / first.max(1e6);
    if falls_back(facts, slope) {
        return None;
    }
    if grown < GROWTH.value
        || relative < RELATIVE.value
        || steady < STEADY.value
        || !few && later_part(&points) < LATER
    {
        return None;
    }
    // From the amount and the time that the title shows beside it.
    let a_second = grown / (span / 1e9);
    let places = allocators(facts, |_| true).top(facts);
    let of_type =
        most_allocated(facts, |_| true).map_or_else(String::new, |(class, _)| format!(", mainly {class}"));
    let allocated = match (in_place(&places), of_type) {
        (place, of_type) if place.is_empty() && of_type.is_empty() => String::new(),
        (place, of_type) => format!("; most bytes are allocated{place}{of_type}"),
    };
    let title = format!(
        "The live heap grows by {}/s ({} in the {} s from the first to the last collection){allocated}",
        bytes(a_second),
        bytes(grown),
        said(span / 1e9),
    );
    let sql = "select number, generation, type, start_ns, gen1_bytes / 1e6 as gen1_mb, gen2_bytes / 1e6 as gen2_mb, loh_bytes / 1e6 as loh_mb, \
               poh_bytes / 1e6 as poh_mb, promoted_bytes / 1e6 as promoted_mb from gc where gen2_bytes is not null order by start_ns limit 500";
    let mut evidence = vec![EvidenceRows::of(
        "gc",
        sql,
        rows(facts).filter(|row| old_bytes(row).is_some()).map(|row| row.start_ns),
    )];
    if wide(facts.recording.allocations.ts_ns.len()) > 0 {
        let sql = "select type, count(*) as samples, sum(weight_bytes) / 1e6 as mb from allocations group by 1 order by 3 desc limit 20";
        evidence.push(EvidenceRows::of(
            "allocations",
            sql,
            facts.recording.allocations.ts_ns.iter().copied(),
        ));
    }
    let fast = a_second >= 10e6;
    // For a short time, everything grows. What grew up to its limit has grown enough.
    let ended = MemoryLimits::of(facts).heap_full_at(facts).is_some();
    let short = span < SHORT_NS && !ended || few;
    let measured = vec![
        GROWTH.measured(grown),
        RELATIVE.measured(relative),
        STEADY.measured(steady),
        Measured { name: A_SECOND, value: a_second, unit: "B/s", threshold: None },
    ];
    let title = if few {
        format!("{title}; {} collections are too few to call it a leak", points.len())
    } else {
        title
    };
    Some(Found {
        title,
        severity: match () {
            () if short => Severity::Note,
            () if fast => Severity::Critical,
            () => Severity::Warning,
        },
        // Of what is there at the end.
        harms: vec![Harm::Share(grown / (first + grown))],
        sure: if few { Sure::Hint } else { Sure::Trend { rising: steady } },
        measured,
        places,
        evidence,
    })
}

/// The share of the growth that came in the second half of the time.
fn later_part(points: &[(f64, f64)]) -> f64 {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return 0.0 };
    let middle = first.0.midpoint(last.0);
    let at_middle = points.iter().rev().find(|(at, _)| *at <= middle).map_or(first.1, |(_, size)| *size);
    let grown = last.1 - first.1;
    if grown > 0.0 { (last.1 - at_middle) / grown } else { 0.0 }
}

/// Whether full collections bring the heap back to its earlier size: then the growth between them is garbage.
fn falls_back(facts: &Facts<'_>, slope: f64) -> bool {
    let full = growing(facts).filter(|row| row.generation == 2);
    let points: Vec<(f64, f64)> =
        full.filter_map(|row| Some((real(row.start_ns), old_bytes(&row)?))).collect();
    points.len() >= FEW && slope_of(&points).is_some_and(|of_full| of_full < 0.5 * slope)
}

/// A slope is computed from no more points, as it looks at all pairs of them.
const MAX_POINTS: usize = 300;

fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(MAX_POINTS).max(1);
    points.iter().copied().step_by(step).collect()
}

/// The median slope, in bytes per nanosecond.
fn slope_of(points: &[(f64, f64)]) -> Option<f64> {
    theil_sen(&thinned(points))
}

/// The share of pairs with the later value larger. Equal values count half.
fn rising_pairs(points: &[(f64, f64)]) -> f64 {
    let points = thinned(points);
    let (mut rising, mut all) = (0.0, 0.0);
    for (a, b) in pairs(&points) {
        all += 1.0;
        rising += if b.1 > a.1 {
            1.0
        } else if b.1 < a.1 {
            0.0
        } else {
            0.5
        };
    }
    if all > 0.0 { rising / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_heap_that_comes_and_goes_does_not_rise() {
        let points: Vec<(f64, f64)> = (0..20).map(|n| (f64::from(n), f64::from(n % 4))).collect();
        assert!(rising_pairs(&points) < STEADY.value);
    }

    #[test]
    fn the_rate_of_growth_is_the_amount_over_the_time_that_stand_beside_it() {
        // It grows ever faster: the median slope is another one.
        let recording = scene(10, &[10, 11, 13, 17, 25, 41, 60, 80, 101, 122], 1).done();
        let index = runtime::StackIndex::new(&recording);
        let found = check(&Facts::new(&recording, &index)).unwrap();
        assert!(
            found.title.contains("grows by 12.4 MB/s (112 MB in the 9 s from the first"),
            "{}",
            found.title
        );
    }

    #[test]
    fn one_stray_value_does_not_hide_that_a_heap_rises() {
        let mut points: Vec<(f64, f64)> = (0..9).map(|n| (f64::from(n), f64::from(n) * 2.0 + 5.0)).collect();
        points[4].1 = 1000.0;
        assert!(rising_pairs(&points) > 0.85);
    }

    /// Generation 2 in megabytes after each of the collections, over so many seconds.
    fn scene(seconds: i64, sizes: &[i64], generation: i64) -> Scene {
        let mut scene = Scene::lasting(seconds, 2);
        scene.allocates(0, "Small", 1e6);
        for (at, size) in (0i64..).zip(sizes) {
            let number = i64::try_from(sizes.len()).unwrap();
            scene.gc(at * seconds * 1000 / number, "AllocSmall", |row| {
                (row.generation, row.gen2_bytes) = (generation, size * 1_000_000);
            });
        }
        scene
    }

    #[test]
    fn a_heap_that_grows_is_said_with_who_allocates() {
        let sizes = [10, 13, 16, 19, 22, 25, 28, 31];
        assert_eq!(scene(10, &sizes, 1).says(&RULE), says(Severity::Warning, CART));
        assert_eq!(scene(10, &sizes.map(|size| size * 10), 1).says(&RULE), says(Severity::Critical, CART));
    }

    #[test]
    fn a_cache_that_fills_and_a_heap_that_comes_and_goes_are_no_leak() {
        let check = |sizes: &[i64], generation, speaks| {
            assert_eq!(scene(10, sizes, generation).says(&RULE).is_some(), speaks, "{sizes:?}");
        };
        check(&[10, 20, 30, 40, 41, 41, 42, 42, 43, 43], 1, false);
        check(&[10, 20, 30, 40, 45, 50, 55, 60, 65, 70], 1, true);
        check(&[10, 40, 20, 50, 10, 40, 20, 50], 1, false);
        check(&[10, 12, 13, 14, 15, 16, 17, 18], 1, false);
        check(&[100, 103, 106, 109, 112, 115, 118, 121], 1, false);
        check(&[10], 1, false);
    }

    #[test]
    fn a_heap_that_doubled_between_the_only_collections_is_worth_a_note() {
        for sizes in [&[40, 90][..], &[40, 90, 140]] {
            assert_eq!(scene(10, sizes, 1).says(&RULE), says(Severity::Note, CART), "{sizes:?}");
        }
        assert_eq!(scene(10, &[40, 49], 1).says(&RULE), None);
    }

    #[test]
    fn what_full_collections_free_is_garbage() {
        let check = |full: i64, speaks| {
            let mut scene = scene(10, &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100], 1);
            for at in 0..5 {
                scene.gc(9100 + at, "AllocSmall", |row| {
                    (row.generation, row.gen2_bytes) = (2, 100_000_000 + at * full);
                });
            }
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{full} more after each full collection");
        };
        check(0, false);
        check(1_000_000, true);
    }

    #[test]
    fn a_leak_that_has_reached_the_heaps_limit_is_still_a_leak() {
        // It grows for two of ten seconds, and then stands at the limit.
        let mut scene = Scene::new();
        scene.allocates(0, "Small", 1e6);
        scene.recording.session.gc_settings =
            Some(model::GcSettings { hard_limit_bytes: Some(240_000_000), is_limit_set: false });
        for at in 0..50 {
            let megabytes = (100 + at * 14).min(236);
            let reason = if megabytes > 200 { "OutOfSpaceSOH" } else { "AllocSmall" };
            scene.gc(at * 200, reason, |row| {
                (row.generation, row.gen2_bytes) = (2, megabytes * 1_000_000);
                row.heap_after_bytes = megabytes * 1_000_000;
            });
        }
        assert_eq!(scene.says(&RULE).map(|of| of.0), Some(Severity::Critical));
    }

    #[test]
    fn a_second_of_growth_is_a_note() {
        let check = |seconds, expected| {
            let found = scene(seconds, &[10, 20, 30, 40, 50, 60, 70, 80], 1).says(&RULE);
            assert_eq!(found, says(expected, CART), "{seconds} s");
        };
        check(1, Severity::Note);
        check(10, Severity::Warning);
    }
}
