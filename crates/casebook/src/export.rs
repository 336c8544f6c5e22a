//! `casebook export`: a recording in the formats of other viewers, as tables, or as one HTML page.

use crate::completions::candidates;
use crate::config::Config;
use crate::format::{Format, print_json};
use crate::mine;
use crate::outputs::{MaxSize, Outputs, is_stdout, write_whole};
use crate::spreadsheet;
use crate::{interrupt, reading, terminal};
use anyhow::{Context, Result, anyhow, ensure};
use clap::ValueEnum;
use exhibit::{PendingFolder, Rules};
use export::{What, Written};
use model::{Evidence, Kind};
use runtime::MyCode;
use sql::{Database, QueryOptions, output};
use std::ffi::OsString;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use summary::Exported;
use to::To;

mod summary;
mod to;

const AFTER_HELP: &str = "\
Examples:
  casebook export slow --to speedscope             # into slow.speedscope.json
  casebook export trace.nettrace --to firefox -o t.json.gz
  casebook export slow --to folded --metric allocations -o - \\
    | flamegraph.pl > t.svg
  casebook export slow --to parquet -o tables      # one file per table
  casebook export slow --to html                   # the pages as one file
  casebook export slow --to pprof --format json | jq .left_out";

/// Export a recording for other viewers, as tables, or as one HTML page
///
/// Standard error says how to open the file, what is in it, and what of the recording is not; docs/exports.md says more
/// about each format. Samples count wall-clock time: a thread that waits is sampled like one that runs. Benchmark results have no
/// samples, so use csv, parquet or html for them.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// A recording's or load run's folder, a .nettrace file (compressed or not), a latency log (.hlog), or benchmark results (*-report-full.json)
    #[arg(add = candidates::recordings())]
    file: PathBuf,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: To,
    /// The file to write, which appears when it is complete and replaces one that is there; for csv and parquet a folder; - is standard output [default:
    /// the recording's name and the format's ending, in the current folder]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
    #[command(flatten)]
    size: MaxSize,
    #[command(flatten)]
    whose: reading::Whose,
    /// For folded: what to count [default: samples]. For pprof: what to show first [default: running]
    #[arg(long, value_enum, value_name = "METRIC")]
    metric: Option<MetricChoice>,
    #[command(flatten)]
    mine: mine::Mine,
    #[command(flatten)]
    csv: spreadsheet::Raw,
    /// How to print what is in the export and what is not
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MetricChoice {
    /// All samples, of running and waiting threads
    Samples,
    /// Samples of running threads
    Running,
    /// Samples of waiting threads
    Waiting,
    /// Allocated bytes, estimated from sampled allocations
    Allocations,
    /// Nanoseconds that threads waited for locks
    Contention,
    /// Nanoseconds that threads waited for handles
    Waits,
    /// Exceptions thrown
    Exceptions,
}

