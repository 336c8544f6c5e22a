//! Settings that matter.

use crate::facts::{Facts, count, percent, said};
use crate::gcfacts::pause_share;
use crate::need::Need;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::JitRow;
use report::{EvidenceRows, Measured, Severity, View};

const UNOPTIMISED: Threshold = Threshold {
    name: "share of the service's own compiled methods that the JIT must not optimise",
    value: 0.5,
    unit: "share",
    source: "all methods of a Debug build are marked so, and none of a Release build",
};
const UNTIERED: Threshold = Threshold {
    name: "share of compiled methods that were optimised at once",
    value: 0.95,
    unit: "share",
    source: "with tiered compilation nine in ten begin without optimisation; only dynamic methods and some with loops do not",
};
const PAUSED: Threshold = Threshold {
    name: "share of the time that a workstation GC paused the program",
    value: 0.05,
    unit: "share",
    source: "as in `gc-pauses`; with four CPU cores and more, Server GC collects in parallel",
};
/// Fewer methods of the service are too few to recognise a Debug build.
const OWN: usize = 20;
/// Fewer compiled methods are too few to recognise the setting. Without tiered compilation a recording has few, as nothing is
/// compiled again. With it, no more than one in a thousand was optimised at once.
const ALL: usize = 40;
/// Server GC needs this many CPU cores to be worth it.
const CORES: f64 = 4.0;

pub(super) const RULE: Rule = Rule {
    id: "startup-config",
    about: "a setting that matters: Debug build, Workstation GC with many cores, tiered compilation off; a `note`, unless the \
            same recording shows its harm",
    needs: &[Need::Jit, Need::Gc],
    thresholds: &[UNOPTIMISED, UNTIERED, PAUSED],
    silent: "if few methods were compiled while recording, and for settings that are not in the recording",
    why: "An assembly of a Debug build has an attribute that keeps the JIT from optimising it (tier MinOptJitted), and tiered \
          compilation never replaces such code. With tiered compilation off, each method is compiled with full optimisation before it \
          first runs, so a start takes longer, and nothing is compiled again with what was learnt from running it (dynamic PGO). \
          Workstation GC collects with one thread, Server GC with one per CPU core.",
    tries: &[
        "Publish with `-c Release`",
        "Leave `DOTNET_TieredCompilation`, `DOTNET_TieredPGO` and `DOTNET_TC_QuickJit` at their defaults",
        "`<ServerGarbageCollection>true</ServerGarbageCollection>` if the service has four CPU cores or more for itself",
    ],
    verify: "Record again: the tiers in `jit`, and `gc.pause.share` in `metrics`.",
    places_of: "the samples that show it",
    view: View { shows: "the settings", lane: "jit", tab: "/sql", metric: None },
    before: &[],
    absorbs: &[],
    check,
};

/// Whether it is a Debug build.
pub(crate) fn is_debug_build(facts: &Facts<'_>) -> bool {
    is_remarked(facts, build)
}

/// Whether methods are optimised at once.
pub(crate) fn is_untiered(facts: &Facts<'_>) -> bool {
    is_remarked(facts, tiering)
}

/// Whether a workstation GC has too much to do.
pub(crate) fn is_workstation_gc(facts: &Facts<'_>) -> bool {
    is_remarked(facts, workstation_gc)
}

fn is_remarked(facts: &Facts<'_>, look: fn(&Facts<'_>, &mut Remarks)) -> bool {
    let mut remarks = Remarks::default();
    look(facts, &mut remarks);
    !remarks.titles.is_empty()
}

#[derive(Default)]
struct Remarks {
    titles: Vec<String>,
    measured: Vec<Measured>,
    evidence: Vec<EvidenceRows>,
    harms: Vec<Harm>,
    /// Whether the recording shows the harm of one of them, and `harms` is only that.
    hurts: bool,
}

fn check(facts: &Facts<'_>) -> Option<Found> {
    let mut remarks = Remarks::default();
    build(facts, &mut remarks);
    tiering(facts, &mut remarks);
    workstation_gc(facts, &mut remarks);
    if remarks.titles.is_empty() {
        return None;
    }
    Some(Found {
        title: remarks.titles.join("; "),
        severity: if remarks.hurts { Severity::Warning } else { Severity::Note },
        harms: remarks.harms,
        sure: if remarks.hurts { Sure::Seen } else { Sure::Hint },
        measured: remarks.measured,
        places: Vec::new(),
        evidence: remarks.evidence,
    })
}

fn compiled<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = JitRow> + 'a {
    let jit = &facts.recording.jit;
    let rows = (0..jit.ts_ns.len()).filter_map(|at| jit.row(at));
    rows.filter(|row| !facts.text(row.method).contains("dynamicClass"))
}

