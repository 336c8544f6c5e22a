//! Tables: a query, sorted, filtered and cut into pages by the address.
//!
//! The names of a query's columns say how values are written: `…_ns` is a time, `ts_ns` a moment, `…_bytes` a size,
//! `share` a part of one, `frame` a method, `stack` a stack, `thread` a thread. The page of SQL offers the same query, so
//! that a reader can go on from it.

mod cells;
mod csv;

pub use csv::{answer_csv, csv};

use crate::words::counted;
use crate::{Links, Params, Summed, Target, place, summed};
use cells::{Kind, cell_of, kinds, label};
use maud::{Markup, html};
use model::Tables;
use report::unit::short;
use sql::{Answer, Cell, Database, Limits, QueryOptions};
use std::sync::Arc;
use std::time::Duration;

/// Rows of a table on one page.
const PAGE_ROWS: usize = 100;
/// Rows of a table in a file of its own.
const FILE_ROWS: usize = 50;
/// The longest that a query of a page may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A table that a page shows.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Its name within the page's address.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// The query, with the range of time already in it.
    pub sql: String,
    /// A faster way to the same rows, if there is one.
    pub summed: Option<Summed>,
}

impl TableSpec {
    /// A table of a query.
    pub fn new(id: &'static str, title: &'static str, about: &'static str, sql: String) -> Self {
        Self { id, title, about, sql, summed: None }
    }

    /// The same table, with its rows computed from the columns.
    #[must_use]
    pub fn computed(self, summed: Summed) -> Self {
        Self { summed: Some(summed), ..self }
    }
}

/// Runs a query over an exhibit's tables.
pub fn run(tables: &Arc<dyn Tables>, sql: &str, limit: Option<usize>) -> Result<Answer, sql::Error> {
    let database = Database::of(Arc::clone(tables))?.within(Limits::OF_A_PAGE)?;
    database.query(sql, QueryOptions { limit, interrupt_after: Some(PATIENCE) })
}

/// How a reader looks at a table, as the address says.
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
pub fn literal(text: &str) -> String {
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

fn columns(tables: &Arc<dyn Tables>, spec: &TableSpec) -> Result<Vec<String>, sql::Error> {
    // `limit 0` is part of the statement: a limit from outside would compute the first row, and with it all of them.
    let answer = run(tables, &format!("select * from ({}) limit 0", spec.sql), None)?;
    Ok(answer.columns.into_iter().map(|column| column.name).collect())
}

/// What went wrong with a query, and what to do about it on a page.
pub fn told(error: &sql::Error) -> String {
    match error {
        sql::Error::Interrupted(_) => format!(
            "The query took longer than {} s: narrow it, by a range of time for one, or run it with `casebook query`, \
             which lets it take its time.",
            PATIENCE.as_secs()
        ),
        sql::Error::Memory(_) | sql::Error::Disk(_) | sql::Error::LongValue(_) => {
            format!("{error}; or run it with `casebook query`, which has more of everything.")
        }
        other => other.to_string(),
    }
}

/// A table with its controls.
pub fn table(links: &dyn Links, tables: &Arc<dyn Tables>, spec: &TableSpec) -> Markup {
    match shown(links, tables, spec) {
        Ok(markup) => markup,
        Err(error) => html! {
            section { h2 { (spec.title) } p.error role="alert" { (told(&error)) } }
        },
    }
}

/// The rows of a table that are on the page.
struct PageOfRows {
    answer: Answer,
    /// How many there are on all pages, if known.
    total: Option<usize>,
    /// Whether there are more after these.
    more: bool,
    /// Whether rows of this page are left off, since they take too much memory.
    cut: bool,
}

/// All rows of a computed table that the reader's filter leaves, in the reader's order.
fn summed_up(of: &Summed, look: &Look) -> Answer {
    let mut answer = of.answer();
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

fn page_of_rows(
    tables: &Arc<dyn Tables>,
    spec: &TableSpec,
    look: &Look,
    rows: usize,
) -> Result<PageOfRows, sql::Error> {
    let skipped = (look.page - 1).saturating_mul(rows);
    if let Some(summed) = &spec.summed {
        let mut answer = summed_up(summed, look);
        let total = answer.rows.len();
        answer.rows = answer.rows.into_iter().skip(skipped).take(rows).collect();
        let more = skipped.saturating_add(rows) < total;
        return Ok(PageOfRows { answer, total: Some(total), more, cut: false });
    }
    let columns = columns(tables, spec)?;
    let sql = looked_at(spec, look, &columns);
    let mut answer = run(tables, &format!("{sql} limit {} offset {skipped}", rows + 1), None)?;
    let cut = answer.truncated;
    let more = cut || answer.rows.len() > rows;
    answer.rows.truncate(rows);
    let total = if more || skipped > 0 { count(tables, &sql) } else { Some(answer.rows.len()) };
    Ok(PageOfRows { answer, total, more, cut })
}

fn shown(links: &dyn Links, tables: &Arc<dyn Tables>, spec: &TableSpec) -> Result<Markup, sql::Error> {
    let look =
        if links.is_file() { Look { page: 1, ..Look::default() } } else { Look::of(spec, links.params()) };
    let rows = if links.is_file() { FILE_ROWS } else { PAGE_ROWS };
    let PageOfRows { answer, total, more, cut } = page_of_rows(tables, spec, &look, rows)?;
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
                (controls(links, spec, &look, &columns, complete))
            }
            p.hint { (spec.about) }
            @if answer.rows.is_empty() {
                p.empty { @if is_behind { "There are no more rows." } @else if look.find.is_some() { "No row has this text." } @else if links.is_part() { "No row in this range of time." } @else { "This " (links.noun()) " has none." } }
            } @else {
                (rows_of(links, spec, &answer, &look, complete))
            }
            @if cut { p.loss { "The first " (answer.rows.len()) " rows of this page: the others take too much memory. The CSV has them." } }
            (pager(links, spec, &look, more, skipped + answer.rows.len(), total))
        }
    })
}

