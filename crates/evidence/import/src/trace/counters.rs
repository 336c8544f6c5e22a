//! Counters: event counters of event sources, and instruments of meters.
//!
//! What an event publishes is read here, for the table of a recording and for whoever watches a running session.

use super::budget::{MAP, Work, of};
use super::kinds::{CounterEvent, MetricEvent};
use super::seen::Seen;
use base::seeded::{SeededMap, SeededSet};
use clr::layout::Layout;
use clr::payload::Payload;
use model::{CounterRow, Counters, LimitKind, Limits, Strings, Sym, Trace};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// A counter or instrument with a set of tags: provider, name, tags.
type SeriesKey = [String; 3];

/// Bytes of the texts of a series or an instrument that are kept where totals have a limit.
const MAX_KEY: usize = 4 << 10;
/// Bytes of all of them: each is kept up to four times.
const MAX_KEYS: usize = 16 << 20;

/// An instrument: meter, its version, name, unit, and the number that the runtime gave it (from .NET 9 on).
///
/// A program may have many meters of one name, each with instruments of the same names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct InstrumentKey {
    texts: [Option<String>; 4],
    number: Option<i64>,
}

/// Bytes of the tags of an instrument and its meter that are kept, since each of its values gets them: names of pools and
/// servers, a connection string at the most. As they are few, they are compared with each other.
const MAX_TAG_BYTES: usize = 1024;
/// Steps to write a byte of tags as JSON and to look it up.
const STEPS_A_TAG_BYTE: u64 = 4;
/// The JSON of a counter has so many bytes for each of its payload, and so many besides for the names of its members.
const USUAL_JSON_A_BYTE: usize = 4;
const USUAL_JSON: usize = 512;
/// Steps to write a byte of JSON and to read it again.
const STEPS_A_JSON_BYTE: u64 = 8;
/// What a tag takes beside its texts.
const BYTES_A_TAG: usize = 4;

fn bytes_of((key, value): &(String, String)) -> usize {
    key.len().saturating_add(value.len()).saturating_add(BYTES_A_TAG)
}

impl InstrumentKey {
    fn of(fields: &Payload<'_>) -> Self {
        let texts = ["meterName", "meterVersion", "instrumentName", "unit"].map(|name| fields.text(name));
        Self { texts, number: fields.int("instrumentId").filter(|number| *number != 0) }
    }

    fn name(&self) -> Option<String> {
        let [meter, _, name, _] = &self.texts;
        Some(format!("{}\0{}", meter.as_deref()?, name.as_deref()?))
    }
}

/// What distinguishes the series of an instrument from those of others with its name.
#[derive(Debug, Default)]
struct Instrument {
    /// The tags of its meter and its own, which its values do not repeat.
    tags: Vec<(String, String)>,
}

/// The last total of each counter, for rates: instruments publish totals.
#[derive(Debug)]
pub(crate) struct CounterRows {
    last: SeededMap<SeriesKey, (i64, f64)>,
    instruments: SeededMap<InstrumentKey, Instrument>,
    /// Meters with the names of their instruments.
    names: SeededSet<String>,
    /// How many instruments there are of each name with the same tags.
    alike: SeededMap<(String, Vec<(String, String)>), usize>,
    /// How many totals and instruments are kept; beyond it the older half of the totals is forgotten, and their next rates
    /// are missing.
    most: usize,
    /// Bytes of the keys of totals, and of the texts of instruments.
    key_bytes: usize,
    instrument_bytes: usize,
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
        Self {
            last: SeededMap::default(),
            instruments: SeededMap::default(),
            names: SeededSet::default(),
            alike: SeededMap::default(),
            most,
            key_bytes: 0,
            instrument_bytes: 0,
            forgotten: 0,
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        let entries = self.last.len().saturating_add(self.instruments.len()).saturating_add(self.alike.len());
        // The texts of an instrument stand in its key and in that of its alikes.
        let texts = self.instrument_bytes.saturating_mul(2).saturating_add(self.key_bytes);
        of(entries, MAP * 160).saturating_add(of(self.names.len(), MAP * 33)).saturating_add(texts)
    }

    /// Whether it is an instrument of a meter, not a counter of an event source.
    fn is_instrument(&self, meter: &str, name: &str) -> bool {
        self.names.contains(&format!("{meter}\0{name}"))
    }

