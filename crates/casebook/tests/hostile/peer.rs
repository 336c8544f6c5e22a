//! A process that says it is a .NET service: this one, with a diagnostics socket where `ps` looks for it.

use super::NAMES;
use crate::runtime;
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A runtime that reports hostile names of its process, and streams a recording to whoever starts a session.
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
                // On a thread of its own, so that a long session does not delay other commands.
                let answer = move || answer(stream.unwrap(), &trace);
                std::thread::Builder::new().name("peer".to_owned()).spawn(answer).unwrap();
            }
        };
        threads.push(named("listener").spawn(serve).unwrap());
        // A running runtime has this thread, a suspended one has not.
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
    let Ok(command) = runtime::command(&mut stream) else { return };
    let is_session = command[0] == 2;
    let texts =
        ["command ", "os ", "arch ", "hostile ", "10.0 "].map(|text| text.to_owned() + &NAMES.concat());
    let texts = texts.each_ref().map(String::as_str);
    let payload = match command {
        runtime::PROCESS_INFO_3 => runtime::process_info_3(std::process::id(), texts),
        runtime::PROCESS_INFO => runtime::process_info(std::process::id(), texts),
        _ if is_session => 7_u64.to_le_bytes().to_vec(),
        _ => Vec::new(),
    };
    // Both fail if the other side has closed the connection.
    drop(runtime::reply(&mut stream, &payload));
    if is_session && command != runtime::STOP_TRACING {
        drop(stream.write_all(trace));
    }
}
