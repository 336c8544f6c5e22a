//! The SQL tab: a reader's query over the exhibit's tables, with limits on time, memory and rows.

use crate::kind::{Ctx, KindOfPages};
use crate::paths;
use crate::reply::Reply;
use maud::{Markup, PreEscaped, html};
use model::Tables;
use serde_json::json;
use views::words::counted_len;
use views::{place, script, tables};

/// The most rows on the page.
const ROWS: usize = 1_000;
/// The most rows of the CSV.
const CSV_ROWS: usize = 1_000_000;
/// What readers see if all slots for queries are taken.
pub(crate) const BUSY: &str = "Two other queries are running: try again when one of them has ended.";

/// The tab.
pub(crate) fn sql_page<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Markup {
    let query = ctx.params.get("q").unwrap_or_default();
    let catalogue_of = &**ctx.kind().tables();
    html! {
        h2 { "SQL over the " (K::NOUN) "'s tables" }
        form.sql method="get" action=(place(ctx.path)) {
            @for (name, value) in ctx.params.without(&["q"]).pairs() { input type="hidden" name=(name) value=(value); }
            label for="q" { "One SELECT statement; it cannot change anything. Ctrl+Enter runs it." }
            textarea #q name="q" rows="6" spellcheck="false" autocomplete="off" data-sql="" { (query) }
            div.toolbar {
                button type="submit" { "Run" }
                @if !query.is_empty() { a.button href=(ctx.params.href(paths::ANSWER)) download="answer.csv" { "CSV" } }
            }
        }
        @if ctx.is_part() { p.hint { "A query covers the whole " (K::NOUN) ", whatever range is selected above." } }
        (PreEscaped(script::data("schema", &schema(catalogue_of))))
        @if query.is_empty() { (questions(ctx)) } @else { (answer(ctx, query)) }
        (catalogue(catalogue_of))
    }
}

/// The answer to a reader's query as CSV.
pub(crate) fn answer_csv<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Reply {
    let Some(_slot) = ctx.site.queries.claim() else {
        return Reply::of(503, "text/plain; charset=utf-8", BUSY);
    };
    let query = ctx.params.get("q").unwrap_or_default();
    Reply::csv(tables::answer_csv(ctx.kind().tables(), query, Some(CSV_ROWS)))
}

fn answer<K: KindOfPages>(ctx: &Ctx<'_, K>, query: &str) -> Markup {
    let Some(_slot) = ctx.site.queries.claim() else {
        return html! { p.error role="alert" { (BUSY) } };
    };
    match tables::run(ctx.kind().tables(), query, Some(ROWS)) {
        Err(error) => html! { p.error role="alert" { (tables::advice(&error)) } },
        Ok(answer) => html! {
            p.said role="status" {
                @if answer.truncated { "The first " (answer.rows.len()) " rows; there are more: the CSV has up to " (CSV_ROWS) "." }
                @else { (counted_len(answer.rows.len(), "row")) "." }
            }
            @if !answer.rows.is_empty() { (tables::answer_table(ctx, "answer", "Answer", &answer)) }
        },
    }
}

fn questions<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Markup {
    html! {
        h3 { "To begin with" }
        ul { @for question in K::QUESTIONS { li { a href=(ctx.params.with("q", question.sql).href(ctx.path)) { (question.text) } } } }
        p.hint {
            "A query may take " (tables::PATIENCE.as_secs()) " seconds, 256 MB of memory and 1 GB of temporary files; a single value, 1 MB. "
            code { "casebook query" } " has higher limits."
            @if K::TIME.is_some() { " Times are in nanoseconds since the " (K::NOUN) "'s start." }
        }
    }
}

fn catalogue(tables: &dyn Tables) -> Markup {
    let rows = |name: &str| tables.table(name).map_or(0, |table| table.rows);
    html! {
        h3 { "Tables" }
        @for table in tables.catalogue() {
            details.table-about {
                summary { code { (table.name) } " " span.hint { (counted_len(rows(table.name), "row")) " · " (table.about) } }
                dl { @for column in table.columns { dt { code { (column.name) } } dd { (column.about) @if !column.unit.is_empty() { " (" (column.unit) ")" } } } }
            }
        }
    }
}

/// Tables and columns, for completion.
fn schema(tables: &dyn Tables) -> serde_json::Value {
    let column = |of: &model::ColumnSpec| json!({"name": of.name, "type": of.kind.name(), "unit": of.unit, "about": of.about});
    let table = |of: &model::TableSpec| {
        let columns: Vec<_> = of.columns.iter().map(column).collect();
        json!({"name": of.name, "about": of.about, "columns": columns})
    };
    json!({"tables": tables.catalogue().iter().map(table).collect::<Vec<_>>()})
}
