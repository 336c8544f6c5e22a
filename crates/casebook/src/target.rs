//! Which process a command is about: `-p PID`, `--name NAME` or `--diagnostic-port SOCKET`.

use crate::completions::candidates;
use crate::terminal;
use anyhow::{Context, bail};
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

/// How often to look for Ctrl-C while we wait for a runtime to connect.
const LISTEN_LOOK: Duration = Duration::from_millis(200);
/// How many peers may connect that are not a runtime, before we give up.
const MAX_PEERS: u32 = 5;
/// How many processes of one name a message lists.
const MAX_NAMED: usize = 20;
/// How many characters of a command line it shows.
const MAX_COMMAND_LINE: usize = 100;
/// How long a runtime behind a named socket has to say which process it is.
const ANSWER: Duration = Duration::from_secs(5);

/// Reads the number of a process.
pub(crate) fn pid<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_no_number| format!("`{text}` is not a process number"))
}

/// What stands behind `-p`: the number of a process, or its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    Number(u32),
    Name(String),
}

/// Whether a word behind `-p` is a name. Whatever looks like a number is one, so that a mistyped number is not looked for as a
/// name.
pub(crate) fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && !text.starts_with('-') && !text.chars().all(|c| "0123456789.,-+ ".contains(c))
}

/// Reads what stands behind `-p`.
pub(crate) fn chosen(text: &str) -> Result<Chosen, String> {
    if is_name(text) { Ok(Chosen::Name(text.to_owned())) } else { pid(text).map(Chosen::Number) }
}

impl Chosen {
    /// The number of the process.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        match self {
            Self::Number(pid) => Ok(*pid),
            Self::Name(name) => {
                let subject = of_name(&Proc::live(), name)?;
                subject
                    .pid
                    .with_context(|| format!("the number of {name} is not known here: choose it with -p PID"))
            }
        }
    }
}

/// The process as texts name it.
pub(crate) fn process(subject: &Subject) -> text::Process<'_> {
    text::Process {
        name: &subject.name,
        pid: subject.pid.map_or(subject.container_pid, u64::from),
        runtime: subject.runtime.as_deref(),
        container: subject.container.as_deref(),
    }
}

/// The options that choose a process.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(multiple = false)]
pub(crate) struct Target {
    /// The process with this number in `casebook ps`; a word is taken for its name
    #[arg(short, long, value_name = "PID", value_parser = chosen, add = candidates::pids(is_name))]
    pid: Option<Chosen>,
    /// The process with this name in `casebook ps`; an error if several have it
    #[arg(long, value_name = "NAME", add = candidates::names())]
    name: Option<String>,
    /// The process at this diagnostics socket. With `,listen`: create the socket and wait for a process to connect; start that
    /// process with DOTNET_DiagnosticPorts=SOCKET
    #[arg(long, value_name = "SOCKET[,listen]")]
    diagnostic_port: Option<String>,
}

impl Target {
    /// A process that another option chose.
    pub(crate) fn of(chosen: Chosen) -> Self {
        Self { pid: Some(chosen), ..Self::default() }
    }

    /// Whether one of the options was given.
    pub(crate) fn is_named(&self) -> bool {
        self.pid.is_some() || self.name.is_some() || self.diagnostic_port.is_some()
    }

