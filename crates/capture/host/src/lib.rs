//! What Linux tells of a process, its limits and its machine: `/proc` and control groups.
//!
//! [`Proc`] reads processes and their threads, [`cgroup::Cgroup`] the limits that hold for one, [`Readings`] figures to
//! be written beside a recording once a second. Everything starts at the root that a [`Proc`] is given, so that a
//! recorded tree reads like the machine itself. Where there is no `/proc` nothing is found, and nothing fails.
//!
//! It changes nothing on the machine, keeps no clock and no file open. A process writes much of what stands here itself
//! (its name, arguments, environment, the names of its control groups): every file is read up to a limit and none is
//! trusted to be whole. Nothing is waited for but the kernel, which for arguments and environment may itself wait for a
//! process that is changing its memory map.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod cgroup;
mod container;
mod descriptors;
mod files;
mod mounts;
mod process;
mod readings;
mod threads;
#[cfg(test)]
mod tree;

pub use process::{Proc, Stat};
pub use readings::{Reading, Readings, memory_bytes};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use thiserror::Error;
pub use threads::{ThreadReader, ThreadStat};

/// Why a process could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// It has ended, it has never been, or it is hidden from us.
    #[error("process {pid} is gone")]
    Gone {
        /// The process.
        pid: u32,
    },
    /// It belongs to someone else.
    #[error("process {pid} is there, but {} may not be read", path.display())]
    NotPermitted {
        /// The process.
        pid: u32,
        /// The file.
        path: PathBuf,
    },
    /// The file is there and cannot be read.
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: ErrorKind,
    },
    /// The file does not hold what proc(5) says it holds.
    #[error("{} has no {field} where it belongs", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The field's name in proc(5).
        field: &'static str,
    },
}

impl Error {
    fn of_file(pid: u32, path: &Path, error: &std::io::Error) -> Self {
        // A process that ends between opening and reading is told by ESRCH, which has no kind of its own.
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
    fn a_process_that_went_and_one_of_someone_else_are_told_apart() {
        let path = || PathBuf::from("/proc/7/stat");
        check(2, &Error::Gone { pid: 7 });
        check(3, &Error::Gone { pid: 7 });
        check(1, &Error::NotPermitted { pid: 7, path: path() });
        check(13, &Error::NotPermitted { pid: 7, path: path() });
        check(12, &Error::Unreadable { path: path(), cause: ErrorKind::OutOfMemory });
    }
}
