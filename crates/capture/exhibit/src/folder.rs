//! A folder that is held open, and the files in it.
//!
//! Files are opened by their own names, relative to the folder's handle. So whoever renames the folder, or puts a link in its
//! place, cannot redirect a later write. Its [`Rules`] say who may read what is created.

use crate::budget::Space;
use crate::entry::EntryKind;
use crate::error::Error;
use crate::rules::Rules;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::geteuid;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a folder is opened. With `O_PATH` the folder need not be readable, just as when a path leads through it.
#[cfg(target_os = "linux")]
const OPEN_FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const OPEN_FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A folder that is held open. Clones share the handle.
#[derive(Debug, Clone)]
pub struct Folder {
    handle: Arc<OwnedFd>,
    /// The path by which the caller named it, for messages only.
    path: PathBuf,
    /// Who may read the files that are created in it, and whom they belong to.
    rules: Rules,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl Folder {
    /// Opens a folder to read what is in it. Links in the path are followed, since the user named them. The empty path is the
    /// current folder. Folders for output are opened by way of [`Place`](crate::Place) instead.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let at = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let opened = retry_on_intr(|| rustix::fs::open(at, OPEN_FOLDER, Mode::empty()));
        Ok(Self::new(opened.map_err(Error::read(path))?, path, Rules::PRIVATE))
    }

    fn new(handle: OwnedFd, path: &Path, rules: Rules) -> Self {
        Self { handle: Arc::new(handle), path: path.to_path_buf(), rules }
    }

