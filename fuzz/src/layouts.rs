//! Layouts of payloads: those that ship with the program, and such as metadata could describe.

use crate::input::Input;
use clr::layout::{Field, Kind, Layout};
use std::sync::{Arc, OnceLock};

/// Nothing is nested deeper; the reader of metadata refuses more.
const MAX_DEPTH: u32 = 16;
/// Fields of one layout, over all depths.
const MAX_FIELDS: usize = 4000;
/// A payload is decoded by this version of its event's fields, or an older one.
const NEWEST_VERSION: u8 = 8;

const PROVIDERS: [&str; 6] = [
    "Microsoft-Windows-DotNETRuntime",
    "Microsoft-Windows-DotNETRuntimeRundown",
    "Microsoft-Windows-DotNETRuntimePrivate",
    "Microsoft-Windows-DotNETRuntimeStress",
    "Microsoft-DotNETCore-SampleProfiler",
    "Microsoft-DotNETCore-EventPipe",
];

/// The layout of an event that the runtime does not describe itself.
pub fn built_in(input: &mut Input<'_>) -> Arc<Layout> {
    static KNOWN: OnceLock<Vec<(&str, u32)>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let all = PROVIDERS.iter().flat_map(|provider| (0..1000).map(move |id| (*provider, id)));
        all.filter(|(provider, id)| clr::schema::runtime_event(provider, *id, 0).is_some()).collect()
    });
    let ((provider, id), version) = (input.one_of(known), input.byte() % (NEWEST_VERSION + 1));
    let special = [
        clr::schema::dynamic_event("CommittedUsage").map(|event| event.layout),
        clr::schema::well_known("Microsoft-Diagnostics-DiagnosticSource", "Activity1Stop"),
    ];
    match input.byte() {
        0 => special[0].clone().unwrap_or_default(),
        1 => special[1].clone().unwrap_or_default(),
        _ => clr::schema::runtime_event(provider, id, version).map(|event| event.layout).unwrap_or_default(),
    }
}

/// A layout that metadata of version 6 could describe.
pub fn described(input: &mut Input<'_>) -> Layout {
    let mut left = MAX_FIELDS;
    Layout { fields: fields(input, 0, &mut left) }
}

fn fields(input: &mut Input<'_>, depth: u32, left: &mut usize) -> Vec<Field> {
    let count = usize::from(input.byte()).min(*left);
    *left -= count;
    (0..count).map(|_| Field { name: name(input), kind: kind(input, depth, left) }).collect()
}

/// Short, empty, repeated or very long.
fn name(input: &mut Input<'_>) -> String {
    match input.byte() {
        0 => String::new(),
        byte @ 1..200 => format!("f{byte}"),
        byte => "long".repeat(usize::from(byte)),
    }
}

fn kind(input: &mut Input<'_>, depth: u32, left: &mut usize) -> Kind {
    let deeper = depth + 1;
    if deeper > MAX_DEPTH {
        return Kind::U8;
    }
    match input.byte() % 27 {
        1 => Kind::Object(fields(input, deeper, left)),
        3 => Kind::Bool32,
        4 => Kind::Utf16Unit,
        5 => Kind::I8,
        6 => Kind::U8,
        7 => Kind::I16,
        8 => Kind::U16,
        9 => Kind::I32,
        10 => Kind::U32,
        11 => Kind::I64,
        12 => Kind::U64,
        13 => Kind::F32,
        14 => Kind::F64,
        15 => Kind::Decimal,
        16 => Kind::DateTime,
        17 => Kind::Guid,
        18 => Kind::Utf16Z,
        19 => Kind::Array(Box::new(kind(input, deeper, left))),
        20 => Kind::VarInt,
        21 => Kind::VarUInt,
        22 => {
            let element = kind(input, deeper, left);
            Kind::FixedArray(Box::new(element), input.short())
        }
        23 => Kind::Utf8Unit,
        24 => Kind::RelLoc(fixed_element(input, deeper, left)),
        25 => Kind::DataLoc(fixed_element(input, deeper, left)),
        26 => Kind::Bool8,
        _ => Kind::Pointer,
    }
}

/// Elements elsewhere have a fixed size that is not 0: the reader of metadata refuses others.
fn fixed_element(input: &mut Input<'_>, depth: u32, left: &mut usize) -> Box<Kind> {
    let element = kind(input, depth, left);
    Box::new(if fixed_size(&element).is_some_and(|size| size > 0) { element } else { Kind::U16 })
}

fn fixed_size(kind: &Kind) -> Option<usize> {
    Some(match kind {
        Kind::I8 | Kind::U8 | Kind::Bool8 | Kind::Utf8Unit => 1,
        Kind::I16 | Kind::U16 | Kind::Utf16Unit => 2,
        Kind::I32 | Kind::U32 | Kind::F32 | Kind::Bool32 => 4,
        Kind::I64 | Kind::U64 | Kind::F64 | Kind::DateTime => 8,
        Kind::Guid | Kind::Decimal => 16,
        Kind::Object(fields) => {
            fields.iter().try_fold(0usize, |sum, field| sum.checked_add(fixed_size(&field.kind)?))?
        }
        Kind::FixedArray(element, count) => fixed_size(element)?.checked_mul(usize::from(*count))?,
        _ => return None,
    })
}

/// Whether any value lies elsewhere in the payload: such a value can be missing where everything else is there.
pub fn points_elsewhere(layout: &Layout) -> bool {
    layout.fields.iter().any(|field| points(&field.kind))
}

fn points(kind: &Kind) -> bool {
    match kind {
        Kind::RelLoc(_) | Kind::DataLoc(_) => true,
        Kind::Array(element) | Kind::FixedArray(element, _) | Kind::Counted { element, .. } => points(element),
        Kind::Object(fields) => fields.iter().any(|field| points(&field.kind)),
        _ => false,
    }
}
