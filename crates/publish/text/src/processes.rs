//! The .NET processes of a machine, as a table.

use crate::Width;
use crate::page::{printable, wrap};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::collections::BTreeMap;

const HEADING: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
/// The longest command line in the table, in characters.
const MAX_COMMAND: usize = 80;
/// A command line with less room beside the other columns is below them.
const MIN_COMMAND: usize = 20;
/// The indent of a command line below the other columns.
const INDENT: usize = 2;

/// The state of a process that answers.
pub const RUNNING: &str = "running";
/// The state of a socket whose process has ended.
pub const STALE: &str = "stale";

/// A process with a diagnostics socket; also the JSON that scripts get.
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

/// Which sockets of ended processes the table shows, and which users with sockets that were not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// A few. If there are more, only their number.
    Few,
    /// All.
    All,
}

/// With more stale sockets than this, [`Stale::Few`] shows only their number.
const FEW_STALE: usize = 3;

/// How many users with unasked sockets are listed one by one.
const USERS_LISTED: usize = 10;

/// The table, or a sentence if it has no rows.
pub fn table(rows: &[Row], shown_stale: Stale, width: Width) -> String {
    let stale = rows.iter().filter(|row| row.state == STALE).count();
    let hides = shown_stale == Stale::Few && stale > FEW_STALE;
    let rows: Vec<&Row> = rows.iter().filter(|row| !hides || row.state != STALE).collect();
    let mut out = shown(&rows, width);
    if hides {
        out.push_str(&sentence(
            &format!(
                "{stale} stale sockets, of processes that ended without removing them (--all shows them)"
            ),
            width,
        ));
    }
    out
}

/// A sentence below the table, in its lines.
pub fn sentence(text: &str, width: Width) -> String {
    wrap(text, width.prose()).join("\n") + "\n"
}

/// One sentence for each user with unasked sockets, with their number.
pub fn unasked(sockets: &BTreeMap<u32, usize>, shown: Stale) -> Vec<String> {
    let listed = if shown == Stale::All { usize::MAX } else { USERS_LISTED };
    let sentence = |(user, count): (&u32, &usize)| {
        let (sockets, were) = if *count == 1 { ("socket", "was") } else { ("sockets", "were") };
        format!(
            "{count} more {sockets} of user {user} {were} not asked: too many others did not answer (-p PID asks one)"
        )
    };
    let sentences = sockets.iter().take(listed).map(sentence);
    let rest = sockets.len().saturating_sub(listed);
    let rest = (rest > 0).then(|| {
        let count: usize = sockets.values().skip(listed).sum();
        format!("{count} more sockets of {rest} other users were not asked either")
    });
    sentences.chain(rest).collect()
}

fn shown(rows: &[&Row], width: Width) -> String {
    if rows.is_empty() {
        let none = "no .NET process with a diagnostics socket is visible; only root sees those of other users and containers";
        return sentence(none, width);
    }
    let heads = ["PID", "NAME", "RUNTIME", "STATE", "CONTAINER", "COMMAND"].map(str::to_owned);
    let cells: Vec<[String; 6]> = rows.iter().map(|row| cells(row)).collect();
    let widths = widths(&heads, &cells, width.columns());
    let no_room = |at: &usize| {
        widths.get(*at) == Some(&0)
            && cells.iter().filter_map(|row| row.get(*at)).any(|cell| !cell.is_empty())
    };
    let hidden: Vec<&str> =
        (0..heads.len()).filter(no_room).filter_map(|at| heads.get(at)).map(String::as_str).collect();
    let mut out = format!("{HEADING}{}{HEADING:#}\n", line(&heads, &widths, width.columns()));
    for (row, cells) in rows.iter().zip(&cells) {
        let style = if row.state == RUNNING { Style::new() } else { WARNING };
        out.extend([format!("{style}{}{style:#}\n", line(cells, &widths, width.columns()))]);
    }
    if !hidden.is_empty() {
        out.push_str(&sentence(
            &format!("no room for {}: use a wider terminal", hidden.join(" and ")),
            width,
        ));
    }
    out
}

