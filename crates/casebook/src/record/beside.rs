//! A recording of a process while this program does something else: `load --record`.
//!
//! ```text
//!  caller    begin ───────────────▶ its own work ───────────────▶ end
//!              │        ▲                                          │ ▲
//!  recording   └ begins ┘ records … (may end by itself, is kept)   └ ends, fetches names of methods
//! ```
//!
//! It has a [`Control`] of its own, since Ctrl-C ends the caller's work first. Only "do not wait" is passed on.

use super::along::Along;
use super::document::document;
use super::said;
use crate::interrupt::Interrupt;
use crate::outputs::Outputs;
use crate::target;
use crate::terminal;
use anyhow::{Context, bail};
use base::time::Deadline;
use import::Alongside;
use recorder::{
    Control, Ended, MakeReader, Outcome, Profile, Reader, RecordOptions, Role, SessionFacts, Stage, Subject,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How often to look whether the recording has begun, or whether the user wants to stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long the runtime may take for the names of methods at the beginning, before the caller goes on regardless.
const NAMES_WITHIN: Duration = Duration::from_secs(10);

/// What to record.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The process.
    pub(crate) process: target::Chosen,
    /// What to record of it; `None` for the default.
    pub(crate) profile: Option<Profile>,
    /// The command line as the exhibit may show it.
    pub(crate) command: String,
    /// Who may read what is written.
    pub(crate) outputs: Outputs,
}

/// A recording under way.
#[derive(Debug)]
pub(crate) struct Beside {
    subject: Arc<Subject>,
    options: Arc<RecordOptions>,
    control: Arc<Control>,
    /// `None` once it was joined.
    thread: Option<JoinHandle<Result<Outcome, recorder::Error>>>,
}

/// Whatever goes wrong with the caller's own work, the recording is ended properly.
impl Drop for Beside {
    fn drop(&mut self) {
        self.stop();
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl Beside {
    /// Begins to record into a folder, which must not exist.
    ///
    /// Returns once the runtime sends events, and has sent the names of all methods, which would slow down the first requests.
    pub(super) fn begin(
        subject: Subject,
        options: RecordOptions,
        interrupt: &Arc<Interrupt>,
    ) -> anyhow::Result<Self> {
        let options = Arc::new(options);
        let (subject, control) = (Arc::new(subject), Arc::new(Control::default()));
        let (signs, seen) = mpsc::sync_channel(SIGNS);
        interrupt.waits_for("the runtime to begin a session, up to 10 s");
        let work = {
            let (subject, options, control) =
                (Arc::clone(&subject), Arc::clone(&options), Arc::clone(&control));
            let interrupt = Arc::clone(interrupt);
            move || recorded(&subject, &options, &control, &interrupt, &signs)
        };
        let thread = Builder::new().name("recording".to_owned()).spawn(work);
        let thread = Some(thread.context("cannot begin to record")?);
        let mut this = Self { subject, options, control, thread };
        let mut names: Option<Deadline> = None;
        loop {
            match seen.recv_timeout(LOOK_EVERY) {
                Ok(Sign::Begun) => names = Some(Deadline::after(NAMES_WITHIN)),
                Ok(Sign::Names) => return Ok(this),
                // It failed, and says why.
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) if interrupt.is_raised() => {
                    if names.is_some() {
                        return Ok(this);
                    }
                    this.stop();
                }
                Err(mpsc::RecvTimeoutError::Timeout) if names.is_some_and(Deadline::is_past) => {
                    return Ok(this);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
        this.joined()?;
        bail!("the recording ended as soon as it began")
    }

    /// Asks it to end, without waiting for that.
    pub(crate) fn stop(&self) {
        self.control.stop.store(true, Ordering::Release);
    }

    /// Ends it, and waits for the names of methods.
    pub(crate) fn end(mut self, interrupt: &Interrupt) -> anyhow::Result<Recorded> {
        self.stop();
        interrupt.waits_for("the names of methods that the runtime sends, up to 20 s of silence");
        if terminal::is_stderr() {
            terminal::show_progress("ending the recording: the runtime sends the names of methods");
        }
        let (subject, options) = (Arc::clone(&self.subject), Arc::clone(&self.options));
        let outcome = self.joined();
        terminal::clear_progress();
        Ok(Recorded { subject, options, outcome: outcome? })
    }

    fn joined(&mut self) -> anyhow::Result<Outcome> {
        let thread = self.thread.take().context("the recording has ended before")?;
        match thread.join() {
            Ok(Err(recorder::Error::Gone(pid))) => bail!("process {pid} has ended"),
            Ok(outcome) => Ok(outcome?),
            Err(_panic) => bail!("the thread that records panicked"),
        }
    }
}

/// How far the beginning of a recording is.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// The runtime sends events.
    Begun,
    /// It has sent the names of all methods.
    Names,
}

/// Signs that may wait to be seen: one of each kind is enough.
const SIGNS: usize = 2;

/// Records until it is asked to stop.
fn recorded(
    subject: &Subject,
    options: &RecordOptions,
    control: &Control,
    interrupt: &Interrupt,
    signs: &SyncSender<Sign>,
) -> Result<Outcome, recorder::Error> {
    let of_names = signs.clone();
    let make_reader: MakeReader = Arc::new(move |role| {
        let of_names = (role == Role::Names).then(|| of_names.clone());
        let along = Along { reader: Alongside::new(None), heard: Arc::new(AtomicBool::new(false)) };
        Box::new(Watched { along, of_names })
    });
    let mut is_said = false;
    recorder::record(subject, options, control, &make_reader, &mut |progress| {
        if progress.stage == Stage::Recording && !is_said {
            is_said = signs.try_send(Sign::Begun).is_ok();
        }
        if interrupt.is_abandoned() {
            control.abandon.store(true, Ordering::Release);
        }
    })
}

/// A reader of a session that says when a session of names has ended.
struct Watched {
    along: Along,
    of_names: Option<SyncSender<Sign>>,
}

impl Reader for Watched {
    fn take(&mut self, bytes: &[u8]) {
        self.along.take(bytes);
    }

    fn end(&mut self) {
        self.along.end();
        // Later sessions of names are of no interest: then nobody listens any more.
        if let Some(signs) = self.of_names.take() {
            signs.try_send(Sign::Names).unwrap_or(());
        }
    }

    fn facts(&self) -> SessionFacts {
        self.along.facts()
    }
}

/// A recording that has ended.
#[derive(Debug)]
pub(crate) struct Recorded {
    subject: Arc<Subject>,
    options: Arc<RecordOptions>,
    outcome: Outcome,
}

impl Recorded {
    /// What is in it, as text.
    pub(crate) fn text(&self) -> String {
        said::beside(&self.subject, &self.options, &self.outcome)
    }

    /// The same as JSON: what `record --format json` prints.
    pub(crate) fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(document(&self.options, &self.outcome))
    }

    /// Why it ended before it was asked to, in words.
    pub(crate) fn ended_early(&self) -> Option<String> {
        match &self.outcome.ended {
            Ended::Duration | Ended::Asked | Ended::Event => None,
            Ended::SubjectEnded => Some("the recorded process ended during the run".to_owned()),
            Ended::Full(full) => Some(format!("the recording ended during the run: {}", full.words())),
            Ended::Failed(what) => Some(format!("the recording broke off during the run: {what}")),
        }
    }

    /// Whether it failed.
    pub(crate) fn is_failed(&self) -> bool {
        matches!(self.outcome.ended, Ended::Failed(_))
    }
}
