//! Processes, as `/proc/PID` describes them.
//!
//! Field names are those of proc(5). Times that the kernel reports in ticks are returned in nanoseconds, but are only as
//! precise as a tick, usually 10 ms. It does not look at what a process runs.

use crate::error::Error;
use crate::{container, files};
use std::path::PathBuf;

/// The kernel allows no more processes than this.
const MAX_PROCESSES: usize = 1 << 22;
const NANOS: u64 = 1_000_000_000;

/// A `/proc`: the machine's, or a recorded tree.
#[derive(Debug, Clone)]
pub struct Proc {
    root: PathBuf,
    units: Units,
}

/// The contents of `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its PID in the namespace of this `/proc`.
    pub pid: u32,
    /// Its name: the program's file name, cut to 15 bytes, unless the process renamed itself.
    pub comm: String,
    /// Its state: `R` running, `S` sleeping, `D` in an uninterruptible wait, `Z` ended but not waited for, `T` stopped.
    pub state: char,
    /// The process that started or adopted it; 0 if that is outside the namespace.
    pub parent: u32,
    /// Number of threads.
    pub threads: u32,
    /// CPU time in user code since its start.
    pub user_ns: u64,
    /// CPU time in the kernel since its start.
    pub system_ns: u64,
    /// When it started, in ticks since the machine started. Distinguishes it from a later process with the same PID.
    pub start_ticks: u64,
    /// Resident memory; the kernel updates it with a short delay.
    pub rss_bytes: u64,
}

/// The units that the kernel counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Units {
    tick_ns: u64,
    page_bytes: u64,
}

impl Proc {
    /// That of this machine, `/proc`.
    pub fn live() -> Self {
        Self::at("/proc")
    }

    /// One at any path.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let vector = files::read(&root.join("self/auxv"), files::USUAL).unwrap_or_default();
        Self { root, units: Units::of_vector(&vector) }
    }

    /// All processes that we can see, in ascending order.
    pub fn pids(&self) -> Vec<u32> {
        files::numbered(&self.root, MAX_PROCESSES)
    }

    /// Reads `/proc/PID/stat`.
    pub fn stat(&self, pid: u32) -> Result<Stat, Error> {
        self.stat_file(pid, self.file(pid, "stat"))
    }

    /// The PID of a process in its innermost namespace, which is the PID that it sees itself.
    pub fn namespace_pid(&self, pid: u32) -> Option<u32> {
        last_namespace_id(&self.text(pid, "status")?)
    }

    /// The effective user of a process.
    pub fn user_id(&self, pid: u32) -> Option<u32> {
        effective_user(&self.text(pid, "status")?)
    }

    /// The arguments of a process, with the program first. Empty for a kernel thread, for a process that has ended, and if
    /// we may not read them. A process can overwrite them.
    pub fn command_line(&self, pid: u32) -> Vec<String> {
        split_zeros(&files::read(&self.file(pid, "cmdline"), files::LONG).unwrap_or_default())
    }

    /// The processes that a process started or adopted. If one ends during the call, another may be missing. `None` if the
    /// kernel does not list them, or the process has ended.
    pub fn children(&self, pid: u32) -> Option<Vec<u32>> {
        let mut all = Vec::new();
        let mut is_listed = false;
        for thread in files::numbered(&self.file(pid, "task"), MAX_PROCESSES) {
            // The thread may have ended since it was listed.
            let Ok(list) = files::read(&self.file(pid, &format!("task/{thread}/children")), files::LONG)
            else {
                continue;
            };
            is_listed = true;
            let list = String::from_utf8_lossy(&list);
            all.extend(list.split_ascii_whitespace().filter_map(|number| number.parse::<u32>().ok()));
        }
        is_listed.then_some(all)
    }

    /// A variable of the environment that a process was started with. `None` also if we may not read it.
    pub fn environment(&self, pid: u32, name: &str) -> Option<String> {
        variable(&files::read(&self.file(pid, "environ"), files::LONG).ok()?, name)
    }

    /// The .NET settings in the environment that a process was started with, in their order: only variables that begin
    /// with `DOTNET_` or `COMPlus_`, since others may hold secrets. Long values are cut, and say so.
    pub fn dotnet_settings(&self, pid: u32) -> Vec<(String, String)> {
        let environment = files::read(&self.file(pid, "environ"), files::LONG).unwrap_or_default();
        dotnet_settings(&environment)
    }

    /// Whether a file is mapped into a process, by the end of its path. False also if we may not read the list.
    pub fn has_mapped(&self, pid: u32, end: &str) -> bool {
        /// Limit on the bytes of the list that are read, enough for thousands of libraries.
        const MAX_BYTES: u64 = 4 << 20;
        let maps = files::text(&self.file(pid, "maps"), MAX_BYTES).unwrap_or_default();
        maps.lines().any(|line| line.trim_end_matches(" (deleted)").ends_with(end))
    }

    /// The root of the file system as a process sees it, `/proc/PID/root`.
    pub fn root_path(&self, pid: u32) -> PathBuf {
        self.file(pid, "root")
    }

    /// The full id of the container that a process is in, from the names of its control groups: 64 hexadecimal digits for
    /// Docker, containerd, CRI-O and Podman, a name for LXC.
    ///
    /// `None` also if we share a private cgroup namespace with it, because these names are not visible there.
    pub fn container(&self, pid: u32) -> Option<String> {
        container::id(&self.text(pid, "cgroup")?)
    }

    pub(crate) fn file(&self, pid: u32, name: &str) -> PathBuf {
        self.root.join(pid.to_string()).join(name)
    }

    /// A file about the machine, or in `self`.
    pub(crate) fn machine_file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn text(&self, pid: u32, name: &str) -> Option<String> {
        files::text(&self.file(pid, name), files::USUAL)
    }

    /// Whether this is the machine's own `/proc`, in which the size of a `fd` folder is its number of descriptors.
    pub(crate) fn is_machines_own(&self) -> bool {
        self.root == *"/proc"
    }

    pub(crate) fn ticks_as_nanos(&self, ticks: u64) -> u64 {
        ticks.saturating_mul(self.units.tick_ns)
    }

    /// Reads the `stat` of a process or of one of its threads.
    pub(crate) fn stat_file(&self, pid: u32, path: PathBuf) -> Result<Stat, Error> {
        let bytes = files::read(&path, files::USUAL).map_err(|error| Error::of_file(pid, &path, &error))?;
        parse_stat(&String::from_utf8_lossy(&bytes), self.units)
            .map_err(|field| Error::Malformed { path, field })
    }
}

