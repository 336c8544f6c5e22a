//! A compressed file of a trace that can be read at any time, however its writing ended.
//!
//! Bytes are on their way to the disk within half a second, with a whole block of the compressor, so that killing this process
//! loses no more than that. Room for the end of the file is preallocated, so that the file can be ended even if others
//! fill the disk.

use crate::budget::{DiskBudget, Preallocation, TAIL};
use crate::error::Error;
use base::time::Stopwatch;
use exhibit::{Folder, Hashed};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long bytes may wait in the compressor.
const FLUSH_EVERY: Duration = Duration::from_millis(400);
/// The compression level. It is below the usual ones, since the CPU that it costs may be missing to the subject. Measured on a
/// recording: a quarter less time than level 1, for 7 % more bytes.
const LEVEL: i32 = -1;

/// Bytes of a compressed file beside its blocks.
const FRAME: u64 = 1 << 10;

/// A file that was written, for its entry in `exhibit.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its name in its folder.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its size before compression.
    pub raw_bytes: u64,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub blake3: String,
}

/// A file that is being written.
pub(crate) struct TraceFile {
    name: String,
    path: PathBuf,
    out: Out,
    budget: Arc<DiskBudget>,
    raw_bytes: u64,
    /// Bytes that were counted in `budget`: those of the file, and those that the compressor may still write.
    counted: u64,
    /// Bytes that the compressor was given since it was flushed.
    unflushed: u64,
    since_flush: Stopwatch,
    dirty: bool,
}

impl std::fmt::Debug for TraceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceFile").field("path", &self.path).finish_non_exhaustive()
    }
}

enum Out {
    Packed(zstd::stream::write::Encoder<'static, Hashed<PreallocatedFile>>),
    Plain(Hashed<PreallocatedFile>),
}

/// A file with preallocated room for its end. A write that would use this room fails as on a full disk, until the file is
/// ended.
struct PreallocatedFile {
    file: File,
    bytes: u64,
    /// The end of the preallocated room. `None` if the file system cannot preallocate.
    preallocated: Option<u64>,
    amounts: Preallocation,
    is_ending: bool,
}

impl PreallocatedFile {
    fn new(file: File, amounts: Preallocation) -> std::io::Result<Self> {
        let mut created = Self { file, bytes: 0, preallocated: Some(0), amounts, is_ending: false };
        created.preallocate(0)?;
        Ok(created)
    }

    /// Makes sure that there is room for so many more bytes, and for the end behind them.
    fn preallocate(&mut self, more: u64) -> std::io::Result<()> {
        let Some(preallocated) = self.preallocated else { return Ok(()) };
        let least = self.bytes.saturating_add(more).saturating_add(self.amounts.tail);
        if least <= preallocated {
            return Ok(());
        }
        let up_to = |end: u64| {
            let done = exhibit::preallocate(&self.file, preallocated, end.saturating_sub(preallocated));
            done.map(|is_done| is_done.then_some(end))
        };
        // A disk that is nearly full may have room for what is needed, but not for a whole step.
        self.preallocated = up_to(least.saturating_add(self.amounts.step)).or_else(|_full| up_to(least))?;
        Ok(())
    }

