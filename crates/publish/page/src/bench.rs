//! The pages of benchmark results: each benchmark in figures, and how its results are distributed.
//!
//! There is no time and no finding: nothing is judged, and two files are not compared.

mod tables;

use crate::ctx::Ctx;
use crate::kind::{Body, InFile, KindOfPages, PartPlace, Shown, Tab, TimeLine};
use crate::{sqlpage, summary};
use maud::{Markup, PreEscaped, html};
use model::{Bench, Tables};
use report::{Distribution, Explanation};
use std::sync::Arc;

/// Plots on a page; the figures of all benchmarks are in the table.
const MOST_PLOTS: usize = 200;

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
        let (explanation, distributions) =
            (benchmarks::explanation(&bench), benchmarks::distributions(&bench));
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
            path: sqlpage::PATH,
            title: "SQL",
            body: Body::Drawn(sqlpage::sql_page),
            in_file: InFile::Nothing,
            ..TAB
        },
    ];
    const PARTS: &'static [PartPlace] =
        &[PartPlace { id: "benchmarks", title: "Benchmarks", tab: "/measurements" }];
    const TIME: Option<TimeLine<Self>> = None;
    const QUESTIONS: &'static [(&'static str, &'static str)] = &[
        (
            "Which benchmark is fastest?",
            "select name, parameters, median, low, high from benchmarks order by median",
        ),
        (
            "How do the launches of a benchmark differ?",
            "select name, parameters, launch, count(*) as results, avg(value_ns / operations) as mean_ns from measurements \
             join benchmarks on benchmarks.id = benchmark where mode = 'Workload' and stage = 'Result' group by 1, 2, 3",
        ),
        (
            "Which benchmark allocates?",
            "select name, parameters, allocated_bytes from benchmarks order by 3 desc nulls last",
        ),
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
        (plots(&ctx.kind().distributions))
    };
    summary::summary(ctx, &before)
}

fn plots(distributions: &[Distribution]) -> Markup {
    html! {
        @if !distributions.is_empty() {
            section.block aria-label="Distributions" {
                h2 { "Distributions" }
                p.hint {
                    "Each dot is a result: time per operation of one iteration. The box holds the middle half, the line in it is "
                    "the median, the ends are the last values within one and a half boxes; what lies beyond is an outlier. Each "
                    "plot has a scale of its own."
                }
                div.distributions {
                    @for of in distributions.iter().take(MOST_PLOTS) {
                        section {
                            h3.name { (of.name) }
                            p.hint { (of.values.len()) " results" @if of.outliers > 0 { ", " (of.outliers) @if of.outliers == 1 { " outlier" } @else { " outliers" } } }
                            (PreEscaped(charts::distribution(of)))
                        }
                    }
                }
                @if distributions.len() > MOST_PLOTS {
                    p.hint { (distributions.len() - MOST_PLOTS) " more benchmarks are not plotted; the table has them." }
                }
            }
        }
    }
}
