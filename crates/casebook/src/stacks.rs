//! `casebook stacks`: what every managed thread is doing now.
//!
//! It runs the sampler for a moment and reads the session, which ends with the names of methods, as a recording. The last
//! sample of each thread is its current stack.

use crate::format::{Format, print_json};
use crate::outputs::Outputs;
use crate::stopping::{self, Stopping};
use crate::target::{self, Target};
use crate::terminal;
use anyhow::{Context, bail, ensure};
use base::time::{Deadline, Stopwatch};
use dotnet_ipc::session::{NAMES_RUNDOWN, Received, Request, Session};
use model::{Sym, Trace};
use recorder::Subject;
use recorder::profile::{heartbeat, sampler};
use runtime::{Owner, StackIndex};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use text::stacks::{Frames, Stacks, Thread};

/// How long a session has to begin.
const BEGIN: Duration = Duration::from_secs(5);
/// How long the sampler runs: long enough for dozens of samples of each thread.
const SAMPLED: Duration = Duration::from_millis(150);
/// The maximum size of the session that is read: room for the names of a million methods.
const MAX_BYTES: usize = 512 << 20;
/// The maximum size of the session in memory, where it is compressed. Names compress to an eighth or less.
const MAX_PACKED: usize = 64 << 20;
/// The level of compression, as for recordings.
const LEVEL: i32 = -1;
/// How much memory the runtime may use for events that we have not read yet.
const BUFFER_MEGABYTES: u32 = 128;
/// How many bytes are read at once.
const PIECE: usize = 256 << 10;

const AFTER_HELP: &str = "\
The largest group comes first. A thread in native code shows the managed frames that called it. Frames of .NET and its \
libraries between those of the service are counted only; --all shows them.

It works even if the thread pool or the locks of the process are stuck. A process that is stopped as a whole does not \
answer; after the time limit, a message says so.

Examples:
  casebook stacks -p 4711
  casebook stacks --name Orders --all
  casebook stacks -p 4711 --format json \\
    | jq '.threads[] | select(.frames[0] | test(\"Monitor\"))'";

/// Print the current stack of every managed thread, equal stacks grouped
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Show all frames of each stack, with those of .NET and its libraries, the parameters of methods, and the numbers of all
    /// threads
    #[arg(long, visible_alias = "full")]
    all: bool,
    /// How long it may take in all
    // `--limit` is its old name; elsewhere that is a number of rows.
    #[arg(long, alias = "limit", value_name = "TIME", default_value = "30s", value_parser = crate::duration::parse)]
    timeout: Duration,
    #[command(flatten)]
    outputs: Outputs,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let subject = args.target.find(args.outputs.rules(), &|| true)?;
    ensure!(
        !subject.suspended,
        "the process waits at its start until it is resumed, so it has no managed threads yet"
    );
    let packed = take(&subject, Deadline::after(args.timeout), args.timeout)?;
    let options = import::Options { payloads: false, threads: 1 };
    let unpacked = zstd::stream::read::Decoder::new(packed.as_slice())?;
    let evidence = import::open_stream(unpacked, &subject.name, options)?;
    let recording = evidence.into_trace().context("expected a trace")?;
    let stacks = last_stacks(&recording);
    if stacks.threads.is_empty() {
        bail!(
            "the sampler saw no managed thread within {:?}: the runtime is paused (a GC that does not end, or a \
             debugger), or it has no sampler (Native AOT)",
            args.timeout
        );
    }
    match args.format {
        Format::Json => print_json(&stacks)?,
        Format::Text => {
            let frames = if args.all { Frames::All } else { Frames::First };
            let process = target::process(&subject);
            terminal::print(&text::stacks::text(&stacks, &process, frames, terminal::width()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The bytes of a short session, compressed.
fn take(subject: &Subject, deadline: Deadline, limit: Duration) -> anyhow::Result<Vec<u8>> {
    let providers = vec![sampler(), heartbeat()];
    let request = Request { providers, buffer_megabytes: BUFFER_MEGABYTES, rundown: NAMES_RUNDOWN };
    let mut reserve = Some(stopping::reserve()?);
    let mut session = Session::start(&subject.endpoint, &request, deadline.within(BEGIN))?;
    let mut packer = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
    let (mut bytes, mut piece) = (0usize, vec![0; PIECE]);
    let watch = Stopwatch::start();
    let mut stopping = None;
    loop {
        if let Some(reserve) = reserve.take_if(|_| watch.elapsed() >= SAMPLED) {
            stopping = Some(stopping::stop(&session, reserve, deadline)?);
        }
        stopping.iter_mut().try_for_each(Stopping::check)?;
        if deadline.is_past() {
            // The stacks come first, so they may be there without the names. Dropping the session ends it.
            ensure!(bytes > 0, "the runtime sent nothing within {limit:?}: it is stopped");
            terminal::say("not all names of methods arrived in time: some are missing");
            break;
        }
        match session.read(&mut piece, Duration::from_millis(20))? {
            Received::Bytes(len) => {
                packer.write_all(piece.get(..len).unwrap_or_default())?;
                bytes = bytes.saturating_add(len);
                if bytes > MAX_BYTES || packer.get_ref().len() > MAX_PACKED {
                    // The stacks came first, so only names are missing.
                    let megabytes = bytes / 1_000_000;
                    terminal::say(&format!(
                        "names of methods are missing: the runtime sent more than the {megabytes} MB that were read"
                    ));
                    break;
                }
            }
            Received::Nothing => {}
            Received::End => break,
        }
    }
    Ok(packer.finish()?)
}

/// The stack of each thread in its last sample.
fn last_stacks(recording: &Trace) -> Stacks {
    let samples = &recording.samples;
    let mut last: BTreeMap<i64, usize> = BTreeMap::new();
    for (at, thread) in samples.thread.iter().enumerate() {
        if let Some(id) = recording.thread_ids.get(*thread) {
            last.insert(*id, at);
        }
    }
    let index = StackIndex::new(recording);
    let text = |sym: Sym| recording.strings.get(sym).unwrap_or_default().to_owned();
    let mut threads = Vec::new();
    for (os_id, at) in last {
        let Some(row) = samples.row(at) else { continue };
        let of_thread = recording.threads.thread.iter().position(|thread| *thread == os_id);
        let of_thread = of_thread.and_then(|at| recording.threads.row(at));
        let frames = recording.stacks.walk(row.stack).filter_map(|node| {
            let frame = *recording.stacks.frame.get(node)?;
            let name = recording.frames.name.get(frame)?;
            Some((text(*name), index.owner(frame) == Owner::User))
        });
        let (frames, mine) = frames.unzip();
        threads.push(Thread {
            os_id,
            name: of_thread.map(|of| text(of.name)).unwrap_or_default(),
            kind: of_thread.map(|of| text(of.kind)).unwrap_or_default(),
            state: text(row.state),
            waiting_on: recording.strings.get(row.waiting_on).map(str::to_owned),
            frames,
            mine,
        });
    }
    Stacks { threads }
}
