//! The result of a recording: where it is, what it cost, what is in it.

use crate::Width;
use crate::page::{hanging, printable};
use crate::process::Process;
use crate::progress::seconds;
use report::unit::short;
use std::time::Duration;

/// A finished recording.
#[derive(Debug, Clone)]
pub struct Recorded<'a> {
    /// The process.
    pub process: Process<'a>,
    /// Its file or folder, as it was named.
    pub out: &'a str,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Why it ended.
    pub ended: Ended<'a>,
    /// How long it was.
    pub duration: Duration,
    /// How long the part is that was kept.
    pub kept: Duration,
    /// Bytes of events, not compressed.
    pub bytes: u64,
    /// Bytes on disk.
    pub packed: u64,
    /// Events.
    pub events: u64,
    /// Events that the runtime dropped.
    pub lost: u64,
    /// What it cost the process.
    pub cost: Cost,
    /// What is missing compared to the request, in sentences.
    pub notes: &'a [String],
    /// Folders with copies that were made during the recording.
    pub copies: &'a [String],
}

/// Why a recording ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended<'a> {
    /// As requested: by its duration or Ctrl-C.
    Asked,
    /// At the event that should end it.
    Event,
    /// The process ended.
    SubjectEnded,
    /// At a limit of the disk, in words.
    Full(String),
    /// Something went wrong.
    Failed(&'a str),
}

/// What a recording cost the process. CPU time is in cores.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// What the process used before.
    pub cpu_before: Option<f64>,
    /// What it used while it was recorded.
    pub cpu_during: Option<f64>,
    /// How much it may use.
    pub cpu_limit: Option<f64>,
    /// Whether it used all of that before, so that the cost is in its throughput.
    pub saturated: bool,
    /// What the recorder used.
    pub recorder_cpu: Option<f64>,
    /// Bytes of events per second.
    pub bytes_per_second: f64,
    /// The share of the time in which samples were taken.
    pub sampled_share: f64,
    /// The share of the time for which the sampler paused the process. `None` if no event says so.
    pub sampler_stopped_share: Option<f64>,
}

/// The indent of a line that is the rest of another one.
const INDENT: usize = 4;

/// The lines about a recording; the last one says what to do next and stays one line, to be copied.
pub fn text(recorded: &Recorded<'_>, width: Width) -> String {
    let mut lines = lines(recorded, Some(&cpu(&recorded.cost)), width);
    lines.push(format!("next: casebook explain {}\n", printable(recorded.out)));
    lines.join("\n")
}

/// The lines about a recording that was made beside something else. What it cost is left out: the CPU that the process used is
/// that of the other thing too.
pub fn beside(recorded: &Recorded<'_>, width: Width) -> String {
    lines(recorded, None, width).join("\n") + "\n"
}

fn lines(recorded: &Recorded<'_>, cost_in_words: Option<&str>, width: Width) -> Vec<String> {
    let Recorded { process, ended, bytes, packed, events, lost, cost, .. } = recorded;
    let runtime =
        process.runtime.map_or_else(String::new, |version| format!(", .NET {}", printable(version)));
    let out = printable(recorded.out);
    let slash = if recorded.is_folder { "/" } else { "" };
    let mut lines = vec![format!(
        "recorded {} (process {}{runtime}) for {} into {out}{slash}",
        printable(process.name),
        process.pid,
        lasted(recorded.duration, recorded.kept),
    )];
    match ended {
        Ended::Failed(what) => {
            lines.push(format!(
                "  broken off: {}; what was recorded until then can be opened",
                printable(what)
            ));
        }
        Ended::SubjectEnded => {
            lines.push("  the process ended; what was recorded until then can be opened".to_owned());
        }
        Ended::Full(limit) => lines.push(format!("  ended early, at a limit: {limit}")),
        Ended::Event => lines.push("  ended by the event".to_owned()),
        Ended::Asked => {}
    }
    lines.extend(cost_in_words.map(|cost| format!("  {cost}")));
    lines.push(format!(
        "  events: {events} in {:.1} MB ({:.2} MB/s; {:.1} MB on the disk), {lost} lost{}",
        *bytes as f64 / 1e6,
        cost.bytes_per_second / 1e6,
        *packed as f64 / 1e6,
        sampled(cost)
    ));
    lines.extend(recorded.notes.iter().map(|note| format!("  note: {}", printable(note))));
    lines
        .extend(recorded.copies.iter().map(|copy| format!("  copied what was kept to {}/", printable(copy))));
    lines.iter().map(|line| hanging(line, width.prose(), INDENT)).collect()
}

