//! Files and folders that get their name once they are complete.
//!
//! Until then they have no name, so that nothing is left of them whatever ends us. There are two exceptions: on a file system
//! that has no files without a name, and for the moment in which an existing file is replaced, since only renaming
//! replaces a file. Then they have a temporary name that nobody can guess, so that nobody can plant a link there. A file
//! that is dropped before it is finished is removed, and [`remove_unfinished`] removes all of them when a signal ends us.
//!
//! ```text
//!  no name ── written, on the disk ─┬─ the name is free ─────────────────▶ its name
//!                                   └─ it is taken ──▶ temporary name ──▶ its name
//!  temporary name ── written, on the disk ──────────────────────────────▶ its name     (without such files)
//! ```

use crate::budget::{Limited, Output, OutputBudget};
use crate::entry::EntryKind;
use crate::error::Error;
use crate::folder::{Folder, is_own_name};
use crate::place::Place;
use crate::rules::Rules;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The longest name, in bytes, that is repeated in its temporary name. Systems allow 255 bytes for the whole.
const LONGEST_SHOWN: usize = 200;

/// A name that nobody can guess. It begins with the final name, so that whoever finds the file knows what it was meant to be.
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

/// The final name of a file that has this temporary name; `None` if the name is not a temporary one. A recorder that is
/// killed may leave such files.
pub fn unfinished(name: &OsStr) -> Option<&OsStr> {
    /// A dot, 16 bytes in hexadecimal, and the ending.
    const ENDING: usize = 1 + 32 + 5;
    let bytes = name.as_bytes();
    let (begin, ending) = bytes.split_at_checked(bytes.len().checked_sub(ENDING)?)?;
    let random = ending.strip_prefix(b".")?.strip_suffix(b".part")?;
    let is_random = random.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_random && !begin.is_empty()).then(|| OsStr::from_bytes(begin))
}

/// Everything that has a temporary name now, for [`remove_unfinished`].
static TEMPORARY: Mutex<Vec<Arc<Named>>> = Mutex::new(Vec::new());

/// Removes all files and folders that have a temporary name, for a program that a signal ends. The list stays locked, so that
/// no thread can create another one.
pub fn remove_unfinished() {
    let named = lock();
    named.iter().for_each(|named| named.remove());
    std::mem::forget(named);
}

fn lock() -> MutexGuard<'static, Vec<Arc<Named>>> {
    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file or folder that has a temporary name.
#[derive(Debug)]
struct Named {
    folder: Folder,
    name: OsString,
    /// Its handle if it is a folder.
    inner: Option<Folder>,
}

impl Named {
    fn remove(&self) {
        // Errors are dropped: whatever made us remove it is what the caller gets to see.
        let Some(inner) = &self.inner else { return drop(self.folder.remove(&self.name)) };
        for name in inner.names().unwrap_or_default() {
            drop(inner.remove(&name));
        }
        drop(self.folder.remove_folder(&self.name));
    }
}

/// A file or folder that has a temporary name. It is removed when dropped, unless it was given its final name.
#[derive(Debug)]
struct Temporary(Arc<Named>);

impl Temporary {
    /// Creates a file with a temporary name for the final name `like`.
    fn file(folder: &Folder, like: &OsStr) -> Result<(Self, File), Error> {
        Self::create(folder, like, |name| Ok((None, folder.create_file(name)?)))
    }

    /// Creates a folder with a temporary name. `shown` is its final path.
    fn folder(folder: &Folder, like: &OsStr, shown: &Path) -> Result<Self, Error> {
        let create = |name: &OsStr| Ok((Some(folder.create_folder(name, &shown.with_file_name(name))?), ()));
        Self::create(folder, like, create).map(|(folder, ())| folder)
    }

    /// Gives a temporary name to a file that has none.
    fn of(folder: &Folder, like: &OsStr, file: &File) -> Result<Self, Error> {
        let name_it = |name: &OsStr| folder.name_file(file, name).map(|()| (None, ()));
        Self::create(folder, like, name_it).map(|(file, ())| file)
    }

