//! Tables: a query, sorted, filtered and cut into pages by the address.
//!
//! The names of a query's columns say how values are written: `…_ns` is a duration, `ts_ns` a point in time,
//! `…_bytes` a size, `share` a part of one, `frame` a method, `stack` a stack, `thread` a thread. Each table links to
//! the SQL tab with the same query, so that a reader can continue there.

mod cells;
mod csv;
mod spec;

pub use csv::{answer_csv, csv};
pub use spec::{PATIENCE, TableView, advice, literal, run, run_within};

use crate::words::counted_len;
use crate::{Links, Target, place};
use cells::{Kind, cell_of, kinds, label};
use maud::{Markup, html};
use model::Tables;
use report::unit::short;
use spec::{Look, columns, looked_at, summed_up};
use sql::{Answer, Cell};
use std::sync::Arc;

/// Rows of a table on one page.
const PAGE_ROWS: usize = 100;
/// Rows of a table in a file of its own.
const FILE_ROWS: usize = 50;
/// A table with its controls.
pub fn table(links: &dyn Links, tables: &Arc<dyn Tables>, spec: &TableView) -> Markup {
    match shown(links, tables, spec) {
        Ok(markup) => markup,
        Err(error) => html! {
            section { h2 { (spec.title) } p.error role="alert" { (advice(&error)) } }
        },
    }
}

/// The rows on one page of a table.
struct PageOfRows {
    answer: Answer,
    /// How many rows all pages have, if known.
    total: Option<usize>,
    /// Whether later pages have rows.
    more: bool,
    /// Whether rows of this page are missing because they take too much memory.
    cut: bool,
}

fn page_of_rows(
    tables: &Arc<dyn Tables>,
    spec: &TableView,
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

fn shown(links: &dyn Links, tables: &Arc<dyn Tables>, spec: &TableView) -> Result<Markup, sql::Error> {
    let look = if links.is_file() { Look::PLAIN } else { Look::of(spec, links.params()) };
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
                    span.hint { (counted_len(total, "row")) }
                }
                (controls(links, spec, &look, &columns, complete))
            }
            p.hint { (spec.about) }
            @if answer.rows.is_empty() {
                p.empty { @if is_behind { "There are no more rows." } @else if look.find.is_some() { "No row contains this text." } @else if links.is_part() { "No row in this range of time." } @else { "This " (links.noun()) " has none." } }
            } @else {
                (rows_of(links, spec, &answer, &look, complete))
            }
            @if cut { p.loss { "The first " (answer.rows.len()) " rows of this page; the others take too much memory. The CSV has them." } }
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

fn controls(links: &dyn Links, spec: &TableView, look: &Look, columns: &[String], complete: bool) -> Markup {
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
        @if let Some(rows) = links.to(Target::Rows(&spec.id)) {
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
    spec: &TableView,
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
            @if more { p.loss { "The first " (upto) " of " (total.map_or_else(|| "more".to_owned(), |of| short(of as f64))) " rows; the others are not in this file." } }
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

fn rows_of(links: &dyn Links, spec: &TableView, answer: &Answer, look: &Look, complete: bool) -> Markup {
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

/// The first rows of an answer, without controls, as a card shows them. Empty without rows.
pub fn glimpse(links: &dyn Links, id: String, title: &'static str, answer: &Answer) -> Markup {
    if answer.rows.is_empty() {
        return html! {};
    }
    let spec = TableView::new(id, title, "", String::new());
    html! { div.glimpse { (rows_of(links, &spec, answer, &Look::PLAIN, false)) } }
}

/// The answer to a reader's own query.
pub fn answer_table(links: &dyn Links, id: &'static str, title: &'static str, answer: &Answer) -> Markup {
    let spec = TableView::new(id, title, "", String::new());
    rows_of(links, &spec, answer, &Look::PLAIN, !answer.truncated)
}

fn heading(links: &dyn Links, spec: &TableView, column: &str, kind: Kind, look: &Look) -> Markup {
    let sorted = look.sort.as_ref().filter(|sort| sort.column == column).map(|sort| sort.descending);
    let aria = match sorted {
        Some(true) => Some("descending"),
        Some(false) => Some("ascending"),
        None => None,
    };
    // The first click sorts numbers in descending and texts in ascending order.
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
