//! Texts that steer what shows them: controls of a terminal, and controls of the direction of writing.
//!
//! Names come from recordings, from files and from running processes, so anyone may have written them. Whatever prints
//! a text for people asks here which of its characters must not reach the terminal.

use std::borrow::Cow;

/// Whether a character does something to what shows it instead of being shown.
///
/// These are the C0 and C1 controls with DEL, the controls that change the direction or the order of letters, what ends
/// a line for some readers only, and what is invisible by design: annotations and tags.
pub fn steers(c: char) -> bool {
    let is_of_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}');
    let is_hidden =
        matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() || is_of_direction || is_hidden
}

/// A text with a blank in place of each character that [`steers`]. Its number of characters stays the same.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(steers) { Cow::Owned(text.replace(steers, " ")) } else { Cow::Borrowed(text) }
}

/// What a parser expected, of its message about a file that may hold anything: the message with nothing that it quotes.
///
/// Parsers put what they found first and what they expected last: `invalid type: string "secret", expected u32`.
pub fn without_quotes(message: &str) -> String {
    message.rsplit_once(", expected ").map_or_else(
        || "a value or its syntax is not as expected".to_owned(),
        |(_, expected)| format!("expected {expected}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_letters_and_loses_what_steers() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("Ünïcode 你好 עברית 👩\u{200d}💻", "Ünïcode 你好 עברית 👩\u{200d}💻");
        check("a\u{1b}]0;b\u{7}\r\n\tc\u{9b}2J\u{7f}", "a ]0;b    c 2J ");
        check("\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}", "     ");
        check("\u{2066}\u{2067}\u{2068}\u{2069}\u{206a}", "     ");
        check("\u{200e}\u{200f}\u{61c}\u{2028}\u{2029}\u{fff9}\u{e0041}", "       ");
    }

    #[test]
    fn what_a_parser_found_is_not_in_what_it_expected() {
        let check = |message: &str, expected: &str| assert_eq!(without_quotes(message), expected);
        check("invalid type: string \"hunter2\", expected u32", "expected u32");
        check("invalid value: string \"x, expected y\", expected a date", "expected a date");
        check("unknown variant `hunter2`, expected one of `a`, `b`", "expected one of `a`, `b`");
        check("duplicate key: `hunter2`", "a value or its syntax is not as expected");
    }
}
