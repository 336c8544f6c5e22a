//! The one map from meaning to colour, for lanes, charts, tables and flame graphs.
//!
//! ```text
//! lane and layer ─┐
//! part, tab ──────┼─► class (`c-lock`) ─┐
//! kind of pause ──┘                     ├─► the style's variables, a value for light and one for dark (values.rs)
//! owner and module ─► tone (`user-2`) ──┘
//! ```
//!
//! Whatever has the same meaning has the same class everywhere, and a class has one colour in each theme. The style is
//! made from the map, so no other file has the value of a colour. Tests hold the contrasts of WCAG 2.2 (level AA), and
//! that the colours of one picture differ for readers with any colour vision.

#[cfg(test)]
mod tests;
mod values;

use stacks::NameClass;
use values::{BASE, MEANINGS, TONES, Theme, Tone};

/// The tones of a service's own modules. They are warm.
const OWN: [&str; 5] = ["user-0", "user-1", "user-2", "user-3", "user-4"];
/// The tones of packages. They are cool.
const PACKAGES: [&str; 4] = ["library-0", "library-1", "library-2", "library-3"];

/// The lanes with one meaning, whatever their layer.
const LANES: [(&str, &str); 12] = [
    ("cores", "c-running"),
    ("locks", "c-lock"),
    ("lock-waits", "c-lock"),
    ("workers", "c-pool"),
    ("queue", "c-waiting"),
    ("resident", "c-host"),
    ("allocation", "c-allocation"),
    ("requests", "c-requests"),
    ("in-flight", "c-requests"),
    ("exceptions", "c-error"),
    ("jit", "c-jit"),
    ("lateness", "c-host"),
];

/// The layers of lanes. They mean the same in every lane.
const LAYERS: [(&str, &str); 30] = [
    ("your code", "c-running"),
    ("other code", "c-running-other"),
    ("idle", "c-idle"),
    ("input", "c-io"),
    ("signals", "c-signal"),
    ("sleep", "c-sleep"),
    ("tasks", "c-task"),
    ("locks", "c-lock"),
    ("gen 0", "c-gen0"),
    ("gen 1", "c-gen1"),
    ("gen 2", "c-gen2"),
    ("large objects", "c-large"),
    ("pinned", "c-pinned"),
    ("Heap", "c-gc"),
    ("p50", "c-requests"),
    ("p99", "c-requests-slow"),
    ("p99 of the slowest route", "c-requests-slow"),
    ("from the send", "c-requests"),
    ("from the schedule", "c-requests-slow"),
    ("answered", "c-requests"),
    ("asked", "c-requests-slow"),
    ("errors", "c-error"),
    ("time-outs", "c-notice"),
    ("Critical", "c-fatal"),
    ("Error", "c-error"),
    ("Warning", "c-notice"),
    ("Information", "c-information"),
    ("Debug", "c-debug"),
    ("Trace", "c-trace"),
    ("other", "c-other"),
];

/// The kinds of pauses: the kind, its class, and what people call it, in the order of keys.
pub(crate) const PAUSES: [(&str, &str, &str); 6] = [
    ("gen0", "c-gen0", "gen 0"),
    ("gen1", "c-gen1", "gen 1"),
    ("gen2", "c-gen2", "gen 2"),
    ("background", "c-background", "gen 2, background"),
    ("gc", "c-pause", "of unknown kind"),
    ("other", "c-pause", "other"),
];

/// The parts of an explanation and the tabs of a page, by the last word of their address.
const SUBJECTS: [(&str, &str); 22] = [
    ("requests", "c-requests"),
    ("cpu", "c-running"),
    ("stacks", "c-running"),
    ("threadpool", "c-pool"),
    ("threads", "c-pool"),
    ("contention", "c-lock"),
    ("locks", "c-lock"),
    ("waits", "c-waiting"),
    ("gc", "c-gc"),
    ("allocation", "c-allocation"),
    ("allocations", "c-allocation"),
    ("exceptions", "c-error"),
    ("jit", "c-jit"),
    ("database", "c-database"),
    ("spans", "c-calls"),
    ("logs", "c-information"),
    ("host", "c-host"),
    ("answers", "c-requests"),
    ("rates", "c-requests"),
    ("latency", "c-requests-slow"),
    ("failures", "c-error"),
    ("generator", "c-host"),
];

