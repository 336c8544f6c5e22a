//! A packed file of a trace that can be read at any time, however its writing ended.
//!
//! What was given to it is on its way to the disk within half a second, at an end of a block of the packing, so that
//! whoever kills this process loses no more than that. Room for its end is set apart on the disk before it is needed: a disk
//! that others fill does not keep the file from being ended.

use crate::error::Error;
use crate::room::{Room, TAIL};
use base::time::Stopwatch;
use exhibit::{Folder, Hashed};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long bytes may wait in the packing.
const FLUSH_EVERY: Duration = Duration::from_millis(400);
/// The packing's effort, less than the usual least: the processor it takes may be the subject's. Measured on a recording:
/// a quarter less time than level 1 for a fourteenth more bytes.
const LEVEL: i32 = -1;

/// What a frame takes beside what is packed.
const FRAME: u64 = 1 << 10;

/// What was written of a file, for its entry in the exhibit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its name in its folder.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// The bytes before packing.
    pub raw_bytes: u64,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub blake3: String,
}

/// A file that is being written.
pub(crate) struct TraceFile {
    name: String,
    path: PathBuf,
    out: Out,
    room: Arc<Room>,
    raw_bytes: u64,
    /// Bytes of the file that its room knows of: those that are there, and what may become of those in the packing.
    counted: u64,
    /// Bytes that were given to the packing since it was flushed.
    packing: u64,
    since_flush: Stopwatch,
    dirty: bool,
}

impl std::fmt::Debug for TraceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceFile").field("path", &self.path).finish_non_exhaustive()
    }
}

enum Out {
    Packed(zstd::stream::write::Encoder<'static, Hashed<Roomy>>),
    Plain(Hashed<Roomy>),
}

/// A file that has room for its end: a write that would take of it fails as on a full disk, until the file is ended.
struct Roomy {
    file: File,
    bytes: u64,
    /// Up to where the disk has room set apart for it. None if the file system cannot do that.
    apart: Option<u64>,
    /// What is kept for the end, and in which steps room is set apart.
    tail: u64,
    step: u64,
    is_ending: bool,
}

impl Roomy {
    fn new(file: File, (tail, step): (u64, u64)) -> std::io::Result<Self> {
        let mut roomy = Self { file, bytes: 0, apart: Some(0), tail, step, is_ending: false };
        roomy.set_apart(0)?;
        Ok(roomy)
    }

    /// Makes sure that there is room for so many bytes more, and for the end behind them.
    fn set_apart(&mut self, more: u64) -> std::io::Result<()> {
        let Some(apart) = self.apart else { return Ok(()) };
        let least = self.bytes.saturating_add(more).saturating_add(self.tail);
        if least <= apart {
            return Ok(());
        }
        let up_to = |end: u64| {
            let done = exhibit::set_apart(&self.file, apart, end.saturating_sub(apart));
            done.map(|is_done| is_done.then_some(end))
        };
        // Near its end the disk may have less than a step.
        self.apart = up_to(least.saturating_add(self.step)).or_else(|_full| up_to(least))?;
        Ok(())
    }

    /// Brings the file to the disk, and gives back what it did not need.
    fn end(&self) -> std::io::Result<()> {
        if self.apart.is_some() {
            self.file.set_len(self.bytes)?;
        }
        self.file.sync_all()
    }
}

impl Write for Roomy {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.is_ending {
            self.set_apart(bytes.len() as u64)?;
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
    /// Creates a file, which must not be there. It is packed if its name ends in `.zst`.
    pub(crate) fn create(folder: &Folder, name: &OsStr, room: &Arc<Room>) -> Result<Self, Error> {
        let created = folder.create_file(name).map_err(Error::from);
        let created = created.and_then(|file| {
            Self::of(file, folder, name, room).inspect_err(|_| {
                // The first error is the one to report.
                drop(folder.remove(name));
            })
        });
        created.inspect_err(|error| room.note(error))
    }

