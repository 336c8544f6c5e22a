//! A process that says it is a .NET service: this one, with a diagnostics socket where `ps` looks for it.

use super::NAMES;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A runtime that tells of a process with hostile names, and streams a recording to whoever starts a session.
pub(crate) struct Peer {
    path: PathBuf,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Peer {
    pub(crate) fn new(trace: Vec<u8>) -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let key = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
        let folder = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
        let path = folder.join(format!("dotnet-diagnostic-{}-{key}-socket", std::process::id()));
        drop(std::fs::remove_file(&path));
        let listener = UnixListener::bind(&path).unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let mut threads = Vec::new();
        let (over, trace) = (Arc::clone(&ended), Arc::new(trace));
        let serve = move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Acquire) {
                    return;
                }
                let trace = Arc::clone(&trace);
                // A session that lasts holds up no question.
                let answer = move || answer(stream.unwrap(), &trace);
                std::thread::Builder::new().name("peer".to_owned()).spawn(answer).unwrap();
            }
        };
        threads.push(named("listener").spawn(serve).unwrap());
        // A runtime that runs has this thread.
        let over = Arc::clone(&ended);
        let wait = move || {
            while !over.load(Ordering::Acquire) {
                std::thread::park();
            }
        };
        threads.push(named(".NET Finalizer").spawn(wait).unwrap());
        Self { path, ended, threads }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        drop(UnixStream::connect(&self.path));
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            drop(thread.join());
        }
        drop(std::fs::remove_file(&self.path));
    }
}

/// Answers the command of one connection.
fn answer(mut stream: UnixStream, trace: &[u8]) {
    let mut header = [0; 20];
    if stream.read_exact(&mut header).is_err() {
        return;
    }
    let mut payload = vec![0; usize::from(u16::from_le_bytes([header[14], header[15]])).saturating_sub(20)];
    if stream.read_exact(&mut payload).is_err() {
        return;
    }
    let answer = match (header[16], header[17]) {
        (4, 8) => [1_u32.to_le_bytes().as_slice(), &info()].concat(),
        (4, 4) => info(),
        (2, _) => 7_u64.to_le_bytes().to_vec(),
        _ => Vec::new(),
    };
    let size = u16::try_from(20 + answer.len()).unwrap().to_le_bytes();
    let message = [b"DOTNET_IPC_V1\0".as_slice(), &size, &[0xff, 0, 0, 0], &answer].concat();
    // Whoever has seen enough closes the connection.
    drop(stream.write_all(&message));
    if header[16] == 2 && header[17] > 1 {
        drop(stream.write_all(trace));
    }
}

/// What it says of its process.
fn info() -> Vec<u8> {
    let mut info = u64::from(std::process::id()).to_le_bytes().to_vec();
    info.extend([7; 16]);
    for text in ["command ", "os ", "arch ", "hostile ", "10.0 "] {
        let units: Vec<u16> = format!("{text}{}", NAMES.concat()).encode_utf16().chain([0]).collect();
        info.extend(u32::try_from(units.len()).unwrap().to_le_bytes());
        info.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    }
    info
}
