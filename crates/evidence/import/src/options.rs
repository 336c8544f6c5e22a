//! How an exhibit is to be read, and how its reading reports progress.

/// How to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Keep the payloads of a trace's events, so that `events.fields` can be asked for; costs about the size of the
    /// decompressed input.
    pub payloads: bool,
    /// 1, or 2 to unpack on a thread of its own.
    pub threads: usize,
}

/// Which processes of an exhibit are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProcessChoice {
    /// All of them.
    #[default]
    All,
    /// The one with most samples; if none has any, with most events. An exhibit of several processes is then read twice.
    MostSampled,
    /// The one that the operating system numbers so.
    Only(u64),
}

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the files read so far.
    pub read: u64,
    /// Bytes of all files.
    pub total: Option<u64>,
}
