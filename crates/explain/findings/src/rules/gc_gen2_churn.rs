//! Objects that live just long enough to reach generation 2.

use crate::facts::{Facts, bytes, count, known, percent, real, said};
use crate::gcfacts::{allocators, is_induced, pause_share, rows};
use crate::need::Need;
use crate::places::named;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::GcRow;
use report::{EvidenceRows, Measured, Severity, View};

const RATE: Threshold = Threshold {
    name: "generation 2 collections per second, not counting induced ones and those for large objects",
    value: 0.2,
    unit: "1/s",
    source: "a service in steady state has one in minutes; Microsoft's guidance is one per ten of generation 1, and one of those per ten of generation 0. This or the next is enough",
};
const PROMOTED: Threshold = Threshold {
    name: "bytes that move to generation 2, per second",
    value: 5e6,
    unit: "B/s",
    source: "measured: below 0.5 MB/s in healthy services after their start, 20 to 50 MB/s in a churning one",
};
const DIED: Threshold = Threshold {
    name: "share of them that die there while recording",
    value: 0.4,
    unit: "share",
    source: "what stays is growth (`heap-growth`), what dies was promoted for nothing",
};

/// If collections pause the program this much, one collection of generation 2 is enough: a service that promotes much may
/// run only one in ten seconds.
const PAUSED: Threshold = Threshold {
    name: "share of the time that collections of generations 1 and 2 paused the program",
    value: 0.05,
    unit: "share",
    source: "as in `gc-pauses`",
};

