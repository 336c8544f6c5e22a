//! A start that spends its time on compiling.

use crate::facts::{Facts, count, percent, real, said};
use crate::need::Need;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::JitRow;
use report::{EvidenceRows, Measured, Severity, View};
use rustc_hash::FxHashMap;

const COMPILING: Threshold = Threshold {
    name: "time that the service's threads spend compiling in the first 15 s of the process",
    value: 1.0,
    unit: "s",
    source: "measured: 0.5 s in an ordinary start of an ASP.NET Core service, 2.2 s in the same without precompiled code",
};
const SHARE: Threshold = Threshold {
    name: "this time, as a share of these seconds",
    value: 0.25,
    unit: "share",
    source: "our judgement: with less, other work decides how long the start takes",
};
/// A start is no longer than this.
const START_NS: i64 = 15_000_000_000;

pub(super) const RULE: Rule = Rule {
    id: "startup-jit",
    about: "the start spends its time on compiling; above a `note` only if the recording contains the start of the process (a service \
            under its first load compiles for seconds in any recording)",
    needs: &[Need::Jit],
    thresholds: &[COMPILING, SHARE],
    silent: "if the recording began after the process did, and for background compilation by tiering",
    why: "A method without precompiled code is compiled when it is first called, on the calling thread. The framework is precompiled \
          (ReadyToRun); an application is only if it was published so. Without precompiled code (`DOTNET_ReadyToRun=0`), with \
          profilers that rewrite code, and in Debug builds, everything is compiled at each start.",
    tries: &[
        "Publish with `PublishReadyToRun`, or Native AOT for small services",
        "Check the environment: `DOTNET_ReadyToRun`, `DOTNET_TieredCompilation`, `DOTNET_TC_QuickJit` at their defaults; no profiler attached that disables precompiled code",
        "Do less before the first answer: fewer assemblies scanned, lazy singletons",
    ],
    verify: "Record the start again (`casebook record --profile startup -- COMMAND`): `jit` has fewer rows before the first request.",
    places_of: "the samples that show it",
    view: View {
        shows: "what is compiled at the start",
        lane: "jit",
        tab: "/stacks",
        metric: Some("jit-time"),
    },
    before: &[],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let started = process_start(facts)?;
    let in_start = |row: &JitRow| row.ts_ns.saturating_sub(started) <= START_NS;
    let kinds: FxHashMap<i64, &str> = {
        let threads = &facts.recording.threads;
        threads.thread.iter().zip(&threads.kind).map(|(id, kind)| (*id, facts.text(*kind))).collect()
    };
    let background = |row: &JitRow| {
        let id = facts.recording.thread_ids.get(row.thread);
        id.and_then(|id| kinds.get(id)).is_some_and(|kind| *kind == "tiering")
    };
    let jit = &facts.recording.jit;
    let rows: Vec<JitRow> = (0..jit.ts_ns.len())
        .filter_map(|at| jit.row(at))
        .filter(|row| in_start(row) && !background(row))
        .collect();
    let compiling: f64 = rows.iter().filter_map(|row| facts.lasted(row.dur_ns)).map(|ns| ns / 1e9).sum();
    let length = real(facts.recording.exhibit.duration_ns.saturating_sub(started).min(START_NS)) / 1e9;
    let share = (compiling / length.max(0.1)).min(1.0);
    let methods = count(rows.len());
    let hurts = compiling >= COMPILING.value && share >= SHARE.value;
    if !hurts && (methods < 100.0 || compiling < 0.2) {
        return None;
    }
    let title = format!(
        "Compiling {} methods took {} s in the first {} s of the process ({}, over all threads and including waits for a CPU core)",
        said(methods),
        said(compiling),
        said(length),
        percent(share)
    );
    let sql = "select tier, count(*) as methods, sum(dur_ns) / 1e6 as compiling_ms, min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns \
               from jit group by 1 order by 2 desc";
    let number = Measured { name: "methods compiled", value: methods, unit: "", threshold: None };
    Some(Found {
        title,
        severity: if hurts { Severity::Warning } else { Severity::Note },
        harms: vec![Harm::Share(share)],
        sure: Sure::Seen,
        measured: vec![COMPILING.measured(compiling), SHARE.measured(share), number],
        places: Vec::new(),
        evidence: vec![EvidenceRows::of("jit", sql, rows.iter().map(|row| row.ts_ns))],
    })
}

/// When the process began, if that was recorded: the runtime describes itself then, and again in a rundown.
fn process_start(facts: &Facts<'_>) -> Option<i64> {
    let events = &facts.recording.events;
    let kind = events.kind_name.iter_with_ids().zip(&events.kind_provider).find(|((_, name), provider)| {
        facts.text(**name) == "Runtime/Start" && facts.text(**provider) == "Microsoft-Windows-DotNETRuntime"
    });
    let ((kind, _), _) = kind?;
    let at = events.kind.iter().position(|of| *of == kind)?;
    events.ts_ns.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// A start with so many methods compiled for 10 ms each, on a thread of a kind.
    fn scene(methods: i64, kind: &str, started: bool) -> Scene {
        let mut scene = Scene::new();
        if started {
            scene.event(100, RUNTIME, "Runtime/Start", 0.into(), &[]);
        }
        let thread = scene.thread(kind);
        (0..methods).for_each(|at| scene.compiles(thread, 200 + at, 10, "Shop.Cart.Total()", "QuickJitted"));
        scene
    }

    #[test]
    fn a_start_that_compiles_is_said() {
        assert_eq!(scene(300, "main", true).says(&RULE), says(Severity::Warning, ""));
    }

    #[test]
    fn an_ordinary_start_is_a_note_and_a_service_under_its_first_load_did_not_start() {
        assert_eq!(scene(150, "main", true).says(&RULE), says(Severity::Note, ""));
        assert_eq!(scene(300, "main", false).says(&RULE), None);
        assert_eq!(scene(300, "tiering", true).says(&RULE), None);
        assert_eq!(scene(90, "main", true).says(&RULE), None);
    }
}
