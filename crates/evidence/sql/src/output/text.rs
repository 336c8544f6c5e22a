//! Answers to be read by people and spreadsheets.
//!
//! CSV follows RFC 4180: lines end with CR LF, and null is an empty field while an empty text is a quoted one.

use crate::Error;
use crate::answer::{Answer, AnswerColumn, Cell, Rows};
use base::steering;
use model::Type;
use std::borrow::Cow;
use std::io::Write;

/// The narrowest that a column of texts is cut to, where the line is too long.
const MIN_WIDTH: usize = 8;
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
/// are at most `max_width` characters long where cutting texts can make them so.
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
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    line(&mut out, &names, &widths, &kinds)?;
    line(&mut out, &rule, &widths, &kinds)?;
    for row in &texts {
        line(&mut out, row, &widths, &kinds)?;
    }
    if answer.truncated {
        writeln!(out, "… and more rows: raise --limit, or add --all")?;
    }
    Ok(())
}

fn shrink(widths: &mut [usize], kinds: &[Type], max_width: usize) {
    let gaps = widths.len().saturating_sub(1).saturating_mul(2);
    let total: usize = widths.iter().sum::<usize>().saturating_add(gaps);
    let mut excess = total.saturating_sub(max_width);
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

fn line(out: &mut impl Write, texts: &[String], widths: &[usize], kinds: &[Type]) -> Result<(), Error> {
    let mut written = Vec::new();
    for (at, ((text, width), kind)) in texts.iter().zip(widths).zip(kinds).enumerate() {
        if at > 0 {
            written.extend_from_slice(b"  ");
        }
        let text = cut(text, *width);
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

fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.chars().count() <= width {
        return Cow::Borrowed(text);
    }
    let mut kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept.push('…');
    Cow::Owned(kept)
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
