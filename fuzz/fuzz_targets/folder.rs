//! Any bytes as the files of a recording's folder: `exhibit.toml`, `host.csv`, `thread_cpu.csv` and the trace.
//!
//! The input is cut in four; what stands before the first cut is `exhibit.toml`.

#![no_main]

use casebook_fuzz::meter::{self, Limits};
use casebook_fuzz::{stream, tables};
use import::Options;
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::OnceLock;

/// What stands between the files.
const CUT: u8 = 0;

fuzz_target!(|bytes: &[u8]| {
    let folder = folder();
    let mut parts = bytes.splitn(4, |byte| *byte == CUT);
    let mut next = || parts.next().unwrap_or_default();
    let (exhibit, host, thread_cpu) = (next(), next(), next());
    let trace = stream::from_input(next());
    for (name, content) in [
        ("exhibit.toml", exhibit),
        ("host.csv", host),
        ("thread_cpu.csv", thread_cpu),
        ("trace.nettrace", trace.as_slice()),
    ] {
        std::fs::write(folder.join(name), content).expect("a file");
    }
    let all = bytes.len() + trace.len();
    meter::within(Limits::READER, all, || match import::open(folder, Options { payloads: false, threads: 1 }) {
        Ok(evidence) => tables::check(&evidence),
        Err(error) => assert!(!error.to_string().is_empty()),
    });
});

/// A folder in memory.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let shared = PathBuf::from("/dev/shm");
        let parent = if shared.is_dir() { shared } else { std::env::temp_dir() };
        let folder = parent.join(format!("casebook-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    })
}
