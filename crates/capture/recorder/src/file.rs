//! A packed file of a trace that can be read at any time, however its writing ended.
//!
//! It has its final name from the first byte. What was given to it is on its way to the disk within half a
//! second, at an end of a block of the packing, so that whoever kills this process loses no more than that.

use base::time::Stopwatch;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long bytes may wait in the packing.
const FLUSH_EVERY: Duration = Duration::from_millis(400);
/// The packing's effort, less than the usual least: the processor it takes may be the subject's. Measured on a recording:
/// a quarter less time than level 1 for a fourteenth more bytes.
const LEVEL: i32 = -1;

/// What was written of a file, for its entry in the exhibit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// The bytes before packing.
    pub raw_bytes: u64,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub blake3: String,
}

/// A file that is being written.
pub(crate) struct TraceFile {
    path: PathBuf,
    out: Out,
    raw_bytes: u64,
    since_flush: Stopwatch,
    dirty: bool,
}

impl std::fmt::Debug for TraceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceFile").field("path", &self.path).finish_non_exhaustive()
    }
}

enum Out {
    Packed(zstd::stream::write::Encoder<'static, Hashed>),
    Plain(Hashed),
}

/// Bytes to a file, with their hash.
struct Hashed {
    file: File,
    hash: blake3::Hasher,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let len = self.file.write(bytes)?;
        self.hash.update(bytes.get(..len).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(len as u64);
        Ok(len)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl TraceFile {
    /// Makes a file, which must not be there; packed if its name ends in `.zst`.
    pub(crate) fn create(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        // Held while it is written, so that nobody takes it for one that was left. Where files cannot be locked, it is not.
        drop(file.try_lock());
        let hashed = Hashed { file, hash: blake3::Hasher::new(), bytes: 0 };
        let is_packed = path.extension().is_some_and(|ending| ending == "zst");
        let out = if is_packed {
            let mut packer = zstd::stream::write::Encoder::new(hashed, LEVEL)?;
            packer.include_checksum(false)?;
            Out::Packed(packer)
        } else {
            Out::Plain(hashed)
        };
        Ok(Self {
            path: path.to_path_buf(),
            out,
            raw_bytes: 0,
            since_flush: Stopwatch::start(),
            dirty: false,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.out {
            Out::Packed(packer) => packer.write_all(bytes)?,
            Out::Plain(file) => file.write_all(bytes)?,
        }
        self.raw_bytes = self.raw_bytes.saturating_add(bytes.len() as u64);
        self.dirty = true;
        Ok(())
    }

    /// Writes what waits, if it has waited long enough.
    pub(crate) fn flush_when_due(&mut self) -> std::io::Result<()> {
        if self.dirty && self.since_flush.elapsed() >= FLUSH_EVERY { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    pub(crate) fn flush(&mut self) -> std::io::Result<()> {
        self.dirty = false;
        self.since_flush = Stopwatch::start();
        match &mut self.out {
            Out::Packed(packer) => packer.flush(),
            Out::Plain(file) => file.flush(),
        }
    }

    /// Ends the file. After an error what was flushed before can still be read.
    pub(crate) fn finish(self) -> std::io::Result<Written> {
        let hashed = match self.out {
            Out::Packed(packer) => packer.finish()?,
            Out::Plain(file) => file,
        };
        hashed.file.sync_all()?;
        Ok(Written {
            path: self.path,
            bytes: hashed.bytes,
            raw_bytes: self.raw_bytes,
            blake3: hashed.hash.finalize().to_hex().to_string(),
        })
    }
}

/// A table's entry among the files.
pub(crate) fn hashed(path: &Path) -> Option<Written> {
    let bytes = std::fs::read(path).ok()?;
    let len = bytes.len() as u64;
    let blake3 = blake3::hash(&bytes).to_hex().to_string();
    Some(Written { path: path.to_path_buf(), bytes: len, raw_bytes: len, blake3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_flushed_can_be_read_while_the_file_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.nettrace.zst");
        let mut file = TraceFile::create(&path).unwrap();
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        file.write(&bytes).unwrap();
        file.flush().unwrap();
        let mut read = Vec::new();
        let packed = File::open(&path).unwrap();
        let error = zstd::stream::copy_decode(packed, &mut read).unwrap_err();
        assert_eq!((read.len(), error.kind()), (bytes.len(), std::io::ErrorKind::UnexpectedEof));
        let written = file.finish().unwrap();
        let hash = blake3::hash(&std::fs::read(&path).unwrap()).to_hex().to_string();
        assert_eq!((written.raw_bytes, written.blake3), (bytes.len() as u64, hash));
        assert!(TraceFile::create(&path).is_err(), "a file that is there is never overwritten");
    }
}
