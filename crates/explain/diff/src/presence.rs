//! Whether both recordings tell of a thing.
//!
//! A recording without a lock wait looks like one that was not asked for them. Where one recording has rows and the
//! other none, it is taken for none happened as long as the runtime's events are there and the runtime knows such
//! events; a caveat says so.

use crate::book::Book;
use crate::scope::Scope;
use runtime::{Hides, gaps, has_events};

/// Who sends what the runtime tells of itself.
const RUNTIME: &str = "Microsoft-Windows-DotNETRuntime";

/// A thing that recordings tell of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thing {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Events that show that it was asked for.
    pub(crate) events: &'static [&'static str],
    /// The runtime tells of it from this version on; none where it is not the runtime that tells.
    pub(crate) since: Option<u32>,
    /// Whether every process has some all the time, so that a recording without any was not asked for them.
    pub(crate) always: bool,
}

/// Whether a thing can be compared. What one side lacks is said.
pub(crate) fn in_both(
    book: &mut Book,
    caveats: &mut Vec<String>,
    thing: &Thing,
    before: (&Scope<'_>, bool),
    after: (&Scope<'_>, bool),
) -> bool {
    let asked = |scope: &Scope<'_>| thing.events.iter().any(|event| has_events(scope.recording(), event));
    // Rows that damage took are unknown: they are neither none nor fewer.
    for (scope, which) in [(before.0, "before"), (after.0, "after")] {
        if let Some(gap) = gaps(scope.recording()).into_iter().find(|gap| gap.hides == Hides::Events) {
            book.not_compared(thing.name, format!("{which}: {}", gap.what));
            return false;
        }
    }
    match (before.1, after.1) {
        (true, true) => return true,
        (false, false) => {
            if !(asked(before.0) && asked(after.0)) {
                book.not_compared(thing.name, "neither recording has any");
            }
            return false;
        }
        _ => {}
    }
    let (lacking, which) = if before.1 { (after.0, "after") } else { (before.0, "before") };
    if asked(lacking) {
        return true;
    }
    let knows = thing.since.is_some_and(|since| major(lacking).is_none_or(|version| version >= since));
    if knows && !thing.always && has_runtime(lacking) {
        let which = if which == "before" { "the recording before" } else { "the recording after" };
        let (name, others) = (thing.name, "it has other events of the runtime");
        caveats.push(format!("{which} has no {name}; taken for none, since {others}"));
        return true;
    }
    let why = match (thing.since, major(lacking)) {
        (Some(since), Some(version)) if version < since => {
            format!("the recording {which} is of .NET {version}, which does not tell of it")
        }
        _ => format!("the recording {which} has none"),
    };
    book.not_compared(thing.name, why);
    false
}

/// The runtime's major version.
pub(crate) fn major(scope: &Scope<'_>) -> Option<u32> {
    scope.recording().exhibit.runtime.as_deref()?.split('.').next()?.parse().ok()
}

fn has_runtime(scope: &Scope<'_>) -> bool {
    let recording = scope.recording();
    let runtime = recording.strings.find(RUNTIME);
    runtime.is_some_and(|runtime| recording.events.kind_provider.contains(&runtime))
}
