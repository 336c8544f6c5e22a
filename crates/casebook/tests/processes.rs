//! A recording of several processes through every command that takes a file: which process is meant, and how one is chosen.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;
mod shared;

use program::{BENCH, json as document, printed as text, run, said};
use serde_json::{Value, json};
use shared::shared;
use std::path::Path;

/// Three processes: orders (500, with most samples), stock (600), and a shell that became dotnet (700).
fn fixture() -> String {
    program::fixture("format/UniversalProcesses.nettrace").to_str().unwrap().to_owned()
}

/// A figure of the part `cpu`.
fn cpu(of: &Value, name: &str) -> Value {
    let figures = of["figures"]["cpu"]["figures"].as_array().unwrap();
    figures.iter().find(|of| of["name"] == name).unwrap()["value"].clone()
}

fn rows(arguments: &[&str]) -> String {
    let sql = "select process, count(*) as n from samples group by 1 order by 1";
    text(&[&["query", &fixture(), sql, "--format", "csv"], arguments].concat())
}

#[test]
fn query_tables_and_export_read_all_processes() {
    assert_eq!(rows(&[]), "process,n\n500,4\n600,2\n700,3\n");
    assert_eq!(rows(&["--pid", "600"]), "process,n\n600,2\n");
    let samples = |arguments: &[&str]| {
        let tables = document(&[&["tables", &fixture(), "--format", "json"], arguments].concat());
        let of = |name| tables.as_array().unwrap().iter().find(|of| of["table"] == name).unwrap();
        [of("samples")["rows"].clone(), of("processes")["rows"].clone()]
    };
    assert_eq!(samples(&[]), [json!(9), json!(3)]);
    assert_eq!(samples(&["--pid", "700"]), [json!(3), json!(3)]);
    let folded = |arguments: &[&str]| {
        let all = text(&[&["export", &fixture(), "--to", "folded", "-o", "-"], arguments].concat());
        all.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse::<u32>().unwrap()).sum::<u32>()
    };
    assert_eq!([folded(&[]), folded(&["--pid", "600"])], [9, 2]);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("csv");
    let to = to.to_str().unwrap();
    text(&["export", &fixture(), "--to", "csv", "-o", to]);
    let samples = std::fs::read_to_string(Path::new(to).join("samples.csv")).unwrap();
    assert!(samples.lines().next().unwrap().ends_with("waiting_on,process"), "{samples}");
    assert_eq!(samples.lines().filter(|line| line.ends_with(",600")).count(), 2);
}

#[test]
fn threads_of_two_processes_have_names_of_their_own_in_other_viewers() {
    let names = text(&["export", &fixture(), "--to", "speedscope", "-o", "-"]);
    for name in ["user 501 of process 500", "user 501 of process 600"] {
        assert!(names.contains(name), "{name}");
    }
}

#[test]
fn explain_is_of_the_process_with_most_samples_names_it_and_lists_the_others() {
    let page = text(&["explain", &fixture()]).split_whitespace().collect::<Vec<_>>().join(" ");
    let heading = "subject orders · runtime unknown · process 500 · 4 CPU cores · the recording also holds dotnet \
                   (700), stock (600): --pid chooses";
    assert!(page.contains(heading), "{page}");
    let of = document(&["explain", &fixture(), "--format", "json"]);
    assert_eq!([&of["exhibit"]["pid"], &of["exhibit"]["name"]], [&json!(500), &json!("orders")]);
    assert_eq!(
        of["exhibit"]["other_processes"],
        json!([
            {"pid": 700, "name": "dotnet", "samples": 3, "events": 11},
            {"pid": 600, "name": "stock", "samples": 2, "events": 6}
        ])
    );
    assert_eq!(cpu(&of, "samples"), json!(4.0));
    assert_eq!(cpu(&of, "waiting"), Value::Null, "samples of CPUs say nothing of threads that wait");
    let chosen = document(&["explain", &fixture(), "--pid", "600", "--format", "json"]);
    assert_eq!([&chosen["exhibit"]["pid"], &chosen["exhibit"]["name"]], [&json!(600), &json!("stock")]);
    assert_eq!(cpu(&chosen, "samples"), json!(2.0));
}

#[test]
fn a_page_is_of_one_process_and_its_heading_lists_the_others() {
    let page =
        |arguments: &[&str]| text(&[&["export", &fixture(), "--to", "html", "-o", "-"], arguments].concat());
    let most = page(&[]);
    assert!(most.contains("process 500 · 4 CPU cores · the recording also holds dotnet (700), stock (600)"));
    assert!(most.contains("Orders.Work.Hot") && !most.contains("Stock.Work.Count"));
    let chosen = page(&["--pid", "600"]);
    assert!(chosen.contains("stock · runtime unknown · process 600"));
    assert!(chosen.contains("Stock.Work.Count") && !chosen.contains("Orders.Work.Hot"));
}

