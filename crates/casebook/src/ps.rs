//! `ps`: the .NET processes that can be reached.

use crate::format::print_json;
use crate::textpage::printable;
use clap::builder::styling::{AnsiColor, Style};
use dotnet_ipc::discover::{Asked, State, ask_all, find, find_stale};
use dotnet_ipc::{Endpoint, Error};
use host::Proc;
use recorder::Subject;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const HEADING: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
/// Characters of a command line in the table.
const COMMAND_WIDTH: usize = 60;

const AFTER_HELP: &str = "\
States: running; suspended (waits at its start to be resumed); silent (no answer within a second: stopped, or too busy);
refused (not permitted: run as its user, or as root); stale (a socket whose process has ended).

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

#[derive(Debug, Serialize)]
struct Row {
    pid: u32,
    container_pid: u32,
    name: String,
    command_line: String,
    runtime_version: Option<String>,
    os: Option<String>,
    arch: Option<String>,
    container: Option<String>,
    socket: String,
    state: &'static str,
    /// Why it is not `running`, in words.
    reason: Option<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let rows = rows(&Proc::live());
    match args.format {
        Form::Json => print_json(&rows)?,
        Form::Table => anstream::stdout().write_all(table(&rows, args.all).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Process id and name of those that can be recorded.
pub(crate) fn running() -> Vec<(u32, String)> {
    let running = rows(&Proc::live()).into_iter().filter(|row| row.state == State::Running.name());
    running.map(|row| (row.pid, row.name)).collect()
}

fn rows(proc: &Proc) -> Vec<Row> {
    let found = find(proc);
    let stale = find_stale(&found, &folders());
    let asked = ask_all(proc, found).into_iter();
    let left = ask_all(proc, stale).into_iter().filter(|one| one.state != State::Running).map(|mut one| {
        // Who may not ask at a socket still sees whether its process is there.
        if one.state == State::Refused && proc.stat(one.found.pid).is_err() {
            one.state = State::Stale;
        }
        one
    });
    let mut rows: Vec<Row> = asked.map(|one| row(proc, one)).collect();
    rows.extend(left.map(left_row));
    rows
}

/// Where sockets of this user may lie.
fn folders() -> Vec<PathBuf> {
    let own = std::env::var_os("TMPDIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let mut folders: Vec<PathBuf> = [PathBuf::from("/tmp")].into_iter().chain(own).collect();
    folders.dedup();
    folders
}

fn row(proc: &Proc, asked: Asked) -> Row {
    let Asked { found, state, info, error } = asked;
    let endpoint = Endpoint::Socket(found.socket.clone());
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

/// A socket's file that no process of ours has.
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

/// More stale sockets than these are counted.
const FEW_STALE: usize = 3;

fn table(rows: &[Row], all: bool) -> String {
    let stale = rows.iter().filter(|row| row.state == State::Stale.name()).count();
    let hides = !all && stale > FEW_STALE;
    let rows: Vec<&Row> = rows.iter().filter(|row| !hides || row.state != State::Stale.name()).collect();
    let mut out = shown(&rows);
    if hides {
        out.extend([format!(
            "{stale} stale sockets, of processes that ended without removing them (--all shows them)\n"
        )]);
    }
    out
}

fn shown(rows: &[&Row]) -> String {
    if rows.is_empty() {
        return "no .NET process with a diagnostics socket can be seen; those of other users and of containers show to \
                root\n"
            .to_owned();
    }
    let heads = ["PID", "NAME", "RUNTIME", "STATE", "CONTAINER", "COMMAND"];
    let cells: Vec<[String; 6]> = rows.iter().map(|row| cells(row)).collect();
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(at, head)| {
            let of_cells = cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
            match of_cells.unwrap_or(0) {
                0 => 0,
                width => width.max(head.len()),
            }
        })
        .collect();
    let mut out = format!("{HEADING}{}{HEADING:#}\n", line(&heads.map(str::to_owned), &widths));
    for (row, cells) in rows.iter().zip(&cells) {
        let style = if row.state == "running" { Style::new() } else { WARNING };
        out.extend([format!("{style}{}{style:#}\n", line(cells, &widths))]);
    }
    out
}

fn cells(row: &Row) -> [String; 6] {
    let pid = if row.pid == row.container_pid || row.container_pid == 0 {
        row.pid.to_string()
    } else {
        format!("{} ({} inside)", row.pid, row.container_pid)
    };
    let container = row.container.as_ref().map_or("", |id| id.get(..12).unwrap_or(id));
    let what = match &row.reason {
        Some(reason) if row.command_line.is_empty() => reason,
        _ => &row.command_line,
    };
    let command = cut_middle(&printable(what));
    [
        pid,
        printable(&row.name),
        printable(row.runtime_version.as_deref().unwrap_or("")),
        row.state.to_owned(),
        printable(container),
        command,
    ]
}

/// A command as far as it has room: its end tells more than its middle.
fn cut_middle(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= COMMAND_WIDTH {
        return text.to_owned();
    }
    let (head, tail) = (COMMAND_WIDTH / 3, COMMAND_WIDTH - COMMAND_WIDTH / 3 - 1);
    let start: String = chars.iter().take(head).collect();
    let end: String = chars.iter().skip(chars.len() - tail).collect();
    format!("{start}…{end}")
}

/// A row of the table, without the columns in which no row has anything.
fn line(cells: &[String; 6], widths: &[usize]) -> String {
    let shown = cells.iter().zip(widths).filter(|(_, width)| **width > 0);
    let padded = shown.map(|(cell, width)| format!("{cell:<width$}", width = *width));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_what_tells_processes_apart_and_no_text_steers_the_terminal() {
        let row = |pid, container_pid, name: &str, state, reason: Option<&str>| Row {
            pid,
            container_pid,
            name: name.to_owned(),
            command_line: if reason.is_some() { String::new() } else { format!("dotnet {name}.dll") },
            runtime_version: Some("10.0.1".to_owned()),
            os: None,
            arch: None,
            container: (pid != container_pid).then(|| "0123456789abcdef0123".to_owned()),
            socket: String::new(),
            state,
            reason: reason.map(str::to_owned),
        };
        let rows = [
            row(7, 7, "Orders", "running", None),
            row(4711, 1, "Pay\u{1b}[2J", "running", None),
            row(99, 99, "", "stale", Some("nobody listens")),
        ];
        let text = anstream::adapter::strip_str(&table(&rows, false)).to_string();
        let expected = "\
PID              NAME     RUNTIME  STATE    CONTAINER     COMMAND
7                Orders   10.0.1   running                dotnet Orders.dll
4711 (1 inside)  Pay [2J  10.0.1   running  0123456789ab  dotnet Pay [2J.dll
99                        10.0.1   stale                  nobody listens
";
        assert_eq!(text, expected);
    }
}
