//! The pages of a load run: latency over time and by percentile, rates, what failed, and the requests one by one if it has
//! them.

mod tables;

use crate::kind::{Body, Ctx, InFile, KindOfPages, PartPlace, Question, Shown, Tab, TimeLine};
use crate::{paths, sqlpage, summary};
use loads::Pictures;
use maud::{Markup, html};
use model::{Load, SCHEDULE, SEND, Tables};
use report::unit::show;
use report::{Explanation, Severity};
use std::sync::Arc;
use timeline::{Lane, Span};
use views::lanes::PIECES;
use views::{Target, loads as pictures};

const LATENCY: &str = "/latency";
const RATES: &str = "/rates";
const FAILURES: &str = "/failures";

/// A load run as pages.
#[derive(Debug)]
pub(crate) struct LoadPages {
    load: Arc<Load>,
    tables: Arc<dyn Tables>,
    explanation: Explanation,
    pictures: Pictures,
}

/// A page of a load run.
pub(crate) type LoadCtx<'a> = Ctx<'a, LoadPages>;

impl LoadPages {
    /// Explains a load run.
    pub(crate) fn new(load: Arc<Load>) -> Self {
        let (explanation, pictures) = (loads::explanation(&load), loads::pictures(&load));
        Self { tables: Arc::<Load>::clone(&load), load, explanation, pictures }
    }

    /// The load run.
    pub(crate) fn load(&self) -> &Load {
        &self.load
    }

    /// Its pictures.
    pub(crate) fn pictures(&self) -> &Pictures {
        &self.pictures
    }

    /// What the latencies count from, in words.
    pub(crate) fn basis(&self) -> &'static str {
        match self.load.main_basis() {
            Some(SCHEDULE) => "from the schedule",
            Some(SEND) => "from the send",
            _ => "of another basis",
        }
    }

    fn value(&self, part: &str, figure: &str) -> Option<f64> {
        self.explanation.parts.iter().find(|of| of.id == part)?.value(figure)
    }
}

/// What holds for a tab unless it says otherwise.
const TAB: Tab<LoadPages> = Tab {
    path: "",
    title: "",
    shown: Shown::Always,
    lanes: &["rate", "latency"],
    parts: &[],
    above: None,
    body: Body::Tables(&[]),
    in_file: InFile::Same,
    preload: None,
    own: (),
};

impl KindOfPages for LoadPages {
    type Own = ();

    const NOUN: &'static str = "load run";
    const TABS: &'static [Tab<Self>] = &[
        Tab {
            path: "/",
            title: "Summary",
            lanes: &["rate", "failures", "lateness"],
            above: Some(summary::headline),
            body: Body::Drawn(summary_tab),
            ..TAB
        },
        Tab {
            path: LATENCY,
            title: "Latency",
            shown: Shown::Rows(&["latency", "histogram"]),
            body: Body::Drawn(latency_tab),
            ..TAB
        },
        Tab {
            path: RATES,
            title: "Rates",
            shown: Shown::Rows(&["seconds"]),
            lanes: &["latency", "lateness"],
            body: Body::Drawn(rates_tab),
            ..TAB
        },
        Tab {
            path: FAILURES,
            title: "Failures",
            shown: Shown::Rows(&["failures", "statuses"]),
            lanes: &["latency", "rate"],
            body: Body::Drawn(failures_tab),
            ..TAB
        },
        Tab {
            path: "/requests",
            title: "Requests",
            shown: Shown::Rows(&["requests"]),
            body: Body::Tables(&[tables::requests]),
            ..TAB
        },
        Tab {
            path: paths::SQL,
            title: "SQL",
            body: Body::Drawn(sqlpage::sql_page),
            in_file: InFile::Nothing,
            ..TAB
        },
    ];
    const PARTS: &'static [PartPlace] = &[
        PartPlace { id: "answers", title: "Rates and answers", tab: RATES, first: Some("statuses") },
        PartPlace { id: "latency", title: "Latency", tab: LATENCY, first: None },
        PartPlace { id: "generator", title: "The generator", tab: RATES, first: None },
    ];
    const TIME: Option<TimeLine<Self>> = Some(TimeLine {
        whole: |pages| loads::whole(&pages.load),
        lanes: |pages, span: Span| Arc::new(loads::lanes(&pages.load, span, PIECES)),
        usual: &["rate", "latency"],
    });
    const QUESTIONS: &'static [Question] = &[
        Question {
            text: "When were requests slowest?",
            sql: "select ts_ns, basis, max(to_ms) as longest_ms, sum(count) as requests from histogram group by 1, 2 order by 3 desc limit 20",
        },
        Question {
            text: "How far apart are schedule and send?",
            sql: "select quantile, max(ms) filter (where basis = 'schedule') as schedule_ms, max(ms) filter (where basis = 'send') as send_ms \
                  from latency group by 1",
        },
        Question {
            text: "In which seconds was less answered than asked?",
            sql: "select ts_ns, asked, sent, answered, errors, timeouts, lateness_max_ns from seconds where answered < asked order by answered",
        },
    ];

    fn tables(&self) -> &Arc<dyn Tables> {
        &self.tables
    }

    fn explanation(&self) -> &Explanation {
        &self.explanation
    }

    fn to(ctx: &LoadCtx<'_>, target: Target<'_>) -> Option<String> {
        let Target::Finding(finding) = target else { return None };
        let tab = ctx.site.tab(finding.view.tab)?;
        Some(ctx.address(tab.path, &ctx.params.kept()))
    }

    fn deciding_lanes(&self) -> Vec<&'static str> {
        let above = self.explanation.report.findings.iter().filter(|of| of.severity > Severity::Note);
        let mut lanes: Vec<&'static str> = above.map(|of| of.view.lane).collect();
        lanes.dedup();
        lanes
    }
}

