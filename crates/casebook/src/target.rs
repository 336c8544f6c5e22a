//! Which process a command is about: `-p PID`, `--name NAME` or `--diagnostic-port SOCKET`.

use anyhow::{Context, bail, ensure};
use base::time::Deadline;
use dotnet_ipc::discover::{
    Answers, Asked, RUNTIME_LIBRARY, State, ask, ask_all, find, find_process, is_suspended,
};
use dotnet_ipc::process::ProcessInfo;
use dotnet_ipc::{Endpoint, Error, Listener};
use exhibit::{Place, Rules};
use host::Proc;
use recorder::Subject;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a runtime that is to connect to us may take, in one go between looks for Ctrl-C.
const LISTEN_LOOK: Duration = Duration::from_millis(200);
/// Those that connect and are no runtime before it is given up.
const MOST_PEERS: u32 = 5;
/// How long a runtime behind a named socket has to say what it is.
const ANSWER: Duration = Duration::from_secs(5);

/// A process as texts name it.
pub(crate) fn process(subject: &Subject) -> text::Process<'_> {
    text::Process {
        name: &subject.name,
        pid: subject.pid.map_or(subject.container_pid, u64::from),
        runtime: subject.runtime.as_deref(),
        container: subject.container.as_deref(),
    }
}

/// Which process.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(multiple = false)]
pub(crate) struct Target {
    /// The process, by its number as `ps` shows it
    #[arg(short, long, value_name = "PID")]
    pid: Option<u32>,
    /// The process, by its name as `ps` shows it, if there is one of that name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The process behind a diagnostics socket; `SOCKET,listen` waits for a runtime that connects to it, as with
    /// DOTNET_DiagnosticPorts=SOCKET
    #[arg(long, value_name = "SOCKET[,listen]")]
    diagnostic_port: Option<String>,
}

impl Target {
    /// Whether any was named.
    pub(crate) fn is_named(&self) -> bool {
        self.pid.is_some() || self.name.is_some() || self.diagnostic_port.is_some()
    }

    /// Finds the process, and asks it what it is. `goes_on` says whether to wait on where a runtime is waited for.
    /// A socket of our own is only put where outputs may lie.
    pub(crate) fn find(&self, rules: Rules, goes_on: &dyn Fn() -> bool) -> anyhow::Result<Subject> {
        let proc = Proc::live();
        match (self.pid, &self.name, &self.diagnostic_port) {
            (Some(pid), ..) => of_pid(&proc, pid),
            (_, Some(name), _) => of_name(&proc, name),
            (.., Some(port)) => of_port(&proc, port, rules, goes_on),
            _ => bail!(
                "name a process: -p PID, --name NAME or --diagnostic-port SOCKET; `casebook ps` lists them"
            ),
        }
    }
}

fn of_pid(proc: &Proc, pid: u32) -> anyhow::Result<Subject> {
    let stat = proc.stat(pid).map_err(|error| match error {
        host::Error::Gone { .. } => {
            anyhow::anyhow!("there is no process {pid}; `casebook ps` lists those with .NET")
        }
        error => error.into(),
    })?;
    let Some(found) = find_process(proc, pid) else {
        bail!("{}", without_socket(proc, pid, &stat.comm));
    };
    of_asked(proc, ask(proc, found))
}

/// Why a process has no socket, as far as can be told.
fn without_socket(proc: &Proc, pid: u32, name: &str) -> String {
    let is_other_user = proc.user_id(pid).is_some_and(|user| user != own_user()) && own_user() != 0;
    if is_other_user {
        return format!(
            "process {pid} ({name}) belongs to another user, and its diagnostics socket cannot be seen: \
             run as that user, or as root"
        );
    }
    if proc.stat(pid).is_ok_and(|stat| stat.state == 'Z') {
        return format!("process {pid} ({name}) has ended: its parent has not taken notice yet");
    }
    let setting = ["DOTNET_EnableDiagnostics", "DOTNET_EnableDiagnostics_IPC", "COMPlus_EnableDiagnostics"];
    let off = setting.into_iter().find(|name| proc.environment(pid, name).is_some_and(|value| value == "0"));
    match off {
        Some(setting) => {
            format!("process {pid} ({name}) has no diagnostics socket: {setting}=0 turned it off")
        }
        None if proc.has_mapped(pid, RUNTIME_LIBRARY) => format!(
            "process {pid} ({name}) is a .NET process, and its diagnostics socket is gone: something removed it, as \
             cleaners of temporary files do; it comes back when the process is started anew"
        ),
        None => format!(
            "process {pid} ({name}) has no diagnostics socket: it is no .NET process, or .NET older than Core 3.0; \
             `casebook ps` lists those with one"
        ),
    }
}

