//! Queries over several recordings together, through the program.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{BENCH, casebook, fixture, json, printed, refused, said};
use serde_json::{Value, json as value};
use std::path::Path;

/// A folder with copies of recordings, under these names.
fn folder(names: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, of) in names {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(fixture(of), path).unwrap();
    }
    folder
}

fn rows(words: &[&str]) -> Value {
    json(&[&["query"], words, &["--format", "json"]].concat())["rows"].clone()
}

fn count(file: &Path, table: &str) -> i64 {
    rows(&[file.to_str().unwrap(), &format!("select count(*) from {table}")])[0][0].as_i64().unwrap()
}

#[test]
fn a_pattern_and_several_words_give_each_table_the_rows_of_all_files() {
    let folder = folder(&[("a.nettrace.zst", "lock.nettrace.zst"), ("b.nettrace.zst", "net8.nettrace.zst")]);
    let (a, b) = (folder.path().join("a.nettrace.zst"), folder.path().join("b.nettrace.zst"));
    let pattern = folder.path().join("*.nettrace.zst");
    let (one, other, pattern) = (a.to_str().unwrap(), b.to_str().unwrap(), pattern.to_str().unwrap());
    for table in ["samples", "gc", "stacks", "metrics", "events"] {
        let sql = format!("select file, count(*) from {table} group by 1 order by 1");
        let expected = value!([[one, count(&a, table)], [other, count(&b, table)]]);
        let expected: Vec<&Value> =
            expected.as_array().unwrap().iter().filter(|row| row[1].as_i64() > Some(0)).collect();
        assert_eq!(
            rows(&[pattern, &sql]).as_array().unwrap().iter().collect::<Vec<_>>(),
            expected,
            "{table}"
        );
        assert_eq!(
            rows(&[one, other, &sql]).as_array().unwrap().iter().collect::<Vec<_>>(),
            expected,
            "{table}"
        );
    }
    // A join compares the file too: the names of frames are those of each recording alone.
    let top = "select f.name, count(*) as n from samples s join stacks k on k.id = s.stack \
               join frames f on f.id = k.frame group by 1 order by 2 desc, 1 limit 20";
    let together = "select f.name, count(*) as n from samples s join stacks k on k.file = s.file and k.id = s.stack \
                    join frames f on f.file = k.file and f.id = k.frame where s.file = FILE \
                    group by 1 order by 2 desc, 1 limit 20";
    for file in [one, other] {
        let alone = rows(&[file, top]);
        assert_eq!(rows(&[pattern, &together.replace("FILE", &format!("'{file}'"))]), alone, "{file}");
        assert_eq!(alone.as_array().unwrap().len(), 20);
    }
    // With names, they stay apart.
    let named = rows(&[
        &format!("a={one}"),
        &format!("b={other}"),
        "select (select count(*) from a.samples) - (select count(*) from b.samples)",
    ]);
    assert_eq!(named[0][0], count(&a, "samples") - count(&b, "samples"));
}

#[test]
fn other_formats_and_other_kinds_have_the_column_too() {
    let folder = folder(&[("a.nettrace.zst", "net8.nettrace.zst")]);
    let bench = folder.path().join("Parse-report-full.json");
    std::fs::write(&bench, BENCH).unwrap();
    let pattern = folder.path().join("*");
    let pattern = pattern.to_str().unwrap();
    let found = rows(&[pattern, "select file from benchmarks union all select distinct file from samples"]);
    assert_eq!(
        found,
        value!([[bench.to_str().unwrap()], [folder.path().join("a.nettrace.zst").to_str().unwrap()]])
    );
    let lines = printed(&["query", pattern, "select file, name from benchmarks", "--format", "ndjson"]);
    assert_eq!(serde_json::from_str::<Value>(&lines).unwrap()["file"], bench.to_str().unwrap());
    let csv =
        printed(&["query", pattern, "select file, count(*) as n from samples group by 1", "--format", "csv"]);
    assert!(csv.starts_with("file,n\n") && csv.contains("a.nettrace.zst,"), "{csv}");
    let parquet = folder.path().join("out.parquet");
    printed(&["query", pattern, "select * from samples", "-o", parquet.to_str().unwrap()]);
    assert!(std::fs::read(parquet).unwrap().starts_with(b"PAR1"));
}

#[test]
fn files_that_cannot_be_read_or_are_not_there_are_errors_and_a_damaged_one_is_named() {
    let folder = folder(&[("a.nettrace.zst", "net8.nettrace.zst"), ("b.nettrace.zst", "net8.nettrace.zst")]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let sql = "select count(*) from samples";
    let (a, b) = (path("a.nettrace.zst"), path("b.nettrace.zst"));
    assert!(refused(&["query", &path("*.etl"), sql]).contains("no file matches"));
    assert!(refused(&["query", &a, &path("missing"), sql]).contains("missing"));
    assert!(refused(&["query", &a, &a, sql]).contains("is named twice"));
    assert!(refused(&["query", &a, &path("./a.nettrace.zst"), sql]).contains("is named twice"));
    std::os::unix::fs::symlink(&a, path("link.zst")).unwrap();
    assert!(refused(&["query", &a, &path("link.zst"), sql]).contains("is named twice"));
    assert!(refused(&["query", &a, &format!("b={b}"), sql]).contains("expected NAME=FILE"));
    std::fs::create_dir(path("in")).unwrap();
    std::fs::copy(&a, path("in/a.nettrace.zst")).unwrap();
    assert!(refused(&["query", &path("in"), &path("in/a.nettrace.zst"), sql]).contains("is named twice"));
    std::fs::remove_dir_all(path("in")).unwrap();
    assert!(refused(&["query", sql, &a, &b]).contains("swapped"));
    std::fs::write(path("c.nettrace"), "no recording").unwrap();
    assert!(refused(&["query", &path("*.nettrace*"), sql]).contains("c.nettrace"));
    let bytes = std::fs::read(&b).unwrap();
    std::fs::write(&b, &bytes[..bytes.len() / 2]).unwrap();
    let cut = casebook().args(["query", &a, &b, sql]).output().unwrap();
    assert!(cut.status.success() && said(&cut).contains("b.nettrace.zst is damaged"), "{}", said(&cut));
    // A name with the letters of a pattern is that file.
    std::fs::copy(&a, path("[a].nettrace.zst")).unwrap();
    assert_eq!(count(Path::new(&path("[a].nettrace.zst")), "samples"), count(Path::new(&a), "samples"));
}

#[test]
fn sixty_files_are_queried_together() {
    let names: Vec<String> = (0..60).map(|at| format!("{at:02}.nettrace.zst")).collect();
    let names: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "net8.nettrace.zst")).collect();
    let folder = folder(&names);
    let pattern = folder.path().join("[0-5]?.nettrace.zst");
    let found = rows(&[pattern.to_str().unwrap(), "select count(distinct file), count(*) from samples"]);
    let one = count(&folder.path().join("07.nettrace.zst"), "samples");
    assert_eq!(found, value!([[60, 60 * one]]));
}
