//! How other threads control a recording, and how it reports its progress.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What other threads ask of a recording.
#[derive(Debug, Default)]
pub struct Control {
    /// End the recording.
    pub stop: AtomicBool,
    /// End it without waiting for method names.
    pub abandon: AtomicBool,
    /// Copy what is kept, and go on.
    pub copy: AtomicBool,
    /// Set by the recording once anything is written. Before that, killing this process loses nothing.
    pub begun: AtomicBool,
}

/// The stage of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The CPU use of the subject is measured before it is recorded.
    Measuring,
    /// The subject is recorded.
    Recording,
    /// The runtime sends the rest of its events, and method names.
    Ending,
}

/// How far a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The stage that it is in.
    pub stage: Stage,
    /// Time since that stage began.
    pub elapsed: Duration,
    /// Bytes of events so far, before compression.
    pub bytes: u64,
    /// Events so far.
    pub events: u64,
    /// Events that the runtime dropped so far.
    pub lost: u64,
    /// Copies made so far.
    pub copies: usize,
}
