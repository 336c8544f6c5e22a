//! How many descriptors a process has open, and of which kinds.
//!
//! A process may have hundreds of thousands. Their number is then read from the size of `/proc/PID/fd`, which the kernel
//! (since Linux 6.2) sets to it; an older kernel has them counted, up to a limit. Their kinds cost a read of a link each,
//! so they are told only of processes with few enough. Nothing is opened.

use crate::Proc;
use std::path::Path;

/// Descriptors that are counted one by one; of more the number is not known.
const MOST_COUNTED: usize = 100_000;
/// Descriptors whose kinds are looked at in a reading: about a millisecond of work.
const MOST_LOOKED_AT: u64 = 1000;

/// The open descriptors of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptors {
    pub(crate) all: u64,
    /// None where there are too many to look at, or where it is not permitted.
    pub(crate) kinds: Option<Kinds>,
}

/// How many descriptors are of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kinds {
    pub(crate) files: u64,
    pub(crate) sockets: u64,
    /// Pipes, events, epoll, devices, memory.
    pub(crate) others: u64,
}

/// Those of a process; none where it is gone or may not be looked at.
pub(crate) fn of(proc: &Proc, pid: u32) -> Option<Descriptors> {
    let folder = proc.file(pid, "fd");
    let told = std::fs::metadata(&folder).ok()?.len();
    let all = if proc.is_machines_own() && told > 0 { told } else { counted(&folder)? };
    let kinds = if all <= MOST_LOOKED_AT { kinds(&folder) } else { None };
    Some(Descriptors { all, kinds })
}

fn counted(folder: &Path) -> Option<u64> {
    let count = std::fs::read_dir(folder).ok()?.take(MOST_COUNTED).flatten().count();
    (count < MOST_COUNTED).then_some(count as u64)
}

fn kinds(folder: &Path) -> Option<Kinds> {
    let mut kinds = Kinds::default();
    let (mut listed, mut read) = (0u64, 0u64);
    for entry in std::fs::read_dir(folder).ok()?.flatten().take(MOST_COUNTED) {
        listed = listed.saturating_add(1);
        // One may be closed meanwhile.
        let Ok(target) = std::fs::read_link(entry.path()) else { continue };
        read = read.saturating_add(1);
        let target = target.to_string_lossy();
        let is_file =
            target.starts_with('/') && !["/dev/", "/memfd:"].iter().any(|of| target.starts_with(of));
        let kind = match () {
            () if target.starts_with("socket:") => &mut kinds.sockets,
            () if is_file => &mut kinds.files,
            () => &mut kinds.others,
        };
        *kind = kind.saturating_add(1);
    }
    // A process with capabilities that we lack lets its descriptors be listed, and not one of them be looked at.
    (read > 0 || listed == 0).then_some(kinds)
}

/// How many descriptors a process may open, by its `limits`: the soft limit.
pub(crate) fn limit(proc: &Proc, pid: u32) -> Option<u64> {
    let text = proc.text(pid, "limits")?;
    crate::files::field(&text, "Max open files")?.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;
    use std::os::unix::fs::symlink;

    fn check(targets: &[&str], expected: Option<Descriptors>) {
        let tree = Tree::new();
        for (number, target) in targets.iter().enumerate() {
            tree.write("proc/7/fd/.keep", "");
            symlink(target, tree.path(&format!("proc/7/fd/{number}"))).unwrap();
        }
        std::fs::remove_file(tree.path("proc/7/fd/.keep")).ok();
        assert_eq!(of(&tree.proc(), 7), expected);
    }

    #[test]
    fn descriptors_are_told_by_kind_and_those_of_a_process_with_very_many_by_their_number_alone() {
        check(&[], None);
        let kinds = Kinds { files: 1, sockets: 2, others: 3 };
        let few = [
            "/srv/a (deleted)",
            "socket:[1]",
            "socket:[2]",
            "pipe:[3]",
            "anon_inode:[eventpoll]",
            "/dev/null",
        ];
        check(&few, Some(Descriptors { all: 6, kinds: Some(kinds) }));
        let many: Vec<String> = (0..=MOST_LOOKED_AT).map(|number| format!("socket:[{number}]")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&many, Some(Descriptors { all: MOST_LOOKED_AT + 1, kinds: None }));
    }

    #[test]
    fn descriptors_that_may_not_be_looked_at_are_not_said_to_be_of_no_kind() {
        let tree = Tree::new();
        tree.write("proc/7/fd/0", "no link");
        assert_eq!(of(&tree.proc(), 7), Some(Descriptors { all: 1, kinds: None }));
    }

    #[test]
    fn the_soft_limit_counts() {
        let tree = Tree::new();
        tree.write(
            "proc/7/limits",
            "Limit  Soft Limit  Hard Limit\nMax open files            1024        524288       files\n",
        );
        tree.write("proc/8/limits", "Max open files   unlimited   unlimited  files\n");
        assert_eq!((limit(&tree.proc(), 7), limit(&tree.proc(), 8)), (Some(1024), None));
    }

    #[test]
    fn the_machines_own_folder_tells_as_many_as_are_listed() {
        let (proc, pid) = (Proc::live(), std::process::id());
        if !crate::process::is_live(&proc) {
            return base::ground::skip("host::descriptors", "no /proc");
        }
        let found = of(&proc, pid).unwrap();
        let listed = counted(&proc.file(pid, "fd")).unwrap();
        // Other tests open and close files meanwhile.
        assert!(found.all.abs_diff(listed) < 100, "{found:?}, listed {listed}");
        assert!(limit(&proc, pid).is_none_or(|limit| limit >= found.all));
    }
}
