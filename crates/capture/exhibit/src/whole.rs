//! Files at a path that the user named.
//!
//! Unlike within a [`Folder`], a link at the path leads where its owner meant it to, and pipes and devices are written
//! into.

use crate::error::Error;
use crate::folder::Folder;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Links that are followed from a path, as systems do.
const MOST_LINKS: usize = 40;

/// Writes a file under a temporary name beside it, and gives it its name once it is complete and on the disk. A pipe or
/// device is written into as it is.
///
/// After an error the file that was there before is still there, and nothing lies beside it. A file that is replaced
/// keeps its permissions, and a link still leads to it.
pub fn write_whole<T, E: From<Error>>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, E>,
) -> Result<T, E> {
    let old = std::fs::metadata(path).ok();
    // What is reached as a device is open elsewhere, even if it is a file.
    if old.as_ref().is_some_and(|old| !old.is_file() || path.starts_with("/dev")) {
        let file = OpenOptions::new().append(true).open(path).map_err(Error::write(path))?;
        let mut out = BufWriter::new(&file);
        let written = write(&mut out)?;
        out.flush().map_err(Error::write(path))?;
        return Ok(written);
    }
    let begin = || {
        let (folder, name) = Folder::holding(&behind_links(path))?;
        let pending = folder.begin(&name)?;
        if let Some(old) = &old {
            // Whoever may not write into the old file may not replace it either.
            folder.must_be_writable(&name)?;
            pending.set_permissions(old.permissions()).map_err(Error::write(path))?;
        }
        Ok(pending)
    };
    let pending = begin().map_err(|error: Error| error.of(path))?;
    pending.fill(path, write)
}

/// Opens a file that is read while it grows. What was in it is gone; a pipe or device is written into.
pub fn create_growing(path: &Path) -> Result<File, Error> {
    if std::fs::metadata(path).is_ok() {
        return OpenOptions::new().write(true).truncate(true).open(path).map_err(Error::write(path));
    }
    let create = || {
        let (folder, name) = Folder::holding(&behind_links(path))?;
        folder.create_file(name)
    };
    create().map_err(|error| error.of(path))
}

/// Where a path leads in the end, whether or not something is there.
fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target));
    }
    path
}

/// Whether two paths lead to the same file.
pub fn same_file(one: &Path, other: &Path) -> bool {
    let (Ok(of_one), Ok(of_other)) = (identity(one), identity(other)) else { return false };
    of_one == of_other
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    /// Writes a text whole.
    fn check(path: &Path, text: &str) {
        let write = |out: &mut BufWriter<&File>| out.write_all(text.as_bytes()).map_err(Error::write(path));
        write_whole(path, write).unwrap();
    }

    #[test]
    fn a_write_that_goes_wrong_leaves_the_old_file_and_nothing_else() {
        #[derive(Debug, PartialEq)]
        struct NoMoreRows;
        impl From<Error> for NoMoreRows {
            fn from(_: Error) -> Self {
                Self
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        check(&path, "old");
        let error = write_whole(&path, |out| {
            out.write_all(b"new").unwrap();
            Err::<(), _>(NoMoreRows)
        });
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        let kept = std::fs::read(&path).unwrap();
        assert_eq!((names, kept.as_slice()), (1, b"old".as_slice()));
        assert_eq!(error, Err(NoMoreRows));
    }

    #[test]
    fn a_link_leads_where_it_led_and_a_file_keeps_who_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["rows.csv", "link.csv"].map(|name| folder.path().join(name));
        symlink("rows.csv", &link).unwrap();
        for text in ["one", "two"] {
            check(&link, text);
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        }
        check(&link, "three");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(same_file(&file, &link));
        assert!(!same_file(&file, folder.path()));
    }

    #[test]
    fn a_pipe_is_written_into_and_stays_a_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        if !std::process::Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()) {
            return base::ground::skip("a_pipe_is_written_into_and_stays_a_pipe", "there is no mkfifo");
        }
        let write: [fn(&Path); 2] =
            [|path| check(path, "rows"), |path| create_growing(path).unwrap().write_all(b"rows").unwrap()];
        for write in write {
            let read = std::thread::scope(|scope| {
                let reader = std::thread::Builder::new();
                let reader = reader.spawn_scoped(scope, || std::fs::read_to_string(&path).unwrap()).unwrap();
                write(&path);
                reader.join().unwrap()
            });
            assert_eq!(read, "rows");
        }
        assert!(std::fs::metadata(&path).unwrap().file_type().is_fifo());
    }

    #[test]
    fn a_growing_file_is_seen_at_once_and_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["live.csv", "link.csv"].map(|name| folder.path().join(name));
        symlink("live.csv", &link).unwrap();
        for text in ["a long first text", "second"] {
            let mut out = create_growing(&link).unwrap();
            out.write_all(text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
    }

    #[test]
    fn an_error_names_the_path_that_the_user_named() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link.csv");
        symlink("missing/rows.csv", &link).unwrap();
        let error = write_whole(&link, |_| Ok::<(), Error>(())).unwrap_err().to_string();
        let expected = format!("cannot write {}: No such file or directory (os error 2)", link.display());
        assert_eq!(error, expected);
    }
}
