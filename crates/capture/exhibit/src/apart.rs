//! Room on the disk that a file has before it is written to.

use std::fs::File;
use std::io;

/// Whether a write failed since the disk, or the user's part of it, is full.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Sets room apart for the bytes of a file from `from` on, and leaves its length as it is: nobody else can take it, and what
/// is written there does not fail on a full disk. Returns false if the file system cannot do that; an error if it has no
/// such room.
#[cfg(target_os = "linux")]
pub fn set_apart(file: &File, from: u64, bytes: u64) -> io::Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate};
    let done = rustix::io::retry_on_intr(|| fallocate(file, FallocateFlags::KEEP_SIZE, from, bytes));
    match done.map_err(io::Error::from) {
        Ok(()) => Ok(true),
        Err(error) if is_full(&error) => Err(error),
        Err(_not_here) => Ok(false),
    }
}

/// Sets no room apart on this system.
#[cfg(not(target_os = "linux"))]
pub fn set_apart(_file: &File, _from: u64, _bytes: u64) -> io::Result<bool> {
    Ok(false)
}
