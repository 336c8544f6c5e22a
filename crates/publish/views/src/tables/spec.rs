//! A table of a page as a query, and the rows that a reader asks for.

use crate::{Params, Summed, summed};
use model::Tables;
use sql::{Answer, Database, Limits, QueryOptions};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The longest that a query of a page may take.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The last page that an address can ask for.
const MAX_PAGE: usize = 1_000_000;

/// A table that a page shows.
#[derive(Debug, Clone)]
pub struct TableView {
    /// Its name in the page's address.
    pub id: Cow<'static, str>,
    /// Its heading.
    pub title: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// The query, already limited to the range of time.
    pub sql: String,
    /// A faster way to compute the same rows, if there is one.
    pub summed: Option<Summed>,
}

impl TableView {
    /// A table of a query.
    pub fn new(
        id: impl Into<Cow<'static, str>>,
        title: &'static str,
        about: &'static str,
        sql: String,
    ) -> Self {
        Self { id: id.into(), title, about, sql, summed: None }
    }

    /// The same table, with rows computed from the columns instead of the query.
    #[must_use]
    pub fn computed(self, summed: Summed) -> Self {
        Self { summed: Some(summed), ..self }
    }
}

/// Runs a query over an exhibit's tables.
pub fn run(tables: &Arc<dyn Tables>, sql: &str, limit: Option<usize>) -> Result<Answer, sql::Error> {
    run_within(tables, sql, limit, PATIENCE)
}

/// Runs a query over an exhibit's tables that may take so long.
pub fn run_within(
    tables: &Arc<dyn Tables>,
    sql: &str,
    limit: Option<usize>,
    patience: Duration,
) -> Result<Answer, sql::Error> {
    let database = Database::of(Arc::clone(tables))?.within(Limits::OF_A_PAGE)?;
    database.query(sql, QueryOptions { limit, interrupt_after: Some(patience) })
}

/// The reader's order, filter and page of a table.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) sort: Option<Sort>,
    pub(super) find: Option<String>,
    /// The number of the page, from 1.
    pub(super) page: usize,
}

/// The column that rows are sorted by.
#[derive(Debug)]
pub(super) struct Sort {
    pub(super) column: String,
    pub(super) descending: bool,
}

impl Look {
    /// The first rows, unfiltered, in the order of the query.
    pub(super) const PLAIN: Self = Self { sort: None, find: None, page: 1 };

    /// Reads the parameters of a table.
    pub(super) fn of(spec: &TableView, params: &Params) -> Self {
        let name = |what: &str| format!("{}.{what}", spec.id);
        let sort = params.get(&name("sort")).map(|text| match text.strip_prefix('-') {
            Some(column) => Sort { column: column.to_owned(), descending: true },
            None => Sort { column: text.to_owned(), descending: false },
        });
        let page = params.get(&name("page")).and_then(|page| page.parse().ok()).unwrap_or(1usize);
        Self { sort, find: params.get(&name("find")).map(str::to_owned), page: page.clamp(1, MAX_PAGE) }
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
pub(super) fn looked_at(spec: &TableView, look: &Look, columns: &[String]) -> String {
    let mut sql = format!("select * from ({})", spec.sql);
    if let Some(find) = &look.find {
        let wanted = literal(&find.to_ascii_lowercase());
        let has = |column: &String| format!("instr(lower(ifnull({}, '')), {wanted}) > 0", identifier(column));
        let any: Vec<String> = columns.iter().map(has).collect();
        sql.extend([" where (", &any.join(" or "), ")"]);
    }
    if let Some(Sort { column, descending }) =
        look.sort.as_ref().filter(|sort| columns.contains(&sort.column))
    {
        let direction = if *descending { "desc" } else { "asc" };
        sql.extend([" order by ", &identifier(column), " ", direction, " nulls last"]);
    }
    sql
}

/// The names of a query's columns.
pub(super) fn columns(tables: &Arc<dyn Tables>, spec: &TableView) -> Result<Vec<String>, sql::Error> {
    // `limit 0` is part of the statement: `QueryOptions::limit` would compute the first row, which may need all of them.
    let answer = run(tables, &format!("select * from ({}) limit 0", spec.sql), None)?;
    Ok(answer.columns.into_iter().map(|column| column.name).collect())
}

/// What went wrong with a query, and what the reader can do about it.
pub fn advice(error: &sql::Error) -> String {
    match error {
        sql::Error::Interrupted(_) => format!(
            "The query took longer than {} s: narrow it, for example to a range of time, or run it with `casebook query`, \
             which has no time limit.",
            PATIENCE.as_secs()
        ),
        sql::Error::Memory(_) | sql::Error::Disk(_) | sql::Error::LongValue(_) => {
            format!("{error}; or run it with `casebook query`, which has higher limits.")
        }
        other => other.to_string(),
    }
}

/// The rows of a computed table that match the reader's filter, in the reader's order.
pub(super) fn summed_up(of: &Summed, look: &Look) -> Answer {
    let mut answer = of.answer();
    if let Some(find) = &look.find {
        summed::keep(&mut answer.rows, &find.to_ascii_lowercase());
    }
    if let Some(Sort { column, descending }) = &look.sort
        && let Some(by) = answer.columns.iter().position(|of| of.name == *column)
    {
        summed::sort(&mut answer.rows, by, *descending);
    }
    answer
}
