//! Where a recording came from, and what of it is missing.

use base::damage::DamageLog;

/// What was recorded, of what, when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exhibit {
    /// The format: `nettrace`.
    pub kind: String,
    /// The file as it was named.
    pub file: String,
    /// Version of the runtime, as it tells it itself.
    pub runtime: Option<String>,
    /// Operating system, as the runtime names it.
    pub os: Option<String>,
    /// Processor architecture, as the runtime names it.
    pub arch: Option<String>,
    /// The process's command line.
    pub command_line: Option<String>,
    /// The process.
    pub pid: Option<u64>,
    /// Whether the runtime was started with the server's collector.
    pub server_gc: Option<bool>,
    /// Processors of the machine.
    pub processors: Option<u32>,
    /// What the service is called, as the recorder wrote it.
    pub name: Option<String>,
    /// The container that it was in, as the recorder wrote it.
    pub container: Option<String>,
    /// The profile that was asked for, as the recorder wrote it.
    pub profile: Option<String>,
    /// `complete`, `recording` where it was not ended, or why it ended otherwise, as the recorder wrote it.
    pub state: Option<String>,
    /// When the session began: RFC 3339, in UTC.
    pub start_utc: String,
    /// From the session's start to the last event that is not rundown.
    pub duration_ns: i64,
    /// Streams that were read.
    pub streams: u32,
    /// Bytes of the streams, decompressed.
    pub bytes: u64,
    /// Version of the container's format.
    pub format_version: u32,
}

/// A file of an exhibit that was not read, or not as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDamage {
    /// The file's own name.
    pub file: String,
    /// What is missing of it, and why.
    pub what: String,
}

/// A collection that ended in the recording and began before it: told, and no damage.
pub const END_WITHOUT_START: &str = "GC/Stop without its GC/Start";
/// What is told beside damage and is none.
const HARMLESS: [&str; 1] = [END_WITHOUT_START];

/// What is missing from a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// Events that the runtime dropped, by the gaps in their numbers.
    pub events: u64,
    /// Where the input broke off, as an offset of the decompressed stream.
    pub truncated_at: Option<u64>,
    /// What could not be read.
    pub damage: DamageLog,
    /// Files that were not read, or not as a whole.
    pub files: Vec<FileDamage>,
    /// Whether names of methods may be missing since the recording has no rundown.
    pub no_rundown: bool,
    /// Frames of stacks, by occurrence in samples, and how many of them have no name.
    pub frames: u64,
    /// Those of `frames` that have no name.
    pub unnamed_frames: u64,
}

impl Lost {
    /// Whether anything could not be read.
    pub fn is_damaged(&self) -> bool {
        let damaged = self.damage.kinds().iter().any(|kind| !HARMLESS.contains(&kind.what));
        self.truncated_at.is_some() || damaged || !self.files.is_empty()
    }
}
