//! What was observed.
//!
//! Streams of an exhibit may overlap: time that two of them cover counts once.

use model::Recording;

/// Nanoseconds in which a source (`events`, `samples`) was recorded; none where it never was.
pub fn observed_ns(recording: &Recording, source: &str) -> Option<i64> {
    let source = recording.strings.find(source)?;
    let coverage = &recording.coverage;
    let mut spans: Vec<(i64, i64)> = coverage
        .source
        .iter()
        .zip(coverage.from_ns.iter().zip(&coverage.to_ns))
        .filter(|(of, (from, to))| **of == source && from < to)
        .map(|(_, (from, to))| (*from, *to))
        .collect();
    spans.sort_unstable();
    let mut total = 0i64;
    let mut end = i64::MIN;
    for (from, to) in spans {
        total = total.saturating_add(to.saturating_sub(from.max(end)).max(0));
        end = end.max(to);
    }
    (total > 0).then_some(total)
}

/// Whether any kind of event's name begins so: the recording was asked for them.
pub fn has_events(recording: &Recording, name_start: &str) -> bool {
    let names = &recording.events.kind_name;
    names.iter().any(|name| recording.strings.text(*name).starts_with(name_start))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use model::{CoverageRow, Frame, NO_ID, Sym};

    /// A recording of a second that was observed for `observed_ns`.
    pub(crate) fn recording(observed_ns: i64) -> Recording {
        let mut recording = Recording::default();
        recording.exhibit.duration_ns = 1_000_000_000;
        for source in ["events", "samples"] {
            let source = recording.strings.intern(source);
            recording.coverage.push(CoverageRow { source, from_ns: 0, to_ns: observed_ns });
        }
        recording
    }

    /// A stack of `Module!Type.Method`, the outermost first.
    pub(crate) fn stack(recording: &mut Recording, methods: &[&str]) -> u32 {
        methods.iter().fold(NO_ID, |parent, name| {
            let sym = recording.strings.intern(name);
            let known = recording.frames.name.iter().position(|of| *of == sym);
            let frame = known.and_then(|at| u32::try_from(at).ok()).unwrap_or_else(|| {
                let (module, method) = name.split_once('!').unwrap();
                let module = recording.strings.intern(module);
                let method = recording.strings.intern(method);
                let none = Sym::NONE;
                recording.frames.push(Frame {
                    module,
                    declaring_type: none,
                    method,
                    signature: none,
                    name: sym,
                    tier: none,
                })
            });
            recording.stacks.child(parent, frame)
        })
    }

    #[test]
    fn time_that_two_streams_cover_counts_once() {
        let mut recording = recording(100);
        let source = recording.strings.intern("events");
        recording.coverage.push(CoverageRow { source, from_ns: 50, to_ns: 150 });
        recording.coverage.push(CoverageRow { source, from_ns: 60, to_ns: 70 });
        recording.coverage.push(CoverageRow { source, from_ns: 200, to_ns: 210 });
        assert_eq!(observed_ns(&recording, "events"), Some(160));
        assert_eq!(observed_ns(&recording, "samples"), Some(100));
        assert_eq!(observed_ns(&recording, "else"), None);
    }
}
