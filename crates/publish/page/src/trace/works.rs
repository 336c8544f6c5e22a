//! The foot of a tab: how a part of the runtime works, explained with the recording's own figures.

use super::pages::TraceCtx;
use maud::{Markup, html};
use views::words::prose;

/// The explanation at the foot of the page's tab; empty if the tab has none.
pub(crate) fn how_it_works(ctx: &TraceCtx<'_>) -> Markup {
    let Some(works) = ctx.tab.and_then(|tab| tab.own.works.as_ref()) else { return html! {} };
    let topics: Vec<_> = works.topics.iter().map(|id| ctx.here().topic(*id)).collect();
    let paragraphs = topics.iter().flat_map(|topic| &topic.paragraphs);
    html! {
        details.works {
            summary { "How it works: " (works.title) ", with this recording's figures" }
            @for paragraph in paragraphs { h3 { (paragraph.heading) } p { (prose(&paragraph.text)) } }
            @for topic in &topics { @for missing in &topic.missing { p.empty { (missing) } } }
        }
    }
}
