//! Peers that are not a runtime. Whatever they do, a command ends in time, with an error that says what was wrong.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test")]

use base::time::{Deadline, Patience, Stopwatch};
#[cfg(target_os = "linux")]
use dotnet_ipc::discover::FoundSocket;
use dotnet_ipc::process::{ProcessInfo, resume};
use dotnet_ipc::session::{NAMES_RUNDOWN, Provider, Received, Request, Session};
use dotnet_ipc::{Endpoint, Listener};
use proptest::prelude::*;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const OK: &[u8] = b"DOTNET_IPC_V1\0\x14\0\xff\0\0\0";
const UNKNOWN_COMMAND: &[u8] = b"DOTNET_IPC_V1\0\x18\0\xff\xff\0\0\x85\x13\x13\x80";
const BUSY: Duration = Duration::from_millis(300);

/// A socket whose connections are each passed to a function.
struct Peer {
    folder: tempfile::TempDir,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    fn new(connections: usize, mut serve: impl FnMut(usize, UnixStream) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let thread = std::thread::Builder::new().name("peer".to_owned());
        let run = move || {
            for number in 0..connections {
                serve(number, listener.accept().unwrap().0);
            }
        };
        Self { folder, thread: Some(thread.spawn(run).unwrap()) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::named(self.path())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // Connects, in case the peer still waits for a connection.
            while !thread.is_finished() {
                drop(UnixStream::connect(self.path()));
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn take_command(stream: &mut UnixStream) -> Vec<u8> {
    let mut header = [0; 20];
    if stream.read_exact(&mut header).is_err() {
        return Vec::new();
    }
    let mut payload = vec![0; usize::from(u16::from_le_bytes([header[14], header[15]])) - 20];
    stream.read_exact(&mut payload).unwrap();
    [header.as_slice(), &payload].concat()
}

/// Checks the error of a command to a peer with this answer.
fn check(answer: &'static [u8], stays_open: bool, expected: &str) {
    let peer = Peer::new(1, move |_, mut stream| {
        take_command(&mut stream);
        stream.write_all(answer).unwrap();
        if stays_open {
            std::thread::sleep(2 * BUSY);
        }
    });
    let watch = Stopwatch::start();
    let error = resume(&peer.endpoint(), Deadline::after(BUSY)).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert!(watch.elapsed() < 2 * BUSY);
}

#[test]
fn a_peer_that_is_not_a_runtime_is_reported_and_not_waited_for() {
    let silent = "no answer from the runtime within 1 s: it may be stopped, or too busy to answer";
    let closed = "the runtime closed the connection without an answer";
    check(b"", true, silent);
    check(b"", false, closed);
    check(b"DOTNET_IPC_V1\0", true, silent);
    check(b"DOTNET_IPC_V1\0\x14\0\xff", false, closed);
    check(b"DOTNET_IPC_V1\0\xff\xff\xff\0\0\0and little more", true, silent);
    check(b"DOTNET_IPC_V1\0\xff\xff\xff\0\0\0and little more", false, closed);
    check(
        b"DOTNET_IPC_V1\0\x02\0\xff\0\0\0",
        true,
        "this is not a .NET diagnostics socket: its answer is shorter than a header",
    );
    check(
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        true,
        "this is not a .NET diagnostics socket: its answer does not begin with DOTNET_IPC_V1",
    );
    check(
        UNKNOWN_COMMAND,
        false,
        "the runtime refused: it does not know the command, which is newer than the runtime (code 0x80131385)",
    );
}

#[test]
fn a_full_queue_is_not_waited_for_forever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    // Connections that are never accepted fill the queue.
    let fill = || {
        let endpoint = Endpoint::named(&path);
        resume(&endpoint, Deadline::after(Duration::from_millis(20))).unwrap_err()
    };
    let watch = Stopwatch::start();
    for _ in 0..20 {
        assert!(fill().to_string().starts_with("no answer"), "{}", fill());
    }
    assert!(watch.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_session_starts_with_the_newest_command_that_is_known() {
    // Knows only the first three commands, as .NET 5 to 8 do.
    let peer = Peer::new(5, |_, mut stream| {
        let command = take_command(&mut stream);
        if command.get(17).is_some_and(|id| *id > 3) {
            return stream.write_all(UNKNOWN_COMMAND).unwrap();
        }
        assert_eq!(&command[16..18], [2, 3]);
        // The buffer's size, the format, whether there is a rundown, and one provider.
        assert_eq!(&command[20..29], [64, 0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(&command[29..33], [1, 0, 0, 0]);
        let mut answer = OK.to_vec();
        answer[14] = 28;
        answer.extend_from_slice(&7u64.to_le_bytes());
        answer.extend_from_slice(b"Nettrace");
        stream.write_all(&answer).unwrap();
    });
    let provider = Provider { name: "P".to_owned(), keywords: 1, level: 4, arguments: String::new() };
    let request = Request { providers: vec![provider], buffer_megabytes: 64, rundown: NAMES_RUNDOWN };
    let mut session =
        Session::start(&peer.endpoint(), &request, Deadline::after(Duration::from_secs(5))).unwrap();
    assert_eq!(session.id(), 7);
    let (mut piece, mut bytes) = ([0; 100], Vec::new());
    loop {
        match session.read(&mut piece, BUSY).unwrap() {
            Received::Bytes(len) => bytes.extend_from_slice(&piece[..len]),
            Received::Nothing => {}
            Received::End => break,
        }
    }
    assert_eq!(bytes, b"Nettrace");
}

/// The answer to a command that starts a session.
fn begun() -> Vec<u8> {
    let mut answer = OK.to_vec();
    answer[14] = 28;
    answer.extend_from_slice(&7u64.to_le_bytes());
    answer
}

#[test]
fn a_peer_that_writes_as_fast_as_it_can_is_read_no_faster_than_the_rate() {
    const PER_SECOND: u64 = 4_000_000;
    let peer = Peer::new(1, |_, mut stream| {
        take_command(&mut stream);
        stream.write_all(&begun()).unwrap();
        let piece = vec![0; 200_000];
        while stream.write_all(&piece).is_ok() {}
    });
    let request = Request { providers: Vec::new(), buffer_megabytes: 64, rundown: 0 };
    let deadline = Deadline::after(Duration::from_secs(5));
    let mut session = Session::start_at_rate(&peer.endpoint(), &request, PER_SECOND, deadline).unwrap();
    let (mut piece, mut bytes, watch) = (vec![0; 1 << 20], 0, Stopwatch::start());
    while watch.elapsed() < Duration::from_secs(1) {
        if let Received::Bytes(len) = session.read(&mut piece, BUSY).unwrap() {
            bytes += len as u64;
        }
    }
    let seconds = watch.elapsed().as_secs_f64();
    // The bytes of 250 ms can arrive at once.
    let most = PER_SECOND as f64 * (seconds + 0.3);
    assert!(bytes > PER_SECOND / 2 && (bytes as f64) < most, "{bytes} bytes in {seconds} s");
    assert!(session.starter().held_back() > Duration::from_millis(100));
}

#[test]
fn a_command_that_is_called_off_is_not_waited_for() {
    let peer = Peer::new(1, |_, mut stream| {
        take_command(&mut stream);
        std::thread::sleep(3 * BUSY);
    });
    let called_off = AtomicBool::new(false);
    let watch = Stopwatch::start();
    let error = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let patience = Patience::unless(&called_off, Deadline::after(Duration::from_mins(1)));
            resume(&peer.endpoint(), patience).unwrap_err()
        });
        std::thread::sleep(BUSY);
        called_off.store(true, Ordering::Release);
        waiting.join().unwrap()
    });
    assert!(matches!(error, dotnet_ipc::Error::CalledOff), "{error}");
    assert!(watch.elapsed() < 2 * BUSY, "{:?}", watch.elapsed());
}

#[test]
fn peers_that_connect_again_and_again_do_not_keep_a_listener_beyond_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = Listener::bind(&path).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                let stream = UnixStream::connect(&path);
                drop(stream.and_then(|mut stream| stream.write_all(&[b'x'; 34])));
            }
        });
        let watch = Stopwatch::start();
        let error = listener.wait(Deadline::after(BUSY)).unwrap_err();
        is_over.store(true, Ordering::Release);
        // Turns away whoever waits in its queue.
        drop(listener);
        assert!(error.to_string().starts_with("no answer"), "{error}");
        assert!(watch.elapsed() < 3 * BUSY, "{:?}", watch.elapsed());
    });
}

