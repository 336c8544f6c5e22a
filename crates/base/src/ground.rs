//! Skipping tests that need something this machine does not have, such as a folder, a program, or root.
//!
//! Such a test calls [`skip`] and returns. Every test run prints how many tests were skipped, so that a run that tested
//! little does not look like one that tested everything.

use std::io::Write;

/// Appends the test and the reason to the file that the variable `CASEBOOK_SKIPS` names, if it is set. The test must
/// return right after the call.
///
/// # Panics
///
/// If the file cannot be written: a skip that is not counted must not pass.
pub fn skip(test: &str, reason: &str) {
    let Some(path) = std::env::var_os("CASEBOOK_SKIPS") else { return };
    let noted = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(format!("{test}: {reason}\n").as_bytes()));
    assert!(noted.is_ok(), "cannot note that {test} was skipped: {noted:?}");
}
