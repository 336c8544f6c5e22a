//! `casebook query`: SQL over the tables of one or several exhibits.

use crate::completions::candidates;
use crate::outputs::{MaxSize, Outputs, is_stdout, write_whole};
use crate::spreadsheet;
use crate::{duration, interrupt, number, reading, size, terminal};
use anyhow::{Result, ensure};
use clap::ValueEnum;
use sources::Opened;
use sql::{Database, Limits, QueryOptions, output};
use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

mod sources;
mod statement;

pub(crate) use sources::sql_name;

const AFTER_HELP: &str = "\
Examples:
  casebook query slow 'select generation, count(*), max(pause_ns) / 1e6 as ms
    from gc group by 1'
  casebook query before=a.nettrace after=b.nettrace \\
    'select (select count(*) from before.gc) as before,
            (select count(*) from after.gc) as after'
  casebook query 'runs/*.nettrace' \\
    'select file, max(pause_ns) / 1e6 as ms from gc group by 1'
  casebook query slow 'select * from samples' -o samples.parquet
  casebook query slow --file pauses.sql --format ndjson | jq .pause_ns
  echo 'select count(*) as n from gc' | casebook query slow - --format json --objects

In objects, a column name that occurs again becomes `name_2`, `name_3` and so on; --limit then says on standard error if it left out \
rows of ndjson.

Limits: a value has at most 64 MB and a function at most 100 arguments; a query that needs more ends with an error. A longer \
text in a recording is cut, and the cut text says how long it was.

Temporary files are in $SQLITE_TMPDIR, $TMPDIR or /var/tmp.";

/// Run SQL on the tables of recordings; `casebook tables` lists the tables
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// One recording and the SQL. Several recordings, or a pattern such as 'runs/*.nettrace', are queried together, and each
    /// table has a first column `file`. Several with names, as a=FILE b=FILE, are apart: their tables are a.gc and b.gc. So are
    /// those in the sub-folders of one folder. If the SQL is -, it is read from standard input
    // clap would want two words in each group between options, so `run` checks that there are two. Shows as `<FILE> <SQL>...`.
    #[arg(required = true, num_args = 1.., value_name = "FILE> <SQL", add = candidates::recordings_and_sql())]
    files_and_sql: Vec<String>,
    /// Read the SQL from this file; all arguments are then recordings. - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    whose: reading::Whose,
    /// How to print [default: by the name of -o, else text]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// JSON only: write each row as an object with the names of the columns, instead of as an array
    #[arg(long)]
    objects: bool,
    /// Write to a file, which appears when it is complete and replaces one that is there; - is standard output
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
    #[command(flatten)]
    size: MaxSize,
    /// The maximum number of rows [default: 100,000 for text, else no limit]
    #[arg(long, value_name = "N", value_parser = number::rows)]
    limit: Option<usize>,
    /// Print all rows as text; without it, the first 100,000. They are all kept in memory. Other formats have all rows anyway
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    #[command(flatten)]
    csv: spreadsheet::Raw,
    /// The maximum time of the query, such as 30s or 5m. Reading the files does not count [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// The maximum memory of the query, not counting the tables. A query that needs more ends with an error [default: 4GB]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_memory: Option<u64>,
    /// The maximum size of temporary files, which large sorts and groupings need. A query that needs more ends with an
    /// error [default: 10GB]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_temporary: Option<u64>,
}

