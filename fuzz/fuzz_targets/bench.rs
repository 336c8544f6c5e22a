//! Any bytes as the rest of a file of benchmarks, and every cell of its tables out again.
//!
//! Each input begins with the bytes by which the format is recognised, so that none is refused for lack of them.

#![no_main]

use casebook_fuzz::meter::{self, Limits};
use casebook_fuzz::tables;
use import::{Options, open_bytes};
use libfuzzer_sys::fuzz_target;

const BEGINNING: &[u8] = b"{\"HostEnvironmentInfo\":{\"BenchmarkDotNetVersion\":\"1\"},\"Benchmarks\":[";

fuzz_target!(|bytes: &[u8]| {
    let file = [BEGINNING, bytes].concat();
    meter::within(Limits::READER, file.len(), || read(&file));
});

fn read(file: &[u8]) {
    match open_bytes(file, "fuzz", Options { payloads: false, threads: 1 }) {
        Ok(evidence) => {
            tables::check(&evidence);
            if let model::Evidence::Bench(bench) = &evidence {
                benchmarks::explanation(bench, &benchmarks::distributions(bench));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