    fn create<T>(
        folder: &Folder,
        like: &OsStr,
        create: impl FnOnce(&OsStr) -> Result<(Option<Folder>, T), Error>,
    ) -> Result<(Self, T), Error> {
        let name = temporary_name(like).map_err(Error::write(folder.path_of(like)))?;
        // The list is locked meanwhile: nothing may exist that is not in it.
        let mut list = lock();
        let (inner, created) = create(&name)?;
        let named = Arc::new(Named { folder: folder.clone(), name, inner });
        list.push(Arc::clone(&named));
        Ok((Self(named), created))
    }

    /// Gives it its final name. A file or an empty folder of that name is replaced.
    fn finish(self, name: &OsStr) -> Result<(), Error> {
        self.0.folder.rename(&self.0.name, name)?;
        self.forget();
        Ok(())
    }

    /// Takes it off the list. Returns whether it was still there.
    fn forget(&self) -> bool {
        let mut list = lock();
        let at = list.iter().position(|named| Arc::ptr_eq(named, &self.0));
        at.is_some_and(|at| {
            list.swap_remove(at);
            true
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.forget() {
            self.0.remove();
        }
    }
}

/// A file that is being written, and does not have its final name yet.
#[derive(Debug)]
pub struct Pending {
    file: File,
    folder: Folder,
    name: OsString,
    /// `None` while the file has no name at all.
    temporary: Option<Temporary>,
}

impl Pending {
    pub(crate) fn begin(folder: &Folder, name: &OsStr) -> Result<Self, Error> {
        let unnamed = folder.create_unnamed().map(|file| Ok((None, file)));
        let named = || Temporary::file(folder, name).map(|(temporary, file)| (Some(temporary), file));
        let begun = unnamed.unwrap_or_else(named).map_err(|error| error.with_path(&folder.path_of(name)));
        let (temporary, file) = begun?;
        Ok(Self { file, folder: folder.clone(), name: name.to_owned(), temporary })
    }

    /// The file, for writers that need one.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Flushes it to the disk and gives it its name. A file of that name is replaced. Returns the file, at its end.
    pub fn finish(self) -> Result<File, Error> {
        let Self { file, folder, name, temporary } = self;
        let path = folder.path_of(&name);
        file.sync_all().map_err(Error::write(&path))?;
        let temporary = match temporary {
            Some(temporary) => temporary,
            None => match folder.name_file(&file, &name) {
                Ok(()) => return Ok(file),
                // Linking cannot replace a file, only renaming can.
                Err(Error::Exists(_)) => {
                    Temporary::of(&folder, &name, &file).map_err(|error| error.with_path(&path))?
                }
                Err(error) => return Err(error),
            },
        };
        temporary.finish(&name)?;
        Ok(file)
    }

    /// Lets a closure write it, and finishes it. `path` is how messages name it.
    pub(crate) fn fill<T, E: From<Error>>(
        self,
        path: &Path,
        write: impl FnOnce(&mut Output<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let room = OutputBudget::new(self.folder.rules().most_bytes());
        let written = filled(&self.file, path, &room, write)?;
        self.finish().map_err(|error| error.with_path(path))?;
        Ok(written)
    }
}

impl Folder {
    /// Writes or replaces a small file. Readers find the old file or the new one, each complete. A link of that name is
    /// replaced itself, not what it leads to.
    pub fn write(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> Result<(), Error> {
        let mut pending = self.begin(name.as_ref())?;
        pending.write_all(bytes).map_err(Error::write(self.path_of(name.as_ref())))?;
        pending.finish().map(drop)
    }

    /// Begins a file that gets its name with [`Pending::finish`].
    pub fn begin(&self, name: impl AsRef<OsStr>) -> Result<Pending, Error> {
        Pending::begin(self, self.own_name(name.as_ref())?)
    }
}

/// Lets a closure write into a file, as far as there is room. `path` is how messages name it.
fn filled<T, E: From<Error>>(
    file: &File,
    path: &Path,
    room: &OutputBudget,
    write: impl FnOnce(&mut Output<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let mut out = BufWriter::new(Limited::file(file, room));
    let written = write(&mut out).and_then(|written| {
        out.flush().map_err(Error::write(path))?;
        Ok(written)
    });
    match room.full() {
        // The limit is the cause, whatever error the writers in between made of it.
        Some(full) => Err(Error::Full { path: path.to_path_buf(), full }.into()),
        None => written,
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
///
/// Until then its files have no names, and the folder does not exist, so that nothing can be left behind. On a file system
/// that has no files without a name, they lie in a folder with a temporary name.
#[derive(Debug)]
pub struct PendingFolder {
    place: Place,
    /// Complete files that have no name yet.
    unnamed: Vec<Unnamed>,
    /// The folder under its temporary name, once it exists.
    temporary: Option<Temporary>,
    /// The limit that all files share.
    room: OutputBudget,
}

/// A complete file that has no name yet.
#[derive(Debug)]
struct Unnamed {
    file: File,
    /// The name that it gets.
    name: OsString,
}

impl PendingFolder {
    /// Begins a folder. Nothing may be at its place but an empty folder.
    pub fn begin(path: &Path, rules: Rules) -> Result<Self, Error> {
        let place = Place::of(path, rules)?;
        place.own_name()?;
        match place.kind()? {
            None => {}
            Some(EntryKind::Folder) if place.open_folder()?.names()?.is_empty() => {}
            Some(EntryKind::Folder) => return Err(Error::NotEmpty(path.to_path_buf())),
            Some(_) => {
                let why = "a folder is to be written, and this is a file; name another place".to_owned();
                return Err(Error::refused(path, io::ErrorKind::NotADirectory, why));
            }
        }
        let room = OutputBudget::new(rules.most_bytes());
        let mut begun = Self { place, unnamed: Vec::new(), temporary: None, room };
        // If nothing can be created there, that is an error now, and not only when everything was written.
        if begun.place.folder().create_unnamed().is_none() {
            begun.created()?;
        }
        Ok(begun)
    }

    /// Lets a closure write a file of the folder.
    pub fn write_with<T, E: From<Error>>(
        &mut self,
        name: impl AsRef<OsStr>,
        write: impl FnOnce(&mut Output<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let name = name.as_ref();
        let path = self.place.path().join(name);
        if !is_own_name(name) {
            return Err(Error::NoName(path).into());
        }
        let unnamed = self.temporary.is_none().then(|| self.place.folder().create_unnamed()).flatten();
        let is_unnamed = unnamed.is_some();
        let file = match unnamed {
            Some(file) => file,
            None => self.created()?.create_file(name).map_err(|error| error.with_path(&path))?,
        };
        let written = filled(&file, &path, &self.room, write)?;
        file.sync_all().map_err(Error::write(&path))?;
        if is_unnamed {
            self.unnamed.push(Unnamed { file, name: name.to_owned() });
        }
        Ok(written)
    }

    /// The folder under its temporary name.
    fn created(&mut self) -> Result<Folder, Error> {
        let Self { place, temporary, .. } = self;
        let temporary = match temporary {
            Some(temporary) => temporary,
            none => {
                let created = Temporary::folder(place.folder(), place.own_name()?, place.path());
                none.insert(created.map_err(|error| error.with_path(place.path()))?)
            }
        };
        temporary.0.inner.clone().ok_or_else(|| Error::NoName(place.path().to_path_buf()))
    }

    /// Gives the folder its name.
    pub fn finish(mut self) -> Result<(), Error> {
        let folder = self.created()?;
        for Unnamed { file, name } in std::mem::take(&mut self.unnamed) {
            folder
                .name_file(&file, &name)
                .map_err(|error| error.with_path(&self.place.path().join(&name)))?;
        }
        match self.place.remove_folder() {
            Err(error) if !error.is_missing() => return Err(error),
            _removed => {}
        }
        let name = self.place.own_name()?;
        let Some(temporary) = self.temporary.take() else { return Ok(()) };
        temporary.finish(name).map_err(|error| error.with_path(self.place.path()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::tests::NO_UNNAMED;
    use std::fs;

    fn names(folder: &Path) -> Vec<OsString> {
        Folder::open(folder).unwrap().names().unwrap()
    }

    /// Writes a small file of a folder.
    fn write(pending: &mut PendingFolder, name: &str) {
        pending.write_with(name, |out| out.write_all(b"rows").map_err(Error::write("rows"))).unwrap();
    }

    /// Runs a test on a file system that has files without names, and on one that has none.
    fn on_both(test: fn()) {
        for no_unnamed in [false, true] {
            NO_UNNAMED.set(no_unnamed);
            test();
        }
        NO_UNNAMED.set(false);
    }

    #[test]
    fn a_file_has_its_name_once_it_is_complete_and_none_before() {
        on_both(|| {
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
            folder.write("new", b"rows").unwrap();
            assert_eq!(names(there.path()), ["heap", "new"]);
        });
    }

    #[test]
    fn what_is_not_complete_when_a_signal_comes_is_not_left_behind() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        // Files without names: whatever ends us now, nothing is left.
        let mut pending = folder.begin("heap").unwrap();
        pending.write_all(b"half").unwrap();
        let mut tables = PendingFolder::begin(&there.path().join("tables"), Rules::PRIVATE).unwrap();
        write(&mut tables, "gc.csv");
        assert!(names(there.path()).is_empty());
        // Files with temporary names: all of them are in the list.
        NO_UNNAMED.set(true);
        let named = folder.begin("heap").unwrap();
        let mut tables = PendingFolder::begin(&there.path().join("tables"), Rules::PRIVATE).unwrap();
        write(&mut tables, "gc.csv");
        assert_eq!(names(there.path()).len(), 2);
        for temporary in [named.temporary.as_ref().unwrap(), tables.temporary.as_ref().unwrap()] {
            assert!(lock().iter().any(|named| Arc::ptr_eq(named, &temporary.0)));
            temporary.0.remove();
        }
        assert!(names(there.path()).is_empty());
        NO_UNNAMED.set(false);
    }

    #[test]
    fn temporary_names_differ_and_are_not_too_long_for_any_name() {
        let [one, other] = [0, 1].map(|_| temporary_name(OsStr::new("rows.csv")).unwrap());
        assert_ne!(one, other);
        assert!(one.to_str().unwrap().starts_with("rows.csv."));
        assert_eq!(unfinished(&one), Some(OsStr::new("rows.csv")));
        for name in ["rows.csv", "rows.csv.part", ".part", "", &format!(".{:032x}.part", 1)] {
            assert_eq!(unfinished(OsStr::new(name)), None, "{name}");
        }
        let there = tempfile::tempdir().unwrap();
        let longest = "x".repeat(255);
        Folder::open(there.path()).unwrap().write(&longest, b"").unwrap();
        assert_eq!(names(there.path()), [OsString::from(longest)]);
    }

    #[test]
    fn a_folder_appears_when_its_files_are_complete_and_leaves_nothing_after_an_error() {
        on_both(|| {
            let there = tempfile::tempdir().unwrap();
            let path = there.path().join("tables/");
            let mut pending = PendingFolder::begin(&path, Rules::PRIVATE).unwrap();
            write(&mut pending, "gc.csv");
            drop(pending);
            assert!(names(there.path()).is_empty());
            // An empty folder is replaced.
            fs::create_dir(&path).unwrap();
            let mut pending = PendingFolder::begin(&path, Rules::PRIVATE).unwrap();
            write(&mut pending, "gc.csv");
            assert!(names(&path).is_empty());
            pending.finish().unwrap();
            assert_eq!((names(there.path()), names(&path)), (vec!["tables".into()], vec!["gc.csv".into()]));
        });
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
