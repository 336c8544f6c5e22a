//! Files and folders that get their name once they are complete.
//!
//! Until then they have a temporary name beside it that nobody can guess, so nobody can plant a link there. What is
//! dropped before it is finished is removed.

use crate::error::Error;
use crate::folder::Folder;
use crate::place::{Kind, Place};
use crate::rules::Rules;
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Bytes of a name up to which its temporary name begins with it; systems allow 255 for both.
const LONGEST_SHOWN: usize = 200;

/// A name that nobody can guess. It begins with the final name, so that whoever finds it knows what it was to be.
pub(crate) fn temporary_name(name: &OsStr) -> io::Result<OsString> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let mut temporary = OsString::new();
    if name.len() <= LONGEST_SHOWN {
        temporary.push(name);
        temporary.push(".");
    }
    temporary.push(format!("{:032x}.part", u128::from_ne_bytes(random)));
    Ok(temporary)
}

/// A file that is being written under a temporary name.
#[derive(Debug)]
pub struct Pending {
    file: File,
    name: OsString,
    temporary: Temporary,
}

/// A temporary file, removed unless it got its name.
#[derive(Debug)]
struct Temporary {
    folder: Folder,
    name: OsString,
    is_named: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_named {
            // An earlier error is already on its way to the caller.
            drop(self.folder.remove(&self.name));
        }
    }
}

impl Pending {
    pub(crate) fn begin(folder: &Folder, name: &OsStr) -> Result<Self, Error> {
        let of_name = |error: Error| error.of(&folder.path_of(name));
        let temporary = temporary_name(name).map_err(Error::write(folder.path_of(name)))?;
        let file = folder.create_file(&temporary).map_err(of_name)?;
        let temporary = Temporary { folder: folder.clone(), name: temporary, is_named: false };
        Ok(Self { file, name: name.to_owned(), temporary })
    }

    /// The file, for writers that take one.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Brings it to the disk and gives it its name; a file of that name is replaced. Returns the file, at its end.
    pub fn finish(mut self) -> Result<File, Error> {
        let folder = &self.temporary.folder;
        self.file.sync_all().map_err(Error::write(folder.path_of(&self.name)))?;
        folder.rename(&self.temporary.name, &self.name)?;
        self.temporary.is_named = true;
        Ok(self.file)
    }

    /// Lets a closure write it, and finishes it. `path` is how messages name it.
    pub(crate) fn fill<T, E: From<Error>>(
        self,
        path: &Path,
        write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut out = BufWriter::new(&self.file);
        let written = write(&mut out)?;
        out.flush().map_err(Error::write(path))?;
        drop(out);
        self.finish().map_err(|error| error.of(path))?;
        Ok(written)
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A folder of files that appears once all of them are complete.
#[derive(Debug)]
pub struct PendingFolder {
    place: Place,
    temporary: OsString,
    folder: Folder,
    is_named: bool,
}

impl PendingFolder {
    /// Begins a folder. What is there may only be an empty folder.
    pub fn begin(path: &Path, rules: Rules) -> Result<Self, Error> {
        let place = Place::of(path, rules)?;
        let name = place.own_name()?;
        match place.kind()? {
            None => {}
            Some(Kind::Folder) if place.open_folder()?.names()?.is_empty() => {}
            Some(Kind::Folder) => return Err(Error::NotEmpty(path.to_path_buf())),
            Some(_) => return Err(Error::write(path)(Errno::NOTDIR)),
        }
        let temporary = temporary_name(name).map_err(Error::write(path))?;
        let shown = path.with_file_name(&temporary);
        let folder = place.folder().create_folder(&temporary, &shown).map_err(|error| error.of(path))?;
        Ok(Self { place, temporary, folder, is_named: false })
    }

    /// The folder, to write files into. They must not be folders themselves.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Gives the folder its name.
    pub fn finish(mut self) -> Result<(), Error> {
        match self.place.remove_folder() {
            Err(error) if !error.is_missing() => return Err(error),
            _removed => {}
        }
        let name = self.place.own_name()?;
        self.place.folder().rename(&self.temporary, name).map_err(|error| error.of(self.place.path()))?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for PendingFolder {
    fn drop(&mut self) {
        if self.is_named {
            return;
        }
        // An earlier error is already on its way to the caller.
        for name in self.folder.names().unwrap_or_default() {
            drop(self.folder.remove(&name));
        }
        drop(self.place.folder().remove_folder(&self.temporary));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(folder: &Path) -> Vec<OsString> {
        Folder::open(folder).unwrap().names().unwrap()
    }

    #[test]
    fn a_file_has_its_name_once_it_is_complete_and_none_before() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        folder.write_new("heap", b"old").unwrap();
        let mut dropped = folder.begin("heap").unwrap();
        dropped.write_all(b"broken").unwrap();
        drop(dropped);
        assert_eq!(names(there.path()), ["heap"]);
        assert_eq!(fs::read(there.path().join("heap")).unwrap(), b"old");
        let mut pending = folder.begin("heap").unwrap();
        pending.write_all(b"new").unwrap();
        assert_eq!(fs::read(there.path().join("heap")).unwrap(), b"old");
        let mut file = pending.finish().unwrap();
        file.write_all(b" and more").unwrap();
        assert_eq!(fs::read(there.path().join("heap")).unwrap(), b"new and more");
        assert_eq!(names(there.path()), ["heap"]);
    }

    #[test]
    fn temporary_names_differ_and_are_not_too_long_for_any_name() {
        let [one, other] = [0, 1].map(|_| temporary_name(OsStr::new("rows.csv")).unwrap());
        assert_ne!(one, other);
        assert!(one.to_str().unwrap().starts_with("rows.csv."));
        let there = tempfile::tempdir().unwrap();
        let longest = "x".repeat(255);
        Folder::open(there.path()).unwrap().write(&longest, b"").unwrap();
        assert_eq!(names(there.path()), [OsString::from(longest)]);
    }

    #[test]
    fn a_folder_appears_when_its_files_are_complete_and_leaves_nothing_after_an_error() {
        let there = tempfile::tempdir().unwrap();
        let path = there.path().join("tables/");
        let pending = PendingFolder::begin(&path, Rules::PRIVATE).unwrap();
        pending.folder().write_new("gc.csv", b"rows").unwrap();
        drop(pending);
        assert!(names(there.path()).is_empty());
        // An empty folder is replaced.
        fs::create_dir(&path).unwrap();
        let pending = PendingFolder::begin(&path, Rules::PRIVATE).unwrap();
        pending.folder().write_new("gc.csv", b"rows").unwrap();
        assert!(names(&path).is_empty());
        pending.finish().unwrap();
        assert_eq!((names(there.path()), names(&path)), (vec!["tables".into()], vec!["gc.csv".into()]));
    }

    #[test]
    fn a_folder_with_files_in_it_is_not_replaced() {
        let there = tempfile::tempdir().unwrap();
        let path = there.path().join("tables");
        fs::create_dir(&path).unwrap();
        let pending = PendingFolder::begin(&path, Rules::PRIVATE).unwrap();
        fs::write(path.join("notes.md"), "mine").unwrap();
        assert!(matches!(PendingFolder::begin(&path, Rules::PRIVATE), Err(Error::NotEmpty(_))));
        assert!(pending.finish().is_err(), "files came meanwhile");
        assert_eq!((names(there.path()), names(&path)), (vec!["tables".into()], vec!["notes.md".into()]));
        assert!(PendingFolder::begin(&path.join("notes.md"), Rules::PRIVATE).is_err());
    }
}
