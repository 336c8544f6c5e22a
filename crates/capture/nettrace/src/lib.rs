//! The NetTrace container: turns bytes, cut anywhere, into events.
//!
//! [`Decoder`] takes the bytes of a trace in pieces of any size and passes each event to a [`Sink`] in order of time,
//! with its stack as raw addresses and its payload as raw bytes. It reads version 3 ("NetPerf"), version 4 with the
//! tags of version 5, and version 6, and several streams in a row. It owns no file and no socket, knows no runtime and
//! decodes no payload: what an event means depends on its provider.
//!
//! What cannot be read is counted with its offset and skipped; everything else is kept. Only an input that is not a
//! trace, or has an unknown version, is an error.
//!
//! ```text
//!  bytes ─▶ decoder (objects, blocks) ─▶ header (events) ─▶ batch (order of time) ─▶ Sink
//!                     │                      ▲
//!                     └─ metadata, stacks, threads, labels ─┘   valid until the next sequence point
//! ```
//!
//! The formats: `NetPerfFormat.md`, `NetTraceFormat_v5.md` and `NetTraceFormat.md` of microsoft/perfview.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod batch;
mod block;
mod decoder;
mod header;
mod limits;
mod metadata;
mod region;
mod stream;
mod threads;
mod work;

pub use decoder::{Decoder, Error, MAX_MAJOR_VERSION, Summary};
pub use limits::Limits;
pub use metadata::{Field, FieldType, Metadata};
pub use stream::{Event, Gap, Sink, Stack, StreamHeader, SyncTime};
