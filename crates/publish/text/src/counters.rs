//! Counters and meters of a running process, as a table: the latest values by provider and instrument, each with its last
//! values as blocks.
//!
//! It holds at most [`MOST_SERIES`] series with [`MOST_COURSE`] values each. Texts come from the process: they are made
//! printable and cut as they come in.

use crate::page::{cut, printable};
use crate::sparkline::sparkline;
use anstyle::{AnsiColor, Style};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use value::show;

mod fit;
mod value;
mod watched;

pub use watched::{summary, title};

/// The most series that are shown; the runtime publishes 1,000 unless told otherwise.
const MOST_SERIES: usize = 2000;
/// Values of a course.
const MOST_COURSE: usize = 60;
/// Letters of a name, and of a set of tags, that are kept.
const MOST_TEXT: usize = 1000;
/// A series that was not published for this long gives way to a new one.
const GIVES_WAY_NS: i64 = 60_000_000_000;

const TITLE: Style = Style::new().bold();
const PROVIDER: Style = AnsiColor::Cyan.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const NOTE: Style = AnsiColor::Yellow.on_default();

/// The widths of the columns of numbers.
const NOW: usize = 11;
const QUANTILE: usize = 9;
/// Letters of tags that are worth showing.
const LEAST_TAGS: usize = 4;
const QUANTILES: [&str; 3] = ["p50", "p95", "p99"];

/// A value that a counter or an instrument published.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// When, in nanoseconds since the session began.
    pub ts_ns: i64,
    /// The name of the event source or meter.
    pub provider: &'a str,
    /// The name of the counter or instrument.
    pub name: &'a str,
    /// The unit, as published.
    pub unit: &'a str,
    /// `rate`, `total`, `value`, `count`, `sum`, or the name of a quantile: `p50`.
    pub kind: &'a str,
    /// The value. NaN if the event has none.
    pub value: f64,
    /// Its tags, as a JSON object.
    pub tags: &'a str,
    /// Whether it is the change since the session began instead of the value.
    pub is_change: bool,
}

/// A counter or instrument with a set of tags.
#[derive(Debug, Default)]
struct Series {
    tags: Vec<(String, String)>,
    /// When it was published last.
    seen_ns: i64,
    /// The value of a gauge, or the rate of a counter or of a histogram's measurements.
    now: Option<f64>,
    is_rate: bool,
    total: Option<f64>,
    /// Whether its values are changes since the session began.
    is_change: bool,
    /// By name, of the last publication only.
    quantiles: BTreeMap<String, f64>,
    is_histogram: bool,
    /// When the last count came.
    counted_ns: Option<i64>,
    course: VecDeque<f64>,
    /// The sum of its values. It says which series matter, and changes slowly.
    weight: f64,
}

impl Series {
    fn take(&mut self, reading: &Reading<'_>, interval_ns: i64) {
        let Reading { ts_ns, kind, value, .. } = *reading;
        if ts_ns != self.seen_ns {
            self.quantiles.clear();
        }
        self.seen_ns = ts_ns;
        self.is_change = reading.is_change;
        match kind {
            "value" => self.course(value),
            "rate" if is_level(reading.name) => {}
            "total" if is_level(reading.name) => self.course(value),
            "rate" => {
                self.is_rate = true;
                self.course(value);
            }
            "total" => {
                self.is_rate = true;
                self.total = Some(value);
            }
            "count" => {
                // A histogram counts the measurements since its last count.
                let since = self.counted_ns.map(|before| ts_ns.saturating_sub(before)).filter(|ns| *ns > 0);
                let seconds = since.unwrap_or(interval_ns).max(1) as f64 / 1e9;
                (self.is_rate, self.is_histogram) = (true, true);
                self.counted_ns = Some(ts_ns);
                self.course(value / seconds);
            }
            "sum" => {}
            quantile => {
                self.quantiles.insert(quantile.to_owned(), value);
            }
        }
    }

    fn course(&mut self, value: f64) {
        self.now = Some(value).filter(|value| value.is_finite());
        if self.course.len() >= MOST_COURSE {
            self.course.pop_front();
        }
        self.course.push_back(value);
        self.weight += self.now.unwrap_or(0.0).abs();
    }
}

#[derive(Debug, Default)]
struct Instrument {
    unit: String,
    /// By their tags, as JSON.
    series: BTreeMap<String, Series>,
}

/// The size of the page, and what it says besides the values.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The widest line.
    pub columns: usize,
    /// The most lines. `None` for as many as are needed.
    pub rows: Option<usize>,
    /// The first line.
    pub title: &'a str,
    /// The last lines.
    pub notes: &'a [String],
}

/// Whether it is an instrument that the runtime publishes as a counter although it goes up and down.
fn is_level(name: &str) -> bool {
    matches!(name, "dotnet.thread_pool.thread.count" | "dotnet.thread_pool.queue.length")
}

