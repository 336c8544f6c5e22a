//! The terminal as a page that is written over, and left as it was.

use crate::terminal;
use std::io::{Stdout, Write};

/// Another screen, from its beginning, without a cursor; lines that are too long do not go on in the next one.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l\u{1b}[H\u{1b}[2J";
const LEAVE: &str = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l";

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// The terminal's size; the usual one where it does not tell it.
pub(super) fn size() -> Size {
    let told = terminal::size().filter(|(width, height)| width.0 > 0 && height.0 > 0);
    told.map_or(Size { columns: 80, rows: 24 }, |(width, height)| Size {
        columns: usize::from(width.0),
        rows: usize::from(height.0),
    })
}

/// Whether standard output is a terminal that can be written over.
pub(super) fn can_be_written_over() -> bool {
    terminal::is_stdout() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The terminal while it is ours. Dropping it gives it back, whatever ended the work.
#[derive(Debug)]
pub(super) struct Screen(Stdout);

impl Screen {
    pub(super) fn enter() -> std::io::Result<Self> {
        // Made first: what is written in part is undone too.
        let screen = Self(terminal::page());
        screen.put(ENTER)?;
        Ok(screen)
    }

    /// Shows lines, in place of those before; the last one ends the page.
    pub(super) fn show(&self, lines: &[String]) -> std::io::Result<()> {
        self.put(&frame(lines))
    }

    fn put(&self, text: &str) -> std::io::Result<()> {
        let mut out = self.0.lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// Gives the terminal back from another thread, past a lock that a write which waits may hold.
pub(super) fn give_back() {
    // A terminal that is gone needs nothing.
    drop(terminal::past_the_lock(LEAVE));
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        drop(self.put(LEAVE));
    }
}

/// One write, so that no half page is seen. What stood there is erased before a line is written: behind a full line the
/// cursor stands on its last letter, and a line end behind the last line would move the page.
fn frame(lines: &[String]) -> String {
    let mut text = String::from("\u{1b}[H");
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            text.push_str("\r\n");
        }
        // The last line erases what stands below it, too.
        text.push_str(if at + 1 == lines.len() { "\u{1b}[J" } else { "\u{1b}[K" });
        text.push_str(&terminal::coloured(line));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_is_not_moved_and_nothing_of_it_is_erased() {
        let lines = ["one", "two"].map(str::to_owned);
        assert_eq!(frame(&lines), "\u{1b}[H\u{1b}[Kone\r\n\u{1b}[Jtwo");
        assert_eq!(frame(&[]), "\u{1b}[H");
    }
}