/// The width of each column. A column without any text is not shown; names get what the numbers leave.
fn widths(heads: &[String; 6], cells: &[[String; 6]], room: usize) -> [usize; 6] {
    let mut widths = std::array::from_fn(|at| {
        let width = |row: &[String; 6]| row.get(at).map_or(0, |cell| cell.chars().count());
        let of_cells = cells.iter().map(width).max().filter(|width| *width > 0);
        of_cells.map_or(0, |of_cells| of_cells.max(width(heads)))
    });
    let [pid, name, runtime, state, container, _] = &mut widths;
    let least = heads.get(1).map_or(0, String::len);
    let left = |of: [usize; 4]| {
        room.saturating_sub(of.iter().filter(|width| **width > 0).map(|width| width + 2).sum())
    };
    // Container and runtime go first: name and number identify a process.
    if left([*pid, *runtime, *state, *container]) < least {
        *container = 0;
    }
    if left([*pid, *runtime, *state, *container]) < least {
        *runtime = 0;
    }
    *name = (*name).min(left([*pid, *runtime, *state, *container]).max(least));
    widths
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
    [
        pid,
        printable(&row.name),
        printable(row.runtime_version.as_deref().unwrap_or("")),
        row.state.to_owned(),
        printable(container),
        printable(what),
    ]
}

/// A text cut in its middle.
fn cut_middle(text: &str, width: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= width {
        return text.to_owned();
    }
    let (head, tail) = (width / 3, width.saturating_sub(width / 3 + 1));
    let start: String = chars.iter().take(head).collect();
    let end: String = chars.iter().skip(chars.len() - tail).collect();
    format!("{start}…{end}")
}

/// A row without the columns that are empty in every row. The command is below the others if they leave no room for it.
fn line(cells: &[String; 6], widths: &[usize; 6], room: usize) -> String {
    let [others @ .., command] = cells;
    let shown = others.iter().zip(widths).filter(|(_, width)| **width > 0);
    let padded = shown.map(|(cell, width)| format!("{:<width$}  ", cut_middle(cell, *width), width = *width));
    let others: String = padded.collect();
    let beside = room.saturating_sub(others.chars().count());
    let longest = widths.last().copied().unwrap_or(0);
    if beside >= MIN_COMMAND.min(longest) {
        let line = others + &cut_middle(command, beside.min(MAX_COMMAND));
        return line.trim_end().to_owned();
    }
    let command = cut_middle(command, room - INDENT);
    format!("{}\n{:INDENT$}{command}", others.trim_end(), "").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_were_not_asked_are_counted_by_user_and_many_users_fill_no_screen() {
        let check = |of: &[(u32, usize)], expected: &[&str]| {
            assert_eq!(unasked(&of.iter().copied().collect(), Stale::Few), expected);
        };
        let reason = "not asked: too many others did not answer (-p PID asks one)";
        check(&[], &[]);
        check(
            &[(7, 1), (1001, 936)],
            &[
                &format!("1 more socket of user 7 was {reason}"),
                &format!("936 more sockets of user 1001 were {reason}"),
            ],
        );
        let many: Vec<(u32, usize)> = (0..500).map(|user| (user, 2)).collect();
        let many = many.into_iter().collect();
        assert_eq!(unasked(&many, Stale::All).len(), 500);
        let sentences = unasked(&many, Stale::Few);
        assert_eq!(sentences.len(), USERS_LISTED + 1);
        assert_eq!(sentences[10], "980 more sockets of 490 other users were not asked either");
    }

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
        let shown =
            |columns| anstream::adapter::strip_str(&table(&rows, Stale::Few, Width::of(columns))).to_string();
        let expected = "\
PID              NAME     RUNTIME  STATE    CONTAINER     COMMAND
7                Orders   10.0.1   running                dotnet Orders.dll
4711 (1 inside)  Pay [2J  10.0.1   running  0123456789ab  dotnet Pay [2J.dll
99                        10.0.1   stale                  nobody listens
";
        assert_eq!(shown(100), expected);
        let narrow = "\
PID              NAME     RUNTIME  STATE    CONTAINER
  COMMAND
7                Orders   10.0.1   running
  dotnet Orders.dll
4711 (1 inside)  Pay [2J  10.0.1   running  0123456789ab
  dotnet Pay [2J.dll
99                        10.0.1   stale
  nobody listens
";
        assert_eq!(shown(60), narrow);
        let after_rows: Vec<String> = shown(40).lines().skip(8).map(str::to_owned).collect();
        assert_eq!(after_rows.join(" "), "no room for CONTAINER: use a wider terminal");
    }
}
