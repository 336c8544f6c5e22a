//! Caveats: how the two recordings differ other than by what they measured.

use crate::scope::Scope;
use base::number::{count, real, real_u64};
use model::Sym;
use report::{Basis, unit};
use runtime::{Hides, losses};

/// Shorter recordings say little about a service.
const SHORT_NS: i64 = 5_000_000_000;
/// Rates that differ by more than this factor are reported.
const ALIKE: f64 = 1.5;

/// The largest share of lost events. Above it, events that matter may be among them, as in the verdict of one recording.
const MAX_DROPPED: f64 = 0.1;
/// Shares of the time without load that differ by more than this are reported.
const IDLE_ALIKE: f64 = 0.05;

/// The two recordings and how they are compared.
pub(crate) struct Given<'a> {
    pub(crate) before: &'a Scope<'a>,
    pub(crate) after: &'a Scope<'a>,
    /// The basis that was asked for.
    pub(crate) asked: Basis,
    /// The basis that is used.
    pub(crate) basis: Basis,
}

/// All caveats, the worst first.
pub(crate) fn of(given: &Given<'_>) -> Vec<String> {
    let first = foremost(given.before, given.after).into_iter().chain(damage(given.before, given.after));
    let mut caveats: Vec<String> = first.collect();
    if given.asked != given.basis {
        caveats.push("not both recordings have requests: compared by duration".to_owned());
    }
    exhibits(given, &mut caveats);
    durations(given, &mut caveats);
    sampling(given, &mut caveats);
    load(given, &mut caveats);
    for (scope, which) in [(given.before, "before"), (given.after, "after")] {
        caveats.extend(scope.side.index.unmatched().iter().map(|note| format!("{which}: {note}")));
        caveats.extend(losses(scope.recording()).into_iter().map(|loss| format!("{which}: {loss}")));
        let outside = scope.outside();
        if outside > 0 {
            let rows = unit::short(count(outside));
            caveats.push(format!("{which}: {rows} rows lie outside of the observed time, and count nowhere"));
        }
    }
    caveats
}

/// A caveat that makes every row doubtful. It stands before the summary.
pub(crate) fn foremost(before: &Scope<'_>, after: &Scope<'_>) -> Option<String> {
    if is_same(before, after) {
        return Some("both are the same recording: nothing can differ".to_owned());
    }
    for (scope, which) in [(before, "before"), (after, "after")] {
        if scope.events.grid.observed_ns() == 0 {
            return Some(format!("{which}: nothing was observed"));
        }
    }
    let [one, other] = [before, after].map(|scope| &scope.recording().exhibit);
    let names = one.name.as_deref().zip(other.name.as_deref());
    // A single file does not name the service, but the command line names its program.
    let programs =
        || one.command_line.as_deref().and_then(program).zip(other.command_line.as_deref().and_then(program));
    let (one, other) = names.or_else(programs).filter(|(one, other)| one != other)?;
    Some(format!("not the same service: {one} before, {other} after"))
}

/// A recording that ends early is not trusted if it is shorter than this.
const ENOUGH_NS: i64 = 10_000_000_000;

/// What the recordings lost, if that may hide a difference. It stands before the summary: finding no difference in what is
/// left does not mean that nothing changed.
pub(crate) fn damage(before: &Scope<'_>, after: &Scope<'_>) -> Option<String> {
    let sides = [(before, "before"), (after, "after")];
    let losses: Vec<String> =
        sides.into_iter().filter_map(|(scope, which)| Some(format!("{which}, {}", lost(scope)?))).collect();
    (!losses.is_empty()).then(|| format!("only what is left is compared: {}", losses.join("; ")))
}

/// What a recording lost, if that alone would make its verdict `cannot-judge`: it is damaged, ends after a few seconds, or
/// lost many events.
fn lost(scope: &Scope<'_>) -> Option<String> {
    let recording = scope.recording();
    let end = runtime::early_end(recording);
    let is_short = scope.events.grid.observed_ns() < ENOUGH_NS;
    // Names that were not asked for are not damage. What needs them is listed as not compared.
    let is_damage = |gap: &runtime::Gap| match gap.hides {
        Hides::Events | Hides::Samples | Hides::Host => true,
        Hides::Names => end.is_some(),
        Hides::Details => false,
    };
    let gap = runtime::gaps(recording).into_iter().find(is_damage).map(|gap| gap.what);
    let cut = || end.filter(|of| is_short && !of.in_names).map(runtime::end_words);
    let missing = real_u64(recording.missing.events);
    let dropped = missing / (count(recording.events.len()) + missing).max(1.0);
    let are_missing = || format!("{} of the events are missing", unit::show(dropped, "share"));
    gap.or_else(cut).or_else(|| (dropped > MAX_DROPPED).then(are_missing))
}

/// The name of the program that a command line starts. If `dotnet` runs an assembly, that is the assembly.
fn program(command: &str) -> Option<&str> {
    let mut words = command.split_whitespace().map(|word| {
        let word = word.trim_matches('"');
        word.rsplit(['/', '\\']).next().unwrap_or(word)
    });
    let first = words.next()?;
    let first = first.strip_suffix(".exe").unwrap_or(first);
    // Without an assembly, `dotnet` does not say what it runs.
    let name = if first == "dotnet" { words.find_map(|word| word.strip_suffix(".dll"))? } else { first };
    let name = name.strip_suffix(".dll").unwrap_or(name);
    (!name.is_empty()).then_some(name)
}

