//! The first page: the verdict in one sentence, the findings, the figures of each part, and what the evidence lacks.

use crate::kind::{Ctx, KindOfPages};
use crate::tabletab::{first_list, title_of};
use maud::{Markup, html};
use report::Explanation;
use views::{cards, parts};

/// The page. `before` stands above the findings.
pub(crate) fn summary<K: KindOfPages>(ctx: &Ctx<'_, K>, before: &Markup) -> Markup {
    let findings = cards::cards(ctx, ctx.kind().explanation(), &|finding| K::proof(ctx, finding));
    summary_with(ctx, &html! { (before) (findings) })
}

/// The page with findings of the kind's own making; they are the end of `before`, which stands above the figures.
pub(crate) fn summary_with<K: KindOfPages>(ctx: &Ctx<'_, K>, before: &Markup) -> Markup {
    let explanation = ctx.kind().explanation();
    let known = explanation.parts.iter().filter(|part| parts::is_known(part));
    html! {
        @if ctx.is_part() {
            p.said { "The verdict, the findings and the figures describe the whole " (K::NOUN) "; the views that they lead to show the selected range." }
        }
        (before)
        section.parts aria-label="Figures" {
            h2 { "Figures" }
            div.grid { @for part in known { (parts::part_card(ctx, part, title_of::<K>(part.id), first_list::<K>(part.id))) } }
        }
        (not_here::<K>(explanation))
    }
}

/// What is wrong, in one sentence; empty for evidence without rules.
pub(crate) fn headline<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Markup {
    let explanation = ctx.kind().explanation();
    html! { @if let Some(verdict) = &explanation.verdict { (cards::headline(ctx, explanation, verdict)) } }
}

fn not_here<K: KindOfPages>(explanation: &Explanation) -> Markup {
    let Explanation { parts, report, .. } = explanation;
    let missing: Vec<(&str, &str)> =
        parts.iter().flat_map(|part| part.missing.iter().map(|missing| (part.id, *missing))).collect();
    html! {
        @if !missing.is_empty() || !report.not_checked.is_empty() {
            details.missing #(cards::MISSING) {
                summary { "Not in this " (K::NOUN) ", and what could not be checked" }
                dl {
                    @for (id, missing) in &missing { dt { (title_of::<K>(id)) } dd { (missing) } }
                    @for rule in &report.not_checked { dt { (rule.id) } dd { "not checked: needs " (rule.needs) } }
                }
            }
        }
    }
}
