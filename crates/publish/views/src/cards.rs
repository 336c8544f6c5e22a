//! Findings as cards: what is wrong, how it was measured, where, and a link to the view that shows it.

use crate::words::{counted, counted_len, moment, prose, unbroken};
use crate::{Links, Target};
use base::number::real;
use maud::{Markup, html};
use report::unit::show;
use report::{EvidenceRows, Explanation, Finding, Place, SCORE, Severity, Verdict};
use std::collections::BTreeSet;

/// Places and measurements that a card shows at once; the others are one click away.
const SHOWN: usize = 4;
/// The longest verdict, in bytes, that is one heading.
const LONGEST_HEADING: usize = 200;
/// How the name of what answers requests begins.
const HANDLER: &str = "handler of";

/// The verdict: what is wrong, in one sentence. It is the first heading of a page, and in one file a heading of its section.
///
/// Below it stands what a reader needs next: whom the first finding affects and what to try first, or what could not be checked.
pub fn headline(links: &dyn Links, explanation: &Explanation, verdict: &Verdict) -> Markup {
    let class = format!("headline {}", verdict.tone());
    let (heading, more) = heading_and_more(&verdict.text);
    html! {
        section aria-label="Verdict" {
            @if links.is_file() { h2 class=(class) { (unbroken(heading)) } } @else { h1 class=(class) { (unbroken(heading)) } }
            @if !more.is_empty() { p.next { span { (prose(more)) } } }
            (next_step(explanation))
            @for note in &verdict.notes { p.hint { (unbroken(note)) } }
        }
    }
}

/// The part of a verdict that is a heading, and the rest: a long verdict has its first sentence as the heading.
fn heading_and_more(text: &str) -> (&str, &str) {
    if text.len() <= LONGEST_HEADING {
        return (text, "");
    }
    let is_end = |at: &usize| text.get(at + 2..).is_some_and(|rest| rest.starts_with(char::is_uppercase));
    let end = text.match_indices(". ").map(|(at, _)| at).find(is_end);
    end.and_then(|end| Some((text.get(..=end)?, text.get(end + 2..)?))).unwrap_or((text, ""))
}

/// The id of the list of what is missing, on the first page.
pub const MISSING: &str = "missing";

fn next_step(explanation: &Explanation) -> Markup {
    let report = &explanation.report;
    let first = report.findings.iter().find(|of| of.severity > Severity::Note);
    html! {
        @if let Some(first) = first {
            p.next {
                (affected(explanation, first))
                @if let Some(advice) = first.tries.first() { span { b { "Try first: " } (prose(advice)) } }
                a href=(format!("#finding-{}", first.id)) { "The proof" }
            }
        } @else if !report.not_checked.is_empty() {
            p.next { a href=(format!("#{MISSING}")) { "Which checks could not run, and what to record for them" } }
        }
    }
}

/// What a page adds to the card of a finding: pictures that prove it.
pub type Proof<'a> = &'a dyn Fn(&Finding) -> Markup;

/// The findings, causes first; notes after them.
pub fn cards(links: &dyn Links, explanation: &Explanation, proof: Proof<'_>) -> Markup {
    let findings = &explanation.report.findings;
    let (notes, notable): (Vec<_>, Vec<_>) = findings.iter().partition(|of| of.severity == Severity::Note);
    let exhibit = |finding: &Finding| exhibit(links, explanation, finding, None, proof);
    html! {
        @if !notable.is_empty() {
            section.cards aria-label="Findings" {
                @if notable.len() > 1 { details.hint { summary { "The order of these findings" } p { (SCORE) } } }
                @for finding in &notable { (exhibit(finding)) }
            }
        }
        @if !notes.is_empty() {
            section.cards.notes aria-label="Notes" {
                h2 { (counted_len(notes.len(), "note")) }
                @for finding in &notes { (exhibit(finding)) }
            }
        }
    }
}

/// What a comparison of two exhibits says of a finding, on its card.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared<'a> {
    /// What became of it.
    pub became: Became<'a>,
    /// Why the change may be noise.
    pub reason: Option<&'a str>,
}

/// What became of a finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Became<'a> {
    /// Only the exhibit after has it.
    New,
    /// Only the exhibit before has it, whose figures the card shows.
    Gone,
    /// Both have it. This is how the exhibit before has it.
    Stayed(&'a Finding),
    /// The exhibit before could not judge it, so nothing became of it.
    NotCompared,
}

impl Became<'_> {
    /// The word on the card. It is also the class of the label.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Stayed(_) => "stayed",
            Self::NotCompared => "not compared",
        }
    }

    /// The same in a sentence.
    fn sentence(self, noun: &str) -> String {
        match self {
            Self::New => format!("only the later {noun} has it"),
            Self::Gone => format!("only the earlier {noun} has it; figures and pictures are of that one"),
            Self::Stayed(_) => format!("both {noun}s have it; figures are before → after"),
            Self::NotCompared => format!("the earlier {noun} could not judge it"),
        }
    }
}

