//! The tab of SQL: a query over the recording's tables, with a limit on time and rows.

use crate::page::Ctx;
use crate::params::place;
use crate::tables::{PATIENCE, answer_table, run, told};
use crate::words::counted;
use maud::{Markup, PreEscaped, html};
use model::Trace;
use serde_json::json;

/// Rows shown; the CSV has up to [`CSV_ROWS`].
const ROWS: usize = 1_000;
/// What a reader is told whose query would be one too many at a time.
pub(crate) const BUSY: &str = "Two other queries are running: try again when one of them has ended.";
/// Rows of a CSV.
pub(crate) const CSV_ROWS: usize = 1_000_000;

const EXAMPLES: [(&str, &str); 4] = [
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

/// The tab.
pub(crate) fn sql_page(ctx: &Ctx<'_>) -> Markup {
    let query = ctx.params.get("q").unwrap_or_default();
    html! {
        h2 { "SQL over the recording's tables" }
        form.sql method="get" action=(place(ctx.path)) {
            @for (name, value) in ctx.params.without(&["q"]).pairs() { input type="hidden" name=(name) value=(value); }
            label for="q" { "One SELECT; it can change nothing. Ctrl+Enter runs it." }
            textarea #q name="q" rows="6" spellcheck="false" autocomplete="off" data-sql="" { (query) }
            div.toolbar {
                button type="submit" { "Run" }
                @if !query.is_empty() { a.button href=(ctx.params.href("/answer.csv")) download="answer.csv" { "CSV" } }
            }
        }
        @if ctx.is_part() { p.hint { "A query is over the whole recording, whatever range is selected above." } }
        (PreEscaped(crate::assets::data("schema", &schema())))
        @if query.is_empty() { (examples(ctx)) } @else { (answer(ctx, query)) }
        (catalogue(ctx))
    }
}

fn answer(ctx: &Ctx<'_>, query: &str) -> Markup {
    let Some(_turn) = ctx.pages.turn() else {
        return html! { p.error role="alert" { (BUSY) } };
    };
    match run(&ctx.here().recording, query, Some(ROWS)) {
        Err(error) => html! { p.error role="alert" { (told(&error)) } },
        Ok(answer) => html! {
            p.said role="status" {
                @if answer.truncated { "The first " (ROWS) " rows; there are more: the CSV has up to " (CSV_ROWS) "." }
                @else { (counted(u64::try_from(answer.rows.len()).unwrap_or(0), "row")) "." }
            }
            @if !answer.rows.is_empty() { (answer_table(ctx, "answer", "Answer", &answer)) }
        },
    }
}

fn examples(ctx: &Ctx<'_>) -> Markup {
    html! {
        h3 { "To begin with" }
        ul { @for (question, sql) in EXAMPLES { li { a href=(ctx.params.with("q", sql).href(ctx.path)) { (question) } } } }
        p.hint { "A query may take " (PATIENCE.as_secs()) " seconds. Times are in nanoseconds since the recording's start." }
    }
}

fn catalogue(ctx: &Ctx<'_>) -> Markup {
    let rows = |name: &str| ctx.here().recording.table(name).map_or(0, |table| table.rows);
    html! {
        h3 { "Tables" }
        @for table in Trace::CATALOGUE {
            details.table-about {
                summary { code { (table.name) } " " span.hint { (counted(u64::try_from(rows(table.name)).unwrap_or(0), "row")) " · " (table.about) } }
                dl { @for column in table.columns { dt { code { (column.name) } } dd { (column.about) @if !column.unit.is_empty() { " (" (column.unit) ")" } } } }
            }
        }
    }
}

/// Tables and columns, for completion.
fn schema() -> serde_json::Value {
    let column = |of: &model::ColumnSpec| json!({"name": of.name, "type": of.kind.name(), "unit": of.unit, "about": of.about});
    let table = |of: &model::TableSpec| {
        let columns: Vec<_> = of.columns.iter().map(column).collect();
        json!({"name": of.name, "about": of.about, "columns": columns})
    };
    json!({"tables": Trace::CATALOGUE.iter().map(table).collect::<Vec<_>>()})
}
