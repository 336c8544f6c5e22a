//! The first page: the verdict in a sentence, the findings, each part in figures, what is not in the recording.

use crate::cards::cards;
use crate::exhibit::Exhibit;
use crate::page::Ctx;
use maud::{Markup, PreEscaped, html};
use report::unit::show;
use report::{List, Part};

/// The page.
pub(crate) fn summary(ctx: &Ctx<'_>) -> Markup {
    let exhibit = ctx.here();
    html! {
        @if ctx.is_part() {
            p.said { "The verdict, the findings and the figures are of the whole recording; the views that they lead to are of the range." }
        }
        (crate::changes::head(ctx))
        (cards(ctx))
        section.parts aria-label="In figures" {
            h2 { "In figures" }
            div.grid { @for part in exhibit.parts.iter().filter(|part| is_known(part)) { (in_figures(ctx, part)) } }
        }
        (not_here(ctx))
    }
}

/// What is wrong, in a sentence.
pub(crate) fn headline(exhibit: &Exhibit) -> Markup {
    let verdict = findings::verdict(&exhibit.report, &exhibit.recording);
    let tone = verdict.severity.map_or("good", report::Severity::name);
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
            @for series in part.series.iter().filter(|series| series.values.iter().any(Option::is_some)).take(1) {
                p.hint.course { (series.about) (PreEscaped(charts::sparkline(&series.values, series.about))) }
            }
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
            @for list in part.lists.iter().filter(|list| !list.rows.is_empty()) { (largest(part, list)) }
            @for missing in &part.missing { p.empty { (missing) } }
        }
    }
}

/// The largest of something in a part.
fn largest(part: &Part, list: &List) -> Markup {
    let id = format!("{}-{}", part.id, list.name);
    let cell = |value: &Option<f64>, unit: &str| {
        html! {
            @if let Some(value) = value { td.num data-v=(value) { (show(*value, unit)) } }
            @else { td.none { span.quiet { "none" } } }
        }
    };
    html! {
        details.largest {
            summary { (list.about) " " span.hint { "over the whole recording" } }
            div.toolbar { button.copy type="button" data-copy=(id) hidden { "Copy as CSV" } }
            div.scroll tabindex="0" role="region" aria-label=(list.about) {
                table data-table=(id) data-complete="" {
                    thead { tr {
                        th scope="col" data-column="name" { "name" }
                        @for column in list.columns { th.num scope="col" data-column=(column.name) { (column.name) } }
                    } }
                    tbody { @for row in &list.rows { tr {
                        td.name title=(row.name) { (runtime::written_name(&row.name)) }
                        @for (value, column) in row.values.iter().zip(list.columns) { (cell(value, column.unit)) }
                    } } }
                }
            }
            @if list.more > 0 { p.hint { (list.more) " more are not listed." } }
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
