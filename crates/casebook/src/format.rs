//! What is common to the commands' output: JSON as one document, and files that appear whole.

use anyhow::Context;
use serde::Serialize;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Prints one JSON document.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

/// Links that are followed from a path, as systems do.
const MOST_LINKS: usize = 40;

/// Writes a file under a temporary name beside it, and gives it its name when it is whole and on the disk; what is no
/// file, as a pipe or a device, is written into as it is.
///
/// After an error the file that was there before is still there, and nothing lies beside it. A file that is there keeps
/// its permissions, and a link leads where it led.
pub(crate) fn write_whole<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let cannot = || format!("cannot write {}", path.display());
    let old = std::fs::metadata(path).ok();
    // What is reached as a device is open elsewhere, even where it is a file.
    if old.as_ref().is_some_and(|old| !old.is_file() || path.starts_with("/dev")) {
        let mut out = BufWriter::new(OpenOptions::new().append(true).open(path).with_context(cannot)?);
        let written = write(&mut out)?;
        out.flush().with_context(cannot)?;
        return Ok(written);
    }
    let target = behind_links(path);
    let temporary = temporary_name(&target);
    let written = (|| {
        let file = File::create_new(&temporary).with_context(cannot)?;
        if let Some(old) = &old {
            // Whoever may not write into the old file may not replace it either.
            OpenOptions::new().write(true).open(&target).with_context(cannot)?;
            file.set_permissions(old.permissions()).with_context(cannot)?;
        }
        let mut out = BufWriter::new(file);
        let written = write(&mut out)?;
        out.flush().with_context(cannot)?;
        out.get_ref().sync_all().with_context(cannot)?;
        std::fs::rename(&temporary, &target).with_context(cannot)?;
        anyhow::Ok(written)
    })();
    if written.is_err() {
        // The first error is the one to tell; the file may never have been made.
        drop(std::fs::remove_file(&temporary));
    }
    written
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

/// Whether two paths lead to one and the same file.
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    let (Ok(of_one), Ok(of_other)) = (identity(one), identity(other)) else { return false };
    of_one == of_other
}

#[cfg(unix)]
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> std::io::Result<PathBuf> {
    path.canonicalize()
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, std::ffi::OsStr::to_os_string);
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_goes_wrong_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        write_whole(&path, |out| Ok(out.write_all(b"old")?)).unwrap();
        let error = write_whole(&path, |out| {
            out.write_all(b"new")?;
            anyhow::bail!("no more rows") as anyhow::Result<()>
        });
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        let kept = std::fs::read(&path).unwrap();
        assert_eq!((names, kept.as_slice()), (1, b"old".as_slice()));
        assert_eq!(format!("{:#}", error.unwrap_err()), "no more rows");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_where_it_led_and_a_file_keeps_who_may_read_it() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["rows.csv", "link.csv"].map(|name| folder.path().join(name));
        symlink("rows.csv", &link).unwrap();
        for text in ["one", "two"] {
            write_whole(&link, |out| Ok(out.write_all(text.as_bytes())?)).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        }
        write_whole(&link, |out| Ok(out.write_all(b"three")?)).unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_into_and_stays_a_pipe() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        if !std::process::Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()) {
            return base::ground::skip("a_pipe_is_written_into_and_stays_a_pipe", "there is no mkfifo");
        }
        let read = std::thread::scope(|scope| {
            let reader = std::thread::Builder::new();
            let reader = reader.spawn_scoped(scope, || std::fs::read_to_string(&path).unwrap()).unwrap();
            write_whole(&path, |out| Ok(out.write_all(b"rows")?)).unwrap();
            reader.join().unwrap()
        });
        assert_eq!(read, "rows");
        assert!(std::fs::metadata(&path).unwrap().file_type().is_fifo());
    }
}
