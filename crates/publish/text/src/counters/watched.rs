//! The first line of the page, and the last line when watching ends.

use crate::page::cut;
use crate::process::Process;
use report::unit::short;
use std::time::Duration;

/// The first line of the page: which process, how long it was watched, and the time of day.
pub fn title(process: &Process<'_>, watched: Duration, time: &str) -> String {
    let Process { name, pid, runtime, container } = *process;
    let runtime = runtime.map_or_else(String::new, |version| format!(" · .NET {version}"));
    let container = container.map_or_else(String::new, |id| format!(" · container {}", cut(id, 12)));
    format!("{name} · pid {pid}{runtime}{container} · watching {} · {time}", span(watched))
}

/// The last line: how long it was watched, how many values came and how many events were lost.
pub fn summary(process: &Process<'_>, watched: Duration, values: u64, lost: u64) -> String {
    let (process, watched, values) = (process.named(), span(watched), short(values as f64));
    format!("watched {process} for {watched}: {values} values, {lost} events lost")
}

/// A span of time in words.
fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_read_well() {
        let words = [0, 59, 61, 3_600, 90_061].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(words, ["0 s", "59 s", "1 min 01 s", "1 h 00 min", "25 h 01 min"]);
    }

    #[test]
    fn the_process_is_named_first_and_last() {
        let process = Process { name: "Orders", pid: 4711, runtime: Some("10.0.1"), container: Some("abc") };
        let watched = Duration::from_secs(61);
        assert_eq!(
            title(&process, watched, "14:03:22 UTC"),
            "Orders · pid 4711 · .NET 10.0.1 · container abc · watching 1 min 01 s · 14:03:22 UTC"
        );
        assert_eq!(
            summary(&process, watched, 1_234, 5),
            "watched Orders (process 4711) for 1 min 01 s: 1,234 values, 5 events lost"
        );
    }
}
