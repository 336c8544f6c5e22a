//! Where a recording is written, and the names of its files.

use crate::budget::DiskBudget;
use crate::error::Error;
use crate::file::TraceFile;
use crate::options::RecordOptions;
use crate::profile::OutputShape;
use exhibit::{EntryKind, Folder, Manifest, ManifestFile, Pending, Place, Rules};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The names of a recording's files. If it has segments, the names have their numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    segmented: bool,
}

impl Names {
    pub(crate) fn new(segmented: bool) -> Self {
        Self { segmented }
    }

    pub(crate) fn trace(self, segment: u32) -> String {
        self.numbered("trace", segment)
    }

    pub(crate) fn samples(self, segment: u32) -> String {
        self.numbered("samples", segment)
    }

    pub(crate) fn names(self, segment: u32) -> String {
        self.numbered("names", segment)
    }

    pub(crate) fn first_uses(self, segment: u32) -> String {
        self.numbered("names-first-uses", segment)
    }

    fn numbered(self, what: &str, segment: u32) -> String {
        let number = if self.segmented { format!("-{segment:05}") } else { String::new() };
        format!("{what}{number}.nettrace.zst")
    }
}

/// What is at the place of a recording.
enum There {
    Nothing,
    /// A single file, locked if the file system has locks, so that other recorders do not take its place.
    File(Option<File>),
    /// A folder, with the files of an earlier recording in it.
    Folder(Folder, Earlier),
}

/// The files of an earlier recording.
#[derive(Default)]
struct Earlier {
    names: Vec<OsString>,
    /// The files that are locked, so that other recorders do not take their place.
    #[expect(dead_code, reason = "the locks are held")]
    locked: Vec<File>,
}

/// Fails if a recording cannot be written at a place: nothing may be there or, with `force`, nothing but an earlier recording.
/// It changes nothing and does not wait.
pub fn check_place(out: &Path, shape: OutputShape, force: bool, rules: Rules) -> Result<(), Error> {
    match Place::of(out, rules) {
        Ok(place) => look(&place, out, shape, force).map(drop),
        // Missing folders on the way will be created.
        Err(error) if error.is_missing() && shape == OutputShape::Folder => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn look(place: &Place, out: &Path, shape: OutputShape, force: bool) -> Result<There, Error> {
    let not_ours =
        || if force { Error::NotOurs(out.to_path_buf()) } else { Error::Exists(out.to_path_buf()) };
    if shape == OutputShape::OneFile {
        place.for_file()?;
    }
    match (shape, place.kind()?) {
        (_, None) => Ok(There::Nothing),
        (OutputShape::OneFile, Some(EntryKind::File)) if force => {
            let (folder, name) = place.for_file()?;
            Ok(There::File(must_not_be_written(folder, name, out)?))
        }
        (OutputShape::Folder, Some(EntryKind::Folder)) => {
            let folder = place.open_folder()?;
            let names = folder.names()?;
            let is_ours = names.is_empty() || force && folder.kind(exhibit::FILE)?.is_some();
            if !is_ours {
                return Err(not_ours());
            }
            let earlier = earlier(&folder, names, out)?;
            Ok(There::Folder(folder, earlier))
        }
        _ => Err(not_ours()),
    }
}

/// The number of files that are locked. Another recorder tries them in order, so it finds the first one locked.
const MAX_LOCKED: usize = 4;

/// The files of an earlier recording among `names`. A link, pipe or folder with the name of one is refused.
fn earlier(folder: &Folder, mut names: Vec<OsString>, out: &Path) -> Result<Earlier, Error> {
    names.retain(|name| is_ours(name));
    let mut locked = Vec::new();
    for name in &names {
        if folder.kind(name)? != Some(EntryKind::File) {
            return Err(Error::NotOurs(folder.path_of(name)));
        }
        let lock = must_not_be_written(folder, name, out)?;
        locked.extend(lock.filter(|_| locked.len() < MAX_LOCKED));
    }
    Ok(Earlier { names, locked })
}

/// Whether a file belongs to a recording, finished or not.
fn is_ours(name: &OsStr) -> bool {
    let name = exhibit::unfinished(name).unwrap_or(name).to_string_lossy();
    let is_trace = ["trace", "samples", "names"].iter().any(|start| name.starts_with(start))
        && name.ends_with(".nettrace.zst");
    is_trace || name == exhibit::FILE || crate::tables::FILES.contains(&&*name)
}

/// Fails if another recorder is writing a file. Returns the file, locked, unless it cannot be opened.
fn must_not_be_written(folder: &Folder, name: &OsStr, out: &Path) -> Result<Option<File>, Error> {
    let Ok(file) = folder.open_file(name) else { return Ok(None) };
    match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse(out.to_path_buf())),
        _ => Ok(Some(file)),
    }
}

