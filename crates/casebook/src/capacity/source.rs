//! Where measurements come from: a table, or kept load runs.

use crate::load::scenario::{read_all, read_file};
use crate::reading;
use anyhow::{Context, Result, bail, ensure};
use base::number::real;
use capacity::{Measured, Point, Table};
use import::ProcessChoice;
use load::Objective;
use model::{Evidence, Kind, Load, NO_INT, SEND};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest table, in bytes: 100,000 rows have less.
const MAX_TABLE: u64 = 16 << 20;
/// Runs that are read.
const MAX_RUNS: usize = 1_000;
/// Failed answers from which a run is named.
const FAILED: f64 = 0.01;

/// Measurements, and what to know of them.
#[derive(Debug)]
pub(super) struct Source {
    /// With its path.
    pub(super) title: String,
    /// Without it.
    pub(super) name: String,
    pub(super) points: Vec<Point>,
    /// The header of the third column.
    pub(super) latency_name: Option<String>,
    /// The runs; none for a table.
    pub(super) runs: Vec<Run>,
    pub(super) notes: Vec<String>,
}

/// A kept load run.
#[derive(Debug)]
pub(super) struct Run {
    name: String,
    load: Arc<Load>,
    concurrency: Concurrency,
    /// Responses per second.
    answered: f64,
    /// The mean latency from the send, in milliseconds; by the histograms, whose buckets are 6 % wide.
    mean_ms: Option<f64>,
}

/// How many requests were under way, on average.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Concurrency {
    /// So many users or connections, each of which always waited for an answer.
    Closed(f64),
    /// Users less those who were thinking, by Little's law.
    Thinking(f64),
    /// Rate times mean latency, by Little's law.
    Little(f64),
}

impl Concurrency {
    fn value(self) -> f64 {
        match self {
            Self::Closed(value) | Self::Thinking(value) | Self::Little(value) => value,
        }
    }

    fn basis(self) -> &'static str {
        match self {
            Self::Closed(_) => "users",
            Self::Thinking(_) => "users less those who think",
            Self::Little(_) => "rate × mean latency",
        }
    }
}

impl Source {
    /// Reads one table, or several runs.
    pub(super) fn open(files: &[PathBuf]) -> Result<Self> {
        ensure!(files.len() <= MAX_RUNS, "expected up to {MAX_RUNS} runs, found {}", files.len());
        match files {
            [file] if is_table(file) => Self::table(file),
            files => Self::runs(files),
        }
    }

    /// Whether it is of load runs.
    pub(super) fn is_of_runs(&self) -> bool {
        !self.runs.is_empty()
    }

    fn table(file: &Path) -> Result<Self> {
        let is_stdin = file == Path::new("-");
        let title = if is_stdin { "standard input".to_owned() } else { file.display().to_string() };
        let bytes =
            if is_stdin { read_all(std::io::stdin().lock(), MAX_TABLE) } else { read_file(file, MAX_TABLE) };
        let bytes = bytes.with_context(|| format!("cannot read {title}"))?;
        let table = capacity::read(&bytes).with_context(|| title.clone())?;
        let latency_name = table.header.as_ref().and_then(|header| header.get(2)).cloned();
        let name = file.file_name().filter(|_| !is_stdin);
        let name = name.map_or_else(|| title.clone(), |name| name.to_string_lossy().into_owned());
        Ok(Self { title, name, notes: notes(&table), points: table.points, latency_name, runs: Vec::new() })
    }

    fn runs(files: &[PathBuf]) -> Result<Self> {
        let mut runs = Vec::new();
        for file in files {
            ensure!(
                file != Path::new("-") && !is_table(file),
                "{}: expected one table, or runs that `casebook load -o` kept; found several files of which this is a table",
                file.display()
            );
            runs.push(Run::open(file)?);
        }
        let points = runs.iter().map(|run| Point {
            load: run.concurrency.value(),
            throughput: run.answered,
            // Where the load comes from the latency, it cannot check it.
            latency: run.mean_ms.filter(|_| matches!(run.concurrency, Concurrency::Closed(_))),
        });
        Ok(Self {
            title: format!("{} load runs", runs.len()),
            name: format!("{} load runs", runs.len()),
            points: points.collect(),
            latency_name: Some("ms".to_owned()),
            notes: runs.iter().flat_map(Run::notes).collect(),
            runs,
        })
    }
}

/// Remarks about a table.
fn notes(table: &Table) -> Vec<String> {
    let mut notes = Vec::new();
    if table.has_more_columns {
        notes.push(
            "Columns behind the third are not read: load, throughput and latency count by their place."
                .to_owned(),
        );
    }
    notes
}

