//! The threads of a process, and the CPU time of each.
//!
//! In a container, a thread has two ids: one in our namespace and one in its own. A runtime writes only its own id into its
//! events. The kernel reports that one in another, longer file, which a [`ThreadReader`] reads only once per thread.

use crate::process::last_namespace_id;
use crate::{Proc, files};
use std::collections::BTreeMap;

/// Limit on the threads of a process that are read.
const MAX_THREADS: usize = 1 << 16;

/// A thread, and its CPU time so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadStat {
    /// Its id in our namespace.
    pub id: u32,
    /// Its id in its innermost namespace, which is the id that its own process sees.
    pub namespace_id: u32,
    /// Its name, cut to 15 bytes.
    pub name: String,
    /// Its state, as in [`crate::Stat::state`].
    pub state: char,
    /// CPU time in user code since its start.
    pub user_ns: u64,
    /// CPU time in the kernel since its start.
    pub system_ns: u64,
    /// How long it was ready to run and waited for a CPU core since its start; on some kernels this includes throttling.
    /// `None` if the kernel does not count it.
    pub waited_ns: Option<u64>,
}

/// Reads the threads of a process repeatedly.
#[derive(Debug, Clone)]
pub struct ThreadReader {
    pid: u32,
    /// The threads of the last reading, by id.
    known: BTreeMap<u32, Known>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// Distinguishes a thread from a later one with the same id.
    start_ticks: u64,
    namespace_id: u32,
}

impl ThreadReader {
    /// Reads nothing yet.
    pub fn new(pid: u32) -> Self {
        Self { pid, known: BTreeMap::new() }
    }

    /// The current threads, by ascending id, without those that end during the call. Empty if the process has ended.
    pub fn read(&mut self, proc: &Proc) -> Vec<ThreadStat> {
        let ids = files::numbered(&proc.file(self.pid, "task"), MAX_THREADS);
        let mut known = BTreeMap::new();
        let threads = ids.into_iter().filter_map(|id| self.read_thread(proc, id, &mut known)).collect();
        self.known = known;
        threads
    }

    fn read_thread(&self, proc: &Proc, id: u32, known: &mut BTreeMap<u32, Known>) -> Option<ThreadStat> {
        let stat = proc.stat_file(self.pid, proc.file(self.pid, &format!("task/{id}/stat"))).ok()?;
        let before = self.known.get(&id).filter(|before| before.start_ticks == stat.start_ticks);
        let namespace_id = match before {
            Some(before) => before.namespace_id,
            None => namespace_id(proc, self.pid, id),
        };
        known.insert(id, Known { start_ticks: stat.start_ticks, namespace_id });
        Some(ThreadStat {
            id,
            namespace_id,
            name: stat.comm,
            state: stat.state,
            user_ns: stat.user_ns,
            system_ns: stat.system_ns,
            waited_ns: waited_ns(proc, self.pid, id),
        })
    }
}

impl Proc {
    /// The current threads of a process, for callers that need them once.
    pub fn threads(&self, pid: u32) -> Vec<ThreadStat> {
        ThreadReader::new(pid).read(self)
    }
}

/// The second number of `schedstat`: time on a run queue. All three numbers are 0 if the kernel does not count it.
fn waited_ns(proc: &Proc, pid: u32, id: u32) -> Option<u64> {
    let text = proc.text(pid, &format!("task/{id}/schedstat"))?;
    let mut numbers = text.split_ascii_whitespace().map(|number| number.parse::<u64>().ok());
    let (ran, waited) = (numbers.next()??, numbers.next()??);
    (ran > 0 || waited > 0).then_some(waited)
}

/// The id of a thread in its innermost namespace, or its id in ours if the kernel does not report it (before 4.1).
fn namespace_id(proc: &Proc, pid: u32, id: u32) -> u32 {
    let status = proc.text(pid, &format!("task/{id}/status"));
    status.and_then(|status| last_namespace_id(&status)).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::is_live;
    use crate::tree::Tree;

    fn write(tree: &Tree, id: u32, name: &str, start: u64, status: &str) {
        let stat = format!("{id} ({name}) R 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 3 0 {start} 0 0 0");
        tree.write(&format!("proc/40/task/{id}/stat"), stat);
        tree.write(&format!("proc/40/task/{id}/status"), status);
    }

    fn check(reader: &mut ThreadReader, tree: &Tree, expected: &[(u32, u32, &str)]) {
        let threads = reader.read(&tree.proc());
        let found: Vec<_> =
            threads.iter().map(|thread| (thread.id, thread.namespace_id, thread.name.as_str())).collect();
        assert_eq!(found, expected);
        assert!(threads.iter().all(|thread| (thread.user_ns, thread.system_ns) == (50_000_000, 60_000_000)));
    }

    #[test]
    fn the_id_inside_the_container_is_read_once_per_thread() {
        let tree = Tree::new();
        let mut reader = ThreadReader::new(40);
        check(&mut reader, &tree, &[]);
        write(&tree, 40, "dotnet", 100, "NSpid:\t40\t1\n");
        write(&tree, 41, ".NET TP (1)", 100, "NSpid:\t41\t9\n");
        write(&tree, 42, "old kernel", 100, "Pid:\t42\n");
        let before = [(40, 1, "dotnet"), (41, 9, ".NET TP (1)"), (42, 42, "old kernel")];
        check(&mut reader, &tree, &before);
        // The status is read again only if another thread has the id by now.
        write(&tree, 40, "renamed", 100, "NSpid:\t40\t7\n");
        write(&tree, 41, "another", 101, "NSpid:\t41\t10\n");
        tree.write("proc/40/task/42/stat", "garbage");
        check(&mut reader, &tree, &[(40, 1, "renamed"), (41, 10, "another")]);
    }

    #[test]
    fn the_threads_of_this_process_have_names() {
        let (proc, pid) = (Proc::live(), std::process::id());
        if !is_live(&proc) {
            return base::ground::skip("host::threads", "no /proc");
        }
        let (started, start) = std::sync::mpsc::sync_channel::<()>(1);
        let (end, ended) = std::sync::mpsc::sync_channel::<()>(1);
        let named = std::thread::Builder::new().name("a (named) one".to_owned());
        let thread = named.spawn(move || started.send(()).and(Ok(ended.recv()))).unwrap();
        start.recv().unwrap();
        let found = proc.threads(pid);
        drop(end);
        assert!(thread.join().is_ok());
        assert!(
            found.iter().any(|thread| thread.name == "a (named) one" && thread.namespace_id > 0),
            "{found:?}"
        );
        assert_eq!(proc.threads(u32::MAX), []);
    }
}
