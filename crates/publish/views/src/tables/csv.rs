//! Tables as CSV for spreadsheets, with a limit on its size.

use super::spec::{Look, PATIENCE, TableView, columns, looked_at, summed_up};
use crate::Params;
use model::Tables;
use sql::output::{Csv, Guarded};
use sql::{Answer, Database, Limits, QueryOptions, Rows};
use std::sync::Arc;

/// The largest CSV that a page offers, in bytes.
const CSV_BYTES: usize = 200_000_000;

/// The rows of a table that match the reader's filter, in the reader's order.
pub fn csv(params: &Params, tables: &Arc<dyn Tables>, spec: &TableView) -> Result<Vec<u8>, sql::Error> {
    let look = Look::of(spec, params);
    if let Some(summed) = &spec.summed {
        let Answer { columns, rows, .. } = summed_up(summed, &look);
        let mut out = Capped(Vec::new());
        let mut csv = Guarded::new(Csv::new(&mut out));
        csv.begin(&columns)?;
        rows.into_iter().try_for_each(|row| csv.row(row))?;
        return Ok(out.0);
    }
    let columns = columns(tables, spec)?;
    answer_csv(tables, &looked_at(spec, &look, &columns), None)
}

/// The answer to a query, up to a number of rows.
pub fn answer_csv(tables: &Arc<dyn Tables>, query: &str, most: Option<usize>) -> Result<Vec<u8>, sql::Error> {
    let database = Database::of(Arc::clone(tables))?.within(Limits::OF_A_PAGE)?;
    let mut out = Capped(Vec::new());
    let options = QueryOptions { limit: most, interrupt_after: Some(PATIENCE) };
    database.stream(query, options, &mut Guarded::new(Csv::new(&mut out)))?;
    Ok(out.0)
}

/// Bytes that refuse to grow beyond [`CSV_BYTES`].
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
