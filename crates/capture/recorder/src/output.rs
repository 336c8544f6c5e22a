//! Where a recording goes, and how its files are called.

use crate::error::Error;
use crate::profile::Shape;
use exhibit::Folder;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The shape that a name asks for: a file where it ends as one, else a folder.
impl Shape {
    /// The shape that a name asks for: a file where it ends in `.nettrace` or `.nettrace.zst`, else a folder.
    pub fn of(out: &Path) -> Self {
        let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_file = [".nettrace", ".nettrace.zst"].iter().any(|ending| name.ends_with(ending));
        if is_file { Self::OneFile } else { Self::Folder }
    }
}

/// The files of a folder. With segments each has their number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    segmented: bool,
}

impl Names {
    pub(crate) fn new(segmented: bool) -> Self {
        Self { segmented }
    }

    pub(crate) fn trace(self, segment: u32) -> String {
        self.numbered("trace", segment)
    }

    pub(crate) fn samples(self, segment: u32) -> String {
        self.numbered("samples", segment)
    }

    pub(crate) fn names(self, segment: u32) -> String {
        self.numbered("names", segment)
    }

    pub(crate) fn first_uses(self, segment: u32) -> String {
        self.numbered("names-first-uses", segment)
    }

    fn numbered(self, what: &str, segment: u32) -> String {
        let number = if self.segmented { format!("-{segment:05}") } else { String::new() };
        format!("{what}{number}.nettrace.zst")
    }
}

/// Whether there is room for a recording: nothing may be there, or, where that is allowed, nothing but an earlier one.
pub(crate) fn check_room(out: &Path, shape: Shape, force: bool) -> Result<(), Error> {
    let Ok(there) = std::fs::symlink_metadata(out) else { return Ok(()) };
    let is_empty_folder =
        there.is_dir() && std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    match shape {
        Shape::Folder if is_empty_folder => Ok(()),
        _ if !force => Err(Error::Exists(out.to_path_buf())),
        Shape::OneFile if there.is_file() => Ok(()),
        Shape::Folder if there.is_dir() && out.join(exhibit::FILE).is_file() => Ok(()),
        _ => Err(Error::NotOurs(out.to_path_buf())),
    }
}

/// Makes room for a recording where there is room for one.
pub(crate) fn make_room(out: &Path, shape: Shape, force: bool) -> Result<(), Error> {
    check_room(out, shape, force)?;
    match shape {
        Shape::OneFile if out.is_file() => {
            let (folder, name) = Folder::holding(out)?;
            Ok(folder.remove(name)?)
        }
        Shape::Folder if out.is_dir() => remove_recording(&Folder::open(out)?),
        Shape::OneFile | Shape::Folder => Ok(()),
    }
}

/// Whether a file is one that a recording consists of.
fn is_ours(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let is_trace = ["trace", "samples", "names"].iter().any(|start| name.starts_with(start))
        && name.ends_with(".nettrace.zst");
    is_trace || name == exhibit::FILE || crate::tables::FILES.contains(&&*name)
}

/// Whether another recorder writes a file now.
fn is_being_written(folder: &Folder, name: &OsStr) -> bool {
    let locked = folder.open_file(name).map(|file| file.try_lock());
    matches!(locked, Ok(Err(std::fs::TryLockError::WouldBlock)))
}

/// Removes the files that a recording consists of, and nothing else.
fn remove_recording(folder: &Folder) -> Result<(), Error> {
    let mut names = folder.names()?;
    names.retain(|name| is_ours(name));
    if names.iter().any(|name| is_being_written(folder, name)) {
        return Err(Error::InUse(folder.path().to_path_buf()));
    }
    Ok(names.iter().try_for_each(|name| folder.remove(name))?)
}

/// Opens the folder that a recording is written into, created if it is missing, and returns the name of the main session's
/// file.
pub(crate) fn open(out: &Path, shape: Shape, names: Names) -> Result<(Folder, OsString), Error> {
    Ok(match shape {
        Shape::OneFile => Folder::holding(out)?,
        Shape::Folder => (Folder::create(out)?, names.trace(1).into()),
    })
}

/// A name beside a folder that nothing has yet: `OUT-1`, `OUT-2` …
pub(crate) fn free_name(out: &Path) -> PathBuf {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let names = (1u32..).map(|number| out.with_file_name(format!("{name}-{number}")));
    names.into_iter().find(|path| !path.exists()).unwrap_or_else(|| out.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten_unasked_and_only_recordings_are_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("orders");
        make_room(&out, Shape::Folder, false).unwrap();
        std::fs::create_dir(&out).unwrap();
        make_room(&out, Shape::Folder, false).unwrap();
        std::fs::write(out.join("notes.md"), "mine").unwrap();
        assert!(matches!(make_room(&out, Shape::Folder, false), Err(Error::Exists(_))));
        assert!(matches!(make_room(&out, Shape::Folder, true), Err(Error::NotOurs(_))));
        for name in [exhibit::FILE, "trace-00003.nettrace.zst", "host.csv"] {
            std::fs::write(out.join(name), "old").unwrap();
        }
        make_room(&out, Shape::Folder, true).unwrap();
        let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.md"]);
    }

    #[test]
    fn the_name_decides_between_a_file_and_a_folder() {
        let shapes = ["a.nettrace", "a.nettrace.zst", "a", "a.zst"].map(|name| Shape::of(Path::new(name)));
        assert_eq!(shapes, [Shape::OneFile, Shape::OneFile, Shape::Folder, Shape::Folder]);
    }
}
