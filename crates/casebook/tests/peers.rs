//! Who is at the other end of a socket: impostors get no session, and one user's silence does not slow the others.
//!
//! The attackers are processes of their own, often of another user: this test program, started again. An environment variable
//! says which part to play.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "a test of how long something takes")]
#![expect(clippy::print_stdout, reason = "processes that play a part say so")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod lab;
mod program;
mod runtime;

use lab::is_root;
use program::casebook;
use serde_json::Value;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Variables that name the part of a player, and the path of its target.
const PART: &str = "CASEBOOK_TEST_PART";
const TARGET: &str = "CASEBOOK_TEST_TARGET";
/// Users that do not exist.
const ATTACKER: u32 = 54_321;
const OTHER: u32 = 54_322;
const SILENT: usize = 1000;

/// A folder that every user may use, with this program in it.
struct Stage(tempfile::TempDir);

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o1777)).unwrap();
        std::fs::copy(std::env::current_exe().unwrap(), folder.path().join("player")).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The one socket in it.
    fn socket(&self) -> PathBuf {
        let mut entries = std::fs::read_dir(self.path()).unwrap().flatten().map(|entry| entry.path());
        entries.find(|path| path.to_string_lossy().ends_with("-socket")).unwrap()
    }

    /// Starts a process that plays a part, and waits until it is ready. `None` if the user cannot start it.
    fn play(&self, part: &str, user: Option<u32>, target: &Path) -> Option<Player> {
        self.play_in(&[], part, user, target)
    }

    /// The same, with the words of a wrapper before the program.
    fn play_in(&self, wrapper: &[&str], part: &str, user: Option<u32>, target: &Path) -> Option<Player> {
        let player = self.path().join("player");
        let words: Vec<&str> = wrapper.iter().copied().chain([player.to_str().unwrap()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["--exact", "a_part_that_is_played", "--nocapture"]);
        command.env(PART, part).env(TARGET, target).env("TMPDIR", self.path()).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        // A child of another test may still have the copy open for writing, between its fork and its exec.
        let mut child = loop {
            match command.spawn() {
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                started => break started.ok()?,
            }
        };
        let (input, said) = (child.stdin.take(), BufReader::new(child.stdout.take()?));
        let mut player = Player { child, input, said };
        player.hear("ready");
        Some(player)
    }
}

/// A process that plays a part until it is dropped.
struct Player {
    child: Child,
    input: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
}

impl Player {
    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Waits for a line that begins with a word. Returns the rest of the line.
    fn hear(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "the player ended before it said {word}");
            if let Some((_, rest)) = line.trim_end().split_once(&format!("player: {word}")) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Asks the player for the number that it has counted.
    fn count(&mut self) -> usize {
        self.input.as_mut().unwrap().write_all(b"count\n").unwrap();
        self.hear("counted").parse().unwrap()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A service of this test's user, which keeps what it receives.
struct Victim {
    socket: PathBuf,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Victim {
    fn new(folder: &Path) -> Self {
        let socket = folder.join("victim");
        let listener = UnixListener::bind(&socket).unwrap();
        std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o600)).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&heard);
        let serve = move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut bytes = [0; 20];
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                if let Ok(len) = stream.read(&mut bytes) {
                    into.lock().unwrap().extend_from_slice(&bytes[..len]);
                }
            }
        };
        std::thread::Builder::new().name("victim".to_owned()).spawn(serve).unwrap();
        Self { socket, heard }
    }
}

/// Not a test of its own: what the processes do that other tests start.
#[test]
fn a_part_that_is_played() {
    let Ok(part) = std::env::var(PART) else { return };
    let target = PathBuf::from(std::env::var_os(TARGET).unwrap());
    match part.as_str() {
        "swap for a link" => swap(&|path| std::os::unix::fs::symlink(&target, path).unwrap()),
        "swap for another socket" => swap(&|path| std::fs::hard_link(&target, path).unwrap()),
        "answer" => answer(),
        "silent" => silent(),
        "leave" => leave(),
        "inherit" => inherit(),
        other => panic!("{other}"),
    }
}

/// Starts the thread that a running runtime has, and a suspended one does not have.
fn run_finalizers() {
    let thread = std::thread::Builder::new().name(".NET Finalizer".to_owned());
    thread.spawn(std::thread::park).unwrap();
}

fn say(text: &str) {
    println!("player: {text}");
    std::io::stdout().flush().unwrap();
}

