//! The verdict: what all findings say together, in one sentence.

use crate::facts::{Facts, KEPT};
use crate::intervals::quarters;
use base::number::real;
use report::unit::{short, show};
use report::{Finding, Report, Severity, State, Verdict};

/// The state of a run that has not ended.
const RUNNING: &str = "running";
/// With fewer answers by what was asked there is no all-clear.
const ANSWERED: f64 = 0.9;
/// Growth of the median latency within the run that is not an all-clear: that much, and to so many milliseconds.
const GROWN: f64 = 3.0;
const GROWN_MS: f64 = 10.0;
/// With more answers that refuse the request, the run says little about the service.
const MOST_REFUSED: f64 = 0.5;

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
    if facts.metric("responses").is_some_and(|responses| responses <= 0.0)
        && facts.planned().is_some_and(|planned| planned > 0.0)
    {
        let text = "No request was answered, and no check says why.".to_owned();
        return said(State::Unexplained, text, None);
    }
    if facts.load.lost.is_damaged() {
        let what = match facts.load.exhibit.state.as_deref() {
            Some(RUNNING) => "the run broke off, or still goes on",
            _ => "the run's files are damaged",
        };
        let text = format!("Cannot judge: {what}, and what could be read shows no problem.");
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
    if let Some(text) = unexplained(facts) {
        return said(State::Unexplained, text, None);
    }
    said(State::Healthy, all_clear(facts), None)
}

/// What is wrong although no check found it.
fn unexplained(facts: &Facts<'_>) -> Option<String> {
    let refused = refused(facts);
    if refused >= MOST_REFUSED {
        let most = show(refused, "share");
        return Some(format!(
            "{most} of the answers have a status of 400 to 499: do the requests ask for what the service has?"
        ));
    }
    if let Some((first, last)) = growth(facts) {
        return Some(format!(
            "the median latency grew from {} in the first quarter of the run to {} in the last, and no check says why.",
            show(first, "ms"),
            show(last, "ms")
        ));
    }
    let (answered, asked) = (facts.metric("rate.answered")?, facts.metric("rate.asked")?);
    (answered < asked * ANSWERED).then(|| {
        format!("{} of {} were answered, and no check says why.", short(answered), show(asked, "requests/s"))
    })
}

/// The median latency of the first and of the last quarter, if it grew from each to the next, in all by much.
fn growth(facts: &Facts<'_>) -> Option<(f64, f64)> {
    let medians = quarters(&facts.intervals)?;
    let (first, last) = (*medians.first()?, *medians.last()?);
    (medians.is_sorted() && last >= GROWN * first && last >= GROWN_MS).then_some((first, last))
}

/// The share of the responses whose status says that the request was wrong.
fn refused(facts: &Facts<'_>) -> f64 {
    let of = &facts.load.statuses;
    let rows = (0..of.count.len()).filter_map(|at| of.row(at));
    let is_refused = |status: &str| status.parse::<u32>().is_ok_and(|status| (400..500).contains(&status));
    let of_status =
        |row: model::LoadStatusRow| (is_refused(facts.load.strings.text(row.what)), real(row.count));
    let (mut refused, mut all) = (0.0, 0.0);
    for (is_refused, count) in rows.map(of_status) {
        all += count;
        refused += if is_refused { count } else { 0.0 };
    }
    if all > 0.0 { refused / all } else { 0.0 }
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
    let refused = match refused(facts) {
        share if share > 0.0 => {
            format!(", {} of the answers have a status of 400 to 499", show(share, "share"))
        }
        _ => String::new(),
    };
    format!("Healthy: {rate}{p99}{basis}{errors}{refused}.")
}

/// A sentence within another one.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
