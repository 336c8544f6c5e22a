//! Figures of a process and its machine, for a table beside a recording.
//!
//! Each figure has a name with dots and a unit, neither with a comma or a quote. One that cannot be read is left out:
//! there is no zero that means "unknown". Counts and times go on from the start of whatever counts them, so that a
//! reader takes differences.

use crate::cgroup::Cgroup;
use crate::{Proc, files};

/// Entries of `/proc/PID/fd` that are counted at most; beyond that they are not told.
const MOST_OPEN_FILES: usize = 100_000;

const BYTES: &str = "B";
const SECONDS: &str = "s";
const CORES: &str = "cores";
const COUNT: &str = "count";

/// A figure at the moment it was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// What it is, such as `process.rss`.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// What it is counted in: `B`, `s`, `cores`, `count`, `threads`, or `share` of one.
    pub unit: &'static str,
}

/// Reads the figures of a process again and again.
#[derive(Debug, Clone)]
pub struct Readings {
    proc: Proc,
    pid: u32,
    /// Its `/proc/PID/cgroup`, and the group that was found by it: a long list of mounts is read only when it moves.
    group: (String, Option<Cgroup>),
}

impl Readings {
    /// Of a process; nothing is read yet.
    pub fn new(proc: Proc, pid: u32) -> Self {
        Self { proc, pid, group: (String::new(), None) }
    }

    /// The figures of now, always in the same order. Of a process that is gone only those of its machine remain.
    pub fn read(&mut self) -> Vec<Reading> {
        let mut figures = Figures(Vec::new());
        read_machine(&self.proc, &mut figures);
        if let Some(group) = self.group() {
            read_group(group, &mut figures);
        }
        read_process(&self.proc, self.pid, &mut figures);
        read_network(&self.proc, self.pid, &mut figures);
        figures.0
    }

    fn group(&mut self) -> Option<&Cgroup> {
        let text = self.proc.text(self.pid, "cgroup").unwrap_or_default();
        if text != self.group.0 {
            let group = Cgroup::of_memberships(&self.proc, &text);
            self.group = (text, group);
        }
        self.group.1.as_ref()
    }
}

/// The figures that could be read so far.
#[derive(Debug)]
struct Figures(Vec<Reading>);

