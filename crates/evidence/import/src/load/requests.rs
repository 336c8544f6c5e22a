//! The requests of a run one by one: `requests.parquet` or, of a run that was killed, `requests.csv`.
//!
//! The text is complete up to its last line, and is removed once the Parquet file is complete. So if both are there, the text counts.
//!
//! Of Parquet only what `casebook load` writes is read: pages that are not compressed, and eight bytes for each row at least, so that
//! no file has more rows than it has room for. A group of rows that is damaged is left out and counted.

use super::values::MAX_KINDS;
use base::number::wide;
use model::{Load, LoadRequestRow, NO_INT, Sym};
use parquet::basic::Compression;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, Int64Type};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The file of a complete run.
pub(super) const PARQUET: &str = "requests.parquet";
/// The file of a run that goes on, or was killed.
pub(super) const TEXT: &str = "requests.csv";

const BAD_LINE: &str = "line of requests.csv that is not a request: left out";
const BAD_GROUP: &str = "group of rows in requests.parquet that cannot be read: left out";
const TOO_MANY: &str = "further request than are read: left out";

/// Requests that are read: their rows take a gigabyte.
const MAX_ROWS: usize = 1 << 24;
/// Bytes of a line; ours have at most 150.
const MAX_LINE: u64 = 400;
/// Bytes that a row has in Parquet at least: its `end_ns`.
const ROW_BYTES: u64 = 8;
/// Values that are taken out of a column at once.
const BATCH: usize = 8_192;
/// Letters of an outcome.
const LONGEST_OUTCOME: usize = 100;

/// The columns of integers before the outcome, and those behind it.
const NUMBERS: [&str; 8] =
    ["planned_ns", "sent_ns", "first_byte_ns", "end_ns", "connection", "status", "bytes", "request"];
/// The column of integers that only newer files have.
const NEWER: &str = "request";
const OUTCOME: &str = "outcome";
/// How many columns of integers stand before the outcome in a line.
const BEFORE_OUTCOME: usize = 5;

/// Reads what there is of requests in a folder.
pub(super) fn read_folder(folder: &exhibit::Folder, load: &mut Load) {
    let mut reading = Reading { load, outcomes: BTreeMap::new() };
    // A file that is not there cannot be opened either, which is not damage.
    let exists = |name: &str| folder.kind(name).is_ok_and(|kind| kind.is_some());
    let (name, done) = if exists(TEXT) {
        let file = folder.open_file(TEXT).map_err(|error| error.to_string());
        (TEXT, file.map(|file| reading.text(BufReader::new(file))))
    } else if exists(PARQUET) {
        let file = folder.open_file(PARQUET).map_err(|error| error.to_string());
        (PARQUET, file.and_then(|file| reading.parquet(file)))
    } else {
        return;
    };
    if let Err(why) = done {
        load.lost.note_altered(std::path::Path::new(name), format!("cannot be read: {why}"));
    }
}

struct Reading<'a> {
    load: &'a mut Load,
    /// The outcomes that were found, so that each is looked up once.
    outcomes: BTreeMap<Vec<u8>, Sym>,
}

