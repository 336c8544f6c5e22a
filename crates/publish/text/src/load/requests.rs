//! The requests of a scenario: how each ended, and how long it took.

use crate::page::{Names, Page, Tone};
use base::number::{grouped, real_u64};
use load::{Counts, Plan, Run, Scenario, quantile_ms};
use report::{List, ListColumn, Row};

const COLUMNS: &[ListColumn] = &[
    ListColumn { name: "planned", unit: "" },
    ListColumn { name: "answered", unit: "" },
    ListColumn { name: "failed", unit: "" },
    ListColumn { name: "never sent", unit: "" },
    ListColumn { name: "failed checks", unit: "" },
    ListColumn { name: "p50", unit: "ms" },
    ListColumn { name: "p99", unit: "ms" },
];

/// What the page is of.
pub(super) fn title(scenario: &Scenario, url: &str) -> String {
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let requests = plural(scenario.requests().count(), "request");
    match scenario.flows().flatten().count() {
        0 => format!("Scenario of {requests} at {url}"),
        flows => format!("Scenario of {requests}, with {}, at {url}", plural(flows, "flow")),
    }
}

/// How many arrivals there were, if that is not how many requests.
pub(super) fn arrivals(page: &mut Page, scenario: &Scenario, run: &Run) {
    if scenario.flows().flatten().next().is_some() {
        let arrivals = run.tally.flows.iter().map(|of| of.planned).sum();
        page.line("", &format!("{} arrivals, each of which begins a request or a flow", grouped(arrivals)));
    }
}

/// A row for each request, which checks failed, and how many flows were completed.
pub(super) fn table(page: &mut Page, scenario: &Scenario, plan: &Plan, run: &Run) {
    let requests = || scenario.requests().zip(&run.tally.requests);
    let rows = requests().map(|(request, of)| {
        let latency = if plan.is_open() { &of.schedule } else { &of.send };
        let Counts { responses, timeouts, unsent, .. } = of.counts;
        let failed = of.counts.failed() + timeouts;
        let counts = [of.planned(), responses, failed, unsent, of.failed.iter().sum()];
        let mut values: Vec<Option<f64>> = counts.map(|count| Some(real_u64(count))).into();
        values.extend([0.5, 0.99].map(|quantile| quantile_ms(latency, quantile)));
        Row { name: request.name().to_owned(), values }
    });
    let rows: Vec<Row> = rows.collect();
    let count = rows.len();
    let list = List { name: "requests", about: "request", columns: COLUMNS, rows, more: 0 };
    page.table("requests", &list, count, Names::Whole);
    for (request, of) in requests() {
        for (check, count) in request.checks().zip(&of.failed).filter(|(_, count)| **count > 0) {
            page.block(
                "check",
                Tone::Bad,
                &format!("{} × {check} failed, in {}", grouped(*count), request.name()),
            );
        }
    }
    for (name, of) in scenario.flows().zip(&run.tally.flows) {
        if let Some(name) = name {
            let text = format!("{name}: {} of {} completed", grouped(of.completed), grouped(of.planned));
            page.line("flow", &text);
        }
    }
}
