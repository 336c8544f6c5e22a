//! A recording with everything that several topics derive from it.

pub(crate) use base::number::real;
use model::{ByKind, Trace};
use report::{List, Part};
use runtime::{Sampling, StackIndex};

/// A recording, and what topics derive from it.
#[derive(Debug)]
pub(crate) struct TopicFacts<'a> {
    pub(crate) recording: &'a Trace,
    pub(crate) index: &'a StackIndex,
    pub(crate) sampling: Option<Sampling>,
    parts: &'a [Part],
    /// Seconds in which events were recorded.
    pub(crate) seconds: Option<f64>,
    /// CPU cores that the process may use.
    pub(crate) cores: Option<f64>,
    /// The runtime's major version.
    version: Option<u32>,
}

impl<'a> TopicFacts<'a> {
    pub(crate) fn new(recording: &'a Trace, index: &'a StackIndex, parts: &'a [Part]) -> Self {
        let version = recording.exhibit.runtime.as_deref();
        Self {
            sampling: Sampling::new(recording),
            parts,
            index,
            seconds: runtime::observed_ns(recording, "events").map(|ns| real(ns) / 1e9),
            cores: runtime::allowed_cores(recording),
            version: version.and_then(|text| text.split('.').next()?.parse().ok()),
            recording,
        }
    }

    /// A part of the runtime.
    pub(crate) fn part(&self, id: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.id == id)
    }

    /// A figure of a part.
    pub(crate) fn value(&self, part: &str, figure: &str) -> Option<f64> {
        self.part(part)?.value(figure)
    }

    /// A list of a part.
    pub(crate) fn list(&self, part: &str, list: &str) -> Option<&List> {
        self.part(part)?.list(list)
    }

    /// The first rows of a list: the name, and a value of each row.
    pub(crate) fn rows(&self, part: &str, list: &str, column: usize) -> Vec<(&str, f64)> {
        let rows = self.list(part, list).map_or(&[][..], |list| &list.rows);
        let rows = rows.iter().filter_map(|row| Some((row.name.as_str(), row.values.get(column).copied()??)));
        rows.collect()
    }

    /// Whether the runtime has this major version or a later one. `None` if unknown.
    pub(crate) fn since(&self, version: u32) -> Option<bool> {
        self.version.map(|of| of >= version)
    }

    /// The latest value of a counter.
    pub(crate) fn latest(&self, name: &str, kind: &str) -> Option<f64> {
        runtime::metered_latest(self.recording, name, kind)
    }

    /// How many events of a name were recorded.
    pub(crate) fn events(&self, name: &str) -> f64 {
        let events = &self.recording.events;
        let Some(name) = self.recording.strings.find(name) else { return 0.0 };
        let wanted: ByKind<bool> = events.kind_name.iter().map(|of| *of == name).collect();
        if !wanted.contains(&true) {
            return 0.0;
        }
        let rows = events.kind.iter().filter(|kind| wanted.get(**kind).copied().unwrap_or(false));
        base::number::count(rows.count())
    }

    /// How long was recorded, as the beginning of a sentence.
    pub(crate) fn in_time(&self) -> String {
        self.seconds.map_or_else(
            || "While recording,".to_owned(),
            |seconds| format!("In {},", crate::words::ms(seconds * 1e3)),
        )
    }
}

/// A topic of a recording, for tests.
#[cfg(test)]
pub(crate) fn topic_of(recording: &Trace, topic: impl Fn(&TopicFacts<'_>) -> crate::Topic) -> crate::Topic {
    let index = StackIndex::new(recording);
    topic(&TopicFacts::new(recording, &index, &runtime::parts_with(recording, &index)))
}
