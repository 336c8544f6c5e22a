//! Interval logs of HdrHistogram: a line for each interval, with its time, its length and its histogram.
//!
//! ```text
//! #[StartTime: 1796058000.123 (seconds since epoch)]
//! "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
//! Tag=schedule,0.000,1.000,0.950,HISTFAAAA…
//! ```
//!
//! Values are taken as nanoseconds, and intervals without a tag as latency from the send. Times of intervals are since
//! `BaseTime` if there is one; else since `StartTime`, if they are more than a year before it; else since the epoch, as
//! HdrHistogram's own reader takes them.

use super::counts::{Borders, Coarse, Counts};
use super::histogram::{Decoder, NOT_BASE64};
use crate::head::Head;
use base::number::wide;
use model::{Load, SEND};
use thiserror::Error;

const NOT_A_LINE: &str = "line of a latency log that is not an interval: left out";
const TIME: &str = "interval of a latency log at a time that cannot be: left out";
const TAGS: &str = "interval of a latency log with a further tag than the 8 that are kept: left out";
const JOINED: &str =
    "intervals of a latency log that are joined in twos, since there are so many: the heat map is coarser";

/// Tags that are kept.
const MAX_TAGS: usize = 8;
/// Letters of a tag.
const LONGEST_TAG: usize = 32;
/// Buckets of all intervals that are kept: those of a day by second. Of more, intervals are joined.
const MAX_BUCKETS: usize = 4_000_000;
/// The largest time of an interval, in seconds since the start: ten years.
const MAX_SECONDS: f64 = 315_360_000.0;
const YEAR: f64 = 31_536_000.0;
/// What histograms may decompress to, all together: real ones stay below four times the log.
const FREE_UNPACKED: u64 = 32 << 20;
const EXPANSION: u64 = 30;
/// Lines in which the format is recognised.
const MAX_SNIFFED: usize = 200;

/// Why a log cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum LogError {
    /// It has no interval that can be read.
    #[error("expected an interval log of HdrHistogram; it has no interval that can be read")]
    NoInterval,
}

/// Whether a file begins like a log: by its headers, or by an interval.
pub(super) fn sniff(head: &Head) -> bool {
    let has = |line: &[u8], word: &[u8]| line.windows(word.len()).any(|window| window == word);
    for line in head.bytes().split(|byte| *byte == b'\n').take(MAX_SNIFFED) {
        match line.trim_ascii() {
            [] => {}
            [b'#', rest @ ..] => {
                if [b"istogram log format".as_slice(), b"[StartTime:", b"[BaseTime:"]
                    .iter()
                    .any(|of| has(rest, of))
                {
                    return true;
                }
            }
            line => return line.starts_with(b"\"StartTimestamp\"") || has(line, b",HIST"),
        }
    }
    false
}

/// The latencies of one tag.
#[derive(Debug, Default)]
pub(super) struct Basis {
    pub(super) name: String,
    pub(super) counts: Counts,
    pub(super) intervals: Vec<Interval>,
}

/// The latencies of one interval.
#[derive(Debug, Clone)]
pub(super) struct Interval {
    /// Since the start of the log.
    pub(super) ts_ns: i64,
    pub(super) dur_ns: i64,
    pub(super) counts: Coarse,
}

/// What logs have.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) borders: Borders,
    pub(super) bases: Vec<Basis>,
    /// When the first log begins, in seconds since the epoch, if it says so.
    pub(super) start: Option<f64>,
    buckets: usize,
}

/// The headers that say what times count from.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    start: Option<f64>,
    base: Option<f64>,
}

impl Clock {
    /// An interval's time in seconds since the start of the log. Without a header, the first interval is the start.
    fn since_start(&mut self, seconds: f64) -> f64 {
        match (self.base, self.start) {
            (Some(base), Some(start)) => seconds + (base - start),
            (Some(_), None) => seconds,
            (None, Some(start)) if seconds < start - YEAR => seconds,
            (None, Some(start)) => seconds - start,
            // Without a header, small numbers count from a start that nobody knows.
            (None, None) if seconds < YEAR => seconds,
            (None, None) => {
                self.start = Some(seconds);
                0.0
            }
        }
    }
}

