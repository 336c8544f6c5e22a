//! The lab for tests of live processes: a real ASP.NET Core service, and load on it. Needs module `program` beside it.

#![expect(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use crate::program::json;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/lab/lab");

/// The folder with the runtime and the service. `None` if there is no lab.
pub(crate) fn unpacked(test: &str) -> Option<PathBuf> {
    static UNPACKED: LazyLock<Mutex<()>> = LazyLock::new(|| Mutex::new(()));
    if !Path::new(SCRIPT).exists() {
        base::ground::skip(test, "there is no lab with a .NET service");
        return None;
    }
    let _one_at_a_time = UNPACKED.lock().unwrap();
    let lab = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab");
    let done = Command::new(SCRIPT).arg("unpack").env("LAB", &lab).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(lab)
}

/// The service, running until it is dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) port: u16,
}

/// A command that starts the service at a port, with the words of a wrapper before it.
pub(crate) fn service_command(lab: &Path, port: u16, wrapper: &[&str]) -> Command {
    let dotnet = lab.join("dotnet/dotnet");
    let words: Vec<&str> = wrapper.iter().copied().chain([dotnet.to_str().unwrap()]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(lab.join("orders/orders.dll"));
    environment(&mut command, lab, port);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Sets the environment that the service needs.
pub(crate) fn environment(command: &mut Command, lab: &Path, port: u16) {
    command
        .env("DOTNET_ROOT", lab.join("dotnet"))
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .env("ORDERS_DB", "none")
        .env("ASPNETCORE_URLS", format!("http://127.0.0.1:{port}"));
}

/// A port that is not in use.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Service {
    pub(crate) fn start(lab: &Path) -> Self {
        Self::start_in(lab, &[])
    }

    pub(crate) fn start_in(lab: &Path, wrapper: &[&str]) -> Self {
        let port = free_port();
        let child = service_command(lab, port, wrapper).spawn().unwrap();
        let service = Self { child, port };
        wait_for("the service to answer", || get(port, "/health"));
        service
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Whether each of its threads is stopped by a signal.
    pub(crate) fn is_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let stats = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
        stats.into_iter().all(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
    }

    /// Threads of the runtime that serve diagnostics: one, and another for each session.
    pub(crate) fn diagnostics_threads(&self) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.trim() == ".NET EventPipe").count()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended, or been ended by the test.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends requests from several threads until it is dropped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// When each answer with status 200 came.
    answers: Arc<Mutex<Vec<SystemTime>>>,
}

impl Load {
    pub(crate) fn start(port: u16, path: &'static str, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answers = Arc::new(Mutex::new(Vec::new()));
        let client = |_| {
            let (stop, answers) = (Arc::clone(&stop), Arc::clone(&answers));
            let thread = std::thread::Builder::new().name("client".to_owned());
            let run = move || {
                while !stop.load(Ordering::Acquire) {
                    let good = get(port, path).then(SystemTime::now);
                    answers.lock().unwrap().extend(good);
                }
            };
            thread.spawn(run).unwrap()
        };
        let threads = (0..clients).map(client).collect();
        Self { stop, threads, answers }
    }

    /// Answers with status 200 per second, in this time.
    pub(crate) fn per_second(&self, from: SystemTime, length: Duration) -> f64 {
        let answers = self.answers.lock().unwrap();
        let within = answers.iter().filter(|at| (from..from + length).contains(*at)).count();
        within as f64 / length.as_secs_f64()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

/// Whether a request is answered with 200.
pub(crate) fn get(port: u16, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = [0; 12];
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.ends_with(b"200")
}

/// Waits until something holds. Fails after 30 seconds.
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let done = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(done.success(), "kill -{name} {pid}");
}

/// The rows of a query.
pub(crate) fn rows(recording: &Path, sql: &str) -> Vec<Vec<Value>> {
    let answer = json(&["query", recording.to_str().unwrap(), sql, "--format", "json"]);
    serde_json::from_value(answer["rows"].clone()).unwrap()
}

/// The number that a query returns, or NaN for null.
pub(crate) fn number(recording: &Path, sql: &str) -> f64 {
    rows(recording, sql)[0][0].as_f64().unwrap_or(f64::NAN)
}

/// Whether this runs as root: only root may mount and enter namespaces.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}
