//! A runtime that is played: a diagnostics socket whose first session streams given bytes at a fixed rate.
//!
//! It knows as much of the protocol as a recorder asks for. Sessions after the first, those of samples and names, are
//! empty and end when they are stopped. It looks at no request's contents.

use anyhow::{Context, Result, ensure};
use base::time::Stopwatch;
use cargo_metadata::camino::Utf8Path;
use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const MAGIC: &[u8; 14] = b"DOTNET_IPC_V1\0";
const HEADER: usize = 20;
const STOP_TRACING: [u8; 2] = [2, 1];
const COLLECT_TRACING: u8 = 2;
const PROCESS_INFO_3: [u8; 2] = [4, 8];
const OK: [u8; 2] = [0xff, 0];
const ERROR: [u8; 2] = [0xff, 0xff];
const UNKNOWN_COMMAND: u32 = 0x8013_1385;
/// Bytes sent at once: the size of a runtime's own blocks.
const PIECE: usize = 100_000;
/// A stream's beginning: magic, format, and the object that describes the trace.
const STREAM_HEAD: usize = 32 + 21 + 49;
/// The tag that ends a stream.
const STREAM_END: u8 = 1;
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What is played.
#[derive(Debug)]
pub(super) struct Runtime<'a> {
    listener: UnixListener,
    stream: &'a [u8],
    bytes_per_second: f64,
    begun: AtomicU64,
    sent: AtomicU64,
    stopped: Mutex<HashSet<u64>>,
    streamed: Mutex<Option<Duration>>,
}

/// What was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// Bytes of all sessions.
    pub(super) bytes: u64,
    /// How long the first session streamed.
    pub(super) seconds: f64,
}

impl<'a> Runtime<'a> {
    /// Listens at a socket that it replaces.
    pub(super) fn listen(socket: &Utf8Path, stream: &'a [u8], bytes_per_second: f64) -> Result<Self> {
        if socket.exists() {
            std::fs::remove_file(socket)?;
        }
        let listener = UnixListener::bind(socket).with_context(|| format!("cannot listen at {socket}"))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            stream,
            bytes_per_second,
            begun: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            stopped: Mutex::default(),
            streamed: Mutex::default(),
        })
    }

    /// Plays until the recorder has ended.
    pub(super) fn play(&self, ended: &AtomicBool) -> Result<Sent> {
        std::thread::scope(|scope| -> Result<()> {
            let mut connections = Vec::new();
            while !ended.load(Ordering::Acquire) {
                match self.listener.accept() {
                    Ok((connection, _)) => {
                        let thread = std::thread::Builder::new().name("connection".to_owned());
                        let thread = thread.spawn_scoped(scope, || self.answer(connection, ended))?;
                        connections.push(thread);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(LOOK_EVERY),
                    Err(error) => return Err(error).context("no connection can be accepted"),
                }
            }
            for connection in connections {
                let answered = connection.join().ok().context("a connection panicked")?;
                answered.context("a connection broke")?;
            }
            Ok(())
        })?;
        let streamed = *self.streamed.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = streamed.context("nobody asked for a session")?.as_secs_f64();
        Ok(Sent { bytes: self.sent.load(Ordering::Acquire), seconds })
    }

    fn answer(&self, mut connection: UnixStream, ended: &AtomicBool) -> Result<()> {
        connection.set_nonblocking(false)?;
        let mut header = [0; HEADER];
        connection.read_exact(&mut header)?;
        ensure!(header.starts_with(MAGIC), "a command without its magic");
        let [.., low, high, set, number, _, _] = header;
        let len = usize::from(u16::from_le_bytes([low, high])).saturating_sub(HEADER);
        let mut payload = vec![0; len];
        connection.read_exact(&mut payload)?;
        match [set, number] {
            PROCESS_INFO_3 => reply(&mut connection, OK, &process_info())?,
            STOP_TRACING => {
                let id = payload.first_chunk::<8>().context("a stop without a session")?;
                self.stopped().insert(u64::from_le_bytes(*id));
                reply(&mut connection, OK, id)?;
            }
            [COLLECT_TRACING, _] => {
                let id = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
                reply(&mut connection, OK, &id.to_le_bytes())?;
                if id == 1 {
                    self.stream(&mut connection)?;
                } else {
                    self.stream_nothing(&mut connection, id, ended)?;
                }
            }
            _ => reply(&mut connection, ERROR, &UNKNOWN_COMMAND.to_le_bytes())?,
        }
        Ok(())
    }

    fn stopped(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the whole stream: a stop changes nothing, as a runtime sends what it holds.
    fn stream(&self, connection: &mut UnixStream) -> Result<()> {
        let watch = Stopwatch::start();
        let mut sent = 0usize;
        for piece in self.stream.chunks(PIECE) {
            let due = Duration::from_secs_f64(sent as f64 / self.bytes_per_second);
            std::thread::sleep(due.saturating_sub(watch.elapsed()));
            connection.write_all(piece).with_context(|| format!("after {sent} bytes"))?;
            sent += piece.len();
        }
        self.sent.fetch_add(sent as u64, Ordering::AcqRel);
        *self.streamed.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch.elapsed());
        Ok(())
    }

    fn stream_nothing(&self, connection: &mut UnixStream, id: u64, ended: &AtomicBool) -> Result<()> {
        let head = self.stream.get(..STREAM_HEAD).context("a stream without its head")?;
        connection.write_all(head)?;
        while !self.stopped().contains(&id) && !ended.load(Ordering::Acquire) {
            std::thread::sleep(LOOK_EVERY);
        }
        connection.write_all(&[STREAM_END])?;
        self.sent.fetch_add(STREAM_HEAD as u64 + 1, Ordering::AcqRel);
        Ok(())
    }
}

fn reply(connection: &mut UnixStream, kind: [u8; 2], payload: &[u8]) -> Result<()> {
    let size = u16::try_from(HEADER + payload.len()).context("an answer that is too long")?;
    let mut message = MAGIC.to_vec();
    message.extend_from_slice(&size.to_le_bytes());
    message.extend_from_slice(&kind);
    message.extend_from_slice(&[0, 0]);
    message.extend_from_slice(payload);
    Ok(connection.write_all(&message)?)
}

/// This very process, so that the recorder has one to look at in `/proc`.
fn process_info() -> Vec<u8> {
    const VERSION: u32 = 1;
    let mut payload = VERSION.to_le_bytes().to_vec();
    payload.extend_from_slice(&u64::from(std::process::id()).to_le_bytes());
    // The cookie of the runtime.
    payload.extend_from_slice(&[7; 16]);
    let command_line = std::env::args().collect::<Vec<_>>().join(" ");
    for text in [command_line.as_str(), "Linux", "x64", "played", "10.0.0"] {
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        payload.extend_from_slice(&u32::try_from(units.len()).unwrap_or(u32::MAX).to_le_bytes());
        payload.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    }
    payload
}
