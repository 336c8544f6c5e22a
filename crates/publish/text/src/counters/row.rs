//! A row of the table, and the widths of its columns.

use super::series::{Instrument, MAX_COURSE, Series};
use super::value::{comparable, share, show};
use crate::page::cut;
use crate::sparkline::sparkline;
use anstyle::Style;
use std::collections::BTreeSet;

pub(super) const FAINT: Style = Style::new().dimmed();

/// The width of the first column of numbers.
const NOW: usize = 11;
/// The width of each column of quantiles.
const QUANTILE: usize = 9;
/// Tags are cut to this many letters or more.
const MIN_TAGS: usize = 4;
const QUANTILES: [&str; 3] = ["p50", "p95", "p99"];
/// In place of a number that is not there.
const NONE: &str = "–";
const CPU_TIME: &str = "dotnet.process.cpu.time";
const SINCE_START: &str = "since start";

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
    place: usize,
    /// Its rank by weight among the instrument's series, from 0.
    pub(super) rank: usize,
    now: String,
    rest: Rest,
    course: Vec<Option<f64>>,
    is_stale: bool,
    /// Its latest value, as [`comparable`] makes it. `None` if there is none.
    pub(super) value: Option<(u8, f64)>,
    /// How much the values grew over the shown time, from -1 to 1.
    pub(super) growth: Option<f64>,
}

/// What follows the first number.
#[derive(Debug)]
enum Rest {
    Nothing,
    Faint(String),
    /// What the share is of, and the total.
    Share(String, Option<String>),
    Quantiles([String; 3]),
}

/// The rows of an instrument, one per series.
///
/// `cores` is how many cores the process may use, if it says so.
pub(super) fn rows_of(
    name: &str,
    prefix: &str,
    instrument: &Instrument,
    stale_ns: i64,
    cores: Option<f64>,
) -> Vec<Row> {
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
        let (now, rest) = numbers(name, series, unit, cores);
        Row {
            name: name.to_owned(),
            cut: prefix.chars().count(),
            tags,
            is_only: instrument.series.len() == 1,
            place,
            rank: rank(place),
            now,
            rest,
            growth: growth(series),
            course: series
                .course
                .iter()
                .map(|value| Some(*value).filter(|value| value.is_finite()))
                .collect(),
            is_stale: series.seen_ns < stale_ns,
            value: series.now.map(|now| comparable(now, of_rate, series.is_rate)),
        }
    };
    instrument.series.values().zip(tags).enumerate().map(row).collect()
}

/// The first number of a series, and what follows it.
fn numbers(name: &str, series: &Series, unit: &str, cores: Option<f64>) -> (String, Rest) {
    let number = |value: f64| show(value, unit, false);
    if series.is_histogram {
        // Its rate is of measurements, whatever they measure.
        let now = series.now.map_or_else(|| NONE.to_owned(), |now| show(now, "", true));
        let quantile =
            |name: &str| series.quantiles.get(name).map_or_else(|| NONE.to_owned(), |value| number(*value));
        return (now, Rest::Quantiles(QUANTILES.map(quantile)));
    }
    let total = series.total.map(&number);
    let total_alone = || total.as_ref().map_or(Rest::Nothing, |total| Rest::Faint(format!("total {total}")));
    let Some(now) = series.now else { return (NONE.to_owned(), total_alone()) };
    if total.is_some() && series.is_rate && series.weight == 0.0 {
        // It has not grown since the start: its rate says nothing.
        return (String::new(), total_alone());
    }
    let shown = show(now, unit, series.is_rate);
    if series.is_rate && share(now, unit).is_some() {
        let (share, of) = match cores.filter(|_| name == CPU_TIME) {
            Some(1.0) => (shown, "of the one core".to_owned()),
            Some(cores) => (show(now / cores, unit, true), format!("of {} cores", show(cores, "", false))),
            None if name == CPU_TIME => (shown, "of one core".to_owned()),
            None => (shown, "of the time".to_owned()),
        };
        return (share, Rest::Share(of, total));
    }
    if total.is_some() || !series.is_change {
        return (shown, total_alone());
    }
    match now {
        0.0 => ("±0".to_owned(), Rest::Nothing),
        0.0.. => (format!("+{shown}"), Rest::Faint(SINCE_START.to_owned())),
        _ => (shown, Rest::Faint(SINCE_START.to_owned())),
    }
}

/// How much the values grew: the mean of the second half against that of the first, as a share of the larger one.
fn growth(series: &Series) -> Option<f64> {
    let values: Vec<f64> = series.course.iter().copied().filter(|value| value.is_finite()).collect();
    if values.len() < 2 {
        return None;
    }
    let (before, after) = values.split_at(values.len() / 2);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (before, after) = (mean(before), mean(after));
    let most = before.abs().max(after.abs());
    Some(if most > 0.0 { ((after - before) / most).clamp(-1.0, 1.0) } else { 0.0 })
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
    quantiles: &'static [usize],
    course: usize,
    /// Whether rows are not in the groups of their providers, so that their names are whole.
    whole: bool,
}

