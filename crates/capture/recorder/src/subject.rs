//! The service under study, as its runtime and the kernel describe it.

use dotnet_ipc::Endpoint;
use dotnet_ipc::process::ProcessInfo;
use host::Proc;
use host::cgroup::Cgroup;

/// The size of a session's buffer, unless the subject's memory limit allows less.
const BUFFER_MEGABYTES: u64 = 256;
/// The smallest buffer of a session.
const MIN_MEGABYTES: u64 = 4;
/// The part of the subject's memory limit that a session's buffer may take. There are up to four sessions at once.
const MEMORY_PART: u64 = 16;

/// A process to record.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its process id in our namespace; `None` if only its socket is known.
    pub pid: Option<u32>,
    /// Its process id in its own namespace.
    pub container_pid: u64,
    /// When it started, in the kernel's ticks. This distinguishes it from a later process with the same id.
    pub start_ticks: Option<u64>,
    /// Its name: that of its entry assembly, or else of its program.
    pub name: String,
    /// Its command line.
    pub command_line: String,
    /// The runtime's version, if it reports one.
    pub runtime: Option<String>,
    /// The operating system, as the runtime names it.
    pub os: Option<String>,
    /// The processor's architecture, as the runtime names it.
    pub arch: Option<String>,
    /// The container that it is in.
    pub container: Option<String>,
    /// The .NET settings in its environment: only `DOTNET_…` and `COMPlus_…`.
    pub environment: Vec<(String, String)>,
    /// The socket of its runtime.
    pub endpoint: Endpoint,
    /// Whether it is suspended at its start.
    pub suspended: bool,
}

impl Subject {
    /// Collects what is known of a process.
    pub fn new(
        proc: &Proc,
        pid: Option<u32>,
        info: Option<&ProcessInfo>,
        endpoint: Endpoint,
        suspended: bool,
    ) -> Self {
        let words = pid.map(|pid| proc.command_line(pid)).unwrap_or_default();
        let reported = info.map(|info| info.command_line.clone()).unwrap_or_default();
        let command_line = if words.is_empty() { reported } else { words.join(" ") };
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let assembly = info.and_then(|info| info.entry_assembly.as_ref()).and_then(some);
        let name = assembly.unwrap_or_else(|| program_name(&words, &command_line));
        let namespace_pid = pid.and_then(|pid| proc.namespace_pid(pid).or(Some(pid)));
        Self {
            pid,
            // 0 if neither the runtime nor the kernel says: no process has this id.
            container_pid: info.map(|info| info.pid).or(namespace_pid.map(u64::from)).unwrap_or(0),
            start_ticks: pid.and_then(|pid| proc.stat(pid).ok()).map(|stat| stat.start_ticks),
            name,
            command_line,
            runtime: info.and_then(|info| info.runtime_version.as_ref()).and_then(some),
            os: info.and_then(|info| some(&info.os)),
            arch: info.and_then(|info| some(&info.arch)),
            container: pid.and_then(|pid| proc.container(pid)),
            environment: pid.map(|pid| proc.dotnet_settings(pid)).unwrap_or_default(),
            endpoint,
            suspended,
        }
    }

    /// Whether the process still runs. `true` if that cannot be found out.
    pub(crate) fn is_there(&self, proc: &Proc) -> bool {
        let Some(pid) = self.pid else { return true };
        match proc.stat(pid) {
            Ok(stat) => Some(stat.start_ticks) == self.start_ticks && stat.state != 'Z',
            // Other errors, such as too many open files, do not mean that it has ended.
            Err(error) => !matches!(error, host::Error::Gone { .. }),
        }
    }

    /// The CPU time that it has used, in nanoseconds.
    pub(crate) fn cpu_ns(&self, proc: &Proc) -> Option<u64> {
        let stat = proc.stat(self.pid?).ok()?;
        (Some(stat.start_ticks) == self.start_ticks).then(|| stat.user_ns.saturating_add(stat.system_ns))
    }
}

/// The size of a session's buffer in megabytes: a small part of the memory that the subject may use.
pub(crate) fn buffer(subject: &Subject, proc: &Proc) -> u32 {
    let limit =
        subject.pid.and_then(|pid| Cgroup::of(proc, pid)).and_then(|cgroup| cgroup.limits().memory_bytes);
    let megabytes = limit.map_or(BUFFER_MEGABYTES, |bytes| (bytes / MEMORY_PART) >> 20);
    // At most 256, so it fits.
    u32::try_from(megabytes.clamp(MIN_MEGABYTES, BUFFER_MEGABYTES)).unwrap_or(256)
}

/// The name of a process by its command line: that of `dotnet Orders.dll` is `Orders`.
pub(crate) fn program_name(words: &[String], command_line: &str) -> String {
    let file = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    let program = words.first().map(|word| file(word)).unwrap_or_default();
    let assembly = words.iter().skip(1).find_map(|word| word.strip_suffix(".dll"));
    match assembly {
        Some(assembly) if program == "dotnet" => file(assembly),
        _ if !program.is_empty() => program,
        _ => file(command_line.split(' ').next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], expected: &str) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(program_name(&words, &words.join(" ")), expected);
    }

    #[test]
    fn a_process_has_the_name_that_its_user_knows() {
        check(&["/usr/bin/dotnet", "/app/Orders.dll", "--urls", "x"], "Orders");
        check(&["/app/orders", "--config", "a.dll"], "orders");
        check(&["dotnet", "run"], "dotnet");
        check(&[], "");
    }
}
