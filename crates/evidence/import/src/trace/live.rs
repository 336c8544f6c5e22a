//! Counters of a running session, as they come.
//!
//! [`CounterFeed`] takes the bytes of a session in any cut and gives what counters and meters publish, right away: it
//! does not wait for a place in time, which a quiet session settles only after minutes. It keeps no event and no text
//! but the last totals, so it can run for days; everything that a session can make grow has a limit.

use super::clock::{Clock, unix_ns};
use super::counters::{CounterRows, Publication, counter_json};
use super::kinds::{CounterEvent, Handler, Kind, Layouts};
use crate::error::Error;
use base::seeded::SeededSet;
use clr::payload::Payload;
use nettrace::{Decoder, Event, Gap, Limits, Sink, StreamHeader};
use std::borrow::Cow;

/// A runtime's blocks have at most 100 KB, and nothing waits longer than until the bytes at hand are done with.
pub(super) const LIMITS: Limits =
    Limits { block_bytes: 8 << 20, waiting_bytes: 16 << 20, waiting_events: 1 << 19 };
/// Counters whose last total is kept; the runtime publishes 1,000 series unless it is asked for more.
const MAX_TOTALS: usize = 20_000;
/// Readings and notes that wait to be fetched, and bytes of their texts: a piece of a session that is read at once holds a
/// few thousand.
const MAX_WAITING: usize = 200_000;
const MAX_WAITING_BYTES: usize = 32 << 20;
const MAX_NOTES: usize = 10_000;
/// Bytes of the texts of one reading: a series has tags of some hundred.
const MAX_READING_TEXT: usize = 4 << 10;
/// Bytes of a note's text that are kept: an error's text is a whole stack trace.
const MAX_TEXT: usize = 500;

/// Who publishes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterSource {
    /// An event source, with event counters.
    EventSource,
    /// A meter, with instruments.
    Meter,
}

/// A value as it was published: a row of the table `counters`.
#[derive(Debug, Clone, PartialEq)]
pub struct CounterReading {
    /// When, in nanoseconds since the session's start.
    pub ts_ns: i64,
    /// Who publishes it.
    pub source: CounterSource,
    /// The event source's or meter's own name.
    pub provider: String,
    /// The counter's or instrument's name.
    pub name: String,
    /// The unit, as published.
    pub unit: String,
    /// `rate`, `total`, `value`, `p50`, `p95`, `p99` (or the quantile published), `count`, `sum`.
    pub kind: Cow<'static, str>,
    /// The value; not a number where the event does not have it.
    pub value: f64,
    /// Its tags, as a JSON object.
    pub tags: String,
    /// Whether it is the change since the session began instead of the value: an up-down counter that is not observed
    /// tells its changes alone.
    pub is_change: bool,
}

/// What the source of the metrics says that it could not do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CounterNote {
    /// It failed, with the error's text.
    Error(String),
    /// There are more series than it may follow: those that came later are missing.
    TimeSeriesLimit,
    /// There are more histograms than it may follow: those that came later are missing.
    HistogramLimit,
    /// An observed instrument's callback threw, with the error's text.
    CallbackError(String),
    /// Another listener, which shares with nobody, came first: its session.
    OtherSession(String),
    /// Another listener shares its session, but asked for another interval or other limits.
    OtherSettings {
        /// Whose demand was refused.
        client: String,
        /// The interval that holds, in seconds.
        interval: String,
    },
}

/// Reads counters along with a running session.
#[derive(Debug)]
pub struct CounterFeed {
    decoder: Option<Decoder>,
    reader: Reader,
}

impl Default for CounterFeed {
    fn default() -> Self {
        Self::new()
    }
}

