//! What `record` prints for people: its progress, and the result with its cost.

use crate::duration::nanos;
use crate::progress::{Event, Form, Recording};
use crate::{target, terminal};
use recorder::{Ended, Left, Outcome, OutputShape, Progress, RecordOptions, Stage, Subject};
use std::time::Duration;
use text::{progress, recorded};

/// How often the progress is updated.
const EVERY: Duration = Duration::from_millis(200);

/// The line of progress: on a terminal it is updated in place, otherwise printed once per stage. As JSON, each update is a line.
pub(super) struct Line {
    form: Form,
    is_terminal: bool,
    /// How many copies were made so far, by SIGUSR1.
    copies: usize,
    duration: Option<Duration>,
    keep: Option<Duration>,
    shown: Option<Shown>,
}

/// The progress that the line shows.
struct Shown {
    stage: Stage,
    /// How long the recording had lasted.
    elapsed: Duration,
}

impl Line {
    pub(super) fn new(options: &RecordOptions) -> Self {
        let (form, is_terminal) = (crate::progress::form(), terminal::is_stderr());
        Self { form, is_terminal, copies: 0, duration: options.duration, keep: options.keep, shown: None }
    }

    /// Shows the progress, if it is time.
    pub(super) fn show(&mut self, progress: &Progress) {
        let Progress { stage, elapsed, .. } = *progress;
        if progress.copies > self.copies {
            self.copies = progress.copies;
            terminal::say("copied what is kept; recording goes on");
        }
        let is_current = |shown: &Shown| {
            let is_updated = self.form == Form::Json || self.is_terminal;
            shown.stage == stage && (!is_updated || elapsed.saturating_sub(shown.elapsed) < EVERY)
        };
        if self.form == Form::None || self.shown.as_ref().is_some_and(is_current) {
            return;
        }
        self.shown = Some(Shown { stage, elapsed });
        if self.form == Form::Json {
            return terminal::put_event(&self.event(progress));
        }
        let line = progress::recording(&self.progress(progress));
        if self.is_terminal { terminal::show_progress(&line) } else { terminal::say(&line) }
    }

    fn event(&self, progress: &Progress) -> Event<'static> {
        let Progress { stage, elapsed, bytes, events, lost, .. } = *progress;
        let recording = Recording {
            elapsed_ns: nanos(elapsed),
            duration_ns: self.duration.map(nanos),
            keep_ns: self.keep.map(nanos),
            bytes,
            events,
            lost,
        };
        match stage {
            Stage::Measuring => Event::Measuring(recording),
            Stage::Recording => Event::Recording(recording),
            Stage::Ending => Event::Ending(recording),
        }
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
}

/// What a recording waits for when it is asked to end in this stage.
pub(super) fn waited_for(progress: &Progress) -> &'static str {
    match progress.stage {
        Stage::Measuring => "the runtime to begin a session, up to 10 s",
        Stage::Recording => "an answer from the runtime, up to 10 s",
        Stage::Ending => {
            "the names of methods that the runtime sends, up to 20 s of silence and 10 minutes in all"
        }
    }
}

/// Says how the command ended that was started for the recording, and which of its processes are still running.
pub(super) fn say_how_command_ended(left: &Left) {
    if let Some(status) = left.status {
        terminal::say(&format!("the command ended: {status}"));
    }
    left.words().iter().for_each(|words| terminal::say(words));
}

/// The result, as text.
pub(super) fn result(subject: &Subject, options: &RecordOptions, outcome: &Outcome) -> String {
    with_recorded(subject, options, outcome, |recorded| recorded::text(recorded, terminal::width()))
}

/// The result of a recording that was made beside something else.
pub(super) fn beside(subject: &Subject, options: &RecordOptions, outcome: &Outcome) -> String {
    with_recorded(subject, options, outcome, |recorded| recorded::beside(recorded, terminal::width()))
}

fn with_recorded(
    subject: &Subject,
    options: &RecordOptions,
    outcome: &Outcome,
    text: impl FnOnce(&recorded::Recorded<'_>) -> String,
) -> String {
    let out = options.out.display().to_string();
    let copies: Vec<String> = outcome.copies.iter().map(|path| path.display().to_string()).collect();
    let cost = &outcome.cost;
    text(&recorded::Recorded {
        process: target::process(subject),
        out: &out,
        is_folder: options.shape == OutputShape::Folder,
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
    })
}
