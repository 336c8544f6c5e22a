//! How many file descriptors a process has open, and of which kinds.
//!
//! A process may have hundreds of thousands. Since Linux 6.2 the size of `/proc/PID/fd` is their number; on an older
//! kernel they are counted, up to a limit. Finding their kinds means reading one link per descriptor, so it is done only
//! for processes with few of them. Nothing is opened.

use crate::Proc;
use std::path::Path;

/// Limit on the descriptors that are counted one by one. If there are more, their number is unknown.
const MAX_COUNTED: usize = 100_000;
/// Limit on the descriptors whose kinds are read: about 1 ms of work.
const MAX_LOOKED_AT: u64 = 1000;

/// The open descriptors of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptors {
    pub(crate) all: u64,
    /// `None` if there are too many, or if we may not read them.
    pub(crate) kinds: Option<Kinds>,
}

/// The number of descriptors of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kinds {
    pub(crate) files: u64,
    pub(crate) sockets: u64,
    /// Pipes, events, epoll, devices, anonymous memory.
    pub(crate) others: u64,
}

/// The descriptors of a process. `None` if it has ended or we may not read them.
pub(crate) fn of(proc: &Proc, pid: u32) -> Option<Descriptors> {
    let folder = proc.file(pid, "fd");
    let size = std::fs::metadata(&folder).ok()?.len();
    // Older kernels have 0 here.
    let all = if proc.is_machines_own() && size > 0 { size } else { counted(&folder)? };
    let kinds = if all <= MAX_LOOKED_AT { kinds(&folder) } else { None };
    Some(Descriptors { all, kinds })
}

fn counted(folder: &Path) -> Option<u64> {
    let count = std::fs::read_dir(folder).ok()?.take(MAX_COUNTED).flatten().count();
    (count < MAX_COUNTED).then_some(count as u64)
}

fn kinds(folder: &Path) -> Option<Kinds> {
    let mut kinds = Kinds::default();
    let (mut listed, mut read) = (0u64, 0u64);
    for entry in std::fs::read_dir(folder).ok()?.flatten().take(MAX_COUNTED) {
        listed = listed.saturating_add(1);
        // It may have been closed since it was listed.
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
    // If the process has capabilities that we lack, we can list its descriptors but read none of them.
    (read > 0 || listed == 0).then_some(kinds)
}

/// How many descriptors a process may open: the soft limit in its `limits`.
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
    fn descriptors_are_counted_by_kind_unless_a_process_has_very_many() {
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
        let many: Vec<String> = (0..=MAX_LOOKED_AT).map(|number| format!("socket:[{number}]")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&many, Some(Descriptors { all: MAX_LOOKED_AT + 1, kinds: None }));
    }

    #[test]
    fn descriptors_that_we_may_not_read_have_unknown_kinds_instead_of_zeros() {
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
    fn the_size_of_the_machines_own_folder_is_the_number_of_its_entries() {
        let (proc, pid) = (Proc::live(), std::process::id());
        if !crate::process::is_live(&proc) {
            return base::ground::skip("host::descriptors", "no /proc");
        }
        let found = of(&proc, pid).unwrap();
        let listed = counted(&proc.file(pid, "fd")).unwrap();
        // Other tests open and close files at the same time.
        assert!(found.all.abs_diff(listed) < 100, "{found:?}, listed {listed}");
        assert!(limit(&proc, pid).is_none_or(|limit| limit >= found.all));
    }
}
