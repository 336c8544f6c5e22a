//! The user's browser, where there is a desktop.
//!
//! It opens nothing in a terminal and waits for nothing. Where it cannot open anything it says nothing, since the
//! address has been printed.

use std::ffi::OsString;
use std::process::{Command, Stdio};

/// Opens an address in it, where there is one.
pub(crate) fn open(url: &str) {
    let is_mac = cfg!(target_os = "macos");
    for program in openers(is_mac, &|name| std::env::var_os(name)) {
        if start(program, url) {
            return;
        }
    }
}

/// The programs that open an address on this desktop, in the order to try them; none without a desktop, where
/// `xdg-open` would start a browser that takes over the terminal.
fn openers(is_mac: bool, variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<&'static str> {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let mut openers = Vec::new();
    if is_mac {
        openers.push("open");
    } else {
        // Linux within Windows, whose own desktop has the browser.
        if is_set("WSL_DISTRO_NAME") || is_set("WSL_INTEROP") {
            openers.push("wslview");
        }
        if is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") {
            openers.push("xdg-open");
        }
    }
    openers
}

/// Starts a program and does not wait for it. Whether there is one.
fn start(program: &str, url: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It may become the browser itself, and Ctrl-C here must not end that.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let Ok(mut child) = command.spawn() else { return false };
    // Its end is taken note of so that no dead process stays behind. Without a thread it stays until we end.
    let wait = move || child.wait().is_ok();
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
        assert!(!start("/nonexistent/opener", "http://127.0.0.1/"));
        #[cfg(unix)]
        assert!(start("true", "http://127.0.0.1/"));
    }
}
