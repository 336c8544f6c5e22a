//! What `record` says to people: progress on the way, and the result with its cost.

use recorder::{Ended, Options, Outcome, Progress, Shape, Stage, Subject};
use std::io::{BufWriter, IsTerminal, Write};
use std::process::ExitStatus;
use std::time::Duration;

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// Says a sentence on standard error.
pub(crate) fn tell(text: &str) {
    // There is nowhere left to tell of an error of standard error.
    drop(writeln!(anstream::stderr(), "casebook: {text}"));
}

/// A line on the terminal that is written over.
pub(super) struct Line {
    is_terminal: bool,
    copies: usize,
    duration: Option<Duration>,
    keep: Option<Duration>,
    shown: Option<(Stage, Duration)>,
}

impl Line {
    pub(super) fn new(options: &Options) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { is_terminal, copies: 0, duration: options.duration, keep: options.keep, shown: None }
    }

    /// Shows progress, if it is time: on a terminal as a line written over, else once a stage.
    pub(super) fn tell(&mut self, progress: &Progress) {
        let Progress { stage, elapsed, .. } = *progress;
        if progress.copies > self.copies {
            self.copies = progress.copies;
            self.clear();
            tell("copied what is kept; recording goes on");
        }
        let fresh = self
            .shown
            .is_some_and(|(of, at)| of == stage && (!self.is_terminal || elapsed.saturating_sub(at) < EVERY));
        if fresh {
            return;
        }
        self.shown = Some((stage, elapsed));
        let line = line(progress, self.duration, self.keep);
        let mut out = std::io::stderr();
        let written =
            if self.is_terminal { write!(out, "\r\x1b[K{line}") } else { writeln!(out, "casebook: {line}") };
        // Progress is a courtesy: an output that refuses it stops nothing.
        drop(written.and_then(|()| out.flush()));
    }

    pub(super) fn clear(&self) {
        if self.is_terminal && self.shown.is_some() {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }
}

fn line(progress: &Progress, duration: Option<Duration>, keep: Option<Duration>) -> String {
    let Progress { stage, elapsed, bytes, events, lost, .. } = *progress;
    let lost = if lost > 0 { format!(" · {lost} events lost") } else { String::new() };
    let size = format!("{:.1} MB · {events} events{lost}", bytes as f64 / 1e6);
    match stage {
        Stage::Measuring => "looking at the process before it is recorded …".to_owned(),
        Stage::Recording => {
            let of = duration.map_or_else(String::new, |duration| format!(" of {}", seconds(duration)));
            let kept = keep.map_or_else(String::new, |keep| format!(", keeping the last {}", seconds(keep)));
            let end = if duration.is_none() { " · Ctrl-C ends it" } else { "" };
            format!("recording {}{of}{kept} · {size}{end}", seconds(elapsed))
        }
        Stage::Ending => {
            let hint = if elapsed > Duration::from_secs(3) { " · Ctrl-C does not wait" } else { "" };
            format!("ending, the runtime sends names of methods: {} · {size}{hint}", seconds(elapsed))
        }
    }
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.0} s", time.as_secs_f64()),
        of => format!("{} min {:02} s", of / 60, of % 60),
    }
}

/// Says how the command ended that was started for the recording.
pub(super) fn tell_of_command(status: Option<ExitStatus>) {
    match status {
        Some(status) => tell(&format!("the command ended: {status}")),
        None => tell("the command was asked to end, and still runs"),
    }
}

/// Prints the result.
pub(super) fn show(subject: &Subject, options: &Options, outcome: &Outcome) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let runtime = subject
        .runtime
        .as_ref()
        .map_or_else(String::new, |version| format!(", .NET {}", crate::textpage::printable(version)));
    let pid = subject.pid.map_or(subject.container_pid, u64::from);
    let slash = if options.shape == Shape::Folder { "/" } else { "" };
    writeln!(
        out,
        "recorded {} (process {pid}{runtime}) for {} into {}{slash}",
        crate::textpage::printable(&subject.name),
        lasted(outcome),
        options.out.display()
    )?;
    match &outcome.ended {
        Ended::Failed(what) => {
            writeln!(out, "  broken off: {what}; what was recorded until then can be opened")?;
        }
        Ended::SubjectEnded => {
            writeln!(out, "  the process ended; what was recorded until then can be opened")?;
        }
        Ended::Event => writeln!(out, "  ended by the event")?,
        Ended::Duration | Ended::Asked => {}
    }
    writeln!(out, "  {}", cost(outcome))?;
    let packed: u64 = outcome.files.iter().map(|file| file.bytes).sum();
    writeln!(
        out,
        "  events: {} in {:.1} MB ({:.2} MB/s; {:.1} MB on the disk), {} lost{}",
        outcome.events,
        outcome.bytes as f64 / 1e6,
        outcome.cost.bytes_per_second / 1e6,
        packed as f64 / 1e6,
        outcome.lost,
        sampled(outcome)
    )?;
    for note in &outcome.notes {
        writeln!(out, "  note: {}", crate::textpage::printable(note))?;
    }
    for copy in &outcome.copies {
        writeln!(out, "  copied what was kept to {}/", copy.display())?;
    }
    writeln!(out, "next: casebook explain {}", options.out.display())?;
    out.flush()?;
    Ok(())
}

fn lasted(outcome: &Outcome) -> String {
    let whole = seconds_exact(outcome.duration);
    // A segment began at the beginning, and nothing went.
    if outcome.duration.abs_diff(outcome.kept) < Duration::from_millis(200) {
        return whole;
    }
    format!("{whole} (the last {} are kept)", seconds_exact(outcome.kept))
}

fn seconds_exact(time: Duration) -> String {
    if time < Duration::from_mins(1) { format!("{:.1} s", time.as_secs_f64()) } else { seconds(time) }
}

fn cost(outcome: &Outcome) -> String {
    let cost = &outcome.cost;
    let cores = |value: Option<f64>| value.map_or("?".to_owned(), |value| format!("{value:.2}"));
    let limit = cost.cpu_limit.map_or_else(String::new, |limit| format!(" of {}", crate::unit::short(limit)));
    let before = match cost.cpu_before {
        Some(before) => {
            format!("{before:.2} processors before, {} while recorded{limit}", cores(cost.cpu_during))
        }
        None => format!("{} processors while recorded{limit}", cores(cost.cpu_during)),
    };
    let saturated =
        if cost.saturated { "; it uses all it has, so the cost is in its throughput" } else { "" };
    format!("cost: {before}{saturated}; the recorder {} processors", cores(cost.recorder_cpu))
}

fn sampled(outcome: &Outcome) -> String {
    let cost = &outcome.cost;
    if cost.sampled_share <= 0.0 {
        return "; no samples".to_owned();
    }
    let stopped = cost
        .sampler_stopped_share
        .map_or_else(String::new, |share| format!(", which stopped the program for {:.1} %", share * 100.0));
    format!("; samples in {:.0} % of the time{stopped}", cost.sampled_share * 100.0)
}
