//! Why nothing, or not everything, was recorded.

use crate::limit::DiskLimit;
use std::path::{Path, PathBuf};
use thiserror::Error as ThisError;

/// Why nothing, or not everything, was recorded.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The runtime did not do what it was asked.
    #[error(transparent)]
    Runtime(#[from] dotnet_ipc::Error),
    /// Something is at that place.
    #[error("{} already exists: choose another name, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// Something is at that place that `--force` does not replace.
    #[error("{} already exists and is not a recording, so it is not replaced: choose another name", .0.display())]
    NotOurs(PathBuf),
    /// Another recorder writes there.
    #[error("{} is being written by another recorder: choose another name", .0.display())]
    InUse(PathBuf),
    /// The system refuses to write.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// The path cannot be a file of a recording.
    #[error(transparent)]
    File(exhibit::Error),
    /// The other end of the socket sends something other than a trace.
    #[error(
        "the diagnostics socket sent something other than a trace: the process behind it is not a .NET runtime"
    )]
    NotATrace,
    /// A session began, but the runtime sent nothing.
    #[error("the runtime began a session but sent nothing: the earlier recording was left as it was")]
    NothingCame,
    /// The command to end a session did not reach the runtime.
    #[error(
        "the runtime could not be asked to end a session ({0}): its connection was closed, which ends the session without the method names that come at the end"
    )]
    NotStopped(dotnet_ipc::Error),
    /// There are too few file descriptors to end a recording properly.
    #[error("nothing was recorded: {0}; a recording needs about 30 open files, see `ulimit -n`")]
    Descriptors(std::io::Error),
    /// It was stopped before it began.
    #[error("stopped before it began: nothing was recorded")]
    NotBegun,
    /// The disk has no room for a recording.
    #[error("nothing was recorded: {}; choose another place with -o", .0.words())]
    NoRoom(DiskLimit),
    /// The subject has ended; another process may have its id.
    #[error("process {0} has ended")]
    Gone(u32),
    /// The program cannot be started.
    #[error("cannot start {program}: {cause}")]
    Start {
        /// The program.
        program: String,
        /// The reason.
        cause: std::io::Error,
    },
    /// The program was started, but no runtime was found in it.
    #[error("`{program}` {how}. Only programs on .NET 5 or later can be recorded from the start{left}")]
    NoRuntime {
        /// The program.
        program: String,
        /// How it went.
        how: String,
        /// What of it is still running; empty if nothing is.
        left: String,
    },
    /// One of our threads cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

impl From<exhibit::Error> for Error {
    fn from(error: exhibit::Error) -> Self {
        match error {
            exhibit::Error::Exists(path) => Self::Exists(path),
            exhibit::Error::Write { path, cause } | exhibit::Error::Read { path, cause } => {
                Self::Write { path, cause }
            }
            other => Self::File(other),
        }
    }
}

impl Error {
    /// Whether it only says that we no longer wait for the runtime.
    pub(crate) fn is_called_off(&self) -> bool {
        matches!(self, Self::Runtime(dotnet_ipc::Error::CalledOff))
    }

    /// The same error, of a recording that did not begin.
    pub(crate) fn of_beginning(self) -> Self {
        match self {
            error if error.is_called_off() => Self::NotBegun,
            error if error.is_full() => Self::NoRoom(DiskLimit::DiskFull),
            error => error,
        }
    }

    /// Whether it only says that the disk is full.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Write { cause, .. } if exhibit::is_full(cause))
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| match cause.kind() {
            std::io::ErrorKind::AlreadyExists => Self::Exists(path.to_path_buf()),
            _ => Self::Write { path: path.to_path_buf(), cause },
        }
    }
}
