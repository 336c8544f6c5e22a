//! Preallocates room on the disk for a file.

use std::fs::File;
use std::io;

/// Whether a write failed because the disk is full, or the user's quota is used up.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Preallocates `bytes` bytes of a file from offset `from` on, without changing its length. Writing there then cannot fail on
/// a full disk, since nobody else can take the room. Returns false if the file system cannot preallocate; an error if it does
/// not have the room.
#[cfg(target_os = "linux")]
pub fn preallocate(file: &File, from: u64, bytes: u64) -> io::Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate};
    let done = rustix::io::retry_on_intr(|| fallocate(file, FallocateFlags::KEEP_SIZE, from, bytes));
    match done.map_err(io::Error::from) {
        Ok(()) => Ok(true),
        Err(error) if is_full(&error) => Err(error),
        Err(_not_here) => Ok(false),
    }
}

/// Does nothing on this system, and returns false.
#[cfg(not(target_os = "linux"))]
pub fn preallocate(_file: &File, _from: u64, _bytes: u64) -> io::Result<bool> {
    Ok(false)
}
