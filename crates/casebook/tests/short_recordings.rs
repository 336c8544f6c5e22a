//! Sessions that end at about the time at which the runtime collects the values of meters for the first time.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod lab;
mod program;

use lab::{environment, unpacked};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const TEST: &str = "a_process_can_still_end_after_a_short_recording";
/// How many processes are recorded at once, so that the machine is busy. Before the fix, about half of them never ended.
const AT_ONCE: usize = 5;
const DURATIONS: [&str; 2] = ["700ms", "850ms"];

/// A program that has never used tasks.
fn start(lab: &Path, program: &Path) -> Child {
    let mut command = Command::new(lab.join("dotnet/dotnet"));
    command.arg(program);
    environment(&mut command, lab, 0);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "READY");
    child
}

/// Whether a process ends by itself once its input does.
fn ends(child: &mut Child) -> bool {
    drop(child.stdin.take());
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(15) {
            child.kill().unwrap();
            child.wait().unwrap();
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

#[test]
fn a_process_can_still_end_after_a_short_recording() {
    let Some(lab) = unpacked(TEST) else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("Idle.dll");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/lab/lab");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/Idle.cs");
    let compiled =
        Command::new(script).env("LAB", &lab).arg("csc").arg(&program).arg(source).output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stdout));
    for (round, duration) in DURATIONS.into_iter().enumerate() {
        let mut children: Vec<Child> = (0..AT_ONCE).map(|_| start(&lab, &program)).collect();
        let recorders: Vec<Child> = children
            .iter()
            .map(|child| {
                let out = folder.path().join(format!("{round}-{}", child.id()));
                let mut command = Command::new(env!("CARGO_BIN_EXE_casebook"));
                command.args(["record", "-d", duration, "-p", &child.id().to_string(), "-o"]).arg(out);
                command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut recorder in recorders {
            assert!(recorder.wait().unwrap().success());
        }
        let ended = children.iter_mut().map(ends).filter(|has_ended| *has_ended).count();
        assert_eq!(ended, AT_ONCE, "after {duration}");
    }
}
