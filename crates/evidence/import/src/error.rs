//! Why an exhibit cannot be opened.

use std::path::Path;
use thiserror::Error;

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
    #[error(
        "{0} is neither a file nor a folder: name a recording or an exhibit's folder; save a pipe to a file first"
    )]
    NotAFile(String),
    /// A folder without a file that can be read.
    #[error("{path} is not an exhibit: expected a file in it that is {}", crate::formats::expected())]
    NoExhibit {
        /// The folder.
        path: String,
    },
    /// A folder with exhibits in its sub-folders, where one is needed.
    #[error("{path} holds several exhibits: name one of them, {path}/{}", names.join(&format!(" or {path}/")))]
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
    #[error("{path} is an exhibit of kind `{kind}`, which this version cannot read; a newer one may")]
    UnknownKind {
        /// The folder.
        path: String,
        /// The kind's name.
        kind: String,
    },
    /// An archive without a file in it.
    #[error("{0} is an archive without a file in it that could be evidence")]
    EmptyArchive(String),
    /// Packed bytes out of which nothing comes.
    #[error("{path} cannot be unpacked: {cause}")]
    Packing {
        /// The file.
        path: String,
        /// Its reason.
        cause: std::io::Error,
    },
    /// A file without a byte.
    #[error("{path}: the input is empty: expected {}", crate::formats::expected())]
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
    #[error("{path} is not a file that casebook reads: expected {}", crate::formats::expected())]
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

    /// The reason without the file's name.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Io { cause, .. } => format!("cannot be read: {cause}"),
            Self::Packing { cause, .. } => format!("cannot be unpacked: {cause}"),
            Self::Format { cause, .. } => format!("cannot be read: {cause}"),
            Self::Empty { .. } => "is empty".to_owned(),
            Self::Foreign { what, .. } => format!("is {what}"),
            Self::NotAFile(_) => "is not a file".to_owned(),
            Self::EmptyArchive(_) => "has no file in it".to_owned(),
            Self::NoExhibit { .. }
            | Self::SeveralExhibits { .. }
            | Self::SeveralKinds { .. }
            | Self::UnknownKind { .. }
            | Self::OtherKind { .. }
            | Self::Unknown { .. } => "is not a file that casebook reads".to_owned(),
        }
    }
}