/// The latency over time, then the findings and what every summary has.
fn summary_tab(ctx: &LoadCtx<'_>) -> Markup {
    let pages = ctx.kind();
    summary::summary(ctx, &pictures::heat(&pages.pictures, pages.basis()))
}

fn latency_tab(ctx: &LoadCtx<'_>) -> Markup {
    let pages = ctx.kind();
    let latency = pages.explanation.parts.iter().find(|part| part.id == "latency");
    html! {
        (pictures::heat(&pages.pictures, pages.basis()))
        (pictures::percentiles(&pages.pictures, latency))
        @for missing in latency.iter().flat_map(|part| &part.missing) { p.empty { (missing) } }
    }
}

fn rates_tab(ctx: &LoadCtx<'_>) -> Markup {
    let pages = ctx.kind();
    let value = |figure, unit| pages.value("answers", figure).map(|value| show(value, unit));
    let sentence = match (value("rate.asked", "requests/s"), value("rate.answered", "requests/s")) {
        (Some(asked), Some(answered)) => format!("{answered} were answered of {asked} that were asked for."),
        (None, Some(answered)) => {
            format!("{answered} were answered; without a schedule, no rate was asked for.")
        }
        _ => "The run does not say which rate was asked for.".to_owned(),
    };
    let late = pages.value("generator", "lateness.p99").map(|late| show(late, "ms"));
    picture(ctx, "rate", "Asked and answered", &sentence, |ctx| {
        html! {
            @if let Some(late) = &late { p.hint { "The generator itself was late by " (late) " at p99." } }
            (views::tables::table(ctx, ctx.kind().tables(), &tables::seconds(ctx)))
        }
    })
}

fn failures_tab(ctx: &LoadCtx<'_>) -> Markup {
    let pages = ctx.kind();
    let value = |figure, unit| {
        pages
            .value("answers", figure)
            .map_or_else(|| "an unknown number".to_owned(), |value| show(value, unit))
    };
    let sentence = format!(
        "Of {} planned requests, {} got a response, {} failed, {} timed out and {} were never sent.",
        value("planned", ""),
        value("responses", ""),
        value("errors", ""),
        value("timeouts", ""),
        value("unsent", "")
    );
    picture(ctx, "failures", "What failed", &sentence, |ctx| {
        html! {
            (views::tables::table(ctx, ctx.kind().tables(), &tables::failures(ctx)))
            (views::tables::table(ctx, ctx.kind().tables(), &tables::statuses(ctx)))
        }
    })
}

/// A lane in the range of the page, with its title and a sentence, and its tables below.
fn picture(
    ctx: &LoadCtx<'_>,
    lane: &str,
    title: &str,
    sentence: &str,
    tables: impl FnOnce(&LoadCtx<'_>) -> Markup,
) -> Markup {
    let (from_ns, to_ns) = ctx.span();
    let span = Span { from_ns, to_ns };
    let lanes: Vec<Lane> = loads::lanes(&ctx.kind().load, span, PIECES);
    let lane = lanes.iter().find(|of| of.id == lane);
    html! {
        section.block aria-label=(title) {
            h2 { (title) }
            p.said { (sentence) }
            @if let Some(lane) = lane { (views::lanes::marked(lane, span, None)) }
            (tables(ctx))
        }
    }
}
