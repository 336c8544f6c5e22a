//! Where a recording goes, and how its files are called.

use crate::error::Error;
use crate::file::TraceFile;
use crate::options::Options;
use crate::profile::Shape;
use crate::room::Room;
use exhibit::{Exhibit, Folder, Kind, Pending, Place, Roomy, Rules};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The shape that a name asks for: a file where it ends as one, else a folder.
impl Shape {
    /// The shape that a name asks for: a file where it ends in `.nettrace` or `.nettrace.zst`, else a folder.
    pub fn of(out: &Path) -> Self {
        let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_file = [".nettrace", ".nettrace.zst"].iter().any(|ending| name.ends_with(ending));
        if is_file { Self::OneFile } else { Self::Folder }
    }
}

/// The files of a folder. With segments each has their number.
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

/// What a recording is written over.
enum There {
    Nothing,
    /// A single file, locked if that can be: other recorders that begin keep away from it.
    File(Option<File>),
    /// A folder, with the files in it that a recording consists of, locked likewise.
    Folder(Folder, Vec<OsString>, Vec<File>),
}

/// Looks whether there is room for a recording: nothing may be there, or, if that is allowed, nothing but an earlier one.
/// Nothing is changed, and nothing is waited for.
pub fn check_room(out: &Path, shape: Shape, force: bool, rules: Rules) -> Result<(), Error> {
    match Place::of(out, rules) {
        Ok(place) => look(&place, out, shape, force).map(drop),
        // The folders on the way are created.
        Err(error) if error.is_missing() && shape == Shape::Folder => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn look(place: &Place, out: &Path, shape: Shape, force: bool) -> Result<There, Error> {
    let not_ours =
        || if force { Error::NotOurs(out.to_path_buf()) } else { Error::Exists(out.to_path_buf()) };
    if shape == Shape::OneFile {
        place.for_file()?;
    }
    match (shape, place.kind()?) {
        (_, None) => Ok(There::Nothing),
        (Shape::OneFile, Some(Kind::File)) if force => {
            let (folder, name) = place.for_file()?;
            Ok(There::File(must_not_be_written(folder, name, out)?))
        }
        (Shape::Folder, Some(Kind::Folder)) => {
            let folder = place.open_folder()?;
            let names = folder.names()?;
            let is_ours = names.is_empty() || force && folder.kind(exhibit::FILE)?.is_some();
            if !is_ours {
                return Err(not_ours());
            }
            let (old, locked) = earlier(&folder, names, out)?;
            Ok(There::Folder(folder, old, locked))
        }
        _ => Err(not_ours()),
    }
}

/// Files of an earlier recording that are held locked: whoever looks at it meets the first of them.
const MOST_LOCKED: usize = 4;

/// The files of an earlier recording. Whatever else has the name of one is refused, as it is none.
fn earlier(
    folder: &Folder,
    mut names: Vec<OsString>,
    out: &Path,
) -> Result<(Vec<OsString>, Vec<File>), Error> {
    names.retain(|name| is_ours(name));
    let mut locked = Vec::new();
    for name in &names {
        if folder.kind(name)? != Some(Kind::File) {
            return Err(Error::NotOurs(folder.path_of(name)));
        }
        let lock = must_not_be_written(folder, name, out)?;
        locked.extend(lock.filter(|_| locked.len() < MOST_LOCKED));
    }
    Ok((names, locked))
}

/// Whether a file is one that a recording consists of, or that a recorder has not finished.
fn is_ours(name: &OsStr) -> bool {
    let name = exhibit::unfinished(name).unwrap_or(name).to_string_lossy();
    let is_trace = ["trace", "samples", "names"].iter().any(|start| name.starts_with(start))
        && name.ends_with(".nettrace.zst");
    is_trace || name == exhibit::FILE || crate::tables::FILES.contains(&&*name)
}

/// Fails if another recorder writes a file now. Returns the file, locked, if it can be.
fn must_not_be_written(folder: &Folder, name: &OsStr, out: &Path) -> Result<Option<File>, Error> {
    let Ok(file) = folder.open_file(name) else { return Ok(None) };
    match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse(out.to_path_buf())),
        _ => Ok(Some(file)),
    }
}

