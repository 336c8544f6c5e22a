//! Reading along with a session while it is recorded: counts, losses, and the event that ends it.
//!
//! It keeps nothing of an event, so it costs a recorder little beside the writing. Damage is not reported here, but when
//! the recording is opened.

use super::kinds::{GcEvent, Handler, Kind, Layouts};
use super::live::LIMITS;
use base::near::nearest;
use base::seeded::SeededMap;
use nettrace::{Decoder, Event, Gap, Sink, StreamHeader};

/// Why the program was stopped by GC/SuspendEEStart, where it was not for a collection or a debugger.
const SUSPEND_OTHER: u8 = 0;

/// Threads whose stopping of the program is remembered until it goes on: one at a time does.
const MAX_STOPPING: usize = 1 << 10;

/// An event by its provider and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventName {
    provider: String,
    name: String,
}

impl EventName {
    /// Reads `PROVIDER/EVENT`, split at the first `/`; the name is that of the table `events`, as in `GC/Start`.
    ///
    /// The event of a provider whose schema ships with the program must be one that the schema has, or a number as the
    /// table writes it where it has none: `EventID(7)`.
    pub fn parse(text: &str) -> Result<Self, EventNameError> {
        let (provider, name) = text.split_once('/').unwrap_or((text, ""));
        if provider.is_empty() || name.is_empty() {
            return Err(EventNameError::NoEvent { text: text.to_owned() });
        }
        let wanted = Self { provider: provider.to_owned(), name: name.to_owned() };
        let Some(known) = clr::schema::event_names(provider) else {
            // An event of the runtime without its provider, such as GC/Start, would be waited for in vain.
            if meant(text).is_empty() {
                return Ok(wanted);
            }
            return Err(EventNameError::NoEvent { text: text.to_owned() });
        };
        let is_known = known.iter().any(|event| event.eq_ignore_ascii_case(name));
        if is_known || name.starts_with("EventID(") {
            return Ok(wanted);
        }
        let near = nearest(name, known).into_iter().map(str::to_owned).collect();
        Err(EventNameError::Unknown { provider: wanted.provider, name: wanted.name, near })
    }

    /// The provider.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    fn is(&self, provider: &str, name: &str) -> bool {
        self.provider.eq_ignore_ascii_case(provider) && self.name.eq_ignore_ascii_case(name)
    }
}

/// Why a text names no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventNameError {
    /// It is not of that form.
    #[error(
        "`{text}` names no event: expected PROVIDER/EVENT, as in Microsoft-Windows-DotNETRuntime/GC/Start{}",
        meant(text)
    )]
    NoEvent {
        /// The text.
        text: String,
    },
    /// The provider has no such event.
    #[error("{provider} has no event {name}{}", offered(near))]
    Unknown {
        /// The provider.
        provider: String,
        /// The event.
        name: String,
        /// Names of its events that are nearly that one.
        near: Vec<String>,
    },
}

/// Whether a provider is one of the runtime's own, which send events and have no counters.
pub fn sends_events_alone(provider: &str) -> bool {
    clr::schema::event_names(provider).is_some()
}

/// Of whom a name without a provider may be.
fn meant(text: &str) -> String {
    let of = |provider: &str| clr::schema::event_names(provider).unwrap_or_default();
    let bare = |name: &str| name.replace('/', "");
    let found = clr::schema::providers().iter().find_map(|provider| {
        let events = of(provider);
        let event = events.into_iter().find(|event| bare(event).eq_ignore_ascii_case(&bare(text)))?;
        Some(format!("; did you mean {provider}/{event}?"))
    });
    found.unwrap_or_default()
}

fn offered(near: &[String]) -> String {
    match near {
        [] => "; `select distinct name from events` of a recording lists those that came".to_owned(),
        names => format!("; did you mean {}?", names.join(" or ")),
    }
}

/// What was seen of a session so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Along {
    /// When the session began, in nanoseconds of its clock; none before its header.
    pub start_ns: Option<i64>,
    /// Events.
    pub events: u64,
    /// Events that the runtime dropped.
    pub lost: u64,
    /// Samples.
    pub samples: u64,
    /// How long the program was stopped for neither a collection nor a debugger: by the sampler, in nanoseconds.
    pub sampler_stopped_ns: u64,
    /// Whether the event came that was waited for.
    pub ends: bool,
    /// Kinds of events that came of the provider of the one that is waited for.
    pub kinds_of_provider: u64,
    /// Whether the bytes are no trace.
    pub is_no_trace: bool,
    /// Whether the session came to its end: known once it has ended.
    pub is_whole: bool,
}

