//! A recording of the service during a load run: one exhibit with `load/` and `trace/`.
//!
//! The recording begins before the first request and ends after the last is accounted for. If it cannot begin, no request is
//! sent; if it ends during the run, the run goes on.

use crate::config::Config;
use crate::interrupt::Interrupt;
use crate::record::{self, Beside, Recorded, Wanted};
use crate::terminal;
use exhibit::{Place, Rules};
use std::path::Path;
use std::sync::Arc;

/// The sub-folder of the load run.
pub(super) const LOAD: &str = "load";
/// The sub-folder of the recording.
const TRACE: &str = "trace";

/// Creates the folder and begins to record into it. If that fails, the folder is removed.
pub(super) fn begin(
    wanted: Wanted,
    out: &Path,
    rules: Rules,
    config: &Config,
    interrupt: &Arc<Interrupt>,
) -> anyhow::Result<Beside> {
    // What can fail without a folder fails before there is one.
    let found = record::found(wanted, config)?;
    let place = Place::of(out, rules)?;
    place.create_folder()?;
    record::beside(found, out.join(TRACE), interrupt).inspect_err(|_| {
        // If anything is in it, it stays.
        drop(place.remove_folder());
    })
}

/// Ends the recording, and says so if it had ended before.
pub(super) fn end(recording: Beside, interrupt: &Interrupt) -> anyhow::Result<Recorded> {
    let recorded = recording.end(interrupt)?;
    if let Some(why) = recorded.ended_early() {
        terminal::say(&format!("{why}; what was recorded until then is kept"));
    }
    Ok(recorded)
}
