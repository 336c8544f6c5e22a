//! Standard output and standard error: everything that the program prints goes through this module.
//!
//! A name in a recording can hold sequences that control a terminal. Crate `text` removes them from texts for people; this
//! module is the last barrier. [`stdout`] and [`stderr`] pass letters, line ends and colours only. [`json`] writes control
//! characters as JSON escapes, so the document stays the same. [`rows`] changes nothing unless it writes to a terminal.
//! Clippy refuses any other way to print.

#![expect(clippy::disallowed_methods, reason = "everything else prints through this module")]

use crate::progress::{self, Event, Form};
use base::steering::{is_unseen, printable, steers};
use std::io::{IsTerminal, Result, Stdout, Write};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use text::Width;

/// The longest colour sequence that passes, in bytes. Ours are shorter.
const MAX_SEQUENCE: usize = 24;

/// The lengths of the lines of progress that are the last ones on the terminal of standard error.
static PROGRESS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Standard output for people.
pub(crate) fn stdout() -> Screened<impl Write> {
    Screened::new(anstream::stdout(), Allowed::Colours)
}

/// Standard error, always for people.
pub(crate) fn stderr() -> Screened<impl Write> {
    Screened::new(anstream::stderr(), Allowed::Colours)
}

/// Standard output for JSON documents.
pub(crate) fn json() -> Screened<Stdout> {
    Screened::new(std::io::stdout(), Allowed::Json)
}

/// Any other output for JSON documents.
pub(crate) fn as_json<W: Write>(out: W) -> Screened<W> {
    Screened::new(out, Allowed::Json)
}

/// Standard output for rows that programs read. They are unchanged unless it is a terminal.
pub(crate) fn rows() -> Screened<Stdout> {
    let allowed = if is_stdout() { Allowed::Letters } else { Allowed::Everything };
    Screened::new(std::io::stdout(), allowed)
}

/// Our standard error as the standard output of a program that we start, so that its output does not mix with ours.
pub(crate) fn for_child() -> Stdio {
    Stdio::from(std::io::stderr())
}

/// Whether standard output is a terminal.
pub(crate) fn is_stdout() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether standard error is a terminal on which a line can be rewritten.
pub(crate) fn is_stderr() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// Prints a text for people on standard output, at once.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints sentences for people on standard output, broken at blanks if it is a terminal.
pub(crate) fn print_sentences(text: &str) -> Result<()> {
    let columns = terminal_size::terminal_size_of(std::io::stdout());
    print(&(fitted(text, columns) + "\n"))
}

/// A text in lines as wide as a terminal; as it is if there is none.
fn fitted(text: &str, size: Option<(terminal_size::Width, terminal_size::Height)>) -> String {
    match size.map(|(width, _)| usize::from(width.0)).filter(|columns| *columns > 0) {
        Some(columns) => text::guide::message(text, columns),
        None => text.strip_suffix('\n').unwrap_or(text).to_owned(),
    }
}

/// Prints a sentence on standard error, in place of a line of progress: on a terminal in lines that fit, else as one.
pub(crate) fn say(text: &str) {
    put(&Event::Message { text }, text);
}

/// Prints why the program ends with exit code 2.
pub(crate) fn say_failure(text: &str) {
    put(&Event::Error { text }, text);
}

fn put(event: &Event<'_>, text: &str) {
    if progress::form() == Form::Json {
        return put_event(event);
    }
    clear_progress();
    // Lines of a list are indented; any other line end is part of a name.
    let lines: Vec<_> = text.split("\n  ").map(printable).collect();
    // An error of standard error cannot be reported anywhere.
    let line = fitted(
        &format!("casebook: {}", lines.join("\n  ")),
        terminal_size::terminal_size_of(std::io::stderr()),
    );
    drop(writeln!(stderr(), "{line}"));
}

/// Prints what is wrong with the arguments, which may have colours.
pub(crate) fn say_wrong_arguments(text: &str) {
    let text = fitted(text, terminal_size::terminal_size_of(std::io::stderr()));
    drop(writeln!(stderr(), "{text}"));
}

