//! Enter on the terminal that the program was started from.
//!
//! A program in the background must not read from its terminal: the system would stop it, and the line is meant for the
//! shell. So a line is read only while the program is in the foreground. Without a terminal nothing is read at all.

use crate::threads;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read, retry_on_intr};
use std::io::IsTerminal;
use std::time::Duration;

/// How often to look whether the program is in the foreground again.
const PAUSE: Duration = Duration::from_millis(500);

/// Calls `act` for each line from the terminal, until it fails or the input ends. Whether there is a terminal.
pub(crate) fn on_enter(mut act: impl FnMut() -> anyhow::Result<()> + Send + 'static) -> bool {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return false;
    }
    let watch = move || while next_line(&input) && act().is_ok() {};
    threads::start("terminal", watch).is_ok()
}

/// Waits for a line. Returns false if the input has ended.
fn next_line(input: &std::io::Stdin) -> bool {
    loop {
        let mut waited = [PollFd::new(input, PollFlags::IN)];
        // A terminal is readable as soon as a line is complete.
        if retry_on_intr(|| poll(&mut waited, None)).is_err() {
            return false;
        }
        if !is_in_front(input) {
            std::thread::sleep(PAUSE);
            continue;
        }
        // A longer line counts more than once, which does no harm: it prints more links.
        match read(input, &mut [0_u8; 4096]) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// Whether this program is in the foreground of a terminal. Also true if the terminal has no jobs: it then stops no reader.
pub(crate) fn is_in_front(terminal: impl std::os::fd::AsFd) -> bool {
    rustix::termios::tcgetpgrp(terminal).map_or(true, |front| front == rustix::process::getpgrp())
}
