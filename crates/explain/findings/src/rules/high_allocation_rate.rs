//! Allocation that keeps the GC busy.

use crate::facts::{Facts, bytes, count, percent, said};
use crate::gcfacts::{allocated, allocators, is_induced, most_allocated, pause_share, rows};
use crate::need::Need;
use crate::places::in_place;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use report::{EvidenceRows, Measured, Severity, View};

const RATE: Threshold = Threshold {
    name: "bytes of small objects allocated per second and CPU core",
    value: 150e6,
    unit: "B/s",
    source: "measured on 2 cores: up to 90 MB/s per core in saturated healthy services, 210 and more in those that allocate needlessly",
};
const COLLECTIONS: Threshold = Threshold {
    name: "collections per second, not counting induced ones and those for large objects",
    value: 10.0,
    unit: "1/s",
    source: "fewer collections cost little, however much is allocated: a batch with 550 MB/s and 6.6 per second was paused 0.3 % of the time",
};

const EACH_REQUEST: Threshold = Threshold {
    name: "bytes of small objects per request",
    value: 40e3,
    unit: "B",
    source: "measured: 19 kB for a healthy JSON route that answers 24,000 requests per second, 69 kB and more for routes that allocate needlessly",
};
/// From this rate per CPU core on, it is worth a note if requests allocate more than usual.
const NOTABLE: f64 = 30e6;
/// Bytes per request that stand out.
const STANDS_OUT: f64 = 100e3;
/// Pauses for this share of the time are harm, however little a request allocates.
const MAX_PAUSES: f64 = 0.1;

