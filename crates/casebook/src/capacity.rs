//! `casebook capacity`: how much a service can carry, by measurements at several loads or by a model.

mod models;
mod source;

use crate::format::{Format, print_json};
use crate::outputs::{Outputs, write_whole};
use crate::{duration, reading, terminal};
use anyhow::{Result, bail, ensure};
use capacity::{Asked, Bracket, Fit, Growth, Headroom, Measured};
use clap::ValueEnum;
use load::Objective;
use source::Source;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const AFTER_HELP: &str = "\
Examples:
  casebook capacity orders.csv                         # rows of users,throughput[,latency]
  casebook capacity u1 u2 u4 u8 u16                    # runs that `casebook load --users N -o uN` kept
  casebook capacity orders.csv --slo 'mean<50ms' --growth 10%/month --now 800
  casebook capacity r100 r200 r400 r800 --slo 'p99<50ms'
  casebook capacity orders.csv --at-load 100 --at-throughput 1500
  casebook capacity orders.csv --chart orders.svg      # the curve, its band, the residuals
  casebook capacity queue --arrivals 35/s --service 100ms --servers 4
  casebook capacity users 20 --think 1s --demand db=100ms

A table has its columns by place: load (users, connections, threads), throughput, and if you have it the mean latency. A header, comments
(#), and `,`, `;`, tabs or blanks between cells are fine. Measure at 6 or more loads, from 1 to well beyond the highest throughput.

Intervals are of 95 %. If the interval of β contains 0, the data do not show a maximum, and the command says so. docs/capacity.md says more.";

/// Say how much a service can carry: the peak of its throughput, and the load that still meets an objective
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// A table of load and throughput, - for standard input; or several runs that `casebook load -o` kept, one for each load
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The limit of latency to find the highest load for: mean<50ms by the fit, or p99<50ms by runs at several rates
    #[arg(long, value_name = "OBJECTIVE")]
    slo: Option<Objective>,
    /// How throughput grows, as 10%/month: says when the limit of --slo is reached
    #[arg(long, value_name = "GROWTH", value_parser = growth, requires_all = ["slo", "now"])]
    growth: Option<f64>,
    /// The throughput at present, in the unit of the measurements
    #[arg(long, value_name = "THROUGHPUT", value_parser = positive, requires = "growth")]
    now: Option<f64>,
    /// Predict at a load. May be given several times
    #[arg(long, value_name = "LOAD", value_parser = positive)]
    at_load: Vec<f64>,
    /// Predict at which load a throughput is reached, before the peak and behind it. May be given several times
    #[arg(long, value_name = "THROUGHPUT", value_parser = positive)]
    at_throughput: Vec<f64>,
    /// Predict at which load the mean response time is so long. May be given several times
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    at_latency: Vec<Duration>,
    /// The unit of time of the throughput in a table: response times depend on it
    #[arg(long, value_enum, default_value_t)]
    per: Per,
    /// Write the curve with its measurements, band and residuals as a picture (SVG)
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Queue(models::QueueArgs),
    Users(models::UsersArgs),
}

/// The unit of time of throughputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Per {
    /// Per second
    #[default]
    Second,
    /// Per minute
    Minute,
    /// Per hour
    Hour,
}

impl Per {
    fn seconds(self) -> f64 {
        match self {
            Self::Second => 1.0,
            Self::Minute => 60.0,
            Self::Hour => 3600.0,
        }
    }
}

