//! The table of requests: it says the same as the account and the histograms, and a run that is killed leaves it.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use base::time::Stopwatch;
use program::{casebook, json, printed, refused, run};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::Duration;

/// A service that answers after `delay`, and from the request number `until` on never. Every third answer has the status 503.
fn service(delay: Duration, until: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let served = Arc::new(AtomicUsize::new(0));
    let serve = move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let served = Arc::clone(&served);
            drop(Builder::new().spawn(move || answer(stream, &served, delay, until)));
        }
    };
    drop(Builder::new().spawn(serve).unwrap());
    url
}

fn answer(mut stream: TcpStream, served: &AtomicUsize, delay: Duration, until: usize) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
        let number = served.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(if number < until { delay } else { Duration::from_mins(10) });
        let status = if number % 3 == 2 { "503 No" } else { "200 OK" };
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
        drop(stream.write_all(text.as_bytes()));
    }
}

/// Loads a service, and keeps the requests. Returns the run's account.
fn loaded(url: &str, out: &str, more: &[&str]) -> Value {
    json(&[&["load", url, "-o", out, "--requests", "--format", "json"], more].concat())
}

/// The rows of a query, which are a text and a number each.
fn rows(out: &str, sql: &str) -> Vec<(String, u64)> {
    let answer = json(&["query", out, sql, "--format", "json"]);
    let rows = answer["rows"].as_array().unwrap();
    rows.iter().map(|row| (row[0].as_str().unwrap_or("null").to_owned(), row[1].as_u64().unwrap())).collect()
}

/// The outcomes in the table are those of the account.
fn agree(out: &str, account: &Value) {
    let found = rows(out, "select outcome, count(*) from requests group by 1 order by 1");
    let count = |name: &str| account[name].as_u64().unwrap();
    let mut expected: Vec<(String, u64)> = account["errors"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(kind, count)| (kind.clone(), count.as_u64().unwrap()))
        .chain(
            [("response", "responses"), ("timeout", "timeouts"), ("unsent", "unsent")]
                .map(|(word, name)| (word.to_owned(), count(name))),
        )
        .filter(|(_, count)| *count > 0)
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    let statuses = rows(
        out,
        "select cast(status as text), count(*) from requests where status is not null group by 1 order by 1",
    );
    let of_account = account["status"].as_object().unwrap().iter();
    assert_eq!(
        statuses,
        of_account.map(|(of, count)| (of.clone(), count.as_u64().unwrap())).collect::<Vec<_>>()
    );
    let unsent = "select 'all', count(*) from requests where (sent_ns is null) <> (outcome = 'unsent') or end_ns is null \
                  or (connection is null) <> (outcome = 'unsent') or (outcome = 'response') <> (status is not null)";
    assert_eq!(rows(out, unsent), [("all".to_owned(), 0)]);
}

/// The nearest rank of the latencies in the table, in milliseconds.
fn nearest_rank(out: &str, basis: &str, share: f64) -> f64 {
    let sql = format!(
        "with of as (select end_ns - {basis} as ns from requests where outcome in ('response', 'timeout', 'unsent') and {basis} is not null), \
         ranked as (select ns, row_number() over (order by ns) as place, count(*) over () as number from of) \
         select '', ns from ranked where place = max(1, ceil({share} * number - 1e-9))"
    );
    let found = rows(out, &sql);
    std::time::Duration::from_nanos(found[0].1).as_secs_f64() * 1e3
}

#[test]
fn the_table_says_what_the_account_and_the_histograms_say() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let out = out.to_str().unwrap();
    let slow = service(Duration::from_millis(3), 1_200);
    let options = ["--rate", "400", "-d", "4s", "-c", "8", "--threads", "2", "--timeout", "700ms"];
    let account = loaded(&slow, out, &options);
    agree(out, &account);
    let count = |name: &str| account[name].as_u64().unwrap();
    assert!(count("responses") > 0 && count("timeouts") > 0 && count("unsent") > 0, "{account}");
    assert_eq!(rows(out, "select 'all', count(*) from requests"), [("all".to_owned(), 1_600)]);
    // The planned times are those of the schedule, each once.
    let wrong = "select 'all', count(*) from (select planned_ns, row_number() over (order by planned_ns) - 1 as number from requests) \
                 where planned_ns <> number * 2500000";
    assert_eq!(rows(out, wrong), [("all".to_owned(), 0)]);
    assert_eq!(rows(out, "select 'most', max(connection) from requests"), [("most".to_owned(), 7)]);
    for (basis, member) in [("planned_ns", "from_schedule"), ("sent_ns", "from_send")] {
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)] {
            let Some(of_histogram) = account["latency_ms"][member][name].as_f64() else { continue };
            let of_table = nearest_rank(out, basis, share);
            assert!(
                (of_table / of_histogram - 1.0).abs() < 0.001,
                "{member} {name}: {of_table} and {of_histogram}"
            );
        }
    }
    let files =
        std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = files.collect();
    files.sort();
    assert_eq!(files, ["exhibit.toml", "latency.hlog", "requests.parquet", "run.json"]);
    assert!(printed(&["explain", out]).contains("one by one"));
}

#[test]
fn requests_that_are_refused_are_in_the_table_and_a_closed_loop_has_no_planned_times() {
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let account = loaded(&format!("http://{unused}/"), &out("refused"), &["--rate", "30", "-d", "1s"]);
    agree(&out("refused"), &account);
    assert_eq!(
        rows(&out("refused"), "select outcome, count(first_byte_ns) from requests"),
        [("refused".to_owned(), 0)]
    );
    let users = ["--users", "3", "--think", "20ms", "-d", "1s"];
    let account = loaded(&service(Duration::ZERO, usize::MAX), &out("closed"), &users);
    agree(&out("closed"), &account);
    assert_eq!(
        rows(&out("closed"), "select 'planned', count(planned_ns) from requests"),
        [("planned".to_owned(), 0)]
    );
}

/// Lines of a file that are complete.
fn lines(file: &Path) -> usize {
    std::fs::read_to_string(file).map_or(0, |text| text.matches('\n').count())
}

#[test]
fn a_run_that_is_killed_leaves_its_requests() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let url = service(Duration::ZERO, usize::MAX);
    let mut command = casebook();
    command.args(["load", &url, "--rate", "100", "-d", "1h", "--requests", "-o"]).arg(&out);
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let text = out.join("requests.csv");
    let since = Stopwatch::start();
    while lines(&text) < 150 && since.elapsed() < Duration::from_mins(2) {
        std::thread::sleep(Duration::from_millis(20));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let kept = lines(&text);
    assert!(kept >= 150, "{kept}");
    let out = out.to_str().unwrap();
    let found = rows(out, "select outcome, count(*) from requests group by 1");
    assert_eq!(found, [("response".to_owned(), kept as u64 - 1)]);
    // What it lacks is said, and what was kept is judged: every third answer has the status 503.
    let explained = json(&["explain", out, "--format", "json"]);
    assert_eq!(explained["verdict"]["state"], "problem", "{explained}");
    assert_eq!(explained["findings"][0]["id"], "load-errors", "{explained}");
    assert!(explained.to_string().contains("the run broke off"), "{explained}");
}

#[test]
fn requests_are_kept_only_with_a_run() {
    assert!(refused(&["load", "http://127.0.0.1:1/", "--requests"]).contains("--output"));
    // Nothing is written for each request unless it is asked for.
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let url = service(Duration::ZERO, usize::MAX);
    let output = run(&["load", &url, "--rate", "20", "-d", "1s", "-o", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(!out.join("requests.csv").exists() && !out.join("requests.parquet").exists());
}
