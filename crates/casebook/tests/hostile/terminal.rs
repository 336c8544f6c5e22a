//! A pseudo-terminal for a test.

#![allow(dead_code, reason = "each test file uses a part of it")]

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// Everything that a command shows on a terminal that is its standard output and its standard error.
pub(crate) fn on_terminal(command: Command) -> Vec<u8> {
    of_columns(command, 0)
}

/// The same on a terminal of so many columns. With 0 it does not know its size.
pub(crate) fn of_columns(mut command: Command, columns: u16) -> Vec<u8> {
    let (mut own, other) = pair(columns);
    command.stdin(Stdio::null()).stdout(other.try_clone().unwrap()).stderr(other);
    let mut child = command.spawn().unwrap();
    // Closes our copy: reading ends when nobody has the terminal open any more.
    drop(command);
    let mut shown = Vec::new();
    let mut piece = [0; 1 << 12];
    // At the end, Linux returns an error instead of 0 bytes.
    while let Ok(len @ 1..) = own.read(&mut piece) {
        shown.extend_from_slice(&piece[..len]);
    }
    child.wait().unwrap();
    shown
}

/// The two ends of a terminal of so many columns: ours, and that of a program.
fn pair(columns: u16) -> (File, File) {
    let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&own).unwrap();
    unlockpt(&own).unwrap();
    let rows = if columns > 0 { 24 } else { 0 };
    tcsetwinsize(&own, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&own, Vec::new()).unwrap().into_string().unwrap();
    let other = OpenOptions::new().read(true).write(true).open(name).unwrap();
    (File::from(own), other)
}

/// A terminal whose program runs.
pub(crate) struct Live {
    own: File,
    /// Keeps the terminal open after the program has ended.
    other: File,
    shown: Arc<Mutex<Vec<u8>>>,
}

/// Starts a command on a terminal of 80 columns, which is its standard input too if it is `with_input`.
pub(crate) fn live(mut command: Command, with_input: bool) -> (Child, Live) {
    let (own, other) = pair(80);
    let input = if with_input { Stdio::from(other.try_clone().unwrap()) } else { Stdio::null() };
    command.stdin(input).stdout(other.try_clone().unwrap()).stderr(other.try_clone().unwrap());
    let child = command.spawn().unwrap();
    let shown = Arc::new(Mutex::new(Vec::new()));
    let (mut from, to) = (own.try_clone().unwrap(), Arc::clone(&shown));
    let read = move || {
        let mut piece = [0; 1 << 12];
        while let Ok(len @ 1..) = from.read(&mut piece) {
            to.lock().unwrap().extend_from_slice(&piece[..len]);
        }
    };
    std::thread::Builder::new().name("terminal".to_owned()).spawn(read).unwrap();
    (child, Live { own, other, shown })
}

impl Live {
    /// Everything that was shown so far.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    pub(crate) fn type_in(&self, bytes: &[u8]) {
        (&self.own).write_all(bytes).unwrap();
    }

    /// Whether the terminal waits for whole lines and shows what is typed, as it does before a program changes it.
    pub(crate) fn waits_for_lines(&self) -> bool {
        tcgetattr(&self.other).unwrap().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }
}
