//! Any bytes into evidence of any kind, and every cell of its tables out again.
//!
//! Where there is a recording its tables hold together; where there is none the error has a message.

#![no_main]

use casebook_fuzz::meter::{self, Limits};
use casebook_fuzz::tables;
use import::{Options, open_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    meter::within(Limits::UNPACKER, bytes.len(), || read(bytes));
});

fn read(bytes: &[u8]) {
    let payloads = bytes.last().is_none_or(|last| last & 1 == 0);
    match open_bytes(bytes, "fuzz", Options { payloads, threads: 1 }) {
        Ok(evidence) => tables::check(&evidence),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
