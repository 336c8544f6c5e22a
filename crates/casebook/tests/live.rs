//! Recording a real .NET service: what is found, what is left when things go wrong, and what is left in the service.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod lab;
mod program;

use lab::{Load, Service, get, is_root, number, rows, signal, unpacked, wait_for};
use program::{casebook, json, run};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The share of the frames in samples that have no name.
const UNNAMED: &str = "with recursive walk(stack, n) as (
    select stack, count(*) from samples where stack is not null group by 1
    union all select parent, n from walk join stacks on stacks.id = walk.stack where parent is not null)
  select sum(case when frames.method is null then n else 0 end) * 1.0 / sum(n)
  from walk join stacks on stacks.id = walk.stack join frames on frames.id = stacks.frame";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Starts a recording that lasts until a signal.
fn recorder(pid: u32, out: &Path, options: &[&str]) -> Child {
    let mut command = casebook();
    command.args(["record", "-p", &pid.to_string(), "-o"]).arg(out).args(options);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The ids of the findings above `note`, most important first.
fn heavy(recording: &Path) -> Vec<String> {
    let report = json(&["explain", recording.to_str().unwrap(), "--format", "json"]);
    let findings = report["findings"].as_array().unwrap().iter();
    let heavy = findings.filter(|finding| finding["severity"] != "note");
    heavy.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_live_starvation_is_found_recorded_and_explained() {
    let Some(lab) = unpacked("a_live_starvation_is_found_recorded_and_explained") else { return };
    let service = Service::start(&lab);
    let (pid, folder) = (service.pid().to_string(), Folder::new());

    let listed = json(&["ps", "--format", "json"]);
    let row = listed.as_array().unwrap().iter().find(|row| row["pid"] == service.pid()).unwrap().clone();
    assert_eq!((row["state"].as_str(), row["name"].as_str()), (Some("running"), Some("orders")));
    assert!(row["runtime_version"].as_str().unwrap().starts_with("10."));

    let _load = Load::start(service.port, "/starve/100", 32);
    let out = folder.path("starved");
    let result = json(&["record", "-p", &pid, "-d", "6s", "-o", out.to_str().unwrap(), "--format", "json"]);
    assert_eq!((result["lost"].as_u64(), result["profile"].as_str()), (Some(0), Some("default")));
    assert!(result["cost"]["cpu_during"].as_f64().unwrap() > 0.0);

    let report = json(&["explain", out.to_str().unwrap(), "--format", "json"]);
    let first = &report["findings"][0];
    assert_eq!(first["id"], "sync-over-async");
    assert_eq!(first["where"][0]["request"], "/starve/100");
    let sampled = first["measured"]
        .as_array()
        .unwrap()
        .iter()
        .find(|of| of["name"] == "share of the time in which samples were taken");
    let sampled = sampled.unwrap()["value"].as_f64().unwrap();
    assert!(sampled > 0.03 && sampled < 0.2, "{sampled}");
    assert_eq!(report["exhibit"]["name"], "orders");

    assert!(number(&out, UNNAMED) < 0.05);
    assert!(number(&out, "select count(*) from host where name = 'process.rss' and value > 1e6") >= 5.0);
    let joined = "select count(*) from thread_cpu join threads using (thread) where threads.samples > 0";
    assert!(number(&out, joined) > 0.0, "CPU time joins threads by their id");
    let outside = "select count(*) from host where ts_ns < -1e9 or ts_ns > 9e9";
    assert!(number(&out, outside) < 1.0, "readings are on the session's clock");

    let stacks = json(&["stacks", "-p", &pid, "--format", "json"]);
    let blocked =
        stacks["threads"].as_array().unwrap().iter().filter(|thread| thread["waiting_on"] == "task");
    assert!(blocked.count() > 4, "{stacks}");
    wait_for("the sessions to end", || service.diagnostics_threads() == 1);
}

#[test]
fn a_recording_takes_its_defaults_from_the_configuration_and_tells_a_program_how_far_it_is() {
    let test = "a_recording_takes_its_defaults_from_the_configuration_and_tells_a_program_how_far_it_is";
    let Some(lab) = unpacked(test) else { return };
    let (service, folder) = (Service::start(&lab), Folder::new());
    std::fs::create_dir(folder.path("casebook")).unwrap();
    let text = "[record]\nduration = \"2s\"\nprofile = \"light\"\nprovider = [\"Mine:1:5\", \"Yours:1:5\"]\n";
    std::fs::write(folder.path("casebook/config.toml"), text).unwrap();
    let record = |out: &str, options: &[&str]| {
        let mut command = casebook();
        command.args(["record", "-p", &service.pid().to_string(), "--format", "json", "-o"]);
        command.arg(folder.path(out)).args(options).env("XDG_CONFIG_HOME", folder.path(""));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", program::said(&output));
        let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let lines = String::from_utf8(output.stderr).unwrap();
        (result["profile"].clone(), result["duration_ns"].as_f64().unwrap() / 1e9, lines)
    };
    let (profile, seconds, lines) = record("configured", &["--progress", "json"]);
    assert!(profile == "light" && (1.5..5.0).contains(&seconds), "{profile}, {seconds} s");
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert!(kinds.iter().filter(|kind| **kind == "recording").count() >= 5, "{kinds:?}");
    assert!(kinds.contains(&"ending"), "{kinds:?}");
    let bytes = |line: &serde_json::Value| line["bytes"].as_u64();
    let recording: Vec<_> = lines.iter().filter(|line| line["kind"] == "recording").collect();
    assert!(recording.iter().all(|line| line["duration_ns"] == 2_000_000_000_u64), "{recording:?}");
    assert!(recording.first().map(|line| bytes(line)) <= recording.last().map(|line| bytes(line)));
    // What the command line says has precedence; without progress nothing is said.
    let (profile, seconds, said) =
        record("asked", &["--profile", "default", "-d", "1s", "--progress", "none"]);
    assert!(profile == "default" && seconds < 1.9, "{profile}, {seconds} s");
    assert_eq!(said, "");
    wait_for("the sessions to end", || service.diagnostics_threads() == 1);
}

#[test]
fn a_healthy_service_is_not_accused_and_two_recorders_do_not_disturb_each_other() {
    let test = "a_healthy_service_is_not_accused_and_two_recorders_do_not_disturb_each_other";
    let Some(lab) = unpacked(test) else { return };
    let (service, folder) = (Service::start(&lab), Folder::new());
    let _load = Load::start(service.port, "/async/20", 4);
    let (one, other) = (folder.path("one"), folder.path("other"));
    let mut recorders =
        [recorder(service.pid(), &one, &["-d", "4s"]), recorder(service.pid(), &other, &["-d", "4s"])];
    for recorder in &mut recorders {
        assert!(recorder.wait().unwrap().success());
    }
    for out in [&one, &other] {
        // Other tests use the CPU at the same time, so this finding may be right.
        assert_eq!(heavy(out).into_iter().filter(|id| id != "cpu-limited").collect::<Vec<_>>(), [""; 0]);
        assert!(number(out, "select count(*) from samples") > 100.0);
        assert!(number(out, "select count(*) from counters where provider = 'System.Runtime'") > 0.0);
        assert_eq!(rows(out, "select count(*) from loss")[0][0], 0);
    }
}

#[test]
fn a_recorder_that_is_killed_leaves_a_recording_with_names_and_nothing_in_the_subject() {
    let test = "a_recorder_that_is_killed_leaves_a_recording_with_names_and_nothing_in_the_subject";
    let Some(lab) = unpacked(test) else { return };
    let (service, folder) = (Service::start(&lab), Folder::new());
    let _load = Load::start(service.port, "/starve/20", 4);
    for (at, millis) in [2300, 2900, 4100].into_iter().enumerate() {
        let out = folder.path(&format!("killed-{at}"));
        let mut recorder = recorder(service.pid(), &out, &[]);
        let begun = Instant::now();
        std::thread::sleep(Duration::from_millis(millis));
        recorder.kill().unwrap();
        recorder.wait().unwrap();
        let killed = begun.elapsed();
        wait_for("the sessions to end", || service.diagnostics_threads() == 1);
        let report = run(&["explain", out.to_str().unwrap()]);
        let page = String::from_utf8(report.stdout).unwrap();
        assert!(page.contains("the recording was not ended"), "{page}");
        assert!(number(&out, UNNAMED) < 0.05, "killed after {killed:?}");
        // The recorder looks at the process for a second before it begins, and may lose the last second.
        let last = number(&out, "select max(ts_ns) / 1e9 from events");
        assert!(last > killed.as_secs_f64() - 1.2 - 1.0, "{last} s of {killed:?}");
    }
}

#[test]
fn a_subject_that_dies_is_recorded_until_then() {
    let Some(lab) = unpacked("a_subject_that_dies_is_recorded_until_then") else { return };
    let (service, folder) = (Service::start(&lab), Folder::new());
    let out = folder.path("died");
    let mut recorder = recorder(service.pid(), &out, &[]);
    wait_for("the recording to begin", || out.join("samples.nettrace.zst").exists());
    service.signal("KILL");
    assert!(recorder.wait().unwrap().success());
    let report = json(&["explain", out.to_str().unwrap(), "--format", "json"]);
    assert_eq!(report["exhibit"]["state"], "the subject ended");
    assert!(number(&out, "select count(*) from events") > 0.0);
}

#[test]
fn a_flight_recorder_keeps_the_last_seconds_and_copies_them_when_asked() {
    let test = "a_flight_recorder_keeps_the_last_seconds_and_copies_them_when_asked";
    let Some(lab) = unpacked(test) else { return };
    let (service, folder) = (Service::start(&lab), Folder::new());
    let _load = Load::start(service.port, "/json/20", 2);
    let out = folder.path("kept");
    let mut recorder = recorder(service.pid(), &out, &["--keep", "4s"]);
    let first = out.join("trace-00001.nettrace.zst");
    wait_for("the first segment", || first.exists());
    wait_for("the first segment to go", || !first.exists());
    signal(recorder.id(), "USR1");
    let copy = folder.path("kept-1");
    wait_for("the copy", || copy.join("exhibit.toml").exists());
    signal(recorder.id(), "INT");
    assert!(recorder.wait().unwrap().success());
    for kept in [&out, &copy] {
        let observed = "select sum(to_ns - from_ns) / 1e9 from coverage where source = 'events'";
        let seconds = number(kept, observed);
        // How much more than 4 s depends on how long sessions take to begin: `unneeded` has a test of its own.
        assert!(seconds > 3.5, "{seconds} s are kept");
        assert!(!kept.join("trace-00001.nettrace.zst").exists());
        assert!(number(kept, UNNAMED) < 0.05);
        assert!(number(kept, "select min(ts_ns) from host") > -2e9);
        assert_eq!(rows(kept, "select count(*) from loss")[0][0], 0);
        let report = json(&["explain", kept.to_str().unwrap(), "--format", "json"]);
        assert_eq!(report["loss"]["damage"].as_array().unwrap().len(), 0, "{}", report["loss"]);
    }
    wait_for("the sessions to end", || service.diagnostics_threads() == 1);
}

#[test]
fn a_program_is_recorded_from_its_first_instruction_and_resumed_whatever_happens() {
    let test = "a_program_is_recorded_from_its_first_instruction_and_resumed_whatever_happens";
    let Some(lab) = unpacked(test) else { return };
    let folder = Folder::new();
    let dotnet = lab.join("dotnet/dotnet");
    let start = |out: &Path, port: u16| {
        let mut command = casebook();
        command.args(["record", "--profile", "startup", "-d", "4s", "-o"]).arg(out).arg("--");
        command.arg(&dotnet).arg(lab.join("orders/orders.dll"));
        lab::environment(&mut command, &lab, port);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let out = folder.path("started");
    assert!(start(&out, lab::free_port()).wait().unwrap().success());
    let compiled = "select count(*) from jit where method like '%<Main>$%'";
    assert!(number(&out, compiled) > 0.0, "the entry point is compiled while it is recorded");

    // The recorder is killed while the runtime is suspended: the service starts all the same.
    let port = lab::free_port();
    let mut recorder = start(&folder.path("abandoned"), port);
    let suspended = || {
        let listed = json(&["ps", "--format", "json"]);
        let rows = listed.as_array().unwrap().iter();
        let started = rows.filter(|row| row["state"] != "stale" && is_at(&row["pid"], port)).cloned();
        started.max_by_key(|row| row["pid"].as_u64())
    };
    wait_for("the runtime to show up", || suspended().is_some());
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    wait_for("the service to answer", || get(port, "/health"));
    let pid = u32::try_from(suspended().unwrap()["pid"].as_u64().unwrap()).unwrap();
    signal(pid, "KILL");
}

/// Whether a process is the service at this port, by its environment.
fn is_at(pid: &serde_json::Value, port: u16) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    String::from_utf8_lossy(&environment).contains(&format!("127.0.0.1:{port}\0"))
}

#[test]
fn a_process_in_other_namespaces_is_found_and_recorded() {
    let test = "a_process_in_other_namespaces_is_found_and_recorded";
    let Some(lab) = unpacked(test) else { return };
    if !is_root() {
        return base::ground::skip(test, "only root may make namespaces");
    }
    let folder = Folder::new();
    // With pids, mounts and temporary files of its own, as in a container.
    let inside = "mount -t tmpfs none /var/tmp && TMPDIR=/var/tmp exec \"$@\"";
    let wrapper = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", inside, "sh"];
    let service = Service::start_in(&lab, &wrapper);
    let listed = json(&["ps", "--format", "json"]);
    let mut rows_listed = listed.as_array().unwrap().iter();
    let row = rows_listed
        .find(|row| is_at(&row["pid"], service.port) && row["container_pid"] != row["pid"])
        .unwrap();
    assert_eq!((row["container_pid"].as_u64(), row["state"].as_str()), (Some(1), Some("running")));
    let (pid, out) = (row["pid"].to_string(), folder.path("inside"));
    let _load = Load::start(service.port, "/json/20", 1);
    json(&["record", "-p", &pid, "-d", "3s", "-o", out.to_str().unwrap(), "--format", "json"]);
    assert!(number(&out, "select count(*) from samples") > 100.0);
    let joined = "select count(*) from thread_cpu join threads using (thread) where threads.samples > 0";
    assert!(number(&out, joined) > 0.0, "threads have the ids of their own namespace");
}

#[test]
fn what_cannot_be_recorded_is_said_and_nothing_is_left() {
    let Some(lab) = unpacked("what_cannot_be_recorded_is_said_and_nothing_is_left") else { return };
    let (service, folder) = (Service::start(&lab), Folder::new());
    let pid = service.pid().to_string();
    let check = |words: &[&str], expected: &str| {
        let begun = Instant::now();
        let output = run(words);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {error}");
        assert!(error.contains(expected), "{words:?}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{words:?} took {:?}", begun.elapsed());
    };
    let own = std::process::id().to_string();
    check(&["record", "-p", &own, "-d", "1s"], "has no diagnostics socket");
    check(&["record", "-p", "4000000", "-d", "1s"], "there is no process 4000000");
    check(&["record", "--name", "nobody", "-d", "1s"], "no .NET process is named nobody");
    check(&["record", "-d", "1s"], "name a process");
    check(&["record", "-p", &pid, "--profile", "all"], "`all` is not a profile");
    check(&["record", "-p", &pid, "--provider", "A:x"], "its keywords are not a hexadecimal number");
    check(&["record", "--diagnostic-port", "/nowhere/socket"], "there is no diagnostics socket");
    check(&["record", "--", "true"], "no .NET runtime started in");
    check(&["record", "--", "/nowhere/program"], "cannot start /nowhere/program");
    let taken = folder.path("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("notes.md"), "mine").unwrap();
    let taken = taken.to_str().unwrap();
    check(&["record", "-p", &pid, "-d", "1s", "-o", taken], "already exists");
    check(&["record", "-p", &pid, "-d", "1s", "-o", taken, "--force"], "is not a recording");
    service.signal("STOP");
    // Threads do not all stop at once.
    wait_for("every thread to stop", || service.is_stopped());
    check(&["record", "-p", &pid, "-d", "1s"], "no answer from the runtime within 1 s");
    let listed = json(&["ps", "--format", "json"]);
    assert!(
        listed.as_array().unwrap().iter().any(|row| row["pid"] == service.pid() && row["state"] == "silent")
    );
    service.signal("CONT");
    wait_for("the service to answer", || get(service.port, "/health"));
    assert_eq!(service.diagnostics_threads(), 1);
}

#[test]
fn a_session_that_cannot_be_stopped_is_not_waited_for() {
    let test = "a_session_that_cannot_be_stopped_is_not_waited_for";
    let Some(lab) = unpacked(test) else { return };
    let folder = Folder::new();
    let place = format!("TMPDIR={}", folder.0.path().display());
    let service = Service::start_in(&lab, &["env", &place]);
    let _load = Load::start(service.port, "/json/20", 1);
    let pid = service.pid().to_string();
    let recorded = |limit: u32, name: &str, duration: &str, during: &dyn Fn(&Path)| {
        let (out, said) = (folder.path(name), folder.path(&format!("{name}.said")));
        let script = format!("ulimit -n {limit}; exec \"$@\"");
        let words = [env!("CARGO_BIN_EXE_casebook"), "record", "-p", &pid, "-d", duration, "-o"];
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, "sh"]).args(words).arg(&out).stdin(Stdio::null());
        let file = std::fs::File::create(&said).unwrap();
        let begun = Instant::now();
        let mut child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        during(&out);
        let code = child.wait().unwrap().code();
        let said = std::fs::read_to_string(said).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20), "{limit}: {:?}: {said}", begun.elapsed());
        (code, said)
    };
    for limit in [10, 12, 14, 16, 18, 20, 22, 24, 28, 32] {
        let (code, said) = recorded(limit, &format!("limit-{limit}"), "1s", &|_| ());
        assert!(code == Some(0) || said.contains("Too many open files"), "{limit}: {said}");
    }
    let (code, said) = recorded(1024, "removed", "3s", &|out| {
        wait_for("the recording to begin", || out.join("names.nettrace.zst").exists());
        let entries = std::fs::read_dir(folder.0.path()).unwrap().flatten();
        let sockets = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with("-socket"));
        sockets.for_each(|socket| std::fs::remove_file(socket.path()).unwrap());
    });
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("could not be asked to end a session"), "{said}");
    wait_for("the session to end", || service.diagnostics_threads() == 1);
}