fn count(tables: &Arc<dyn Tables>, sql: &str) -> Option<usize> {
    let answer = run(tables, &format!("select count(*) from ({sql})"), None).ok()?;
    match answer.rows.first()?.first()? {
        Cell::Int(count) => usize::try_from(*count).ok(),
        _ => None,
    }
}

fn controls(links: &dyn Links, spec: &TableSpec, look: &Look, columns: &[String], complete: bool) -> Markup {
    if links.is_file() {
        return html! {
            button.copy type="button" data-copy=(spec.id) hidden { "Copy as CSV" }
        };
    }
    let find = format!("{}.find", spec.id);
    let rest = links.params().without(&[&find, &format!("{}.page", spec.id)]);
    html! {
        form.find method="get" action=(place(links.path())) {
            @for (name, value) in rest.pairs() { input type="hidden" name=(name) value=(value); }
            label { span.quiet { "Filter " (spec.title) }
                input type="search" name=(find) value=(look.find.as_deref().unwrap_or_default()) placeholder="Filter rows"; }
            @if !complete || look.find.is_some() { button type="submit" { "Filter" } }
        }
        @if let Some(rows) = links.to(Target::Rows(spec.id)) {
            a.button href=(rows) download=(format!("{}.csv", spec.id)) { "CSV" }
        }
        button.copy type="button" data-copy=(spec.id) hidden { "Copy as CSV" }
        @if let Some(query) = links.to(Target::Query(&looked_at(spec, look, columns))) {
            a.button href=(query) { "SQL" }
        }
    }
}

fn pager(
    links: &dyn Links,
    spec: &TableSpec,
    look: &Look,
    more: bool,
    upto: usize,
    total: Option<usize>,
) -> Markup {
    let name = format!("{}.page", spec.id);
    let to = |page: usize| {
        let page = if page <= 1 { String::new() } else { page.to_string() };
        format!("{}#{}", links.here(&links.params().with(&name, &page)), spec.id)
    };
    if links.is_file() {
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

fn rows_of(links: &dyn Links, spec: &TableSpec, answer: &Answer, look: &Look, complete: bool) -> Markup {
    let kinds = kinds(answer);
    html! {
        div.scroll tabindex="0" role="region" aria-label=(spec.title) {
            table data-table=(spec.id) data-complete[complete] {
                thead { tr {
                    @for (column, kind) in answer.columns.iter().zip(&kinds) { (heading(links, spec, &column.name, *kind, look)) }
                } }
                tbody {
                    @for row in &answer.rows {
                        tr { @for ((cell, column), kind) in row.iter().zip(&answer.columns).zip(&kinds) {
                            (cell_of(links, cell, *kind, &column.unit))
                        } }
                    }
                }
            }
        }
    }
}

/// The answer to a reader's own query.
pub fn answer_table(links: &dyn Links, id: &'static str, title: &'static str, answer: &Answer) -> Markup {
    let spec = TableSpec::new(id, title, "", String::new());
    rows_of(links, &spec, answer, &Look::default(), !answer.truncated)
}

fn heading(links: &dyn Links, spec: &TableSpec, column: &str, kind: Kind, look: &Look) -> Markup {
    let sorted = look.sort.as_ref().filter(|(of, _)| of == column).map(|(_, descending)| *descending);
    let aria = match sorted {
        Some(true) => Some("descending"),
        Some(false) => Some("ascending"),
        None => None,
    };
    // Numbers are sorted from the largest first, texts from the beginning of the alphabet.
    let descending = sorted.map_or(kind.is_number(), |descending| !descending);
    let next = if descending { format!("-{column}") } else { column.to_owned() };
    let sort =
        links.params().with(&format!("{}.sort", spec.id), &next).without(&[&format!("{}.page", spec.id)]);
    html! {
        th.num[kind.is_number()] scope="col" aria-sort=[aria] data-column=(column) {
            @if links.is_file() || spec.sql.is_empty() { (label(column)) }
            @else { a href=(format!("{}#{}", links.here(&sort), spec.id)) { (label(column)) } }
        }
    }
}
