//! Where evidence came from, and what of it is missing or damaged: the part that every kind has.

use base::damage::DamageLog;

/// Where evidence came from: of what, when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exhibit {
    /// The file or folder as it was named.
    pub file: String,
    /// Version of the runtime, as it reports it itself.
    pub runtime: Option<String>,
    /// Operating system, as the runtime names it.
    pub os: Option<String>,
    /// Processor architecture, as the runtime names it.
    pub arch: Option<String>,
    /// The process's command line.
    pub command_line: Option<String>,
    /// The process.
    pub pid: Option<u64>,
    /// CPU cores of the machine.
    pub cores: Option<u32>,
    /// What the service is called, as `exhibit.toml` says.
    pub name: Option<String>,
    /// The container that it was in, as `exhibit.toml` says.
    pub container: Option<String>,
    /// `complete`, `recording` if it was not ended, or why it ended otherwise, as `exhibit.toml` says.
    pub state: Option<String>,
    /// When it began: RFC 3339, in UTC. Times of tables count from here. Empty if not known.
    pub start_utc: String,
    /// The same by the monotonic clock of its machine, in nanoseconds, if it is known. Exhibits of one machine and boot have the same
    /// clock.
    pub start_monotonic_ns: Option<i64>,
    /// From the start to the end, in nanoseconds; 0 if the kind has no extent in time.
    pub duration_ns: i64,
    /// Bytes that were read, decompressed.
    pub bytes: u64,
}

impl Exhibit {
    /// The own name of the file or folder, without the folders that it is in.
    pub fn own_name(&self) -> Option<&str> {
        let file = self.file.trim_end_matches(['/', '\\']);
        file.rsplit(['/', '\\']).next().filter(|name| !name.is_empty())
    }
}

/// A file of an exhibit that was not read, or not as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDamage {
    /// The file's own name.
    pub file: String,
    /// What is missing of it, and why.
    pub what: String,
    /// Whether it is not what was recorded: missing, cut or changed. Otherwise it is a remark.
    pub is_altered: bool,
}

/// What could not be read of an exhibit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// Where the input broke off, as an offset of the decompressed stream.
    pub truncated_at: Option<u64>,
    /// Bytes of the input that were passed over: they could not be read, and what they held is not known.
    pub unread_bytes: u64,
    /// What could not be read, and remarks on what was read.
    pub damage: DamageLog,
    /// Files that were not read, or not as a whole.
    pub files: Vec<FileDamage>,
}

/// Files that are named with what is missing of them; of more it is said that there are some.
const MAX_FILES_NAMED: usize = 20;

impl Lost {
    /// Whether anything could not be read.
    pub fn is_damaged(&self) -> bool {
        self.truncated_at.is_some() || self.damage.has_damage() || !self.files.is_empty()
    }

    /// Says what is missing of a file, by the file's own name.
    pub fn note_file(&mut self, path: &std::path::Path, what: String) {
        self.note(path, what, false);
    }

    /// The same, of a file that is not what was recorded.
    pub fn note_altered(&mut self, path: &std::path::Path, what: String) {
        self.note(path, what, true);
    }

    fn note(&mut self, path: &std::path::Path, what: String, is_altered: bool) {
        if self.files.len() >= MAX_FILES_NAMED {
            return self.damage.note("further file that was not read, or not as a whole", 0);
        }
        let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        self.files.push(FileDamage { file, what, is_altered });
    }
}
