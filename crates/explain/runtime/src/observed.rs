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
    use model::{CoverageRow, Frame, StackId, Sym};

    /// A recording of a second that was observed for `observed_ns`.
    pub(crate) fn recording(observed_ns: i64) -> Trace {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = 1_000_000_000;
        for source in ["events", "samples"] {
            let source = recording.strings.intern(source);
            recording.coverage.push(CoverageRow { source, from_ns: 0, to_ns: observed_ns });
        }
        recording
    }

    /// A stack of `Module!Type.Method` or `Module!Method`, the outermost first.
    pub(crate) fn stack(recording: &mut Trace, methods: &[&str]) -> Option<StackId> {
        methods.iter().fold(None, |parent, name| {
            let whole = recording.strings.intern(name);
            let known = recording.frames.name.find(|of| *of == whole);
            let frame = known.unwrap_or_else(|| {
                let (module, method) = name.split_once('!').unwrap();
                let (class, method) = method.rsplit_once('.').unwrap_or(("", method));
                let mut sym = |of: &str| if of.is_empty() { Sym::NONE } else { recording.strings.intern(of) };
                let (module, declaring_type, method) = (sym(module), sym(class), sym(method));
                let none = Sym::NONE;
                recording.frames.push(Frame {
                    module,
                    declaring_type,
                    method,
                    signature: none,
                    name: whole,
                    tier: none,
                })
            });
            Some(recording.stacks.child(parent, frame))
        })
    }
}
