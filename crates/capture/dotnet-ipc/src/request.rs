//! What a session asks for, and how each version of the command encodes it.

use crate::message::{Command, Payload};

/// NetTrace version 4.
const FORMAT: u32 = 1;

/// A provider whose events a session asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Provider {
    /// The provider's name.
    pub name: String,
    /// Which of its events: bits that the provider defines.
    pub keywords: u64,
    /// The most detailed level: 1 (critical) to 5 (verbose).
    pub level: u32,
    /// `Key=Value;…`; a value that contains `;` is in quotes.
    pub arguments: String,
}

/// What a session asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The providers.
    pub providers: Vec<Provider>,
    /// The runtime's buffer for events that we have not read yet. When it is full, the runtime drops events.
    pub buffer_megabytes: u32,
    /// Which names the runtime sends at the end: keywords of its rundown provider, or 0 for none.
    pub rundown: u64,
}

/// The rundown that every reader understands: loaded code, modules, and the mapping from code to source lines.
pub const FULL_RUNDOWN: u64 = 0x8002_0139;
/// The rundown that names methods without the mapping to source lines, which halves its size.
pub const NAMES_RUNDOWN: u64 = 0x8000_0139;

/// The versions of the command that starts a session. Each one adds something that a request can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// Always with a rundown.
    First,
    /// With or without the rundown.
    Second,
    /// With or without stacks.
    Third,
    /// Which rundown.
    Fourth,
    /// Which events of a provider, by their ids.
    Fifth,
    /// What happens when the buffer is full.
    Sixth,
}

impl Version {
    pub(crate) const NEWEST: Self = Self::Sixth;
    pub(crate) const NEWEST_FIRST: [Self; 6] =
        [Self::Sixth, Self::Fifth, Self::Fourth, Self::Third, Self::Second, Self::First];

    pub(crate) fn command(self) -> Command {
        match self {
            Self::First => Command::COLLECT_TRACING_1,
            Self::Second => Command::COLLECT_TRACING_2,
            Self::Third => Command::COLLECT_TRACING_3,
            Self::Fourth => Command::COLLECT_TRACING_4,
            Self::Fifth => Command::COLLECT_TRACING_5,
            Self::Sixth => Command::COLLECT_TRACING_6,
        }
    }
}

impl Request {
    pub(crate) fn payload(&self, version: Version) -> Payload {
        const STREAM: u32 = 0;
        const DROP_EVENTS_WHEN_FULL: u32 = 0;
        const WITH_STACKS: bool = true;
        const ALL_EVENTS_BUT: bool = false;
        let mut payload = Payload::default();
        if version >= Version::Fifth {
            payload.u32(STREAM);
        }
        payload.u32(self.buffer_megabytes);
        payload.u32(FORMAT);
        match version {
            Version::First => {}
            Version::Second | Version::Third => payload.bool(self.rundown != 0),
            Version::Fourth | Version::Fifth | Version::Sixth => payload.u64(self.rundown),
        }
        if version >= Version::Third {
            payload.bool(WITH_STACKS);
        }
        payload.count(self.providers.len());
        for provider in &self.providers {
            payload.u64(provider.keywords);
            payload.u32(provider.level);
            payload.text(&provider.name);
            payload.text(&provider.arguments);
            if version >= Version::Fifth {
                // All events of the keywords: the list of exceptions is empty.
                payload.bool(ALL_EVENTS_BUT);
                payload.count(0);
            }
        }
        if version == Version::Sixth {
            payload.u32(DROP_EVENTS_WHEN_FULL);
        }
        payload
    }
}
