//! Recording: what it costs the recorder at a high rate, and what it costs a service under load.
//!
//! `replay` sends a long stream at a fixed rate from a simulated runtime, so that only the recorder uses
//! the CPU. `cost` records a real service that uses all its CPU cores; there the throughput shows what the recording costs.
//! Rounds are interleaved in an order that a seed decides, and each is compared within itself, since a machine's
//! speed drifts over minutes.

mod child;
mod cost;
mod lab;
mod options;
mod replay;
mod rounds;
mod runtime;

use crate::process;
use crate::workspace::Workspace;
use anyhow::Result;
pub(super) use options::Options;
use options::Part;

/// Builds the program and measures what was asked for.
pub(super) fn record(workspace: &Workspace, args: &Options) -> Result<()> {
    if std::env::consts::OS != "linux" {
        println!("record: skipped, since what a program uses is read from Linux's /proc");
        return Ok(());
    }
    process::run(&mut workspace.cargo("build --quiet --release --package casebook"))?;
    let wanted = |part| args.part.is_none_or(|only| only == part);
    if wanted(Part::Replay) {
        replay::replay(workspace, args)?;
    }
    if wanted(Part::Cost) {
        cost::cost(workspace, args)?;
    }
    Ok(())
}
