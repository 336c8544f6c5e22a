//! What a recording may take of the disk.
//!
//! Two limits: a size in all, and what stays free of the file system, so that a recording never fills the disk of the
//! service that it is of. Both are looked at while files are written. At a limit the recording ends as it does when it is
//! asked to; a part of the room is left for the names that the runtime sends then, and behind it nothing is written.
//!
//! ```text
//!  0 ──────────── recording ────────────┬── names at the end ──┬── nothing is written
//!                                       ENDING before the limit  the limit
//! ```
//!
//! Others fill the disk, too, so a write may fail between two looks. That is the same end: what does not fit is counted,
//! and what is needed to end each file was set apart for it before.

use crate::error::Error;
use dotnet_ipc::session::MOST_PER_SECOND;
use exhibit::{Folder, Space};
use serde::Serialize;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What a recording may take unless the user says otherwise: at 100 MB/s of events, which pack to an eighth, three quarters
/// of an hour; at the usual 1 MB/s, three days.
pub const MOST_BYTES: u64 = 32_000_000_000;
/// The part of a limit that is left for the end: the names of a million methods pack to 60 MB.
const ENDING_PART: u64 = 8;
/// Bytes of events between two looks at the disk. At the fastest rate that is read, 100 looks per second.
const LOOK_EVERY: u64 = 2 << 20;
/// What is set apart for the end of a packed file, at most: the packing holds up to one block (128 KiB) and its buffer
/// (32 KiB) when the disk is full.
pub(crate) const TAIL: u64 = 160 << 10;
/// Room is set apart in steps, at most this large, so that not every write asks for it.
const STEP: u64 = 1 << 20;
/// On a small file system both are smaller: a recording has up to four files at once.
const TAIL_PART: u64 = 32;
const STEP_PART: u64 = 64;

/// Which limit ended a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// It has so many bytes, which is nearly all that it may.
    Size(u64),
    /// So many bytes are free on the disk, and no more may be taken. 0 if a write failed since the disk, or what the user
    /// may take of it, is full.
    Disk(u64),
}

impl Full {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Size(most) => {
                format!("the recording may take {} on the disk (--max-size)", in_words(most))
            }
            Self::Disk(0..1000) => "the disk is full, or what you may take of it".to_owned(),
            Self::Disk(free) => {
                format!("the disk has {} left, and a recording does not fill it", in_words(free))
            }
        }
    }
}

/// A size for people: whole megabytes, or kilobytes below the first.
fn in_words(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{} kB", bytes / 1000) } else { format!("{} MB", bytes / 1_000_000) }
}

/// What was not recorded since a limit was reached, as `exhibit.toml` has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Limits {
    /// Bytes that the recording may take of the disk, if that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// Bytes that were left free on the disk, if that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_free: Option<u64>,
    /// Bytes of events that came and were not written.
    left_out_bytes: u64,
    /// How long the runtime was read more slowly than it sent.
    held_back_seconds: f64,
}

impl Limits {
    /// Below this, it is not worth a word that the runtime was read more slowly than it sent.
    const LEAST_HELD_BACK: Duration = Duration::from_millis(100);

    /// The limits that were reached; `None` if none was.
    pub(crate) fn of(room: &Room, held_back: Duration) -> Option<Self> {
        let full = room.full();
        let held_back = if held_back < Self::LEAST_HELD_BACK { Duration::ZERO } else { held_back };
        (full.is_some() || !held_back.is_zero()).then(|| Self {
            size: full.and_then(|full| if let Full::Size(most) = full { Some(most) } else { None }),
            disk_free: full.and_then(|full| if let Full::Disk(free) = full { Some(free) } else { None }),
            left_out_bytes: room.left_out(),
            held_back_seconds: held_back.as_secs_f64(),
        })
    }

    /// In sentences.
    pub(crate) fn notes(&self) -> Vec<String> {
        let (bytes, seconds) = (self.left_out_bytes, self.held_back_seconds);
        let left_out = (bytes > 0).then(|| {
            format!("{bytes} bytes of events came and were not written: the recording had no room for them")
        });
        let held_back = (seconds > 0.0).then(|| {
            format!(
                "more than {} MB per second came: the runtime was read more slowly for {seconds:.1} s, and drops what its \
                 buffer does not hold",
                MOST_PER_SECOND / 1_000_000
            )
        });
        left_out.into_iter().chain(held_back).collect()
    }
}

/// Whether the disk has room for a recording that does not exist yet.
pub(crate) fn check_disk(out: &Path, most: u64) -> Result<(), Error> {
    look_at(out, most).map_or(Ok(()), |full| Err(Error::NoRoom(full)))
}

/// Whether the disk that a file lies on, or will lie on, has no more room than what stays free.
pub fn disk_full(path: &Path) -> Option<Full> {
    look_at(path, MOST_BYTES)
}

fn look_at(path: &Path, most: u64) -> Option<Full> {
    let nearest = path.ancestors().find_map(|path| Folder::open(path).ok())?;
    let room = Room::new(&nearest, most);
    room.look();
    room.full()
}

/// What the files of a recording share.
#[derive(Debug)]
pub(crate) struct Room {
    folder: Folder,
    most: u64,
    /// Bytes of its files.
    taken: AtomicU64,
    /// Bytes of events since the disk was looked at.
    since_look: AtomicU64,
    full: OnceLock<Full>,
    is_over: AtomicBool,
    /// Whether a write failed for want of room.
    ran_out: AtomicBool,
    /// What is set apart for the end of a file, and the step.
    apart: (u64, u64),
    /// Bytes of events that came and were not written.
    left_out: AtomicU64,
}

