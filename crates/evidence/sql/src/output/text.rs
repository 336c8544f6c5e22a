//! Answers to be read by people and spreadsheets.
//!
//! CSV follows RFC 4180: lines end with CR LF, and null is an empty field while an empty text is a quoted one.

use crate::Error;
use crate::answer::{Answer, AnswerColumn, Cell, Rows};
use base::steering;
use model::Type;
use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Write;

/// The narrowest that a column of texts is cut to, where the line is too long.
const MIN_WIDTH: usize = 10;
/// The widest that a column is: one long text would else pad all other rows.
const MAX_WIDTH: usize = 200;

/// Writes an answer as CSV as it comes: a line of names, then a line a row.
#[derive(Debug)]
pub struct Csv<W>(W);

impl<W: Write> Csv<W> {
    /// An answer of which nothing is written yet.
    pub fn new(out: W) -> Self {
        Self(out)
    }
}

impl<W: Write> Rows for Csv<W> {
    fn begin(&mut self, columns: &[AnswerColumn]) -> Result<(), Error> {
        for (at, column) in columns.iter().enumerate() {
            write!(self.0, "{}{}", comma(at), quoted(&column.name))?;
        }
        self.0.write_all(b"\r\n")?;
        Ok(())
    }

    fn row(&mut self, cells: Vec<Cell>) -> Result<(), Error> {
        let out = &mut self.0;
        for (at, cell) in cells.iter().enumerate() {
            out.write_all(comma(at).as_bytes())?;
            match cell {
                Cell::Null => {}
                Cell::Int(value) => write!(out, "{value}")?,
                Cell::Real(value) => out.write_all(real(*value).as_bytes())?,
                Cell::Text(text) => out.write_all(quoted(text).as_bytes())?,
            }
        }
        out.write_all(b"\r\n")?;
        Ok(())
    }
}

fn comma(at: usize) -> &'static str {
    if at == 0 { "" } else { "," }
}

fn quoted(text: &str) -> Cow<'_, str> {
    let plain = !text.is_empty() && !text.contains(['"', ',', '\r', '\n']);
    if plain { Cow::Borrowed(text) } else { Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))) }
}

/// Writes an answer in aligned columns of at most 200 characters, numbers to the right; what is longer is cut. Lines
/// are at most `max_width` characters long. If cutting texts cannot make them so, each row is a block with a line for each
/// column.
pub fn write_table(answer: &Answer, mut out: impl Write, max_width: usize) -> Result<(), Error> {
    let texts: Vec<Vec<String>> = answer.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    let kinds: Vec<Type> = (0..answer.columns.len()).map(|at| answer.kind(at)).collect();
    let names: Vec<String> = answer.columns.iter().map(|column| printable(&column.name)).collect();
    let mut widths: Vec<usize> = names.iter().map(|name| name.chars().count()).collect();
    for row in &texts {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = text.chars().count().max(*width);
        }
    }
    shrink(&mut widths, &kinds, max_width);
    if total(&widths) > max_width && !texts.is_empty() {
        write_blocks(&mut out, &names, &texts, max_width)?;
    } else {
        let columns: Vec<TableColumn> = (widths.iter().zip(kinds).enumerate())
            .map(|(at, (&width, kind))| TableColumn {
                width,
                kind,
                keeps_end: ends_say_more(&texts, at, width),
            })
            .collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        line(&mut out, &names, &columns)?;
        line(&mut out, &rule, &columns)?;
        for row in &texts {
            line(&mut out, row, &columns)?;
        }
    }
    if answer.truncated {
        writeln!(out, "… and more rows: raise --limit, or use --all instead")?;
    }
    Ok(())
}

/// A column of a table.
struct TableColumn {
    width: usize,
    kind: Type,
    /// Whether a text that is too long is cut at its beginning.
    keeps_end: bool,
}

/// How long a line is.
fn total(widths: &[usize]) -> usize {
    let gaps = widths.len().saturating_sub(1).saturating_mul(2);
    widths.iter().sum::<usize>().saturating_add(gaps)
}

