//! What is common to the commands' output: JSON as one document, and files that appear whole.

use anyhow::Context;
use serde::Serialize;
use std::ffi::OsString;
use std::fs::File;
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

/// Writes a file under a temporary name beside it, and gives it its name when it is whole and on the disk.
///
/// After an error the file that was there before is still there, and nothing lies beside it.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let temporary = temporary_name(path);
    let written = (|| {
        let mut out = BufWriter::new(File::create(&temporary)?);
        write(&mut out)?;
        out.flush()?;
        out.get_ref().sync_all()?;
        std::fs::rename(&temporary, path)?;
        anyhow::Ok(())
    })();
    if written.is_err() {
        // The first error is the one to tell; the file may never have been made.
        drop(std::fs::remove_file(&temporary));
    }
    written.with_context(|| format!("cannot write {}", path.display()))
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
        let folder = std::env::temp_dir().join(format!("casebook-format-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("rows.csv");
        write_whole(&path, |out| Ok(out.write_all(b"old")?)).unwrap();
        let error = write_whole(&path, |out| {
            out.write_all(b"new")?;
            anyhow::bail!("no more rows")
        });
        let names = std::fs::read_dir(&folder).unwrap().count();
        let kept = std::fs::read(&path).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((names, kept.as_slice()), (1, b"old".as_slice()));
        assert_eq!(
            format!("{:#}", error.unwrap_err()),
            format!("cannot write {}: no more rows", path.display())
        );
    }
}
