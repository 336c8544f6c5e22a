//! `stacks`: what every managed thread does now.
//!
//! A short session of the sampler, with the names of methods behind it, is read as a recording; the last sample of each
//! thread is its stack now. Equal stacks are one group.

use crate::format::print_json;
use crate::target::Target;
use crate::textpage::printable;
use anyhow::{Context, bail, ensure};
use base::time::{Deadline, Stopwatch};
use clap::builder::styling::Style;
use dotnet_ipc::session::{NAMES_RUNDOWN, Received, Request, Session};
use model::{Sym, Trace};
use recorder::Subject;
use recorder::profile::{heartbeat, sampler};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

const HEADING: Style = Style::new().bold();
/// How long a session has to begin.
const BEGIN: Duration = Duration::from_secs(5);
/// How long the sampler looks: time for dozens of looks.
const LOOK: Duration = Duration::from_millis(150);
/// Bytes of a session that are kept: names of a million methods.
const MOST_BYTES: usize = 512 << 20;
/// How much memory the runtime may take for the names of its methods.
const BUFFER_MEGABYTES: u32 = 128;
/// Bytes read at once.
const PIECE: usize = 256 << 10;
/// Frames of a stack that are shown to people unless all are asked for.
const MOST_FRAMES: usize = 24;

const AFTER_HELP: &str = "\
Groups stand longest first: the most threads with one and the same stack. A thread that runs native code shows the
managed frames below it. It works on a process whose thread pool or locks are stuck; one that is stopped as a whole
gives no answer, and that is said after the limit.

Examples:
  casebook stacks -p 4711
  casebook stacks --name Orders --all
  casebook stacks -p 4711 --format json | jq -r '.threads[] | select(.frames[0] | test(\"Monitor\")) | .os_id'";

/// What every managed thread does now, equal stacks together
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Show all frames of each stack
    #[arg(long)]
    all: bool,
    /// How long to wait in all
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = crate::duration::parse)]
    limit: Duration,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

