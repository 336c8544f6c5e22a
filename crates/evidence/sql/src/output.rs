//! Answers as JSON, CSV, aligned text and Parquet.
//!
//! JSON and CSV are written as the rows come; aligned text and Parquet need all of them first. None decides where the
//! bytes go.

mod guarded;
mod json;
mod parquet_file;
mod text;

pub use guarded::Guarded;
pub use json::{Json, Lines};
pub use parquet_file::write_parquet;
pub use text::{Csv, write_table};