/// The columns of the terminal of standard error. `None` if it is none, or does not say it.
pub(crate) fn stderr_columns() -> Option<usize> {
    let size = terminal_size::terminal_size_of(std::io::stderr());
    size.map(|(width, _)| usize::from(width.0)).filter(|columns| *columns > 0)
}

/// Prints lines that are fitted to a width below a sentence on standard error, each with its colours.
pub(crate) fn say_lines(lines: impl Fn(Width) -> String) {
    clear_progress();
    // An error of standard error cannot be reported anywhere.
    drop(stderr().write_all(lines(stderr_columns().map_or_else(width, Width::of)).as_bytes()));
}

/// Writes a line of JSON on standard error, in one piece: other processes may write there too.
pub(crate) fn put_event(event: &Event<'_>) {
    let line = event.line() + "\n";
    // An error of standard error cannot be reported anywhere.
    drop(Screened::new(std::io::stderr().lock(), Allowed::Json).write_all(line.as_bytes()));
}

/// Shows a line of progress on the terminal of standard error, in place of what was shown before.
pub(crate) fn show_progress(line: &str) {
    show_block(&[line.to_owned()]);
}

/// Shows lines of progress on the terminal of standard error, in place of those before.
pub(crate) fn show_block(lines: &[String]) {
    let size = terminal_size::terminal_size_of(std::io::stderr());
    let (columns, rows) =
        size.map_or((usize::MAX, usize::MAX), |(width, height)| (width.0.into(), height.0.into()));
    let fit = |line: &String| printable(line).chars().take(columns.max(2) - 1).collect::<String>();
    // What scrolls out of the terminal cannot be rewritten.
    let lines: Vec<String> = lines.iter().take(rows.max(2) - 1).map(fit).collect();
    let mut shown = PROGRESS.lock().unwrap_or_else(PoisonError::into_inner);
    rewrite(&shown, &lines, columns);
    *shown = lines.iter().map(|line| line.chars().count()).collect();
}

/// Removes the lines of progress, if there are any.
pub(crate) fn clear_progress() {
    let mut shown = PROGRESS.lock().unwrap_or_else(PoisonError::into_inner);
    if !shown.is_empty() {
        let size = terminal_size::terminal_size_of(std::io::stderr());
        rewrite(&shown, &[], size.map_or(usize::MAX, |(width, _)| width.0.into()));
        shown.clear();
    }
}