impl Found {
    /// Adds the intervals of a log.
    pub(super) fn read(&mut self, load: &mut Load, bytes: &[u8]) -> Result<(), LogError> {
        let size = wide(bytes.len());
        load.exhibit.bytes = load.exhibit.bytes.saturating_add(size);
        let mut decoder = Decoder::new(size.saturating_mul(EXPANSION).saturating_add(FREE_UNPACKED));
        let mut clock = Clock::default();
        let (mut offset, mut intervals) = (0u64, 0u64);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let at = offset;
            offset = offset.saturating_add(wide(line.len()));
            match line.trim_ascii() {
                [] | [b'"', ..] => {}
                [b'#', rest @ ..] => clock_of(rest, &mut clock),
                line => match self.interval(line, &mut clock, &mut decoder) {
                    Ok(()) => intervals = intervals.saturating_add(1),
                    Err(what) => {
                        load.lost.damage.note(what, at);
                        // What stands before the damage of a histogram is kept.
                        intervals = intervals.saturating_add(u64::from(what == super::histogram::COUNTS));
                    }
                },
            }
            if self.buckets > MAX_BUCKETS {
                self.join();
                load.lost.damage.remark(JOINED, at);
            }
        }
        self.start = self.start.or(clock.start.or(clock.base));
        if intervals == 0 { Err(LogError::NoInterval) } else { Ok(()) }
    }

    fn interval(
        &mut self,
        line: &[u8],
        clock: &mut Clock,
        decoder: &mut Decoder,
    ) -> Result<(), &'static str> {
        let (tag, line) = match line.strip_prefix(b"Tag=") {
            Some(rest) => {
                let comma = rest.iter().position(|byte| *byte == b',').ok_or(NOT_A_LINE)?;
                rest.split_at_checked(comma).ok_or(NOT_A_LINE)?
            }
            None => (SEND.as_bytes(), line),
        };
        let mut fields = line.strip_prefix(b",").unwrap_or(line).splitn(4, |byte| *byte == b',');
        let mut number = || std::str::from_utf8(fields.next()?).ok()?.trim().parse::<f64>().ok();
        let (Some(start), Some(length), Some(_max)) = (number(), number(), number()) else {
            return Err(NOT_A_LINE);
        };
        let histogram = fields.next().ok_or(NOT_A_LINE)?.trim_ascii();
        let since_start = clock.since_start(start);
        let is_time = |seconds: f64| seconds.abs() <= MAX_SECONDS;
        if !is_time(since_start) || !is_time(length) || length < 0.0 {
            return Err(TIME);
        }
        if histogram.contains(&b',') {
            return Err(NOT_BASE64);
        }
        let at = self.basis(tag).ok_or(TAGS)?;
        let basis = self.bases.get_mut(at).ok_or(TAGS)?;
        let mut interval =
            Interval { ts_ns: nanos(since_start), dur_ns: nanos(length), counts: Coarse::default() };
        let borders = &self.borders;
        let read = decoder.read(histogram, &mut |least, largest, count| {
            basis.counts.add(largest, count);
            let middle = f64::midpoint(base::number::real_u64(least), base::number::real_u64(largest));
            interval.counts.add(borders.bucket(middle), count);
        });
        // Intervals without a request are kept: they say that nothing was answered.
        if read.is_ok() || !interval.counts.0.is_empty() {
            self.buckets = self.buckets.saturating_add(interval.counts.0.len().max(1));
            basis.intervals.push(interval);
        }
        read
    }

    /// The place of a tag's latencies.
    fn basis(&mut self, tag: &[u8]) -> Option<usize> {
        let name: String = String::from_utf8_lossy(tag).chars().take(LONGEST_TAG).collect();
        if let Some(at) = self.bases.iter().position(|basis| basis.name == name) {
            return Some(at);
        }
        if self.bases.len() >= MAX_TAGS {
            return None;
        }
        self.bases.push(Basis { name, ..Basis::default() });
        Some(self.bases.len().saturating_sub(1))
    }

    /// Joins each two intervals that follow each other.
    fn join(&mut self) {
        self.buckets = 0;
        for basis in &mut self.bases {
            let mut joined: Vec<Interval> = Vec::new();
            for two in basis.intervals.chunks(2) {
                let Some(mut one) = two.first().cloned() else { continue };
                if let Some(other) = two.get(1) {
                    let end = |of: &Interval| of.ts_ns.saturating_add(of.dur_ns);
                    let to_ns = end(&one).max(end(other));
                    one.ts_ns = one.ts_ns.min(other.ts_ns);
                    one.dur_ns = to_ns.saturating_sub(one.ts_ns);
                    other.counts.0.iter().for_each(|(bucket, count)| one.counts.add(*bucket, *count));
                }
                self.buckets = self.buckets.saturating_add(one.counts.0.len().max(1));
                joined.push(one);
            }
            basis.intervals = joined;
        }
    }
}

