//! `casebook explain`: what a recording says about the service, on a page or as JSON.

mod json;
mod text;
mod topics;
mod verdict;

use crate::format::print_json;
use crate::reading;
use anyhow::Result;
use clap::ValueEnum;
use runtime::StackIndex;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is wrong with the service, by a recording of it: findings with their evidence, and each part in figures
///
/// Findings stand in the order of the harm that each explains, causes before symptoms, with what was measured, where, how
/// it comes about, what to try and how to verify. docs/findings.md, or --rules, says how each rule decides.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  casebook explain trace.nettrace\n  casebook explain trace.nettrace.zst --figures\n  casebook explain trace.nettrace --format json | jq '.findings[0]'\n  casebook explain trace.nettrace --topic gc,memory\n  casebook explain trace.nettrace --fail-on warning   # in scripts: exit 1 where there is one"
)]
pub(crate) struct Args {
    /// A recording: .nettrace, packed or not, or an exhibit's folder
    #[arg(required_unless_present = "rules")]
    file: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show the figures whole: methods, types, routes, reasons
    #[arg(long)]
    figures: bool,
    /// Explain how these parts of the runtime work, with this recording's own figures
    #[arg(long, value_enum, value_name = "TOPICS", value_delimiter = ',')]
    topic: Vec<topics::Name>,
    /// Exit with 1 where a finding is at least this severe
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<Severity>,
    /// Print how each rule decides, as Markdown, and exit
    #[arg(long, conflicts_with_all = ["fail_on", "figures", "topic"])]
    rules: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Severity {
    /// Findings that are critical
    Critical,
    /// Warnings, and what is worse
    Warning,
    /// Any finding
    Note,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.rules {
        anstream::stdout().write_all(findings::markdown().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = args.file.as_deref().unwrap_or_else(|| Path::new(""));
    let recording = reading::open_trace(file, false)?;
    let index = StackIndex::new(&recording);
    let report = findings::explain_with(&recording, &index);
    let parts = runtime::parts_with(&recording, &index);
    let topics = topics::of(&recording, &index, &parts, &args.topic);
    match args.format {
        Format::Json => {
            let mut document = json::document(&recording, &report, &parts);
            if !topics.is_empty() {
                document["topics"] = topics::json(&topics);
            }
            print_json(&document)?;
        }
        Format::Text if !topics.is_empty() => {
            let page = topics::page(&recording, &topics);
            anstream::stdout().write_all(page.text().as_bytes())?;
        }
        Format::Text => {
            let detail = if args.figures { text::Detail::Full } else { text::Detail::Short };
            let page = text::page(&recording, &report, &parts, detail);
            anstream::stdout().write_all(page.text().as_bytes())?;
        }
    }
    let least = args.fail_on.map(Severity::least);
    let fails = least.is_some_and(|least| report.findings.iter().any(|finding| finding.severity >= least));
    Ok(if fails { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

impl Severity {
    fn least(self) -> report::Severity {
        match self {
            Self::Critical => report::Severity::Critical,
            Self::Warning => report::Severity::Warning,
            Self::Note => report::Severity::Note,
        }
    }
}