/// Reads along with a session.
#[derive(Debug)]
pub struct Alongside {
    /// None once the bytes can be read no further.
    decoder: Option<Decoder>,
    counts: Counts,
}

impl Alongside {
    /// Waits for an event, if one is given.
    pub fn new(stop_on: Option<EventName>) -> Self {
        let counts = Counts {
            stop_on,
            along: Along::default(),
            parts: Vec::new(),
            layouts: Layouts::default(),
            ticks_per_second: 1_000_000_000,
            stopped: SeededMap::default(),
        };
        Self { decoder: Some(Decoder::new(LIMITS)), counts }
    }

    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        let Some(decoder) = &mut self.decoder else { return };
        if decoder.push(bytes, &mut self.counts).is_err() {
            self.counts.along.is_no_trace = true;
            self.decoder = None;
        } else {
            // Nothing is counted by the order of threads among each other, and an event that is waited for is wanted at
            // once. So little waits, however much comes between two points at which the order is known.
            decoder.flush_waiting(&mut self.counts);
        }
    }

    /// Ends the session: what waited for its place in time is counted too.
    pub fn end(&mut self) {
        if let Some(decoder) = self.decoder.take() {
            let summary = decoder.finish(&mut self.counts);
            self.counts.along.is_whole = summary.is_ok_and(|summary| summary.truncated_at.is_none());
        }
    }

    /// What was seen so far.
    pub fn along(&self) -> Along {
        self.counts.along
    }
}

/// What a kind of event is for the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Unknown,
    None,
    Sample,
    Stops,
    Restarts,
    /// The one that is waited for.
    Ends,
}

#[derive(Debug)]
struct Counts {
    stop_on: Option<EventName>,
    along: Along,
    /// By the decoder's number of the kind.
    parts: Vec<Part>,
    layouts: Layouts,
    ticks_per_second: i64,
    /// By thread: when it began to stop the program.
    stopped: SeededMap<u64, i64>,
}

impl Counts {
    fn part(&mut self, event: &Event<'_>) -> Part {
        let index = event.metadata.index as usize;
        match self.parts.get(index) {
            Some(Part::Unknown) | None => {}
            Some(known) => return *known,
        }
        let kind = Kind::new(event.metadata, event.version, event.opcode, &mut self.layouts);
        let provider = event.metadata.provider.as_str();
        let ends = self.stop_on.as_ref().is_some_and(|wanted| wanted.is(provider, &kind.name));
        let is_of_provider =
            |wanted: &EventName| wanted.provider.eq_ignore_ascii_case(provider) && !kind.rundown;
        if self.stop_on.as_ref().is_some_and(is_of_provider) {
            self.along.kinds_of_provider = self.along.kinds_of_provider.saturating_add(1);
        }
        let part = match kind.handler {
            _ if ends && !kind.rundown => Part::Ends,
            Handler::Sample => Part::Sample,
            Handler::Gc(GcEvent::SuspendStart) => Part::Stops,
            Handler::Gc(GcEvent::RestartStop) => Part::Restarts,
            _ => Part::None,
        };
        if index >= self.parts.len() {
            self.parts.resize(index.saturating_add(1), Part::Unknown);
        }
        if let Some(place) = self.parts.get_mut(index) {
            *place = part;
        }
        part
    }

    fn restarted(&mut self, event: &Event<'_>) {
        let Some(began) = self.stopped.remove(&event.thread) else { return };
        let ticks = u128::from(event.ticks.saturating_sub(began).max(0).unsigned_abs());
        let ns = ticks * 1_000_000_000 / u128::from(self.ticks_per_second.max(1).unsigned_abs());
        // Only damaged times are so far apart.
        let ns = u64::try_from(ns).unwrap_or(u64::MAX);
        self.along.sampler_stopped_ns = self.along.sampler_stopped_ns.saturating_add(ns);
    }
}

impl Sink for Counts {
    fn stream(&mut self, header: &StreamHeader) {
        self.parts.clear();
        self.layouts.clear();
        self.stopped.clear();
        self.ticks_per_second = header.ticks_per_second.max(1);
        let ns = i128::from(header.sync_ticks) * 1_000_000_000 / i128::from(self.ticks_per_second);
        self.along.start_ns = self.along.start_ns.or(i64::try_from(ns).ok());
    }