#[test]
fn a_comparison_takes_a_process_for_each_side() {
    let file = fixture();
    let sides = |arguments: &[&str]| {
        let page = text(&[&["diff", &file, &file], arguments].concat());
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        ["process 500", "process 600", "process 700"].map(|name| page.matches(name).count())
    };
    assert_eq!(sides(&[]), [2, 0, 0]);
    assert_eq!(sides(&["--pid", "600"]), [0, 2, 0]);
    assert_eq!(sides(&["--pid", "600,700"]), [0, 1, 1]);
    let output = run(&["diff", &file, &file, "--pid", "1,2,3"]);
    let message = said(&output);
    assert!(message.contains("expected --pid PID or --pid BEFORE,AFTER, found 3 numbers"), "{message}");
}

#[test]
fn a_process_that_is_not_there_is_an_error_in_every_command() {
    let file = fixture();
    let folder = tempfile::tempdir().unwrap();
    let html = folder.path().join("a.html");
    let commands: [&[&str]; 8] = [
        &["explain", &file],
        &["open", &file, "--no-browser"],
        &["open", &file, "--against", &file, "--no-browser"],
        &["query", &file, "select 1"],
        &["tables", &file],
        &["export", &file, "--to", "html", "-o", html.to_str().unwrap()],
        &["export", &file, "--to", "folded", "-o", "-"],
        &["diff", &file, &file],
    ];
    for command in commands {
        let output = run(&[command, &["--pid", "501"]].concat());
        let message = said(&output);
        let held = "has no process 501, only 500 (orders), 700 (dotnet), 600 (stock)";
        assert!(output.status.code() == Some(2) && message.contains(held), "{command:?}: {message}");
    }
    assert!(!html.exists(), "nothing is written");
    let bench = folder.path().join("a-report-full.json");
    std::fs::write(&bench, BENCH).unwrap();
    let output = run(&["explain", bench.to_str().unwrap(), "--pid", "1"]);
    let message = said(&output);
    assert!(message.contains("does not say which process it is of"), "{message}");
}

#[test]
fn an_ordinary_recording_is_chosen_by_its_own_number_and_has_no_other_processes() {
    let path = program::fixture("net8.nettrace.zst");
    let path = path.to_str().unwrap();
    let of = document(&["explain", path, "--format", "json"]);
    assert_eq!(of["exhibit"]["other_processes"], json!([]));
    let pid = of["exhibit"]["pid"].to_string();
    let chosen = document(&["explain", path, "--pid", &pid, "--format", "json"]);
    assert_eq!(chosen, of);
    let output = run(&["query", path, "select 1", "--pid", "1"]);
    let message = said(&output);
    assert!(message.contains(&format!("has no process 1, only {pid}")), "{message}");
    let null = text(&["query", path, "select distinct process from samples", "--format", "csv"]);
    assert_eq!(null, "process\n\"\"\n".replace("\"\"", ""), "{null:?}");
}

#[test]
fn a_loose_folder_of_two_services_is_refused_with_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["net8.nettrace.zst", "leak.nettrace.zst"] {
        std::fs::copy(program::fixture(name), folder.path().join(name)).unwrap();
    }
    let path = folder.path().to_str().unwrap();
    let output = run(&["explain", path]);
    let message = said(&output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("holds recordings of different processes"), "{message}");
    for name in ["in leak.nettrace.zst", "in net8.nettrace.zst", "--pid"] {
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn samples_of_cpus_pass_no_check_that_needs_threads_that_wait() {
    let Some(path) = shared("casebook::processes", "cases/universal.nettrace") else { return };
    let path = path.to_str().unwrap();
    let of = document(&["explain", path, "--format", "json"]);
    assert_eq!([&of["exhibit"]["pid"], &of["exhibit"]["name"]], [&json!(500), &json!("orders")]);
    // Samples, and thousandths of CPUs.
    let known = |of: &Value| {
        let figures = [(cpu(of, "samples"), 1.0), (cpu(of, "cores"), 1e3)];
        figures.map(|(of, times)| format!("{:.0}", of.as_f64().unwrap() * times))
    };
    assert_eq!(known(&of), ["3000", "1000"]);
    assert_eq!(cpu(&of, "running"), json!(3000.0));
    let checked = |id: &str| of["checked"].as_array().unwrap().iter().any(|of| of == id);
    assert_eq!(["cpu-hot-path", "busy-thread"].map(checked), [true; 2]);
    assert_eq!(["sync-over-async", "blocking-call-on-pool", "lock-contention"].map(checked), [false; 3]);
    assert_eq!(of["findings"], json!([]), "one CPU of four is not busy");
    let topic = text(&["explain", path, "--topic", "cpu"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        topic.contains("each of the 3,000 samples stands for 1 ms of CPU time: 1.00 CPUs ran"),
        "{topic}"
    );
    assert!(!topic.contains("clock on the wall"), "{topic}");
    let other = document(&["explain", path, "--pid", "600", "--format", "json"]);
    assert_eq!(known(&other), ["300", "100"]);
}
