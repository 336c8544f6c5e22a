//! Asking a runtime about its process, resuming it, and other commands that do not stream events.

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::message::{Command, Payload, text};
use base::bytes::Cursor;
use base::time::{Deadline, Patience};

/// What a runtime reports about its process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessInfo {
    /// The PID in the process's own namespace.
    pub pid: u64,
    /// Unique to this runtime, so it distinguishes processes with the same PID.
    pub cookie: [u8; 16],
    /// The command line, as one string.
    pub command_line: String,
    /// The operating system: `Linux`, `macOS`.
    pub os: String,
    /// The CPU architecture: `x64`, `arm64`.
    pub arch: String,
    /// The assembly with the entry point. `None` before .NET 7, and empty while the runtime is suspended at startup.
    pub entry_assembly: Option<String>,
    /// The runtime's version. `None` before .NET 7.
    pub runtime_version: Option<String>,
}

impl ProcessInfo {
    /// Asks with the newest version of the command that the runtime knows.
    pub fn ask<'a>(endpoint: &Endpoint, patience: impl Into<Patience<'a>>) -> Result<Self, Error> {
        let patience = patience.into();
        let mut refused = Error::Closed;
        for version in Version::NEWEST_FIRST {
            match endpoint.call(version.command(), &Payload::default(), patience) {
                Ok(reply) => return Self::read(&reply.payload, version),
                Err(error) if error.is_unknown_command() => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    fn read(payload: &[u8], version: Version) -> Result<Self, Error> {
        let too_short = |_short| Error::NotARuntime("its answer is too short");
        let mut cursor = Cursor::new(payload, 0);
        if version == Version::Third {
            cursor.u32("version").map_err(too_short)?;
        }
        let pid = cursor.u64("process").map_err(too_short)?;
        let cookie = cursor.guid("runtime cookie").map_err(too_short)?;
        let command_line = text(&mut cursor, "command line")?;
        let os = text(&mut cursor, "operating system")?;
        let arch = text(&mut cursor, "architecture")?;
        let mut info = Self { pid, cookie, command_line, os, arch, ..Self::default() };
        if version != Version::First {
            info.entry_assembly = Some(text(&mut cursor, "entry assembly")?);
            info.runtime_version = Some(text(&mut cursor, "runtime version")?);
        }
        Ok(info)
    }
}

/// The versions of the command. Later ones return more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    First,
    Second,
    Third,
}

impl Version {
    const NEWEST_FIRST: [Self; 3] = [Self::Third, Self::Second, Self::First];

    fn command(self) -> Command {
        match self {
            Self::First => Command::PROCESS_INFO_1,
            Self::Second => Command::PROCESS_INFO_2,
            Self::Third => Command::PROCESS_INFO_3,
        }
    }
}

/// Resumes a runtime that is suspended at startup. Has no effect on a running one.
pub fn resume<'a>(endpoint: &Endpoint, patience: impl Into<Patience<'a>>) -> Result<(), Error> {
    endpoint.call(Command::RESUME_RUNTIME, &Payload::default(), patience.into()).map(drop)
}

/// Sets a variable in the process's environment. Meant for a runtime that is suspended at startup and has not read it yet.
pub fn set_environment_variable(
    endpoint: &Endpoint,
    name: &str,
    value: &str,
    deadline: Deadline,
) -> Result<(), Error> {
    let mut payload = Payload::default();
    payload.text(name);
    payload.text(value);
    endpoint.call(Command::SET_ENVIRONMENT_VARIABLE, &payload, deadline.into()).map(drop)
}

/// Makes the runtime write `/tmp/perf-PID.map`, with the methods that are compiled already and those that will be (.NET 8
/// and later).
pub fn enable_perf_map(endpoint: &Endpoint, deadline: Deadline) -> Result<(), Error> {
    const PERF_MAP: u32 = 3;
    let mut payload = Payload::default();
    payload.u32(PERF_MAP);
    endpoint.call(Command::ENABLE_PERF_MAP, &payload, deadline.into()).map(drop)
}

/// Stops writing the perf map.
pub fn disable_perf_map(endpoint: &Endpoint, deadline: Deadline) -> Result<(), Error> {
    endpoint.call(Command::DISABLE_PERF_MAP, &Payload::default(), deadline.into()).map(drop)
}
