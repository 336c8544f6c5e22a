//! The blocks of a trace in the container of versions 4 and 5, for tests that damage or change them.

#![expect(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// Where a block is in the trace.
pub(crate) struct Block {
    pub(crate) name: Range<usize>,
    /// From its begin tag to its size.
    pub(crate) head: Range<usize>,
    pub(crate) payload: Range<usize>,
}

/// The decompressed bytes of a recording.
pub(crate) fn unpacked(path: &Path) -> Vec<u8> {
    let mut reader = zstd::stream::read::Decoder::new(std::fs::File::open(path).unwrap()).unwrap();
    // The window that the fixtures were compressed with.
    reader.window_log_max(27).unwrap();
    let mut raw = Vec::new();
    reader.read_to_end(&mut raw).unwrap();
    raw
}

/// The blocks of a trace. Its header ends where the first one begins.
pub(crate) fn blocks(raw: &[u8]) -> Vec<Block> {
    let word = |at: usize| u32::from_le_bytes(raw[at..at + 4].try_into().unwrap()) as usize;
    // Behind the magic is the object with the trace's start, whose fields take 48 bytes.
    let mut at = 32 + 15 + word(32 + 11) + 1 + 48 + 1;
    let mut blocks = Vec::new();
    while raw[at] == 5 {
        let name = at + 15..at + 15 + word(at + 11);
        let head = at..name.end + 5;
        let payload_at = head.end.next_multiple_of(4);
        let payload = payload_at..payload_at + word(name.end + 1);
        at = payload.end + 1;
        blocks.push(Block { name, head, payload });
    }
    blocks
}
