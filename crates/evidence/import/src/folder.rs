//! Folders: an exhibit with its files, or several exhibits in sub-folders.
//!
//! The first bytes of a file say whether it is evidence; `exhibit.toml`, where there is one, says which kind
//! counts. What it lists is compared with what is there.
//!
//! Whoever made the folder may have put anything into it: links in it are not followed, and whatever is not a file is left
//! out and named. Only the path of the folder itself, which the user named, may lead over links.

use crate::error::Error;
use crate::feed::{Format, Job, Member};
use crate::foreign;
use crate::formats::FORMATS;
use crate::head::{Head, Origin};
use crate::options::{Options, Progress};
use crate::surroundings::{PassedOver, Surroundings, not_read};
use exhibit::EntryKind;
use exhibit::ReadOutcome;
use model::{Evidence, Kind};
use std::path::{Path, PathBuf};

/// Files of a folder whose first bytes are looked at; of further ones only the names are.
const MAX_SNIFFED: usize = 1000;
/// Files of an exhibit that are read: a recorder writes some tens, and each costs a look even if it is empty.
const MAX_FILES: usize = 2000;
/// Letters of the longest name of a kind that a message shows.
const LONGEST_KIND: usize = 16;
/// Sub-folders without an `exhibit.toml` in which evidence is looked for.
const MAX_UNMARKED: usize = 100;

/// An exhibit at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundExhibit {
    /// Its name among the exhibits of one folder; `None` if the path itself is the exhibit.
    pub name: Option<String>,
    /// The file, or the folder.
    pub path: PathBuf,
    /// The kind of evidence.
    pub kind: Kind,
    /// The folder whose sub-folder it was found in; `None` if the path itself is the exhibit.
    pub within: Option<PathBuf>,
}