#[test]
fn one_file_for_other_tools_holds_everything_in_one_session() {
    let test = "one_file_for_other_tools_holds_everything_in_one_session";
    let Some(lab) = unpacked(test) else { return };
    let (service, folder) = (Service::start(&lab), Folder::new());
    let _load = Load::start(service.port, "/json/20", 1);
    for name in ["one.nettrace", "one.nettrace.zst"] {
        let out = folder.path(name);
        let words = ["record", "-p", &service.pid().to_string(), "-d", "2s", "--format", "json", "-o"];
        json(&words.iter().copied().chain([out.to_str().unwrap()]).collect::<Vec<_>>());
        let bytes = std::fs::read(&out).unwrap();
        assert_eq!(bytes.starts_with(b"Nettrace"), !name.ends_with("zst"));
        assert_eq!(rows(&out, "select count(distinct stream) from events")[0][0], 1);
        assert!(number(&out, "select count(*) from samples") > 1000.0);
        assert!(number(&out, UNNAMED) < 0.05);
    }
}

#[test]
fn an_event_ends_the_recording() {
    let Some(lab) = unpacked("an_event_ends_the_recording") else { return };
    let (service, folder) = (Service::start(&lab), Folder::new());
    let out = folder.path("ended");
    let mut recorder = recorder(
        service.pid(),
        &out,
        &["--stop-on", "Microsoft-Windows-DotNETRuntime/GC/Start", "-d", "60s"],
    );
    wait_for("the recording to begin", || out.join("names.nettrace.zst").exists());
    let begun = Instant::now();
    while recorder.try_wait().unwrap().is_none() {
        get(service.port, "/gc/induced");
        assert!(begun.elapsed() < Duration::from_secs(20), "the event did not end it");
    }
    assert!(number(&out, "select count(*) from gc") >= 1.0);
}
