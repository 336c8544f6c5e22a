//! How output is written: who may read it, whom it belongs to, and which places are refused.
//!
//! A place is refused if anybody but root and us could exchange what lies there. Users and groups are looked up only in
//! `/etc/passwd` and `/etc/group`: users of a directory service are not in them, and count as others.

use crate::budget::MAX_BYTES;
use crate::error::Error;
use crate::group::is_own_group;
use rustix::fs::{Mode, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::Path;

/// Who may read what is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Only the owner, since a recording may hold secrets: files have the mode 0600, folders 0700.
    Owner,
    /// Whoever the umask allows, for evidence that is kept with the other files of a project.
    Umask,
}

/// The ids of a user and a group.
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
    /// The limit for all files of an output together.
    most_bytes: u64,
}

impl Rules {
    /// Output that only its owner may read, at places that nobody else can change.
    pub const PRIVATE: Self =
        Self { readers: Readers::Owner, caller: None, is_insecure: false, most_bytes: MAX_BYTES };

    /// Sets who may read what is created.
    #[must_use]
    pub fn readable_by(self, readers: Readers) -> Self {
        Self { readers, ..self }
    }

    /// If we are root, makes what is created belong to the user whom `sudo` names in `SUDO_UID` and `SUDO_GID`. Values that are
    /// not numbers are ignored.
    #[must_use]
    pub fn for_caller(self, uid: Option<&OsStr>, gid: Option<&OsStr>) -> Self {
        let number = |text: Option<&OsStr>| -> Option<u32> {
            // `chown` takes the largest number for "leave as it is".
            text?.to_str()?.parse().ok().filter(|number| *number != u32::MAX)
        };
        let caller = number(uid).zip(number(gid)).map(|(uid, gid)| Owner { uid, gid });
        Self { caller: caller.filter(|_| geteuid().is_root()), ..self }
    }

    /// Allows places that others may change. A link at the place of the output itself is still refused.
    #[must_use]
    pub fn insecure(self, is_insecure: bool) -> Self {
        Self { is_insecure, ..self }
    }

    /// Limits the size of an output, which is otherwise [`MAX_BYTES`].
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

    /// The mode to set on what was created, if it is private and its permissions are not those wanted: a umask or an access
    /// list may have changed them. Other bits of the mode stay.
    pub(crate) fn private_mode(self, wanted: Mode, created: &Stat) -> Option<Mode> {
        let is = Mode::from_raw_mode(created.st_mode);
        let bits = Mode::RWXU | Mode::RWXG | Mode::RWXO;
        (self.readers == Readers::Owner && is & bits != wanted).then(|| is.difference(bits) | wanted)
    }

    /// Whether what is created is given to the caller of `sudo`.
    pub(crate) fn is_given(self) -> bool {
        self.caller.is_some()
    }

    /// Gives what we have created to the caller of `sudo`, if there is one.
    pub(crate) fn give(self, created: impl AsFd, path: &Path) -> Result<(), Error> {
        let Some(Owner { uid, gid }) = self.caller else { return Ok(()) };
        let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        match rustix::fs::fchown(created, Some(uid), Some(gid)) {
            // The file system has no owners, or does not know this one. The file stays ours, which lets nobody else read it.
            Err(Errno::PERM | Errno::INVAL | Errno::NOTSUP) => Ok(()),
            given => given.map_err(Error::write(path)),
        }
    }

    /// Whether a user is us, or the caller of `sudo`.
    pub(crate) fn is_us(self, uid: u32) -> bool {
        uid == geteuid().as_raw() || self.caller.is_some_and(|caller| caller.uid == uid)
    }

    /// Whether a user is root, whom nothing can keep out, or us.
    pub(crate) fn is_trusted(self, uid: u32) -> bool {
        uid == 0 || self.is_us(uid)
    }

    /// Who else can exchange what lies in a folder, as a sentence that names the folder by `shown`; `None` if nobody can.
    ///
    /// In a sticky folder, others can exchange only their own files, unless they own the folder.
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

    /// Whether a group, which a folder's mode lets write to it, is our own.
    fn is_private(self, folder: impl AsFd, gid: u32) -> bool {
        let users = [Some(geteuid().as_raw()), self.caller.map(|caller| caller.uid)];
        users.into_iter().flatten().any(|uid| is_own_group(uid, gid)) && !has_access_list(folder)
    }
}

/// Somebody who may write to a folder.
struct Who {
    /// Whether they own the folder, so that the sticky bit does not stop them.
    is_owner: bool,
    words: String,
}

/// Whether a folder has an access control list. The group bits of its mode are then the most that any listed user may do.
#[cfg(target_os = "linux")]
fn has_access_list(folder: impl AsFd) -> bool {
    use rustix::fs::OFlags;
    // The handle itself may be an `O_PATH` one, of which no attributes can be read.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = rustix::fs::openat(folder, ".", flags, Mode::empty()) else { return true };
    let mut list = [0u8; 0];
    let size = rustix::fs::fgetxattr(&folder, "system.posix_acl_access", &mut list[..]);
    matches!(size, Ok(1..))
}

/// On this system, access control lists do not change the group bits of the mode.
#[cfg(not(target_os = "linux"))]
fn has_access_list(_folder: impl AsFd) -> bool {
    false
}
