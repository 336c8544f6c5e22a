//! Folders: an exhibit with its files, or several exhibits in sub-folders.
//!
//! Which files of a folder are evidence is told by their first bytes; `exhibit.toml`, where there is one, says which kind
//! counts. What it lists is compared with what is there.

use crate::feed::Job;
use crate::formats::{FORMATS, Format};
use crate::head::Head;
use crate::{Error, Found, Options, Progress, foreign};
use exhibit::{Check, ReadOutcome};
use model::{Evidence, Exhibit, Lost};
use std::path::{Path, PathBuf};

/// Files of a folder whose first bytes are looked at; of further ones only the names are.
const MOST_SNIFFED: usize = 1000;
/// Bytes of an exhibit's files that are hashed on opening; larger files are left to a check of their own.
const MOST_HASHED: u64 = 256 << 20;

/// What a path is.
pub(crate) enum Place {
    File(&'static Format),
    Folder(Contents),
    /// A folder whose sub-folders are exhibits, by name.
    Several(Vec<Found>),
}

/// The evidence in a folder.
pub(crate) struct Contents {
    pub(crate) format: &'static Format,
    /// By name.
    files: Vec<PathBuf>,
    provenance: ReadOutcome,
}

/// A file that belongs to a format.
struct Member {
    path: PathBuf,
    format: &'static Format,
}

/// Looks at what a folder holds; if it is no exhibit itself, at its sub-folders.
pub(crate) fn look(folder: &Path) -> Result<Place, Error> {
    match contents(folder)? {
        Ok(contents) => Ok(Place::Folder(contents)),
        Err(refusal) => match sub_folders(folder)? {
            found if found.is_empty() => Err(refusal),
            found => Ok(Place::Several(found)),
        },
    }
}

/// The evidence in a folder itself, or why there is none.
fn contents(folder: &Path) -> Result<Result<Contents, Error>, Error> {
    let name = || folder.display().to_string();
    let provenance = exhibit::read(folder);
    let (members, foreign) = members(folder)?;
    let kind = match &provenance {
        ReadOutcome::Read(of) => of.kind.clone(),
        ReadOutcome::Missing | ReadOutcome::Unreadable(_) => None,
    };
    let known = kind.as_ref().map(|kind| FORMATS.iter().any(|format| format.kind.name() == *kind));
    if let (Some(kind), Some(false)) = (&kind, known) {
        return Err(Error::UnknownKind { path: name(), kind: kind.clone() });
    }
    let mut formats: Vec<&'static Format> = Vec::new();
    for member in &members {
        let is_wanted = kind.as_ref().is_none_or(|kind| member.format.kind.name() == *kind);
        if is_wanted && !formats.iter().any(|of| of.kind == member.format.kind) {
            formats.push(member.format);
        }
    }
    match formats.as_slice() {
        [] => Ok(Err(foreign.unwrap_or_else(|| Error::NoExhibit { path: name() }))),
        [format] => {
            let of_format = members.into_iter().filter(|member| member.format.kind == format.kind);
            let files = of_format.map(|member| member.path).collect();
            Ok(Ok(Contents { format, files, provenance }))
        }
        several => {
            let kinds: Vec<&str> = several.iter().map(|format| format.kind.title()).collect();
            Err(Error::SeveralKinds { path: name(), kinds: kinds.join(", ") })
        }
    }
}

/// The files of a folder that belong to a format, by name; and, of files of other tools, why the first cannot be read.
fn members(folder: &Path) -> Result<(Vec<Member>, Option<Error>), Error> {
    let beside =
        |name: &str| name == exhibit::FILE || FORMATS.iter().any(|format| format.beside.contains(&name));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        paths.push(entry.map_err(Error::io(folder))?.path());
    }
    paths.sort();
    let (mut members, mut other, mut sniffed) = (Vec::new(), None, 0usize);
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if beside(name) {
            continue;
        }
        let named = FORMATS.iter().find(|of| of.endings.iter().any(|ending| name.ends_with(ending)));
        // A pipe of that name would be waited for.
        if !path.is_file() {
            if named.is_some() {
                return Err(Error::NotAFile(path.display().to_string()));
            }
            continue;
        }
        sniffed = sniffed.saturating_add(1);
        let head = if sniffed > MOST_SNIFFED { None } else { Head::read(&path).ok() };
        let format = head
            .as_ref()
            .filter(|head| foreign::of(head).is_none())
            .and_then(|head| FORMATS.iter().find(|format| (format.sniff)(head)));
        if let Some(format) = format.or(named) {
            members.push(Member { path, format });
        } else if let Some(foreign) = head.as_ref().and_then(foreign::of) {
            let path = path.display().to_string();
            other = other.or(Some(Error::Foreign { path, what: foreign.what, opens: foreign.opens }));
        }
    }
    Ok((members, other))
}

