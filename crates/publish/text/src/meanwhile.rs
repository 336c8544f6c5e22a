//! What a service did during a load run: as lines of a page, as JSON, and as Markdown.

use crate::Width;
use crate::markup::inline;
use crate::page::{Names, Page};
use ::meanwhile::{Meanwhile, Moment, Overlap};
use base::number::real;
use model::OneClock;
use report::unit::duration;
use report::{List, ListColumn, Row};
use serde_json::{Value, json};

/// The title of the part.
const TITLE: &str = "what the service did meanwhile";

/// The lines.
pub fn page(of: &Meanwhile, width: Width) -> String {
    let mut page = Page::new(width);
    page.title(TITLE);
    for sentence in &of.sentences {
        page.line("", sentence);
    }
    page.line("clock", &format!("{} Times are since the recording began.", of.clock));
    let rows: Vec<Row> = of.moments.iter().map(row).collect();
    if !rows.is_empty() {
        let list = List {
            name: "moments",
            about: "Slowest seconds: when, and what overlapped",
            columns: COLUMNS,
            rows,
            more: 0,
        };
        page.table("", &list, list.rows.len(), Names::Whole);
        page.hint("Overlap is not yet a cause. A share is that of the time in which the second's requests were under way.");
    }
    page.into_text()
}

const COLUMNS: &[ListColumn] = &[
    ListColumn { name: "at", unit: "ms" },
    ListColumn { name: "p99", unit: "ms" },
    ListColumn { name: "max", unit: "ms" },
    ListColumn { name: "requests", unit: "" },
];

fn row(of: &Moment) -> Row {
    let latency = &of.latency;
    Row {
        name: of.words(),
        values: vec![
            Some(real(latency.from_ns) / 1e6),
            latency.p99_ms,
            latency.max_ms,
            Some(base::number::real_u64(latency.requests)),
        ],
    }
}

/// The same as JSON.
pub fn json(of: &Meanwhile, clock: Option<OneClock>) -> Value {
    let clock = clock.map(|clock| {
        json!({
            "load_start_ns": clock.offset_ns,
            "error_ns": clock.error_ns,
            "utc_differs_ns": clock.utc_differs_ns,
            "text": of.clock,
        })
    });
    json!({
        "text": of.sentences,
        "clock": clock,
        "seconds": of.seconds,
        "slow_seconds": of.slow,
        "slow_ms": of.slow_ms,
        "slowest": of.moments.iter().map(moment).collect::<Vec<_>>(),
    })
}

fn moment(of: &Moment) -> Value {
    let latency = &of.latency;
    json!({
        "ts_ns": latency.from_ns,
        "dur_ns": latency.to_ns.saturating_sub(latency.from_ns),
        "requests": latency.requests,
        "p50_ms": latency.p50_ms,
        "p99_ms": latency.p99_ms,
        "max_ms": latency.max_ms,
        "from_ns": of.span.from_ns,
        "to_ns": of.span.to_ns,
        "slow": of.is_slow,
        "recorded": of.is_recorded,
        "overlaps": of.overlaps.iter().map(overlap).collect::<Vec<_>>(),
    })
}

fn overlap(of: &Overlap) -> Value {
    let Overlap { id, name, number, longest_ms, share, usual, .. } = of;
    json!({"id": id, "name": name, "count": number, "longest_ms": longest_ms, "share": share, "share_of_run": usual})
}

/// The same as Markdown, without a heading of the first level.
pub fn markdown(of: &Meanwhile) -> String {
    let mut out = String::from("## What the service did meanwhile\n\n");
    for sentence in &of.sentences {
        out.extend(["- ", &inline(sentence), "\n"]);
    }
    out.extend(["- ", &inline(&of.clock), "\n"]);
    for of in &of.moments {
        let at = duration(real(of.latency.from_ns) / 1e6);
        let p99 = of.latency.p99_ms.map_or_else(|| "unknown".to_owned(), duration);
        out.extend([format!("- At {at}, p99 {p99}: {}\n", inline(&of.words()))]);
    }
    out
}
