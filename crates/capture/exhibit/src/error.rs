//! Why a file cannot be written or read.

use crate::room::Full;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error as ThisError;

/// Why a file cannot be written or read. Each message names the file.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The name is taken; a link counts, wherever it leads.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// A folder that was to be written has files in it.
    #[error("{} has files in it", .0.display())]
    NotEmpty(PathBuf),
    /// What was to be read is a link, a pipe, a folder or a device.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// What was to be written is a link.
    #[error("cannot write {}: it is a link, and links are not followed: name what it leads to", .0.display())]
    Link(PathBuf),
    /// Somebody else could exchange what is written, or made it first.
    #[error("cannot write {}: {why}; write elsewhere, or allow it with --insecure-output", path.display())]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// Who could, or did.
        why: String,
    },
    /// It would be larger than it may be.
    #[error("cannot write {}: {full}", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// Which limit it reached.
        full: Full,
    },
    /// The path does not end in a name, or the name has a slash in it.
    #[error("cannot write {}: it does not end in the name of a file", .0.display())]
    NoName(PathBuf),
    /// The system refuses to write.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// The system refuses to read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// A part of `exhibit.toml` has a value that TOML cannot hold.
    #[error("{} cannot hold `{part}`: {cause}", crate::FILE)]
    Part {
        /// The part's name.
        part: String,
        /// The value at fault.
        cause: toml::ser::Error,
    },
}

impl Error {
    pub(crate) fn write<E: Into<io::Error>>(path: impl Into<PathBuf>) -> impl FnOnce(E) -> Self {
        |cause| match cause.into() {
            cause if cause.kind() == io::ErrorKind::AlreadyExists => Self::Exists(path.into()),
            cause => Self::Write { path: path.into(), cause },
        }
    }

    pub(crate) fn read<E: Into<io::Error>>(path: impl Into<PathBuf>) -> impl FnOnce(E) -> Self {
        |cause| Self::Read { path: path.into(), cause: cause.into() }
    }

    /// The same error of another path: the one that the caller knows.
    pub(crate) fn of(self, path: &Path) -> Self {
        let path = path.to_path_buf();
        match self {
            Self::Exists(_) => Self::Exists(path),
            Self::NotEmpty(_) => Self::NotEmpty(path),
            Self::NotAFile(_) => Self::NotAFile(path),
            Self::NoName(_) => Self::NoName(path),
            Self::Write { cause, .. } | Self::Read { cause, .. } => Self::Write { path, cause },
            Self::Link(_) => Self::Link(path),
            Self::Unsafe { why, .. } => Self::Unsafe { path, why },
            Self::Full { full, .. } => Self::Full { path, full },
            Self::Part { .. } => self,
        }
    }

    /// Whether the file is missing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Write { cause, .. } | Self::Read { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }
}

/// The reason without the path, for callers that name the file themselves.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Write { cause, .. } | Error::Read { cause, .. } => cause,
            Error::Exists(_) => rustix::io::Errno::EXIST.into(),
            Error::NotEmpty(_) => rustix::io::Errno::NOTEMPTY.into(),
            Error::NotAFile(_) => Self::other("it is not a regular file"),
            Error::NoName(_) => Self::other("it does not end in the name of a file"),
            Error::Full { full, .. } => Self::new(io::ErrorKind::FileTooLarge, full),
            Error::Link(_) | Error::Unsafe { .. } | Error::Part { .. } => Self::other(error.to_string()),
        }
    }
}