/// The latest values.
#[derive(Debug)]
pub struct Table {
    interval_ns: i64,
    providers: BTreeMap<String, BTreeMap<String, Instrument>>,
    series: usize,
    latest_ns: i64,
    /// Values of series for which there was no room.
    left_out: u64,
    /// No series gives way before this time: the search for one runs at most once per second.
    no_room_until_ns: i64,
}

impl Table {
    /// A table without values. The process publishes at this interval, in nanoseconds.
    pub fn new(interval_ns: i64) -> Self {
        let providers = BTreeMap::new();
        Self { interval_ns, providers, series: 0, latest_ns: 0, left_out: 0, no_room_until_ns: i64::MIN }
    }

    /// Values of series for which there was no room.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Takes in a value.
    pub fn take(&mut self, reading: &Reading<'_>) {
        self.latest_ns = self.latest_ns.max(reading.ts_ns);
        let text = |text: &str| cut(&printable(text), MOST_TEXT);
        let (provider, name, tags) = (text(reading.provider), text(reading.name), text(reading.tags));
        if !self.is_known(&provider, &name, &tags) {
            if !self.make_room() {
                self.left_out = self.left_out.saturating_add(1);
                return;
            }
            self.series += 1;
        }
        let instrument = self.providers.entry(provider).or_default().entry(name).or_default();
        instrument.unit = text(reading.unit);
        let series = instrument.series.entry(tags).or_insert_with(|| Series {
            tags: tags_of(reading.tags),
            seen_ns: i64::MIN,
            ..Series::default()
        });
        series.take(reading, self.interval_ns);
    }

    fn is_known(&self, provider: &str, name: &str, tags: &str) -> bool {
        let instrument = self.providers.get(provider).and_then(|of| of.get(name));
        instrument.is_some_and(|of| of.series.contains_key(tags))
    }

    /// Whether another series may be added. Series that are no longer published give way to it.
    fn make_room(&mut self) -> bool {
        if self.series < MOST_SERIES {
            return true;
        }
        if self.latest_ns < self.no_room_until_ns {
            return false;
        }
        self.no_room_until_ns = self.latest_ns.saturating_add(1_000_000_000);
        let oldest = self.latest_ns.saturating_sub(GIVES_WAY_NS);
        for instrument in self.providers.values_mut().flat_map(BTreeMap::values_mut) {
            instrument.series.retain(|_, series| series.seen_ns >= oldest);
        }
        for instruments in self.providers.values_mut() {
            instruments.retain(|_, instrument| !instrument.series.is_empty());
        }
        self.providers.retain(|_, instruments| !instruments.is_empty());
        let left = self.providers.values().flat_map(BTreeMap::values).map(|of| of.series.len());
        self.series = left.sum();
        self.series < MOST_SERIES
    }

    /// The page, in lines with their colours.
    pub fn lines(&self, frame: Frame<'_>) -> Vec<String> {
        let groups: Vec<Group<'_>> = self.providers.iter().map(|(name, of)| self.group(name, of)).collect();
        let widths = Widths::of(groups.iter().flat_map(|group| &group.rows), frame.columns);
        let title = cut(&printable(frame.title), frame.columns);
        let mut lines = vec![format!("{TITLE}{title}{TITLE:#}")];
        if !groups.is_empty() {
            lines.push(widths.heading());
        }
        let notes = frame.notes.iter().map(|note| {
            let note = cut(&printable(note), frame.columns);
            format!("{NOTE}{note}{NOTE:#}")
        });
        let notes: Vec<String> = notes.collect();
        let room = frame.rows.map(|rows| rows.saturating_sub(lines.len() + notes.len()));
        lines.extend(fit::fit(&groups, room, &widths));
        lines.extend(notes);
        if let Some(rows) = frame.rows {
            lines.truncate(rows);
        }
        lines
    }

    fn group<'a>(&self, name: &'a str, instruments: &'a BTreeMap<String, Instrument>) -> Group<'a> {
        let lasting = self.interval_ns.saturating_mul(3).saturating_add(2_000_000_000);
        let stale_ns = self.latest_ns.saturating_sub(lasting);
        let names: Vec<&str> = instruments.keys().map(String::as_str).collect();
        let prefix = common_prefix(&names);
        let rows = instruments.iter().flat_map(|(name, of)| rows_of(name, prefix, of, stale_ns)).collect();
        Group { name, prefix, rows }
    }
}

/// The rows of a provider.
#[derive(Debug)]
struct Group<'a> {
    name: &'a str,
    /// What the names of all its instruments begin with. Only the heading shows it.
    prefix: &'a str,
    rows: Vec<Row>,
}

