//! Findings as cards: what is wrong, how it was measured, where, and a link to the view that shows it.

use crate::words::{counted, counted_len, moment, prose, unbroken};
use crate::{Links, Target};
use base::number::real;
use maud::{Markup, html};
use report::unit::show;
use report::{EvidenceRows, Explanation, Finding, Place, SCORE, Severity, Verdict};

/// Places and measurements that a card shows at once; the others are one click away.
const SHOWN: usize = 4;

/// The verdict: what is wrong, in one sentence.
pub fn headline(verdict: &Verdict) -> Markup {
    html! {
        section aria-label="Verdict" {
            p class=(format!("headline {}", verdict.tone())) { (unbroken(&verdict.text)) }
            @for note in &verdict.notes { p.hint { (unbroken(note)) } }
        }
    }
}

/// The findings, causes first; notes after them.
pub fn cards(links: &dyn Links, explanation: &Explanation) -> Markup {
    let findings = &explanation.report.findings;
    let headline = explanation.verdict.as_ref().map_or("", |verdict| &verdict.text);
    let (notes, notable): (Vec<_>, Vec<_>) = findings.iter().partition(|of| of.severity == Severity::Note);
    html! {
        @if !notable.is_empty() {
            section.cards aria-label="Findings" {
                @if notable.len() > 1 { p.hint { (SCORE) } }
                @for finding in &notable { (card(links, finding, headline, true)) }
            }
        }
        @if !notes.is_empty() {
            section.cards.notes aria-label="Notes" {
                h2 { (counted_len(notes.len(), "note")) }
                @for finding in &notes { (card(links, finding, headline, false)) }
            }
        }
    }
}

fn card(links: &dyn Links, finding: &Finding, headline: &str, open: bool) -> Markup {
    let is_headline = says(headline, &finding.title);
    let class = format!("card {}", finding.severity.name());
    let body = html! {
        @if let Some(cause) = finding.follows { p.hint { "Follows from " a href=(format!("#finding-{cause}")) { (cause) } "." } }
        (measured(finding))
        (places(links, finding))
        p.links {
            @if let Some(href) = links.to(Target::Finding(finding)) { a.button href=(href) { "Show it" } }
            @for evidence in &finding.evidence { (rows(links, evidence)) }
        }
        details.why {
            summary { "Why, and what to try" }
            p { (prose(&finding.why)) }
            ul { @for try_this in &finding.tries { li { (prose(try_this)) } } }
            p { b { "Verify: " } (prose(&finding.verify)) }
        }
    };
    html! {
        article class=(class) id=(format!("finding-{}", finding.id)) {
            @if open {
                h2 { span.severity { (finding.severity.name()) } " " (finding.id) }
                // The headline above the cards is the first finding's title: it is not repeated.
                @if !is_headline { p.what { (finding.title) } }
                (body)
            } @else {
                details { summary { span.severity { (finding.severity.name()) } " " (finding.title) } p.hint { (finding.id) } (body) }
            }
        }
    }
}

/// Whether a verdict begins with a finding's title, followed by nothing or by further sentences.
fn says(verdict: &str, title: &str) -> bool {
    let behind = verdict.strip_prefix(title.trim_end_matches('.'));
    behind.is_some_and(|more| more.is_empty() || more.starts_with('.'))
}

fn measured(finding: &Finding) -> Markup {
    let one = |of: &report::Measured| {
        html! {
            div.measure {
                dt { (of.label()) }
                dd { b { (show(of.value, of.unit)) }
                    @if let Some(least) = finding.against(of) { " " span.hint { (least) } } }
            }
        }
    };
    html! {
        dl.figures { @for of in finding.measured.iter().take(SHOWN) { (one(of)) } }
        @if finding.measured.len() > SHOWN {
            details { summary { "All measurements" } dl.figures { @for of in finding.measured.iter().skip(SHOWN) { (one(of)) } } }
        }
    }
}

fn places(links: &dyn Links, finding: &Finding) -> Markup {
    html! {
        @if !finding.places.is_empty() {
            p.hint { "Where: share of " (finding.shares_of()) }
            ol.where aria-label="Where" {
                @for place in finding.places.iter().take(SHOWN) {
                    li { span.num { (show(place.share, "share")) } " " (place_name(links, finding, place)) }
                }
            }
        }
    }
}

fn place_name(links: &dyn Links, finding: &Finding, place: &Place) -> Markup {
    let name = links.written(&place.frame);
    // A generated name says less than the path whose requests it answers.
    let is_generated = place.frame.contains("!dynamicClass.") || place.frame.contains(">b__");
    let handled = place.request.as_ref().filter(|_| is_generated);
    html! {
        @if let Some(href) = links.to(Target::FoundAt(finding, place)) { a.name href=(href) title=(place.frame) { (name) } } @else { span.name title=(place.frame) { (name) } }
        @if let Some(path) = handled { span.hint { ", the handler of " (path) } }
        @if let Some(path) = place.request.as_ref().filter(|_| !is_generated) { span.hint { ", called by requests to " (path) } }
    }
}

fn rows(links: &dyn Links, evidence: &EvidenceRows) -> Markup {
    let count = if evidence.rows == 0 { "Rows".to_owned() } else { counted(evidence.rows, "row") };
    let when = match (evidence.first_ts_ns, evidence.last_ts_ns) {
        (Some(first), Some(last)) if last > first => {
            format!(" from {} to {}", moment(real(first)), moment(real(last)))
        }
        _ => String::new(),
    };
    let text = format!("{count} of {}", evidence.table);
    html! {
        @if let Some(href) = links.to(Target::Query(&evidence.sql)) {
            a.evidence href=(href) title=(when.trim()) { (text) }
        } @else {
            details.evidence { summary { (text) (when) } pre { code { (evidence.sql) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_card_does_not_repeat_the_verdict_when_more_findings_follow() {
        assert!(says("The heap grows.", "The heap grows"));
        assert!(says("The heap grows. 2 more findings follow.", "The heap grows"));
        assert!(!says("The heap grows fast.", "The heap grows"));
        assert!(!says("No problem found.", "The heap grows"));
    }
}