impl Units {
    /// Those of nearly every machine. Used for a recorded tree without `self/auxv`.
    const USUAL: Self = Self { tick_ns: 10_000_000, page_bytes: 4096 };

    /// Reads them from the auxiliary vector that the kernel passes to every program: pairs of key and value, each one
    /// machine word.
    fn of_vector(bytes: &[u8]) -> Self {
        const PAGE_SIZE: usize = 6;
        const TICKS_PER_SECOND: usize = 17;
        let mut units = Self::USUAL;
        let (words, _rest) = bytes.as_chunks::<{ size_of::<usize>() }>();
        let mut words = words.iter().map(|word| usize::from_ne_bytes(*word));
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            match key {
                PAGE_SIZE if value.is_power_of_two() => units.page_bytes = value as u64,
                // Without a division by zero: a damaged vector keeps the usual tick.
                TICKS_PER_SECOND => {
                    units.tick_ns = NANOS.checked_div(value as u64).unwrap_or(Self::USUAL.tick_ns);
                }
                _ => {}
            }
        }
        units
    }
}

/// Parses a `stat`; the error is the name of the field that is missing or malformed.
fn parse_stat(text: &str, units: Units) -> Result<Stat, &'static str> {
    let (pid, rest) = text.split_once(" (").ok_or("comm")?;
    // The name may contain parentheses and spaces itself, so it ends at the last closing parenthesis.
    let (comm, rest) = rest.rsplit_once(')').ok_or("comm")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Fields are numbered as in proc(5), where the first one after the name is field 3.
    let field = |number: usize, what: &'static str| {
        number.checked_sub(3).and_then(|at| fields.get(at)).copied().ok_or(what)
    };
    let count = |number, what| field(number, what)?.parse::<u64>().map_err(|_not_a_number| what);
    let small = |number, what| field(number, what)?.parse::<u32>().map_err(|_not_a_number| what);
    let pages: i64 = field(24, "rss")?.parse().map_err(|_not_a_number| "rss")?;
    Ok(Stat {
        pid: pid.parse().map_err(|_not_a_number| "pid")?,
        comm: comm.to_owned(),
        state: field(3, "state")?.chars().next().ok_or("state")?,
        parent: small(4, "ppid")?,
        threads: small(20, "num_threads")?,
        user_ns: count(14, "utime")?.saturating_mul(units.tick_ns),
        system_ns: count(15, "stime")?.saturating_mul(units.tick_ns),
        start_ticks: count(22, "starttime")?,
        // The kernel sums several counters, and the sum may be negative for a moment.
        rss_bytes: u64::try_from(pages).unwrap_or(0).saturating_mul(units.page_bytes),
    })
}