fn build(facts: &Facts<'_>, remarks: &mut Remarks) {
    let framework = ["System.", "Microsoft.", "Anonymously Hosted", "Interop"];
    let own: Vec<JitRow> = compiled(facts)
        .filter(|row| !framework.iter().any(|start| facts.text(row.method).starts_with(start)))
        .collect();
    let unoptimised = own.iter().filter(|row| facts.text(row.tier) == "MinOptJitted").map(|row| row.ts_ns);
    let unoptimised: Vec<i64> = unoptimised.collect();
    let share = count(unoptimised.len()) / count(own.len()).max(1.0);
    if own.len() < OWN || share < UNOPTIMISED.value {
        return;
    }
    remarks.titles.push(format!(
        "The service runs a Debug build: {} of its own methods are compiled without optimisation",
        percent(share)
    ));
    remarks.harms.push(Harm::Share(share));
    remarks.measured.push(UNOPTIMISED.measured(share));
    let sql = "select method, tier, il_bytes, native_bytes from jit where tier = 'MinOptJitted' order by ts_ns limit 50";
    remarks.evidence.push(EvidenceRows::of("jit", sql, unoptimised.into_iter()));
}

fn tiering(facts: &Facts<'_>, remarks: &mut Remarks) {
    let rows: Vec<JitRow> = compiled(facts).filter(|row| facts.text(row.tier) != "ReadyToRun").collect();
    let optimised = rows.iter().filter(|row| facts.text(row.tier) == "Optimized").map(|row| row.ts_ns);
    let optimised: Vec<i64> = optimised.collect();
    let share = count(optimised.len()) / count(rows.len()).max(1.0);
    let least = if is_set_untiered(facts) { 1 } else { ALL };
    // Before .NET Core 3.0, off was the default.
    if rows.len() < least || share < UNTIERED.value || !facts.has_runtime(3) {
        return;
    }
    let all = if optimised.len() == rows.len() { "all".to_owned() } else { percent(share) };
    let number = said(count(rows.len()));
    remarks
        .titles
        .push(format!("Tiered compilation is off: {all} of {number} methods were optimised at once"));
    remarks.harms.push(Harm::Share(share));
    remarks.measured.push(UNTIERED.measured(share));
    let sql = "select tier, count(*) as methods, sum(dur_ns) / 1e6 as compiling_ms from jit group by 1 order by 2 desc";
    remarks.evidence.push(EvidenceRows::of("jit", sql, optimised.into_iter()));
}

/// Whether the service's environment turns tiered compilation off.
fn is_set_untiered(facts: &Facts<'_>) -> bool {
    let value = facts.recording.session.setting("TieredCompilation");
    // The runtime reads it as a hexadecimal number.
    value.is_some_and(|value| value.trim_start_matches("0x").chars().all(|digit| digit == '0'))
}

fn workstation_gc(facts: &Facts<'_>, remarks: &mut Remarks) {
    let share = pause_share(facts, |_| true);
    let workstation = facts.recording.session.server_gc == Some(false);
    if !workstation || facts.cores < CORES || share < PAUSED.value {
        return;
    }
    remarks.hurts = true;
    remarks.harms = vec![Harm::Share(share)];
    remarks.titles.push(format!(
        "Workstation GC pauses the service, which has {} CPU cores, {} of the time",
        said(facts.cores),
        percent(share)
    ));
    remarks.measured.push(PAUSED.measured(share));
    let sql = "select type, generation, count(*) as collections, sum(pause_ns) / 1e6 as paused_ms from gc group by 1, 2 order by 4 desc";
    remarks.evidence.push(EvidenceRows::of("gc", sql, facts.recording.gc.start_ns.iter().copied()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// So many methods compiled, and so many of them without optimisation.
    fn scene(methods: i64, unoptimised: i64, name: &str) -> Scene {
        let mut scene = Scene::new();
        for at in 0..methods {
            let tier = if at < unoptimised { "MinOptJitted" } else { "QuickJitted" };
            scene.compiles(0.into(), at, 1, name, tier);
        }
        scene
    }

    #[test]
    fn a_debug_build_is_a_note() {
        assert_eq!(scene(30, 30, "Shop.Cart.Total()").says(&RULE), says(Severity::Note, ""));
    }

    #[test]
    fn tiered_compilation_that_is_off_is_seen_though_it_leaves_few_methods_to_compile() {
        let check = |methods, tiered, set: Option<&str>, speaks| {
            let mut scene = Scene::new();
            for at in 0..methods {
                let tier = if at < tiered { "QuickJitted" } else { "Optimized" };
                scene.compiles(0.into(), at, 1, "System.Linq.Enumerable.Sum()", tier);
            }
            let setting = set.map(|value| ("DOTNET_TieredCompilation".to_owned(), value.to_owned()));
            scene.recording.session.environment.extend(setting);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{methods} {tiered} {set:?}");
        };
        check(131, 0, None, true);
        check(131, 7, None, false);
        // A service that is warm compiles nearly nothing: its environment says why.
        check(12, 0, None, false);
        check(12, 0, Some("0"), true);
        check(12, 0, Some("1"), false);
        check(12, 12, Some("0"), false);
    }

    #[test]
    fn a_release_build_few_methods_and_the_frameworks_own_say_nothing() {
        let check = |methods, unoptimised, name, speaks| {
            assert_eq!(
                scene(methods, unoptimised, name).says(&RULE).is_some(),
                speaks,
                "{name} {unoptimised}"
            );
        };
        check(30, 14, "Shop.Cart.Total()", false);
        check(30, 15, "Shop.Cart.Total()", true);
        check(19, 19, "Shop.Cart.Total()", false);
        check(30, 30, "System.Linq.Enumerable.Sum()", false);
    }
}
