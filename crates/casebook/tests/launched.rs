//! Programs that `record -- COMMAND` starts: each runtime in them is resumed, however late it starts, and no process of ours
//! outlives them.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod lab;
mod program;

use lab::{free_port, get, signal, unpacked, wait_for};
use program::casebook;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A recording of a shell that starts services.
struct Recording {
    recorder: Child,
    /// The port of the service that starts at once, and of the late one.
    ports: [u16; 2],
    folder: tempfile::TempDir,
}

impl Recording {
    /// Starts it. In the script, `$NOW` and `$LATE` are commands that start services, and `$WAIT` ends when the late one
    /// is to start.
    fn start(lab: &Path, options: &[&str], script: &str, adjust: impl FnOnce(&mut Command)) -> Self {
        let (ports, folder) = ([free_port(), free_port()], tempfile::tempdir().unwrap());
        let [now, late] = ports.map(|port| {
            let program = format!("{0}/dotnet/dotnet {0}/orders/orders.dll", lab.display());
            format!("env ASPNETCORE_URLS=http://127.0.0.1:{port} {program}")
        });
        let mut command = casebook();
        command.args(["record", "--profile", "light", "-o"]).arg(folder.path().join("out")).args(options);
        command.args(["--", "sh", "-c", script]).env("NOW", now).env("LATE", late);
        let go = folder.path().join("go");
        command.env("WAIT", format!("while ! test -e {}; do sleep 0.1; done", go.display()));
        lab::environment(&mut command, lab, ports[0]);
        let said = std::fs::File::create(folder.path().join("said")).unwrap();
        command.stdout(said.try_clone().unwrap()).stderr(said);
        adjust(&mut command);
        Self { recorder: command.spawn().unwrap(), ports, folder }
    }

    /// What the recorder and the command have printed.
    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap()
    }

    fn wait_until_it_records(&self) {
        wait_for("the service to answer", || get(self.ports[0], "/health"));
    }

    /// Lets the late service start, ends both services, and waits until our own processes have ended too.
    fn the_late_one_starts_and_nothing_stays(&self) {
        assert!(services(self.ports[1]).is_empty(), "it starts late");
        assert!(!self.of_ours().is_empty(), "nobody is there to resume it");
        std::fs::write(self.folder.path().join("go"), "").unwrap();
        wait_for("the late service to answer", || get(self.ports[1], "/health"));
        for port in self.ports {
            for pid in services(port) {
                signal(pid, "KILL");
            }
        }
        wait_for("everything that we started to end", || self.of_ours().is_empty());
    }

    /// Our own processes that belong to this recording.
    fn of_ours(&self) -> Vec<u32> {
        let port = format!("127.0.0.1:{}", self.ports[1]);
        let is_ours = |pid: &u32| {
            let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            program == Path::new(env!("CARGO_BIN_EXE_casebook")) && has(*pid, "environ", &port)
        };
        pids().into_iter().filter(is_ours).collect()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        drop(self.recorder.kill());
        drop(self.recorder.wait());
        for pid in self.ports.into_iter().flat_map(services).chain(self.of_ours()) {
            drop(Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status());
        }
    }
}

fn pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn has(pid: u32, file: &str, text: &str) -> bool {
    let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).contains(text)
}

/// The processes of a service, by the port that its environment names.
fn services(port: u16) -> Vec<u32> {
    let port = format!("ASPNETCORE_URLS=http://127.0.0.1:{port}\0");
    let is_service = |pid: &u32| has(*pid, "cmdline", "orders.dll") && has(*pid, "environ", &port);
    pids().into_iter().filter(is_service).collect()
}

/// A shell that leaves a daemon, which starts a service when the recording has ended.
const DAEMON: &str = "(setsid sh -c 'eval \"$WAIT\"; exec $LATE' >/dev/null 2>&1 3>&- &); exec $NOW";

#[test]
fn a_runtime_that_starts_after_the_recording_is_not_left_suspended() {
    let Some(lab) = unpacked("a_runtime_that_starts_after_the_recording_is_not_left_suspended") else {
        return;
    };
    let mut by_time = Recording::start(&lab, &["-d", "1s"], DAEMON, |_| ());
    let mut by_signal = Recording::start(&lab, &[], DAEMON, |_| ());
    let mut killed = Recording::start(&lab, &[], DAEMON, |_| ());
    assert!(by_time.recorder.wait().unwrap().success());
    by_signal.wait_until_it_records();
    signal(by_signal.recorder.id(), "INT");
    killed.wait_until_it_records();
    signal(killed.recorder.id(), "KILL");
    assert!(by_signal.recorder.wait().unwrap().success());
    killed.recorder.wait().unwrap();
    for recording in [by_time, by_signal, killed] {
        recording.the_late_one_starts_and_nothing_stays();
    }
}