impl Room {
    pub(crate) fn new(folder: &Folder, most: u64) -> Self {
        let total = folder.space().map_or(u64::MAX, |space| space.total);
        Self {
            folder: folder.clone(),
            apart: ((total / TAIL_PART).min(TAIL), (total / STEP_PART).min(STEP)),
            ran_out: AtomicBool::new(false),
            most,
            taken: AtomicU64::new(0),
            since_look: AtomicU64::new(0),
            full: OnceLock::new(),
            is_over: AtomicBool::new(false),
            left_out: AtomicU64::new(0),
        }
    }

    /// Which limit is reached, if one is.
    pub(crate) fn full(&self) -> Option<Full> {
        self.full.get().copied()
    }

    /// Whether nothing more is written.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Bytes of events that came and were not written.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    pub(crate) fn leave_out(&self, bytes: u64) {
        self.left_out.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts what a file grew by, for so many bytes of events, and looks at the disk when it is time.
    pub(crate) fn take(&self, bytes: u64, of_events: u64) {
        let taken = self.taken.fetch_add(bytes, Ordering::AcqRel).saturating_add(bytes);
        self.judge(taken, None);
        if self.since_look.fetch_add(of_events, Ordering::AcqRel).saturating_add(of_events) >= LOOK_EVERY {
            self.look();
        }
    }

    /// Takes an error of writing: if the disk is full, nothing more is written, and it is no error but the end. Any other
    /// error is returned.
    pub(crate) fn end_if_full(&self, error: std::io::Error) -> std::io::Result<()> {
        if !exhibit::is_full(&error) {
            return Err(error);
        }
        self.full.get_or_init(|| Full::Disk(0));
        self.ran_out.store(true, Ordering::Release);
        self.is_over.store(true, Ordering::Release);
        Ok(())
    }

    /// Takes note of an error of creating a file: a full disk ends the recording.
    pub(crate) fn note(&self, error: &Error) {
        if let Error::Write { cause, .. } = error {
            // Any other error is already on its way to the caller.
            drop(self.end_if_full(cause.kind().into()));
        }
    }

    /// Whether a write failed for want of room: what is there is less than what came, whatever ended the recording.
    pub(crate) fn ran_out(&self) -> bool {
        self.ran_out.load(Ordering::Acquire)
    }

    /// What is set apart for the end of a file, and in which steps.
    pub(crate) fn apart(&self) -> (u64, u64) {
        self.apart
    }

    /// How many bytes may still be taken of the size in all.
    pub(crate) fn left(&self) -> u64 {
        self.most.saturating_sub(self.taken.load(Ordering::Acquire))
    }

    /// Counts what a file grew by, or became shorter.
    pub(crate) fn recount(&self, before: u64, now: u64) {
        self.take(now.saturating_sub(before), 0);
        self.give_back(before.saturating_sub(now));
    }

    /// Counts a file that was removed.
    pub(crate) fn give_back(&self, bytes: u64) {
        // Whoever adds at the same time does so before or behind this; it never falls below nothing.
        let less = |taken: u64| Some(taken.saturating_sub(bytes));
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).ok();
    }

    /// Looks at the disk.
    pub(crate) fn look(&self) {
        self.since_look.store(0, Ordering::Release);
        self.judge(self.taken.load(Ordering::Acquire), self.folder.space());
    }

    /// Whether so many bytes more would leave the disk with what stays free.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        self.folder.space().is_none_or(|space| space.free.saturating_sub(bytes) > space.kept_free())
    }

    fn judge(&self, taken: u64, space: Option<Space>) {
        let ending = self.most / ENDING_PART;
        if taken >= self.most.saturating_sub(ending) {
            self.full.get_or_init(|| Full::Size(self.most));
        }
        let mut is_over = taken >= self.most;
        if let Some(space) = space {
            let free = space.kept_free();
            if space.free <= free {
                self.full.get_or_init(|| Full::Disk(space.free));
            }
            is_over |= space.free <= free.saturating_sub(free / ENDING_PART);
        }
        if is_over {
            self.is_over.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stays free of a large disk.
    const FREE: u64 = 1 << 30;

    fn check(most: u64, taken: u64, space: Option<Space>, expected: (Option<Full>, bool)) {
        let there = tempfile::tempdir().unwrap();
        let room = Room::new(&Folder::open(there.path()).unwrap(), most);
        room.judge(taken, space);
        assert_eq!((room.full(), room.is_over()), expected, "{taken} of {most}, {space:?}");
    }

    #[test]
    fn a_recording_that_reaches_its_size_ends_before_it_passes_it() {
        check(8000, 6999, None, (None, false));
        check(8000, 7000, None, (Some(Full::Size(8000)), false));
        check(8000, 8000, None, (Some(Full::Size(8000)), true));
    }

    #[test]
    fn a_disk_is_never_filled() {
        let large = |free| Some(Space { free, total: 1 << 40 });
        check(MOST_BYTES, 0, large(FREE + 1), (None, false));
        check(MOST_BYTES, 0, large(FREE), (Some(Full::Disk(FREE)), false));
        check(MOST_BYTES, 0, large(FREE / 8 * 7), (Some(Full::Disk(FREE / 8 * 7)), true));
        // A small one keeps a twentieth.
        check(MOST_BYTES, 0, Some(Space { free: 5001, total: 100_000 }), (None, false));
        check(MOST_BYTES, 0, Some(Space { free: 4000, total: 100_000 }), (Some(Full::Disk(4000)), true));
    }

    #[test]
    fn what_is_removed_may_be_taken_again() {
        let there = tempfile::tempdir().unwrap();
        let room = Room::new(&Folder::open(there.path()).unwrap(), 1000);
        for _ in 0..100 {
            room.take(500, 500);
            room.give_back(500);
        }
        room.give_back(1);
        assert_eq!((room.full(), room.taken.load(Ordering::Acquire)), (None, 0));
    }
}
