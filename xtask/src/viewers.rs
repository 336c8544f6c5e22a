//! Exports opened by the viewers that they are for.
//!
//! ```text
//!  recording ──┬─ casebook export ─▶ a file a format ─┐
//!              └─ casebook query ──▶ truth.json ──────┴─▶ web/viewers/*.mjs: the viewer's own reader, and the sums
//! ```
//!
//! speedscope and the Firefox Profiler come from npm, in the versions of web/package-lock.json; pprof is read by
//! protoc. Nothing leaves the machine.

use crate::process;
use crate::readback::counting;
use crate::tally::Tally;
use crate::web;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use std::fs;

/// Recordings of the repository.
const FIXTURES: &str = "fixtures";
/// Recordings with requests, spans and collections. They are too large for this repository and lie beside it where
/// there are any.
const CAPTURES: &str = "../shared/captures/labelled";
/// Those of them that are exported.
const CAPTURED: [&str; 2] = ["req-gc", "net8-req-exceptions"];
/// What a recording's name ends with.
const ENDING: &str = ".nettrace.zst";

/// Formats, and the files that the scripts look for.
const FILES: [(&str, &str); 4] = [
    ("speedscope", "speedscope.json"),
    ("firefox", "firefox.json.gz"),
    ("pprof", "pprof.pb.gz"),
    ("chrome", "trace.json"),
];
/// What folded files are of.
const METRICS: [&str; 7] =
    ["samples", "running", "waiting", "allocations", "contention", "waits", "exceptions"];

/// The scripts; each takes the folders, and ends with `N passed, M failed`.
const SCRIPTS: [&str; 5] = ["folded", "pprof", "chrome", "speedscope", "firefox"];

/// What is true of a recording, in one row.
const TRUTH: &str = "select
 (select count(*) from samples) as samples,
 (select count(*) from samples where state = 'running') as running,
 (select count(*) from samples where state = 'waiting') as waiting,
 (select count(distinct thread) from samples) as threads,
 (select count(*) from allocations) as allocations,
 (select coalesce(sum(cast(round(weight_bytes) as integer)), 0) from allocations) as allocated_bytes,
 (select count(*) from contention) as contention,
 (select count(dur_ns) from contention) as contention_ended,
 (select coalesce(sum(dur_ns), 0) from contention) as contention_ns,
 (select count(*) from waits) as waits,
 (select count(dur_ns) from waits) as waits_ended,
 (select coalesce(sum(dur_ns), 0) from waits) as waits_ns,
 (select count(*) from exceptions) as exceptions,
 (select count(*) from requests) as requests,
 (select count(*) from spans) as spans,
 (select count(*) from gc) as gc,
 (select count(*) from gc where heap_after_bytes is not null and dur_ns is not null) as heap_sizes,
 (select count(*) from pauses) as pauses,
 (select count(*) from jit) as jit,
 (select count(dur_ns) from jit) as jit_timed,
 (select count(*) - count(dur_ns) from jit) as jit_loads,
 (select count(value) from counters) as counters,
 (select count(value) from counters where kind = 'value' and name in (
   'dotnet.thread_pool.queue.length', 'dotnet.thread_pool.thread.count',
   'threadpool-queue-length', 'threadpool-thread-count')) as pool_values";

/// Exports recordings in every format with the released program, and opens each export.
pub(crate) fn step(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let binary = workspace.release_binary();
    web::install(workspace)?;
    require_protoc(workspace)?;
    let scratch = workspace.target.join("viewers");
    let mut folders = Vec::new();
    for recording in recordings(workspace, tally)? {
        let name = recording.file_name().unwrap_or_default().trim_end_matches(ENDING).to_owned();
        let folder = scratch.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {folder}"))?;
        export(workspace, &binary, &recording, &folder)?;
        folders.push(folder);
    }
    for script in SCRIPTS {
        let mut command = web::node(workspace);
        command.arg(format!("viewers/{script}.mjs")).args(&folders);
        counting(&mut command, tally).with_context(|| format!("the check of {script} failed"))?;
    }
    Ok(())
}

/// The recordings of the repository, and those beside it.
fn recordings(workspace: &Workspace, tally: &mut Tally) -> Result<Vec<Utf8PathBuf>> {
    let fixtures = workspace.root.join(FIXTURES);
    let mut found = Vec::new();
    for entry in fixtures.read_dir_utf8().with_context(|| format!("cannot read {fixtures}"))? {
        let path = entry?.into_path();
        if path.as_str().ends_with(ENDING) {
            found.push(path);
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "{fixtures} has no {ENDING}");
    for name in CAPTURED {
        let path = workspace.root.join(CAPTURES).join(format!("{name}{ENDING}"));
        if path.exists() {
            found.push(path);
        } else {
            println!("1 skipped: {CAPTURES}/{name}{ENDING} is not there, so it was not exported");
            tally.skipped += 1;
        }
    }
    Ok(found)
}

fn export(workspace: &Workspace, binary: &Utf8Path, recording: &Utf8Path, folder: &Utf8Path) -> Result<()> {
    let run = |words: &[&str], to: &str| {
        let file = folder.join(to);
        let mut command = workspace.command(binary);
        // What an export says of itself fills the screen here, and is tested elsewhere.
        let done = process::succeeds(command.args(words).args(["-o", file.as_str()]));
        ensure!(done, "`casebook {}` failed for {recording}", words.join(" "));
        Ok(())
    };
    run(&["query", recording.as_str(), TRUTH, "--format", "json"], "truth.json")?;
    for (format, file) in FILES {
        run(&["export", recording.as_str(), "--to", format], file)?;
    }
    for metric in METRICS {
        let words = ["export", recording.as_str(), "--to", "folded", "--metric", metric];
        run(&words, &format!("{metric}.folded"))?;
    }
    Ok(())
}

/// Fails where protoc is not there, and says what to install.
fn require_protoc(workspace: &Workspace) -> Result<()> {
    ensure!(
        process::succeeds(workspace.command("protoc").arg("--version")),
        "protoc is not there, and exports for pprof are read with it (Debian: `apt install protobuf-compiler`)"
    );
    Ok(())
}
