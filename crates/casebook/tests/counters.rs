//! Counters of a real .NET service: what scripts rely on, and what is left in the service.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod lab;
mod program;
#[path = "hostile/terminal.rs"]
mod terminal;

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

/// The page on a terminal of 80 × 24, driven by keys.
struct Page {
    child: std::process::Child,
    terminal: terminal::Live,
}

impl Page {
    fn open(pid: &str, options: &[&str], with_input: bool) -> Self {
        let mut command = casebook();
        command.args(["counters", "-p", pid]).args(options).env("TERM", "xterm").env("NO_COLOR", "1");
        let (child, terminal) = terminal::live(command, with_input);
        let page = Self { child, terminal };
        page.wait("working_set");
        page
    }

    /// Waits until the newest page has the text.
    fn wait(&self, text: &str) {
        wait_for(text, || self.newest().contains(text));
    }

    /// The newest page.
    fn newest(&self) -> String {
        let shown = self.terminal.shown();
        shown.rsplit("\u{1b}[H").next().unwrap_or_default().to_owned()
    }

    fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        wait_for("the last line", || self.terminal.shown().contains("watched "));
        let was_restored = self.terminal.waits_for_lines();
        assert!(was_restored, "the terminal is not as it was");
        (code, self.terminal.shown())
    }
}

#[test]
fn keys_pause_sort_and_quit_and_the_terminal_is_as_before() {
    let Some(lab) = unpacked("keys_pause_sort_and_quit_and_the_terminal_is_as_before") else { return };
    let service = Service::start(&lab);
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.csv");
    let page = Page::open(&service.pid().to_string(), &["-o", rows.to_str().unwrap()], true);
    page.wait("q quit  space pause  s sort: name");
    assert!(!page.terminal.waits_for_lines());
    // An arrow whose sequence comes in pieces, after bytes that mean nothing.
    page.terminal.type_in(b"\xff\0xyz\x1b");
    std::thread::sleep(Duration::from_millis(150));
    page.terminal.type_in(b"[");
    std::thread::sleep(Duration::from_millis(150));
    page.terminal.type_in(b"C");
    page.wait("s sort: value");
    // Shares of time come first once there are rates.
    wait_for("rows by value", || {
        page.newest().lines().nth(2).is_some_and(|row| row.contains("dotnet.") && row.contains(" %"))
    });
    page.terminal.type_in(b"s\x1b[200~q q\x1b[201~");
    page.wait("s sort: growth");

    page.terminal.type_in(b" ");
    page.wait("paused · ");
    let (paused, written) = (page.newest(), std::fs::metadata(&rows).unwrap().len());
    wait_for("rows while it is paused", || std::fs::metadata(&rows).unwrap().len() > written);
    // The page may have been read in part.
    wait_for("the same page", || page.newest() == paused);
    page.terminal.type_in(b" ");
    page.wait("space pause");

    page.terminal.type_in(b"q");
    let (code, shown) = page.end();
    assert_eq!(code, Some(0));
    let (_, after) = shown.rsplit_once("\u{1b}[?1049l").unwrap();
    assert!(after.contains("watched "), "{after}");
}

#[test]
fn the_terminal_is_as_before_however_it_ends() {
    let Some(lab) = unpacked("the_terminal_is_as_before_however_it_ends") else { return };
    let service = Service::start(&lab);
    let pid = service.pid().to_string();
    for name in ["INT", "TERM"] {
        let page = Page::open(&pid, &[], true);
        signal(page.child.id(), name);
        let (code, shown) = page.end();
        assert!(code == Some(0) && shown.contains("\u{1b}[?1049l"), "{name}: {code:?}");
    }
    // Ctrl-Z: the shell finds its terminal as it was, and `fg` shows the page again.
    let page = Page::open(&pid, &[], true);
    signal(page.child.id(), "TSTP");
    wait_for("the terminal of the shell", || page.terminal.shown().contains("\u{1b}[?1049l"));
    signal(page.child.id(), "CONT");
    wait_for("the page again", || page.terminal.shown().matches("\u{1b}[?1049h").count() == 2);
    page.wait("working_set");
    page.terminal.type_in(b"q");
    assert_eq!(page.end().0, Some(0));

    let page = Page::open(&pid, &[], true);
    drop(service);
    let (code, shown) = page.end();
    assert!(code == Some(0) && shown.contains("the process ended"), "{shown}");
}

#[test]
fn a_large_paste_is_ignored_and_without_a_terminal_there_are_no_keys() {
    let Some(lab) = unpacked("a_large_paste_is_ignored_and_without_a_terminal_there_are_no_keys") else {
        return;
    };
    let service = Service::start(&lab);
    let pid = service.pid().to_string();
    let page = Page::open(&pid, &[], true);
    page.terminal.type_in(b"\x1b[200~");
    page.terminal.type_in(&vec![b'q'; 2 << 20]);
    page.terminal.type_in(b"\x1b[201~s");
    page.wait("s sort: value");
    page.terminal.type_in(b"q");
    assert_eq!(page.end().0, Some(0));

    let page = Page::open(&pid, &["-d", "4s"], false);
    page.wait("Ctrl-C ends");
    page.terminal.type_in(b"qs ");
    let (code, shown) = page.end();
    assert!(code == Some(0) && !shown.contains("q quit") && !shown.contains("paused"), "{shown}");
}
