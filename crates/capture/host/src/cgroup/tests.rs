//! Recorded trees of each version, and this machine.

use super::*;
use crate::process::is_live;
use crate::tree::Tree;
use proptest::prelude::{any, proptest};

const UNLIMITED: &str = "9223372036854771712\n";

/// A tree in which process 7 is in these groups, with these mounts: type, options, root, folder of the tree.
fn tree(cgroup: &str, mounts: &[(&str, &str, &str, &str)], files: &[(&str, &str)]) -> Tree {
    let tree = Tree::new();
    let mount = |(kind, options, root, point): &(&str, &str, &str, &str)| {
        let point = tree.path(point).display().to_string();
        format!("31 23 0:28 {root} {point} rw,relatime shared:1 - {kind} cgroup rw,{options}\n")
    };
    let lines: String = mounts.iter().map(mount).collect();
    tree.write("proc/7/cgroup", cgroup);
    tree.write("proc/self/mountinfo", format!("22 27 0:21 / /proc rw - proc proc rw\n{lines}"));
    for (name, content) in files {
        tree.write(name, content);
    }
    tree
}

fn check(tree: &Tree, version: &str, limits: (Option<f64>, Option<u32>, Option<u64>), usage: &Usage) {
    let group = Cgroup::of(&tree.proc(), 7).unwrap();
    let found = group.limits();
    assert_eq!(
        (found.version.name(), found.cpu_cores, found.cpuset_cores, found.memory_bytes),
        (version, limits.0, limits.1, limits.2)
    );
    assert_eq!(&group.usage(), usage);
}

