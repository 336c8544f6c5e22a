//! Functions of SQL: those that stand in for SQLite's own, because those cannot be stopped, and those of numbers.
//!
//! SQLite looks for an interruption between the steps of its machine; one call of a function is one step. Those of its
//! functions whose time grows faster than their arguments (`instr` compares at every place, `trim` with every character of
//! its set) would hold a query for minutes. Ours give the same results, in time that grows with the arguments, or look at
//! the clock as they go.
//!
//! SQLite has functions of numbers and percentiles only if it is compiled with flags, and a program that depends on it
//! cannot set them for whoever installs it. So these are ours too.

mod characters;
mod json;
mod like;
mod math;
mod percentile;
mod text;

use crate::call::{Function, define};
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
    math::install(connection)?;
    percentile::install(connection)
}