/// The prepared output of a recording that has not begun: its folder and its first files. If it is dropped before it is kept,
/// everything is as it was before. Until then an earlier recording keeps its names, even if this process is killed.
pub(crate) struct Preparation {
    /// The folder that the recording is written to.
    pub(crate) folder: Folder,
    /// How much of the disk its files may take.
    pub(crate) budget: Arc<DiskBudget>,
    /// The place of the folder, if it was created for the recording.
    created: Option<Place>,
    /// The files that were created under their final names.
    made: Vec<OsString>,
    /// The earlier recording. Its locks are held while this exists.
    earlier: Earlier,
    /// The name of the main session's file.
    trace: OsString,
    /// The first files of a recording that replaces an earlier one, which have no names yet.
    unnamed: Option<Unnamed>,
}

/// The first files of a recording, without their names.
struct Unnamed {
    trace: Pending,
    manifest: Option<Pending>,
}

/// The files that a recording begins with.
pub(crate) struct FirstFiles {
    /// The main session's file.
    pub(crate) trace: TraceFile,
    /// `exhibit.toml`, if the recording is a folder.
    pub(crate) manifest: Option<ManifestFile>,
}

impl Preparation {
    /// Prepares the output if its place is free. The first files are returned open.
    pub(crate) fn prepare(
        options: &RecordOptions,
        names: Names,
        manifest: Option<&Manifest>,
    ) -> Result<(Self, FirstFiles), Error> {
        let RecordOptions { out, shape, force, rules, most_bytes, .. } = options;
        let place = match shape {
            OutputShape::OneFile => Place::of(out, *rules)?,
            OutputShape::Folder => Place::with_folders(out, *rules)?,
        };
        let there = look(&place, out, *shape, *force)?;
        let name: OsString = match shape {
            OutputShape::OneFile => place.for_file()?.1.to_owned(),
            OutputShape::Folder => names.trace(1).into(),
        };
        let (folder, created, earlier) = match (shape, there) {
            (OutputShape::Folder, There::Folder(folder, earlier)) => (folder, None, earlier),
            (OutputShape::Folder, _) => (place.create_folder()?, Some(place), Earlier::default()),
            (OutputShape::OneFile, There::File(locked)) => {
                let earlier = Earlier { names: vec![name.clone()], locked: locked.into_iter().collect() };
                (place.for_file()?.0.clone(), None, earlier)
            }
            (OutputShape::OneFile, _) => (place.for_file()?.0.clone(), None, Earlier::default()),
        };
        let mut prepared = Self {
            budget: Arc::new(DiskBudget::new(&folder, *most_bytes)),
            folder,
            created,
            made: Vec::new(),
            earlier,
            trace: name,
            unnamed: None,
        };
        let files = if prepared.replaces_another() {
            prepared.begin_unnamed(manifest)?
        } else {
            prepared.begin(manifest)?
        };
        Ok((prepared, files))
    }

    /// Creates the first files under their final names.
    fn begin(&mut self, manifest: Option<&Manifest>) -> Result<FirstFiles, Error> {
        let mut manifest_file = None;
        if let Some(manifest) = manifest {
            let file = manifest.create_in(&self.folder)?;
            self.made.push(exhibit::FILE.into());
            manifest_file = Some(self.preallocated(file)?);
        }
        let trace = TraceFile::create(&self.folder, &self.trace, &self.budget)?;
        self.made.push(self.trace.clone());
        Ok(FirstFiles { trace, manifest: manifest_file })
    }

    /// Creates the first files beside those of an earlier recording, without names.
    fn begin_unnamed(&mut self, manifest: Option<&Manifest>) -> Result<FirstFiles, Error> {
        let handle = |pending: &Pending, name: &OsStr| {
            pending.file().try_clone().map_err(Error::write(&self.folder.path_of(name)))
        };
        let pending = self.folder.begin(&self.trace)?;
        let file = handle(&pending, &self.trace)?;
        let trace = TraceFile::of(file, &self.folder, &self.trace, &self.budget)?;
        let mut unnamed = Unnamed { trace: pending, manifest: None };
        let mut manifest_file = None;
        if let Some(manifest) = manifest {
            let pending = manifest.begin_in(&self.folder)?;
            manifest_file = Some(self.preallocated(handle(&pending, exhibit::FILE.as_ref())?)?);
            unnamed.manifest = Some(pending);
        }
        self.unnamed = Some(unnamed);
        Ok(FirstFiles { trace, manifest: manifest_file })
    }

