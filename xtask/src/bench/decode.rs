//! Reading traces: walking their events, making tables of them, and what other readers take for the same.

use super::figures::{median, timed};
use super::long_trace;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use nettrace::{Decoder, Event, Gap, Limits, Sink, StreamHeader};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Read};

/// Size of the long trace.
const LONG: u64 = 500_000_000;
/// The short trace that the long one repeats: a healthy service under load, with samples and activities.
const SHORT: &str = "req-healthy-ado";
/// Labelled captures that are measured by themselves.
const LABELLED: [&str; 6] =
    ["leak-cache", "healthy-json", "req-starve", "logs-flood", "jit-heavy", "gc-induced"];
const ROUNDS: usize = 5;

/// Counts events and touches what they point to.
#[derive(Debug, Default)]
struct Count {
    events: u64,
    bytes: u64,
}

impl Sink for Count {
    fn stream(&mut self, _header: &StreamHeader) {}

    fn event(&mut self, event: &Event<'_>) {
        self.events += 1;
        self.bytes += event.payload.len() as u64;
    }

    fn gap(&mut self, _gap: Gap) {}
}

/// Walks the events of the long trace.
pub(crate) fn scan(workspace: &Workspace) -> Result<()> {
    let Some(path) = long_trace_file(workspace)? else { return Ok(()) };
    let (bytes, read) = timed(|| std::fs::read(&path));
    let bytes = bytes?;
    let size = bytes.len() as f64;
    let copies = (0..ROUNDS).map(|_| timed(|| std::hint::black_box(bytes.clone())).1).collect();
    let mut events = 0;
    let scans = (0..ROUNDS).map(|_| {
        let (count, seconds) = timed(|| {
            let mut count = Count::default();
            let mut decoder = Decoder::new(Limits::USUAL);
            let done = decoder.push(&bytes, &mut count);
            done.and_then(|()| decoder.finish(&mut count)).map(|_| std::hint::black_box(count))
        });
        events = count.map_or(0, |count| count.events);
        seconds
    });
    let scan = median(scans.collect());
    println!("# scan: {:.0} MB, {events} events, walked in order of time on one core", size / 1e6);
    println!("walk       {:>7.0} MB/s  {:>5.1} ns an event", size / scan / 1e6, scan / events as f64 * 1e9);
    println!("copying    {:>7.0} MB/s  (the memory's limit)", size / median(copies) / 1e6);
    println!("file read  {:>7.0} MB/s  (the file's limit)", size / read / 1e6);
    Ok(())
}

/// Reads captures into tables, beside TraceEvent.
pub(crate) fn decode(workspace: &Workspace) -> Result<()> {
    println!(
        "# decode: recordings into all tables; TraceEvent's one pass (raw) and its full conversion (log)"
    );
    println!(
        "{:<16} {:>6} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7} {:>8}",
        "", "MB", "1 core s", "2 cores s", "raw s", "log s", "raw/1", "log/1", "mem/tab"
    );
    for (name, path) in recordings(workspace)? {
        let one: Vec<Value> = (0..ROUNDS).map(|_| reading(&path, 1)).collect::<Result<_>>()?;
        let two: Vec<Value> = (0..ROUNDS).map(|_| reading(&path, 2)).collect::<Result<_>>()?;
        let (raw, log) = trace_event(workspace, &path)?;
        let seconds =
            |list: &[Value]| median(list.iter().filter_map(|one| one["seconds"].as_f64()).collect());
        let (one_core, two_cores) = (seconds(&one), seconds(&two));
        let memory = |list: &[Value]| {
            list.iter()
                .filter_map(|one| Some(one["peak"].as_f64()? / one["tables"].as_f64()?))
                .fold(0.0, f64::max)
        };
        println!(
            "{name:<16} {:>6.0} {one_core:>9.3} {two_cores:>9.3} {raw:>9.3} {log:>9.3} {:>6.1}x {:>6.1}x {:>8.2}",
            std::fs::metadata(&path)?.len() as f64 / 1e6,
            raw / one_core,
            log / one_core,
            memory(&one),
        );
    }
    Ok(())
}

