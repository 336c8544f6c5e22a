//! What every managed thread is doing now, grouped by equal stacks.

use crate::Width;
use crate::page::{hanging, keep_end, printable, wrap};
use crate::process::Process;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const HEADING: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
/// How many threads of a group [`Frames::First`] lists by their numbers.
const NUMBERS: usize = 8;
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
    /// Which of the frames are of the service's own code.
    #[serde(skip)]
    pub mine: Vec<bool>,
}

/// How much of each stack is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// The innermost frame and the service's own, without the parameters of methods; of the others, the number.
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
        // What we cause ourselves comes last.
        groups.sort_by_key(|group| {
            let first = group.first();
            let is_ours = first.is_some_and(|thread| hears_of_session(thread));
            (is_ours, std::cmp::Reverse(group.len()), first.map(|thread| thread.os_id))
        });
        groups
    }
}

/// Whether a thread tells the process's event sources about a diagnostics session: this one, as a rule.
fn hears_of_session(thread: &Thread) -> bool {
    let tells = ["Tracing.EventSource.DoCommand", "Tracing.EventPipeEventProvider.Callback"];
    thread.frames.iter().any(|frame| tells.iter().any(|tell| frame.contains(tell)))
}

/// Whether a thread waits for a lock, and not to be signalled.
fn waits_for_lock(thread: &Thread) -> bool {
    if hears_of_session(thread) {
        return false;
    }
    match thread.waiting_on.as_deref() {
        Some("lock") => true,
        Some("monitor") => !waits_for_signal(thread),
        _ => false,
    }
}

/// Whether a thread is in `Monitor.Wait`, which has released its lock.
fn waits_for_signal(thread: &Thread) -> bool {
    thread.frames.first().is_some_and(|innermost| innermost.contains("Monitor.Wait("))
}

/// Why the process may be stuck. `None` if something moves, or if fewer than two threads wait for locks.
fn stuck(threads: &[Thread]) -> Option<String> {
    let waiting = threads.iter().filter(|thread| waits_for_lock(thread)).count();
    let is_stuck = waiting > 1 && threads.iter().all(|thread| thread.state != "running");
    is_stuck.then(|| {
        format!(
            "{waiting} threads wait for locks and no thread runs. If the same threads still wait after a few seconds, it is \
             a deadlock, or the holder of the lock waits for something else. Which thread holds a lock is not known here: \
             look for one whose stack is inside a `lock`."
        )
    })
}

