//! The decoder passes on the same events however its input is cut.

#![expect(clippy::unwrap_used, reason = "a test")]

use nettrace::{Decoder, Error, Event, Gap, Limits, Sink, StreamHeader, Summary};
use std::path::PathBuf;

/// Everything that a sink receives, as text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Received(Vec<String>);

impl Sink for Received {
    fn stream(&mut self, header: &StreamHeader) {
        self.0.push(format!("{header:?}"));
    }

    fn event(&mut self, event: &Event<'_>) {
        let Event { metadata, ticks, thread, stack, activity, payload, offset, .. } = event;
        let (provider, id) = (&metadata.provider, metadata.event_id);
        self.0.push(format!("{provider}/{id} {ticks} {thread} {stack:?} {activity:?} {offset} {payload:?}"));
    }

    fn gap(&mut self, gap: Gap) {
        self.0.push(format!("{gap:?}"));
    }
}

fn decode(parts: &[&[u8]]) -> (Received, Result<Summary, Error>) {
    let mut received = Received::default();
    let mut decoder = Decoder::new(Limits::USUAL);
    for part in parts {
        if let Err(error) = decoder.push(part, &mut received) {
            return (received, Err(error));
        }
    }
    let summary = decoder.finish(&mut received);
    (received, summary)
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/format").join(name))
        .unwrap()
}

fn check_cuts(name: &str) {
    let input = fixture(name);
    let whole = decode(&[&input]);
    assert!(whole.1.is_ok() && whole.0.0.len() > 1, "{name}: {:?}", whole.1);
    for at in 0..=input.len() {
        let (left, right) = input.split_at(at);
        assert_eq!(decode(&[left, right]), whole, "{name} split at {at}");
    }
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(decode(&bytes), whole, "{name} byte by byte");
}

#[test]
fn version_3() {
    check_cuts("tracelogging.netperf");
}

#[test]
fn version_4_and_5() {
    check_cuts("executioncheckpoints.nettrace");
    check_cuts("WellKnownDiagnosticSourceEventsHavePayloads.nettrace");
    check_cuts("SkipExtraMetadataTagSpaceV5.nettrace");
}

#[test]
fn version_6() {
    check_cuts("V6ParseMultipleThreadBlocks.nettrace");
    check_cuts("V6ParseEventLabelLists.nettrace");
    check_cuts("ParseV6CompressedEventHeaders.nettrace");
    check_cuts("V6SequencePointDetectsDroppedEvents.nettrace");
}

#[test]
fn several_streams_in_one_file() {
    let (first, second) =
        (fixture("executioncheckpoints.nettrace"), fixture("V6ParseEventLabelLists.nettrace"));
    let both = [first.as_slice(), second.as_slice()].concat();
    let (received, summary) = decode(&[&both]);
    let apart = [decode(&[&first]).0.0.len(), decode(&[&second]).0.0.len()];
    assert_eq!(received.0.len(), apart[0] + apart[1]);
    let summary = summary.unwrap();
    assert_eq!((summary.streams, summary.truncated_at), (2, None));
    assert!(summary.damage.is_empty(), "{:?}", summary.damage);
}

#[test]
fn an_input_that_is_not_a_trace_is_refused_with_the_reason() {
    let message = |bytes: &[u8]| decode(&[bytes]).1.unwrap_err().to_string();
    assert_eq!(message(b""), "the input is empty: expected a .nettrace or .netperf recording");
    assert_eq!(
        message(b"MDMP\x93\xa7 and more that follows"),
        "not a trace: expected `Nettrace` or `!FastSerialization.1` at the start"
    );
    assert_eq!(
        message(b"Nettrace\0\0\0\0\x07\0\0\0\0\0\0\0"),
        "version 7 of the format is not known: this program reads 3 to 6; a newer one may"
    );
    assert_eq!(
        message(b"Nettrace\0\0\0\0\x02\0\0\0\0\0\0\0"),
        "version 2 of the format is not known: this program reads 3 to 6"
    );
    assert!(message(b"Nettr").starts_with("the input ends within its header, after 5 bytes"));
}

#[test]
fn the_message_of_a_refused_input_is_the_same_however_it_is_cut() {
    for input in
        [b"MDMP\x93\xa7 and more that follows".as_slice(), b"Nettrawl", b"Nettrace\0\0\0\0\x07\0\0\0\0\0\0\0"]
    {
        let whole = decode(&[input]);
        for at in 0..=input.len() {
            let (left, right) = input.split_at(at);
            assert_eq!(decode(&[left, right]), whole, "split at {at}");
        }
    }
}

#[test]
fn damage_costs_its_own_block_and_is_located() {
    let mut input = fixture("WellKnownDiagnosticSourceEventsHavePayloads.nettrace");
    let whole = decode(&[&input]).0.0.len();
    let block = input.windows(10).position(|window| window == b"EventBlock").unwrap();
    input[block + 3] ^= 1;
    let (received, summary) = decode(&[&input]);
    let summary = summary.unwrap();
    assert!(received.0.len() < whole, "the block's events are lost");
    assert_eq!(summary.damage.kinds().len(), 0, "a block of an unknown name is skipped, as the format says");
    input[block + 3] ^= 1;
    input[block - 15] = 9;
    let (_, summary) = decode(&[&input]);
    let damage = summary.unwrap().damage.kinds()[0].clone();
    assert_eq!(damage.what, "block that cannot be read: skipped to the next");
    assert_eq!(damage.first_offset, block as u64 - 15);
}
