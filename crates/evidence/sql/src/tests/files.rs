//! Queries over the exhibits of several files together.

use super::{ALL, answer, int, small, text};
use crate::{Database, Error, tables_used_of_files};
use model::{Bench, BenchmarkRow, Kind, Tables, ThreadId};
use std::sync::Arc;

fn two() -> Database {
    let mut other = small();
    other.sample(999, ThreadId::FIRST, ["managed", "running", ""], &["Other!Main()", "Other!Work()"]);
    let tables = |of| -> Arc<dyn Tables> { Arc::new(of) };
    let mut bench = Bench::default();
    bench.benchmarks.push(BenchmarkRow { id: 0, n: 3, ..BenchmarkRow::blank() });
    Database::open_files(vec![
        ("a".to_owned(), tables(small())),
        ("b".to_owned(), tables(other)),
        ("bench".to_owned(), Arc::new(bench)),
    ])
    .unwrap()
}

#[test]
fn a_table_has_the_rows_of_all_files_that_have_it_and_their_names() {
    let database = two();
    let check =
        |sql: &str, expected: &[&[crate::Cell]]| assert_eq!(answer(&database, sql).rows, expected, "{sql}");
    check("select file, count(*) from samples group by 1", &[&[text("a"), int(40)], &[text("b"), int(41)]]);
    // A table's own column `file` is the second.
    check("select file, file_2, n from benchmarks", &[&[text("bench"), crate::Cell::Null, int(3)]]);
    check("select count(*) from samples where file = 'b'", &[&[int(41)]]);
    check("select count(*) from samples where file = 'b' and file = 'a'", &[&[int(0)]]);
    check("select count(*) from samples where file in ('b', 'c', 'a')", &[&[int(81)]]);
    check("select count(*) from samples where file <> 'b'", &[&[int(40)]]);
    // What is compared with a text is one, as anywhere in SQL.
    check("select count(*) from samples where file = 7 or file is null", &[&[int(0)]]);
    check("select count(*) from samples where file = 'A' collate nocase", &[&[int(40)]]);
    check("select count(distinct rowid) from samples", &[&[int(81)]]);
    // Each file begins anew.
    check("select ts_ns from samples order by ts_ns limit 3", &[&[int(0)], &[int(0)], &[int(10)]]);
    check("select max(ts_ns) from samples where ts_ns between 395 and 1000", &[&[int(999)]]);
    check("select count(*) from stacks where id = 0", &[&[int(2)]]);
    check("select file from stacks where id = 0 and file = 'b'", &[&[text("b")]]);
    let found = answer(&database, "select * from samples limit 1");
    assert_eq!(
        (found.columns[0].name.as_str(), found.columns[0].kind.map(model::Type::name)),
        ("file", Some("text"))
    );
}

#[test]
fn joins_by_file_read_the_names_of_each_file() {
    let sql = "select f.name, count(*) from samples s join stacks k on k.file = s.file and k.id = s.stack \
               join frames f on f.file = k.file and f.id = k.frame where s.file = 'b' group by 1 order by 2 desc";
    let found = answer(&two(), sql).rows;
    assert_eq!(
        found,
        [[text("App!Main()"), int(14)], [text("App!Work()"), int(13)], [text("Other!Work()"), int(1)]]
    );
    // A look-up by number is one within its file.
    let plan = answer(&two(), &format!("explain query plan {sql}")).rows;
    let plan = format!("{plan:?}");
    assert!(!plan.contains("SCAN k") || plan.contains("VIRTUAL TABLE INDEX"), "{plan}");
}

#[test]
fn a_file_is_there_once_and_errors_name_the_tables_of_all_kinds() {
    let twice = || ("a".to_owned(), Kind::Trace.empty().tables());
    assert!(
        matches!(Database::open_files(vec![twice(), twice()]), Err(Error::FileTwice(name)) if name == "a")
    );
    let message = two().query("select * from nowhere", ALL).unwrap_err().to_string();
    assert!(message.contains("samples") && message.contains("benchmarks"), "{message}");
    let used = tables_used_of_files("select file, fields from events", &[Kind::Trace, Kind::Bench]).unwrap();
    assert!(used.contains(&("events".to_owned(), "fields".to_owned())), "{used:?}");
}

#[test]
fn a_table_that_means_something_else_in_another_kind_is_refused_and_all_others_are_read() {
    let of = |kind: Kind| (format!("{kind:?}"), kind.empty().tables());
    let database = Database::open_files(vec![of(Kind::Trace), of(Kind::Load)]).unwrap();
    let message = database.query("select * from requests", ALL).unwrap_err().to_string();
    assert!(message.contains("different kinds"), "{message}");
    assert_eq!(answer(&database, "select count(*) from metrics").rows, [[int(0)]]);
    assert_eq!(answer(&database, "select count(*) from seconds").rows, [[int(0)]]);
    let alone = Database::open_files(vec![of(Kind::Load)]).unwrap();
    assert_eq!(answer(&alone, "select count(planned_ns) from requests").rows, [[int(0)]]);
}

#[test]
fn no_table_has_a_column_that_is_needed_for_its_file() {
    for spec in Kind::ALL.iter().flat_map(|kind| kind.catalogue()) {
        let names: Vec<&str> = spec.columns.iter().map(|column| column.name).collect();
        assert!(!names.contains(&"file_2"), "{}", spec.name);
    }
}
