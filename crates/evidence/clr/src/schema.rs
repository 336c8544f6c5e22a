//! The schemas that ship with the program: `schemas/*.txt`, one line a field.
//!
//! The grammar stands in `schemas/README.md`. The files are parsed once; a line that is not understood is passed over
//! at run time and fails a test.

use crate::layout::{Field, Kind, Layout, Words};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

const FILES: [&str; 5] = [
    include_str!("schemas/runtime.txt"),
    include_str!("schemas/rundown.txt"),
    include_str!("schemas/private.txt"),
    include_str!("schemas/other.txt"),
    include_str!("schemas/universal.txt"),
];

/// An event that the runtime does not describe in the stream.
#[derive(Debug, Clone)]
pub struct RuntimeEvent {
    /// Its name as TraceEvent writes it.
    pub name: &'static str,
    /// Its fields in the version asked for.
    pub layout: Arc<Layout>,
}

/// A field with the versions that have it.
#[derive(Debug, Clone)]
struct Versioned {
    from: u8,
    to: u8,
    field: Field,
}

#[derive(Debug)]
struct Event {
    name: &'static str,
    fields: Vec<Versioned>,
}

impl Event {
    /// A version newer than the file knows has the newest fields.
    fn layout(&self, version: u8) -> Layout {
        let has = |field: &&Versioned| (field.from..=field.to).contains(&version);
        Layout { fields: self.fields.iter().filter(has).map(|versioned| versioned.field.clone()).collect() }
    }
}

#[derive(Debug, Default)]
struct Schemas {
    events: HashMap<(&'static str, u32), Event>,
    dynamic: HashMap<String, Event>,
    errors: Vec<String>,
}

/// The event of a provider, number and version, where its schema ships with the program.
pub fn runtime_event(provider: &str, id: u32, version: u8) -> Option<RuntimeEvent> {
    let schemas = built_in();
    let (known, _) = schemas.events.get_key_value(&(provider_key(provider)?, id))?;
    let event = schemas.events.get(known)?;
    Some(RuntimeEvent { name: event.name, layout: Arc::new(event.layout(version)) })
}

/// The names of all events of a provider whose schema ships with the program, in their order; none of another provider.
/// Letter case of the provider's name is not heeded.
pub fn event_names(provider: &str) -> Option<Vec<&'static str>> {
    let provider = providers().iter().find(|known| known.eq_ignore_ascii_case(provider))?;
    let schemas = built_in();
    let events = schemas.events.iter().filter(|((of, _), _)| of == provider).map(|(_, event)| event.name);
    let has_dynamic = *provider == "Microsoft-Windows-DotNETRuntime";
    let dynamic = schemas.dynamic.values().filter(|_| has_dynamic).map(|event| event.name);
    let mut names: Vec<&'static str> = events.chain(dynamic).collect();
    names.sort_unstable();
    names.dedup();
    Some(names)
}

/// The providers whose schemas ship with the program.
pub fn providers() -> &'static [&'static str] {
    static PROVIDERS: OnceLock<Vec<&'static str>> = OnceLock::new();
    PROVIDERS.get_or_init(|| {
        let lines = FILES.iter().flat_map(|file| file.lines());
        lines.filter_map(|line| line.strip_prefix("provider ")?.split_whitespace().next()).collect()
    })
}

/// The data of a GC/DynamicTraceEvent of this name, letter case aside.
pub fn dynamic_event(name: &str) -> Option<RuntimeEvent> {
    let event = built_in().dynamic.get(&name.to_ascii_lowercase())?;
    Some(RuntimeEvent { name: event.name, layout: Arc::new(event.layout(0)) })
}

/// The fields of events whose metadata could not say them: arrays, before they could be described.
pub fn well_known(provider: &str, event_name: &str) -> Option<Arc<Layout>> {
    const NAMES: [&str; 7] = [
        "Event",
        "Activity1Start",
        "Activity1Stop",
        "Activity2Start",
        "Activity2Stop",
        "RecursiveActivity1Start",
        "RecursiveActivity1Stop",
    ];
    if provider != "Microsoft-Diagnostics-DiagnosticSource" || !NAMES.contains(&event_name) {
        return None;
    }
    let text = |name: &str| Field { name: name.to_owned(), kind: Kind::Utf16Z };
    let pair = Kind::Object(vec![text("Key"), text("Value")]);
    let arguments = Field { name: "Arguments".to_owned(), kind: Kind::Array(Box::new(pair)) };
    Some(Arc::new(Layout { fields: vec![text("SourceName"), text("EventName"), arguments] }))
}

