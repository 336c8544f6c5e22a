//! Counters of a real .NET service: what scripts rely on, and what is left in the service.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")]

mod lab;
mod program;

use lab::{Load, Service, signal, unpacked, wait_for};
use program::{casebook, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn the_stream_has_what_the_contract_says() {
    let Some(lab) = unpacked("the_stream_has_what_the_contract_says") else { return };
    let service = Service::start(&lab);
    let pid = service.pid().to_string();
    let _load = Load::start(service.port, "/json/3", 2);

    let output = run(&["counters", "-p", &pid, "-d", "4s", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds = |name: &str| {
        let of = rows.iter().filter(|row| row["name"] == name);
        of.map(|row| row["kind"].as_str().unwrap()).collect::<BTreeSet<_>>()
    };
    assert_eq!(kinds("http.server.request.duration"), BTreeSet::from(["p50", "p95", "p99", "count", "sum"]));
    assert_eq!(kinds("dotnet.gc.heap.total_allocated"), BTreeSet::from(["rate", "total"]));
    assert_eq!(kinds("dotnet.process.memory.working_set"), BTreeSet::from(["value"]));
    // The meter replaces the event source of its name.
    assert_eq!(kinds("cpu-usage"), BTreeSet::new());
    for row in &rows {
        assert!(row["ts"].as_str().unwrap().ends_with('Z') && row["tags"].is_object(), "{row}");
    }
    let route = rows.iter().find(|row| row["name"] == "http.server.request.duration").unwrap();
    assert_eq!(route["provider"], "Microsoft.AspNetCore.Hosting");
    assert_eq!(route["tags"]["http.route"], "/json/{n:int}");
}

#[test]
fn event_sources_that_are_named_come_without_their_other_events() {
    let Some(lab) = unpacked("event_sources_that_are_named_come_without_their_other_events") else { return };
    let service = Service::start(&lab);
    let pid = service.pid().to_string();
    let named = "Microsoft-AspNetCore-Server-Kestrel[current-connections],Nowhere";
    let output = run(&["counters", "-p", &pid, "-d", "4500ms", "--counters", named]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.split("\r\n");
    assert_eq!(lines.next(), Some("ts,provider,name,unit,kind,value,tags"));
    let rows: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    assert!(rows.len() >= 3, "{text}");
    assert!(
        rows.iter().all(|row| row.contains(",Microsoft-AspNetCore-Server-Kestrel,current-connections,")),
        "{text}"
    );
}

#[test]
fn ctrl_c_and_a_reader_that_leaves_end_it_and_leave_nothing_in_the_service() {
    let Some(lab) = unpacked("ctrl_c_and_a_reader_that_leaves_end_it_and_leave_nothing_in_the_service")
    else {
        return;
    };
    let service = Service::start(&lab);
    let pid = service.pid().to_string();
    for interrupt in [true, false] {
        let mut child = casebook()
            .args(["counters", "-p", &pid])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        for _ in 0..2 {
            out.read_line(&mut line).unwrap();
        }
        let asked = Instant::now();
        if interrupt {
            signal(child.id(), "INT");
            std::io::copy(&mut out, &mut std::io::sink()).unwrap();
        }
        drop(out);
        assert!(child.wait().unwrap().success(), "interrupted: {interrupt}");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        wait_for("the session to end in the service", || service.diagnostics_threads() <= 1);
    }
}

#[test]
fn a_service_that_ends_is_not_a_failure() {
    let Some(lab) = unpacked("a_service_that_ends_is_not_a_failure") else { return };
    let service = Service::start(&lab);
    let mut command = casebook();
    command
        .args(["counters", "-p", &service.pid().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for _ in 0..2 {
        out.read_line(&mut line).unwrap();
    }
    drop(service);
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("the process ended"), "{said}");
}