    /// An instrument is announced, with the tags of its meter and its own.
    pub(crate) fn announce(&mut self, fields: &Payload<'_>) {
        let tags = ["meterTags", "instrumentTags"].map(|name| fields.text(name).unwrap_or_default());
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut room = MAX_TAG_BYTES;
        for (key, value) in tags.iter().flat_map(|text| tag_pairs(text)) {
            let pair = (key.to_owned(), value);
            let Some(rest) = room.checked_sub(bytes_of(&pair)) else { break };
            room = rest;
            if pairs.iter().all(|(known, _)| *known != pair.0) {
                pairs.push(pair);
            }
        }
        self.announced(InstrumentKey::of(fields), pairs);
    }

    /// Runtimes before .NET 9 give instruments no number: what is announced twice under one key with other tags is two
    /// instruments whose values cannot be distinguished, so only the tags that both have are certain.
    fn announced(&mut self, key: InstrumentKey, tags: Vec<(String, String)>) {
        if key.number.is_none()
            && let Some(known) = self.instruments.get_mut(&key)
        {
            known.tags.retain(|tag| tags.contains(tag));
            return;
        }
        self.instrument(key, tags);
    }

    /// Keeps an instrument on first sight. Of several with the same name and tags each but the first gets a tag more, so that
    /// a name and its tags are one series.
    fn instrument(&mut self, key: InstrumentKey, mut tags: Vec<(String, String)>) -> Option<&Instrument> {
        if !self.instruments.contains_key(&key) {
            if self.instruments.len() >= self.most || !self.takes_instrument(&key, &tags) {
                return None;
            }
            self.names.insert(key.name().unwrap_or_default());
            let alike = self.alike.entry((key.name().unwrap_or_default(), tags.clone())).or_default();
            *alike = alike.saturating_add(1);
            if *alike > 1 {
                tags.push(("instrument".to_owned(), alike.to_string()));
            }
        }
        Some(self.instruments.entry(key).or_insert(Instrument { tags }))
    }

    /// Whether an instrument's texts have room; without a limit on totals they always have.
    fn takes_instrument(&mut self, key: &InstrumentKey, tags: &[(String, String)]) -> bool {
        let of_key = key.texts.iter().flatten().map(String::len).sum::<usize>();
        let of_tags = tags.iter().map(bytes_of).sum::<usize>();
        let bytes = of_key.saturating_add(of_tags);
        let all = self.instrument_bytes.saturating_add(bytes);
        if self.most != usize::MAX && (bytes > MAX_KEY || all > MAX_KEYS) {
            self.forgotten = self.forgotten.saturating_add(1);
            return false;
        }
        self.instrument_bytes = all;
        true
    }

    /// The tags of a value as a JSON object: its own, then those of its instrument.
    fn tags(&mut self, fields: &Payload<'_>) -> String {
        let text = fields.text("tags").unwrap_or_default();
        let mut pairs: Map<String, Value> =
            tag_pairs(&text).into_iter().map(|(key, value)| (key.to_owned(), Value::String(value))).collect();
        let instrument = self.instrument(InstrumentKey::of(fields), Vec::new());
        for (key, value) in instrument.map_or(&[][..], |of| &of.tags) {
            let key = if pairs.contains_key(key) { format!("meter.{key}") } else { key.clone() };
            pairs.insert(key, Value::String(value.clone()));
        }
        Value::Object(pairs).to_string()
    }

    /// The change per second since the last total; none for the first one.
    fn rate(&mut self, key: SeriesKey, ns: i64, total: f64) -> Option<f64> {
        if let Some(known) = self.last.get_mut(&key) {
            let (before, last) = std::mem::replace(known, (ns, total));
            return (before < ns).then(|| (total - last) / (ns.saturating_sub(before) as f64 / 1e9));
        }
        let bytes = series_bytes(&key);
        if self.most != usize::MAX {
            if bytes > MAX_KEY {
                self.forgotten = self.forgotten.saturating_add(1);
                return None;
            }
            if self.last.len() >= self.most || self.key_bytes.saturating_add(bytes) > MAX_KEYS {
                self.forget_older_half();
            }
        }
        self.key_bytes = self.key_bytes.saturating_add(bytes);
        self.last.insert(key, (ns, total));
        None
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
        self.key_bytes = self.last.keys().map(series_bytes).sum();
        self.forgotten = self.forgotten.saturating_add(before.saturating_sub(self.last.len()) as u64);
    }
}

