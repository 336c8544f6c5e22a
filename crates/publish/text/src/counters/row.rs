//! A row of the table, and the widths of its columns.

use super::series::{Instrument, MAX_COURSE, Series};
use super::value::show;
use crate::page::cut;
use crate::sparkline::sparkline;
use anstyle::Style;
use std::collections::BTreeSet;

pub(super) const FAINT: Style = Style::new().dimmed();

/// The width of the first column of numbers.
const NOW: usize = 11;
/// The width of each column of quantiles.
const QUANTILE: usize = 9;
/// Tags are shown only if they have this many letters or more.
const MIN_TAGS: usize = 4;
const QUANTILES: [&str; 3] = ["p50", "p95", "p99"];

/// A row of the table, not yet cut to its width.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    /// How many letters of the name are in the heading of the provider.
    cut: usize,
    /// What distinguishes its series from the others of the instrument.
    tags: String,
    /// Whether the instrument has no other series.
    is_only: bool,
    /// Its place among the instrument's series. Only the first shows the instrument's name.
    pub(super) place: usize,
    /// Its rank by weight among the instrument's series, from 0.
    pub(super) rank: usize,
    now: String,
    rest: Rest,
    course: Vec<Option<f64>>,
    is_stale: bool,
}

/// What follows the first number.
#[derive(Debug)]
enum Rest {
    Nothing,
    Faint(String),
    Quantiles([String; 3]),
}

/// The rows of an instrument, one per series.
pub(super) fn rows_of(name: &str, prefix: &str, instrument: &Instrument, stale_ns: i64) -> Vec<Row> {
    let tags = telling_tags(instrument);
    // Ranks by falling weight. Every place is in the list, so the default is never used.
    let mut by_weight: Vec<(usize, f64)> =
        instrument.series.values().map(|of| of.weight).enumerate().collect();
    by_weight.sort_by(|one, other| other.1.total_cmp(&one.1));
    let rank = |place: usize| by_weight.iter().position(|(at, _)| *at == place).unwrap_or(place);
    let unit = instrument.unit.as_str();
    let row = |(place, (series, tags)): (usize, (&Series, String))| {
        // A histogram's rate is of measurements, whatever they measure.
        let of_rate = if series.is_histogram { "" } else { unit };
        let sign = if series.is_change && series.now.is_some_and(|now| now >= 0.0) { "+" } else { "" };
        let now = series.now.map_or_else(|| "–".to_owned(), |now| show(now, of_rate, series.is_rate));
        let quantile = |name: &str| {
            series.quantiles.get(name).map_or_else(|| "–".to_owned(), |value| show(*value, unit, false))
        };
        let rest = match series.total {
            _ if series.is_histogram => Rest::Quantiles(QUANTILES.map(quantile)),
            Some(total) => Rest::Faint(format!("total {}", show(total, unit, false))),
            None if series.is_change => Rest::Faint("since start".to_owned()),
            None => Rest::Nothing,
        };
        Row {
            name: name.to_owned(),
            cut: prefix.chars().count(),
            tags,
            is_only: instrument.series.len() == 1,
            place,
            rank: rank(place),
            now: format!("{sign}{now}"),
            rest,
            course: series
                .course
                .iter()
                .map(|value| Some(*value).filter(|value| value.is_finite()))
                .collect(),
            is_stale: series.seen_ns < stale_ns,
        }
    };
    instrument.series.values().zip(tags).enumerate().map(row).collect()
}

