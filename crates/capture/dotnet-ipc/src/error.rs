//! Why a runtime did not do what it was asked.

use thiserror::Error as ThisError;

/// What the runtime answers to a command that it does not know.
pub(crate) const UNKNOWN_COMMAND: u32 = 0x8013_1385;
/// What it answers to a payload that it cannot read.
pub(crate) const BAD_ENCODING: u32 = 0x8013_1384;

/// Why a runtime did not do what it was asked.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// There is no socket.
    #[error("there is no diagnostics socket at {0}")]
    NoSocket(String),
    /// Linux takes no longer path of a socket.
    #[error(
        "the path of the diagnostics socket has {length} bytes, and Linux takes at most 107: {path}; set TMPDIR of the process to a shorter folder"
    )]
    PathTooLong {
        /// The path.
        path: String,
        /// Its bytes.
        length: usize,
    },
    /// The socket's file is there, and nobody listens behind it.
    #[error("nobody listens at {0}: its process has ended")]
    Stale(String),
    /// The file system forbids it.
    #[error("{0} is not permitted: run as the user of the process, or as root")]
    NotPermitted(String),
    /// Someone else is at the other end than the process that was chosen.
    #[error(
        "expected process {pid} of user {user} at {socket}, found {found}: nothing was sent; a relay is reached with --diagnostic-port"
    )]
    Other {
        /// The socket.
        socket: String,
        /// The process that was chosen.
        pid: u32,
        /// Its user.
        user: u32,
        /// What is there.
        found: String,
    },
    /// The process that was chosen is not there any more, and its number may be that of another.
    #[error("process {0} has ended")]
    Ended(u32),
    /// No answer in time.
    #[error("no answer from the runtime within {0} s: it may be stopped, or too busy to answer")]
    Silent(u64),
    /// Nobody wants the answer any more.
    #[error("the answer of the runtime was no longer waited for")]
    CalledOff,
    /// The connection ended where an answer was expected.
    #[error("the runtime closed the connection without an answer")]
    Closed,
    /// The answer is none of this protocol.
    #[error("this is no .NET diagnostics socket: {0}")]
    Foreign(&'static str),
    /// The runtime refuses.
    #[error("the runtime refuses: {}", refusal(*.0))]
    Refused(u32),
    /// None of the commands that start a session is known to the runtime.
    #[error("the runtime knows none of the commands that start a session")]
    NoSession,
    /// Something that is sent is longer than a message may be.
    #[error("the command is {0} bytes long, and a message holds 65,535")]
    TooLong(usize),
    /// The socket fails otherwise.
    #[error("the diagnostics socket fails: {0}")]
    Io(std::io::Error),
}

impl Error {
    /// That a path is too long for a socket, if it is.
    pub(crate) fn of_length(path: &std::path::Path) -> Option<Self> {
        /// `sun_path` has 108 bytes, and ends with a zero.
        const MOST: usize = 107;
        let length = path.as_os_str().len();
        (length > MOST).then(|| Self::PathTooLong { path: path.display().to_string(), length })
    }

    /// That someone else is at a socket than who was found there.
    pub(crate) fn of_other(of: &crate::discover::Found, found: String) -> Self {
        let socket = of.socket.display().to_string();
        Self::Other { socket, pid: of.pid, user: of.user, found }
    }

    /// An error of connecting to a socket.
    pub(crate) fn of_connecting(error: std::io::Error, path: &std::path::Path) -> Self {
        use std::io::ErrorKind;
        let shown = || path.display().to_string();
        match error.kind() {
            ErrorKind::NotFound => Self::NoSocket(shown()),
            ErrorKind::ConnectionRefused => Self::Stale(shown()),
            ErrorKind::PermissionDenied => Self::NotPermitted(shown()),
            _ => Self::Io(error),
        }
    }

    /// Whether the runtime does not know the command, or its form of it: an older one may do.
    pub fn is_unknown_command(&self) -> bool {
        matches!(self, Self::Refused(UNKNOWN_COMMAND | BAD_ENCODING) | Self::Closed)
    }

    /// An error of reading or writing, within so many seconds.
    pub(crate) fn of_io(error: std::io::Error, seconds: u64) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Silent(seconds),
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// The reason in words, where the code is known.
fn refusal(code: u32) -> String {
    let words = match code {
        BAD_ENCODING => "it cannot read the command",
        UNKNOWN_COMMAND => "it does not know the command, and is older than it",
        0x8013_1386 => "it does not know this protocol",
        0x8007_0057 => "an argument is not one it takes",
        0x8007_000e => "it has no memory for it",
        0x8007_0005 => "it forbids it",
        0x8013_1370 | 0x8013_135e => "a setting of its environment forbids it",
        _ => return format!("code {code:#010x}"),
    };
    format!("{words} (code {code:#010x})")
}
