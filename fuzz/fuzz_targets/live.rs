//! Any bytes as a running session, in pieces: what reads along for counts, and for counters.
//!
//! The cut is taken from the last byte.

#![no_main]

use casebook_fuzz::meter::{self, Limits};
use import::{Alongside, CounterFeed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let len = 1 + 16 * usize::from(bytes.last().copied().unwrap_or(0));
    meter::within(Limits::READER, bytes.len(), || {
        let mut whole = Alongside::new(None);
        whole.take(bytes);
        whole.end();
        let (mut along, mut feed) = (Alongside::new(None), CounterFeed::new());
        for piece in bytes.chunks(len) {
            along.take(piece);
            if feed.take(piece).is_err() {
                break;
            }
            feed.readings();
            feed.notes();
        }
        bytes.chunks(len).for_each(|piece| along.take(piece));
        along.end();
    });
});
