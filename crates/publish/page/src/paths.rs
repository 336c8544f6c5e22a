//! The addresses that the pages of every kind have.

/// The tab of SQL.
pub(crate) const SQL: &str = "/sql";
/// The answer to a reader's own query, as CSV.
pub(crate) const ANSWER: &str = "/answer.csv";
/// All rows of a tab's table, as CSV.
pub(crate) const ROWS: &str = "/rows.csv";
/// The values of the time line's lanes, for script.
pub(crate) const LANES: &str = "/lanes.json";