fn provider_key(provider: &str) -> Option<&'static str> {
    providers().iter().find(|known| **known == provider).copied()
}

fn built_in() -> &'static Schemas {
    static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let mut schemas = Schemas::default();
        for file in FILES {
            parse(file, &mut schemas);
        }
        schemas
    })
}

/// Where the next `field` line goes.
enum Place {
    Nowhere,
    Event(&'static str, u32),
    Dynamic(String),
}

fn parse(file: &'static str, schemas: &mut Schemas) {
    let words = parse_words(file);
    let mut provider = "";
    let mut place = Place::Nowhere;
    for line in file.lines().map(str::trim) {
        let tokens: Vec<&'static str> = line.split_whitespace().collect();
        let done = match tokens.as_slice() {
            [] | ["enum" | "flags" | "value" | "ignored", ..] => Some(()),
            [comment, ..] if comment.starts_with('#') => Some(()),
            ["provider", name, ..] => {
                provider = name;
                Some(())
            }
            ["event", id, name] => id.parse().ok().map(|id| {
                place = Place::Event(provider, id);
                schemas.events.insert((provider, id), Event { name, fields: Vec::new() });
            }),
            ["dynamic", name, display] => {
                place = Place::Dynamic(name.to_ascii_lowercase());
                let event = Event { name: display, fields: Vec::new() };
                schemas.dynamic.insert(name.to_ascii_lowercase(), event);
                Some(())
            }
            _ => {
                let event = match &place {
                    Place::Nowhere => None,
                    Place::Event(provider, id) => schemas.events.get_mut(&(*provider, *id)),
                    Place::Dynamic(name) => schemas.dynamic.get_mut(name),
                };
                event.and_then(|event| parse_field(&tokens, &words, &mut event.fields))
            }
        };
        if done.is_none() {
            schemas.errors.push(line.to_owned());
        }
    }
}

fn parse_words(file: &'static str) -> HashMap<&'static str, Arc<Words>> {
    let mut all: Vec<(&'static str, Words)> = Vec::new();
    for line in file.lines() {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["enum" | "flags", name, ..] => all.push((name, Words::default())),
            ["ignored", bits] => {
                if let (Some((_, words)), Some(bits)) = (all.last_mut(), parse_number(bits)) {
                    words.ignored = bits;
                }
            }
            ["value", number, word] => {
                if let (Some((_, words)), Some(number)) = (all.last_mut(), parse_number(number)) {
                    words.words.push((number, (*word).to_owned()));
                }
            }
            _ => {}
        }
    }
    all.into_iter().map(|(name, words)| (name, Arc::new(words))).collect()
}

fn parse_number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(u64::cast_signed),
        None => text.parse().ok(),
    }
}

