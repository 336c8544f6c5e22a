//! The control group of a process: what it may use, and what it has used.
//!
//! Three arrangements are known. With version 1 each controller has a hierarchy of its own, with version 2 all share
//! one, and a hybrid has controllers in both: each is looked up where it is. A limit holds for all groups below the one
//! it is set in, so the smallest of the visible ancestors counts. What lies above our own view (in a container) cannot
//! be read; only for the memory of version 1 does the kernel tell the smallest of all.
//!
//! It sets no limit, and it does not judge one: a limit above what the machine has is told as it is.

use crate::mounts::{Membership, Mount, memberships, mounts};
use crate::{Proc, files};
use std::cmp::Reverse;
use std::fmt;
use std::path::{Path, PathBuf};

/// What version 1 says where there is no limit is the largest number of whole pages, which depends on their size; no
/// machine has even half of it.
const NO_MEMORY_LIMIT: u64 = 1 << 62;
const NANOS_PER_MICRO: u64 = 1000;

/// The control group that a process was in, as far as we can see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    version: Version,
    cpu: Option<Group>,
    cpuacct: Option<Group>,
    cpuset: Option<Group>,
    memory: Option<Group>,
}

/// How the machine arranges control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy for each controller.
    V1,
    /// Hierarchies of version 1, and one of version 2 beside them.
    Hybrid,
    /// One hierarchy.
    V2,
}

/// What the processes of a group may use. A limit that is not set is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// How the machine arranges control groups.
    pub version: Version,
    /// Processor time in each period, in processors; the smallest of the group and its ancestors.
    pub cpu_cores: Option<f64>,
    /// How many processors they may run on; all of them where nothing is set.
    pub cpuset_cores: Option<u32>,
    /// Memory; the smallest of the group and its ancestors.
    pub memory_bytes: Option<u64>,
    /// Memory above which they are slowed down (version 2 only); the smallest of the group and its ancestors.
    pub memory_high_bytes: Option<u64>,
}

/// What the processes of a group have used. Counts go on from when the group was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Memory of now, the file cache included.
    pub memory_bytes: Option<u64>,
    /// The part of it that is no copy of a file: the kernel cannot drop it.
    pub memory_anon_bytes: Option<u64>,
    /// The part of it that is file cache not in use: the kernel drops it first.
    pub memory_inactive_file_bytes: Option<u64>,
    /// Periods in which they ran at all while there was a limit. This and the two below are of the group with the
    /// smallest processor limit, which may be an ancestor.
    pub periods: Option<u64>,
    /// Periods in which they used up the limit and were stopped.
    pub throttled_periods: Option<u64>,
    /// How long they were stopped, summed over the processors.
    pub throttled_ns: Option<u64>,
    /// Processor time.
    pub cpu_ns: Option<u64>,
    /// Processes that the kernel killed for want of memory.
    pub oom_kills: Option<u64>,
    /// How often they went over the soft limit and were slowed down (version 2 only).
    pub memory_high_events: Option<u64>,
    /// How often they ran into the memory limit.
    pub memory_max_events: Option<u64>,
    /// How long some of them waited for a CPU core, throttling included (version 2 only).
    pub cpu_waited_ns: Option<u64>,
    /// How long some of them waited for memory (version 2 only).
    pub memory_waited_ns: Option<u64>,
}

/// A group in a hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    is_v2: bool,
    /// Its folder.
    own: PathBuf,
    /// Those of its ancestors, from the inside out, as far as the mount shows them.
    ancestors: Vec<PathBuf>,
    /// Device and number of its folder: a later group of the same name has another one.
    identity: Option<(u64, u64)>,
}

impl Cgroup {
    /// Finds the group of a process. None where there are no control groups, and where we cannot see its group: that of
    /// a process in another container.
    pub fn of(proc: &Proc, pid: u32) -> Option<Self> {
        Self::of_memberships(proc, &proc.text(pid, "cgroup")?)
    }