#[test]
fn a_command_that_does_not_end_is_named_and_what_it_starts_later_is_resumed() {
    let test = "a_command_that_does_not_end_is_named_and_what_it_starts_later_is_resumed";
    let Some(lab) = unpacked(test) else { return };
    let script = "trap '' TERM; echo shell $$; $NOW & eval \"$WAIT\"; exec $LATE >/dev/null 2>&1";
    let mut recording = Recording::start(&lab, &["-d", "1s"], script, |_| ());
    assert!(recording.recorder.wait().unwrap().success());
    let said = recording.said();
    let pid = said.lines().find_map(|line| line.strip_prefix("shell ")).unwrap();
    assert!(
        said.contains(&format!("process {pid}")) && said.contains(&format!("kill -KILL {pid}")),
        "{said}"
    );
    recording.the_late_one_starts_and_nothing_stays();
}

#[test]
fn whoever_reads_our_output_sees_its_end_with_ours_whatever_the_command_leaves_behind() {
    let test = "whoever_reads_our_output_sees_its_end_with_ours_whatever_the_command_leaves_behind";
    let Some(lab) = unpacked(test) else { return };
    let (mut read, written) = std::io::pipe().unwrap();
    let mut recording = Recording::start(&lab, &["-d", "1s"], DAEMON, |command| {
        // Like a shell that passes on one of its own descriptors, which no program in between closes.
        let through = ["-c", "exec \"$@\" 2>&1 3>&1", "sh"];
        let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
        let mut shell = Command::new("sh");
        shell.args(through).args(words).stdin(Stdio::null()).stdout(written);
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        *command = shell;
    });
    let mut all = String::new();
    read.read_to_string(&mut all).unwrap();
    let ended = Instant::now();
    assert!(recording.recorder.wait().unwrap().success(), "{all}");
    assert!(ended.elapsed() < Duration::from_secs(5), "{:?}", ended.elapsed());
    recording.the_late_one_starts_and_nothing_stays();
}

#[test]
fn what_somebody_else_starts_with_the_commands_environment_is_not_left_suspended() {
    let test = "what_somebody_else_starts_with_the_commands_environment_is_not_left_suspended";
    let Some(lab) = unpacked(test) else { return };
    let mut recording = Recording::start(&lab, &["-d", "1s"], DAEMON, |_| ());
    assert!(recording.recorder.wait().unwrap().success());
    let go = recording.folder.path().join("go").display().to_string();
    let is_daemon = |pid: &u32| has(*pid, "environ", &go) && has(*pid, "environ", "\0CASEBOOK_GUARD=");
    let daemon =
        pids().into_iter().find(|pid| is_daemon(pid) && has(*pid, "cmdline", "sh\0-c\0eval")).unwrap();
    let environment = std::fs::read(format!("/proc/{daemon}/environ")).unwrap();
    let environment = String::from_utf8(environment).unwrap();
    let variables = environment.split('\0').filter_map(|variable| variable.split_once('='));
    let mut other = Command::new("sh");
    other.args(["-c", "exec $LATE"]).env_clear().envs(variables).stdin(Stdio::null());
    let mut other = other.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the service of another program to answer", || get(recording.ports[1], "/health"));
    // The guard must stay for as long as this one service runs, since it may start more.
    pids().iter().filter(|pid| is_daemon(pid) && **pid != other.id()).for_each(|pid| {
        drop(Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status());
    });
    std::thread::sleep(Duration::from_secs(1));
    assert!(!recording.of_ours().is_empty());
    other.kill().unwrap();
    other.wait().unwrap();
    wait_for("the guard to end", || recording.of_ours().is_empty());
}

#[test]
fn what_the_caller_ignores_the_command_ignores_too() {
    let program = env!("CARGO_BIN_EXE_casebook");
    let script = format!("trap '' HUP; exec {program} guard -- cat /proc/self/status");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let status = String::from_utf8(output.stdout).unwrap();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    assert_eq!(u64::from_str_radix(bits.trim(), 16).unwrap() & 1, 1, "{bits}");
}
