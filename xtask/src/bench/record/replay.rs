//! A stream of 100 MB/s recorded: what the recorder takes for it, and that it keeps every byte.
//!
//! The stream is a real capture made long; it comes from memory, so the sender's share of the machine is a copy. The
//! recorder's figures are those of its whole life: its start, its look at the subject before the recording, its last write.

use super::child::{Cpu, Running};
use super::options::Options;
use super::rounds::{Scratch, Seeded, Spread};
use super::runtime::{Runtime, Sent};
use crate::bench::figures::timed;
use crate::bench::{decode, long_trace};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use nettrace::{Decoder, Event, Gap, Limits, Sink, StreamHeader};
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The capture that is made long: a healthy service under load, with samples and activities.
const SHORT: &str = "req-healthy-ado";
const BYTES_PER_SECOND: u32 = 100_000_000;
/// Bytes that the packing alone gets at once, as the recorder reads them.
const PIECE: usize = 256 << 10;
/// Memory that is copied to, again and again.
const COPIED: usize = 64 << 20;
/// How long a recorder may take beyond the recording.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a recording is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Folder,
    Plain,
}

impl Shape {
    const ALL: [Self; 2] = [Self::Folder, Self::Plain];

    fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder (.zst)",
            Self::Plain => "plain .nettrace",
        }
    }

    /// What is recorded to, in a folder, and the file of it that holds the stream.
    fn paths(self, folder: &Utf8Path) -> (Utf8PathBuf, Utf8PathBuf) {
        match self {
            Self::Folder => (folder.join("replayed"), folder.join("replayed/trace.nettrace.zst")),
            Self::Plain => (folder.join("replayed.nettrace"), folder.join("replayed.nettrace")),
        }
    }
}

/// What is sent, and where the recorder writes.
struct Ground {
    program: Utf8PathBuf,
    folder: Scratch,
    seconds: u32,
    stream: Vec<u8>,
    events: u64,
}

/// One recording.
#[derive(Debug)]
struct Replayed {
    sent: Sent,
    cpu: Cpu,
    bytes: u64,
    events: u64,
    packed: u64,
    /// Whether the file holds the stream, byte for byte.
    whole: bool,
}

impl Replayed {
    fn cpu_cores(&self) -> f64 {
        self.cpu.sum() / self.sent.seconds
    }
}

/// What the same bytes cost at the least, in the same minute.
#[derive(Debug, Clone, Copy)]
struct Anchors {
    /// Seconds of CPU time that packing takes.
    packing: f64,
    /// Seconds that copying takes.
    copying: f64,
}

/// Records the stream, round by round.
pub(super) fn replay(workspace: &Workspace, args: &Options) -> Result<()> {
    println!("# record replay: 100 MB/s from a socket, recorded; beside `zstd -1` alone on the same bytes");
    let Some(short) = decode::unpacked(workspace, SHORT)? else {
        println!("skipped: no captures beside the workspace, so there is no stream to send");
        return Ok(());
    };
    let folder = Scratch::make(workspace)?;
    let mut stream = Vec::new();
    let size = u64::from(BYTES_PER_SECOND) * u64::from(args.seconds);
    long_trace::write(&std::fs::read(&short)?, size, &mut stream)?;
    let events = count(&stream)?;
    let program = workspace.release_binary();
    let ground = Ground { program, folder, seconds: args.seconds, stream, events };
    println!(
        "{:.0} MB and {events} events a recording; {} rounds of {} s; seed {}",
        ground.stream.len() as f64 / 1e6,
        args.rounds,
        args.seconds,
        args.seed
    );
    let mut order = Seeded(args.seed);
    let mut rounds = Vec::new();
    for _ in 0..args.rounds {
        let anchors = anchors(&ground.stream)?;
        let mut shapes = Shape::ALL;
        order.shuffle(&mut shapes);
        for shape in shapes {
            rounds.push((shape, ground.record(shape)?, anchors));
        }
    }
    show(&ground, &rounds);
    Ok(())
}

impl Ground {
    fn record(&self, shape: Shape) -> Result<Replayed> {
        let (out, trace) = shape.paths(&self.folder.0);
        let socket = self.folder.0.join("runtime.socket");
        let runtime = Runtime::listen(&socket, &self.stream, f64::from(BYTES_PER_SECOND))?;
        let ended = AtomicBool::new(false);
        let mut command = Command::new(&self.program);
        command.args(["record", "--force", "--format", "json", "--diagnostic-port", socket.as_str()]);
        command.args(["-d", &format!("{}s", self.seconds), "-o", out.as_str()]);
        let (done, sent) = std::thread::scope(|scope| -> Result<_> {
            let player = std::thread::Builder::new().name("runtime".to_owned());
            let player = player.spawn_scoped(scope, || runtime.play(&ended))?;
            let done = Running::start(&mut command).and_then(|recorder| recorder.finish(PATIENCE));
            ended.store(true, Ordering::Release);
            let sent = player.join().ok().context("the runtime that is played panicked")?;
            // Where both failed, the recorder's error is the cause.
            Ok((done?, sent?))
        })?;
        let document: Value =
            serde_json::from_slice(&done.stdout).context("the recorder printed no document")?;
        let figure = |name: &str| document[name].as_u64().with_context(|| format!("no {name} in {document}"));
        let replayed = Replayed {
            sent,
            cpu: done.cpu,
            bytes: figure("bytes")?,
            events: figure("events")?,
            packed: std::fs::metadata(&trace)?.len(),
            whole: self.is_whole(shape, &trace)?,
        };
        // The next recorder would pay for removing it.
        std::fs::remove_file(&trace)?;
        Ok(replayed)
    }

