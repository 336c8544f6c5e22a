//! Large objects that are allocated often.

use crate::facts::{Facts, bytes, count, percent, said};
use crate::gcfacts::{allocated, allocators, most_allocated, pause_share, rows};
use crate::need::Need;
use crate::places::{Verb, subject};
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::{AllocationRow, GcRow};
use report::{EvidenceRows, Severity, View};

const RATE: Threshold = Threshold {
    name: "generation 2 collections for large objects, per second",
    value: 0.3,
    unit: "1/s",
    source: "our judgement: one in three seconds; services that keep their large objects have none",
};

const BYTES: Threshold = Threshold {
    name: "large objects allocated per second",
    value: 60e6,
    unit: "B/s",
    source: "each byte is cleared first; measured: 75 MB/s to 2 GB/s in services that churn. This or the next is enough",
};
const SHARE: Threshold = Threshold {
    name: "share of the time that these collections paused the program",
    value: 0.03,
    unit: "share",
    source: "background collections cost little but the CPU core that they run on",
};

pub(super) const RULE: Rule = Rule {
    id: "loh-churn",
    about: "large objects are allocated often, which triggers generation 2 collections",
    needs: &[Need::Gc],
    thresholds: &[RATE, BYTES, SHARE],
    silent: "if large objects are allocated once and kept, or if the collections cost next to nothing",
    why: "An object of 85,000 bytes or more goes to the large object heap, which belongs to generation 2. Only a generation 2 collection frees \
          it, and each time the heap's budget is used up, one is triggered (reason AllocLarge). The memory is cleared before \
          use, and the heap is not compacted by default, so it also fragments.",
    tries: &[
        "Rent buffers: `ArrayPool<T>.Shared`, `RecyclableMemoryStream`; read and write in pieces (`PipeReader`, `IAsyncEnumerable`)",
        "Do not build large strings or arrays from a whole body: parse from the stream",
        "Create lists with a capacity: each doubling beyond 85 kB is one more large array",
    ],
    verify: "Record the same load again: no collection has the reason `AllocLarge`, and `allocations` of kind `Large` become rare.",
    places_of: "the allocated bytes",
    view: View {
        shows: "what allocates the large objects",
        lane: "gc",
        tab: "/stacks",
        metric: Some("allocated-bytes"),
    },
    before: &["gc-pauses", "gc-gen2-churn", "high-allocation-rate"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let for_large = |row: &GcRow| {
        row.generation == 2
            && facts.text(row.reason).contains("Large")
            && !facts.text(row.reason).starts_with("Induced")
    };
    let times: Vec<i64> = rows(facts).filter(for_large).map(|row| row.start_ns).collect();
    let rate = count(times.len()) / facts.seconds();
    if times.len() < 2 || rate < RATE.value {
        return None;
    }
    // Objects of the pinned object heap use up budgets of generation 2 too.
    let large = |row: &AllocationRow| matches!(facts.text(row.kind), "Large" | "Pinned");
    let a_second = allocated(facts, large) / facts.seconds();
    let share = pause_share(facts, for_large);
    if a_second < BYTES.value && share < SHARE.value {
        return None;
    }
    let places = allocators(facts, large).top(facts);
    let of_type =
        most_allocated(facts, large).map_or_else(String::new, |(class, _)| format!(", mostly {class}"));
    let allocates = Verb { singular: "allocates", plural: "allocate" };
    let who = subject(&places, allocates).unwrap_or_else(|| "The program allocates".to_owned());
    let title = format!(
        "{who} large objects{of_type}, which trigger {} generation 2 collections per second: {}/s are allocated",
        said(rate),
        bytes(a_second)
    );
    let sql = "select number, type, reason, start_ns, pause_ns / 1e6 as pause_ms, loh_bytes / 1e6 as loh_mb from gc \
               where generation = 2 and reason like '%Large%' order by start_ns limit 200";
    let mut evidence = vec![EvidenceRows::of("gc", sql, times.into_iter())];
    let rows = &facts.recording.allocations;
    let sampled: Vec<i64> =
        (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)).filter(large).map(|row| row.ts_ns).collect();
    if !sampled.is_empty() {
        let sql = "select type, count(*) as samples, sum(weight_bytes) / 1e6 as mb, avg(bytes) as mean_bytes from allocations \
                   where kind in ('Large', 'Pinned') group by 1 order by 3 desc limit 20";
        evidence.push(EvidenceRows::of("allocations", sql, sampled.into_iter()));
    }
    let measured = vec![RATE.measured(rate), BYTES.measured(a_second), SHARE.measured(share)];
    let title = if share >= 0.05 {
        format!("{title}, and the collections pause the program {} of the time", percent(share))
    } else {
        title
    };
    Some(Found {
        title,
        severity: if share >= 0.15 { Severity::Critical } else { Severity::Warning },
        harms: vec![Harm::Share(share), Harm::Beyond { value: a_second, harmless: BYTES.value }],
        sure: Sure::Seen,
        measured,
        places,
        evidence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Full collections in ten seconds, and megabytes of large objects per second.
    fn scene(full: i64, pause_ms: i64, megabytes: f64) -> Scene {
        let mut scene = Scene::new();
        for at in 0..full {
            scene.gc(at * 100, "AllocLarge", |row| {
                (row.generation, row.pause_ns) = (2, pause_ms * 1_000_000);
            });
        }
        scene.allocates(0, "Large", megabytes * 1e7);
        scene
    }

    #[test]
    fn large_objects_that_trigger_full_collections_are_said_with_who_makes_them() {
        assert_eq!(scene(20, 1, 100.0).says(&RULE), says(Severity::Warning, CART));
        assert_eq!(scene(20, 100, 100.0).says(&RULE), says(Severity::Critical, CART));
    }

    #[test]
    fn buffers_that_are_kept_and_collections_that_cost_nothing_are_no_churn() {
        let check = |full, pause_ms, megabytes, speaks| {
            let is = scene(full, pause_ms, megabytes).says(&RULE).is_some();
            assert_eq!(is, speaks, "{full} {pause_ms} {megabytes}");
        };
        check(1, 100, 500.0, false);
        check(20, 1, 50.0, false);
        check(20, 1, 61.0, true);
        check(20, 16, 50.0, true);
    }
}
