//! Figures about a process and its machine, for a table that is part of a recording.
//!
//! Each figure has a dotted name and a unit, both without commas and quotes. A figure that cannot be read is left out:
//! zero never means "unknown". Counts and times are totals since the start of what they describe, so readers take
//! differences.

use crate::cgroup::{Cgroup, listed_cores};
use crate::{Proc, Stat, descriptors, files};

const BYTES: &str = "B";
const SECONDS: &str = "s";
const CORES: &str = "cores";
const COUNT: &str = "count";

/// A figure at the moment it was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// What it is, such as `process.rss`.
    pub name: &'static str,
    /// In its unit.
    pub value: f64,
    /// Its unit: `B`, `s`, `cores`, `count`, `threads`, or `share` (0 to 1).
    pub unit: &'static str,
}

/// Reads the figures of a process repeatedly.
#[derive(Debug, Clone)]
pub struct Readings {
    proc: Proc,
    pid: u32,
    /// When it started. A process with the same PID and another start is not read.
    start_ticks: Option<u64>,
    /// Its `/proc/PID/cgroup` when `group` was found. The long list of mounts is read again only if this changes.
    memberships: String,
    group: Option<Cgroup>,
}

impl Readings {
    /// `start_ticks` is when the process started, as in [`Stat::start_ticks`]. If it is `None`, the process that has this
    /// PID now is read.
    pub fn new(proc: Proc, pid: u32, start_ticks: Option<u64>) -> Self {
        let start_ticks = start_ticks.or_else(|| proc.stat(pid).ok().map(|stat| stat.start_ticks));
        Self { proc, pid, start_ticks, memberships: String::new(), group: None }
    }

    /// The current figures, always in the same order.
    ///
    /// After the process has ended, these are the figures of its machine, and those of its last control group while that
    /// group still exists. They are never those of another process or group.
    pub fn read(&mut self) -> Vec<Reading> {
        let mut figures = Figures(Vec::new());
        read_machine(&self.proc, &mut figures);
        if let Some(group) = self.group() {
            read_group(group, &mut figures);
        }
        if let Some(stat) = self.stat() {
            read_process(&self.proc, &stat, &mut figures);
            read_network(&self.proc, self.pid, &mut figures);
        }
        figures.0
    }

    /// The `stat` of the process while it lives. A zombie does not count, because it may already be in another group.
    fn stat(&self) -> Option<Stat> {
        let stat = self.proc.stat(self.pid).ok()?;
        (Some(stat.start_ticks) == self.start_ticks && !matches!(stat.state, 'Z' | 'X')).then_some(stat)
    }

    fn group(&mut self) -> Option<&Cgroup> {
        let text = self.proc.text(self.pid, "cgroup").unwrap_or_default();
        // Checked after the text was read: if the process lives now, the text was about it.
        if text != self.memberships && self.stat().is_some() {
            self.group = Cgroup::of_memberships(&self.proc, &text);
            self.memberships = text;
        }
        self.group.as_ref().filter(|group| group.is_there())
    }
}

/// The figures that could be read so far.
#[derive(Debug)]
struct Figures(Vec<Reading>);

impl Figures {
    fn add(&mut self, name: &'static str, value: Option<f64>, unit: &'static str) {
        // A damaged file may hold "inf" or "NaN", which parse as numbers.
        self.0.extend(value.filter(|value| value.is_finite()).map(|value| Reading { name, value, unit }));
    }

    fn add_count(&mut self, name: &'static str, value: Option<u64>, unit: &'static str) {
        self.add(name, value.map(|value| value as f64), unit);
    }

    fn add_time(&mut self, name: &'static str, nanos: Option<u64>) {
        self.add(name, nanos.map(|nanos| nanos as f64 / 1e9), SECONDS);
    }
}

fn read_machine(proc: &Proc, figures: &mut Figures) {
    let machine = |name: &str| files::text(&proc.machine_file(name), files::LONG);
    let stat = machine("stat");
    figures.add_count("cores", stat.as_deref().and_then(online_cores), CORES);
    let ticks = stat.as_deref().map(machine_ticks).unwrap_or_default();
    figures.add_time("machine.cpu", ticks.busy.map(|ticks| proc.ticks_as_nanos(ticks)));
    figures.add_time("machine.cpu.steal", ticks.stolen.map(|ticks| proc.ticks_as_nanos(ticks)));
    if let Some(memory) = machine("meminfo") {
        let kilobytes = |name: &str| kilobytes(&memory, name);
        let swap_used = || kilobytes("SwapTotal:")?.checked_sub(kilobytes("SwapFree:")?);
        figures.add_count("memory.total", kilobytes("MemTotal:"), BYTES);
        figures.add_count("memory.available", kilobytes("MemAvailable:"), BYTES);
        figures.add_count("swap.used", swap_used(), BYTES);
    }
    let load = machine("loadavg").and_then(|text| text.split(' ').next()?.parse().ok());
    figures.add("load.1m", load, "threads");
    let pressure = machine("pressure/cpu");
    figures.add("pressure.cpu.some", pressure.as_deref().and_then(some_pressure), "share");
    figures.add_time("pressure.cpu.waited", pressure.as_deref().and_then(files::pressure_total));
    let pressure = machine("pressure/memory");
    figures.add_time("pressure.memory.waited", pressure.as_deref().and_then(files::pressure_total));
}

