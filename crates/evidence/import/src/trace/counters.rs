//! Counters: event counters of event sources, and instruments of meters.
//!
//! What an event publishes is read here, for the table of a recording and for who watches a running session.

use super::builder::{Builder, Seen};
use super::kinds::MetricEvent;
use clr::layout::Layout;
use clr::payload::Payload;
use model::{CounterRow, Strings, Sym};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// A counter or instrument with a set of tags: provider, name, tags.
type SeriesKey = [String; 3];

/// The last total of each counter, for rates: instruments publish totals.
#[derive(Debug)]
pub(crate) struct CounterRows {
    last: FxHashMap<SeriesKey, (i64, f64)>,
    /// Totals kept at most; beyond it the older half is forgotten, and their next rates are missing.
    most: usize,
    /// How many were forgotten.
    pub(crate) forgotten: u64,
}

impl Default for CounterRows {
    /// Without a limit: a recording's bytes are one.
    fn default() -> Self {
        Self::keeping(usize::MAX)
    }
}

impl CounterRows {
    /// Keeps at most so many totals.
    pub(crate) fn keeping(most: usize) -> Self {
        Self { last: FxHashMap::default(), most, forgotten: 0 }
    }

    /// The change a second since the last total; none for the first one.
    fn rate(&mut self, key: SeriesKey, ns: i64, total: f64) -> Option<f64> {
        if self.last.len() >= self.most && !self.last.contains_key(&key) {
            self.forget_older_half();
        }
        let (before, last) = self.last.insert(key, (ns, total)).filter(|(before, _)| *before < ns)?;
        Some((total - last) / (ns.saturating_sub(before) as f64 / 1e9))
    }

    fn forget_older_half(&mut self) {
        let mut times: Vec<i64> = self.last.values().map(|(ns, _)| *ns).collect();
        let middle = times.len() / 2;
        if middle >= times.len() {
            return;
        }
        let (_, middle, _) = times.select_nth_unstable(middle);
        let (middle, before) = (*middle, self.last.len());
        self.last.retain(|_, (ns, _)| *ns > middle);
        self.forgotten = self.forgotten.saturating_add(before.saturating_sub(self.last.len()) as u64);
    }
}

/// What an event says of a counter or instrument with a set of tags; a text that the event lacks is none.
#[derive(Debug, PartialEq)]
pub(crate) struct Publication {
    pub(crate) provider: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) unit: Option<String>,
    /// As a JSON object.
    pub(crate) tags: String,
    /// Each with what it is: `rate`, `total`, `value`, `p50`, `count`, `sum` …
    pub(crate) values: Vec<(Cow<'static, str>, f64)>,
}

impl Publication {
    /// EventCounters: one field with a member `Payload`, whose members are the counter's.
    pub(crate) fn of_event_counter(
        provider: &str,
        layout: &Layout,
        payload: &[u8],
        pointer_size: u8,
    ) -> Option<Self> {
        let json = clr::json::json(layout, payload, pointer_size);
        let Ok(Value::Object(fields)) = serde_json::from_str(&json) else { return None };
        let payload =
            fields.values().find_map(|value| value.get("Payload")).or_else(|| fields.get("Payload"));
        let Some(Value::Object(payload)) = payload else { return None };
        let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| payload.get(name).and_then(Value::as_f64);
        let (kind, value) = if text("CounterType") == "Sum" || payload.contains_key("Increment") {
            let seconds = number("IntervalSec").filter(|seconds| *seconds > 0.0);
            ("rate", number("Increment").zip(seconds).map(|(increment, seconds)| increment / seconds))
        } else {
            ("value", number("Mean"))
        };
        Some(Self {
            provider: Some(provider.to_owned()),
            name: Some(text("Name").to_owned()),
            unit: Some(text("DisplayUnits").to_owned()),
            tags: "{}".to_owned(),
            values: vec![(kind.into(), value.unwrap_or(f64::NAN))],
        })
    }