/// Whether a path is a table and not a run: a file that is not JSON, and no log of histograms.
fn is_table(file: &Path) -> bool {
    if file == Path::new("-") {
        return true;
    }
    let name = file.to_string_lossy().to_ascii_lowercase();
    let is_of_run = [".json", ".hlog", ".json.zst", ".hlog.zst"].iter().any(|ending| name.ends_with(ending));
    !file.is_dir() && !is_of_run
}

impl Run {
    fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let found = reading::find(path)?;
        let mut loads = found.iter().filter(|of| of.kind == Kind::Load);
        let (Some(of_load), None) = (loads.next(), loads.next()) else {
            bail!(
                "{name}: expected a load run that `casebook load -o` kept, found {} of them",
                found.iter().filter(|of| of.kind == Kind::Load).count()
            );
        };
        let evidence = reading::open(&of_load.path, false, ProcessChoice::All)?;
        reading::warn_of_losses(&evidence);
        let Evidence::Load(load) = evidence else {
            bail!(
                "{name}: expected a load run that `casebook load -o` kept, found a {}",
                of_load.kind.title()
            );
        };
        let answered = figure(&load, "rate.answered").filter(|of| *of > 0.0);
        let answered = answered
            .with_context(|| format!("{name}: the run has no rate of answers, in run.json or above 0"))?;
        let mean_ms = mean_ms(&load);
        let concurrency =
            concurrency(&load, answered, mean_ms).filter(|of| of.value() > 0.0 && of.value().is_finite());
        let concurrency = concurrency.with_context(|| {
            format!("{name}: how many requests were under way is unknown: expected latency.hlog beside run.json, or a run with --users")
        })?;
        Ok(Self { name, load, concurrency, answered, mean_ms })
    }

    /// The value of an objective.
    pub(super) fn measured(&self, objective: &Objective) -> Measured {
        let value = match objective.limited_quantile() {
            Some(quantile) => self.load.main_basis().and_then(|basis| self.load.quantile(basis, quantile)),
            None => self.mean_ms,
        };
        let rate = figure(&self.load, "rate.asked").unwrap_or(self.answered);
        Measured { rate, value, holds: value.is_some_and(|of| objective.holds(of)) }
    }

    /// The run in JSON.
    pub(super) fn json(&self) -> Value {
        json!({
            "run": self.name, "n": self.concurrency.value(), "n_from": self.concurrency.basis(), "throughput": self.answered,
            "mean_ms": self.mean_ms,
        })
    }

    /// What makes it less comparable.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut note = |text: String| notes.push(format!("{}: {text}", self.name));
        let of = |name: &str| figure(&self.load, name).unwrap_or(0.0);
        if of("client.limited") > 0.0 {
            note("the generator was a part of what was measured.".to_owned());
        }
        let without = of("planned") - of("responses") + of("failed_responses");
        if of("planned") > 0.0 && without / of("planned") > FAILED {
            let share = without / of("planned") * 100.0;
            note(format!(
                "{share:.1} % of the requests failed or were not answered; failed answers count as throughput."
            ));
        }
        if self.load.run.steadiness.as_deref() == Some("not steady") {
            note("the latency was not steady, so its means are of two states or more.".to_owned());
        }
        if self.load.run.ended.as_deref().is_some_and(|ended| ended != "complete") {
            note("the run did not end as planned.".to_owned());
        }
        notes
    }
}

fn figure(load: &Load, name: &str) -> Option<f64> {
    load.metric(name)
}

/// The mean latency from the send, by the middles of the buckets.
fn mean_ms(load: &Load) -> Option<f64> {
    let of = load.strings.find(SEND)?;
    let table = &load.histogram;
    let (mut sum, mut requests) = (0.0, 0.0);
    for (((basis, from), to), number) in
        table.basis.iter().zip(&table.from_ms).zip(&table.to_ms).zip(&table.count)
    {
        if *basis == of && *number != NO_INT {
            sum += f64::midpoint(*from, *to) * real(*number);
            requests += real(*number);
        }
    }
    (requests > 0.0).then_some(sum / requests).filter(|mean| mean.is_finite() && *mean > 0.0)
}

fn concurrency(load: &Load, answered: f64, mean_ms: Option<f64>) -> Option<Concurrency> {
    let closed = match load.run.schedule.as_deref() {
        Some("closed") => figure(load, "schedule.users"),
        Some("max") => figure(load, "connections"),
        _ => None,
    };
    let think = figure(load, "schedule.think_ms").unwrap_or(0.0) / 1e3;
    match closed {
        Some(users) if think > 0.0 => Some(Concurrency::Thinking(users - answered * think)),
        Some(users) => Some(Concurrency::Closed(users)),
        None => mean_ms.map(|mean| Concurrency::Little(answered * mean / 1e3)),
    }
}
