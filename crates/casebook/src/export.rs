//! `casebook export`: a recording in the formats of other viewers, as tables, or as one page.

use crate::mine;
use crate::outputs::{MaxSize, Outputs, Waiting};
use crate::spreadsheet;
use crate::{interrupt, reading, terminal};
use anyhow::{Context, Result, anyhow, ensure};
use clap::ValueEnum;
use exhibit::{PendingFolder, Rules, same_file, write_whole};
use export::{LeftOut, Report, What};
use model::{Evidence, Kind};
use runtime::MyCode;
use sql::{Database, QueryOptions, output};
use std::ffi::OsString;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A recording for other viewers (speedscope, Firefox Profiler, pprof, Perfetto), as tables, or as one page
///
/// Every format says what it holds and what of the recording it has no place for; docs/exports.md tells of each.
/// Samples are of the wall clock: a thread that waits is sampled like one that runs. Benchmark results have no samples:
/// csv, parquet and html are for them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  casebook export trace.nettrace --to speedscope   # makes trace.speedscope.json\n  casebook export trace.nettrace --to firefox -o t.json.gz\n  casebook export trace.nettrace --to folded --metric allocations -o - | flamegraph.pl > t.svg\n  casebook export trace.nettrace --to parquet -o tables/   # a file a table"
)]
pub(crate) struct Args {
    /// A recording (.nettrace, packed or not), benchmark results (*-report-full.json), or an exhibit's folder
    file: PathBuf,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: To,
    /// Where to: a file, which appears when it is whole, or a folder for csv and parquet; - is standard output;
    /// without it the recording's name with the format's ending, in the current folder
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
    #[command(flatten)]
    size: MaxSize,
    #[command(flatten)]
    whose: reading::Whose,
    /// What a folded file counts [default: samples], and what pprof shows first [default: running]
    #[arg(long, value_enum, value_name = "METRIC")]
    metric: Option<Metric>,
    #[command(flatten)]
    mine: mine::Mine,
    #[command(flatten)]
    csv: spreadsheet::Raw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// JSON of speedscope.app: all threads, then each
    Speedscope,
    /// Packed JSON of profiler.firefox.com: samples, requests, GC, waits, exceptions, heap
    Firefox,
    /// Packed profile.proto, for `go tool pprof`, Pyroscope, Parca
    Pprof,
    /// A line a stack, for flame graph scripts
    Folded,
    /// Trace Event JSON, for ui.perfetto.dev
    Chrome,
    /// A folder with a .csv a table
    Csv,
    /// A folder with a .parquet a table
    Parquet,
    /// The page of `casebook open` as one file
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Metric {
    /// All samples, of threads that run or wait
    Samples,
    /// Samples of threads that run
    Running,
    /// Samples of threads that wait
    Waiting,
    /// Bytes of sampled allocations
    Allocations,
    /// Nanoseconds of waits for locks
    Contention,
    /// Nanoseconds of waits for handles
    Waits,
    /// Exceptions thrown
    Exceptions,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let to = args.to;
    ensure!(
        args.metric.is_none() || matches!(to, To::Folded | To::Pprof),
        "--metric is for --to folded and --to pprof: the other formats have all metrics beside each other"
    );
    let stdout = args.output.as_deref().is_some_and(is_stdout);
    ensure!(!(stdout && to.is_folder()), "{} is a file a table: say which folder with -o PATH", to.name());
    let is_binary = matches!(to, To::Firefox | To::Pprof);
    ensure!(
        !(stdout && is_binary && terminal::is_stdout()),
        "{} is no text: say where to with -o PATH",
        to.name()
    );
    let output = match &args.output {
        Some(path) => path.clone(),
        None => PathBuf::from(default_name(&args.file, to, args.metric)?),
    };
    let is_read = |path: &Path| import::files(&args.file).iter().any(|file| same_file(file, path));
    ensure!(
        stdout || !is_read(&output),
        "{} is a recording that is read here: the export would destroy it, write to another file",
        output.display()
    );
    args.csv.ensure_csv(to == To::Csv)?;
    let mine = args.mine.code()?;
    let rules = args.size.rules(args.outputs);
    interrupt::remove_unfinished()?;
    // A folder that cannot be written is told before the recording is read, which may take long.
    let folder = to.is_folder().then(|| begin_folder(&output, rules)).transpose()?;
    // A page speaks of one service.
    let process = if to == To::Html { args.whose.or_most_sampled() } else { args.whose.or_all() };
    let evidence = reading::open(&args.file, to.has_payloads(), process)?;
    let kind = evidence.kind();
    let report = match folder {
        Some(mut folder) => {
            let (report, guarded) = tables(&evidence, to, args.csv, &mut folder)?;
            folder.finish()?;
            spreadsheet::tell(guarded);
            report
        }
        None if stdout => {
            let screened = if to.is_json() { terminal::json() } else { terminal::rows() };
            let mut out = BufWriter::new(args.size.limit(screened));
            let report = one_file(evidence, to, args.metric, &mine, &mut out)?;
            out.flush()?;
            report
        }
        None => {
            let waiting = Waiting::for_reader(&output)?;
            write_whole(&output, rules, |out| {
                drop(waiting);
                one_file(evidence, to, args.metric, &mine, out)
            })?
        }
    };
    let place = if stdout { "standard output".to_owned() } else { output.display().to_string() };
    terminal::say(&summary(&place, to, kind, &report));
    Ok(ExitCode::SUCCESS)
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdout")
}

impl To {
    fn name(self) -> &'static str {
        match self {
            Self::Speedscope => "speedscope",
            Self::Firefox => "firefox",
            Self::Pprof => "pprof",
            Self::Folded => "folded",
            Self::Chrome => "chrome",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Html => "html",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Speedscope => "speedscope.json",
            Self::Firefox => "firefox.json.gz",
            Self::Pprof => "pb.gz",
            Self::Folded => "folded",
            Self::Chrome => "trace.json",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Html => "html",
        }
    }

