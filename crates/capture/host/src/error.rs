//! Why a process could not be read.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a process could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// It has ended, never existed, or is hidden from us.
    #[error("process {pid} is gone")]
    Gone {
        /// The process.
        pid: u32,
    },
    /// It belongs to another user.
    #[error("process {pid} exists, but we may not read {}", path.display())]
    NotPermitted {
        /// The process.
        pid: u32,
        /// The file.
        path: PathBuf,
    },
    /// The file exists and cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: ErrorKind,
    },
    /// The file is not as proc(5) describes it.
    #[error("{} has no valid field {field}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The field's name in proc(5).
        field: &'static str,
    },
}

impl Error {
    pub(crate) fn of_file(pid: u32, path: &Path, error: &std::io::Error) -> Self {
        // ESRCH, which has no `ErrorKind`: the process ended between opening the file and reading it.
        const NO_SUCH_PROCESS: i32 = 3;
        match error.kind() {
            ErrorKind::NotFound => Self::Gone { pid },
            _ if error.raw_os_error() == Some(NO_SUCH_PROCESS) => Self::Gone { pid },
            ErrorKind::PermissionDenied => Self::NotPermitted { pid, path: path.to_owned() },
            cause => Self::Unreadable { path: path.to_owned(), cause },
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn check(errno: i32, expected: &Error) {
        let found = Error::of_file(7, Path::new("/proc/7/stat"), &std::io::Error::from_raw_os_error(errno));
        assert_eq!(&found, expected);
    }

    #[test]
    fn a_process_that_has_ended_is_not_taken_for_one_of_another_user() {
        let path = || PathBuf::from("/proc/7/stat");
        check(2, &Error::Gone { pid: 7 });
        check(3, &Error::Gone { pid: 7 });
        check(1, &Error::NotPermitted { pid: 7, path: path() });
        check(13, &Error::NotPermitted { pid: 7, path: path() });
        check(12, &Error::Unreadable { path: path(), cause: ErrorKind::OutOfMemory });
    }
}
