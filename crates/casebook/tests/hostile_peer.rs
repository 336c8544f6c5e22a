//! Peers that are not a runtime: whatever they send, the disk is not filled, memory is bounded, and a signal ends the command.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod program;
mod runtime;

use program::run;
use runtime::{PROCESS_INFO_3, STOP_TRACING, reply};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a peer does with its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    /// Accepts connections and says nothing.
    Silent,
    /// Says which process it is, and answers no other command.
    SilentSession,
    /// Writes noise as fast as it is read, and never ends.
    Noise,
    /// The same with objects whose end tag is wrong.
    FakeObjects,
    /// The same with the beginning of a block that never ends.
    EndlessBlock,
    /// Sends the beginning of a trace and then nothing, even if asked to stop.
    NeverEnds,
    /// The same, and its socket is gone before the session begins, so that nothing can ask it to stop.
    CannotBeAsked,
    /// Sends a byte now and then, even if asked to stop.
    ByteByByte,
    /// Ends its trace at once, without an event.
    Empty,
}

const ALL: [Peer; 7] = [
    Peer::Silent,
    Peer::SilentSession,
    Peer::Noise,
    Peer::FakeObjects,
    Peer::EndlessBlock,
    Peer::NeverEnds,
    Peer::ByteByByte,
];

/// A socket with a peer behind it.
struct Socket {
    folder: tempfile::TempDir,
    sessions: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Socket {
    fn of(peer: Peer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let (sessions, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let of = Self { folder, sessions: Arc::clone(&sessions), is_over: Arc::clone(&is_over) };
        spawn(move || {
            for connection in listener.incoming() {
                let (sessions, is_over) = (Arc::clone(&sessions), Arc::clone(&is_over));
                // A recorder that has ended has closed its connections.
                spawn(move || drop(serve(peer, connection.unwrap(), &sessions, &is_over)));
            }
        });
        of
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
    }
}

fn spawn(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().name("peer".to_owned()).spawn(run).unwrap();
}

fn serve(
    peer: Peer,
    mut stream: UnixStream,
    sessions: &AtomicU64,
    is_over: &AtomicBool,
) -> std::io::Result<()> {
    if peer == Peer::Silent {
        wait_for_the_end(is_over);
        return Ok(());
    }
    match runtime::command(&mut stream)? {
        PROCESS_INFO_3 => reply(&mut stream, &process_info()),
        _ if peer == Peer::SilentSession => {
            wait_for_the_end(is_over);
            Ok(())
        }
        STOP_TRACING => reply(&mut stream, &1u64.to_le_bytes()),
        [2, _] => {
            if peer == Peer::CannotBeAsked {
                let address = stream.local_addr()?;
                std::fs::remove_file(address.as_pathname().unwrap())?;
            }
            let id = sessions.fetch_add(1, Ordering::AcqRel) + 1;
            reply(&mut stream, &id.to_le_bytes())?;
            stream.write_all(&trace_head())?;
            session(peer, &mut stream, is_over)
        }
        _ => reply(&mut stream, &[]),
    }
}

fn session(peer: Peer, stream: &mut UnixStream, is_over: &AtomicBool) -> std::io::Result<()> {
    let piece = match peer {
        Peer::Noise => noise(1 << 20),
        Peer::FakeObjects => fake_objects(1 << 20),
        Peer::EndlessBlock => {
            stream.write_all(&object("EventBlock", 7_000_000))?;
            vec![0x55; 1 << 20]
        }
        Peer::ByteByByte => {
            while !is_over.load(Ordering::Acquire) {
                stream.write_all(&[5])?;
                std::thread::sleep(Duration::from_millis(20));
            }
            return Ok(());
        }
        Peer::Empty => return stream.write_all(&[1]),
        Peer::NeverEnds | Peer::CannotBeAsked | Peer::Silent | Peer::SilentSession => {
            wait_for_the_end(is_over);
            return Ok(());
        }
    };
    while !is_over.load(Ordering::Acquire) {
        stream.write_all(&piece)?;
    }
    Ok(())
}

fn wait_for_the_end(is_over: &AtomicBool) {
    while !is_over.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Describes a process that does not exist here, so that the recorder finds no process to look at.
fn process_info() -> Vec<u8> {
    runtime::process_info_3(0, ["/nowhere/peer", "Linux", "x64", "peer", "10.0.0"])
}

fn trace_head() -> Vec<u8> {
    let mut head = b"Nettrace\x14\0\0\0!FastSerialization.1".to_vec();
    head.extend([5, 5, 1, 4, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0]);
    head.extend(b"Trace\x06");
    for part in [2026u16, 7, 3, 1, 12, 30, 5, 0] {
        head.extend(part.to_le_bytes());
    }
    head.extend(5_000_000_000i64.to_le_bytes());
    head.extend(1_000_000_000i64.to_le_bytes());
    for number in [8u32, 1, 2, 1_000_000] {
        head.extend(number.to_le_bytes());
    }
    head.push(6);
    head
}

/// The beginning of an object of so many bytes.
fn object(name: &str, size: u32) -> Vec<u8> {
    let mut bytes = vec![5, 5, 1, 2, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
    bytes.extend(name.as_bytes());
    bytes.push(6);
    bytes.extend(size.to_le_bytes());
    bytes
}

fn fake_objects(len: usize) -> Vec<u8> {
    let one = object("StackBlock", 3_000_000);
    one.iter().copied().cycle().take(len).collect()
}

/// Bytes that do not pack.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(len).collect()
}

fn casebook(words: &[&str], socket: &Path) -> Command {
    let mut command = program::casebook();
    command.args(words).arg("--diagnostic-port").arg(socket);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn signal(child: &Child, name: &str) {
    // Fails if the process has ended.
    drop(Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).output());
}

/// Whether the process ends in time.
fn ended(child: &mut Child, within: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < within {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// A process's standard error, read as it comes.
struct Stderr {
    text: Arc<std::sync::Mutex<String>>,
    reader: std::thread::JoinHandle<()>,
}

impl Stderr {
    fn of(child: &mut Child) -> Stderr {
        let text = Arc::new(std::sync::Mutex::new(String::new()));
        let (mut pipe, shared) = (child.stderr.take().unwrap(), Arc::clone(&text));
        let read = move || {
            let mut piece = [0; 1000];
            while let Ok(len @ 1..) = pipe.read(&mut piece) {
                shared.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..len]));
            }
        };
        let reader = std::thread::Builder::new().name("stderr".to_owned()).spawn(read).unwrap();
        Stderr { text, reader }
    }

    /// What it wrote until now.
    fn so_far(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// All that it wrote. The process has ended: a process that ends has not been read to the end yet.
    fn whole(self) -> String {
        let Stderr { text, reader } = self;
        reader.join().unwrap();
        text.lock().unwrap().clone()
    }
}

/// A command that listens to a peer ends within a second of a signal, or says what it waits for; a second signal ends it.
fn check_signal(words: &[&str], peer: Peer, name: &str) {
    let socket = Socket::of(peer);
    let mut command = casebook(words, &socket.path());
    if words.contains(&"record") {
        command.arg("-o").arg(socket.out());
    }
    let mut child = command.spawn().unwrap();
    let said = Stderr::of(&mut child);
    // The signal comes in the middle of the session, if there is one.
    let begun = Instant::now();
    while socket.sessions.load(Ordering::Acquire) == 0 && begun.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(700));
    let case = format!("{words:?}, {peer:?}, {name}");
    signal(&child, name);
    // Longer than a user would wait, since a machine that runs many tests is slow.
    if !ended(&mut child, Duration::from_millis(1500)) {
        let said = said.so_far();
        assert!(said.contains("waits for"), "{case}: neither ended nor said why: {said}");
        signal(&child, name);
        let is_ended = ended(&mut child, Duration::from_millis(1500));
        drop(child.kill());
        assert!(is_ended, "{case}: a second signal does not end it");
    }
    check_readable(&socket.out(), &case);
}

/// What was written until then can be opened.
fn check_readable(out: &Path, case: &str) {
    if !out.join("trace.nettrace.zst").exists() {
        return;
    }
    let output = run(&["query", out.to_str().unwrap(), "select count(*) from events"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{case}: {error}");
}

#[test]
fn a_recording_of_a_hostile_peer_ends_with_a_signal() {
    for peer in ALL {
        for name in ["TERM", "INT"] {
            check_signal(&["record"], peer, name);
        }
    }
}

#[test]
fn a_flight_recording_of_a_hostile_peer_ends_with_a_signal() {
    for peer in [Peer::SilentSession, Peer::Noise, Peer::NeverEnds] {
        check_signal(&["record", "--keep", "4s"], peer, "TERM");
    }
}

#[test]
fn watching_a_hostile_peer_ends_with_a_signal() {
    for peer in ALL {
        check_signal(&["counters"], peer, "INT");
    }
    check_signal(&["counters", "--format", "json"], Peer::NeverEnds, "TERM");
    check_signal(&["stacks"], Peer::Noise, "TERM");
    check_signal(&["stacks"], Peer::NeverEnds, "INT");
}

#[test]
fn a_peer_that_writes_gigabytes_per_second_is_read_no_faster_than_a_runtime_writes() {
    let socket = Socket::of(Peer::Noise);
    let mut command = casebook(&["record", "-d", "2s", "--format", "json"], &socket.path());
    let mut child = command.arg("-o").arg(socket.out()).stdout(Stdio::piped()).spawn().unwrap();
    let said = Stderr::of(&mut child);
    // Noise after the stop does not prolong the recording.
    assert!(ended(&mut child, Duration::from_secs(45)), "{}", said.so_far());
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let result: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (bytes, seconds) = (result["bytes"].as_f64().unwrap(), result["duration_ns"].as_f64().unwrap() / 1e9);
    let ending = result["cost"]["rundown_seconds"].as_f64().unwrap();
    let most = 268.5e6 * (seconds + ending + 0.5);
    assert!(bytes < most, "{bytes} bytes in {seconds} and {ending} s");
}

#[test]
fn a_recording_of_nothing_is_not_taken_for_a_recording() {
    let socket = Socket::of(Peer::Empty);
    let mut command = casebook(&["record", "-d", "1s", "--format", "json"], &socket.path());
    let output = command.arg("-o").arg(socket.out()).stdout(Stdio::piped()).output().unwrap();
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["events"], 0);
    assert_eq!(output.status.code(), Some(2), "{result}");
    assert!(result["ended"].as_str().unwrap().contains("nothing was recorded"), "{result}");
}

#[test]
fn watching_of_nothing_is_not_taken_for_done() {
    for (peer, expected) in [
        (Peer::Empty, "nothing was watched: the process ended before a value came"),
        (Peer::NeverEnds, "nothing was watched: no value came"),
    ] {
        let socket = Socket::of(peer);
        for form in ["csv", "text"] {
            let mut command = casebook(&["counters", "-d", "1s", "--format", form], &socket.path());
            let output = command.stdout(Stdio::piped()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{peer:?}, {form}: {said}");
            assert!(said.contains(expected), "{peer:?}, {form}: {said}");
        }
    }
}

/// The same command behind words of a shell.
fn behind(words: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{words}; exec \"$@\"")]).arg("sh");
    shell.arg(command.get_program()).args(command.get_args());
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    shell
}

#[test]
fn a_session_is_not_left_open_where_there_are_too_few_files_to_end_it() {
    for words in [&["stacks"][..], &["counters", "-d", "1s"]] {
        for limit in 3..=14 {
            let socket = Socket::of(Peer::NeverEnds);
            let script = format!("ulimit -n {limit}");
            let mut child = behind(&script, &casebook(words, &socket.path())).spawn().unwrap();
            let said = Stderr::of(&mut child);
            let is_ended = ended(&mut child, Duration::from_secs(2));
            let case = format!("{words:?} with {limit} files: {}", said.so_far());
            // With enough files, the command waits for the peer.
            assert!(is_ended || limit > 11, "{case} does not end");
            drop(child.kill());
            let status = child.wait().unwrap();
            assert!(!is_ended || status.code() != Some(0), "{case}");
        }
    }
}

#[test]
fn a_session_that_cannot_be_stopped_is_closed_at_once() {
    for words in [&["stacks"][..], &["counters", "-d", "1s"]] {
        let socket = Socket::of(Peer::CannotBeAsked);
        let mut child = casebook(words, &socket.path()).spawn().unwrap();
        let said = Stderr::of(&mut child);
        // Without the stop, `stacks` would wait for its 30 s.
        let is_ended = ended(&mut child, Duration::from_secs(15));
        drop(child.kill());
        let said = said.whole();
        assert!(is_ended, "{words:?} does not end: {said}");
        assert!(said.contains("could not be asked to end the session"), "{words:?}: {said}");
        assert_eq!(child.wait().unwrap().code(), Some(2), "{words:?}");
    }
}

#[test]
fn a_signal_that_the_caller_ignores_ends_no_recording() {
    for words in [&["record"][..], &["counters"]] {
        let socket = Socket::of(Peer::NeverEnds);
        let mut command = casebook(words, &socket.path());
        if words == ["record"] {
            command.arg("-o").arg(socket.out());
        }
        let mut child = behind("trap '' HUP INT", &command).spawn().unwrap();
        let said = Stderr::of(&mut child);
        while socket.sessions.load(Ordering::Acquire) == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, "HUP");
        signal(&child, "INT");
        let is_ended = ended(&mut child, Duration::from_millis(1500));
        let heeded = said.so_far();
        // What is not ignored still ends it.
        signal(&child, "TERM");
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, "TERM");
        let ends = ended(&mut child, Duration::from_secs(2));
        drop(child.kill());
        assert!(!is_ended && !heeded.contains("waits for") && ends, "{words:?}: {ends}: {heeded}");
    }
}