    /// Writes into a file that is empty. `name` is the name that it has, or gets.
    pub(crate) fn of(file: File, folder: &Folder, name: &OsStr, room: &Arc<Room>) -> Result<Self, Error> {
        let path = folder.path_of(name);
        // The lock tells other recorders that the file is still written. Some file systems have no locks.
        drop(file.try_lock());
        let file = Roomy::new(file, room.apart()).map_err(Error::write(&path))?;
        let out = Out::new(Hashed::new(file), &path).map_err(Error::write(&path))?;
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            path,
            out,
            room: Arc::clone(room),
            raw_bytes: 0,
            counted: 0,
            packing: 0,
            since_flush: Stopwatch::start(),
            dirty: false,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds bytes as far as the recording has room for them; how many it added. The others are counted.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.room.is_over() {
            // No more than fits if nothing of it can be packed.
            let most = usize::try_from(self.room.left()).unwrap_or(usize::MAX);
            let part = rest.get(..most.clamp(1, rest.len())).unwrap_or(rest);
            let added = match &mut self.out {
                Out::Packed(packer) => packer.write(part),
                Out::Plain(file) => file.write(part),
            };
            match added {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => {
                    rest = rest.get(len..).unwrap_or_default();
                    self.packing = self.packing.saturating_add(len as u64);
                    self.count(len);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.room.end_if_full(error)?,
            }
        }
        let added = bytes.len().saturating_sub(rest.len());
        self.room.leave_out(rest.len() as u64);
        self.raw_bytes = self.raw_bytes.saturating_add(added as u64);
        self.dirty = true;
        Ok(added)
    }

    /// Tells the room what the file has grown by.
    fn count(&mut self, of_events: usize) {
        let bytes = match &self.out {
            Out::Packed(packer) => {
                packer.get_ref().bytes().saturating_add(FRAME.saturating_add(self.packing.min(TAIL)))
            }
            Out::Plain(file) => file.bytes(),
        };
        self.room.take(bytes.saturating_sub(self.counted), of_events as u64);
        self.room.give_back(self.counted.saturating_sub(bytes));
        self.counted = bytes;
    }

    /// Writes what waits, if it has waited long enough.
    pub(crate) fn flush_when_due(&mut self) -> std::io::Result<()> {
        if self.dirty && self.since_flush.elapsed() >= FLUSH_EVERY { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    pub(crate) fn flush(&mut self) -> std::io::Result<()> {
        self.dirty = false;
        self.since_flush = Stopwatch::start();
        let flushed = match &mut self.out {
            Out::Packed(packer) => packer.flush(),
            Out::Plain(file) => file.flush(),
        };
        flushed.or_else(|error| self.room.end_if_full(error))?;
        self.packing = 0;
        self.count(0);
        // Others fill the disk, too.
        self.room.look();
        Ok(())
    }

    /// Ends the file. After an error what was flushed before can still be read; so can what fitted, on a disk that has no
    /// room for the end either.
    pub(crate) fn finish(self) -> std::io::Result<Written> {
        let end = |mut file: Hashed<Roomy>| {
            let ended = file.inner_mut().end();
            ended.or_else(|error| self.room.end_if_full(error)).map(|()| file.sum())
        };
        let sum = match self.out {
            Out::Plain(file) => end(file)?,
            Out::Packed(mut packer) => {
                packer.get_mut().inner_mut().is_ending = true;
                match packer.try_finish() {
                    Ok(file) => end(file)?,
                    Err((mut packer, error)) => {
                        self.room.end_if_full(error)?;
                        packer.get_mut().inner_mut().end().or_else(|error| self.room.end_if_full(error))?;
                        packer.get_ref().sum()
                    }
                }
            }
        };
        self.room.recount(self.counted, sum.bytes);
        Ok(Written { name: self.name, bytes: sum.bytes, raw_bytes: self.raw_bytes, blake3: sum.blake3 })
    }
}

impl Out {
    fn new(file: Hashed<Roomy>, path: &Path) -> std::io::Result<Self> {
        if path.extension().is_none_or(|ending| ending != "zst") {
            return Ok(Self::Plain(file));
        }
        let mut packer = zstd::stream::write::Encoder::new(file, LEVEL)?;
        packer.include_checksum(false)?;
        Ok(Self::Packed(packer))
    }
}

/// A table's entry among the files.
pub(crate) fn hashed(folder: &Folder, name: &str) -> Option<Written> {
    let sum = exhibit::sum(folder.open_file(name).ok()?).ok()?;
    Some(Written { name: name.to_owned(), bytes: sum.bytes, raw_bytes: sum.bytes, blake3: sum.blake3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(folder: &Folder) -> Arc<Room> {
        Arc::new(Room::new(folder, crate::room::MOST_BYTES))
    }

    #[test]
    fn a_file_takes_no_more_of_the_disk_than_the_recording_may() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let room = Arc::new(Room::new(&folder, 1 << 20));
        let mut file = TraceFile::create(&folder, OsStr::new("trace.nettrace"), &room).unwrap();
        let piece = vec![7; 64 << 10];
        let written = (0..100).take_while(|_| file.write(&piece).unwrap() == piece.len()).count();
        assert_eq!(written, 16, "whole pieces");
        assert_eq!(room.full(), Some(crate::room::Full::Size(1 << 20)));
        assert_eq!(file.write(&piece).unwrap(), 0);
        assert_eq!(room.left_out(), 2 * piece.len() as u64);
        assert_eq!(file.finish().unwrap().bytes, 1 << 20);
    }

    #[test]
    fn packed_files_with_what_is_still_in_the_packing_take_no_more_than_the_recording_may() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let room = Arc::new(Room::new(&folder, 1_000_000));
        let names = ["trace.nettrace.zst", "names.nettrace.zst", "samples.nettrace.zst"];
        let mut files = names.map(|name| TraceFile::create(&folder, OsStr::new(name), &room).unwrap());
        // Nothing of it can be packed.
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
        let mut file = TraceFile::create(&folder, name, &room(&folder)).unwrap();
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
            let refused = TraceFile::create(&folder, OsStr::new(name), &room(&folder));
            assert!(matches!(refused, Err(Error::Exists(path)) if path == there.path().join(name)));
        }
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_file_has_its_final_name_from_the_first_byte() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let _file = TraceFile::create(&folder, OsStr::new("trace.nettrace.zst"), &room(&folder)).unwrap();
        assert_eq!(folder.names().unwrap(), ["trace.nettrace.zst"]);
    }
}
