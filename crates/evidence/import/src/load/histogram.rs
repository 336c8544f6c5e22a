//! One histogram of HdrHistogram, in its encoding V2, compressed or not, as base64.
//!
//! ```text
//! compressed   cookie u32 │ length u32 │ zlib of the following
//! plain        cookie u32 │ length u32 │ offset u32 │ digits u32 │ lowest u64 │ highest u64 │ ratio f64 │ counts
//! counts       signed LEB128 in zigzag: a count, or below 0 so many buckets without one
//! ```
//!
//! The counts are handed on one by one and no array of them is made, so that what a histogram costs depends on the bytes that
//! it has, not on the sizes that it claims.

use base::bytes::{Cursor, ReadError};
use base::number::wide;
use flate2::read::ZlibDecoder;
use std::io::Read;

const COMPRESSED: u32 = 0x1c84_9304;
const PLAIN: u32 = 0x1c84_9303;
/// The part of a cookie that says the size of a word, which means nothing in this encoding.
const WORD: u32 = 0xf0;
/// The most bytes of one histogram: every bucket of one with five digits takes a tenth of it.
const MAX_BYTES: u64 = 16 << 20;
/// The largest number of digits.
const MAX_DIGITS: u32 = 5;

pub(super) const NOT_BASE64: &str = "interval of a latency log that is not base64: left out";
pub(super) const ENCODING: &str = "histogram of a latency log in another encoding than V2: left out";
pub(super) const HEADER: &str = "histogram of a latency log whose header cannot be: left out";
pub(super) const PACKED: &str = "histogram of a latency log that cannot be decompressed: left out";
pub(super) const TOO_LARGE: &str =
    "histogram of a latency log that decompresses to more than any does: left out";
pub(super) const COUNTS: &str =
    "counts of a histogram that break off, or that cannot be: the ones before are here";

/// What reading histograms may cost, and memory that is used again for the next one.
#[derive(Debug)]
pub(super) struct Decoder {
    packed: Vec<u8>,
    plain: Vec<u8>,
    /// Decompressed bytes that may still come.
    pub(super) budget: u64,
}

impl Decoder {
    pub(super) fn new(budget: u64) -> Self {
        Self { packed: Vec::new(), plain: Vec::new(), budget }
    }

    /// Reads a histogram, and hands on the least and the largest value of each bucket with its count.
    pub(super) fn read(
        &mut self,
        text: &[u8],
        take: &mut dyn FnMut(u64, u64, u64),
    ) -> Result<(), &'static str> {
        base64(text, &mut self.packed).ok_or(NOT_BASE64)?;
        let mut bytes = Cursor::new(&self.packed, 0);
        let (cookie, length) = (big(bytes.u32("cookie"))?, big(bytes.u32("length"))?);
        match cookie & !WORD {
            PLAIN => counts(&self.packed, take),
            COMPRESSED => {
                let packed = bytes.take(usize::try_from(length).unwrap_or(usize::MAX), "compressed");
                let packed = packed.map_err(|_short| HEADER)?;
                let most = self.budget.min(MAX_BYTES);
                self.plain.clear();
                let unpacked =
                    ZlibDecoder::new(packed).take(most.saturating_add(1)).read_to_end(&mut self.plain);
                let len = wide(self.plain.len());
                self.budget = self.budget.saturating_sub(len);
                unpacked.map_err(|_damaged| PACKED)?;
                if len > most { Err(TOO_LARGE) } else { counts(&self.plain, take) }
            }
            _ => Err(ENCODING),
        }
    }
}

/// A field of the header, whose numbers have their first byte first; the cursor reads them the other way round.
fn big(field: Result<u32, ReadError>) -> Result<u32, &'static str> {
    field.map(u32::swap_bytes).map_err(|_short| HEADER)
}

/// The counts of a histogram that is not compressed.
fn counts(bytes: &[u8], take: &mut dyn FnMut(u64, u64, u64)) -> Result<(), &'static str> {
    let mut bytes = Cursor::new(bytes, 0);
    let mut word = |what| big(bytes.u32(what));
    if word("cookie")? & !WORD != PLAIN {
        return Err(ENCODING);
    }
    let length = usize::try_from(word("length")?).unwrap_or(usize::MAX);
    let (offset, digits) = (word("normalizing index offset")?, word("digits")?);
    let mut long = |what| bytes.u64(what).map(u64::swap_bytes).map_err(|_short| HEADER);
    let (lowest, _highest, _ratio) = (long("lowest")?, long("highest")?, long("ratio")?);
    if offset != 0 || digits > MAX_DIGITS || lowest == 0 {
        return Err(HEADER);
    }
    let buckets = Buckets::new(lowest, digits);
    let mut counts = bytes.part(length, "counts").map_err(|_short| HEADER)?;
    let mut at = 0u64;
    while !counts.is_empty() {
        let count = counts.vari64("count").map_err(|_short| COUNTS)?;
        if let Ok(count) = u64::try_from(count) {
            let (least, largest) = buckets.ends(at).ok_or(COUNTS)?;
            if count > 0 {
                take(least, largest, count);
            }
            at = at.saturating_add(1);
        } else {
            at = at.saturating_add(count.unsigned_abs());
        }
    }
    Ok(())
}

/// Which values a bucket has.
#[derive(Debug, Clone, Copy)]
struct Buckets {
    /// The lowest value that differs from 0, as a power of two.
    unit: u32,
    /// Half of the buckets of the first run of them, as a power of two: each doubling beyond has so many.
    half: u32,
}