    fn preallocated(&self, file: File) -> Result<ManifestFile, Error> {
        let manifest = ManifestFile::new(file).map_err(Error::write(&self.folder.path_of(exhibit::FILE)))?;
        self.budget.take(manifest.room(), 0);
        Ok(manifest)
    }

    /// Whether an earlier recording is there, which is removed once this one is kept.
    pub(crate) fn replaces_another(&self) -> bool {
        !self.earlier.names.is_empty()
    }

    /// Keeps what was prepared, once the recording has begun and can be opened. The earlier recording is removed.
    ///
    /// Its `exhibit.toml` is replaced last: if we are killed before, it shows that its files were changed since.
    pub(crate) fn keep(mut self) -> Result<(), Error> {
        if let Some(Unnamed { trace, manifest }) = self.unnamed.take() {
            trace.finish()?;
            let is_new = |name: &OsString| name == exhibit::FILE || *name == self.trace;
            for name in self.earlier.names.iter().filter(|name| !is_new(name)) {
                // A file that cannot be removed keeps its name, but `exhibit.toml` does not list it.
                drop(self.folder.remove(name));
            }
            manifest.map(Pending::finish).transpose()?;
        }
        self.made.clear();
        self.created = None;
        Ok(())
    }
}

impl Drop for Preparation {
    fn drop(&mut self) {
        // Errors are dropped: the caller has the error that ended the recording.
        for name in &self.made {
            drop(self.folder.remove(name));
        }
        if let Some(place) = &self.created {
            drop(place.remove_folder());
        }
    }
}

/// How many names are tried for a copy.
const MAX_COPIES: u32 = 10_000;

