//! Standard output and standard error: the one way by which anything is printed.
//!
//! Texts for people come from crate `text`, which takes out of every name what would steer a terminal. Here is the last
//! barrier, for whatever gets by it: [`stdout`] and [`stderr`] let through letters, ends of lines and colours, and nothing
//! else. Documents for programs stay what they are: [`json`] writes such characters as JSON's own escapes, and [`rows`]
//! leaves a pipe or a file alone. Clippy refuses any other way to the two outputs.

#![expect(clippy::disallowed_methods, reason = "this module is the way to them")]

use base::steering::{is_unseen, printable, steers};
use std::io::{IsTerminal, Result, Stdout, Write};
use std::process::Stdio;

/// Bytes of a sequence of colours; a longer one is none of ours.
const MOST_SEQUENCE: usize = 24;

/// Standard output for people.
pub(crate) fn stdout() -> Screened<impl Write> {
    Screened::new(anstream::stdout(), Allowed::Colours)
}

/// Standard error, which is for people always.
pub(crate) fn stderr() -> Screened<impl Write> {
    Screened::new(anstream::stderr(), Allowed::Colours)
}

/// Standard output for one or many JSON documents.
pub(crate) fn json() -> Screened<Stdout> {
    Screened::new(std::io::stdout(), Allowed::Json)
}

/// One or many JSON documents in a file.
pub(crate) fn as_json<W: Write>(out: W) -> Screened<W> {
    Screened::new(out, Allowed::Json)
}

/// Standard output for rows that programs read: as they are, unless it is a terminal.
pub(crate) fn rows() -> Screened<Stdout> {
    let allowed = if is_stdout() { Allowed::Letters } else { Allowed::Everything };
    Screened::new(std::io::stdout(), allowed)
}

/// Standard error, for a program of the user's whose standard output is not to mix with ours.
pub(crate) fn for_child() -> Stdio {
    Stdio::from(std::io::stderr())
}

/// Whether standard output is a terminal.
pub(crate) fn is_stdout() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether standard error is a terminal.
pub(crate) fn is_stderr() -> bool {
    std::io::stderr().is_terminal()
}

/// Says a sentence on standard error, in one line.
pub(crate) fn say(text: &str) {
    // There is nowhere left to tell of an error of standard error.
    drop(writeln!(stderr(), "casebook: {}", printable(text)));
}

/// Shows a line on the terminal of standard error in place of the one that stands there; an empty one removes it.
pub(crate) fn over(line: &str) {
    // Progress is a courtesy: a terminal that refuses it stops nothing.
    let mut out = std::io::stderr();
    drop(write!(out, "\r\x1b[K{}", printable(line)).and_then(|()| out.flush()));
}

/// A text for a page on the terminal, without its colours if nobody wants them.
pub(crate) fn coloured(text: &str) -> String {
    if anstream::AutoStream::choice(&std::io::stdout()) == anstream::ColorChoice::Never {
        return printable(&anstream::adapter::strip_str(text).to_string()).into_owned();
    }
    let mut out = Screened::new(Vec::new(), Allowed::Colours);
    // A vector takes everything.
    drop(out.write_all(text.as_bytes()));
    String::from_utf8(out.out).unwrap_or_default()
}

/// Writes to the terminal what gives it back, past a lock that another thread may hold for ever.
pub(crate) fn past_the_lock(text: &str) -> Result<()> {
    use std::os::fd::AsFd;
    std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned()?).write_all(text.as_bytes())
}

/// The terminal's columns and rows, if it tells them.
pub(crate) fn size() -> Option<(terminal_size::Width, terminal_size::Height)> {
    terminal_size::terminal_size_of(std::io::stdout())
}

/// The terminal as it is, for a page that moves about on it.
pub(crate) fn page() -> Stdout {
    std::io::stdout()
}

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// Letters and ends of lines.
    Letters,
    /// The same, and sequences of colours.
    Colours,
    /// Everything that JSON may hold; what steers or is not seen is an escape. Outside of texts JSON has none but blanks.
    Json,
    /// All bytes.
    Everything,
}

/// An output that lets nothing through that steers a terminal.
///
/// A write may end within a character or a sequence: the beginning waits for the next one.
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

    /// Writes a text of whole characters but for a sequence at its end that is not whole, whose length it returns.
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
        let mut screened = String::new();
        let all = std::mem::take(&mut self.waiting);
        let mut rest = all.as_slice();
        while !rest.is_empty() {
            let (text, broken, after) = match std::str::from_utf8(rest) {
                Ok(text) => (text, false, rest.get(rest.len()..)),
                Err(error) => {
                    let text = rest.get(..error.valid_up_to()).unwrap_or_default();
                    let after = error.error_len().map(|len| error.valid_up_to().saturating_add(len));
                    // Without a length the character is cut.
                    let after = after.and_then(|at| rest.get(at..));
                    (std::str::from_utf8(text).unwrap_or_default(), after.is_some(), after)
                }
            };
            let cut = self.screen(text, &mut screened);
            if broken {
                screened.push(char::REPLACEMENT_CHARACTER);
            }
            match after {
                Some([]) if cut > 0 => {
                    self.waiting = rest.get(rest.len().saturating_sub(cut)..).unwrap_or_default().to_vec();
                    break;
                }
                Some(after) => rest = after,
                None => {
                    self.waiting = rest.get(text.len()..).unwrap_or_default().to_vec();
                    break;
                }
            }
        }
        self.out.write_all(screened.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}

/// What begins with an escape character.
enum Sequence {
    /// A sequence of colours, with its length.
    Colour(usize),
    /// The beginning of one.
    Cut,
    Other,
}

/// Looks at a text that begins with an escape character.
///
/// Bold, faint, italic, underlined and the sixteen colours pass: nothing that hides letters, or makes them blink.
fn sequence(text: &str) -> Sequence {
    let Some(values) = text.strip_prefix("\u{1b}[") else {
        return if text.len() == 1 { Sequence::Cut } else { Sequence::Other };
    };
    let end = values.find(|c: char| !c.is_ascii_digit() && c != ';');
    match end {
        None if text.len() < MOST_SEQUENCE => Sequence::Cut,
        Some(end) if values.get(end..).is_some_and(|rest| rest.starts_with('m')) && end < MOST_SEQUENCE => {
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
    fn bytes_that_are_no_text_do_not_get_through() {
        let mut out = Screened::new(Vec::new(), Allowed::Colours);
        out.write_all(b"a\x9b2Jb\xff\xe2\x80").unwrap();
        out.write_all(b"\xaec").unwrap();
        assert_eq!(String::from_utf8(out.out).unwrap(), "a\u{fffd}2Jb\u{fffd} c");
    }
}
