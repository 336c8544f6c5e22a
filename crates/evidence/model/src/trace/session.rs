//! What a trace says about its own recording, beside what every kind of evidence has.

use super::limits::Limits;
use std::collections::BTreeMap;

/// What the rows of `samples` are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sampler {
    /// Every managed thread, running or not, at each look of the runtime's sampler.
    #[default]
    Threads,
    /// The thread that a CPU ran, looked at after equal amounts of CPU time: nothing is known of threads that wait.
    Cpus {
        /// CPU time that a sample stands for; `None` if the recording does not say it, or says what cannot be.
        every_ns: Option<i64>,
    },
}

/// How a trace was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// Whether the runtime was started with Server GC.
    pub server_gc: Option<bool>,
    /// Settings of the GC, by the runtime's own event.
    pub gc_settings: Option<GcSettings>,
    /// Settings of .NET in the service's environment (`DOTNET_…` and `COMPlus_…`), by name, as the recorder wrote them.
    pub environment: BTreeMap<String, String>,
    /// The profile that was asked for, as the recorder wrote it.
    pub profile: Option<String>,
    /// What its samples are.
    pub sampler: Sampler,
    /// Streams that were read.
    pub streams: u32,
    /// Version of the container's format.
    pub format_version: u32,
    /// What reading has cost, in steps: about what it takes to read a byte each. It is in proportion to the bytes.
    pub work: u64,
}

/// Settings of the GC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcSettings {
    /// What the heap may take at most; none where nothing limits it.
    pub hard_limit_bytes: Option<u64>,
    /// Whether the limit was set for the GC itself (`GCHeapHardLimit`, `GCHeapHardLimitPercent`), not derived from
    /// that of the container.
    pub is_limit_set: bool,
}

impl Session {
    /// A setting of .NET by its name without the prefix, letter case aside, as the runtime reads it.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let is_it = |key: &str| {
            ["DOTNET_", "COMPlus_"]
                .iter()
                .any(|prefix| key.strip_prefix(prefix).is_some_and(|rest| rest.eq_ignore_ascii_case(name)))
        };
        // `DOTNET_` goes before `COMPlus_`.
        self.environment.iter().rev().find(|(key, _)| is_it(key)).map(|(_, value)| value.as_str())
    }
}

/// A file of a trace that ends before its format's end: whoever wrote it died, or it was cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EarlyEnd {
    /// Its own name; empty if the trace is one file.
    pub file: String,
    /// Whether it is the main session, or a segment of it.
    pub is_main: bool,
    /// The last event before the end, in nanoseconds since the main session's start.
    pub at_ns: i64,
    /// Where the bytes end, as an offset of the unpacked file.
    pub offset: u64,
    /// Whether it ends among the names of methods, which a session sends after its last event.
    pub in_names: bool,
}

/// What is missing of a trace without being damaged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Files that end early; each file of a folder once.
    pub early_ends: Vec<EarlyEnd>,
    /// Events that the runtime dropped, by the gaps in their numbers.
    pub events: u64,
    /// Whether names of methods may be missing since the recording has no rundown.
    pub no_rundown: bool,
    /// Whether every rundown that it has breaks off, so that names of methods may be missing.
    pub rundown_cut: bool,
    /// Frames of stacks, by occurrence in samples.
    pub frames: u64,
    /// Those of `frames` that have no name.
    pub unnamed_frames: u64,
    /// What the runtime cut or dropped by design.
    pub limits: Limits,
    /// Collections that were under way when the recording began, and have no row: an edge, nothing is damaged.
    pub began_inside: u64,
}