fn read_group(group: &Cgroup, figures: &mut Figures) {
    let (limits, usage) = (group.limits(), group.usage());
    figures.add("limit.cpu", limits.cpu_cores, CORES);
    figures.add_count("limit.cpuset", limits.cpuset_cores.map(u64::from), CORES);
    figures.add_count("limit.memory", limits.memory_bytes, BYTES);
    figures.add_count("limit.memory.high", limits.memory_high_bytes, BYTES);
    figures.add_count("cgroup.memory", usage.memory_bytes, BYTES);
    figures.add_count("cgroup.memory.anon", usage.memory_anon_bytes, BYTES);
    figures.add_count("cgroup.memory.inactive_file", usage.memory_inactive_file_bytes, BYTES);
    figures.add_count("cgroup.memory.at_max", usage.memory_max_events, COUNT);
    figures.add_count("cgroup.memory.above_high", usage.memory_high_events, COUNT);
    figures.add_count("cgroup.oom_kills", usage.oom_kills, COUNT);
    figures.add_time("cgroup.cpu", usage.cpu_ns);
    figures.add_time("cgroup.cpu.waited", usage.cpu_waited_ns);
    figures.add_time("cgroup.memory.waited", usage.memory_waited_ns);
    figures.add_count("periods", usage.periods, COUNT);
    figures.add_count("throttled.periods", usage.throttled_periods, COUNT);
    figures.add_time("throttled.time", usage.throttled_ns);
}

fn read_process(proc: &Proc, stat: &Stat, figures: &mut Figures) {
    let pid = stat.pid;
    // 0 means that the process is ending and has released its memory.
    figures.add_count("process.rss", (stat.rss_bytes > 0).then_some(stat.rss_bytes), BYTES);
    let status = proc.text(pid, "status").unwrap_or_default();
    let kilobytes = |name: &str| kilobytes(&status, name);
    figures.add_count("process.rss.anon", kilobytes("RssAnon:"), BYTES);
    figures.add_count("process.rss.file", kilobytes("RssFile:"), BYTES);
    figures.add_count("process.rss.shared", kilobytes("RssShmem:"), BYTES);
    figures.add_count("process.swap", kilobytes("VmSwap:"), BYTES);
    figures.add_count("process.threads", Some(u64::from(stat.threads)), COUNT);
    figures.add_time("process.cpu.user", Some(stat.user_ns));
    figures.add_time("process.cpu.system", Some(stat.system_ns));
    let affinity = files::field(&status, "Cpus_allowed_list:").and_then(listed_cores);
    figures.add_count("limit.affinity", affinity.map(u64::from), CORES);
    let open = descriptors::of(proc, pid);
    let kinds = open.and_then(|open| open.kinds);
    figures.add_count("process.open_files", open.map(|open| open.all), COUNT);
    figures.add_count("process.open_files.file", kinds.map(|of| of.files), COUNT);
    figures.add_count("process.open_files.socket", kinds.map(|of| of.sockets), COUNT);
    figures.add_count("process.open_files.other", kinds.map(|of| of.others), COUNT);
    figures.add_count("limit.open_files", descriptors::limit(proc, pid), COUNT);
}

/// The total memory of the machine.
pub fn memory_bytes() -> Option<u64> {
    kilobytes(&files::text(&Proc::live().machine_file("meminfo"), files::LONG)?, "MemTotal:")
}

/// The number of bytes in a line such as `VmSwap:  400 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    files::field(text, name)?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Figures of the process's network namespace, which may be that of the whole machine.
fn read_network(proc: &Proc, pid: u32, figures: &mut Figures) {
    let Some(text) = proc.text(pid, "net/snmp") else { return };
    figures.add_count("tcp.retransmits", tcp_figure(&text, "RetransSegs"), COUNT);
    figures.add_count("tcp.established", tcp_figure(&text, "CurrEstab"), COUNT);
}

