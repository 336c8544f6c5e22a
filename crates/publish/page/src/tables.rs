//! Tables of a page: a query over the recording's tables, sorted, filtered and cut into pages by the address.
//!
//! The names of a query's columns say how values are written: `…_ns` is a time, `ts_ns` a moment, `…_bytes` a size,
//! `share` a part of one, `frame` a method, `stack` a stack, `thread` a thread. The same query is what the page offers
//! for SQL, so that a reader can go on from it.

use crate::page::Ctx;
use crate::params::{Params, place};
use crate::summed::{self, Summed};
use crate::tabs::metrics_of;
use crate::words::{counted, moment, percent};
use base::number::real;
use maud::{Markup, PreEscaped, html};
use model::Trace;
use report::unit::{duration, short, show};
use sql::{Answer, AnswerColumn, Cell, Database, QueryOptions, Rows};
use stacks::Metric;
use std::sync::Arc;
use std::time::Duration;

/// Rows of a table on one page.
const PAGE_ROWS: usize = 100;
/// Rows of a table in a page that is one file.
const FILE_ROWS: usize = 50;
/// Bytes of a text that are shown of it.
const LONGEST_TEXT: usize = 2_000;
/// The largest CSV that a page gives, in bytes.
const CSV_BYTES: usize = 200_000_000;
/// A query of a page may take so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A table that a page shows.
#[derive(Debug, Clone)]
pub(crate) struct TableSpec {
    /// Its name within the page's address.
    pub(crate) id: &'static str,
    /// Its heading.
    pub(crate) title: &'static str,
    /// What a row is.
    pub(crate) about: &'static str,
    /// The query, with the range of time already in it.
    pub(crate) sql: String,
    /// Where the same rows are there sooner than by the query.
    pub(crate) summed: Option<Summed>,
}

/// Runs a query over a recording.
pub(crate) fn run(recording: &Arc<Trace>, sql: &str, limit: Option<usize>) -> Result<Answer, sql::Error> {
    let database = Database::of(recording.clone())?;
    database.query(sql, QueryOptions { limit, interrupt_after: Some(PATIENCE) })
}

/// How a table is looked at, by the address.
#[derive(Debug, Default)]
struct Look {
    sort: Option<(String, bool)>,
    find: Option<String>,
    page: usize,
}

impl Look {
    fn of(spec: &TableSpec, params: &Params) -> Self {
        let name = |what: &str| format!("{}.{what}", spec.id);
        let sort = params.get(&name("sort")).map(|text| match text.strip_prefix('-') {
            Some(column) => (column.to_owned(), true),
            None => (text.to_owned(), false),
        });
        let page = params.get(&name("page")).and_then(|page| page.parse().ok()).unwrap_or(1usize);
        Self { sort, find: params.get(&name("find")).map(str::to_owned), page: page.clamp(1, 1_000_000) }
    }
}

/// A name as an identifier of SQL.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a literal of SQL.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace('\0', ""))
}

/// The query with the reader's filter and order.
fn looked_at(spec: &TableSpec, look: &Look, columns: &[String]) -> String {
    let mut sql = format!("select * from ({})", spec.sql);
    if let Some(find) = &look.find {
        let wanted = literal(&find.to_ascii_lowercase());
        let has = |column: &String| format!("instr(lower(ifnull({}, '')), {wanted}) > 0", identifier(column));
        let any: Vec<String> = columns.iter().map(has).collect();
        sql.extend([" where (", &any.join(" or "), ")"]);
    }
    if let Some((column, descending)) = look.sort.as_ref().filter(|(column, _)| columns.contains(column)) {
        let direction = if *descending { "desc" } else { "asc" };
        sql.extend([" order by ", &identifier(column), " ", direction, " nulls last"]);
    }
    sql
}

/// The whole table for the clipboard or a file.
pub(crate) fn csv(ctx: &Ctx<'_>, spec: &TableSpec) -> Result<Vec<u8>, sql::Error> {
    if let Some(table) = spec.summed {
        let Answer { columns, rows, .. } = summed_up(ctx, table, &Look::of(spec, ctx.params));
        let mut out = Capped(Vec::new());
        let mut csv = ForSpreadsheets(sql::output::Csv::new(&mut out));
        csv.begin(&columns)?;
        rows.into_iter().try_for_each(|row| csv.row(row))?;
        return Ok(out.0);
    }
    let columns = columns(&ctx.here().recording, spec)?;
    let sql = looked_at(spec, &Look::of(spec, ctx.params), &columns);
    answer_csv(&ctx.here().recording, &sql, None)
}

