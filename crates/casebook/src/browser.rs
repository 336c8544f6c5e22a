//! The user's browser, where there is a desktop.
//!
//! It is opened with the path of a file that only the user can read and that hands the key over: every user of the
//! machine can read the arguments of a program. If there is no such file, no browser is opened. It opens nothing in a
//! terminal.

use crate::key_file::KeyFile;
use crate::serving;
use server::{Handover, Links};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a browser may take to open the file. Then its key opens nothing any more.
const PATIENCE: Duration = Duration::from_mins(5);

/// A key on its way to a browser.
#[derive(Debug)]
pub(crate) struct Handed(JoinHandle<()>);

impl Handed {
    /// Waits until the file is gone. Not before the door is, which ends the key.
    pub(crate) fn remove(self) {
        // A panic of that thread has dropped the file as well.
        self.0.join().ok();
    }
}

/// Opens the pages in the browser. `None` if there is no browser, or no way to hand it the key.
pub(crate) fn open(links: &Links) -> Option<Handed> {
    let is_mac = cfg!(target_os = "macos");
    let openers = openers(is_mac, &|name| std::env::var_os(name));
    if openers.is_empty() {
        return None;
    }
    let key = links.hand_over().ok()?;
    let file = Arc::new(KeyFile::create(&key.page())?);
    let (links, unused) = (links.clone(), Arc::downgrade(&file));
    let on_failure = move || tell(&links, &unused);
    let is_started = openers.into_iter().any(|program| start(program, &file.path(), on_failure.clone()));
    if is_started { keep(key, file) } else { None }
}

/// Keeps the file as long as its key is good for something.
fn keep(key: Handover, file: Arc<KeyFile>) -> Option<Handed> {
    let keep = move || {
        key.wait(PATIENCE);
        drop(file);
    };
    std::thread::Builder::new().name("key".to_owned()).spawn(keep).ok().map(Handed)
}

/// Prints a link if the browser has ended with an error and nobody has used its key.
fn tell(links: &Links, unused: &Weak<KeyFile>) {
    if unused.strong_count() > 0 {
        // There is nowhere left to tell of an error of standard output.
        drop(serving::print_link(links, "the browser did not open; this works once"));
    }
}

/// What is set in Linux within Windows.
const WITHIN_WINDOWS: [&str; 2] = ["WSL_DISTRO_NAME", "WSL_INTEROP"];

/// Whether this is Linux within Windows.
pub(crate) fn is_within_windows() -> bool {
    WITHIN_WINDOWS.into_iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The programs that open an address on this desktop, in the order to try them; none without a desktop, where
/// `xdg-open` would start a browser that takes over the terminal.
fn openers(is_mac: bool, variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<&'static str> {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let mut openers = Vec::new();
    if is_mac {
        openers.push("open");
    } else {
        // Whose own desktop has the browser.
        if WITHIN_WINDOWS.into_iter().any(is_set) {
            openers.push("wslview");
        }
        if is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") {
            openers.push("xdg-open");
        }
    }
    openers
}

/// Starts a program and does not wait for it. Whether there is one.
fn start(program: &str, file: &Path, on_failure: impl FnOnce() + Send + 'static) -> bool {
    let mut command = Command::new(program);
    command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It may become the browser itself, and Ctrl-C here must not end that.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let Ok(mut child) = command.spawn() else { return false };
    // Its end is taken note of so that no dead process stays behind. Without a thread it stays until we end.
    let wait = move || {
        if child.wait().is_ok_and(|status| !status.success()) {
            on_failure();
        }
    };
    std::thread::Builder::new().name("browser".to_owned()).spawn(wait).ok();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_opened_on_a_desktop_only() {
        let check = |is_mac: bool, set: &[(&str, &str)], expected: &[&str]| {
            let variable =
                |name: &str| set.iter().find(|(own, _)| *own == name).map(|(_, value)| value.into());
            assert_eq!(openers(is_mac, &variable), expected, "{set:?}");
        };
        check(false, &[], &[]);
        check(false, &[("DISPLAY", ""), ("TERM", "xterm")], &[]);
        check(false, &[("DISPLAY", ":0")], &["xdg-open"]);
        check(false, &[("WAYLAND_DISPLAY", "wayland-0")], &["xdg-open"]);
        check(false, &[("WSL_DISTRO_NAME", "Debian")], &["wslview"]);
        check(false, &[("WSL_INTEROP", "/run/x"), ("DISPLAY", ":0")], &["wslview", "xdg-open"]);
        check(true, &[], &["open"]);
        check(true, &[("DISPLAY", ":0")], &["open"]);
    }

    #[test]
    fn a_program_that_is_missing_or_runs_on_holds_nobody_up() {
        assert!(!start("/nonexistent/opener", Path::new("/"), || {}));
        assert!(start("true", Path::new("/"), || {}));
    }
}
