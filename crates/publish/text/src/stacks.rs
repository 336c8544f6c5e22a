//! What every managed thread is doing now, grouped by equal stacks.

use crate::Width;
use crate::page::{hanging, keep_end, printable, wrap};
use crate::process::Process;
use anstyle::Style;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const HEADING: Style = Style::new().bold();
/// How many frames [`Frames::First`] shows.
const MAX_FRAMES: usize = 24;
/// The indent of frames, and of the rest of a heading.
const INDENT: usize = 4;

/// The stack of every thread; as JSON, what scripts get.
#[derive(Debug, Serialize)]
pub struct Stacks {
    /// The threads, by their number.
    pub threads: Vec<Thread>,
}

/// A thread and its stack.
#[derive(Debug, Serialize)]
pub struct Thread {
    /// The operating system's number.
    pub os_id: i64,
    /// Its name, or empty.
    pub name: String,
    /// What it is for: `pool`, `timer` …
    pub kind: String,
    /// `running`, `waiting`, `external`.
    pub state: String,
    /// What it waits for.
    pub waiting_on: Option<String>,
    /// The innermost first.
    pub frames: Vec<String>,
}

/// How much of each stack is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// The first frames, without the parameters of methods.
    First,
    /// All frames, in full.
    All,
}

impl Stacks {
    /// Threads with equal stacks, the largest group first.
    fn groups(&self) -> Vec<Vec<&Thread>> {
        let mut groups: BTreeMap<(&[String], &str), Vec<&Thread>> = BTreeMap::new();
        for thread in &self.threads {
            groups.entry((&thread.frames, &thread.state)).or_default().push(thread);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups
            .sort_by_key(|group| (std::cmp::Reverse(group.len()), group.first().map(|thread| thread.os_id)));
        groups
    }
}

/// What a group does, in words.
fn doing(thread: &Thread) -> String {
    let innermost = thread.frames.first().map_or("", String::as_str);
    if thread.waiting_on.as_deref() == Some("monitor") && innermost.contains("Monitor.Wait(") {
        return "waits to be signalled (Monitor.Wait)".to_owned();
    }
    let waits = match thread.waiting_on.as_deref() {
        Some("task") => "blocks until a Task is complete",
        Some("monitor") => "waits for a lock (Monitor)",
        Some("lock") => "waits for a lock",
        Some("sleep") => "sleeps",
        Some("io") => "waits for input or output",
        Some("queue") => "waits for work",
        Some("semaphore") => "waits for a semaphore",
        Some("event") => "waits for a handle (event, Mutex, Semaphore)",
        Some("join") => "waits for another thread to end",
        Some("parallel") => "waits for the other workers of a parallel loop",
        Some("spin") => "spins until a condition holds",
        Some("barrier") => "waits at a barrier",
        Some("process") => "waits for another process",
        Some("timer") => "waits for the next timer",
        Some("gc") => "waits for the GC",
        Some(other) => return format!("waits: {other}"),
        None if thread.state == "running" => "runs",
        None if thread.state == "waiting" => "waits",
        None => "is in native code",
    };
    waits.to_owned()
}

/// The groups, each with its threads and its stack.
pub fn text(stacks: &Stacks, process: &Process<'_>, frames: Frames, width: Width) -> String {
    let groups = stacks.groups();
    let mut out = String::new();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let heading = format!(
        "{}: {} in {}",
        process.named(),
        plural(stacks.threads.len(), "managed thread"),
        plural(groups.len(), "group")
    );
    out.extend([format!("{HEADING}{}{HEADING:#}\n", hanging(&heading, width.prose(), INDENT))]);
    for group in &groups {
        let Some(first) = group.first() else { continue };
        let kinds: BTreeSet<&str> = group.iter().map(|of| of.kind.as_str()).collect();
        let kinds: Vec<&str> = kinds.into_iter().filter(|kind| !kind.is_empty()).collect();
        let of_kind = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        let numbers: Vec<String> = group.iter().take(8).map(|of| of.os_id.to_string()).collect();
        let more = if group.len() > 8 { ", …" } else { "" };
        let head = printable(&format!("{}{of_kind}: {}", plural(group.len(), "thread"), doing(first)));
        // Wrapped without colours, which have no width.
        let all = hanging(&format!("{head}  {}{more}", numbers.join(", ")), width.prose(), INDENT);
        let (head, numbers) = all.rsplit_once("  ").filter(|_| !all.contains('\n')).unwrap_or((&all, ""));
        out.extend([format!("\n{HEADING}{head}{HEADING:#}  {numbers}").trim_end(), "\n"]);
        let shown = if frames == Frames::All { first.frames.len() } else { MAX_FRAMES };
        for frame in first.frames.iter().take(shown) {
            let room = width.columns() - INDENT;
            // The short form leaves the signature out.
            let lines = match frames {
                Frames::All => signature(&printable(frame), room),
                Frames::First => {
                    let name = frame.split_once('(').map_or(frame.as_str(), |(name, _)| name);
                    vec![keep_end(&printable(name), room)]
                }
            };
            out.extend(lines.into_iter().map(|line| format!("{:INDENT$}{line}\n", "")));
        }
        let left = first.frames.len().saturating_sub(shown);
        if left > 0 {
            out.extend([format!("    … {left} more (--all)\n")]);
        }
        if first.frames.is_empty() {
            out.push_str("    (no managed frame)\n");
        }
    }
    out
}

/// A method with its parameters, in as many lines as it needs, broken behind commas.
fn signature(frame: &str, room: usize) -> Vec<String> {
    if frame.chars().count() <= room {
        return vec![frame.to_owned()];
    }
    let lines = wrap(&frame.replace(',', ", ").replace('(', " ("), room - 2);
    lines.into_iter().enumerate().map(|(at, line)| format!("{:1$}{line}", "", 2 * at.min(1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(os_id: i64, waiting_on: Option<&str>, frames: &[&str]) -> Thread {
        Thread {
            os_id,
            name: String::new(),
            kind: "pool".to_owned(),
            state: if waiting_on.is_some() { "waiting" } else { "running" }.to_owned(),
            waiting_on: waiting_on.map(str::to_owned),
            frames: frames.iter().map(|frame| (*frame).to_owned()).collect(),
        }
    }

    #[test]
    fn equal_stacks_are_one_group_and_the_largest_stands_first() {
        let threads = vec![
            thread(3, None, &["Shop!Run"]),
            thread(5, Some("monitor"), &["Shop!Wait", "Shop!Main"]),
            thread(4, Some("monitor"), &["Shop!Wait", "Shop!Main"]),
        ];
        let stacks = Stacks { threads };
        let groups = stacks.groups();
        let numbers: Vec<Vec<i64>> =
            groups.iter().map(|group| group.iter().map(|of| of.os_id).collect()).collect();
        assert_eq!(numbers, [vec![5, 4], vec![3]]);
        assert_eq!(
            groups.iter().map(|group| doing(group[0])).collect::<Vec<_>>(),
            ["waits for a lock (Monitor)", "runs"]
        );
    }
}
