//! The values of one counter or instrument, as they are published.

use crate::page::{cut, printable};
use std::collections::{BTreeMap, VecDeque};

/// The most values over time that a series keeps.
pub(super) const MAX_COURSE: usize = 60;
/// The longest name, and the longest set of tags, in letters.
pub(super) const MAX_TEXT: usize = 1000;

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
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    pub(super) tags: Vec<(String, String)>,
    /// When it was published last.
    pub(super) seen_ns: i64,
    /// The value of a gauge, or the rate of a counter or of a histogram's measurements.
    pub(super) now: Option<f64>,
    pub(super) is_rate: bool,
    pub(super) total: Option<f64>,
    /// Whether its values are changes since the session began.
    pub(super) is_change: bool,
    /// By name. Only those of the last publication.
    pub(super) quantiles: BTreeMap<String, f64>,
    pub(super) is_histogram: bool,
    /// The time of the last count.
    pub(super) counted_ns: Option<i64>,
    pub(super) course: VecDeque<f64>,
    /// The sum of its values. It ranks the series of an instrument, and changes slowly.
    pub(super) weight: f64,
}

impl Series {
    /// Takes in a value.
    pub(super) fn take(&mut self, reading: &Reading<'_>, interval_ns: i64) {
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
                // A histogram publishes how many measurements it has since its last count.
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
        if self.course.len() >= MAX_COURSE {
            self.course.pop_front();
        }
        self.course.push_back(value);
        // A value that is not finite adds nothing to the weight, by which the series of an instrument are sorted.
        self.weight += self.now.unwrap_or(0.0).abs();
    }
}

/// A counter or instrument.
#[derive(Debug, Clone, Default)]
pub(super) struct Instrument {
    pub(super) unit: String,
    /// By their tags, as JSON.
    pub(super) series: BTreeMap<String, Series>,
}

/// Whether the runtime publishes it as a counter although it goes up and down.
fn is_level(name: &str) -> bool {
    matches!(name, "dotnet.thread_pool.thread.count" | "dotnet.thread_pool.queue.length")
}

/// The tags of a JSON object, made printable.
pub(super) fn tags_of(json: &str) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(tags)) = serde_json::from_str(json) else { return Vec::new() };
    let text = |text: &str| cut(&printable(text), MAX_TEXT);
    let value = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    tags.into_iter().map(|(key, of)| (text(&key), text(&value(of)))).collect()
}
