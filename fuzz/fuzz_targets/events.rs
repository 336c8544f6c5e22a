//! Any events in any order: a well-formed stream made of the input, into a recording.
//!
//! Bytes alone seldom become events that the tables are made of; here every input does.

#![no_main]

use casebook_fuzz::meter::{self, Limits};
use casebook_fuzz::{stream, tables};
use import::{Options, open_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let stream = stream::from_input(bytes);
    meter::within(Limits::READER, stream.len(), || {
        let evidence = open_bytes(&stream, "fuzz", Options { payloads: true, threads: 1 }).expect("a trace");
        tables::check(&evidence);
    });
});
