//! The control group of a process: what it may use, and what it has used.
//!
//! In version 1 each controller has its own hierarchy, in version 2 all controllers share one, and a hybrid has
//! controllers in both. Each controller is looked up in the hierarchy that has it. A limit applies to the group that it
//! is set on and to all groups below, so the effective limit is the smallest of the group and its visible ancestors. In
//! a container, ancestors above our view cannot be read; only for the memory of version 1 does the kernel itself report
//! the smallest limit.
//!
//! It sets no limits and does not judge them: a limit above what the machine has is returned as it is.

use crate::files::FileId;
use crate::mounts::{Membership, Mount, memberships, mounts};
use crate::{Proc, files};
use std::cmp::Reverse;
use std::fmt;
use std::path::{Path, PathBuf};

/// A memory limit of at least this many bytes means "no limit". Version 1 reports that as the largest number of whole
/// pages, which depends on the page size; no machine has even half as much memory.
const NO_MEMORY_LIMIT: u64 = 1 << 62;
const NANOS_PER_MICRO: u64 = 1000;

/// The control group of a process, as far as we can see it.
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
    /// One hierarchy per controller.
    V1,
    /// Hierarchies of version 1, and one of version 2.
    Hybrid,
    /// One hierarchy for all controllers.
    V2,
}

/// What the processes of a group may use. A limit that is not set is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// How the machine arranges control groups.
    pub version: Version,
    /// CPU time per period, in CPU cores; the smallest limit of the group and its ancestors.
    pub cpu_cores: Option<f64>,
    /// How many CPU cores they may run on; all cores of the machine if the group has no restriction.
    pub cpuset_cores: Option<u32>,
    /// Memory; the smallest limit of the group and its ancestors.
    pub memory_bytes: Option<u64>,
    /// Memory above which the kernel slows them down (version 2 only); the smallest limit of the group and its ancestors.
    pub memory_high_bytes: Option<u64>,
}

/// What the processes of a group have used. Counts and times add up from the creation of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Memory in use now, including the file cache.
    pub memory_bytes: Option<u64>,
    /// The part of it that is not a copy of a file, so the kernel cannot drop it.
    pub memory_anon_bytes: Option<u64>,
    /// The part of it that is inactive file cache, which the kernel drops first.
    pub memory_inactive_file_bytes: Option<u64>,
    /// Periods with a CPU limit in which any of them ran. This and the two fields below are counted for the group with
    /// the smallest CPU limit, which may be an ancestor.
    pub periods: Option<u64>,
    /// Periods in which they used up the limit and were paused.
    pub throttled_periods: Option<u64>,
    /// How long they were paused, summed over the CPU cores.
    pub throttled_ns: Option<u64>,
    /// CPU time.
    pub cpu_ns: Option<u64>,
    /// Processes that the kernel killed because memory ran out.
    pub oom_kills: Option<u64>,
    /// How often they exceeded the soft memory limit and were slowed down (version 2 only).
    pub memory_high_events: Option<u64>,
    /// How often they reached the memory limit.
    pub memory_max_events: Option<u64>,
    /// How long at least one of them waited for a CPU core, including throttling (version 2 only).
    pub cpu_waited_ns: Option<u64>,
    /// How long at least one of them waited for memory (version 2 only).
    pub memory_waited_ns: Option<u64>,
}

/// A group in a hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    is_v2: bool,
    /// Its folder.
    own: PathBuf,
    /// The folders of its ancestors, nearest first, as far as the mount shows them.
    ancestors: Vec<PathBuf>,
    /// Distinguishes its folder from that of a later group with the same name.
    identity: Option<FileId>,
}

/// A CPU limit, and the folder of the group that it is set on.
struct CpuLimit<'a> {
    cores: f64,
    level: &'a Path,
}

impl Cgroup {
    /// Finds the group of a process. `None` if the system has no control groups, or if we cannot see the group, such as
    /// that of a process in another container.
    pub fn of(proc: &Proc, pid: u32) -> Option<Self> {
        Self::of_memberships(proc, &proc.text(pid, "cgroup")?)
    }