/// The path at which a runtime in this process would have its socket.
fn own_socket() -> PathBuf {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let start = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().to_owned();
    let name = format!("dotnet-diagnostic-{}-{start}-socket", std::process::id());
    PathBuf::from(std::env::var_os("TMPDIR").unwrap()).join(name)
}

/// Answers a question for what this process is; `before` does something between question and answer.
fn answer_one(stream: &mut UnixStream, before: &dyn Fn()) {
    if runtime::command(stream).is_err() {
        return;
    }
    let texts = ["/bin/orders", "Linux", "x64", "orders", "10.0.1"];
    before();
    drop(runtime::reply(stream, &runtime::process_info_3(std::process::id(), texts)));
}

/// Answers the first question, with its socket swapped by then.
fn swap(for_what: &dyn Fn(&Path)) {
    let path = own_socket();
    let listener = UnixListener::bind(&path).unwrap();
    run_finalizers();
    say("ready");
    let (mut stream, _) = listener.accept().unwrap();
    answer_one(&mut stream, &|| {
        std::fs::remove_file(&path).unwrap();
        for_what(&path);
    });
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).unwrap();
}

/// Answers every question.
fn answer() {
    let listener = UnixListener::bind(own_socket()).unwrap();
    run_finalizers();
    say("ready");
    while let Ok((mut stream, _)) = listener.accept() {
        answer_one(&mut stream, &|| {});
    }
}

/// Listens, hands the socket to a process of its own, and ends.
fn leave() {
    let listener = UnixListener::bind(own_socket()).unwrap();
    let mut heir = Command::new(std::env::current_exe().unwrap());
    heir.args(["--exact", "a_part_that_is_played"]).env(PART, "inherit");
    heir.stdin(std::os::fd::OwnedFd::from(listener)).stdout(Stdio::null()).stderr(Stdio::null());
    drop(heir.spawn().unwrap());
    say("ready");
}

/// Answers one question at the socket that it was handed.
fn inherit() {
    let socket = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned().unwrap();
    let (mut stream, _) = UnixListener::from(socket).accept().unwrap();
    answer_one(&mut stream, &|| {});
}

/// Listens at very many sockets and never answers. On request it counts the connections that came.
fn silent() {
    let folder = PathBuf::from(std::env::var_os("TMPDIR").unwrap());
    let bind = |number: usize| {
        let path = folder.join(format!("dotnet-diagnostic-{}-{number}-socket", 900_000_000 + number));
        let listener = UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        listener
    };
    let listeners: Vec<UnixListener> = (0..SILENT).map(bind).collect();
    say("ready");
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).unwrap() > 0 {
        let of = |listener: &UnixListener| std::iter::from_fn(|| listener.accept().ok()).count();
        let counted: usize = listeners.iter().map(of).sum();
        say(&format!("counted {counted}"));
    }
}

/// Asks the attacker for its stacks; the error. The service that it points us to gets nothing.
fn check_refused(part: &str, user: Option<u32>, found: &str) {
    let (stage, private) = (Stage::new(), tempfile::tempdir().unwrap());
    let victim = Victim::new(private.path());
    let Some(player) = stage.play(part, user, &victim.socket) else {
        return base::ground::skip(part, "another user cannot start this program");
    };
    let output = casebook().args(["stacks", "-p", &player.pid()]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let heard = String::from_utf8_lossy(&victim.heard.lock().unwrap()).into_owned();
    assert_eq!(heard, "", "the service got a command: {error}");
    let user = user.map_or_else(String::new, |user| format!(" of user {user}"));
    let expected = format!("expected process {}{user}", player.pid());
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(&expected) && error.contains(found), "{error}");
}

#[test]
fn a_socket_that_is_swapped_for_a_link_to_roots_service_gives_no_session_of_it() {
    let test = "a_socket_that_is_swapped_for_a_link_to_roots_service_gives_no_session_of_it";
    if !is_root() {
        return base::ground::skip(test, "only root may become another user");
    }
    check_refused("swap for a link", Some(ATTACKER), "found a link");
}

#[test]
fn a_socket_that_is_swapped_for_one_of_another_process_gives_no_session_of_it() {
    let own = std::process::id();
    check_refused("swap for another socket", None, &format!("found process {own} of user"));
}

