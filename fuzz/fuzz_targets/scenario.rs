//! Any text as a scenario file, with its templates, patterns and paths, and as the CSV file that it names: a scenario or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use load::Loaded;
use std::time::Duration;

fuzz_target!(|input: (&str, &[u8])| {
    let (text, csv) = input;
    let read = |_: &str| Ok(csv.to_vec());
    match Loaded::parse(text, Some("http://127.0.0.1"), 1, &read, &|_| Ok(Duration::from_millis(1))) {
        Ok(of) => assert!(of.scenario.requests().count() > 0 && of.scenario.planned(10) >= 10),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
