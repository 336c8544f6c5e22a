//! `casebook capacity`: published answers through the program, kept runs, models, and whatever is not a table.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{casebook, json, printed, refused, said, service};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const SPECSDM91: &str =
    "users,scripts\n1,64.9\n18,995.9\n36,1652.4\n72,1853.2\n108,1828.9\n144,1775.0\n216,1702.2\n";

fn file(folder: &Path, text: impl AsRef<[u8]>) -> String {
    let path = folder.join("table.csv");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn close(value: &Value, expected: f64, relative: f64) {
    let value = value.as_f64().unwrap();
    assert!((value - expected).abs() <= relative * expected.abs(), "{value} is not {expected}");
}

#[test]
fn a_table_has_a_peak_with_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let table = file(folder.path(), SPECSDM91);
    let of = json(&[
        "capacity",
        &table,
        "--format",
        "json",
        "--slo",
        "mean<40ms",
        "--now",
        "800",
        "--growth",
        "10%/month",
    ]);
    assert_eq!(
        (&of["model"], &of["identified"], &of["extrapolated"]),
        (&"usl".into(), &true.into(), &false.into())
    );
    close(&of["parameters"]["alpha"], 0.027_728_5, 1e-6);
    close(&of["parameters"]["beta"], 0.000_104_365, 1e-5);
    close(&of["parameters"]["gamma"], 89.995_233, 1e-6);
    close(&of["intervals"]["alpha"][0], 0.002_402, 1e-3);
    close(&of["peak"]["n"], 96.519_56, 1e-6);
    close(&of["peak"]["throughput"], 1_883.9, 1e-5);
    close(&of["points"][6]["residual"], 56.0, 1e-3);
    let at = of["headroom"]["n"].as_f64().unwrap();
    close(&of["headroom"]["throughput"], at / 0.04, 1e-9);
    assert!(of["headroom"]["months"].as_f64().is_some_and(|months| (8.0..10.0).contains(&months)), "{of}");
    let text = printed(&["capacity", &table]);
    assert!(text.contains("Throughput is highest at a load of 96.52") && text.contains('█'), "{text}");
}

#[test]
fn standard_input_is_a_table() {
    let mut child = casebook();
    child.args(["capacity", "-", "--format", "json"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(SPECSDM91.replace(',', ";").as_bytes()).unwrap();
    let of: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    close(&of["peak"]["n"], 96.519_56, 1e-6);
}

#[test]
fn data_without_a_maximum_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let table = "1,20\n4,78\n8,130\n12,170\n16,190\n20,200\n24,210\n28,230\n32,260\n48,280\n64,310";
    let of = json(&["capacity", &file(folder.path(), table), "--format", "json"]);
    assert_eq!(
        (&of["parameters"]["beta"], &of["peak"], &of["identified"]),
        (&0.0.into(), &Value::Null, &false.into())
    );
    let first: Vec<&str> = table.lines().take(6).collect();
    let of = json(&["capacity", &file(folder.path(), first.join("\n")), "--format", "json"]);
    assert_eq!((&of["identified"], &of["extrapolated"]), (&true.into(), &true.into()));
}

#[test]
fn what_is_not_a_table_is_an_error_that_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &[u8], expected: &str| {
        let message = refused(&["capacity", &file(folder.path(), text)]);
        assert!(message.contains(expected) && message.contains("table.csv"), "{message}");
    };
    check(b"", "expected rows such as `10,950`");
    check(b"1,2\n", "at least 4 measurements");
    check(b"5,1\n5,2\n5,3\n5,4\n", "3 or more different loads, found 1");
    check(b"1,0\n2,0\n3,0\n4,0\n", "found only 0");
    check(b"1,NaN\n2,3\n3,4\n4,5\n", "line 1: expected throughput");
    check(b"1,2\n-2,3\n3,4\n4,5\n", "line 2: expected load");
    check(b"1,2\n2;3\n3,4\n4,5\n", "line 2: expected load and throughput, separated by a comma");
    check(b"1,2\n2,many\n", "found `many`");
    check(b"1,1e308\n", "found `1e308`");
    check(&b"1,2\n".repeat(10_000_000), "larger than 16 MiB");
    check(&[0xff; 100], "expected text in UTF-8");
    let missing = refused(&["capacity", "no-such-file.csv"]);
    assert!(missing.contains("no-such-file.csv"), "{missing}");
    let table = file(folder.path(), SPECSDM91);
    assert!(refused(&["capacity", &table, "--slo", "p99<50ms"]).contains("a table has no percentiles"));
    assert!(refused(&["capacity", &table, "--slo", "rate>50"]).contains("expected a limit of the latency"));
    assert!(refused(&["capacity", &table, &table]).contains("expected one table, or runs"));
    assert!(refused(&["capacity", &table, "--growth", "10%"]).contains("--now"));
}

#[test]
fn latencies_are_checked_by_littles_law() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [(1.0, 100.0), (2.0, 180.0), (4.0, 300.0), (8.0, 420.0), (16.0, 480.0), (32.0, 470.0)];
    let rows = rows.map(|(load, rate)| format!("{load},{rate},{}", load / rate * 1e3));
    let table = rows.join("\n");
    let of = json(&["capacity", &file(folder.path(), &table), "--format", "json"]);
    assert_eq!((&of["little"]["unit"], &of["little"]["broken"]), (&"ms".into(), &0.into()));
    let text = printed(&["capacity", &file(folder.path(), table.replace("8,420,", "8,420,1"))]);
    assert!(text.contains("does not hold in 1 of 6 measurements, most at a load of 8"), "{text}");
}