    fn event(&mut self, event: &Event<'_>) {
        self.along.events = self.along.events.saturating_add(1);
        match self.part(event) {
            Part::Sample => self.along.samples = self.along.samples.saturating_add(1),
            Part::Ends => self.along.ends = true,
            // The reason is the first field of all versions.
            Part::Stops if event.payload.first() != Some(&SUSPEND_OTHER) => {
                // The restart of the one before was lost: the next one is not its end.
                self.stopped.remove(&event.thread);
            }
            Part::Stops => {
                if self.stopped.len() < MAX_STOPPING || self.stopped.contains_key(&event.thread) {
                    self.stopped.insert(event.thread, event.ticks);
                }
            }
            Part::Restarts => self.restarted(event),
            Part::None | Part::Unknown => {}
        }
    }

    fn gap(&mut self, gap: Gap) {
        self.along.lost = self.along.lost.saturating_add(gap.events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fixtures/starvation.nettrace.zst");

    fn read(stop_on: Option<&str>, cut: usize) -> Along {
        let packed = std::fs::File::open(FIXTURE).unwrap();
        let mut unpacker = zstd::stream::read::Decoder::new(packed).unwrap();
        unpacker.window_log_max(27).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut unpacker, &mut bytes).unwrap();
        let mut reader = Alongside::new(stop_on.map(|text| EventName::parse(text).unwrap()));
        bytes.chunks(cut).for_each(|piece| reader.take(piece));
        reader.end();
        reader.along()
    }

    #[test]
    fn counts_agree_with_the_reading_of_the_recording_in_any_cut() {
        let options = crate::Options { payloads: false, threads: 1 };
        let evidence = crate::open(std::path::Path::new(FIXTURE), options).unwrap();
        let recording = evidence.into_trace().unwrap();
        let along = read(None, 1 << 20);
        assert_eq!(along, read(None, 997));
        assert_eq!(along.samples, recording.samples.ts_ns.len() as u64);
        assert_eq!(along.lost, recording.missing.events);
        let profiler = recording.strings.find("profiler").unwrap();
        let pauses = recording.pauses.cause.iter().zip(&recording.pauses.dur_ns);
        let stopped: i64 = pauses.filter(|(cause, _)| **cause == profiler).map(|(_, dur)| *dur).sum();
        assert_eq!(along.sampler_stopped_ns, stopped.unsigned_abs());
        assert_eq!(along.events, recording.events.len() as u64);
        assert!(along.is_whole);
    }

    #[test]
    fn the_event_that_is_waited_for_is_seen() {
        assert!(!read(None, 1 << 20).ends);
        assert!(!read(Some("Microsoft-Windows-DotNETRuntime/GC/Join"), 1 << 20).ends);
        assert!(read(Some("Microsoft-DotNETCore-SampleProfiler/Thread/Sample"), 1 << 20).ends);
    }

    #[test]
    fn a_provider_that_sends_only_what_is_counted_anyway_is_heard_too() {
        let sampler = "Microsoft-DotNETCore-SampleProfiler/EventID(7)";
        assert_eq!(read(Some(sampler), 1 << 20).kinds_of_provider, 1);
        assert_eq!(read(Some("My-Source/Anything"), 1 << 20).kinds_of_provider, 0);
    }

    #[test]
    fn an_event_that_cannot_come_is_refused_with_what_may_be_meant() {
        const RUNTIME: &str = "Microsoft-Windows-DotNETRuntime";
        let check = |text: &str, expected: Option<&str>| {
            let refused = EventName::parse(text).err().map(|error| error.to_string());
            let refused = refused.as_deref();
            assert!(
                refused.is_some() == expected.is_some()
                    && refused.zip(expected).is_none_or(|(text, part)| text.contains(part)),
                "{text}: {refused:?}"
            );
        };
        check(&format!("{RUNTIME}/GC/Start"), None);
        check(&format!("{}/gc/start", RUNTIME.to_lowercase()), None);
        check(&format!("{RUNTIME}/EventID(300)"), None);
        check(&format!("{RUNTIME}/GC/Strat"), Some("has no event GC/Strat; did you mean GC/Start"));
        check(&format!("{RUNTIME}/Nonsense"), Some("has no event Nonsense; `select"));
        check("GCStart", Some("did you mean Microsoft-Windows-DotNETRuntime/GC/Start?"));
        check("GC/Start", Some("did you mean Microsoft-Windows-DotNETRuntime/GC/Start?"));
        check("GC", Some("expected PROVIDER/EVENT"));
        check("/GC", Some("expected PROVIDER/EVENT"));
        // Nobody knows what a source of the service's own sends.
        check("My-Source/Anything", None);
    }

    #[test]
    fn bytes_that_are_no_trace_are_told() {
        let mut reader = Alongside::new(None);
        reader.take(b"Nettr");
        assert!(!reader.along().is_no_trace);
        reader.take(&[0; 100]);
        assert!(reader.along().is_no_trace);
    }
}
