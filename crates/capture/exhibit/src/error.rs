//! Why a file cannot be written or read.

use crate::budget::Full;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error as ThisError;

/// Why a file cannot be written or read. Each message names the file.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// Something of that name exists, if only a link that leads nowhere.
    #[error("{} already exists", .0.display())]
    Exists(PathBuf),
    /// The folder that was to be written has files in it.
    #[error("{} has files in it", .0.display())]
    NotEmpty(PathBuf),
    /// The file that was to be read is a link, a pipe, a folder or a device.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// The file that was to be written is a link.
    #[error("cannot write {}: it is a link, which is not followed; name what it leads to", .0.display())]
    Link(PathBuf),
    /// Somebody else could exchange the file, or has already created it.
    #[error("cannot write {}: {why}; write elsewhere, or allow it with --insecure-output", path.display())]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// Who could, or has.
        why: String,
    },
    /// The file reached a limit of its size.
    #[error("cannot write {}: {full}", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// The limit.
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
    #[error("exhibit.toml cannot hold `{part}`: {cause}")]
    Part {
        /// The part's name.
        part: String,
        /// What is wrong with the value.
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

    /// An error of writing that says what to do, for a reason whose text from the system would not.
    pub(crate) fn refused(path: &Path, kind: io::ErrorKind, why: String) -> Self {
        Self::Write { path: path.to_path_buf(), cause: io::Error::new(kind, why) }
    }

    pub(crate) fn read<E: Into<io::Error>>(path: impl Into<PathBuf>) -> impl FnOnce(E) -> Self {
        |cause| Self::Read { path: path.into(), cause: cause.into() }
    }

    /// The same error with the path that the caller knows. It is an error of writing, since only files for output get such a
    /// path.
    pub(crate) fn with_path(self, path: &Path) -> Self {
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