/// Writes lines in place of those of these lengths, as one write, so that nothing flickers. The cursor stays behind the last one.
fn rewrite(shown: &[usize], lines: &[String], columns: usize) {
    // A terminal that has become narrower has broken the lines.
    let rows: usize = shown.iter().map(|len| len.div_ceil(columns.max(1)).max(1)).sum();
    let up = if rows > 1 { format!("\x1b[{}A", rows - 1) } else { String::new() };
    let mut text = format!("\r{up}\x1b[K");
    for (at, line) in lines.iter().enumerate() {
        text.extend([if at > 0 { "\r\n\x1b[K" } else { "" }, line]);
    }
    // What is left below is removed too.
    if rows > lines.len().max(1) {
        text.push_str("\x1b[J");
    }
    let mut out = std::io::stderr();
    // The work goes on even if its progress cannot be shown.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Whether the reader of our output has closed it, as `head` does.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// A text for a page on the terminal, without its colours if the user has switched them off.
pub(crate) fn coloured(text: &str) -> String {
    if anstream::AutoStream::choice(&std::io::stdout()) == anstream::ColorChoice::Never {
        return printable(&anstream::adapter::strip_str(text).to_string()).into_owned();
    }
    let mut out = Screened::new(Vec::new(), Allowed::Colours);
    // Writing to a vector cannot fail.
    drop(out.write_all(text.as_bytes()));
    String::from_utf8(out.out).unwrap_or_default()
}

/// Writes to the terminal without the lock of standard output, which a blocked thread may hold for ever.
pub(crate) fn past_the_lock(text: &str) -> Result<()> {
    use std::os::fd::AsFd;
    std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned()?).write_all(text.as_bytes())
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// The terminal's size. `None` if it is unknown or 0.
pub(crate) fn size() -> Option<Size> {
    let (width, height) = terminal_size::terminal_size_of(std::io::stdout())?;
    let size = Size { columns: usize::from(width.0), rows: usize::from(height.0) };
    (size.columns > 0 && size.rows > 0).then_some(size)
}

/// How wide texts on standard output are.
pub(crate) fn width() -> Width {
    columns().map_or_else(Width::default, Width::of)
}

/// The columns of texts on standard output: those of the terminal; if it is none, what `COLUMNS` says. What goes into a pipe, such
/// as to `less`, is for the terminal of standard error. `None` if nothing of that is known.
pub(crate) fn columns() -> Option<usize> {
    let columns = size().map(|size| size.columns);
    let columns = columns.or_else(|| sane(&std::env::var("COLUMNS").ok()?));
    columns.or_else(|| {
        let behind = terminal_size::terminal_size_of(std::io::stderr()).filter(|_| is_pipe());
        behind.map(|(width, _)| usize::from(width.0)).filter(|columns| *columns > 0)
    })
}

fn is_pipe() -> bool {
    let status = rustix::fs::fstat(rustix::stdio::stdout());
    status.is_ok_and(|status| rustix::fs::FileType::from_raw_mode(status.st_mode).is_fifo())
}

/// A number of columns that somebody can have meant.
fn sane(columns: &str) -> Option<usize> {
    columns.trim().parse().ok().filter(|columns| (1..=10_000).contains(columns))
}

/// The unscreened terminal, for a page that moves the cursor.
pub(crate) fn page() -> Stdout {
    std::io::stdout()
}

/// What passes a [`Screened`] output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// Letters and line ends.
    Letters,
    /// The same, and colour sequences.
    Colours,
    /// All of JSON. Control and invisible characters become escapes, which JSON allows wherever such a character can be.
    Json,
    /// All bytes.
    Everything,
}

/// An output that passes nothing that controls a terminal.
///
/// A write may end within a character or a sequence. Its beginning then waits for the next write.
#[derive(Debug)]
pub(crate) struct Screened<W: Write> {
    out: W,
    allowed: Allowed,
    waiting: Vec<u8>,
}

impl<W: Write> Screened<W> {
    fn new(out: W, allowed: Allowed) -> Self {
        Self { out, allowed, waiting: Vec::new() }
    }

    /// Appends what passes to `screened`. Returns the length of an incomplete sequence at the end, which it leaves out.
    fn screen(&self, text: &str, screened: &mut String) -> usize {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let len = match self.allowed {
                Allowed::Colours if c == '\u{1b}' => match sequence(rest) {
                    Sequence::Colour(len) => {
                        screened.push_str(rest.get(..len).unwrap_or_default());
                        len
                    }
                    Sequence::Cut => return rest.len(),
                    Sequence::Other => {
                        screened.push(' ');
                        1
                    }
                },
                Allowed::Json if is_unseen(c) && !c.is_ascii_whitespace() => {
                    let mut units = [0; 2];
                    screened.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
                    c.len_utf8()
                }
                Allowed::Letters | Allowed::Colours if steers(c) && c != '\n' => {
                    screened.push(' ');
                    c.len_utf8()
                }
                _ => {
                    screened.push(c);
                    c.len_utf8()
                }
            };
            rest = rest.get(len..).unwrap_or_default();
        }
        0
    }
}

impl<W: Write> Write for Screened<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let is_plain = |byte: &u8| *byte < 0x7f;
        let is_quick = self.allowed == Allowed::Json && self.waiting.is_empty() && bytes.iter().all(is_plain);
        if self.allowed == Allowed::Everything || is_quick {
            return self.out.write(bytes);
        }
        self.waiting.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.waiting);
        let mut screened = String::new();
        let mut left = all.len();
        for chunk in all.utf8_chunks() {
            let (text, invalid) = (chunk.valid(), chunk.invalid());
            left = left.saturating_sub(text.len()).saturating_sub(invalid.len());
            let cut = self.screen(text, &mut screened);
            let is_cut_character =
                || std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if invalid.is_empty() {
                // Ends all text. A cut sequence may go on in the next write.
                self.waiting =
                    text.as_bytes().get(text.len().saturating_sub(cut)..).unwrap_or_default().to_vec();
            } else if left == 0 && is_cut_character() {
                self.waiting = invalid.to_vec();
            } else {
                screened.push(char::REPLACEMENT_CHARACTER);
            }
        }
        self.out.write_all(screened.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}