impl Widths {
    pub(super) fn of<'a>(rows: impl Iterator<Item = &'a Row> + Clone, columns: usize, whole: bool) -> Self {
        const MIN_NAME: usize = 20;
        const MIN_COURSE: usize = 8;
        /// With less room, names would be cut so much that p95 is given up for them.
        const ROOM_FOR_ALL: usize = 76;
        let needed = rows.clone().map(|row| row.label_width(whole)).max().unwrap_or(0).max(MIN_NAME);
        // The newest values of all rows are aligned; the column is as wide as the longest row.
        let longest = rows.map(|row| row.course.len()).max().unwrap_or(0).clamp(MIN_COURSE, MAX_COURSE);
        let quantiles: &[usize] = match columns {
            ROOM_FOR_ALL.. => &[0, 1, 2],
            _ if columns >= MIN_NAME + NOW + 2 * QUANTILE => &[0, 2],
            _ => &[],
        };
        let left = columns.saturating_sub(NOW + quantiles.len() * QUANTILE);
        // Two more columns separate the blocks from the numbers.
        let kept = match left {
            0..32 => 0,
            32..50 => 2 + MIN_COURSE,
            50..70 => 17,
            70..100 => 22,
            _ => 42,
        };
        let name = needed.min(left.saturating_sub(kept));
        let course = if kept > 0 { left.saturating_sub(name + 2).min(longest) } else { 0 };
        Self { name, quantiles, course, whole }
    }

    /// The width of a line.
    pub(super) fn line(self) -> usize {
        self.name + NOW + self.rest() + if self.course > 0 { self.course + 2 } else { 0 }
    }

    /// The width of what follows the first number.
    fn rest(self) -> usize {
        self.quantiles.len() * QUANTILE
    }

    /// The heading of the columns.
    pub(super) fn heading(self) -> String {
        let mut text = format!("{:name$}{:>NOW$}", "", "now", name = self.name);
        let quantiles = self.quantiles.iter().filter_map(|at| QUANTILES.get(*at));
        text.extend(quantiles.map(|quantile| format!("{quantile:>QUANTILE$}")));
        if self.course > 0 {
            let long = format!("last {} values", self.course);
            let label = if long.len() <= self.course { long } else { format!("last {}", self.course) };
            text.extend([format!("  {label:>width$}", width = self.course)]);
        }
        format!("{FAINT}{}{FAINT:#}", text.trim_end())
    }
}

impl Row {
    fn label_width(&self, whole: bool) -> usize {
        let tags = self.tags.chars().count();
        2 + self.shown_name(whole).chars().count() + if tags > 0 { tags + 1 } else { 0 }
    }

    /// Whether it shows the instrument's name if all rows are seen.
    pub(super) fn is_named(&self) -> bool {
        self.place == 0
    }

    /// Its name, without what the heading of its provider has.
    fn shown_name(&self, whole: bool) -> String {
        self.name.chars().skip(if whole { 0 } else { self.cut }).collect()
    }

    /// The line. If it is not `named`, a line above has the instrument's name.
    pub(super) fn line(&self, widths: &Widths, named: bool) -> String {
        let (open, close) = if self.is_stale {
            (FAINT.render().to_string(), FAINT.render_reset().to_string())
        } else {
            Default::default()
        };
        let mut text = format!("{open}{}{:>NOW$}{close}", self.label(widths, named), cut(&self.now, NOW - 1));
        text.push_str(&self.rest(widths, &open, &close));
        if widths.course > 0 {
            let values = self.course.iter().skip(self.course.len().saturating_sub(widths.course));
            let blocks = course(&values.copied().collect::<Vec<_>>());
            let left = widths.course.saturating_sub(blocks.chars().count());
            text.extend([format!("  {:left$}{FAINT}{blocks}{FAINT:#}", "")]);
        }
        text
    }

    fn rest(&self, widths: &Widths, open: &str, close: &str) -> String {
        let all = widths.rest();
        let faint = |text: &str| format!("{FAINT}{:>all$}{FAINT:#}", cut(text, all.saturating_sub(1)));
        match &self.rest {
            _ if all == 0 => String::new(),
            Rest::Nothing => " ".repeat(all),
            Rest::Faint(total) => faint(total),
            Rest::Share(of, None) => faint(of),
            Rest::Share(of, Some(total)) => {
                let long = [format!("{of}, total {total}"), format!("{of}, {total}")];
                faint(long.iter().find(|text| text.chars().count() < all).unwrap_or(of))
            }
            Rest::Quantiles(values) => {
                let values = widths.quantiles.iter().filter_map(|at| values.get(*at));
                let values = values.map(|value| format!("{:>QUANTILE$}", cut(value, QUANTILE - 1)));
                format!("{open}{}{close}", values.collect::<String>())
            }
        }
    }

