//! What the decoder costs, and what it reports of bytes that it skips.

use super::*;
use crate::stream::{Event, Gap};

#[derive(Debug, Default)]
struct Ignore;

impl Sink for Ignore {
    fn stream(&mut self, _header: &StreamHeader) {}
    fn event(&mut self, _event: &Event<'_>) {}
    fn gap(&mut self, _gap: Gap) {}
}

fn header() -> Vec<u8> {
    let mut bytes = b"Nettrace\x14\0\0\0!FastSerialization.1".to_vec();
    object_start(&mut bytes, b"Trace", 4);
    bytes.extend([0; 16]);
    bytes.extend(1000i64.to_le_bytes());
    bytes.extend(1_000_000_000i64.to_le_bytes());
    bytes.extend([8u32, 1, 2, 1].into_iter().flat_map(u32::to_le_bytes));
    bytes.push(6);
    bytes
}

fn object_start(bytes: &mut Vec<u8>, name: &[u8], version: u32) {
    bytes.extend([5, 5, 1]);
    let name_len = u32::try_from(name.len()).unwrap();
    bytes.extend([version, version, name_len].into_iter().flat_map(u32::to_le_bytes));
    bytes.extend_from_slice(name);
    bytes.push(6);
}

#[test]
fn objects_whose_size_is_wrong_do_not_cost_the_square_of_the_input() {
    const OBJECTS: usize = 5_000;
    let mut input = header();
    for _ in 0..OBJECTS {
        object_start(&mut input, b"EventBlock", 2);
        // The size is too large, and the byte that it leads to is not an end tag.
        input.extend(60_000u32.to_le_bytes());
    }
    for piece in [1_000, 4096, usize::MAX] {
        let mut decoder = Decoder::new(Limits::USUAL);
        for bytes in input.chunks(piece) {
            decoder.push(bytes, &mut Ignore).unwrap();
        }
        // Each byte may be moved about once.
        assert!(decoder.work() <= 4 * input.len() as u64, "{} for {} bytes", decoder.work(), input.len());
        let summary = decoder.finish(&mut Ignore).unwrap();
        let damaged: u64 = summary.damage.kinds().iter().map(|kind| kind.count).sum();
        assert!(damaged > OBJECTS as u64 / 2, "{summary:?}");
    }
}
