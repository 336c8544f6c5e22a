//! The verdict in one sentence, then the findings with their measurements.
//!
//! A finding is a few aligned lines: what was measured against which threshold, where, why it happens, what to try.
//! Notes, and what a finding causes, have one line each on the short page. The end of the page says what could not be checked, and
//! what to record for it.

use super::detail::Detail;
use crate::page::{Page, Tone};
use report::unit::{duration, short, show};
use report::{EvidenceRows, Finding, Place, Report, Severity, State, Verdict};
use runtime::written_name;

/// How many measurements of a finding the short page shows.
const MEASURED: usize = 4;
/// How many places of a finding the short page shows.
const PLACES: usize = 3;
/// The short page leaves out places with a smaller share.
pub(super) const MIN_SHARE: f64 = 0.01;

/// The verdict: the first finding, or that there is none.
pub(super) fn headline(page: &mut Page, verdict: &Verdict) {
    page.gap();
    let of_state = match (verdict.state, verdict.severity) {
        (State::Problem, severity) => tone(severity.unwrap_or(Severity::Warning)),
        (State::Healthy, _) => Tone::Good,
        (State::Unexplained | State::CannotJudge, _) => Tone::Plain,
    };
    page.block("verdict", of_state, &verdict.text);
    for note in &verdict.notes {
        page.warning("caution", note);
    }
}

/// The findings, the worst first.
pub(super) fn findings(page: &mut Page, report: &Report, detail: Detail) {
    if detail == Detail::Full {
        for (at, finding) in report.findings.iter().enumerate() {
            show_finding(page, finding, at > 0 || finding.severity == Severity::Note, detail);
        }
        return;
    }
    let (notes, notable): (Vec<&Finding>, Vec<&Finding>) =
        report.findings.iter().partition(|finding| finding.severity == Severity::Note);
    let causes: Vec<&Finding> = notable.iter().copied().filter(|finding| finding.follows.is_none()).collect();
    for (at, finding) in causes.iter().enumerate() {
        show_finding(page, finding, at > 0, detail);
        // What it causes takes one line each; the full page has the details.
        let of_it = notable.iter().filter(|of| of.follows == Some(finding.id));
        for (at, symptom) in of_it.enumerate() {
            page.line(if at == 0 { "it causes" } else { "" }, &format!("{}: {}", symptom.id, symptom.title));
        }
    }
    let caused =
        |of: &&&Finding| of.follows.is_some() && !causes.iter().any(|cause| of.follows == Some(cause.id));
    for symptom in notable.iter().filter(caused) {
        show_finding(page, symptom, true, detail);
    }
    if !notes.is_empty() {
        page.gap();
        for (at, note) in notes.iter().enumerate() {
            page.line(if at == 0 { "notes" } else { "" }, &format!("{}: {}", note.id, note.title));
        }
    }
}

/// A finding. The first one has no title: the verdict is its title already.
fn show_finding(page: &mut Page, finding: &Finding, with_title: bool, detail: Detail) {
    let (measured, places, least) = match detail {
        Detail::Short => (MEASURED, PLACES, MIN_SHARE),
        Detail::Full => (usize::MAX, usize::MAX, 0.0),
    };
    page.gap();
    page.badge(finding.severity.name(), tone(finding.severity), finding.id);
    if with_title {
        page.line("", &finding.title);
    }
    if let Some(cause) = finding.follows.filter(|_| detail == Detail::Full) {
        page.line("cause", cause);
    }
    let measured = finding.measured.iter().take(measured).map(|of| {
        let held = finding.against(of).map_or_else(String::new, |against| format!(" ({against})"));
        (show(of.value, of.unit), format!("{}{held}", of.label()))
    });
    page.pairs("measured", measured.collect());
    let places = finding.places.iter().take(places).filter(|place| place.share >= least);
    let places: Vec<_> = places.map(place).collect();
    if !places.is_empty() {
        page.line("where", &format!("share of {}:", finding.shares_of()));
    }
    page.pairs("", places);
    page.pairs("evidence", finding.evidence.iter().map(when).collect());
    page.line("why", &finding.why);
    page.items("try", &finding.tries);
    page.line("verify", &finding.verify);
}

fn place(place: &Place) -> (String, String) {
    let name = written_name(&place.frame);
    let words = match &place.request {
        Some(path) if place.frame == "?" => format!("requests of {path}"),
        Some(path) if place.frame.contains("!dynamicClass.") || place.frame.contains(">b__") => {
            format!("{name}, the handler of {path}")
        }
        Some(path) => format!("{name}, called by requests to {path}"),
        None => name,
    };
    (show(place.share, "share"), words)
}

/// How many rows, and in words of which table and from when.
pub(super) fn when(evidence: &EvidenceRows) -> (String, String) {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let (rows, at) = (evidence.rows as f64, |ns: i64| duration(ns.max(0) as f64 / 1e6));
    let when = match (evidence.first_ts_ns, evidence.last_ts_ns) {
        (Some(first), Some(last)) if first == last => format!(", {} into the recording", at(first)),
        (Some(first), Some(last)) => format!(", {} to {} into the recording", at(first), at(last)),
        _ => String::new(),
    };
    (
        if evidence.rows > 0 { short(rows) } else { String::from("some") },
        format!("{} of the table {}{when}", if evidence.rows == 1 { "row" } else { "rows" }, evidence.table),
    )
}

/// The checks that found nothing, or a note at most.
pub(super) fn passed(page: &mut Page, report: &Report) {
    let is_problem = |id: &str| report.findings.iter().any(|of| of.id == id && of.severity > Severity::Note);
    let passed: Vec<&str> = report.checked.iter().copied().filter(|id| !is_problem(id)).collect();
    if !passed.is_empty() {
        page.gap();
        page.line("passed", &passed.join(", "));
    }
}

/// What could not be checked, and the command that prints the queries of the findings.
pub(super) fn not_checked(page: &mut Page, report: &Report, file: &str) {
    if !report.not_checked.is_empty() {
        page.gap();
        let mut by_needs: Vec<(&str, Vec<&str>)> = Vec::new();
        for rule in &report.not_checked {
            match by_needs.iter_mut().find(|(needs, _)| *needs == rule.needs) {
                Some((_, ids)) => ids.push(rule.id),
                None => by_needs.push((&rule.needs, vec![rule.id])),
            }
        }
        let items = by_needs.into_iter().map(|(needs, ids)| {
            format!("{} {} {needs}", ids.join(", "), if ids.len() == 1 { "needs" } else { "need" })
        });
        page.items("not checked", &items.collect::<Vec<_>>());
    }
    if report.findings.iter().any(|finding| !finding.evidence.is_empty()) {
        page.gap();
        page.hint("The queries that show each finding are in its JSON:");
        let file = quoted(file);
        let words = ["casebook explain", &file, "--format json", "| jq -r", "'.findings[].evidence[].sql'"];
        page.command(&words);
    }
}

/// A file's name, quoted for a shell if it needs to be.
pub(crate) fn quoted(file: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if file.chars().all(plain) { file.to_owned() } else { format!("'{}'", file.replace('\'', "'\\''")) }
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Bad,
        Severity::Warning => Tone::Warning,
        Severity::Note => Tone::Plain,
    }
}
