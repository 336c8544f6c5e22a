//! Topics of the program: what scripts get, and that every number in a text is one.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{fixture, json, printed, refused};
use serde_json::Value;

const ALL: &str = "gc,jit,threadpool,memory,async,requests,cpu";
const FIXTURES: [&str; 3] = ["net31.nettrace.zst", "net8.nettrace.zst", "starvation.nettrace.zst"];

fn document(name: &str, options: &[&str]) -> Value {
    let file = fixture(name);
    json(&[&["explain", file.to_str().unwrap()], options].concat())
}

#[test]
fn topics_are_there_only_when_asked_for_and_in_the_order_asked() {
    assert_eq!(document("net8.nettrace.zst", &["--format", "json"]).get("topics"), None);
    let document =
        document("net8.nettrace.zst", &["--format", "json", "--topic", "cpu,gc", "--topic", "jit"]);
    let ids: Vec<&str> =
        document["topics"].as_array().unwrap().iter().map(|of| of["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["cpu", "gc", "jit"]);
}

#[test]
fn an_unknown_topic_is_refused_with_the_seven_that_there_are() {
    let message = refused(&["explain", "net8.nettrace.zst", "--topic", "gc,heap"]);
    assert!(message.contains("'heap'"), "{message}");
    assert!(message.contains("gc, jit, threadpool, memory, async, requests, cpu"), "{message}");
}

#[test]
fn topics_of_benchmarks_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("results-report-full.json");
    let results = r#"{"HostEnvironmentInfo": {"BenchmarkDotNetVersion": "0.14.0"}, "Benchmarks": []}"#;
    std::fs::write(&file, results).unwrap();
    let message = refused(&["explain", file.to_str().unwrap(), "--topic", "gc"]);
    assert!(message.contains("is a benchmark file: --topic is for traces"), "{message}");
}

#[test]
fn no_number_in_a_text_is_none_and_no_noun_has_the_wrong_number() {
    for fixture in FIXTURES {
        let document = document(fixture, &["--format", "json", "--topic", ALL]);
        for topic in document["topics"].as_array().unwrap() {
            let text = topic["text"].as_str().unwrap();
            for bad in [
                "NaN",
                " inf",
                " -0",
                "  ",
                " 1 collections",
                " 1 methods",
                " 1 requests",
                " 1 workers",
                " 1 items",
            ] {
                assert!(!text.contains(bad), "{fixture} {}: {bad:?} in {text}", topic["id"]);
            }
            for figure in topic["figures"].as_array().unwrap() {
                assert!(figure["value"].as_f64().is_some_and(f64::is_finite), "{fixture}: {figure}");
            }
        }
    }
}

#[test]
fn a_page_of_topics_stays_within_its_width() {
    for name in FIXTURES {
        let page = printed(&["explain", fixture(name).to_str().unwrap(), "--topic", ALL]);
        let widest = page.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{name}: {widest:?}");
        assert!(
            page.lines().filter(|line| ALL.split(',').any(|topic| topic == *line)).count() == 7,
            "{page}"
        );
    }
}
