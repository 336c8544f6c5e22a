//! How a part of the runtime works, told with the recording's own figures: at the foot of its tab.

use crate::page::Ctx;
use crate::words::prose;
use maud::{Markup, html};
use topics::Id;

/// What a tab's part of the runtime is called, and what is explained of it.
fn topics_of(path: &str) -> Option<(&'static str, &'static [Id])> {
    Some(match path {
        "/stacks" => ("processors and the sampler", &[Id::Cpu]),
        "/gc" => ("the garbage collector", &[Id::Gc]),
        "/allocations" => ("memory", &[Id::Memory]),
        "/requests" => ("requests and their latency", &[Id::Requests]),
        "/threads" => ("the thread pool, and asynchronous methods", &[Id::ThreadPool, Id::Async]),
        "/jit" => ("the JIT compiler", &[Id::Jit]),
        _ => return None,
    })
}

/// The explanation that belongs to a tab.
pub(crate) fn how_it_works(ctx: &Ctx<'_>, path: &str) -> Markup {
    let Some((title, ids)) = topics_of(path) else { return html! {} };
    let told: Vec<_> = ids.iter().map(|id| ctx.here().topic(*id)).collect();
    let paragraphs = told.iter().flat_map(|topic| &topic.paragraphs);
    html! {
        details.works {
            summary { "How it works: " (title) ", with this recording's figures" }
            @for paragraph in paragraphs { h3 { (paragraph.heading) } p { (prose(&paragraph.text)) } }
            @for topic in &told { @for missing in &topic.missing { p.empty { (missing) } } }
        }
    }
}
