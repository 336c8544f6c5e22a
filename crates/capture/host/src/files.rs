//! Reading small files of the kernel up to a limit.
//!
//! A longer file is cut off at the limit, so its readers must accept an incomplete last line. Only regular files are
//! opened, which all files of `/proc` and of control groups are: opening a pipe would wait for its writer.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Limit in bytes for a file that only the kernel fills.
pub(crate) const USUAL: u64 = 64 << 10;
/// Limit in bytes for a file that grows with the machine or that the process fills: mounts, CPU cores, arguments,
/// environment.
pub(crate) const LONG: u64 = 1 << 20;

/// Most of these files are shorter, so one read is enough.
const AT_ONCE: usize = 4096;

pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(Error::from(ErrorKind::InvalidInput));
    }
    let mut bytes = Vec::with_capacity(AT_ONCE);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file; bytes that are not UTF-8 are replaced.
pub(crate) fn text(path: &Path, limit: u64) -> Option<String> {
    let bytes = read(path, limit).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The word that is the whole content of a file.
pub(crate) fn word(path: &Path) -> Option<String> {
    text(path, USUAL).map(|text| text.trim().to_owned())
}

/// The number that is the whole content of a file.
pub(crate) fn number(path: &Path) -> Option<u64> {
    word(path)?.parse().ok()
}

/// The rest of the first line that starts with a name, trimmed.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// The number after a name and a space, as in `cpu.stat`.
pub(crate) fn count(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// How long at least one process waited, in nanoseconds: the `total` of the line `some` in a pressure file (PSI), which
/// is in microseconds.
pub(crate) fn pressure_total(text: &str) -> Option<u64> {
    let line = field(text, "some ")?;
    let micros: u64 = line.split(' ').find_map(|part| part.strip_prefix("total="))?.parse().ok()?;
    micros.checked_mul(1000)
}

/// The entries of a folder whose names are numbers, in order; an arbitrary `limit` of them if there are more.
pub(crate) fn numbered(folder: &Path, limit: usize) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let number = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let mut numbers: Vec<u32> = entries.filter_map(number).take(limit).collect();
    numbers.sort_unstable();
    numbers
}

/// Distinguishes a file or folder from a later one with the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

pub(crate) fn id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path).ok()?;
    Some(FileId { device: meta.dev(), inode: meta.ino() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn check(name: &str, limit: u64, expected: Option<&str>) {
        let tree = Tree::new();
        tree.write("file", "12345\n");
        tree.write("7/file", "");
        tree.write("12/file", "");
        assert_eq!(text(&tree.path(name), limit).as_deref(), expected);
        assert_eq!(numbered(&tree.path(""), 10), [7, 12]);
        assert_eq!(numbered(&tree.path(""), 1).len(), 1);
    }

    #[test]
    fn a_file_is_cut_at_its_limit_and_a_folder_is_not_read() {
        check("file", USUAL, Some("12345\n"));
        check("file", 3, Some("123"));
        check("7", USUAL, None);
        check("none", USUAL, None);
    }
}