    /// What to do with it.
    fn viewer(self) -> &'static str {
        match self {
            Self::Speedscope => "drop it on https://www.speedscope.app",
            Self::Firefox => "load it at https://profiler.firefox.com",
            Self::Pprof => "open it with `go tool pprof -http=: FILE`",
            Self::Folded => "draw it with flamegraph.pl, inferno or speedscope",
            Self::Chrome => "open it at https://ui.perfetto.dev",
            Self::Csv => "read it with any tool for tables",
            Self::Parquet => "read it with DuckDB, Spark, ClickHouse, pandas",
            Self::Html => "open it in a browser",
        }
    }

    fn is_json(self) -> bool {
        matches!(self, Self::Speedscope | Self::Chrome)
    }

    fn is_folder(self) -> bool {
        matches!(self, Self::Csv | Self::Parquet)
    }

    /// Whether it has the fields of events.
    fn has_payloads(self) -> bool {
        matches!(self, Self::Csv | Self::Parquet | Self::Html)
    }

    /// The format, where crate `export` writes it.
    fn profile(self) -> Option<export::Format> {
        match self {
            Self::Speedscope => Some(export::Format::Speedscope),
            Self::Firefox => Some(export::Format::Firefox),
            Self::Pprof => Some(export::Format::Pprof),
            Self::Folded => Some(export::Format::Folded),
            Self::Chrome => Some(export::Format::Chrome),
            Self::Csv | Self::Parquet | Self::Html => None,
        }
    }
}