#[test]
fn version_1_has_a_hierarchy_for_each_controller() {
    let mounts = [
        ("cgroup", "cpu,cpuacct", "/", "cg/cpu"),
        ("cgroup", "cpuset", "/", "cg/cpuset"),
        ("cgroup", "memory", "/", "cg/memory"),
        ("cgroup", "xattr,name=systemd", "/", "cg/systemd"),
    ];
    let files = [
        ("cg/cpu/a/b/cpu.cfs_quota_us", "400000\n"),
        ("cg/cpu/a/b/cpu.cfs_period_us", "100000\n"),
        ("cg/cpu/a/b/cpu.stat", "nr_periods 1\nnr_throttled 0\nthrottled_time 0\n"),
        ("cg/cpu/a/b/cpuacct.usage", "123456789\n"),
        ("cg/cpu/a/cpu.cfs_quota_us", "150000\n"),
        ("cg/cpu/a/cpu.cfs_period_us", "100000\n"),
        ("cg/cpu/a/cpu.stat", "nr_periods 900\nnr_throttled 30\nthrottled_time 5000\n"),
        ("cg/cpu/cpu.cfs_quota_us", "-1\n"),
        ("cg/cpu/cpu.cfs_period_us", "100000\n"),
        ("cg/cpuset/cpuset.cpus", "0-3,8\n"),
        ("cg/cpuset/cpuset.effective_cpus", "0-2,8\n"),
        ("cg/memory/a/b/memory.limit_in_bytes", UNLIMITED),
        ("cg/memory/a/b/memory.usage_in_bytes", "7000\n"),
        ("cg/memory/a/b/memory.failcnt", "4\n"),
        ("cg/memory/a/b/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
        ("cg/memory/a/memory.limit_in_bytes", "1000000\n"),
        ("cg/memory/memory.limit_in_bytes", UNLIMITED),
    ];
    let cgroup = "9:name=systemd:/x\n4:memory:/a/b\n3:cpuset:/\n2:cpu,cpuacct:/a/b\n";
    let tree = tree(cgroup, &mounts, &files);
    let usage = Usage {
        memory_bytes: Some(7000),
        // Counted for the parent, which has the smaller limit.
        periods: Some(900),
        throttled_periods: Some(30),
        throttled_ns: Some(5000),
        cpu_ns: Some(123_456_789),
        oom_kills: Some(2),
        memory_high_events: None,
        memory_max_events: Some(4),
        ..Usage::default()
    };
    check(&tree, "v1", (Some(1.5), Some(4), Some(1_000_000)), &usage);
    // The smallest limit that the kernel reports takes precedence over those of the ancestors.
    tree.write("cg/memory/a/b/memory.stat", "cache 1\nhierarchical_memory_limit 900000\ntotal_cache 1\n");
    check(&tree, "v1", (Some(1.5), Some(4), Some(900_000)), &usage);
    tree.write("cg/memory/a/b/memory.stat", format!("hierarchical_memory_limit {UNLIMITED}"));
    check(&tree, "v1", (Some(1.5), Some(4), None), &usage);
}

#[test]
fn a_hybrid_has_an_empty_version_2_beside_version_1() {
    let mounts = [
        ("cgroup", "cpu", "/", "cg/cpu"),
        ("cgroup", "memory", "/", "cg/memory"),
        ("cgroup2", "nsdelegate", "/", "cg/unified"),
    ];
    let files = [
        ("cg/cpu/cpu.cfs_quota_us", "50000\n"),
        ("cg/cpu/cpu.cfs_period_us", "100000\n"),
        ("cg/cpu/cpu.stat", "nr_periods 3\nnr_throttled 2\nthrottled_time 1\n"),
        ("cg/memory/a/memory.limit_in_bytes", "4096\n"),
        ("cg/unified/cpu.stat", "usage_usec 5\nuser_usec 4\n"),
        ("cg/unified/memory.max", "1\n"),
        ("cg/unified/cpu.max", "1 1\n"),
    ];
    let tree = tree("4:memory:/a\n1:cpu:/\n0::/\n", &mounts, &files);
    // Without cpuacct, CPU time comes from version 2.
    let usage = Usage {
        periods: Some(3),
        throttled_periods: Some(2),
        throttled_ns: Some(1),
        cpu_ns: Some(5000),
        ..Usage::default()
    };
    check(&tree, "hybrid", (Some(0.5), None, Some(4096)), &usage);
}

#[test]
fn in_version_2_the_smallest_limit_of_the_ancestors_holds() {
    let files = [
        ("cg/a/b/c/cpu.max", "max 100000\n"),
        ("cg/a/b/c/memory.max", "max\n"),
        ("cg/a/b/c/memory.current", "5000\n"),
        ("cg/a/b/c/memory.events", "low 0\nhigh 6\nmax 5\noom 1\noom_kill 1\noom_group_kill 9\n"),
        ("cg/a/b/c/cpu.stat", "usage_usec 70\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"),
        ("cg/a/b/cpu.max", "200000 100000\n"),
        ("cg/a/b/cpu.stat", "usage_usec 80\nnr_periods 40\nnr_throttled 20\nthrottled_usec 7\n"),
        ("cg/a/b/memory.max", "800000\n"),
        ("cg/a/cpu.max", "200000 100000\n"),
        ("cg/a/memory.max", "700000\n"),
        ("cg/a/cpuset.cpus.effective", "1,3\n"),
        ("cg/cpuset.cpus.effective", "0-7\n"),
    ];
    let tree = tree("0::/a/b/c\n", &[("cgroup2", "nsdelegate", "/", "cg")], &files);
    let usage = Usage {
        memory_bytes: Some(5000),
        periods: Some(40),
        throttled_periods: Some(20),
        throttled_ns: Some(7000),
        cpu_ns: Some(70_000),
        oom_kills: Some(1),
        memory_high_events: Some(6),
        memory_max_events: Some(5),
        ..Usage::default()
    };
    check(&tree, "v2", (Some(2.0), Some(2), Some(700_000)), &usage);
}

#[test]
fn a_container_sees_itself_at_the_root() {
    let files = [("cg/cpu.max", "250000 100000\n"), ("cg/memory.max", "512\n")];
    // In its own cgroup namespace both paths are the root; without one, both are the same long path.
    for (path, root) in [("/", "/"), ("/docker/x", "/docker/x")] {
        let tree = tree(&format!("0::{path}\n"), &[("cgroup2", "nsdelegate", root, "cg")], &files);
        check(&tree, "v2", (Some(2.5), None, Some(512)), &Usage::default());
    }
}

#[test]
fn of_several_mounts_the_one_that_shows_the_most_ancestors_is_used() {
    let files =
        [("inner/cpu.max", "max 100000"), ("outer/x/cpu.max", "max 100000"), ("outer/cpu.max", "1 2")];
    let mounts = [
        ("cgroup2", "rw", "/docker/x", "inner"),
        ("cgroup2", "rw", "/docker", "outer"),
        ("cgroup2", "rw", "/other", "inner"),
    ];
    check(&tree("0::/docker/x\n", &mounts, &files), "v2", (Some(0.5), None, None), &Usage::default());
}

#[test]
fn a_group_that_cannot_be_seen_is_not_found() {
    let mounts = [("cgroup2", "rw", "/docker/x", "cg")];
    let files = [("cg/memory.max", "512\n"), ("memory.max", "1\n")];
    for cgroup in
        ["0::/docker/y\n", "0::/docker/x/gone\n", "0::/docker/x/..\n", "0::/docker/x (deleted)\n", "", "7"]
    {
        assert_eq!(Cgroup::of(&tree(cgroup, &mounts, &files).proc(), 7), None, "{cgroup}");
    }
    assert_eq!(Cgroup::of(&tree("0::/\n", &[], &files).proc(), 7), None);
    assert_eq!(Cgroup::of(&Tree::new().proc(), 7), None);
}

#[test]
fn the_cpu_cores_of_a_list_are_counted() {
    for (list, expected) in [
        ("0", Some(1)),
        ("0-1", Some(2)),
        ("0-3,8,10-11", Some(7)),
        ("", None),
        ("3-1", None),
        ("0-4294967295", None),
        ("0-4294967294,1", None),
        ("a,b", None),
    ] {
        assert_eq!(listed_cores(list), expected, "{list}");
    }
}

#[test]
fn this_process_has_a_group() {
    let (proc, pid) = (Proc::live(), std::process::id());
    if !is_live(&proc) || !Path::new("/sys/fs/cgroup").is_dir() {
        return base::ground::skip("host::cgroup", "no control groups");
    }
    let Some(group) = Cgroup::of(&proc, pid) else {
        return base::ground::skip("host::cgroup", "control groups that this process cannot see");
    };
    let (limits, usage) = (group.limits(), group.usage());
    assert!(limits.cpu_cores.is_none_or(|cores| cores > 0.0), "{limits:?}");
    assert!(limits.memory_bytes.is_none_or(|bytes| bytes > 1 << 20), "{limits:?}");
    assert!(usage.cpu_ns.is_none_or(|ns| ns > 0), "{usage:?}");
    let later = group.usage();
    assert!(later.cpu_ns >= usage.cpu_ns && later.periods >= usage.periods, "{usage:?} {later:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(content in any::<Vec<u8>>(), cgroup in any::<Vec<u8>>()) {
        let tree = tree("0::/\n", &[("cgroup2", "rw", "/", "cg"), ("cgroup", "cpu,memory", "/", "cg")], &[]);
        for name in ["cpu.max", "cpu.stat", "cpu.cfs_quota_us", "memory.stat", "memory.max", "cpuset.cpus.effective"] {
            tree.write(&format!("cg/{name}"), &content);
        }
        for membership in [b"0::/\n".as_slice(), b"1:cpu,memory:/\n", &cgroup] {
            tree.write("proc/7/cgroup", membership);
            let _read = Cgroup::of(&tree.proc(), 7).map(|group| (group.limits(), group.usage()));
        }
        tree.write("proc/self/mountinfo", &content);
        let _group = Cgroup::of(&tree.proc(), 7);
    }
}
