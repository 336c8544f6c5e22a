//! What was observed, and whose code a stack shows.
//!
//! Streams of an exhibit may overlap: time that two of them cover counts once.

use model::{Recording, Sym};

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
pub(crate) fn has_events(recording: &Recording, name_start: &str) -> bool {
    let names = &recording.events.kind_name;
    names.iter().any(|name| recording.strings.text(*name).starts_with(name_start))
}

/// Modules that come with the runtime and its libraries, by how their names begin.
const FRAMEWORK: &[&str] = &["System.", "Microsoft.", "Interop", "Anonymously Hosted"];
/// Such modules by their whole names.
const FRAMEWORK_NAMES: &[&str] =
    &["System", "mscorlib", "netstandard", "WindowsBase", "ManagedModule", "?", "libcoreclr", "libclrjit"];

/// Whether a frame is of the user's own code: it has a name, and its module is not the framework's.
pub(crate) fn is_user(recording: &Recording, frame: u32) -> bool {
    let at = frame as usize;
    let of = |column: &[Sym]| column.get(at).and_then(|sym| recording.strings.get(*sym));
    let (Some(module), Some(_)) = (of(&recording.frames.module), of(&recording.frames.method)) else {
        return false;
    };
    let framework =
        FRAMEWORK_NAMES.contains(&module) || FRAMEWORK.iter().any(|start| module.starts_with(start));
    !framework && of(&recording.frames.declaring_type) != Some("dynamicClass")
}

/// The name of the innermost frame of the user's code.
pub(crate) fn user_frame(recording: &Recording, stack: u32) -> Option<Sym> {
    let frames = recording.stacks.walk(stack).filter_map(|node| recording.stacks.frame.get(node as usize));
    let frame = frames.copied().find(|frame| is_user(recording, *frame))?;
    recording.frames.name.get(frame as usize).copied()
}

/// Whom to name for a stack: the user's innermost frame, else the innermost of all.
pub(crate) fn blamed_frame(recording: &Recording, stack: u32) -> Sym {
    let innermost = || {
        let frame = *recording.stacks.frame.get(stack as usize)?;
        recording.frames.name.get(frame as usize).copied()
    };
    user_frame(recording, stack).or_else(innermost).unwrap_or(Sym::NONE)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use model::{CoverageRow, Frame, NO_ID};

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

    #[test]
    fn the_users_frame_is_named_before_the_frameworks() {
        let mut recording = recording(1);
        let mixed = stack(&mut recording, &["Shop!Main", "Shop!Price", "System.Private.CoreLib!Sleep"]);
        let alone = stack(&mut recording, &["System.Net.Sockets!Loop"]);
        let name = |stack| recording.strings.text(blamed_frame(&recording, stack));
        assert_eq!(name(mixed), "Shop!Price");
        assert_eq!(name(alone), "System.Net.Sockets!Loop");
        assert_eq!(blamed_frame(&recording, NO_ID), Sym::NONE);
    }
}
