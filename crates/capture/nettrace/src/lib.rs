//! The NetTrace container: bytes in any cut to events.
//!
//! [`Decoder`] takes the bytes of a trace as they come, in pieces of any size, and gives each event to a [`Sink`] in
//! the order of time, with its stack as raw addresses and its payload as raw bytes. It reads version 3 ("NetPerf"),
//! 4 with the tags of 5, and 6, and several streams one after another. It owns no file and no socket, knows no
//! runtime and decodes no payload: what an event means is for those to say who know its provider.
//!
//! What cannot be read is counted with its place and left out; the rest is kept. The only errors are of input that is
//! no trace or of a version that is not known.
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
mod metadata;
mod region;
mod stream;
mod threads;
mod work;

pub use decoder::{Decoder, Error, Limits, MAX_MAJOR_VERSION, Summary};
pub use metadata::{Field, FieldType, Metadata};
pub use stream::{Event, Gap, Sink, Stack, StreamHeader, SyncTime};