impl Reading<'_> {
    /// Adds a row. The outcome is text of the file.
    fn push(&mut self, numbers: [Option<i64>; NUMBERS.len()], outcome: Option<&[u8]>) -> Result<(), Unfit> {
        if self.load.requests.end_ns.len() >= MAX_ROWS {
            return Err(Unfit::TooMany);
        }
        // Times, counts and statuses are not negative.
        if numbers.iter().flatten().any(|number| *number < 0) {
            return Err(Unfit::Damaged);
        }
        let outcome = match outcome {
            Some(outcome) => self.outcome(outcome).ok_or(Unfit::Damaged)?,
            None => Sym::NONE,
        };
        let [planned_ns, sent_ns, first_byte_ns, end_ns, connection, status, bytes, request] =
            numbers.map(|number| number.unwrap_or(NO_INT));
        let row = LoadRequestRow {
            planned_ns,
            sent_ns,
            first_byte_ns,
            end_ns,
            connection,
            outcome,
            status,
            bytes,
            request,
        };
        self.load.requests.push(row);
        Ok(())
    }

    fn outcome(&mut self, text: &[u8]) -> Option<Sym> {
        if let Some(known) = self.outcomes.get(text) {
            return Some(*known);
        }
        let word = std::str::from_utf8(text).ok().filter(|word| word.len() <= LONGEST_OUTCOME)?;
        if self.outcomes.len() >= MAX_KINDS {
            return None;
        }
        let of = self.load.strings.intern(word);
        self.outcomes.insert(text.to_vec(), of);
        Some(of)
    }

    /// Reads lines. The first one names the columns.
    fn text(&mut self, mut text: impl BufRead) {
        let mut line = Vec::new();
        let mut offset = 0u64;
        let mut is_first = true;
        loop {
            line.clear();
            let read = (&mut text).take(MAX_LINE).read_until(b'\n', &mut line);
            let Ok(len @ 1..) = read else { return };
            let at = offset;
            offset = offset.saturating_add(wide(len));
            let is_head = std::mem::replace(&mut is_first, false) && line.starts_with(b"planned_ns,");
            if is_head {
                continue;
            }
            // The last line of a run that was killed may be cut.
            let pushed = match line.strip_suffix(b"\n").and_then(fields) {
                Some((numbers, outcome)) => self.push(numbers, Some(outcome)),
                None => Err(Unfit::Damaged),
            };
            match pushed {
                Ok(()) => {}
                Err(Unfit::Damaged) => self.load.lost.damage.note(BAD_LINE, at),
                Err(Unfit::TooMany) => return self.load.lost.damage.note(TOO_MANY, at),
            }
        }
    }

    /// Reads a Parquet file, or says why not.
    fn parquet(&mut self, file: File) -> Result<(), String> {
        let size = file.metadata().map_err(|error| error.to_string())?.len();
        let reader = unless_it_panics(|| SerializedFileReader::new(file).ok());
        let reader = reader.ok_or("it is not Parquet, or damaged")?;
        let of = reader.metadata();
        let rows = of.row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(u64::MAX));
        if rows.fold(0, u64::saturating_add) > size / ROW_BYTES {
            return Err("it claims more rows than it has room for".to_owned());
        }
        for (number, group) in of.row_groups().iter().enumerate() {
            let first = group.columns().first().map_or(0, ColumnChunkMetaData::data_page_offset);
            let is_plain = group.columns().iter().all(|column| is_plain(column, size));
            let columns = is_plain
                .then(|| unless_it_panics(|| Columns::read(reader.get_row_group(number).ok()?.as_ref())));
            let at = u64::try_from(first).unwrap_or(0);
            match columns.flatten().map(|columns| self.take(&columns)) {
                Some(Ok(())) => {}
                Some(Err(Unfit::TooMany)) => {
                    self.load.lost.damage.note(TOO_MANY, at);
                    return Ok(());
                }
                None | Some(Err(Unfit::Damaged)) => self.load.lost.damage.note(BAD_GROUP, at),
            }
        }
        Ok(())
    }

    fn take(&mut self, columns: &Columns) -> Result<(), Unfit> {
        for at in 0..columns.outcomes.len() {
            let numbers = columns.numbers.each_ref().map(|column| column.get(at).copied().flatten());
            let outcome = columns.outcomes.get(at).and_then(Option::as_ref);
            self.push(numbers, outcome.map(ByteArray::data))?;
        }
        Ok(())
    }
}

/// Whether a column lies within the file and is not compressed.
fn is_plain(column: &ColumnChunkMetaData, size: u64) -> bool {
    let from = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let range = u64::try_from(from).ok().zip(u64::try_from(column.compressed_size()).ok());
    let end = range.and_then(|(from, length)| from.checked_add(length));
    end.is_some_and(|end| end <= size) && column.compression() == Compression::UNCOMPRESSED
}

/// What the crate for Parquet returns. Damage may break an assumption inside it: that ends this part of the file, not the program.
fn unless_it_panics<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

/// Why a row is not taken.
enum Unfit {
    Damaged,
    TooMany,
}

