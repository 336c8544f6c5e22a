//! How large an output may get: a limit of its size, and room on the disk that always stays free.
//!
//! A small input can lead to a very large output, which its reader may not expect. So every output that grows with its input
//! passes through a [`Limited`] writer, which refuses what goes beyond its [`OutputBudget`].

use rustix::fs::fstatvfs;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// The largest output in bytes, unless the user says otherwise: more than the tables of an hour's recording, and less than a
/// disk.
pub const MAX_BYTES: u64 = 10_000_000_000;
/// Room that stays free on a disk: 1 GiB, or on a small disk a twentieth of it.
const FREE: u64 = 1 << 30;
const FREE_PART: u64 = 20;
/// Bytes after which the disk is checked again. A smaller output is written wherever it fits.
const LOOK_EVERY: u64 = 8 << 20;

/// The size of a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free for users without privileges.
    pub free: u64,
    /// In all.
    pub total: u64,
}

impl Space {
    /// The size of the file system that an open file or folder lies on; `None` if it does not say.
    pub(crate) fn of(open: impl AsFd) -> Option<Self> {
        let of = fstatvfs(open).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(of.f_frsize);
        // Some file systems, such as `/proc`, report a size of 0.
        (of.f_blocks > 0).then(|| Self { free: bytes(of.f_bavail), total: bytes(of.f_blocks) })
    }

    /// The bytes that stay free, so that no output fills the disk of a service.
    pub fn kept_free(self) -> u64 {
        (self.total / FREE_PART).min(FREE)
    }
}

/// The limit that an output reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The output's own limit, in bytes.
    Size(u64),
    /// The disk: so many bytes are free, and they stay free.
    Disk(u64),
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Size(most) => write!(
                f,
                "it would be larger than {}: ask for less, or raise the limit with --max-size",
                in_words(most)
            ),
            Self::Disk(free) => {
                write!(f, "the disk has only {} left, which stay free", in_words(free))
            }
        }
    }
}

impl std::error::Error for Full {}

/// A size in whole units. Gigabytes are used from 10 GB on, and for whole gigabytes; 1.5 GB are 1500 MB.
fn in_words(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ if bytes >= 10_000_000_000 || bytes.is_multiple_of(1_000_000_000) => {
            format!("{} GB", bytes / 1_000_000_000)
        }
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// What the files of one output may take together. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct OutputBudget {
    most: u64,
    taken: Arc<AtomicU64>,
    full: Arc<OnceLock<Full>>,
}

impl OutputBudget {
    pub(crate) fn new(most: u64) -> Self {
        Self { most, taken: Arc::default(), full: Arc::default() }
    }

    /// The limit that was reached, if one was.
    pub(crate) fn full(&self) -> Option<Full> {
        self.full.get().copied()
    }

    fn take(&self, bytes: u64) -> Result<(), Full> {
        let taken = self.taken.fetch_add(bytes, Ordering::AcqRel).saturating_add(bytes);
        if taken > self.most { Err(self.refuse(Full::Size(self.most))) } else { Ok(()) }
    }

    fn look(&self, space: Option<Space>, bytes: u64) -> Result<(), Full> {
        let full = space.filter(|space| space.free.saturating_sub(bytes) <= space.kept_free());
        full.map_or(Ok(()), |space| Err(self.refuse(Full::Disk(space.free))))
    }

    fn refuse(&self, full: Full) -> Full {
        *self.full.get_or_init(|| full)
    }
}

/// A writer that refuses what goes beyond a limit: all of a write, or nothing.
#[derive(Debug)]
pub struct Limited<W> {
    out: W,
    room: OutputBudget,
    /// The size of the disk; `None` if the output does not lie on one.
    space: fn(&W) -> Option<Space>,
    since_look: u64,
}

impl<W> Limited<W> {
    /// A writer to something other than a disk, such as another program.
    pub fn stream(out: W, most: u64) -> Self {
        Self { out, room: OutputBudget::new(most), space: |_| None, since_look: 0 }
    }
}

impl<W: AsFd> Limited<W> {
    /// A writer to a file on a disk, some of which stays free.
    pub(crate) fn file(out: W, room: &OutputBudget) -> Self {
        Self { out, room: room.clone(), space: |out| Space::of(out), since_look: 0 }
    }
}

impl<W: Write> Write for Limited<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len() as u64;
        let refused = |full: Full| io::Error::new(io::ErrorKind::FileTooLarge, full);
        self.room.take(len).map_err(refused)?;
        self.since_look = self.since_look.saturating_add(len);
        if self.since_look >= LOOK_EVERY {
            self.since_look = 0;
            self.room.look((self.space)(&self.out), len).map_err(refused)?;
        }
        self.out.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The writer that a closure gets to write a file.
pub type Output<'a> = BufWriter<Limited<&'a File>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_input_makes_grow_ends_at_its_size_and_says_which() {
        let mut out = Limited::stream(Vec::new(), 10);
        out.write_all(b"12345").unwrap();
        out.write_all(b"67890").unwrap();
        let error = out.write_all(b"1").unwrap_err();
        assert_eq!(out.out, b"1234567890");
        let expected = "it would be larger than 10 bytes: ask for less, or raise the limit with --max-size";
        assert_eq!(error.to_string(), expected);
        assert_eq!(out.room.full(), Some(Full::Size(10)));
    }

    #[test]
    fn a_disk_is_never_filled() {
        let room = || OutputBudget::new(MAX_BYTES);
        let large = |free| Some(Space { free, total: 1 << 40 });
        assert_eq!(room().look(large(FREE + 2), 1), Ok(()));
        assert_eq!(room().look(large(FREE + 1), 1), Err(Full::Disk(FREE + 1)));
        // On a small disk, a twentieth stays free.
        let small = |free| Some(Space { free, total: 100_000 });
        assert_eq!(room().look(small(5_002), 1), Ok(()));
        assert_eq!(room().look(small(5_001), 1), Err(Full::Disk(5_001)));
        assert_eq!(room().look(None, 1), Ok(()));
    }

    #[test]
    fn sizes_are_said_in_whole_units() {
        let sizes = [999, 20_000, 64 << 20, 1_000_000_000, 1_500_000_000, MAX_BYTES, 12_345_678_901];
        let words = ["999 bytes", "20 kB", "67 MB", "1 GB", "1500 MB", "10 GB", "12 GB"];
        assert_eq!(sizes.map(in_words), words);
    }
}
