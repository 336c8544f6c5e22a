//! `latency.hlog` of a part: where each interval stands, so that its histogram can be decoded when it is needed.

use super::error::MergeError;
use crate::record::{DIGITS, LONGEST_NS, Latencies};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use std::collections::BTreeMap;
use std::io::Read;

/// Of which basis a histogram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    Schedule,
    Send,
}

/// The intervals of a part.
#[derive(Debug)]
pub(super) struct Log<'a> {
    pub(super) name: &'a str,
    /// Encoded histograms, by the beginning of their second on the clock of all parts.
    intervals: BTreeMap<u64, Vec<(Basis, &'a str)>>,
}

/// The length of a row.
pub(super) const SECOND_NS: u64 = 1_000_000_000;
/// An unpacked histogram of ours has at most 9 bytes for each of its counts, of which there are fewer than 100,000.
const MAX_UNPACKED: u64 = 1 << 20;
/// Latencies of a second of a part.
const MAX_SAMPLES: u64 = 1 << 40;
/// What a compressed histogram of HdrHistogram begins with, in version 2.
const COOKIE: [u8; 4] = [0x1c, 0x84, 0x93, 0x14];
/// The head of an unpacked histogram: its cookie, the length of its counts, an offset, the digits, its bounds, and a ratio.
const HEAD: usize = 40;

impl<'a> Log<'a> {
    /// Finds the intervals, which are later by `shift_ns` on the clock of all parts.
    pub(super) fn read(name: &'a str, bytes: &'a [u8], shift_ns: u64) -> Result<Self, MergeError> {
        let mut intervals: BTreeMap<u64, Vec<(Basis, &'a str)>> = BTreeMap::new();
        for entry in IntervalLogIterator::new(bytes) {
            // The last line of a run that was killed may be cut: then its account is missing too, and it is not merged.
            let entry = entry.map_err(|_reason| damaged(name, "a line that is none of an interval log"))?;
            let LogEntry::Interval(of) = entry else { continue };
            let basis = match of.tag().map(|tag| tag.as_str().to_owned()).as_deref() {
                Some("schedule") => Basis::Schedule,
                Some("send") => Basis::Send,
                _ => continue,
            };
            let second = of.start_timestamp().saturating_add(std::time::Duration::from_millis(500)).as_secs();
            let ts_ns = second.saturating_mul(SECOND_NS).saturating_add(shift_ns);
            intervals.entry(ts_ns).or_default().push((basis, of.encoded_histogram()));
        }
        Ok(Self { name, intervals })
    }

    /// When the intervals begin.
    pub(super) fn times(&self) -> impl Iterator<Item = u64> + '_ {
        self.intervals.keys().copied()
    }

    /// When the last one ends.
    pub(super) fn end_ns(&self) -> u64 {
        self.intervals.keys().next_back().map_or(0, |last| last.saturating_add(SECOND_NS))
    }

    /// Adds the histograms of a second.
    pub(super) fn add_to(&self, ts_ns: u64, sum: &mut Latencies) -> Result<(), MergeError> {
        for (basis, encoded) in self.intervals.get(&ts_ns).into_iter().flatten() {
            let histogram =
                decoded(encoded).ok_or_else(|| damaged(self.name, "a histogram that is none of ours"))?;
            let into = if *basis == Basis::Schedule { &mut sum.schedule } else { &mut sum.send };
            into.add(&histogram).map_err(|_reason| damaged(self.name, "a histogram with other bounds"))?;
        }
        Ok(())
    }
}

fn damaged(name: &str, what: &str) -> MergeError {
    MergeError::Damaged { file: name.to_owned(), what: what.to_owned() }
}

/// A histogram with our own bounds. What it claims of its size is checked before anything is reserved for it.
fn decoded(encoded: &str) -> Option<Histogram<u64>> {
    let packed = STANDARD.decode(encoded).ok()?;
    if packed.get(..4)? != COOKIE {
        return None;
    }
    // Behind the cookie and the length.
    let mut unpacked = Vec::new();
    ZlibDecoder::new(packed.get(8..)?).take(MAX_UNPACKED).read_to_end(&mut unpacked).ok()?;
    let number = |at: usize| Some(u32::from_be_bytes(unpacked.get(at..at + 4)?.try_into().ok()?));
    let wide = |at: usize| Some(u64::from_be_bytes(unpacked.get(at..at + 8)?.try_into().ok()?));
    let has_room = number(4)? as usize <= unpacked.len().checked_sub(HEAD)?;
    let is_ours = number(12)? == u32::from(DIGITS) && wide(16)? == 1 && wide(24)? == LONGEST_NS;
    if !has_room || !is_ours {
        return None;
    }
    let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut unpacked.as_slice()).ok()?;
    // The sum of all parts must fit.
    (histogram.len() <= MAX_SAMPLES).then_some(histogram)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use hdrhistogram::serialization::{Serializer, V2Serializer};
    use std::io::Write;

    /// A histogram as it stands in a log.
    fn encoded(unpacked: &[u8]) -> String {
        let mut zipped = ZlibEncoder::new(Vec::new(), Compression::fast());
        zipped.write_all(unpacked).unwrap();
        STANDARD.encode([&COOKIE[..], &[0; 4], &zipped.finish().unwrap()].concat())
    }

    #[test]
    fn a_histogram_of_ours_is_decoded_and_damage_anywhere_is_no_panic() {
        let mut histogram = crate::record::histogram();
        for at in 1..2_000u64 {
            histogram.saturating_record(at * at * 1_000);
        }
        let mut unpacked = Vec::new();
        V2Serializer::new().serialize(&histogram, &mut unpacked).unwrap();
        assert_eq!(decoded(&encoded(&unpacked)), Some(histogram.clone()));
        for at in 0..unpacked.len() {
            drop(decoded(&encoded(&unpacked[..at])));
            for other in [0x00, 0x7f, 0x80, 0xff, unpacked[at] ^ 1] {
                let mut bytes = unpacked.clone();
                bytes[at] = other;
                if let Some(found) = decoded(&encoded(&bytes)) {
                    assert!(found.len() <= MAX_SAMPLES && found.high() == LONGEST_NS, "{other} at {at}");
                }
            }
        }
        for text in ["", "HIST", "HISTFAAA", "HISTFAAAAAAA", "!"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