    /// A value of an instrument, as System.Diagnostics.Metrics publishes it: numbers are texts.
    pub(crate) fn of_metric(
        event: MetricEvent,
        fields: Payload<'_>,
        ns: i64,
        totals: &mut CounterRows,
    ) -> Self {
        let mut publication = Self {
            provider: fields.text("meterName"),
            name: fields.text("instrumentName"),
            unit: fields.text("unit"),
            tags: tags_json(&fields.text("tags").unwrap_or_default()),
            values: Vec::new(),
        };
        // Most numbers are published as texts, a histogram's count and sum as numbers.
        let text = |name: &str| fields.text(name).and_then(|text| text.parse::<f64>().ok());
        let number = |name: &str| text(name).or_else(|| fields.real(name)).unwrap_or(f64::NAN);
        match event {
            MetricEvent::Gauge => publication.value("value", number("lastValue")),
            MetricEvent::UpDown => publication.value("value", number("value")),
            MetricEvent::Rate => {
                let total = number("value");
                if let Some(rate) = totals.rate(publication.key(), ns, total) {
                    publication.value("rate", rate);
                }
                publication.value("total", total);
            }
            MetricEvent::Histogram => {
                for (quantile, value) in quantiles(&fields.text("quantiles").unwrap_or_default()) {
                    publication.value(quantile, value);
                }
                publication.value("count", number("count"));
                publication.value("sum", number("sum"));
            }
        }
        publication
    }

    fn value(&mut self, kind: impl Into<Cow<'static, str>>, value: f64) {
        self.values.push((kind.into(), value));
    }

    fn key(&self) -> SeriesKey {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [text(&self.provider), text(&self.name), self.tags.clone()]
    }
}

impl Builder {
    /// Takes over what an event published.
    pub(crate) fn published(&mut self, seen: &Seen<'_>, publication: Option<Publication>) {
        let Some(Publication { provider, name, unit, tags, values }) = publication else { return };
        let strings = &mut self.recording.strings;
        let sym = |text: Option<String>, strings: &mut Strings| {
            text.map_or(Sym::NONE, |text| strings.intern(&text))
        };
        let row = CounterRow {
            ts_ns: seen.ns,
            provider: sym(provider, strings),
            name: sym(name, strings),
            unit: sym(unit, strings),
            kind: Sym::NONE,
            value: f64::NAN,
            tags: strings.intern(&tags),
        };
        for (kind, value) in values {
            let kind = strings.intern(&kind);
            self.recording.counters.push(CounterRow { kind, value, ..row });
        }
    }
}

/// `0.5=1.2;0.95=3` as `p50`, `p95` with their values.
fn quantiles(text: &str) -> Vec<(String, f64)> {
    let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    pairs
        .filter_map(|(quantile, value)| {
            let percent = quantile.parse::<f64>().ok()? * 100.0;
            let name = format!("p{}", (percent * 1000.0).round() / 1000.0);
            Some((name.replace('.', ""), value.parse().ok()?))
        })
        .collect()
}

/// `a=1,b=x` as a JSON object. Values may hold `=`; a piece without one goes on with the value before it.
fn tags_json(text: &str) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for piece in text.split(',').filter(|piece| !piece.is_empty()) {
        match (piece.split_once('='), pairs.last_mut()) {
            (Some((key, value)), _) => pairs.push((key, value.to_owned())),
            (None, Some((_, value))) => {
                value.push(',');
                value.push_str(piece);
            }
            (None, None) => pairs.push((piece, String::new())),
        }
    }
    let object: Map<String, Value> =
        pairs.into_iter().map(|(key, value)| (key.to_owned(), Value::String(value))).collect();
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_that_are_kept_have_a_limit() {
        let mut totals = CounterRows::keeping(4);
        let key = |name: &str| ["P".to_owned(), name.to_owned(), "{}".to_owned()];
        for at in 0..4 {
            assert_eq!(totals.rate(key(&at.to_string()), at, 1.0), None);
        }
        // The fifth drives out the older half; the newest of the others still has its last total.
        assert_eq!(totals.rate(key("new"), 4, 1.0), None);
        assert_eq!((totals.last.len(), totals.forgotten), (2, 3));
        assert_eq!(totals.rate(key("3"), 1_000_000_003, 6.0), Some(5.0));
        assert_eq!(totals.rate(key("3"), 1_000_000_003, 7.0), None, "no time has passed");
    }

    #[test]
    fn quantiles_are_named_by_their_percentage() {
        let named = quantiles("0.5=1.5;0.95=2;0.999=7;x");
        assert_eq!(named, [("p50".to_owned(), 1.5), ("p95".to_owned(), 2.0), ("p999".to_owned(), 7.0)]);
    }

    #[test]
    fn tags_keep_commas_and_equal_signs_of_their_values() {
        assert_eq!(tags_json("a=1,pool=Host=db;Port=5,x,y"), r#"{"a":"1","pool":"Host=db;Port=5,x,y"}"#);
        assert_eq!(tags_json(""), "{}");
    }
}