/// Bytes that refuse to become more than [`CSV_BYTES`].
struct Capped(Vec<u8>);

impl std::io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > CSV_BYTES {
            return Err(std::io::Error::other(
                "this is more than 200 MB of CSV: use `casebook query`, or narrow it",
            ));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// CSV for spreadsheets: a text that one would take for a formula begins with an apostrophe.
struct ForSpreadsheets<R>(R);

impl<R: Rows> Rows for ForSpreadsheets<R> {
    fn begin(&mut self, columns: &[AnswerColumn]) -> Result<(), sql::Error> {
        self.0.begin(columns)
    }

    fn row(&mut self, cells: Vec<Cell>) -> Result<(), sql::Error> {
        let harmless = |cell| match cell {
            Cell::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
                Cell::Text(format!("'{text}"))
            }
            other => other,
        };
        self.0.row(cells.into_iter().map(harmless).collect())
    }
}

fn columns(recording: &Arc<Trace>, spec: &TableSpec) -> Result<Vec<String>, sql::Error> {
    // Within the statement: a limit outside of it would have the first row computed, and with it all of them.
    let answer = run(recording, &format!("select * from ({}) limit 0", spec.sql), None)?;
    Ok(answer.columns.into_iter().map(|column| column.name).collect())
}

/// What went wrong with a query, and what to do about it on a page.
pub(crate) fn told(error: &sql::Error) -> String {
    match error {
        sql::Error::Interrupted(_) => format!(
            "The query took longer than {} s: narrow it, by a range of time for one, or run it with `casebook query`, \
             which lets it take its time.",
            PATIENCE.as_secs()
        ),
        other => other.to_string(),
    }
}

/// A table with its controls.
pub(crate) fn table(ctx: &Ctx<'_>, spec: &TableSpec) -> Markup {
    match shown(ctx, spec) {
        Ok(markup) => markup,
        Err(error) => html! {
            section { h2 { (spec.title) } p.error role="alert" { (told(&error)) } }
        },
    }
}

/// The rows of a table that are on the page.
struct PageOfRows {
    answer: Answer,
    /// How many there are on all pages, where that is known.
    total: Option<usize>,
    /// Whether there are more after these.
    more: bool,
}

/// All rows that are looked at of a table that is summed up from the columns.
fn summed_up(ctx: &Ctx<'_>, table: Summed, look: &Look) -> Answer {
    let (from, to) = ctx.params.range();
    let mut answer = summed::summed(&ctx.here().recording, table, from, to);
    if let Some(find) = &look.find {
        summed::keep(&mut answer.rows, &find.to_ascii_lowercase());
    }
    if let Some((column, descending)) = &look.sort
        && let Some(by) = answer.columns.iter().position(|of| of.name == *column)
    {
        summed::sort(&mut answer.rows, by, *descending);
    }
    answer
}

fn page_of_rows(ctx: &Ctx<'_>, spec: &TableSpec, look: &Look, rows: usize) -> Result<PageOfRows, sql::Error> {
    let recording = &ctx.here().recording;
    let skipped = (look.page - 1).saturating_mul(rows);
    if let Some(table) = spec.summed {
        let mut answer = summed_up(ctx, table, look);
        let total = answer.rows.len();
        answer.rows = answer.rows.into_iter().skip(skipped).take(rows).collect();
        return Ok(PageOfRows { more: skipped.saturating_add(rows) < total, total: Some(total), answer });
    }
    let columns = columns(recording, spec)?;
    let sql = looked_at(spec, look, &columns);
    let mut answer = run(recording, &format!("{sql} limit {} offset {skipped}", rows + 1), None)?;
    let more = answer.rows.len() > rows;
    answer.rows.truncate(rows);
    let total = if more || skipped > 0 { count(recording, &sql) } else { Some(answer.rows.len()) };
    Ok(PageOfRows { answer, total, more })
}

