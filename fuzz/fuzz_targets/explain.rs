//! Any events, and everything that is said of them: figures, findings, topics, a comparison with themselves, pages as text.

#![no_main]

use casebook_fuzz::meter::{self, Limits};
use casebook_fuzz::stream;
use import::{Options, open_bytes};
use libfuzzer_sys::fuzz_target;
use model::Evidence;
use runtime::{HandlerNames, StackIndex};
use topics::Id;

/// Figures, findings and texts are made of few rows here, and more than once.
const COST: Limits = Limits { calls: 2_000_000, calls_per_byte: 1000, ..Limits::READER };

fuzz_target!(|bytes: &[u8]| {
    let stream = stream::from_input(bytes);
    meter::within(COST, stream.len(), || {
        let evidence = open_bytes(&stream, "fuzz", Options { payloads: false, threads: 1 }).expect("a trace");
        let Evidence::Trace(trace) = &evidence else { panic!("no trace") };
        let index = StackIndex::new(trace);
        let explanation = findings::explanation(trace, &index);
        let topics = topics::explain(trace, &index, &explanation.parts, &Id::ALL);
        text::explain::page(&explanation, text::explain::Detail::Full, text::Width::default());
        text::explain::document(&evidence, &explanation);
        text::topics::json(&topics);
        let handlers = HandlerNames::new(trace, &index);
        let side = || diff::Side {
            recording: trace,
            index: &index,
            handlers: &handlers,
            report: &explanation.report,
            range: None,
        };
        diff::compare(&side(), &side(), report::Basis::Duration);
    });
});
