//! Why an exhibit cannot be opened.

use std::path::Path;
use thiserror::Error;

/// A process that an exhibit holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// As the operating system numbers it.
    pub id: u64,
    /// What it is called, if that is known.
    pub name: Option<String>,
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} ({})", self.id, name.escape_debug()),
            None => write!(f, "{}", self.id),
        }
    }
}

/// Processes that a message names; of more it says how many.
const MAX_NAMED: usize = 20;

/// The processes that an exhibit holds, in words.
fn listed<T: std::fmt::Display>(held: &[T]) -> String {
    let named: Vec<String> = held.iter().take(MAX_NAMED).map(T::to_string).collect();
    match held.len().saturating_sub(MAX_NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Why an exhibit cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refuses.
    #[error("cannot read {path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// Its reason.
        cause: std::io::Error,
    },
    /// Neither a file nor a folder.
    #[error("{0} is neither a file nor a folder: name a file or a folder; save a pipe to a file first")]
    NotAFile(String),
    /// A folder without a file that can be read.
    #[error("{path} contains no file that casebook reads: expected {}", crate::names::expected())]
    NoExhibit {
        /// The folder.
        path: String,
    },
    /// An exhibit in a sub-folder of another user, which nobody named.
    #[error("{path} belongs to another user ({user}): name it to read it")]
    Strangers {
        /// The exhibit's folder.
        path: String,
        /// The user.
        user: u32,
    },
    /// A folder with exhibits in its sub-folders, where one is needed.
    #[error(
        "{path} has several sub-folders with recordings or results: name one of them, {path}/{}",
        names.join(&format!(" or {path}/"))
    )]
    SeveralExhibits {
        /// The folder.
        path: String,
        /// The sub-folders.
        names: Vec<String>,
    },
    /// A folder with files of several kinds.
    #[error(
        "{path} holds files of several kinds ({kinds}): name one file, or move each kind into a folder of its own"
    )]
    SeveralKinds {
        /// The folder.
        path: String,
        /// The kinds.
        kinds: String,
    },
    /// `exhibit.toml` names another kind than the files are of.
    #[error("{path}: its exhibit.toml says that it is of kind `{kind}`, but what is in it is: {found}")]
    OtherKind {
        /// The folder.
        path: String,
        /// The kind's name.
        kind: String,
        /// The kinds of the files.
        found: String,
    },
    /// `exhibit.toml` names a kind that this version does not know.
    #[error("{path} contains data of kind `{kind}`, which this version cannot read; a newer one may")]
    UnknownKind {
        /// The folder.
        path: String,
        /// The kind's name.
        kind: String,
    },
    /// A folder with recordings of several processes.
    #[error(
        "{path} holds recordings of different processes: {}: name one of the files, or choose a process with --pid",
        listed(held)
    )]
    SeveralProcesses {
        /// The folder.
        path: String,
        /// The processes, each with its file.
        held: Vec<String>,
    },
    /// A process that the exhibit does not have.
    #[error("{path} has no process {process}, only {}", listed(held))]
    NoSuchProcess {
        /// The exhibit.
        path: String,
        /// What was asked for.
        process: u64,
        /// What there is, the most sampled first.
        held: Vec<Held>,
    },
    /// A process of an exhibit that does not say of which process it is.
    #[error("{path} does not say which process it is of: process {process} cannot be chosen")]
    NoProcess {
        /// The exhibit.
        path: String,
        /// What was asked for.
        process: u64,
    },
    /// An archive without a file in it, or with empty ones alone.
    #[error("{path} is an archive {}", nothing_in(*.entries))]
    EmptyArchive {
        /// The archive.
        path: String,
        /// How many files and folders it names.
        entries: usize,
    },
    /// Compressed bytes out of which nothing comes.
    #[error("{path} {}", not_decompressed(cause))]
    Packing {
        /// The file.
        path: String,
        /// Its reason.
        cause: std::io::Error,
    },
    /// A file without a byte.
    #[error("{path}: the input is empty: expected {}", crate::names::expected())]
    Empty {
        /// The file.
        path: String,
    },
    /// A file of another tool.
    #[error("{path} is {what}; this version cannot read it yet: {opens}")]
    Foreign {
        /// The file.
        path: String,
        /// What it is.
        what: &'static str,
        /// What opens it.
        opens: &'static str,
    },
    /// Nothing that is known.
    #[error("{path} is not a file that casebook reads: its content is not {}", crate::names::expected())]
    Unknown {
        /// The file.
        path: String,
    },
    /// The format's own reader refuses the bytes.
    #[error("{path}: {cause}")]
    Format {
        /// The file.
        path: String,
        /// Its reason.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// An error of the file system at a path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |cause| Self::Io { path, cause }
    }

    /// The format's own reason, for a file.
    pub(crate) fn format<E: std::error::Error + Send + Sync + 'static>(path: &str) -> impl Fn(E) -> Self {
        move |cause| Self::Format { path: path.to_owned(), cause: Box::new(cause) }
    }

    /// The error of a folder that is held open, or of a file in it.
    pub(crate) fn held(path: &Path) -> impl FnOnce(exhibit::Error) -> Self {
        |error| Self::Io { path: path.display().to_string(), cause: error.into() }
    }

    /// The reason without the file's name.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Io { cause, .. } => format!("cannot be read: {cause}"),
            Self::Packing { cause, .. } => not_decompressed(cause),
            Self::Format { cause, .. } => format!("cannot be read: {cause}"),
            Self::Empty { .. } => "is empty".to_owned(),
            Self::Foreign { what, .. } => format!("is {what}"),
            Self::NotAFile(_) => "is not a file".to_owned(),
            Self::EmptyArchive { .. } => "has no file in it".to_owned(),
            Self::NoExhibit { .. }
            | Self::SeveralExhibits { .. }
            | Self::SeveralKinds { .. }
            | Self::Strangers { .. }
            | Self::UnknownKind { .. }
            | Self::OtherKind { .. }
            | Self::SeveralProcesses { .. }
            | Self::NoSuchProcess { .. }
            | Self::NoProcess { .. }
            | Self::Unknown { .. } => "is not a file that casebook reads".to_owned(),
        }
    }
}

/// Why nothing comes out of compressed bytes.
fn not_decompressed(cause: &std::io::Error) -> String {
    // The decompressors name a part of their own formats, which says less.
    if cause.kind() == std::io::ErrorKind::UnexpectedEof {
        "is cut off before any data: copy the whole file".to_owned()
    } else {
        format!("cannot be decompressed: {cause}")
    }
}

/// What an archive without evidence has in it.
fn nothing_in(entries: usize) -> String {
    match entries {
        0 => "without a file in it that could be evidence".to_owned(),
        1 => "of one file, which is empty".to_owned(),
        _ => format!("of {entries} files and folders, and each that was looked at is empty"),
    }
}