    /// Name and tags, cut to the width of their column: both keep their beginning and their end.
    fn label(&self, widths: &Widths, named: bool) -> String {
        let width = widths.name;
        let inner = width.saturating_sub(2);
        let name = self.shown_name(widths.whole);
        let text = if !named {
            format!("  {}", shorten_tags(&self.tags, inner.saturating_sub(2)))
        } else if self.tags.is_empty() {
            shorten(&name, inner)
        } else {
            // Tags matter as much as the name if they distinguish series; with one series only, they do not.
            let least = if self.is_only { inner } else { inner * 3 / 5 };
            let of_name =
                name.chars().count().min(least.max(inner.saturating_sub(self.tags.chars().count() + 1)));
            let of_tags = inner.saturating_sub(of_name + 1);
            let is_readable = of_tags >= MIN_TAGS.min(self.tags.chars().count());
            let tags =
                if is_readable { format!(" {}", shorten_tags(&self.tags, of_tags)) } else { String::new() };
            format!("{}{tags}", shorten(&name, of_name))
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

/// Text cut before its last third: the beginning says what it is about, and the end is often all in which names differ.
fn shorten(text: &str, width: usize) -> String {
    let len = text.chars().count();
    if len <= width {
        return text.to_owned();
    }
    let last = width.saturating_sub(1) / 3;
    let first = width.saturating_sub(last + 1);
    let rest = text.chars().skip(len - last);
    text.chars().take(first).chain(std::iter::once('…')).chain(rest).take(width).collect()
}

/// Tags cut before their last word if that is short: series of a route often differ only in their status.
fn shorten_tags(text: &str, width: usize) -> String {
    let last = text.rsplit_once(' ').map_or("", |(_, last)| last);
    let len = last.chars().count();
    if text.chars().count() <= width || len == 0 || len > width / 3 {
        return cut(text, width);
    }
    format!("{} {last}", cut(text, width - len - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_beginning_and_its_end() {
        assert_eq!(shorten("dotnet.gc.pause.time", 20), "dotnet.gc.pause.time");
        assert_eq!(shorten("dotnet.gc.pause.time", 11), "dotnet.…ime");
        assert_eq!(
            shorten("dotnet.gc.last_collection.heap.fragmentation.size", 28),
            "dotnet.gc.last_col…tion.size"
        );
        assert_eq!([0, 1, 2].map(|width| shorten("abcdef", width)), ["", "…", "a…"]);
    }

    #[test]
    fn tags_keep_their_beginning_and_a_short_last_word() {
        assert_eq!(shorten_tags("/json/{n:int} 200", 17), "/json/{n:int} 200");
        assert_eq!(shorten_tags("/json/{n:int} 200", 13), "/json/{n… 200");
        assert_eq!(shorten_tags("/json/{n:int}", 8), "/json/{…");
        assert_eq!(shorten_tags("GET OrderException", 8), "GET Ord…");
    }

    fn numbers_of(name: &str, unit: &str, cores: Option<f64>, series: &Series) -> String {
        let (now, rest) = numbers(name, series, unit, cores);
        format!("{now} | {rest:?}")
    }

    #[test]
    fn a_share_of_time_says_what_it_is_of() {
        let series =
            Series { now: Some(0.5), is_rate: true, total: Some(12.0), weight: 1.0, ..Series::default() };
        let check = |name, cores, expected: &str| {
            assert_eq!(numbers_of(name, "s", cores, &series), format!("{expected}, Some(\"12 s\"))"));
        };
        check(CPU_TIME, None, "50 % | Share(\"of one core\"");
        check(CPU_TIME, Some(1.0), "50 % | Share(\"of the one core\"");
        check(CPU_TIME, Some(4.0), "12.5 % | Share(\"of 4 cores\"");
        check("dotnet.gc.pause.time", Some(4.0), "50 % | Share(\"of the time\"");
    }

    #[test]
    fn what_has_not_grown_shows_its_total_alone() {
        let quiet = Series { now: Some(0.0), is_rate: true, total: Some(3.0), ..Series::default() };
        assert_eq!(numbers_of("x", "", None, &quiet), " | Faint(\"total 3\")");
        let change = |now| Series { now: Some(now), is_change: true, ..Series::default() };
        assert_eq!(numbers_of("x", "", None, &change(0.0)), "±0 | Nothing");
        assert_eq!(numbers_of("x", "", None, &change(2.0)), "+2 | Faint(\"since start\")");
        assert_eq!(numbers_of("x", "", None, &change(-2.0)), "-2 | Faint(\"since start\")");
    }

    #[test]
    fn a_tag_is_short() {
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
