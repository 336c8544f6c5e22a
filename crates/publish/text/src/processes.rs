//! The .NET processes of a machine, as a table.

use crate::page::printable;
use anstyle::{AnsiColor, Style};
use serde::Serialize;

const HEADING: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
/// Characters of a command line in the table.
const COMMAND_WIDTH: usize = 60;

/// The state of a process that answers.
pub const RUNNING: &str = "running";
/// The state of a socket whose process has ended.
pub const STALE: &str = "stale";

/// A process that has a diagnostics socket; as JSON, what scripts get.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its number.
    pub pid: u32,
    /// Its number in its own namespace.
    pub container_pid: u32,
    /// Its name.
    pub name: String,
    /// How it was started.
    pub command_line: String,
    /// The version of its runtime.
    pub runtime_version: Option<String>,
    /// Its operating system.
    pub os: Option<String>,
    /// Its processor architecture.
    pub arch: Option<String>,
    /// The container that it runs in.
    pub container: Option<String>,
    /// The path of its diagnostics socket.
    pub socket: String,
    /// [`RUNNING`], [`STALE`] or another state.
    pub state: &'static str,
    /// Why it is not running, in words.
    pub reason: Option<String>,
}

/// Which sockets of ended processes are in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// A few; if there are more, they are counted.
    Few,
    /// All.
    All,
}

/// If there are more stale sockets, [`Stale::Few`] counts them.
const FEW_STALE: usize = 3;

/// The table, or a sentence if there is no row.
pub fn table(rows: &[Row], shown_stale: Stale) -> String {
    let stale = rows.iter().filter(|row| row.state == STALE).count();
    let hides = shown_stale == Stale::Few && stale > FEW_STALE;
    let rows: Vec<&Row> = rows.iter().filter(|row| !hides || row.state != STALE).collect();
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
        let style = if row.state == RUNNING { Style::new() } else { WARNING };
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

/// A command line that fits its column: its end says more than its middle.
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

/// A line of the table, without columns that are empty in every row.
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
        let text = anstream::adapter::strip_str(&table(&rows, Stale::Few)).to_string();
        let expected = "\
PID              NAME     RUNTIME  STATE    CONTAINER     COMMAND
7                Orders   10.0.1   running                dotnet Orders.dll
4711 (1 inside)  Pay [2J  10.0.1   running  0123456789ab  dotnet Pay [2J.dll
99                        10.0.1   stale                  nobody listens
";
        assert_eq!(text, expected);
    }
}
