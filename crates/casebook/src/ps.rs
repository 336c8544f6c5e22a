//! `casebook ps`: the .NET processes that the user may inspect.

use crate::format::{Format, print_json};
use crate::terminal;
use dotnet_ipc::Error;
use dotnet_ipc::discover::{Answers, Asked, State, ask_all, find, find_orphaned};
use host::Proc;
use recorder::Subject;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use text::processes::{RUNNING, Row, Stale, sentence, table, unasked as unasked_sentences};

const AFTER_HELP: &str = "\
States:
  running    answers
  suspended  waits at its start until it is resumed
  silent     did not answer within a second: stopped, or too busy
  refused    not permitted (run as its user or as root), or not its own socket
  stale      only the socket is left: its process has ended
If a user has very many sockets that do not answer, the rest of them are only counted.

Examples:
  casebook ps
  casebook record -p PID -d 10s          # then record one of them
  casebook ps --format json | jq '.[] | select(.state == \"running\").pid'";

/// List the .NET processes that you may inspect, in containers too
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// List every stale socket, and every user with sockets that were not asked; without it, many are only counted
    #[arg(long)]
    all: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Listed { rows, unasked } = list(&Proc::live());
    let stale = if args.all { Stale::All } else { Stale::Few };
    let unasked = unasked_sentences(&unasked, stale);
    match args.format {
        Format::Json => {
            for sentence in &unasked {
                terminal::say(sentence);
            }
            print_json(&rows)?;
        }
        Format::Text => {
            let width = terminal::width();
            let mut page = table(&rows, stale, width);
            page.extend(unasked.iter().map(|of| sentence(of, width)));
            terminal::print(&page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The processes that can be recorded.
pub(crate) fn running() -> Vec<Row> {
    list(&Proc::live()).rows.into_iter().filter(|row| row.state == RUNNING).collect()
}

struct Listed {
    rows: Vec<Row>,
    /// How many sockets of each user were not asked.
    unasked: BTreeMap<u32, usize>,
}

fn list(proc: &Proc) -> Listed {
    let mut found = find(proc);
    found.extend(find_orphaned(&found, &folders()));
    let Answers { asked, unasked } = ask_all(proc, &found);
    let (left, asked): (Vec<Asked>, Vec<Asked>) = asked.into_iter().partition(|one| one.found.is_orphaned);
    let left = left.into_iter().filter(|one| one.state != State::Running).map(|mut one| {
        // Even if we may not use the socket, we can see whether its process exists.
        if one.state == State::Refused && proc.stat(one.found.pid).is_err() {
            one.state = State::Stale;
        }
        one
    });
    let mut rows: Vec<Row> = asked.into_iter().map(|one| row(proc, one)).collect();
    rows.extend(left.map(left_row));
    Listed { rows, unasked }
}

/// The folders where processes of this user may have their sockets.
fn folders() -> Vec<PathBuf> {
    let own = std::env::var_os("TMPDIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let mut folders: Vec<PathBuf> = [PathBuf::from("/tmp")].into_iter().chain(own).collect();
    folders.dedup();
    folders
}

fn row(proc: &Proc, asked: Asked) -> Row {
    let Asked { found, state, info, error } = asked;
    let endpoint = found.endpoint();
    let subject = Subject::new(proc, Some(found.pid), info.as_ref(), endpoint, state == State::Suspended);
    Row {
        pid: found.pid,
        container_pid: found.container_pid,
        name: subject.name,
        command_line: subject.command_line,
        runtime_version: subject.runtime,
        os: subject.os,
        arch: subject.arch,
        container: subject.container,
        socket: found.socket.display().to_string(),
        state: state.name(),
        reason: error.as_ref().filter(|_| state != State::Running).map(Error::to_string),
    }
}

/// The row of a socket without a process.
fn left_row(asked: Asked) -> Row {
    let Asked { found, state, error, .. } = asked;
    Row {
        pid: found.pid,
        container_pid: found.container_pid,
        name: String::new(),
        command_line: String::new(),
        runtime_version: None,
        os: None,
        arch: None,
        container: None,
        socket: found.socket.display().to_string(),
        state: state.name(),
        reason: error.as_ref().map(Error::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_the_names_that_the_table_expects() {
        assert_eq!([State::Running.name(), State::Stale.name()], [RUNNING, text::processes::STALE]);
    }
}
