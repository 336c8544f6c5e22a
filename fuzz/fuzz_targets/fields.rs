//! Any payload by any layout: JSON is JSON and stays small, and the two ways to walk a payload agree.
//!
//! The first byte chooses between layouts that ship with the program and described ones, and the size of addresses;
//! the layout is taken from what follows, and the payload is the rest.

#![no_main]

use casebook_fuzz::input::Input;
use casebook_fuzz::layouts;
use casebook_fuzz::meter::{self, Limits};
use clr::json::json;
use clr::payload::{Payload, consumed};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::Arc;

/// No payload may become more text than this.
const MAX_JSON: usize = 8 << 20;

fuzz_target!(|bytes: &[u8]| {
    meter::within(Limits::READER, bytes.len(), || check(bytes));
});

fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let how = input.byte();
    let pointer_size = if how & 2 == 0 { 8 } else { 4 };
    let layout = if how & 1 == 0 {
        layouts::built_in(&mut input)
    } else {
        Arc::new(layouts::described(&mut input))
    };
    let payload = input.rest();
    let text = json(&layout, payload, pointer_size);
    assert!(text.len() <= MAX_JSON, "{} bytes of JSON from {} of payload", text.len(), payload.len());
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let damaged = value.as_object().expect("an object").contains_key("<damaged>");
    match consumed(&layout, payload, pointer_size) {
        Ok(len) => {
            assert!(len <= payload.len(), "{len} of {} bytes", payload.len());
            assert!(!damaged, "{text} of {len} bytes that can be walked");
        }
        Err(error) => assert!(damaged, "{text}, and {error}"),
    }
    let fields = Payload::new(&layout, payload, pointer_size);
    for name in layout.fields.iter().map(|field| field.name.as_str()).take(40).chain(["", "Count", "Data"]) {
        fields.int(name);
        fields.real(name);
        fields.word(name);
        fields.text(name);
        fields.guid(name);
        fields.raw(name);
    }
}