/// The ground for a recording that has not begun: its folder and its first files. Dropped before it is kept, everything
/// is as it was before. An earlier recording keeps its names meanwhile, also if this process is killed.
pub(crate) struct Ground {
    /// The folder that the recording is written into.
    pub(crate) folder: Folder,
    /// What its files may take of the disk.
    pub(crate) room: Arc<Room>,
    /// The place, if its folder was created for the recording.
    created: Option<Place>,
    made: Vec<OsString>,
    /// The files of an earlier recording.
    earlier: Vec<OsString>,
    /// The name of the main session's file.
    trace: OsString,
    /// The first files of one that takes the place of an earlier one, without their names; the main session's is the first.
    unnamed: Vec<Pending>,
    /// The earlier recording's files: other recorders keep away from them.
    _locked: Vec<File>,
}

/// What a recording begins with.
pub(crate) struct Begun {
    /// The main session's file.
    pub(crate) trace: TraceFile,
    /// `exhibit.toml`, in a folder.
    pub(crate) exhibit: Option<Roomy>,
}

impl Ground {
    /// Prepares the ground where there is room. The first files are returned open.
    pub(crate) fn prepare(
        options: &Options,
        names: Names,
        exhibit: Option<&Exhibit>,
    ) -> Result<(Self, Begun), Error> {
        let Options { out, shape, force, rules, most_bytes, .. } = options;
        let place = match shape {
            Shape::OneFile => Place::of(out, *rules)?,
            Shape::Folder => Place::with_folders(out, *rules)?,
        };
        let there = look(&place, out, *shape, *force)?;
        let name: OsString = match shape {
            Shape::OneFile => place.for_file()?.1.to_owned(),
            Shape::Folder => names.trace(1).into(),
        };
        let (folder, created, earlier, locked) = match (shape, there) {
            (Shape::Folder, There::Folder(folder, earlier, locked)) => (folder, None, earlier, locked),
            (Shape::Folder, _) => (place.create_folder()?, Some(place), Vec::new(), Vec::new()),
            (Shape::OneFile, There::File(locked)) => {
                (place.for_file()?.0.clone(), None, vec![name.clone()], locked.into_iter().collect())
            }
            (Shape::OneFile, _) => (place.for_file()?.0.clone(), None, Vec::new(), Vec::new()),
        };
        let mut ground = Self {
            room: Arc::new(Room::new(&folder, *most_bytes)),
            folder,
            created,
            made: Vec::new(),
            earlier,
            trace: name,
            unnamed: Vec::new(),
            _locked: locked,
        };
        let begun =
            if ground.is_over_another() { ground.begin_unnamed(exhibit) } else { ground.begin(exhibit) };
        Ok((ground, begun?))
    }

    /// Creates the first files where there are none.
    fn begin(&mut self, exhibit: Option<&Exhibit>) -> Result<Begun, Error> {
        let mut roomy = None;
        if let Some(exhibit) = exhibit {
            let file = exhibit.create_in(&self.folder)?;
            self.made.push(exhibit::FILE.into());
            roomy = Some(self.roomy(file)?);
        }
        let file = TraceFile::create(&self.folder, &self.trace, &self.room)?;
        self.made.push(self.trace.clone());
        Ok(Begun { trace: file, exhibit: roomy })
    }

    /// Creates the first files beside those of an earlier recording.
    fn begin_unnamed(&mut self, exhibit: Option<&Exhibit>) -> Result<Begun, Error> {
        let handle = |pending: &Pending, name: &OsStr| {
            pending.file().try_clone().map_err(Error::write(&self.folder.path_of(name)))
        };
        let pending = self.folder.begin(&self.trace)?;
        let file = handle(&pending, &self.trace)?;
        let trace = TraceFile::of(file, &self.folder, &self.trace, &self.room)?;
        let mut unnamed = vec![pending];
        let mut roomy = None;
        if let Some(exhibit) = exhibit {
            let pending = exhibit.begin_in(&self.folder)?;
            roomy = Some(self.roomy(handle(&pending, exhibit::FILE.as_ref())?)?);
            unnamed.push(pending);
        }
        self.unnamed = unnamed;
        Ok(Begun { trace, exhibit: roomy })
    }

