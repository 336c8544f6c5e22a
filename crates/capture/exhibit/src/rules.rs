//! How output is written: who may read it, whom it belongs to, and which places are refused.
//!
//! A place is refused if somebody other than root and us could exchange what lies there. Who that is cannot be told in
//! every case: users and groups are looked up in `/etc/passwd` and `/etc/group` alone, and what these do not show
//! counts as others.

use crate::error::Error;
use crate::group::is_own_group;
use crate::room::MOST_BYTES;
use rustix::fs::{Mode, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::Path;

/// Who may read what is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Only its owner: files have the mode 0600, folders 0700. A recording may hold secrets.
    Owner,
    /// Whoever the umask allows: evidence that is kept with the other files of a project.
    Umask,
}

/// A user and a group, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    uid: u32,
    gid: u32,
}

/// How output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    readers: Readers,
    /// The user who runs us as root with `sudo`. It is set only if we are root.
    caller: Option<Owner>,
    is_insecure: bool,
    /// What all files of one output have at most.
    most_bytes: u64,
}

impl Rules {
    /// Output that only its owner reads, at places that nobody else can change.
    pub const PRIVATE: Self =
        Self { readers: Readers::Owner, caller: None, is_insecure: false, most_bytes: MOST_BYTES };

    /// Sets who may read what is created.
    #[must_use]
    pub fn readable_by(self, readers: Readers) -> Self {
        Self { readers, ..self }
    }

    /// Makes what is created belong to the caller that `sudo` names in `SUDO_UID` and `SUDO_GID`, if we are root. Values
    /// that are not numbers name nobody.
    #[must_use]
    pub fn for_caller(self, uid: Option<&OsStr>, gid: Option<&OsStr>) -> Self {
        let number = |text: Option<&OsStr>| -> Option<u32> {
            text?.to_str()?.parse().ok().filter(|number| *number != u32::MAX)
        };
        let caller = number(uid).zip(number(gid)).map(|(uid, gid)| Owner { uid, gid });
        Self { caller: caller.filter(|_| geteuid().is_root()), ..self }
    }

    /// Allows places that others may change. A link in the place of the output itself is refused all the same.
    #[must_use]
    pub fn insecure(self, is_insecure: bool) -> Self {
        Self { is_insecure, ..self }
    }

    /// Sets how many bytes an output may have; without it, they are [`MOST_BYTES`].
    #[must_use]
    pub fn at_most(self, most_bytes: u64) -> Self {
        Self { most_bytes, ..self }
    }

    pub(crate) fn most_bytes(self) -> u64 {
        self.most_bytes
    }

    pub(crate) fn is_insecure(self) -> bool {
        self.is_insecure
    }

    pub(crate) fn file_mode(self) -> Mode {
        Mode::from_raw_mode(if self.readers == Readers::Owner { 0o600 } else { 0o666 })
    }

    pub(crate) fn folder_mode(self) -> Mode {
        Mode::from_raw_mode(if self.readers == Readers::Owner { 0o700 } else { 0o777 })
    }

    /// The mode that what was created is to get, if it should be its owner's alone and the umask, or a list of further
    /// users, made it something else. Bits beside those of readers stay.
    pub(crate) fn private_mode(self, wanted: Mode, created: &Stat) -> Option<Mode> {
        let is = Mode::from_raw_mode(created.st_mode);
        let bits = Mode::RWXU | Mode::RWXG | Mode::RWXO;
        (self.readers == Readers::Owner && is & bits != wanted).then(|| is.difference(bits) | wanted)
    }

    /// Whether what is created goes to somebody else.
    pub(crate) fn is_given(self) -> bool {
        self.caller.is_some()
    }

    /// Gives what we have created to the caller, if there is one.
    pub(crate) fn give(self, created: impl AsFd, path: &Path) -> Result<(), Error> {
        let Some(Owner { uid, gid }) = self.caller else { return Ok(()) };
        let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        match rustix::fs::fchown(created, Some(uid), Some(gid)) {
            // A file system without owners, or without this one: it stays ours, and nobody reads more for it.
            Err(Errno::PERM | Errno::INVAL | Errno::NOTSUP) => Ok(()),
            given => given.map_err(Error::write(path)),
        }
    }

    /// Whether a user is who runs this: us, or the caller.
    pub(crate) fn is_us(self, uid: u32) -> bool {
        uid == geteuid().as_raw() || self.caller.is_some_and(|caller| caller.uid == uid)
    }

    /// Whether a user cannot be kept from anything, or is who runs this.
    pub(crate) fn is_trusted(self, uid: u32) -> bool {
        uid == 0 || self.is_us(uid)
    }

    /// Who else can exchange what lies in a folder, in words that follow the folder's name; none if nobody can.
    ///
    /// Of others who may write to a sticky folder, each can exchange only what is their own.
    pub(crate) fn who_can_exchange(self, folder: impl AsFd, of: &Stat, shown: &Path) -> Option<String> {
        let is_sticky = Mode::from_raw_mode(of.st_mode).contains(Mode::SVTX);
        self.who_else_writes(folder, of, shown).filter(|who| !is_sticky || who.is_owner).map(|who| who.words)
    }

    /// Whether somebody else may put anything into a folder.
    pub(crate) fn is_shared(self, folder: impl AsFd, of: &Stat) -> bool {
        self.who_else_writes(folder, of, Path::new("")).is_some()
    }

    fn who_else_writes(self, folder: impl AsFd, of: &Stat, shown: &Path) -> Option<Who> {
        let mode = Mode::from_raw_mode(of.st_mode);
        let shown = shown.display();
        let words = if !self.is_trusted(of.st_uid) {
            let words = format!("{shown} belongs to another user ({})", of.st_uid);
            return Some(Who { is_owner: true, words });
        } else if mode.contains(Mode::WOTH) {
            format!("everyone may write to {shown}")
        } else if mode.contains(Mode::WGRP) && !self.is_private(folder, of.st_gid) {
            format!("group {} may write to {shown}", of.st_gid)
        } else {
            return None;
        };
        Some(Who { is_owner: false, words })
    }

    /// Whether only who runs this is in the group that a folder's mode lets write to it.
    fn is_private(self, folder: impl AsFd, gid: u32) -> bool {
        let users = [Some(geteuid().as_raw()), self.caller.map(|caller| caller.uid)];
        users.into_iter().flatten().any(|uid| is_own_group(uid, gid)) && !has_access_list(folder)
    }
}

/// Somebody who may write to a folder.
struct Who {
    /// Whether it is theirs; then no sticky bit keeps them from anything.
    is_owner: bool,
    words: String,
}

/// Whether a folder has a list of further users: then the mode's bits of the group are the most that any of them may do.
#[cfg(target_os = "linux")]
fn has_access_list(folder: impl AsFd) -> bool {
    use rustix::fs::OFlags;
    // The handle itself may be one that can only be walked through.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = rustix::fs::openat(folder, ".", flags, Mode::empty()) else { return true };
    let mut list = [0u8; 0];
    let size = rustix::fs::fgetxattr(&folder, "system.posix_acl_access", &mut list[..]);
    matches!(size, Ok(1..))
}

/// Lists of further users do not show in the mode here.
#[cfg(not(target_os = "linux"))]
fn has_access_list(_folder: impl AsFd) -> bool {
    false
}
