//! Files that the program writes: who may read them, whom they belong to, and what others cannot make it overwrite.
//!
//! What needs another user runs as root and is counted as skipped elsewhere.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test")]
#![cfg_attr(
    target_os = "linux",
    expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")
)]

#[cfg(target_os = "linux")]
mod lab;
mod program;

use program::{fixture, said};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A user that has no files and no rights.
const OTHER: u32 = 65534;
const SQL: &str = "select count(*) as n from samples";
const ANSWER: &str = "n\r\n5126\r\n";

/// The program as its user starts it, without `sudo`.
fn casebook(arguments: &[&str]) -> Command {
    let mut command = program::casebook();
    command.args(arguments).env_remove("SUDO_UID").env_remove("SUDO_GID");
    command
}

/// Commands that write to this place: two write a file, one a folder of files.
fn writers(out: &Path) -> [Command; 3] {
    let (file, out) = (fixture("net8.nettrace.zst"), out.to_str().unwrap().to_owned());
    let file = file.to_str().unwrap();
    [
        casebook(&["query", file, SQL, "--format", "csv", "-o", &out]),
        casebook(&["export", file, "--to", "folded", "-o", &out]),
        casebook(&["export", file, "--to", "csv", "-o", &out]),
    ]
}

/// Runs a command that must refuse, and returns what it says.
fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{command:?}: {}", said(&output));
    said(&output)
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{command:?}: {}", said(&output));
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn owner(path: &Path) -> (u32, u32) {
    let meta = fs::symlink_metadata(path).unwrap();
    (meta.uid(), meta.gid())
}

/// A folder that root shares with another user. `None` if we are not root, or are not allowed to act for other users.
fn as_root(test: &str) -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    if owner(folder.path()).0 != 0 || chown(folder.path(), Some(OTHER), Some(OTHER)).is_err() {
        base::ground::skip(test, "only root can act for another user");
        return None;
    }
    chown(folder.path(), Some(0), Some(0)).unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    Some(folder)
}

#[test]
fn another_user_does_not_read_requests_out_of_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for (at, mut command) in writers(&out).into_iter().enumerate() {
        done(&mut command);
        if at == 2 {
            assert_eq!((mode(&out), mode(&out.join("requests.csv"))), (0o700, 0o600));
        } else {
            assert_eq!(mode(&out), 0o600, "{command:?}");
            fs::remove_file(&out).unwrap();
        }
    }
    // A file that others could read is private once it is replaced.
    let out = folder.path().join("again.csv");
    fs::write(&out, "old").unwrap();
    fs::set_permissions(&out, PermissionsExt::from_mode(0o644)).unwrap();
    done(&mut writers(&out)[0]);
    assert_eq!((mode(&out), fs::read_to_string(&out).unwrap().as_str()), (0o600, ANSWER));
}

#[test]
fn no_umask_changes_who_may_read_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    for umask in ["0777", "0277", "0000"] {
        for (at, command) in writers(&folder.path().join("out")).into_iter().enumerate() {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("umask {umask} && exec \"$@\""), "sh"]).arg(command.get_program());
            done(shell.args(command.get_args()).stdin(Stdio::null()));
            let out = folder.path().join("out");
            if at == 2 {
                assert_eq!((mode(&out), mode(&out.join("gc.csv"))), (0o700, 0o600), "{umask}");
                fs::remove_dir_all(&out).unwrap();
            } else {
                assert_eq!(mode(&out), 0o600, "{umask}");
                fs::remove_file(&out).unwrap();
            }
        }
    }
}

#[test]
fn a_path_over_another_users_folder_does_not_lead_where_they_moved_it() {
    let Some(folder) = as_root("a_path_over_another_users_folder_does_not_lead_where_they_moved_it") else {
        return;
    };
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    chown(&theirs, Some(OTHER), Some(OTHER)).unwrap();
    for mut command in writers(&theirs.join("../ok.csv")) {
        let message = refused(&mut command);
        assert!(message.contains("theirs belongs to another user (65534)"), "{message}");
    }
    done(writers(&theirs.join("../ok.csv"))[0].arg("--insecure-output"));
}

