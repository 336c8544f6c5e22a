//! `ps`: the .NET processes that can be reached.

use crate::format::print_json;
use crate::terminal;
use dotnet_ipc::Error;
use dotnet_ipc::discover::{Answers, Asked, State, ask_all, find, find_stale};
use host::Proc;
use recorder::Subject;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use text::processes::{RUNNING, Row, Stale, table, unasked as unasked_sentences};

const AFTER_HELP: &str = "\
States: running; suspended (waits at its start to be resumed); silent (no answer within a second: stopped, or too busy);
refused (not permitted: run as its user, or as root; or someone else is at its socket); stale (a socket whose process has
ended). Of a user with very many sockets that do not answer, the rest is not asked but counted.

Examples:
  casebook ps
  casebook ps --format json | jq -r '.[] | select(.state == \"running\") | .pid'
  casebook record -p PID -d 10s        then record one of them";

/// The .NET processes that can be reached, those in containers included
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Show every stale socket in the table; otherwise they are counted
    #[arg(long)]
    all: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

/// Forms of the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people
    #[default]
    Table,
    /// One JSON document
    Json,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (rows, unasked) = rows(&Proc::live());
    let unasked = unasked_sentences(&unasked);
    match args.format {
        Form::Json => {
            for sentence in unasked {
                crate::record::tell(&sentence);
            }
            print_json(&rows)?;
        }
        Form::Table => {
            let stale = if args.all { Stale::All } else { Stale::Few };
            let mut page = table(&rows, stale);
            page.extend(unasked.into_iter().map(|sentence| format!("{sentence}\n")));
            terminal::stdout().write_all(page.as_bytes())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Process id and name of those that can be recorded.
pub(crate) fn running() -> Vec<(u32, String)> {
    let running = rows(&Proc::live()).0.into_iter().filter(|row| row.state == RUNNING);
    running.map(|row| (row.pid, row.name)).collect()
}

/// The rows, and how many sockets of which user were not asked.
fn rows(proc: &Proc) -> (Vec<Row>, BTreeMap<u32, usize>) {
    let mut found = find(proc);
    found.extend(find_stale(&found, &folders()));
    let Answers { asked, unasked } = ask_all(proc, &found);
    let (left, asked): (Vec<Asked>, Vec<Asked>) = asked.into_iter().partition(|one| one.found.is_left);
    let left = left.into_iter().filter(|one| one.state != State::Running).map(|mut one| {
        // Whoever may not use a socket can still see whether its process exists.
        if one.state == State::Refused && proc.stat(one.found.pid).is_err() {
            one.state = State::Stale;
        }
        one
    });
    let mut rows: Vec<Row> = asked.into_iter().map(|one| row(proc, one)).collect();
    rows.extend(left.map(left_row));
    (rows, unasked)
}

/// The folders in which sockets of this user may be.
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

/// A socket without a process.
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
    fn the_table_knows_states_by_their_names() {
        assert_eq!([State::Running.name(), State::Stale.name()], [RUNNING, text::processes::STALE]);
    }
}