    pub(crate) fn with_rules(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }

    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    /// Creates a folder in this one. `path` is how messages name it.
    pub(crate) fn create_folder(&self, name: &OsStr, path: &Path) -> Result<Self, Error> {
        let name = self.own_name(name)?;
        rustix::fs::mkdirat(&*self.handle, name, self.rules.folder_mode()).map_err(Error::write(path))?;
        let created = self.open_folder(name, path)?;
        let status = created.own_status()?;
        // If somebody has put another folder in its place, that one is left as it is.
        if status.st_uid != geteuid().as_raw() {
            return Ok(created);
        }
        created.set_private(&status);
        if self.rules.is_given() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let given =
                rustix::fs::openat(&created, ".", flags, Mode::empty()).map_err(Error::write(path))?;
            self.rules.give(given, path)?;
        }
        Ok(created)
    }

    /// Sets the mode of a private folder, which may differ from the mode that was asked for: a umask removes bits. If it cannot
    /// be set, the folder stays as the system created it.
    #[cfg(target_os = "linux")]
    fn set_private(&self, status: &Stat) {
        let Some(mode) = self.rules.private_mode(self.rules.folder_mode(), status) else { return };
        // The handle is an `O_PATH` one, on which `fchmod` fails.
        let handle = format!("/proc/self/fd/{}", self.handle.as_raw_fd());
        rustix::fs::chmod(handle, mode).ok();
    }

    #[cfg(not(target_os = "linux"))]
    fn set_private(&self, status: &Stat) {
        let Some(mode) = self.rules.private_mode(self.rules.folder_mode(), status) else { return };
        rustix::fs::fchmod(&*self.handle, mode).ok();
    }

    /// Sets the mode of a private file that was created, as [`Self::set_private`] does for a folder.
    fn set_private_file(&self, created: impl AsFd) {
        let mode = rustix::fs::fstat(&created)
            .ok()
            .and_then(|status| self.rules.private_mode(self.rules.file_mode(), &status));
        mode.map(|mode| rustix::fs::fchmod(&created, mode).ok());
    }

    /// Opens a folder in this one. A link is not followed. `path` is how messages name it.
    pub(crate) fn open_folder(&self, name: &OsStr, path: &Path) -> Result<Self, Error> {
        let name = self.own_name(name)?;
        let flags = OPEN_FOLDER | OFlags::NOFOLLOW;
        let opened = retry_on_intr(|| rustix::fs::openat(&*self.handle, name, flags, Mode::empty()));
        Ok(Self::new(opened.map_err(Error::write(path))?, path, self.rules))
    }

    /// Opens the folder that this one lies in.
    pub(crate) fn open_parent(&self, path: &Path) -> Result<Self, Error> {
        let opened = retry_on_intr(|| rustix::fs::openat(&*self.handle, "..", OPEN_FOLDER, Mode::empty()));
        Ok(Self::new(opened.map_err(Error::write(path))?, path, self.rules))
    }

    pub(crate) fn own_status(&self) -> Result<Stat, Error> {
        rustix::fs::fstat(&*self.handle).map_err(Error::write(&self.path))
    }

    /// The status of what lies under a name, if anything does; of a link, the status of the link itself.
    pub(crate) fn status(&self, name: &OsStr) -> Result<Option<Stat>, Error> {
        let name = self.own_name(name)?;
        match rustix::fs::statat(&*self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            status => status.map(Some).map_err(Error::read(self.path_of(name))),
        }
    }

    /// What lies under a name, if anything does.
    pub fn kind(&self, name: impl AsRef<OsStr>) -> Result<Option<EntryKind>, Error> {
        Ok(self.status(name.as_ref())?.as_ref().map(EntryKind::of))
    }

    pub(crate) fn link_target(&self, name: &OsStr) -> Result<OsString, Error> {
        let target = rustix::fs::readlinkat(&*self.handle, name, Vec::new());
        Ok(OsString::from_vec(target.map_err(Error::write(self.path_of(name)))?.into_bytes()))
    }

    /// The owner of the folder, if that is a stranger: neither root, nor us, nor the owner of the folder that it was found in.
    pub fn stranger(&self, found_in: &Self) -> Option<u32> {
        let owner = self.own_status().ok()?.st_uid;
        let is_owner_of = found_in.own_status().is_ok_and(|status| status.st_uid == owner);
        (!is_owner_of && !self.rules.is_trusted(owner)).then_some(owner)
    }

    /// The folder's path as the caller named it, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, for messages.
    pub fn path_of(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.path.join(name.as_ref())
    }

    /// The size of its file system, and how much of it is free; `None` if it does not say.
    pub fn space(&self) -> Option<Space> {
        Space::of(&*self.handle)
    }

    /// The names in it, sorted.
    pub fn names(&self) -> Result<Vec<OsString>, Error> {
        let cannot = || Error::read(&self.path);
        // An `O_PATH` handle cannot be listed itself.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listed = retry_on_intr(|| rustix::fs::openat(&*self.handle, ".", flags, Mode::empty()));
        let mut names = Vec::new();
        for entry in listed.and_then(Dir::new).map_err(cannot())? {
            let entry = entry.map_err(cannot())?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if is_own_name(name) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Creates a file, which must not exist. A link of that name is refused, even one that leads nowhere.
    pub fn create_file(&self, name: impl AsRef<OsStr>) -> Result<File, Error> {
        let name = self.own_name(name.as_ref())?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = self.rules.file_mode();
        let created = retry_on_intr(|| rustix::fs::openat(&*self.handle, name, flags, mode));
        let created = created.map_err(Error::write(self.path_of(name)))?;
        self.set_private_file(&created);
        self.rules.give(&created, &self.path_of(name))?;
        Ok(File::from(created))
    }

    /// Creates a file without a name. Whatever ends us before it gets one, nothing of it is left. `None` if the file system has
    /// no such files, or if the file could not be named later.
    pub(crate) fn create_unnamed(&self) -> Option<File> {
        #[cfg(test)]
        if tests::NO_UNNAMED.get() {
            return None;
        }
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let mode = self.rules.file_mode();
        let file = retry_on_intr(|| rustix::fs::openat(&*self.handle, ".", flags, mode)).ok()?;
        // It is named by way of `/proc`, which must be there and lead to this very file.
        let (by_path, by_handle) =
            (rustix::fs::stat(path_of_open(&file)).ok()?, rustix::fs::fstat(&file).ok()?);
        let is_reached = (by_path.st_dev, by_path.st_ino) == (by_handle.st_dev, by_handle.st_ino);
        self.set_private_file(&file);
        self.rules.give(&file, &self.path).ok()?;
        is_reached.then(|| File::from(file))
    }

    /// Gives a name to a file that has none. The name must not be taken.
    pub(crate) fn name_file(&self, file: &File, name: &OsStr) -> Result<(), Error> {
        let name = self.own_name(name)?;
        let (from, flags) = (path_of_open(file), AtFlags::SYMLINK_FOLLOW);
        let named = rustix::fs::linkat(rustix::fs::CWD, from, &*self.handle, name, flags);
        named.map_err(Error::write(self.path_of(name)))
    }

    /// Creates a small file, which must not exist. After an error it is removed again. Returns the file, at its end.
    pub fn write_new(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> Result<File, Error> {
        let name = name.as_ref();
        let mut file = self.create_file(name)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map(|()| file).map_err(|cause| {
            // The first error is the one to report.
            drop(self.remove(name));
            Error::write(self.path_of(name))(cause)
        })
    }

    /// Opens a regular file for reading. A link is not followed; a pipe or device is never opened.
    pub fn open_file(&self, name: impl AsRef<OsStr>) -> Result<File, Error> {
        let name = self.own_name(name.as_ref())?;
        let path = self.path_of(name);
        self.must_be_file(name)?;
        // `NONBLOCK`: if a pipe has taken the file's place since, opening it does not wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = retry_on_intr(|| rustix::fs::openat(&*self.handle, name, flags, Mode::empty()));
        let opened = opened.map_err(Error::read(&path))?;
        let status = rustix::fs::fstat(&opened).map_err(Error::read(&path))?;
        if FileType::from_raw_mode(status.st_mode).is_file() {
            Ok(File::from(opened))
        } else {
            Err(Error::NotAFile(path))
        }
    }

    fn must_be_file(&self, name: &OsStr) -> Result<(), Error> {
        let status = rustix::fs::statat(&*self.handle, name, AtFlags::SYMLINK_NOFOLLOW);
        let status = status.map_err(Error::read(self.path_of(name)))?;
        let is_file = FileType::from_raw_mode(status.st_mode).is_file();
        if is_file { Ok(()) } else { Err(Error::NotAFile(self.path_of(name))) }
    }

    /// Copies a regular file into another folder, under the same name, which must not be taken there.
    pub fn copy_file(&self, name: impl AsRef<OsStr>, to: &Self) -> Result<(), Error> {
        let name = name.as_ref();
        let mut from = self.open_file(name)?;
        let mut copy = to.create_file(name)?;
        std::io::copy(&mut from, &mut copy).map(drop).map_err(Error::write(to.path_of(name)))
    }

    /// Opens an existing pipe or device to write into it. A link is not followed.
    pub(crate) fn open_stream(&self, name: &OsStr) -> Result<File, Error> {
        let name = self.own_name(name)?;
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = retry_on_intr(|| rustix::fs::openat(&*self.handle, name, flags, Mode::empty()));
        Ok(File::from(opened.map_err(Error::write(self.path_of(name)))?))
    }

    /// Fails if we may not write into an existing file.
    pub(crate) fn must_be_writable(&self, name: &OsStr) -> Result<(), Error> {
        let name = self.own_name(name)?;
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = retry_on_intr(|| rustix::fs::openat(&*self.handle, name, flags, Mode::empty()));
        opened.map(drop).map_err(Error::write(self.path_of(name)))
    }

    /// Removes a file. A link is removed itself, not what it leads to.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> Result<(), Error> {
        self.unlink(name.as_ref(), AtFlags::empty())
    }

    /// Removes an empty folder in this one.
    pub(crate) fn remove_folder(&self, name: &OsStr) -> Result<(), Error> {
        self.unlink(name, AtFlags::REMOVEDIR)
    }

    fn unlink(&self, name: &OsStr, flags: AtFlags) -> Result<(), Error> {
        let name = self.own_name(name)?;
        rustix::fs::unlinkat(&*self.handle, name, flags).map_err(Error::write(self.path_of(name)))
    }

    /// Renames a file or folder within this folder. A file of the new name is replaced.
    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), Error> {
        let (from, to) = (self.own_name(from)?, self.own_name(to)?);
        rustix::fs::renameat(&*self.handle, from, &*self.handle, to).map_err(Error::write(self.path_of(to)))
    }

    pub(crate) fn own_name<'a>(&self, name: &'a OsStr) -> Result<&'a OsStr, Error> {
        if is_own_name(name) { Ok(name) } else { Err(Error::NoName(self.path_of(name))) }
    }
}

