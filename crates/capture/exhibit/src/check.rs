//! Whether a listed file is still as it was when it was captured.

use crate::Error;
use crate::folder::{Folder, is_own_name};
use crate::hash::sum;
use crate::manifest::FileEntry;
use std::ffi::OsStr;
use std::io::{self, Read};

/// What [`check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Size and hash are as listed.
    AsItWas,
    /// There is no such file.
    Missing,
    /// The file has another size.
    OtherSize {
        /// Its size now.
        bytes: u64,
    },
    /// The size is as listed, the hash is not.
    OtherHash,
    /// The size is as listed. The file was not hashed, since it is larger than what is left of the budget.
    NotHashed,
    /// No hash is listed. The size is as listed, if it is.
    NoHash,
    /// It is a link, a pipe, a folder or a device. It was not opened.
    NotAFile,
    /// The listed name leads out of the folder. It was not looked at.
    NotAName,
    /// The system refuses to read it, with its reason.
    Unreadable(String),
}

/// Compares a listed file with the one in the folder. The bytes that are hashed are subtracted from `budget`.
pub fn check(folder: &Folder, listed: &FileEntry, budget: &mut u64) -> Check {
    if !is_own_name(OsStr::new(&listed.name)) {
        return Check::NotAName;
    }
    let file = match folder.open_file(&listed.name) {
        Ok(file) => file,
        Err(Error::NotAFile(_)) => return Check::NotAFile,
        Err(error) if error.is_missing() => return Check::Missing,
        Err(error) => return unreadable(&error.into()),
    };
    let bytes = match file.metadata() {
        Ok(meta) => meta.len(),
        Err(cause) => return unreadable(&cause),
    };
    if listed.bytes.is_some_and(|listed| listed != bytes) {
        return Check::OtherSize { bytes };
    }
    let Some(expected) = &listed.blake3 else { return Check::NoHash };
    let Some(left) = budget.checked_sub(bytes) else { return Check::NotHashed };
    *budget = left;
    // `take`: a file that grows meanwhile must not exceed the budget.
    match sum(file.take(bytes)) {
        Ok(found) if found.blake3.eq_ignore_ascii_case(expected) => Check::AsItWas,
        Ok(_other) => Check::OtherHash,
        Err(cause) => unreadable(&cause),
    }
}

fn unreadable(cause: &io::Error) -> Check {
    Check::Unreadable(cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_that_changed_since_its_capture_does_not_pass_for_the_one_that_was_captured() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        folder.write_new("four", b"four").unwrap();
        std::fs::create_dir(there.path().join("folder")).unwrap();
        symlink("four", there.path().join("link")).unwrap();
        let of = |text: &[u8]| Some(blake3::hash(text).to_hex().to_string());
        let check = |name: &str, bytes, blake3, budget: u64, expected, left: u64| {
            let mut budget = budget;
            let listed = FileEntry { name: name.to_owned(), bytes, blake3, ..FileEntry::default() };
            assert_eq!((super::check(&folder, &listed, &mut budget), budget), (expected, left), "{name}");
        };
        check("four", Some(4), of(b"four"), 9, Check::AsItWas, 5);
        check("four", None, of(b"four").map(|hash| hash.to_uppercase()), 4, Check::AsItWas, 0);
        check("four", Some(4), of(b"five"), 9, Check::OtherHash, 5);
        check("four", Some(4), Some("no hash".to_owned()), 9, Check::OtherHash, 5);
        check("four", Some(5), of(b"four"), 9, Check::OtherSize { bytes: 4 }, 9);
        check("four", Some(4), of(b"four"), 3, Check::NotHashed, 3);
        check("four", Some(4), None, 9, Check::NoHash, 9);
        check("gone", Some(4), None, 9, Check::Missing, 9);
        check("link", Some(4), of(b"four"), 9, Check::NotAFile, 9);
        check("folder", None, None, 9, Check::NotAFile, 9);
        for name in ["", "..", "../four", "/four"] {
            check(name, None, None, 9, Check::NotAName, 9);
        }
    }

    #[test]
    fn a_pipe_in_a_files_place_is_not_waited_for() {
        let there = tempfile::tempdir().unwrap();
        let pipe = there.path().join("trace");
        if !std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
            return base::ground::skip("a_pipe_in_a_files_place_is_not_waited_for", "there is no mkfifo");
        }
        let folder = Folder::open(there.path()).unwrap();
        let listed = FileEntry { name: "trace".to_owned(), ..FileEntry::default() };
        assert_eq!(check(&folder, &listed, &mut 9), Check::NotAFile);
    }
}
