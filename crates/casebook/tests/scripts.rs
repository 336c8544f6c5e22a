//! What scripts rely on: shapes of output, where SQL comes from, and options that mean the same everywhere.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{casebook, fixture, json, printed, refused, said};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

fn recording() -> String {
    fixture("net8.nettrace.zst").to_str().unwrap().to_owned()
}

#[test]
fn rows_can_be_objects_and_nothing_else_changes() {
    let file = recording();
    let sql =
        "select ts_ns, thread, state, 1 as n, 2 as n, null as \"a b\" from samples order by ts_ns limit 3";
    let arrays = json(&["query", &file, sql, "--format", "json", "--limit", "2"]);
    let objects = json(&["query", &file, sql, "--format", "json", "--limit", "2", "--objects"]);
    let names = ["ts_ns", "thread", "state", "n", "n_2", "a b"];
    for (array, object) in arrays["rows"].as_array().unwrap().iter().zip(objects["rows"].as_array().unwrap())
    {
        let expected: serde_json::Map<String, Value> = names
            .iter()
            .map(|name| (*name).to_owned())
            .zip(array.as_array().unwrap().iter().cloned())
            .collect();
        assert_eq!(object, &Value::Object(expected));
    }
    let without_rows = |mut document: Value| {
        assert_eq!(document["rows"].as_array().map(Vec::len), Some(2));
        document["rows"] = Value::Null;
        document
    };
    assert_eq!(without_rows(arrays), without_rows(objects));
    let message = refused(&["query", &file, "select 1", "--objects", "--format", "csv"]);
    assert!(message.contains("--objects is for JSON: add --format json"), "{message}");
}

#[test]
fn ndjson_is_an_object_per_line_and_a_limit_that_left_out_rows_is_reported() {
    let file = recording();
    let sql = "select ts_ns, state from samples order by ts_ns";
    let lines = printed(&["query", &file, sql, "--format", "ndjson"]);
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let document = json(&["query", &file, sql, "--format", "json", "--objects"]);
    assert!(rows.len() > 5000 && document["rows"] == Value::Array(rows));
    assert_eq!(printed(&["query", &file, "select 1 where 0", "--format", "ndjson"]), "");
    let output =
        casebook().args(["query", &file, sql, "--format", "ndjson", "--limit", "3"]).output().unwrap();
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 3);
    assert!(said(&output).contains("more rows than the 3 of --limit"), "{}", said(&output));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("rows.ndjson");
    printed(&["query", &file, "select 7 as n", "-o", out.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(out).unwrap(), "{\"n\":7}\n");
}

#[test]
fn sql_is_read_from_a_file_or_from_standard_input() {
    let file = recording();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let sql = b"-- all of them\nselect count(*) > 5000 as many\nfrom samples;\n";
    let path = write("many.sql", sql);
    let expected = "many\n1\n";
    assert_eq!(printed(&["query", &file, "--file", &path, "--format", "csv"]), expected);
    for words in
        [&["query", &file, "-", "--format", "csv"][..], &["query", &file, "--file", "-", "--format", "csv"]]
    {
        let command = casebook().args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = command.unwrap();
        child.stdin.take().unwrap().write_all(sql).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n"), expected, "{words:?}");
    }
    let several = [format!("a={file}"), format!("b={file}")];
    let two = write("two.sql", b"select (select count(*) from a.gc) = (select count(*) from b.gc) as same");
    assert_eq!(printed(&["query", &several[0], &several[1], "--file", &two, "--format", "csv"]), "same\n1\n");

    let check = |words: &[&str], expected: &str| {
        let message = refused(&[&["query", &file], words].concat());
        assert!(message.contains(expected), "{message}");
    };
    check(&["-"], "standard input contains no SQL");
    check(&["--file", &write("empty.sql", b" \n")], "empty.sql contains no SQL");
    check(&["--file", &file], "is not SQL: it is not text");
    check(&["--file", &write("long.sql", &vec![b' '; 1_000_001])], "longer than 1000000 bytes");
    check(&["--file", "missing.sql"], "cannot read SQL from missing.sql");
    check(&["select 1", "--file", &path], "SQL on the command line and in --file");
}

#[test]
fn swapped_arguments_are_named() {
    let file = recording();
    for file in [file.as_str(), "missing.nettrace"] {
        let message = refused(&["query", "select count(*) from gc", file]);
        assert!(message.contains("the arguments are swapped"), "{message}");
        assert!(message.contains(file) && message.contains("`select count(*) from gc`"), "{message}");
    }
    let message = refused(&["query", &file, &file]);
    assert!(message.contains("expected SQL as the last argument, found the file"), "{message}");
}

#[test]
fn the_format_for_people_is_text_and_table_still_names_it() {
    let file = recording();
    let expected = printed(&["query", &file, "select 1 as n", "--format", "text"]);
    assert_eq!(printed(&["query", &file, "select 1 as n", "--format", "table"]), expected);
    assert_eq!(json(&["query", &file, "select 1 as n", "--format", "json"])["rows"], json!([[1]]));
}