/// The path by which the kernel shows a file that is open in this process.
fn path_of_open(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// Whether a name stays within its folder.
pub(crate) fn is_own_name(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    !matches!(bytes, b"" | b"." | b"..") && !bytes.contains(&b'/')
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::place::Place;
    use std::fs;
    use std::os::unix::fs::symlink;

    thread_local! {
        /// Makes this thread's file systems refuse files without names.
        pub(crate) static NO_UNNAMED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }

    /// A folder that goes away, and its handle.
    fn folder() -> (tempfile::TempDir, Folder) {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        (there, folder)
    }

    #[test]
    fn a_link_planted_in_somebody_elses_folder_does_not_lead_to_another_file_being_overwritten() {
        let (there, folder) = folder();
        let victim = there.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        for name in ["exhibit.toml", "exhibit.toml.part"] {
            symlink(&victim, there.path().join(name)).unwrap();
        }
        symlink("nowhere", there.path().join("trace")).unwrap();
        for name in ["exhibit.toml", "trace"] {
            assert!(matches!(folder.create_file(name), Err(Error::Exists(_))), "{name}");
            assert!(matches!(folder.write_new(name, b"new"), Err(Error::Exists(_))), "{name}");
        }
        folder.write("exhibit.toml", b"new").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read_to_string(there.path().join("exhibit.toml")).unwrap(), "new");
        assert!(!there.path().join("nowhere").exists());
    }

    #[test]
    fn a_file_that_is_there_is_never_overwritten() {
        let (there, folder) = folder();
        folder.write_new("trace", b"old").unwrap();
        assert!(matches!(folder.write_new("trace", b"new"), Err(Error::Exists(_))));
        let (_other, to) = super::tests::folder();
        to.write_new("trace", b"older").unwrap();
        assert!(matches!(folder.copy_file("trace", &to), Err(Error::Exists(_))));
        assert_eq!(fs::read(there.path().join("trace")).unwrap(), b"old");
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        let (_there, folder) = folder();
        for name in ["", ".", "..", "../x", "/x", "x/", "a/b", "x\0"] {
            assert!(folder.create_file(name).is_err(), "{name}");
            assert!(folder.write(name, b"").is_err(), "{name}");
            assert!(folder.open_file(name).is_err(), "{name}");
            assert!(folder.remove(name).is_err(), "{name}");
        }
        assert!(folder.names().unwrap().is_empty());
    }

    #[test]
    fn a_folder_that_is_exchanged_for_a_link_does_not_redirect_writes() {
        let (there, _) = folder();
        let [held, moved, other] = ["held", "moved", "other"].map(|name| there.path().join(name));
        let folder = Place::of(&held, Rules::PRIVATE).unwrap().create_folder().unwrap();
        fs::create_dir(&other).unwrap();
        fs::rename(&held, &moved).unwrap();
        symlink(&other, &held).unwrap();
        folder.write_new("one", b"1").unwrap();
        folder.write("two", b"2").unwrap();
        assert_eq!(folder.names().unwrap(), ["one", "two"]);
        assert_eq!((fs::read_dir(&other).unwrap().count(), fs::read_dir(&moved).unwrap().count()), (0, 2));
    }

    #[test]
    fn links_and_folders_are_not_read() {
        let (there, folder) = folder();
        folder.write_new("file", b"").unwrap();
        symlink("file", there.path().join("link")).unwrap();
        fs::create_dir(there.path().join("folder")).unwrap();
        for name in ["link", "folder"] {
            assert!(matches!(folder.open_file(name), Err(Error::NotAFile(_))), "{name}");
        }
        assert!(folder.open_file("file").is_ok());
        assert!(folder.open_file("missing").unwrap_err().is_missing());
    }
}
