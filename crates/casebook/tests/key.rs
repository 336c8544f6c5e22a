//! How the key of the pages reaches the user's browser, and that nobody else can get it.
//!
//! `xdg-open` is a script of the test, which writes down its arguments and runs until the test ends it.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use base::time::Deadline;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(1);
/// A user that owns nothing here.
const NOBODY: u32 = 65534;

/// Waits until there is something, and returns it.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::after(PATIENCE);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(deadline.pause(Duration::from_millis(20)), "waited for {what}");
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A temporary home folder and an `xdg-open`.
struct Ground(tempfile::TempDir);

impl Ground {
    /// `opener` is what `xdg-open` does after it has written down its pid and its arguments.
    fn new(opener: &str) -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        for folder in ["", "home", "bin"] {
            fs::create_dir_all(ground.path(folder)).unwrap();
            fs::set_permissions(ground.path(folder), Permissions::from_mode(0o755)).unwrap();
        }
        let seen = ground.path("seen");
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' $$ \"$@\" > {0}.part; mv {0}.part {0}\n{opener}\n",
            seen.display()
        );
        fs::write(ground.path("bin/xdg-open"), script).unwrap();
        fs::set_permissions(ground.path("bin/xdg-open"), Permissions::from_mode(0o755)).unwrap();
        ground
    }

    /// With an `xdg-open` that keeps running, as a browser does.
    fn staying() -> Self {
        Self::new("while [ -e \"$0\" ]; do sleep 0.1; done")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program serving a recording, as its user starts it on a desktop.
    fn command(&self) -> Command {
        let mut command = program::casebook();
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        command
            .arg("open")
            .arg(program::fixture("healthy.nettrace.zst"))
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("DISPLAY", ":9");
        for name in ["WSL_DISTRO_NAME", "WSL_INTEROP", "SUDO_UID"] {
            command.env_remove(name);
        }
        command
    }

    /// The pid and the arguments of `xdg-open`, once it runs.
    fn seen(&self) -> (u32, Vec<String>) {
        let seen = wait_for("the browser", || fs::read_to_string(self.path("seen")).ok());
        let mut lines = seen.lines();
        (lines.next().unwrap().parse().unwrap(), lines.map(str::to_owned).collect())
    }

    /// The file that the browser was opened with.
    fn file(&self) -> PathBuf {
        let (_, arguments) = self.seen();
        assert_eq!(arguments.len(), 1, "{arguments:?}");
        let file = PathBuf::from(&arguments[0]);
        assert!(file.starts_with(fs::canonicalize(self.path("home")).unwrap()), "{}", file.display());
        file
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path("home")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

/// The program while it runs.
struct Running {
    child: Child,
    /// Open until the test ends, as a terminal is.
    input: Option<ChildStdin>,
    said: Arc<Mutex<String>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (mut out, to) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(&said));
        let read = move || {
            let mut line = String::new();
            while out.read_line(&mut line).is_ok_and(|read| read > 0) {
                to.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        };
        std::thread::Builder::new().name("output".into()).spawn(read).unwrap();
        let input = child.stdin.take();
        Self { child, input, said }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The printed links with a key, once there are at least `count`.
    fn links(&self, count: usize) -> Vec<String> {
        wait_for("a link", || {
            let said = self.said();
            let links: Vec<String> =
                said.split_whitespace().filter(|word| word.contains("?token=")).map(str::to_owned).collect();
            (links.len() >= count).then_some(links)
        })
    }

    fn end(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Sends a request and reads the answer.
fn ask(place: &str, method: &str, target: &str, headers: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(place).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    write!(
        socket,
        "{method} {target} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Follows a link. Whether that returned a cookie.
fn lets_in(link: &str) -> bool {
    let (place, target) = link.strip_prefix("http://").unwrap().split_once('/').unwrap();
    ask(place, "GET", &format!("/{target}"), "", "").contains("\r\nset-cookie: ")
}

/// Address and key of the page in a file.
fn key(page: &str) -> (String, String) {
    let between =
        |before: &str| page.split_once(before).unwrap().1.split(['"', '/']).next().unwrap().to_owned();
    (between("http://"), between("name=\"token\" value=\""))
}

/// Posts a key as the page in the file does.
fn post(place: &str, key: &str) -> String {
    let headers = "Origin: null\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    ask(place, "POST", "/enter", headers, &format!("token={key}"))
}

/// What a command prints when another user runs it.
fn as_nobody(command: &str, path: &Path) -> std::process::Output {
    let mut command = Command::new(command);
    command.arg(path).stdin(Stdio::null());
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().unwrap()
}

#[test]
fn another_user_who_reads_the_arguments_of_the_browser_finds_no_key_in_them() {
    let ground = Ground::staying();
    let running = Running::start(ground.command());
    let (pid, _) = ground.seen();
    let read = as_nobody("cat", Path::new(&format!("/proc/{pid}/cmdline")));
    assert!(read.status.success());
    let arguments = String::from_utf8_lossy(&read.stdout).into_owned();
    assert!(!arguments.contains("token"), "{arguments}");
    let (_, key) = key(&fs::read_to_string(ground.file()).unwrap());
    assert_eq!(key.len(), 32);
    assert!(!arguments.contains(&key) && !running.said().contains(&key));
}

#[test]
fn another_user_cannot_read_the_file_with_the_key() {
    let ground = Ground::staying();
    let _running = Running::start(ground.command());
    let file = ground.file();
    let about = fs::metadata(&file).unwrap();
    assert_eq!((about.mode() & 0o7777, about.uid()), (0o600, fs::metadata("/proc/self").unwrap().uid()));
    if !is_root() {
        return base::ground::skip(
            "another_user_cannot_read_the_file_with_the_key",
            "only root can be another user",
        );
    }
    let read = as_nobody("cat", &file);
    assert!(!read.status.success() && read.stdout.is_empty());
}

#[test]
fn the_key_in_the_file_works_once_and_then_the_file_is_gone() {
    let ground = Ground::staying();
    let mut running = Running::start(ground.command());
    let (place, key) = key(&fs::read_to_string(ground.file()).unwrap());
    let answer = post(&place, &key);
    let cookie = answer.split("\r\nset-cookie: ").nth(1).unwrap().split(';').next().unwrap();
    let folder = answer.split("Path=").nth(1).unwrap().split("\r\n").next().unwrap();
    let page = ask(&place, "GET", folder, &format!("Cookie: {cookie}\r\n"), "");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("<title>"), "{page}");
    wait_for("the file to go", || ground.files().is_empty().then_some(()));
    assert!(post(&place, &key).starts_with("HTTP/1.1 403 "));
    running.end();
}

#[test]
fn a_key_that_no_browser_used_does_not_stay_in_the_home() {
    let ground = Ground::staying();
    let mut running = Running::start(ground.command());
    assert!(ground.file().exists());
    running.end();
    assert!(ground.files().is_empty(), "{:?}", ground.files());
}

#[test]
fn a_program_whose_output_nobody_takes_leaves_no_key_behind() {
    let ground = Ground::staying();
    let mut command = ground.command();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    ground.seen();
    assert!(ground.files().is_empty(), "{:?}", ground.files());
}

#[test]
fn where_no_file_would_be_the_users_alone_the_link_is_printed_and_nothing_is_opened() {
    let check = |prepare: &dyn Fn(&Ground, &mut Command)| {
        let ground = Ground::staying();
        let mut command = ground.command();
        prepare(&ground, &mut command);
        let mut running = Running::start(command);
        assert!(lets_in(&running.links(1)[0]));
        running.end();
        assert!(!ground.path("seen").exists(), "a browser was opened");
        assert!(ground.files().is_empty());
    };
    check(&|_, command| {
        command.env_remove("HOME");
    });
    check(&|ground, _| fs::set_permissions(ground.path("home"), Permissions::from_mode(0o777)).unwrap());
    if !is_root() {
        let test = "where_no_file_would_be_the_users_alone_the_link_is_printed_and_nothing_is_opened";
        return base::ground::skip(test, "only root can be called by sudo, or give a home away");
    }
    check(&|_, command| {
        command.env("SUDO_UID", "1000");
    });
    check(&|ground, _| std::os::unix::fs::chown(ground.path("home"), Some(NOBODY), None).unwrap());
}

#[test]
fn a_browser_that_does_not_open_keeps_nobody_out() {
    let ground = Ground::new("exit 3");
    let mut running = Running::start(ground.command());
    // One because there is no terminal, one because the browser failed.
    assert!(running.links(2).iter().all(|link| lets_in(link)));
    running.end();
    assert!(ground.files().is_empty());
}

/// Runs a command on a terminal of its own.
fn on_a_terminal(ground: &Ground, line: &str) -> Running {
    let mut command = Command::new("script");
    let program = ground.command();
    command.args(["-qec", line, "/dev/null"]).env("PROGRAM", program.get_program());
    let fixture = program.get_args().nth(1).unwrap();
    Running::start({
        command.env("FIXTURE", fixture);
        command
    })
}

#[test]
fn whoever_closed_the_browser_gets_in_again_with_enter() {
    let ground = Ground::staying();
    let mut running = on_a_terminal(&ground, "\"$PROGRAM\" open \"$FIXTURE\" --no-browser");
    let first = running.links(1);
    assert!(lets_in(&first[0]) && !lets_in(&first[0]));
    running.input.as_mut().unwrap().write_all(b"\n").unwrap();
    let second = running.links(2);
    assert_ne!(first[0], second[1]);
    assert!(lets_in(&second[1]));
}

#[test]
fn a_program_in_the_background_takes_no_line_from_the_shell_and_is_not_stopped() {
    let ground = Ground::staying();
    // Nobody else ends a program in the background when its terminal is gone.
    let line = "exec bash -mc 'trap \"kill %1\" EXIT; \"$PROGRAM\" open \"$FIXTURE\" --no-browser & \
                read line; echo read $line; wait'";
    let mut running = on_a_terminal(&ground, line);
    let link = running.links(1);
    running.input.as_mut().unwrap().write_all(b"mine\n").unwrap();
    wait_for("the shell to read its line", || running.said().contains("read mine").then_some(()));
    assert!(lets_in(&link[0]));
    assert_eq!(running.links(1).len(), 1, "{}", running.said());
}
