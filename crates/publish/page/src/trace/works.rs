//! How a part of the runtime works, told with the recording's own figures: at the foot of its tab.

use super::TraceCtx;
use maud::{Markup, html};
use topics::Id;
use views::words::prose;

/// What a tab explains.
#[derive(Debug)]
pub(crate) struct Works {
    /// What the part of the runtime is called.
    pub(crate) title: &'static str,
    /// The topics, in their order.
    pub(crate) topics: &'static [Id],
}

/// The explanation that belongs to the page's tab.
pub(crate) fn how_it_works(ctx: &TraceCtx<'_>) -> Markup {
    let Some(works) = ctx.tab.and_then(|tab| tab.own.works.as_ref()) else { return html! {} };
    let told: Vec<_> = works.topics.iter().map(|id| ctx.here().topic(*id)).collect();
    let paragraphs = told.iter().flat_map(|topic| &topic.paragraphs);
    html! {
        details.works {
            summary { "How it works: " (works.title) ", with this recording's figures" }
            @for paragraph in paragraphs { h3 { (paragraph.heading) } p { (prose(&paragraph.text)) } }
            @for topic in &told { @for missing in &topic.missing { p.empty { (missing) } } }
        }
    }
}