    /// As [`Cgroup::of`], from a `/proc/PID/cgroup` that was read already.
    pub(crate) fn of_memberships(proc: &Proc, text: &str) -> Option<Self> {
        let memberships: Vec<Membership<'_>> = memberships(text).collect();
        let mounts = mounts(&files::text(&proc.machine_file("self/mountinfo"), files::LONG)?);
        let group = |controller| Group::of(controller, &memberships, &mounts);
        let found = Self {
            version: Version::of(&memberships, &mounts),
            cpu: group("cpu"),
            cpuacct: group("cpuacct"),
            cpuset: group("cpuset"),
            memory: group("memory"),
        };
        let groups = [&found.cpu, &found.cpuacct, &found.cpuset, &found.memory];
        groups.iter().any(|group| group.is_some()).then_some(found)
    }

    /// Whether its folders are still those that were found: after the end of its processes a group may be removed, and
    /// another take its name.
    pub fn is_there(&self) -> bool {
        let groups = [&self.cpu, &self.cpuacct, &self.cpuset, &self.memory];
        groups
            .into_iter()
            .flatten()
            .all(|group| group.identity.is_some() && group.identity == identity(&group.own))
    }

    /// How the machine arranges control groups.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Reads what the group may use.
    pub fn limits(&self) -> Limits {
        Limits {
            version: self.version,
            cpu_cores: self.cpu.as_ref().and_then(Group::narrowest_cpu).map(|(cores, _level)| cores),
            cpuset_cores: self.cpuset.as_ref().and_then(Group::cpuset_cores),
            memory_bytes: self.memory.as_ref().and_then(Group::memory_limit),
            memory_high_bytes: self.memory.as_ref().and_then(Group::memory_high),
        }
    }

    /// Reads what the group has used.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage { cpu_ns: self.cpuacct.as_ref().and_then(Group::cpu_ns), ..Usage::default() };
        if let Some(cpu) = &self.cpu {
            cpu.read_throttling(&mut usage);
        }
        if let Some(memory) = &self.memory {
            memory.read_memory(&mut usage);
        }
        usage
    }
}

