//! `casebook query`: SQL over the tables of one or several exhibits.

use crate::outputs::{MaxSize, Outputs, Waiting};
use crate::spreadsheet;
use crate::{duration, interrupt, reading, size, terminal};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use exhibit::{same_file, write_whole};
use import::Found;
use model::Evidence;
use sql::{Database, Limits, QueryOptions, output};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// SQL over the tables of recordings and other exhibits; `casebook tables` lists them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  casebook query trace.nettrace 'select generation, count(*), max(pause_ns) / 1e6 as ms from gc group by 1'
  casebook query before=a.nettrace after=b.nettrace \\
    'select (select count(*) from before.gc) as before, (select count(*) from after.gc) as after'
  casebook query trace.nettrace 'select * from samples' --format parquet -o samples.parquet

Temporary files lie in $SQLITE_TMPDIR, $TMPDIR or /var/tmp. A value of a query has at most 64 MB, and a function at most 100
arguments; a query that needs more ends with an error that says so. A text of a recording that is longer is cut, and says how long it is.")]
pub(crate) struct Args {
    /// Recordings or other exhibits, the last argument the SQL; several have names: a=FILE b=FILE, and their tables are
    /// a.gc, b.gc; those of a folder of several exhibits are named by its sub-folders
    // At least two are looked for later: clap asks it of each group that options part. The name shows as `<FILE> <SQL>...`.
    #[arg(required = true, num_args = 1.., value_name = "FILE> <SQL")]
    files_and_sql: Vec<String>,
    #[command(flatten)]
    whose: reading::Whose,
    /// How to print; without it as the ending of -o says, else as a table
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write to a file, which appears when it is whole; - is standard output
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
    #[command(flatten)]
    size: MaxSize,
    /// At most so many rows; a table has at most 100,000 unless this says more
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    csv: spreadsheet::Raw,
    /// End the query with an error if it takes longer, such as 30s or 5m; reading the files does not count
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// How much memory the query may take beside the tables; one that needs more ends with an error [default: 4GB]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_memory: Option<u64>,
    /// How large its temporary files may be, which it needs to sort and to group much; the same holds [default: 10GB]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_temporary: Option<u64>,
}

impl Args {
    /// What the query may use.
    fn limits(&self) -> Limits {
        let usual = Limits::OF_THE_PROGRAM;
        let memory_bytes = self.max_memory.unwrap_or(usual.memory_bytes);
        Limits { memory_bytes, disk_bytes: self.max_temporary.unwrap_or(usual.disk_bytes), ..usual }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One document
    Json,
    /// A line a row
    Csv,
    /// Apache Parquet; needs -o
    Parquet,
}

/// Rows of a table that is not told how many: nobody reads more, and all of them are kept to be aligned.
const TABLE_ROWS: usize = 100_000;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let format = args.format.unwrap_or_else(|| format_of(args.output.as_deref()));
    ensure!(
        format != Format::Parquet || args.output.is_some(),
        "parquet is no text: say where to with -o PATH"
    );
    args.csv.ensure_csv(format == Format::Csv)?;
    let Some((sql, files)) = args.files_and_sql.split_last().filter(|(_, files)| !files.is_empty()) else {
        bail!(
            "expected FILE and SQL, found only {}: `casebook query --help` has examples",
            args.files_and_sql.join(" ")
        )
    };
    let sources = sources(files)?;
    let output = args.output.as_deref().filter(|path| !is_stdout(path));
    if let Some(output) = output {
        let is_read =
            |(_, path): &(_, PathBuf)| import::files(path).iter().any(|file| same_file(file, output));
        ensure!(
            !sources.iter().any(is_read),
            "{} is a recording that is read here: the answer would destroy it, write to another file",
            output.display()
        );
    }
    let exhibits = exhibits(sources)?;
    let kinds: Vec<_> = exhibits.iter().map(|of| (of.name.clone(), of.kind)).collect();
    let payloads =
        sql::tables_used(sql, &kinds)?.iter().any(|(table, column)| table == "events" && column == "fields");
    let mut opened = Vec::new();
    for of in exhibits {
        opened.push((of.name, reading::open(&of.path, payloads, args.whose.or_all())?));
    }
    tell_losses(&opened);
    let start = start_micros(&opened);
    let limit = args.limit.or((format == Format::Table).then_some(TABLE_ROWS));
    let tables = opened.into_iter().map(|(alias, evidence)| (alias, evidence.tables()));
    let options = QueryOptions { limit, interrupt_after: args.timeout };
    let database = Database::open(tables.collect())?.within(args.limits())?;
    let question = Question { database, sql, options, start, csv: args.csv };
    let (truncated, guarded) = if let Some(path) = output {
        interrupt::remove_unfinished()?;
        let waiting = Waiting::for_reader(path)?;
        write_whole(path, args.size.rules(args.outputs), |out| {
            drop(waiting);
            question.write(format, out)
        })?
    } else {
        let mut out = BufWriter::new(args.size.limit(match format {
            Format::Json => terminal::json(),
            Format::Table | Format::Csv | Format::Parquet => terminal::rows(),
        }));
        let written = question.write(format, &mut out)?;
        out.flush()?;
        written
    };
    spreadsheet::tell(guarded);
    if let Some(limit) = limit.filter(|_| truncated && matches!(format, Format::Csv | Format::Parquet)) {
        terminal::say(&format!("there are more rows than the {limit} of --limit"));
    }
    Ok(ExitCode::SUCCESS)
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdout")
}

