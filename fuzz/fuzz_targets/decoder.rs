//! Any bytes into the decoder, whole and cut: the cuts must not change what comes out.
//!
//! The cuts and the limits are taken from the input's last bytes, so that every recording is an input as it stands.

#![no_main]

use casebook_fuzz::meter::{self, Limits as Cost};
use casebook_fuzz::events::HashSink;
use libfuzzer_sys::fuzz_target;
use nettrace::{Decoder, Error, Limits, Summary};

/// Limits that a small input reaches.
const TIGHT: Limits = Limits { block_bytes: 2000, waiting_bytes: 3000, waiting_events: 50 };

/// Steps of the decoder for each byte of the input, and whatever the input: recordings take 2 to 4, and events that wait in
/// many small blocks 70. With tight limits what waits is put in order every 50 events, which takes 80.
const STEPS_PER_BYTE: u64 = 128;
const STEPS_PER_BYTE_IF_TIGHT: u64 = 256;
const STEPS: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    // The input is decoded three times.
    meter::within(Cost::READER, bytes.len(), || check(bytes));
});

fn check(bytes: &[u8]) {
    let last = bytes.last().copied().unwrap_or(0);
    let limits = if last & 1 == 0 { Limits::USUAL } else { TIGHT };
    let whole = decode(&[bytes], limits);
    let cuts = cuts(bytes);
    assert_eq!(decode(&pieces(bytes, &cuts), limits), whole, "cut at {cuts:?}");
    let len = 1 + usize::from(last >> 1);
    let even: Vec<&[u8]> = bytes.chunks(len).collect();
    assert_eq!(decode(&even, limits), whole, "in pieces of {len} bytes");
}

fn decode(pieces: &[&[u8]], limits: Limits) -> ((u64, u64, u64, u64), Result<Summary, Error>) {
    let mut events = HashSink::default();
    let mut decoder = Decoder::new(limits);
    for piece in pieces {
        if let Err(error) = decoder.push(piece, &mut events) {
            return (events.sum(), Err(error));
        }
    }
    let (steps, len) = (decoder.work(), pieces.iter().map(|piece| piece.len() as u64).sum::<u64>());
    let each = if limits == TIGHT { STEPS_PER_BYTE_IF_TIGHT } else { STEPS_PER_BYTE };
    assert!(steps <= each * len + STEPS, "{steps} steps for {len} bytes");
    let summary = decoder.finish(&mut events);
    (events.sum(), summary)
}

/// Positions from the last bytes, in order; some may be equal.
fn cuts(bytes: &[u8]) -> Vec<usize> {
    let tail = bytes.len().saturating_sub(12);
    let numbers = bytes[tail..].chunks_exact(2).map(|pair| usize::from(pair[0]) << 8 | usize::from(pair[1]));
    // Small inputs are cut anywhere, large ones nearer to their start.
    let mut cuts: Vec<usize> = numbers.map(|number| number % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    cuts
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        pieces.push(&bytes[start..end]);
        start = end;
    }
    pieces
}
