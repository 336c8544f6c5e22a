//! Recordings in the formats of other viewers.
//!
//! ```text
//!              ┌─ tree:  stacks by the names of their frames ─┐    ┌─▶ speedscope, folded, pprof
//!  Recording ──┼─ weigh: rows summed up by stack ─────────────┼────┤
//!              ├─ held:  how long each sample stands, boxes ──┤    ├─▶ firefox
//!              └─ left:  what is lost, what has no place ─────┘    └─▶ chrome
//! ```
//!
//! [`write`] writes one format to a writer and says what it has written and what it has not: nothing is left out
//! without being counted. Nothing here opens a file or prints. Tables as CSV and Parquet are the work of crate `sql`.
//!
//! What a sample is, in every format: the sampler stops the program and looks at every managed thread, whether it
//! runs or waits. Samples are therefore of the wall clock and not of processors; `running` are those whose stack does
//! not wait. No format here calls them CPU time.

mod boxes;
mod chrome;
mod error;
mod firefox;
mod folded;
mod held;
mod lanes;
mod left;
mod pprof;
mod proto;
mod speedscope;
mod text;
mod threads;
mod tree;
mod weigh;
mod without;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod testing;

pub use error::Error;
pub use left::{Count, LeftOut, damage, lost};
pub use weigh::What;

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
    /// A line a stack, `a;b;c N`, as flame graph scripts read it.
    Folded,
    /// The Trace Event JSON of Chrome and Perfetto.
    Chrome,
}

/// What was written, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Samples of the recording that are in the file.
    pub samples: u64,
    /// What is in the file, by its kind.
    pub holds: Vec<Count>,
    /// What is not in the file although the recording has it, and what the recording itself lacks.
    pub left_out: Vec<LeftOut>,
}

/// Writes a recording in a format.
///
/// `what` says of which rows a folded file is (all samples where it is none), and which values pprof shows first; the
/// other formats have all of them and do not ask for it.
pub fn write(
    recording: &Trace,
    format: Format,
    what: Option<What>,
    out: &mut dyn Write,
) -> Result<Report, Error> {
    match format {
        Format::Speedscope => speedscope::write(recording, out),
        Format::Firefox => firefox::write(recording, out),
        Format::Pprof => pprof::write(recording, what, out),
        Format::Folded => folded::write(recording, what.unwrap_or(What::Samples), out),
        Format::Chrome => chrome::write(recording, out),
    }
}
