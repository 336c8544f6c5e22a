//! Runs the program under test, and knows the recordings that come with the source tree.

#![expect(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::Builder;
use std::time::Duration;

/// Benchmark results: one benchmark with one measurement.
pub(crate) const BENCH: &str = r#"{"Title":"Parse","HostEnvironmentInfo":{"BenchmarkDotNetVersion":"0.15.8"},
    "Benchmarks":[{"Type":"Parse","Method":"Split","Statistics":{"N":1,"Mean":7.5,"Median":7.5},"Measurements":[
    {"IterationMode":"Workload","IterationStage":"Result","LaunchIndex":1,"IterationIndex":1,"Operations":2,
    "Nanoseconds":15}]}]}"#;

/// The path of a recording in `fixtures/`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// The program, with an empty standard input.
pub(crate) fn casebook() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_casebook"));
    // Whoever runs the tests may have exported their width, and have settings of their own.
    command.stdin(Stdio::null()).env_remove("COLUMNS").env("XDG_CONFIG_HOME", "/dev/null");
    command
}

pub(crate) fn run(words: &[&str]) -> Output {
    casebook().args(words).output().unwrap()
}

/// What the program printed on standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs the program, which must succeed. Returns its standard output, with `\n` at the end of each line.
pub(crate) fn printed(words: &[&str]) -> String {
    let output = run(words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
}

/// Runs the program, which must succeed. Returns its standard output as JSON.
pub(crate) fn json(words: &[&str]) -> Value {
    serde_json::from_str(&printed(words)).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// Runs the program, which must refuse. Returns its message.
pub(crate) fn refused(words: &[&str]) -> String {
    let output = run(words);
    assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
    said(&output)
}

/// A service on this machine that answers everything with `ok`, and takes so long for it. It ends with the test's process.
pub(crate) fn service(delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serve = move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer = move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    std::thread::sleep(delay);
                    drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
                }
            };
            drop(Builder::new().spawn(answer));
        }
    };
    drop(Builder::new().spawn(serve).unwrap());
    url
}
