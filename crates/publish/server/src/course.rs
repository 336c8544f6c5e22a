//! The phases of a connection, and how long each may last.
//!
//! ```text
//!           a byte            headers whole         answer there          all of it taken
//!   Idle ───────────▶ Head ───────────────▶ Answering ──────────▶ Sending ──────────────▶ Idle
//!  idle_time        head_time             answer_time            take_time
//! ```
//!
//! `serve` limits the time for the answer, and `connection` the time to take it, which runs only while a write has to
//! wait. The other limits are decided here.

use crate::limits::Limits;
use std::time::Duration;

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The first byte of a request.
    Idle,
    /// The rest of its headers.
    Head,
    /// The answer of the site.
    Answering,
    /// The client to take the answer.
    Sending,
}

impl Phase {
    /// The phase after bytes have arrived. Further bytes of a head do not extend its time.
    pub(crate) fn after_bytes(self) -> Self {
        if self == Self::Idle { Self::Head } else { self }
    }

    /// The phase after everything is written.
    pub(crate) fn after_flush(self) -> Self {
        if self == Self::Sending { Self::Idle } else { self }
    }

    /// How long the phase may wait for bytes of the client, from its beginning.
    pub(crate) fn patience(self, limits: &Limits) -> Option<Duration> {
        match self {
            Self::Idle => Some(limits.idle_time),
            Self::Head => Some(limits.head_time),
            Self::Answering | Self::Sending => None,
        }
    }

    /// Whether the client has sent a request and does not have its whole answer yet.
    pub(crate) fn owes(self) -> bool {
        matches!(self, Self::Answering | Self::Sending)
    }
}