#[test]
fn a_recording_does_not_need_the_stack_that_the_shell_allows() {
    let socket = Socket::of(Peer::Noise);
    let mut command = casebook(&["record", "-d", "1s", "--max-size", "20MB"], &socket.path());
    command.arg("-o").arg(socket.out());
    let output = behind("ulimit -s 64", &command).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let mut explain = program::casebook();
    explain.arg("explain").arg(socket.out());
    let output = behind("ulimit -s 64", &explain).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_recording_that_reaches_its_size_ends_and_says_so() {
    let socket = Socket::of(Peer::Noise);
    let mut command = casebook(&["record", "--max-size", "20MB", "--format", "json"], &socket.path());
    let mut child = command.arg("-o").arg(socket.out()).stdout(Stdio::piped()).spawn().unwrap();
    let said = Stderr::of(&mut child);
    assert!(ended(&mut child, Duration::from_secs(30)), "{}", said.so_far());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let result: serde_json::Value = serde_json::from_str(&text).unwrap();
    let limit = "at a limit: the recording may take 20 MB on the disk (--max-size)";
    assert_eq!(result["ended"], limit);
    assert!(result["left_out_bytes"].as_u64().unwrap() > 0);
    let said = said.whole();
    assert!(said.contains("the recording ended early"), "{said}");
    let packed: u64 =
        result["files"].as_array().unwrap().iter().map(|of| of["bytes"].as_u64().unwrap()).sum();
    assert!(packed < 22_000_000, "{packed}");
    let exhibit = std::fs::read_to_string(socket.out().join("exhibit.toml")).unwrap();
    assert!(exhibit.contains(limit) && exhibit.contains("size = 20000000"), "{exhibit}");
    let report = run(&["explain", socket.out().to_str().unwrap()]);
    let page = String::from_utf8(report.stdout).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("the recording ended early: at a limit"), "{page}");
}

#[test]
fn stacks_of_a_hostile_peer_take_little_memory() {
    for peer in [Peer::Noise, Peer::FakeObjects] {
        let socket = Socket::of(peer);
        let mut child = casebook(&["stacks", "--timeout", "20s"], &socket.path()).spawn().unwrap();
        let _said = Stderr::of(&mut child);
        let mut most = 0;
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_mins(1) {
            most = most.max(peak_kilobytes(child.id()).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(child.kill());
        assert!(most < 300_000, "{peer:?}: {most} kB");
    }
}

/// The most memory that a process has had so far.
fn peak_kilobytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
