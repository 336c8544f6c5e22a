//! Files at a path that the user named.
//!
//! A link is refused, since its owner could make us overwrite any file. Pipes, devices and files that our caller has opened
//! for us (`/dev/stdout`, `/dev/fd/3`) are written into.

use crate::budget::{Limited, Output, OutputBudget};
use crate::entry::EntryKind;
use crate::error::Error;
use crate::folder::Folder;
use crate::place::Place;
use crate::rules::Rules;
use rustix::fs::{Mode, OFlags};
use rustix::io::retry_on_intr;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Writes a file that gets its name once it is complete and on the disk, or writes into a pipe or device. Neither gets more
/// bytes than the rules allow.
///
/// After an error an earlier file is still there, and nothing lies beside it. The rules alone say who may read the new file,
/// whoever could read the earlier one.
pub fn write_whole<T, E: From<Error>>(
    path: &Path,
    rules: Rules,
    write: impl FnOnce(&mut Output<'_>) -> Result<T, E>,
) -> Result<T, E> {
    match Target::of(path, rules)? {
        Target::Stream(file) => {
            let mut out = BufWriter::new(Limited::stream(&file, rules.most_bytes()));
            let written = write(&mut out)?;
            out.flush().map_err(Error::write(path))?;
            Ok(written)
        }
        Target::File(folder, name) => {
            folder.begin(&name).map_err(|error| error.with_path(path))?.fill(path, write)
        }
    }
}

/// Opens a file that is read while it grows. An existing file is replaced. A pipe or device is written into without a limit,
/// for as long as somebody reads it.
pub fn create_growing(path: &Path, rules: Rules) -> Result<Limited<File>, Error> {
    match Target::of(path, rules)? {
        Target::Stream(file) => Ok(Limited::stream(file, u64::MAX)),
        // Whoever has the earlier file open does not get to see the new one.
        Target::File(folder, name) => {
            let file = folder
                .begin(&name)
                .and_then(crate::Pending::finish)
                .map_err(|error| error.with_path(path))?;
            Ok(Limited::file(file, &OutputBudget::new(rules.most_bytes())))
        }
    }
}

/// Where a path leads.
enum Target {
    /// To a pipe, a device, or a file that our caller opened.
    Stream(File),
    /// To a file of this name, which is replaced if it exists.
    File(Folder, OsString),
}

impl Target {
    fn of(path: &Path, rules: Rules) -> Result<Self, Error> {
        if is_handed_over(path) {
            let opened = OpenOptions::new().append(true).open(path);
            return Ok(Self::Stream(opened.map_err(Error::write(path))?));
        }
        let place = Place::of(path, rules)?;
        let (folder, name) = place.for_file()?;
        match place.kind()? {
            Some(EntryKind::Other) => {
                return folder.open_stream(name).map(Self::Stream).map_err(|error| error.with_path(path));
            }
            Some(EntryKind::Folder) => {
                let why = "it is a folder; name a file in it".to_owned();
                return Err(Error::refused(path, ErrorKind::IsADirectory, why));
            }
            // A file that we may not write to is not replaced either.
            Some(_) => folder.must_be_writable(name).map_err(|error| error.with_path(path))?,
            None => {}
        }
        Ok(Self::File(folder.clone(), name.to_owned()))
    }
}

/// Whether a path stands for a file that our caller opened for us.
fn is_handed_over(path: &Path) -> bool {
    let of_number = ["/dev/fd", "/proc/self/fd"].iter().find_map(|folder| path.strip_prefix(folder).ok());
    let is_number = |rest: &Path| rest.to_str().is_some_and(|text| text.parse::<u32>().is_ok());
    of_number.is_some_and(is_number) || ["/dev/stdout", "/dev/stderr"].iter().any(|of| path == Path::new(of))
}

/// Opens a file that the user named for reading, and follows links. `None` if it is a pipe, a device or a folder: one may have
/// taken the place of the file just now, and opening it must not wait.
pub fn open_regular(path: &Path) -> std::io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?);
    Ok(file.metadata()?.is_file().then_some(file))
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
        let write = |out: &mut Output<'_>| out.write_all(text.as_bytes()).map_err(Error::write(path));
        write_whole(path, Rules::PRIVATE, write).unwrap();
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
        let error = write_whole(&path, Rules::PRIVATE, |out| {
            out.write_all(b"new").unwrap();
            Err::<(), _>(NoMoreRows)
        });
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        let kept = std::fs::read(&path).unwrap();
        assert_eq!((names, kept.as_slice()), (1, b"old".as_slice()));
        assert_eq!(error, Err(NoMoreRows));
    }

    #[test]
    fn an_output_that_grows_without_end_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let [path, live] = ["rows.csv", "live.csv"].map(|name| folder.path().join(name));
        check(&path, "old");
        let rules = Rules::PRIVATE.at_most(1_000_000);
        let endless = |out: &mut Output<'_>| -> Result<(), Error> {
            let refused = (0..).find_map(|_| out.write_all(&[b'x'; 1000]).err());
            // Writers in between may replace the error by one of their own.
            Err(Error::write("elsewhere")(std::io::Error::other(refused.unwrap().to_string())))
        };
        let limit = "it would be larger than 1 MB: ask for less, or raise the limit with --max-size";
        let error = write_whole(&path, rules, endless).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write {}: {limit}", path.display()));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let mut growing = create_growing(&live, rules).unwrap();
        let refused = (0..2000).find_map(|_| growing.write_all(&[b'x'; 1000]).err());
        assert_eq!(refused.unwrap().to_string(), limit);
        assert_eq!(std::fs::metadata(&live).unwrap().len(), 1_000_000);
        let mut tables = crate::PendingFolder::begin(&folder.path().join("tables"), rules).unwrap();
        // The limit is one for all files.
        let part = |out: &mut Output<'_>| out.write_all(&vec![b'x'; 400_000]).map_err(Error::write("x"));
        tables.write_with("a.csv", part).unwrap();
        tables.write_with("b.csv", part).unwrap();
        let error = tables.write_with("c.csv", part).unwrap_err().to_string();
        assert!(error.ends_with(&limit) && error.contains("tables/c.csv"), "{error}");
        drop(tables);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_everybody_could_read_is_not_read_by_everybody_when_it_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let write: [fn(&Path); 2] = [
            |path| check(path, "rows"),
            |path| create_growing(path, Rules::PRIVATE).unwrap().write_all(b"rows").unwrap(),
        ];
        for write in write {
            std::fs::write(&path, "old").unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
            let mut before = File::open(&path).unwrap();
            write(&path);
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), mode & 0o777), ("rows", 0o600));
            assert_eq!(std::io::read_to_string(&mut before).unwrap(), "old", "it was open before");
        }
        assert!(same_file(&path, &folder.path().join("./rows.csv")));
        assert!(!same_file(&path, folder.path()));
    }

    #[test]
    fn a_link_does_not_lead_to_another_file_being_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let [victim, link, dangling] = ["victim", "link", "dangling"].map(|name| folder.path().join(name));
        std::fs::write(&victim, "precious").unwrap();
        symlink("victim", &link).unwrap();
        symlink("nowhere", &dangling).unwrap();
        for rules in [Rules::PRIVATE, Rules::PRIVATE.insecure(true)] {
            for path in [&link, &dangling] {
                let written = write_whole(path, rules, |_| Ok::<(), Error>(()));
                assert!(matches!(written, Err(Error::Link(of)) if of == *path));
                assert!(matches!(create_growing(path, rules), Err(Error::Link(of)) if of == *path));
            }
        }
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_pipe_that_took_the_place_of_a_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, pipe] = ["file", "link", "pipe"].map(|name| folder.path().join(name));
        std::fs::write(&file, "").unwrap();
        symlink("file", &link).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for (path, expected) in [(file, true), (link, true), (pipe, false), (folder.path().to_owned(), false)]
        {
            assert_eq!(open_regular(&path).unwrap().is_some(), expected, "{}", path.display());
        }
    }

    #[test]
    fn a_file_that_may_not_be_written_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, "kept").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap();
        if File::options().write(true).open(&path).is_ok() {
            let test = "a_file_that_may_not_be_written_is_not_replaced";
            return base::ground::skip(test, "root may write everything");
        }
        assert!(write_whole(&path, Rules::PRIVATE, |_| Ok::<(), Error>(())).is_err());
        assert!(create_growing(&path, Rules::PRIVATE).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
    }

    #[test]
    fn a_pipe_is_written_into_and_stays_a_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        if !std::process::Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()) {
            return base::ground::skip("a_pipe_is_written_into_and_stays_a_pipe", "there is no mkfifo");
        }
        let write: [fn(&Path); 2] = [
            |path| check(path, "rows"),
            |path| create_growing(path, Rules::PRIVATE).unwrap().write_all(b"rows").unwrap(),
        ];
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
        let path = folder.path().join("live.csv");
        for text in ["a long first text", "second"] {
            let mut out = create_growing(&path, Rules::PRIVATE).unwrap();
            out.write_all(text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn only_what_the_caller_opened_is_reached_through_a_link() {
        let check = |path: &str, expected| assert_eq!(is_handed_over(Path::new(path)), expected, "{path}");
        for path in ["/dev/stdout", "/dev/stderr", "/dev/fd/63", "/proc/self/fd/1"] {
            check(path, true);
        }
        for path in
            ["/dev/stdin", "/dev/fd", "/dev/fd/", "/dev/fd/1/x", "/dev/fd/../x", "/proc/self/cwd", "stdout"]
        {
            check(path, false);
        }
    }

    #[test]
    fn an_error_names_the_path_that_the_user_named_and_says_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let check = |path: &str, why: &str| {
            let path = folder.path().join(path);
            let error = write_whole(&path, Rules::PRIVATE, |_| Ok::<(), Error>(())).unwrap_err().to_string();
            let why = why.replace("FOLDER", &folder.path().display().to_string());
            assert_eq!(error, format!("cannot write {}: {why}", path.display()));
        };
        std::fs::write(folder.path().join("file"), "").unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        check("missing/rows.csv", "the folder FOLDER/missing does not exist; create it first");
        check("missing/inner/rows.csv", "the folder FOLDER/missing does not exist; create it first");
        check("file/rows.csv", "FOLDER/file is not a folder");
        check("inner", "it is a folder; name a file in it");
        check("rows.csv/", "a name that ends in / is a folder's, and a file is to be written");
    }
}