/// Whether the texts of a column differ in more rows if their beginnings are cut, as paths do.
fn ends_say_more(texts: &[Vec<String>], at: usize, width: usize) -> bool {
    let of = || texts.iter().filter_map(|row| row.get(at));
    let distinct = |keeps_end| of().map(|text| cut(text, width, keeps_end)).collect::<HashSet<_>>().len();
    of().any(|text| text.chars().count() > width) && distinct(true) > distinct(false)
}

/// Writes each row as lines of a column's name and its value.
fn write_blocks(
    out: &mut impl Write,
    names: &[String],
    texts: &[Vec<String>],
    max_width: usize,
) -> Result<(), Error> {
    let of_names = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(max_width / 2);
    for (number, row) in texts.iter().enumerate() {
        writeln!(out, "{}row {}", if number > 0 { "\n" } else { "" }, number.saturating_add(1))?;
        for (name, text) in names.iter().zip(row) {
            let name = cut(name, of_names, false);
            let room = max_width.saturating_sub(of_names).saturating_sub(4).max(1);
            let line = format!("  {name:<of_names$}  {}", cut(text, room, false));
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

fn shrink(widths: &mut [usize], kinds: &[Type], max_width: usize) {
    let mut excess = total(widths).saturating_sub(max_width);
    while excess > 0 {
        let texts = || widths.iter().zip(kinds).enumerate().filter(|(_, (_, kind))| **kind == Type::Text);
        let Some((widest, width)) =
            texts().map(|(at, (width, _))| (at, *width)).max_by_key(|(_, width)| *width)
        else {
            return;
        };
        let next = texts().filter(|(at, _)| *at != widest).map(|(_, (width, _))| *width).max().unwrap_or(0);
        let cut = width.saturating_sub(next.max(MIN_WIDTH)).max(1).min(excess);
        if width <= MIN_WIDTH {
            return;
        }
        if let Some(width) = widths.get_mut(widest) {
            *width = width.saturating_sub(cut);
        }
        excess = excess.saturating_sub(cut);
    }
}

fn line(out: &mut impl Write, texts: &[String], columns: &[TableColumn]) -> Result<(), Error> {
    let mut written = Vec::new();
    for (at, (text, TableColumn { width, kind, keeps_end })) in texts.iter().zip(columns).enumerate() {
        if at > 0 {
            written.extend_from_slice(b"  ");
        }
        let text = cut(text, *width, *keeps_end);
        match kind {
            // Behind the last text there is nothing to align.
            Type::Text if at.saturating_add(1) == texts.len() => written.extend_from_slice(text.as_bytes()),
            Type::Text => write!(written, "{text:<width$}")?,
            Type::Integer | Type::Real => write!(written, "{text:>width$}")?,
        }
    }
    out.write_all(written.trim_ascii_end())?;
    out.write_all(b"\n")?;
    Ok(())
}

fn cut(text: &str, width: usize, keeps_end: bool) -> Cow<'_, str> {
    let length = text.chars().count();
    if length <= width {
        return Cow::Borrowed(text);
    }
    let kept = width.saturating_sub(1);
    Cow::Owned(if keeps_end {
        std::iter::once('…').chain(text.chars().skip(length.saturating_sub(kept))).collect()
    } else {
        text.chars().take(kept).chain(['…']).collect()
    })
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Int(value) => value.to_string(),
        Cell::Real(value) => real(*value),
        Cell::Text(text) => printable(text),
    }
}

/// A text as far as a column shows it, without characters that steer a terminal.
fn printable(text: &str) -> String {
    // Of a text that is cut, what comes behind need not be looked at.
    let end = text.char_indices().nth(MAX_WIDTH + 1).map_or(text.len(), |(at, _)| at);
    let text = steering::printable(text.get(..end).unwrap_or_default());
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(MAX_WIDTH).collect();
    if chars.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// The shortest decimal that reads back as the same number; with an exponent only far from 1.
pub(crate) fn real(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-5..1e16).contains(&size) { format!("{value:e}") } else { value.to_string() }
}
