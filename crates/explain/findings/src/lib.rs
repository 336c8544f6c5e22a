//! What is wrong with a service: rules over the tables of a recording.
//!
//! A rule works from evidence (the shapes of the runtime's own stacks, counts of events, rates, and what goes with
//! what), never from names of a service. It says what it measured against which threshold, where, what shows it, how
//! it comes about, what to try and how to verify. Rates and shares are of the time observed. A rule without the data
//! it needs is listed as not checked. Nothing here prints or runs SQL.

mod advice;
mod catalogue;
mod evidence;
mod facts;
mod failing;
mod gcfacts;
mod handlers;
mod hostfacts;
mod links;
mod places;
mod rank;
mod rule;
mod rules;
mod seen;
mod slowness;
#[cfg(test)]
mod strange;
#[cfg(test)]
mod testing;
mod unexplained;
mod verdict;
mod warmup;

pub use catalogue::markdown;
pub use rule::{Need, Rule, Threshold};
pub use rules::ALL as RULES;

use facts::{Facts, count, real_u64};
use model::{LimitKind, Trace};
use report::{Explanation, Finding, Measured, NotChecked, Report, Severity, Verdict};
use runtime::{Hides, StackIndex};

/// Adds to findings that rest on samples in what share of the time samples were taken, if not in all of it.
fn tell_sampled(facts: &Facts<'_>, findings: &mut [Finding]) {
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

/// Adds to findings that rest on samples how many of those have a stack without its outermost frames.
fn tell_cut(facts: &Facts<'_>, findings: &mut [Finding]) {
    let recording = facts.recording;
    let samples = recording.missing.limits.get(LimitKind::Stacks).and_then(|limit| limit.samples);
    let Some(samples) = samples.filter(|samples| *samples > 0) else { return };
    let value = real_u64(samples) / real_u64(count(recording.samples.ts_ns.len())).max(1.0);
    let of_samples = |finding: &&mut Finding| finding.evidence.iter().any(|of| of.table == "samples");
    for finding in findings.iter_mut().filter(of_samples) {
        let name = "share of samples whose stack is cut (partial: outer frames are missing)";
        finding.measured.push(Measured { name, value, unit: "share", threshold: None });
    }
}

/// A rule does not conclude from samples of whose frames a larger share has no name, if the recording lacks names.
/// Whole recordings have up to 10 %.
const MOST_UNNAMED: f64 = 0.15;

/// A recording that is shorter shows nothing that lasts.
pub const LEAST_SECONDS: f64 = 0.3;

/// Everything that is said of a recording: its heading, what the rules find, and its figures.
pub fn explanation(recording: &Trace, index: &StackIndex) -> Explanation {
    let (report, verdict) = judge(recording, index);
    Explanation {
        heading: runtime::heading(recording),
        verdict: Some(verdict),
        report,
        parts: runtime::parts_with(recording, index),
    }
}

/// Holds every rule against a recording.
pub fn explain(recording: &Trace) -> Report {
    explain_with(recording, &StackIndex::new(recording))
}

/// The same, for a caller that has looked at the stacks already.
pub fn explain_with(recording: &Trace, index: &StackIndex) -> Report {
    judge(recording, index).0
}

/// What the rules find, and what that comes to.
pub fn judge(recording: &Trace, index: &StackIndex) -> (Report, Verdict) {
    let gaps = runtime::gaps(recording);
    let facts = Facts::with_gaps(recording, index, &gaps);
    let mut report = Report::default();
    let mut found = Vec::new();
    for rule in RULES {
        let has_data = rule.needs.iter().any(|need| facts.has(*need));
        let of = has_data.then(|| (rule.check)(&facts)).flatten();
        let unnamed = facts.take_unnamed().filter(|share| of.is_some() && *share > MOST_UNNAMED);
        if let Some(share) = unnamed {
            // Whose code it is, and whether it is at work at all, is told by the frames that have no name.
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
            // Silence on evidence that is not whole clears nothing.
            let needs = match gap.hides {
                Hides::Names => "names of methods",
                Hides::Events | Hides::Samples | Hides::Host | Hides::Details => "an undamaged copy",
            };
            report.not_checked.push(NotChecked { id: rule.id, needs: format!("{needs}: {}", gap.what) });
        } else if has_data {
            report.checked.push(rule.id);
        } else {
            let needs: Vec<&str> = rule.needs.iter().map(|need| need.remedy()).collect();
            report.not_checked.push(NotChecked { id: rule.id, needs: needs.join("; or ") });
        }
    }
    if facts.seconds() < LEAST_SECONDS {
        // A single pause is a large share of a moment: nothing is judged by it.
        for (_, finding) in &mut found {
            finding.severity = Severity::Note;
        }
    }
    report.findings = rank::rank(found);
    tell_sampled(&facts, &mut report.findings);
    tell_cut(&facts, &mut report.findings);
    let verdict = verdict::verdict(&report, &facts, &gaps);
    (report, verdict)
}
