//! `cargo xtask ci`: every check, in the order in which a failure is cheapest to find.
//!
//! It stops at the first step that fails. What was counted until then is printed in any case, as the last line.

use crate::tally::{Skips, Tally, test_result};
use crate::workspace::Workspace;
use crate::{binary, docs, process, readback, tidy, viewers, web};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::ErrorKind;

/// Recordings with published answers. They are too large for this repository and lie beside it where there are any.
const CHECK_CAPTURES: &str = "../shared/check-captures";

/// How to run the checks.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out the release build and what follows it
    #[arg(long)]
    fast: bool,
}

struct Step {
    name: &'static str,
    run: fn(&Workspace, &mut Tally) -> Result<()>,
}

const STEPS: [Step; 4] = [
    Step { name: "format", run: format },
    Step { name: "clippy", run: clippy },
    Step { name: "tests", run: tests },
    Step { name: "tidy", run: tidy },
];
const RELEASE_STEPS: [Step; 8] = [
    Step { name: "release build", run: release },
    Step { name: "first command of the README", run: first_command },
    Step { name: "generated docs", run: generated_docs },
    Step { name: "types of the scripts", run: web::types },
    Step { name: "pages in a browser", run: pages },
    Step { name: "exports in their viewers", run: viewers::step },
    Step { name: "captures", run: captures },
    Step { name: "parquet read-back", run: parquet },
];

/// Runs the steps. Whether all of them passed.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> bool {
    let mut tally = Tally::default();
    let release_steps = if args.fast { [].as_slice() } else { RELEASE_STEPS.as_slice() };
    let outcome = STEPS.iter().chain(release_steps).try_for_each(|step| timed(step, workspace, &mut tally));
    if args.fast {
        println!("== left out by --fast: {}", RELEASE_STEPS.map(|step| step.name).join(", "));
    }
    if let Err(error) = &outcome {
        eprintln!("ci: {error:#}");
        // A step that fails without counting, such as clippy, is one failure: no failed run ends with `0 failed`.
        tally.failed = tally.failed.max(1);
    }
    println!("{tally}");
    outcome.is_ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the seconds of a step are its output, and nothing else reads them"
)]
fn timed(step: &Step, workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    println!("== {}", step.name);
    let started = std::time::Instant::now();
    let outcome = (step.run)(workspace, tally);
    println!("== {}: {:.1} s", step.name, started.elapsed().as_secs_f64());
    outcome.with_context(|| format!("{} failed", step.name))
}

fn format(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    process::run(&mut workspace.cargo("fmt --all --check"))
}

fn clippy(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    process::run(&mut workspace.cargo("clippy --workspace --all-targets --locked -- -D warnings"))
}

fn tests(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let notes = workspace.target.join("ci-skips.txt");
    // Notes of an earlier run would be counted again.
    match fs::remove_file(&notes) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {notes}"));
        }
        _ => {}
    }
    let mut sums = Tally::default();
    let mut cargo = workspace.cargo("test --workspace --locked --no-fail-fast");
    let outcome = process::run_reading(cargo.env("CASEBOOK_SKIPS", &notes), |line| {
        sums.add(test_result(line).unwrap_or_default());
    });
    let skips = match fs::read_to_string(&notes) {
        Ok(text) => Skips::read(&text),
        Err(error) if error.kind() == ErrorKind::NotFound => Skips::default(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {notes}")),
    };
    sums.take_skips(&skips);
    skips.by_reason().for_each(|line| println!("{line}"));
    println!("{sums}");
    tally.add(sums);
    outcome
}

fn tidy(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    ensure!(tidy::run(workspace)?, "the problems are listed above");
    Ok(())
}

fn release(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    process::run(&mut workspace.cargo("build --release --locked --bin casebook"))?;
    let binary = workspace.release_binary();
    binary::check_size(&binary)?;
    if std::env::consts::OS == "linux" {
        return binary::check_libraries(workspace, &binary);
    }
    println!("1 skipped: the libraries of the program are checked on Linux alone");
    tally.skipped += 1;
    Ok(())
}

/// Runs the README's `cargo run`, word for word but for `--once`, with which the demo ends by itself: it is what a
/// newcomer types first.
fn first_command(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    let readme = fs::read_to_string(workspace.root.join("README.md")).context("cannot read README.md")?;
    let words =
        readme.lines().find_map(|line| line.strip_prefix("cargo ").filter(|rest| rest.starts_with("run ")));
    let words = words.context("README.md has no line that begins with `cargo run`")?;
    let without_comment = words.split_once('#').map_or(words, |(words, _)| words);
    let page = process::output(&mut workspace.cargo(&format!("{} --once", without_comment.trim())))?;
    ensure!(!page.is_empty(), "`cargo {}` printed nothing", without_comment.trim());
    Ok(())
}

fn generated_docs(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    docs::check(workspace, &workspace.release_binary())
}

fn pages(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    web::tests(workspace, &workspace.release_binary(), tally)
}

fn captures(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    if !workspace.root.join(CHECK_CAPTURES).exists() {
        println!(
            "1 skipped: {CHECK_CAPTURES} is not there, so no recording with a published answer was read"
        );
        tally.skipped += 1;
        return Ok(());
    }
    readback::require_python(workspace)?;
    let binary = workspace.release_binary();
    let mut python = workspace.command("python3");
    python.args(["xtask/captures.py", CHECK_CAPTURES, binary.as_str()]);
    readback::counting(&mut python, tally)
}

fn parquet(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    readback::run(workspace, &workspace.release_binary(), tally)
}
