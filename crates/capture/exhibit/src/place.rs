//! A place that the user named for output, reached in a way that lets nobody exchange a part of its path.
//!
//! ```text
//!  /var/run/out/rows.csv        /var/run ─▶ /run
//!  │ each folder is opened by way of the handle of the one before; a name is looked up in it only if nobody else can
//!  │ exchange what lies there
//!  └─▶ a link on the way is followed, part by part, if it is root's or ours and its folder is not shared;
//!      a link at the end is never followed
//! ```

use crate::entry::EntryKind;
use crate::error::Error;
use crate::folder::Folder;
use crate::rules::Rules;
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Links that are followed on the way, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// A place for output: its folder, which is held open, and its name there.
#[derive(Debug)]
pub struct Place {
    folder: Folder,
    /// `None` if the path does not end in a name, such as `.` or `a/..`.
    name: Option<OsString>,
    path: PathBuf,
}

impl Place {
    /// Walks to a place. The folders on the way must be there.
    pub fn of(path: &Path, rules: Rules) -> Result<Self, Error> {
        Walk::new(path, rules)?.walk(false)
    }

    /// Walks to a place, and creates the folders that are missing on the way.
    pub fn with_folders(path: &Path, rules: Rules) -> Result<Self, Error> {
        Walk::new(path, rules)?.walk(true)
    }

    /// The folder and the name of a file at this place. A path that can only be a folder is refused.
    pub fn for_file(&self) -> Result<(&Folder, &OsStr), Error> {
        let name = self.own_name()?;
        // For example `x.csv/`.
        if !self.path.as_os_str().as_bytes().ends_with(name.as_bytes()) {
            return Err(Error::refused(
                &self.path,
                ErrorKind::NotADirectory,
                "a name that ends in / is a folder's, and a file is to be written".to_owned(),
            ));
        }
        Ok((&self.folder, name))
    }

    /// What is at the place. A link is an error, and so is anything of another user, unless the rules allow it.
    pub fn kind(&self) -> Result<Option<EntryKind>, Error> {
        let Some(name) = &self.name else { return Ok(Some(EntryKind::Folder)) };
        let Some(status) = self.folder.status(name).map_err(|error| error.with_path(&self.path))? else {
            return Ok(None);
        };
        let rules = self.folder.rules();
        let (uid, kind) = (status.st_uid, EntryKind::of(&status));
        let is_allowed = match FileType::from_raw_mode(status.st_mode) {
            FileType::Symlink => return Err(Error::Link(self.path.clone())),
            FileType::RegularFile | FileType::Directory => rules.is_us(uid),
            // Only root makes devices.
            FileType::CharacterDevice | FileType::BlockDevice => true,
            _ => rules.is_trusted(uid),
        };
        if is_allowed || rules.is_insecure() {
            return Ok(Some(kind));
        }
        Err(self.refusal(format!("it exists and belongs to another user ({uid})")))
    }

    /// Opens the folder at the place.
    pub fn open_folder(&self) -> Result<Folder, Error> {
        let folder = match &self.name {
            Some(name) => self.folder.open_folder(name, &self.path)?,
            None => self.folder.clone(),
        };
        let status = folder.own_status()?;
        let rules = self.folder.rules();
        let who = rules.who_can_exchange(&folder, &status, &self.path);
        match who.filter(|_| !rules.is_insecure()) {
            Some(who) => Err(self.refusal(who)),
            None => Ok(folder),
        }
    }

    /// Creates the folder, which must not exist.
    pub fn create_folder(&self) -> Result<Folder, Error> {
        self.folder.create_folder(self.own_name()?, &self.path)
    }

