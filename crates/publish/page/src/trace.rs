//! The pages of a trace, alone or compared with an earlier one.
//!
//! This folder has what only a trace has: stacks and their flame graphs, lanes over time, topics, a comparison.
//! `pages` and `explained` hold the state, `own` what all tabs share; `tabs` lists the tabs, `tables` has their
//! queries.

mod changes;
mod compared;
mod explained;
mod links;
mod own;
mod owncode;
mod pages;
mod proof;
mod selection;
mod stackview;
mod tables;
mod tabs;
mod widest;
mod works;

pub(crate) use pages::TracePages;

use crate::frame;
use crate::kind::{Further, KindOfPages, PartPlace, Question, Tab, TimeLine};
use crate::reply::Reply;
use maud::{Markup, html};
use model::Tables;
use own::Own;
use pages::TraceCtx;
use report::{Explanation, Finding, Severity};
use std::sync::Arc;
use timeline::Span;
use views::Target;

/// The most lanes of findings that come before the usual ones.
const MOST_DECIDING: usize = 3;

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
        Further { path: own::FLAME_DATA, answer: stackview::flame_data },
        Further { path: own::STACK, answer: stack },
        Further { path: own::FINDING, answer: proof::page },
    ];
    const QUESTIONS: &'static [Question] = &[
        Question {
            text: "What do waiting threads wait for?",
            sql: "select waiting_on, count(*) as samples from samples where state = 'waiting' group by 1 order by 2 desc",
        },
        Question {
            text: "Which collections paused the program longest?",
            sql: "select number, generation, type, reason, start_ns, pause_ns from gc order by pause_ns desc limit 20",
        },
        Question {
            text: "Which types are allocated most?",
            sql: "select type, count(*) as samples, sum(weight_bytes) as allocated_bytes from allocations group by 1 order by 3 desc limit 20",
        },
        Question {
            text: "Which events are in the recording?",
            sql: "select provider, name, count(*) as events from events group by 1, 2 order by 3 desc",
        },
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

    fn written(&self, name: &str) -> String {
        self.here.written(name)
    }

    fn written_list(&self, names: &[&str]) -> Vec<String> {
        let labels = runtime::MethodLabels::new(names.iter().copied());
        // Several methods may handle the requests to one route: then each has its own name, too.
        let handlers: Vec<_> = names.iter().map(|name| self.here.handler(name)).collect();
        let is_only = |handler: &str| handlers.iter().filter(|of| **of == Some(handler)).count() == 1;
        let written = |(name, handler): (&&str, Option<&str>)| match handler {
            Some(handler) if is_only(handler) => handler.to_owned(),
            Some(handler) => format!("{handler}: {}", labels.label(name)),
            None => labels.label(name),
        };
        names.iter().zip(handlers.iter().copied()).map(written).collect()
    }

    fn opens(ctx: &TraceCtx<'_>, tab: &Tab<Self>) -> Option<views::Params> {
        // A comparison begins with everything, since the other recording may lack the finding.
        if tab.path != own::STACKS || ctx.kind().against.is_some() {
            return None;
        }
        let findings = ctx.here().explanation.report.findings.iter();
        findings
            .filter(|finding| finding.severity > Severity::Note)
            .find_map(|finding| links::counted(ctx, finding))
    }

    fn folds_time_line(ctx: &TraceCtx<'_>) -> bool {
        // The summary of a comparison has the time lines of both. A reader who asked for a range wants to see it.
        ctx.kind().against.is_some() && ctx.path == "/" && !ctx.is_part() && !ctx.params.is_range_refused()
    }

    fn deciding_lanes(&self) -> Vec<&'static str> {
        let notable = self.here.explanation.report.findings.iter().filter(|of| of.severity > Severity::Note);
        let mut lanes: Vec<&'static str> = Vec::new();
        for finding in notable {
            if !lanes.contains(&finding.view.lane) {
                lanes.push(finding.view.lane);
            }
        }
        lanes.truncate(MOST_DECIDING);
        lanes
    }

    fn proof(ctx: &TraceCtx<'_>, finding: &Finding) -> Markup {
        proof::proof(ctx, finding)
    }

    fn above_tables(ctx: &TraceCtx<'_>) -> Markup {
        let form = ctx.tab.and_then(|tab| tab.own.form);
        html! { (tables::stacks_links(ctx)) (owncode::by_own_code(ctx)) @if let Some(form) = form { (form(ctx)) } }
    }

    fn below_tables(ctx: &TraceCtx<'_>) -> Markup {
        works::how_it_works(ctx)
    }
}

/// The page of one stack.
fn stack(ctx: &TraceCtx<'_>) -> Reply {
    frame::reply(ctx, "Stack", &tables::one_stack(ctx))
}
