//! What is written as Trace Events, read back.

use super::*;
use crate::testing::{Builder, usual};
use serde_json::Value;
use std::collections::BTreeMap;

fn written(recording: &Trace) -> (String, Written) {
    let mut out = Vec::new();
    let report = write(recording, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), report)
}

/// The boxes of each lane, `from name to`; panics if they do not nest.
fn boxes(text: &str) -> Vec<String> {
    let file: Value = serde_json::from_str(text).unwrap();
    let mut open: BTreeMap<u64, Vec<(f64, String)>> = BTreeMap::new();
    let mut done = Vec::new();
    for event in file["traceEvents"].as_array().unwrap() {
        let lane = open.entry(event["tid"].as_u64().unwrap()).or_default();
        let name = event["name"].as_str().unwrap().to_owned();
        match event["ph"].as_str().unwrap() {
            "B" => lane.push((event["ts"].as_f64().unwrap(), name)),
            "E" => {
                let (from, begun) = lane.pop().unwrap();
                let to = event["ts"].as_f64().unwrap();
                assert_eq!(begun, name);
                assert!(from <= to, "{name} ends before it begins");
                done.push(format!("{}: {from} {name} {to}", event["tid"]));
            }
            _ => {}
        }
    }
    assert!(open.values().all(Vec::is_empty), "a box has no end");
    done
}

#[test]
fn what_happened_lies_on_lanes_and_counts_add_up() {
    let (text, report) = written(&usual());
    insta::assert_snapshot!(text);
    insta::assert_debug_snapshot!(report);
    boxes(&text);
}

#[test]
fn a_frame_that_stays_is_one_box() {
    let mut builder = Builder::default();
    for (at, stack) in [(0, ["Main", "A"]), (10, ["Main", "B"]), (20, ["Main", "B"])] {
        builder.sample(at, 1, "running", None, &stack);
    }
    let (text, _) = written(&builder.done());
    assert_eq!(boxes(&text), ["1: 0 A 10000", "1: 10000.001 B 30000", "1: 0 Main 30000"]);
}

#[test]
fn requests_at_the_same_time_have_lanes_of_their_own_and_more_than_a_viewer_shows_are_counted() {
    let mut builder = Builder::default();
    for _ in 0..300 {
        builder.request(0, Some(10), "/");
    }
    builder.request(20, Some(1), "/later");
    let (text, report) = written(&builder.done());
    let found = boxes(&text);
    assert_eq!(found.len(), 257);
    assert_eq!(found.last().unwrap(), "1: 20000 GET /later 21000");
    assert_eq!(report.left_out[0].count, Some(44));
}

#[test]
fn samples_without_a_length_are_counted_as_left_out() {
    let mut builder = Builder::default();
    builder.sample(5, 1, "running", None, &["A"]);
    let (_, report) = written(&builder.done());
    assert_eq!((report.samples, report.left_out[0].count), (0, Some(1)));
}
