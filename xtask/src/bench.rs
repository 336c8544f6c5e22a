//! Measurements: each prints a ratio to an anchor that ran in the same minute, or to what the machine can do at all.
//!
//! Nothing is asserted; a figure is for people to read. Everything runs in the release profile: this module starts
//! itself again with it where it is not.

mod decode;
mod explain;
mod figures;
mod load;
mod long_trace;
mod page;
mod portable;
mod record;

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use clap::ValueEnum;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Reading recordings into tables, beside TraceEvent, and its memory
    Decode,
    /// Reading recordings by the static program, beside the dynamic one (needs the musl target and its C compiler)
    Portable,
    /// The rules and figures of `explain`, beside the reading that they stand on
    Explain,
    /// Walking the events of a trace without making tables, beside the memory's own speed
    Scan,
    /// A query that filters and groups a million rows, beside a native table of SQLite
    Query,
    /// The pages of a million samples in a browser, beside speedscope; how long for a picture, a zoom, a filter
    Page,
    /// The load generator, beside wrk (needs the distribution's package `wrk`)
    Load,
    /// What a recording costs its subject and the recorder, beside packing, copying and dotnet-trace
    Record,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The measurement; without one, all but `portable`
    name: Option<Name>,
    #[command(flatten)]
    record: record::Options,
    /// One reading of a file, its figures as JSON: what `decode` starts for each figure
    #[arg(long, hide = true, num_args = 2, value_names = ["FILE", "THREADS"])]
    once: Option<Vec<String>>,
}

/// Runs the measurements.
pub(crate) fn run(args: &Args, workspace: &Workspace) -> Result<bool> {
    if let Some([file, threads]) = args.once.as_deref() {
        return decode::once(file, threads.parse().context("threads is a number")?).map(|()| true);
    }
    if cfg!(debug_assertions) {
        let mut again = workspace.cargo("run --quiet --release --package xtask --");
        again.args(std::env::args_os().skip(1));
        return Ok(again.status().context("cannot start cargo")?.success());
    }
    let wanted = |name| args.name.is_none_or(|only| only == name);
    if wanted(Name::Scan) {
        decode::scan(workspace)?;
    }
    if wanted(Name::Decode) {
        decode::decode(workspace)?;
    }
    // It builds another program, for which not every machine has the tools.
    if args.name == Some(Name::Portable) {
        portable::portable(workspace)?;
    }
    if wanted(Name::Explain) {
        explain::explain(workspace)?;
    }
    if wanted(Name::Page) {
        page::page(workspace)?;
    }
    if wanted(Name::Load) {
        load::load(workspace)?;
    }
    if wanted(Name::Record) {
        record::record(workspace, &args.record)?;
    }
    if wanted(Name::Query) {
        println!("# query: a filter and a group over 1 M rows, beside a native table of SQLite");
        let status = workspace.cargo("run --quiet --release --package sql --example speed").status();
        return Ok(status.context("cannot start cargo")?.success());
    }
    Ok(true)
}
