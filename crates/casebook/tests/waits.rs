//! What threads wait for, live: a program whose threads wait in each primitive of the runtime.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod lab;
mod program;

use lab::{environment, rows, unpacked};
use program::json;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const TEST: &str = "every_primitive_that_threads_wait_in_has_its_word_for_what_they_wait_for";

/// The methods of `lab/Waits.cs`, by what their threads wait for.
const EXPECTED: [(&str, &str); 9] = [
    (
        "lock",
        "MonitorEnter MonitorTryEnter LockEnter RwlsRead RwlsUpgradeable RwlsWrite RwlsWriteBehindReader RwlReader RwlWriter SpinLock Lazy LazyInit Cctor",
    ),
    (
        "task",
        "ChannelRead ChannelWaitToRead ChannelWrite TaskWait TaskResult TaskGetResult TaskWaitAll TaskWaitAny",
    ),
    ("queue", "BcTake BcTakeAny BcAdd"),
    ("event", "Mres Mre Ewh Mutex Semaphore WaitAny WaitAll SignalAndWait"),
    (
        "io",
        "ConsoleRead FileOpenFifo FileReadFifo AnonymousPipe NamedPipeConnect SocketAccept SocketReceive SocketPoll SocketSelect Udp ProcessOutput",
    ),
    ("parallel", "ParallelFor ParallelInvoke"),
    ("sleep", "Sleep"),
    ("semaphore", "SemaphoreSlim"),
    ("process", "ProcessWait"),
];
/// The same for words with a single method.
const FURTHER: [(&str, &str); 6] = [
    ("MonitorWait", "monitor"),
    ("SpinUntil", "spin"),
    ("Barrier", "barrier"),
    ("Countdown", "countdown"),
    ("Join", "join"),
    ("Finalizers", "gc"),
];

/// What most samples under each of the program's methods wait for.
const WAITS: &str = "with recursive inside(id, name) as (
    select stacks.id, substr(frames.method, 3) from stacks join frames on frames.id = stacks.frame
    where frames.method like 'W!_%' escape '!'
    union select stacks.id, inside.name from stacks join inside on stacks.parent = inside.id)
  select name, ifnull(waiting_on, state), count(*) from samples join inside on inside.id = samples.stack
  group by 1, 2 order by 3";

/// The program, until dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn started(lab: &Path, folder: &Path) -> Program {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/Waits.cs");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/lab/lab");
    let program = folder.join("Waits.dll");
    let compiled =
        Command::new(script).env("LAB", lab).arg("csc").arg(&program).arg(source).output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stdout));
    let mut command = Command::new(lab.join("dotnet/dotnet"));
    command.arg(&program).arg(folder);
    environment(&mut command, lab, 0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "READY");
    Program(child)
}

#[test]
fn every_primitive_that_threads_wait_in_has_its_word_for_what_they_wait_for() {
    let Some(lab) = unpacked(TEST) else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = started(&lab, folder.path());
    let (pid, out) = (program.0.id().to_string(), folder.path().join("waits"));
    json(&[
        "record",
        "-p",
        &pid,
        "-d",
        "1s",
        "--profile",
        "cpu",
        "-o",
        out.to_str().unwrap(),
        "--format",
        "json",
    ]);
    let found = rows(&out, WAITS).into_iter().map(|row| {
        let text = |at: usize| row[at].as_str().unwrap().to_owned();
        (text(0), text(1))
    });
    // Rows are ordered by their count, so the last row of a name wins, which is the most frequent.
    let found: BTreeMap<String, String> = found.collect();
    let lists = EXPECTED.iter().flat_map(|(word, names)| names.split(' ').map(move |name| (name, *word)));
    let expected = lists.chain(FURTHER).map(|(name, word)| (name.to_owned(), word.to_owned()));
    assert_eq!(found, expected.collect::<BTreeMap<_, _>>());
}