/// The fields of a line.
fn fields(line: &[u8]) -> Option<([Option<i64>; NUMBERS.len()], &[u8])> {
    let mut fields = line.split(|byte| *byte == b',');
    let mut numbers = [None; NUMBERS.len()];
    let mut outcome: &[u8] = &[];
    for (at, number) in numbers.iter_mut().enumerate() {
        if at == BEFORE_OUTCOME {
            outcome = fields.next()?;
        }
        let field = match fields.next() {
            Some(field) => std::str::from_utf8(field).ok()?,
            None if NUMBERS.get(at) == Some(&NEWER) => "",
            None => return None,
        };
        *number = if field.is_empty() { None } else { Some(field.parse().ok()?) };
    }
    (fields.next().is_none() && !outcome.is_empty()).then_some((numbers, outcome))
}

/// The columns of a group of rows, all of the same length.
struct Columns {
    numbers: [Vec<Option<i64>>; NUMBERS.len()],
    outcomes: Vec<Option<ByteArray>>,
}

impl Columns {
    /// `None` if a column is missing, of another type, or damaged.
    fn read(group: &dyn RowGroupReader) -> Option<Self> {
        let rows = usize::try_from(group.metadata().num_rows()).ok()?;
        let place = |name: &str| {
            let mut columns = group.metadata().columns().iter();
            columns.position(|column| column.column_path().string() == name)
        };
        let mut numbers: [Vec<Option<i64>>; NUMBERS.len()] = Default::default();
        for (name, column) in NUMBERS.iter().zip(&mut numbers) {
            if *name == NEWER && place(name).is_none() {
                *column = vec![None; rows];
                continue;
            }
            let ColumnReader::Int64ColumnReader(reader) = group.get_column_reader(place(name)?).ok()? else {
                return None;
            };
            *column = values::<Int64Type>(reader, rows)?;
        }
        match group.get_column_reader(place(OUTCOME)?).ok()? {
            ColumnReader::ByteArrayColumnReader(reader) => {
                Some(Self { numbers, outcomes: values(reader, rows)? })
            }
            _ => None,
        }
    }
}