pub(super) const RULE: Rule = Rule {
    id: "gc-gen2-churn",
    about: "objects live just long enough to reach generation 2 and die there",
    needs: &[Need::Gc],
    thresholds: &[RATE, PAUSED, PROMOTED, DIED],
    silent: "if what reaches generation 2 stays (`heap-growth`), if large objects or calls trigger the collections \
             (`loh-churn`, `gc-induced`), or if caches fill at the start",
    why: "An object that survives two collections is in generation 2, which is collected rarely, because that means marking everything. \
          Objects that live for seconds (buffers of a batch, entries of a short-lived cache, state of slow requests) \
          survive generations 0 and 1 and die right after: each collection copies them for nothing, and generation 2 fills with garbage \
          until it is collected.",
    tries: &[
        "Let them die young: stream instead of gathering, use shorter scopes, and no batch larger than the generation 0 budget",
        "Or keep them: pool and reuse them (`ArrayPool`, `ObjectPool`), or use a cache with fewer evictions",
        "If it is the workstation GC now: Server GC with its larger budgets gives them more time to die in generation 0",
    ],
    verify: "Record the same load again: generation 2 collections become rare and `promoted_bytes` in `gc` falls.",
    places_of: "the allocated bytes",
    view: View { shows: "the full collections", lane: "gc", tab: "/gc", metric: None },
    before: &["gc-pauses", "high-allocation-rate", "lock-contention"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let own = |row: &GcRow| {
        row.generation == 2 && !is_induced(facts, row) && !facts.text(row.reason).contains("Large")
    };
    let number = rows(facts).filter(own).count();
    let rate = count(number) / facts.seconds();
    let Generation2 { grew, shrank } = generation_2(facts);
    let (promoted, died) = (grew / facts.seconds(), shrank / grew.max(1.0));
    let old = |row: &GcRow| row.generation >= 1 && !is_induced(facts, row);
    let share = pause_share(facts, old);
    let often = number >= 2 && rate >= RATE.value;
    let hurts = number >= 1 && share >= PAUSED.value;
    if !often && !hurts || promoted < PROMOTED.value || died < DIED.value || share < 0.01 {
        return None;
    }
    let places = allocators(facts, |_| true).top(facts);
    let allocated =
        named(&places).map_or_else(String::new, |name| format!(" (most bytes are allocated in {name})"));
    let title = format!(
        "Objects die soon after they reach generation 2{allocated}: {}/s get there, and {} of that is garbage. This \
         causes {} generation 2 collections per second",
        bytes(promoted),
        percent(died.min(1.0)),
        said(rate)
    );
    let sql = "select number, generation, type, reason, start_ns, pause_ns / 1e6 as pause_ms, promoted_bytes / 1e6 as promoted_mb, \
               gen2_bytes / 1e6 as gen2_mb from gc where generation >= 1 order by start_ns limit 200";
    let times = rows(facts).filter(|row| row.generation >= 1).map(|row| row.start_ns);
    // It decides only if the collections are few.
    let paused = PAUSED.measured(share);
    let paused = Measured { threshold: paused.threshold.filter(|_| !often), ..paused };
    Some(Found {
        title,
        severity: if share >= 0.2 { Severity::Critical } else { Severity::Warning },
        harms: vec![Harm::Share(share), Harm::Beyond { value: promoted, harmless: PROMOTED.value }],
        sure: Sure::Seen,
        measured: vec![
            RATE.measured(rate),
            paused,
            PROMOTED.measured(promoted),
            DIED.measured(died.min(1.0)),
        ],
        places,
        evidence: vec![EvidenceRows::of("gc", sql, times)],
    })
}

/// By how many bytes generation 2 grew and shrank, summed over all collections.
#[derive(Default)]
struct Generation2 {
    grew: f64,
    shrank: f64,
}

fn generation_2(facts: &Facts<'_>) -> Generation2 {
    let sizes: Vec<f64> = rows(facts).filter_map(|row| known(row.gen2_bytes)).map(real).collect();
    let steps = sizes.iter().zip(sizes.iter().skip(1)).map(|(from, to)| to - from);
    steps.fold(Generation2::default(), |sum, step| Generation2 {
        grew: sum.grew + step.max(0.0),
        shrank: sum.shrank - step.min(0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Full collections in ten seconds, between which generation 2 grows by so much and then falls to a part of it.
    fn scene(full: i64, reason: &str, grows: i64, stays: i64) -> Scene {
        let mut scene = Scene::new();
        scene.allocates(0, "Small", 1e6);
        let mut floor = 10_000_000;
        for at in 0..full {
            let top = floor + grows;
            scene.gc(at * 1000, "AllocSmall", |row| (row.generation, row.gen2_bytes) = (1, top));
            floor += stays;
            scene.gc(at * 1000 + 500, reason, |row| {
                (row.generation, row.gen2_bytes, row.pause_ns) = (2, floor, 60_000_000);
            });
        }
        scene
    }

    #[test]
    fn what_dies_in_generation_2_is_said_with_who_allocates() {
        assert_eq!(scene(5, "AllocSmall", 50_000_000, 0).says(&RULE), says(Severity::Warning, CART));
    }

    #[test]
    fn pauses_do_not_hide_what_dies_in_generation_2_where_one_full_collection_shows_it() {
        let scene = |pause_ms: i64| {
            let mut scene = Scene::new();
            scene.allocates(0, "Small", 1e6);
            for at in 0..20 {
                let full = at == 15;
                let size = if full { 10_000_000 } else { 10_000_000 + at % 16 * 20_000_000 };
                scene.gc(at * 500, "AllocSmall", |row| {
                    (row.generation, row.gen2_bytes) = (1 + i64::from(full), size);
                    row.pause_ns = pause_ms * 1_000_000;
                });
            }
            scene
        };
        assert_eq!(scene(60).says(&RULE), says(Severity::Warning, CART));
        // One full collection that does not hurt is an event.
        assert_eq!(scene(5).says(&RULE), None);
    }

    #[test]
    fn growth_few_collections_and_those_for_other_reasons_are_no_churn() {
        let check = |scene: Scene, speaks| assert_eq!(scene.says(&RULE).is_some(), speaks);
        check(scene(5, "AllocSmall", 50_000_000, 40_000_000), false);
        check(scene(5, "AllocSmall", 50_000_000, 25_000_000), true);
        check(scene(1, "AllocSmall", 400_000_000, 0), false);
        check(scene(5, "AllocLarge", 50_000_000, 0), false);
        check(scene(5, "Induced", 50_000_000, 0), false);
        check(scene(5, "AllocSmall", 1_000_000, 0), false);
    }
}
