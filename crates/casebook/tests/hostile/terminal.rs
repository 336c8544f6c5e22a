//! A pseudo-terminal for a test.

#![allow(dead_code, reason = "each test file uses a part of it")]

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::Command;

/// Everything that a command shows on a terminal that is its standard output and its standard error.
pub(crate) fn on_terminal(command: Command) -> Vec<u8> {
    of_columns(command, 0)
}

/// The same on a terminal of so many columns. With 0 it does not know its size.
pub(crate) fn of_columns(mut command: Command, columns: u16) -> Vec<u8> {
    let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&own).unwrap();
    unlockpt(&own).unwrap();
    let rows = if columns > 0 { 24 } else { 0 };
    tcsetwinsize(&own, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&own, Vec::new()).unwrap().into_string().unwrap();
    let other = OpenOptions::new().read(true).write(true).open(name).unwrap();
    command.stdin(std::process::Stdio::null()).stdout(other.try_clone().unwrap()).stderr(other);
    let mut child = command.spawn().unwrap();
    // Closes our copy: reading ends when nobody has the terminal open any more.
    drop(command);
    let mut shown = Vec::new();
    let mut own = File::from(own);
    let mut piece = [0; 1 << 12];
    // At the end, Linux returns an error instead of 0 bytes.
    while let Ok(len @ 1..) = own.read(&mut piece) {
        shown.extend_from_slice(&piece[..len]);
    }
    child.wait().unwrap();
    shown
}
