//! Any bytes as the files of a load run: `run.json`, and an interval log of HdrHistogram, and every cell of their tables out
//! again.
//!
//! The input is cut in two at the first NUL. Both parts begin with the bytes by which their format is recognised, so that
//! none is refused for lack of them.

#![no_main]

use casebook_fuzz::meter::{self, Limits};
use casebook_fuzz::tables;
use import::{Options, open_bytes};
use libfuzzer_sys::fuzz_target;

const ACCOUNT: &[u8] = b"{\"casebook_load\":1,";
const LOG: &[u8] = b"#[Histogram log format version 1.3]\n";

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    for beginning in [ACCOUNT, LOG] {
        let file = [beginning, parts.next().unwrap_or_default()].concat();
        // A histogram is compressed, and unpacks to 32 MB whatever its size.
        meter::within(Limits::UNPACKER, file.len(), || read(&file));
    }
});

fn read(file: &[u8]) {
    match open_bytes(file, "fuzz", Options { payloads: false, threads: 1 }) {
        Ok(evidence) => {
            tables::check(&evidence);
            if let model::Evidence::Load(load) = &evidence {
                let explanation = loads::explanation(load);
                assert!(explanation.verdict.is_some());
                loads::pictures(load);
                loads::lanes(load, loads::whole(load), 600);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