#[test]
fn the_picture_is_an_svg_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let table = file(folder.path(), SPECSDM91);
    let chart = folder.path().join("curve.svg");
    printed(&["capacity", &table, "--chart", chart.to_str().unwrap()]);
    let svg = std::fs::read_to_string(&chart).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>"), "{svg}");
    assert_eq!(svg.matches("<circle").count(), 14);
    // Never over the table.
    assert!(refused(&["capacity", &table, "--chart", &table]).contains("choose another file"));
}

#[test]
fn models_have_their_published_values() {
    let of = json(&[
        "capacity",
        "queue",
        "--arrivals",
        "35",
        "--service",
        "10/s",
        "--servers",
        "4",
        "--format",
        "json",
    ]);
    assert_eq!((&of["model"], &of["stable"]), (&"M/M/4".into(), &true.into()));
    close(&of["probability_wait"], 0.737_861_1, 1e-6);
    close(&of["response_ms"], 247.572_2, 1e-6);
    let of = json(&["capacity", "queue", "--arrivals", "8/s", "--service", "100ms", "--format", "json"]);
    close(&of["response_quantiles_ms"]["p99"], 2_302.585, 1e-6);
    let of = json(&[
        "capacity",
        "queue",
        "--arrivals",
        "3/min",
        "--service",
        "4min",
        "--servers",
        "15",
        "--places",
        "15",
        "--format",
        "json",
    ]);
    close(&of["probability_refused"], 0.085_729_249_5, 1e-8);
    let of = json(&[
        "capacity",
        "queue",
        "--arrivals",
        "40",
        "--service",
        "10/s",
        "--servers",
        "4",
        "--format",
        "json",
    ]);
    assert_eq!((&of["stable"], &of["least_servers"]), (&false.into(), &5.into()));
    let of = json(&["capacity", "users", "20", "--think", "1s", "--demand", "db=100ms", "--format", "json"]);
    close(&of["result"]["throughput"], 9.981_310, 1e-6);
    close(&of["result"]["response_ms"], 1_003.745, 1e-6);
    close(&of["knee_users"], 11.0, 1e-9);
    for (words, expected) in [
        (["--arrivals", "35", "--service", "10"].as_slice(), "has no unit"),
        (&["--arrivals", "-1", "--service", "10/s"], "is not a rate"),
        (&["--arrivals", "1", "--service", "1s", "--servers", "0"], "expected 1 to 10,000,000 servers"),
        (
            &["--arrivals", "1", "--service", "1s", "--servers", "4", "--places", "2"],
            "expected as many places as servers",
        ),
    ] {
        let message = refused(&[["capacity", "queue"].as_slice(), words].concat());
        assert!(message.contains(expected), "{message}");
    }
    assert!(
        refused(&["capacity", "users", "0", "--demand", "db=1s"]).contains("expected 1 to 1,000,000 users")
    );
}

#[test]
fn kept_runs_are_measurements() {
    // Every connection has a thread that sleeps: throughput is users / 20 ms, and N = X · R.
    let folder = tempfile::tempdir().unwrap();
    let url = service(Duration::from_millis(20));
    let mut closed = Vec::new();
    for users in ["1", "2", "4", "8"] {
        let out = folder.path().join(format!("u{users}"));
        printed(&["load", &url, "--users", users, "-d", "1s", "-o", out.to_str().unwrap()]);
        closed.push(out.to_str().unwrap().to_owned());
    }
    let words: Vec<&str> = ["capacity"]
        .into_iter()
        .chain(closed.iter().map(String::as_str))
        .chain(["--format", "json"])
        .collect();
    let of = json(&words);
    let loads: Vec<f64> =
        of["points"].as_array().unwrap().iter().map(|of| of["n"].as_f64().unwrap()).collect();
    assert_eq!(loads, [1.0, 2.0, 4.0, 8.0]);
    assert_eq!(of["runs"][0]["n_from"], "users");
    assert_eq!(of["little"]["checked"], 4);
    assert!(of["parameters"]["gamma"].as_f64().is_some_and(|gamma| gamma > 5.0 && gamma < 60.0), "{of}");
    // Runs at a rate: the load is by Little's law, and percentiles are judged as measured.
    let mut open = Vec::new();
    for rate in ["300", "600"] {
        let out = folder.path().join(format!("r{rate}"));
        printed(&["load", &url, "--rate", rate, "-d", "2s", "-c", "50", "-o", out.to_str().unwrap()]);
        open.push(out.join("run.json").parent().unwrap().to_str().unwrap().to_owned());
    }
    let of = json(&["capacity", &open[0], &open[1], "--slo", "p99<9s", "--format", "json"]);
    assert_eq!((&of["model"], &of["headroom"]["basis"]), (&Value::Null, &"measured".into()));
    close(&of["headroom"]["throughput"], 600.0, 1e-9);
    assert_eq!(of["headroom"]["interval"][1], Value::Null);
    assert_eq!(of["runs"][1]["n_from"], "rate × mean latency");
    let output = program::run(&["capacity", &open[0], &open[1], "--slo", "p99<1us"]);
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("is missed in every run from 300/s"),
        "{}",
        said(&output)
    );
}