fn found(list: &[(&str, &'static str)], wanted: &str) -> Option<&'static str> {
    list.iter().find(|(name, _)| *name == wanted).map(|(_, class)| *class)
}

/// The class of a lane's layer.
pub(crate) fn of_layer(lane: &str, layer: &str) -> &'static str {
    found(&LANES, lane).or_else(|| found(&LAYERS, layer)).unwrap_or("c-other")
}

/// The class of a kind of pause.
pub(crate) fn of_pause(kind: &str) -> &'static str {
    PAUSES.iter().find(|(of, ..)| *of == kind).map_or("c-pause", |(_, class, _)| class)
}

/// The class of what a part of an explanation or a tab is about: of `gc`, or of `/gc`. `None` if it has no colour of its own.
pub fn of_subject(name: &str) -> Option<&'static str> {
    found(&SUBJECTS, name.trim_start_matches('/'))
}

/// The tone of frames by whose code they are and by their module. Your own modules have warm hues and packages cool ones;
/// the runtime is one quiet grey. The tone is a function of the module's name, so it is the same in every picture.
pub fn tone(class: NameClass, module: &str) -> &'static str {
    match class {
        // Handlers that are compiled into what the runtime made to call them have no module.
        NameClass::User if module.is_empty() => OWN[0],
        NameClass::User => by_name(&OWN, module),
        NameClass::Library => by_name(&PACKAGES, module),
        NameClass::Framework => "framework",
        NameClass::Dynamic => "dynamic",
        NameClass::Unknown => "unknown",
    }
}

/// One of several tones, by the FNV-1a hash of a name. Case does not matter, as in names of files.
fn by_name(tones: &[&'static str], name: &str) -> &'static str {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    // The lowest bits of this hash depend on few of the name's.
    let mixed = hash ^ (hash >> 16);
    tones.get(mixed as usize % tones.len().max(1)).copied().unwrap_or("unknown")
}

/// The style of pictures: the colours of both themes, a rule for each class and tone, and `charts.css`.
pub fn style() -> String {
    let light = variables(Theme::Light);
    let dark = variables(Theme::Dark);
    let mut out = format!(
        ":root {{\n{light}}}\n@media (prefers-color-scheme: dark) {{\n:root:not([data-theme=\"light\"]) {{\n{dark}}}\n}}\n\
         :root[data-theme=\"dark\"] {{\n{dark}}}\n"
    );
    for (name, ..) in MEANINGS {
        out.extend([format!(".c-{name} {{ --of: var(--c-{name}); }}\n")]);
    }
    for Tone { name, .. } in TONES {
        out.extend([format!(".{name} {{ --of: var(--frame-{name}); --on: var(--frame-{name}-text); }}\n")]);
    }
    out.push_str(include_str!("charts.css"));
    out
}

/// The value of a colour in the light theme, by the name of its variable: for files that have no style.
pub(crate) fn light(name: &str) -> &'static str {
    let meaning = name.strip_prefix("c-");
    let mut colours =
        BASE.iter().filter(|_| meaning.is_none()).chain(MEANINGS.iter().filter(|_| meaning.is_some()));
    let found = colours.find(|(of, ..)| *of == meaning.unwrap_or(name));
    found.map_or("#000000", |(_, light, _)| light)
}

/// The variables of a theme.
fn variables(theme: Theme) -> String {
    let mut out = format!("  color-scheme: {};\n", theme.name());
    let mut add = |name: String, value: &str| out.extend([format!("  --{name}: {value};\n")]);
    for (name, light, dark) in BASE {
        add(name.to_owned(), theme.of(light, dark));
    }
    for (name, light, dark) in MEANINGS {
        add(format!("c-{name}"), theme.of(light, dark));
    }
    for Tone { name, light, dark } in TONES {
        let (back, front) = theme.of(light, dark);
        add(format!("frame-{name}"), back);
        add(format!("frame-{name}-text"), front);
    }
    out
}