    /// Removes the folder, which must be empty.
    pub fn remove_folder(&self) -> Result<(), Error> {
        self.folder.remove_folder(self.own_name()?).map_err(|error| error.with_path(&self.path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn own_name(&self) -> Result<&OsStr, Error> {
        self.name.as_deref().ok_or_else(|| Error::NoName(self.path.clone()))
    }

    fn refusal(&self, why: String) -> Error {
        Error::Unsafe { path: self.path.clone(), why }
    }
}

/// A part of a path.
enum Step {
    Root,
    Up,
    Into(OsString),
}

/// The parts of a path, the last one first.
fn steps(path: &Path) -> Vec<Step> {
    let mut steps: Vec<Step> = path
        .components()
        .filter_map(|part| match part {
            Component::RootDir => Some(Step::Root),
            Component::ParentDir => Some(Step::Up),
            Component::Normal(name) => Some(Step::Into(name.to_owned())),
            Component::CurDir | Component::Prefix(_) => None,
        })
        .collect();
    steps.reverse();
    steps
}

/// A walk to a place.
struct Walk<'a> {
    path: &'a Path,
    /// The folder that was reached.
    at: Folder,
    /// The parts that are left, the last one first.
    rest: Vec<Step>,
    links: usize,
}

impl<'a> Walk<'a> {
    fn new(path: &'a Path, rules: Rules) -> Result<Self, Error> {
        if path.as_os_str().is_empty() {
            return Err(Error::NoName(path.to_path_buf()));
        }
        let at = Folder::open(Path::new(".")).map_err(|error| error.with_path(path))?.with_rules(rules);
        Ok(Self { path, at, rest: steps(path), links: 0 })
    }

    fn walk(mut self, creates: bool) -> Result<Place, Error> {
        let mut name = None;
        while let Some(step) = self.rest.pop() {
            match step {
                Step::Root => self.at = Folder::open(Path::new("/"))?.with_rules(self.at.rules()),
                Step::Up => self.go_up()?,
                Step::Into(last) if self.rest.is_empty() => {
                    self.must_be_safe()?;
                    name = Some(last);
                }
                Step::Into(name) => self.enter(&name, creates)?,
            }
        }
        Ok(Place { folder: self.at, name, path: self.path.to_path_buf() })
    }

    fn go_up(&mut self) -> Result<(), Error> {
        let (rules, status) =
            (self.at.rules(), self.at.own_status().map_err(|error| error.with_path(self.path))?);
        // Whoever owns a folder can move it, and so decide where `..` leads.
        if !rules.is_trusted(status.st_uid) && !rules.is_insecure() {
            let shown = self.at.path().display();
            return Err(self.refusal(format!("{shown} belongs to another user ({})", status.st_uid)));
        }
        let shown = self.at.path().join("..");
        self.at = self.at.open_parent(&shown).map_err(|error| error.with_path(self.path))?;
        Ok(())
    }

    fn enter(&mut self, name: &OsStr, creates: bool) -> Result<(), Error> {
        self.must_be_safe()?;
        let shown = self.at.path_of(name);
        let shown = shown.strip_prefix(".").unwrap_or(&shown);
        let entered = match self.at.status(name).map_err(|error| error.with_path(self.path))? {
            Some(status) if EntryKind::of(&status) == EntryKind::Link => {
                return self.follow(name, shown, &status);
            }
            None if creates => match self.at.create_folder(name, shown) {
                // Somebody else created it meanwhile.
                Err(Error::Exists(_)) => self.at.open_folder(name, shown),
                created => created,
            },
            None => {
                let why = format!("the folder {} does not exist; create it first", shown.display());
                return Err(Error::refused(self.path, ErrorKind::NotFound, why));
            }
            Some(status) if EntryKind::of(&status) != EntryKind::Folder => {
                let why = format!("{} is not a folder", shown.display());
                return Err(Error::refused(self.path, ErrorKind::NotADirectory, why));
            }
            Some(_) => self.at.open_folder(name, shown),
        };
        self.at = entered.map_err(|error| error.with_path(self.path))?;
        Ok(())
    }

    /// Puts the parts of a link's target before those that are left.
    fn follow(&mut self, name: &OsStr, shown: &Path, link: &Stat) -> Result<(), Error> {
        let rules = self.at.rules();
        self.links = self.links.saturating_add(1);
        if self.links > MAX_LINKS {
            return Err(Error::write(self.path)(Errno::LOOP));
        }
        let is_shared = || self.at.own_status().map(|status| rules.is_shared(&self.at, &status));
        if !rules.is_trusted(link.st_uid) && !rules.is_insecure() {
            return Err(self.refusal(format!(
                "{} is a link of another user ({})",
                shown.display(),
                link.st_uid
            )));
        } else if !rules.is_insecure() && is_shared()? {
            return Err(
                self.refusal(format!("{} is a link in a folder that others may write to", shown.display()))
            );
        }
        let target = self.at.link_target(name).map_err(|error| error.with_path(self.path))?;
        self.rest.extend(steps(Path::new(&target)));
        Ok(())
    }

    /// Fails if somebody else could exchange what lies in the folder that was reached.
    fn must_be_safe(&self) -> Result<(), Error> {
        if self.at.rules().is_insecure() {
            return Ok(());
        }
        let status = self.at.own_status().map_err(|error| error.with_path(self.path))?;
        let who = self.at.rules().who_can_exchange(&self.at, &status, self.at.path());
        who.map_or(Ok(()), |who| Err(self.refusal(who)))
    }

    fn refusal(&self, why: String) -> Error {
        Error::Unsafe { path: self.path.to_path_buf(), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    /// A user that has nothing here.
    const OTHER: u32 = 65534;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    /// Why a place is refused; empty if it is not.
    fn refusal(path: &Path, rules: Rules) -> String {
        let found = Place::of(path, rules).and_then(|place| match place.kind()? {
            Some(EntryKind::Folder) => place.open_folder().map(drop),
            _ => Ok(()),
        });
        match found {
            Err(Error::Unsafe { why, .. }) => why,
            Err(other) => other.to_string(),
            Ok(()) => String::new(),
        }
    }

    fn check(path: &Path, expected: &str) {
        let why = refusal(path, Rules::PRIVATE);
        assert!(why.contains(expected) && why.is_empty() == expected.is_empty(), "{}: {why}", path.display());
        assert_eq!(refusal(path, Rules::PRIVATE.insecure(true)), "", "{}", path.display());
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_in_which_others_could_exchange_what_is_written_is_refused() {
        let there = tempfile::tempdir().unwrap();
        let shared = there.path().join("shared");
        let inner = shared.join("inner");
        fs::create_dir_all(&inner).unwrap();
        for (bits, expected) in
            [(0o777, "everyone may write to"), (0o772, "everyone"), (0o1777, ""), (0o755, "")]
        {
            set(&shared, bits);
            for path in [shared.join("out"), inner.join("out"), inner.clone(), shared.clone()] {
                check(&path, expected);
            }
        }
        // What belongs to nobody else and lies in one's own folder.
        check(&there.path().join("out"), "");
        check(&there.path().join("shared/../out"), "");
    }

    #[test]
    fn a_group_with_other_members_counts_as_others_and_ones_own_group_does_not() {
        let there = tempfile::tempdir().unwrap();
        let folder = there.path().join("folder");
        fs::create_dir(&folder).unwrap();
        set(&folder, 0o775);
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let expected = if crate::group::is_own_group(uid, gid) { "" } else { "may write to" };
        check(&folder.join("out"), expected);
        if chown(&folder, None, Some(OTHER)).is_err() {
            let test = "a_group_with_other_members_counts_as_others_and_ones_own_group_does_not";
            return base::ground::skip(test, "only root can give a folder to another group");
        }
        check(&folder.join("out"), "group 65534 may write to");
        set(&folder, 0o755);
        check(&folder.join("out"), "");
    }

    #[test]
    fn what_belongs_to_another_user_is_refused_on_the_way_and_at_the_end() {
        let there = tempfile::tempdir().unwrap();
        let [theirs, link, disk] = ["theirs", "link", "disk"].map(|name| there.path().join(name));
        let [file, inner] = [theirs.join("file"), theirs.join("inner")];
        fs::create_dir_all(&inner).unwrap();
        fs::create_dir(&disk).unwrap();
        fs::write(&file, "").unwrap();
        symlink(&disk, &link).unwrap();
        check(&link.join("out"), "");
        if chown(&theirs, Some(OTHER), None).is_err() {
            let test = "what_belongs_to_another_user_is_refused_on_the_way_and_at_the_end";
            return base::ground::skip(test, "only root can give a folder to another user");
        }
        let expected = "belongs to another user (65534)";
        // Their sticky folder does not keep them from anything.
        for bits in [0o755, 0o555, 0o1777] {
            set(&theirs, bits);
            let up = [theirs.join("../out"), theirs.join("inner/../../out"), inner.join("../../out/")];
            for path in
                [theirs.join("out"), inner.join("out"), file.clone(), theirs.clone()].iter().chain(&up)
            {
                check(path, expected);
            }
        }
        std::os::unix::fs::lchown(&link, Some(OTHER), None).unwrap();
        check(&link.join("out"), "is a link of another user (65534)");
        chown(&theirs, Some(0), None).unwrap();
        chown(&file, Some(OTHER), None).unwrap();
        check(&file, "it exists and belongs to another user (65534)");
    }

    #[test]
    fn a_link_is_followed_only_where_nobody_else_could_have_put_it() {
        let there = tempfile::tempdir().unwrap();
        let [shared, disk] = ["shared", "disk"].map(|name| there.path().join(name));
        fs::create_dir(&shared).unwrap();
        fs::create_dir(&disk).unwrap();
        symlink("../disk", shared.join("link")).unwrap();
        symlink("loop", there.path().join("loop")).unwrap();
        let out = shared.join("link/out");
        check(&out, "");
        Place::of(&out, Rules::PRIVATE).unwrap().create_folder().unwrap();
        assert!(disk.join("out").is_dir());
        // A sticky folder keeps others from removing a link, not from making one.
        set(&shared, 0o1777);
        check(&shared.join("link/new"), "is a link in a folder that others may write to");
        let looped = refusal(&there.path().join("loop/out"), Rules::PRIVATE);
        assert!(looped.contains("symbolic links"), "{looped}");
        let last = Place::of(&there.path().join("loop"), Rules::PRIVATE.insecure(true)).unwrap();
        assert!(matches!(last.kind(), Err(Error::Link(_))));
    }

    #[test]
    fn a_folder_that_is_exchanged_on_the_way_does_not_redirect_what_is_written() {
        let there = tempfile::tempdir().unwrap();
        let [held, moved, other] = ["held", "moved", "other"].map(|name| there.path().join(name));
        fs::create_dir(&held).unwrap();
        fs::create_dir(&other).unwrap();
        let place = Place::of(&held.join("out"), Rules::PRIVATE).unwrap();
        fs::rename(&held, &moved).unwrap();
        symlink(&other, &held).unwrap();
        place.create_folder().unwrap().write_new("trace", b"1").unwrap();
        assert_eq!((fs::read_dir(&other).unwrap().count(), moved.join("out/trace").is_file()), (0, true));
    }

    #[test]
    fn what_is_created_is_read_by_its_owner_alone_or_by_whom_the_umask_lets() {
        let there = tempfile::tempdir().unwrap();
        let out = there.path().join("a/b/../c/");
        let folder = Place::with_folders(&out, Rules::PRIVATE).unwrap().create_folder().unwrap();
        folder.write_new("trace", b"").unwrap();
        folder.write("exhibit.toml", b"").unwrap();
        for name in ["a", "a/b", "a/c"] {
            assert_eq!(mode(&there.path().join(name)), 0o700, "{name}");
        }
        for name in ["trace", "exhibit.toml"] {
            assert_eq!(mode(&there.path().join("a/c").join(name)), 0o600, "{name}");
        }
        // The umask of a test is not ours to set, but nothing sets bits of the owner in one.
        let notebook = there.path().join("notebook");
        let folder = Place::of(&notebook, Rules::PRIVATE.readable_by(crate::Readers::Umask)).unwrap();
        let folder = folder.create_folder().unwrap();
        folder.write_new("trace", b"").unwrap();
        let usual = there.path().join("usual");
        fs::create_dir(&usual).unwrap();
        fs::write(usual.join("trace"), "").unwrap();
        assert_eq!(mode(&notebook), mode(&usual));
        assert_eq!(mode(&notebook.join("trace")), mode(&usual.join("trace")));
    }

    #[test]
    fn parents_are_created_and_a_folder_that_must_be_new_is() {
        let there = tempfile::tempdir().unwrap();
        let deep = there.path().join("a/b/../c/");
        let place = Place::with_folders(&deep, Rules::PRIVATE).unwrap();
        assert_eq!(place.kind().unwrap(), None);
        place.create_folder().unwrap();
        assert_eq!(place.kind().unwrap(), Some(EntryKind::Folder));
        assert!(matches!(place.create_folder(), Err(Error::Exists(path)) if path == deep));
        assert!(Place::of(&there.path().join("missing/new"), Rules::PRIVATE).unwrap_err().is_missing());
        place.remove_folder().unwrap();
        assert_eq!(place.kind().unwrap(), None);
    }

    #[test]
    fn the_path_of_a_folder_is_not_taken_for_a_files() {
        let there = tempfile::tempdir().unwrap();
        for name in ["x/", "x/.", "..", "."] {
            let place = Place::of(&there.path().join(name), Rules::PRIVATE).unwrap();
            assert!(place.for_file().is_err(), "{name}");
        }
        assert_eq!(Place::of(Path::new("x"), Rules::PRIVATE).unwrap().for_file().unwrap().1, "x");
        assert!(Place::of(Path::new(""), Rules::PRIVATE).is_err());
    }

    #[test]
    fn under_sudo_everything_belongs_to_the_caller_and_their_home_is_a_place_for_it() {
        let there = tempfile::tempdir().unwrap();
        let home = there.path().join("home");
        fs::create_dir(&home).unwrap();
        if chown(&home, Some(OTHER), Some(OTHER)).is_err() {
            let test = "under_sudo_everything_belongs_to_the_caller_and_their_home_is_a_place_for_it";
            return base::ground::skip(test, "only root acts for others");
        }
        let number = OsStr::new("65534");
        let rules = Rules::PRIVATE.for_caller(Some(number), Some(number));
        let folder = Place::with_folders(&home.join("a/b"), rules).unwrap().create_folder().unwrap();
        folder.write_new("trace", b"").unwrap();
        for name in ["a", "a/b", "a/b/trace"] {
            let meta = fs::metadata(home.join(name)).unwrap();
            assert_eq!((meta.uid(), meta.gid()), (OTHER, OTHER), "{name}");
        }
        let nobody = [
            (None, Some(number)),
            (Some(OsStr::new("-1")), Some(number)),
            (Some(OsStr::new("4294967295")), None),
        ];
        for (uid, gid) in nobody {
            assert_eq!(Rules::PRIVATE.for_caller(uid, gid), Rules::PRIVATE);
        }
    }
}
