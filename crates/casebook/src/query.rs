//! `casebook query`: SQL over the tables of one or several recordings.

use crate::format::{print_json, write_whole};
use crate::reading;
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use model::Recording;
use sql::{Answer, Database, QueryOptions, output};
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// SQL over the tables of recordings; `casebook tables` lists them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  casebook query trace.nettrace 'select generation, count(*), max(pause_ns) / 1e6 as ms from gc group by 1'
  casebook query before=a.nettrace after=b.nettrace \\
    'select (select count(*) from before.gc) as before, (select count(*) from after.gc) as after'
  casebook query trace.nettrace 'select * from samples' --format parquet -o samples.parquet")]
pub(crate) struct Args {
    /// Recordings, the last argument the SQL; several have names: a=FILE b=FILE, and their tables are a.gc, b.gc
    #[arg(required = true, num_args = 2.., value_names = ["FILE", "SQL"])]
    files_and_sql: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write to a file, which appears when it is whole
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// At most so many rows
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
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

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    ensure!(
        args.format != Format::Parquet || args.output.is_some(),
        "parquet is no text: say where to with -o PATH"
    );
    let Some((sql, files)) = args.files_and_sql.split_last() else { bail!("expected FILE and SQL") };
    let sources = sources(files)?;
    let aliases: Vec<String> = sources.iter().filter_map(|(alias, _)| alias.clone()).collect();
    let payloads = sql::tables_used(sql, &aliases)?
        .iter()
        .any(|(table, column)| table == "events" && column == "fields");
    let mut recordings = Vec::new();
    for (alias, path) in sources {
        recordings.push((alias, Arc::new(reading::open(&path, payloads)?)));
    }
    tell_losses(&recordings);
    let start = start_micros(&recordings);
    let options = QueryOptions { limit: args.limit, interrupt_after: None };
    let answer = Database::open(recordings)?.query(sql, options)?;
    match &args.output {
        Some(path) => write_whole(path, |out| write(&answer, args.format, start, out))?,
        None if args.format == Format::Json => print_json(&output::to_json(&answer))?,
        None => {
            let mut out = BufWriter::new(std::io::stdout());
            write(&answer, args.format, start, &mut out)?;
            out.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Columns that a terminal shows side by side; a file or a pipe takes lines of any length.
fn table_width() -> usize {
    const WIDE_TERMINAL: usize = 200;
    if std::io::stdout().is_terminal() { WIDE_TERMINAL } else { usize::MAX }
}

/// When a single recording began, in microseconds since 1970: Parquet then carries calendar times too.
fn start_micros(recordings: &[(Option<String>, Arc<model::Recording>)]) -> Option<i64> {
    let [(_, recording)] = recordings else { return None };
    recording.exhibit.start_utc.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

fn write(answer: &Answer, format: Format, start: Option<i64>, out: &mut (impl Write + Send)) -> Result<()> {
    match format {
        Format::Table => output::write_table(answer, out, table_width())?,
        Format::Csv => output::write_csv(answer, out)?,
        Format::Parquet => output::write_parquet(answer, out, start)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &output::to_json(answer))
                .map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

/// Rows of a recording that is not whole are printed with a word about it on standard error.
fn tell_losses(recordings: &[(Option<String>, Arc<Recording>)]) {
    for (_, recording) in recordings {
        let lost = &recording.lost;
        let damaged = !lost.damage.is_empty() || lost.truncated_at.is_some();
        if lost.events > 0 || damaged {
            let what = if damaged { "is damaged" } else { "has lost events" };
            let file = &recording.exhibit.file;
            // There is nowhere left to tell of an error of standard error.
            drop(writeln!(anstream::stderr(), "casebook: {file} {what}: see `casebook explain`"));
        }
    }
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
