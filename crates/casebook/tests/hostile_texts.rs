//! Texts that others chose, through every command: names in recordings, in files beside them, of files, and of processes.
//! None of them controls the terminal, and none is a formula in a spreadsheet.
//!
//! The names are where real recordings have them: in the events, at the end of every second text. Colours are forced on,
//! because whatever removes colours would remove other sequences too.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod hostile;
mod program;
mod runtime;
mod trace;

use hostile::peer::Peer;
use hostile::terminal::on_terminal;
use hostile::{NAMES, hostile_trace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A file name that hides what it is.
const FILE: &str = "evil\u{1b}]0;x\u{7}\u{202e}\u{9b}2J\rfdp";

fn casebook(arguments: &[&str]) -> Command {
    let mut command = program::casebook();
    command.args(arguments).env("CLICOLOR_FORCE", "1").env("TERM", "xterm");
    command
}

fn run(arguments: &[&str]) -> Output {
    casebook(arguments).output().unwrap()
}

/// Asserts that a text for people has no control characters but line ends and our colours.
fn assert_harmless(what: &str, text: &[u8]) {
    let text = String::from_utf8(text.to_vec()).unwrap();
    let plain = hostile::without_own_sequences(&text);
    if let Some((at, c)) = plain.char_indices().find(|(_, c)| *c != '\n' && base::steering::steers(*c)) {
        let around: String = plain.get(..at).unwrap().chars().rev().take(40).collect();
        let around: String = around.chars().rev().collect();
        panic!("{what} prints {c:?} after {around:?}");
    }
}

/// Runs a command whose output is for people.
fn check(arguments: &[&str]) -> Output {
    let output = run(arguments);
    let what = format!("{arguments:?}");
    assert_harmless(&what, &output.stdout);
    assert_harmless(&what, &output.stderr);
    output
}

/// Runs a command that has to work, with and without a terminal.
fn check_both(arguments: &[&str]) {
    let output = check(arguments);
    let what = format!("{arguments:?}");
    assert_eq!(output.status.code(), Some(0), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(!output.stdout.is_empty(), "{what}");
    check_terminal(arguments);
}

fn check_terminal(arguments: &[&str]) {
    let shown = on_terminal(casebook(arguments));
    // A terminal ends each line with CR and LF.
    let shown = String::from_utf8(shown).unwrap().replace("\r\n", "\n");
    assert_harmless(&format!("{arguments:?} on a terminal"), shown.as_bytes());
}

/// An exhibit whose texts are all hostile, of one of the fixtures.
fn exhibit(folder: &Path, fixture: &str) -> PathBuf {
    let path = folder.join(format!("{FILE}-{fixture}"));
    fs::create_dir(&path).unwrap();
    fs::write(path.join("trace.nettrace"), hostile_trace(fixture)).unwrap();
    let name = toml::Value::String(NAMES.concat());
    fs::write(
        path.join("exhibit.toml"),
        format!(
            "kind = \"nettrace\"\nstate = \"recording\"\n[subject]\nname = {name}\ncommand = [{name}, {name}]\n\
             runtime = {name}\ncontainer = {name}\n[host]\nname = {name}\n[profile]\nname = {name}\n\
             [[files]]\nname = {name}\nbytes = 1\n"
        ),
    )
    .unwrap();
    let rows = NAMES.iter().map(|name| format!("5,{0},1,{0}\n", name.replace(['\n', ','], " ")));
    fs::write(path.join("host.csv"), format!("ts_ns,name,value,unit\n{}", rows.collect::<String>())).unwrap();
    path
}

#[test]
fn no_text_of_a_recording_steers_the_terminal_by_any_command() {
    let folder = tempfile::tempdir().unwrap();
    for fixture in ["net8", "lock"] {
        let path = exhibit(folder.path(), fixture);
        let file = path.to_str().unwrap();
        let mut hostile = 0;
        for (table, column) in [("threads", "name"), ("frames", "name"), ("events", "fields")] {
            let sql = format!("select count(*) from {table} where {column} glob '*[\u{202e}\u{9b}\u{1b}]*'");
            let output = run(&["query", file, &sql, "--format", "csv"]);
            let count = String::from_utf8(output.stdout).unwrap();
            hostile += count.lines().nth(1).map_or(0, |count| count.trim().parse::<u32>().unwrap());
        }
        assert!(hostile > 20, "{fixture} has {hostile} hostile rows");
        check_both(&["explain", file]);
        check(&["explain", file, "--figures"]);
        check(&["explain", file, "--figures", "--format", "markdown"]);
        check(&["explain", file, "--topic", "gc,jit,threadpool,memory,async,requests,cpu"]);
        check(&["diff", file, file, "--all"]);
        if fixture == "lock" {
            // It has requests and locks to explain; whatever prints rows prints those of any recording.
            continue;
        }
        check(&["explain", file, "--format", "json"]);
        check_both(&["tables", file]);
        check(&["diff", file, file, "--format", "json"]);
        for to in ["folded", "speedscope", "chrome"] {
            check_both(&["export", file, "--to", to, "-o", "-"]);
        }
        let out = folder.path().join(format!("{fixture}-{FILE}"));
        check(&["export", file, "--to", "csv", "-o", out.to_str().unwrap()]);
        let events = "select provider, name, fields, count(*) from events group by 1, 2 order by 4 limit 500";
        let tables = ["threads", "frames", "exceptions", "counters", "jit", "host", "allocations"];
        let rows = tables.map(|table| format!("select * from {table} limit 200"));
        for sql in rows.iter().map(String::as_str).chain([events]) {
            check(&["query", file, sql]);
            check(&["query", file, sql, "--format", "json"]);
            check_terminal(&["query", file, sql, "--format", "csv"]);
        }
        check(&["query", file, &format!("select 1 as \"{FILE}\"")]);
    }
}

#[test]
fn json_says_exactly_what_the_recording_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = exhibit(folder.path(), "net8");
    let query = |format: &str| {
        let sql = "select distinct name from frames order by 1";
        let output = run(&["query", path.to_str().unwrap(), sql, "--format", format, "--raw"]);
        String::from_utf8(output.stdout).unwrap()
    };
    let output = run(&[
        "query",
        path.to_str().unwrap(),
        "select distinct name from frames order by 1",
        "--format",
        "json",
    ]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = document["rows"].as_array().unwrap().iter().map(|row| row[0].as_str().unwrap());
    let names: String = names.collect();
    assert!(names.contains('\u{202e}') && names.contains('\u{9b}') && names.contains('\u{1b}'));
    // A pipe gets CSV as it is.
    assert!(query("csv").contains('\u{202e}'));
}

#[test]
fn no_text_of_benchmark_results_steers_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let name = serde_json::to_string(&NAMES.concat()).unwrap();
    let path = folder.path().join(format!("{FILE}-report-full.json"));
    let text = format!(
        r#"{{"Title":{name},"HostEnvironmentInfo":{{"BenchmarkDotNetVersion":{name},"OsVersion":{name},"ProcessorName":{name},
        "RuntimeVersion":{name}}},"Benchmarks":[{{"DisplayInfo":{name},"Namespace":{name},"Type":{name},"Method":{name},
        "Parameters":{name},"FullName":{name},"Statistics":{{"N":1,"Mean":7.5,"Median":7.5}},"Measurements":[
        {{"IterationMode":"Workload","IterationStage":"Result","LaunchIndex":1,"IterationIndex":1,"Operations":2,
        "Nanoseconds":15}}]}}]}}"#
    );
    fs::write(&path, text).unwrap();
    let file = path.to_str().unwrap();
    check_both(&["explain", file]);
    check_both(&["explain", file, "--format", "json"]);
    check_both(&["tables", file]);
    check_both(&["query", file, "select * from benchmarks"]);
    check_terminal(&["query", file, "select * from benchmarks", "--format", "csv"]);
    check(&["diff", file, file]);
}

