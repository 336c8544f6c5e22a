//! Any bytes as `curl` command lines or as a HAR file: what comes out is a scenario that can be read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use load::{ImportOptions, Loaded};
use std::time::Duration;

fuzz_target!(|input: (bool, bool, &[u8])| {
    let (is_har, as_flow, bytes) = input;
    let (beginning, rest) =
        if is_har { (&b"{\"log\":{\"entries\":[{\"request\":"[..], bytes) } else { (&b"curl http://a/ "[..], bytes) };
    let options = ImportOptions { as_flow, ..ImportOptions::default() };
    if let Ok(of) = load::import(&[beginning, rest].concat(), options) {
        let read = |_: &str| Ok(Vec::new());
        let loaded = Loaded::parse(&of.text, None, 1, &read, &|_| Ok(Duration::from_millis(1)));
        assert!(loaded.is_ok_and(|loaded| loaded.scenario.requests().count() == of.requests));
    }
});