    fn is_whole(&self, shape: Shape, trace: &Utf8Path) -> Result<bool> {
        let file = File::open(trace).with_context(|| format!("cannot read {trace}"))?;
        match shape {
            Shape::Folder => is_same(zstd::stream::read::Decoder::new(file)?, &self.stream),
            Shape::Plain => is_same(file, &self.stream),
        }
    }
}

/// Whether a reader gives these bytes and no more.
fn is_same(mut reader: impl Read, mut bytes: &[u8]) -> Result<bool> {
    let mut buffer = vec![0; PIECE];
    loop {
        let len = reader.read(&mut buffer)?;
        if len == 0 {
            return Ok(bytes.is_empty());
        }
        let Some(rest) = bytes.strip_prefix(buffer.get(..len).unwrap_or_default()) else { return Ok(false) };
        bytes = rest;
    }
}

/// Counts events.
#[derive(Debug, Default)]
struct Count(u64);

impl Sink for Count {
    fn stream(&mut self, _header: &StreamHeader) {}

    fn event(&mut self, _event: &Event<'_>) {
        self.0 += 1;
    }

    fn gap(&mut self, _gap: Gap) {}
}

fn count(stream: &[u8]) -> Result<u64> {
    let mut count = Count::default();
    let mut decoder = Decoder::new(Limits::USUAL);
    decoder.push(stream, &mut count).context("the long trace is damaged")?;
    decoder.finish(&mut count).context("the long trace does not end well")?;
    Ok(count.0)
}

fn anchors(stream: &[u8]) -> Result<Anchors> {
    let begin = Cpu::own()?;
    let mut packer = zstd::stream::write::Encoder::new(std::io::sink(), 1)?;
    packer.include_checksum(false)?;
    for piece in stream.chunks(PIECE) {
        packer.write_all(piece)?;
    }
    packer.finish()?;
    let packing = (Cpu::own()? - begin).sum();
    let mut copied = vec![1u8; COPIED];
    let ((), copying) = timed(|| {
        for piece in stream.chunks(COPIED) {
            let (to, _) = copied.split_at_mut(piece.len());
            to.copy_from_slice(piece);
            std::hint::black_box(&copied);
        }
    });
    Ok(Anchors { packing, copying })
}

fn show(ground: &Ground, rounds: &[(Shape, Replayed, Anchors)]) {
    let seconds = ground.stream.len() as f64 / f64::from(BYTES_PER_SECOND);
    let speed = |seconds: f64| ground.stream.len() as f64 / 1e6 / seconds;
    let packing = Spread::of(rounds.iter().map(|(.., anchors)| anchors.packing / seconds));
    let copying = Spread::of(rounds.iter().map(|(.., anchors)| speed(anchors.copying)));
    println!("zstd -1 alone   {packing} CPU cores at 100 MB/s, {:.0} MB/s on one", 100.0 / packing.median);
    println!("copying         {:.0} MB/s ({:.0}–{:.0})", copying.median, copying.least, copying.most);
    println!(
        "{:<16} {:>6} {:>22} {:>6} {:>6} {:>8} {:>8} {:>7}  kept",
        "", "MB/s", "processors", "user", "system", "of zstd", "of copy", "packed"
    );
    for shape in Shape::ALL {
        let of: Vec<_> = rounds.iter().filter(|(of, ..)| *of == shape).collect();
        let median = |figure: &dyn Fn(&Replayed, Anchors) -> f64| {
            Spread::of(of.iter().map(|(_, replayed, anchors)| figure(replayed, *anchors))).median
        };
        println!(
            "{:<16} {:>6.1} {:>22} {:>6.3} {:>6.3} {:>7.2}x {:>7.2}x {:>6.1}x  {}",
            shape.name(),
            median(&|of, _| speed(of.sent.seconds)),
            Spread::of(of.iter().map(|(_, replayed, _)| replayed.cpu_cores())),
            median(&|of, _| of.cpu.user / of.sent.seconds),
            median(&|of, _| of.cpu.system / of.sent.seconds),
            median(&|of, anchors| of.cpu.sum() / anchors.packing),
            median(&|of, anchors| of.cpu.sum() / anchors.copying),
            median(&|of, _| of.sent.bytes as f64 / of.packed as f64),
            kept(ground, of.iter().map(|(_, replayed, _)| replayed)),
        );
    }
}

/// Whether every recording holds all that was sent, and what it lacks otherwise.
fn kept<'a>(ground: &Ground, recordings: impl Iterator<Item = &'a Replayed>) -> String {
    let lacks = |of: &&Replayed| of.events != ground.events || of.bytes != of.sent.bytes || !of.whole;
    match recordings.filter(lacks).last() {
        None => format!("all of {} events and every byte, in each round", ground.events),
        Some(of) => format!(
            "NOT ALL: {} of {} events, {} of {} bytes, file {}",
            of.events,
            ground.events,
            of.bytes,
            of.sent.bytes,
            if of.whole { "whole" } else { "differs" }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn a_file_is_whole_only_if_no_byte_differs_lacks_or_is_too_many() {
        let check = |file: &[u8], expected| assert_eq!(is_same(file, b"abc").unwrap(), expected);
        check(b"abc", true);
        check(b"abd", false);
        check(b"ab", false);
        check(b"abcd", false);
    }
}
