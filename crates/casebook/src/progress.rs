//! Progress and messages on standard error: for people, or one JSON object per line for programs that run this one.

use serde::Serialize;
use std::sync::atomic::{AtomicU8, Ordering};

/// How progress is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// For people: a line that a terminal updates in place
    #[default]
    Text,
    /// For programs: one JSON object per line, messages and the final error too
    Json,
    /// No progress, only messages
    None,
}

/// The form of this run.
static FORM: AtomicU8 = AtomicU8::new(0);
const FORMS: [Form; 3] = [Form::Text, Form::Json, Form::None];

/// Sets the form for everything that is written from here on.
pub(crate) fn write_as(form: Form) {
    let at = FORMS.iter().position(|of| *of == form).and_then(|at| u8::try_from(at).ok());
    FORM.store(at.unwrap_or(0), Ordering::Release);
}

/// The form of this run.
pub(crate) fn form() -> Form {
    FORMS.get(usize::from(FORM.load(Ordering::Acquire))).copied().unwrap_or_default()
}

/// A line of JSON. Times are in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Event<'a> {
    /// A file is being read.
    Reading {
        file: String,
        elapsed_ns: u64,
        bytes: u64,
        /// `null` if it is unknown.
        total_bytes: Option<u64>,
    },
    /// A process is measured before it is recorded.
    Measuring(Recording),
    /// A process is recorded.
    Recording(Recording),
    /// The recording ends; the runtime sends the names of methods.
    Ending(Recording),
    /// Something that the user should know.
    Message { text: &'a str },
    /// Why the program ends with exit code 2.
    Error { text: &'a str },
}

/// How far a recording is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Recording {
    /// The time in this stage.
    pub(crate) elapsed_ns: u64,
    /// How long it is to last. `null` if a signal or an event ends it.
    pub(crate) duration_ns: Option<u64>,
    /// How much of it is kept. `null` if all of it is.
    pub(crate) keep_ns: Option<u64>,
    pub(crate) bytes: u64,
    pub(crate) events: u64,
    pub(crate) lost: u64,
}

impl Event<'_> {
    /// The event as one line.
    pub(crate) fn line(&self) -> String {
        // A struct of numbers and texts can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}
