//! The limit of the disk that a recording reached.

/// The limit of the disk that a recording reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskLimit {
    /// The recording's own limit, in bytes.
    Size(u64),
    /// The disk has only this many bytes free, and they stay free.
    Disk(u64),
    /// A write failed because the disk is full, or because the user's quota is used up.
    DiskFull,
}

impl DiskLimit {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Size(most) => {
                format!("the recording may take {} on the disk (--max-size)", in_words(most))
            }
            Self::Disk(0..1000) | Self::DiskFull => "the disk is full, or your quota is used up".to_owned(),
            Self::Disk(free) => format!("the disk has only {} left, which stay free", in_words(free)),
        }
    }
}

/// A size in whole megabytes, or in kilobytes if it is smaller than one.
fn in_words(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{} kB", bytes / 1000) } else { format!("{} MB", bytes / 1_000_000) }
}
