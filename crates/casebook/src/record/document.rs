//! The result of a recording as a JSON document.

use crate::duration;
use recorder::{Outcome, RecordOptions};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Document<'a> {
    out: String,
    files: Vec<FileEntry>,
    bytes: u64,
    duration_ns: u64,
    events: u64,
    lost: u64,
    left_out_bytes: u64,
    held_back_ns: u64,
    profile: &'a str,
    ended: String,
    cost: &'a recorder::Cost,
    notes: &'a [String],
    copies: Vec<String>,
}

#[derive(Serialize)]
struct FileEntry {
    name: String,
    bytes: u64,
    raw_bytes: u64,
    blake3: String,
}

/// The document of a recording.
pub(super) fn document<'a>(options: &'a RecordOptions, outcome: &'a Outcome) -> Document<'a> {
    let files = outcome.files.iter().map(|file| FileEntry {
        name: file.name.clone(),
        bytes: file.bytes,
        raw_bytes: file.raw_bytes,
        blake3: file.blake3.clone(),
    });
    Document {
        out: options.out.display().to_string(),
        files: files.collect(),
        bytes: outcome.bytes,
        duration_ns: duration::nanos(outcome.duration),
        events: outcome.events,
        lost: outcome.lost,
        left_out_bytes: outcome.left_out,
        held_back_ns: duration::nanos(outcome.held_back),
        profile: &options.profile,
        ended: outcome.ended.words(),
        cost: &outcome.cost,
        notes: &outcome.notes,
        copies: outcome.copies.iter().map(|path| path.display().to_string()).collect(),
    }
}