impl Figures {
    fn add(&mut self, name: &'static str, value: Option<f64>, unit: &'static str) {
        // A damaged file may hold a word that reads as a number and is none, such as "inf".
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
    figures.add_count("cores", machine("stat").and_then(|text| online_cores(&text)), CORES);
    if let Some(memory) = machine("meminfo") {
        let kilobytes = |name: &str| -> Option<u64> {
            files::field(&memory, name)?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
        };
        let swap_used = || kilobytes("SwapTotal:")?.checked_sub(kilobytes("SwapFree:")?);
        figures.add_count("memory.total", kilobytes("MemTotal:"), BYTES);
        figures.add_count("memory.available", kilobytes("MemAvailable:"), BYTES);
        figures.add_count("swap.used", swap_used(), BYTES);
    }
    let load = machine("loadavg").and_then(|text| text.split(' ').next()?.parse().ok());
    figures.add("load.1m", load, "threads");
    figures.add("pressure.cpu.some", machine("pressure/cpu").and_then(|text| some_pressure(&text)), "share");
}

fn read_group(group: &Cgroup, figures: &mut Figures) {
    let (limits, usage) = (group.limits(), group.usage());
    figures.add("limit.cpu", limits.cpu_cores, CORES);
    figures.add_count("limit.cpuset", limits.cpuset_cores.map(u64::from), CORES);
    figures.add_count("limit.memory", limits.memory_bytes, BYTES);
    figures.add_count("cgroup.memory", usage.memory_bytes, BYTES);
    figures.add_count("cgroup.oom_kills", usage.oom_kills, COUNT);
    figures.add_count("periods", usage.periods, COUNT);
    figures.add_count("throttled.periods", usage.throttled_periods, COUNT);
    figures.add_time("throttled.time", usage.throttled_ns);
}

fn read_process(proc: &Proc, pid: u32, figures: &mut Figures) {
    let Ok(stat) = proc.stat(pid) else { return };
    figures.add_count("process.rss", Some(stat.rss_bytes), BYTES);
    figures.add_count("process.threads", Some(u64::from(stat.threads)), COUNT);
    figures.add_time("process.cpu.user", Some(stat.user_ns));
    figures.add_time("process.cpu.system", Some(stat.system_ns));
    figures.add_count("process.open_files", open_files(proc, pid), COUNT);
}

/// The network namespace of the process, which may be that of the whole machine.
fn read_network(proc: &Proc, pid: u32, figures: &mut Figures) {
    let Some(text) = proc.text(pid, "net/snmp") else { return };
    figures.add_count("tcp.retransmits", tcp_figure(&text, "RetransSegs"), COUNT);
    figures.add_count("tcp.established", tcp_figure(&text, "CurrEstab"), COUNT);
}

/// The processors that are on have a line each, `cpu0` and so on, under one for all.
fn online_cores(text: &str) -> Option<u64> {
    let is_core = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let count = text.lines().filter(is_core).count() as u64;
    (count > 0).then_some(count)
}

/// The share of the last ten seconds in which some thread waited for a processor.
fn some_pressure(text: &str) -> Option<f64> {
    let line = files::field(text, "some ")?;
    let percent: f64 = line.split(' ').find_map(|part| part.strip_prefix("avg10="))?.parse().ok()?;
    Some(percent / 100.0)
}

/// Two lines start with `Tcp:`, the first with the names, the second with their values.
fn tcp_figure(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let mut names = lines.next()?.split_ascii_whitespace();
    let mut values = lines.next()?.split_ascii_whitespace();
    values.nth(names.position(|column| column == name)?)?.parse().ok()
}

fn open_files(proc: &Proc, pid: u32) -> Option<u64> {
    let entries = std::fs::read_dir(proc.file(pid, "fd")).ok()?;
    let count = entries.take(MOST_OPEN_FILES).flatten().count();
    (count < MOST_OPEN_FILES).then_some(count as u64)
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
        tree.write("proc/stat", "cpu  1 2 3\ncpu0 1 2 3\ncpu1 1 2 3\ncpufreq 0\nintr 5\n");
        tree.write(
            "proc/meminfo",
            "MemTotal: 1000 kB\nMemAvailable:  400 kB\nSwapTotal: 9 kB\nSwapFree: 4 kB\n",
        );
        tree.write("proc/loadavg", "1.25 3.57 2.67 1/99 8425\n");
        tree.write("proc/pressure/cpu", "some avg10=12.50 avg60=0.00 avg300=0.00 total=5\nfull avg10=1.00\n");
        tree.write("proc/7/stat", "7 (a) S 1 1 1 0 -1 0 0 0 0 0 250 50 0 0 20 0 12 0 8800 0 300");
        tree.write("proc/7/fd/0", "");
        tree.write("proc/7/fd/1", "");
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

    const MACHINE: &str = "cores,2,cores\nmemory.total,1024000,B\nmemory.available,409600,B\nswap.used,5120,B\n\
        load.1m,1.25,threads\npressure.cpu.some,0.125,share\n";
    const PROCESS: &str = "process.rss,1228800,B\nprocess.threads,12,count\nprocess.cpu.user,2.5,s\n\
        process.cpu.system,0.5,s\nprocess.open_files,2,count\ntcp.retransmits,626,count\ntcp.established,5,count\n";

    #[test]
    fn everything_that_can_be_read_has_a_line() {
        let tree = tree();
        let mut readings = Readings::new(tree.proc(), 7);
        let group = "limit.cpu,1.5,cores\nlimit.memory,65536,B\nperiods,4,count\nthrottled.periods,3,count\n\
            throttled.time,2.5,s\n";
        check(&mut readings, &[MACHINE, group, PROCESS].concat());
        // A process that moves to another group has the limits of that.
        tree.write("proc/7/cgroup", "0::/b\n");
        check(&mut readings, &[MACHINE, "limit.memory,4096,B\n", PROCESS].concat());
    }

    #[test]
    fn what_is_not_there_has_no_line() {
        let tree = tree();
        check(&mut Readings::new(tree.proc(), 8), MACHINE);
        check(&mut Readings::new(Tree::new().proc(), 8), "");
        tree.write("proc/loadavg", "inf 1 2");
        tree.write("proc/meminfo", "MemTotal: 99999999999999999999 kB\nSwapTotal: 1 kB\nSwapFree: 2 kB\n");
        tree.write("proc/pressure/cpu", "some avg10=NaN");
        check(&mut Readings::new(tree.proc(), 8), "cores,2,cores\n");
    }

    #[test]
    fn this_process_has_figures() {
        let (proc, pid) = (Proc::live(), std::process::id());
        if !is_live(&proc) {
            return base::ground::skip("host::readings", "no /proc");
        }
        let found = Readings::new(proc, pid).read();
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
            let _read = Readings::new(tree.proc(), 7).read();
            let _figures = (online_cores(&text), some_pressure(&format!("some avg10={text}")));
            let _figure = tcp_figure(&format!("Tcp: {text}\nTcp: {text}"), "a");
        }
    }
}
