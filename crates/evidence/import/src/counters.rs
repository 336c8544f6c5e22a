//! Counters: event counters of event sources, and instruments of meters.

use crate::builder::{Builder, Seen};
use crate::kinds::MetricEvent;
use model::{CounterRow, Sym};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

/// The last value of each counter, for rates: instruments publish totals.
#[derive(Debug, Default)]
pub(crate) struct CounterRows {
    last: FxHashMap<(Sym, Sym, Sym), (i64, f64)>,
}

impl Builder {
    /// EventCounters: one field with a member `Payload`, whose members are the counter's.
    pub(crate) fn event_counter(&mut self, seen: &Seen<'_>, provider: &str) {
        let json = clr::json::json(seen.layout, seen.payload, seen.pointer_size);
        let Ok(Value::Object(fields)) = serde_json::from_str(&json) else { return };
        let payload =
            fields.values().find_map(|value| value.get("Payload")).or_else(|| fields.get("Payload"));
        let Some(Value::Object(payload)) = payload else { return };
        let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| payload.get(name).and_then(Value::as_f64);
        let (kind, value) = if text("CounterType") == "Sum" || payload.contains_key("Increment") {
            let seconds = number("IntervalSec").filter(|seconds| *seconds > 0.0);
            ("rate", number("Increment").zip(seconds).map(|(increment, seconds)| increment / seconds))
        } else {
            ("value", number("Mean"))
        };
        let strings = &mut self.recording.strings;
        let row = CounterRow {
            ts_ns: seen.ns,
            provider: strings.intern(provider),
            name: strings.intern(text("Name")),
            unit: strings.intern(text("DisplayUnits")),
            kind: strings.intern(kind),
            value: value.unwrap_or(f64::NAN),
            tags: strings.intern("{}"),
        };
        self.recording.counters.push(row);
    }

    /// A value of an instrument, as System.Diagnostics.Metrics publishes it: numbers are texts.
    pub(crate) fn metric_event(&mut self, event: MetricEvent, seen: &Seen<'_>) {
        let fields = seen.fields();
        let tags = tags_json(&fields.text("tags").unwrap_or_default());
        let row = CounterRow {
            ts_ns: seen.ns,
            provider: self.text(seen, "meterName"),
            name: self.text(seen, "instrumentName"),
            unit: self.text(seen, "unit"),
            kind: Sym::NONE,
            value: f64::NAN,
            tags: self.recording.strings.intern(&tags),
        };
        // Most numbers are published as texts, a histogram's count and sum as numbers.
        let text = |name: &str| fields.text(name).and_then(|text| text.parse::<f64>().ok());
        let number = |name: &str| text(name).or_else(|| fields.real(name)).unwrap_or(f64::NAN);
        match event {
            MetricEvent::Gauge => self.counter(row, "value", number("lastValue")),
            MetricEvent::Rate if self.is_up_down(seen) => self.counter(row, "value", number("value")),
            MetricEvent::Rate => {
                let total = number("value");
                let key = (row.provider, row.name, row.tags);
                let before = self.counters.last.insert(key, (seen.ns, total));
                if let Some((ns, last)) = before.filter(|(ns, _)| *ns < seen.ns) {
                    let seconds = seen.ns.saturating_sub(ns) as f64 / 1e9;
                    self.counter(row, "rate", (total - last) / seconds);
                }
                self.counter(row, "total", total);
            }
            MetricEvent::Histogram => {
                for (quantile, value) in quantiles(&fields.text("quantiles").unwrap_or_default()) {
                    self.counter(row, &quantile, value);
                }
                self.counter(row, "count", number("count"));
                self.counter(row, "sum", number("sum"));
            }
        }
    }

    /// Up-down counters publish under a name of their own, with the fields of a counter.
    fn is_up_down(&self, seen: &Seen<'_>) -> bool {
        let last = self.recording.events.kind.last().copied();
        let id = last.and_then(|kind| self.recording.events.kind_id.get(kind as usize).copied());
        debug_assert_eq!(self.recording.events.ts_ns.last(), Some(&seen.ns), "the event was just added");
        id == Some(16)
    }

    fn counter(&mut self, row: CounterRow, kind: &str, value: f64) {
        let kind = self.recording.strings.intern(kind);
        self.recording.counters.push(CounterRow { kind, value, ..row });
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
