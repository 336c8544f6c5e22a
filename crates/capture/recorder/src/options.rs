//! What is asked of a recording, and what comes of it.

use crate::cost::Cost;
use crate::file::Written;
use crate::profile::{Plan, Shape};
use crate::room::Full;
use exhibit::Rules;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What to record, and where to.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file or folder.
    pub out: PathBuf,
    /// Which of both.
    pub shape: Shape,
    /// The sessions.
    pub plan: Plan,
    /// The profile's name.
    pub profile: String,
    /// How long; until it is stopped where there is none.
    pub duration: Option<Duration>,
    /// How much of the last is kept; all where there is none.
    pub keep: Option<Duration>,
    /// Bytes that it may take of the disk.
    pub most_bytes: u64,
    /// Whether an earlier recording at that place goes.
    pub force: bool,
    /// Who may read what is written, and which places are refused.
    pub rules: Rules,
    /// What the runtime may keep for us; chosen by the subject's memory where there is none.
    pub buffer_megabytes: Option<u32>,
    /// This program and its version, for the exhibit.
    pub tool: String,
    /// The command as it was given, for the exhibit.
    pub command: String,
}

/// What other threads ask of a recording.
#[derive(Debug, Default)]
pub struct Control {
    /// To end it.
    pub stop: AtomicBool,
    /// To end it without waiting for names.
    pub abandon: AtomicBool,
    /// To copy what is kept, and go on.
    pub copy: AtomicBool,
    /// Whether anything was written yet: before, whoever ends this process loses nothing.
    pub begun: AtomicBool,
}

/// Where a recording stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The subject is looked at before it is recorded.
    Measuring,
    /// It is recorded.
    Recording,
    /// The runtime sends what it holds, and the names of methods.
    Ending,
}

/// How far a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub stage: Stage,
    /// How long it has been there.
    pub elapsed: Duration,
    /// Bytes of events so far, before packing.
    pub bytes: u64,
    /// Events so far.
    pub events: u64,
    /// Events that the runtime dropped so far.
    pub lost: u64,
    /// Copies made so far.
    pub copies: usize,
}

/// Why a recording ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Its time was over.
    Duration,
    /// Someone asked for it.
    Asked,
    /// The event came that it was to end at.
    Event,
    /// The subject ended.
    SubjectEnded,
    /// It reached a limit of the disk.
    Full(Full),
    /// Something went wrong; what was recorded until then can be read.
    Failed(String),
}

impl Ended {
    /// How a session ended that sent so many events. Without any event nothing was recorded, since every runtime sends at
    /// least one about its process.
    pub(crate) fn with(self, events: u64) -> Self {
        let why = match self {
            Self::Duration | Self::Asked | Self::Event if events == 0 => "no event came",
            Self::SubjectEnded if events == 0 => "the subject ended before an event came",
            ended => return ended,
        };
        Self::Failed(format!("nothing was recorded: {why}"))
    }

    /// In words, as `exhibit.toml` has it.
    pub fn words(&self) -> String {
        match self {
            Self::Duration | Self::Asked | Self::Event => "complete".to_owned(),
            Self::SubjectEnded => "the subject ended".to_owned(),
            Self::Full(full) => format!("at a limit: {}", full.words()),
            Self::Failed(what) => format!("failed: {what}"),
        }
    }
}

/// What came of a recording.
#[derive(Debug)]
pub struct Outcome {
    /// Its files.
    pub files: Vec<Written>,
    /// Why it ended.
    pub ended: Ended,
    /// How long it was.
    pub duration: Duration,
    /// How long what was kept of it is.
    pub kept: Duration,
    /// Bytes of events, before packing.
    pub bytes: u64,
    /// Events.
    pub events: u64,
    /// Events that the runtime dropped.
    pub lost: u64,
    /// Bytes of events that came and were not written, for want of room.
    pub left_out: u64,
    /// How long the runtime was read more slowly than it sent.
    pub held_back: Duration,
    /// What it cost.
    pub cost: Cost,
    /// What is less than asked for, in sentences.
    pub notes: Vec<String>,
    /// Folders with copies that were asked for on the way.
    pub copies: Vec<PathBuf>,
}