/// The tags of each series in short form, without those that all series share.
fn telling_tags(instrument: &Instrument) -> Vec<String> {
    let all: Vec<&Vec<(String, String)>> = instrument.series.values().map(|series| &series.tags).collect();
    let is_shared = |pair: &(String, String)| all.len() > 1 && all.iter().all(|tags| tags.contains(pair));
    let mut shared: BTreeSet<&(String, String)> = BTreeSet::new();
    if let Some(first) = all.first() {
        shared.extend(first.iter().filter(|pair| is_shared(pair)));
    }
    let short = |tags: &&Vec<(String, String)>| {
        let mut shown: Vec<(u8, String)> =
            tags.iter().filter(|pair| !shared.contains(pair)).map(|(key, value)| tag(key, value)).collect();
        // The most telling tags come first, since the end may be cut.
        shown.sort_by_key(|(order, _)| *order);
        let mut line = String::new();
        for (_, text) in shown {
            // A port follows its address without a blank.
            if !line.is_empty() && !text.starts_with(':') {
                line.push(' ');
            }
            line.push_str(&text);
        }
        line
    };
    all.iter().map(short).collect()
}

/// A tag in short form, and its order among the others. A value that explains itself is shown without its key.
fn tag(key: &str, value: &str) -> (u8, String) {
    let speaks =
        value.chars().any(char::is_alphabetic) && !["true", "false"].contains(&value.to_lowercase().as_str());
    let last = key.rsplit('.').next().unwrap_or(key);
    match last {
        _ if value.starts_with('/') => (0, value.to_owned()),
        "status_code" | "address" => (1, value.to_owned()),
        "port" => (1, format!(":{value}")),
        _ if speaks => (2, value.to_owned()),
        _ => (3, format!("{last}={value}")),
    }
}

/// The widths of the columns. A narrow terminal has no room for all columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Widths {
    name: usize,
    quantiles: bool,
    course: usize,
}

impl Widths {
    pub(super) fn of<'a>(rows: impl Iterator<Item = &'a Row> + Clone, columns: usize) -> Self {
        const MIN_NAME: usize = 20;
        const MIN_COURSE: usize = 8;
        let needed = rows.clone().map(Row::label_width).max().unwrap_or(0).max(MIN_NAME);
        // The newest values of all rows are aligned; the column is as wide as the longest row.
        let longest = rows.map(|row| row.course.len()).max().unwrap_or(0).clamp(MIN_COURSE, MAX_COURSE);
        let quantiles = columns >= MIN_NAME + NOW + 3 * QUANTILE;
        let numbers = NOW + if quantiles { 3 * QUANTILE } else { 0 };
        let left = columns.saturating_sub(numbers);
        // Two more columns separate the blocks from the numbers.
        let kept = match left {
            0..32 => 0,
            32..50 => 12,
            50..70 => 17,
            70..100 => 22,
            _ => 42,
        };
        let name = needed.min(left.saturating_sub(kept));
        let course = if kept > 0 { left.saturating_sub(name + 2).min(longest) } else { 0 };
        Self { name, quantiles, course }
    }

    /// The width of a line.
    pub(super) fn line(self) -> usize {
        let quantiles = if self.quantiles { 3 * QUANTILE } else { 0 };
        self.name + NOW + quantiles + if self.course > 0 { self.course + 2 } else { 0 }
    }

    /// The heading of the columns.
    pub(super) fn heading(self) -> String {
        let mut text = format!("{:name$}{:>NOW$}", "", "now", name = self.name);
        if self.quantiles {
            text.extend(QUANTILES.map(|quantile| format!("{quantile:>QUANTILE$}")));
        }
        if self.course > 0 {
            let long = format!("last {} values", self.course);
            let label = if long.len() <= self.course { long } else { format!("last {}", self.course) };
            text.extend([format!("  {label:>width$}", width = self.course)]);
        }
        format!("{FAINT}{}{FAINT:#}", text.trim_end())
    }
}

impl Row {
    fn label_width(&self) -> usize {
        let name = self.name.chars().count().saturating_sub(self.cut);
        let tags = self.tags.chars().count();
        2 + name + if tags > 0 { tags + 1 } else { 0 }
    }

