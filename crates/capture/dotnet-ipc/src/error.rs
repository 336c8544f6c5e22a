//! Why a runtime did not do what it was asked.

use std::path::Path;
use thiserror::Error as ThisError;

/// The runtime's answer to a command that it does not know.
pub(crate) const UNKNOWN_COMMAND: u32 = 0x8013_1385;
/// The runtime's answer to a payload that it cannot read.
pub(crate) const BAD_ENCODING: u32 = 0x8013_1384;

/// Why a runtime did not do what it was asked.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// There is no socket.
    #[error("there is no diagnostics socket at {0}")]
    NoSocket(String),
    /// The socket's path is longer than Linux allows.
    #[error(
        "the path of the diagnostics socket is too long: it has {length} bytes, and Linux allows 107: {path}; set TMPDIR of the process to a shorter folder"
    )]
    PathTooLong {
        /// The path.
        path: String,
        /// Its length in bytes.
        length: usize,
    },
    /// The socket's file exists, but no process listens on it.
    #[error("nobody listens at {0}: its process has ended")]
    Stale(String),
    /// The file system does not permit the connection.
    #[error("not permitted to connect to {0}: run as the user of the process, or as root")]
    NotPermitted(String),
    /// Another process answers than the one that was chosen.
    #[error(
        "expected process {pid} of user {user} at {socket}, found {found}: nothing was sent; to connect through a relay, use --diagnostic-port"
    )]
    WrongPeer {
        /// The socket.
        socket: String,
        /// The process that was chosen.
        pid: u32,
        /// Its user.
        user: u32,
        /// What was found instead.
        found: String,
    },
    /// The process that was chosen has ended; another one may have its PID.
    #[error("process {0} has ended")]
    Ended(u32),
    /// The runtime did not answer in time.
    #[error("no answer from the runtime within {0} s: it may be stopped, or too busy to answer")]
    Silent(u64),
    /// The caller called off the wait.
    #[error("the wait for the runtime's answer was called off")]
    CalledOff,
    /// The connection ended before an answer.
    #[error("the runtime closed the connection without an answer")]
    Closed,
    /// The answer does not follow the protocol.
    #[error("this is not a .NET diagnostics socket: {0}")]
    NotARuntime(&'static str),
    /// The runtime refused the command.
    #[error("the runtime refused: {}", refusal(*.0))]
    Refused(u32),
    /// The runtime knows none of the commands that start a session.
    #[error("the runtime does not know any command that starts a session")]
    NoSessionCommand,
    /// The command is longer than a message may be.
    #[error("the command is too long: it has {0} bytes, and a message can have 65,535")]
    TooLong(usize),
    /// Another error of the socket.
    #[error("error on the diagnostics socket: {0}")]
    Io(std::io::Error),
}

impl Error {
    /// [`Error::PathTooLong`] if the path is too long for a socket.
    pub(crate) fn of_length(path: &Path) -> Option<Self> {
        /// `sun_path` has 108 bytes, including a NUL at its end.
        const MOST: usize = 107;
        let length = path.as_os_str().len();
        (length > MOST).then(|| Self::PathTooLong { path: path.display().to_string(), length })
    }

    /// An error of connecting to a socket.
    pub(crate) fn of_connecting(error: std::io::Error, path: &Path) -> Self {
        use std::io::ErrorKind;
        let shown = || path.display().to_string();
        match error.kind() {
            ErrorKind::NotFound => Self::NoSocket(shown()),
            ErrorKind::ConnectionRefused => Self::Stale(shown()),
            ErrorKind::PermissionDenied => Self::NotPermitted(shown()),
            _ => Self::Io(error),
        }
    }

    /// Whether the runtime does not know this command or this version of it, so that an older one may work.
    pub fn is_unknown_command(&self) -> bool {
        matches!(self, Self::Refused(UNKNOWN_COMMAND | BAD_ENCODING) | Self::Closed)
    }

    /// An error of reading or writing; `seconds` is how long the whole wait could take.
    pub(crate) fn of_io(error: std::io::Error, seconds: u64) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Silent(seconds),
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// The reason in words if the code is known, and the code.
fn refusal(code: u32) -> String {
    let words = match code {
        BAD_ENCODING => "it cannot read the command",
        UNKNOWN_COMMAND => "it does not know the command, which is newer than the runtime",
        0x8013_1386 => "it does not know this version of the protocol",
        0x8007_0057 => "an argument is not valid",
        0x8007_000e => "it is out of memory",
        0x8007_0005 => "access is denied",
        0x8013_1370 | 0x8013_135e => "a setting in its environment forbids it",
        _ => return format!("code {code:#010x}"),
    };
    format!("{words} (code {code:#010x})")
}
