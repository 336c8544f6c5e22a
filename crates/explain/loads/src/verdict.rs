//! The verdict: what all findings say together, in one sentence.

use crate::facts::{Facts, KEPT};
use report::unit::{short, show};
use report::{Finding, Report, Severity, State, Verdict};

/// The first cause above a note; or why nothing can be said; or the all-clear with its figures.
pub(crate) fn verdict(report: &Report, facts: &Facts<'_>) -> Verdict {
    let above: Vec<&Finding> = report.findings.iter().filter(|of| of.severity > Severity::Note).collect();
    let passed = report.checked.iter().filter(|id| !above.iter().any(|of| of.id == **id)).count();
    let could_not_run = report.not_checked.len();
    let said = |state, text, severity| Verdict {
        state,
        text,
        severity,
        passed,
        could_not_run,
        notes: facts.load.run.notes.clone(),
    };
    if let Some(first) = above.first() {
        let causes = above.iter().filter(|of| of.follows.is_none()).count();
        let others = match causes.saturating_sub(1) {
            0 => String::new(),
            1 => " There is one more finding.".to_owned(),
            more => format!(" There are {more} more findings."),
        };
        return said(State::Problem, format!("{}.{others}", first.title), Some(first.severity));
    }
    if report.checked.is_empty() {
        return said(
            State::CannotJudge,
            "Cannot judge: the run has no figure that a check needs.".to_owned(),
            None,
        );
    }
    if facts.load.lost.is_damaged() {
        let text =
            "Cannot judge: the run's files are damaged, and what could be read shows no problem.".to_owned();
        return said(State::CannotJudge, text, None);
    }
    if let Some(short) = report.findings.iter().find(|of| of.id == "load-too-short") {
        return said(State::CannotJudge, format!("Cannot judge: {}.", lower_first(&short.title)), None);
    }
    if report.checked.len() < report.not_checked.len() {
        let text = format!(
            "Cannot judge: {} of {} checks have the data that they need; none found a problem.",
            report.checked.len(),
            report.checked.len().saturating_add(report.not_checked.len())
        );
        return said(State::CannotJudge, text, None);
    }
    said(State::Healthy, all_clear(facts), None)
}

fn all_clear(facts: &Facts<'_>) -> String {
    let rate = match (facts.metric("rate.answered"), facts.metric("rate.asked")) {
        (Some(answered), Some(asked)) if answered >= asked * KEPT => {
            format!("{} were answered as asked", show(asked, "requests/s"))
        }
        (Some(answered), Some(asked)) => {
            format!("{} of {} were answered", short(answered), show(asked, "requests/s"))
        }
        (Some(answered), None) => format!("{} were answered", show(answered, "requests/s")),
        (None, _) => "no check found a problem".to_owned(),
    };
    let p99 = facts.quantile(0.99).map_or_else(String::new, |ms| format!(", p99 {}", show(ms, "ms")));
    let basis = match (p99.is_empty(), facts.basis) {
        (false, Some(model::SCHEDULE)) => " from the schedule",
        (false, Some(model::SEND)) => " from the send",
        _ => "",
    };
    let errors =
        if facts.metric("error_share").is_some_and(|share| share <= 0.0) { ", no errors" } else { "" };
    format!("Healthy: {rate}{p99}{basis}{errors}.")
}

/// A sentence within another one.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