/// What a group does, in words.
fn doing(thread: &Thread) -> String {
    if hears_of_session(thread) {
        return "starts a diagnostics session, such as this one".to_owned();
    }
    if thread.waiting_on.as_deref() == Some("monitor") && waits_for_signal(thread) {
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
    let (groups, room) = (stacks.groups(), width.columns() - INDENT);
    let mut out = String::new();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let heading = format!(
        "{}: {} in {}",
        process.named(),
        plural(stacks.threads.len(), "managed thread"),
        plural(groups.len(), "group")
    );
    out.extend([format!("{HEADING}{}{HEADING:#}\n", hanging(&heading, width.prose(), INDENT))]);
    if let Some(stuck) = stuck(&stacks.threads) {
        let lines = wrap(&stuck, width.prose()).join("\n");
        out.extend([format!("\n{WARNING}{lines}{WARNING:#}\n")]);
    }
    for group in &groups {
        let Some(first) = group.first() else { continue };
        let kinds: BTreeSet<&str> = group.iter().map(|of| of.kind.as_str()).collect();
        let kinds: Vec<&str> = kinds.into_iter().filter(|kind| !kind.is_empty()).collect();
        let of_kind = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        let listed = if frames == Frames::All { group.len() } else { NUMBERS };
        let numbers: Vec<String> = group.iter().take(listed).map(|of| of.os_id.to_string()).collect();
        let more = group.len().saturating_sub(listed);
        let more = if more > 0 { format!(", … {more} more") } else { String::new() };
        let head = printable(&format!("{}{of_kind}: {}", plural(group.len(), "thread"), doing(first)));
        // Wrapped without colours, which have no width.
        let all = hanging(&format!("{head}  {}{more}", numbers.join(", ")), width.prose(), INDENT);
        let (head, numbers) = all.rsplit_once("  ").filter(|_| !all.contains('\n')).unwrap_or((&all, ""));
        out.extend([format!("\n{HEADING}{head}{HEADING:#}  {numbers}").trim_end(), "\n"]);
        let lines = match frames {
            Frames::All => first.frames.iter().flat_map(|of| signature(&printable(of), room)).collect(),
            Frames::First => folded(first, room),
        };
        out.extend(lines.into_iter().map(|line| format!("{:INDENT$}{line}\n", "")));
        if first.frames.is_empty() {
            out.push_str("    (no managed frame)\n");
        }
    }
    out
}

/// The innermost frame, which says what the thread does, and those of the service, without parameters. The others are
/// counted where they are, except a single one, whose name takes no more room than the count.
fn folded(thread: &Thread, room: usize) -> Vec<String> {
    let name = |frame: &str| {
        let name = frame.split_once('(').map_or(frame, |(name, _)| name);
        keep_end(&printable(name), room)
    };
    let is_mine = |at: usize| thread.mine.get(at).copied().unwrap_or(true);
    let (mut lines, mut at) = (Vec::new(), 0);
    while let Some(frame) = thread.frames.get(at).filter(|_| lines.len() < MAX_FRAMES) {
        let others = (at..thread.frames.len()).take_while(|at| *at > 0 && !is_mine(*at)).count();
        let more = others > 1;
        lines.push(if more { format!("… {others} frames of .NET and libraries") } else { name(frame) });
        at += others.max(1);
    }
    if at < thread.frames.len() {
        lines.push(format!("… {} more (--all)", thread.frames.len() - at));
    }
    lines
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
            mine: frames.iter().map(|frame| frame.starts_with("Shop!")).collect(),
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

    #[test]
    fn frames_between_those_of_the_service_are_counted_and_all_of_them_are_there_on_request() {
        let frames = [
            "System!Sleep(int32)",
            "Shop!Wait(int32)",
            "System!A()",
            "System!B()",
            "Shop!Main()",
            "System!C()",
        ];
        let stacks = Stacks { threads: vec![thread(7, Some("sleep"), &frames)] };
        let process = Process { name: "Shop", pid: 1, runtime: None, container: None };
        let shown = |frames| {
            let text = text(&stacks, &process, frames, Width::default());
            text.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect::<Vec<_>>()
        };
        let expected =
            ["System!Sleep", "Shop!Wait", "… 2 frames of .NET and libraries", "Shop!Main", "System!C"];
        assert_eq!(shown(Frames::First), expected);
        assert_eq!(shown(Frames::All), frames);
    }

    #[test]
    fn the_numbers_of_many_threads_are_counted_and_all_of_them_are_there_on_request() {
        let stacks = Stacks { threads: (1..=12).map(|of| thread(of, None, &["Shop!Run"])).collect() };
        let process = Process { name: "Shop", pid: 1, runtime: None, container: None };
        let shown = |frames| text(&stacks, &process, frames, Width::default());
        assert!(shown(Frames::First).contains("7, 8, … 4 more"), "{}", shown(Frames::First));
        assert!(shown(Frames::All).contains("8, 9, 10, 11, 12"), "{}", shown(Frames::All));
    }

    #[test]
    fn several_threads_that_wait_for_locks_while_none_runs_are_a_warning() {
        let entering = |os_id| {
            thread(
                os_id,
                Some("lock"),
                &["System.Private.CoreLib!System.Threading.Monitor.Enter(class System.Object)"],
            )
        };
        let signalled = thread(2, Some("monitor"), &["System!System.Threading.Monitor.Wait(int32)"]);
        let check = |threads: &[Thread], expected: Option<&str>| {
            let said = stuck(threads);
            assert_eq!(said.as_deref().and_then(|said| said.split(" and").next()), expected);
        };
        check(&[entering(1), signalled], None);
        check(&[entering(1), thread(2, Some("lock"), &[])], Some("2 threads wait for locks"));
        check(&[entering(1), entering(2), thread(3, None, &["Shop!Run"])], None);
        let ours = || {
            thread(
                4,
                Some("lock"),
                &["System!Enter", "System!Diagnostics.Tracing.EventSource.DoCommand(int32)"],
            )
        };
        check(&[entering(1), ours()], None);
        assert!(doing(&ours()).contains("diagnostics session"));
    }
}
