//! The program on what it cannot read: exit code 2, one message that says what to do, within a second.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{fixture, refused, run, said};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Asserts that reading `path` fails with a message that has all of `parts`.
fn check(path: &Path, parts: &[&str]) {
    for arguments in
        [["explain", path.to_str().unwrap()].as_slice(), &["query", path.to_str().unwrap(), "select 1"]]
    {
        let output = run(arguments);
        let message = said(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty(), "{arguments:?} prints a result");
        assert!(message.starts_with("casebook: ") && message.lines().count() == 1, "{message}");
        for part in parts {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    check(&folder.path().join("nowhere.nettrace"), &["nowhere.nettrace", "No such file"]);
    check(&file("empty.nettrace", b""), &["empty.nettrace", "the input is empty"]);
    check(
        &file("text.nettrace", b"a text of several words"),
        &["is not a file that casebook reads: its content is not a trace"],
    );
    check(&file("newer.nettrace", b"Nettrace\0\0\0\0\x09\0\0\0\0\0\0\0"), &["version 9", "3 to 6"]);
    check(&file("cut.nettrace", b"Nettrace\x14\0\0\0!Fast"), &["ends within its header"]);
    check(&file("not.zst", b"\x28\xb5\x2f\xfd and then nothing of it"), &["not.zst"]);
    check(&file("not.zip", b"PK\x03\x04 and then nothing of it"), &["not.zip"]);
    check(
        &file("cut.nettrace.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\0"),
        &["cut.nettrace.gz is cut off before any data"],
    );
    let empty = file("empty.zip", b"");
    let mut archive = zip::ZipWriter::new(fs::File::create(&empty).unwrap());
    for at in 0..300 {
        archive.start_file(format!("{at}.nettrace"), zip::write::SimpleFileOptions::default()).unwrap();
    }
    archive.finish().unwrap();
    check(
        &empty,
        &["empty.zip is an archive of 300 files and folders, and each that was looked at is empty"],
    );
    check(Path::new("-"), &["not from standard input", "save it to a file"]);
    let empty = folder.path().join("folder");
    fs::create_dir(&empty).unwrap();
    check(
        &empty,
        &["contains no file that casebook reads: expected a trace (.nettrace", "compressed or not"],
    );
    check(Path::new("/dev/zero"), &["neither a file nor a folder"]);
}

#[test]
fn a_mistyped_option_is_refused_in_the_words_of_the_person_who_typed_it() {
    let check = |arguments: &[&str], expected: &str| {
        let output = run(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && message.contains(expected), "{arguments:?}: {message}");
        message
    };
    check(&["record", "-p", "12-3"], "`12-3` is not a process number");
    check(&["explain", "x", "--pid", "1x"], "`1x` is not a process number");
    check(&["diff", "x", "y", "--pid", "1,b"], "`b` is not a process number");
    check(&["query", "select 1"], "found only `select 1`");
    check(&["explain"], "casebook explain --rules");
    // The usual tip would start a program that is called `--counters`.
    let message = check(&["record", "-p", "1", "--counters"], "unexpected argument '--counters'");
    assert!(!message.contains("-- --counters"), "{message}");
}

/// The message about a file with these bytes.
fn refusal(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    refused(&["open", path.to_str().unwrap(), "--no-browser"])
}

#[test]
fn files_of_other_tools_are_named_with_what_opens_them() {
    let serialized = |name: &str| [b"\x14\0\0\0!FastSerialization.1\x05\x05\x01", name.as_bytes()].concat();
    let check = |name: &str, bytes: &[u8], parts: &[&str]| {
        let message = refusal(name, bytes);
        for part in parts {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    };
    check(
        "heap.gcdump",
        &serialized("GCHeapDump"),
        &["a .NET heap snapshot (.gcdump); this version cannot read it yet", "dotnet-gcdump"],
    );
    check("trace.etlx", &serialized("Microsoft.Diagnostics.Tracing.Etlx.TraceLog"), &["PerfView"]);
    check("perf.data", b"PERFILE2\x68\0\0\0\0\0\0\0", &["a profile of perf", "perf report"]);
    let core = [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0".as_slice(), &[0; 64]].concat();
    check("core.1234", &core, &["a core dump", "dotnet-dump analyze"]);
}

#[test]
fn no_message_shows_bytes_of_the_file() {
    for name in ["secret.nettrace", "secret.json", "secret"] {
        for bytes in
            ["hunter2 hunter2", "{\"password\": \"hunter2\"}", "Nettracehunter2hunter2hunter2hunter2"]
        {
            let message = refusal(name, bytes.as_bytes());
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
    let bench = r#"{"HostEnvironmentInfo":{"BenchmarkDotNetVersion":"1"},"Benchmarks":"hunter2"}"#;
    let message = refusal("secret-report-full.json", bench.as_bytes());
    assert!(message.contains("line 1") && !message.contains("hunter2"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_pipe_with_nobody_at_its_other_end_does_not_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe.nettrace");
    let made = Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        return base::ground::skip("a_pipe_with_nobody_at_its_other_end_does_not_hang", "there is no mkfifo");
    }
    check(&path, &["neither a file nor a folder"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_beside_the_recording_does_not_hang_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("net8.nettrace.zst"), folder.path().join("trace.nettrace.zst")).unwrap();
    fs::write(folder.path().join("samples.nettrace"), "no recording at all").unwrap();
    let made = Command::new("mkfifo").arg(folder.path().join("host.csv")).status();
    if !made.is_ok_and(|status| status.success()) {
        return base::ground::skip(
            "a_pipe_beside_the_recording_does_not_hang_and_is_told",
            "there is no mkfifo",
        );
    }
    let output = run(&["explain", folder.path().to_str().unwrap(), "--format", "json"]);
    let page: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let damage = page["loss"]["damage"].to_string();
    assert!(damage.contains("host.csv is not a file: not read"), "{damage}");
    assert!(damage.contains("samples.nettrace cannot be read: not a trace"), "{damage}");
}

#[test]
fn an_archive_of_several_recordings_says_which_one_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.zip");
    let mut archive = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for (name, fixture_name) in
        [("a.nettrace", "executioncheckpoints"), ("b.nettrace", "SkipExtraMetadataTagSpaceV5")]
    {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&fs::read(fixture(&format!("format/{fixture_name}.nettrace"))).unwrap()).unwrap();
    }
    archive.finish().unwrap();
    let output = run(&["explain", path.to_str().unwrap()]);
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(page.contains("two.zip has 2 recordings: only the largest was read, b.nettrace"), "{page}");
}

#[test]
fn a_packed_file_that_unpacks_without_end_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.nettrace.gz");
    let mut packed =
        flate2::write::GzEncoder::new(fs::File::create(&path).unwrap(), flate2::Compression::fast());
    packed.write_all(&fs::read(fixture("format/executioncheckpoints.nettrace")).unwrap()).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..300 {
        packed.write_all(&zeros).unwrap();
    }
    packed.finish().unwrap();
    let output = run(&["explain", path.to_str().unwrap(), "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let page: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let damage = page["loss"]["damage"].to_string();
    assert!(damage.contains("belong to no recording: the rest was not read"), "{damage}");
}

#[test]
fn an_exhibit_folder_is_one_recording_on_the_main_sessions_clock() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("net8.nettrace.zst"), folder.path().join("trace.nettrace.zst")).unwrap();
    fs::copy(fixture("net31.nettrace.zst"), folder.path().join("samples.nettrace.zst")).unwrap();
    // Without it, recordings of two processes are refused.
    fs::write(folder.path().join("exhibit.toml"), "kind = \"nettrace\"\n").unwrap();
    fs::write(folder.path().join("host.csv"), "ts_ns,name,value,unit\n5,cores,2,\nbroken\n").unwrap();
    let query = |sql: &str| {
        let output = run(&["query", folder.path().to_str().unwrap(), sql, "--format", "csv"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
    };
    assert_eq!(query("select stream, count(*) as n from events group by 1"), "stream,n\n0,14263\n1,13854\n");
    assert_eq!(query("select name, value from host"), "name,value\ncores,2\n");
    assert_eq!(
        query("select count(distinct source) as n, count(*) > 2 as several from coverage"),
        "n,several\n2,1\n"
    );
    let sorted =
        "select sum(later) as n from (select ts_ns < lag(ts_ns) over (order by rowid) as later from events)";
    assert_eq!(query(sorted), "n\n0\n", "events of all streams are in the order of time");
}

#[test]
fn two_kinds_are_not_compared_and_which_is_which_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let bench = folder.path().join("run-report.json");
    let text = r#"{"Title":"T","HostEnvironmentInfo":{"BenchmarkDotNetVersion":"0.15.8"},
        "Benchmarks":[{"Type":"A","Method":"B","Statistics":{"N":1,"Mean":7.5},"Measurements":[]}]}"#;
    fs::write(&bench, text).unwrap();
    let (bench, trace) = (bench.to_str().unwrap(), fixture("net31.nettrace.zst"));
    let trace = trace.to_str().unwrap();
    for (here, earlier, expected) in [
        (trace, bench, format!("{trace} is a trace, and {bench} is a benchmark file")),
        (bench, trace, format!("{bench} is a benchmark file, and {trace} is a trace")),
    ] {
        let output = run(&["open", here, "--no-browser", "--against", earlier]);
        let message = said(&output);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(&expected) && message.lines().count() == 1, "{message}");
    }
}

/// Asserts that a command which names what cannot be is refused at once, with all of these parts in its message.
fn check_refused(arguments: &[&str], parts: &[&str]) {
    let message = refused(arguments);
    for part in parts {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

#[test]
fn an_event_that_can_never_come_is_refused_before_anything_is_waited_for() {
    // The process is there, and no .NET process: whoever looked at it first would say that.
    let pid = std::process::id().to_string();
    let stop_on =
        |event: &str, parts: &[&str]| check_refused(&["record", "-p", &pid, "--stop-on", event], parts);
    stop_on(
        "GCStart",
        &["expected PROVIDER/EVENT", "did you mean Microsoft-Windows-DotNETRuntime/GC/Start?"],
    );
    stop_on("Microsoft-Windows-DotNETRuntime/GC/Strat", &["has no event GC/Strat", "did you mean GC/Start"]);
    let counters = ["counters", "-p", &pid, "--counters", "Microsoft-Windows-DotNETRuntime"];
    check_refused(&counters, &["has no counters", "System.Runtime"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_whose_path_is_too_long_is_reported_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a".repeat(120));
    let path = path.to_str().unwrap();
    let parts = [&*path.len().to_string(), "107"];
    check_refused(&["record", "--diagnostic-port", path, "-d", "1s"], &parts);
    check_refused(&["record", "--diagnostic-port", &format!("{path},listen"), "-d", "1s"], &parts);
}