/// What all names begin with, up to and including a dot.
fn common_prefix<'a>(names: &[&'a str]) -> &'a str {
    let [first, others @ ..] = names else { return "" };
    let mut dots = first.match_indices('.').map(|(at, _)| first.get(..=at).unwrap_or_default());
    let is_common = |prefix: &&str| !others.is_empty() && others.iter().all(|name| name.starts_with(*prefix));
    let common = dots.by_ref().take_while(is_common).last();
    // A name that is nothing but the prefix would be empty without it.
    common.filter(|prefix| !names.contains(prefix)).unwrap_or_default()
}

/// A row of the table, before it is cut to its width.
#[derive(Debug)]
struct Row {
    name: String,
    /// How many letters of the name stand in the heading.
    cut: usize,
    /// What distinguishes its series from the others of the instrument.
    tags: String,
    /// Whether its series is the instrument's only one.
    is_only: bool,
    /// Its place among the instrument's series. The first one shows the instrument's name.
    place: usize,
    /// Its place among the instrument's series, by their weight.
    rank: usize,
    now: String,
    rest: Rest,
    course: Vec<Option<f64>>,
    is_stale: bool,
}

/// What stands behind the first number.
#[derive(Debug)]
enum Rest {
    Nothing,
    Faint(String),
    Quantiles([String; 3]),
}

fn rows_of(name: &str, prefix: &str, instrument: &Instrument, stale_ns: i64) -> Vec<Row> {
    let tags = telling_tags(instrument);
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

fn tags_of(json: &str) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(tags)) = serde_json::from_str(json) else { return Vec::new() };
    let text = |text: &str| cut(&printable(text), MOST_TEXT);
    let value = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    tags.into_iter().map(|(key, of)| (text(&key), text(&value(of)))).collect()
}

/// The tags of each series in few letters, without those that all series share.
fn telling_tags(instrument: &Instrument) -> Vec<String> {
    let all: Vec<&Vec<(String, String)>> = instrument.series.values().map(|series| &series.tags).collect();
    let is_shared = |pair: &(String, String)| all.len() > 1 && all.iter().all(|tags| tags.contains(pair));
    let mut shared: BTreeSet<&(String, String)> = BTreeSet::new();
    if let Some(first) = all.first() {
        shared.extend(first.iter().filter(|pair| is_shared(pair)));
    }
    let short = |tags: &&Vec<(String, String)>| {
        let mut told: Vec<(u8, String)> =
            tags.iter().filter(|pair| !shared.contains(pair)).map(|(key, value)| tag(key, value)).collect();
        // The most telling tags come first, since the end may be cut.
        told.sort_by_key(|(order, _)| *order);
        let mut line = String::new();
        for (_, text) in told {
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

/// A tag in few letters, and its place among the others. A value that speaks for itself stands without its key.
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

/// The widths of the columns. A narrow terminal has no room for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Widths {
    name: usize,
    quantiles: bool,
    course: usize,
}

impl Widths {
    fn of<'a>(rows: impl Iterator<Item = &'a Row> + Clone, columns: usize) -> Self {
        const LEAST_NAME: usize = 20;
        const LEAST_COURSE: usize = 8;
        let needed = rows.clone().map(Row::label_width).max().unwrap_or(0).max(LEAST_NAME);
        // The newest values of all rows stand below each other; the column is no wider than the longest row needs.
        let longest = rows.map(|row| row.course.len()).max().unwrap_or(0).clamp(LEAST_COURSE, MOST_COURSE);
        let quantiles = columns >= LEAST_NAME + NOW + 3 * QUANTILE;
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

    fn line(self) -> usize {
        let quantiles = if self.quantiles { 3 * QUANTILE } else { 0 };
        self.name + NOW + quantiles + if self.course > 0 { self.course + 2 } else { 0 }
    }

    fn heading(self) -> String {
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

    /// The line. If it is not `named`, the instrument's name stands in a line above.
    fn line(&self, widths: &Widths, named: bool) -> String {
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
                if of_tags < LEAST_TAGS { String::new() } else { format!(" {}", cut(&self.tags, of_tags)) };
            format!("{}{tags}", end(&name, of_name))
        };
        format!("{:width$}", format!("  {text}"))
    }
}

/// Values over time as blocks, or as a line if they hardly change: what does change then catches the eye.
fn course(values: &[Option<f64>]) -> String {
    /// From this share of the highest value on, the lowest value has the same block.
    const SAME: f64 = 7.0 / 8.0;
    let present = || values.iter().flatten().copied();
    let (least, most) = (present().fold(f64::MAX, f64::min), present().fold(0.0, f64::max));
    if values.len() > 1 && most > 0.0 && least >= most * SAME {
        return values.iter().map(|value| if value.is_some() { '─' } else { ' ' }).collect();
    }
    sparkline(values)
}

/// Text cut to a width at its beginning. Unlike in a page, no width is too small.
fn end(text: &str, width: usize) -> String {
    let len = text.chars().count();
    if len <= width {
        return text.to_owned();
    }
    std::iter::once('…').chain(text.chars().skip((len + 1).saturating_sub(width))).take(width).collect()
}

#[cfg(test)]
mod tests;
