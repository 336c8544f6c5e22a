//! Recordings about which an earlier version was wrong, because of their readings of the host.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;
mod shared;

use serde_json::Value;
use shared::shared;
use std::path::{Path, PathBuf};

/// The case, if it is there.
fn case(test: &str, name: &str) -> Option<PathBuf> {
    shared(test, &format!("cases/{name}"))
}

/// Runs a command about a recording, whose path follows the first word.
fn json(path: &Path, words: &[&str]) -> Value {
    let (first, rest) = words.split_first().unwrap();
    program::json(&[&[*first, path.to_str().unwrap()], rest, &["--format", "json"]].concat())
}

/// The findings above a note, in their order. Checks that their queries return rows.
fn heavy(path: &Path) -> Vec<Value> {
    let report = json(path, &["explain"]);
    let findings = report["findings"].as_array().unwrap().iter();
    let heavy: Vec<Value> = findings.filter(|of| of["severity"] != "note").cloned().collect();
    for finding in &heavy {
        for evidence in finding["evidence"].as_array().unwrap() {
            let rows = json(path, &["query", evidence["sql"].as_str().unwrap()]);
            assert!(!rows["rows"].as_array().unwrap().is_empty(), "{evidence}");
        }
    }
    heavy
}

fn ids(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|of| of["id"].as_str().unwrap()).collect()
}

#[test]
fn a_service_that_its_cpu_limit_stops_is_not_called_healthy() {
    let Some(path) = case("a_service_that_its_cpu_limit_stops_is_not_called_healthy", "cpu-throttled") else {
        return;
    };
    let findings = heavy(&path);
    assert_eq!(ids(&findings)[0], "cpu-limited");
    assert!(findings[0]["title"].as_str().unwrap().contains("its limit of 0.5 cores"), "{findings:?}");
    let share = json(&path, &["query", "select value from metrics where name = 'cpu.share'"]);
    let share = share["rows"][0][0].as_f64().unwrap();
    assert!((0.75..0.9).contains(&share), "{share}: 0.4 of the one core that the runtime counts");
    let topics = json(&path, &["explain", "--topic", "cpu"]);
    let text = topics["topics"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("its limit of 0.5 cores") && text.contains("(throttling) in 61 % of the periods"),
        "{text}"
    );
}

#[test]
fn the_finding_about_a_memory_limit_says_what_grew_and_where_it_is_allocated() {
    const TEST: &str = "the_finding_about_a_memory_limit_says_what_grew_and_where_it_is_allocated";
    let Some(path) = case(TEST, "memory-limit-oom") else { return };
    let findings = heavy(&path);
    assert_eq!(ids(&findings)[..2], ["memory-limit", "heap-growth"]);
    let title = findings[0]["title"].as_str().unwrap();
    for part in
        ["limit of 240 MB", "320 MB", "grew from 118 MB to 238 MB", "84 OutOfMemoryExceptions", "/leak/cache"]
    {
        assert!(title.contains(part), "{title} lacks {part}");
    }
    let tries = findings.iter().flat_map(|of| of["try"].as_array().unwrap());
    let tries: Vec<&str> = tries.map(|text| text.as_str().unwrap()).collect();
    let unfit = ["gcServer=1", "TryParse", "If nothing grows"];
    assert!(tries.iter().all(|text| !unfit.iter().any(|of| text.contains(of))), "{tries:?}");
    // After the process has ended, no row is of another control group.
    let largest = json(&path, &["query", "select max(value) from host where name = 'cgroup.memory'"]);
    assert!(largest["rows"][0][0].as_f64().unwrap() < 320e6, "{largest}");
}

#[test]
fn a_lock_that_is_held_while_its_holder_sleeps_names_the_holders_own_method() {
    const TEST: &str = "a_lock_that_is_held_while_its_holder_sleeps_names_the_holders_own_method";
    let Some(path) = case(TEST, "lock-held-while-sleeping") else { return };
    let findings = heavy(&path);
    let lock = findings.iter().find(|of| of["id"] == "lock-contention").unwrap();
    let title = lock["title"].as_str().unwrap();
    let (_, holder) = title.split_once("held in ").unwrap();
    assert!(!holder.contains("System.") && !holder.contains("ThreadPool"), "{title}");
    let measured = lock["measured"].as_array().unwrap().iter();
    let share =
        measured.filter(|of| of["name"].as_str().unwrap().starts_with("share of the holder's samples"));
    let share: Vec<f64> = share.map(|of| of["value"].as_f64().unwrap()).collect();
    assert!(share.len() == 1 && share[0] > 0.9, "{share:?}: 259 of 276");
}

#[test]
fn memory_that_leaks_outside_the_heap_is_not_called_healthy() {
    let Some(path) = case("memory_that_leaks_outside_the_heap_is_not_called_healthy", "native-leak") else {
        return;
    };
    assert_eq!(ids(&heavy(&path)), ["native-memory-growth"]);
}

/// A copy of a case in which a file is cut to its first bytes, or missing.
fn damaged(case: &Path, file: &str, keep: Option<usize>) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(case).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap();
        let kept = if name == file { keep.map(|bytes_kept| &bytes[..bytes_kept]) } else { Some(&bytes[..]) };
        if let Some(kept) = kept {
            std::fs::write(copy.path().join(name), kept).unwrap();
        }
    }
    copy
}

#[test]
fn a_recording_of_which_a_file_is_cut_or_gone_is_not_called_healthy() {
    const TEST: &str = "a_recording_of_which_a_file_is_cut_or_gone_is_not_called_healthy";
    let cases = [
        ("cpu-throttled", "host.csv", Some(995), "host.csv was changed since it was recorded: 995 bytes"),
        ("memory-limit-oom", "trace.nettrace.zst", Some(70_000), "trace.nettrace.zst was changed"),
        (
            "histogram-limit",
            "samples.nettrace.zst",
            None,
            "samples.nettrace.zst was recorded and is not there",
        ),
    ];
    for (name, file, keep, reason) in cases {
        let Some(path) = case(TEST, name) else { return };
        let copy = damaged(&path, file, keep);
        let report = json(copy.path(), &["explain"]);
        let (state, text) = (&report["verdict"]["state"], report["verdict"]["text"].as_str().unwrap());
        assert_ne!(state, "healthy", "{name}: {text}");
        if state == "cannot-judge" {
            assert!(text.starts_with(&format!("Cannot judge: {reason}")), "{name}: {text}");
        }
        let whole = json(&path, &["explain"]);
        let checks = |of: &Value| of["not_checked"].as_array().unwrap().len();
        assert!(checks(&report) > checks(&whole), "{name}: checks that need {file} ran");
    }
}

#[test]
fn an_all_clear_says_which_routes_are_not_seen() {
    let Some(path) = case("an_all_clear_says_which_routes_are_not_seen", "histogram-limit") else { return };
    let report = json(&path, &["explain"]);
    let text = report["verdict"]["text"].as_str().unwrap();
    assert!(
        text.contains("; of the routes, ") && text.ends_with(" are seen, further ones are not."),
        "{text}"
    );
}