fn own_user() -> u32 {
    Proc::live().user_id(std::process::id()).unwrap_or(0)
}

fn of_name(proc: &Proc, name: &str) -> anyhow::Result<Subject> {
    let Answers { asked, unasked } = ask_all(proc, &find(proc));
    let wanted = name.to_lowercase();
    let mut matching = Vec::new();
    for one in asked.into_iter().filter(|one| one.state != State::Stale) {
        let endpoint = one.found.endpoint();
        let subject = Subject::new(proc, Some(one.found.pid), one.info.as_ref(), endpoint, false);
        if subject.name.to_lowercase() == wanted {
            matching.push(one);
        }
    }
    let numbers: Vec<u32> = matching.iter().map(|one| one.found.pid).collect();
    is_the_one(name, &numbers, &unasked)?;
    let one = matching.pop();
    of_asked(proc, one.with_context(|| format!("no .NET process is named {name}; `casebook ps` lists them"))?)
}

/// Whether a name says which process is meant, if these have it, and so many sockets of which user were not asked.
fn is_the_one(name: &str, pids: &[u32], unasked: &BTreeMap<u32, usize>) -> anyhow::Result<()> {
    let numbers = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    ensure!(pids.len() < 2, "{} processes are named {name}: {numbers}; name one with -p", pids.len());
    // One that was not asked may have the name as well, or alone.
    if !unasked.is_empty() {
        let found = match pids.first() {
            Some(pid) => format!("process {pid} is named {name}, and others may be: -p {pid} chooses it"),
            None => format!("no process that was asked is named {name}: name it with -p PID"),
        };
        bail!("{found}; {}", text::processes::unasked(unasked).join("; "));
    }
    Ok(())
}

fn of_asked(proc: &Proc, asked: Asked) -> anyhow::Result<Subject> {
    let Asked { found, state, info, error } = asked;
    let endpoint = found.endpoint();
    match (state, error) {
        (State::Running | State::Suspended, _) => {
            Ok(Subject::new(proc, Some(found.pid), info.as_ref(), endpoint, state == State::Suspended))
        }
        (_, Some(error)) => Err(error).with_context(|| format!("process {} cannot be asked", found.pid)),
        (state, None) => bail!("process {} is {}", found.pid, state.name()),
    }
}

fn of_port(proc: &Proc, port: &str, rules: Rules, goes_on: &dyn Fn() -> bool) -> anyhow::Result<Subject> {
    let (path, mode) = port.split_once(',').map_or((port, ""), |(path, mode)| (path, mode));
    let path = PathBuf::from(path);
    match mode {
        "" | "connect" => {
            let endpoint = Endpoint::named(path);
            let info = ProcessInfo::ask(&endpoint, Deadline::after(ANSWER));
            of_info(proc, endpoint, info)
        }
        "listen" => {
            let listener =
                listen(&path, rules).with_context(|| format!("cannot listen at {}", path.display()))?;
            crate::record::tell(&format!(
                "waiting for a runtime that connects to {} · Ctrl-C ends it",
                path.display()
            ));
            let (endpoint, info) = connected(&Arc::new(listener), &path, goes_on)?;
            let subject = of_info(proc, endpoint, info)?;
            // One that connects without waiting, or did so long ago, has names to be taken early; of one that cannot be
            // looked at it is not known, and a resume too many does no harm.
            let suspended = subject.pid.is_none_or(|pid| is_suspended(proc, pid));
            Ok(Subject { suspended, ..subject })
        }
        other => bail!("`{other}` is no way to use a port: expected SOCKET or SOCKET,listen"),
    }
}