/// Creates a folder for a copy beside a recording's folder: `OUT-1`, `OUT-2` …, the first name that is free.
pub(crate) fn create_beside(out: &Path, rules: Rules) -> Result<(PathBuf, Folder), Error> {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for number in 1..MAX_COPIES {
        let path = out.with_file_name(format!("{name}-{number}"));
        match Place::of(&path, rules)?.create_folder() {
            Err(exhibit::Error::Exists(_)) => {}
            created => return Ok((path, created?)),
        }
    }
    Err(Error::Exists(out.to_path_buf()))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const EARLIER: [&str; 3] = [exhibit::FILE, "trace-00003.nettrace.zst", "host.csv"];

    /// Options for a place. `force` replaces an earlier recording.
    fn options(out: &Path, force: bool) -> RecordOptions {
        let shape = OutputShape::of(out);
        let plan = crate::Profile::Default.plan(shape);
        RecordOptions { out: out.to_owned(), shape, plan, force, ..crate::provenance::tests::options() }
    }

    fn prepare(out: &Path, force: bool) -> Result<Preparation, Error> {
        let manifest = (OutputShape::of(out) == OutputShape::Folder).then(Manifest::default);
        let options = options(out, force);
        let checked = check_place(out, options.shape, force, options.rules);
        let prepared = Preparation::prepare(&options, Names::new(false), manifest.as_ref());
        assert_eq!(checked.is_ok(), prepared.is_ok(), "the early check has the same result");
        Ok(prepared?.0)
    }

    /// What lies in a folder, with the contents of files.
    fn held(folder: &Path) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut held: Vec<_> = entries
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap_or_default())
            })
            .collect();
        held.sort();
        held
    }

    /// A folder with an earlier recording and a file of the user's.
    fn earlier(parent: &Path) -> PathBuf {
        let out = parent.join("orders");
        fs::create_dir(&out).unwrap();
        for name in EARLIER.iter().chain(&["notes.md"]) {
            fs::write(out.join(name), "old").unwrap();
        }
        out
    }

    #[test]
    fn nothing_is_overwritten_unasked_and_only_recordings_are_when_asked() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("orders");
        fs::create_dir(&out).unwrap();
        prepare(&out, false).unwrap();
        fs::write(out.join("notes.md"), "mine").unwrap();
        assert!(matches!(prepare(&out, false), Err(Error::Exists(_))));
        assert!(matches!(prepare(&out, true), Err(Error::NotOurs(_))));
        fs::remove_dir_all(&out).unwrap();
        earlier(parent.path());
        assert!(matches!(prepare(&out, false), Err(Error::Exists(_))));
        prepare(&out, true).unwrap().keep().unwrap();
        let names: Vec<String> = held(&out).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [exhibit::FILE, "notes.md", "trace.nettrace.zst"]);
    }

    #[test]
    fn a_session_that_does_not_begin_costs_no_earlier_recording_and_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let out = earlier(parent.path());
        let before = held(&out);
        drop(prepare(&out, true).unwrap());
        assert_eq!(held(&out), before);
        let file = parent.path().join("orders.nettrace");
        fs::write(&file, "old").unwrap();
        assert!(matches!(prepare(&file, false), Err(Error::Exists(_))));
        drop(prepare(&file, true).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        drop(prepare(&parent.path().join("new/deep"), false).unwrap());
        assert_eq!(fs::read_dir(parent.path().join("new")).unwrap().count(), 0);
        prepare(&file, true).unwrap().keep().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "");
    }

    #[test]
    fn a_recorder_that_is_killed_before_it_begins_costs_no_earlier_recording() {
        let parent = tempfile::tempdir().unwrap();
        let out = earlier(parent.path());
        let file = parent.path().join("orders.nettrace");
        fs::write(&file, "old").unwrap();
        let before = held(&out);
        // A process that is killed does not clean up.
        std::mem::forget(prepare(&out, true).unwrap());
        std::mem::forget(prepare(&file, true).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        let after = held(&out);
        let (named, left): (Vec<_>, Vec<_>) =
            after.into_iter().partition(|(name, _)| exhibit::unfinished(name.as_ref()).is_none());
        // If the file system has files without names, nothing else is left.
        assert_eq!(named, before);
        assert!(left.is_empty() || left.len() == 2, "{left:?}");
        // A recorder that still runs keeps the next one out.
        assert!(matches!(prepare(&out, true), Err(Error::InUse(_))));
    }

    #[test]
    fn what_a_recorder_left_that_was_killed_goes_with_the_next_one() {
        let parent = tempfile::tempdir().unwrap();
        let out = earlier(parent.path());
        for name in ["trace.nettrace.zst", "exhibit.toml"] {
            fs::write(out.join(format!("{name}.{:032x}.part", 7)), "").unwrap();
        }
        prepare(&out, true).unwrap().keep().unwrap();
        let names: Vec<String> = held(&out).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [exhibit::FILE, "notes.md", "trace.nettrace.zst"]);
    }

    #[test]
    fn a_pipe_or_a_link_in_an_earlier_recording_is_refused_at_once_and_nothing_of_it_is_lost() {
        let parent = tempfile::tempdir().unwrap();
        let out = earlier(parent.path());
        let mkfifo = |path: &Path| {
            let made = std::process::Command::new("mkfifo").arg(path).status();
            made.is_ok_and(|status| status.success())
        };
        for name in ["names.nettrace.zst", exhibit::FILE] {
            let odd = out.join(name);
            let make: [&dyn Fn() -> bool; 3] =
                [&|| fs::create_dir(&odd).is_ok(), &|| symlink("nowhere", &odd).is_ok(), &|| mkfifo(&odd)];
            for make in make {
                drop(fs::remove_file(&odd));
                if !make() {
                    let test = "a_pipe_or_a_link_in_an_earlier_recording_is_refused_at_once_and_nothing_of_it_is_lost";
                    return base::ground::skip(test, "there is no mkfifo");
                }
                let before = fs::read_dir(&out).unwrap().count();
                assert!(matches!(prepare(&out, true), Err(Error::NotOurs(path)) if path == odd));
                assert_eq!(fs::read_dir(&out).unwrap().count(), before);
                drop(fs::remove_dir(&odd));
            }
            drop(fs::remove_file(&odd));
            fs::write(&odd, "old").unwrap();
        }
    }

    #[test]
    fn a_recording_is_not_written_through_a_link_and_a_copy_does_not_take_a_name_that_is_there() {
        let parent = tempfile::tempdir().unwrap();
        let [link, out] = ["link", "orders"].map(|name| parent.path().join(name));
        fs::create_dir(parent.path().join("victim")).unwrap();
        symlink("victim", &link).unwrap();
        for force in [false, true] {
            assert!(matches!(prepare(&link, force), Err(Error::File(exhibit::Error::Link(_)))));
        }
        symlink("nowhere", parent.path().join("orders-1")).unwrap();
        fs::write(parent.path().join("orders-2"), "").unwrap();
        let (path, copy) = create_beside(&out, Rules::PRIVATE).unwrap();
        copy.write_new("trace", b"").unwrap();
        assert_eq!(path, parent.path().join("orders-3"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(parent.path().join("victim")).unwrap().count(), 0);
    }
}
