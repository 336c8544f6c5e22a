//! The pages of a trace, alone or compared with an earlier one.
//!
//! Here is what only a trace has: stacks and their flame graphs, lanes over time, topics, a comparison. The tabs stand in
//! `tabs`, their queries in `tables`.

mod changes;
mod exhibit;
mod links;
mod selection;
mod stackview;
mod tables;
mod tabs;
mod works;

use crate::Reply;
use crate::ctx::Ctx;
use crate::kind::{Further, KindOfPages, PartPlace, Tab, TimeLine};
use crate::site;
use exhibit::Exhibit;
use maud::{Markup, html};
use model::{Tables, Trace};
use report::{Diff, Explanation};
use runtime::MyCode;
use stacks::Metric;
use std::sync::Arc;
use tabs::Own;
use timeline::Span;
use views::Target;

/// A trace as pages.
#[derive(Debug)]
pub(crate) struct TracePages {
    /// The trace.
    here: Exhibit,
    /// The earlier one that it is compared with.
    against: Option<Exhibit>,
    /// The comparison of both, over all of their time.
    diff: Option<Diff>,
}

/// A page of a trace.
pub(crate) type TraceCtx<'a> = Ctx<'a, TracePages>;

impl TracePages {
    /// Explains a trace, and compares it with an earlier one if there is one.
    pub(crate) fn new(trace: Arc<Trace>, earlier: Option<Arc<Trace>>, mine: &MyCode) -> Self {
        let (here, against) = (Exhibit::new(trace, mine), earlier.map(|earlier| Exhibit::new(earlier, mine)));
        let diff = against.as_ref().map(|against| changes::diff_of(against, &here));
        Self { here, against, diff }
    }
}

impl<'a> TraceCtx<'a> {
    /// The trace that the page is of.
    pub(crate) fn here(&self) -> &'a Exhibit {
        &self.kind().here
    }

    /// What the stacks behind the rows of the page's tab can be summed up by.
    fn metrics(&self) -> &'static [Metric] {
        self.tab.map_or(&[], |tab| tab.own.metrics)
    }
}

impl KindOfPages for TracePages {
    type Own = Own;

    const NOUN: &'static str = "recording";
    const TABS: &'static [Tab<Self>] = tabs::TABS;
    const PARTS: &'static [PartPlace] = tabs::PARTS;
    const TIME: Option<TimeLine<Self>> = Some(TimeLine {
        whole: |pages| Span::whole(&pages.here.recording),
        lanes: |pages, span| pages.here.lanes(span),
        usual: tabs::USUAL_LANES,
    });
    const FURTHER: &'static [Further<Self>] = &[
        Further { path: stackview::FLAME_DATA, answer: stackview::flame_data },
        Further { path: tabs::STACK, answer: stack },
    ];
    const QUESTIONS: &'static [(&'static str, &'static str)] = &[
        (
            "What do waiting threads wait for?",
            "select waiting_on, count(*) as samples from samples where state = 'waiting' group by 1 order by 2 desc",
        ),
        (
            "Which collections stopped the program longest?",
            "select number, generation, type, reason, start_ns, pause_ns from gc order by pause_ns desc limit 20",
        ),
        (
            "Which types are allocated most?",
            "select type, count(*) as samples, sum(weight_bytes) as allocated_bytes from allocations group by 1 order by 3 desc limit 20",
        ),
        (
            "Which events are in the recording?",
            "select provider, name, count(*) as events from events group by 1, 2 order by 3 desc",
        ),
    ];

    fn tables(&self) -> &Arc<dyn Tables> {
        &self.here.tables
    }

    fn explanation(&self) -> &Explanation {
        &self.here.explanation
    }

    fn against(&self) -> Option<&str> {
        self.against.as_ref().map(|other| other.explanation.heading.name.as_str())
    }

    fn to(ctx: &TraceCtx<'_>, target: Target<'_>) -> Option<String> {
        links::to(ctx, target)
    }

    fn written(name: &str) -> String {
        runtime::written_name(name)
    }

    fn above_tables(ctx: &TraceCtx<'_>) -> Markup {
        let form = ctx.tab.and_then(|tab| tab.own.form);
        html! { (tables::stacks_links(ctx)) @if let Some(form) = form { (form(ctx)) } }
    }

    fn below_tables(ctx: &TraceCtx<'_>) -> Markup {
        works::how_it_works(ctx)
    }
}

/// The summary; that of a comparison begins with what changed.
fn summary(ctx: &TraceCtx<'_>) -> Markup {
    crate::summary::summary(ctx, &changes::head(ctx))
}

/// The page of one stack.
fn stack(ctx: &TraceCtx<'_>) -> Reply {
    site::page(ctx, "Stack", &tables::one_stack(ctx))
}
