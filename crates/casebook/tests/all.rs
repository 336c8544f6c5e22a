//! `--all` shows everything that a command folds, through the program.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{casebook, fixture, json, printed, refused, said};
use std::path::PathBuf;
use std::process::Stdio;

const RECORDINGS: [&str; 4] =
    ["starvation.nettrace.zst", "lock.nettrace.zst", "healthy.nettrace.zst", "leak.nettrace.zst"];

fn recording(name: &str) -> String {
    fixture(name).to_str().unwrap().to_owned()
}

/// The page without its line breaks within sentences, on the widest page.
fn explained(name: &str, options: &[&str]) -> String {
    let output = casebook().arg("explain").arg(fixture(name)).args(options).env("COLUMNS", "160").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let words = String::from_utf8(output.stdout).unwrap();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn an_explanation_has_all_that_its_json_has() {
    for name in RECORDINGS {
        let (page, short) = (explained(name, &["--all"]), explained(name, &[]));
        let document = json(&["explain", &recording(name), "--format", "json"]);
        for finding in document["findings"].as_array().unwrap() {
            // The title of the first is the verdict.
            for text in ["title", "why", "verify"] {
                let words = finding[text].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(page.contains(&words), "{name}: {text} of {} in {page}", finding["id"]);
            }
        }
        // All rules are named: as a finding, as passed or as not checked.
        for rule in document["checked"].as_array().unwrap() {
            assert!(page.contains(rule.as_str().unwrap()), "{name}: {rule} in {page}");
        }
        for (part, of) in document["figures"].as_object().unwrap() {
            for list in of["lists"].as_array().unwrap() {
                let more = list["more"].as_u64().unwrap();
                let says = more == 0 || page.contains(&format!("{more} more"));
                assert!(says, "{name}: {} of {part} leaves out {more}", list["name"]);
            }
        }
        assert!(page.contains(" passed ") && page.len() > short.len(), "{name}");
        assert_eq!(explained(name, &["--figures"]), page);
        assert_eq!(explained(name, &["--figures", "--all"]), page);
    }
}

#[test]
fn all_rows_of_a_query_are_printed() {
    let sql =
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100010) select i from n";
    let file = recording("net8.nettrace.zst");
    let few = printed(&["query", &file, sql]);
    assert_eq!(few.lines().count(), 2 + 100_000 + 1);
    assert!(few.ends_with("… and more rows: raise --limit, or use --all instead\n"));
    let all = printed(&["query", &file, sql, "--all"]);
    assert_eq!(all.lines().count(), 2 + 100_010);
    assert!(refused(&["query", &file, sql, "--all", "--limit", "3"]).contains("cannot be used with"));
}

#[test]
fn a_comparison_has_what_was_measured_in_every_row_of_its_json() {
    let (before, after) = (recording("healthy.nettrace.zst"), recording("lock.nettrace.zst"));
    let page = |options: &[&str]| {
        let page = printed(&[&["diff", &before, &after], options].concat());
        page.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (few, all) = (page(&[]), page(&["--all"]));
    assert!(few.contains("To see them: --all") && !all.contains("Not shown"), "{few}");
    let document = json(&["diff", &before, &after, "--format", "json"]);
    let changes = document["changes"].as_array().unwrap();
    // The page names a counter without its measure.
    for of in changes.iter().filter(|of| of["subject"] != "counter") {
        let measure = of["measure"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(all.contains(&measure), "{measure} in {all}");
    }
}

#[test]
fn every_stale_socket_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    // The numbers are above those that a process can have.
    let sockets: Vec<PathBuf> = (0..5)
        .map(|at| folder.path().join(format!("dotnet-diagnostic-{}-1-socket", 4_200_000_000_u32 + at)))
        .collect();
    for socket in &sockets {
        drop(std::os::unix::net::UnixListener::bind(socket).unwrap());
    }
    let listed = |options: &[&str]| {
        let output =
            casebook().arg("ps").args(options).env("TMPDIR", folder.path()).stdin(Stdio::null()).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let (few, all) = (listed(&[]), listed(&["--all"]));
    assert!(few.contains("--all shows them") && !few.contains("4200000000"), "{few}");
    for at in 0..5 {
        assert!(all.contains(&(4_200_000_000_u32 + at).to_string()), "{all}");
    }
}
