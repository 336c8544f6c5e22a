//! The log of intervals that HdrHistogram's tools read: two histograms for each second, tagged `schedule` and `send`, in nanoseconds.
//!
//! Its format is that of HdrHistogram's `HistogramLogWriter`, version 1.3. Times are seconds since `BaseTime`, which is the run's
//! beginning.

use crate::record::Latencies;
use crate::second::Second;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

/// Writes a log, interval by interval.
#[derive(Debug)]
pub struct IntervalLog<W> {
    out: W,
    has_schedule: bool,
}

impl<W: Write> IntervalLog<W> {
    /// Writes the head. A closed loop has no schedule.
    pub fn begin(mut out: W, start: SystemTime, has_schedule: bool) -> io::Result<Self> {
        out.write_all(b"#[Histogram log format version 1.3]\n")?;
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            .add_comment("[Latencies of requests in nanoseconds: from the schedule, and from the send]")
            .with_start_time(start)
            .with_base_time(start)
            .begin_log_with(&mut out, &mut serializer)?;
        out.write_all(
            b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        )?;
        Ok(Self { out, has_schedule })
    }

    /// Writes the histograms of an interval.
    pub fn add(&mut self, second: &Second, latencies: &Latencies) -> io::Result<()> {
        let of_basis =
            [("schedule", &latencies.schedule, self.has_schedule), ("send", &latencies.send, true)];
        for (tag, histogram, is_written) in of_basis {
            if is_written {
                self.line(tag, histogram, second)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, tag: &str, histogram: &Histogram<u64>, second: &Second) -> io::Result<()> {
        let (from, length) = (Duration::from_nanos(second.ts_ns), Duration::from_nanos(second.dur_ns));
        let mut serializer = V2DeflateSerializer::new();
        let mut writer = IntervalLogWriterBuilder::new().begin_log_with(&mut self.out, &mut serializer)?;
        let written = writer.write_histogram(histogram, from, length, Tag::new(tag));
        written.map_err(|error| io::Error::other(error.to_string()))
    }

    /// Ends the log. Returns where it was written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn other_readers_find_each_interval_with_its_tag() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_millis(1_234_567);
        let mut log = IntervalLog::begin(Vec::new(), start, true).unwrap();
        let mut latencies = Latencies::default();
        latencies.schedule.saturating_record(3_000_000);
        for at in 0..2 {
            let second = Second { ts_ns: at * 1_000_000_000, dur_ns: 1_000_000_000, ..Second::default() };
            log.add(&second, &latencies).unwrap();
        }
        let bytes = log.finish().unwrap();
        let entries: Result<Vec<LogEntry<'_>>, _> = IntervalLogIterator::new(&bytes).collect();
        let mut found = Vec::new();
        for entry in entries.unwrap() {
            match entry {
                LogEntry::Interval(of) => {
                    found.push((
                        of.tag().unwrap().as_str().to_owned(),
                        of.start_timestamp().as_secs(),
                        of.duration().as_millis(),
                    ));
                }
                LogEntry::StartTime(at) | LogEntry::BaseTime(at) => assert_eq!(at.as_millis(), 1_234_567),
            }
        }
        let expected = [("schedule", 0), ("send", 0), ("schedule", 1), ("send", 1)];
        assert_eq!(found, expected.map(|(tag, at)| (tag.to_owned(), at, 1_000)));
    }
}