/// A finding as a complete exhibit: what is wrong, whom it affects, the proof, and the first thing to try. A note is folded.
/// In a comparison, a label says what became of it.
pub fn exhibit(
    links: &dyn Links,
    explanation: &Explanation,
    finding: &Finding,
    compared: Option<Compared<'_>>,
    proof: Proof<'_>,
) -> Markup {
    let became = compared.map(|of| of.became);
    let class = format!(
        "card {}{}",
        finding.severity.name(),
        if became == Some(Became::Gone) { " past" } else { "" }
    );
    let title = html! {
        @if let Some(became) = became { span class=(format!("became {}", became.word())) { (became.word()) } " " }
        span.severity { (finding.severity.name()) } " " (unbroken(&finding.title))
    };
    let body = || body(links, explanation, finding, became, proof);
    let rule = html! {
        p.rule { (finding.id)
            @if let Some(of) = compared {
                ": " (of.became.sentence(links.noun()))
                @if let Became::Stayed(earlier) = of.became { @if earlier.severity != finding.severity { "; it was a " (earlier.severity.name()) " before" } }
                @if let Some(reason) = of.reason { "; " (reason) }
            }
        }
    };
    html! {
        article class=(class) id=(format!("finding-{}", finding.id)) {
            @if finding.severity == Severity::Note {
                details { summary { (title) } (rule) (body()) }
            } @else {
                h2 { (title) }
                (rule)
                (body())
            }
        }
    }
}

fn body(
    links: &dyn Links,
    explanation: &Explanation,
    finding: &Finding,
    became: Option<Became<'_>>,
    proof: Proof<'_>,
) -> Markup {
    let is_gone = became == Some(Became::Gone);
    let earlier = match became {
        Some(Became::Stayed(earlier)) => Some(earlier),
        _ => None,
    };
    let tries = finding.tries.split_first().filter(|_| !is_gone);
    html! {
        @if let Some(cause) = finding.follows {
            // The cause of what is gone may have no card, or one of the other exhibit.
            @if is_gone { p.hint { "It followed from " (cause) "." } }
            @else { p.hint { "Follows from " a href=(format!("#finding-{cause}")) { (cause) } "." } }
        }
        p { (affected(explanation, finding)) }
        (measured(finding, earlier))
        (places(links, finding))
        (proof(finding))
        p.links {
            @if let Some(href) = links.to(Target::Finding(finding)) { a.button href=(href) { (if is_gone { "Compare " } else { "See " }) (finding.view.shows) } }
            @for evidence in &finding.evidence { (rows(links, evidence)) }
        }
        @if let Some((first, more)) = tries {
            p.try { b { "Try first: " } (prose(first)) }
            @if !more.is_empty() {
                details.why { summary { "What else to try" } ul { @for try_this in more { li { (prose(try_this)) } } } }
            }
        }
        details.why { summary { "Why it happens" } p { (prose(&finding.why)) } }
        details.why { summary { "How to verify" } p { (prose(&finding.verify)) } }
        template data-markdown="" {
            @if let Some(became) = became { "Compared with the earlier recording: " (became.word()) ".\n\n" }
            (text::explain::finding(&explanation.heading, finding))
        }
    }
}

/// The routes whose requests were at the finding's places, each with its p99.
fn affected(explanation: &Explanation, finding: &Finding) -> Markup {
    let list =
        explanation.parts.iter().find(|part| part.id == "requests").and_then(|part| part.list("routes"));
    let Some(list) = list else { return html! {} };
    let rows = || list.rows.iter().enumerate();
    // A path may fit several routes: `/orders/latest` and `/orders/{id}`. The most exact one answers it.
    let answers = |path: &str| {
        let fitting =
            rows().filter_map(|(at, row)| Some((exactness(path, &row.name)?, std::cmp::Reverse(at))));
        fitting.max().map(|(_, at)| at.0)
    };
    let affected: BTreeSet<usize> =
        finding.places.iter().filter_map(|place| answers(place.request.as_deref()?)).collect();
    let p99 = list.shown().into_iter().find(|column| column.name == "p99");
    html! {
        @if !affected.is_empty() {
            span.affected { "Affected: "
                @for (number, (_, row)) in rows().filter(|(at, _)| affected.contains(at)).take(SHOWN).enumerate() {
                    @if number > 0 { ", " }
                    code { (row.name) }
                    @if let Some(p99) = p99.as_ref().and_then(|column| column.text(row)) { " (p99 " (unbroken(&p99)) ")" }
                }
                @if affected.len() > SHOWN { ", and " (affected.len() - SHOWN) " more" }
            }
        }
    }
}

/// How many segments of a path its route says literally: 1 of `/starve/100` by `/starve/{ms:int}`. `None` if it is not the
/// path's route. Either may begin with a method.
fn exactness(path: &str, route: &str) -> Option<usize> {
    fn parts(text: &str) -> Vec<String> {
        let bare = text.split_once(' ').map_or(text, |(_, behind)| behind);
        bare.trim_matches('/').split('/').map(str::to_lowercase).collect()
    }
    let (path, route) = (parts(path), parts(route));
    let takes_rest = route.last().is_some_and(|last| last.starts_with("{*"));
    let pairs = || path.iter().zip(&route);
    let fits = pairs().all(|(own, of)| own == of || of.starts_with('{'))
        && (path.len() == route.len() || takes_rest && path.len() >= route.len());
    fits.then(|| pairs().filter(|(own, of)| own == of).count())
}

