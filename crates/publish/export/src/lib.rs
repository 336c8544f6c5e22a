//! Writes recordings in the formats of other viewers.
//!
//! ```text
//!              ┌─ tree:  stacks by the names of their frames ─┐    ┌─▶ speedscope, folded, pprof
//!  Recording ──┼─ weigh: rows summed up by stack ─────────────┼────┤
//!              ├─ held:  how long each sample lasts, boxes ───┤    ├─▶ firefox
//!              └─ written: what is in the file, what is not ──┘    └─▶ chrome
//! ```
//!
//! [`write`] writes one format and returns what it has written and what it has left out: nothing is left out uncounted.
//! This crate opens no file and prints nothing. Crate `sql` writes tables as CSV and Parquet.
//!
//! A sample means the same in every format. The sampler pauses the program and records the stack of every managed
//! thread, whether it runs or waits. So samples measure wall-clock time, not CPU time; `running` samples are those
//! whose stack does not wait. No format here calls them CPU time.

mod boxes;
mod chrome;
mod error;
mod firefox;
mod folded;
mod held;
mod lanes;
mod pprof;
mod proto;
mod speedscope;
mod text;
mod threads;
mod tree;
mod weigh;
mod without;
mod written;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod testing;

pub use error::Error;
pub use weigh::What;
pub use written::{Count, LeftOut, Why, Written, damage, lost};

use model::Trace;
use std::io::Write;

/// A format that this crate writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The JSON of speedscope.app.
    Speedscope,
    /// The processed profile of profiler.firefox.com, packed with gzip.
    Firefox,
    /// The `profile.proto` of pprof, packed with gzip.
    Pprof,
    /// One line per stack, `a;b;c N`, as flame graph scripts read it.
    Folded,
    /// The Trace Event JSON of Chrome and Perfetto.
    Chrome,
}

/// Writes a recording in a format.
///
/// `what` chooses the rows of a folded file (all samples if `None`), and the values that pprof shows first. The other
/// formats contain everything and ignore it.
pub fn write(
    recording: &Trace,
    format: Format,
    what: Option<What>,
    out: &mut dyn Write,
) -> Result<Written, Error> {
    match format {
        Format::Speedscope => speedscope::write(recording, out),
        Format::Firefox => firefox::write(recording, out),
        Format::Pprof => pprof::write(recording, what, out),
        Format::Folded => folded::write(recording, what.unwrap_or(What::Samples), out),
        Format::Chrome => chrome::write(recording, out),
    }
}