    /// As [`Cgroup::of`], from the text of a `/proc/PID/cgroup`.
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
        let is_visible = found.groups().next().is_some();
        is_visible.then_some(found)
    }

    fn groups(&self) -> impl Iterator<Item = &Group> {
        [&self.cpu, &self.cpuacct, &self.cpuset, &self.memory].into_iter().flatten()
    }

    /// Whether this group still exists. After its processes have ended it may be removed, and a new group may take its
    /// name.
    pub fn is_there(&self) -> bool {
        self.groups().all(|group| group.identity.is_some() && group.identity == files::id(&group.own))
    }

    /// How the machine arranges control groups.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Reads what the group may use.
    pub fn limits(&self) -> Limits {
        Limits {
            version: self.version,
            cpu_cores: self.cpu.as_ref().and_then(Group::smallest_cpu_limit).map(|limit| limit.cores),
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
    /// The group that a controller applies to. A controller without a hierarchy in version 1 is looked for in version 2,
    /// where missing files show that it does not apply.
    fn of(controller: &str, memberships: &[Membership<'_>], mounts: &[Mount]) -> Option<Self> {
        let v1 = memberships.iter().find(|membership| membership.has(controller));
        let v2 = || memberships.iter().find(|membership| membership.controllers.is_empty());
        let path = v1.or_else(v2)?.path;
        let shows_it = |mount: &&Mount| if v1.is_some() { mount.has(controller) } else { mount.is_v2 };
        // A hierarchy may be mounted more than once. The mount that shows the most ancestors shows the most limits.
        let shown = mounts.iter().filter(shows_it).map(|mount| mount.levels(path));
        let mut levels = shown.min_by_key(|levels| Reverse(levels.len()))?.into_iter();
        let own = levels.next()?;
        let identity = files::id(&own);
        Some(Self { is_v2: v1.is_none(), own, ancestors: levels.collect(), identity })
    }

    fn levels(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.own).chain(&self.ancestors).map(PathBuf::as_path)
    }

    /// The smallest CPU limit of the group and its ancestors; of equal ones, the innermost.
    fn smallest_cpu_limit(&self) -> Option<CpuLimit<'_>> {
        let cores = |level: &Path| if self.is_v2 { cpu_max(level) } else { cfs_quota(level) };
        let limits = self.levels().filter_map(|level| Some(CpuLimit { cores: cores(level)?, level }));
        limits.min_by(|one, other| one.cores.total_cmp(&other.cores))
    }

    /// The kernel already restricts the set to that of the ancestors. A group of version 2 without the controller has no
    /// file, and the set of its nearest ancestor with one applies.
    fn cpuset_cores(&self) -> Option<u32> {
        let names: &[&str] =
            if self.is_v2 { &["cpuset.cpus.effective"] } else { &["cpuset.effective_cpus", "cpuset.cpus"] };
        let cores =
            |level: &Path| names.iter().find_map(|name| listed_cores(&files::word(&level.join(name))?));
        self.levels().find_map(cores)
    }

    fn memory_limit(&self) -> Option<u64> {
        let name = if self.is_v2 { "memory.max" } else { "memory.limit_in_bytes" };
        let limit = |level: &Path| files::number(&level.join(name));
        // In version 1 the kernel reports the smallest limit itself, and the files of the ancestors are not needed. It knows
        // the ancestors above our view, and leaves out those whose limits do not apply to this group (`use_hierarchy`).
        let hierarchical =
            if self.is_v2 { None } else { stat_count(&self.own, "memory.stat", "hierarchical_memory_limit") };
        let smallest = match hierarchical {
            Some(bytes) => Some(limit(&self.own).map_or(bytes, |own| own.min(bytes))),
            None => self.levels().filter_map(limit).min(),
        };
        smallest.filter(|bytes| *bytes < NO_MEMORY_LIMIT)
    }

    fn memory_high(&self) -> Option<u64> {
        let set = self.levels().filter_map(|level| files::number(&level.join("memory.high")));
        set.filter(|_| self.is_v2).min()
    }

    /// How long at least one process of the group waited for a resource, from its `….pressure` file.
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
        let level = self.smallest_cpu_limit().map_or(self.own.as_path(), |limit| limit.level);
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

/// Version 1: a negative quota means no limit.
fn cfs_quota(level: &Path) -> Option<f64> {
    cores(files::number(&level.join("cpu.cfs_quota_us"))?, files::number(&level.join("cpu.cfs_period_us"))?)
}

/// Version 2: quota and period are in one file; the quota `max` means no limit.
fn cpu_max(level: &Path) -> Option<f64> {
    let text = files::word(&level.join("cpu.max"))?;
    let (quota, period) = text.split_once(' ')?;
    cores(quota.parse().ok()?, period.parse().ok()?)
}

fn cores(quota: u64, period: u64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// The number of CPU cores in a list such as `0-3,8`. `None` if the text is not such a list.
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
