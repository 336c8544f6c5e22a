//! What the rules say of one recording and not of the other.

use crate::book::{Book, Family};
use crate::scope::Scope;
use report::{Better, Change, ChangeVerdict, Finding, Report, Severity, Subject};
use std::collections::BTreeSet;

/// Adds the findings that appeared, went, or became worse or better.
pub(crate) fn add(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let (of_before, of_after) = (before.side.report, after.side.report);
    let ids: BTreeSet<&'static str> =
        of_before.findings.iter().chain(&of_after.findings).map(|finding| finding.id).collect();
    for id in ids {
        for (report, which) in [(of_before, "before"), (of_after, "after")] {
            if report.not_checked.iter().any(|rule| rule.id == id) {
                book.not_compared(
                    format!("the rule {id}"),
                    format!("the recording {which} lacks the data for it"),
                );
            }
        }
        if [of_before, of_after].iter().all(|report| !report.not_checked.iter().any(|rule| rule.id == id)) {
            compare(book, id, worst(of_before, id), worst(of_after, id));
        }
    }
}

/// The worst finding of a rule.
fn worst<'a>(report: &'a Report, id: &str) -> Option<&'a Finding> {
    report
        .findings
        .iter()
        .filter(|finding| finding.id == id)
        .max_by(|a, b| a.severity.cmp(&b.severity).then(a.score.total_cmp(&b.score)))
}

/// 0 where there is none, else 1 to 3.
fn rank(finding: Option<&Finding>) -> f64 {
    match finding.map(|finding| finding.severity) {
        None => 0.0,
        Some(Severity::Note) => 1.0,
        Some(Severity::Warning) => 2.0,
        Some(Severity::Critical) => 3.0,
    }
}

fn compare(book: &mut Book, id: &'static str, before: Option<&Finding>, after: Option<&Finding>) {
    let (of_before, of_after) = (rank(before), rank(after));
    let Some(shown) = after.or(before).filter(|_| of_before.to_bits() != of_after.to_bits()) else { return };
    let what = match (before, after) {
        (None, _) => "appeared",
        (_, None) => "went",
        _ if of_after > of_before => "became worse",
        _ => "became less",
    };
    let weight = match of_before.max(of_after) {
        least if least < 1.5 => 0.1,
        middle if middle < 2.5 => 0.8,
        _ => 1.0,
    };
    let score = before.map_or(0.0, |of| of.score).max(after.map_or(0.0, |of| of.score)).clamp(0.0, 1.0);
    book.push(
        Family::Figures,
        Change {
            subject: Subject::Finding,
            measure: what.to_owned(),
            name: format!("{id}: {}", shown.title),
            before: Some(of_before),
            after: Some(of_after),
            unit: "severity".to_owned(),
            shares: None,
            interval: None,
            p: None,
            verdict: ChangeVerdict::ByRule,
            better: Better::Lower,
            // What a rule sees has passed a threshold; how much of the harm it explains says how far in
            // front it stands.
            impact: weight * f64::midpoint(1.0, score),
            metric: None,
            method: shown.places.first().map(|place| place.frame.clone()),
            class: None,
            table: shown.evidence.first().map_or("events", |evidence| evidence.table),
        },
    );
}