/// Counts the lines `cpu0`, `cpu1`, …: one per core that is online.
fn online_cores(text: &str) -> Option<u64> {
    let is_core = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let count = text.lines().filter(is_core).count() as u64;
    (count > 0).then_some(count)
}

/// Ticks of all CPU cores since the machine started.
#[derive(Debug, Clone, Copy, Default)]
struct MachineTicks {
    busy: Option<u64>,
    /// Taken by the host of a virtual machine.
    stolen: Option<u64>,
}

fn machine_ticks(text: &str) -> MachineTicks {
    /// Places of user, nice, system, irq and softirq; time of guests is part of user.
    const BUSY: [usize; 5] = [0, 1, 2, 5, 6];
    const STEAL: usize = 7;
    let Some(line) = files::field(text, "cpu ") else { return MachineTicks::default() };
    let ticks: Vec<Option<u64>> = line.split_ascii_whitespace().map(|ticks| ticks.parse().ok()).collect();
    let at = |place: usize| ticks.get(place).copied().flatten();
    let busy = BUSY.into_iter().try_fold(0u64, |sum, place| sum.checked_add(at(place)?));
    MachineTicks { busy, stolen: at(STEAL) }
}

/// The share of the last 10 seconds in which at least one thread waited for a CPU core.
fn some_pressure(text: &str) -> Option<f64> {
    let line = files::field(text, "some ")?;
    let percent: f64 = line.split(' ').find_map(|part| part.strip_prefix("avg10="))?.parse().ok()?;
    Some(percent / 100.0)
}

