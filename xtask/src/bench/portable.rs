//! The static program beside the dynamic one: what its own C library, allocator and copying of bytes cost when it reads.

use super::decode::recordings;
use super::figures::{median, timed};
use crate::process;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use cargo_metadata::camino::Utf8Path;

const TARGET: &str = "x86_64-unknown-linux-musl";
/// Each program reads a recording so many times, in turn with the other.
const ROUNDS: usize = 9;

/// Builds both programs and times how they read the recordings of `decode` into tables.
pub(crate) fn portable(workspace: &Workspace) -> Result<()> {
    process::run(&mut workspace.cargo("build --release --locked --quiet --package casebook"))?;
    let mut build = workspace.cargo("build --release --locked --quiet --package casebook --target");
    process::run(build.arg(TARGET))?;
    let (dynamic, fixed) =
        (workspace.release_binary(), workspace.target.join(TARGET).join("release/casebook"));
    println!(
        "# portable: `casebook tables` by the static program beside the dynamic one, {ROUNDS} pairs in turn"
    );
    println!("{:<16} {:>6} {:>10} {:>10} {:>8}", "", "MB", "dynamic s", "static s", "ratio");
    for (name, path) in recordings(workspace)? {
        let mut pairs = Vec::new();
        for round in 0..ROUNDS {
            let seconds = |binary: &Utf8Path| reading(workspace, binary, &path);
            // Whichever comes first finds the caches as the other left them, so they take turns at that too.
            pairs.push(if round % 2 == 0 {
                let first = seconds(&dynamic)?;
                (first, seconds(&fixed)?)
            } else {
                let first = seconds(&fixed)?;
                (seconds(&dynamic)?, first)
            });
        }
        println!(
            "{name:<16} {:>6.0} {:>10.3} {:>10.3} {:>7.2}x",
            std::fs::metadata(&path)?.len() as f64 / 1e6,
            median(pairs.iter().map(|pair| pair.0).collect()),
            median(pairs.iter().map(|pair| pair.1).collect()),
            median(pairs.iter().map(|pair| pair.1 / pair.0).collect()),
        );
    }
    Ok(())
}

fn reading(workspace: &Workspace, binary: &Utf8Path, path: &Utf8Path) -> Result<f64> {
    let mut command = workspace.command(binary.as_str());
    let (output, seconds) = timed(|| process::output(command.args(["tables", path.as_str()])));
    output.with_context(|| format!("{binary} cannot read {path}"))?;
    Ok(seconds)
}