    fn roomy(&self, file: File) -> Result<Roomy, Error> {
        let roomy = Roomy::new(file).map_err(Error::write(&self.folder.path_of(exhibit::FILE)))?;
        self.room.take(roomy.most_bytes(), 0);
        Ok(roomy)
    }

    /// Whether an earlier recording is there, which goes once this one is kept.
    pub(crate) fn is_over_another(&self) -> bool {
        !self.earlier.is_empty()
    }

    /// Keeps what was prepared: the recording has begun and can be opened, and the earlier one goes.
    ///
    /// Its `exhibit.toml` goes last. Should we be killed before, it says that its files were changed since.
    pub(crate) fn keep(mut self) -> Result<(), Error> {
        let mut unnamed = std::mem::take(&mut self.unnamed).into_iter();
        let trace = unnamed.next().map(Pending::finish).transpose()?;
        let is_new = |name: &OsString| name == exhibit::FILE || *name == self.trace;
        for name in self.earlier.iter().filter(|name| trace.is_some() && !is_new(name)) {
            // What cannot be removed is there under its name, and not listed.
            drop(self.folder.remove(name));
        }
        unnamed.try_for_each(|exhibit| exhibit.finish().map(drop))?;
        self.made.clear();
        self.created = None;
        Ok(())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // The error that ended it is already on its way to the caller.
        for name in &self.made {
            drop(self.folder.remove(name));
        }
        if let Some(place) = &self.created {
            drop(place.remove_folder());
        }
    }
}

/// Names that are tried for a copy.
const MOST_COPIES: u32 = 10_000;

/// Creates a folder for a copy beside a recording's folder: `OUT-1`, `OUT-2` …, the first name that nothing has.
pub(crate) fn create_beside(out: &Path, rules: Rules) -> Result<(PathBuf, Folder), Error> {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for number in 1..MOST_COPIES {
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

    /// Options for a place, which may be overwritten if `force` says so.
    fn options(out: &Path, force: bool) -> Options {
        let shape = Shape::of(out);
        let plan = crate::Profile::Default.plan(shape);
        Options { out: out.to_owned(), shape, plan, force, ..crate::provenance::tests::options() }
    }

    fn prepare(out: &Path, force: bool) -> Result<Ground, Error> {
        let exhibit = (Shape::of(out) == Shape::Folder).then(Exhibit::default);
        let options = options(out, force);
        let room = check_room(out, options.shape, force, options.rules);
        let ground = Ground::prepare(&options, Names::new(false), exhibit.as_ref());
        assert_eq!(room.is_ok(), ground.is_ok(), "what is looked at first is what is done then");
        Ok(ground?.0)
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
        // What is killed puts nothing in order.
        std::mem::forget(prepare(&out, true).unwrap());
        std::mem::forget(prepare(&file, true).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        let after = held(&out);
        let (named, left): (Vec<_>, Vec<_>) =
            after.into_iter().partition(|(name, _)| exhibit::unfinished(name.as_ref()).is_none());
        // A file system that has files without names keeps nothing else.
        assert_eq!(named, before);
        assert!(left.is_empty() || left.len() == 2, "{left:?}");
        // One that still runs is left alone by the next one.
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

    #[test]
    fn the_name_decides_between_a_file_and_a_folder() {
        let shapes = ["a.nettrace", "a.nettrace.zst", "a", "a.zst"].map(|name| Shape::of(Path::new(name)));
        assert_eq!(shapes, [Shape::OneFile, Shape::OneFile, Shape::Folder, Shape::Folder]);
    }
}
