//! How much of the disk a recording may take.
//!
//! There are two limits: the size of the recording, and room on the disk that stays free, so that a recording never fills
//! the disk of the service. Both are checked while files are written. A recording ends shortly before a limit, as it does
//! when it is asked to. The rest is for the method names that the runtime then sends; at the limit itself, nothing more
//! is written.
//!
//! ```text
//!  0 ──────────── recording ────────────┬── names at the end ──┬── nothing is written
//!                                       7/8 of the limit       the limit
//! ```
//!
//! Others use the disk too, so a write may fail between two checks. That ends the recording in the same way: what does not
//! fit is counted, and room for the end of each file was preallocated before.

use crate::error::Error;
use crate::limit::DiskLimit;
use dotnet_ipc::session::MAX_PER_SECOND;
use exhibit::{Folder, Space};
use serde::Serialize;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The largest recording in bytes, unless the user says otherwise. At the usual 1 MB/s of events, which compress to an eighth,
/// that is three days; at 100 MB/s it is three quarters of an hour.
pub const MAX_BYTES: u64 = 32_000_000_000;
/// The part of a limit that is kept for the end: an eighth. The names of a million methods compress to 60 MB.
const ENDING_PART: u64 = 8;
/// Bytes of events between two checks of the disk. At the fastest rate that is read, that is 100 checks per second.
const CHECK_EVERY: u64 = 2 << 20;
/// Bytes that are preallocated for the end of a compressed file: when the disk is full, the compressor holds up to one block
/// (128 KiB) and a buffer (32 KiB).
pub(crate) const TAIL: u64 = 160 << 10;
/// Room is preallocated in steps of this size, so that few writes have to do so.
const STEP: u64 = 1 << 20;
/// On a small file system both are limited to this part of it, since a recording writes up to four files at once.
const TAIL_PART: u64 = 32;
const STEP_PART: u64 = 64;

/// What was not recorded because a limit was reached: the `limits` table of `exhibit.toml`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct LimitsReached {
    /// The limit of the recording's size in bytes, if that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// The bytes that were free on the disk, if that ended it; 0 if a write failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_free: Option<u64>,
    /// Bytes of events that came and were not written.
    left_out_bytes: u64,
    /// How long the runtime was read more slowly than it sent.
    held_back_seconds: f64,
}

impl LimitsReached {
    /// Shorter times are not reported.
    const MIN_HELD_BACK: Duration = Duration::from_millis(100);

    /// The limits that were reached, if any.
    pub(crate) fn of(budget: &DiskBudget, held_back: Duration) -> Option<Self> {
        let full = budget.limit();
        let held_back = if held_back < Self::MIN_HELD_BACK { Duration::ZERO } else { held_back };
        (full.is_some() || !held_back.is_zero()).then(|| Self {
            size: if let Some(DiskLimit::Size(most)) = full { Some(most) } else { None },
            disk_free: match full {
                Some(DiskLimit::Disk(free)) => Some(free),
                Some(DiskLimit::DiskFull) => Some(0),
                Some(DiskLimit::Size(_)) | None => None,
            },
            left_out_bytes: budget.left_out(),
            held_back_seconds: held_back.as_secs_f64(),
        })
    }

    /// In sentences.
    pub(crate) fn notes(&self) -> Vec<String> {
        let (bytes, seconds) = (self.left_out_bytes, self.held_back_seconds);
        let left_out = (bytes > 0).then(|| {
            format!(
                "{bytes} bytes of events were received but not written: the recording had reached its limit"
            )
        });
        let held_back = (seconds > 0.0).then(|| {
            format!(
                "the runtime sent more than {} MB per second: it was read more slowly for {seconds:.1} s, and drops events \
                 that its buffer cannot hold",
                MAX_PER_SECOND / 1_000_000
            )
        });
        left_out.into_iter().chain(held_back).collect()
    }
}

/// Fails if the disk has no room for a recording that does not exist yet.
pub(crate) fn check_disk(out: &Path, most: u64) -> Result<(), Error> {
    check_at(out, most).map_or(Ok(()), |full| Err(Error::NoRoom(full)))
}

/// The limit that an output at this path has reached already, before anything of it is written; `None` if the disk has room.
pub fn disk_full(path: &Path) -> Option<DiskLimit> {
    check_at(path, MAX_BYTES)
}

fn check_at(path: &Path, most: u64) -> Option<DiskLimit> {
    // The path itself may not exist yet.
    let nearest = path.ancestors().find_map(|path| Folder::open(path).ok())?;
    let budget = DiskBudget::new(&nearest, most);
    budget.check_disk();
    budget.limit()
}

/// How large preallocated room is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preallocation {
    /// Bytes for the end of a file.
    pub(crate) tail: u64,
    /// Bytes by which the room grows.
    pub(crate) step: u64,
}

/// How much of the disk the files of a recording may take together.
#[derive(Debug)]
pub(crate) struct DiskBudget {
    folder: Folder,
    most: u64,
    /// Bytes of the files.
    taken: AtomicU64,
    /// Bytes of events since the disk was checked.
    since_check: AtomicU64,
    /// The limit that was reached first.
    limit: OnceLock<DiskLimit>,
    is_over: AtomicBool,
    /// Whether a write failed because the disk is full.
    ran_out: AtomicBool,
    preallocation: Preallocation,
    /// Bytes of events that were received but not written.
    left_out: AtomicU64,
}

