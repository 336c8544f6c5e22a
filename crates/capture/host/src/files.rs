//! Reading small files of the kernel up to a limit.
//!
//! A file that is longer is cut off there, which every reader of it has to bear. Only regular files are opened, as all
//! of `/proc` and of control groups are: a pipe of that name would be waited for.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Bytes of a file that the kernel alone writes.
pub(crate) const USUAL: u64 = 64 << 10;
/// Bytes of a file that grows with the machine, or that the process fills: arguments, environment, mounts, processors.
pub(crate) const LONG: u64 = 1 << 20;

/// Most of these files are shorter, so that they are read at once.
const AT_ONCE: usize = 4096;

pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(Error::from(ErrorKind::InvalidInput));
    }
    let mut bytes = Vec::with_capacity(AT_ONCE);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file; what is not UTF-8 in it is replaced.
pub(crate) fn text(path: &Path, most: u64) -> Option<String> {
    let bytes = read(path, most).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file that holds one word.
pub(crate) fn word(path: &Path) -> Option<String> {
    text(path, USUAL).map(|text| text.trim().to_owned())
}

/// A file that holds one number.
pub(crate) fn number(path: &Path) -> Option<u64> {
    word(path)?.parse().ok()
}

/// What follows a name at the start of a line, without the blanks around it.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// The number behind a name and a blank, as in `cpu.stat`.
pub(crate) fn count(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// How long something waited, in nanoseconds since the machine began: the `total` of the line `some` in a file of
/// pressures (PSI), which is in microseconds.
pub(crate) fn pressure_total(text: &str) -> Option<u64> {
    let line = field(text, "some ")?;
    let micros: u64 = line.split(' ').find_map(|part| part.strip_prefix("total="))?.parse().ok()?;
    micros.checked_mul(1000)
}

/// The entries of a folder whose names are numbers, in order; of more than `most` any.
pub(crate) fn numbered(folder: &Path, most: usize) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let number = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let mut numbers: Vec<u32> = entries.filter_map(number).take(most).collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn check(name: &str, most: u64, expected: Option<&str>) {
        let tree = Tree::new();
        tree.write("file", "12345\n");
        tree.write("7/file", "");
        tree.write("12/file", "");
        assert_eq!(text(&tree.path(name), most).as_deref(), expected);
        assert_eq!(numbered(&tree.path(""), 10), [7, 12]);
        assert_eq!(numbered(&tree.path(""), 1).len(), 1);
    }

    #[test]
    fn a_file_is_cut_at_its_limit_and_a_folder_is_none() {
        check("file", USUAL, Some("12345\n"));
        check("file", 3, Some("123"));
        check("7", USUAL, None);
        check("none", USUAL, None);
    }
}
