//! `casebook load --record`: a load run and the recording of the service during it, as one exhibit on one clock.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod lab;
mod program;

use lab::{Service, number, rows, signal, unpacked, wait_for};
use program::{casebook, fixture, json, printed, refused, said};
use serde_json::{Value, json as value};
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

fn path(of: &Path) -> &str {
    of.to_str().unwrap()
}

/// A run of the program that has begun.
fn begun(service: &Service, route: &str, out: &Path, options: &[&str]) -> Child {
    let url = format!("http://127.0.0.1:{}{route}", service.port);
    let pid = service.pid().to_string();
    let mut command = casebook();
    command.args(["load", &url, "-o", path(out), "--record", &pid, "--format", "json"]).args(options);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn loaded(service: &Service, route: &str, out: &Path, options: &[&str]) -> Output {
    begun(service, route, out, options).wait_with_output().unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The state that `exhibit.toml` of each part says.
fn states(out: &Path) -> [String; 2] {
    ["load", "trace"].map(|part| {
        let text = std::fs::read_to_string(out.join(part).join("exhibit.toml")).unwrap();
        let line = text.lines().find(|line| line.starts_with("state = ")).unwrap_or_default();
        line.trim_start_matches("state = ").trim_matches('"').to_owned()
    })
}

#[test]
fn requests_lie_in_the_recording_where_the_load_run_sent_them() {
    let Some(lab) = unpacked("requests_lie_in_the_recording_where_the_load_run_sent_them") else { return };
    let (service, folder) = (Service::start(&lab), tempfile::tempdir().unwrap());
    let out = folder.path().join("out");
    // The first request compiles the handler.
    assert!(lab::get(service.port, "/json/2"));
    let options = ["--rate", "20", "-d", "5s", "--record-profile", "requests"];
    let output = loaded(&service, "/json/2", &out, &options);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let of = document(&output);
    assert_eq!((of["planned"].as_u64(), of["recording"]["ended"].as_str()), (Some(100), Some("complete")));
    assert_eq!(states(&out), ["complete", "complete"]);

    // Evenly sent: request N is due N × 50 ms after the run began.
    let begins = number(&out, "select min(ts_ns) from load.seconds");
    let latency = |name: &str| of["latency_ms"]["from_schedule"][name].as_f64().unwrap() * 1e6;
    let served = rows(&out, "select start_ns from trace.requests where path = '/json/2' order by 1");
    let waits = served.iter().enumerate().map(|(at, row)| {
        let due = begins + f64::from(u32::try_from(at).unwrap()) * 50e6;
        row[0].as_f64().unwrap() - due
    });
    let mut waits: Vec<f64> = waits.collect();
    waits.sort_by(f64::total_cmp);
    assert_eq!(waits.len(), 100);
    // No request begins before it is due, and each before its response comes. So half of them begin within the median latency: were
    // the clocks apart by more than that, this would fail. The service's own end of a request may be after its response.
    let (first, median, last) = (waits[0], waits[49], waits[99]);
    let of_digits = 1.002;
    assert!(first >= 0.0, "{first}");
    assert!(
        median <= latency("p50") * of_digits && last <= latency("max") * of_digits,
        "{median} {last} {of}"
    );
    // Each second of the run has the requests that it sent.
    let sql = "select s.sent, count(r.start_ns) from load.seconds s left join trace.requests r \
               on r.start_ns >= s.ts_ns and r.start_ns < s.ts_ns + s.dur_ns group by s.ts_ns";
    for row in rows(&out, sql) {
        let [sent, served] = [&row[0], &row[1]].map(|of| of.as_i64().unwrap());
        // A request that is sent at the end of a second may begin in the next one.
        assert!((sent - served).abs() <= 2, "{row:?}");
    }
    let clock = &json(&["explain", path(&out), "--format", "json"])["meanwhile"]["clock"];
    assert_eq!((clock["error_ns"].as_i64(), clock["load_start_ns"].as_f64()), (Some(0), Some(begins)));
    // The header of the trace has UTC in milliseconds.
    assert!(clock["utc_differs_ns"].as_i64().unwrap().abs() < 50_000_000, "{clock}");
}

#[test]
fn collections_are_shown_beside_the_latency_of_the_run() {
    let Some(lab) = unpacked("collections_are_shown_beside_the_latency_of_the_run") else { return };
    let (service, folder) = (Service::start(&lab), tempfile::tempdir().unwrap());
    let out = folder.path().join("out");
    let options = ["--rate", "50", "-d", "10s", "--warmup", "1s"];
    let output = loaded(&service, "/gen2/2000", &out, &options);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // The warm-up is recorded, too: the run begins later.
    assert!(number(&out, "select min(ts_ns) from load.seconds") >= 1e9);
    assert!(number(&out, "select count(*) from trace.gc") > 0.0);
    let explained = json(&["explain", path(&out), "--format", "json"]);
    let exhibits = explained["exhibits"].as_array().unwrap();
    let names: Vec<_> = exhibits
        .iter()
        .map(|of| (of["name"].as_str().unwrap(), of["exhibit"]["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(names, [("load", "load"), ("trace", "nettrace")]);
    assert_eq!(exhibits[0]["exhibit"]["start_utc"], exhibits[1]["exhibit"]["start_utc"]);
    // Seconds without a response have no latency.
    assert!((5..=11).contains(&explained["meanwhile"]["seconds"].as_u64().unwrap()), "{explained}");
    // The queries of findings run on the part that they are of.
    for (exhibit, part) in exhibits.iter().zip(["load", "trace"]) {
        let evidence =
            exhibit["findings"].as_array().unwrap().iter().flat_map(|of| of["evidence"].as_array().unwrap());
        for of in evidence {
            assert!(!rows(&out.join(part), of["sql"].as_str().unwrap()).is_empty(), "{of}");
        }
    }
    // What is written is nobody else's business.
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&out).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
    let again = loaded(&service, "/gen2/2000", &out, &options);
    assert_eq!(again.status.code(), Some(2), "nothing is replaced");
}

#[test]
fn a_process_that_cannot_be_recorded_gets_no_load() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut other = Command::new("sleep").arg("60").spawn().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let check = |pid: &str, expected: &str| {
        let said = refused(&["load", &url, "--rate", "10", "-d", "1s", "-o", path(&out), "--record", pid]);
        assert!(said.contains(expected), "{said}");
        assert!(!out.exists(), "nothing is left behind");
        assert!(listener.accept().is_err(), "no connection was made");
    };
    check(&other.id().to_string(), "it is not a .NET process");
    check("4194305", "there is no process 4194305");
    check("no-such-service-here", "no .NET process is named no-such-service-here");
    other.kill().unwrap();
    other.wait().unwrap();
    let said = refused(&["load", &url, "--record", "1"]);
    assert!(said.contains("--output"), "{said}");
}

#[test]
fn a_service_that_dies_ends_the_recording_and_not_the_accounting() {
    let Some(lab) = unpacked("a_service_that_dies_ends_the_recording_and_not_the_accounting") else { return };
    let (service, folder) = (Service::start(&lab), tempfile::tempdir().unwrap());
    let out = folder.path().join("out");
    let child = begun(&service, "/json/2", &out, &["--rate", "50", "-d", "6s"]);
    wait_for("the run to begin", || {
        std::fs::metadata(out.join("load/latency.hlog")).is_ok_and(|of| of.len() > 1_000)
    });
    service.signal("KILL");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("the recorded process ended during the run"), "{}", said(&output));
    let of = document(&output);
    let count = |name: &str| of[name].as_u64().unwrap();
    let errors: u64 = of["errors"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(
        (count("planned"), count("responses") + errors + count("timeouts") + count("unsent")),
        (300, 300)
    );
    assert!(errors > 0 && count("responses") > 0, "{of}");
    assert_eq!(states(&out), ["complete", "the subject ended"]);
    assert!(number(&out, "select count(*) from trace.events") > 0.0);
    // What came after its death was not recorded, and does not count as quiet.
    let explained = json(&["explain", path(&out), "--format", "json"]);
    assert!(explained["meanwhile"]["seconds"].as_u64().unwrap() <= 6, "{explained}");
}

#[test]
fn a_signal_keeps_both_and_so_does_kill_9() {
    let Some(lab) = unpacked("a_signal_keeps_both_and_so_does_kill_9") else { return };
    let (service, folder) = (Service::start(&lab), tempfile::tempdir().unwrap());
    let ended_by = |name: &str| {
        let out = folder.path().join(name);
        let mut child = begun(&service, "/json/2", &out, &["--rate", "50", "-d", "60s"]);
        let has_both = || {
            let bytes = |file: &str| std::fs::metadata(out.join(file)).map_or(0, |of| of.len());
            bytes("load/latency.hlog") > 2_000 && bytes("trace/trace.nettrace.zst") > 0
        };
        wait_for("both to be written", has_both);
        // The trace's file gets what was recorded about once per second.
        sleep(Duration::from_secs(2));
        signal(child.id(), name);
        let status = child.wait().unwrap();
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(number(&out, "select sum(count) from load.histogram") > 50.0, "{name} {status}: {text}");
        assert!(number(&out, "select count(*) from trace.events") > 0.0, "{name} {status}: {text}");
        assert!(printed(&["explain", path(&out)]).contains("what the service did meanwhile"), "{name}");
        states(&out)
    };
    assert_eq!(ended_by("TERM"), ["interrupted", "complete"]);
    assert_eq!(ended_by("KILL"), ["running", "recording"]);
}

/// A folder as `load --record` writes it, of a fixture and a run of ten seconds that began 1 s after it.
fn made_up(start_utc: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let [load, trace] = ["load", "trace"].map(|part| folder.path().join(part));
    std::fs::create_dir(&load).unwrap();
    std::fs::create_dir(&trace).unwrap();
    std::fs::copy(fixture("starvation.nettrace.zst"), trace.join("trace.nettrace.zst")).unwrap();
    let second = |at: u64| value!([at * 1_000_000_000, 1_000_000_000, 100, 100, 100, 0, 0, 0]);
    let account = value!({
        "casebook_load": 1, "planned": 1000, "sent": 1000, "responses": 1000, "seconds": 10.0, "wall_seconds": 10.0,
        "url": "http://127.0.0.1/", "start_utc": start_utc,
        "by_second": {
            "columns": ["ts_ns", "dur_ns", "asked", "sent", "answered", "errors", "timeouts", "lateness_max_ns"],
            "rows": (0..10).map(second).collect::<Vec<_>>(),
        },
    });
    std::fs::write(load.join("run.json"), account.to_string()).unwrap();
    folder
}

/// When the fixture began, and a second later.
fn starts() -> [String; 2] {
    let of = json(&["explain", path(&fixture("starvation.nettrace.zst")), "--format", "json"]);
    let start = of["exhibit"]["start_utc"].as_str().unwrap().to_owned();
    let later = start.parse::<jiff::Timestamp>().unwrap() + jiff::SignedDuration::from_secs(1);
    [start, later.to_string()]
}

#[test]
fn every_command_reads_both_or_says_which_to_name() {
    let [start, later] = starts();
    let folder = made_up(&later);
    let out = folder.path();
    let tables = json(&["tables", path(out), "--format", "json"]);
    let names: Vec<&str> =
        tables.as_array().unwrap().iter().map(|of| of["table"].as_str().unwrap()).collect();
    assert!(names.contains(&"load.seconds") && names.contains(&"trace.requests"), "{names:?}");
    // Without a monotonic clock, UTC sets the run on the clock of the trace.
    assert_eq!(
        rows(out, "select min(ts_ns), count(*) from load.seconds"),
        [[value!(1_000_000_000), value!(10)]]
    );
    let explained = json(&["explain", path(out), "--format", "json"]);
    assert_eq!(explained["meanwhile"]["clock"]["error_ns"].as_i64(), Some(2_000_000));
    assert_eq!(explained["exhibits"][0]["exhibit"]["start_utc"].as_str(), Some(start.as_str()));
    assert!(
        printed(&["explain", path(out), "--format", "markdown"])
            .contains("## What the service did meanwhile")
    );
    let file = out.join("page.html");
    printed(&["export", path(out), "--to", "html", "-o", path(&file)]);
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(
        page.contains("Latency, and what the service did") && page.contains("Thread pool")
            || page.contains("Pool workers")
    );
    assert!(!page.contains("href=\"trace/"), "a file has no other pages");
    let named = format!("{0}/load or {0}/trace", path(out));
    let diff: &[&str] = &["diff", path(out), path(out)];
    let csv: &[&str] = &["export", path(out), "--to", "csv", "-o", "tables"];
    let firefox: &[&str] = &["export", path(out), "--to", "firefox", "-o", "profile"];
    for words in [diff, csv, firefox] {
        let said = refused(words);
        assert!(said.contains(&named), "{said}");
    }
}

#[test]
fn a_run_of_another_day_is_not_set_on_the_clock_of_the_trace() {
    let folder = made_up("2001-01-01T00:00:00Z");
    let explained = json(&["explain", path(folder.path()), "--format", "json"]);
    assert!(explained["meanwhile"].is_null());
    assert_eq!(rows(folder.path(), "select min(ts_ns) from load.seconds"), [[value!(0)]]);
    let text = printed(&["explain", path(folder.path())]);
    assert!(text.contains("are not of the same time"), "{text}");
}