#[test]
fn a_socket_that_waits_for_runtimes_lies_where_outputs_may_lie() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    let port = format!("{},listen", open.join("socket").display());
    for command in ["record", "counters", "stacks"] {
        let message = refused(&mut casebook(&[command, "--diagnostic-port", &port]));
        assert!(
            message.contains("cannot listen at") && message.contains("everyone may write to"),
            "{message}"
        );
    }
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    refused(&mut casebook(&["record", "--diagnostic-port", &format!("{},listen", file.display())]));
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn a_link_under_the_outputs_name_does_not_lead_to_another_file_being_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let [victim, link, dangling] = ["victim", "link", "dangling"].map(|name| folder.path().join(name));
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, &link).unwrap();
    symlink(folder.path().join("nowhere"), &dangling).unwrap();
    for place in [&link, &dangling] {
        for mut command in writers(place) {
            let message = refused(&mut command);
            assert!(message.contains("is a link") && message.contains("name what it leads to"), "{message}");
            let message = refused(command.arg("--insecure-output"));
            assert!(message.contains("is a link"), "{message}");
        }
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn a_folder_that_others_may_write_to_is_refused_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    for (bits, is_refused) in [(0o777, true), (0o1777, false), (0o755, false)] {
        fs::set_permissions(&open, PermissionsExt::from_mode(bits)).unwrap();
        for (at, mut command) in writers(&open.join(format!("{bits:o}"))).into_iter().enumerate() {
            if is_refused {
                let message = refused(&mut command);
                assert!(
                    message.contains("everyone may write to") && message.contains("--insecure-output"),
                    "{message}"
                );
                assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
            } else if at == 0 {
                done(&mut command);
            }
        }
    }
    fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    let out = open.join("asked-for");
    done(writers(&out)[0].arg("--insecure-output"));
    assert_eq!(mode(&out), 0o600);
    // The same holds for the current folder.
    let message = refused(writers(Path::new("here.csv"))[0].current_dir(&open));
    assert!(message.contains("everyone may write to"), "{message}");
}

#[test]
fn pipes_devices_and_standard_output_are_still_written_into() {
    for place in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let output = writers(Path::new(place))[0].output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), ANSWER, "{place}: {}", said(&output));
    }
    done(&mut writers(Path::new("/dev/null"))[0]);
    let folder = tempfile::tempdir().unwrap();
    let redirected = folder.path().join("redirected.csv");
    let file = fs::File::create(&redirected).unwrap();
    done(writers(Path::new("/dev/fd/1"))[0].stdout(file));
    assert_eq!(fs::read_to_string(&redirected).unwrap(), ANSWER);
    let pipe = folder.path().join("pipe");
    if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        return base::ground::skip(
            "pipes_devices_and_standard_output_are_still_written_into",
            "there is no mkfifo",
        );
    }
    let mut writing = writers(&pipe)[0].spawn().unwrap();
    let mut text = String::new();
    fs::File::open(&pipe).unwrap().read_to_string(&mut text).unwrap();
    assert!(writing.wait().unwrap().success());
    assert_eq!(text, ANSWER);
}

#[test]
fn a_link_of_ones_own_on_the_way_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("disk")).unwrap();
    symlink("disk", folder.path().join("data")).unwrap();
    done(&mut writers(&folder.path().join("data/../data/rows.csv"))[0]);
    assert_eq!(fs::read_to_string(folder.path().join("disk/rows.csv")).unwrap(), ANSWER);
}