/// Opens a socket of ours, by the same rules as a file that is written.
fn listen(path: &Path, rules: Rules) -> anyhow::Result<Listener> {
    let place = Place::of(path, rules)?;
    let (folder, name) = place.for_file()?;
    place.kind()?;
    Ok(Listener::bind_in(folder, name, path)?)
}

/// Waits for a runtime that connects and says what it is. Who only says hello is passed over.
fn connected(
    listener: &Arc<Listener>,
    path: &Path,
    goes_on: &dyn Fn() -> bool,
) -> anyhow::Result<(Endpoint, Result<ProcessInfo, Error>)> {
    let endpoint = Endpoint::Listener(Arc::clone(listener));
    for left in (0..MOST_PEERS).rev() {
        loop {
            match listener.wait(Deadline::after(LISTEN_LOOK)) {
                Ok(_process) => break,
                Err(Error::Silent(_)) if goes_on() => {}
                Err(Error::Silent(_)) => bail!("no runtime connected to {}", path.display()),
                Err(error) => return Err(error.into()),
            }
        }
        let info = ProcessInfo::ask(&endpoint, Deadline::after(ANSWER));
        if left == 0 || !matches!(info, Err(Error::Silent(_) | Error::Foreign(_))) {
            return Ok((endpoint, info));
        }
        listener.forget();
    }
    bail!("no runtime connected to {}", path.display())
}

/// A process that was reached by its socket alone: its number is in its own namespace, which may be ours.
fn of_info(proc: &Proc, endpoint: Endpoint, info: Result<ProcessInfo, Error>) -> anyhow::Result<Subject> {
    let info = match info {
        Ok(info) => Some(info),
        Err(error) if error.is_unknown_command() => None,
        Err(error) => return Err(error.into()),
    };
    let told = info.as_ref().and_then(|info| u32::try_from(info.pid).ok());
    tell_of_peer(&endpoint, told);
    let program = |pid: &u32| proc.command_line(*pid).first().cloned();
    // Another process may have that number here: the runtime's command line begins with its program.
    let by_words = || {
        told.filter(|pid| {
            let line = info.as_ref().map(|info| info.command_line.clone()).unwrap_or_default();
            program(pid).is_some_and(|program| line.starts_with(&program))
        })
    };
    // A peer that has the number that the runtime names is the runtime itself.
    let peer = endpoint.peer().and_then(|peer| peer.pid);
    let is_runtime = |pid: &u32| told.is_some() && proc.namespace_pid(*pid) == told;
    let pid = peer.filter(is_runtime).or_else(by_words);
    Ok(Subject::new(proc, pid, info.as_ref(), endpoint, false))
}

/// Says who is at the other end of a socket that was named: a relay may be, so it is compared with nothing.
fn tell_of_peer(endpoint: &Endpoint, told: Option<u32>) {
    let Some(peer) = endpoint.peer() else { return };
    let told = told.map_or_else(
        || "the runtime does not say which process it is".to_owned(),
        |pid| format!("the runtime says that it is process {pid} in its own namespace"),
    );
    crate::record::tell(&format!("at {} is {peer}; {told}", endpoint.path().display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_sockets_does_not_let_a_name_choose_one_of_several() {
        let check = |pids: &[u32], unasked: &[(u32, usize)], expected: &str| {
            let unasked = unasked.iter().copied().collect();
            let told = is_the_one("Orders", pids, &unasked).err().map(|error| error.to_string());
            let told = told.unwrap_or_default();
            assert!(told.contains(expected) && told.is_empty() == expected.is_empty(), "{told}");
        };
        check(&[7], &[], "");
        check(&[], &[], "");
        check(&[7, 9], &[], "2 processes are named Orders: 7, 9; name one with -p");
        check(
            &[7],
            &[(666, 1)],
            "process 7 is named Orders, and others may be: -p 7 chooses it; 1 more socket",
        );
        check(&[], &[(666, 936)], "no process that was asked is named Orders: name it with -p PID; 936 more");
    }
}