/// Forms of the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people
    #[default]
    Text,
    /// One JSON document
    Json,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let subject = args.target.find(&|| true)?;
    ensure!(
        !subject.suspended,
        "the process waits at its start to be resumed: no managed thread runs in it yet"
    );
    let bytes = take(&subject, Deadline::after(args.limit), args.limit)?;
    let options = import::Options { payloads: false, threads: 1 };
    let evidence = import::open_bytes(&bytes, &subject.name, options)?;
    let recording = evidence.into_trace().context("expected a trace")?;
    let stacks = Stacks::of(&recording);
    if stacks.threads.is_empty() {
        bail!(
            "the sampler saw no managed thread within {} s: the runtime stands still (a collection that does not end, \
             or a debugger), or it has no sampler (Native AOT)",
            args.limit.as_secs()
        );
    }
    match args.format {
        Form::Json => print_json(&stacks)?,
        Form::Text => anstream::stdout().write_all(text(&stacks, &subject, args.all).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The bytes of a short session.
fn take(subject: &Subject, deadline: Deadline, limit: Duration) -> anyhow::Result<Vec<u8>> {
    let providers = vec![sampler(), heartbeat()];
    let request = Request { providers, buffer_megabytes: BUFFER_MEGABYTES, rundown: NAMES_RUNDOWN };
    let mut session = Session::start(&subject.endpoint, &request, deadline.within(BEGIN))?;
    let stopper = session.stopper();
    let (mut bytes, mut piece) = (Vec::new(), vec![0; PIECE]);
    let watch = Stopwatch::start();
    let mut stopped = false;
    loop {
        if !stopped && watch.elapsed() >= LOOK {
            stopped = true;
            let stopper = stopper.clone();
            // The answer comes after the stream, which shows the end as well.
            std::thread::Builder::new()
                .name("stop".to_owned())
                .spawn(move || drop(stopper.stop(deadline)))?;
        }
        if deadline.is_past() {
            // What came until then may hold the stacks, though not the names; closing the session ends it.
            ensure!(
                !bytes.is_empty(),
                "nothing came from the runtime within {} s: it stands still",
                limit.as_secs()
            );
            crate::record::tell("the names of methods did not come in time: some are missing");
            return Ok(bytes);
        }
        match session.read(&mut piece, Duration::from_millis(20))? {
            Received::Bytes(len) => {
                bytes.extend_from_slice(piece.get(..len).unwrap_or_default());
                ensure!(
                    bytes.len() <= MOST_BYTES,
                    "the runtime sent more than {} MB of names",
                    MOST_BYTES >> 20
                );
            }
            Received::Nothing => {}
            Received::End => return Ok(bytes),
        }
    }
}

#[derive(Debug, Serialize)]
struct Stacks {
    threads: Vec<Thread>,
}

#[derive(Debug, Serialize)]
struct Thread {
    os_id: i64,
    name: String,
    /// What it is for: `pool`, `timer` …
    kind: String,
    /// `running`, `waiting`, `external`.
    state: String,
    waiting_on: Option<String>,
    /// The innermost first.
    frames: Vec<String>,
}

impl Stacks {
    /// The last sample of each thread.
    fn of(recording: &Trace) -> Self {
        let samples = &recording.samples;
        let mut last: BTreeMap<i64, usize> = BTreeMap::new();
        for (at, thread) in samples.thread.iter().enumerate() {
            if let Some(id) = recording.thread_ids.get(*thread as usize) {
                last.insert(*id, at);
            }
        }
        let text = |sym: Sym| recording.strings.get(sym).unwrap_or_default().to_owned();
        let mut threads = Vec::new();
        for (os_id, at) in last {
            let Some(row) = samples.row(at) else { continue };
            let of_thread = recording.threads.thread.iter().position(|thread| *thread == os_id);
            let of_thread = of_thread.and_then(|at| recording.threads.row(at));
            let frames = recording.stacks.walk(row.stack).filter_map(|node| {
                let frame = recording.stacks.frame.get(node as usize)?;
                recording.frames.name.get(*frame as usize).map(|name| text(*name))
            });
            threads.push(Thread {
                os_id,
                name: of_thread.map(|of| text(of.name)).unwrap_or_default(),
                kind: of_thread.map(|of| text(of.kind)).unwrap_or_default(),
                state: text(row.state),
                waiting_on: recording.strings.get(row.waiting_on).map(str::to_owned),
                frames: frames.collect(),
            });
        }
        Self { threads }
    }

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
        Some("event") => "waits for an event",
        Some("process") => "waits for another process",
        Some("timer") => "waits for the next timer",
        Some("gc") => "waits for the collector",
        Some(other) => return format!("waits: {other}"),
        None if thread.state == "running" => "runs",
        None if thread.state == "waiting" => "waits",
        None => "is outside managed code",
    };
    waits.to_owned()
}

fn text(stacks: &Stacks, subject: &Subject, all: bool) -> String {
    let groups = stacks.groups();
    let mut out = String::new();
    let pid = subject.pid.map_or(subject.container_pid, u64::from);
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let heading = format!(
        "{} (process {pid}): {} in {}",
        printable(&subject.name),
        plural(stacks.threads.len(), "managed thread"),
        plural(groups.len(), "group")
    );
    out.extend([format!("{HEADING}{heading}{HEADING:#}\n")]);
    for group in &groups {
        let Some(first) = group.first() else { continue };
        let kinds: std::collections::BTreeSet<&str> = group.iter().map(|of| of.kind.as_str()).collect();
        let kinds: Vec<&str> = kinds.into_iter().filter(|kind| !kind.is_empty()).collect();
        let of_kind = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        let numbers: Vec<String> = group.iter().take(8).map(|of| of.os_id.to_string()).collect();
        let more = if group.len() > 8 { ", …" } else { "" };
        let head = format!("{}{of_kind}: {}", plural(group.len(), "thread"), doing(first));
        out.extend([format!("\n{HEADING}{head}{HEADING:#}  {}{more}\n", numbers.join(", "))]);
        let shown = if all { first.frames.len() } else { MOST_FRAMES };
        for frame in first.frames.iter().take(shown) {
            // What a method takes tells little at a glance.
            let frame = if all {
                frame.as_str()
            } else {
                frame.split_once('(').map_or(frame.as_str(), |(name, _)| name)
            };
            out.extend([format!("    {}\n", printable(frame))]);
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