#[test]
fn root_writes_nothing_where_another_user_could_replace_it() {
    let Some(folder) = as_root("root_writes_nothing_where_another_user_could_replace_it") else { return };
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    chown(&theirs, Some(OTHER), Some(OTHER)).unwrap();
    let deep = theirs.join("of-root");
    fs::create_dir(&deep).unwrap();
    for place in [theirs.join("out"), deep.join("out")] {
        for mut command in writers(&place) {
            let message = refused(&mut command);
            assert!(message.contains("belongs to another user (65534)"), "{message}");
        }
    }
    assert_eq!((fs::read_dir(&theirs).unwrap().count(), fs::read_dir(&deep).unwrap().count()), (1, 0));
    done(writers(&theirs.join("out"))[0].arg("--insecure-output"));
    assert_eq!((mode(&theirs.join("out")), owner(&theirs.join("out"))), (0o600, (0, 0)));
}

#[test]
fn what_another_user_made_first_under_the_name_is_not_written_into() {
    let Some(folder) = as_root("what_another_user_made_first_under_the_name_is_not_written_into") else {
        return;
    };
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o1777)).unwrap();
    let [file, inside, link] = ["file", "inside", "link"].map(|name| folder.path().join(name));
    fs::write(&file, "theirs").unwrap();
    fs::create_dir(&inside).unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    symlink(&disk, &link).unwrap();
    for path in [&file, &inside] {
        chown(path, Some(OTHER), Some(OTHER)).unwrap();
    }
    std::os::unix::fs::lchown(&link, Some(OTHER), Some(OTHER)).unwrap();
    for (place, which) in [(&file, 0), (&file, 1), (&inside, 2)] {
        let message = refused(&mut writers(place)[which]);
        assert!(message.contains("belongs to another user (65534)"), "{message}");
    }
    let message = refused(&mut writers(&link.join("out"))[0]);
    assert!(message.contains("is a link of another user (65534)"), "{message}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "theirs");
    assert_eq!((fs::read_dir(&inside).unwrap().count(), fs::read_dir(&disk).unwrap().count()), (0, 0));
    done(writers(&file)[0].arg("--insecure-output"));
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), owner(&file)), (ANSWER, (0, 0)));
}

#[test]
fn under_sudo_what_is_written_belongs_to_the_caller_and_to_nobody_else() {
    let Some(folder) = as_root("under_sudo_what_is_written_belongs_to_the_caller_and_to_nobody_else") else {
        return;
    };
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(OTHER), Some(OTHER)).unwrap();
    for (at, mut command) in writers(&home.join("out")).into_iter().enumerate() {
        done(command.env("SUDO_UID", OTHER.to_string()).env("SUDO_GID", OTHER.to_string()));
        let out = home.join("out");
        assert_eq!(owner(&out), (OTHER, OTHER), "{command:?}");
        if at == 2 {
            assert_eq!((mode(&out), mode(&out.join("gc.csv"))), (0o700, 0o600));
            assert_eq!(owner(&out.join("gc.csv")), (OTHER, OTHER));
        } else {
            assert_eq!(mode(&out), 0o600);
            fs::remove_file(&out).unwrap();
        }
    }
    // A folder of a third user still belongs to someone else.
    let third = folder.path().join("third");
    fs::create_dir(&third).unwrap();
    chown(&third, Some(12345), Some(12345)).unwrap();
    let message = refused(writers(&third.join("out"))[0].env("SUDO_UID", "65534").env("SUDO_GID", "65534"));
    assert!(message.contains("belongs to another user (12345)"), "{message}");
    // A text that is not a number names no caller.
    let out = folder.path().join("out");
    done(writers(&out)[0].env("SUDO_UID", "4294967295").env("SUDO_GID", "nobody"));
    assert_eq!(owner(&out), (0, 0));
}

/// Recordings of the lab's service.
#[cfg(target_os = "linux")]
mod live {
    use super::*;
    use crate::lab::{Load, Service, signal, unpacked, wait_for};

    fn record(pid: u32, out: &Path, words: &[&str]) -> Command {
        let (pid, out) = (pid.to_string(), out.to_str().unwrap().to_owned());
        let length = if words.contains(&"-d") { &[][..] } else { &["-d", "2s"] };
        casebook(&[&["record", "-p", &pid, "-o", &out], length, words].concat())
    }

