//! The catalogue of tables and columns as text, Markdown and JSON.

use crate::Width;
use crate::page::{hanging, wrap};
use anstyle::Style;
use base::number::count;
use model::{Kind, TableSpec, Tables};
use report::unit::short;
use serde::Serialize;
use std::borrow::Cow;

const HEADING: Style = Style::new().bold();
/// What a column means has its own lines if it has less room beside the column.
const MIN_ABOUT: usize = 24;

/// A table of the catalogue; as JSON, what scripts get.
#[derive(Debug, Serialize)]
pub struct Entry {
    table: Cow<'static, str>,
    about: &'static str,
    /// The kinds of evidence that have it.
    #[serde(serialize_with = "names")]
    kinds: Vec<Kind>,
    /// How many rows an exhibit has. `None` if the catalogue belongs to no exhibit.
    rows: Option<usize>,
    columns: Vec<Column>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: &'static str,
    r#type: &'static str,
    unit: &'static str,
    about: &'static str,
}

fn names<S: serde::Serializer>(kinds: &[Kind], out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(kinds.iter().map(|kind| kind.name()))
}

/// The tables of an exhibit, with their number of rows.
///
/// With the name of a schema, tables are called as in a query of several exhibits: `trace.requests`.
pub fn catalogue_of(exhibit: &dyn Tables, kind: Kind, schema: Option<&str>) -> Vec<Entry> {
    let rows = |spec: &TableSpec| exhibit.table(spec.name).map(|table| table.rows);
    let named = |entry: Entry| match schema {
        Some(schema) => Entry { table: format!("{schema}.{}", entry.table).into(), ..entry },
        None => entry,
    };
    exhibit.catalogue().iter().map(|spec| named(entry(spec, vec![kind], rows(spec)))).collect()
}

/// The tables of every kind of evidence. A table that several kinds have is listed once.
pub fn catalogue() -> Vec<Entry> {
    let mut tables: Vec<(&TableSpec, Vec<Kind>)> = Vec::new();
    for kind in Kind::ALL.iter().copied() {
        for spec in kind.catalogue() {
            match tables.iter_mut().find(|(of, _)| *of == spec) {
                Some((_, kinds)) => kinds.push(kind),
                None => tables.push((spec, vec![kind])),
            }
        }
    }
    tables.into_iter().map(|(spec, kinds)| entry(spec, kinds, None)).collect()
}

fn entry(spec: &TableSpec, kinds: Vec<Kind>, rows: Option<usize>) -> Entry {
    let columns = spec.columns.iter().map(|column| Column {
        name: column.name,
        r#type: column.kind.name(),
        unit: column.unit,
        about: column.about,
    });
    Entry { table: spec.name.into(), about: spec.about, kinds, rows, columns: columns.collect() }
}

/// Which kinds of evidence have a table.
fn offered_by(kinds: &[Kind]) -> String {
    if kinds.len() == Kind::ALL.len() {
        return "every exhibit".to_owned();
    }
    let kinds: Vec<String> =
        kinds.iter().map(|kind| format!("a {} (`{}`)", kind.title(), kind.name())).collect();
    kinds.join(" or ")
}

/// The catalogue for people. If it belongs to no exhibit, it says which kinds of evidence have each table.
pub fn text(catalogue: &[Entry], width: Width) -> String {
    let mut out = String::new();
    let mut kinds: &[Kind] = &[];
    for table in catalogue {
        if table.rows.is_none() && table.kinds != kinds {
            kinds = &table.kinds;
            out.extend([format!("{HEADING}Of {}{HEADING:#}\n\n", offered_by(kinds))]);
        }
        let rows = table.rows.map_or_else(String::new, |rows| match rows {
            1 => "  1 row".to_owned(),
            rows => format!("  {} rows", short(count(rows))),
        });
        // Wrapped without its colours, which have no width.
        let heading = hanging(&format!("{}{rows}  {}", table.table, table.about), width.prose(), 2);
        out.extend([
            format!("{HEADING}{}{HEADING:#}", table.table),
            heading.split_at(table.table.len()).1.to_owned(),
        ]);
        out.push('\n');
        for column in &table.columns {
            let line = format!("  {:<18} {:<8} {:<4}", column.name, column.r#type, column.unit);
            out.extend([column_line(&line, column.about, width.prose()), "\n".to_owned()]);
        }
    }
    out
}

/// A column's name, type and unit with what it means: beside them, or below them if the room is too narrow.
fn column_line(line: &str, about: &str, width: usize) -> String {
    let beside = width.saturating_sub(line.chars().count() + 1);
    let (indent, first) = match beside {
        MIN_ABOUT.. => (line.chars().count() + 1, format!("{line} ")),
        _ => (4, format!("{}\n    ", line.trim_end())),
    };
    let about = wrap(about, width.saturating_sub(indent)).join(&format!("\n{:indent$}", ""));
    format!("{first}{about}")
}

/// The catalogue as the page `docs/tables.md`.
pub fn markdown(catalogue: &[Entry]) -> String {
    let mut out = String::from(
        "# Tables\n\n\
         What `casebook query` sees, by kind of evidence. This page is written by `casebook tables --format markdown`.\n\n\
         Times are nanoseconds since the start of the session. `stack` is a row of `stacks`, `thread` the operating \
         system's number.\nA value that the exhibit cannot give is null, never 0.\n",
    );
    let mut kinds: &[Kind] = &[];
    for table in catalogue {
        if table.kinds != kinds {
            kinds = &table.kinds;
            out.extend([format!("\n## Of {}\n", offered_by(kinds))]);
        }
        out.extend([format!("\n### {}\n\n{}\n\n", table.table, table.about)]);
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
        assert_eq!(catalogue_of(&model::Trace::default(), Kind::Trace, None)[0].rows, Some(0));
        let json = serde_json::to_value(catalogue()).unwrap();
        assert_eq!(json[0]["table"], "events");
        assert_eq!(json[0]["rows"], serde_json::Value::Null);
        assert_eq!(json[0]["columns"][0]["type"], "integer");
    }

    #[test]
    fn the_page_of_tables_is_the_catalogue() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/tables.md");
        let Ok(page) = std::fs::read_to_string(page) else {
            base::ground::skip("the_page_of_tables_is_the_catalogue", "docs/tables.md is not there");
            return;
        };
        assert!(page == markdown(&catalogue()), "run: casebook tables --format markdown > docs/tables.md");
    }
}
