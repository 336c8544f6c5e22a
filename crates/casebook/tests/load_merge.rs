//! Several generators: workers that share a schedule, and the sum of what they measured.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{casebook, json, refused};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::thread::Builder;

/// A service on this machine. Every seventh answer has the status 500.
fn service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serve = move || {
        for stream in listener.incoming().map_while(Result::ok) {
            drop(Builder::new().spawn(move || answer(stream)));
        }
    };
    drop(Builder::new().spawn(serve).unwrap());
    url
}

fn answer(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    let mut number = 0;
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
        number += 1;
        let status = if number % 7 == 0 { "500 No" } else { "200 OK" };
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
        drop(stream.write_all(text.as_bytes()));
    }
}

fn account(run: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap()
}

fn sum(of: &Value) -> u64 {
    of.as_object().unwrap().values().filter_map(Value::as_u64).sum()
}

/// The number of latencies in the log, and the number at most so long, of a basis.
fn histogram(run: &Path, basis: &str) -> Vec<(f64, u64)> {
    let sql =
        format!("select from_ms, sum(count) from histogram where basis = '{basis}' group by 1 order by 1");
    let answer = json(&["query", run.to_str().unwrap(), &sql, "--format", "json"]);
    let rows = answer["rows"].as_array().unwrap();
    rows.iter().map(|row| (row[0].as_f64().unwrap(), row[1].as_u64().unwrap())).collect()
}

