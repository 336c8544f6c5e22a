//! What is written for the Firefox Profiler, read back.

use super::*;
use crate::testing::{Builder, usual};
use flate2::read::GzDecoder;
use serde_json::Value;
use std::io::Read;

fn written(recording: &Trace) -> (Value, Written) {
    let mut out = Vec::new();
    let report = write(recording, &mut out).unwrap();
    let mut text = String::new();
    GzDecoder::new(out.as_slice()).take(100_000_000).read_to_string(&mut text).unwrap();
    (serde_json::from_str(&text).unwrap(), report)
}

fn lengths(profile: &Value, column: &str) -> Vec<(String, u64)> {
    let threads = profile["threads"].as_array().unwrap();
    let named =
        |of: &Value| (of["name"].as_str().unwrap().to_owned(), of[column]["length"].as_u64().unwrap());
    threads.iter().map(named).collect()
}

#[test]
fn a_thread_has_its_samples_and_markers_and_the_process_has_the_rest() {
    let (profile, report) = written(&usual());
    let of = |name: &str, count| (name.to_owned(), count);
    let mut samples = lengths(&profile, "samples");
    samples.sort();
    assert_eq!(samples, [of("Orders", 0), of("pool 8", 4), of("pool 9", 4)]);
    let mut markers = lengths(&profile, "markers");
    markers.sort();
    assert_eq!(markers, [of("Orders", 6), of("pool 8", 3), of("pool 9", 2)]);
    insta::assert_debug_snapshot!(report);
}

#[test]
fn nothing_is_said_about_cpu_time() {
    let (profile, _) = written(&usual());
    let text = profile.to_string();
    assert!(!text.contains("threadCPUDelta") && !text.contains("sampleUnits"));
    assert_eq!(profile["threads"][0]["samples"]["length"], 0);
}

#[test]
fn allocations_are_of_the_process_by_bytes_and_the_heap_is_the_memory() {
    let (profile, _) = written(&usual());
    let first = &profile["threads"][0];
    assert_eq!(first["name"], "Orders");
    assert_eq!(first["nativeAllocations"]["weight"], serde_json::json!([1_000]));
    assert_eq!(profile["counters"][0]["samples"]["count"], serde_json::json!([1_000.0]));
}

#[test]
fn more_threads_than_a_viewer_can_list_share_one_and_no_sample_is_lost() {
    let mut builder = Builder::default();
    for thread in 0..1_200 {
        builder.sample(0, thread, "running", None, &["A"]);
    }
    let (profile, report) = written(&builder.done());
    let samples = lengths(&profile, "samples");
    assert_eq!(samples.iter().map(|(_, count)| count).sum::<u64>(), 1_200);
    assert_eq!(samples.len(), 1 + MAX_THREADS + 1);
    assert_eq!(report.left_out.last().unwrap().count, Some(200));
}

#[test]
fn an_empty_recording_is_a_profile_of_a_thread_without_samples() {
    let (profile, report) = written(&Trace::default());
    assert_eq!(lengths(&profile, "samples"), [("recording".to_owned(), 0)]);
    assert_eq!(report, Written::default());
}
