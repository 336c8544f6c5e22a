//! What is wrong with a service: rules over the tables of a recording.
//!
//! A rule works from evidence (the runtime's own stacks, counts of events, rates, and what happens together), never from
//! the names of a service. It reports what it measured against which threshold, where, which rows show it, how it
//! comes about, what to try and how to verify. Rates and shares are of the observed time. A rule without its data is
//! listed as not checked. Nothing here prints or runs SQL.
//!
//! ```text
//!  need ◄── facts ◄─┬─ places, queries ◄─┬─ rules ◄── advice ◄─┬─ lib
//!                   └─ rule ◄── score    └─ links ◄── rank ◄───┤
//!                            slowness ◄── unexplained ◄── verdict
//! ```

mod advice;
mod catalogue;
mod facts;
mod failing;
mod gcfacts;
mod hostfacts;
mod links;
mod need;
mod places;
mod queries;
mod rank;
mod rule;
mod rules;
mod score;
mod slowness;
#[cfg(test)]
mod strange;
#[cfg(test)]
mod testing;
mod unexplained;
mod verdict;
mod warmup;

pub use catalogue::{markdown, rule_as_markdown};
pub use need::Need;
pub use rule::Rule;
pub use rules::ALL as RULES;
pub use verdict::MIN_SECONDS;

use base::number::{count, real_u64};
use facts::Facts;
use model::{LimitKind, Trace};
use report::{Explanation, Finding, Measured, NotChecked, Report, Severity, Verdict};
use runtime::{Hides, StackIndex};

/// Says in findings from samples for which share of the time samples were taken, unless for all of it.
fn add_sampled_share(facts: &Facts<'_>, findings: &mut [Finding]) {
    const WHOLE: f64 = 0.98;
    let share = facts.sampled_share();
    if share >= WHOLE {
        return;
    }
    let of_samples = |finding: &&mut Finding| finding.evidence.iter().any(|of| of.table == "samples");
    for finding in findings.iter_mut().filter(of_samples) {
        let name = "share of the time in which samples were taken";
        finding.measured.push(Measured { name, value: share, unit: "share", threshold: None });
    }
}

/// Says in findings from samples how many of them lack their outermost frames: the loss stands beside what it touches.
fn add_cut_share(facts: &Facts<'_>, findings: &mut [Finding]) {
    let recording = facts.recording;
    let samples = recording.missing.limits.get(LimitKind::Stacks).and_then(|limit| limit.samples);
    let Some(samples) = samples.filter(|samples| *samples > 0) else { return };
    let value = real_u64(samples) / count(recording.samples.ts_ns.len()).max(1.0);
    let of_samples = |finding: &&mut Finding| finding.evidence.iter().any(|of| of.table == "samples");
    for finding in findings.iter_mut().filter(of_samples) {
        let name = "share of the samples that lack their outermost frames, because their stacks are too deep";
        finding.measured.push(Measured { name, value, unit: "share", threshold: None });
    }
}

/// If the recording lacks names, a rule cannot decide when more of the frames in its samples have none. Whole recordings
/// have up to 10 %.
const MAX_UNNAMED: f64 = 0.15;

/// Everything about a recording: its heading, verdict, findings and figures.
pub fn explanation(recording: &Trace, index: &StackIndex) -> Explanation {
    let (report, verdict) = judge(recording, index);
    Explanation {
        heading: runtime::heading(recording),
        verdict: Some(verdict),
        report,
        parts: runtime::parts_with(recording, index),
    }
}

/// The findings of all rules.
pub fn explain(recording: &Trace) -> Report {
    explain_with(recording, &StackIndex::new(recording))
}

/// The same, for a caller that has the index already.
pub fn explain_with(recording: &Trace, index: &StackIndex) -> Report {
    judge(recording, index).0
}

/// The findings of all rules, and the verdict.
pub fn judge(recording: &Trace, index: &StackIndex) -> (Report, Verdict) {
    let gaps = runtime::gaps(recording);
    let facts = Facts::with_gaps(recording, index, &gaps);
    let mut report = Report::default();
    let mut found = Vec::new();
    for rule in RULES {
        let has_data = rule.needs.iter().any(|need| facts.has(*need));
        let of = has_data.then(|| (rule.check)(&facts)).flatten();
        let unnamed = facts.take_unnamed().filter(|share| of.is_some() && *share > MAX_UNNAMED);
        if let Some(share) = unnamed {
            // Only names show whose code it is, and whether the thread works at all.
            let needs = format!(
                "names of methods: {} of the frames in the samples that show it have no name",
                facts::percent(share)
            );
            report.not_checked.push(NotChecked { id: rule.id, needs });
        } else if let Some(of) = of {
            report.checked.push(rule.id);
            let tries = advice::fitting(rule, &facts);
            found.push((*rule, Finding { tries, ..rule.finding(of) }));
        } else if let Some(gap) = gaps.iter().find(|gap| rule.is_touched(gap)) {
            // A rule that finds nothing in damaged data has cleared nothing.
            let needs = match gap.hides {
                Hides::Names => "names of methods",
                Hides::Events | Hides::Samples | Hides::Host | Hides::Details => "an undamaged copy",
            };
            report.not_checked.push(NotChecked { id: rule.id, needs: format!("{needs}: {}", gap.what) });
        } else if has_data {
            report.checked.push(rule.id);
        } else {
            let needs = need::remedy(rule.needs, |need| facts.lacking(need));
            report.not_checked.push(NotChecked { id: rule.id, needs });
        }
    }
    if facts.seconds() < MIN_SECONDS {
        // In so short a time, a single pause is a large share: it proves nothing.
        for (_, finding) in &mut found {
            finding.severity = Severity::Note;
        }
    }
    report.findings = rank::rank(found);
    add_sampled_share(&facts, &mut report.findings);
    add_cut_share(&facts, &mut report.findings);
    let verdict = verdict::verdict(&report, &facts, &gaps);
    (report, verdict)
}
