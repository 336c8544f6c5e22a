//! The summary of a comparison: its sentence, the time lines of both recordings, what changed most, and the findings as cards.
//!
//! ```text
//! sentence of the comparison                 h1
//! this recording: its own verdict            a smaller line
//! lanes, before above after                  one scale
//! the stacks that changed most               `widest`
//! findings: new, gone, stayed                a gone one is drawn from the earlier recording
//! figures that changed                       `changes`
//! ```
//!
//! Invariant: a card of the earlier recording has no link that would show the same place in this one.

use super::explained::Explained;
use super::own::STACKS;
use super::pages::TraceCtx;
use super::{changes, links, proof, widest};
use crate::summary::headline;
use maud::{Markup, html};
use report::{Diff, Finding, FindingChange, FindingState, Severity, Verdict};
use timeline::Span;
use views::cards::{Became, Compared, exhibit};
use views::lanes::{Recorded, pairs, pieces};
use views::words::{counted_len, unbroken};
use views::{Links, Params, Target};

/// The most lanes of which both recordings are shown.
const MOST_LANES: usize = 4;
/// The lanes that are shown as far as the findings leave room.
const USUAL: [&str; 5] = ["requests", "latency", "cores", "waiting", "gc"];

/// The order of findings by what became of them, in the words of their cards.
const ORDER: [&str; 4] = ["new", "gone", "stayed", "not compared"];

/// What stands above the time bar: the verdict, and in a comparison that of the comparison, with the time lines of both.
pub(super) fn above(ctx: &TraceCtx<'_>) -> Markup {
    let Some((other, diff)) = compared(ctx) else { return headline(ctx) };
    let class = format!("headline {}", changes::tone_of(diff));
    html! {
        section aria-label="Verdict of the comparison" {
            @if ctx.file { h2 class=(class) { (unbroken(&diff.summary)) } } @else { h1 class=(class) { (unbroken(&diff.summary)) } }
            @if let Some(verdict) = &ctx.here().explanation.verdict { (alone(verdict)) }
        }
        (time_lines(ctx, other))
    }
}

/// The verdict of this recording, below that of the comparison.
fn alone(verdict: &Verdict) -> Markup {
    html! {
        p class=(format!("verdict-alone {}", verdict.tone())) { b { "This recording: " } (unbroken(&verdict.text)) }
        @for note in &verdict.notes { p.verdict-alone.hint { (unbroken(note)) } }
    }
}

/// What stands above the figures of this recording. `None` without a comparison.
pub(super) fn body(ctx: &TraceCtx<'_>) -> Option<Markup> {
    let (other, diff) = compared(ctx)?;
    Some(html! {
        (widest::section(ctx, diff))
        (findings(ctx, other, diff))
        (changes::head(ctx, diff))
    })
}

/// The earlier recording and the comparison with it, over the whole time of both.
fn compared<'a>(ctx: &TraceCtx<'a>) -> Option<(&'a Explained, &'a Diff)> {
    ctx.kind().against.as_ref().zip(ctx.kind().diff.as_ref())
}

/// A few lanes of both recordings, the earlier above the later.
fn time_lines(ctx: &TraceCtx<'_>, other: &Explained) -> Markup {
    let here = ctx.here();
    let [before, after] = [other, here].map(|of| Span::whole(&of.recording));
    let longest = if before.len_ns() > after.len_ns() { before } else { after };
    let [theirs, ours] =
        [(other, before), (here, after)].map(|(of, span)| of.lanes_in(span, pieces(span, longest)));
    let is_there = |id: &&str| ours.iter().chain(theirs.iter()).any(|lane| lane.id == *id);
    let notable = |of: &&Finding| of.severity > Severity::Note;
    let findings = findings_of(here).iter().chain(findings_of(other)).filter(notable);
    let mut ids: Vec<&str> = Vec::new();
    for id in findings.map(|finding| finding.view.lane).chain(USUAL).filter(is_there) {
        if !ids.contains(&id) && ids.len() < MOST_LANES {
            ids.push(id);
        }
    }
    let [before_label, after_label] = [("before", other), ("after", here)]
        .map(|(when, of)| format!("{when}: {}", of.explanation.heading.name));
    let recorded = [
        Recorded { label: &before_label, span: before, lanes: &theirs },
        Recorded { label: &after_label, span: after, lanes: &ours },
    ];
    html! {
        @if !ids.is_empty() {
            section.both aria-label="Time lines of both recordings" {
                (pairs(&ids, recorded))
                p.hint { "Each pair has one scale: the same height is the same value, and the same width is the same time." }
            }
        }
    }
}

fn findings_of(of: &Explained) -> &[Finding] {
    &of.explanation.report.findings
}

/// A finding with what became of it.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    /// The recording whose finding the card shows.
    of: &'a Explained,
    finding: &'a Finding,
    compared: Compared<'a>,
}