fn shown(ctx: &Ctx<'_>, spec: &TableSpec) -> Result<Markup, sql::Error> {
    let look = if ctx.is_file() { Look { page: 1, ..Look::default() } } else { Look::of(spec, ctx.params) };
    let rows = if ctx.is_file() { FILE_ROWS } else { PAGE_ROWS };
    let PageOfRows { answer, total, more } = page_of_rows(ctx, spec, &look, rows)?;
    let skipped = (look.page - 1).saturating_mul(rows);
    let complete = !more && look.page == 1 && look.find.is_none();
    let columns: Vec<String> = answer.columns.iter().map(|column| column.name.clone()).collect();
    let is_behind = answer.rows.is_empty() && total.is_some_and(|total| total > 0);
    Ok(html! {
        section.block id=(spec.id) {
            div.toolbar {
                h2 { (spec.title) }
                @if let Some(total) = total {
                    span.hint { (counted(u64::try_from(total).unwrap_or(u64::MAX), "row")) }
                }
                (controls(ctx, spec, &look, &columns, complete))
            }
            p.hint { (spec.about) }
            @if answer.rows.is_empty() {
                p.empty { @if is_behind { "There are no more rows." } @else if look.find.is_some() { "No row has this text." } @else { "No row in this range of time." } }
            } @else {
                (rows_of(ctx, spec, &answer, &look, complete))
            }
            (pager(ctx, spec, &look, more, skipped + answer.rows.len(), total))
        }
    })
}

fn count(recording: &Arc<Trace>, sql: &str) -> Option<usize> {
    let answer = run(recording, &format!("select count(*) from ({sql})"), None).ok()?;
    match answer.rows.first()?.first()? {
        Cell::Int(count) => usize::try_from(*count).ok(),
        _ => None,
    }
}

fn controls(ctx: &Ctx<'_>, spec: &TableSpec, look: &Look, columns: &[String], complete: bool) -> Markup {
    if ctx.is_file() {
        return html! {
            button.copy type="button" data-copy=(spec.id) hidden { "Copy as CSV" }
        };
    }
    let find = format!("{}.find", spec.id);
    let rest = ctx.params.without(&[&find, &format!("{}.page", spec.id)]);
    html! {
        form.find method="get" action=(place(ctx.path)) {
            @for (name, value) in rest.pairs() { input type="hidden" name=(name) value=(value); }
            label { span.quiet { "Filter " (spec.title) }
                input type="search" name=(find) value=(look.find.as_deref().unwrap_or_default()) placeholder="Filter rows"; }
            @if !complete || look.find.is_some() { button type="submit" { "Filter" } }
        }
        a.button href=(ctx.params.with("table", spec.id).with("of", ctx.path).href("/rows.csv"))
            download=(format!("{}.csv", spec.id)) { "CSV" }
        button.copy type="button" data-copy=(spec.id) hidden { "Copy as CSV" }
        a.button href=(ctx.params.kept().with("q", &looked_at(spec, look, columns)).href("/sql")) { "SQL" }
    }
}

fn pager(
    ctx: &Ctx<'_>,
    spec: &TableSpec,
    look: &Look,
    more: bool,
    upto: usize,
    total: Option<usize>,
) -> Markup {
    let name = format!("{}.page", spec.id);
    let to = |page: usize| {
        let page = if page <= 1 { String::new() } else { page.to_string() };
        format!("{}#{}", ctx.params.with(&name, &page).href(ctx.path), spec.id)
    };
    if ctx.is_file() {
        return html! {
            @if more { p.loss { "The first " (upto) " of " (total.map_or_else(|| "more".to_owned(), |of| short(of as f64))) " rows: the others are not in this file." } }
        };
    }
    html! {
        @if more || look.page > 1 {
            nav.pager aria-label=(format!("Pages of {}", spec.title)) {
                @if look.page > 1 { a href=(to(look.page - 1)) rel="prev" { "Previous" } }
                span { "Page " (look.page) }
                @if more { a href=(to(look.page + 1)) rel="next" { "Next" } }
            }
        }
    }
}

