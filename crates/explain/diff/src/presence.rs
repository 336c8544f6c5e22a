//! Which tables both recordings have.
//!
//! A recording without a lock wait looks like one that did not ask for lock waits. If only one recording has rows, none
//! happened in the other, provided that it has other events of the runtime and its runtime knows such events. A caveat
//! says so.

use crate::book::Book;
use crate::scope::Scope;
use runtime::{Hides, gaps, has_events};

/// The provider of the runtime's events.
const RUNTIME: &str = "Microsoft-Windows-DotNETRuntime";

/// Something that the rows of a table are of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thing {
    /// Its name in sentences.
    pub(crate) name: &'static str,
    /// Events that show that the recording asked for it.
    pub(crate) events: &'static [&'static str],
    /// The runtime's first version with events of it. `None` if they are not the runtime's events.
    pub(crate) since: Option<u32>,
    /// Whether every process has some all the time. A recording without any then did not ask for them.
    pub(crate) always: bool,
}

/// Which tables can be compared.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a flag per table")]
pub(crate) struct Both {
    pub(crate) allocations: bool,
    pub(crate) contention: bool,
    pub(crate) waits: bool,
    pub(crate) exceptions: bool,
    pub(crate) logs: bool,
}

/// Whether a thing can be compared. If not, the book says what is missing. `before` and `after` say whether that
/// recording has rows.
pub(crate) fn in_both(
    book: &mut Book,
    caveats: &mut Vec<String>,
    thing: &Thing,
    before: (&Scope<'_>, bool),
    after: (&Scope<'_>, bool),
) -> bool {
    let asked = |scope: &Scope<'_>| thing.events.iter().any(|event| has_events(scope.recording(), event));
    // Damage may have taken rows, so their number is not known.
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
        let name = thing.name;
        caveats.push(format!(
            "{which} has no {name}: they count as 0, because other events of the runtime were recorded"
        ));
        return true;
    }
    let why = match (thing.since, major(lacking)) {
        (Some(since), Some(version)) if version < since => {
            format!("the recording {which} is of .NET {version}, which has no such events")
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
