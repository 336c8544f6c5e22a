//! What to keep in mind: where the two recordings are not of the same kind.

use crate::scope::Scope;
use base::number::{count, real, real_u64};
use model::Sym;
use report::{Basis, unit};
use runtime::losses;

/// Shorter recordings tell little of a service.
const SHORT_NS: i64 = 5_000_000_000;
/// Amounts that differ by more than this are no longer alike.
const ALIKE: f64 = 1.5;

/// Shares of the time without load that differ by more are told.
const IDLE_ALIKE: f64 = 0.05;

/// What both recordings are held against.
pub(crate) struct Given<'a> {
    pub(crate) before: &'a Scope<'a>,
    pub(crate) after: &'a Scope<'a>,
    /// What was asked for, and what could be done.
    pub(crate) asked: Basis,
    pub(crate) basis: Basis,
    /// Looks of the sampler in each piece.
    pub(crate) looks: (&'a [f64], &'a [f64]),
}

/// The caveats that hold before anything is compared.
pub(crate) fn of(given: &Given<'_>) -> Vec<String> {
    let mut caveats = Vec::new();
    if given.asked != given.basis {
        caveats.push("not both recordings have requests: compared by duration".to_owned());
    }
    exhibits(given, &mut caveats);
    durations(given, &mut caveats);
    sampling(given, &mut caveats);
    load(given, &mut caveats);
    for (scope, which) in [(given.before, "before"), (given.after, "after")] {
        caveats.extend(losses(scope.recording()).into_iter().map(|loss| format!("{which}: {loss}")));
        let outside = scope.outside();
        if outside > 0 {
            let rows = unit::short(real_u64(outside));
            caveats.push(format!("{which}: {rows} rows lie outside of the observed time, and count nowhere"));
        }
    }
    caveats
}

fn exhibits(given: &Given<'_>, caveats: &mut Vec<String>) {
    let (before, after) = (&given.before.recording().exhibit, &given.after.recording().exhibit);
    let mut differ = |what: &str, one: Option<String>, other: Option<String>| {
        if let (Some(one), Some(other)) = (one, other)
            && one != other
        {
            caveats.push(format!("{what}: {one} before, {other} after"));
        }
    };
    differ("other services", before.name.clone(), after.name.clone());
    differ("other runtimes", before.runtime.clone(), after.runtime.clone());
    differ("other systems", before.os.clone(), after.os.clone());
    differ("other processors", before.arch.clone(), after.arch.clone());
    let count = |of: Option<u32>| of.map(|of| of.to_string());
    differ("numbers of processors differ", count(before.processors), count(after.processors));
    let collector = |of: Option<bool>| {
        of.map(|server| if server { "the server's" } else { "the workstation's" }.to_owned())
    };
    let (before, after) = (&given.before.recording().session, &given.after.recording().session);
    differ("other collectors", collector(before.server_gc), collector(after.server_gc));
    differ("recorded with other profiles", before.profile.clone(), after.profile.clone());
}

fn durations(given: &Given<'_>, caveats: &mut Vec<String>) {
    let observed = |scope: &Scope<'_>| scope.events.grid.observed_ns();
    let (before, after) = (observed(given.before), observed(given.after));
    for (scope, which) in [(given.before, "before"), (given.after, "after")] {
        let ns = observed(scope);
        if ns == 0 {
            caveats.push(format!("{which}: nothing was observed"));
        } else if ns < SHORT_NS {
            let long = unit::duration(real(ns) / 1e6);
            caveats.push(format!("{which}: only {long} were observed, so that only large changes show"));
        }
    }
    if before > 0 && after > 0 && (real(before) / real(after)).ln().abs() > 3f64.ln() {
        let show = |ns: i64| unit::duration(real(ns) / 1e6);
        caveats.push(format!("observed times differ: {} before, {} after", show(before), show(after)));
    }
}

fn sampling(given: &Given<'_>, caveats: &mut Vec<String>) {
    let rate = |scope: &Scope<'_>, looks: &[f64]| {
        let seconds: f64 = scope.samples.seconds.iter().sum();
        if seconds > 0.0 { looks.iter().sum::<f64>() / seconds } else { 0.0 }
    };
    let (before, after) = (rate(given.before, given.looks.0), rate(given.after, given.looks.1));
    if before > 0.0 && after > 0.0 && (before / after).ln().abs() > ALIKE.ln() {
        let (before, after) = (unit::short(before), unit::short(after));
        caveats.push(format!("the sampler looked {before} times a second before, {after} times after"));
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
            "allocations are estimated in another way: by {before}s before, by {after}s after"
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
            "no load, before it began or after it ended, for {before} of the time before and {after} after: \
             amounts by time differ for that as well"
        ));
    }
    if given.basis != Basis::Duration {
        return;
    }
    let rates = given.before.requests_a_second().zip(given.after.requests_a_second());
    let Some((before, after)) = rates.filter(|(before, after)| *before > 0.0 && *after > 0.0) else { return };
    if (before / after).ln().abs() > ALIKE.ln() {
        let (before, after) = (unit::short(before), unit::short(after));
        caveats.push(format!(
            "the load differs: {before} requests a second before, {after} after; amounts by request \
             set it aside"
        ));
    }
}
