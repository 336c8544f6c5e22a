//! Completions in a real bash, and their installation.

#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")]

mod lab;
mod program;
mod runtime;

use program::{casebook, printed, refused, said};
use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Calls the function of the script as bash does on Tab.
const TAB: &str = r#"
source <(casebook completions bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_casebook casebook "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;
/// Bash's kinds of completion: insert what fits, or list it.
const INSERT: &str = "9";
const LIST: &str = "63";

/// What bash offers for the last word, in this folder. Nothing may be printed beside that.
fn offered_in(folder: &Path, kind: &str, words: &[&str]) -> Vec<String> {
    let ours = Path::new(env!("CARGO_BIN_EXE_casebook")).parent().unwrap().to_str().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-c", TAB, "bash"]).args(words).current_dir(folder);
    bash.env("PATH", format!("{ours}:{}", std::env::var("PATH").unwrap())).env("COMP_TYPE", kind);
    let output = bash.env("COLUMNS", "100").stdin(Stdio::null()).output().unwrap();
    assert_eq!(said(&output), "", "{words:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn offered(words: &[&str]) -> Vec<String> {
    offered_in(Path::new("/"), INSERT, words)
}

fn check(line: &str, expected: &[&str]) {
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(offered(&words), expected, "{line}");
}

#[test]
fn commands_options_and_values_are_completed() {
    check("casebook explain --rule db", &["db-n-plus-one", "db-pool-exhausted"]);
    check("casebook rec", &["record"]);
    // What only packages and the program itself call is not offered.
    check("casebook guar", &[]);
    check("casebook complet", &["completions"]);
    check("casebook help exp", &["explain", "export"]);
    check("casebook record --prof", &["--profile"]);
    check("casebook record --profile ", &["default", "light", "cpu", "requests", "logs", "startup"]);
    // Bash splits a word at `=`, and replaces only what is behind.
    check("casebook record --profile = st", &["startup"]);
    check("casebook explain slow --topic th", &["threadpool"]);
    check("casebook explain slow --topic gc,cpu,j", &["gc,cpu,jit"]);
    check("casebook explain slow --topic gc,g", &[]);
    check("casebook explain slow --fail-on c", &["critical", "cannot-judge"]);
    check("casebook export slow --to p", &["pprof", "parquet"]);
    check("casebook completions --install f", &["fish"]);
    check("casebook record -d ", &[]);
    // Options, because nothing else fits.
    check("casebook ps ", &["--all", "--format", "--progress", "--help"]);
    let sql = "select a = 1 from samp";
    assert_eq!(offered(&["casebook", "query", "slow", sql]), ["select a = 1 from samples"]);
}

#[test]
fn a_list_describes_what_fits_and_a_single_word_is_only_inserted() {
    let listed = offered_in(Path::new("/"), LIST, &["casebook", "record", "--profile", ""]);
    assert_eq!(
        listed[1],
        "light     (costs 3 %: collections, locks, exceptions, pool, counters; no samples, so few checks)"
    );
    assert!(listed.len() == 6 && listed.iter().all(|line| line.chars().count() < 100), "{listed:?}");
    assert_eq!(offered_in(Path::new("/"), LIST, &["casebook", "record", "--profile", "lig"]), ["light"]);
}

#[test]
fn recordings_and_other_paths_are_completed() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("slow")).unwrap();
    for name in [
        "a.nettrace",
        "a.nettrace.zst",
        "b-report-full.json",
        "a$(touch pwned).nettrace",
        "*.nettrace",
        "x.txt",
    ] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let all = [
        "slow",
        "*.nettrace",
        "a$(touch pwned).nettrace",
        "a.nettrace",
        "a.nettrace.zst",
        "b-report-full.json",
    ];
    for line in ["explain ", "open slow --against ", "query before = ", "diff slow ", "export ", "tables "] {
        let words: Vec<&str> = ["casebook"].into_iter().chain(line.split(' ')).collect();
        let mut found = offered_in(folder.path(), INSERT, &words);
        found.sort_by_key(|name| (name != "slow", name.clone()));
        assert_eq!(found, all, "{line}");
    }
    // Bash itself completes any path if we offer nothing and do not switch that off.
    let asked = |words: &[&str]| printed(&[&["complete", "bash", "--", "casebook"], words].concat());
    for words in [&["record", "-o", "x"][..], &["record", "--", "dot"], &["query", "slow", "--file", ""]] {
        assert_eq!(asked(words), "paths\n", "{words:?}");
    }
    assert_eq!(asked(&["record", "-d", ""]), "words\n");
    assert!(!folder.path().join("pwned").exists());
}

