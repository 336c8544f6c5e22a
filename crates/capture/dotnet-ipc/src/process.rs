//! What a process is, and what it can be told to do besides sending events.

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::message::{Command, Payload, text};
use base::bytes::Cursor;
use base::time::{Deadline, Patience};

/// What a runtime says of its process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessInfo {
    /// The process, in its own namespace.
    pub pid: u64,
    /// A number of this runtime alone, which tells it from another with the same process number.
    pub cookie: [u8; 16],
    /// The command line, in one text.
    pub command_line: String,
    /// The operating system: `Linux`, `macOS`.
    pub os: String,
    /// The processor's architecture: `x64`, `arm64`.
    pub arch: String,
    /// The assembly whose entry point runs; not told before .NET 7, and empty while the runtime is suspended at its
    /// start.
    pub entry_assembly: Option<String>,
    /// The runtime's version; not told before .NET 7.
    pub runtime_version: Option<String>,
}

impl ProcessInfo {
    /// Asks with the newest command that the runtime knows.
    pub fn ask<'a>(endpoint: &Endpoint, patience: impl Into<Patience<'a>>) -> Result<Self, Error> {
        let patience = patience.into();
        let forms = [
            (Command::PROCESS_INFO_3, Form::Third),
            (Command::PROCESS_INFO_2, Form::Second),
            (Command::PROCESS_INFO_1, Form::First),
        ];
        let mut refused = Error::Closed;
        for (command, form) in forms {
            match endpoint.call(command, &Payload::default(), patience) {
                Ok((payload, _)) => return Self::read(&payload, form),
                Err(error) if error.is_unknown_command() => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    fn read(payload: &[u8], form: Form) -> Result<Self, Error> {
        let foreign = |_short| Error::Foreign("its answer is too short");
        let mut cursor = Cursor::new(payload, 0);
        if form == Form::Third {
            cursor.u32("version").map_err(foreign)?;
        }
        let pid = cursor.u64("process").map_err(foreign)?;
        let cookie = cursor.guid("runtime cookie").map_err(foreign)?;
        let command_line = text(&mut cursor, "command line")?;
        let os = text(&mut cursor, "operating system")?;
        let arch = text(&mut cursor, "architecture")?;
        let mut info = Self { pid, cookie, command_line, os, arch, ..Self::default() };
        if form != Form::First {
            info.entry_assembly = Some(text(&mut cursor, "entry assembly")?);
            info.runtime_version = Some(text(&mut cursor, "runtime version")?);
        }
        Ok(info)
    }
}

/// The forms of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    First,
    Second,
    Third,
}

/// Lets a runtime run that is suspended at its start; does nothing to one that runs.
pub fn resume<'a>(endpoint: &Endpoint, patience: impl Into<Patience<'a>>) -> Result<(), Error> {
    endpoint.call(Command::RESUME_RUNTIME, &Payload::default(), patience.into()).map(drop)
}

/// Sets a variable of the process's environment; works while it is suspended at its start.
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

/// Lets the runtime write `/tmp/perf-PID.map`, with what is compiled already and what will be (.NET 8 and later).
pub fn enable_perf_map(endpoint: &Endpoint, deadline: Deadline) -> Result<(), Error> {
    const PERF_MAP: u32 = 3;
    let mut payload = Payload::default();
    payload.u32(PERF_MAP);
    endpoint.call(Command::ENABLE_PERF_MAP, &payload, deadline.into()).map(drop)
}

/// Ends the map.
pub fn disable_perf_map(endpoint: &Endpoint, deadline: Deadline) -> Result<(), Error> {
    endpoint.call(Command::DISABLE_PERF_MAP, &Payload::default(), deadline.into()).map(drop)
}