#[test]
fn no_error_steers_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    fs::write(&path, NAMES.concat()).unwrap();
    let (file, missing) = (path.to_str().unwrap(), format!("missing-{FILE}"));
    let refused = |arguments: &[&str]| {
        let output = check(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.lines().all(|line| !line.starts_with("fdp")), "{message}");
    };
    for file in [file, &missing] {
        refused(&["explain", file]);
        refused(&["open", file, "--no-browser"]);
        refused(&["diff", file, file]);
        refused(&["query", file, "select 1"]);
        refused(&["tables", file]);
        refused(&["export", file, "--to", "folded"]);
    }
    let good = format!("{}/../../fixtures/net8.nettrace.zst", env!("CARGO_MANIFEST_DIR"));
    refused(&["query", &good, &format!("select \"{FILE}\" from \"{FILE}\"")]);
    refused(&["query", &good, &format!("select `{FILE}` from gc")]);
    refused(&["query", &good, &format!("select '{FILE}")]);
    refused(&["explain", &good, "--my", FILE]);
    refused(&["explain", &good, &format!("--{FILE}")]);
    refused(&["explain", &good, "--format", FILE]);
    refused(&["explain", &good, "--pid", FILE]);
    refused(&["record", "--name", FILE]);
    refused(&["record", "-p", "1", "--stop-on", FILE]);
    refused(&["record", "-p", "1", "--provider", FILE]);
    refused(&["record", "-p", "1", "--profile", FILE]);
    refused(&["record", "--", FILE]);
    refused(&["counters", "--diagnostic-port", FILE]);
    refused(&["counters", "-p", "1", "--counters", FILE]);
    refused(&["stacks", "--diagnostic-port", &format!("{FILE},{FILE}")]);
}

