//! Command lines split into words as bash does it, as far as they can stand in a document or come from a browser: quotes, `$'…'`,
//! line continuations, comments, several commands.
//!
//! Nothing is expanded or run. The crates for this split one command and know neither `$'…'` nor where a command ends.

/// The commands of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Commands {
    /// The words of each.
    pub(super) commands: Vec<Vec<String>>,
    /// Variables and substitutions, which stay as they are written.
    pub(super) expansions: u64,
}

/// Why a text is not command lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// A quote has no end.
    #[error("the quote that begins in line {0} has no end")]
    Quote(usize),
    /// A word is not text.
    #[error("a word in line {0} is not UTF-8")]
    NotText(usize),
}

/// Splits a text.
pub(super) fn split(text: &str) -> Result<Commands, ShellError> {
    let mut of = Splitting {
        text,
        at: 0,
        word: None,
        words: Vec::new(),
        is_target: false,
        found: Commands::default(),
    };
    of.all()?;
    Ok(of.found)
}

struct Splitting<'a> {
    text: &'a str,
    at: usize,
    /// The word so far.
    word: Option<Vec<u8>>,
    words: Vec<String>,
    /// The next word is a file that output goes to, or input comes from.
    is_target: bool,
    found: Commands,
}

impl Splitting<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn line(&self) -> usize {
        self.text.get(..self.at).map_or(0, |text| memchr::memchr_iter(b'\n', text.as_bytes()).count()) + 1
    }

    fn push(&mut self, of: char) {
        let word = self.word.get_or_insert_default();
        word.extend_from_slice(of.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn end_word(&mut self) -> Result<(), ShellError> {
        if let Some(word) = self.word.take() {
            let word = String::from_utf8(word).map_err(|_not_text| ShellError::NotText(self.line()))?;
            if !std::mem::take(&mut self.is_target) {
                self.words.push(word);
            }
        }
        Ok(())
    }

    fn end_command(&mut self) -> Result<(), ShellError> {
        self.end_word()?;
        self.is_target = false;
        if !self.words.is_empty() {
            self.found.commands.push(std::mem::take(&mut self.words));
        }
        Ok(())
    }

    fn all(&mut self) -> Result<(), ShellError> {
        while let Some(next) = self.next() {
            match next {
                '\n' | ';' | '&' | '|' => self.end_command()?,
                '#' if self.word.is_none() => {
                    while self.peek().is_some_and(|of| of != '\n') {
                        self.next();
                    }
                }
                of if of.is_whitespace() => self.end_word()?,
                '>' | '<' => {
                    // The number of the descriptor belongs to it.
                    self.word = self.word.take().filter(|word| !word.iter().all(u8::is_ascii_digit));
                    self.end_word()?;
                    self.is_target = true;
                    while self.peek().is_some_and(|of| "><&".contains(of)) {
                        self.next();
                    }
                }
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some('\r') if self.peek() == Some('\n') => drop(self.next()),
                    Some(of) => self.push(of),
                },
                '\'' => self.single()?,
                '"' => self.double()?,
                '$' if self.peek() == Some('\'') => {
                    self.next();
                    self.ansi()?;
                }
                of => self.plain(of),
            }
        }
        self.end_command()
    }

    /// A character that may begin an expansion.
    fn plain(&mut self, of: char) {
        let begins = |next: char| next.is_alphanumeric() || "_{(".contains(next);
        self.found.expansions += u64::from(of == '`' || of == '$' && self.peek().is_some_and(begins));
        self.push(of);
    }

    fn single(&mut self) -> Result<(), ShellError> {
        let line = self.line();
        self.word.get_or_insert_default();
        loop {
            match self.next().ok_or(ShellError::Quote(line))? {
                '\'' => return Ok(()),
                of => self.push(of),
            }
        }
    }

    fn double(&mut self) -> Result<(), ShellError> {
        let line = self.line();
        self.word.get_or_insert_default();
        loop {
            match self.next().ok_or(ShellError::Quote(line))? {
                '"' => return Ok(()),
                '\\' => match self.next().ok_or(ShellError::Quote(line))? {
                    '\n' => {}
                    of @ ('$' | '`' | '"' | '\\') => self.push(of),
                    of => {
                        self.push('\\');
                        self.push(of);
                    }
                },
                of => self.plain(of),
            }
        }
    }

    /// `$'…'`: with the escapes of C.
    fn ansi(&mut self) -> Result<(), ShellError> {
        let line = self.line();
        self.word.get_or_insert_default();
        loop {
            let of = match self.next().ok_or(ShellError::Quote(line))? {
                '\'' => return Ok(()),
                '\\' => self.next().ok_or(ShellError::Quote(line))?,
                of => {
                    self.push(of);
                    continue;
                }
            };
            match of {
                'n' => self.push('\n'),
                'r' => self.push('\r'),
                't' => self.push('\t'),
                'a' => self.push('\x07'),
                'b' => self.push('\x08'),
                'e' | 'E' => self.push('\x1b'),
                'f' => self.push('\x0c'),
                'v' => self.push('\x0b'),
                '\\' | '\'' | '"' | '?' => self.push(of),
                'x' => self.byte(16, 2, 0),
                '0'..='7' => self.byte(8, 2, of.to_digit(8).unwrap_or(0)),
                'u' | 'U' => {
                    let code = self.number(16, if of == 'u' { 4 } else { 8 }, 0);
                    self.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                other => {
                    self.push('\\');
                    self.push(other);
                }
            }
        }
    }

    /// A number of at most so many digits, behind what is already read of it.
    fn number(&mut self, radix: u32, digits: usize, mut number: u32) -> u32 {
        for _ in 0..digits {
            let Some(digit) = self.peek().and_then(|of| of.to_digit(radix)) else { break };
            number = number.wrapping_mul(radix) + digit;
            self.next();
        }
        number
    }

    fn byte(&mut self, radix: u32, digits: usize, number: u32) {
        let [byte, ..] = self.number(radix, digits, number).to_le_bytes();
        self.word.get_or_insert_default().push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &[&[&str]], expansions: u64) {
        let found = split(text).unwrap();
        assert_eq!(
            (found.commands, found.expansions),
            (expected.iter().map(|of| of.iter().map(|of| (*of).to_owned()).collect()).collect(), expansions),
            "{text}"
        );
    }

    #[test]
    fn words_are_split_as_bash_does() {
        check("a 'b c' \"d \\\"e\\\" \\n\" f\\ g ''", &[&["a", "b c", "d \"e\" \\n", "f g", ""]], 0);
        check(
            "curl \\\n  -H 'A: b' \\\r\n  x # rest\ncurl y; z && w | v",
            &[&["curl", "-H", "A: b", "x"], &["curl", "y"], &["z"], &["w"], &["v"]],
            0,
        );
        check(r"a$'it\'s\n\x41\u00e9\101\xc3\xa9\q'b", &[&["ait's\nAéAé\\qb"]], 0);
        check("a > out 2>&1 b 2>/dev/null c#d", &[&["a", "b", "c#d"]], 0);
        check("a $X \"${Y}\" '$Z' $ `w`", &[&["a", "$X", "${Y}", "$Z", "$", "`w`"]], 4);
        assert_eq!(split("a\n'b"), Err(ShellError::Quote(2)));
        assert_eq!(split("$'\\xff'"), Err(ShellError::NotText(1)));
    }

    proptest! {
        #[test]
        fn any_text_is_split_or_an_error(text in ".{0,60}") {
            if let Ok(of) = split(&text) {
                prop_assert!(of.commands.iter().all(|of| !of.is_empty()));
            }
        }

        #[test]
        fn a_quoted_word_stays_as_it_is(text in "[^']{0,20}") {
            let quoted = format!("'{text}'");
            prop_assert_eq!(split(&quoted).unwrap().commands, vec![vec![text]]);
        }
    }
}
