//! `casebook explain`: what a recording says about the service, as text, JSON or Markdown.

use crate::completions::candidates;
use crate::config::Config;
use crate::format::print_json;
use crate::mine;
use crate::reading::{self, RecordedRun};
use crate::terminal;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser};
use model::{Evidence, Kind};
use report::{Explanation, Severity, State};
use runtime::{MyCode, StackIndex};
use std::path::PathBuf;
use std::process::ExitCode;
use text::explain::Detail;
use topics::{Id, Topic};

mod recorded_run;

use recorded_run::Both;

const AFTER_HELP: &str = "\
Examples:
  casebook explain slow
  casebook explain trace.nettrace.zst --all
  casebook explain slow --topic gc,memory
  casebook explain slow --format json | jq '.verdict, .findings[0]'
  casebook explain slow --format markdown | gh issue create --title 'Orders is slow' --body-file -
  casebook explain Parse-report-full.json    # benchmark results
  casebook explain latency.hlog              # a load run, or its latency log
  casebook explain before                    # a load run and the recording of the service meanwhile

In a script, this exits with 1 unless the verdict is healthy:
  casebook explain slow --fail-on warning,unexplained,cannot-judge";

/// Explain what is wrong with a recorded service: a verdict, findings with evidence, and figures
///
/// The finding that explains the most harm comes first, causes before their symptoms. Each says what was measured, where,
/// how it comes about, what to try and how to verify. docs/findings.md, or --rules, says how each rule decides. For benchmark
/// results there are no rules, so it prints their figures. Load runs have rules of their own.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
#[command(
    override_usage = "casebook explain [OPTIONS] <FILE>\n       casebook explain --rules\n       casebook explain --rule <IDS>"
)]
pub(crate) struct Args {
    /// A recording's or load run's folder, a .nettrace file (compressed or not), a latency log (.hlog), or benchmark results (*-report-full.json)
    #[arg(required_unless_present_any = ["rules", "rule"], add = candidates::recordings())]
    file: Option<PathBuf>,
    #[command(flatten)]
    whose: reading::Whose,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print everything: all figures and lists, findings with all their places, and the checks that passed
    #[arg(long = "all", visible_alias = "figures", overrides_with = "figures")]
    figures: bool,
    /// Explain how these parts of the runtime work, with the figures of this recording
    #[arg(long, value_enum, value_name = "TOPICS", value_delimiter = ',')]
    topic: Vec<Name>,
    /// Exit with 1 if a finding is at least this severe, or if the verdict is this one (several, separated by commas)
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    fail_on: Vec<FailOn>,
    #[command(flatten)]
    mine: mine::Mine,
    /// Print how each rule decides, as Markdown unless to a terminal; needs no FILE
    #[arg(long, conflicts_with_all = ["file", "fail_on", "figures", "topic", "format", "pid", "my"])]
    rules: bool,
    /// Print how one rule decides, such as sync-over-async; several with commas; needs no FILE
    #[arg(long, value_name = "IDS", value_delimiter = ',', conflicts_with_all = ["fail_on", "figures", "topic", "format", "file", "rules", "pid", "my"], value_parser = rule_ids(), hide_possible_values = true)]
    rule: Vec<String>,
}

fn rule_ids() -> PossibleValuesParser {
    let of_traces = findings::RULES.iter().map(|rule| PossibleValue::new(rule.id).help(rule.about));
    let of_loads = loads::RULES.iter().map(|rule| PossibleValue::new(rule.id).help(rule.about));
    PossibleValuesParser::new(of_traces.chain(of_loads))
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    #[value(alias = "table")]
    Text,
    /// One JSON document
    Json,
    /// For an issue or a pull request: no text of the recording becomes a link, a mention or markup there
    #[value(alias = "md")]
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A critical finding
    Critical,
    /// A warning or a critical finding
    Warning,
    /// Any finding
    Note,
    /// The verdict that requests are slow or queues grow, and nothing in the recording says why
    Unexplained,
    /// The verdict that the recording is too short, damaged, or lacks the data
    CannotJudge,
}

/// A part of the runtime to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The GC: generations, budgets, pauses, modes
    Gc,
    /// The JIT compiler: tiers, instrumentation, precompiled and dynamic code
    Jit,
    /// The thread pool: work items, threads, injection, starvation
    #[value(name = "threadpool")]
    ThreadPool,
    /// Memory: allocation, sampling, survival, large and pinned objects, finalizers
    Memory,
    /// Async methods: state machines, continuations, contexts, stacks
    Async,
    /// Requests: rate, latency, percentiles, Little's law
    Requests,
    /// CPU: use, the sampler, states of threads, saturation
    Cpu,
}

