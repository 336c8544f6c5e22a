//! Where the control groups of a process are: its memberships, and the mounts that show them.
//!
//! A membership is the path of a group from the root of our cgroup namespace. A mount shows the part of a hierarchy below
//! its own root, which is a path from there too. So a group is visible in a mount if its path begins with the mount's
//! root. A path that goes on with `..` leads out of the mount, and is not followed.
//!
//! ```text
//! membership /kubepods/pod1/c1     mount root /kubepods/pod1 at /sys/fs/cgroup
//!            └──── root ────┘└ below: /sys/fs/cgroup/c1, and its ancestor /sys/fs/cgroup
//! ```

use std::path::PathBuf;

/// A line of `/proc/PID/cgroup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Membership<'a> {
    /// The controllers of the hierarchy, separated by commas; empty for version 2.
    pub(crate) controllers: &'a str,
    pub(crate) path: &'a str,
}

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) is_v2: bool,
    /// The super block's options; in version 1 these include the names of the controllers.
    options: String,
    root: String,
    point: String,
}

/// The memberships in the text of a `/proc/PID/cgroup`. Malformed lines are skipped.
pub(crate) fn memberships(text: &str) -> impl Iterator<Item = Membership<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_hierarchy, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Membership { controllers, path })
    })
}

/// The mounts of control groups in the text of a `/proc/PID/mountinfo`, in its order.
pub(crate) fn mounts(text: &str) -> Vec<Mount> {
    text.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut filesystem = filesystem.split(' ');
    let is_v2 = match filesystem.next()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let options = filesystem.nth(1).unwrap_or_default().to_owned();
    let mut fields = mount.split(' ').skip(3);
    Some(Mount { is_v2, options, root: unescape(fields.next()?), point: unescape(fields.next()?) })
}

impl Membership<'_> {
    /// Whether its hierarchy has a controller of version 1.
    pub(crate) fn has(&self, controller: &str) -> bool {
        self.controllers.split(',').any(|name| name == controller)
    }

    /// Whether its hierarchy is of version 1 and has a controller; `name=systemd` only groups processes.
    pub(crate) fn controls(&self) -> bool {
        self.controllers.split(',').any(|name| !name.is_empty() && !name.starts_with("name="))
    }
}

impl Mount {
    /// Whether it shows the hierarchy of version 1 that has a controller.
    pub(crate) fn has(&self, controller: &str) -> bool {
        !self.is_v2 && self.options.split(',').any(|name| name == controller)
    }

    /// The folder of a group and those of its ancestors, up to the mount point. Empty if the mount does not show the group.
    pub(crate) fn levels(&self, path: &str) -> Vec<PathBuf> {
        let Some(below) = below(&self.root, path) else { return Vec::new() };
        let mut levels = vec![PathBuf::from(&self.point)];
        for name in below {
            let level = levels.last().map(|above| above.join(name));
            levels.extend(level);
        }
        levels.reverse();
        // A group that was removed has no folder.
        let is_there = levels.first().is_some_and(|own| own.is_dir());
        if is_there { levels } else { Vec::new() }
    }
}

/// The names on the path from a mount's root to a group. `None` if the group is not below the root.
fn below<'a>(root: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut names = path.split('/').filter(|name| !name.is_empty());
    let mut root = root.split('/').filter(|name| !name.is_empty());
    if !root.all(|name| names.next() == Some(name)) {
        return None;
    }
    let names: Vec<&str> = names.collect();
    (!names.contains(&"..")).then_some(names)
}

/// Decodes spaces, line ends and backslashes, which the kernel writes as a backslash and three octal digits.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let escaped = part.split_at_checked(3).and_then(|(digits, rest)| {
            let byte = u8::from_str_radix(digits, 8).ok().filter(u8::is_ascii)?;
            Some((char::from(byte), rest))
        });
        let (first, rest) = escaped.unwrap_or(('\\', part));
        plain.push(first);
        plain.push_str(rest);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    fn check(root: &str, path: &str, expected: Option<&[&str]>) {
        assert_eq!(below(root, path).as_deref(), expected, "{path} below {root}");
    }

    #[test]
    fn a_group_is_visible_if_it_is_below_the_root_of_a_mount() {
        check("/", "/", Some(&[]));
        check("/", "/a/b", Some(&["a", "b"]));
        check("/docker/x", "/docker/x", Some(&[]));
        check("/docker/x", "/docker/x/y", Some(&["y"]));
        check("/..", "/../sibling", Some(&["sibling"]));
        // Another container, one whose name starts the same, and a group above our view.
        check("/docker/x", "/docker/y", None);
        check("/docker/x", "/docker/xy", None);
        check("/docker/x", "/", None);
        check("/", "/../other", None);
        check("/", "/a/../../etc", None);
    }

    #[test]
    fn only_mounts_of_control_groups_are_read() {
        let text = "27 1 254:0 / / rw - ext4 /dev/vda rw\n\
            34 31 0:31 /a\\040b /sys/fs/cgroup/cpu\\134 rw,nosuid shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n\
            half a line\n42 31 0:38 / - cgroup2 cgroup2 rw\n";
        let found = mounts(text);
        let places: Vec<_> = found.iter().map(|mount| (mount.is_v2, &*mount.root, &*mount.point)).collect();
        assert_eq!(places, [(false, "/a b", "/sys/fs/cgroup/cpu\\"), (true, "/", "/sys/fs/cgroup/unified")]);
        let cpu: Vec<_> = found.iter().map(|mount| (mount.has("cpu"), mount.has("memory"))).collect();
        assert_eq!(cpu, [(true, false), (false, false)]);
    }

    #[test]
    fn the_path_of_a_membership_may_contain_colons() {
        let text = "9:name=systemd:/\n2:cpu,cpuacct:/a:b\n0::/x\nnone\n";
        let found: Vec<_> = memberships(text).map(|one| (one.has("cpu"), one.controls(), one.path)).collect();
        assert_eq!(found, [(false, false, "/"), (true, true, "/a:b"), (false, false, "/x")]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>(), words in r"[\\/0-7a-b. -]*") {
            let text = String::from_utf8_lossy(&bytes);
            let _count = (memberships(&text).count(), mounts(&text).len(), unescape(&text));
            let line = format!("1 2 3 {words} - cgroup2 c {words}");
            let _levels: Vec<_> = mounts(&line).iter().map(|mount| mount.levels(&words)).collect();
        }
    }
}
