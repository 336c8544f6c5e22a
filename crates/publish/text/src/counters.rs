//! Counters and meters of a running process as a table: the latest values by provider and instrument, and values over
//! time as blocks.
//!
//! The number of series and of values per series is limited. Texts come from the process, so they are made printable
//! and cut when they arrive.

mod fit;
mod row;
mod series;
mod value;
mod view;
mod watched;

pub use series::Reading;
pub use view::{Page, Sort, View, keys};
pub use watched::{summary, title};

use crate::page::{cut, printable};
use anstyle::{AnsiColor, Style};
use fit::Group;
use row::{Widths, rows_of};
use series::{Instrument, MAX_TEXT, Series, tags_of};
use std::collections::BTreeMap;

/// The most series. By default, the runtime publishes 1,000.
const MAX_SERIES: usize = 2000;
/// A series that is not published for so long is replaced by a new one.
const GIVES_WAY_NS: i64 = 60_000_000_000;

const TITLE: Style = Style::new().bold();
const KEYS: Style = row::FAINT;
const NOTE: Style = AnsiColor::Yellow.on_default();

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
    /// The order of the rows, and how far they are scrolled.
    pub view: View,
    /// Names the keys, below all else.
    pub footer: Option<&'a str>,
}

/// The latest values.
#[derive(Debug, Clone)]
pub struct Table {
    interval_ns: i64,
    providers: BTreeMap<String, BTreeMap<String, Instrument>>,
    series: usize,
    latest_ns: i64,
    /// How many values had no room for their series.
    left_out: u64,
    /// The search for series to replace does not run before this time, so that it runs once per second or less.
    no_room_until_ns: i64,
}

impl Table {
    /// A table without values. The process publishes at this interval, in nanoseconds.
    pub fn new(interval_ns: i64) -> Self {
        let providers = BTreeMap::new();
        Self { interval_ns, providers, series: 0, latest_ns: 0, left_out: 0, no_room_until_ns: i64::MIN }
    }

    /// How many values had no room for their series.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Takes in a value.
    pub fn take(&mut self, reading: &Reading<'_>) {
        self.latest_ns = self.latest_ns.max(reading.ts_ns);
        let text = |text: &str| cut(&printable(text), MAX_TEXT);
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

    /// Whether another series may be added. If there are too many, those no longer published are removed.
    fn make_room(&mut self) -> bool {
        if self.series < MAX_SERIES {
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
        self.series < MAX_SERIES
    }

    /// The page.
    pub fn page(&self, frame: Frame<'_>) -> Page {
        let mut groups: Vec<Group<'_>> =
            self.providers.iter().map(|(name, of)| self.group(name, of)).collect();
        let by_name = frame.view.sort == Sort::Name;
        if by_name && frame.view.reversed {
            groups.reverse();
            groups.iter_mut().for_each(Group::reverse);
        }
        let widths = Widths::of(groups.iter().flat_map(|group| &group.rows), frame.columns, !by_name);
        let title = cut(&printable(frame.title), frame.columns);
        let mut lines = vec![format!("{TITLE}{title}{TITLE:#}")];
        if !groups.is_empty() {
            lines.push(widths.heading());
        }
        let styled =
            |style: Style, text: &str| format!("{style}{}{style:#}", cut(&printable(text), frame.columns));
        let mut last: Vec<String> = frame.notes.iter().map(|note| styled(NOTE, note)).collect();
        last.extend(frame.footer.map(|keys| styled(KEYS, keys)));
        let room = frame.rows.map(|rows| rows.saturating_sub(lines.len() + last.len()));
        let (rows, scroll, end) = fit::seen(&groups, room, &widths, frame.view);
        lines.extend(rows);
        if let (Some(all), Some(_)) = (frame.rows, frame.footer) {
            // The keys stay in the last line, wherever the rows end.
            lines.resize(lines.len().max(all.saturating_sub(last.len())), String::new());
        }
        lines.extend(last);
        if let Some(rows) = frame.rows {
            lines.truncate(rows);
        }
        Page { lines, scroll, end, room: room.unwrap_or(0) }
    }

    /// How many cores the process may use. Only runtimes from .NET 9 on say so.
    fn cores(&self) -> Option<f64> {
        let count = self.providers.get("System.Runtime")?.get("dotnet.process.cpu.count")?;
        count.series.values().next()?.now.filter(|cores| *cores >= 1.0)
    }

    fn group<'a>(&self, name: &'a str, instruments: &'a BTreeMap<String, Instrument>) -> Group<'a> {
        let lasting = self.interval_ns.saturating_mul(3).saturating_add(2_000_000_000);
        let stale_ns = self.latest_ns.saturating_sub(lasting);
        let names: Vec<&str> = instruments.keys().map(String::as_str).collect();
        let prefix = common_prefix(&names);
        let cores = self.cores();
        let rows = instruments.iter().flat_map(|(name, of)| rows_of(name, prefix, of, stale_ns, cores));
        let rows = rows.collect();
        Group { name, prefix, rows }
    }
}

/// What all names begin with, up to and including a dot.
fn common_prefix<'a>(names: &[&'a str]) -> &'a str {
    let [first, others @ ..] = names else { return "" };
    let mut dots = first.match_indices('.').map(|(at, _)| first.get(..=at).unwrap_or_default());
    let is_common = |prefix: &&str| !others.is_empty() && others.iter().all(|name| name.starts_with(*prefix));
    let common = dots.by_ref().take_while(is_common).last();
    // A name that is only the prefix would be empty without it.
    common.filter(|prefix| !names.contains(prefix)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