pub(super) const RULE: Rule = Rule {
    id: "high-allocation-rate",
    about: "the allocation rate causes collections; names types and callers",
    needs: &[Need::Allocations],
    thresholds: &[RATE, COLLECTIONS, EACH_REQUEST],
    silent: "if most of it is large objects (`loh-churn`). A note if the GC still has little to do, if there are many requests \
             that allocate little each, or if requests allocate much but at a rate that the GC can bear",
    why: "Each thread allocates from its own 8 kB by moving a pointer; when the budget of generation 0 is used up, a collection runs. \
          Freeing garbage costs nothing, but the memory is cleared and loaded into the CPU caches again and again, and whatever \
          is alive at a collection is copied.",
    tries: &[
        "Look at the types and callers below: strings and arrays from splitting and concatenating, LINQ and closures in hot paths, boxing",
        "`Span<T>` and `Utf8JsonReader` instead of substrings, `string.Create`, `StringBuilder` pooled, structs for short-lived values",
        "`ArrayPool<T>.Shared` for buffers",
    ],
    verify: "Record the same load again: `allocation.rate` in `metrics`, per request.",
    places_of: "the allocated bytes",
    view: View {
        shows: "what allocates the memory",
        lane: "allocation",
        tab: "/stacks",
        metric: Some("allocated-bytes"),
    },
    before: &["gc-pauses"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let small = |row: &model::AllocationRow| facts.text(row.kind) != "Large";
    let a_second = allocated(facts, small) / facts.seconds();
    let each = a_second / facts.cores;
    // Large objects and calls of the program have their own collections (`loh-churn`, `gc-induced`).
    let for_these =
        rows(facts).filter(|row| !is_induced(facts, row) && facts.text(row.reason) != "AllocLarge");
    let collections = count(for_these.count()) / facts.seconds();
    let of_one = facts.per_request(a_second);
    let stands_out = each >= NOTABLE && of_one.is_some_and(|of_one| of_one >= STANDS_OUT);
    if each < RATE.value && !stands_out {
        return None;
    }
    let share = pause_share(facts, |_| true);
    let places = allocators(facts, small).top(facts);
    let of_type = most_allocated(facts, small)
        .map_or_else(String::new, |(class, of)| format!(", {} of them {class}", percent(of)));
    let title = format!(
        "Small objects are allocated at {}/s{}{of_type}: {} collections per second",
        bytes(a_second),
        in_place(&places),
        said(collections)
    );
    let sql = "select type, kind, count(*) as samples, sum(weight_bytes) / 1e6 as mb from allocations group by 1, 2 order by 4 desc limit 20";
    let times = facts.recording.allocations.ts_ns.iter().copied();
    let mut measured = vec![RATE.measured(each), COLLECTIONS.measured(collections)];
    measured.push(Measured {
        name: "share of the time that the GC paused the program",
        value: share,
        unit: "share",
        threshold: None,
    });
    measured.extend(of_one.map(|of_one| EACH_REQUEST.measured(of_one)));
    // Many requests that allocate little each: the rate is high because the service is busy.
    let follows = of_one.is_some_and(|of_one| of_one < EACH_REQUEST.value) && share < MAX_PAUSES;
    Some(Found {
        title,
        severity: if each < RATE.value || collections < COLLECTIONS.value || follows {
            Severity::Note
        } else {
            Severity::Warning
        },
        harms: vec![Harm::Share(share), Harm::Beyond { value: each, harmless: RATE.value }],
        // Whether fewer allocations would shorten the pauses depends on what survives.
        sure: Sure::Inferred,
        measured,
        places,
        evidence: vec![EvidenceRows::of("allocations", sql, times)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Megabytes allocated and collections per second, on two CPU cores.
    fn scene(megabytes: f64, kind: &str, collections: i64) -> Scene {
        let mut scene = Scene::new();
        scene.allocates(0, kind, megabytes * 1e7);
        (0..collections * 10).for_each(|at| scene.gc(at, "AllocSmall", |_| {}));
        scene
    }

    #[test]
    fn allocation_that_keeps_the_collector_busy_is_said_with_who_allocates() {
        assert_eq!(scene(400.0, "Small", 20).says(&RULE), says(Severity::Warning, CART));
    }

    #[test]
    fn a_batch_with_few_collections_large_objects_and_a_healthy_load_are_no_trouble() {
        let check = |megabytes, kind, collections, speaks| {
            let said = scene(megabytes, kind, collections).says(&RULE);
            let is = said.is_some_and(|(severity, _)| severity > Severity::Note);
            assert_eq!(is, speaks, "{megabytes} {kind} {collections}");
        };
        check(180.0, "Small", 20, false);
        check(310.0, "Small", 20, true);
        check(550.0, "Small", 6, false);
        check(550.0, "Large", 20, false);
    }

    #[test]
    fn collections_that_large_objects_trigger_are_not_put_down_to_small_ones() {
        let mut scene = scene(400.0, "Small", 2);
        (0..1_200).for_each(|at| scene.gc(at, "AllocLarge", |_| {}));
        let recording = scene.done();
        let index = runtime::StackIndex::new(&recording);
        let found = check(&Facts::new(&recording, &index)).unwrap();
        assert_eq!(found.severity, Severity::Note);
        assert!(found.title.starts_with("Small objects are allocated at 400 MB/s"), "{}", found.title);
        assert!(found.title.ends_with(": 2 collections per second"), "{}", found.title);
    }

    #[test]
    fn requests_that_allocate_much_are_worth_a_note_at_any_rate() {
        let check = |megabytes, requests, expected| {
            let mut scene = scene(megabytes, "Small", 5);
            scene.meter("http.server.request.duration", requests, 1.0, "");
            assert_eq!(scene.says(&RULE).map(|(severity, _)| severity), expected, "{requests} requests");
        };
        check(251.0, 9_000.0, Some(Severity::Note));
        check(251.0, 90_000.0, None);
        check(20.0, 100.0, None);
    }

    #[test]
    fn many_requests_that_each_allocate_little_are_a_busy_service() {
        let check = |requests, speaks| {
            let mut scene = scene(400.0, "Small", 20);
            scene.meter("http.server.request.duration", requests, 1.0, "");
            let said = scene.says(&RULE);
            let is = said.is_some_and(|(severity, _)| severity > Severity::Note);
            assert_eq!(is, speaks, "{requests} requests");
        };
        check(200_000.0, false);
        check(50_000.0, true);
    }
}
