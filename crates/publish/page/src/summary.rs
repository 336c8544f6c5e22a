//! The first page: the verdict in a sentence, the findings, each part in figures, what is not in the recording.

use crate::cards::cards;
use crate::exhibit::Exhibit;
use crate::page::Ctx;
use maud::{Markup, html};
use runtime::Part;
use runtime::unit::show;

/// The page.
pub(crate) fn summary(ctx: &Ctx<'_>) -> Markup {
    let exhibit = ctx.here();
    html! {
        (crate::changes::head(ctx))
        (cards(ctx))
        section.parts aria-label="In figures" {
            h2 { "In figures" @if ctx.is_part() { ", over the whole recording" } }
            div.grid { @for part in exhibit.parts.iter().filter(|part| is_known(part)) { (in_figures(ctx, part)) } }
        }
        (not_here(ctx))
    }
}

/// What is wrong, in a sentence.
pub(crate) fn headline(exhibit: &Exhibit) -> Markup {
    let verdict = findings::verdict(&exhibit.report, &exhibit.recording);
    let tone = verdict.severity.map_or("good", findings::Severity::name);
    html! { section aria-label="Verdict" { p class=(format!("headline {tone}")) { (verdict.text) } } }
}

fn is_known(part: &Part) -> bool {
    part.figures.iter().any(|figure| figure.value.is_some())
}

/// The tab that shows more of a part.
fn tab_of(part: &str) -> Option<&'static str> {
    Some(match part {
        "requests" | "spans" => "/requests",
        "cpu" => "/stacks",
        "threadpool" => "/threads",
        "contention" | "waits" => "/locks",
        "gc" => "/gc",
        "allocation" => "/allocations",
        "exceptions" => "/exceptions",
        "jit" => "/jit",
        "logs" => "/logs",
        "counters" => "/counters",
        _ => return None,
    })
}

/// What people call a part.
fn title_of(part: &str) -> &str {
    match part {
        "requests" => "Requests",
        "spans" => "Calls and other spans",
        "cpu" => "Processors and samples",
        "threadpool" => "Thread pool",
        "contention" => "Locks",
        "waits" => "Waits",
        "gc" => "GC",
        "allocation" => "Allocation",
        "exceptions" => "Exceptions",
        "jit" => "JIT",
        "logs" => "Logs",
        "counters" => "Counters",
        other => other,
    }
}

fn in_figures(ctx: &Ctx<'_>, part: &Part) -> Markup {
    let title = title_of(part.id);
    html! {
        section.part {
            h3 { @if let Some(path) = tab_of(part.id).filter(|path| ctx.pages.has(path)) { a href=(ctx.to(path, &ctx.params.kept())) { (title) } } @else { (title) } }
            (figures(part))
        }
    }
}

/// The figures of a part that have a value.
pub(crate) fn figures(part: &Part) -> Markup {
    html! {
        dl.figures {
            @for figure in &part.figures {
                @if let Some(value) = figure.value {
                    div.measure { dt { (figure.about) } dd { (show(value, figure.unit)) } }
                }
            }
        }
    }
}

/// The figures of the parts of these names, for the head of a tab.
pub(crate) fn figures_of(ctx: &Ctx<'_>, ids: &[&str]) -> Markup {
    let parts = ctx.here().parts.iter().filter(|part| ids.contains(&part.id));
    html! {
        @for part in parts {
            @if is_known(part) { section.part { h2 { (title_of(part.id)) ", over the whole recording" } (figures(part)) } }
            @for missing in &part.missing { p.empty { (missing) } }
        }
    }
}

fn not_here(ctx: &Ctx<'_>) -> Markup {
    let exhibit = ctx.here();
    let missing: Vec<(&str, &str)> = exhibit
        .parts
        .iter()
        .flat_map(|part| part.missing.iter().map(|missing| (part.id, *missing)))
        .collect();
    html! {
        @if !missing.is_empty() || !exhibit.report.not_checked.is_empty() {
            details.missing {
                summary { "Not in this recording, and what could not be checked" }
                dl {
                    @for (id, missing) in &missing { dt { (title_of(id)) } dd { (missing) } }
                    @for rule in &exhibit.report.not_checked { dt { (rule.id) } dd { "not checked: needs " (rule.needs) } }
                }
            }
        }
    }
}