#[test]
fn a_program_that_is_not_there_is_no_error() {
    let script = printed(&["completions", "bash"]);
    let ask = "PATH=/nowhere; COMP_WORDS=(casebook ex); COMP_CWORD=1; _casebook casebook ex casebook; echo \"${#COMPREPLY[@]}\"";
    let bash = Command::new("bash").args(["--norc", "-c", &format!("{script}\n{ask}")]).output().unwrap();
    assert_eq!((String::from_utf8_lossy(&bash.stdout).trim(), said(&bash).as_str()), ("0", ""));
}

/// This process, with the socket of a runtime whose entry assembly has a name that the test chooses.
struct Named {
    path: PathBuf,
    /// `None`: it does not answer.
    name: Arc<Mutex<Option<String>>>,
    /// Ends with the thread that serves the socket.
    _served: Receiver<()>,
}

impl Named {
    fn new() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let key = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
        let folder = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
        let path = folder.join(format!("dotnet-diagnostic-{}-{key}-socket", std::process::id()));
        drop(fs::remove_file(&path));
        let listener = UnixListener::bind(&path).unwrap();
        let name = Arc::new(Mutex::new(None));
        let (serving, served) = sync_channel(1);
        let names: Arc<Mutex<Option<String>>> = Arc::clone(&name);
        let serve = move || {
            // Whoever gets no answer keeps its connection.
            let mut unanswered: Vec<UnixStream> = Vec::new();
            let _serving = serving;
            for stream in listener.incoming() {
                let (mut stream, name) = (stream.unwrap(), names.lock().unwrap().clone());
                let Some(name) = name else {
                    unanswered.push(stream);
                    continue;
                };
                let texts = ["app", "Linux", "x64", &name, "10.0.1"];
                if runtime::command(&mut stream).is_ok() {
                    drop(runtime::reply(&mut stream, &runtime::process_info_3(std::process::id(), texts)));
                }
            }
        };
        std::thread::Builder::new().name("peer".to_owned()).spawn(serve).unwrap();
        Self { path, name, _served: served }
    }

    fn rename(&self, name: Option<&str>) {
        *self.name.lock().unwrap() = name.map(str::to_owned);
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

#[test]
fn no_name_of_a_process_means_anything_to_the_shell_and_none_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (peer, pid) = (Named::new(), std::process::id().to_string());
    let offered = |kind: &str, words: &[&str]| {
        offered_in(folder.path(), kind, &[&["casebook", "record"], words].concat())
    };
    let number = |kind: &str| offered(kind, &["-p", ""]).into_iter().find(|word| word.starts_with(&pid));

    peer.rename(Some("Orders.Api"));
    assert_eq!(number(INSERT).as_ref(), Some(&pid));
    assert_eq!(offered(INSERT, &["--name", "orders.a"]), ["Orders.Api"]);
    assert_eq!(offered(INSERT, &["-p", "orders.a"]), ["Orders.Api"]);
    // The first digits alone.
    assert!(offered(INSERT, &["-p", &pid[..1]]).contains(&pid));

    for name in [
        "$(touch pwned)",
        "`touch pwned`",
        "x;touch pwned",
        "x\ntouch pwned",
        "x\r\u{1b}[2Jy",
        "'x",
        "\"x",
        "x y",
        "--force",
        "-o",
        "*",
        "/*",
        "~",
        "x\\",
        "x|y",
        "x&",
        "<(touch pwned)",
        "!!",
        "#x",
        "x\u{0b}y",
        "x\ty",
        "x=y",
        "x:y",
        "{x,y}",
        "x\u{202e}y",
    ] {
        peer.rename(Some(name));
        assert_eq!(number(INSERT).as_ref(), Some(&pid), "{name:?}");
        for words in [&["--name", ""][..], &["--name", "x"], &["-p", "x"], &["-p", ""]] {
            for word in offered(INSERT, words) {
                let is_safe = |c: char| c.is_alphanumeric() || "._-+".contains(c);
                assert!(word.chars().all(is_safe) && !word.starts_with('-'), "{word:?} for {name:?}");
            }
            let lines = offered(LIST, words).concat();
            let harmful = |c: char| c.is_control() || "$`;'\"\\|&<>!*~{}\u{202e}".contains(c);
            assert!(!lines.contains(harmful), "{lines:?} for {name:?}");
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a name was run");

    peer.rename(None);
    let begun = Instant::now();
    assert_eq!(number(INSERT).as_ref(), Some(&pid));
    // The program waits for 0.3 s. The rest is for a busy machine.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn a_running_service_is_offered_by_number_and_name() {
    let Some(lab) = lab::unpacked("a_running_service_is_offered_by_number_and_name") else { return };
    let service = lab::Service::start(&lab);
    let pid = service.pid().to_string();
    for command in ["record", "counters", "stacks", "demo"] {
        assert!(offered(&["casebook", command, "-p", ""]).contains(&pid), "{command}");
    }
    // Another test may play a service with a similar name.
    assert!(offered(&["casebook", "stacks", "--name", "order"]).contains(&"orders".to_owned()));
    let asked = printed(&["complete", "zsh", "--", "casebook", "stacks", "-p", &pid]);
    assert!(asked.starts_with(&format!("words\n{pid}\torders, .NET ")), "{asked}");
    // The number of a process in a recording is not that of a process that runs now.
    assert_eq!(offered(&["casebook", "explain", "slow", "--pid", ""]), [""; 0]);
}

/// Installs into a home folder, with these words and variables.
fn install(home: &Path, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = casebook();
    command.args(["completions", "--install"]).args(words).env("HOME", home);
    for name in ["SHELL", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "SUDO_UID", "SUDO_GID"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn a_script_is_installed_where_the_shell_looks_for_it_once() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    for (shell, variable, path) in [
        ("bash", None, ".local/share/bash-completion/completions/casebook"),
        ("zsh", None, ".local/share/zsh/site-functions/_casebook"),
        ("fish", None, ".config/fish/completions/casebook.fish"),
        ("bash", Some("XDG_DATA_HOME"), "data/bash-completion/completions/casebook"),
        ("fish", Some("XDG_CONFIG_HOME"), "data/fish/completions/casebook.fish"),
    ] {
        let path = home.path().join(path);
        let variables: Vec<_> = variable.into_iter().map(|name| (name, data.to_str().unwrap())).collect();
        for expected in ["wrote ", "up to date: "] {
            let output = install(home.path(), &[shell], &variables);
            assert!(
                output.status.success() && said(&output).contains(&format!("{expected}{}", path.display())),
                "{}",
                said(&output)
            );
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), printed(&["completions", shell]), "{shell}");
        // What an earlier version has written is replaced.
        fs::write(&path, "#compdef casebook\n# old, written by `casebook completions`\n").unwrap();
        assert!(said(&install(home.path(), &[shell], &variables)).contains("wrote "));
        assert_eq!(fs::read_to_string(&path).unwrap(), printed(&["completions", shell]), "{shell}");
    }
    let output = install(home.path(), &[], &[("SHELL", "/usr/bin/zsh")]);
    assert!(said(&output).contains("zsh/site-functions' $fpath)"), "{}", said(&output));
    for (words, variables, expected) in [
        (&[][..], &[][..], "add bash, zsh or fish to the command"),
        (&[], &[("SHELL", "/bin/dash")], "`dash`"),
        (&["elvish"], &[], "--install is for bash, zsh and fish"),
    ] {
        let output = install(home.path(), words, variables);
        assert!(output.status.code() == Some(2) && said(&output).contains(expected), "{}", said(&output));
    }
    assert!(refused(&["completions"]).contains("<SHELL>"));
}

#[test]
fn what_others_wrote_is_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/fish/completions");
    fs::create_dir_all(&folder).unwrap();
    let (path, victim) = (folder.join("casebook.fish"), home.path().join("victim"));
    let refused = |expected: &str| {
        let output = install(home.path(), &["fish"], &[]);
        assert!(output.status.code() == Some(2) && said(&output).contains(expected), "{}", said(&output));
    };
    fs::write(&path, "# my own\n").unwrap();
    refused("was not written by `casebook completions --install`");
    assert_eq!(fs::read_to_string(&path).unwrap(), "# my own\n");
    fs::remove_file(&path).unwrap();
    // A link is not followed, whatever it leads to.
    fs::write(&victim, "# written by `casebook completions`\n").unwrap();
    std::os::unix::fs::symlink(&victim, &path).unwrap();
    refused("it is a link");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "# written by `casebook completions`\n");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("is not a regular file");
    fs::remove_dir(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused("is not a regular file");
}
