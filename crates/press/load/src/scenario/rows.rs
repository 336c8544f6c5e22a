//! Rows of values from CSV files: a header line with names, then a row for each arrival.

use super::choice;

/// The most columns of a file.
const MAX_COLUMNS: usize = 1_000;
/// The most rows of a file.
const MAX_ROWS: usize = 1_000_000;

/// The rows of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) names: Vec<String>,
    records: Vec<csv::StringRecord>,
    is_random: bool,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowsError {
    #[error("{0}")]
    Csv(csv::Error),
    #[error("it has no row below its header line")]
    NoRows,
    #[error("more than {MAX_COLUMNS} columns")]
    Columns,
    #[error("more than {MAX_ROWS} rows")]
    Rows,
}

impl Rows {
    /// Reads a file. All rows must have as many values as the header line has names.
    pub(super) fn parse(bytes: &[u8], is_random: bool) -> Result<Self, RowsError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::Reader::from_reader(bytes);
        let names: Vec<String> =
            reader.headers().map_err(RowsError::Csv)?.iter().map(|name| name.trim().to_owned()).collect();
        if names.len() > MAX_COLUMNS {
            return Err(RowsError::Columns);
        }
        let mut rows = Vec::new();
        for row in reader.records() {
            if rows.len() >= MAX_ROWS {
                return Err(RowsError::Rows);
            }
            rows.push(row.map_err(RowsError::Csv)?);
        }
        if rows.is_empty() { Err(RowsError::NoRows) } else { Ok(Self { names, records: rows, is_random }) }
    }

    /// A value of the row that belongs to an arrival. `choice` tells this file from others.
    pub(super) fn value(&self, seed: u64, arrival: u64, choice: u64, column: usize) -> &str {
        let count = base::number::wide(self.records.len());
        let at = if self.is_random {
            choice::below(choice::random(seed, arrival, choice), count)
        } else {
            arrival % count.max(1)
        };
        let row = usize::try_from(at).ok().and_then(|at| self.records.get(at));
        row.and_then(|row| row.get(column)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_in_order_and_again_from_the_beginning() {
        let rows = Rows::parse(b"\xef\xbb\xbfuser, city\nann,\"A, B\"\nbob,\"x\ny\"\n", false).unwrap();
        assert_eq!(rows.names, ["user", "city"]);
        let of = |arrival, column| rows.value(1, arrival, 0, column);
        assert_eq!((of(0, 0), of(0, 1), of(1, 0), of(1, 1), of(2, 0)), ("ann", "A, B", "bob", "x\ny", "ann"));
    }

    #[test]
    fn random_rows_are_the_same_for_the_same_seed() {
        let rows = Rows::parse(b"n\n0\n1\n2\n3\n", true).unwrap();
        let of = |seed| (0..64).map(|at| rows.value(seed, at, 5, 0).to_owned()).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!((0..4).all(|n| of(1).contains(&n.to_string())));
    }

    #[test]
    fn a_file_that_is_not_whole_is_refused() {
        for bytes in [&b""[..], b"a,b\n", b"a,b\n1\n", b"a\n\xff\n"] {
            assert!(Rows::parse(bytes, false).is_err(), "{bytes:?}");
        }
    }
}
