//! The tables in SQL, and out as CSV, JSON, Parquet.
//!
//! The tables of an exhibit, whatever its kind, are virtual tables of SQLite, which read the columns where they lie: nothing is copied in, and
//! comparisons in a `WHERE` narrow the rows before SQLite sees them. Only one reading statement is run at a time;
//! nothing here opens a file, and no statement can.
//!
//! ```text
//! SQL ─► SQLite ─► vtab ─► scan ─► filter, index ─► columns of the exhibit
//!          │         └──── plan: what SQLite asks for, in two bytes a comparison
//!          ├─ account: memory and temporary files, counted for each query by limits
//!          ├─ call, functions: those of its functions that could not be stopped
//!          └─ watch: interrupts a query whose time is over
//! ```
//!
//! The invariant: what is pushed down never drops a row that SQLite would keep. Where a comparison's outcome hangs on
//! SQLite's conversions, all rows pass and SQLite decides.

mod account;
mod answer;
mod call;
mod database;
mod error;
mod filter;
mod functions;
mod index;
mod limits;
pub mod output;
mod plan;
mod scan;
mod vtab;
mod watch;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

pub use answer::{Answer, AnswerColumn, Cell, Rows};
pub use database::{Database, QueryOptions, tables_used, tables_used_of_files};
pub use error::Error;
pub use limits::Limits;
