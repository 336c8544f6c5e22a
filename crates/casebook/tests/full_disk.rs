//! Recordings on a disk that gets full, by the recording itself and by others.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests of live processes wait for them")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod lab;
mod program;

use lab::{Load, Service, is_root, unpacked, wait_for};
use program::{casebook, json, run};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// A small disk, until it is dropped.
struct Disk {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Disk {
    /// Mounts a disk of this size. `None` if this user may not.
    fn new(test: &str, size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let options = format!("size={size}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(&path).status();
        if !is_root() || !mount.is_ok_and(|status| status.success()) {
            base::ground::skip(test, "only root may mount a small disk");
            return None;
        }
        Some(Self { _folder: folder, path })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.path).status());
    }
}

/// Checks the result and the files of a recording that ended because the disk was full.
fn check(output: &std::process::Output, out: &Path) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("ended early, at a limit: the disk "), "{said}");
    assert!(!said.contains("No space left"), "{said}");
    let exhibit = std::fs::read_to_string(out.join("exhibit.toml")).unwrap();
    assert!(exhibit.contains("\nstate = \"at a limit: the disk "), "{exhibit}");
    assert!(exhibit.contains("\n[limits]\ndisk_free = "), "{exhibit}");
    // It lists the files that are there.
    let report = json(&["explain", out.to_str().unwrap(), "--format", "json"]);
    let damage = report["loss"]["damage"].to_string();
    assert!(!damage.contains("blake3") && !damage.contains("hash") && !damage.contains("bytes"), "{damage}");
    let listed = exhibit.matches("[[files]]").count();
    assert_eq!(listed, std::fs::read_dir(out).unwrap().count() - 1, "{exhibit}");
}

#[test]
fn a_disk_that_is_full_ends_the_recording_and_what_is_there_opens() {
    let test = "a_disk_that_is_full_ends_the_recording_and_what_is_there_opens";
    let Some(lab) = unpacked(test) else { return };
    let Some(disk) = Disk::new(test, "600k") else { return };
    let service = Service::start(&lab);
    let _load = Load::start(service.port, "/json/20", 2);
    let out = disk.path.join("full");
    let output = run(&["record", "-p", &service.pid().to_string(), "-d", "20s", "-o", out.to_str().unwrap()]);
    check(&output, &out);
    wait_for("the sessions to end", || service.diagnostics_threads() == 1);
}

#[test]
fn a_disk_that_others_fill_to_the_last_byte_leaves_a_recording_that_says_so() {
    let test = "a_disk_that_others_fill_to_the_last_byte_leaves_a_recording_that_says_so";
    let Some(lab) = unpacked(test) else { return };
    let Some(disk) = Disk::new(test, "3m") else { return };
    let service = Service::start(&lab);
    let _load = Load::start(service.port, "/json/20", 2);
    let (out, is_over) = (disk.path.join("full"), AtomicBool::new(false));
    let pid = service.pid().to_string();
    let mut command = casebook();
    command.args(["record", "-p", &pid, "-d", "20s", "-o"]).arg(&out);
    let recording = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the recording to begin", || out.join("host.csv").exists());
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut filler = std::fs::File::create(disk.path.join("filler")).unwrap();
            while !is_over.load(Ordering::Acquire) {
                // Takes each page as soon as it is free.
                if filler.write_all(&[7; 4096]).is_err() {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            }
        });
        let output = recording.wait_with_output().unwrap();
        is_over.store(true, Ordering::Release);
        output
    });
    check(&output, &out);
    wait_for("the sessions to end", || service.diagnostics_threads() == 1);
}