impl Version {
    fn of(memberships: &[Membership<'_>], mounts: &[Mount]) -> Self {
        let has_v1 = memberships.iter().any(Membership::controls);
        let has_v2 = mounts.iter().any(|mount| mount.is_v2);
        match (has_v1, has_v2) {
            (true, true) => Self::Hybrid,
            (true, false) => Self::V1,
            (false, _) => Self::V2,
        }
    }

    /// `v1`, `hybrid` or `v2`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::Hybrid => "hybrid",
            Self::V2 => "v2",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Group {
    /// The group that a controller is looked for in: of version 1 if the controller has a hierarchy there, else of
    /// version 2, whose files then tell whether it has any say.
    fn of(controller: &str, memberships: &[Membership<'_>], mounts: &[Mount]) -> Option<Self> {
        let v1 = memberships.iter().find(|membership| membership.has(controller));
        let v2 = || memberships.iter().find(|membership| membership.controllers.is_empty());
        let path = v1.or_else(v2)?.path;
        let is_its = |mount: &&Mount| if v1.is_some() { mount.has(controller) } else { mount.is_v2 };
        // A hierarchy may be mounted more than once; the mount that shows the most ancestors knows the most limits.
        let shown = mounts.iter().filter(is_its).map(|mount| mount.levels(path));
        let mut levels = shown.min_by_key(|levels| Reverse(levels.len()))?.into_iter();
        let own = levels.next()?;
        let identity = identity(&own);
        Some(Self { is_v2: v1.is_none(), own, ancestors: levels.collect(), identity })
    }

    fn levels(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.own).chain(&self.ancestors).map(PathBuf::as_path)
    }

    /// The smallest processor limit and the folder it is set in; of equal ones the innermost.
    fn narrowest_cpu(&self) -> Option<(f64, &Path)> {
        let limit = |level: &Path| if self.is_v2 { cpu_max(level) } else { cfs_quota(level) };
        let set = self.levels().filter_map(|level| Some((limit(level)?, level)));
        set.min_by(|(left, _), (right, _)| left.total_cmp(right))
    }

    /// The kernel narrows the set to that of the ancestors. Where version 2 has not handed the controller down, the
    /// nearest ancestor's set holds.
    fn cpuset_cores(&self) -> Option<u32> {
        let names: &[&str] =
            if self.is_v2 { &["cpuset.cpus.effective"] } else { &["cpuset.effective_cpus", "cpuset.cpus"] };
        let cores =
            |level: &Path| names.iter().find_map(|name| listed_cores(&files::word(&level.join(name))?));
        self.levels().find_map(cores)
    }

    fn memory_limit(&self) -> Option<u64> {
        let name = if self.is_v2 { "memory.max" } else { "memory.limit_in_bytes" };
        // A group of version 1 whose limits do not go down to those below it (use_hierarchy) says so here.
        let told = || stat_count(&self.own, "memory.stat", "hierarchical_memory_limit");
        let told = if self.is_v2 { None } else { told() };
        let levels = if told.is_some() { 1 } else { usize::MAX };
        let set = self.levels().take(levels).filter_map(|level| files::number(&level.join(name)));
        set.chain(told).filter(|bytes| *bytes < NO_MEMORY_LIMIT).min()
    }

    fn memory_high(&self) -> Option<u64> {
        let set = self.levels().filter_map(|level| files::number(&level.join("memory.high")));
        set.filter(|_| self.is_v2).min()
    }

    /// How long some process of the group waited for a resource, by its `….pressure`.
    fn waited_ns(&self, file: &str) -> Option<u64> {
        let text = files::text(&self.own.join(file), files::USUAL).filter(|_| self.is_v2)?;
        files::pressure_total(&text)
    }

    fn cpu_ns(&self) -> Option<u64> {
        if !self.is_v2 {
            return files::number(&self.own.join("cpuacct.usage"));
        }
        micros_as_nanos(&files::text(&self.own.join("cpu.stat"), files::USUAL)?, "usage_usec")
    }

    fn read_throttling(&self, usage: &mut Usage) {
        usage.cpu_waited_ns = self.waited_ns("cpu.pressure");
        let level = self.narrowest_cpu().map_or(self.own.as_path(), |(_cores, level)| level);
        let Some(stat) = files::text(&level.join("cpu.stat"), files::USUAL) else { return };
        usage.periods = files::count(&stat, "nr_periods");
        usage.throttled_periods = files::count(&stat, "nr_throttled");
        let nanos = || files::count(&stat, "throttled_time");
        usage.throttled_ns = if self.is_v2 { micros_as_nanos(&stat, "throttled_usec") } else { nanos() };
    }

    fn read_memory(&self, usage: &mut Usage) {
        let stat = files::text(&self.own.join("memory.stat"), files::USUAL).unwrap_or_default();
        let part = |v1: &str, v2: &str| files::count(&stat, if self.is_v2 { v2 } else { v1 });
        usage.memory_anon_bytes = part("total_rss", "anon");
        usage.memory_inactive_file_bytes = part("total_inactive_file", "inactive_file");
        if !self.is_v2 {
            usage.memory_bytes = files::number(&self.own.join("memory.usage_in_bytes"));
            usage.oom_kills = stat_count(&self.own, "memory.oom_control", "oom_kill");
            usage.memory_max_events = files::number(&self.own.join("memory.failcnt"));
            return;
        }
        usage.memory_bytes = files::number(&self.own.join("memory.current"));
        usage.memory_waited_ns = self.waited_ns("memory.pressure");
        let Some(events) = files::text(&self.own.join("memory.events"), files::USUAL) else { return };
        usage.oom_kills = files::count(&events, "oom_kill");
        usage.memory_high_events = files::count(&events, "high");
        usage.memory_max_events = files::count(&events, "max");
    }
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Version 1: the quota is below zero where there is none.
fn cfs_quota(level: &Path) -> Option<f64> {
    cores(files::number(&level.join("cpu.cfs_quota_us"))?, files::number(&level.join("cpu.cfs_period_us"))?)
}

/// Version 2: quota and period in one file, the quota being `max` where there is none.
fn cpu_max(level: &Path) -> Option<f64> {
    let text = files::word(&level.join("cpu.max"))?;
    let (quota, period) = text.split_once(' ')?;
    cores(quota.parse().ok()?, period.parse().ok()?)
}

fn cores(quota: u64, period: u64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// Counts a list such as `0-3,8`; none where it is empty or not such a list.
pub(crate) fn listed_cores(list: &str) -> Option<u32> {
    list.split(',').try_fold(0u32, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

fn micros_as_nanos(stat: &str, name: &str) -> Option<u64> {
    files::count(stat, name)?.checked_mul(NANOS_PER_MICRO)
}

fn stat_count(level: &Path, file: &str, name: &str) -> Option<u64> {
    files::count(&files::text(&level.join(file), files::USUAL)?, name)
}

#[cfg(test)]
mod tests;
