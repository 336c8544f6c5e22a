//! Which container a process is in, from the names of its control groups.
//!
//! Container runtimes name a group after the container's id: either the id alone (`/docker/ID`, `/kubepods/…/ID`), or the
//! id with a prefix and often `.scope` (`docker-ID.scope`, `cri-containerd-ID.scope`, `crio-ID.scope`, `libpod-ID.scope`,
//! `….slice:cri-containerd:ID`). The innermost such name counts. No container runtime is asked.

use crate::mounts::memberships;

const ID_DIGITS: usize = 64;
/// Length of a task's id in Fargate, where a container's group is `/ecs/TASK/TASK-NUMBER`.
const TASK_DIGITS: usize = 32;

/// The container's id in the text of a `/proc/PID/cgroup`.
pub(crate) fn id(text: &str) -> Option<String> {
    memberships(text).find_map(|membership| id_in_path(membership.path)).map(str::to_owned)
}

fn id_in_path(path: &str) -> Option<&str> {
    let names: Vec<&str> = path.split('/').collect();
    let above = names.iter().scan("", |above, name| Some(std::mem::replace(above, *name)));
    // Each name with the name above it, to check them from the innermost outwards.
    let pairs: Vec<(&str, &str)> = above.zip(names.iter().copied()).collect();
    pairs.into_iter().rev().find_map(|(above, name)| id_in_name(name).or_else(|| lxc_name(above, name)))
}

fn id_in_name(name: &str) -> Option<&str> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    // Podman's monitor of a container is named like it, but runs outside.
    if name.contains("conmon") {
        return None;
    }
    let is_hex = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Runtimes put their own name before the id.
    let last = name.rsplit(['-', ':']).next().unwrap_or(name);
    let is_task = || {
        let (task, number) = name.split_once('-')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        (is_hex(task, TASK_DIGITS) && is_number).then_some(name)
    };
    if is_hex(last, ID_DIGITS) { Some(last) } else { is_task() }
}

fn lxc_name<'a>(above: &str, name: &'a str) -> Option<&'a str> {
    let in_name = name.strip_prefix("lxc.payload.");
    let name = in_name.or_else(|| matches!(above, "lxc" | "lxc.payload").then_some(name))?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(id(&text.replace("HEX", HEX)).as_deref(), expected, "{text}");
    }

    #[test]
    fn every_runtime_names_the_group_after_the_container() {
        for path in [
            "/docker/HEX",
            "/system.slice/docker-HEX.scope",
            "/system.slice/docker-HEX.scope/init",
            "/kubepods/burstable/pod0ffb9b4a-1d9c-4a55-8d7f-1d2d3e7ed0c1/HEX",
            "/kubepods.slice/kubepods-pod0ffb9b4a_1d9c.slice/cri-containerd-HEX.scope",
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podx.slice/crio-HEX.scope",
            "/system.slice/containerd.service/kubepods-burstable-podx.slice:cri-containerd:HEX",
            "/machine.slice/libpod-HEX.scope/container",
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-HEX.scope",
            "/../cri-containerd-HEX.scope",
            "/ecs/55091c13b8cf4801887f527517601742/HEX",
            "/lxc/outer/docker/HEX",
        ] {
            check(&format!("0::{path}\n"), Some(HEX));
            check(&format!("3:cpuset:/\n2:memory:{path}\n0::/\n"), Some(HEX));
        }
        let task = "55091c13b8cf4801887f527517601742-3062054345";
        check(&format!("0::/ecs/55091c13b8cf4801887f527517601742/{task}\n"), Some(task));
        check("4:memory:/lxc/web-1/system.slice/app.service\n", Some("web-1"));
        check("0::/lxc.payload.web-1/init.scope\n", Some("web-1"));
        check("0::/lxc.payload/web-1\n", Some("web-1"));
    }

    #[test]
    fn a_group_of_the_machine_is_not_taken_for_a_container() {
        check("0::/\n", None);
        check("0::/user.slice/user-1000.slice/session-2.scope\n", None);
        check("4:memory:/process_api/0123456789abcdef0123456789abcdef\n0::/\n", None);
        check("0::/machine.slice/libpod-conmon-HEX.scope\n", None);
        check("0::/docker/HEX0\n", None);
        check("0::/lxc.monitor.web-1\n", None);
        check("0::/lxc/\n", None);
        check("/docker/HEX\n", None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>(), path in "[:/a-z0-9.-]*") {
            let _id = id(&String::from_utf8_lossy(&bytes));
            let _id = id(&format!("0::{path}"));
        }
    }
}