/// The labelled captures, unpacked, and the long trace, each with its name.
pub(super) fn recordings(workspace: &Workspace) -> Result<Vec<(String, Utf8PathBuf)>> {
    let mut files = Vec::new();
    for name in LABELLED {
        files.extend(unpacked(workspace, name)?.map(|path| (name.to_owned(), path)));
    }
    files.extend(long_trace_file(workspace)?.map(|path| (String::from("long"), path)));
    if files.is_empty() {
        println!("no captures beside the workspace: nothing to measure");
    }
    Ok(files)
}

/// Reads a file once and prints seconds, the tables' size and the peak of this process's memory.
pub(crate) fn once(file: &str, threads: usize) -> Result<()> {
    let options = import::Options { payloads: false, threads };
    let (recording, seconds) = timed(|| import::open(Utf8Path::new(file).as_std_path(), options));
    let recording = recording?.into_trace().context("expected a trace")?;
    let tables = recording.size_bytes();
    println!(
        "{}",
        json!({"seconds": seconds, "tables": tables, "peak": peak_bytes()?, "events": recording.events.len()})
    );
    Ok(())
}

/// The most memory that this process ever had, from the kernel's account of it.
fn peak_bytes() -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("cannot read the process's own status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in it")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

/// A reading in a process of its own, so that its memory is its own.
fn reading(path: &Utf8Path, threads: usize) -> Result<Value> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.args(["bench", "--once", path.as_str(), &threads.to_string()]);
    let output = command.output().context("cannot start the reading")?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Seconds that TraceEvent takes: its one pass, and its full conversion.
fn trace_event(workspace: &Workspace, path: &Utf8Path) -> Result<(f64, f64)> {
    let peer = workspace.root.join("../shared/peers/peer");
    let answer = workspace.target.join("bench/oracle.json");
    let output = workspace.command(&peer).args(["oracle", path.as_str(), answer.as_str()]).output()?;
    if !output.status.success() {
        bail!("TraceEvent cannot read {path}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let answer: Value = serde_json::from_slice(&std::fs::read(&answer)?)?;
    let seconds = |name: &str| answer["seconds"][name].as_f64().unwrap_or(f64::NAN);
    Ok((seconds("raw"), seconds("log")))
}

/// A labelled capture, unpacked; none where there are no captures.
pub(super) fn unpacked(workspace: &Workspace, name: &str) -> Result<Option<Utf8PathBuf>> {
    let packed = workspace.root.join(format!("../shared/captures/labelled/{name}.nettrace.zst"));
    if !packed.exists() {
        return Ok(None);
    }
    let folder = workspace.target.join("bench");
    let path = folder.join(format!("{name}.nettrace"));
    if !path.exists() {
        std::fs::create_dir_all(&folder)?;
        let mut reader = zstd::stream::read::Decoder::new(File::open(&packed)?)?;
        reader.window_log_max(27)?;
        let part = folder.join(format!("{name}.part"));
        std::io::copy(&mut reader, &mut File::create(&part)?)?;
        std::fs::rename(&part, &path)?;
    }
    Ok(Some(path))
}

/// The long trace, made on first use.
fn long_trace_file(workspace: &Workspace) -> Result<Option<Utf8PathBuf>> {
    let Some(short) = unpacked(workspace, SHORT)? else {
        println!("no captures beside the workspace: the long trace cannot be made");
        return Ok(None);
    };
    let path = short.with_file_name("long.nettrace");
    if !path.exists() {
        let mut input = Vec::new();
        File::open(&short)?.read_to_end(&mut input)?;
        let part = short.with_file_name("long.part");
        let mut out = BufWriter::new(File::create(&part)?);
        long_trace::write(&input, LONG, &mut out)?;
        drop(out);
        std::fs::rename(&part, &path)?;
    }
    Ok(Some(path))
}
