//! `casebook explain`: what a recording says about the service, on a page or as JSON.

use crate::format::print_json;
use crate::mine;
use crate::reading;
use crate::terminal;
use anyhow::{Result, ensure};
use clap::ValueEnum;
use model::{Evidence, Kind};
use report::{Explanation, Severity, State};
use runtime::{MyCode, StackIndex};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use text::explain::Detail;
use topics::{Id, Topic};

/// What is wrong with the service, by a recording of it: findings with their evidence, and each part in figures
///
/// Findings stand in the order of the harm that each explains, causes before symptoms, with what was measured, where, how
/// it comes about, what to try and how to verify. docs/findings.md, or --rules, says how each rule decides. Of benchmark
/// results it prints the figures: there are no rules for them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  casebook explain trace.nettrace\n  casebook explain trace.nettrace.zst --figures\n  casebook explain trace.nettrace --format json | jq '.findings[0]'\n  casebook explain trace.nettrace --topic gc,memory\n  casebook explain Parse-report-full.json\n  casebook explain trace.nettrace --fail-on warning,unexplained,cannot-judge   # for scripts: exit 1 unless the verdict is healthy"
)]
pub(crate) struct Args {
    /// A recording (.nettrace, packed or not), benchmark results (*-report-full.json), or an exhibit's folder
    #[arg(required_unless_present = "rules")]
    file: Option<PathBuf>,
    #[command(flatten)]
    whose: reading::Whose,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show the figures whole: methods, types, routes, reasons
    #[arg(long)]
    figures: bool,
    /// Explain how these parts of the runtime work, with this recording's own figures
    #[arg(long, value_enum, value_name = "TOPICS", value_delimiter = ',')]
    topic: Vec<Name>,
    /// Exit with 1 if a finding is at least this severe, or if the verdict is this one; several with commas between them
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    fail_on: Vec<FailOn>,
    #[command(flatten)]
    mine: mine::Mine,
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
enum FailOn {
    /// Findings that are critical
    Critical,
    /// Warnings, and what is worse
    Warning,
    /// Any finding
    Note,
    /// The verdict: requests are slow or queues grow, and nothing that was recorded explains it
    Unexplained,
    /// The verdict: too short, damaged or poor in data
    CannotJudge,
}

/// A part of the runtime to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Garbage collector: generations, budgets, pauses, modes
    Gc,
    /// Compiler: tiers, instrumentation, precompiled and dynamic code
    Jit,
    /// Thread pool: work, workers, injection, starvation
    #[value(name = "threadpool")]
    ThreadPool,
    /// Memory: allocation, sampling, survival, large and pinned objects, finalizers
    Memory,
    /// Async methods: state machines, continuations, contexts, stacks
    Async,
    /// Requests: how many, how long, percentiles, Little's law
    Requests,
    /// Processors: use, the sampler, states of threads, saturation
    Cpu,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.rules {
        terminal::stdout().write_all(findings::markdown().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = args.file.as_deref().unwrap_or_else(|| Path::new(""));
    let my = args.mine.code()?;
    let evidence = reading::open(file, false, args.whose.or_most_sampled())?;
    let ids: Vec<Id> = args.topic.iter().map(|name| name.id()).collect();
    let (explanation, topics) = explained(&evidence, &ids, &my)?;
    ensure!(
        args.fail_on.is_empty() || explanation.verdict.is_some(),
        "{} is a {}, for which there are no rules: --fail-on is for traces (.nettrace)",
        evidence.exhibit().file,
        evidence.kind().title()
    );
    match args.format {
        Format::Json => {
            let mut document = text::explain::document(&evidence, &explanation);
            if !topics.is_empty() {
                document["topics"] = text::topics::json(&topics);
            }
            print_json(&document)?;
        }
        Format::Text => {
            let detail = if args.figures { Detail::Full } else { Detail::Short };
            let page = if topics.is_empty() {
                text::explain::page(&explanation, detail)
            } else {
                text::topics::page(&explanation.heading, explanation.verdict.as_ref(), &topics)
            };
            terminal::stdout().write_all(page.as_bytes())?;
        }
    }
    let fails = args.fail_on.iter().any(|what| what.is_met(&explanation));
    Ok(if fails { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Everything that is said of an exhibit of any kind, and the topics that were asked for.
fn explained(evidence: &Evidence, ids: &[Id], my: &MyCode) -> Result<(Explanation, Vec<Topic>)> {
    let (kind, file) = (evidence.kind(), &evidence.exhibit().file);
    ensure!(
        ids.is_empty() || kind == Kind::Trace,
        "{file} is a {}: --topic is for traces (.nettrace), it explains how parts of the runtime work",
        kind.title()
    );
    match evidence {
        Evidence::Trace(trace) => {
            let index = StackIndex::with(trace, my);
            let explanation = findings::explanation(trace, &index);
            let topics = topics::explain(trace, &index, &explanation.parts, ids);
            Ok((explanation, topics))
        }
        Evidence::Bench(bench) => {
            Ok((benchmarks::explanation(bench, &benchmarks::distributions(bench)), Vec::new()))
        }
    }
}

impl FailOn {
    fn is_met(self, explanation: &Explanation) -> bool {
        let findings = &explanation.report.findings;
        let has = |least: Severity| findings.iter().any(|finding| finding.severity >= least);
        let is = |state: State| explanation.verdict.as_ref().is_some_and(|verdict| verdict.state == state);
        match self {
            Self::Critical => has(Severity::Critical),
            Self::Warning => has(Severity::Warning),
            Self::Note => has(Severity::Note),
            Self::Unexplained => is(State::Unexplained),
            Self::CannotJudge => is(State::CannotJudge),
        }
    }
}

impl Name {
    fn id(self) -> Id {
        match self {
            Self::Gc => Id::Gc,
            Self::Jit => Id::Jit,
            Self::ThreadPool => Id::ThreadPool,
            Self::Memory => Id::Memory,
            Self::Async => Id::Async,
            Self::Requests => Id::Requests,
            Self::Cpu => Id::Cpu,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_name_and_every_name_a_topic() {
        let names: Vec<String> = Name::value_variants()
            .iter()
            .filter_map(|name| Some(name.to_possible_value()?.get_name().to_owned()))
            .collect();
        assert_eq!(names, Id::ALL.map(Id::name));
        assert_eq!(Name::value_variants().iter().map(|name| name.id()).collect::<Vec<_>>(), Id::ALL);
    }

    #[test]
    fn topics_are_for_traces_alone() {
        let refused = explained(&Kind::Bench.empty(), &[Id::Gc], &MyCode::default()).unwrap_err().to_string();
        assert!(refused.contains("is a benchmark file: --topic is for traces"), "{refused}");
        assert!(explained(&Kind::Trace.empty(), &[Id::Gc], &MyCode::default()).is_ok());
    }
}