/// The sub-folders that are exhibits: those with an `exhibit.toml`.
fn sub_folders(folder: &Path) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        // A link could lead anywhere, also back.
        let is_folder = entry.file_type().is_ok_and(|of| of.is_dir());
        let path = entry.path();
        if !is_folder || !path.join(exhibit::FILE).is_file() {
            continue;
        }
        let kind = contents(&path)??.format.kind;
        let name = Some(entry.file_name().to_string_lossy().into_owned());
        found.push(Found { name, path, kind });
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

impl Contents {
    /// Reads the files as one exhibit.
    pub(crate) fn read(
        self,
        folder: &Path,
        options: Options,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Evidence, Error> {
        let mut job = Job::new(folder.display().to_string(), options, &self.files, progress);
        job.surroundings = Some(Surroundings { folder: folder.to_path_buf(), provenance: self.provenance });
        (self.format.read)(&mut job, &self.files)
    }

    /// Every file that reading it opens, and the tables that may lie beside.
    pub(crate) fn all_files(self, folder: &Path) -> Vec<PathBuf> {
        let beside = [exhibit::FILE].into_iter().chain(self.format.beside.iter().copied());
        let beside = beside.map(|name| folder.join(name));
        self.files.into_iter().chain(beside).collect()
    }
}

/// What lies around the files of an exhibit's folder.
pub(crate) struct Surroundings {
    pub(crate) folder: PathBuf,
    provenance: ReadOutcome,
}

impl Surroundings {
    /// Adds what `exhibit.toml` says, and what of its files is missing or was changed since.
    pub(crate) fn describe(&self, exhibit: &mut Exhibit, lost: &mut Lost) {
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
        let mut budget = MOST_HASHED;
        for file in of.files.iter().take(exhibit::MOST_FILES) {
            let what = match exhibit::check(&folder, file, &mut budget) {
                // A name that leads elsewhere is not one that the recorder wrote.
                Check::AsItWas | Check::NotHashed | Check::NoHash | Check::NotAName => continue,
                Check::Missing => "was recorded and is not there".to_owned(),
                Check::OtherSize { bytes } => {
                    let before = file.bytes.unwrap_or(0);
                    format!("was changed since it was recorded: {bytes} bytes instead of {before}")
                }
                Check::OtherHash => "was changed since it was recorded: its hash differs".to_owned(),
                Check::NotAFile if self.folder.join(&file.name).is_file() => {
                    "is a link: not compared with what was recorded".to_owned()
                }
                Check::NotAFile => "is not a file: not read".to_owned(),
                Check::Unreadable(cause) => format!("cannot be read: {cause}"),
            };
            lost.note_file(Path::new(&file.name), what);
        }
    }

    /// The profile that was asked for.
    pub(crate) fn profile(&self) -> Option<String> {
        match &self.provenance {
            ReadOutcome::Read(of) => of.profile.clone(),
            ReadOutcome::Missing | ReadOutcome::Unreadable(_) => None,
        }
    }
}