pub(crate) fn run(args: &Args, config: &Config) -> Result<ExitCode> {
    let to = args.to;
    ensure!(
        args.metric.is_none() || matches!(to, To::Folded | To::Pprof),
        "--metric is for --to folded and --to pprof: the other formats hold all metrics"
    );
    let stdout = args.output.as_deref().is_some_and(is_stdout);
    ensure!(!(stdout && to.is_folder()), "{} is one file per table: name a folder with -o PATH", to.name());
    let is_binary = matches!(to, To::Firefox | To::Pprof);
    ensure!(
        !(stdout && is_binary && terminal::is_stdout()),
        "{} is a binary format, which a terminal cannot show: add -o FILE",
        to.name()
    );
    let output = match &args.output {
        Some(path) => path.clone(),
        None => PathBuf::from(default_name(&args.file, to, args.metric)?),
    };
    if !stdout {
        reading::ensure_not_read(&output, std::iter::once(args.file.as_path()))?;
        reading::ensure_not_recording(&output)?;
    }
    args.csv.ensure_csv(to == To::Csv)?;
    ensure!(
        !(stdout && args.format == Format::Json),
        "--format json prints what was exported, and standard output is where the export itself goes: name a file with -o FILE"
    );
    let mine = args.mine.code(config)?;
    let rules = args.size.rules(args.outputs);
    interrupt::remove_unfinished()?;
    // Started first: reading the recording may take long, and a folder that cannot be written is reported before that.
    let folder = to.is_folder().then(|| begin_folder(&output, to, rules)).transpose()?;
    // A page is about one service.
    let process = if to == To::Html { args.whose.or_most_sampled() } else { args.whose.or_all() };
    let run = if to == To::Html { reading::open_run(&args.file, true, process)? } else { None };
    let source = match run {
        Some(run) => Source::Run(Box::new(run.pages(&args.file, &mine))),
        None => Source::One(reading::open(&args.file, to.has_payloads(), process)?),
    };
    let kind = source.kind();
    let written = match folder {
        Some(mut folder) => {
            let Tables { report, guarded } = tables(&source.one()?, to, args.csv, &mut folder)?;
            folder.finish()?;
            spreadsheet::warn(guarded);
            report
        }
        None if stdout => {
            let screened = if to.is_json() { terminal::json() } else { terminal::rows() };
            let mut out = BufWriter::new(args.size.limit(screened));
            let report = one_file(source, to, args.metric, &mine, &mut out)?;
            out.flush()?;
            report
        }
        None => write_whole(&output, rules, |out| one_file(source, to, args.metric, &mine, out))?,
    };
    let place = if stdout { "to standard output".to_owned() } else { output.display().to_string() };
    let exported = Exported { place: &place, to, kind, written: &written };
    match args.format {
        Format::Text => exported.say(),
        Format::Json => print_json(&exported.document(bytes_of(&output)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

impl MetricChoice {
    fn what(self) -> What {
        match self {
            Self::Samples => What::Samples,
            Self::Running => What::Running,
            Self::Waiting => What::Waiting,
            Self::Allocations => What::Allocations,
            Self::Contention => What::Contention,
            Self::Waits => What::Waits,
            Self::Exceptions => What::Exceptions,
        }
    }
}

/// The recording's name without its endings, with the ending of the format.
fn default_name(file: &Path, to: To, metric: Option<MetricChoice>) -> Result<OsString> {
    // `.` and `folder/..` have no name of their own, but the folders that they lead to have.
    let file = if file.file_name().is_some() { file.to_path_buf() } else { file.canonicalize()? };
    let mut stem = file.clone();
    for ending in ["zst", "gz", "zip", "nettrace", "json"] {
        if stem.extension().is_some_and(|of| of == ending) {
            stem.set_extension("");
        }
    }
    let mut name =
        stem.file_name().context("the recording has no name: name the output with -o PATH")?.to_owned();
    if let Some(metric) = metric.filter(|_| to == To::Folded) {
        let words = metric.to_possible_value();
        name.extend(words.iter().flat_map(|word| [".", word.get_name()]).map(OsString::from));
    }
    name.push(".");
    name.push(to.ending());
    Ok(name)
}

/// What is exported.
enum Source {
    One(Evidence),
    /// A load run with the recording of the service during it.
    Run(Box<page::Together>),
}

impl Source {
    fn kind(&self) -> Kind {
        match self {
            Self::One(evidence) => evidence.kind(),
            Self::Run(_) => Kind::Load,
        }
    }

    /// The evidence, if it is one exhibit.
    fn one(self) -> Result<Evidence> {
        match self {
            Self::One(evidence) => Ok(evidence),
            Self::Run(_) => Err(anyhow!("tables are those of one exhibit: name one of the sub-folders")),
        }
    }
}

/// What a page of a load run with a recording lacks.
const FIRST_PAGE: &str =
    "all but the first page: export the sub-folders of the load run and of the recording for theirs";

/// Writes an export that is one file.
fn one_file(
    source: Source,
    to: To,
    metric: Option<MetricChoice>,
    my: &MyCode,
    out: &mut impl Write,
) -> Result<Written> {
    let evidence = match source {
        Source::Run(pages) => {
            mine::warn(pages.explanation());
            out.write_all(pages.file().as_bytes())?;
            let what = FIRST_PAGE.to_owned();
            let left_out = vec![export::LeftOut { what, count: None, why: export::Why::Cut }];
            return Ok(Written { left_out, ..Written::default() });
        }
        Source::One(evidence) => evidence,
    };
    let Some(format) = to.profile() else {
        let pages = page::Pages::of(evidence, None, my)?;
        mine::warn(pages.explanation());
        out.write_all(pages.file().as_bytes())?;
        return Ok(Written::default());
    };
    let kind = evidence.kind().title();
    let trace = evidence.into_trace().with_context(|| {
        format!("a {kind} has no samples for {}: export its tables, with --to csv or --to parquet", to.name())
    })?;
    Ok(export::write(&trace, format, metric.map(MetricChoice::what), out)?)
}

/// The size of a file, or of the files in a folder.
fn bytes_of(path: &Path) -> Result<u64> {
    let known = std::fs::metadata(path)?;
    if !known.is_dir() {
        return Ok(known.len());
    }
    std::fs::read_dir(path)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

/// Starts a folder that appears when all of its files are complete.
fn begin_folder(path: &Path, to: To, rules: Rules) -> Result<PendingFolder> {
    PendingFolder::begin(path, rules).map_err(|error| match error {
        exhibit::Error::NotEmpty(_) => {
            anyhow!("{error}: name another folder with -o PATH, or remove it first")
        }
        exhibit::Error::Write { .. } if path.is_file() => {
            let (format, path) = (to.name(), path.display());
            anyhow!("{format} needs a folder, and {path} is a file: name another place with -o PATH")
        }
        error => error.into(),
    })
}

/// What was written into a folder of tables.
struct Tables {
    report: Written,
    /// How many texts got an apostrophe.
    guarded: u64,
}

/// Writes every table into a folder.
fn tables(evidence: &Evidence, to: To, csv: spreadsheet::Raw, folder: &mut PendingFolder) -> Result<Tables> {
    let left_out = evidence.as_trace().map_or_else(|| export::damage(evidence.lost()), export::lost);
    let exhibit = evidence.tables();
    let start = exhibit.exhibit().start_utc.parse::<jiff::Timestamp>().ok();
    let start = start.map(jiff::Timestamp::as_microsecond);
    let database = Database::of(exhibit.clone())?;
    let (mut report, mut guarded) = (Written { left_out, ..Written::default() }, 0);
    for spec in exhibit.catalogue() {
        let name = spec.name;
        let rows = exhibit.table(name).map_or(0, |table| table.rows);
        let table = Table { database: &database, name, rows, start };
        match to {
            To::Csv => guarded += table.csv(csv, folder)?,
            _ => table.parquet(folder)?,
        }
        let count = rows as u64;
        if name == "samples" {
            report.samples = count;
        }
        if rows > 0 {
            report.holds.push(export::Count { what: name.to_owned(), count });
        }
    }
    Ok(Tables { report, guarded })
}

/// A table that becomes a file.
struct Table<'a> {
    database: &'a Database,
    name: &'a str,
    rows: usize,
    /// When the recording began, in microseconds since 1970.
    start: Option<i64>,
}

impl Table<'_> {
    fn csv(&self, csv: spreadsheet::Raw, folder: &mut PendingFolder) -> Result<u64> {
        let options = QueryOptions { limit: None, interrupt_after: None };
        let sql = format!("select * from {}", self.name);
        folder.write_with(format!("{}.csv", self.name), |out| {
            let mut rows = csv.rows(out);
            self.database.stream(&sql, options, &mut rows)?;
            Ok(rows.guarded())
        })
    }

    /// Writes several files if memory may not hold all rows at once: `events-1.parquet` and so on.
    fn parquet(&self, folder: &mut PendingFolder) -> Result<()> {
        const MAX_ROWS: usize = 2_000_000;
        let parts = self.rows.div_ceil(MAX_ROWS).max(1);
        for part in 0..parts {
            let options = QueryOptions { limit: None, interrupt_after: None };
            let sql = format!("select * from {} limit {MAX_ROWS} offset {}", self.name, part * MAX_ROWS);
            let answer = self.database.query(&sql, options)?;
            let number = if parts > 1 { format!("-{}", part + 1) } else { String::new() };
            folder.write_with(format!("{}{number}.parquet", self.name), |out| {
                output::write_parquet(&answer, out, self.start)?;
                anyhow::Ok(())
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_default_name_is_the_recordings_with_the_formats_ending() {
        let check = |file: &str, to, metric, expected: &str| {
            assert_eq!(default_name(Path::new(file), to, metric).unwrap(), expected);
        };
        check("a/trace.nettrace.zst", To::Speedscope, None, "trace.speedscope.json");
        check("trace.v2.nettrace", To::Firefox, None, "trace.v2.firefox.json.gz");
        check("orders-1-2026/", To::Parquet, None, "orders-1-2026.parquet");
        check("t.nettrace", To::Folded, Some(MetricChoice::Allocations), "t.allocations.folded");
        check("t.nettrace", To::Pprof, Some(MetricChoice::Allocations), "t.pb.gz");
    }

    /// Exports a fixture.
    fn exported(to: To, output: &Path) -> Result<ExitCode> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/net8.nettrace.zst");
        let (whose, mine) = (reading::Whose { pid: None }, mine::Mine::default());
        let (outputs, size) = (Outputs::default(), MaxSize::default());
        let args = Args {
            file,
            to,
            output: Some(output.to_path_buf()),
            outputs,
            size,
            whose,
            metric: None,
            mine,
            csv: spreadsheet::Raw::default(),
            format: Format::Text,
        };
        run(&args, &Config::default())
    }

    #[test]
    fn every_format_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for to in To::value_variants() {
            let path = folder.path().join(to.ending());
            exported(*to, &path).unwrap();
            let size = fs::metadata(&path).unwrap().len();
            assert!(size > 1_000, "{}: {size} bytes", to.name());
        }
    }

    #[test]
    fn tables_are_a_file_each_in_a_complete_folder_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        for (to, ending) in [(To::Csv, "csv"), (To::Parquet, "parquet")] {
            let path = folder.path().join(ending);
            fs::create_dir(&path).unwrap();
            exported(to, &path).unwrap();
            for spec in model::Trace::CATALOGUE {
                assert!(path.join(spec.name).with_extension(ending).is_file(), "{} is missing", spec.name);
            }
            let error = exported(to, &path).unwrap_err().to_string();
            assert!(error.contains("has files in it"), "{error}");
        }
        let samples = fs::read_to_string(folder.path().join("csv").join("samples.csv")).unwrap();
        assert_eq!(samples.lines().count(), 1 + 5_126);
        // No folder of a temporary name is left.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_refused_export_leaves_the_recording_and_says_why() {
        let check = |args: Args, expected: &str| {
            let error = run(&args, &Config::default()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("trace.nettrace.zst");
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/net8.nettrace.zst"), &trace)
            .unwrap();
        let before = fs::read(&trace).unwrap();
        let args = |to, output: &Path, metric| Args {
            file: trace.clone(),
            to,
            output: Some(output.to_path_buf()),
            metric,
            outputs: Outputs::default(),
            size: MaxSize::default(),
            whose: reading::Whose { pid: None },
            mine: mine::Mine::default(),
            csv: spreadsheet::Raw::default(),
            format: Format::Text,
        };
        check(args(To::Chrome, &trace, None), "writing would destroy it");
        check(args(To::Csv, Path::new("-"), None), "csv is one file per table");
        check(args(To::Chrome, &trace, Some(MetricChoice::Waits)), "--metric is for");
        assert_eq!(fs::read(&trace).unwrap(), before);
    }
}
