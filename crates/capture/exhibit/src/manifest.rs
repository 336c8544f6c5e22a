//! `exhibit.toml`: what was captured, of what, how, and which files it consists of.
//!
//! Writers and readers share these types. A reader takes what it finds: any field may be missing, and unknown fields are
//! ignored. What only one kind of evidence has is a table beside the common fields; this module does not know what is in it.

use crate::error::Error;
use crate::escape;
use crate::folder::Folder;
use crate::pending::Pending;
use crate::preallocate::{is_full, preallocate};
use base::steering::without_quotes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use toml::Table;

/// The file's name.
pub const FILE: &str = "exhibit.toml";
/// The most listed files that a reader looks at. This program lists fewer.
pub const MAX_FILES: usize = 1000;
/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// The contents of `exhibit.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The kind of evidence, such as `nettrace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The program that captured it, with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The command line of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The name of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// When the capture began, by RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// When it ended, by RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// The state of the capture, such as `recording` or `complete`, or why it is not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The service under study.
    #[serde(skip_serializing_if = "SubjectEntry::is_empty")]
    pub subject: SubjectEntry,
    /// The tables of this kind of evidence, in the order of the file. Unknown fields end up here too.
    #[serde(flatten)]
    pub parts: Table,
    /// The files, without this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEntry>,
}

/// The service under study.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubjectEntry {
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its process id, as the host sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u64>,
    /// Its process id, as its container sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_pid: Option<u64>,
    /// How it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_line: Option<String>,
    /// The runtime's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The CPU's architecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The container that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Settings of .NET in its environment: variables that begin with `DOTNET_` or `COMPlus_`, and no others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

impl SubjectEntry {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A file of the exhibit, as it was when the capture ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileEntry {
    /// Its name in the folder.
    pub name: String,
    /// Its size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Its size before compression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_bytes: Option<u64>,
    /// BLAKE3 of its bytes, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
}

impl Manifest {
    /// Sets the table of this name. A new table goes to the end.
    pub fn set_part(&mut self, name: &str, part: &impl Serialize) -> Result<(), Error> {
        let table = Table::try_from(part).map_err(|cause| Error::Part { part: name.to_owned(), cause })?;
        self.parts.insert(name.to_owned(), table.into());
        Ok(())
    }

    /// Writes it into a folder that does not have one.
    pub fn create_in(&self, folder: &Folder) -> Result<File, Error> {
        folder.write_new(FILE, self.text(folder)?.as_bytes())
    }

    /// Writes it to a file of the folder that gets its name when the caller finishes it.
    pub fn begin_in(&self, folder: &Folder) -> Result<Pending, Error> {
        let mut pending = folder.begin(FILE)?;
        pending.write_all(self.text(folder)?.as_bytes()).map_err(Error::write(folder.path_of(FILE)))?;
        Ok(pending)
    }

    /// Replaces the one in the folder. After an error the old one is still there. If the disk is full, the old one is
    /// overwritten in the room that was preallocated for it.
    pub fn replace_in(&self, folder: &Folder, old: &ManifestFile) -> Result<(), Error> {
        let text = self.text(folder)?;
        match folder.write(FILE, text.as_bytes()) {
            Err(Error::Write { cause, .. }) if is_full(&cause) && old.holds(&text) => {
                old.write_over(text.as_bytes()).map_err(Error::write(folder.path_of(FILE)))
            }
            written => written,
        }
    }

    fn text(&self, folder: &Folder) -> Result<String, Error> {
        let text = Table::try_from(self).and_then(|table| toml::to_string(&escape::marked(table)));
        let text = text.map_err(io::Error::other).map_err(Error::write(folder.path_of(FILE)))?;
        Ok(escape::escaped(&text))
    }
}

/// An `exhibit.toml` that has room on the disk for its final contents, so that they can be written even if the disk is full.
#[derive(Debug)]
pub struct ManifestFile {
    file: File,
    /// The size that it has room for.
    room: u64,
    is_preallocated: bool,
}

impl ManifestFile {
    /// Bytes that are added at the end: a list of up to 60 files, and the tables of cost and limits.
    const ADDED_AT_END: u64 = 16 << 10;

