//! Clocks of streams: ticks to nanoseconds since the main session's start.
//!
//! Streams of one recording tick with the same monotonic clock, so their ticks are set against the main session's
//! start. A stream of another boot or machine shows in its calendar time; its ticks are then worth nothing and its
//! calendar time places it.

use nettrace::{StreamHeader, SyncTime};

/// Two readings of one clock and the calendar may differ by this much, since the calendar is set and rounded.
const MAX_DRIFT_NS: i128 = 5_000_000_000;
const NS: i128 = 1_000_000_000;

/// Converts a stream's ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    sync_ticks: i64,
    ticks_per_second: i64,
    /// Where the stream's start lies on the main session's clock.
    offset_ns: i64,
    /// Whether it is the main session's own clock, which every stream of one machine and boot has.
    pub(crate) is_mains: bool,
}

impl Clock {
    /// The clock of a stream beside the main session's header (its own for the main session).
    pub(crate) fn new(main: &StreamHeader, stream: &StreamHeader) -> Self {
        let by_ticks = if main.ticks_per_second == stream.ticks_per_second {
            let ticks = i128::from(stream.sync_ticks) - i128::from(main.sync_ticks);
            Some(ticks * NS / i128::from(main.ticks_per_second.max(1)))
        } else {
            None
        };
        let by_calendar = unix_ns(stream.sync_time) - unix_ns(main.sync_time);
        let by_ticks = by_ticks.filter(|ns| (ns - by_calendar).abs() <= MAX_DRIFT_NS);
        let offset = by_ticks.unwrap_or(by_calendar);
        Self {
            sync_ticks: stream.sync_ticks,
            ticks_per_second: stream.ticks_per_second.max(1),
            // Streams that are centuries apart are damaged: each then begins at 0.
            offset_ns: i64::try_from(offset).unwrap_or(0),
            is_mains: by_ticks.is_some(),
        }
    }

    /// Nanoseconds since the main session's start.
    #[inline]
    pub(crate) fn ns(&self, ticks: i64) -> i64 {
        let since = ticks.wrapping_sub(self.sync_ticks);
        let ns = if self.ticks_per_second == 1_000_000_000 {
            since
        } else {
            // Only damage lies centuries away, on either side.
            i64::try_from(i128::from(since) * NS / i128::from(self.ticks_per_second)).unwrap_or(i64::MAX)
        };
        ns.wrapping_add(self.offset_ns)
    }
}

/// Nanoseconds since 1970 of a header's calendar time; 0 if it is not a date.
pub(crate) fn unix_ns(time: SyncTime) -> i128 {
    civil(time)
        .and_then(|at| jiff::tz::TimeZone::UTC.to_timestamp(at).ok())
        .map_or(0, jiff::Timestamp::as_nanosecond)
}

/// RFC 3339 of a header's calendar time; empty if it is not a date.
pub(crate) fn rfc3339(time: SyncTime) -> String {
    civil(time).map_or_else(String::new, |at| format!("{}Z", at.strftime("%Y-%m-%dT%H:%M:%S%.3f")))
}

fn civil(time: SyncTime) -> Option<jiff::civil::DateTime> {
    let small = |value: i16| i8::try_from(value).ok();
    jiff::civil::DateTime::new(
        time.year,
        small(time.month)?,
        small(time.day)?,
        small(time.hour)?,
        small(time.minute)?,
        small(time.second)?,
        i32::from(time.millisecond).checked_mul(1_000_000)?,
    )
    .ok()
}
