//! What was found, as the page's first part: one sentence, then each finding with what it rests on.
//!
//! A finding is a few aligned lines: what was measured against which threshold, where, how it comes about, what to try.
//! Notes are a line each. What could not be checked stands at the end of the page, with what to record for it.

use crate::page::{Page, Tone};
use crate::unit::{duration, short, show};
use findings::{Evidence, Finding, NotChecked, Place, Report, Severity};

/// Measurements shown of a finding.
const MEASURED: usize = 4;
/// Places shown of a finding.
const PLACES: usize = 3;

/// The headline: the first finding, or that there is none.
pub(super) fn headline(page: &mut Page, report: &Report) {
    page.gap();
    let notable = report.findings.iter().filter(|finding| finding.severity > Severity::Note).count();
    let Some(first) = report.findings.first().filter(|_| notable > 0) else {
        let checked = report.checked.len();
        let text = format!("Nothing that hurts was found: {checked} {} checked.", plural(checked, "rule"));
        page.block("verdict", Tone::Good, &[text]);
        return;
    };
    let others = match notable - 1 {
        0 => String::new(),
        1 => String::from(" One more finding follows."),
        more => format!(" {more} more findings follow."),
    };
    page.block("verdict", tone(first.severity), &[format!("{}.{others}", first.title)]);
}

/// The findings, the worst first.
pub(super) fn findings(page: &mut Page, report: &Report) {
    let (notes, notable): (Vec<&Finding>, Vec<&Finding>) =
        report.findings.iter().partition(|finding| finding.severity == Severity::Note);
    for (at, finding) in notable.iter().enumerate() {
        show_finding(page, finding, at > 0);
    }
    if !notes.is_empty() {
        page.gap();
        for (at, note) in notes.iter().enumerate() {
            page.line(if at == 0 { "notes" } else { "" }, &format!("{}: {}", note.id, note.title));
        }
    }
}

/// A finding; the first one's title is the headline already.
fn show_finding(page: &mut Page, finding: &Finding, with_title: bool) {
    page.gap();
    let head = format!("{}, score {:.2}", finding.id, finding.score);
    page.badge(finding.severity.name(), tone(finding.severity), &head);
    if with_title {
        page.line("", &finding.title);
    }
    let measured = finding.measured.iter().take(MEASURED).map(|of| {
        let held =
            of.threshold.map_or_else(String::new, |least| format!(" (threshold {})", show(least, of.unit)));
        (show(of.value, of.unit), format!("{}{held}", of.name))
    });
    page.pairs("measured", measured.collect());
    page.pairs("where", finding.places.iter().take(PLACES).map(place).collect());
    page.pairs("seen in", finding.evidence.iter().map(evidence).collect());
    page.line("why", &finding.why);
    page.items("try", &finding.tries);
    page.line("verify", &finding.verify);
}

fn place(place: &Place) -> (String, String) {
    let name = place.frame.split_once('(').map_or(place.frame.as_str(), |(name, _)| name);
    let words = match &place.request {
        Some(path) => {
            let bare = name.split_once('!').map_or(name, |(_, bare)| bare);
            format!("the handler of {path}, in {bare}")
        }
        None => name.to_owned(),
    };
    (show(place.share, "share"), words)
}

fn evidence(evidence: &Evidence) -> (String, String) {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let (rows, at) = (evidence.rows as f64, |ns: i64| duration(ns.max(0) as f64 / 1e6));
    let when = match (evidence.first_ts_ns, evidence.last_ts_ns) {
        (Some(first), Some(last)) => format!(" from {} to {}", at(first), at(last)),
        _ => String::new(),
    };
    (
        if evidence.rows > 0 { short(rows) } else { String::from("some") },
        format!("{} of {}{when}", if evidence.rows == 1 { "row" } else { "rows" }, evidence.table),
    )
}

/// What could not be checked, and how to ask for the rest.
pub(super) fn not_checked(page: &mut Page, report: &Report, file: &str) {
    let mut needs: Vec<(&str, Vec<&str>)> = Vec::new();
    for NotChecked { id, needs: of } in &report.not_checked {
        match needs.iter_mut().find(|(known, _)| known == of) {
            Some((_, ids)) => ids.push(id),
            None => needs.push((of, vec![id])),
        }
    }
    if !needs.is_empty() {
        page.gap();
        page.title("not checked for lack of data");
        for (of, ids) in needs {
            page.line("", &format!("{}: needs {of}", ids.join(", ")));
        }
    }
    if report.findings.iter().any(|finding| !finding.evidence.is_empty()) {
        page.gap();
        page.hint(&format!(
            "The queries behind each finding: casebook explain {file} --format json | jq -r '.findings[].evidence[].sql'"
        ));
    }
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Bad,
        Severity::Warning => Tone::Warning,
        Severity::Note => Tone::Plain,
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}