impl DiskBudget {
    pub(crate) fn new(folder: &Folder, most: u64) -> Self {
        // A file system that does not report its size counts as a large one.
        let total = folder.space().map_or(u64::MAX, |space| space.total);
        Self {
            folder: folder.clone(),
            preallocation: Preallocation {
                tail: (total / TAIL_PART).min(TAIL),
                step: (total / STEP_PART).min(STEP),
            },
            ran_out: AtomicBool::new(false),
            most,
            taken: AtomicU64::new(0),
            since_check: AtomicU64::new(0),
            limit: OnceLock::new(),
            is_over: AtomicBool::new(false),
            left_out: AtomicU64::new(0),
        }
    }

    /// The limit that was reached, or nearly, if one was.
    pub(crate) fn limit(&self) -> Option<DiskLimit> {
        self.limit.get().copied()
    }

    /// Whether nothing more is written.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Bytes of events that were received but not written.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    pub(crate) fn leave_out(&self, bytes: u64) {
        self.left_out.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts the bytes that a file grew by, for `of_events` bytes of events, and checks the disk when it is time.
    pub(crate) fn take(&self, bytes: u64, of_events: u64) {
        let taken = self.taken.fetch_add(bytes, Ordering::AcqRel).saturating_add(bytes);
        self.judge(taken, None);
        if self.since_check.fetch_add(of_events, Ordering::AcqRel).saturating_add(of_events) >= CHECK_EVERY {
            self.check_disk();
        }
    }

    /// Handles an error of writing. A full disk ends the recording, which is not an error: nothing more is written. Any other
    /// error is returned.
    pub(crate) fn end_if_full(&self, error: std::io::Error) -> std::io::Result<()> {
        if !exhibit::is_full(&error) {
            return Err(error);
        }
        self.limit.get_or_init(|| DiskLimit::DiskFull);
        self.ran_out.store(true, Ordering::Release);
        self.is_over.store(true, Ordering::Release);
        Ok(())
    }

    /// Handles an error of creating a file: a full disk ends the recording.
    pub(crate) fn note(&self, error: &Error) {
        if let Error::Write { cause, .. } = error {
            // The caller has any other error already.
            drop(self.end_if_full(cause.kind().into()));
        }
    }

    /// Whether a write failed because the disk is full. Then less was written than came, whatever ended the recording.
    pub(crate) fn ran_out(&self) -> bool {
        self.ran_out.load(Ordering::Acquire)
    }

    pub(crate) fn preallocation(&self) -> Preallocation {
        self.preallocation
    }

    /// The bytes that are left of the recording's size.
    pub(crate) fn left(&self) -> u64 {
        self.most.saturating_sub(self.taken.load(Ordering::Acquire))
    }

    /// Counts the change of a file's size.
    pub(crate) fn recount(&self, before: u64, now: u64) {
        self.take(now.saturating_sub(before), 0);
        self.give_back(before.saturating_sub(now));
    }

    /// Counts a file that was removed.
    pub(crate) fn give_back(&self, bytes: u64) {
        // Other threads may add at the same time, so the subtraction must be atomic; it stops at 0.
        let less = |taken: u64| Some(taken.saturating_sub(bytes));
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).ok();
    }

    /// Checks how much of the disk is free.
    pub(crate) fn check_disk(&self) {
        self.since_check.store(0, Ordering::Release);
        self.judge(self.taken.load(Ordering::Acquire), self.folder.space());
    }

    /// Whether the disk has room for so many more bytes beside what stays free.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        self.folder.space().is_none_or(|space| space.free.saturating_sub(bytes) > space.kept_free())
    }

    /// Notes whether the recording must end, or has reached a limit.
    fn judge(&self, taken: u64, space: Option<Space>) {
        let ending = self.most / ENDING_PART;
        if taken >= self.most.saturating_sub(ending) {
            self.limit.get_or_init(|| DiskLimit::Size(self.most));
        }
        let mut is_over = taken >= self.most;
        if let Some(space) = space {
            let free = space.kept_free();
            if space.free <= free {
                self.limit.get_or_init(|| DiskLimit::Disk(space.free));
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

    fn check(most: u64, taken: u64, space: Option<Space>, expected: (Option<DiskLimit>, bool)) {
        let there = tempfile::tempdir().unwrap();
        let budget = DiskBudget::new(&Folder::open(there.path()).unwrap(), most);
        budget.judge(taken, space);
        assert_eq!((budget.limit(), budget.is_over()), expected, "{taken} of {most}, {space:?}");
    }

    #[test]
    fn a_recording_that_reaches_its_size_ends_before_it_passes_it() {
        check(8000, 6999, None, (None, false));
        check(8000, 7000, None, (Some(DiskLimit::Size(8000)), false));
        check(8000, 8000, None, (Some(DiskLimit::Size(8000)), true));
    }

    #[test]
    fn a_disk_is_never_filled() {
        let large = |free| Some(Space { free, total: 1 << 40 });
        check(MAX_BYTES, 0, large(FREE + 1), (None, false));
        check(MAX_BYTES, 0, large(FREE), (Some(DiskLimit::Disk(FREE)), false));
        check(MAX_BYTES, 0, large(FREE / 8 * 7), (Some(DiskLimit::Disk(FREE / 8 * 7)), true));
        // On a small disk, a twentieth stays free.
        check(MAX_BYTES, 0, Some(Space { free: 5001, total: 100_000 }), (None, false));
        check(MAX_BYTES, 0, Some(Space { free: 4000, total: 100_000 }), (Some(DiskLimit::Disk(4000)), true));
    }

    #[test]
    fn what_is_removed_may_be_taken_again() {
        let there = tempfile::tempdir().unwrap();
        let budget = DiskBudget::new(&Folder::open(there.path()).unwrap(), 1000);
        for _ in 0..100 {
            budget.take(500, 500);
            budget.give_back(500);
        }
        budget.give_back(1);
        assert_eq!((budget.limit(), budget.taken.load(Ordering::Acquire)), (None, 0));
    }
}
