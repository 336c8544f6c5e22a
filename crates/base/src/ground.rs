//! The ground that a test stands on: what to do where it is missing.
//!
//! A test whose ground is missing (a folder, a program) returns early through [`skip`]; the count of them is part of
//! every test run's summary, so that a run that tested little cannot look like one that tested all.

use std::io::Write;

/// Notes that a test was skipped, in the file that the environment's `CASEBOOK_SKIPS` names.
///
/// Without that variable nothing is noted. The test returns right after the call.
///
/// # Panics
///
/// The file cannot be written: a skip that is not counted must not pass.
pub fn skip(test: &str, reason: &str) {
    let Some(path) = std::env::var_os("CASEBOOK_SKIPS") else { return };
    let noted = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(format!("{test}: {reason}\n").as_bytes()));
    assert!(noted.is_ok(), "cannot note that {test} was skipped: {noted:?}");
}
