//! What scripts rely on: shapes of output, where SQL comes from, and options that mean the same everywhere.

#![expect(clippy::unwrap_used, reason = "a test")]

mod hostile;
mod program;
mod runtime;
mod trace;

use hostile::peer::Peer;
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
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3);
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

#[test]
fn an_explanation_has_its_verdict_for_scripts() {
    for (name, state) in [("starvation", "problem"), ("healthy", "healthy")] {
        let file = fixture(&format!("{name}.nettrace.zst"));
        let document = json(&["explain", file.to_str().unwrap(), "--format", "json"]);
        let verdict = &document["verdict"];
        assert_eq!(verdict["state"], state, "{verdict}");
        assert!(!verdict["text"].as_str().unwrap().is_empty());
        let checked = document["checked"].as_array().unwrap().len() as u64;
        let not_checked = document["not_checked"].as_array().unwrap().len() as u64;
        assert!(verdict["passed"].as_u64().unwrap() <= checked, "{verdict}");
        assert_eq!(verdict["could_not_run"].as_u64(), Some(not_checked), "{verdict}");
    }
}

#[test]
fn an_explanation_for_an_issue_has_the_verdict_the_findings_and_what_to_try() {
    let file = fixture("starvation.nettrace.zst");
    let file = file.to_str().unwrap();
    let page = printed(&["explain", file, "--format", "markdown"]);
    assert!(page.starts_with("# Problem found: starvation.nettrace.zst\n"), "{page}");
    let mut rest = page.as_str();
    for part in [
        "**Verdict (problem):** Requests to /starve/100 block",
        "## critical: sync-over-async",
        "| 31.6 | thread-pool threads waiting for a Task, on average | threshold 0.50 |",
        "**Where**, as a share of",
        "- 100 %: `dynamicClass.lambda_method9`, for requests to `/starve/100`",
        "**Evidence**",
        "  ```sql\n  select ",
        "**Why:** ",
        "**What to try**\n\n- Await the Task",
        "**How to verify:** ",
        "## Missing",
        "Not checked:\n\n- async-lock: needs",
    ] {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("no {part:?} in its place in {page}")).1;
    }
    let healthy = fixture("healthy.nettrace.zst");
    let healthy = printed(&["explain", healthy.to_str().unwrap(), "--format", "markdown", "--all"]);
    assert!(healthy.starts_with("# No problem found: healthy.nettrace.zst\n"), "{healthy}");
    assert!(healthy.contains("## Figures: gc"), "{healthy}");
    let topic = printed(&["explain", file, "--format", "markdown", "--topic", "threadpool"]);
    assert!(topic.contains("\n## threadpool\n"), "{topic}");
}

#[test]
fn names_in_a_file_become_no_mention_and_no_markup_in_an_issue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("@octocat-report-full.json");
    let name = "@octocat <b>x</b> [a](https://evil.example)|";
    let results = program::BENCH.replace(
        "\"Method\":\"Split\"",
        &format!("\"Method\":{0},\"DisplayInfo\":{0},\"Parameters\":{0}", json!(name)),
    );
    std::fs::write(&path, results).unwrap();
    let page = printed(&["explain", path.to_str().unwrap(), "--format", "markdown"]);
    assert!(page.starts_with("# Figures: `@octocat-report-full.json`\n"), "{page}");
    assert!(page.contains("octocat") && page.contains("7.5"), "{page}");
    // A name has no backtick, so every second piece is code.
    let plain: String = page.lines().flat_map(|line| line.split('`').step_by(2)).collect();
    for bad in ["<b>", "](", "@", "evil.example"] {
        assert!(!plain.contains(bad), "{bad} in {plain}");
    }
}