impl Buckets {
    fn new(lowest: u64, digits: u32) -> Self {
        // 2 × 10^digits buckets, rounded up to a power of two.
        let first = 10u64.saturating_pow(digits).saturating_mul(2).next_power_of_two();
        Self { unit: lowest.checked_ilog2().unwrap_or(0), half: first.ilog2().saturating_sub(1) }
    }

    /// The least and the largest value of a bucket. `None` if there is no such bucket.
    fn ends(self, at: u64) -> Option<(u64, u64)> {
        let each = 1u64.checked_shl(self.half)?;
        let (doubling, within) = (at / each, at % each);
        // The first run has two halves: the second one has the same width as the first.
        let (shift, within) = match doubling.checked_sub(1) {
            None => (0, within),
            Some(shift) => (shift, within.checked_add(each)?),
        };
        let shift = u32::try_from(shift).ok()?.checked_add(self.unit)?;
        let least = u128::from(within).checked_shl(shift).filter(|_| shift < u64::BITS)?;
        let width = 1u128.checked_shl(shift)?;
        let least_of = u64::try_from(least).ok()?;
        Some((least_of, u64::try_from(least.checked_add(width)?.checked_sub(1)?).unwrap_or(u64::MAX)))
    }
}

/// Decodes base64 of the usual alphabet into `bytes`. `None` if it is not base64.
fn base64(text: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    bytes.clear();
    let text = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    for four in text.chunks(4) {
        let mut group = 0u32;
        for letter in four {
            let six = match letter {
                b'A'..=b'Z' => letter.wrapping_sub(b'A'),
                b'a'..=b'z' => letter.wrapping_sub(b'a').wrapping_add(26),
                b'0'..=b'9' => letter.wrapping_sub(b'0').wrapping_add(52),
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            group = group << 6 | u32::from(six);
        }
        // Two letters have one byte, three have two; one letter alone has none.
        let (shift, len) = match four.len() {
            4 => (0, 3),
            3 => (6, 2),
            2 => (12, 1),
            _ => return None,
        };
        bytes.extend((group << shift).to_be_bytes().into_iter().skip(1).take(len));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer, V2Serializer};

    /// The least and the largest value of a bucket, and its count.
    type Bucket = (u64, u64, u64);

    /// Base64 as its own test, so that the decoder is not tested against itself.
    fn encoded(bytes: &[u8]) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let letter = |of: u32| char::from(ALPHABET[(of & 63) as usize]);
        let group = |three: &[u8]| {
            let number = three.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte))
                << (8 * (3 - three.len()));
            let letters: String =
                [18, 12, 6, 0].iter().take(three.len() + 1).map(|shift| letter(number >> shift)).collect();
            letters + &"=".repeat(3 - three.len())
        };
        bytes.chunks(3).map(group).collect()
    }

    fn read(text: &str) -> (Result<(), &'static str>, Vec<Bucket>) {
        let mut found = Vec::new();
        let read = Decoder::new(1 << 20)
            .read(text.as_bytes(), &mut |least, largest, count| found.push((least, largest, count)));
        (read, found)
    }

    /// Every bucket that the library has, from the bytes that it writes.
    fn check(histogram: &Histogram<u64>) {
        let (mut plain, mut packed) = (Vec::new(), Vec::new());
        V2Serializer::new().serialize(histogram, &mut plain).unwrap();
        V2DeflateSerializer::new().serialize(histogram, &mut packed).unwrap();
        let of = |value: u64| (histogram.lowest_equivalent(value), histogram.highest_equivalent(value));
        let expected: Vec<_> = histogram
            .iter_recorded()
            .map(|step| {
                let (least, largest) = of(step.value_iterated_to());
                (least, largest, step.count_at_value())
            })
            .collect();
        assert!(!expected.is_empty());
        for bytes in [plain, packed] {
            assert_eq!(read(&encoded(&bytes)), (Ok(()), expected.clone()));
        }
    }

    #[test]
    fn buckets_are_those_of_the_library() {
        for (lowest, digits) in [(1, 3), (1, 0), (1, 5), (1000, 2), (7, 1)] {
            let mut histogram = Histogram::<u64>::new_with_bounds(lowest, 3_600_000_000_000, digits).unwrap();
            for value in [0, 1, 999, 1000, 2047, 2048, 4096, 123_456, 950_000_000, 3_600_000_000_000] {
                histogram.record_n(value, value % 7 + 1).unwrap();
            }
            check(&histogram);
        }
    }

    #[test]
    fn a_cut_or_changed_histogram_is_an_error_and_no_panic() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        (1..500u64).for_each(|value| histogram.record(value * 1_000).unwrap());
        let mut packed = Vec::new();
        V2DeflateSerializer::new().serialize(&histogram, &mut packed).unwrap();
        for at in 0..packed.len() {
            assert!(read(&encoded(&packed[..at])).0.is_err(), "cut at {at}");
            let mut changed = packed.clone();
            changed[at] ^= 0x55;
            drop(read(&encoded(&changed)));
        }
        assert_eq!(read("HIST!").0, Err(NOT_BASE64));
        assert_eq!(read("").0, Err(HEADER));
    }

    #[test]
    fn a_histogram_that_decompresses_to_more_than_the_budget_is_left_out() {
        let mut packed = Vec::new();
        V2DeflateSerializer::new().serialize(&Histogram::<u64>::new(3).unwrap(), &mut packed).unwrap();
        let mut decoder = Decoder::new(10);
        assert_eq!(decoder.read(encoded(&packed).as_bytes(), &mut |_, _, _| {}), Err(TOO_LARGE));
    }
}
