//! Opens the pages in the user's browser, if there is a desktop. It opens no browser that runs in a terminal.
//!
//! Every user of the machine can read the arguments of a program, so the browser does not get the key as an argument. It
//! gets the path of a file that holds the key and that only its user can read. Without such a file, no browser is opened.

use crate::key_file::KeyFile;
use crate::threads;
use server::{Handover, LinkMaker};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a browser may take to open the file. After that its key opens nothing.
const PATIENCE: Duration = Duration::from_mins(5);

/// A key on its way to a browser.
#[derive(Debug)]
pub(crate) struct Handed(JoinHandle<()>);

impl Handed {
    /// Waits until the file is removed. Call it after the door is dropped: that ends the key, for which the file waits.
    pub(crate) fn remove(self) {
        // If that thread panicked, it has removed the file as well.
        self.0.join().ok();
    }
}

/// Opens the pages in the browser. `None` if there is no browser, or no way to hand it the key.
///
/// Calls `is_failed` if the browser ends with an error before it has used its key.
pub(crate) fn open(links: &LinkMaker, is_failed: fn(&LinkMaker)) -> Option<Handed> {
    let is_mac = cfg!(target_os = "macos");
    let openers = openers(is_mac, &|name| std::env::var_os(name));
    if openers.is_empty() {
        return None;
    }
    let key = links.hand_over().ok()?;
    let file = Arc::new(KeyFile::create(&key.page())?);
    let (links, unused) = (links.clone(), Arc::downgrade(&file));
    let on_failure = move || {
        // The file stays until its key is used.
        if unused.strong_count() > 0 {
            is_failed(&links);
        }
    };
    let is_started = openers.into_iter().any(|program| start(program, &file.path(), on_failure.clone()));
    if is_started { keep(key, file) } else { None }
}

/// Keeps the file until its key is used, or opens nothing any more.
fn keep(key: Handover, file: Arc<KeyFile>) -> Option<Handed> {
    let keep = move || {
        key.wait(PATIENCE);
        drop(file);
    };
    threads::start("key", keep).ok().map(Handed)
}

/// Variables of which WSL, Linux within Windows, sets at least one.
const WITHIN_WINDOWS: [&str; 2] = ["WSL_DISTRO_NAME", "WSL_INTEROP"];

/// Whether this is WSL.
pub(crate) fn is_within_windows() -> bool {
    WITHIN_WINDOWS.into_iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The programs that open a file on this desktop, in the order to try them. None without a desktop: `xdg-open` would start
/// a browser that takes over the terminal.
fn openers(is_mac: bool, variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<&'static str> {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let mut openers = Vec::new();
    if is_mac {
        openers.push("open");
    } else {
        // The browser is on the desktop of Windows.
        if WITHIN_WINDOWS.into_iter().any(is_set) {
            openers.push("wslview");
        }
        if is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") {
            openers.push("xdg-open");
        }
    }
    openers
}

/// Starts a program without waiting for it. Whether it could be started.
fn start(program: &str, file: &Path, on_failure: impl FnOnce() + Send + 'static) -> bool {
    let mut command = Command::new(program);
    command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // The program may become the browser, which Ctrl-C here must not end.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let Ok(mut child) = command.spawn() else { return false };
    // Waits for its end, so that no zombie stays behind. If the thread cannot be started, one stays until we end.
    let wait = move || {
        if child.wait().is_ok_and(|status| !status.success()) {
            on_failure();
        }
    };
    drop(threads::start("browser", wait));
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
    fn a_program_that_is_missing_or_runs_on_is_not_waited_for() {
        assert!(!start("/nonexistent/opener", Path::new("/"), || {}));
        assert!(start("true", Path::new("/"), || {}));
    }
}
