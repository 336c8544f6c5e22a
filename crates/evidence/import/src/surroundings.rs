//! What lies around the files of an exhibit's folder: its `exhibit.toml`, and what was passed over.

use exhibit::EntryKind;
use exhibit::{Check, ReadOutcome};
use model::{Exhibit, Lost};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Bytes of an exhibit's files that are hashed on opening; larger files are left to a check of their own.
const MAX_HASHED: u64 = 256 << 20;

/// Something in a folder that is not read, though it could be evidence.
pub(crate) struct PassedOver {
    pub(crate) path: PathBuf,
    pub(crate) why: String,
}

impl std::fmt::Display for PassedOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.path.display(), self.why)
    }
}

/// Why an entry of a folder is not read that is not a file.
pub(crate) fn not_read(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Link => "is a link: not read",
        EntryKind::File | EntryKind::Folder | EntryKind::Other => "is not a file: not read",
    }
}

/// What lies around the files of an exhibit's folder.
pub(crate) struct Surroundings {
    pub(crate) folder: PathBuf,
    pub(crate) provenance: ReadOutcome,
    pub(crate) passed_over: Vec<PassedOver>,
}

impl Surroundings {
    /// Adds what `exhibit.toml` says, and what of its files is missing or was changed since.
    pub(crate) fn describe(&self, exhibit: &mut Exhibit, lost: &mut Lost) {
        // What `exhibit.toml` lists is compared below.
        let listed: FxHashSet<&OsStr> = match &self.provenance {
            ReadOutcome::Read(of) => {
                of.files.iter().take(exhibit::MAX_FILES).map(|file| OsStr::new(&file.name)).collect()
            }
            ReadOutcome::Missing | ReadOutcome::Unreadable(_) => FxHashSet::default(),
        };
        let is_listed = |path: &Path| path.file_name().is_some_and(|name| listed.contains(name));
        for of in self.passed_over.iter().filter(|of| !is_listed(&of.path)) {
            lost.note_file(&of.path, of.why.clone());
        }
        let of = match &self.provenance {
            ReadOutcome::Missing => return,
            ReadOutcome::Unreadable(what) => {
                return lost.note_file(Path::new(exhibit::FILE), format!("cannot be read: {what}"));
            }
            ReadOutcome::Read(of) => of,
        };
        exhibit.name.clone_from(&of.subject.name);
        exhibit.container.clone_from(&of.subject.container);
        exhibit.state.clone_from(&of.state);
        let Ok(folder) = exhibit::Folder::open(&self.folder) else { return };
        let mut budget = MAX_HASHED;
        let mut outside = 0usize;
        for file in of.files.iter().take(exhibit::MAX_FILES) {
            let what = match exhibit::check(&folder, file, &mut budget) {
                Check::AsItWas | Check::NotHashed | Check::NoHash => continue,
                // A name that leads elsewhere is not one that the recorder wrote.
                Check::NotAName => {
                    outside = outside.saturating_add(1);
                    continue;
                }
                Check::Missing => "was recorded and is not there".to_owned(),
                Check::OtherSize { bytes } => {
                    // A size differs only from one that was written down.
                    let before = file.bytes.unwrap_or(0);
                    format!("was changed since it was recorded: {bytes} bytes instead of {before}")
                }
                Check::OtherHash => "was changed since it was recorded: its hash differs".to_owned(),
                Check::NotAFile => {
                    let kind = folder.kind(&file.name).ok().flatten().unwrap_or(EntryKind::Other);
                    not_read(kind).to_owned()
                }
                Check::Unreadable(cause) => format!("cannot be read: {cause}"),
            };
            lost.note_altered(Path::new(&file.name), what);
        }
        let of_list = |count: usize, what: &str| format!("lists {count} files {what}");
        if outside > 0 {
            lost.note_file(
                Path::new(exhibit::FILE),
                of_list(outside, "outside of its folder: not looked at"),
            );
        }
        let more = of.files.len().saturating_sub(exhibit::MAX_FILES);
        if more > 0 {
            lost.note_file(Path::new(exhibit::FILE), of_list(more, "more than are compared"));
        }
    }

    /// Whether nothing says that the files belong together.
    pub(crate) fn has_no_provenance(&self) -> bool {
        matches!(self.provenance, ReadOutcome::Missing)
    }

    /// The settings of .NET in the environment of the subject. Nothing else is taken over from a file of others.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        /// Settings that are read, and characters of a value.
        const MOST: usize = 1000;
        let ReadOutcome::Read(of) = &self.provenance else { return BTreeMap::new() };
        let is_dotnet = |name: &str| name.starts_with("DOTNET_") || name.starts_with("COMPlus_");
        let known = of.subject.environment.iter().filter(|(name, _)| is_dotnet(name)).take(MOST);
        known.map(|(name, value)| (name.clone(), value.chars().take(MOST).collect())).collect()
    }

    /// The profile that was asked for.
    pub(crate) fn profile(&self) -> Option<String> {
        match &self.provenance {
            ReadOutcome::Read(of) => of.profile.clone(),
            ReadOutcome::Missing | ReadOutcome::Unreadable(_) => None,
        }
    }
}
