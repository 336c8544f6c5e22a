//! `casebook load --merge`: several kept runs as one.

use super::form::Format;
use crate::format::print_json;
use crate::terminal;
use exhibit::Rules;
use load::{Kept, Latencies, Objective, Second, Verdict, Watcher, merge};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

/// Keeps the histograms of each second.
struct Log(Kept);

impl Watcher for Log {
    fn begun(&mut self, at: SystemTime) {
        self.0.begin(at);
    }

    fn interval(&mut self, second: &Second, latencies: &Latencies) {
        self.0.add(second, latencies);
    }
}

/// What is merged, and what becomes of it.
pub(super) struct Merge<'a> {
    /// The folders of the runs.
    pub(super) runs: &'a [PathBuf],
    /// Where the sum is kept.
    pub(super) out: Option<&'a Path>,
    pub(super) rules: Rules,
    pub(super) objectives: &'a [Objective],
    pub(super) format: Format,
    /// The command line.
    pub(super) command: String,
}

/// Adds the runs, prints the sum and keeps it.
pub(super) fn run(args: &Merge<'_>) -> anyhow::Result<ExitCode> {
    let runs: Vec<&Path> = args.runs.iter().map(PathBuf::as_path).collect();
    // Once without an output, so that runs that cannot be merged leave nothing.
    let merged = merge(&runs, &mut ())?;
    let verdicts: Vec<(&Objective, Verdict)> =
        args.objectives.iter().map(|of| (of, of.verdict(&merged.plan, &merged.run))).collect();
    let mut document = load::document(&merged.plan, &merged.run, None, &verdicts);
    document["notes"] = merged.notes.iter().map(String::as_str).collect();
    document["merged"] = runs.len().into();
    if let Some(out) = args.out {
        let tool = format!("casebook {}", env!("CARGO_PKG_VERSION"));
        let mut log = Log(Kept::create(out, args.rules, &merged.plan, tool, args.command.clone())?);
        merge(&runs, &mut log)?;
        log.0.finish(&document, merged.run.ended())?;
    }
    match args.format {
        Format::Json => print_json(&document)?,
        Format::Prometheus => {
            terminal::print(&text::load::prometheus(&merged.plan, &merged.run, &verdicts))?;
        }
        Format::Text => {
            let out = args.out.map(|out| out.display().to_string());
            let shown = text::load::Shown {
                plan: &merged.plan,
                run: &merged.run,
                warmup: None,
                verdicts: &verdicts,
                out: out.as_deref(),
            };
            terminal::print(&text::load::page(&shown, terminal::width()))?;
            for note in &merged.notes {
                terminal::say(note);
            }
        }
    }
    let is_missed = verdicts.iter().any(|(_, verdict)| !matches!(verdict, Verdict::Met(_)));
    Ok(if is_missed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
