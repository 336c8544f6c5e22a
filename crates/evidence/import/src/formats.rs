//! The formats that are read, and how a file is told to be of one.
//!
//! A file's format is told by its first bytes, unpacked. Its name counts only inside a folder, for a file whose first bytes
//! are damaged: then it is reported, where it would be passed over otherwise.

use crate::feed::Job;
use crate::head::Head;
use crate::{Error, Options, bench, foreign, trace};
use model::{Evidence, Kind};
use std::io::Read;
use std::path::PathBuf;

/// A format of one kind of evidence.
pub(crate) struct Format {
    /// The kind that it is read into.
    pub(crate) kind: Kind,
    /// What it is called in messages, with its usual endings.
    pub(crate) title: &'static str,
    /// What several of its files are called.
    pub(crate) plural: &'static str,
    /// Endings of its files' names, packed or not.
    pub(crate) endings: &'static [&'static str],
    /// Whether a file begins like one of this format.
    pub(crate) sniff: fn(&Head) -> bool,
    /// Reads the files of one exhibit. Formats of one kind share it: each file comes with its own format.
    pub(crate) read: fn(&mut Job<'_>, &[Member]) -> Result<Evidence, Error>,
    /// Reads one file that is in memory, unpacked.
    pub(crate) read_stream: fn(&mut dyn Read, &str, Options) -> Result<Evidence, Error>,
    /// Files that an exhibit's folder may have beside them.
    pub(crate) beside: &'static [&'static str],
}

/// A file of an exhibit, with the format that it is of.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) path: PathBuf,
    pub(crate) format: &'static Format,
}

/// Every format.
pub(crate) static FORMATS: &[&Format] = &[&trace::FORMAT, &bench::FORMAT];

/// The format of a file that begins so, or why it cannot be read.
pub(crate) fn of(head: Head, name: &str) -> Result<&'static Format, Error> {
    let path = name.to_owned();
    if let Some(foreign) = foreign::of(&head) {
        return Err(Error::Foreign { path, what: foreign.what, opens: foreign.opens });
    }
    match FORMATS.iter().copied().find(|format| (format.sniff)(&head)) {
        Some(format) => Ok(format),
        None => Err(head.refusal(path)),
    }
}

/// What is read, for messages.
pub(crate) fn expected() -> String {
    let titles: Vec<&str> = FORMATS.iter().map(|format| format.title).collect();
    format!("{}, packed or not", titles.join(", or "))
}
