//! A running process, as headings name it.

use crate::page::printable;

/// What identifies a running process.
#[derive(Debug, Clone, Copy)]
pub struct Process<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its number; inside its own namespace if no other is known.
    pub pid: u64,
    /// The version of its runtime, if known.
    pub runtime: Option<&'a str>,
    /// The container that it runs in.
    pub container: Option<&'a str>,
}

impl Process<'_> {
    /// Its name and number: `Orders (process 4711)`.
    pub fn named(&self) -> String {
        format!("{} (process {})", printable(self.name), self.pid)
    }
}