/// The last number of `NSpid:`, which lists the id in each namespace, from ours to the innermost.
pub(crate) fn last_namespace_id(status: &str) -> Option<u32> {
    files::field(status, "NSpid:")?.split_ascii_whitespace().next_back()?.parse().ok()
}

/// The second number of `Uid:`; the first is the real user.
fn effective_user(status: &str) -> Option<u32> {
    files::field(status, "Uid:")?.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn split_zeros(bytes: &[u8]) -> Vec<String> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    bytes.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

/// Limit on the number of settings.
const MAX_SETTINGS: usize = 100;
/// Limit on the characters of a value.
const MAX_CHARACTERS: usize = 200;

fn dotnet_settings(environment: &[u8]) -> Vec<(String, String)> {
    let setting = |entry: &[u8]| -> Option<(String, String)> {
        let text = String::from_utf8_lossy(entry);
        let (name, value) = text.split_once('=')?;
        let is_dotnet = name.starts_with("DOTNET_") || name.starts_with("COMPlus_");
        let length = value.chars().count();
        let cut: String = value.chars().take(MAX_CHARACTERS).collect();
        let value =
            if length > MAX_CHARACTERS { format!("{cut}… (cut: {length} characters)") } else { cut };
        (is_dotnet && name.len() <= MAX_CHARACTERS).then(|| (name.to_owned(), value))
    };
    environment.split(|byte| *byte == 0).filter_map(setting).take(MAX_SETTINGS).collect()
}

fn variable(environment: &[u8], name: &str) -> Option<String> {
    let value = |entry: &[u8]| -> Option<String> {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    environment.split(|byte| *byte == 0).find_map(value)
}

/// Whether this is the machine's own `/proc` and can be read, for tests that need it.
#[cfg(test)]
pub(crate) fn is_live(proc: &Proc) -> bool {
    proc.is_machines_own() && proc.machine_file("self/stat").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;
    use proptest::prelude::{any, proptest};

    const TAIL: &str =
        "S 4 5 5 0 -1 4194560 100 0 7 0 250 30 0 0 20 0 12 0 8800 90000000 300 18446744073709551615";

    fn check(stat: &str, expected: Result<(u32, &str, char, u64, u64), &'static str>) {
        let found = parse_stat(stat, Units::USUAL);
        let found = found
            .as_ref()
            .map(|stat| (stat.pid, stat.comm.as_str(), stat.state, stat.user_ns, stat.rss_bytes));
        assert_eq!(found, expected.as_ref().copied());
    }

    #[test]
    fn children_are_those_of_all_threads_and_unknown_if_the_kernel_lists_none() {
        let tree = Tree::new();
        tree.write("proc/40/task/40/children", "41 52 ");
        tree.write("proc/40/task/44/children", "45");
        tree.write("proc/40/task/46/stat", "a thread that ends just now");
        tree.write("proc/41/task/41/stat", "an old kernel");
        tree.write("proc/45/task/45/children", "");
        let check = |pid, expected: Option<&[u32]>| {
            assert_eq!(tree.proc().children(pid).as_deref(), expected);
        };
        check(40, Some(&[41, 52, 45]));
        check(41, None);
        check(45, Some(&[]));
        check(99, None);
    }

    #[test]
    fn a_name_may_contain_parentheses_and_spaces() {
        check(&format!("7 (dotnet) {TAIL}\n"), Ok((7, "dotnet", 'S', 2_500_000_000, 1_228_800)));
        check(&format!("7 (a) (b ) R 1) {TAIL}"), Ok((7, "a) (b ) R 1", 'S', 2_500_000_000, 1_228_800)));
        check(&format!("7 () {TAIL}"), Ok((7, "", 'S', 2_500_000_000, 1_228_800)));
    }

    #[test]
    fn a_stat_that_is_cut_says_which_field_is_missing() {
        check("", Err("comm"));
        check("7 (dotnet", Err("comm"));
        check("7 (dotnet) S 4", Err("rss"));
        check(&format!("x (dotnet) {TAIL}"), Err("pid"));
        check(&format!("7 (dotnet) {}", TAIL.replace("250", "x")), Err("utime"));
        check(&format!("7 (d) {}", TAIL.replace(" 300 ", " -2 ")), Ok((7, "d", 'S', 2_500_000_000, 0)));
    }

    #[test]
    fn a_process_is_read_from_a_recorded_tree() {
        let tree = Tree::new();
        tree.write("proc/12/stat", format!("12 (dotnet) {TAIL}"));
        tree.write("proc/12/status", "Name:\tdotnet\nUid:\t1000\t1001\t0\t0\nNSpid:\t12\t40\t1\n");
        tree.write("proc/12/cmdline", b"dotnet\0app.dll\0\0--a=\xff b\0");
        tree.write(
            "proc/12/environ",
            "TMPDIR2=/no\0TMPDIR=/var/tmp\0TMPDIR=/later\0EMPTY=\0DOTNET_gcServer=1\0PASSWORD=DOTNET_x\0",
        );
        tree.write("proc/7/stat", "garbage");
        tree.write("proc/7/cmdline", "");
        let proc = tree.proc();
        assert_eq!(proc.pids(), [7, 12]);
        assert_eq!(
            proc.stat(12).map(|stat| (stat.parent, stat.threads, stat.start_ticks)),
            Ok((4, 12, 8800))
        );
        assert_eq!((proc.namespace_pid(12), proc.user_id(12)), (Some(1), Some(1001)));
        assert_eq!(proc.command_line(12), ["dotnet", "app.dll", "", "--a=\u{fffd} b"]);
        assert_eq!(proc.environment(12, "TMPDIR").as_deref(), Some("/var/tmp"));
        assert_eq!((proc.environment(12, "EMPTY").as_deref(), proc.environment(12, "TMP")), (Some(""), None));
        assert_eq!(proc.dotnet_settings(12), [("DOTNET_gcServer".to_owned(), "1".to_owned())]);
        assert_eq!(proc.root_path(12), tree.path("proc/12/root"));
        let path = tree.path("proc/7/stat");
        assert_eq!(proc.stat(7), Err(Error::Malformed { path, field: "comm" }));
        assert_eq!((proc.command_line(7), proc.namespace_pid(7)), (vec![], None));
        assert_eq!(proc.stat(8), Err(Error::Gone { pid: 8 }));
        assert_eq!((proc.command_line(8), proc.user_id(8), proc.container(8)), (vec![], None, None));
    }

    #[test]
    fn only_dotnet_settings_are_read_from_the_environment_and_long_values_say_that_they_are_cut() {
        let long = "x".repeat(300);
        let environment = format!(
            "AWS_SECRET=s\0dotnet_a=1\0COMPlus_GCHeapCount=4\0DOTNET_\0DOTNET_LONG={long}\0XDOTNET_A=1"
        );
        let found = dotnet_settings(environment.as_bytes());
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["COMPlus_GCHeapCount", "DOTNET_LONG"]);
        assert!(found[1].1.ends_with("x… (cut: 300 characters)") && found[1].1.len() < 240, "{found:?}");
        let many: Vec<String> = (0..500).map(|n| format!("DOTNET_{n}=1\0")).collect();
        let many = many.concat();
        assert_eq!(dotnet_settings(many.as_bytes()).len(), MAX_SETTINGS);
    }

    #[test]
    fn units_are_read_from_the_auxiliary_vector() {
        let vector = |words: &[usize]| {
            Units::of_vector(&words.iter().flat_map(|w| w.to_ne_bytes()).collect::<Vec<_>>())
        };
        assert_eq!(vector(&[]), Units::USUAL);
        assert_eq!(
            vector(&[33, 1, 6, 65536, 17, 250, 0, 0]),
            Units { tick_ns: 4_000_000, page_bytes: 65536 }
        );
        assert_eq!(vector(&[6, 0, 17, 0, 6]), Units::USUAL);
    }

    #[test]
    fn this_process_reads_itself() {
        let (proc, pid) = (Proc::live(), std::process::id());
        if !is_live(&proc) {
            return base::ground::skip("host::process", "no /proc");
        }
        let stat = proc.stat(pid).unwrap();
        assert!(stat.threads >= 1 && stat.rss_bytes > 100_000 && stat.start_ticks > 0, "{stat:?}");
        assert_eq!(stat.pid, pid);
        assert!(proc.pids().contains(&pid));
        assert!(proc.namespace_pid(pid).is_some() && proc.user_id(pid).is_some());
        let arguments: Vec<String> = std::env::args().collect();
        assert_eq!(proc.command_line(pid), arguments);
        assert_eq!(proc.environment(pid, "PATH"), std::env::var("PATH").ok());
        assert!(proc.root_path(pid).is_dir());
        assert_eq!(proc.stat(u32::MAX), Err(Error::Gone { pid: u32::MAX }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>(), comm in ".*") {
            let text = String::from_utf8_lossy(&bytes);
            let _fields = parse_stat(&text, Units::USUAL);
            assert_eq!(parse_stat(&format!("7 ({comm}) {TAIL}"), Units::USUAL).unwrap().comm, comm);
            let _numbers = (last_namespace_id(&text), effective_user(&text), Units::of_vector(&bytes));
            let _parts = (split_zeros(&bytes), variable(&bytes, "A"));
        }
    }
}