/// Prints our own Markdown, and without its marks on a terminal.
fn print_guide(markdown: &str) -> std::io::Result<()> {
    if terminal::is_stdout() {
        terminal::print(&text::guide::shown(markdown, terminal::width()))
    } else {
        terminal::print(markdown)
    }
}

pub(crate) fn run(args: &Args, config: &Config) -> Result<ExitCode> {
    if args.rules {
        print_guide(&(findings::markdown() + &loads::markdown()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let is_asked = |id: &str| args.rule.iter().any(|of| of == id);
    let of_traces = findings::RULES.iter().filter(|rule| is_asked(rule.id));
    let of_loads = loads::RULES.iter().filter(|rule| is_asked(rule.id));
    let mut sections: Vec<String> = of_traces.map(|rule| findings::rule_as_markdown(rule)).collect();
    sections.extend(of_loads.map(|rule| loads::rule_as_markdown(rule)));
    if !sections.is_empty() {
        print_guide(&sections.join("\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    // Without --rules and --rule, the parser requires a file.
    let file = args.file.as_deref().context("name a recording")?;
    let my = args.mine.code(config)?;
    let ids: Vec<Id> = args.topic.iter().map(|name| name.id()).collect();
    if let Some(run) = reading::open_run(file, false, args.whose.or_most_sampled())? {
        return explain_run(args, &run, &ids, &my);
    }
    let evidence = reading::open(file, false, args.whose.or_most_sampled())?;
    let (explanation, topics) = explained(&evidence, &ids, &my)?;
    ensure!(
        args.fail_on.is_empty() || explanation.verdict.is_some(),
        "{} is a {}, and there are no rules for those: --fail-on is for traces (.nettrace) and load runs",
        evidence.exhibit().file,
        evidence.kind().title()
    );
    let printed = print(args, &evidence, &explanation, &topics);
    // Whoever has read enough, as `head` does, still learns the answer.
    printed.or_else(|error| if terminal::is_broken_pipe(&error) { Ok(()) } else { Err(error) })?;
    let fails = args.fail_on.iter().any(|what| what.is_met(&explanation));
    Ok(if fails { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Explains a load run with the recording of the service during it.
fn explain_run(args: &Args, run: &RecordedRun, ids: &[Id], my: &MyCode) -> Result<ExitCode> {
    let [load, trace] = run.evidence();
    let ((load, _), (trace, topics)) = (explained(&load, &[], my)?, explained(&trace, ids, my)?);
    let both = Both::new(run, load, trace, topics);
    let detail = if args.figures { Detail::Full } else { Detail::Short };
    let printed = match args.format {
        Format::Json => print_json(&both.document()),
        Format::Markdown => terminal::print(&both.markdown(args.figures)).map_err(Into::into),
        Format::Text => terminal::print(&both.text(detail)).map_err(Into::into),
    };
    // Whoever has read enough, as `head` does, still learns the answer.
    printed.or_else(|error| if terminal::is_broken_pipe(&error) { Ok(()) } else { Err(error) })?;
    let fails = args.fail_on.iter().any(|what| what.is_met(&both.load) || what.is_met(&both.trace));
    Ok(if fails { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn print(args: &Args, evidence: &Evidence, explanation: &Explanation, topics: &[Topic]) -> Result<()> {
    let (detail, width) = (if args.figures { Detail::Full } else { Detail::Short }, terminal::width());
    match args.format {
        Format::Markdown => terminal::print(&text::explain::markdown(explanation, topics, args.figures))?,
        Format::Json => {
            let mut document = text::explain::document(evidence, explanation);
            if !topics.is_empty() {
                document["topics"] = text::topics::json(topics);
            }
            print_json(&document)?;
        }
        Format::Text if topics.is_empty() => {
            terminal::print(&text::explain::page(explanation, detail, width))?;
        }
        Format::Text => {
            let verdict = explanation.verdict.as_ref();
            terminal::print(&text::topics::page(&explanation.heading, verdict, topics, width))?;
        }
    }
    Ok(())
}

/// The explanation of an exhibit of any kind, and the requested topics.
fn explained(evidence: &Evidence, ids: &[Id], my: &MyCode) -> Result<(Explanation, Vec<Topic>)> {
    let (kind, file) = (evidence.kind(), &evidence.exhibit().file);
    ensure!(
        ids.is_empty() || kind == Kind::Trace,
        "{file} is a {}: --topic is for traces (.nettrace), since it explains parts of the runtime",
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
        Evidence::Load(load) => Ok((loads::explanation(load), Vec::new())),
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
