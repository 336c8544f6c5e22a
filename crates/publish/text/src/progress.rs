//! The progress of a piece of work, in one line.

use std::time::Duration;

/// The stage of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The process is measured before it is recorded.
    Measuring,
    /// It is recorded.
    Recording,
    /// The runtime sends its remaining events, and the names of methods.
    Ending,
}

/// The progress of a recording.
#[derive(Debug, Clone, Copy)]
pub struct Recording {
    /// The stage.
    pub stage: Stage,
    /// The time in this stage.
    pub elapsed: Duration,
    /// Bytes of events so far.
    pub bytes: u64,
    /// Events so far.
    pub events: u64,
    /// Events lost so far.
    pub lost: u64,
    /// How long it is to last. `None` if Ctrl-C ends it.
    pub duration: Option<Duration>,
    /// How much of it is kept. `None` if all of it is.
    pub keep: Option<Duration>,
}

/// A line about a recording.
pub fn recording(progress: &Recording) -> String {
    let Recording { stage, elapsed, bytes, events, lost, duration, keep } = *progress;
    let lost = if lost > 0 { format!(" · {lost} events lost") } else { String::new() };
    let size = format!("{:.1} MB · {events} events{lost}", bytes as f64 / 1e6);
    match stage {
        Stage::Measuring => "measuring the process before it is recorded …".to_owned(),
        Stage::Recording => {
            let of = duration.map_or_else(String::new, |duration| format!(" of {}", seconds(duration)));
            let kept = keep.map_or_else(String::new, |keep| format!(", keeping the last {}", seconds(keep)));
            let end = if duration.is_none() { " · Ctrl-C ends it" } else { "" };
            format!("recording {}{of}{kept} · {size}{end}", seconds(elapsed))
        }
        Stage::Ending => {
            let elapsed = seconds(elapsed);
            format!("ending, the runtime sends names of methods: {elapsed} · {size} · Ctrl-C does not wait")
        }
    }
}

/// A line about reading a file: bytes read so far, the total if known, and the time so far. A total below `read` is
/// wrong and ignored.
pub fn reading(read: u64, total: Option<u64>, lasted: Duration) -> String {
    let Some(total) = total.filter(|total| *total > 0 && read <= *total) else {
        return format!("reading … {} MB", read / 1_000_000);
    };
    let percent = u128::from(read) * 100 / u128::from(total);
    let left = lasted.as_millis() * u128::from(total - read) / u128::from(read.max(1));
    format!("reading … {percent} %, about {} s left", left.div_ceil(1000))
}

/// A time in whole seconds, or in minutes and seconds.
pub(crate) fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.0} s", time.as_secs_f64()),
        of => format!("{} min {:02} s", of / 60, of % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_has_an_estimate_if_the_size_is_known() {
        let check = |read, total, expected: &str| {
            assert_eq!(reading(read, total, Duration::from_secs(2)), expected);
        };
        check(25_000_000, Some(100_000_000), "reading … 25 %, about 6 s left");
        check(25_000_000, None, "reading … 25 MB");
        check(25_000_000, Some(20_000_000), "reading … 25 MB");
    }

    #[test]
    fn a_recording_says_how_it_ends() {
        let progress = Recording {
            stage: Stage::Recording,
            elapsed: Duration::from_secs(75),
            bytes: 12_345_678,
            events: 1_000,
            lost: 0,
            duration: None,
            keep: Some(Duration::from_secs(30)),
        };
        let check = |progress: Recording, expected: &str| assert_eq!(recording(&progress), expected);
        check(
            progress,
            "recording 1 min 15 s, keeping the last 30 s · 12.3 MB · 1000 events · Ctrl-C ends it",
        );
        check(
            Recording { lost: 7, keep: None, duration: Some(Duration::from_secs(90)), ..progress },
            "recording 1 min 15 s of 1 min 30 s · 12.3 MB · 1000 events · 7 events lost",
        );
        check(
            Recording { stage: Stage::Ending, elapsed: Duration::from_secs(4), ..progress },
            "ending, the runtime sends names of methods: 4 s · 12.3 MB · 1000 events · Ctrl-C does not wait",
        );
    }
}
