//! Findings as cards: what is wrong, how it was measured, where, and the way to the view that shows it.

use crate::page::Ctx;
use crate::params::{Params, seconds};
use crate::words::{counted, moment, prose};
use base::number::real;
use maud::{Markup, html};
use report::unit::show;
use report::{EvidenceRows, Finding, Place, Severity, View};
use runtime::written_name;

/// Places and measurements shown at once; the others are behind a click.
const SHOWN: usize = 4;

/// The findings, causes first; notes after them.
pub(crate) fn cards(ctx: &Ctx<'_>) -> Markup {
    let findings = &ctx.here().report.findings;
    let verdict = findings::verdict(&ctx.here().report, &ctx.here().recording);
    let (notes, notable): (Vec<_>, Vec<_>) = findings.iter().partition(|of| of.severity == Severity::Note);
    html! {
        @if !notable.is_empty() {
            section.cards aria-label="Findings" { @for finding in &notable { (card(ctx, finding, &verdict.text, true)) } }
        }
        @if !notes.is_empty() {
            section.cards.notes aria-label="Notes" {
                h2 { (counted(u64::try_from(notes.len()).unwrap_or(0), "note")) }
                @for finding in &notes { (card(ctx, finding, &verdict.text, false)) }
            }
        }
    }
}

fn card(ctx: &Ctx<'_>, finding: &Finding, headline: &str, open: bool) -> Markup {
    let is_headline = headline.trim_end_matches('.') == finding.title.trim_end_matches('.');
    let class = format!("card {}", finding.severity.name());
    let body = html! {
        @if let Some(cause) = finding.follows { p.hint { "Follows from " a href=(format!("#finding-{cause}")) { (cause) } "." } }
        (measured(finding))
        (places(ctx, finding))
        p.links {
            @if let Some(href) = shown_in(ctx, finding) { a.button href=(href) { "Show it" } }
            @for evidence in &finding.evidence { (rows(ctx, evidence)) }
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
                // The page's first sentence is the first finding's, and is not said twice.
                @if !is_headline { p.what { (finding.title) } }
                (body)
            } @else {
                details { summary { span.severity { (finding.severity.name()) } " " (finding.title) } p.hint { (finding.id) } (body) }
            }
        }
    }
}

fn measured(finding: &Finding) -> Markup {
    let one = |of: &report::Measured| {
        html! {
            div.measure {
                dt { (of.name) }
                dd { b { (show(of.value, of.unit)) }
                    @if let Some(least) = of.threshold { " " span.hint { "threshold " (show(least, of.unit)) } } }
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

fn places(ctx: &Ctx<'_>, finding: &Finding) -> Markup {
    html! {
        @if !finding.places.is_empty() {
            ol.where aria-label="Where" {
                @for place in finding.places.iter().take(SHOWN) {
                    li { span.num { (show(place.share, "share")) } " " (place_name(ctx, place, finding.view.params)) }
                }
            }
        }
    }
}

fn place_name(ctx: &Ctx<'_>, place: &Place, params: &[(&str, &str)]) -> Markup {
    let name = written_name(&place.frame);
    let link = (!ctx.is_file() && place.frame != "?").then(|| {
        let metric = params.iter().find(|(name, _)| *name == "metric").map_or("wall", |(_, metric)| *metric);
        let is_there = stacks::Metric::of_name(metric).is_some_and(|metric| ctx.here().sums_up_by(&metric));
        let metric = if is_there { metric } else { "" };
        let params = ctx.params.kept().with("metric", metric).with("show", "callers");
        params.with("method", &place.frame).href("/stacks")
    });
    html! {
        @if let Some(href) = link { a.name href=(href) title=(place.frame) { (name) } } @else { span.name title=(place.frame) { (name) } }
        @if let Some(path) = &place.request { span.hint { " in requests of " (path) } }
    }
}

/// The view that shows it, with the filter that belongs to it.
fn shown_in(ctx: &Ctx<'_>, finding: &Finding) -> Option<String> {
    let View { tab, params: fixed } = finding.view;
    let mut params = narrowed(ctx, finding);
    for (name, value) in fixed {
        params = params.with(name, value);
    }
    let metric = params.get("metric").and_then(stacks::Metric::of_name);
    if metric.is_some_and(|metric| !ctx.here().sums_up_by(&metric)) {
        // What the rule works from is not in this recording's stacks: all samples still show where it happens.
        let all = if ctx.here().sums_up_by(&stacks::Metric::Wall) { "wall" } else { "" };
        params = params.without(&["on"]).with("metric", all);
    }
    // The view may be missing for this recording. The rows never are.
    let path = if ctx.pages.has(tab) { tab } else { "/sql" };
    if path == "/stacks" && params.get("include").is_none() {
        let first = finding.places.first().filter(|place| place.frame != "?" && place.share < 0.999);
        if let Some(place) = first {
            params = params.with("include", &format!("^{}$", regex::escape(&place.frame)));
        }
    }
    if path == "/sql" {
        params = ctx.params.kept().with("q", &finding.evidence.first()?.sql);
        return (!ctx.is_file()).then(|| params.href(path));
    }
    Some(ctx.to(path, &params))
}

/// The range of time of the evidence, where that is a part of the recording alone.
fn narrowed(ctx: &Ctx<'_>, finding: &Finding) -> Params {
    const MOST: f64 = 0.5;
    let first = finding.evidence.iter().filter_map(|of| of.first_ts_ns).min();
    let last = finding.evidence.iter().filter_map(|of| of.last_ts_ns).max();
    let whole = ctx.here().recording.exhibit.duration_ns;
    let kept = ctx.params.kept();
    match (first, last) {
        (Some(first), Some(last))
            if last > first && real(last.saturating_sub(first)) < MOST * real(whole) =>
        {
            kept.with("from", &seconds(first)).with("to", &seconds(last.saturating_add(1)))
        }
        _ => kept,
    }
}

fn rows(ctx: &Ctx<'_>, evidence: &EvidenceRows) -> Markup {
    let count = if evidence.rows == 0 { "Rows".to_owned() } else { counted(evidence.rows, "row") };
    let when = match (evidence.first_ts_ns, evidence.last_ts_ns) {
        (Some(first), Some(last)) if last > first => {
            format!(" from {} to {}", moment(real(first)), moment(real(last)))
        }
        _ => String::new(),
    };
    let text = format!("{count} of {}", evidence.table);
    html! {
        @if ctx.is_file() {
            details.evidence { summary { (text) (when) } pre { code { (evidence.sql) } } }
        } @else {
            a.evidence href=(ctx.params.kept().with("q", &evidence.sql).href("/sql")) title=(when.trim()) { (text) }
        }
    }
}