    /// Finds the process and asks its runtime about it. With `,listen` it waits for as long as `goes_on` returns true, and
    /// the rules for outputs hold for the socket that it creates.
    pub(crate) fn find(&self, rules: Rules, goes_on: &dyn Fn() -> bool) -> anyhow::Result<Subject> {
        let proc = Proc::live();
        match (&self.pid, &self.name, &self.diagnostic_port) {
            (Some(Chosen::Number(pid)), ..) => of_pid(&proc, *pid),
            (Some(Chosen::Name(name)), ..) | (_, Some(name), _) => of_name(&proc, name),
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

/// Why a process has no socket, as far as we can see.
fn without_socket(proc: &Proc, pid: u32, name: &str) -> String {
    if is_other_users(proc, pid) {
        return format!(
            "process {pid} ({name}) belongs to another user, so its diagnostics socket is not visible: run as that user, \
             or as root"
        );
    }
    if proc.stat(pid).is_ok_and(|stat| stat.state == 'Z') {
        return format!("process {pid} ({name}) has ended: it is a zombie until its parent waits for it");
    }
    let setting = ["DOTNET_EnableDiagnostics", "DOTNET_EnableDiagnostics_IPC", "COMPlus_EnableDiagnostics"];
    let off = setting.into_iter().find(|name| proc.environment(pid, name).is_some_and(|value| value == "0"));
    match off {
        Some(setting) => {
            format!("process {pid} ({name}) has no diagnostics socket: {setting}=0 turned it off")
        }
        None if proc.has_mapped(pid, RUNTIME_LIBRARY) => format!(
            "process {pid} ({name}) is a .NET process, but its diagnostics socket was removed, perhaps by a cleaner of \
             temporary files: restart the process to get it back"
        ),
        None => format!(
            "process {pid} ({name}) has no diagnostics socket: it is not a .NET process, or is older than .NET Core 3.0; \
             `casebook ps` lists processes that have one"
        ),
    }
}

/// Whether the process belongs to a user whose sockets we may not see.
fn is_other_users(proc: &Proc, pid: u32) -> bool {
    const ROOT: u32 = 0;
    let own = rustix::process::geteuid().as_raw();
    own != ROOT && proc.user_id(pid).is_some_and(|user| user != own)
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
    let pids: Vec<u32> = matching.iter().map(|one| one.found.pid).collect();
    let command_line = |pid| {
        let words = proc.command_line(pid).join(" ");
        // Whoever started it chose these words, line ends included.
        words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_COMMAND_LINE).collect()
    };
    ensure_unique(name, &pids, &unasked, &command_line)?;
    let one = matching.pop();
    of_asked(proc, one.with_context(|| format!("no .NET process is named {name}; `casebook ps` lists them"))?)
}

/// Refuses a name that does not choose one process for certain. These processes have it; `unasked` says how many sockets of
/// each user were not asked, `command_line` tells processes of one name apart.
fn ensure_unique(
    name: &str,
    pids: &[u32],
    unasked: &BTreeMap<u32, usize>,
    command_line: &dyn Fn(u32) -> String,
) -> anyhow::Result<()> {
    if let [first, _, ..] = pids {
        let mut lines = vec![format!(
            "{} processes are named {name}; choose one by its number, such as -p {first}",
            pids.len()
        )];
        lines.extend(pids.iter().take(MAX_NAMED).map(|&pid| format!("{pid}  {}", command_line(pid))));
        let more = pids.len().saturating_sub(MAX_NAMED);
        if more > 0 {
            lines.push(format!("… {more} more: see `casebook ps --all`"));
        }
        bail!("{}", lines.join("\n  "));
    }
    // A process that was not asked may have the name too.
    if !unasked.is_empty() {
        let found = match pids.first() {
            Some(pid) => {
                format!("process {pid} is named {name}, but others may be too: choose it with -p {pid}")
            }
            None => format!("no process that was asked is named {name}: choose one with -p PID"),
        };
        bail!("{found}; {}", text::processes::unasked(unasked, text::processes::Stale::Few).join("; "));
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
        (_, Some(error)) => Err(error).with_context(|| format!("cannot use process {}", found.pid)),
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
            terminal::say(&format!(
                "waiting for a runtime to connect to {} · Ctrl-C ends it",
                path.display()
            ));
            let (endpoint, info) = connected(&Arc::new(listener), &path, goes_on)?;
            let subject = of_info(proc, endpoint, info)?;
            // Names are taken early unless the process is suspended. If we cannot see it (another namespace, say), it counts as
            // suspended: to resume a running process does no harm.
            let suspended = subject.pid.is_none_or(|pid| is_suspended(proc, pid));
            Ok(Subject { suspended, ..subject })
        }
        other => bail!("expected SOCKET or SOCKET,listen, found `,{other}`"),
    }
}

/// Creates a socket, by the same rules as an output file.
fn listen(path: &Path, rules: Rules) -> anyhow::Result<Listener> {
    let place = Place::of(path, rules)?;
    let (folder, name) = place.for_file()?;
    place.kind()?;
    Ok(Listener::bind_in(folder, name, path)?)
}

/// Waits for a runtime that connects and says which process it is. A peer that connects but does not answer is ignored.
fn connected(
    listener: &Arc<Listener>,
    path: &Path,
    goes_on: &dyn Fn() -> bool,
) -> anyhow::Result<(Endpoint, Result<ProcessInfo, Error>)> {
    let endpoint = Endpoint::Listener(Arc::clone(listener));
    for left in (0..MAX_PEERS).rev() {
        loop {
            match listener.wait(Deadline::after(LISTEN_LOOK)) {
                Ok(_process) => break,
                Err(Error::Silent(_)) if goes_on() => {}
                Err(Error::Silent(_)) => bail!("no runtime connected to {}", path.display()),
                Err(error) => return Err(error.into()),
            }
        }
        let info = ProcessInfo::ask(&endpoint, Deadline::after(ANSWER));
        if left == 0 || !matches!(info, Err(Error::Silent(_) | Error::NotARuntime(_))) {
            return Ok((endpoint, info));
        }
        listener.forget();
    }
    bail!("no runtime connected to {}", path.display())
}

/// The process behind a socket that was named. Its runtime reports a pid of its own namespace, which may differ from ours.
fn of_info(proc: &Proc, endpoint: Endpoint, info: Result<ProcessInfo, Error>) -> anyhow::Result<Subject> {
    let info = match info {
        Ok(info) => Some(info),
        Err(error) if error.is_unknown_command() => None,
        Err(error) => return Err(error.into()),
    };
    let reported = info.as_ref().and_then(|info| u32::try_from(info.pid).ok());
    say_who_the_peer_is(&endpoint, reported);
    // If the peer has the reported pid in its namespace, the peer is the runtime itself.
    let peer = endpoint.peer().and_then(|peer| peer.pid);
    let is_runtime = |pid: &u32| reported.is_some() && proc.namespace_pid(*pid) == reported;
    // Otherwise the peer is a relay. The reported pid counts only if the process with that number here was started with the
    // same program: it may be another process.
    let has_same_program = |pid: &u32| {
        let line = info.as_ref().map_or("", |info| &info.command_line);
        proc.command_line(*pid).first().is_some_and(|program| line.starts_with(program))
    };
    let pid = peer.filter(is_runtime).or_else(|| reported.filter(has_same_program));
    Ok(Subject::new(proc, pid, info.as_ref(), endpoint, false))
}

/// Says who is at the other end of the socket, and which process the runtime says it is. They may differ: a relay is allowed.
fn say_who_the_peer_is(endpoint: &Endpoint, reported: Option<u32>) {
    let Some(peer) = endpoint.peer() else { return };
    let reported = reported.map_or_else(
        || "the runtime does not say which process it is".to_owned(),
        |pid| format!("the runtime says that it is process {pid} in its own namespace"),
    );
    terminal::say(&format!("at {} is {peer}; {reported}", endpoint.path().display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_sockets_does_not_let_a_name_choose_one_of_several() {
        let check = |pids: &[u32], unasked: &[(u32, usize)], expected: &str| {
            let unasked = unasked.iter().copied().collect();
            let refused = ensure_unique("Orders", pids, &unasked, &|pid| format!("dotnet {pid}.dll"))
                .err()
                .map(|error| error.to_string());
            let refused = refused.unwrap_or_default();
            assert!(refused.contains(expected) && refused.is_empty() == expected.is_empty(), "{refused}");
        };
        check(&[7], &[], "");
        check(&[], &[], "");
        check(
            &[7, 9],
            &[],
            "2 processes are named Orders; choose one by its number, such as -p 7\n  7  dotnet 7.dll\n  9  dotnet 9.dll",
        );
        check(
            &[7],
            &[(666, 1)],
            "process 7 is named Orders, but others may be too: choose it with -p 7; 1 more socket",
        );
        check(
            &[],
            &[(666, 936)],
            "no process that was asked is named Orders: choose one with -p PID; 936 more",
        );
    }
}
