//! `casebook demo`: recordings that the program carries, explained, and one of a live process where its user wants it.

use crate::outputs::Outputs;
use crate::serving::{self, Site};
use crate::{ps, reading, record, terminal};
use anyhow::{Context, ensure};
use import::{Options, Process};
use model::Evidence;
use page::{Pages, Tour};
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// How long a live process is recorded.
const LIVE: &str = "10s";
/// The profile that a live process is recorded with: the one that costs it least.
const LIVE_PROFILE: &str = "light";
/// Live processes that are offered.
const OFFERED: usize = 9;

/// A tour: explains real recordings that the program carries, and serves the pages that show them
///
/// Where a .NET process runs that can be reached, it offers to record it for 10 s with the profile `light` and to show that
/// too; it asks first. Without a terminal it records none, unless -p names it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  casebook demo                    # explains, then serves pages until Ctrl-C\n  casebook demo -p 4711            # with a live process, recorded for 10 s\n  casebook demo --once             # builds every page once and exits"
)]
pub(crate) struct Args {
    /// Build every page once, say how long it took, and exit
    #[arg(long)]
    once: bool,
    /// Record this process for 10 s and show it too
    #[arg(short, long, value_name = "PID")]
    pid: Option<u32>,
    #[command(flatten)]
    outputs: Outputs,
    #[command(flatten)]
    serving: serving::Where,
}

/// A recording that the program carries. Where it is from stands in fixtures/README.md.
struct Bundled {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    views: &'static [(&'static str, &'static str)],
    bytes: &'static [u8],
}

const BUNDLED: [Bundled; 4] = [
    Bundled {
        name: "starvation",
        title: "A service that answers nobody, on an idle machine",
        about: "100 clients ask a handler that waits for its own asynchronous work with .Result. \
                Look at the threads that wait, and at the queue.",
        views: &[
            ("stacks?metric=waiting&on=task&thread=pool", "Threads that wait"),
            ("threads", "The pool and its queue"),
        ],
        bytes: include_bytes!("../../../fixtures/starvation.nettrace.zst"),
    },
    Bundled {
        name: "lock",
        title: "More clients, no more answers",
        about: "Every request takes the same lock and holds it for 2 ms. Look at the flame graph of the time waited for \
                locks, and at the latency of requests.",
        views: &[("stacks?metric=contention-time", "Time waited for locks"), ("requests", "Requests")],
        bytes: include_bytes!("../../../fixtures/lock.nettrace.zst"),
    },
    Bundled {
        name: "leak",
        title: "Memory that only grows",
        about: "A cache that forgets nothing. Look at what the heap keeps after each full collection, and at the types \
                that are allocated.",
        views: &[("gc", "The heap over time"), ("allocations", "Types allocated")],
        bytes: include_bytes!("../../../fixtures/leak.nettrace.zst"),
    },
    Bundled {
        name: "healthy",
        title: "A healthy service",
        about: "The same service reads orders from its database. Nothing is wrong: this is how that looks.",
        views: &[("requests", "Requests"), ("stacks", "Flame graph")],
        bytes: include_bytes!("../../../fixtures/healthy.nettrace.zst"),
    },
];

impl Site for Tour {
    fn answer(&self, path: &str, query: &[(String, String)]) -> page::Reply {
        Self::answer(self, path, query)
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut tour = Tour::default();
    let mut live = args.pid.map(|pid| record_live(pid, args.outputs)).transpose()?;
    for case in &BUNDLED {
        let begun = now();
        let file = format!("{}.nettrace.zst", case.name);
        let recording = read(case.bytes, &file).with_context(|| format!("cannot read the bundled {file}"))?;
        let pages = Pages::new(recording)?;
        tell_of(case.title, &pages, begun)?;
        tour.add(case.name, case.title, case.about, case.views, pages);
    }
    if live.is_none()
        && !args.once
        && let Some(pid) = chosen_process()?
    {
        live = Some(record_live(pid, args.outputs)?);
    }
    if let Some((pid, out)) = live {
        add_live(&mut tour, pid, &out)?;
    }
    if args.once {
        return build_once(&tour);
    }
    serving::serve(tour, &args.serving)
}

/// Reads a recording that is packed with zstd.
fn read(packed: &[u8], file: &str) -> anyhow::Result<Evidence> {
    /// The window that the fixtures are packed with, as a power of two.
    const WINDOW_LOG: u32 = 27;
    let mut reader = zstd::stream::read::Decoder::new(packed)?;
    reader.window_log_max(WINDOW_LOG)?;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(import::open_bytes(&bytes, file, Options { payloads: true, threads: 2 })?)
}

/// Says what is wrong in a recording, in its verdict.
fn tell_of(title: &str, pages: &Pages, begun: Instant) -> anyhow::Result<()> {
    let events = pages.tables().table("events").map_or(0, |table| table.rows);
    let mut out = terminal::stdout();
    writeln!(out, "{title} ({events} events, {:.1} s)", now().duration_since(begun).as_secs_f64())?;
    let verdict = pages.explanation().verdict.as_ref();
    writeln!(out, "  {}\n", text::printable(verdict.map_or("", |verdict| &verdict.text)))?;
    Ok(())
}

/// Builds every page; a page that is none is an error.
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
    let mut out = terminal::stdout();
    writeln!(
        out,
        "{} pages, {bytes} bytes, built in {took:.1} s. Without --once they are served.",
        addresses.len()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The process to record, where one runs and its number is given when asked.
fn chosen_process() -> anyhow::Result<Option<u32>> {
    let live = ps::running();
    if live.is_empty() {
        return Ok(None);
    }
    let mut out = terminal::stderr();
    writeln!(out, "Running now:")?;
    for (number, (pid, name)) in live.iter().take(OFFERED).enumerate() {
        writeln!(out, "  {}  {} ({pid})", number + 1, text::printable(name))?;
    }
    if !std::io::stdin().is_terminal() {
        writeln!(out, "casebook demo -p PID records one of them too")?;
        return Ok(None);
    }
    write!(
        out,
        "Record one for {LIVE} with the profile {LIVE_PROFILE}, into this folder? Its number, or Enter for none: "
    )?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    let chosen = answer.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    Ok(chosen.and_then(|at| live.get(at)).map(|(pid, _)| *pid))
}

/// Records a process into a folder beside its user.
fn record_live(pid: u32, outputs: Outputs) -> anyhow::Result<(u32, PathBuf)> {
    let out = free_name(Path::new(&format!("demo-{pid}")));
    record::of_process(pid, LIVE, LIVE_PROFILE, &out, outputs)?;
    Ok((pid, out))
}

fn add_live(tour: &mut Tour, pid: u32, out: &Path) -> anyhow::Result<()> {
    let begun = now();
    let recording = reading::open(out, true, Process::MostSampled)?;
    let title = format!("Live: process {pid}");
    let about = format!("Recorded just now; the recording stays in {}.", out.display());
    let pages = Pages::new(recording)?;
    tell_of(&title, &pages, begun)?;
    tour.add("live", &title, &about, &[("stacks", "Flame graph"), ("gc", "GC")], pages);
    Ok(())
}

/// A name that nothing has yet.
fn free_name(base: &Path) -> PathBuf {
    let numbered = (2..1000).map(|number| PathBuf::from(format!("{}-{number}", base.display())));
    std::iter::once(base.to_path_buf())
        .chain(numbered)
        .find(|path| path.symlink_metadata().is_err())
        .unwrap_or_else(|| base.to_path_buf())
}

#[expect(clippy::disallowed_methods, reason = "how long it took is told to the user")]
fn now() -> Instant {
    Instant::now()
}