    /// Everything in a folder that someone but its owner may read.
    fn not_private(folder: &Path, owned_by: (u32, u32)) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| (entry.unwrap().path(), 0o600));
        let all = entries.chain([(folder.to_path_buf(), 0o700)]);
        let wrong = all.filter(|(path, bits)| (mode(path), owner(path)) != (*bits, owned_by));
        wrong.map(|(path, _)| path).collect()
    }

    #[test]
    fn another_user_does_not_read_requests_out_of_a_recording_of_root() {
        let test = "another_user_does_not_read_requests_out_of_a_recording_of_root";
        let (Some(lab), Some(folder)) = (unpacked(test), as_root(test)) else { return };
        let service = Service::start(&lab);
        let _load = Load::start(service.port, "/json/20", 1);
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(OTHER), Some(OTHER)).unwrap();
        // Under sudo, into the caller's home.
        let out = home.join("new/deep");
        let mut sudo = record(service.pid(), &out, &["--keep", "8s", "--profile", "light", "-d", "4s"]);
        sudo.env("SUDO_UID", OTHER.to_string()).env("SUDO_GID", OTHER.to_string());
        let mut recording = sudo.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for("the recording to begin", || out.join("host.csv").exists());
        std::thread::sleep(std::time::Duration::from_secs(1));
        signal(recording.id(), "USR1");
        assert!(recording.wait().unwrap().success());
        let copy = home.join("new/deep-1");
        for folder in [&out, &copy] {
            assert!(folder.join("trace-00001.nettrace.zst").exists() && folder.join("host.csv").exists());
            assert_eq!(not_private(folder, (OTHER, OTHER)), Vec::<PathBuf>::new());
        }
        assert_eq!((mode(&home.join("new")), owner(&home.join("new"))), (0o700, (OTHER, OTHER)));
        // Another user cannot read root's.
        let out = folder.path().join("of-root");
        done(&mut record(service.pid(), &out, &[]));
        assert_eq!(not_private(&out, (0, 0)), Vec::<PathBuf>::new());
        let mut cat = Command::new("cat");
        std::os::unix::process::CommandExt::uid(cat.arg(out.join("exhibit.toml")), OTHER);
        assert!(!cat.output().unwrap().status.success());
        let out = folder.path().join("one.nettrace");
        done(&mut record(service.pid(), &out, &[]));
        assert_eq!((mode(&out), owner(&out)), (0o600, (0, 0)));
        let out = folder.path().join("live.csv");
        let pid = service.pid().to_string();
        done(&mut casebook(&["counters", "-p", &pid, "-d", "2s", "-o", out.to_str().unwrap()]));
        assert_eq!((mode(&out), owner(&out)), (0o600, (0, 0)));
    }

    #[test]
    fn root_does_not_record_over_files_that_links_in_a_strangers_folder_lead_to() {
        let test = "root_does_not_record_over_files_that_links_in_a_strangers_folder_lead_to";
        let (Some(lab), Some(folder)) = (unpacked(test), as_root(test)) else { return };
        let service = Service::start(&lab);
        let [theirs, victim, link] = ["theirs", "victim", "link"].map(|name| folder.path().join(name));
        fs::create_dir(&theirs).unwrap();
        fs::write(&victim, "precious").unwrap();
        for name in ["exhibit.toml", "exhibit.toml.part", "trace.nettrace.zst", "host.csv", "host.csv.part"] {
            symlink(&victim, theirs.join(name)).unwrap();
        }
        chown(&theirs, Some(OTHER), Some(OTHER)).unwrap();
        symlink(&theirs, &link).unwrap();
        let elsewhere = "belongs to another user (65534)";
        for (place, expected) in
            [(&theirs, elsewhere), (&theirs.join("new"), elsewhere), (&link, "is a link")]
        {
            for words in [&[][..], &["--force"], &["--keep", "5s"]] {
                let message = refused(&mut record(service.pid(), place, words));
                assert!(message.contains(expected), "{message}");
            }
        }
        // Nothing is overwritten even with --insecure-output.
        for name in ["exhibit.toml", "trace.nettrace.zst"] {
            let message = refused(&mut record(service.pid(), &theirs, &["--force", "--insecure-output"]));
            assert!(message.contains("is not a recording"), "{message}");
            fs::remove_file(theirs.join(name)).unwrap();
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(service.diagnostics_threads(), 1, "no session was begun");
        let out = theirs.join("asked-for");
        done(&mut record(service.pid(), &out, &["--insecure-output"]));
        assert_eq!(not_private(&out, (0, 0)), Vec::<PathBuf>::new());
    }

    #[test]
    fn there_is_a_recording_to_open_whenever_one_that_is_forced_is_killed() {
        let test = "there_is_a_recording_to_open_whenever_one_that_is_forced_is_killed";
        let Some(lab) = unpacked(test) else { return };
        let (service, folder) = (Service::start(&lab), tempfile::tempdir().unwrap());
        let _load = Load::start(service.port, "/json/20", 1);
        let [out, file] = ["out", "one.nettrace"].map(|name| folder.path().join(name));
        for out in [&out, &file] {
            done(&mut record(service.pid(), out, &[]));
        }
        let check = |out: &Path, name: &str, stops: bool, millis: u64| {
            let forced = &mut record(service.pid(), out, &["--force", "-d", "20s"]);
            let mut recording = forced.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let pause = |millis| std::thread::sleep(std::time::Duration::from_millis(millis));
            // While it looks at the process, for about a second. After that no session can begin.
            pause(millis.min(600));
            if stops {
                service.signal("STOP");
            }
            pause(millis - millis.min(600));
            signal(recording.id(), name);
            recording.wait().unwrap();
            service.signal("CONT");
            let opened = casebook(&["explain", out.to_str().unwrap()]).output().unwrap();
            assert!(opened.status.success(), "killed after {millis} ms: {}", said(&opened));
            String::from_utf8(opened.stdout).unwrap()
        };
        for out in [&out, &file] {
            for name in ["KILL", "QUIT"] {
                let page = check(out, name, true, 2500);
                assert!(!page.contains("the recording was not ended"), "{page}");
            }
        }
        // It begins after it has looked at the process for a second.
        for step in 0..10 {
            check(&out, "KILL", false, 1000 + step * 40);
        }
        check(&file, "KILL", false, 1100);
    }

    #[test]
    fn a_pipe_in_an_earlier_recording_does_not_make_the_recorder_hang() {
        let test = "a_pipe_in_an_earlier_recording_does_not_make_the_recorder_hang";
        let Some(lab) = unpacked(test) else { return };
        let (service, folder) = (Service::start(&lab), tempfile::tempdir().unwrap());
        let out = folder.path().join("out");
        done(&mut record(service.pid(), &out, &[]));
        let before = fs::read(out.join("trace.nettrace.zst")).unwrap();
        for name in ["samples.nettrace.zst", "exhibit.toml"] {
            let pipe = out.join(name);
            fs::remove_file(&pipe).unwrap();
            if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
                return base::ground::skip(test, "there is no mkfifo");
            }
            let begun = std::time::Instant::now();
            let message = refused(&mut record(service.pid(), &out, &["--force"]));
            assert!(message.contains("is not a recording") && message.contains(name), "{message}");
            assert!(begun.elapsed().as_secs() < 10);
            fs::remove_file(&pipe).unwrap();
            fs::write(&pipe, "").unwrap();
        }
        assert_eq!(fs::read(out.join("trace.nettrace.zst")).unwrap(), before, "nothing of it was lost");
        done(&mut record(service.pid(), &out, &["--force"]));
        let paths = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
        let left: Vec<_> = paths.filter(|path| path.extension().is_some_and(|of| of == "part")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