/// Growth per month as a share: `10%/month`, `10%`.
fn growth(text: &str) -> Result<f64, String> {
    let percent = text.trim().trim_end_matches("/month").trim_end().strip_suffix('%');
    let percent: Option<f64> = percent.and_then(|percent| percent.trim().parse().ok());
    let share = percent.map(|percent| percent / 100.0).filter(|share| (1e-6..=100.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is not a growth: expected 10%/month, above 0"))
}

fn positive(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.trim().trim_end_matches("/s").parse().ok();
    let number = number.filter(|of| (1e-9..=1e15).contains(of));
    number.ok_or_else(|| format!("`{text}` is not a number above 0"))
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Some(Command::Queue(args)) => return models::queue(args),
        Some(Command::Users(args)) => return models::users(args),
        None => {}
    }
    let source = Source::open(&args.files)?;
    ensure!(
        args.per == Per::Second || !source.is_of_runs(),
        "--per is for tables: the throughput of runs is per second"
    );
    let per = args.per.seconds();
    let fit = Fit::of(source.points.clone());
    let why = fit.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let judged = judge(args, &source, &fit, per)?;
    let Some(fit) =
        fit.as_ref().map_or_else(|_| judged.measured.is_some().then_some(None), |fit| Some(Some(fit)))
    else {
        bail!("{}: {why}", source.title);
    };
    let little = capacity::little(&source.points, per, source.latency_name.as_deref());
    let responses: Vec<f64> = args.at_latency.iter().map(Duration::as_secs_f64).collect();
    let text = args.slo.as_ref().map_or("", Objective::text);
    let asked = Asked {
        per,
        loads: &args.at_load,
        throughputs: &args.at_throughput,
        responses: &responses,
        headroom: judged.headroom.as_ref().map(|of| (text, of)),
        measured: judged.measured.as_ref().map(|of| (text, of)),
        growth: args.growth.zip(args.now).map(|(per_month, from)| Growth { from, per_month }),
        little: little.as_ref(),
        notes: &source.notes,
    };
    let fit = fit.ok_or(why.as_str());
    if let Some(path) = &args.chart {
        let Ok(fit) = fit else { bail!("there is no curve to draw: {why}") };
        reading::ensure_not_read(path, args.files.iter().map(PathBuf::as_path))?;
        reading::ensure_not_recording(path)?;
        draw(path, fit, &source.name, args.outputs)?;
    }
    match args.format {
        Format::Json => {
            let mut document = capacity::document(fit, &asked);
            document["source"] = source.title.as_str().into();
            if source.is_of_runs() {
                document["runs"] = source.runs.iter().map(source::Run::json).collect();
            }
            print_json(&document)?;
        }
        Format::Text => {
            let shown = text::capacity::Shown { title: &source.title, fit, asked: &asked };
            terminal::print(&text::capacity::page(&shown, terminal::width()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What became of `--slo`.
#[derive(Default)]
struct Judged {
    headroom: Option<Headroom>,
    measured: Option<Bracket>,
}

fn judge(args: &Args, source: &Source, fit: &Result<Fit, capacity::FitError>, per: f64) -> Result<Judged> {
    let Some(objective) = &args.slo else { return Ok(Judged::default()) };
    if let (Some(millis), Ok(fit)) = (objective.mean_limit_ms(), fit) {
        let headroom = Headroom::of(fit, millis / 1e3 / per);
        return Ok(Judged { headroom: Some(headroom), ..Judged::default() });
    }
    let is_latency = objective.limited_quantile().is_some() || objective.mean_limit_ms().is_some();
    ensure!(
        is_latency,
        "--slo {}: expected a limit of the latency, such as mean<50ms or p99<50ms",
        objective.text()
    );
    // A mean without a fit: what is wrong with the fit is said of the table.
    if !source.is_of_runs() && objective.mean_limit_ms().is_some() {
        return Ok(Judged::default());
    }
    ensure!(
        source.is_of_runs(),
        "--slo {}: a table has no percentiles. Expected mean<50ms, or runs at several rates that `casebook load -o` kept",
        objective.text()
    );
    let measured: Vec<Measured> = source.runs.iter().map(|run| run.measured(objective)).collect();
    Ok(Judged { measured: Some(capacity::bracket(&measured)), ..Judged::default() })
}

/// Writes the picture.
fn draw(path: &Path, fit: &Fit, title: &str, outputs: Outputs) -> Result<()> {
    let svg = charts::scalability_file(fit, title, &text::capacity::sentence(fit));
    write_whole(path, outputs.rules(), |out| Ok(out.write_all(svg.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_read_per_month() {
        for text in ["10%/month", "10 %", " 10% /month"] {
            assert!(growth(text).is_ok_and(|share| (share - 0.1).abs() < 1e-12), "{text}");
        }
        for text in ["", "10", "-1%", "0%", "x%", "10%/year", "nan%"] {
            assert!(growth(text).is_err(), "{text}");
        }
        assert_eq!(positive("800/s"), Ok(800.0));
        for text in ["", "-1", "0", "nan", "inf", "1e300"] {
            assert!(positive(text).is_err(), "{text}");
        }
    }
}