impl Args {
    /// How much memory and disk the query may use.
    fn limits(&self) -> Limits {
        let usual = Limits::OF_THE_PROGRAM;
        let memory_bytes = self.max_memory.unwrap_or(usual.memory_bytes);
        Limits { memory_bytes, disk_bytes: self.max_temporary.unwrap_or(usual.disk_bytes), ..usual }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people
    #[value(alias = "table")]
    Text,
    /// One JSON document
    Json,
    /// One JSON object per line and row
    #[value(alias = "jsonl")]
    Ndjson,
    /// One line per row
    Csv,
    /// Apache Parquet; needs -o
    Parquet,
}

/// The maximum number of rows of a table without --limit and --all. All rows are kept in memory to align the columns, and nobody reads
/// more of them.
const TABLE_ROWS: usize = 100_000;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let format = args.format.unwrap_or_else(|| format_of(args.output.as_deref()));
    let is_piped =
        args.output.is_some() && !(args.output.as_deref().is_some_and(is_stdout) && terminal::is_stdout());
    ensure!(
        format != Format::Parquet || is_piped,
        "parquet is a binary format, which a terminal cannot show: add -o FILE"
    );
    args.csv.ensure_csv(format == Format::Csv)?;
    ensure!(
        !args.objects || format == Format::Json,
        "--objects is for JSON: add --format json (rows of ndjson are objects already)"
    );
    let (sql, files) = statement::statement(&args.files_and_sql, args.file.as_deref())?;
    let sql = sql.as_str();
    let sources = sources::of(files)?;
    let output = args.output.as_deref().filter(|path| !is_stdout(path));
    if let Some(output) = output {
        reading::ensure_not_read(output, sources.paths())?;
        reading::ensure_not_recording(output)?;
        let ending = output.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ensure!(
            args.format.is_some() || !["zst", "gz", "zip"].contains(&ending),
            "rows are not written as .{ending}: expected a name that ends in .csv, .json, .ndjson or .parquet, or --format"
        );
        let own = args.file.as_deref().filter(|file| exhibit::same_file(file, output));
        ensure!(own.is_none(), "{} is the SQL that is read here: choose another file", output.display());
    }
    let found = sources.found()?;
    let used = found.tables_used(sql)?;
    let payloads = used.iter().any(|(table, column)| table == "events" && column == "fields");
    let opened = found.open(payloads, args.whose.or_all())?;
    for Opened { evidence, .. } in &opened {
        reading::warn_of_losses(evidence);
    }
    say_which_are_empty(&used, &opened);
    let start = start_micros(&opened);
    let limit = args.limit.or((format == Format::Text && !args.all).then_some(TABLE_ROWS));
    let options = QueryOptions { limit, interrupt_after: args.timeout };
    let database = found.database(opened)?.within(args.limits())?;
    let question = Question { database, sql, options, start, csv: args.csv, objects: args.objects };
    let written = if let Some(path) = output {
        interrupt::remove_unfinished()?;
        write_whole(path, args.size.rules(args.outputs), |out| question.write(format, out))?
    } else {
        let mut out = BufWriter::new(args.size.limit(match format {
            Format::Json | Format::Ndjson => terminal::json(),
            Format::Text | Format::Csv | Format::Parquet => terminal::rows(),
        }));
        let written = question.write(format, &mut out)?;
        out.flush()?;
        written
    };
    spreadsheet::warn(written.guarded);
    // The other formats say so themselves.
    let is_silent = matches!(format, Format::Csv | Format::Ndjson | Format::Parquet);
    if let Some(limit) = limit.filter(|_| written.is_truncated && is_silent) {
        terminal::say(&format!("there are more rows than the {limit} of --limit"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says which tables of a query have no rows anywhere, since an answer without rows does not say why.
fn say_which_are_empty(used: &[(String, String)], opened: &[Opened]) {
    let names: BTreeSet<&str> = used.iter().map(|(table, _)| table.as_str()).collect();
    for name in names {
        let of_one =
            |of: &Opened| of.evidence.tables().table(name).map(|table| (table.rows, table.spec.about));
        let found: Vec<(usize, &str)> = opened.iter().filter_map(of_one).collect();
        if found.iter().all(|(rows, _)| *rows == 0)
            && let Some((_, about)) = found.first()
        {
            terminal::say(&format!("the table {name} is empty here. It holds: {about}"));
        }
    }
}

/// The format by the ending of the file's name.
fn format_of(output: Option<&Path>) -> Format {
    let ending = output.and_then(Path::extension).map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("json") => Format::Json,
        Some("ndjson" | "jsonl") => Format::Ndjson,
        Some("csv") => Format::Csv,
        Some("parquet") => Format::Parquet,
        _ => Format::Text,
    }
}

/// The width of a table, in characters. A file or a pipe takes lines of any length.
fn table_width() -> usize {
    if terminal::is_stdout() { terminal::columns().unwrap_or(usize::MAX) } else { usize::MAX }
}

/// When the only exhibit began, in microseconds since 1970. Parquet then has calendar times too.
fn start_micros(exhibits: &[Opened]) -> Option<i64> {
    let [opened] = exhibits else { return None };
    opened.evidence.exhibit().start_utc.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// A query, ready to run.
struct Question<'a> {
    database: Database,
    sql: &'a str,
    options: QueryOptions,
    /// When the recording began, in microseconds since 1970.
    start: Option<i64>,
    csv: spreadsheet::Raw,
    /// Whether rows of JSON are objects.
    objects: bool,
}

/// What became of the answer.
struct Written {
    /// Whether the limit left out rows.
    is_truncated: bool,
    /// How many texts got an apostrophe.
    guarded: u64,
}

impl Question<'_> {
    /// Runs the query and writes its answer.
    fn write(&self, format: Format, out: &mut (impl Write + Send)) -> Result<Written> {
        let options = self.options;
        let is_truncated = match format {
            Format::Csv => {
                let mut rows = self.csv.rows(out);
                let is_truncated = self.database.stream(self.sql, options, &mut rows)?;
                return Ok(Written { is_truncated, guarded: rows.guarded() });
            }
            Format::Json => {
                let new = if self.objects { output::Json::of_objects } else { output::Json::new };
                let mut rows = new(terminal::as_json(out));
                let is_truncated = self.database.stream(self.sql, options, &mut rows)?;
                rows.finish(is_truncated)?;
                is_truncated
            }
            Format::Ndjson => {
                let mut rows = output::Lines::new(terminal::as_json(out));
                self.database.stream(self.sql, options, &mut rows)?
            }
            Format::Text => {
                let answer = self.database.query(self.sql, options)?;
                output::write_table(&answer, out, table_width())?;
                answer.truncated
            }
            Format::Parquet => {
                let answer = self.database.query(self.sql, options)?;
                output::write_parquet(&answer, out, self.start)?;
                answer.truncated
            }
        };
        Ok(Written { is_truncated, guarded: 0 })
    }
}