/// The format that a file's ending stands for.
fn format_of(output: Option<&Path>) -> Format {
    match output.and_then(Path::extension).and_then(|ending| ending.to_str()) {
        Some("json") => Format::Json,
        Some("csv") => Format::Csv,
        Some("parquet") => Format::Parquet,
        _ => Format::Table,
    }
}

/// Columns that a terminal shows side by side; a file or a pipe takes lines of any length.
fn table_width() -> usize {
    const WIDE_TERMINAL: usize = 200;
    if terminal::is_stdout() { WIDE_TERMINAL } else { usize::MAX }
}

/// The exhibits of all sources, each with the name that its tables have in SQL.
///
/// A folder of several exhibits gives them the names of their sub-folders.
fn exhibits(sources: Vec<(Option<String>, PathBuf)>) -> Result<Vec<Found>> {
    let mut exhibits = Vec::new();
    for (alias, path) in sources {
        for found in reading::find(&path)? {
            let name = match (&alias, &found.name) {
                (Some(alias), None) => Some(alias.clone()),
                (None, name) => name.as_deref().map(sql_name),
                (Some(alias), Some(name)) => Some(format!("{alias}_{}", sql_name(name))),
            };
            exhibits.push(Found { name, ..found });
        }
    }
    Ok(exhibits)
}

/// A folder's name as a name of SQL that is not one of SQLite's own: whatever has no place in one becomes `_`.
fn sql_name(folder: &str) -> String {
    let mut name: String = folder.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let is_sqlite_s = ["main", "temp"].iter().any(|own| name.eq_ignore_ascii_case(own));
    if is_sqlite_s || !is_name(&name) {
        name.insert(0, '_');
    }
    name
}

/// When a single exhibit began, in microseconds since 1970: Parquet then carries calendar times too.
fn start_micros(exhibits: &[(Option<String>, Evidence)]) -> Option<i64> {
    let [(_, evidence)] = exhibits else { return None };
    evidence.exhibit().start_utc.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// What is asked of the exhibits.
struct Question<'a> {
    database: Database,
    sql: &'a str,
    options: QueryOptions,
    /// When the recording began, in microseconds since 1970.
    start: Option<i64>,
    csv: spreadsheet::Raw,
}

impl Question<'_> {
    /// Writes the answer; gives whether the limit left rows off, and how many texts were guarded.
    fn write(&self, format: Format, out: &mut (impl Write + Send)) -> Result<(bool, u64)> {
        let options = self.options;
        let truncated = match format {
            Format::Csv => {
                let mut rows = self.csv.rows(out);
                let truncated = self.database.stream(self.sql, options, &mut rows)?;
                return Ok((truncated, rows.guarded()));
            }
            Format::Json => {
                let mut rows = output::Json::new(terminal::as_json(out));
                let truncated = self.database.stream(self.sql, options, &mut rows)?;
                rows.finish(truncated)?;
                truncated
            }
            Format::Table => {
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
        Ok((truncated, 0))
    }
}

/// Rows of an exhibit that is not whole are printed with a word about it on standard error.
fn tell_losses(exhibits: &[(Option<String>, Evidence)]) {
    for (_, evidence) in exhibits {
        let lost = evidence.lost();
        let damaged = lost.is_damaged();
        if drops_events(evidence) || damaged {
            let what = if damaged { "is damaged" } else { "has lost events" };
            let file = &evidence.exhibit().file;
            terminal::say(&format!("{file} {what}: see `casebook explain`"));
        }
    }
}

/// Whether events were dropped before they reached the file.
fn drops_events(evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::Trace(trace) if trace.missing.events > 0)
}

/// The files with their names: `a=FILE`, or a single FILE without one.
fn sources(files: &[String]) -> Result<Vec<(Option<String>, PathBuf)>> {
    let sources: Vec<_> = files.iter().map(|file| source(file)).collect();
    if let [_single] = sources.as_slice() {
        return Ok(sources);
    }
    for (at, (alias, path)) in sources.iter().enumerate() {
        let alias = alias.as_ref().with_context(|| {
            format!("expected NAME=FILE since there are several files, found {}", path.display())
        })?;
        let again = sources.iter().take(at).any(|(other, _)| other.as_ref() == Some(alias));
        ensure!(!again, "expected a name of its own for each file, found {alias} twice");
    }
    Ok(sources)
}

/// A file that is there under the whole text is that file, whatever signs its name has.
fn source(text: &str) -> (Option<String>, PathBuf) {
    match text.split_once('=') {
        Some((alias, path)) if is_name(alias) && !Path::new(text).exists() => {
            (Some(alias.to_owned()), PathBuf::from(path))
        }
        _ => (None, PathBuf::from(text)),
    }
}

fn is_name(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().all(word) && text.chars().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], expected: Result<&[(Option<&str>, &str)], &str>) {
        let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
        let found = sources(&files).map_err(|error| format!("{error:#}"));
        let expected = expected.map_err(str::to_owned).map(|list| {
            list.iter()
                .map(|(alias, path)| (alias.map(str::to_owned), PathBuf::from(path)))
                .collect::<Vec<_>>()
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn several_files_have_names() {
        check(&["t.nettrace"], Ok(&[(None, "t.nettrace")]));
        check(&["a=t.nettrace"], Ok(&[(Some("a"), "t.nettrace")]));
        check(&["a=1", "b=2"], Ok(&[(Some("a"), "1"), (Some("b"), "2")]));
        check(&["dir/x=1"], Ok(&[(None, "dir/x=1")]));
        check(&["a=1", "2"], Err("expected NAME=FILE since there are several files, found 2"));
        check(&["a=1", "a=2"], Err("expected a name of its own for each file, found a twice"));
    }
}
