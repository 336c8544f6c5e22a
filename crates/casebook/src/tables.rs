//! `casebook tables`: the catalogue of tables and columns.

use crate::format::print_json;
use crate::reading;
use crate::unit::short;
use anyhow::Result;
use clap::ValueEnum;
use clap::builder::styling::Style;
use model::{Kind, TableSpec, Tables};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const HEADING: Style = Style::new().bold();

/// The tables and columns that a recording offers; with a file, how many rows each has
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  casebook tables\n  casebook tables trace.nettrace --format json\n  casebook tables --format markdown > docs/tables.md"
)]
pub(crate) struct Args {
    /// A recording, to count the rows of
    file: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One document
    Json,
    /// The page docs/tables.md
    Markdown,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let opened = args.file.as_deref().map(|file| reading::open(file, false)).transpose()?;
    let catalogue = match opened {
        Some(evidence) => catalogue_of(&*evidence.tables(), evidence.kind()),
        None => catalogue(),
    };
    match args.format {
        Format::Json => print_json(&catalogue)?,
        Format::Table => anstream::stdout().write_all(text(&catalogue).as_bytes())?,
        Format::Markdown => std::io::stdout().write_all(markdown(&catalogue).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Serialize)]
struct TableOut {
    table: &'static str,
    about: &'static str,
    /// The kinds of evidence that offer it.
    kinds: Vec<&'static str>,
    rows: Option<usize>,
    columns: Vec<ColumnOut>,
}

#[derive(Debug, Serialize)]
struct ColumnOut {
    name: &'static str,
    r#type: &'static str,
    unit: &'static str,
    about: &'static str,
}

/// The tables of an exhibit, with their rows.
fn catalogue_of(exhibit: &dyn Tables, kind: Kind) -> Vec<TableOut> {
    let rows = |spec: &TableSpec| exhibit.table(spec.name).map(|table| table.rows);
    exhibit.catalogue().iter().map(|spec| entry(spec, vec![kind.name()], rows(spec))).collect()
}

/// The tables of every kind of evidence; one that several kinds have is listed once.
fn catalogue() -> Vec<TableOut> {
    let mut tables: Vec<(&TableSpec, Vec<&'static str>)> = Vec::new();
    for kind in Kind::ALL {
        for spec in kind.catalogue() {
            match tables.iter_mut().find(|(of, _)| *of == spec) {
                Some((_, kinds)) => kinds.push(kind.name()),
                None => tables.push((spec, vec![kind.name()])),
            }
        }
    }
    tables.into_iter().map(|(spec, kinds)| entry(spec, kinds, None)).collect()
}

fn entry(spec: &TableSpec, kinds: Vec<&'static str>, rows: Option<usize>) -> TableOut {
    let columns = spec.columns.iter().map(|column| ColumnOut {
        name: column.name,
        r#type: column.kind.name(),
        unit: column.unit,
        about: column.about,
    });
    TableOut { table: spec.name, about: spec.about, kinds, rows, columns: columns.collect() }
}

fn text(catalogue: &[TableOut]) -> String {
    let mut out = String::new();
    for table in catalogue {
        let rows = table.rows.map_or_else(String::new, |rows| match rows {
            1 => "  1 row".to_owned(),
            rows => format!("  {} rows", short(f64::from(u32::try_from(rows).unwrap_or(u32::MAX)))),
        });
        out.extend([format!("{HEADING}{}{HEADING:#}{rows}  {}\n", table.table, table.about)]);
        for column in &table.columns {
            let unit = if column.unit.is_empty() { "" } else { column.unit };
            out.extend([format!("  {:<18} {:<8} {unit:<4} {}\n", column.name, column.r#type, column.about)]);
        }
    }
    out
}

fn markdown(catalogue: &[TableOut]) -> String {
    let mut out = String::from(
        "# Tables\n\n\
         What `casebook query` sees of a recording. This page is written by `casebook tables --format markdown`.\n\n\
         Times are nanoseconds since the session's start. `stack` is a row of `stacks`, `thread` the operating \
         system's number.\nA value that the recording cannot give is null, never 0.\n",
    );
    for table in catalogue {
        out.extend([format!("\n## {}\n\n{}\n\n", table.table, table.about)]);
        out.push_str("| column | type | unit | meaning |\n|---|---|---|---|\n");
        for column in &table.columns {
            let about = column.about.replace('|', "\\|");
            out.extend([format!("| `{}` | {} | {} | {about} |\n", column.name, column.r#type, column.unit)]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_null_without_a_file_and_counted_with_one() {
        assert_eq!(catalogue()[0].rows, None);
        assert_eq!(catalogue_of(&model::Trace::default(), Kind::Trace)[0].rows, Some(0));
        let json = serde_json::to_value(catalogue()).unwrap();
        assert_eq!(json[0]["table"], "events");
        assert_eq!(json[0]["rows"], serde_json::Value::Null);
        assert_eq!(json[0]["columns"][0]["type"], "integer");
    }

    #[test]
    fn the_page_of_tables_is_the_catalogue() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tables.md");
        let Ok(page) = std::fs::read_to_string(page) else {
            base::ground::skip("the_page_of_tables_is_the_catalogue", "docs/tables.md is not there");
            return;
        };
        assert!(page == markdown(&catalogue()), "run: casebook tables --format markdown > docs/tables.md");
    }
}