/// A value by its name: of the two lines that start with `Tcp:`, the first has the names and the second the values.
fn tcp_figure(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let mut names = lines.next()?.split_ascii_whitespace();
    let mut values = lines.next()?.split_ascii_whitespace();
    values.nth(names.position(|column| column == name)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::is_live;
    use crate::tree::Tree;
    use proptest::prelude::{any, proptest};
    use std::fmt::Write;

    fn check(readings: &mut Readings, expected: &str) {
        let mut found = String::new();
        for Reading { name, value, unit } in readings.read() {
            writeln!(found, "{name},{value},{unit}").unwrap();
        }
        assert_eq!(found, expected);
    }

    fn tree() -> Tree {
        let tree = Tree::new();
        tree.write("proc/stat", "cpu  100 20 30 9 9 1 2 50 8 8\ncpu0 1 2 3\ncpu1 1 2 3\ncpufreq 0\nintr 5\n");
        tree.write(
            "proc/meminfo",
            "MemTotal: 1000 kB\nMemAvailable:  400 kB\nSwapTotal: 9 kB\nSwapFree: 4 kB\n",
        );
        tree.write("proc/loadavg", "1.25 3.57 2.67 1/99 8425\n");
        tree.write("proc/pressure/cpu", "some avg10=12.50 avg60=0.00 avg300=0.00 total=5\nfull avg10=1.00\n");
        tree.write("proc/7/stat", "7 (a) S 1 1 1 0 -1 0 0 0 0 0 250 50 0 0 20 0 12 0 8800 0 300");
        tree.write("proc/7/fd/0", "");
        std::os::unix::fs::symlink("socket:[1]", tree.path("proc/7/fd/1")).unwrap();
        tree.write("proc/7/status", "Name: a\nRssAnon:  800 kB\nRssFile:\t400 kB\nCpus_allowed_list:\t0-1\n");
        tree.write("proc/7/limits", "Max open files  1024  4096  files\n");
        tree.write("proc/7/net/snmp", "Ip: A\nIp: 1\nTcp: A CurrEstab RetransSegs\nTcp: -1 5 626\n");
        tree.write("proc/7/cgroup", "0::/a\n");
        let mount = tree.path("cg").display().to_string();
        tree.write("proc/self/mountinfo", format!("1 2 0:3 / {mount} rw - cgroup2 cgroup2 rw\n"));
        tree.write("cg/a/cpu.max", "150000 100000\n");
        tree.write("cg/a/memory.max", "65536\n");
        tree.write("cg/a/cpu.stat", "nr_periods 4\nnr_throttled 3\nthrottled_usec 2500000\n");
        tree.write("cg/b/memory.max", "4096\n");
        tree
    }

    const MACHINE: &str = "cores,2,cores\nmachine.cpu,1.53,s\nmachine.cpu.steal,0.5,s\nmemory.total,1024000,B\nmemory.available,409600,B\nswap.used,5120,B\n\
        load.1m,1.25,threads\npressure.cpu.some,0.125,share\npressure.cpu.waited,0.000005,s\n";
    const PROCESS: &str = "process.rss,1228800,B\nprocess.rss.anon,819200,B\nprocess.rss.file,409600,B\nprocess.threads,12,count\nprocess.cpu.user,2.5,s\n\
        process.cpu.system,0.5,s\nlimit.affinity,2,cores\nprocess.open_files,2,count\nprocess.open_files.file,0,count\n\
        process.open_files.socket,1,count\nprocess.open_files.other,0,count\nlimit.open_files,1024,count\ntcp.retransmits,626,count\ntcp.established,5,count\n";

    #[test]
    fn everything_that_can_be_read_has_a_line() {
        let tree = tree();
        let mut readings = Readings::new(tree.proc(), 7, None);
        let group = "limit.cpu,1.5,cores\nlimit.memory,65536,B\nperiods,4,count\nthrottled.periods,3,count\n\
            throttled.time,2.5,s\n";
        check(&mut readings, &[MACHINE, group, PROCESS].concat());
        // A process that moves to another group has the limits of its new group.
        tree.write("proc/7/cgroup", "0::/b\n");
        check(&mut readings, &[MACHINE, "limit.memory,4096,B\n", PROCESS].concat());
    }

    #[test]
    fn after_the_end_of_the_process_no_line_is_of_another_group_or_process() {
        let tree = tree();
        let mut readings = Readings::new(tree.proc(), 7, None);
        let group = "limit.cpu,1.5,cores\nlimit.memory,65536,B\nperiods,4,count\nthrottled.periods,3,count\n\
            throttled.time,2.5,s\n";
        check(&mut readings, &[MACHINE, group, PROCESS].concat());
        // A zombie, which the kernel already shows in another group.
        tree.write("proc/7/stat", "7 (a) Z 1 1 1 0 -1 0 0 0 0 0 250 50 0 0 20 0 1 0 8800 0 0");
        tree.write("proc/7/cgroup", "0::/b\n");
        check(&mut readings, &[MACHINE, group].concat());
        // Another process has its PID.
        tree.write("proc/7/stat", "7 (b) S 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 9900 0 5");
        check(&mut readings, &[MACHINE, group].concat());
        std::fs::remove_dir_all(tree.path("proc/7")).unwrap();
        check(&mut readings, &[MACHINE, group].concat());
        // The group is removed, and a new one takes its name.
        std::fs::rename(tree.path("cg/a"), tree.path("cg/gone")).unwrap();
        check(&mut readings, MACHINE);
        tree.write("cg/a/memory.max", "77\n");
        check(&mut readings, MACHINE);
    }

    #[test]
    fn what_cannot_be_read_has_no_line() {
        let tree = tree();
        check(&mut Readings::new(tree.proc(), 8, None), MACHINE);
        check(&mut Readings::new(Tree::new().proc(), 8, None), "");
        tree.write("proc/loadavg", "inf 1 2");
        tree.write("proc/meminfo", "MemTotal: 99999999999999999999 kB\nSwapTotal: 1 kB\nSwapFree: 2 kB\n");
        tree.write("proc/pressure/cpu", "some avg10=NaN");
        check(
            &mut Readings::new(tree.proc(), 8, None),
            "cores,2,cores\nmachine.cpu,1.53,s\nmachine.cpu.steal,0.5,s\n",
        );
    }

    #[test]
    fn this_process_has_figures() {
        let (proc, pid) = (Proc::live(), std::process::id());
        if !is_live(&proc) {
            return base::ground::skip("host::readings", "no /proc");
        }
        let found = Readings::new(proc, pid, None).read();
        for name in
            ["cores", "memory.total", "load.1m", "process.rss", "process.threads", "process.open_files"]
        {
            assert!(found.iter().any(|reading| reading.name == name), "{name} is not in {found:?}");
        }
        let is_plain = |text: &str| !text.contains([',', '"', '\n']);
        assert!(found.iter().all(|one| is_plain(one.name) && is_plain(one.unit) && one.value.is_finite()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(content in any::<Vec<u8>>(), text in ".*") {
            let tree = Tree::new();
            for name in ["stat", "meminfo", "loadavg", "pressure/cpu", "7/stat", "7/net/snmp", "7/cgroup", "self/auxv"] {
                tree.write(&format!("proc/{name}"), &content);
            }
            let _read = Readings::new(tree.proc(), 7, None).read();
            let _ticks = machine_ticks(&format!("cpu {text}"));
            let _total = files::pressure_total(&format!("some total={text}"));
            let _figures = (online_cores(&text), some_pressure(&format!("some avg10={text}")));
            let _figure = tcp_figure(&format!("Tcp: {text}\nTcp: {text}"), "a");
        }
    }
}