#[test]
fn formats_have_the_same_names_in_all_commands() {
    let file = recording();
    let file = file.as_str();
    for (words, texts) in [
        (&["query", file, "select 1"][..], &["text", "table", "json", "ndjson", "csv"][..]),
        (&["explain", file], &["text", "table", "json", "markdown"]),
        (&["diff", file, file], &["text", "table", "json"]),
        (&["tables", file], &["text", "table", "json", "markdown"]),
        (&["ps"], &["text", "table", "json"]),
    ] {
        for format in texts {
            printed(&[words, &["--format", format]].concat());
        }
        let message = refused(&[words, &["--format", "yaml"]].concat());
        assert!(message.contains("[possible values: text, json"), "{message}");
    }
    for command in ["counters", "stacks", "record"] {
        let message = refused(&[command, "-p", "1", "--format", "yaml"]);
        assert!(message.contains("[possible values: text, "), "{message}");
    }
}

#[test]
fn a_limit_is_of_rows_and_a_timeout_is_a_time() {
    let help = printed(&["stacks", "--help"]);
    assert!(help.contains("--timeout <TIME>") && !help.contains("--limit"), "{help}");
    for option in ["--timeout", "--limit"] {
        let message = refused(&["stacks", "-p", "999999999", option, "20s"]);
        assert!(message.contains("there is no process 999999999"), "{message}");
    }
    let message = refused(&["query", &recording(), "select 1", "--limit", "30s"]);
    assert!(message.contains("expected a number of rows, 0 or more"), "{message}");
}

#[test]
fn a_word_in_the_place_of_a_process_number_is_a_name() {
    for command in ["stacks", "counters", "record", "demo"] {
        let message = refused(&[command, "-p", "no-such-service"]);
        assert!(message.contains("no .NET process is named no-such-service"), "{command}: {message}");
        for number in ["1,234", "-5", "99999999999", ""] {
            let message = refused(&[command, "-p", number]);
            assert!(message.contains(&format!("`{number}` is not a process number")), "{command}: {message}");
        }
    }
    // This process plays a runtime, whose name is in its command line.
    let _peer = Peer::new(hostile::hostile_trace("net8"));
    let pid = u64::from(std::process::id());
    let listed = json(&["ps", "--format", "json"]);
    let row = listed.as_array().unwrap().iter().find(|row| row["pid"] == pid).unwrap();
    let name = row["name"].as_str().unwrap();
    let by_name = json(&["stacks", "-p", name, "--format", "json"]);
    assert!(!by_name["threads"].as_array().unwrap().is_empty());
}

#[test]
fn one_rule_is_explained_by_its_id_without_a_recording() {
    let rule = program::printed(&["explain", "--rule", "gc-pauses"]);
    assert!(rule.starts_with("## gc-pauses\n") && rule.contains("| measured | threshold |"), "{rule}");
    assert!(!rule.contains("lock-contention"), "{rule}");
    assert!(program::printed(&["explain", "--rules"]).contains(rule.trim()));
    assert!(program::refused(&["explain", "--rule", "gc"]).contains("gc-pauses"));
    // What it would ignore is refused.
    for more in [&["missing.nettrace"] as &[&str], &["--format", "json"]] {
        let words = [&["explain", "--rule", "gc-pauses"], more].concat();
        assert!(program::refused(&words).contains("cannot be used with"), "{more:?}");
    }
}

#[test]
fn an_export_says_what_it_left_out_as_a_table_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("o.pb.gz");
    let (lock, out) = (fixture("lock.nettrace.zst"), out.to_str().unwrap());
    let words = ["export", lock.to_str().unwrap(), "--to", "pprof", "-o", out];
    let document = json(&[words.as_slice(), &["--format", "json"]].concat());
    assert!(document["out"] == out && document["format"] == "pprof", "{document}");
    assert_eq!(document["bytes"], std::fs::metadata(out).unwrap().len());
    let samples = document["contains"].as_array().unwrap().iter().find(|of| of["what"] == "samples").unwrap();
    let in_table =
        json(&["query", lock.to_str().unwrap(), "select count(*) from samples", "--format", "json"]);
    assert_eq!(samples["count"], in_table["rows"][0][0]);
    let left = document["left_out"].as_array().unwrap();
    let why = |why: &str| left.iter().filter(|of| of["why"] == why).count();
    assert!(why("missing-in-recording") > 0 && why("no-place-in-format") > 0, "{document}");
    let gc = left.iter().find(|of| of["what"] == "gc").unwrap();
    let table = said(&casebook().args(words).output().unwrap());
    assert!(table.contains(&format!(" {}  rows of the table gc", gc["count"])), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    let both = refused(&["export", lock.to_str().unwrap(), "--to", "folded", "-o", "-", "--format", "json"]);
    assert!(both.contains("name a file with -o FILE"), "{both}");
}

