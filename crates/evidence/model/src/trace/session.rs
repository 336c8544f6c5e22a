//! What a trace tells of its own recording, beside what every kind of evidence has.

/// How a trace was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// Whether the runtime was started with Server GC.
    pub server_gc: Option<bool>,
    /// The profile that was asked for, as the recorder wrote it.
    pub profile: Option<String>,
    /// Streams that were read.
    pub streams: u32,
    /// Version of the container's format.
    pub format_version: u32,
}

/// What is missing of a trace without being damaged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Events that the runtime dropped, by the gaps in their numbers.
    pub events: u64,
    /// Whether names of methods may be missing since the recording has no rundown.
    pub no_rundown: bool,
    /// Frames of stacks, by occurrence in samples.
    pub frames: u64,
    /// Those of `frames` that have no name.
    pub unnamed_frames: u64,
}