fn rows_of(ctx: &Ctx<'_>, spec: &TableSpec, answer: &Answer, look: &Look, complete: bool) -> Markup {
    let kinds = kinds(answer);
    html! {
        div.scroll tabindex="0" role="region" aria-label=(spec.title) {
            table data-table=(spec.id) data-complete[complete] {
                thead { tr {
                    @for (column, kind) in answer.columns.iter().zip(&kinds) { (heading(ctx, spec, &column.name, *kind, look)) }
                } }
                tbody {
                    @for row in &answer.rows {
                        tr { @for ((cell, column), kind) in row.iter().zip(&answer.columns).zip(&kinds) {
                            (cell_of(ctx, cell, *kind, &column.unit))
                        } }
                    }
                }
            }
        }
    }
}

/// How each column is written: by its name, else by what is in it.
fn kinds(answer: &Answer) -> Vec<Kind> {
    let has_text = |at: usize| answer.rows.iter().any(|row| matches!(row.get(at), Some(Cell::Text(_))));
    let one = |(at, column): (usize, &AnswerColumn)| match Kind::of(&column.name, &column.unit) {
        Kind::Plain if !has_text(at) => Kind::Number,
        kind => kind,
    };
    answer.columns.iter().enumerate().map(one).collect()
}

/// The answer to a reader's own query.
pub(crate) fn answer_table(ctx: &Ctx<'_>, id: &'static str, title: &'static str, answer: &Answer) -> Markup {
    let spec = TableSpec { id, title, about: "", sql: String::new(), summed: None };
    rows_of(ctx, &spec, answer, &Look::default(), !answer.truncated)
}

fn heading(ctx: &Ctx<'_>, spec: &TableSpec, column: &str, kind: Kind, look: &Look) -> Markup {
    let sorted = look.sort.as_ref().filter(|(of, _)| of == column).map(|(_, descending)| *descending);
    let aria = match sorted {
        Some(true) => Some("descending"),
        Some(false) => Some("ascending"),
        None => None,
    };
    // Numbers are asked for by their largest, texts from their beginning.
    let descending = sorted.map_or(kind.is_number(), |descending| !descending);
    let next = if descending { format!("-{column}") } else { column.to_owned() };
    let sort = ctx.params.with(&format!("{}.sort", spec.id), &next).without(&[&format!("{}.page", spec.id)]);
    html! {
        th.num[kind.is_number()] scope="col" aria-sort=[aria] data-column=(column) {
            @if ctx.is_file() || spec.sql.is_empty() { (label(column)) }
            @else { a href=(format!("{}#{}", sort.href(ctx.path), spec.id)) { (label(column)) } }
        }
    }
}

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Moment,
    Time,
    Bytes,
    Share,
    Frame,
    Stack,
    Thread,
    Sql,
    Number,
    Plain,
}

impl Kind {
    fn of(column: &str, unit: &str) -> Self {
        match column {
            "ts_ns" | "start_ns" | "from_ns" | "to_ns" | "first_ts_ns" | "last_ts_ns" => Self::Moment,
            "share" => Self::Share,
            "frame" | "method" if unit.is_empty() => Self::Frame,
            "stack" => Self::Stack,
            "thread" | "owner_thread" => Self::Thread,
            "sql" => Self::Sql,
            _ if column.ends_with("_ns") => Self::Time,
            _ if column.ends_with("_bytes") || column == "bytes" => Self::Bytes,
            _ => Self::Plain,
        }
    }

    fn is_number(self) -> bool {
        matches!(
            self,
            Self::Moment | Self::Time | Self::Bytes | Self::Share | Self::Stack | Self::Thread | Self::Number
        )
    }
}

/// A column's name for people: `pause_ns` is `pause`.
fn label(column: &str) -> String {
    match column {
        "ts_ns" => "time".to_owned(),
        "dur_ns" => "duration".to_owned(),
        "first_ts_ns" => "first".to_owned(),
        "last_ts_ns" => "last".to_owned(),
        other => {
            let bare = other.strip_suffix("_ns").or_else(|| other.strip_suffix("_bytes")).unwrap_or(other);
            bare.replace('_', " ")
        }
    }
}