    /// The line. If it is not `named`, a line above has the instrument's name.
    pub(super) fn line(&self, widths: &Widths, named: bool) -> String {
        let (open, close) = if self.is_stale {
            (FAINT.render().to_string(), FAINT.render_reset().to_string())
        } else {
            Default::default()
        };
        let mut text =
            format!("{open}{}{:>NOW$}{close}", self.label(widths.name, named), cut(&self.now, NOW - 1));
        if widths.quantiles {
            text.push_str(&self.rest(&open, &close));
        }
        if widths.course > 0 {
            let values = self.course.iter().skip(self.course.len().saturating_sub(widths.course));
            let blocks = course(&values.copied().collect::<Vec<_>>());
            let left = widths.course.saturating_sub(blocks.chars().count());
            text.extend([format!("  {:left$}{FAINT}{blocks}{FAINT:#}", "")]);
        }
        text
    }

    fn rest(&self, open: &str, close: &str) -> String {
        const ALL: usize = 3 * QUANTILE;
        match &self.rest {
            Rest::Nothing => " ".repeat(ALL),
            Rest::Faint(total) => format!("{FAINT}{:>ALL$}{FAINT:#}", cut(total, ALL - 1)),
            Rest::Quantiles(values) => {
                let values = values.iter().map(|value| format!("{:>QUANTILE$}", cut(value, QUANTILE - 1)));
                format!("{open}{}{close}", values.collect::<String>())
            }
        }
    }

    /// Name and tags, cut to a width: the end of a name says more than its beginning.
    fn label(&self, width: usize, named: bool) -> String {
        let inner = width.saturating_sub(2);
        let name: String = self.name.chars().skip(self.cut).collect();
        let text = if !named {
            format!("  {}", cut(&self.tags, inner.saturating_sub(2)))
        } else if self.tags.is_empty() {
            end(&name, inner)
        } else {
            // Tags matter as much as the name if they distinguish series; with one series only, they do not.
            let least = if self.is_only { inner } else { inner * 3 / 5 };
            let of_name =
                name.chars().count().min(least.max(inner.saturating_sub(self.tags.chars().count() + 1)));
            let of_tags = inner.saturating_sub(of_name + 1);
            let tags =
                if of_tags < MIN_TAGS { String::new() } else { format!(" {}", cut(&self.tags, of_tags)) };
            format!("{}{tags}", end(&name, of_name))
        };
        format!("{:width$}", format!("  {text}"))
    }
}

/// Values over time as blocks, or as a line if they hardly change, so that rows that do change catch the eye.
fn course(values: &[Option<f64>]) -> String {
    /// If the lowest value has this share of the highest or more, both have the same block.
    const SAME: f64 = 7.0 / 8.0;
    let present = || values.iter().flatten().copied();
    let (least, most) = (present().fold(f64::MAX, f64::min), present().fold(0.0, f64::max));
    if values.len() > 1 && most > 0.0 && least >= most * SAME {
        return values.iter().map(|value| if value.is_some() { '─' } else { ' ' }).collect();
    }
    sparkline(values)
}

/// Text cut at its beginning. Unlike `page::keep_end`, it accepts a width of 0.
fn end(text: &str, width: usize) -> String {
    let len = text.chars().count();
    if len <= width {
        return text.to_owned();
    }
    std::iter::once('…').chain(text.chars().skip((len + 1).saturating_sub(width))).take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_end_and_a_tag_is_short() {
        assert_eq!(end("dotnet.gc.pause.time", 11), "…pause.time");
        assert_eq!(tag("http.response.status_code", "200"), (1, "200".to_owned()));
        assert_eq!(tag("server.port", "5091"), (1, ":5091".to_owned()));
        assert_eq!(tag("is_unhandled", "True"), (3, "is_unhandled=True".to_owned()));
    }

    #[test]
    fn a_course_that_stays_the_same_is_a_line() {
        let check = |values: &[f64], expected: &str| {
            let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
            assert_eq!(course(&values), expected);
        };
        check(&[100.0, 100.0, 88.0], "───");
        check(&[0.0, 0.0], "▁▁");
        check(&[1.0, 8.0], "▁█");
        check(&[3.0], "█");
    }
}