/// What a path is.
pub(crate) enum Place {
    File(&'static Format),
    Folder(Contents),
    /// A folder whose sub-folders are exhibits, by name, and those that cannot be read.
    Several(Vec<FoundExhibit>, Vec<PassedOver>),
}

/// The evidence in a folder.
pub(crate) struct Contents {
    pub(crate) format: &'static Format,
    /// By name; of one kind, but not all of one format.
    files: Vec<Member>,
    provenance: ReadOutcome,
    passed_over: Vec<PassedOver>,
}

/// What a folder holds, by name.
#[derive(Default)]
struct Listing {
    members: Vec<Member>,
    passed_over: Vec<PassedOver>,
    /// Why the first file of another tool cannot be read.
    foreign: Option<Error>,
}

/// Looks at what a folder holds; at its sub-folders if it is not an exhibit itself.
pub(crate) fn look(folder: &Path) -> Result<Place, Error> {
    let SubFolders { marked: inner, unmarked, mut odd } = sub_folders(folder)?;
    match contents(folder)? {
        Ok(mut contents) => {
            let inner = inner.into_iter().map(|path| PassedOver {
                path,
                why: "contains a recording or results of its own: not read".to_owned(),
            });
            contents.passed_over.extend(inner.chain(odd));
            Ok(Place::Folder(contents))
        }
        Err(refusal) => {
            let (mut found, mut first_error) = (Vec::new(), None);
            for path in inner {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                // Nobody named it: whoever may put a folder there would choose what is read.
                let checked = not_a_strangers(&path, folder);
                match checked.and_then(|()| contents(&path).flatten()) {
                    Ok(contents) => found.push(FoundExhibit {
                        name,
                        path,
                        kind: contents.format.kind,
                        within: Some(folder.to_path_buf()),
                    }),
                    Err(error) => {
                        odd.push(PassedOver { path, why: format!("is left out: {error}") });
                        first_error.get_or_insert(error);
                    }
                }
            }
            // Files of other tools have no `exhibit.toml`; most folders without one hold nothing for us.
            for path in unmarked {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                let contents = match contents(&path) {
                    Ok(Err(_)) => continue,
                    Ok(Ok(contents)) => not_a_strangers(&path, folder).map(|()| contents),
                    Err(error) => Err(error),
                };
                match contents {
                    Ok(contents) => found.push(FoundExhibit {
                        name,
                        path,
                        kind: contents.format.kind,
                        within: Some(folder.to_path_buf()),
                    }),
                    Err(error) => {
                        odd.push(PassedOver { path, why: format!("is left out: {error}") });
                        first_error.get_or_insert(error);
                    }
                }
            }
            found.sort_by(|a, b| a.path.cmp(&b.path));
            if found.is_empty() {
                Err(first_error.unwrap_or(refusal))
            } else {
                Ok(Place::Several(found, odd))
            }
        }
    }
}

/// Fails if a sub-folder that was found belongs to another user.
fn not_a_strangers(path: &Path, folder: &Path) -> Result<(), Error> {
    let open = |path| exhibit::Folder::open(path).map_err(Error::held(path));
    match open(path)?.stranger(&open(folder)?) {
        Some(user) => Err(Error::Strangers { path: path.display().to_string(), user }),
        None => Ok(()),
    }
}

/// The evidence in a folder itself, or why there is none.
fn contents(folder: &Path) -> Result<Result<Contents, Error>, Error> {
    let name = || folder.display().to_string();
    let provenance = exhibit::read(folder);
    let Listing { members, mut passed_over, foreign } = list(folder)?;
    let kind = match &provenance {
        ReadOutcome::Read(of) => of.kind.clone(),
        ReadOutcome::Missing | ReadOutcome::Unreadable(_) => None,
    };
    if let Some(kind) =
        kind.as_ref().filter(|kind| !FORMATS.iter().any(|format| format.kind.name() == **kind))
    {
        // Anything but a plain word is not shown: the file need not be what its name says.
        let is_word = kind.len() <= LONGEST_KIND && kind.bytes().all(|byte| byte.is_ascii_lowercase());
        let kind = if is_word { kind.as_str() } else { "…" }.to_owned();
        return Err(Error::UnknownKind { path: name(), kind });
    }
    let mut formats: Vec<&'static Format> = Vec::new();
    for member in &members {
        if !formats.iter().any(|of| of.kind == member.format.kind) {
            formats.push(member.format);
        }
    }
    let titles =
        |formats: &[&Format]| formats.iter().map(|of| of.kind.title()).collect::<Vec<_>>().join(", ");
    let chosen = match (&kind, formats.as_slice()) {
        (_, []) => return Ok(Err(foreign.unwrap_or_else(|| Error::NoExhibit { path: name() }))),
        (None, [only]) => *only,
        (None, several) => return Err(Error::SeveralKinds { path: name(), kinds: titles(several) }),
        (Some(kind), several) => {
            let Some(of) = several.iter().find(|of| of.kind.name() == *kind) else {
                let (path, kind) = (name(), kind.clone());
                return Ok(Err(Error::OtherKind { path, kind, found: titles(several) }));
            };
            *of
        }
    };
    let (files, others): (Vec<Member>, Vec<Member>) =
        members.into_iter().partition(|member| member.format.kind == chosen.kind);
    passed_over.extend(others.into_iter().map(|member| PassedOver {
        path: member.path,
        why: format!("is a {}: not read", member.format.kind.title()),
    }));
    Ok(Ok(Contents { format: chosen, files, provenance, passed_over }))
}

/// The files of a folder: those that belong to a format, and what is passed over.
fn list(folder: &Path) -> Result<Listing, Error> {
    let beside =
        |name: &str| name == exhibit::FILE || FORMATS.iter().any(|format| format.beside.contains(&name));
    let held = exhibit::Folder::open(folder).map_err(Error::held(folder))?;
    let mut listing = Listing::default();
    let (mut sniffed, mut left) = (0usize, 0usize);
    for name in held.names().map_err(Error::held(folder))? {
        let (path, name) = (folder.join(&name), name.to_str().unwrap_or_default().to_owned());
        // Whoever reads the tables beside the files says what is wrong with them.
        if beside(&name) {
            continue;
        }
        if exhibit::unfinished(name.as_ref()).is_some() {
            let why = "was not finished when its writer ended: not read".to_owned();
            listing.passed_over.push(PassedOver { path, why });
            continue;
        }
        let named =
            FORMATS.iter().copied().find(|of| of.names.endings.iter().any(|ending| name.ends_with(ending)));
        let why = match held.kind(path.file_name().unwrap_or_default()) {
            Ok(Some(EntryKind::File)) => None,
            Ok(None) => continue,
            Ok(Some(EntryKind::Folder)) if named.is_none() => continue,
            Ok(Some(kind)) => Some(not_read(kind).to_owned()),
            Err(error) => Some(format!("cannot be read: {}", std::io::Error::from(error))),
        };
        if let Some(why) = why {
            listing.passed_over.push(PassedOver { path, why });
            continue;
        }
        sniffed = sniffed.saturating_add(1);
        if sniffed <= MAX_SNIFFED {
            listing.sniff(path, named);
        } else if let Some(format) = named {
            if listing.members.len() < MAX_FILES {
                listing.members.push(Member { path, format });
            } else {
                left = left.saturating_add(1);
            }
        }
    }
    if left > 0 {
        let why = format!("has {left} files more than the {MAX_FILES} that are read: these are not read");
        listing.passed_over.push(PassedOver { path: folder.to_path_buf(), why });
    }
    Ok(listing)
}

impl Listing {
    /// Adds a file by its first bytes; `named` is the format that its name says.
    fn sniff(&mut self, path: PathBuf, named: Option<&'static Format>) {
        let head = match Head::read(&path, Origin::Folder) {
            Ok(head) => head,
            Err(error) => {
                match named {
                    // Its own reader reports it.
                    Some(format) => self.members.push(Member { path, format }),
                    None => self.passed_over.push(PassedOver { path, why: error.reason() }),
                }
                return;
            }
        };
        if let Some(foreign) = foreign::of(&head) {
            let name = path.display().to_string();
            let error = Error::Foreign { path: name, what: foreign.what, opens: foreign.opens };
            self.passed_over.push(PassedOver { path, why: format!("is {}: not read", foreign.what) });
            self.foreign.get_or_insert(error);
        } else if let Some(format) = FORMATS.iter().copied().find(|format| (format.sniff)(&head)).or(named) {
            self.members.push(Member { path, format });
        }
    }
}

/// The sub-folders of a folder, by name.
#[derive(Default)]
struct SubFolders {
    /// Those with an `exhibit.toml`.
    marked: Vec<PathBuf>,
    /// Those without one, the first of them.
    unmarked: Vec<PathBuf>,
    /// Those of which it cannot be said.
    odd: Vec<PassedOver>,
}

fn sub_folders(folder: &Path) -> Result<SubFolders, Error> {
    let held = exhibit::Folder::open(folder).map_err(Error::held(folder))?;
    let mut of = SubFolders::default();
    for name in held.names().map_err(Error::held(folder))? {
        // A link could lead anywhere, also back.
        if !matches!(held.kind(&name), Ok(Some(EntryKind::Folder))) {
            continue;
        }
        let path = folder.join(name);
        let toml = exhibit::Folder::open(&path).and_then(|inner| inner.kind(exhibit::FILE));
        let why = match toml {
            Ok(None) => {
                if of.unmarked.len() < MAX_UNMARKED {
                    of.unmarked.push(path);
                }
                continue;
            }
            Ok(Some(EntryKind::File)) => {
                of.marked.push(path);
                continue;
            }
            Ok(Some(kind)) => format!("is left out: its {} {}", exhibit::FILE, not_read(kind)),
            // Whether it is an exhibit cannot be seen: that is not the same as that it is none.
            Err(error) => format!("is left out: {error}"),
        };
        of.odd.push(PassedOver { path, why });
    }
    Ok(of)
}

impl Contents {
    /// The same, beside entries of the folder around it that are left out.
    pub(crate) fn beside(mut self, odd: Vec<PassedOver>) -> Self {
        self.passed_over.extend(odd);
        self
    }

    /// Reads the files as one exhibit.
    pub(crate) fn read(
        self,
        folder: &Path,
        options: Options,
        process: Option<u64>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Evidence, Error> {
        let mut job = Job::new(folder.display().to_string(), options, &self.files, progress);
        job.process = process;
        let Self { files, provenance, passed_over, .. } = self;
        job.surroundings = Some(Surroundings { folder: folder.to_path_buf(), provenance, passed_over });
        (self.format.read)(&mut job, &files)
    }

    /// Every file that reading it opens, and the tables that may lie beside.
    pub(crate) fn all_files(self, folder: &Path) -> Vec<PathBuf> {
        let beside = [exhibit::FILE].into_iter().chain(self.format.beside.iter().copied());
        let beside = beside.map(|name| folder.join(name));
        self.files.into_iter().map(|member| member.path).chain(beside).collect()
    }
}
