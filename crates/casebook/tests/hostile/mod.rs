//! Recordings, processes and terminals for texts that were chosen to hurt.

pub(crate) mod peer;
pub(crate) mod terminal;

use std::io::Read;
use std::path::Path;

/// What a terminal would carry out: its title, its screen, letters that hide, the direction of writing, ends of lines.
pub(crate) const NAMES: [&str; 12] = [
    "\u{1b}]0;x",
    "\u{1b}[8m",
    "\u{1b}[2J",
    "\u{9b}2J",
    "\u{202e}",
    "\u{2066}",
    "\u{200f}",
    "\u{61c}",
    "\u{7f}\u{8}",
    "\r\n",
    "\u{1b}[38;5;9m",
    "\u{85}\u{2028}",
];

/// Sequences of the program's own: colours, and those by which it writes over a line or a page.
const COLOURS: [&str; 20] = [
    "0m", "m", "1m", "2m", "3m", "4m", "22m", "30m", "31m", "32m", "33m", "34m", "35m", "36m", "37m", "90m",
    "91m", "92m", "93m", "94m",
];
const PAGE: [&str; 10] = ["?1049h", "?1049l", "?25l", "?25h", "?7l", "?7h", "H", "K", "J", "2J"];

/// A text without the sequences of the program's own. `2J` is the program's only right after its `H`.
pub(crate) fn without_own_sequences(text: &str) -> String {
    let mut plain = text.replace("\u{1b}[H\u{1b}[2J", "").replace("\r\u{1b}[K", "");
    for own in COLOURS.iter().chain(&PAGE).filter(|own| **own != "2J") {
        plain = plain.replace(&format!("\u{1b}[{own}"), "");
    }
    plain
}

/// A fixture with hostile names in its events: in every second text the last letters are replaced.
pub(crate) fn hostile_trace(fixture: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(fixture);
    let packed = std::fs::File::open(path.with_extension("nettrace.zst")).unwrap();
    let mut reader = zstd::stream::read::Decoder::new(packed).unwrap();
    reader.window_log_max(27).unwrap();
    let mut raw = Vec::new();
    reader.read_to_end(&mut raw).unwrap();
    let mut texts = 0;
    for block in event_blocks(&raw) {
        let Some(block) = raw.get_mut(block) else { continue };
        spoil(block, &mut texts);
    }
    raw
}

/// Where the blocks of events are in a trace in its container of versions 4 and 5.
fn event_blocks(raw: &[u8]) -> Vec<std::ops::Range<usize>> {
    let word = |at: usize| u32::from_le_bytes(raw[at..at + 4].try_into().unwrap()) as usize;
    // The magic; then the object with the trace's start, whose fields take 48 bytes.
    let mut at = 32 + 15 + word(32 + 11) + 1 + 48 + 1;
    let mut blocks = Vec::new();
    while raw[at] == 5 {
        let name_end = at + 15 + word(at + 11);
        let size = word(name_end + 1);
        let from = (name_end + 5).next_multiple_of(4);
        if &raw[at + 15..name_end] == b"EventBlock" {
            blocks.push(from..from + size);
        }
        at = from + size + 1;
    }
    blocks
}

/// Replaces the last letters of every second text that ends with a NUL, in units of 16 bits.
fn spoil(block: &mut [u8], texts: &mut usize) {
    const SHORTEST: usize = 6;
    let mut at = 0;
    while at + 1 < block.len() {
        let mut end = at;
        while end + 1 < block.len() && matches!((block[end], block[end + 1]), (0x20..=0x7e, 0)) {
            end += 2;
        }
        let is_text = (end - at) / 2 >= SHORTEST && matches!(block.get(end..end + 2), Some([0, 0]));
        if !is_text {
            at += 1;
            continue;
        }
        *texts += 1;
        let name = NAMES[*texts / 2 % NAMES.len()];
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        if texts.is_multiple_of(2) && units.len() < end - at {
            block[end - units.len()..end].copy_from_slice(&units);
        }
        at = end + 2;
    }
}