/// What an escape character begins.
enum Sequence {
    /// A colour sequence of this length.
    Colour(usize),
    /// A colour sequence whose end is missing.
    Cut,
    Other,
}

/// Classifies a text that begins with an escape character.
///
/// Bold, faint, italic, underline and the sixteen colours pass. Whatever hides letters or makes them blink does not.
fn sequence(text: &str) -> Sequence {
    let Some(values) = text.strip_prefix("\u{1b}[") else {
        return if text.len() == 1 { Sequence::Cut } else { Sequence::Other };
    };
    let end = values.find(|c: char| !c.is_ascii_digit() && c != ';');
    match end {
        None if text.len() < MAX_SEQUENCE => Sequence::Cut,
        Some(end) if values.get(end..).is_some_and(|rest| rest.starts_with('m')) && end < MAX_SEQUENCE => {
            let values = values.get(..end).unwrap_or_default();
            let is_ours = |value: &str| {
                value.is_empty()
                    || matches!(value.parse(), Ok(0..=4_u8 | 22..=24 | 30..=37 | 39..=47 | 49 | 90..=97))
            };
            // The escape, the bracket, the values and the m.
            if values.split(';').all(is_ours) {
                Sequence::Colour(end.saturating_add(3))
            } else {
                Sequence::Other
            }
        }
        None | Some(_) => Sequence::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out, whole and cut at every place.
    fn check(allowed: Allowed, text: &str, expected: &str) {
        for at in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(at);
            let mut out = Screened::new(Vec::new(), allowed);
            out.write_all(left).unwrap();
            out.write_all(right).unwrap();
            assert_eq!(String::from_utf8(out.out).unwrap(), expected, "{text:?} cut at {at}");
        }
    }

    #[test]
    fn colours_pass_and_nothing_else_that_steers() {
        let check = |text, expected| check(Allowed::Colours, text, expected);
        check("\u{1b}[1mbold\u{1b}[0m\n", "\u{1b}[1mbold\u{1b}[0m\n");
        check("\u{1b}[1;33mwarm\u{1b}[m", "\u{1b}[1;33mwarm\u{1b}[m");
        check("a\u{1b}]0;title\u{7}b", "a ]0;title b");
        check("a\u{1b}[2Jb\u{9b}2Jc\rd", "a [2Jb 2Jc d");
        check("hidden \u{1b}[8mletters, \u{1b}[38;5;1mothers", "hidden  [8mletters,  [38;5;1mothers");
        check("ü\u{202e}x\u{200f}", "ü x ");
    }

    #[test]
    fn letters_pass_alone() {
        check(Allowed::Letters, "a,\u{1b}[1mb\r\n\u{202e}", "a, [1mb \n ");
    }

    #[test]
    fn json_stays_the_same_document() {
        let text = "a\u{9b}2J\u{7f}\u{202e}\u{e0041}ü\u{200d}\u{fe0f}";
        let document = serde_json::to_string_pretty(&[text]).unwrap();
        let mut out = Screened::new(Vec::new(), Allowed::Json);
        out.write_all(document.as_bytes()).unwrap();
        let written = String::from_utf8(out.out).unwrap();
        assert_eq!(written, "[\n  \"a\\u009b2J\\u007f\\u202e\\udb40\\udc41ü\\u200d\\ufe0f\"\n]");
        assert_eq!(serde_json::from_str::<Vec<String>>(&written).unwrap(), [text]);
    }

    #[test]
    fn bytes_that_are_not_text_do_not_get_through() {
        let mut out = Screened::new(Vec::new(), Allowed::Colours);
        out.write_all(b"a\x9b2Jb\xff\xe2\x80").unwrap();
        out.write_all(b"\xaec").unwrap();
        assert_eq!(String::from_utf8(out.out).unwrap(), "a\u{fffd}2Jb\u{fffd} c");
    }
}