    /// Flushes the file to the disk, and gives back the room that it did not need.
    fn end(&self) -> std::io::Result<()> {
        if self.preallocated.is_some() {
            self.file.set_len(self.bytes)?;
        }
        self.file.sync_all()
    }
}

impl Write for PreallocatedFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.is_ending {
            self.preallocate(bytes.len() as u64)?;
        }
        let len = self.file.write(bytes)?;
        self.bytes = self.bytes.saturating_add(len as u64);
        Ok(len)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl TraceFile {
    /// Creates a file, which must not exist. It is compressed if its name ends in `.zst`.
    pub(crate) fn create(folder: &Folder, name: &OsStr, budget: &Arc<DiskBudget>) -> Result<Self, Error> {
        let created = folder.create_file(name).map_err(Error::from);
        let created = created.and_then(|file| {
            Self::of(file, folder, name, budget).inspect_err(|_| {
                // The first error is the one to report.
                drop(folder.remove(name));
            })
        });
        created.inspect_err(|error| budget.note(error))
    }

    /// Writes into an empty file. `name` is the name that it has, or will have.
    pub(crate) fn of(
        file: File,
        folder: &Folder,
        name: &OsStr,
        budget: &Arc<DiskBudget>,
    ) -> Result<Self, Error> {
        let path = folder.path_of(name);
        // The lock shows other recorders that the file is being written. Some file systems have no locks.
        drop(file.try_lock());
        let file = PreallocatedFile::new(file, budget.preallocation()).map_err(Error::write(&path))?;
        let out = Out::new(Hashed::new(file), &path).map_err(Error::write(&path))?;
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            path,
            out,
            budget: Arc::clone(budget),
            raw_bytes: 0,
            counted: 0,
            unflushed: 0,
            since_flush: Stopwatch::start(),
            dirty: false,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds bytes as far as the recording has room for them, and returns how many it added. The others are counted.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.budget.is_over() {
            // No more than would fit if the bytes cannot be compressed at all. If more is left than memory can hold, any part
            // fits.
            let most = usize::try_from(self.budget.left()).unwrap_or(usize::MAX);
            let part = rest.get(..most.clamp(1, rest.len())).unwrap_or(rest);
            let added = match &mut self.out {
                Out::Packed(packer) => packer.write(part),
                Out::Plain(file) => file.write(part),
            };
            match added {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => {
                    rest = rest.get(len..).unwrap_or_default();
                    self.unflushed = self.unflushed.saturating_add(len as u64);
                    self.count(len);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.budget.end_if_full(error)?,
            }
        }
        let added = bytes.len().saturating_sub(rest.len());
        self.budget.leave_out(rest.len() as u64);
        self.raw_bytes = self.raw_bytes.saturating_add(added as u64);
        self.dirty = true;
        Ok(added)
    }

    /// Counts in `budget` what the file has grown by. The bytes in the compressor count as if they could not be compressed.
    fn count(&mut self, of_events: usize) {
        let bytes = match &self.out {
            Out::Packed(packer) => {
                packer.get_ref().bytes().saturating_add(FRAME.saturating_add(self.unflushed.min(TAIL)))
            }
            Out::Plain(file) => file.bytes(),
        };
        self.budget.take(bytes.saturating_sub(self.counted), of_events as u64);
        self.budget.give_back(self.counted.saturating_sub(bytes));
        self.counted = bytes;
    }

    /// Flushes the file if bytes have waited long enough.
    pub(crate) fn flush_when_due(&mut self) -> std::io::Result<()> {
        if self.dirty && self.since_flush.elapsed() >= FLUSH_EVERY { self.flush() } else { Ok(()) }
    }

    /// Flushes the file.
    pub(crate) fn flush(&mut self) -> std::io::Result<()> {
        self.dirty = false;
        self.since_flush = Stopwatch::start();
        let flushed = match &mut self.out {
            Out::Packed(packer) => packer.flush(),
            Out::Plain(file) => file.flush(),
        };
        flushed.or_else(|error| self.budget.end_if_full(error))?;
        self.unflushed = 0;
        self.count(0);
        // Others use the disk too.
        self.budget.check_disk();
        Ok(())
    }

    /// Ends the file. After an error, what was flushed before can still be read. So can what fitted on a disk that has no room
    /// for the end.
    pub(crate) fn finish(self) -> std::io::Result<Written> {
        let end = |mut file: Hashed<PreallocatedFile>| {
            let ended = file.inner_mut().end();
            ended.or_else(|error| self.budget.end_if_full(error)).map(|()| file.sum())
        };
        let sum = match self.out {
            Out::Plain(file) => end(file)?,
            Out::Packed(mut packer) => {
                packer.get_mut().inner_mut().is_ending = true;
                match packer.try_finish() {
                    Ok(file) => end(file)?,
                    // The frame is not ended, but its blocks can be read.
                    Err((mut packer, error)) => {
                        self.budget.end_if_full(error)?;
                        packer.get_mut().inner_mut().end().or_else(|error| self.budget.end_if_full(error))?;
                        packer.get_ref().sum()
                    }
                }
            }
        };
        self.budget.recount(self.counted, sum.bytes);
        Ok(Written { name: self.name, bytes: sum.bytes, raw_bytes: self.raw_bytes, blake3: sum.blake3 })
    }
}

impl Out {
    fn new(file: Hashed<PreallocatedFile>, path: &Path) -> std::io::Result<Self> {
        if path.extension().is_none_or(|ending| ending != "zst") {
            return Ok(Self::Plain(file));
        }
        let mut packer = zstd::stream::write::Encoder::new(file, LEVEL)?;
        packer.include_checksum(false)?;
        Ok(Self::Packed(packer))
    }
}

/// The entry of a table, which is read to hash it.
pub(crate) fn hashed(folder: &Folder, name: &str) -> Option<Written> {
    let sum = exhibit::sum(folder.open_file(name).ok()?).ok()?;
    Some(Written { name: name.to_owned(), bytes: sum.bytes, raw_bytes: sum.bytes, blake3: sum.blake3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(folder: &Folder) -> Arc<DiskBudget> {
        Arc::new(DiskBudget::new(folder, crate::budget::MAX_BYTES))
    }

    #[test]
    fn a_file_takes_no_more_of_the_disk_than_the_recording_may() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let budget = Arc::new(DiskBudget::new(&folder, 1 << 20));
        let mut file = TraceFile::create(&folder, OsStr::new("trace.nettrace"), &budget).unwrap();
        let piece = vec![7; 64 << 10];
        let written = (0..100).take_while(|_| file.write(&piece).unwrap() == piece.len()).count();
        assert_eq!(written, 16, "whole pieces");
        assert_eq!(budget.limit(), Some(crate::limit::DiskLimit::Size(1 << 20)));
        assert_eq!(file.write(&piece).unwrap(), 0);
        assert_eq!(budget.left_out(), 2 * piece.len() as u64);
        assert_eq!(file.finish().unwrap().bytes, 1 << 20);
    }

    #[test]
    fn compressed_files_with_what_is_still_in_the_compressor_take_no_more_than_the_recording_may() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let budget = Arc::new(DiskBudget::new(&folder, 1_000_000));
        let names = ["trace.nettrace.zst", "names.nettrace.zst", "samples.nettrace.zst"];
        let mut files = names.map(|name| TraceFile::create(&folder, OsStr::new(name), &budget).unwrap());
        // It cannot be compressed.
        let mut piece = vec![0; 100_000];
        blake3::Hasher::new().finalize_xof().fill(&mut piece);
        while files.iter_mut().any(|file| file.write(&piece).unwrap() > 0) {}
        let taken: u64 = files.map(|file| file.finish().unwrap().bytes).iter().sum();
        assert!((700_000..=1_000_000).contains(&taken), "{taken}");
    }

    #[test]
    fn what_was_flushed_can_be_read_while_the_file_is_written() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let name = OsStr::new("trace.nettrace.zst");
        let path = there.path().join(name);
        let mut file = TraceFile::create(&folder, name, &budget(&folder)).unwrap();
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(file.write(&bytes).unwrap(), bytes.len());
        file.flush().unwrap();
        let mut read = Vec::new();
        let packed = File::open(&path).unwrap();
        let error = zstd::stream::copy_decode(packed, &mut read).unwrap_err();
        assert_eq!((read.len(), error.kind()), (bytes.len(), std::io::ErrorKind::UnexpectedEof));
        let written = file.finish().unwrap();
        let hash = blake3::hash(&std::fs::read(&path).unwrap()).to_hex().to_string();
        assert_eq!((written.raw_bytes, written.blake3), (bytes.len() as u64, hash));
    }

    #[test]
    fn a_recording_never_overwrites_a_file_that_is_there_or_one_that_a_planted_link_leads_to() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let victim = there.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink("victim", there.path().join("link.nettrace")).unwrap();
        for name in ["victim", "link.nettrace"] {
            let refused = TraceFile::create(&folder, OsStr::new(name), &budget(&folder));
            assert!(matches!(refused, Err(Error::Exists(path)) if path == there.path().join(name)));
        }
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_file_has_its_final_name_from_the_first_byte() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let _file = TraceFile::create(&folder, OsStr::new("trace.nettrace.zst"), &budget(&folder)).unwrap();
        assert_eq!(folder.names().unwrap(), ["trace.nettrace.zst"]);
    }
}
