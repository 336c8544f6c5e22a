//! `casebook demo`: explains recordings that are built into the program and, if the user agrees, one of a live process.

use crate::completions::candidates;
use crate::outputs::Outputs;
use crate::serving::{self, Site};
use crate::target::{self, Chosen};
use crate::{ps, reading, record, terminal};
use anyhow::{Context, ensure};
use import::{Options, ProcessChoice};
use model::Evidence;
use page::{Pages, Tour};
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// How long a live process is recorded.
const LIVE: &str = "10s";
/// The profile for a live process: the one that costs it least.
const LIVE_PROFILE: &str = "light";
/// How many live processes are offered.
const OFFERED: usize = 9;

const AFTER_HELP: &str = "\
Examples:
  casebook demo                # explains, then serves pages until Ctrl-C
  casebook demo -p 4711        # the same, with a live process too
  casebook demo --once         # builds every page once and exits";

/// Take a tour: real recordings, explained, and their pages in the browser
///
/// If .NET processes are running that you may inspect, it offers to record one for 10 s with the profile `light` and to show
/// that too. It asks before it records; without a terminal it records only what -p names.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Build every page once, print how long that took, and exit
    #[arg(long)]
    once: bool,
    /// Record this process for 10 s, and show it too; a word is taken for its name
    #[arg(short, long, value_name = "PID", value_parser = target::chosen, add = candidates::pids(target::is_name))]
    pid: Option<Chosen>,
    #[command(flatten)]
    outputs: Outputs,
    #[command(flatten)]
    serving: serving::Where,
}

/// A recording that is built in. fixtures/README.md says where it comes from.
struct Bundled {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    /// Pages to look at first: the address and the words of the link.
    views: &'static [(&'static str, &'static str)],
    bytes: &'static [u8],
}

const BUNDLED: [Bundled; 4] = [
    Bundled {
        name: "starvation",
        title: "A service that answers slowly, on an idle machine",
        about: "100 clients call a handler that waits for its own asynchronous work with .Result. \
                Look at the waiting threads, and at the queue.",
        views: &[
            ("stacks?metric=waiting&on=task&thread=pool", "Waiting threads"),
            ("threads", "The thread pool and its queue"),
        ],
        bytes: include_bytes!("../../../fixtures/starvation.nettrace.zst"),
    },
    Bundled {
        name: "lock",
        title: "More clients, but no more throughput",
        about: "Every request takes the same lock and holds it for 2 ms. Look at the flame graph of lock waits, and at the \
                latency of requests.",
        views: &[("stacks?metric=contention-time", "Lock waits"), ("requests", "Requests")],
        bytes: include_bytes!("../../../fixtures/lock.nettrace.zst"),
    },
    Bundled {
        name: "leak",
        title: "Memory that only grows",
        about: "A cache that never removes anything. Look at the size of the heap after each full GC, and at the types \
                that are allocated.",
        views: &[("gc", "The heap over time"), ("allocations", "Allocated types")],
        bytes: include_bytes!("../../../fixtures/leak.nettrace.zst"),
    },
    Bundled {
        name: "healthy",
        title: "A healthy service",
        about: "The same service, recorded with the profile named light, which costs it next to nothing. Nothing is wrong, and this \
                is what that looks like.",
        views: &[("gc", "The heap over time"), ("threads", "The thread pool and its queue")],
        // The smallest one of a healthy service: all of them are a fifth of the program.
        bytes: include_bytes!("../../../fixtures/demo/light-healthy.nettrace.zst"),
    },
];