/// Whether both sides are the same time of one recording, or of two copies of it.
fn is_same(before: &Scope<'_>, after: &Scope<'_>) -> bool {
    let key = |scope: &Scope<'_>| {
        let recording = scope.recording();
        let (exhibit, range) = (&recording.exhibit, scope.side.range);
        (exhibit.start_utc.clone(), exhibit.pid, exhibit.duration_ns, recording.events.ts_ns.len(), range)
    };
    let same = std::ptr::eq(before.recording(), after.recording()) && before.side.range == after.side.range;
    same || (!before.recording().exhibit.start_utc.is_empty() && key(before) == key(after))
}

fn exhibits(given: &Given<'_>, caveats: &mut Vec<String>) {
    let (before, after) = (&given.before.recording().exhibit, &given.after.recording().exhibit);
    let mut differ = |what: &str, one: Option<String>, other: Option<String>, so: &str| {
        if let (Some(one), Some(other)) = (one, other)
            && one != other
        {
            caveats.push(format!("{what}: {one} before, {other} after{so}"));
        }
    };
    let slower = "; the same code may run faster or slower on it";
    differ("not the same runtime", before.runtime.clone(), after.runtime.clone(), slower);
    differ("not the same system", before.os.clone(), after.os.clone(), "");
    differ("not the same architecture", before.arch.clone(), after.arch.clone(), "");
    let count = |of: Option<u32>| of.map(|of| of.to_string());
    differ("not as many CPU cores", count(before.cores), count(after.cores), "");
    let mode =
        |of: Option<bool>| of.map(|server| if server { "Server GC" } else { "Workstation GC" }.to_owned());
    let (before, after) = (&given.before.recording().session, &given.after.recording().session);
    differ("not the same GC", mode(before.server_gc), mode(after.server_gc), "");
    let profiles = "; what only one of them records is not compared, and what it costs to record differs";
    differ("not the same profile", before.profile.clone(), after.profile.clone(), profiles);
}

fn durations(given: &Given<'_>, caveats: &mut Vec<String>) {
    let observed = |scope: &Scope<'_>| scope.events.grid.observed_ns();
    let (before, after) = (observed(given.before), observed(given.after));
    for (scope, which) in [(given.before, "before"), (given.after, "after")] {
        let ns = observed(scope);
        if 0 < ns && ns < SHORT_NS {
            let long = unit::duration(real(ns) / 1e6);
            caveats.push(format!("{which}: only {long} were recorded, so only large changes show"));
        }
    }
    if before > 0 && after > 0 && (real(before) / real(after)).ln().abs() > 3f64.ln() {
        let show = |ns: i64| unit::duration(real(ns) / 1e6);
        caveats.push(format!(
            "the recordings differ in length: {} before, {} after; the shorter one limits what can be detected",
            show(before),
            show(after)
        ));
    }
}

fn sampling(given: &Given<'_>, caveats: &mut Vec<String>) {
    let rate = |scope: &Scope<'_>| {
        let seconds: f64 = scope.samples.seconds.iter().sum();
        if seconds > 0.0 { scope.sampler_runs.iter().sum::<f64>() / seconds } else { 0.0 }
    };
    let (before, after) = (rate(given.before), rate(given.after));
    if before > 0.0 && after > 0.0 && (before / after).ln().abs() > ALIKE.ln() {
        let (before, after) = (unit::short(before), unit::short(after));
        caveats.push(format!("samples were taken {before} times per second before, {after} times after"));
    }
    let source = |scope: &Scope<'_>| {
        let rows = &scope.recording().allocations;
        let fine = scope.recording().strings.find("sample").filter(|of| rows.source.contains(of));
        fine.or_else(|| rows.source.first().copied()).unwrap_or(Sym::NONE)
    };
    let (before, after) = (source(given.before), source(given.after));
    let (before, after) = (given.before.text(before), given.after.text(after));
    if !before.is_empty() && !after.is_empty() && before != after {
        caveats.push(format!(
            "allocations are estimated in different ways: by {before}s before, by {after}s after"
        ));
    }
}

fn load(given: &Given<'_>, caveats: &mut Vec<String>) {
    let idle = |scope: &Scope<'_>| {
        let ramp = &scope.events.ramp;
        count(ramp.iter().filter(|of| **of).count()) / count(ramp.len().max(1))
    };
    let (before, after) = (idle(given.before), idle(given.after));
    if (before - after).abs() > IDLE_ALIKE {
        let (before, after) = (unit::show(before, "share"), unit::show(after, "share"));
        caveats.push(format!(
            "little or no load at the start or end: {before} of the recording before, {after} of the one after; amounts per \
             second include that time"
        ));
    }
    if given.basis != Basis::Duration {
        return;
    }
    let rates = given.before.requests_per_second().zip(given.after.requests_per_second());
    let Some((before, after)) = rates.filter(|(before, after)| *before > 0.0 && *after > 0.0) else { return };
    if (before / after).ln().abs() > ALIKE.ln() {
        let (before, after) = (unit::short(before), unit::short(after));
        caveats.push(format!(
            "the load differs: {before} requests/s before, {after} after; compare per request instead"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_says_which_program_it_starts() {
        let check = |command, expected| assert_eq!(program(command), expected, "{command}");
        check("/usr/share/dotnet/dotnet /tmp/w/pub/orders.dll --urls x", Some("orders"));
        check("dotnet exec --runtimeconfig a.json \"C:\\apps\\orders.dll\"", Some("orders"));
        check("C:\\apps\\Orders.exe --urls x", Some("Orders"));
        check("/app/orders", Some("orders"));
        check("dotnet run", None);
        check("", None);
    }
}