fn cell_of(ctx: &Ctx<'_>, cell: &Cell, kind: Kind, unit: &str) -> Markup {
    match cell {
        Cell::Null => html! { td.none { span.quiet { "none" } } },
        Cell::Text(text) => text_cell(ctx, text, kind),
        Cell::Int(value) => number(ctx, real(*value), Some(*value), kind, unit),
        Cell::Real(value) => number(ctx, *value, None, kind, unit),
    }
}

/// A text as far as a page has room for it.
fn cut(text: &str) -> Markup {
    let end = text.floor_char_boundary(LONGEST_TEXT);
    html! {
        (&text[..end])
        @if end < text.len() { span.hint { " … " (text.len() - end) " bytes more: the CSV has them" } }
    }
}

/// What the stacks behind a tab's rows are summed up by.
fn metric_of(ctx: &Ctx<'_>) -> Option<String> {
    let offered = |metric: &&Metric| ctx.here().sums_up_by(metric);
    metrics_of(ctx.path).iter().find(offered).map(Metric::name)
}

fn text_cell(ctx: &Ctx<'_>, text: &str, kind: Kind) -> Markup {
    match kind {
        Kind::Frame if !ctx.is_file() && text.contains('!') => {
            let metric = metric_of(ctx).unwrap_or_default();
            let to = ctx
                .params
                .kept()
                .with("metric", &metric)
                .with("show", "callers")
                .with("method", text)
                .href("/stacks");
            html! { td.name { a href=(to) title=(text) { (stacks::short_name(text)) } } }
        }
        Kind::Frame if text.contains('!') => html! { td.name title=(text) { (stacks::short_name(text)) } },
        Kind::Sql if !ctx.is_file() => {
            html! { td.name { a href=(ctx.params.kept().with("q", text).href("/sql")) { code { (cut(text)) } } } }
        }
        _ => html! { td.text { (cut(text)) } },
    }
}

/// A number without a unit: a whole one with all its digits, a small one not as nothing.
fn plain(value: f64, whole: Option<i64>) -> String {
    /// Whole numbers beyond are not all doubles.
    const EXACT: u64 = 1 << 53;
    match whole {
        Some(whole) if whole.unsigned_abs() >= EXACT => whole.to_string(),
        None if value.abs() < 0.01 && value.abs() > 0.0 => format!("{value:.2e}"),
        _ => short(value),
    }
}

fn number(ctx: &Ctx<'_>, value: f64, whole: Option<i64>, kind: Kind, unit: &str) -> Markup {
    let shown = match kind {
        Kind::Moment => moment(value),
        Kind::Time => duration(value / 1e6),
        Kind::Bytes => show(value, "B"),
        Kind::Share => {
            return html! { td.num.share-of data-v=(value) { (PreEscaped(charts::bar(value))) " " (percent(value, 1.0)) } };
        }
        Kind::Stack | Kind::Thread => {
            let id = whole.map_or_else(|| value.to_string(), |whole| whole.to_string());
            if ctx.is_file() {
                return html! { td.num data-v=(value) { (id) } };
            }
            let kept = ctx.params.kept();
            let (href, text) = if kind == Kind::Stack {
                (kept.with("id", &id).href("/stack"), "stack".to_owned())
            } else {
                let metric = if ctx.here().sums_up_by(&Metric::Wall) { "wall" } else { "" };
                (kept.with("thread", &id).with("metric", metric).href("/stacks"), id)
            };
            return html! { td.num data-v=(value) { a href=(href) { (text) } } };
        }
        _ if unit == "ns" => duration(value / 1e6),
        _ if unit == "B" => show(value, "B"),
        _ => plain(value, whole),
    };
    html! { td.num data-v=(whole.map_or_else(|| value.to_string(), |whole| whole.to_string())) { (shown) } }
}

/// The answer to a query, up to a number of rows.
pub(crate) fn answer_csv(
    recording: &Arc<Trace>,
    query: &str,
    most: Option<usize>,
) -> Result<Vec<u8>, sql::Error> {
    let database = Database::of(recording.clone())?;
    let mut out = Capped(Vec::new());
    let options = QueryOptions { limit: most, interrupt_after: Some(PATIENCE) };
    database.stream(query, options, &mut ForSpreadsheets(sql::output::Csv::new(&mut out)))?;
    Ok(out.0)
}