#[test]
fn no_text_of_a_process_steers_the_terminal() {
    let peer = Peer::new(hostile_trace("net8"));
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join(FILE);
    std::os::unix::fs::symlink(peer.path(), &socket).unwrap();
    let pid = std::process::id().to_string();
    let listed = check(&["ps"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("hostile"), "{listed:?}");
    check(&["ps", "--all"]);
    check(&["ps", "--format", "json"]);
    check_terminal(&["ps"]);
    check(&["stacks", "-p", &pid]);
    check(&["stacks", "-p", &pid, "--all"]);
    check(&["stacks", "-p", &pid, "--format", "json"]);
    for format in ["text", "json"] {
        check(&["counters", "-p", &pid, "-d", "1s", "--format", format]);
    }
    check_terminal(&["counters", "-p", &pid, "-d", "1s", "--format", "csv"]);
    check_terminal(&["counters", "-p", &pid, "-d", "1s"]);
    let socket = peer.path().to_str().unwrap().to_owned();
    check(&["stacks", "--diagnostic-port", &socket]);
    let out = folder.path().join(FILE);
    fs::remove_file(&out).unwrap();
    check(&["record", "-p", &pid, "-d", "1s", "-o", out.to_str().unwrap()]);
    check(&["record", "-p", &pid, "-d", "1s", "-o", out.to_str().unwrap(), "--format", "json"]);
    check_terminal(&["record", "-p", &pid, "-d", "1s", "-o", &format!("{}-2", out.to_str().unwrap())]);
    check(&["record", "--name", &NAMES.concat(), "-d", "1s"]);
}

/// Through `query`, through `export`, and with `--raw`.
#[test]
fn a_name_in_a_recording_does_not_run_as_a_formula_in_a_spreadsheet() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = format!("{}/../../fixtures/net8.nettrace.zst", env!("CARGO_MANIFEST_DIR"));
    let path = folder.path().join("exhibit");
    fs::create_dir(&path).unwrap();
    fs::copy(fixture, path.join("trace.nettrace.zst")).unwrap();
    fs::write(path.join("host.csv"), "ts_ns,name,value,unit\n-5,=cmd|' /C calc'!A0,3,+s\n").unwrap();
    let file = path.to_str().unwrap();
    let sql = "select ts_ns, name, -value as v, unit, '-7' as t from host";
    let query = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_casebook"))
            .args([&["query", file, sql], more].concat())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    let (guarded, raw) = (
        "ts_ns,name,v,unit,t\r\n-5,'=cmd|' /C calc'!A0,-3,'+s,'-7\r\n",
        "ts_ns,name,v,unit,t\r\n-5,=cmd|' /C calc'!A0,-3,+s,-7\r\n",
    );
    let [out, said] = query(&["--format", "csv"]);
    assert_eq!(out, guarded);
    assert!(said.contains("3 texts of the CSV") && said.contains("--raw"), "{said}");
    let [out, said] = query(&["--format", "csv", "--raw"]);
    assert_eq!((out.as_str(), said.contains("texts")), (raw, false), "{said}");
    let written = folder.path().join("out.csv");
    let [_, said] = query(&["-o", written.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&written).unwrap(), guarded);
    assert!(said.contains("3 texts"), "{said}");
    for (name, more, expected, is_said) in [
        ("guarded", [].as_slice(), "-5,'=cmd|' /C calc'!A0,3,'+s", true),
        ("raw", &["--raw"], "-5,=cmd|' /C calc'!A0,3,+s", false),
    ] {
        let to = folder.path().join(name);
        let output = run(&[&["export", file, "--to", "csv", "-o", to.to_str().unwrap()], more].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.contains("of the CSV look"), is_said, "{said}");
        let host = fs::read_to_string(to.join("host.csv")).unwrap();
        assert!(host.contains(expected), "{host}");
    }
}