/// A header that says what times count from; the first of each counts.
fn clock_of(comment: &[u8], clock: &mut Clock) {
    let Ok(comment) = std::str::from_utf8(comment) else { return };
    let seconds = |name: &str| {
        let rest = comment.trim_start().strip_prefix(name)?.trim_start();
        let number = rest.split([' ', ']']).next()?.parse::<f64>().ok()?;
        (number.is_finite() && number >= 0.0).then_some(number)
    };
    clock.start = clock.start.or(seconds("[StartTime:"));
    clock.base = clock.base.or(seconds("[BaseTime:"));
}

/// Seconds, of which there are not more than [`MAX_SECONDS`], as nanoseconds.
#[expect(clippy::cast_possible_truncation, reason = "ten years are 3.2e17 nanoseconds")]
pub(super) fn nanos(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_the_start_whatever_the_headers_say() {
        let check = |start, base, seconds: f64, expected: f64| {
            let mut clock = Clock { start, base };
            assert!((clock.since_start(seconds) - expected).abs() < 1e-3, "{start:?} {base:?} {seconds}");
        };
        let epoch = 1_796_058_000.0;
        check(Some(epoch), None, 5.0, 5.0);
        check(Some(epoch), None, epoch + 5.0, 5.0);
        check(Some(epoch), Some(epoch), 5.0, 5.0);
        check(Some(epoch), Some(epoch + 60.0), 5.0, 65.0);
        check(None, Some(epoch), 5.0, 5.0);
        check(None, None, 5.0, 5.0);
        check(None, None, epoch, 0.0);
    }

    #[test]
    fn a_log_is_recognised_by_a_header_or_by_an_interval() {
        let check = |text: &str, expected: bool| {
            assert_eq!(sniff(&Head::of_stream(&mut text.as_bytes()).unwrap()), expected, "{text}");
        };
        check("#[Logged with x]\n#[Histogram log format version 1.3]\n", true);
        check("#[StartTime: 1.0 (seconds since epoch)]\n", true);
        check(
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
            true,
        );
        check("\n0.1,1.0,2.0,HISTFAAA\n", true);
        check("Tag=a,0.1,1.0,2.0,HISTFAAA\n", true);
        check("# a comment\nHISTORY\n", false);
        check("", false);
    }

    #[test]
    fn joined_intervals_keep_every_request() {
        let mut found = Found::default();
        let interval = |ts_ns| Interval { ts_ns, dur_ns: 10, counts: Coarse(vec![(3, 1), (9, 2)]) };
        found.bases.push(Basis { intervals: [0, 10, 20].map(interval).into(), ..Basis::default() });
        found.join();
        let of = &found.bases[0].intervals;
        let times: Vec<_> = of.iter().map(|of| (of.ts_ns, of.dur_ns)).collect();
        assert_eq!(
            (times.as_slice(), &of[0].counts.0),
            ([(0, 20), (20, 10)].as_slice(), &vec![(3, 2), (9, 4)])
        );
    }
}
