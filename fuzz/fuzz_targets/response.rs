//! Any bytes as responses of HTTP/1.1, in pieces of any size: the same responses come out, and no memory is taken for bodies.

#![no_main]

use libfuzzer_sys::fuzz_target;
use load::http1::{Progress, ResponseReader};

/// Reads responses from pieces of a size. Returns their statuses, and how it ended.
fn read(bytes: &[u8], piece: usize, is_head: bool) -> (Vec<u16>, Option<load::Failure>) {
    let mut reader = ResponseReader::new(is_head);
    let (mut statuses, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let end = bytes.len().min(at + piece);
        match reader.take(&bytes[at..end]) {
            Err(failure) => return (statuses, Some(failure)),
            Ok((used, Progress::More)) => {
                assert_eq!(at + used, end, "bytes are left, and no response is complete");
                at = end;
            }
            Ok((used, Progress::Done { status, keeps_alive })) => {
                at += used;
                statuses.push(status);
                if !keeps_alive {
                    return (statuses, None);
                }
                reader.reset();
            }
        }
    }
    (statuses, reader.close().err())
}

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (is_head, piece, bytes) = input;
    let whole = read(bytes, usize::MAX / 2, is_head);
    assert_eq!(read(bytes, usize::from(piece) + 1, is_head), whole);
});
