//! Where a connection stands, and how long it may stay there.
//!
//! ```text
//!           a byte            headers whole         answer there          all of it taken
//!   Idle ───────────▶ Head ───────────────▶ Answering ──────────▶ Sending ──────────────▶ Idle
//!  idle_time        head_time             answer_time            take_time
//! ```
//!
//! The time for the answer is watched where the answer is waited for, and the time to take it runs only while the
//! reader makes us wait. The others are decided here.

use crate::Limits;
use std::time::Duration;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The first byte of a request.
    Idle,
    /// The rest of its headers.
    Head,
    /// The site.
    Answering,
    /// The reader.
    Sending,
}

impl Phase {
    /// Where it stands after bytes came. Further bytes of a head gain it no time.
    pub(crate) fn after_bytes(self) -> Self {
        if self == Self::Idle { Self::Head } else { self }
    }

    /// Where it stands after everything that was to be written is.
    pub(crate) fn after_flush(self) -> Self {
        if self == Self::Sending { Self::Idle } else { self }
    }

    /// How long we wait for the next bytes of the client, from the beginning of the phase.
    pub(crate) fn patience(self, limits: &Limits) -> Option<Duration> {
        match self {
            Self::Idle => Some(limits.idle_time),
            Self::Head => Some(limits.head_time),
            Self::Answering | Self::Sending => None,
        }
    }

    /// Whether a client has asked and has not got its answer whole.
    pub(crate) fn owes(self) -> bool {
        matches!(self, Self::Answering | Self::Sending)
    }
}