fn parse_field(
    tokens: &[&'static str],
    words: &HashMap<&'static str, Arc<Words>>,
    fields: &mut Vec<Versioned>,
) -> Option<()> {
    match tokens {
        ["field", name, kind, versions @ ..] => {
            let (from, to) = parse_versions(versions)?;
            let field = Field { name: (*name).to_owned(), kind: parse_kind(kind, words)? };
            fields.push(Versioned { from, to, field });
        }
        ["repeat", count, name, versions @ ..] => {
            let (from, to) = parse_versions(versions)?;
            let element = Box::new(Kind::Object(Vec::new()));
            let kind = Kind::Counted { count: (*count).to_owned(), element };
            fields.push(Versioned { from, to, field: Field { name: (*name).to_owned(), kind } });
        }
        ["item", name, kind] => {
            let Kind::Counted { element, .. } = &mut fields.last_mut()?.field.kind else { return None };
            let Kind::Object(items) = element.as_mut() else { return None };
            items.push(Field { name: (*name).to_owned(), kind: parse_kind(kind, words)? });
        }
        _ => return None,
    }
    Some(())
}

fn parse_versions(tokens: &[&str]) -> Option<(u8, u8)> {
    match tokens {
        [] => Some((0, u8::MAX)),
        ["from", from] => Some((from.parse().ok()?, u8::MAX)),
        ["to", to] => Some((0, to.parse().ok()?)),
        ["from", from, "to", to] => Some((from.parse().ok()?, to.parse().ok()?)),
        _ => None,
    }
}

fn parse_kind(text: &str, words: &HashMap<&'static str, Arc<Words>>) -> Option<Kind> {
    if let Some((head, rest)) = text.split_once(':') {
        return Some(match (head, rest.split_once(':')) {
            ("bytes", _) => Kind::Bytes { count: rest.to_owned() },
            ("skip", _) => Kind::Skip(rest.parse().ok()?),
            ("array", Some((count, kind))) => {
                Kind::Counted { count: count.to_owned(), element: Box::new(parse_kind(kind, words)?) }
            }
            ("enum", Some((name, of))) => {
                Kind::Enum(Arc::clone(words.get(name)?), Box::new(parse_kind(of, words)?))
            }
            ("flags", Some((name, of))) => {
                Kind::Flags(Arc::clone(words.get(name)?), Box::new(parse_kind(of, words)?))
            }
            _ => return None,
        });
    }
    Some(match text {
        "u8" => Kind::U8,
        "u16" => Kind::U16,
        "u32" => Kind::U32,
        "u64" => Kind::U64,
        "i8" => Kind::I8,
        "i16" => Kind::I16,
        "i32" => Kind::I32,
        "i64" => Kind::I64,
        "f32" => Kind::F32,
        "f64" => Kind::F64,
        "bool8" => Kind::Bool8,
        "bool32" => Kind::Bool32,
        "guid" => Kind::Guid,
        "ptr" => Kind::Pointer,
        "utf16" => Kind::Utf16Z,
        "utf8" => Kind::Utf8Z,
        "text8" => Kind::Array(Box::new(Kind::Utf8Unit)),
        "varuint" => Kind::VarUInt,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{Payload, consumed};

    #[test]
    fn every_line_of_the_files_is_understood() {
        assert_eq!(built_in().errors, Vec::<String>::new());
        assert!(built_in().events.len() > 250, "{}", built_in().events.len());
    }

    #[test]
    fn fields_follow_the_version() {
        let names = |version| {
            let event = runtime_event("Microsoft-Windows-DotNETRuntime", 1, version).unwrap();
            event.layout.fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(0), ["Count", "Reason"]);
        assert_eq!(names(1), ["Count", "Depth", "Reason", "Type", "ClrInstanceID"]);
        assert_eq!(names(2), ["Count", "Depth", "Reason", "Type", "ClrInstanceID", "ClientSequenceNumber"]);
        assert_eq!(names(99), names(2));
    }

    #[test]
    fn a_payload_is_read_by_its_fields_names() {
        let event = runtime_event("Microsoft-Windows-DotNETRuntime", 1, 1).unwrap();
        let bytes = [7, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0];
        let payload = Payload::new(&event.layout, &bytes, 8);
        assert_eq!(payload.int("Depth"), Some(2));
        assert_eq!(payload.word("Reason").as_deref(), Some("Induced"));
        assert_eq!(payload.word("Type").as_deref(), Some("BackgroundGC"));
        assert_eq!(payload.int("ClientSequenceNumber"), None);
        assert_eq!(consumed(&event.layout, &bytes, 8), Ok(18));
        assert!(consumed(&event.layout, &bytes[..17], 8).is_err());
    }

    #[test]
    fn any_bytes_are_safe_for_every_layout() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |mask: u8| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_le_bytes()[7] & mask
        };
        let schemas = built_in();
        let mut keys: Vec<_> = schemas.events.keys().collect();
        keys.sort_unstable();
        let versions =
            keys.iter().flat_map(|key| (0..=5).map(move |version| schemas.events[key].layout(version)));
        for layout in versions {
            for (len, mask) in [(0, 255), (1, 255), (7, 255), (33, 255), (200, 3)] {
                let bytes: Vec<u8> = (0..len).map(|_| random(mask)).collect();
                let text = crate::json::json(&layout, &bytes, 8);
                assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
            }
        }
    }

    /// The runtime's own types of these fields are pointers, so a process of 32 bits sends 4 bytes.
    #[test]
    fn addresses_of_locks_and_of_the_heap_have_the_size_of_the_process() {
        let check = |id, version, bytes, pointers| {
            let event = runtime_event("Microsoft-Windows-DotNETRuntime", id, version).unwrap();
            for size in [4, 8] {
                let len = consumed(&event.layout, &[0; 100], size);
                assert_eq!(len, Ok(bytes + pointers * usize::from(size)), "{}", event.name);
            }
        };
        check(81, 2, 11, 2);
        check(90, 0, 2, 2);
        check(23, 0, 19, 1);
        check(31, 0, 2, 1);
    }
}