#[test]
fn rows_are_not_written_under_the_name_of_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let net8 = fixture("net8.nettrace.zst");
    let net8 = net8.to_str().unwrap();
    for name in ["out.nettrace", "out.NETTRACE.zst", "out.gz"] {
        let out = folder.path().join(name);
        let why = refused(&["query", net8, "select 1", "-o", out.to_str().unwrap()]);
        let expected = if name == "out.gz" { "a name that ends in .csv" } else { "the name of a recording" };
        assert!(why.contains(expected) && !out.exists(), "{why}");
    }
    let out = folder.path().join("out.nettrace.gz");
    let why = refused(&["export", net8, "--to", "pprof", "-o", out.to_str().unwrap()]);
    assert!(why.contains("the name of a recording") && !out.exists(), "{why}");
    let sql = folder.path().join("own.sql");
    std::fs::write(&sql, "select 1").unwrap();
    let why = refused(&["query", net8, "--file", sql.to_str().unwrap(), "-o", sql.to_str().unwrap()]);
    assert!(why.contains("is the SQL that is read here"), "{why}");
}

#[test]
fn a_reader_who_stops_early_does_not_turn_a_finding_into_an_all_clear() {
    let starvation = fixture("starvation.nettrace.zst");
    for format in ["text", "json", "markdown"] {
        let mut command = casebook();
        command.arg("explain").arg(&starvation).args(["--fail-on", "warning", "--format", format]);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(1), "{format}");
    }
}

#[test]
fn a_table_without_rows_is_named_with_what_it_needs() {
    let lock = fixture("starvation.nettrace.zst");
    let sql = "select count(*) as n from logs";
    let output = casebook().arg("query").arg(&lock).arg(sql).output().unwrap();
    assert!(
        said(&output).contains("the table logs is empty here") && said(&output).contains("--profile logs")
    );
    let sql = "select count(*) as n from samples where thread = -1";
    let output = casebook().arg("query").arg(&lock).arg(sql).output().unwrap();
    assert_eq!(said(&output), "");
}

#[test]
fn sql_without_quotes_and_a_recording_to_standard_output_are_explained() {
    let lock = fixture("starvation.nettrace.zst");
    let why = refused(&["query", lock.to_str().unwrap(), "select", "1"]);
    assert!(why.contains("put it in quotes"), "{why}");
    let why = refused(&["record", "-o", "-", "-p", "1"]);
    assert!(why.contains("not written to standard output"), "{why}");
}

#[test]
fn the_numbers_of_rows_of_a_damaged_recording_are_not_shown_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(fixture("net8.nettrace.zst")).unwrap();
    let cut = folder.path().join("cut.nettrace.zst");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let output = casebook().arg("tables").arg(&cut).output().unwrap();
    assert!(output.status.success() && said(&output).contains("is damaged"), "{}", said(&output));
}

#[test]
fn what_an_export_says_is_one_sentence_per_line_for_programs() {
    let net8 = fixture("net8.nettrace.zst");
    let words = ["export", net8.to_str().unwrap(), "--to", "folded", "-o", "-", "--progress", "json"];
    let output = casebook().args(words).output().unwrap();
    let lines: Vec<serde_json::Value> =
        said(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let texts: Vec<&str> = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    let contains = texts.iter().find(|text| text.starts_with("contains: ")).unwrap();
    assert!(contains.contains(" samples"), "{texts:?}");
    assert!(texts.iter().all(|text| !text.contains("  ")), "{texts:?}");
}
