//! What a recording is asked for, and what it results in.

use crate::cost::Cost;
use crate::file::Written;
use crate::limit::DiskLimit;
use crate::profile::{OutputShape, Plan};
use exhibit::Rules;
use std::path::PathBuf;
use std::time::Duration;

/// What to record, and where to.
#[derive(Debug, Clone)]
pub struct RecordOptions {
    /// The file or folder.
    pub out: PathBuf,
    /// Which of the two.
    pub shape: OutputShape,
    /// The sessions.
    pub plan: Plan,
    /// The profile's name.
    pub profile: String,
    /// How long to record; `None` to record until it is stopped.
    pub duration: Option<Duration>,
    /// How much of the end is kept; `None` to keep everything.
    pub keep: Option<Duration>,
    /// The bytes that it may take on the disk.
    pub most_bytes: u64,
    /// Whether an earlier recording at that place is replaced.
    pub force: bool,
    /// Who may read what is written, and which places are refused.
    pub rules: Rules,
    /// The size of the runtime's buffer; `None` to choose it by the memory that the subject may use.
    pub buffer_megabytes: Option<u32>,
    /// This program and its version, for `exhibit.toml`.
    pub tool: String,
    /// The command line, for `exhibit.toml`.
    pub command: String,
}

/// Why a recording ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Its duration was over.
    Duration,
    /// It was asked to stop.
    Asked,
    /// The event came that it should end at.
    Event,
    /// The subject ended.
    SubjectEnded,
    /// It reached a limit of the disk.
    Full(DiskLimit),
    /// Something went wrong. What was recorded until then can be read.
    Failed(String),
}

impl Ended {
    /// The same end, unless no event came: then nothing was recorded, since every runtime sends at least one event about its
    /// process.
    pub(crate) fn with_events(self, events: u64) -> Self {
        let why = match self {
            Self::Duration | Self::Asked | Self::Event if events == 0 => "no event came",
            Self::SubjectEnded if events == 0 => "the subject ended before an event came",
            ended => return ended,
        };
        Self::Failed(format!("nothing was recorded: {why}"))
    }

    /// In the words of `exhibit.toml`.
    pub fn words(&self) -> String {
        match self {
            Self::Duration | Self::Asked | Self::Event => "complete".to_owned(),
            Self::SubjectEnded => "the subject ended".to_owned(),
            Self::Full(full) => format!("at a limit: {}", full.words()),
            Self::Failed(what) => format!("failed: {what}"),
        }
    }
}

/// The result of a recording.
#[derive(Debug)]
pub struct Outcome {
    /// Its files.
    pub files: Vec<Written>,
    /// Why it ended.
    pub ended: Ended,
    /// How long it was.
    pub duration: Duration,
    /// How much of its end was kept.
    pub kept: Duration,
    /// Bytes of events, before compression.
    pub bytes: u64,
    /// Events.
    pub events: u64,
    /// Events that the runtime dropped.
    pub lost: u64,
    /// Bytes of events that were received but not written because a limit was reached.
    pub left_out: u64,
    /// For how long the runtime was read more slowly than it sent.
    pub held_back: Duration,
    /// What it cost.
    pub cost: Cost,
    /// What is missing compared to the request, in sentences.
    pub notes: Vec<String>,
    /// Folders with copies that were made during the recording.
    pub copies: Vec<PathBuf>,
}
