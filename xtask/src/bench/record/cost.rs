//! What a recording costs a service that uses all its CPU cores: throughput with and without it.
//!
//! ```text
//!  recorder  ├ look before ┼ session ───────────────────────────────┤ end
//!  load      ├ not measured ────┤├ measured ──────────────────┤
//!            0            1.2 s or later: the recording has begun
//! ```
//!
//! Each variant is compared with `none` of its own round. The load runs on the same CPU cores as the service, and so does the
//! recorder: the CPU time that it uses is part of what the service loses.

use super::child::{Cpu, Running};
use super::lab::Lab;
use super::options::Options;
use super::rounds::{Scratch, Seeded, Spread};
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use base::time::{Deadline, Stopwatch};
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use import::Alongside;
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// From a recorder's start to the measured load at the least: it looks at the subject for a second before it records.
const BEFORE: Duration = Duration::from_millis(1200);
/// How long a recording may take to begin.
const BEGIN: Duration = Duration::from_secs(30);
/// Load that is not measured may last as long as a recording takes to begin.
const UNMEASURED_SECONDS: u32 = 40;
/// How long the service is warmed up: its code is compiled again while it runs.
const WARM_UP_SECONDS: u32 = 6;
/// What a recording lasts beyond the measured load, so that its end is not in it.
const BEYOND_SECONDS: u32 = 2;
/// How long a recorder may take beyond all that: dotnet-trace waits for the names of all methods.
const PATIENCE: Duration = Duration::from_mins(2);
/// The profile whose providers dotnet-trace gets.
const COMPARED: &str = "cpu";

/// Who records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    None,
    Profile(&'static str),
    DotnetTrace,
}