fn series_bytes(key: &SeriesKey) -> usize {
    key.iter().map(String::len).sum()
}

/// The fields of an event counter as JSON, as far as it can be one.
pub(crate) fn counter_json(layout: &Layout, payload: &[u8], pointer_size: u8) -> String {
    /// Those of the runtime take 300 bytes. A list repeats the names of its members for each element.
    const MAX_JSON: usize = 16 << 10;
    clr::json::json_within(layout, payload, pointer_size, MAX_JSON)
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
    ///
    /// `json` is from [`counter_json`].
    pub(crate) fn of_event_counter(provider: &str, json: &str) -> Option<Self> {
        let Ok(Value::Object(fields)) = serde_json::from_str(json) else { return None };
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
        fields: &Payload<'_>,
        ns: i64,
        totals: &mut CounterRows,
    ) -> Self {
        let mut publication = Self {
            provider: fields.text("meterName"),
            name: fields.text("instrumentName"),
            unit: fields.text("unit"),
            tags: totals.tags(fields),
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

/// The tables that counters fill.
#[derive(Debug)]
pub(crate) struct CounterTables<'a> {
    pub(crate) strings: &'a mut Strings,
    pub(crate) counters: &'a mut Counters,
    pub(crate) limits: &'a mut Limits,
    pub(crate) work: &'a mut Work,
}

impl CounterRows {
    /// Takes an event of an event source's counters, or of the source of the metrics.
    pub(crate) fn take(
        &mut self,
        event: CounterEvent,
        seen: &Seen<'_>,
        provider: &str,
        mut tables: CounterTables<'_>,
    ) {
        match event {
            CounterEvent::Published => {
                if !tables.work.spend(0) {
                    return;
                }
                let json = counter_json(seen.layout, seen.payload, seen.pointer_size);
                let usual = seen.payload.len().saturating_mul(USUAL_JSON_A_BYTE).saturating_add(USUAL_JSON);
                let unusual = json.len().saturating_sub(usual) as u64;
                tables.work.spend(unusual.saturating_mul(STEPS_A_JSON_BYTE));
                if let Some(publication) = Publication::of_event_counter(provider, &json) {
                    tables.add(seen, publication);
                }
            }
            CounterEvent::Metric(event) => {
                tables.add(seen, Publication::of_metric(event, &seen.fields, seen.ns, self));
            }
            CounterEvent::MetricBegin => self.announce(&seen.fields),
            CounterEvent::MetricTrouble(id) => {
                let text = seen.fields.text("errorMessage");
                tables.limits.note(limit_of_trouble(id), text.as_deref());
            }
        }
    }

    /// Says what the limits on series and histograms are, if they were reached: as many as there are.
    pub(crate) fn limit_series(&self, recording: &mut Trace) {
        let histograms = recording.missing.limits.get(LimitKind::Histograms).is_some();
        let series = recording.missing.limits.get(LimitKind::TimeSeries).is_some();
        if !(histograms || series) {
            return;
        }
        let count = recording.strings.find("count");
        let rows = &recording.counters;
        let (mut all, mut of_histograms) = (SeededSet::default(), SeededSet::default());
        let mut instruments: SeededMap<(Sym, Sym), bool> = SeededMap::default();
        for row in (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)) {
            let is_instrument = *instruments.entry((row.provider, row.name)).or_insert_with(|| {
                let [provider, name] = [row.provider, row.name].map(|sym| recording.strings.text(sym));
                self.is_instrument(provider, name)
            });
            if !is_instrument {
                continue;
            }
            let key = (row.provider, row.name, row.tags);
            all.insert(key);
            if Some(row.kind) == count {
                of_histograms.insert(key);
            }
        }
        for (reached, kind, of) in
            [(histograms, LimitKind::Histograms, of_histograms), (series, LimitKind::TimeSeries, all)]
        {
            if reached {
                recording.missing.limits.of(kind).limit = u64::try_from(of.len()).ok().filter(|of| *of > 0);
            }
        }
    }
}

/// What the source of the metrics could not do, by the number of its event.
fn limit_of_trouble(event_id: u32) -> LimitKind {
    match event_id {
        9 => LimitKind::Metrics,
        12 => LimitKind::TimeSeries,
        13 => LimitKind::Histograms,
        14 => LimitKind::Callbacks,
        15 => LimitKind::OtherSession,
        _ => LimitKind::OtherSettings,
    }
}

impl CounterTables<'_> {
    /// Adds a row for each value that an event published.
    fn add(&mut self, seen: &Seen<'_>, publication: Publication) {
        let Publication { provider, name, unit, tags, values } = publication;
        // Tags of the instrument are in each of its values, so they cost more than the event's own bytes.
        if !self.work.spend((tags.len() as u64).saturating_mul(STEPS_A_TAG_BYTE)) {
            return;
        }
        let mut sym = |text: Option<String>| text.map_or(Sym::NONE, |text| self.strings.intern(&text));
        let row = CounterRow {
            ts_ns: seen.ns,
            provider: sym(provider),
            name: sym(name),
            unit: sym(unit),
            kind: Sym::NONE,
            value: f64::NAN,
            tags: sym(Some(tags)),
        };
        for (kind, value) in values {
            let kind = self.strings.intern(&kind);
            self.counters.push(CounterRow { kind, value, ..row });
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

/// `a=1,b=x` as pairs. Values may hold `=`; a piece without one goes on with the value before it.
fn tag_pairs(text: &str) -> Vec<(&str, String)> {
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
    pairs
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
    fn long_names_of_a_hostile_service_do_not_fill_the_memory_of_who_watches_it() {
        let mut totals = CounterRows::keeping(20_000);
        let key = |at: i64, len| ["P".to_owned(), format!("{at}{}", "x".repeat(len)), "{}".to_owned()];
        for at in 0..20_000 {
            totals.rate(key(at, 3000), at, 1.0);
        }
        let kept: usize = totals.last.keys().map(series_bytes).sum();
        assert!(
            kept <= MAX_KEYS && totals.forgotten > 10_000,
            "{kept} bytes, {} forgotten",
            totals.forgotten
        );
        let before = totals.last.len();
        assert_eq!(totals.rate(key(0, MAX_KEY), 20_000, 1.0), None);
        assert_eq!(totals.last.len(), before, "a name that no service has is not kept");
    }

    #[test]
    fn quantiles_are_named_by_their_percentage() {
        let named = quantiles("0.5=1.5;0.95=2;0.999=7;x");
        assert_eq!(named, [("p50".to_owned(), 1.5), ("p95".to_owned(), 2.0), ("p999".to_owned(), 7.0)]);
    }

    #[test]
    fn tags_keep_commas_and_equal_signs_of_their_values() {
        let pairs = |text| tag_pairs(text).into_iter().collect::<Vec<_>>();
        let expected =
            [("a", "1"), ("pool", "Host=db;Port=5,x,y")].map(|(key, value)| (key, value.to_owned()));
        assert_eq!(pairs("a=1,pool=Host=db;Port=5,x,y"), expected);
        assert_eq!(pairs(""), []);
    }

    #[test]
    fn values_that_may_be_of_either_meter_do_not_get_the_tags_of_one() {
        let mut totals = CounterRows::keeping(3);
        let key = InstrumentKey { texts: ["M", "", "n", ""].map(|text| Some(text.to_owned())), number: None };
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        totals.announced(key.clone(), vec![tag("host", "h"), tag("bind", "a")]);
        totals.announced(key.clone(), vec![tag("host", "h"), tag("bind", "b")]);
        assert_eq!(totals.instrument(key, Vec::new()).unwrap().tags, [tag("host", "h")]);
    }

    #[test]
    fn instruments_of_one_name_and_the_same_tags_are_series_of_their_own() {
        let mut totals = CounterRows::keeping(3);
        let key =
            |number| InstrumentKey { texts: ["M", "", "n", ""].map(|text| Some(text.to_owned())), number };
        let mut tags = |number, tags: &[(&str, &str)]| {
            let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            totals.instrument(key(Some(number)), tags).map(|of| format!("{:?}", of.tags))
        };
        assert_eq!(tags(1, &[("bind", "a")]).unwrap(), r#"[("bind", "a")]"#);
        assert_eq!(tags(2, &[("bind", "b")]).unwrap(), r#"[("bind", "b")]"#);
        assert_eq!(tags(3, &[("bind", "a")]).unwrap(), r#"[("bind", "a"), ("instrument", "2")]"#);
        // What was announced stays, and instruments have a limit.
        assert_eq!(tags(1, &[]).unwrap(), r#"[("bind", "a")]"#);
        assert_eq!(tags(4, &[]), None);
    }
}
