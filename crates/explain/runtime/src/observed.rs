//! What a recording observed.

use model::Trace;

/// For how many nanoseconds a source (`events`, `samples`) was recorded. `None` if it never was.
pub fn observed_ns(recording: &Trace, source: &str) -> Option<i64> {
    recording.observed_ns(source)
}

/// Whether the recording asked for events whose names begin like this.
pub fn has_events(recording: &Trace, name_start: &str) -> bool {
    let names = &recording.events.kind_name;
    names.iter().any(|name| recording.strings.text(*name).starts_with(name_start))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A recording of a second that was observed for `observed_ns`.
    pub(crate) fn recording(observed_ns: i64) -> Trace {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = 1_000_000_000;
        for source in ["events", "samples"] {
            recording.covers(source, 0, observed_ns);
        }
        recording
    }
}