    /// Preallocates room for a file that was written. An error if the disk does not have it.
    pub fn new(file: File) -> io::Result<Self> {
        let room = file.metadata()?.len().saturating_mul(2).saturating_add(Self::ADDED_AT_END);
        let is_preallocated = preallocate(&file, 0, room)?;
        Ok(Self { file, room, is_preallocated })
    }

    /// The size in bytes that it has room for.
    pub fn room(&self) -> u64 {
        self.room
    }

    fn holds(&self, text: &str) -> bool {
        self.is_preallocated && text.len() as u64 <= self.room
    }

    fn write_over(&self, text: &[u8]) -> io::Result<()> {
        self.file.write_all_at(text, 0)?;
        self.file.set_len(text.len() as u64)?;
        self.file.sync_all()
    }
}

/// What [`read`] found.
#[derive(Debug, Clone, PartialEq)]
pub enum ReadOutcome {
    /// The folder has no `exhibit.toml`.
    Missing,
    /// It was read.
    Read(Box<Manifest>),
    /// It cannot be read, with the reason.
    Unreadable(String),
}

/// Reads the `exhibit.toml` of a folder. Links are not followed, and pipes are not opened.
pub fn read(folder: &Path) -> ReadOutcome {
    let file = Folder::open(folder).and_then(|folder| folder.open_file(FILE));
    let text = match file {
        Ok(file) => text_of(file),
        Err(error) if error.is_missing() => return ReadOutcome::Missing,
        // Something that is not a folder does not have the file either.
        Err(Error::Read { cause, .. }) if cause.kind() == io::ErrorKind::NotADirectory => {
            return ReadOutcome::Missing;
        }
        Err(error) => Err(error.into()),
    };
    let parsed = text
        .map_err(|error| error.to_string())
        .and_then(|text| toml::from_str(&text).map_err(|error| why(&text, &error)));
    parsed.map_or_else(ReadOutcome::Unreadable, |exhibit| ReadOutcome::Read(Box::new(exhibit)))
}

/// Where and why a text is not an `exhibit.toml`. It quotes nothing of the text, which may be a file of secrets under that
/// name.
fn why(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    format!("line {line}: {}", without_quotes(error.message()))
}

fn text_of(file: impl Read) -> io::Result<String> {
    let mut text = String::new();
    let len = file.take(MAX_BYTES.saturating_add(1)).read_to_string(&mut text)?;
    // A file that is too long is not cut: the beginning could pass for the whole.
    if len as u64 > MAX_BYTES { Err(io::Error::other("it is longer than 1 MiB")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// What is read of a folder with this text.
    fn read_text(text: &[u8]) -> ReadOutcome {
        let there = tempfile::tempdir().unwrap();
        std::fs::write(there.path().join(FILE), text).unwrap();
        read(there.path())
    }

    fn exhibit(text: &str) -> Manifest {
        match read_text(text.as_bytes()) {
            ReadOutcome::Read(exhibit) => *exhibit,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_is_read_and_written_again_is_the_same_text_in_the_same_order() {
        let text = "kind = \"nettrace\"\nstate = \"complete\"\n\n[subject]\nname = \"orders\"\n\n[sessions]\nmain = [\"B\", \
                    \"A\"]\nafter = 1\n\n[cost]\nshare = 0.5\n\n[[files]]\nname = \"trace\"\nbytes = 1\n";
        let exhibit = exhibit(text);
        assert_eq!(exhibit.parts.keys().collect::<Vec<_>>(), ["sessions", "cost"]);
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        exhibit.create_in(&folder).unwrap();
        assert_eq!(std::fs::read_to_string(there.path().join(FILE)).unwrap(), text);
        assert_eq!(read(there.path()), ReadOutcome::Read(Box::new(exhibit.clone())));
        assert!(matches!(exhibit.create_in(&folder), Err(Error::Exists(_))));
        let old =
            ManifestFile::new(File::options().write(true).open(there.path().join(FILE)).unwrap()).unwrap();
        exhibit.replace_in(&folder, &old).unwrap();
        assert_eq!(std::fs::read_to_string(there.path().join(FILE)).unwrap(), text);
    }

    #[test]
    fn a_text_that_steers_is_an_escape_in_the_file_and_the_same_text_for_readers() {
        let odd = "a\u{9b}2J\u{202e}\"b\"'c'\\u0001\n\u{f8ff}\u{1}\u{1b}\u{e0041} d";
        let subject = SubjectEntry {
            name: Some(odd.to_owned()),
            command_line: Some("usual \"quotes\" \\u202e".to_owned()),
            environment: BTreeMap::from([(format!("DOTNET_{odd}"), odd.to_owned())]),
            ..SubjectEntry::default()
        };
        let mut exhibit = Manifest { subject, state: Some("recording".to_owned()), ..Manifest::default() };
        exhibit.set_part("sessions", &BTreeMap::from([("main", vec![odd; 2])])).unwrap();
        let there = tempfile::tempdir().unwrap();
        exhibit.create_in(&Folder::open(there.path()).unwrap()).unwrap();
        let text = std::fs::read_to_string(there.path().join(FILE)).unwrap();
        let raw: Vec<char> = text.chars().filter(|c| *c != '\n' && base::steering::is_unseen(*c)).collect();
        assert_eq!(raw, [' '; 0], "{text}");
        assert!(text.contains("\\u009B2J\\u202E") && text.contains("\\U000E0041"), "{text}");
        assert_eq!(read(there.path()), ReadOutcome::Read(Box::new(exhibit)));
    }

    #[test]
    fn a_field_that_is_missing_or_unknown_does_not_hide_the_others() {
        let empty = exhibit("");
        assert_eq!(empty, Manifest::default());
        let text = "later = 2026-01-01T00:00:00Z\nstate = \"recording\"\n[subject]\nname = \"orders\"\npid = 7\nlater = 1\n\
                    [[files]]\nlater = 1\n";
        let read = exhibit(text);
        assert_eq!(
            (read.state.as_deref(), read.subject.name.as_deref()),
            (Some("recording"), Some("orders"))
        );
        assert_eq!(read.files, [FileEntry::default()]);
        // A value beside the tables does not become part of the last one.
        let there = tempfile::tempdir().unwrap();
        read.create_in(&Folder::open(there.path()).unwrap()).unwrap();
        let ReadOutcome::Read(again) = super::read(there.path()) else { panic!() };
        assert_eq!(again.parts, read.parts);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_distinguished_from_one_that_is_missing() {
        let check = |text: &[u8], expected: &str| {
            let outcome = read_text(text);
            assert!(
                matches!(&outcome, ReadOutcome::Unreadable(why) if why.contains(expected)),
                "{outcome:?}"
            );
        };
        check(b"state = 7", "expected a string");
        check(b"\0", "line 1: ");
        check(b"kind = \"nettrace\"\n[subject]\npid = \"hunter2\"", "line 3: expected ");
        check(b"\xff", "UTF-8");
        check(&vec![b'\n'; (1 << 20) + 1], "longer than 1 MiB");
        let there = tempfile::tempdir().unwrap();
        assert_eq!(read(there.path()), ReadOutcome::Missing);
        assert_eq!(read(&there.path().join("missing")), ReadOutcome::Missing);
        std::fs::write(there.path().join("trace"), "").unwrap();
        assert_eq!(read(&there.path().join("trace")), ReadOutcome::Missing);
        symlink("/dev/zero", there.path().join(FILE)).unwrap();
        assert_eq!(read(there.path()), ReadOutcome::Unreadable("it is not a regular file".to_owned()));
    }

    #[test]
    fn a_pipe_of_that_name_is_not_waited_for() {
        let there = tempfile::tempdir().unwrap();
        let pipe = there.path().join(FILE);
        if !std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
            return base::ground::skip("a_pipe_of_that_name_is_not_waited_for", "there is no mkfifo");
        }
        assert_eq!(read(there.path()), ReadOutcome::Unreadable("it is not a regular file".to_owned()));
    }

    #[test]
    fn a_part_that_toml_cannot_hold_is_refused_with_its_name() {
        let mut exhibit = Manifest::default();
        let error = exhibit.set_part("cost", &[("bytes", u64::MAX)]).unwrap_err().to_string();
        assert!(error.starts_with("exhibit.toml cannot hold `cost`"), "{error}");
        assert!(exhibit.parts.is_empty());
    }
}
