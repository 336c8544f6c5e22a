//! A packed file of a trace that can be read at any time, however its writing ended.
//!
//! It has its final name from the first byte. What was given to it is on its way to the disk within half a
//! second, at an end of a block of the packing, so that whoever kills this process loses no more than that.

use crate::error::Error;
use crate::room::Room;
use base::time::Stopwatch;
use exhibit::{Folder, Hashed};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long bytes may wait in the packing.
const FLUSH_EVERY: Duration = Duration::from_millis(400);
/// The packing's effort, less than the usual least: the processor it takes may be the subject's. Measured on a recording:
/// a quarter less time than level 1 for a fourteenth more bytes.
const LEVEL: i32 = -1;

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
    /// Bytes of the file that its room knows of.
    counted: u64,
    since_flush: Stopwatch,
    dirty: bool,
}

impl std::fmt::Debug for TraceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceFile").field("path", &self.path).finish_non_exhaustive()
    }
}

enum Out {
    Packed(zstd::stream::write::Encoder<'static, Hashed<File>>),
    Plain(Hashed<File>),
}

impl TraceFile {
    /// Creates a file, which must not be there. It is packed if its name ends in `.zst`.
    pub(crate) fn create(folder: &Folder, name: &OsStr, room: &Arc<Room>) -> Result<Self, Error> {
        let path = folder.path_of(name);
        let file = folder.create_file(name)?;
        // The lock tells other recorders that the file is still written. Some file systems have no locks.
        drop(file.try_lock());
        let out = Out::new(Hashed::new(file), &path).map_err(Error::write(&path))?;
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            path,
            out,
            room: Arc::clone(room),
            raw_bytes: 0,
            counted: 0,
            since_flush: Stopwatch::start(),
            dirty: false,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds bytes, if the recording has room for them; whether it has.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<bool> {
        if self.room.is_over() {
            self.room.leave_out(bytes.len() as u64);
            return Ok(false);
        }
        match &mut self.out {
            Out::Packed(packer) => packer.write_all(bytes)?,
            Out::Plain(file) => file.write_all(bytes)?,
        }
        self.raw_bytes = self.raw_bytes.saturating_add(bytes.len() as u64);
        self.dirty = true;
        self.count(bytes.len());
        Ok(true)
    }

    /// Tells the room what the file has grown by.
    fn count(&mut self, of_events: usize) {
        let bytes = match &self.out {
            Out::Packed(packer) => packer.get_ref().bytes(),
            Out::Plain(file) => file.bytes(),
        };
        self.room.take(bytes.saturating_sub(self.counted), of_events as u64);
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
        match &mut self.out {
            Out::Packed(packer) => packer.flush()?,
            Out::Plain(file) => file.flush()?,
        }
        self.count(0);
        // Others fill the disk, too.
        self.room.look();
        Ok(())
    }

    /// Ends the file. After an error what was flushed before can still be read.
    pub(crate) fn finish(self) -> std::io::Result<Written> {
        let hashed = match self.out {
            Out::Packed(packer) => packer.finish()?,
            Out::Plain(file) => file,
        };
        let (file, sum) = hashed.finish();
        file.sync_all()?;
        Ok(Written { name: self.name, bytes: sum.bytes, raw_bytes: self.raw_bytes, blake3: sum.blake3 })
    }
}

impl Out {
    fn new(file: Hashed<File>, path: &Path) -> std::io::Result<Self> {
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
        let written = (0..100).take_while(|_| file.write(&piece).unwrap()).count();
        assert!((14..=16).contains(&written), "{written} pieces");
        assert_eq!(room.full(), Some(crate::room::Full::Size(1 << 20)));
        assert!(!file.write(&piece).unwrap());
        assert_eq!(room.left_out(), 2 * piece.len() as u64);
        assert_eq!(file.finish().unwrap().bytes, (written * piece.len()) as u64);
    }

    #[test]
    fn what_was_flushed_can_be_read_while_the_file_is_written() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let name = OsStr::new("trace.nettrace.zst");
        let path = there.path().join(name);
        let mut file = TraceFile::create(&folder, name, &room(&folder)).unwrap();
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        assert!(file.write(&bytes).unwrap());
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
