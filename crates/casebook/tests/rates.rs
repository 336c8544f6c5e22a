//! Rates that casebook says of a live service, held against what the client counted over the same time.
//!
//! This is one short case of `cargo xtask live rates`, which holds every surface of every profile.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod lab;
mod program;

use lab::{Load, Service, number, unpacked};
use program::json;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long the recording that is judged lasts.
const SECONDS: u64 = 5;

fn record(service: &Service, seconds: u64, profile: &str, out: &Path) {
    let (pid, length) = (service.pid().to_string(), format!("{seconds}s"));
    let out = out.to_str().unwrap();
    json(&["record", "-p", &pid, "-d", &length, "--profile", profile, "-o", out, "--format", "json"]);
}

/// When a recording began, by its own clock.
fn start(recording: &Path) -> SystemTime {
    let text = std::fs::read_to_string(recording.join("exhibit.toml")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("start = ")).unwrap();
    SystemTime::UNIX_EPOCH + nanos(line.trim_matches('"').parse().unwrap())
}

fn nanos(time: jiff::Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(time.as_nanosecond()).unwrap())
}

#[test]
fn activity_ids_that_stay_on_after_a_requests_recording_do_not_make_the_next_rate_wrong() {
    let test = "activity_ids_that_stay_on_after_a_requests_recording_do_not_make_the_next_rate_wrong";
    let Some(lab) = unpacked(test) else { return };
    let (service, folder) = (Service::start(&lab), tempfile::tempdir().unwrap());
    let load = Load::start(service.port, "/async/20", 8);
    record(&service, 2, "requests", &folder.path().join("requests"));
    let out = folder.path().join("default");
    record(&service, SECONDS, "default", &out);

    let client = load.per_second(start(&out), Duration::from_secs(SECONDS));
    assert!(client > 50.0, "the client counted {client} requests per second");
    let check = |surface: &str, said: f64| {
        let off = (said / client - 1.0).abs();
        assert!(off <= 0.1, "{surface} says {said} requests per second; the client counted {client}");
    };
    check("the table of metrics", number(&out, "select value from metrics where name = 'requests.rate'"));
    let report = json(&["explain", out.to_str().unwrap(), "--format", "json"]);
    let figures = report["figures"]["requests"]["figures"].as_array().unwrap();
    let rate = figures.iter().find(|figure| figure["name"] == "rate").unwrap();
    check("explain", rate["value"].as_f64().unwrap());
}
