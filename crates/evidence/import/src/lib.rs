//! Files of any kind to the model.
//!
//! [`open`] looks at what a file is, drives its reader and fills a [`model::Trace`]. It reads files and folders and
//! nothing else: it prints nothing, reads no clock, and knows no SQL and no finding. A file that cannot be read at all
//! is an [`Error`]; anything less is told in the recording's `lost`.
//!
//! ```text
//!  source (file, folder, .zst .gz .zip) ─▶ nettrace ─▶ builder ─▶ methods, stacks, gc, waits … ─▶ Recording
//! ```

mod alongside;
mod builder;
mod clock;
mod counters;
mod finish;
mod gc;
mod host;
mod kinds;
mod live;
mod methods;
mod metrics;
mod provenance;
mod rawstacks;
mod requests;
mod rows;
mod source;
mod spans;
mod states;
mod threads;

pub use alongside::{Along, Alongside, EventName};
pub use live::{CounterFeed, CounterNote, CounterReading, CounterSource};
pub use source::{Error, Options, Progress, files, open, open_bytes, open_with_progress};