fn lasted(duration: Duration, kept: Duration) -> String {
    /// If less than this is missing, everything was kept: segments begin and end a moment apart.
    const MOMENT: Duration = Duration::from_millis(200);
    let whole = seconds_exact(duration);
    if duration.abs_diff(kept) < MOMENT {
        return whole;
    }
    format!("{whole} (the last {} are kept, in whole pieces)", seconds_exact(kept))
}

fn seconds_exact(time: Duration) -> String {
    if time < Duration::from_mins(1) { format!("{:.1} s", time.as_secs_f64()) } else { seconds(time) }
}

fn cpu(cost: &Cost) -> String {
    let cores = |value: Option<f64>| value.map_or("?".to_owned(), |value| format!("{value:.2}"));
    let limit = cost.cpu_limit.map_or_else(String::new, |limit| format!(" (of {})", short(limit)));
    let before = match cost.cpu_before {
        Some(before) => {
            format!("{before:.2} CPU cores before, {} while recorded{limit}", cores(cost.cpu_during))
        }
        None => format!("{} CPU cores while recorded{limit}", cores(cost.cpu_during)),
    };
    let saturated =
        if cost.saturated { "; it uses all of them, so the cost is lower throughput" } else { "" };
    format!("cost: {before}{saturated}; the recorder {} CPU cores", cores(cost.recorder_cpu))
}

fn sampled(cost: &Cost) -> String {
    if cost.sampled_share <= 0.0 {
        return "; no samples".to_owned();
    }
    let stopped = cost
        .sampler_stopped_share
        .map_or_else(String::new, |share| format!(", which paused the program for {:.1} %", share * 100.0));
    format!("; samples in {:.0} % of the time{stopped}", cost.sampled_share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_says_where_it_is_what_it_cost_and_what_is_missing() {
        let cost = Cost {
            cpu_before: Some(1.5),
            cpu_during: Some(1.625),
            cpu_limit: Some(4.0),
            saturated: false,
            recorder_cpu: None,
            bytes_per_second: 2_500_000.0,
            sampled_share: 0.1,
            sampler_stopped_share: Some(0.012),
        };
        let process = Process { name: "Pay\u{1b}[2J", pid: 4711, runtime: Some("10.0.1"), container: None };
        let recorded = Recorded {
            process,
            out: "slow",
            is_folder: true,
            ended: Ended::SubjectEnded,
            duration: Duration::from_secs(70),
            kept: Duration::from_secs(30),
            bytes: 25_000_000,
            packed: 3_000_000,
            events: 1_234,
            lost: 5,
            cost,
            notes: &["no names\nof methods".to_owned()],
            copies: &["slow-1".to_owned()],
        };
        let expected = "\
recorded Pay [2J (process 4711, .NET 10.0.1) for 1 min 10 s (the last 30.0 s are kept, in whole pieces) into slow/
  the process ended; what was recorded until then can be opened
  cost: 1.50 CPU cores before, 1.62 while recorded (of 4); the recorder ? CPU cores
  events: 1234 in 25.0 MB (2.50 MB/s; 3.0 MB on the disk), 5 lost; samples in 10 % of the time, which paused the
    program for 1.2 %
  note: no names of methods
  copied what was kept to slow-1/
next: casebook explain slow
";
        assert_eq!(text(&recorded, Width::of(160)), expected);
        let narrow = text(&recorded, Width::of(60));
        assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&narrow), words(expected));
    }
}
