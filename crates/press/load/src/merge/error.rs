//! Why runs cannot be merged.

/// Runs that can be merged at once.
pub(super) const MAX_PARTS: usize = 1_000;

/// Why runs cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A file cannot be read.
    #[error("cannot read {file}: {cause}")]
    Read {
        /// Which.
        file: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The folder or file is refused.
    #[error(transparent)]
    Exhibit(#[from] exhibit::Error),
    /// It is not what `casebook load` writes.
    #[error("{file}: {what}")]
    Damaged {
        /// Which file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// Runs that are not of one load.
    #[error("{second} cannot be added to {first}: {why}")]
    Different {
        /// One run.
        first: String,
        /// Another.
        second: String,
        /// In what they differ.
        why: String,
    },
    /// Too many, or none.
    #[error("expected 1 to {MAX_PARTS} runs, not {0}")]
    Number(usize),
}