#[test]
fn three_workers_are_the_plan_and_their_sum_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    let url = service();
    let runs = ["1/3", "2/3", "3/3"].map(|worker| (worker, folder.path().join(&worker[..1])));
    // Far enough in the future for all to be there, even on a busy machine.
    let at = base::time::calendar() + std::time::Duration::from_secs(5);
    let at = jiff::Timestamp::try_from(at).unwrap().to_string();
    let mut workers: Vec<_> = (runs.iter())
        .map(|(worker, out)| {
            let mut command = casebook();
            command.args(["load", &url, "--rate", "500", "-d", "3s", "-c", "5", "--start-at", &at]);
            command.args(["--worker", worker, "--requests", "-o"]).arg(out);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for worker in &mut workers {
        assert!(worker.wait().unwrap().success());
    }
    let parts: Vec<Value> = runs.iter().map(|(_, out)| account(out)).collect();
    assert_eq!(parts.iter().map(|of| of["planned"].as_u64().unwrap()).sum::<u64>(), 1_500);
    assert_eq!(parts[1]["worker"], serde_json::json!({"number": 2, "of": 3}));
    let all = folder.path().join("all");
    let paths: Vec<&str> = runs.iter().map(|(_, out)| out.to_str().unwrap()).collect();
    let merged = json(
        &[&["load", "--merge"], &paths[..], &["-o", all.to_str().unwrap(), "--format", "json"]].concat(),
    );
    assert_eq!(merged, account(&all));
    for name in ["planned", "sent", "responses", "timeouts", "unsent", "connections", "bytes_received"] {
        let parts: u64 = parts.iter().map(|of| of[name].as_u64().unwrap()).sum();
        assert_eq!(merged[name].as_u64(), Some(parts), "{name}");
    }
    assert_eq!(
        (merged["planned"].as_u64(), sum(&merged["status"])),
        (Some(1_500), merged["responses"].as_u64().unwrap())
    );
    assert_eq!(sum(&merged["errors"]), parts.iter().map(|of| sum(&of["errors"])).sum::<u64>());
    assert_eq!(merged["rate"]["asked"].as_f64(), Some(500.0));
    // Each bucket has what the buckets of the parts have.
    for basis in ["schedule", "send"] {
        let mut buckets = std::collections::BTreeMap::new();
        for (from, count) in runs.iter().flat_map(|(_, out)| histogram(out, basis)) {
            *buckets.entry(from.to_bits()).or_insert(0) += count;
        }
        let found = histogram(&all, basis).into_iter().map(|(from, count)| (from.to_bits(), count));
        assert_eq!(found.collect::<std::collections::BTreeMap<_, _>>(), buckets, "{basis}");
    }
    let p99 = |of: &Value| of["latency_ms"]["from_schedule"]["max"].as_f64().unwrap();
    assert!((p99(&merged) / parts.iter().map(p99).fold(0.0, f64::max) - 1.0).abs() < 0.001);
    let rows = merged["by_second"]["rows"].as_array().unwrap();
    assert_eq!(rows.iter().filter_map(|row| row[2].as_u64()).sum::<u64>(), 1_500);
    let late = |of: &Value| of["client"]["lateness_ms_max"].as_f64().unwrap();
    assert!((late(&merged) - parts.iter().map(late).fold(0.0, f64::max)).abs() < 1e-9);
    // The planned times of all are those of the schedule, each once.
    let mut times: Vec<u64> = Vec::new();
    for path in &paths {
        let answer = json(&["query", path, "select planned_ns from requests", "--format", "json"]);
        times.extend(answer["rows"].as_array().unwrap().iter().map(|row| row[0].as_u64().unwrap()));
    }
    times.sort_unstable();
    assert_eq!(times, (0..1_500).map(|number| number * 2_000_000).collect::<Vec<u64>>());
    // Two of three are merged too, and a note says that one is missing.
    let two = json(&["load", "--merge", paths[0], paths[2], "--format", "json"]);
    assert!(two["notes"].to_string().contains("2 missing"), "{}", two["notes"]);
    assert_eq!(two["rate"]["asked"].as_f64().map(f64::round), Some(333.0));
}

#[test]
fn what_is_not_of_one_load_is_refused_and_so_is_what_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let url = service();
    let out = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let load = |name: &str, more: &[&str]| {
        json(&[&["load", &url, "-d", "1s", "-o", &out(name), "--format", "json"], more].concat());
    };
    load("constant", &["--rate", "20"]);
    load("other", &["--rate", "30"]);
    load("steps", &["--rate", "20,30"]);
    load("part", &["--rate", "20", "--worker", "1/2"]);
    let merged = json(&["load", "--merge", &out("constant"), &out("other"), "--format", "json"]);
    // One after the other, they asked for less in the whole time than both together would.
    let number = |of: &Value| of.as_f64().unwrap();
    let asked = number(&merged["rate"]["asked"]) * number(&merged["seconds"]);
    assert_eq!(merged["planned"].as_u64(), Some(50));
    assert!((asked - 50.0).abs() < 0.5, "{merged}");
    assert!(merged["notes"].to_string().contains("not at one time"), "{}", merged["notes"]);
    let refuses = |names: &[&str], expected: &str| {
        let runs: Vec<String> = names.iter().map(|name| out(name)).collect();
        let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
        let said = refused(&[&["load", "--merge"], &runs[..], &["-o", &out("none")]].concat());
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(expected), "{names:?}: {said}");
        assert!(!Path::new(&out("none")).exists());
    };
    refuses(&["constant", "steps"], "the schedules are");
    refuses(&["constant", "constant"], "the same run");
    refuses(&["part", "part"], "both are worker 1 of 2");
    refuses(&["constant", "part"], "not parts of the same number of workers");
    refuses(&["nowhere"], "nowhere");
    let file = |name: &str, file: &str| Path::new(&out(name)).join(file);
    let whole = std::fs::read_to_string(file("other", "run.json")).unwrap();
    for (from, to, expected) in [
        ("\"planned\": 30", "\"planned\": 31", "does not add up"),
        ("\"casebook_load\": 1", "\"casebook_load\": 2", "another version"),
        ("\"method\": \"GET\"", "\"method\": 7", "not an account"),
    ] {
        std::fs::write(file("other", "run.json"), whole.replacen(from, to, 1)).unwrap();
        refuses(&["constant", "other"], expected);
    }
    std::fs::write(file("other", "run.json"), &whole).unwrap();
    let log = std::fs::read_to_string(file("other", "latency.hlog")).unwrap();
    std::fs::write(file("other", "latency.hlog"), log.replace("HISTFA", "HISTGA")).unwrap();
    refuses(&["constant", "other"], "none of ours");
    std::fs::write(file("other", "latency.hlog"), "nonsense\n").unwrap();
    refuses(&["constant", "other"], "a line that is none");
    assert!(refused(&["load", &url, "--users", "2", "--worker", "1/2"]).contains("--rate"));
    for wrong in ["0/3", "4/3", "1", "a/b", "1/100000"] {
        assert!(
            refused(&["load", &url, "--rate", "2", "--worker", wrong]).contains("is not a part"),
            "{wrong}"
        );
    }
}
