//! Any bytes as answers of a runtime at its socket, and as what a runtime says that connects to ours.

#![no_main]

use base::time::Deadline;
use casebook_fuzz::meter::{self, Limits};
use dotnet_ipc::process::ProcessInfo;
use dotnet_ipc::session::{Received, Request, Session};
use dotnet_ipc::{Endpoint, Listener};
use libfuzzer_sys::fuzz_target;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// How long an answer may take: the peer has it at hand.
const PATIENCE: Duration = Duration::from_millis(200);

static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fuzz_target!(|bytes: &[u8]| {
    let endpoint = Endpoint::named(socket());
    bytes.clone_into(&mut ANSWER.lock().expect("the answer"));
    meter::within(Limits::READER, bytes.len(), || {
        drop(ProcessInfo::ask(&endpoint, Deadline::after(PATIENCE)));
        let request = Request { providers: Vec::new(), buffer_megabytes: 1, rundown: 0 };
        if let Ok(mut session) = Session::start(&endpoint, &request, Deadline::after(PATIENCE)) {
            let mut piece = [0; 4096];
            while let Ok(Received::Bytes(_)) = session.read(&mut piece, PATIENCE) {}
        }
        introduce(bytes);
    });
});

/// A peer connects to a socket of ours.
fn introduce(bytes: &[u8]) {
    static OURS: OnceLock<(PathBuf, Listener)> = OnceLock::new();
    let (path, listener) = OURS.get_or_init(|| {
        let path = socket().with_extension("ours");
        let listener = Listener::bind(&path).expect("a listener");
        (path, listener)
    });
    let Ok(mut stream) = UnixStream::connect(path) else { return };
    drop(stream.write_all(bytes.get(..bytes.len().min(100)).unwrap_or_default()));
    drop(stream);
    drop(listener.wait(Deadline::after(Duration::from_millis(1))));
    listener.forget();
}

/// A socket behind which every command gets the answer.
fn socket() -> &'static PathBuf {
    static SOCKET: OnceLock<PathBuf> = OnceLock::new();
    SOCKET.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("casebook-fuzz-{}.socket", std::process::id()));
        drop(std::fs::remove_file(&path));
        let listener = UnixListener::bind(&path).expect("a socket");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream);
            }
        });
        path
    })
}

fn answer(mut stream: UnixStream) {
    let mut header = [0; 20];
    if stream.read_exact(&mut header).is_err() {
        return;
    }
    let len = u64::from(u16::from_le_bytes([header[14], header[15]])).saturating_sub(20);
    drop(std::io::copy(&mut Read::by_ref(&mut stream).take(len), &mut std::io::sink()));
    let bytes = ANSWER.lock().expect("the answer").clone();
    drop(stream.write_all(&bytes));
}
