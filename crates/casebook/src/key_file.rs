//! The file that hands the key of the pages to a browser. Dropping a [`KeyFile`] removes the file.
//!
//! Only its owner can read it. It is in the home folder, and not in a hidden folder, because a browser in a sandbox can read
//! nothing else. Nobody else may write to the folders in its path, so the browser opens this file and no other. If there is
//! no such folder, no file is created.

use exhibit::{Folder, Place, Rules};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

/// A file that only its owner can read.
#[derive(Debug)]
pub(crate) struct KeyFile {
    folder: Folder,
    name: String,
}

impl KeyFile {
    /// Creates the file in the first suitable folder of the user's home. `None` if none is suitable.
    pub(crate) fn create(content: &str) -> Option<Self> {
        let user = rustix::process::geteuid().as_raw();
        let home = home(user, &|name| std::env::var_os(name))?;
        folders(&home).into_iter().find_map(|folder| Self::create_in(&folder, &home, content))
    }

    fn create_in(folder: &Path, home: &Path, content: &str) -> Option<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).ok()?;
        let name = format!("casebook-{:032x}.html", u128::from_ne_bytes(random));
        let place = Place::of(&visible(folder, home)?.join(&name), Rules::PRIVATE).ok()?;
        let folder = place.for_file().ok()?.0.clone();
        let mut file = folder.create_file(&name).ok()?;
        // From here on, any return removes the file.
        let created = Self { folder, name };
        file.write_all(content.as_bytes()).ok()?;
        Some(created)
    }

    /// The file's path.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path_of(&self.name)
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        // The user may have removed it already.
        drop(self.folder.remove(&self.name));
    }
}

/// The home folder of the user whose browser is opened. `None` if that is not this program's user: under `sudo` the desktop
/// belongs to the caller, whose browser cannot read a file of root.
fn home(user: u32, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let caller = variable("SUDO_UID").and_then(|id| id.to_str()?.parse::<u32>().ok());
    let is_somebody_elses = user == 0 && caller.is_some_and(|caller| caller != user);
    let home = variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute() && !is_somebody_elses)?;
    std::fs::canonicalize(home).ok()
}

/// Folders to try in turn. A browser from Flatpak can read the downloads, one from Snap the home folder too. macOS would ask
/// the user before a program may use the downloads.
fn folders(home: &Path) -> Vec<PathBuf> {
    let downloads = (!cfg!(target_os = "macos")).then(|| home.join("Downloads"));
    downloads.into_iter().chain([home.to_path_buf()]).collect()
}

/// The folder with all links resolved, if it is in the home folder and not hidden.
fn visible(folder: &Path, home: &Path) -> Option<PathBuf> {
    let folder = std::fs::canonicalize(folder).ok()?;
    let within = folder.strip_prefix(home).ok()?;
    let is_hidden = |part: Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b".");
    (!within.components().any(is_hidden)).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    /// A temporary folder, a home folder in it, and the user of this test.
    fn ground() -> (tempfile::TempDir, PathBuf, u32) {
        let there = tempfile::tempdir().unwrap();
        let home = fs::canonicalize(there.path()).unwrap().join("home");
        fs::create_dir(&home).unwrap();
        mode(&home, 0o755);
        (there, home, rustix::process::geteuid().as_raw())
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn names(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn nobody_else_can_read_the_file_and_it_goes_away() {
        let (_there, home, user) = ground();
        let file = KeyFile::create_in(&home, &home, "key").unwrap();
        let about = fs::metadata(file.path()).unwrap();
        assert_eq!((about.mode() & 0o7777, about.uid()), (0o600, user));
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "key");
        let other = KeyFile::create_in(&home, &home, "key").unwrap();
        assert_ne!(file.path(), other.path());
        drop((file, other));
        assert!(names(&home).is_empty());
    }

    #[test]
    fn a_folder_in_which_another_user_could_replace_the_file_gets_none() {
        let (_there, home, _) = ground();
        let inner = home.join("Downloads");
        fs::create_dir(&inner).unwrap();
        let check = |of_home: u32, of_inner: u32, expected: bool| {
            mode(&home, of_home);
            mode(&inner, of_inner);
            let file = KeyFile::create_in(&inner, &home, "key");
            assert_eq!(file.is_some(), expected, "{of_home:o} {of_inner:o}");
        };
        check(0o755, 0o755, true);
        check(0o700, 0o700, true);
        check(0o755, 0o777, false);
        check(0o777, 0o755, false);
        // In a sticky folder, others can replace only their own files.
        check(0o1777, 0o755, true);
        check(0o755, 0o1777, true);
    }

    #[test]
    fn a_folder_that_a_browser_in_a_sandbox_cannot_read_gets_none() {
        let (there, home, _) = ground();
        let [hidden, outside] = [home.join(".data"), there.path().join("outside")];
        for folder in [&hidden, &outside] {
            fs::create_dir(folder).unwrap();
            mode(folder, 0o755);
            let link = home.join("Downloads");
            symlink(folder, &link).unwrap();
            assert_eq!(visible(&link, &home), None, "{}", folder.display());
            fs::remove_file(link).unwrap();
        }
        assert_eq!(visible(&home.join("Downloads"), &home), None);
        assert_eq!(visible(&home, &home), Some(home.clone()));
    }

    #[test]
    fn the_browser_of_whoever_calls_sudo_gets_no_file_of_root() {
        let (_there, there, _) = ground();
        let check = |user: u32, sudo: Option<&str>, expected: bool| {
            let variable = |name: &str| match name {
                "HOME" => Some(there.clone().into_os_string()),
                _ => sudo.map(OsString::from),
            };
            assert_eq!(home(user, &variable).is_some(), expected, "{user} {sudo:?}");
        };
        check(1000, None, true);
        check(0, None, true);
        check(0, Some("0"), true);
        check(0, Some("1000"), false);
        // SUDO_UID counts only for root: a shell that sudo started for another user has it too.
        check(1000, Some("1001"), true);
        assert_eq!(home(1000, &|name| (name == "HOME").then(|| "relative".into())), None);
        assert_eq!(home(1000, &|_| None), None);
    }
}
