//! The program itself calls for collections.

use crate::facts::{Facts, percent, real_u64, said, wide};
use crate::gcfacts::{is_called_for, pause_share, rows};
use crate::need::Need;
use crate::places::{Places, in_place};
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::{ByKind, ThreadId};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::Marks;

const RATE: Threshold = Threshold {
    name: "induced collections (GC.Collect) per second",
    value: 0.3,
    unit: "1/s",
    source: "our judgement: no service has a reason for more than one every few seconds. One of the two is enough",
};
const SHARE: Threshold = Threshold {
    name: "share of the time that they paused the program",
    value: 0.02,
    unit: "share",
    source: "shorter pauses do not stand out from those of an ordinary service",
};
/// Fewer may come from a test, a snapshot or a schedule.
const FEW: u64 = 3;

pub(super) const RULE: Rule = Rule {
    id: "gc-induced",
    about: "`GC.Collect` calls cause collections; names their caller",
    needs: &[Need::Gc],
    thresholds: &[RATE, SHARE],
    silent: "if the runtime itself asks for collections: when the machine is short of memory, or when many threads have ended \
             (reason InducedNotForced without a method of `System.GC` in the stack). One or two calls are a note: a heap snapshot or a \
             schedule",
    why: "`GC.Collect()` is a blocking collection of all generations: it marks everything that lives, whether there is garbage or \
          not. What survives is one generation older after each call, so short-lived objects end up in generation 2. The GC itself \
          chooses when to collect which generation by how much survives; a call overrides that.",
    tries: &[
        "Remove the call. What it was meant to free is freed when memory is needed",
        "If a phase has truly ended, once: `GC.Collect(2, GCCollectionMode.Optimized, blocking: false)`",
        "For native memory behind small objects: `GC.AddMemoryPressure`, or dispose of them",
    ],
    verify: "Record the same load again: no row of `gc` has a reason that begins with `Induced`.",
    places_of: "the calls for a collection",
    view: View {
        shows: "what induces the collections",
        lane: "gc",
        tab: "/stacks",
        metric: Some("collections"),
    },
    before: &[
        "gc-pauses",
        "gc-gen2-churn",
        "finalizer-backlog",
        "cpu-hot-path",
        "heap-growth",
        "sync-over-async",
    ],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let induced: Vec<_> = rows(facts).filter(|row| is_called_for(facts, row)).collect();
    let number = wide(induced.len());
    if number == 0 {
        return None;
    }
    let rate = real_u64(number) / facts.seconds();
    let share = pause_share(facts, |row| is_called_for(facts, row));
    let hurts = number >= FEW && (rate >= RATE.value || share >= SHARE.value);
    let mut places = Places::default();
    let triggers = triggers(facts);
    for row in &induced {
        // The stack is of the thread that called; the collection may run on another.
        let after = triggers.partition_point(|(ts_ns, _)| *ts_ns <= row.start_ns);
        let (ts_ns, thread) = after
            .checked_sub(1)
            .and_then(|at| triggers.get(at))
            .copied()
            .unwrap_or((row.start_ns, row.thread));
        places.add(facts, row.stack, thread, ts_ns, 1.0);
    }
    if places.is_empty() {
        places = facts.places(|group| facts.index.marks(group.stack).has(Marks::COLLECT));
    }
    let places = places.top(facts);
    let title = match number {
        1 => format!("The program induced one garbage collection{}", in_place(&places)),
        _ => format!(
            "The program induces {} garbage collections per second{}, which pause it {} of the time",
            said(rate),
            in_place(&places),
            percent(share)
        ),
    };
    let sql = "with recursive called(id) as (select stacks.id from stacks join frames on frames.id = stacks.frame \
               where frames.type = 'System.GC' union select stacks.id from stacks join called on stacks.parent = called.id) \
               select number, generation, reason, start_ns, pause_ns / 1e6 as pause_ms, thread, stack from gc \
               where reason like 'Induced%' and (reason <> 'InducedNotForced' or stack in (select id from called)) \
               order by start_ns limit 200";
    let total = Measured { name: "induced collections", value: real_u64(number), unit: "", threshold: None };
    let severity = match () {
        () if !hurts => Severity::Note,
        () if share >= 0.2 => Severity::Critical,
        () => Severity::Warning,
    };
    Some(Found {
        title,
        severity,
        harms: vec![Harm::Share(share), Harm::Beyond { value: rate, harmless: RATE.value }],
        sure: Sure::Seen,
        measured: vec![RATE.measured(rate), SHARE.measured(share), total],
        places,
        evidence: vec![EvidenceRows::of("gc", sql, induced.iter().map(|row| row.start_ns))],
    })
}

/// The time and the thread of each trigger of a collection.
fn triggers(facts: &Facts<'_>) -> Vec<(i64, ThreadId)> {
    let events = &facts.recording.events;
    let kinds: ByKind<bool> =
        events.kind_name.iter().map(|name| facts.text(*name) == "GC/Triggered").collect();
    if !kinds.contains(&true) {
        return Vec::new();
    }
    let rows = events.ts_ns.iter().zip(&events.thread).zip(&events.kind);
    rows.filter(|(_, kind)| kinds.get(**kind) == Some(&true))
        .map(|((ts_ns, thread), _)| (*ts_ns, *thread))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// So many calls in ten seconds, each of which stops the program for so long.
    fn scene(calls: i64, ms: i64) -> Scene {
        lasting(10, calls, ms)
    }

    fn lasting(seconds: i64, calls: i64, ms: i64) -> Scene {
        let mut scene = Scene::lasting(seconds, 2);
        for at in 0..calls {
            let stack = scene.stack(&[WORK, CART, "System.Private.CoreLib!System.GC.Collect"]);
            scene.gc(at * 100, "Induced", |row| (row.pause_ns, row.stack) = (ms * 1_000_000, stack));
        }
        scene
    }

    #[test]
    fn calls_for_collections_are_said_with_the_caller() {
        assert_eq!(scene(10, 5).says(&RULE), says(Severity::Warning, CART));
        assert_eq!(scene(10, 250).says(&RULE), says(Severity::Critical, CART));
    }

    #[test]
    fn a_schedule_is_a_note_and_the_collectors_own_choice_is_nothing() {
        assert_eq!(scene(2, 200).says(&RULE), says(Severity::Note, CART));
        assert_eq!(scene(3, 5).says(&RULE), says(Severity::Warning, CART));
        assert_eq!(lasting(60, 12, 5).says(&RULE), says(Severity::Note, CART));
        assert_eq!(lasting(60, 20, 5).says(&RULE), says(Severity::Warning, CART));
        let mut own = Scene::new();
        (0..10).for_each(|at| own.gc(at, "LowMemory", |row| row.pause_ns = 50_000_000));
        assert_eq!(own.says(&RULE), None);
    }

    #[test]
    fn a_program_whose_threads_end_is_not_blamed_for_the_collections_that_the_runtime_asks_for() {
        let check = |inner: &str, speaks| {
            let mut scene = Scene::new();
            let stack = scene.stack(&[WORK, CART, inner]);
            (0..10).for_each(|at| scene.gc(at * 100, "InducedNotForced", |row| row.stack = stack));
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{inner}");
        };
        check("System.Private.CoreLib!System.Threading.Thread.Start", false);
        check("System.Private.CoreLib!System.GC.Collect", true);
        check("System.Private.CoreLib!System.GC.AddMemoryPressure", true);
    }
}