/// Files with a secret in every place from which a parser might quote it.
const SECRETS: [&str; 14] = [
    "root:$6$hunter2$hunter2:19000:0:99999:7:::\n",
    "hunter2",
    "hunter2 = hunter2\n",
    "kind = \"hunter2\"\n",
    "[subject]\npid = \"hunter2\"\n",
    "[[files]]\nbytes = \"hunter2\"\nname = [\"hunter2\"]\n",
    "my = \"hunter2\"\n",
    "my = [\"hunter2\"]\nmy = [\"hunter2\"]\n",
    "state = 2026-13-hunter2\n",
    "\"hunter2\" = \"hunter2\n",
    "{\"hunter2\": \"hunter2\"}",
    "{\"Benchmarks\":[{\"hunter2\":\"hunter2\",\"Statistics\":\"hunter2\",\"Method\":[\"hunter2\"]}],\
     \"HostEnvironmentInfo\":\"hunter2\"}",
    "monotonic_ns,name,value,unit\nhunter2,hunter2,hunter2,hunter2\nhunter2\n",
    "Nettrace\0hunter2hunter2hunter2hunter2",
];

#[test]
fn a_file_of_secrets_under_any_name_is_not_shown_in_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let good = format!("{}/../../fixtures/net31.nettrace.zst", env!("CARGO_MANIFEST_DIR"));
    let names = [
        "exhibit.toml",
        "host.csv",
        "thread_cpu.csv",
        "samples.nettrace",
        "a-report-full.json",
        "b.nettrace.zst",
    ];
    let silent = |output: &Output, what: &str| {
        for text in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(text);
            assert!(!text.contains("hunter2"), "{what}: {text}");
        }
    };
    for (number, secret) in SECRETS.into_iter().enumerate() {
        for name in names {
            let alone = folder.path().join(format!("{number}-{name}"));
            fs::write(&alone, secret).unwrap();
            silent(&run(&["explain", alone.to_str().unwrap()]), secret);
            let beside = folder.path().join(format!("{number}-{name}-beside"));
            fs::create_dir(&beside).unwrap();
            fs::copy(&good, beside.join("trace.nettrace.zst")).unwrap();
            fs::write(beside.join(name), secret).unwrap();
            silent(&run(&["explain", beside.to_str().unwrap()]), &format!("{name} with {secret}"));
        }
        let config = folder.path().join(format!("{number}-config"));
        fs::create_dir_all(config.join("casebook")).unwrap();
        fs::write(config.join("casebook/config.toml"), secret).unwrap();
        let output = casebook(&["explain", &good]).env("XDG_CONFIG_HOME", &config).output().unwrap();
        let is_setting = secret.starts_with("my = [") || secret.starts_with("my = \"");
        if !is_setting || !output.status.success() {
            silent(&output, &format!("config.toml with {secret}"));
        }
    }
}