/// Checks the result of a command to a socket with these properties, and that nothing is sent unless it succeeds.
#[cfg(target_os = "linux")]
fn check_found(change: impl Fn(&mut FoundSocket), expected: Result<(), &str>) {
    let heard = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let into = std::sync::Arc::clone(&heard);
    let peer = Peer::new(1, move |_, mut stream| {
        let command = take_command(&mut stream);
        into.store(!command.is_empty(), std::sync::atomic::Ordering::Release);
        drop(stream.write_all(OK));
    });
    let (proc, pid) = (host::Proc::live(), std::process::id());
    let (start_ticks, user) = (proc.stat(pid).unwrap().start_ticks, proc.user_id(pid).unwrap());
    let mut found =
        FoundSocket { pid, container_pid: pid, socket: peer.path(), start_ticks, user, is_orphaned: false };
    change(&mut found);
    let done = resume(&found.endpoint(), Deadline::after(BUSY)).map_err(|error| error.to_string());
    drop(peer);
    match (&done, expected) {
        (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
        _ => assert_eq!(done.is_ok(), expected.is_ok(), "{done:?}"),
    }
    assert_eq!(heard.load(std::sync::atomic::Ordering::Acquire), done.is_ok(), "{done:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_but_the_process_that_was_chosen_gets_a_command() {
    let (pid, user) = (std::process::id(), host::Proc::live().user_id(std::process::id()).unwrap());
    check_found(|_| {}, Ok(()));
    check_found(|found| found.pid = 1, Err(&format!("found process {pid} of user {user}: nothing was sent")));
    // A later process has the PID of the chosen one, and the socket.
    check_found(|found| found.start_ticks += 1, Err(&format!("process {pid} has ended")));
    check_found(|found| found.start_ticks -= 1, Err("has ended"));
    if user != 0 {
        check_found(|found| found.user = 0, Err(&format!("found a socket that user {user} owns")));
    }
    // An orphaned socket may belong to any process of its owner.
    check_found(|found| (found.pid, found.is_orphaned) = (1, true), Ok(()));
    check_found(
        |found| (found.user, found.is_orphaned) = (user + 1, true),
        Err(&format!("found a socket that user {user} owns")),
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_link_in_the_place_of_the_socket_is_refused() {
    check_found(
        |found| {
            let link = found.socket.with_file_name("link");
            std::os::unix::fs::symlink(&found.socket, &link).unwrap();
            found.socket = link;
        },
        Err("found a link: nothing was sent"),
    );
    check_found(
        |found| {
            found.socket = found.socket.with_file_name("file");
            std::fs::write(&found.socket, "").unwrap();
        },
        Err("found a file that is not a socket"),
    );
    check_found(
        |found| found.socket = found.socket.with_file_name("gone"),
        Err("there is no diagnostics socket"),
    );
}

#[test]
fn a_runtime_that_connects_to_us_is_not_confused_with_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = Listener::bind(&path).unwrap();
    let connect = |hello: &[u8]| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(hello).unwrap();
        stream
    };
    let hello = |cookie: u8, process: u64| {
        [b"ADVR_V1\0".as_slice(), &[cookie; 16], &process.to_le_bytes(), &[0, 0]].concat()
    };
    let _garbage = connect(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let _ours = connect(&hello(1, 42));
    assert_eq!(listener.wait(Deadline::after(Duration::from_secs(5))).unwrap(), 42);
    // Another runtime that connects to the same socket is not the answer to our command.
    let _other = connect(&hello(2, 43));
    let endpoint = Endpoint::Listener(std::sync::Arc::new(listener));
    assert!(ProcessInfo::ask(&endpoint, Deadline::after(BUSY)).is_err());
    if cfg!(target_os = "linux") {
        assert_eq!(endpoint.peer().unwrap().pid, Some(std::process::id()));
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "nobody but our own user may connect");
    drop(endpoint);
    assert!(!path.exists(), "the socket goes with its listener");
    drop(Listener::bind(&path).unwrap());
}

#[test]
fn a_listener_whose_folder_or_socket_is_swapped_does_not_remove_files_of_others() {
    let there = tempfile::tempdir().unwrap();
    let [folder, moved] = ["folder", "moved"].map(|name| there.path().join(name));
    let path = folder.join("socket");
    std::fs::create_dir(&folder).unwrap();
    let listener = Listener::bind(&path).unwrap();
    std::fs::rename(&folder, &moved).unwrap();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(&path, "precious").unwrap();
    drop(listener);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    assert!(!moved.join("socket").exists(), "its own socket goes, wherever its folder is");
    // Another socket with the same name, in the same folder.
    let path = moved.join("socket");
    let listener = Listener::bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(listener);
    assert!(path.exists(), "a socket of somebody else stays");
    drop(std::fs::remove_file(&path));
    std::fs::write(&path, "precious").unwrap();
    assert!(Listener::bind(&path).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_answer_makes_a_question_panic_or_hang(answer: Vec<u8>, whole: bool) {
        let bytes = if whole {
            let mut head = OK.to_vec();
            let len = u16::try_from(20 + answer.len()).unwrap();
            head[14..16].copy_from_slice(&len.to_le_bytes());
            [head, answer].concat()
        } else {
            answer
        };
        let peer = Peer::new(1, move |_, mut stream| {
            take_command(&mut stream);
            drop(stream.write_all(&bytes));
        });
        drop(ProcessInfo::ask(&peer.endpoint(), Deadline::after(BUSY)));
    }
}