/// All values of a column of optional values: as many as there are rows.
fn values<T: DataType>(mut reader: ColumnReaderImpl<T>, rows: usize) -> Option<Vec<Option<T::T>>> {
    let mut all = Vec::new();
    while all.len() < rows {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let wanted = BATCH.min(rows.saturating_sub(all.len()));
        let (records, ..) = reader.read_records(wanted, Some(&mut levels), None, &mut values).ok()?;
        if records == 0 || levels.len() != records {
            return None;
        }
        let mut values = values.into_iter();
        for level in levels {
            all.push(if level > 0 { Some(values.next()?) } else { None });
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::basic::Encoding;
    use parquet::data_type::ByteArrayType;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use std::io::Write;
    use std::sync::Arc;

    fn read(text: &[u8]) -> Load {
        let mut load = Load::default();
        Reading { load: &mut load, outcomes: BTreeMap::new() }.text(text);
        load
    }

    #[test]
    fn lines_of_a_run_that_was_killed_are_read_and_damaged_ones_counted() {
        let text = b"planned_ns,sent_ns,first_byte_ns,end_ns,connection,outcome,status,bytes\n\
            4,5,8,9,3,response,200,40\n,5,,9,3,reset,,0\n4,,,9,,unsent,,\n1,2,3\nx,2,3,4,5,response,200,1\n\
            -4,5,8,9,3,response,200,40\n4,5,8,9,3,response,200,40,7\n4,5,8,9,3,response,200,40,1,1\n4,5,8";
        let load = read(text);
        let of = &load.requests;
        assert_eq!(
            (of.planned_ns.as_slice(), of.end_ns.as_slice()),
            ([4, NO_INT, 4, 4].as_slice(), [9; 4].as_slice())
        );
        assert_eq!((of.sent_ns[2], of.status[1], of.bytes[0]), (NO_INT, NO_INT, 40));
        // Files of earlier versions have no column `request`.
        assert_eq!(of.request, [NO_INT, NO_INT, NO_INT, 7]);
        let words: Vec<&str> = of.outcome.iter().map(|of| load.strings.text(*of)).collect();
        assert_eq!(words, ["response", "reset", "unsent", "response"]);
        assert_eq!(load.lost.damage.count(BAD_LINE), 5);
    }

    /// A Parquet file of 300 requests, in groups of 100.
    fn parquet(compression: Compression) -> Vec<u8> {
        let schema = "message requests { optional int64 planned_ns; optional int64 sent_ns; optional int64 first_byte_ns; \
            optional int64 end_ns; optional int64 connection; optional binary outcome (STRING); optional int64 status; \
            optional int64 bytes; }";
        let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
        let mut properties = WriterProperties::builder().set_compression(compression);
        for name in NUMBERS {
            let encoding = if name == "end_ns" { Encoding::PLAIN } else { Encoding::DELTA_BINARY_PACKED };
            properties = properties
                .set_column_dictionary_enabled(name.into(), false)
                .set_column_encoding(name.into(), encoding);
        }
        let mut out = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::new(properties.build())).unwrap();
        for _ in 0..3 {
            let mut group = writer.next_row_group().unwrap();
            let mut at = 0;
            while let Some(mut column) = group.next_column().unwrap() {
                if at == BEFORE_OUTCOME {
                    let words: Vec<ByteArray> =
                        ["response", "reset"].repeat(50).into_iter().map(ByteArray::from).collect();
                    column.typed::<ByteArrayType>().write_batch(&words, Some(&[1; 100]), None).unwrap();
                } else {
                    let values: Vec<i64> = (0..50).map(|row| row * 1_000 + row % 7).collect();
                    let levels: Vec<i16> = (0..100).map(|row| row % 2).collect();
                    column.typed::<Int64Type>().write_batch(&values, Some(&levels), None).unwrap();
                }
                column.close().unwrap();
                at += 1;
            }
            group.close().unwrap();
        }
        writer.close().unwrap();
        out
    }

    fn read_parquet(bytes: &[u8]) -> (Load, Result<(), String>) {
        let mut load = Load::default();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let read = Reading { load: &mut load, outcomes: BTreeMap::new() }.parquet(file);
        (load, read)
    }

    #[test]
    fn a_parquet_file_has_its_rows_and_one_that_unpacks_to_more_is_not_read() {
        let (load, read) = read_parquet(&parquet(Compression::UNCOMPRESSED));
        assert_eq!((read, load.requests.end_ns.len()), (Ok(()), 300));
        assert_eq!((load.requests.sent_ns[0], load.requests.sent_ns[3]), (NO_INT, 1_001));
        assert_eq!(load.strings.text(load.requests.outcome[1]), "reset");
        let (load, _) = read_parquet(&parquet(Compression::SNAPPY));
        assert_eq!((load.requests.end_ns.len(), load.lost.damage.count(BAD_GROUP)), (0, 3));
    }

    #[test]
    fn a_damaged_parquet_file_is_an_error_or_counted_wherever_the_damage_is() {
        let whole = parquet(Compression::UNCOMPRESSED);
        for at in 0..whole.len() {
            let (load, read) = read_parquet(&whole[..at]);
            assert!(read.is_err() && load.requests.end_ns.is_empty(), "cut at {at}");
            for other in [0x00, 0x7f, 0xff, whole[at] ^ 1] {
                let mut bytes = whole.clone();
                bytes[at] = other;
                let (load, _) = read_parquet(&bytes);
                assert!(load.requests.end_ns.len() <= whole.len() / 8, "{other} at {at}");
            }
        }
    }

    #[test]
    fn any_bytes_are_lines_of_a_limited_length() {
        let load = read(&[b','; 10_000]);
        assert_eq!((load.requests.end_ns.len(), load.lost.damage.count(BAD_LINE)), (0, 25));
        let kinds: Vec<String> = (0..MAX_KINDS + 3).map(|kind| format!("1,1,1,1,1,k{kind},1,1\n")).collect();
        let load = read(kinds.concat().as_bytes());
        assert_eq!((load.requests.end_ns.len(), load.lost.damage.count(BAD_LINE)), (MAX_KINDS, 3));
    }
}
