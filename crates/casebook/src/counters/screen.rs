//! A page on the terminal that is refreshed in place. The terminal is left as it was.

use super::keys;
use crate::enter::is_in_front;
use crate::terminal::{self, Size};
use std::io::{Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Switches to the alternate screen, hides the cursor, turns line wrap off, has what is pasted marked, and clears the screen.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l\u{1b}[?2004h\u{1b}[H\u{1b}[2J";
/// Undoes [`ENTER`].
const LEAVE: &str = "\u{1b}[?2004l\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l";

/// The terminal's size, or the usual one if it is unknown.
pub(super) fn size() -> Size {
    terminal::size().unwrap_or(Size { columns: 80, rows: 24 })
}

/// Whether standard output is a terminal that can move its cursor.
pub(super) fn can_refresh() -> bool {
    terminal::is_stdout() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether the terminal has our page at the moment.
static IS_OURS: AtomicBool = AtomicBool::new(false);

/// The terminal while a page is on it. Dropping this restores it.
#[derive(Debug)]
pub(super) struct Screen(Stdout);

/// What the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// The page that was drawn last.
    Page,
    /// An empty page: the terminal was taken just now.
    Empty,
    /// What another program in the foreground shows there, such as the shell after Ctrl-Z.
    Other,
}

impl Screen {
    pub(super) fn new() -> anyhow::Result<Self> {
        crate::interrupt::before_stop(restore)?;
        Ok(Self(terminal::page()))
    }

    /// Takes the terminal, unless another program is in the foreground.
    pub(super) fn take(&self) -> std::io::Result<Shown> {
        if !is_in_front(&self.0) {
            return Ok(Shown::Other);
        }
        // Noted before anything is written, so that a partial write is undone too.
        if IS_OURS.swap(true, Ordering::AcqRel) {
            return Ok(Shown::Page);
        }
        self.put(ENTER)?;
        Ok(Shown::Empty)
    }

    /// Shows a page in place of the one before.
    pub(super) fn show(&self, lines: &[String]) -> std::io::Result<()> {
        // Ctrl-Z may have come since.
        if IS_OURS.load(Ordering::Acquire) { self.put(&frame(lines)) } else { Ok(()) }
    }

    fn put(&self, text: &str) -> std::io::Result<()> {
        let mut out = self.0.lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// Restores the terminal from another thread, even if a blocked write holds the lock of standard output.
pub(super) fn restore() {
    keys::restore();
    if IS_OURS.swap(false, Ordering::AcqRel) {
        // Fails if the terminal is gone. There is then nothing to restore.
        drop(terminal::past_the_lock(LEAVE));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if IS_OURS.swap(false, Ordering::AcqRel) {
            // Fails if the terminal is gone. There is then nothing to restore.
            drop(self.put(LEAVE));
        }
    }
}

/// The page as one write, so that no half page shows.
///
/// A line is erased before it is written: after a full line the cursor is on its last letter, which erasing would then remove.
/// The last line has no line end, which would scroll the page.
fn frame(lines: &[String]) -> String {
    let mut text = String::from("\u{1b}[H");
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            text.push_str("\r\n");
        }
        // The last line also erases everything below.
        text.push_str(if at + 1 == lines.len() { "\u{1b}[J" } else { "\u{1b}[K" });
        text.push_str(&terminal::coloured(line));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_does_not_scroll_and_keeps_its_last_letters() {
        let lines = ["one", "two"].map(str::to_owned);
        assert_eq!(frame(&lines), "\u{1b}[H\u{1b}[Kone\r\n\u{1b}[Jtwo");
        assert_eq!(frame(&[]), "\u{1b}[H");
    }
}