impl Variant {
    const ALL: [Self; 7] = [
        Self::None,
        Self::Profile("light"),
        Self::Profile("default"),
        Self::Profile(COMPARED),
        Self::Profile("requests"),
        Self::Profile("logs"),
        Self::DotnetTrace,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Profile(name) => name,
            Self::DotnetTrace => "dotnet-trace",
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
struct Measured {
    variant: Variant,
    throughput: f64,
    /// Processors that the recorder used meanwhile.
    cpu: f64,
    events: u64,
    lost: u64,
}

/// The service, and what records it.
struct Ground {
    lab: Lab,
    program: Utf8PathBuf,
    folder: Scratch,
    seconds: u32,
    /// What dotnet-trace is asked for.
    providers: String,
}

/// Measures all variants, round by round.
pub(super) fn cost(workspace: &Workspace, args: &Options) -> Result<()> {
    println!("# record cost: Orders under closed-loop load (wrk -t1 -c16, /json/400), recorded and not");
    let Some(lab) = Lab::start(workspace)? else { return Ok(()) };
    let folder = Scratch::make(workspace)?;
    let program = workspace.release_binary();
    let mut ground = Ground { lab, program, folder, seconds: args.seconds, providers: String::new() };
    let warm_up = ground.lab.load(WARM_UP_SECONDS)?;
    ground.providers = ground.compared_providers()?;
    warm_up.throughput()?;
    println!("{} rounds of {} s; seed {}", args.rounds, args.seconds, args.seed);
    let mut order = Seeded(args.seed);
    let mut rounds = Vec::new();
    for _ in 0..args.rounds {
        let mut variants = Variant::ALL;
        order.shuffle(&mut variants);
        let measured = variants.into_iter().map(|variant| ground.measure(variant));
        rounds.push(measured.collect::<Result<Vec<_>>>()?);
    }
    show(&rounds);
    Ok(())
}

impl Ground {
    fn measure(&self, variant: Variant) -> Result<Measured> {
        let unmeasured = self.lab.load(UNMEASURED_SECONDS)?;
        let watch = Stopwatch::start();
        let recorder = self.start(variant)?;
        if let Some((_, trace)) = &recorder {
            let deadline = Deadline::after(BEGIN);
            while !trace.exists() {
                let left = deadline.pause(Duration::from_millis(10));
                ensure!(left, "{} did not begin within {BEGIN:?}", variant.name());
            }
        }
        std::thread::sleep(BEFORE.saturating_sub(watch.elapsed()));
        drop(unmeasured);
        let used = || recorder.as_ref().map_or(Ok(0.0), |(running, _)| running.cpu().map(Cpu::sum));
        let (before, watch) = (used()?, Stopwatch::start());
        let throughput = self.lab.load(self.seconds)?.throughput()?;
        let cpu = (used()? - before) / watch.elapsed().as_secs_f64();
        let (events, lost) = match recorder {
            None => (0, 0),
            Some((running, trace)) => end(variant, running, &trace)?,
        };
        Ok(Measured { variant, throughput, cpu, events, lost })
    }

    /// Starts a recorder; gives the file whose coming says that the recording has begun.
    fn start(&self, variant: Variant) -> Result<Option<(Running, Utf8PathBuf)>> {
        let seconds = self.seconds + BEYOND_SECONDS;
        let (mut command, trace) = match variant {
            Variant::None => return Ok(None),
            Variant::Profile(profile) => {
                let out = self.folder.0.join(profile);
                (self.record(profile, seconds, &out), out.join("trace.nettrace.zst"))
            }
            Variant::DotnetTrace => {
                let out = self.folder.0.join("peer.nettrace");
                let mut command = self.lab.command("peers/peer");
                command.args(["dotnet-trace", "collect", "-p", &self.lab.pid.to_string()]);
                command.args(["--providers", &self.providers, "-o", out.as_str()]);
                let (minutes, seconds) = (seconds / 60, seconds % 60);
                command.args(["--duration", &format!("00:00:{minutes:02}:{seconds:02}")]);
                (command, out)
            }
        };
        // That of the round before would say that this one has begun.
        if trace.exists() {
            std::fs::remove_file(&trace)?;
        }
        Ok(Some((Running::start(&mut command)?, trace)))
    }

    fn record(&self, profile: &str, seconds: u32, out: &Utf8Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["record", "--force", "--format", "json", "-p", &self.lab.pid.to_string()]);
        command.args(["--profile", profile, "-d", &format!("{seconds}s"), "-o", out.as_str()]);
        command
    }

    /// The providers that a recording of the compared profile asked for, from its exhibit.
    fn compared_providers(&self) -> Result<String> {
        let out = self.folder.0.join(COMPARED);
        Running::start(&mut self.record(COMPARED, 1, &out))?.finish(PATIENCE)?;
        let exhibit = std::fs::read_to_string(out.join("exhibit.toml"))?;
        let list = exhibit.lines().find_map(|line| line.strip_prefix("main = "));
        let list = list.context("the exhibit names no providers")?;
        let providers: Vec<String> = serde_json::from_str(list).with_context(|| format!("in {list}"))?;
        Ok(providers.iter().map(|provider| for_dotnet_trace(provider)).collect::<Vec<_>>().join(","))
    }
}

/// Waits for a recorder's end; gives the events, and those that were lost.
fn end(variant: Variant, running: Running, trace: &Utf8Path) -> Result<(u64, u64)> {
    let done = running.finish(PATIENCE)?;
    if variant == Variant::DotnetTrace {
        let mut reader = Alongside::new(None);
        reader.take(&std::fs::read(trace)?);
        reader.end();
        return Ok((reader.along().events, reader.along().lost));
    }
    let document: Value = serde_json::from_slice(&done.stdout).context("the recorder printed no document")?;
    let figure = |name: &str| document[name].as_u64().with_context(|| format!("no {name} in {document}"));
    Ok((figure("events")?, figure("lost")?))
}

/// A provider as dotnet-trace takes it: it splits at every comma. The meters may have semicolons between them instead,
/// in quotes.
fn for_dotnet_trace(provider: &str) -> String {
    let quoted = |argument: &str| match argument.split_once('=') {
        Some((name, value)) if value.contains(',') => format!("{name}=\"{}\"", value.replace(',', ";")),
        _ => argument.to_owned(),
    };
    provider.split(';').map(quoted).collect::<Vec<_>>().join(";")
}

fn show(rounds: &[Vec<Measured>]) {
    let of = |variant: Variant| rounds.iter().flatten().filter(move |one| one.variant == variant);
    let figures = |variant: Variant| of(variant).map(|one| one.throughput);
    println!(
        "{:<14} {:>11} {:>22} {:>22} {:>10} {:>8}",
        "", "requests/s", "of none", "recorder's processors", "events", "lost"
    );
    for variant in Variant::ALL {
        println!(
            "{:<14} {:>11.0} {:>22} {:>22} {:>10} {:>8}",
            variant.name(),
            Spread::of(figures(variant)).median,
            Spread::of(figures(variant).zip(figures(Variant::None)).map(|(with, without)| with / without)),
            Spread::of(of(variant).map(|one| one.cpu)),
            of(variant).map(|one| one.events).sum::<u64>(),
            of(variant).map(|one| one.lost).sum::<u64>(),
        );
    }
    let (own, peer) = (Variant::Profile(COMPARED), Variant::DotnetTrace);
    let throughput = Spread::of(figures(own).zip(figures(peer)).map(|(own, peer)| own / peer));
    let cpu = Spread::of(of(own).zip(of(peer)).map(|(own, peer)| own.cpu / peer.cpu));
    println!("{COMPARED} beside dotnet-trace with its providers: throughput {throughput}, recorder {cpu}");
}

#[cfg(test)]
mod tests {
    use super::for_dotnet_trace;

    #[test]
    fn no_comma_is_left_in_a_provider() {
        let check = |provider, expected| assert_eq!(for_dotnet_trace(provider), expected);
        check("Microsoft-DotNETCore-SampleProfiler:0x0:5", "Microsoft-DotNETCore-SampleProfiler:0x0:5");
        check(
            "M:0x2:4:SessionId=SHARED;Metrics=A,B;Refresh=1",
            "M:0x2:4:SessionId=SHARED;Metrics=\"A;B\";Refresh=1",
        );
    }
}
