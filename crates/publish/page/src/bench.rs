//! The pages of benchmark results: the figures of each benchmark, and how its results are distributed.
//!
//! They have no time line and no findings: nothing is judged, and two files are not compared.

mod tables;

use crate::kind::{Body, Ctx, InFile, KindOfPages, PartPlace, Question, Shown, Tab, TimeLine};
use crate::{paths, sqlpage, summary};
use maud::{Markup, html};
use model::{Bench, Tables};
use report::{Distribution, Explanation};
use std::sync::Arc;

/// Benchmark results as pages.
#[derive(Debug)]
pub(crate) struct BenchPages {
    tables: Arc<dyn Tables>,
    explanation: Explanation,
    distributions: Vec<Distribution>,
}

/// A page of benchmark results.
pub(crate) type BenchCtx<'a> = Ctx<'a, BenchPages>;

impl BenchPages {
    /// Explains benchmark results.
    pub(crate) fn new(bench: Arc<Bench>) -> Self {
        let distributions = benchmarks::distributions(&bench);
        let explanation = benchmarks::explanation(&bench, &distributions);
        let distributions = distributions.into_iter().flatten().collect();
        Self { tables: bench, explanation, distributions }
    }
}

/// What holds for a tab unless it says otherwise.
const TAB: Tab<BenchPages> = Tab {
    path: "",
    title: "",
    shown: Shown::Always,
    lanes: &[],
    parts: &[],
    above: None,
    body: Body::Tables(&[]),
    in_file: InFile::Same,
    preload: None,
    own: (),
};

impl KindOfPages for BenchPages {
    type Own = ();

    const NOUN: &'static str = "benchmark file";
    const TABS: &'static [Tab<Self>] = &[
        Tab { path: "/", title: "Summary", body: Body::Drawn(summary_tab), ..TAB },
        Tab {
            path: "/measurements",
            title: "Measurements",
            shown: Shown::Rows(&["measurements"]),
            body: Body::Tables(&[tables::stages, tables::measurements]),
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
    const PARTS: &'static [PartPlace] =
        &[PartPlace { id: "benchmarks", title: "Benchmarks", tab: "/measurements", first: None }];
    const TIME: Option<TimeLine<Self>> = None;
    const QUESTIONS: &'static [Question] = &[
        Question {
            text: "Which benchmark is fastest?",
            sql: "select name, parameters, median, low, high from benchmarks order by median",
        },
        Question {
            text: "How do the launches of a benchmark differ?",
            sql: "select name, parameters, launch, count(*) as results, avg(value_ns / operations) as mean_ns from measurements \
             join benchmarks on benchmarks.id = benchmark where mode = 'Workload' and stage = 'Result' group by 1, 2, 3",
        },
        Question {
            text: "Which benchmark allocates?",
            sql: "select name, parameters, allocated_bytes from benchmarks order by 3 desc nulls last",
        },
    ];

    fn tables(&self) -> &Arc<dyn Tables> {
        &self.tables
    }

    fn explanation(&self) -> &Explanation {
        &self.explanation
    }
}

/// The table of all benchmarks, a plot of each distribution, then what every summary has.
fn summary_tab(ctx: &BenchCtx<'_>) -> Markup {
    let before = html! {
        (views::tables::table(ctx, ctx.kind().tables(), &tables::benchmarks(ctx)))
        (views::distributions(&ctx.kind().distributions))
    };
    summary::summary(ctx, &before)
}