impl Site for Tour {
    fn answer(&self, path: &str, query: &[(String, String)]) -> page::Reply {
        Self::answer(self, path, query)
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut tour = Tour::default();
    // A process that is named is recorded first, so that a mistake shows at once.
    let mut live = args.pid.as_ref().map(|chosen| Live::record(chosen.pid()?, args.outputs)).transpose()?;
    for case in &BUNDLED {
        let begun = now();
        let file = format!("{}.nettrace.zst", case.name);
        let recording = read(case.bytes, &file).with_context(|| format!("cannot read the bundled {file}"))?;
        let pages = Pages::new(recording)?;
        print_verdict(case.title, &pages, begun)?;
        tour.add(case.name, case.title, case.about, case.views, pages);
    }
    if live.is_none()
        && !args.once
        && let Some(pid) = chosen_process()?
    {
        live = Some(Live::record(pid, args.outputs)?);
    }
    if let Some(live) = live {
        live.add_to(&mut tour)?;
    }
    if args.once {
        return build_once(&tour);
    }
    serving::serve(tour, &args.serving)
}

/// Reads a recording that is compressed with zstd.
fn read(packed: &[u8], file: &str) -> anyhow::Result<Evidence> {
    /// The window that the fixtures were compressed with, as a power of two.
    const WINDOW_LOG: u32 = 27;
    let mut reader = zstd::stream::read::Decoder::new(packed)?;
    reader.window_log_max(WINDOW_LOG)?;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(import::open_bytes(&bytes, file, Options { payloads: true, threads: 2 })?)
}

/// Prints the verdict of a recording, and how long it took to read.
fn print_verdict(title: &str, pages: &Pages, begun: Instant) -> anyhow::Result<()> {
    let events = pages.tables().table("events").map_or(0, |table| table.rows);
    let took = now().duration_since(begun).as_secs_f64();
    let verdict = pages.explanation().verdict.as_ref().map_or("", |verdict| &verdict.text);
    let verdict = text::printable(verdict);
    let events = report::unit::show(base::number::count(events), "");
    Ok(terminal::print_sentences(&format!("{title} ({events} events, {took:.1} s)\n  {verdict}\n\n"))?)
}

/// Builds every page, and fails if one cannot be built.
fn build_once(tour: &Tour) -> anyhow::Result<ExitCode> {
    let begun = now();
    let addresses = tour.addresses();
    let mut bytes = 0;
    for address in &addresses {
        let reply = tour.answer(address, &[]);
        ensure!(reply.status == 200, "the page {address} answers with {}", reply.status);
        bytes += reply.body.len();
    }
    let took = now().duration_since(begun).as_secs_f64();
    let pages = addresses.len();
    let megabytes = report::unit::show(base::number::count(bytes), "B");
    terminal::print_sentences(&format!(
        "{pages} pages, {megabytes}, built in {took:.1} s. Without --once they are served.\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Lists the processes that can be recorded, and asks which one to record.
fn chosen_process() -> anyhow::Result<Option<u32>> {
    let live = ps::running();
    if live.is_empty() {
        return Ok(None);
    }
    if !std::io::stdin().is_terminal() {
        let names: Vec<String> =
            live.iter().take(OFFERED).map(|row| format!("{} ({})", row.name, row.pid)).collect();
        terminal::say(&format!(
            "running now: {}; to record one of them too: casebook demo -p PID",
            names.join(", ")
        ));
        return Ok(None);
    }
    let mut out = terminal::stderr();
    writeln!(out, "Running now:")?;
    for (number, row) in live.iter().take(OFFERED).enumerate() {
        writeln!(out, "  {}  {} ({})", number + 1, text::printable(&row.name), row.pid)?;
    }
    write!(
        out,
        "Record one for {LIVE} with the profile {LIVE_PROFILE}, into this folder? Its number, or Enter for none: "
    )?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    let chosen = answer.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    Ok(chosen.and_then(|at| live.get(at)).map(|row| row.pid))
}

/// A process that was recorded for the tour.
struct Live {
    pid: u32,
    folder: PathBuf,
}

impl Live {
    /// Records a process into the current folder.
    fn record(pid: u32, outputs: Outputs) -> anyhow::Result<Self> {
        let folder = free_name(Path::new(&format!("demo-{pid}")));
        record::of_process(pid, LIVE, LIVE_PROFILE, &folder, outputs)?;
        Ok(Self { pid, folder })
    }

    fn add_to(&self, tour: &mut Tour) -> anyhow::Result<()> {
        let begun = now();
        let recording = reading::open(&self.folder, true, ProcessChoice::MostSampled)?;
        let title = format!("Live: process {}", self.pid);
        let about = format!("Recorded just now; the recording stays in {}.", self.folder.display());
        let pages = Pages::new(recording)?;
        print_verdict(&title, &pages, begun)?;
        tour.add("live", &title, &about, &[("stacks", "Flame graph"), ("gc", "GC")], pages);
        Ok(())
    }
}

/// The path with the first number that makes it free. The path itself if all are taken: `record` then refuses it.
fn free_name(base: &Path) -> PathBuf {
    let numbered = (2..1000).map(|number| PathBuf::from(format!("{}-{number}", base.display())));
    std::iter::once(base.to_path_buf())
        .chain(numbered)
        .find(|path| path.symlink_metadata().is_err())
        .unwrap_or_else(|| base.to_path_buf())
}

#[expect(clippy::disallowed_methods, reason = "the user sees how long it took")]
fn now() -> Instant {
    Instant::now()
}
