//! What `record` says to people: progress on the way, and the result with its cost.

use crate::{target, terminal};
use recorder::{Ended, Left, Options, Outcome, Progress, Shape, Stage, Subject};
use std::time::Duration;
use text::{progress, recorded};

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// Says a sentence on standard error.
pub(crate) fn tell(text: &str) {
    terminal::say(text);
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
        let is_terminal = terminal::is_stderr();
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
        let line = progress::recording(&self.progress(progress));
        if self.is_terminal { terminal::over(&line) } else { terminal::say(&line) }
    }

    fn progress(&self, progress: &Progress) -> progress::Recording {
        let Progress { stage, elapsed, bytes, events, lost, .. } = *progress;
        let stage = match stage {
            Stage::Measuring => progress::Stage::Measuring,
            Stage::Recording => progress::Stage::Recording,
            Stage::Ending => progress::Stage::Ending,
        };
        progress::Recording { stage, elapsed, bytes, events, lost, duration: self.duration, keep: self.keep }
    }

    pub(super) fn clear(&self) {
        if self.is_terminal && self.shown.is_some() {
            terminal::over("");
        }
    }
}

/// What a recording waits for once it was asked to end.
pub(super) fn waited_for(progress: &Progress) -> &'static str {
    match progress.stage {
        Stage::Measuring => "the runtime to begin a session, up to 10 s",
        Stage::Recording => "an answer of the runtime, up to 10 s",
        Stage::Ending => {
            "the names of methods that the runtime sends, up to 20 s of silence and 10 minutes in all"
        }
    }
}

/// Says how the command ended that was started for the recording, and what of it runs on.
pub(super) fn tell_of_command(left: &Left) {
    if let Some(status) = left.status {
        tell(&format!("the command ended: {status}"));
    }
    left.words().iter().for_each(|words| tell(words));
}

/// The result in words.
pub(super) fn result(subject: &Subject, options: &Options, outcome: &Outcome) -> String {
    let out = options.out.display().to_string();
    let copies: Vec<String> = outcome.copies.iter().map(|path| path.display().to_string()).collect();
    let cost = &outcome.cost;
    let recorded = recorded::Recorded {
        process: target::process(subject),
        out: &out,
        is_folder: options.shape == Shape::Folder,
        ended: match &outcome.ended {
            Ended::Duration | Ended::Asked => recorded::Ended::Asked,
            Ended::Event => recorded::Ended::Event,
            Ended::SubjectEnded => recorded::Ended::SubjectEnded,
            Ended::Full(full) => recorded::Ended::Full(full.words()),
            Ended::Failed(what) => recorded::Ended::Failed(what),
        },
        duration: outcome.duration,
        kept: outcome.kept,
        bytes: outcome.bytes,
        packed: outcome.files.iter().map(|file| file.bytes).sum(),
        events: outcome.events,
        lost: outcome.lost,
        cost: recorded::Cost {
            cpu_before: cost.cpu_before,
            cpu_during: cost.cpu_during,
            cpu_limit: cost.cpu_limit,
            saturated: cost.saturated,
            recorder_cpu: cost.recorder_cpu,
            bytes_per_second: cost.bytes_per_second,
            sampled_share: cost.sampled_share,
            sampler_stopped_share: cost.sampler_stopped_share,
        },
        notes: &outcome.notes,
        copies: &copies,
    };
    recorded::text(&recorded)
}