impl Metric {
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

/// The recording's own name, its endings taken off, with the ending of the format.
fn default_name(file: &Path, to: To, metric: Option<Metric>) -> Result<OsString> {
    // `.` and `folder/..` have names only where they lead.
    let file = if file.file_name().is_some() { file.to_path_buf() } else { file.canonicalize()? };
    let mut stem = file.clone();
    for ending in ["zst", "gz", "zip", "nettrace", "json"] {
        if stem.extension().is_some_and(|of| of == ending) {
            stem.set_extension("");
        }
    }
    let mut name =
        stem.file_name().context("the recording has no name: say where to with -o PATH")?.to_owned();
    if let Some(metric) = metric.filter(|_| to == To::Folded) {
        let words = metric.to_possible_value();
        name.extend(words.iter().flat_map(|word| [".", word.get_name()]).map(OsString::from));
    }
    name.push(".");
    name.push(to.ending());
    Ok(name)
}

/// Writes a format that is one file.
fn one_file(
    evidence: Evidence,
    to: To,
    metric: Option<Metric>,
    my: &MyCode,
    out: &mut impl Write,
) -> Result<Report> {
    let Some(format) = to.profile() else {
        let pages = page::Pages::of(evidence, None, my)?;
        mine::tell(pages.explanation());
        out.write_all(pages.file().as_bytes())?;
        return Ok(Report::default());
    };
    let kind = evidence.kind().title();
    let trace = evidence.into_trace().with_context(|| {
        format!("a {kind} has no samples for {}: --to csv and --to parquet write its tables", to.name())
    })?;
    Ok(export::write(&trace, format, metric.map(Metric::what), out)?)
}

/// Begins a folder that appears when all of its files are complete.
fn begin_folder(path: &Path, rules: Rules) -> Result<PendingFolder> {
    PendingFolder::begin(path, rules).map_err(|error| match error {
        exhibit::Error::NotEmpty(_) => {
            anyhow!("{error}: say another folder with -o PATH, or remove it first")
        }
        error => error.into(),
    })
}

/// Writes every table into a folder. Returns also how many texts were guarded.
fn tables(
    evidence: &Evidence,
    to: To,
    csv: spreadsheet::Raw,
    folder: &mut PendingFolder,
) -> Result<(Report, u64)> {
    let left_out = evidence.as_trace().map_or_else(|| export::damage(evidence.lost()), export::lost);
    let exhibit = evidence.tables();
    let start = exhibit.exhibit().start_utc.parse::<jiff::Timestamp>().ok();
    let start = start.map(jiff::Timestamp::as_microsecond);
    let rows = |name| exhibit.table(name).map_or(0, |table| table.rows);
    let tables: Vec<(&str, usize)> =
        exhibit.catalogue().iter().map(|spec| (spec.name, rows(spec.name))).collect();
    let database = Database::of(exhibit)?;
    let (mut report, mut guarded) = (Report { left_out, ..Report::default() }, 0);
    for (name, rows) in tables {
        let table = Table { database: &database, name, rows, start };
        match to {
            To::Csv => guarded += table.csv(csv, folder)?,
            _ => table.parquet(folder)?,
        }
        if name == "samples" {
            report.samples = wide(rows);
        }
        if rows > 0 {
            report.holds.push(export::Count { what: format!("rows of {name}"), count: wide(rows) });
        }
    }
    Ok((report, guarded))
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
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

    /// A table of more rows than memory holds at once is several files, `events-1.parquet` and so on.
    fn parquet(&self, folder: &mut PendingFolder) -> Result<()> {
        const MOST_ROWS: usize = 2_000_000;
        let parts = self.rows.div_ceil(MOST_ROWS).max(1);
        for part in 0..parts {
            let options = QueryOptions { limit: None, interrupt_after: None };
            let sql = format!("select * from {} limit {MOST_ROWS} offset {}", self.name, part * MOST_ROWS);
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

/// A line on what was written, what was not, and who opens it.
fn summary(place: &str, to: To, kind: Kind, report: &Report) -> String {
    let holds: Vec<String> = report.holds.iter().map(|of| format!("{} {}", of.count, of.what)).collect();
    let left: Vec<String> = report.left_out.iter().map(left_out).collect();
    let mut line = place.to_owned();
    if !holds.is_empty() {
        line.extend([" holds ", &holds.join(", ")]);
    } else if to == To::Html && kind != Kind::Trace {
        line.push_str(" holds figures, pictures and the first rows of each table; left out: SQL and what the page names");
    } else if to == To::Html {
        line.push_str(
            " holds verdict, findings, time line, flame graphs and the first rows of each table; left out: SQL, patterns, \
             ranges of time and what the page names",
        );
    } else {
        line.push_str(" holds nothing: the recording has none of what this format shows");
    }
    if !left.is_empty() {
        line.extend(["; left out: ", &left.join("; ")]);
    }
    line.extend(["; ", to.viewer()]);
    line
}

fn left_out(of: &LeftOut) -> String {
    of.count.map_or_else(|| of.what.clone(), |count| format!("{count} {}", of.what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn without_a_place_the_name_is_the_recordings_with_the_formats_ending() {
        let check = |file: &str, to, metric, expected: &str| {
            assert_eq!(default_name(Path::new(file), to, metric).unwrap(), expected);
        };
        check("a/trace.nettrace.zst", To::Speedscope, None, "trace.speedscope.json");
        check("trace.v2.nettrace", To::Firefox, None, "trace.v2.firefox.json.gz");
        check("orders-1-2026/", To::Parquet, None, "orders-1-2026.parquet");
        check("t.nettrace", To::Folded, Some(Metric::Allocations), "t.allocations.folded");
        check("t.nettrace", To::Pprof, Some(Metric::Allocations), "t.pb.gz");
    }

    /// The exit of an export of a fixture.
    fn exported(to: To, output: &Path) -> Result<ExitCode> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/net8.nettrace.zst");
        let (whose, mine) = (reading::Whose { pid: None }, mine::Mine::default());
        let (outputs, size) = (Outputs::default(), MaxSize::default());
        run(&Args {
            file,
            to,
            output: Some(output.to_path_buf()),
            outputs,
            size,
            whose,
            metric: None,
            mine,
            csv: spreadsheet::Raw::default(),
        })
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
    fn tables_are_a_file_each_in_a_folder_that_is_whole_and_nothing_is_overwritten() {
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
    fn an_export_that_cannot_be_leaves_the_recording_and_says_why() {
        let check = |args: Args, expected: &str| {
            let error = run(&args).unwrap_err().to_string();
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
        };
        check(args(To::Chrome, &trace, None), "the export would destroy it");
        check(args(To::Csv, Path::new("-"), None), "csv is a file a table");
        check(args(To::Chrome, &trace, Some(Metric::Waits)), "--metric is for");
        assert_eq!(fs::read(&trace).unwrap(), before);
    }

    #[test]
    fn what_is_not_there_is_in_the_line() {
        let report = Report {
            samples: 8,
            holds: vec![export::Count { what: "samples".to_owned(), count: 8 }],
            left_out: vec![
                LeftOut { what: "rows of logs".to_owned(), count: Some(3) },
                LeftOut { what: "the end".to_owned(), count: None },
            ],
        };
        let line =
            "t holds 8 samples; left out: 3 rows of logs; the end; load it at https://profiler.firefox.com";
        assert_eq!(summary("t", To::Firefox, Kind::Trace, &report), line);
        let nothing = summary("t", To::Folded, Kind::Trace, &Report::default());
        assert!(nothing.starts_with("t holds nothing"), "{nothing}");
    }
}