impl CounterFeed {
    /// A feed at a session's start.
    pub fn new() -> Self {
        let reader = Reader {
            start_utc_ns: None,
            clock: None,
            pointer_size: 8,
            kinds: Vec::new(),
            layouts: Layouts::default(),
            totals: CounterRows::keeping(MAX_TOTALS),
            of_changes: SeededSet::default(),
            readings: Vec::new(),
            reading_bytes: 0,
            notes: Vec::new(),
            lost: 0,
            left_out: 0,
        };
        Self { decoder: Some(Decoder::new(LIMITS)), reader }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// The bytes are no session's; only ever before its first event, and only once.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let pushed = decoder.push(bytes, &mut self.reader);
        decoder.flush_waiting(&mut self.reader);
        pushed.map_err(|cause| {
            self.decoder = None;
            Error::Format { path: "session".to_owned(), cause: Box::new(cause) }
        })
    }

    /// Fetches what was published since the last call.
    pub fn readings(&mut self) -> Vec<CounterReading> {
        self.reader.reading_bytes = 0;
        std::mem::take(&mut self.reader.readings)
    }

    /// Fetches what the source of the metrics said since the last call.
    pub fn notes(&mut self) -> Vec<CounterNote> {
        std::mem::take(&mut self.reader.notes)
    }

    /// When the session began, in nanoseconds since 1970; none before its header.
    pub fn start_utc_ns(&self) -> Option<i128> {
        self.reader.start_utc_ns
    }

    /// Events that the runtime dropped.
    pub fn lost(&self) -> u64 {
        self.reader.lost
    }

    /// What was left out because a limit was reached: totals without their rate, and values that nobody fetched.
    pub fn left_out(&self) -> u64 {
        self.reader.left_out.saturating_add(self.reader.totals.forgotten)
    }
}

/// What becomes of the events.
#[derive(Debug)]
struct Reader {
    start_utc_ns: Option<i128>,
    clock: Option<Clock>,
    pointer_size: u8,
    /// By the decoder's number of the kind.
    kinds: Vec<Option<Kind>>,
    layouts: Layouts,
    totals: CounterRows,
    /// Meters with their up-down counters that are not observed.
    of_changes: SeededSet<[String; 2]>,
    readings: Vec<CounterReading>,
    /// Bytes of their texts.
    reading_bytes: usize,
    notes: Vec<CounterNote>,
    lost: u64,
    left_out: u64,
}

impl Reader {
    fn know(&mut self, event: &Event<'_>) {
        let index = event.metadata.index as usize;
        if index >= self.kinds.len() {
            self.kinds.resize_with(index.saturating_add(1), || None);
        }
        if let Some(place @ None) = self.kinds.get_mut(index) {
            *place = Some(Kind::new(event.metadata, event.version, event.opcode, &mut self.layouts));
        }
    }

    fn publish(&mut self, ts_ns: i64, source: CounterSource, publication: Publication) {
        let Publication { provider, name, unit, tags, values } = publication;
        let [provider, name, unit] = [provider, name, unit].map(Option::unwrap_or_default);
        let is_change = source == CounterSource::Meter
            && !self.of_changes.is_empty()
            && self.of_changes.contains(&[provider.clone(), name.clone()]);
        let bytes = [&provider, &name, &unit, &tags].map(String::len).iter().sum::<usize>();
        for (kind, value) in values {
            let waiting = self.reading_bytes.saturating_add(bytes);
            let is_too_much = self.readings.len() >= MAX_WAITING || waiting > MAX_WAITING_BYTES;
            if is_too_much || bytes > MAX_READING_TEXT {
                self.left_out = self.left_out.saturating_add(1);
                continue;
            }
            let (provider, name, unit, tags) = (provider.clone(), name.clone(), unit.clone(), tags.clone());
            let reading =
                CounterReading { ts_ns, source, provider, name, unit, kind, value, tags, is_change };
            self.readings.push(reading);
            self.reading_bytes = waiting;
        }
    }

