//! The cells of a table. The name of a column decides how its values are written.

use crate::words::{moment, percent};
use crate::{Links, Target};
use base::number::real;
use maud::{Markup, PreEscaped, html};
use report::unit::{duration, short, show};
use sql::{Answer, AnswerColumn, Cell};

/// The longest text of a cell, in bytes.
const LONGEST_TEXT: usize = 2_000;

/// How each column is written: by its name, or by its values if the name says nothing.
pub(super) fn kinds(answer: &Answer) -> Vec<Kind> {
    let has_text = |at: usize| answer.rows.iter().any(|row| matches!(row.get(at), Some(Cell::Text(_))));
    let one = |(at, column): (usize, &AnswerColumn)| match Kind::of(&column.name, &column.unit) {
        Kind::Plain if !has_text(at) => Kind::Number,
        kind => kind,
    };
    answer.columns.iter().enumerate().map(one).collect()
}

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Moment,
    Time,
    Bytes,
    Share,
    Frame,
    Stack,
    Thread,
    Sql,
    Number,
    Plain,
}

impl Kind {
    fn of(column: &str, unit: &str) -> Self {
        match column {
            "ts_ns" | "start_ns" | "from_ns" | "to_ns" | "first_ts_ns" | "last_ts_ns" => Self::Moment,
            "share" => Self::Share,
            "frame" | "method" if unit.is_empty() => Self::Frame,
            "stack" => Self::Stack,
            "thread" | "owner_thread" => Self::Thread,
            "sql" => Self::Sql,
            _ if column.ends_with("_ns") => Self::Time,
            _ if column.ends_with("_bytes") || column == "bytes" => Self::Bytes,
            _ => Self::Plain,
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(
            self,
            Self::Moment | Self::Time | Self::Bytes | Self::Share | Self::Stack | Self::Thread | Self::Number
        )
    }
}

/// A column's name for people: `pause_ns` is `pause`.
pub(super) fn label(column: &str) -> String {
    match column {
        "ts_ns" => "time".to_owned(),
        "dur_ns" => "duration".to_owned(),
        "first_ts_ns" => "first".to_owned(),
        "last_ts_ns" => "last".to_owned(),
        other => {
            let bare = other.strip_suffix("_ns").or_else(|| other.strip_suffix("_bytes")).unwrap_or(other);
            bare.replace('_', " ")
        }
    }
}

/// A cell of a table.
pub(super) fn cell_of(links: &dyn Links, cell: &Cell, kind: Kind, unit: &str) -> Markup {
    match cell {
        Cell::Null => html! { td.none.text[!kind.is_number()] { span.quiet { "none" } } },
        Cell::Text(text) => text_cell(links, text, kind),
        Cell::Int(value) => number(links, real(*value), Some(*value), kind, unit),
        Cell::Real(value) => number(links, *value, None, kind, unit),
    }
}

/// A text, cut to [`LONGEST_TEXT`].
fn cut(text: &str) -> Markup {
    let end = text.floor_char_boundary(LONGEST_TEXT);
    html! {
        (&text[..end])
        @if end < text.len() { span.hint { " … " (text.len() - end) " bytes more: the CSV has them" } }
    }
}

fn text_cell(links: &dyn Links, text: &str, kind: Kind) -> Markup {
    match kind {
        Kind::Frame if text.contains('!') => {
            let name = stacks::short_name(text);
            html! {
                @if let Some(to) = links.to(Target::Method(text)) { td.name { a href=(to) title=(text) { (name) } } }
                @else { td.name title=(text) { (name) } }
            }
        }
        Kind::Sql => html! {
            @if let Some(to) = links.to(Target::Query(text)) { td.name { a href=(to) { code { (cut(text)) } } } }
            @else { td.text { (cut(text)) } }
        },
        _ => html! { td.text { (cut(text)) } },
    }
}

/// A number without a unit: a whole one with all its digits, a small one not rounded to 0.
fn plain(value: f64, whole: Option<i64>) -> String {
    /// From here on, a double cannot represent every whole number.
    const EXACT: u64 = 1 << 53;
    match whole {
        Some(whole) if whole.unsigned_abs() >= EXACT => whole.to_string(),
        None if value.abs() < 0.01 && value.abs() > 0.0 => format!("{value:.2e}"),
        _ => short(value),
    }
}

/// A time in nanoseconds. A fractional one was computed and may be far below a microsecond.
fn time(value: f64, whole: Option<i64>) -> String {
    if whole.is_none() { show(value, "ns") } else { duration(value / 1e6) }
}

fn number(links: &dyn Links, value: f64, whole: Option<i64>, kind: Kind, unit: &str) -> Markup {
    let shown = match kind {
        Kind::Moment => moment(value),
        Kind::Time => time(value, whole),
        Kind::Bytes => show(value, "B"),
        Kind::Share => {
            return html! { td.num.share-of data-v=(value) { (PreEscaped(charts::bar(value))) " " (percent(value, 1.0)) } };
        }
        Kind::Stack | Kind::Thread => {
            let id = whole.map_or_else(|| value.to_string(), |whole| whole.to_string());
            let is_stack = kind == Kind::Stack;
            let target = if is_stack { Target::Stack(&id) } else { Target::Thread(&id) };
            return html! {
                td.num data-v=(value) {
                    @if let Some(to) = links.to(target) { a href=(to) { (if is_stack { "stack" } else { &id }) } } @else { (id) }
                }
            };
        }
        _ if unit == "ns" => time(value, whole),
        _ if unit == "B" => show(value, "B"),
        _ => plain(value, whole),
    };
    html! { td.num data-v=(whole.map_or_else(|| value.to_string(), |whole| whole.to_string())) { (shown) } }
}