/// What was measured; before and after, if `earlier` is the same finding of the exhibit before.
fn measured(finding: &Finding, earlier: Option<&Finding>) -> Markup {
    let was = |of: &report::Measured| {
        let mut all = earlier?.measured.iter();
        all.find(|was| was.name == of.name && was.unit == of.unit).map(|was| show(was.value, was.unit))
    };
    let one = |of: &report::Measured| {
        html! {
            div.measure {
                dt { (of.label()) }
                dd {
                    @if let Some(was) = was(of) { span.was { span.visually-hidden { "before " } (was) } " → " span.visually-hidden { "after " } }
                    b { (show(of.value, of.unit)) }
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
    let places = named_places(links, finding);
    html! {
        @if !places.is_empty() {
            p.hint { "Where: share of " (finding.shares_of()) }
            ol.where aria-label="Where" {
                @for of in places.iter().take(SHOWN) {
                    li { span.num { (show(of.share, "share")) } " "
                        @if let Some(href) = links.to(Target::FoundAt(finding, of.first)) { a.name href=(href) title=(of.first.frame) { (of.name) } }
                        @else { span.name title=(of.first.frame) { (of.name) } }
                        @if let Some(path) = of.path { span.hint { ", " (of.how) " " (path) } }
                    }
                }
            }
        }
    }
}

/// A place as a card names it.
struct NamedPlace<'a> {
    name: String,
    /// The path of the requests, if the name does not say it.
    path: Option<&'a str>,
    /// What the place has to do with these requests.
    how: &'static str,
    share: f64,
    first: &'a Place,
}

/// The places of a finding. Parts of one handler, such as the method that the runtime made to call it, are one place.
fn named_places<'a>(links: &dyn Links, finding: &'a Finding) -> Vec<NamedPlace<'a>> {
    let mut places: Vec<NamedPlace<'a>> = Vec::new();
    for place in &finding.places {
        let name = links.written(&place.frame);
        // A generated name may be of any lambda within a request.
        let is_generated = place.frame.contains("!dynamicClass.") || place.frame.contains(">b__");
        let is_handler = name.starts_with(HANDLER);
        let (name, path) = match place.request.as_deref() {
            _ if is_handler => (name, None),
            path => (name, path),
        };
        let how = if is_generated { "in requests to" } else { "called by requests to" };
        match places.iter_mut().find(|known| is_handler && known.name == name) {
            Some(known) => known.share += place.share,
            None => places.push(NamedPlace { name, path, how, share: place.share, first: place }),
        }
    }
    places.sort_by(|a, b| b.share.total_cmp(&a.share));
    places
}

fn rows(links: &dyn Links, evidence: &EvidenceRows) -> Markup {
    let count = if evidence.rows == 0 { "Rows".to_owned() } else { counted(evidence.rows, "row") };
    let when = match (evidence.first_ts_ns, evidence.last_ts_ns) {
        (Some(first), Some(last)) if last > first => {
            format!(" from {} to {}", moment(real(first)), moment(real(last)))
        }
        _ => String::new(),
    };
    // The query is for people: it may show first rows, sums, or neighbours of the rows that the rule counts.
    let text = format!("{count} of {}, in SQL", evidence.table);
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
    fn only_a_long_verdict_is_cut_and_only_after_its_first_sentence() {
        let check =
            |text: &str, heading: &str, more: &str| assert_eq!(heading_and_more(text), (heading, more));
        check("Short. It has two sentences.", "Short. It has two sentences.", "");
        let rest = format!("They take 1.5 s. {}", "long ".repeat(40));
        let text = format!("Requests to a.b take 3.2 s, and nothing explains it. {rest}");
        check(&text, "Requests to a.b take 3.2 s, and nothing explains it.", &rest);
        let endless = "word ".repeat(60);
        check(&endless, &endless, "");
    }

    #[test]
    fn what_became_of_a_finding_is_a_word_and_not_only_a_colour() {
        let words = [Became::New, Became::Gone, Became::NotCompared].map(Became::word);
        assert_eq!(words, ["new", "gone", "not compared"]);
    }

    #[test]
    fn a_path_belongs_to_the_route_whose_segments_it_has() {
        let check = |path, route, expected| assert_eq!(exactness(path, route), expected, "{path} {route}");
        check("/starve/100", "/starve/{ms:int}", Some(1));
        check("GET /starve/100", "/Starve/{ms:int}", Some(1));
        check("/orders/latest", "/orders/latest", Some(2));
        check("/orders/latest", "/orders/{id}", Some(1));
        check("/starve", "/starve/{ms:int}", None);
        check("/starve/100/all", "/starve/{ms:int}", None);
        check("/files/a/b", "/files/{*path}", Some(1));
        check("/", "/", Some(1));
        check("/health", "/", None);
    }
}