    /// An instrument begins to be published.
    fn begins(&mut self, instrument: [Option<String>; 3]) {
        let [meter, name, kind] = instrument.map(Option::unwrap_or_default);
        if !kind.starts_with("UpDownCounter") {
            return;
        }
        if self.of_changes.len() < MAX_TOTALS {
            self.of_changes.insert([meter, name]);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    fn note(&mut self, note: CounterNote) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }
}

/// What an event of trouble says.
fn trouble(event_id: u32, fields: &Payload<'_>) -> Option<CounterNote> {
    let text = |name: &str| {
        let text = fields.text(name).unwrap_or_default();
        text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default().to_owned()
    };
    Some(match event_id {
        9 => CounterNote::Error(text("errorMessage")),
        12 => CounterNote::TimeSeriesLimit,
        13 => CounterNote::HistogramLimit,
        14 => CounterNote::CallbackError(text("errorMessage")),
        15 => CounterNote::OtherSession(text("runningSessionId")),
        17 => {
            let of_old_runtimes = text("sharedIdentifier");
            let client = if of_old_runtimes.is_empty() { text("clientId") } else { of_old_runtimes };
            CounterNote::OtherSettings { client, interval: text("expectedRefreshInterval") }
        }
        _ => return None,
    })
}

impl Sink for Reader {
    fn stream(&mut self, header: &StreamHeader) {
        self.kinds.clear();
        self.layouts.clear();
        self.pointer_size = header.pointer_size;
        self.clock = Some(Clock::new(header, header));
        self.start_utc_ns = Some(unix_ns(header.sync_time));
    }

    fn event(&mut self, event: &Event<'_>) {
        self.know(event);
        let Some(Some(kind)) = self.kinds.get(event.metadata.index as usize) else { return };
        let ns = self.clock.map_or(0, |clock| clock.ns(event.ticks));
        let fields = || Payload::new(&kind.layout, event.payload, self.pointer_size);
        let Handler::Counter(of) = kind.handler else { return };
        match of {
            CounterEvent::Published => {
                let provider = &event.metadata.provider;
                let json = counter_json(&kind.layout, event.payload, self.pointer_size);
                if let Some(publication) = Publication::of_event_counter(provider, &json) {
                    self.publish(ns, CounterSource::EventSource, publication);
                }
            }
            CounterEvent::Metric(metric) => {
                let publication = Publication::of_metric(metric, &fields(), ns, &mut self.totals);
                self.publish(ns, CounterSource::Meter, publication);
            }
            CounterEvent::MetricBegin => {
                let fields = fields();
                self.totals.announce(&fields);
                self.begins(["meterName", "instrumentName", "instrumentType"].map(|name| fields.text(name)));
            }
            CounterEvent::MetricTrouble(id) => {
                if let Some(note) = trouble(id, &fields()) {
                    self.note(note);
                }
            }
        }
    }

    fn gap(&mut self, gap: Gap) {
        self.lost = self.lost.saturating_add(gap.events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_a_hostile_service_repeats_do_not_fill_the_memory_of_who_watches_it() {
        let mut feed = CounterFeed::new();
        let publication = |text: usize, values: usize| Publication {
            provider: Some("P".to_owned()),
            name: Some("n".repeat(text)),
            unit: None,
            tags: "{}".to_owned(),
            values: (0..values).map(|_| ("p50".into(), 1.0)).collect(),
        };
        feed.reader.publish(0, CounterSource::Meter, publication(MAX_READING_TEXT, 3));
        assert_eq!((feed.readings().len(), feed.left_out()), (0, 3), "no name is that long");
        for fetched in [false, true] {
            feed.reader.publish(0, CounterSource::Meter, publication(3000, 50_000));
            if fetched {
                break;
            }
            let readings = feed.readings();
            let bytes: usize = readings.iter().map(|of| of.name.len()).sum();
            assert!(bytes > MAX_WAITING_BYTES / 2 && bytes <= MAX_WAITING_BYTES, "{bytes}");
        }
        assert!(!feed.readings().is_empty(), "what was fetched makes room");
    }
}
