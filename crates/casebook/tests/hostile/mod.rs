//! Recordings, processes and terminals with texts that were chosen to do harm. Needs the modules `program`, `runtime` and
//! `trace` beside it.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod peer;
pub(crate) mod terminal;

use crate::program;
use crate::trace::{blocks, unpacked};

/// What would control a terminal: its title, its screen, hidden letters, the writing direction, line ends.
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

/// The program's own sequences: colours, and those that rewrite a line or a page.
const COLOURS: [&str; 20] = [
    "0m", "m", "1m", "2m", "3m", "4m", "22m", "30m", "31m", "32m", "33m", "34m", "35m", "36m", "37m", "90m",
    "91m", "92m", "93m", "94m",
];
const PAGE: [&str; 12] =
    ["?1049h", "?1049l", "?2004h", "?2004l", "?25l", "?25h", "?7l", "?7h", "H", "K", "J", "2J"];

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
    let mut raw = unpacked(&program::fixture(fixture).with_extension("nettrace.zst"));
    let mut texts = 0;
    for block in blocks(&raw) {
        if &raw[block.name] == b"EventBlock" {
            spoil(&mut raw[block.payload], &mut texts);
        }
    }
    raw
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