/// Runs `ps` with the folder in which the sockets are.
fn ps(stage: &Stage, format: &str) -> (Output, Duration) {
    let watch = Instant::now();
    let output = casebook().args(["ps", "--format", format]).env("TMPDIR", stage.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (output, watch.elapsed())
}

#[test]
fn a_thousand_silent_sockets_of_one_user_do_not_keep_root_from_seeing_the_services_of_others() {
    let test = "a_thousand_silent_sockets_of_one_user_do_not_keep_root_from_seeing_the_services_of_others";
    if !is_root() {
        return base::ground::skip(test, "only root may become another user");
    }
    let stage = Stage::new();
    let players = stage.play("silent", Some(ATTACKER), Path::new(""));
    let (Some(mut silent), Some(other)) = (players, stage.play("answer", Some(OTHER), Path::new(""))) else {
        return base::ground::skip(test, "another user cannot start this program");
    };
    let (output, took) = ps(&stage, "json");
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let row = rows.iter().find(|row| row["pid"] == other.child.id()).unwrap();
    assert_eq!([&row["state"], &row["name"]], ["running", "orders"]);
    let of_attacker = rows.iter().filter(|row| row["state"] == "silent").count();
    let asked = silent.count();
    let said = String::from_utf8_lossy(&output.stderr);
    println!("a thousand silent sockets: {asked} were asked, in {took:?}");
    assert_eq!([of_attacker, asked], [64; 2], "the budget of one user: {said}");
    let rest = format!("936 more sockets of user {ATTACKER} were not asked");
    assert!(said.contains(&rest), "{said}");
    let newest = format!("dotnet-diagnostic-{}-999-socket", 900_000_999);
    assert!(
        rows.iter().any(|row| row["socket"].as_str().unwrap().ends_with(&newest)),
        "the newest come first"
    );
    let (output, _) = ps(&stage, "table");
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.contains(&rest), "{page}");
}

#[test]
fn silent_sockets_do_not_end_ps_where_the_address_space_is_limited() {
    let stage = Stage::new();
    let _silent = stage.play("silent", None, Path::new("")).unwrap();
    for kilobytes in [200_000, 400_000, 800_000] {
        let script = format!("ulimit -v {kilobytes}; exec \"$0\" ps");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_casebook")]).env("TMPDIR", stage.path());
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kilobytes} kB: {}: {error}", output.status);
    }
}

#[test]
fn a_process_in_another_namespace_is_listed_with_the_pid_that_it_has_here() {
    let test = "a_process_in_another_namespace_is_listed_with_the_pid_that_it_has_here";
    if !is_root() {
        return base::ground::skip(test, "only root may make namespaces");
    }
    let stage = Stage::new();
    let wrapper = ["unshare", "--pid", "--fork", "--kill-child"];
    let Some(_player) = stage.play_in(&wrapper, "answer", None, Path::new("")) else {
        return base::ground::skip(test, "there is no unshare");
    };
    let rows: Vec<Value> = serde_json::from_slice(&ps(&stage, "json").0.stdout).unwrap();
    let socket = stage.socket();
    let name = socket.file_name().unwrap().to_str().unwrap();
    let row = rows.iter().find(|row| row["socket"].as_str().unwrap().ends_with(name)).unwrap();
    assert_eq!([row["state"].clone(), row["container_pid"].clone()], ["running".into(), Value::from(1)]);
    assert_ne!(row["pid"], 1);
    // In a third namespace it has no pid.
    let mut beside = Command::new("unshare");
    beside.args(["--pid", "--fork", "--kill-child", "--mount-proc", env!("CARGO_BIN_EXE_casebook")]);
    let output = beside.args(["stacks", "--diagnostic-port"]).arg(socket).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is a process of user 0 that has ended or cannot be seen from here"), "{said}");
}

#[test]
fn a_socket_that_outlives_its_process_is_not_taken_for_that_of_a_later_one() {
    let stage = Stage::new();
    let mut player = stage.play("leave", None, Path::new("")).unwrap();
    player.child.wait().unwrap();
    let output = casebook().args(["stacks", "--diagnostic-port"]).arg(stage.socket()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // A kernel before 6.5 names the number that the process had.
    let expected = ["that has ended or cannot be seen from here", &format!("is process {}", player.pid())];
    assert!(expected.iter().any(|expected| said.contains(expected)), "{said}");
}

#[test]
fn a_named_socket_may_be_a_relays_and_says_who_is_there() {
    let stage = Stage::new();
    let player = stage.play("answer", None, Path::new("")).unwrap();
    let socket = stage.socket();
    // Behind a link, as relays and volumes have it.
    let link = stage.path().join("relay");
    std::os::unix::fs::symlink(socket, &link).unwrap();
    let output = casebook().args(["stacks", "--diagnostic-port"]).arg(&link).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = format!("at {} is process {} of user ", link.display(), player.pid());
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains(&format!("the runtime says that it is process {}", player.pid())), "{said}");
}
