//! `load --abort`: a run ends as soon as it makes no sense any more, and says why.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{run, said};
use serde_json::Value;
use std::net::TcpListener;
use std::time::Duration;

/// Runs a load of an hour, which must end early with exit code 1. Returns its account and what it said.
fn aborted(url: &str, more: &[&str]) -> (Value, String) {
    let output = run(&[&["load", url, "-d", "1h", "--abort", "--format", "json"], more].concat());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let account: Value = serde_json::from_slice(&output.stdout).unwrap();
    let count = |name: &str| account[name].as_u64().unwrap();
    let errors: u64 = account["errors"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(
        count("planned"),
        count("responses") + errors + count("timeouts") + count("unsent"),
        "{account}"
    );
    assert_eq!(account["ended"], "aborted");
    let at_s = account["abort"]["at_s"].as_f64().unwrap();
    assert!(at_s < 600.0 && account["seconds"].as_f64().unwrap() >= at_s, "{account}");
    (account, said(&output))
}

#[test]
fn a_lost_objective_ends_the_run_and_everything_until_then_is_accounted_for() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (account, said) =
        aborted(&format!("http://{unused}/"), &["--rate", "200", "--slo", "errors<1%", "--slo", "rate>=1"]);
    assert_eq!(account["abort"]["reason"], "objective");
    assert_eq!(account["abort"]["objective"], "errors<1%");
    assert!(said.contains("errors<1% cannot be met any more"), "{said}");
    let (account, _) =
        aborted(&program::service(Duration::from_millis(30)), &["--rate", "20", "--slo", "max<10ms"]);
    assert_eq!(account["abort"]["objective"], "max<10ms");
}

#[test]
fn a_percentile_that_ended_the_run_is_missed_although_it_has_few_requests() {
    let url = program::service(Duration::from_millis(30));
    let options = ["--rate", "20", "-d", "30s", "--slo", "p99<10ms", "--abort", "--format", "json"];
    let output = run(&[&["load", &url][..], &options].concat());
    let account: Value = serde_json::from_slice(&output.stdout).unwrap();
    let objective = &account["slo"][0];
    assert_eq!((output.status.code(), objective["verdict"].as_str()), (Some(1), Some("missed")), "{account}");
    assert!(objective["value"].as_f64().is_some_and(|ms| ms >= 30.0), "{account}");
}

#[test]
fn a_rate_that_cannot_be_reached_ends_the_run() {
    let (account, said) =
        aborted(&program::service(Duration::from_millis(100)), &["--rate", "200", "-c", "5"]);
    assert_eq!(
        (account["abort"]["reason"].as_str(), &account["abort"]["objective"]),
        (Some("rate"), &Value::Null)
    );
    assert!(said.contains("the rate cannot be reached"), "{said}");
    assert!(account["unsent"].as_u64().unwrap() > 0, "{account}");
}

#[test]
fn without_abort_a_lost_objective_is_said_at_once_and_the_run_goes_on() {
    let url = program::service(Duration::from_millis(20));
    let output = run(&["load", &url, "--rate", "50", "-d", "3s", "--slo", "max<1ms", "--format", "json"]);
    let account: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), account["planned"].as_u64()), (Some(1), Some(150)));
    assert_eq!((account["ended"].as_str(), &account["abort"]), (Some("complete"), &Value::Null));
    let said = said(&output);
    assert_eq!(said.matches("cannot be met any more").count(), 1, "{said}");
}
