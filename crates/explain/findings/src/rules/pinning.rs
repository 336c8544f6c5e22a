//! Pinned objects that the GC cannot move.

use crate::facts::{Facts, count, known, real, said};
use crate::gcfacts::{allocators, rows};
use crate::need::Need;
use crate::places::named;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use base::stats::{Share, select};
use model::GcRow;
use report::{EvidenceRows, Measured, Severity, View};

const PINNED: Threshold = Threshold {
    name: "pinned objects per collection, median",
    value: 100.0,
    unit: "",
    source: "measured: 0 to 3 in healthy services (Kestrel's buffers are in the pinned object heap), 500 with buffers that stay pinned",
};
const RATE: Threshold = Threshold {
    name: "collections with that many pinned objects, per second",
    value: 0.5,
    unit: "1/s",
    source: "pins only matter when a collection meets them",
};

/// Fewer such collections prove nothing.
const FEWEST: usize = 3;

pub(super) const RULE: Rule = Rule {
    id: "pinning",
    about: "pinned objects fragment the heap",
    needs: &[Need::Gc],
    thresholds: &[PINNED, RATE],
    silent: "for the few pins of sockets and files, and for objects in the pinned object heap",
    why: "The GC compacts the heap by moving live objects together. A pinned object (`GCHandle` of type Pinned, `fixed` across a call, \
          an overlapped buffer) cannot move: the space around it stays fragmented, generation 0 keeps whole regions for a few bytes, and \
          the heap grows although little is alive.",
    tries: &[
        "Allocate buffers that will be pinned in the pinned object heap: `GC.AllocateArray<byte>(size, pinned: true)`, once, and reuse them",
        "Pin for a shorter time: `fixed` around the call instead of a `GCHandle` in a field",
        "Pass pooled `Memory<byte>` to `Socket` and `Stream`; they pin it only while the kernel uses it",
    ],
    verify: "Record the same load again: `pinned_objects` in `gc`.",
    places_of: "the allocated bytes",
    view: View { shows: "the collections with pinned objects", lane: "heap", tab: "/gc", metric: None },
    before: &["gc-pauses"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let mut pinned: Vec<f64> = rows(facts).filter_map(|row| known(row.pinned_objects)).map(real).collect();
    let median = select(&mut pinned, Share::MEDIAN, f64::total_cmp)?;
    let meets = |row: &GcRow| known(row.pinned_objects).is_some_and(|pins| real(pins) >= PINNED.value);
    let times: Vec<i64> = rows(facts).filter(meets).map(|row| row.start_ns).collect();
    let rate = count(times.len()) / facts.seconds();
    if median < PINNED.value || rate < RATE.value || times.len() < FEWEST {
        return None;
    }
    let places = allocators(facts, |_| true).top(facts);
    let title = format!(
        "Each collection meets {} pinned objects that it cannot move, {} times per second{}",
        said(median),
        said(rate),
        named(&places).map_or_else(String::new, |name| format!("; most bytes are allocated in {name}"))
    );
    let sql = "select number, generation, start_ns, pinned_objects, heap_after_bytes / 1e6 as heap_after_mb, promoted_bytes / 1e6 as promoted_mb \
               from gc where pinned_objects is not null order by pinned_objects desc limit 50";
    let survived: f64 =
        rows(facts).filter(meets).filter_map(|row| known(row.promoted_bytes)).map(real).sum::<f64>();
    let each = survived / count(times.len()).max(1.0);
    Some(Found {
        title,
        severity: Severity::Warning,
        harms: vec![Harm::Beyond { value: median, harmless: PINNED.value }],
        sure: Sure::Seen,
        measured: vec![
            PINNED.measured(median),
            RATE.measured(rate),
            Measured {
                name: "bytes that survive each of these collections",
                value: each,
                unit: "B",
                threshold: None,
            },
        ],
        places,
        evidence: vec![EvidenceRows::of("gc", sql, times.into_iter())],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Collections that meet so many pinned objects each.
    fn scene(collections: i64, pinned: i64) -> Scene {
        let mut scene = Scene::new();
        scene.allocates(0, "Small", 1e6);
        (0..collections).for_each(|at| scene.gc(at * 100, "AllocSmall", |row| row.pinned_objects = pinned));
        scene
    }

    #[test]
    fn collections_full_of_pins_are_said_with_who_allocates() {
        assert_eq!(scene(10, 500).says(&RULE), says(Severity::Warning, CART));
    }

    #[test]
    fn the_pins_of_sockets_and_those_of_a_moment_are_ordinary() {
        let check = |collections, pinned, speaks| {
            let is = scene(collections, pinned).says(&RULE).is_some();
            assert_eq!(is, speaks, "{collections} with {pinned}");
        };
        check(100, 30, false);
        check(100, 100, true);
        check(4, 500, false);
        check(5, 500, true);
        let mut second = Scene::lasting(1, 2);
        second.gc(0, "AllocSmall", |row| row.pinned_objects = 500);
        assert_eq!(second.says(&RULE), None);
    }
}
