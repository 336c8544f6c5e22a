//! Why nothing, or less than all, was recorded.

use std::path::{Path, PathBuf};
use thiserror::Error as ThisError;

/// Why nothing, or less than all, was recorded.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The runtime does not do what it is asked.
    #[error(transparent)]
    Runtime(#[from] dotnet_ipc::Error),
    /// Something is there already.
    #[error("{} is there already: name another, or overwrite it with --force", .0.display())]
    Exists(PathBuf),
    /// Something is there that `--force` does not overwrite.
    #[error("{} is there and is no recording: it is not overwritten, name another", .0.display())]
    NotOurs(PathBuf),
    /// Another recorder writes there.
    #[error("{} is being written by another recorder: name another", .0.display())]
    InUse(PathBuf),
    /// The disk or the file system refuses.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Its reason.
        cause: std::io::Error,
    },
    /// The path cannot be a file of a recording.
    #[error(transparent)]
    File(exhibit::Error),
    /// What the runtime sends is none of its format.
    #[error("what came over the diagnostics socket is no trace: its peer is no .NET runtime")]
    NoTrace,
    /// A session began, and nothing of it came.
    #[error("the runtime began a session and sent nothing of it: an earlier recording is left as it was")]
    NothingCame,
    /// The runtime cannot be told to end a session.
    #[error(
        "the runtime could not be told to end a session ({0}): its connection was closed, which ends it without the names that the runtime sends at the end"
    )]
    NotStopped(dotnet_ipc::Error),
    /// There are too few descriptors to end what would be begun.
    #[error("nothing was recorded: {0}; a recording needs about 30 open files, see `ulimit -n`")]
    Descriptors(std::io::Error),
    /// It was stopped before it began.
    #[error("stopped before it began: nothing was recorded")]
    NotBegun,
    /// The disk is too full to begin.
    #[error("nothing was recorded: {}; name another place with -o", .0.words())]
    NoRoom(crate::room::Full),
    /// The subject is gone, or another process has its number.
    #[error("process {0} has ended")]
    Gone(u32),
    /// A program cannot be started.
    #[error("cannot start {program}: {cause}")]
    Start {
        /// The program.
        program: String,
        /// The reason.
        cause: std::io::Error,
    },
    /// A program was started in which no runtime shows up.
    #[error(
        "no .NET runtime showed up in {program} or its children {within}; is it a .NET program, of .NET 5 or later?{left}"
    )]
    NoRuntime {
        /// The program.
        program: String,
        /// Within which time, or that it ended before.
        within: String,
        /// What of it runs on; empty if nothing does.
        left: String,
    },
    /// A thread of ours cannot be started.
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
    /// Whether it is only that nobody waits for the runtime any more.
    pub(crate) fn is_called_off(&self) -> bool {
        matches!(self, Self::Runtime(dotnet_ipc::Error::CalledOff))
    }

    /// The same error of a recording that did not begin.
    pub(crate) fn of_beginning(self) -> Self {
        match self {
            error if error.is_called_off() => Self::NotBegun,
            error if error.is_full() => Self::NoRoom(crate::room::Full::Disk(0)),
            error => error,
        }
    }

    /// Whether it is only that the disk is full.
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
