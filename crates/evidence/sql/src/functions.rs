//! Functions of SQL that stand in for SQLite's own of the same name, because those cannot be stopped.
//!
//! SQLite looks for an interruption between the steps of its machine; one call of a function is one step. Those of its
//! functions whose time grows faster than their arguments (`instr` compares at every place, `trim` with every character of
//! its set) would hold a query for minutes. Ours give the same results, in time that grows with the arguments, or look at
//! the clock as they go.

mod json;
mod like;
mod percentile;
mod text;

use crate::call::{Call, Function, Outcome, define};
use rusqlite::{Connection, Result};

/// Puts our functions in the place of SQLite's.
pub(crate) fn install(connection: &Connection) -> Result<()> {
    let all: [(&'static std::ffi::CStr, i32, Function); 15] = [
        (c"instr", 2, text::instr),
        (c"replace", 3, text::replace),
        (c"trim", 1, text::trim),
        (c"trim", 2, text::trim),
        (c"ltrim", 1, text::ltrim),
        (c"ltrim", 2, text::ltrim),
        (c"rtrim", 1, text::rtrim),
        (c"rtrim", 2, text::rtrim),
        (c"unhex", 1, text::unhex),
        (c"unhex", 2, text::unhex),
        (c"like", 2, like::like),
        (c"like", 3, like::like),
        (c"glob", 2, like::glob),
        (c"json_patch", 2, json::patch),
        (c"jsonb_patch", 2, json::patch_binary),
    ];
    for (name, arguments, function) in all {
        define(connection, name, arguments, function)?;
    }
    percentile::install(connection)
}

/// One character of a text as SQLite reads it: what is no UTF-8 is something all the same. `None` at the end.
fn character(text: &[u8], at: &mut usize) -> Option<u32> {
    let first = *text.get(*at)?;
    *at = at.saturating_add(1);
    if first < 0xc0 {
        return Some(u32::from(first));
    }
    let mut value = match first {
        0xc0..=0xdf => u32::from(first & 0x1f),
        0xe0..=0xef => u32::from(first & 0x0f),
        0xf0..=0xf7 => u32::from(first & 0x07),
        0xf8..=0xfb => u32::from(first & 0x03),
        0xfc..=0xfd => u32::from(first & 0x01),
        _ => 0,
    };
    while let Some(byte) = text.get(*at).filter(|byte| is_inner(**byte)) {
        value = (value << 6).wrapping_add(u32::from(byte & 0x3f));
        *at = at.saturating_add(1);
    }
    let is_none = value < 0x80 || value & 0xffff_f800 == 0xd800;
    Some(if is_none { 0xfffd } else { value })
}

/// Whether a byte goes on with a character of UTF-8.
fn is_inner(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// A text up to its first zero byte: where most of SQLite's functions take it to end.
fn until_zero(text: &[u8]) -> &[u8] {
    text.get(..memchr::memchr(0, text).unwrap_or(text.len())).unwrap_or_default()
}