/// The findings of both recordings, each once: those of this one in their order, then those that are gone.
fn entries<'a>(here: &'a Explained, other: &'a Explained, diff: &'a Diff) -> Vec<Entry<'a>> {
    let change = |finding: &Finding| diff.findings.iter().find(|of| of.id == finding.id);
    let ours = findings_of(here).iter().map(|finding| {
        let change = change(finding);
        let earlier = || findings_of(other).iter().find(|of| of.id == finding.id);
        let became = match change.map(|of| of.state) {
            Some(FindingState::Stayed) => earlier().map_or(Became::New, Became::Stayed),
            Some(FindingState::New | FindingState::Gone) => Became::New,
            None => Became::NotCompared,
        };
        Entry { of: here, finding, compared: Compared { became, reason: reason(change) } }
    });
    let is_gone = |finding: &&Finding| change(finding).is_some_and(|of| of.state == FindingState::Gone);
    let gone = findings_of(other).iter().filter(is_gone).map(|finding| {
        let compared = Compared { became: Became::Gone, reason: reason(change(finding)) };
        Entry { of: other, finding, compared }
    });
    // What the later recording could not judge is neither gone nor still there.
    let is_unknown = |finding: &&Finding| {
        change(finding).is_none() && findings_of(here).iter().all(|of| of.id != finding.id)
    };
    let unknown = findings_of(other).iter().filter(is_unknown).map(|finding| {
        let compared = Compared { became: Became::NotCompared, reason: None };
        Entry { of: other, finding, compared }
    });
    ours.chain(gone).chain(unknown).collect()
}

fn reason(change: Option<&FindingChange>) -> Option<&str> {
    change.and_then(|of| of.reason.as_deref())
}

/// The findings by what became of them, and then the notes of both.
fn findings(ctx: &TraceCtx<'_>, other: &Explained, diff: &Diff) -> Markup {
    let all = entries(ctx.here(), other, diff);
    let (notes, notable): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|of| of.finding.severity == Severity::Note);
    let grouped = ORDER.map(|word| {
        let of: Vec<_> = notable.iter().filter(|of| of.compared.became.word() == word).collect();
        (word, of)
    });
    let present = grouped.iter().filter(|(_, of)| !of.is_empty());
    let counts: Vec<String> = present.map(|(word, of)| format!("{} {word}", of.len())).collect();
    html! {
        @if notable.is_empty() { p.said { "Neither recording has a finding above a note." } }
        @else {
            // One grid for all: what is new and what is gone stand side by side if there is room.
            section.cards aria-label="Findings" {
                h2 { "Findings: " (counts.join(", ")) }
                @for entry in grouped.iter().flat_map(|(_, of)| of) { (card(ctx, entry)) }
            }
        }
        @if !notes.is_empty() {
            section.cards.notes aria-label="Notes" {
                h2 { (counted_len(notes.len(), "note")) }
                @for entry in &notes { (card(ctx, entry)) }
            }
        }
    }
}

fn card(ctx: &TraceCtx<'_>, entry: &Entry<'_>) -> Markup {
    let Entry { of, finding, compared } = entry;
    let explanation = &of.explanation;
    if !std::ptr::eq(*of, ctx.here()) {
        let elsewhere = |finding: &Finding| proof::proof_elsewhere(of, finding);
        return exhibit(&Elsewhere { ctx, of }, explanation, finding, Some(*compared), &elsewhere);
    }
    exhibit(ctx, explanation, finding, Some(*compared), &|finding| proof::proof(ctx, finding))
}

/// The links of a card of the earlier recording. Only stacks are of both recordings, so all others are left out.
#[derive(Debug)]
struct Elsewhere<'a, 'b> {
    ctx: &'a TraceCtx<'b>,
    /// The earlier recording, which the card is of.
    of: &'a Explained,
}

impl Links for Elsewhere<'_, '_> {
    fn params(&self) -> &Params {
        self.ctx.params
    }

    fn path(&self) -> &str {
        self.ctx.path
    }

    fn is_file(&self) -> bool {
        self.ctx.file
    }

    fn to(&self, target: Target<'_>) -> Option<String> {
        let Target::Finding(finding) = target else { return None };
        let metric = links::metric_of(finding).filter(|metric| self.ctx.here().sums_up_by(metric))?;
        // Without the finding itself, which this recording lacks: the samples of one would be compared with none.
        let params = self.ctx.params.kept().with("metric", &metric.name()).with("my", "1");
        (!self.ctx.file).then(|| params.href(STACKS))
    }

    fn noun(&self) -> &'static str {
        Links::noun(self.ctx)
    }

    fn is_part(&self) -> bool {
        Links::is_part(self.ctx)
    }

    fn written(&self, name: &str) -> String {
        self.of.written(name)
    }

    fn written_list(&self, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| self.of.written(name)).collect()
    }
}
