//! Characters that must not be printed as they are: they control the terminal, or are invisible.
//!
//! Names come from recordings, from files and from running processes, so anyone may have written them. Whatever prints
//! text for people checks here which of its characters must not reach the terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character controls the terminal or viewer, or cannot be seen.
///
/// These are: the C0 and C1 controls and DEL, controls of the writing direction, line ends that only some viewers know,
/// invisible characters, characters that look like a space, and noncharacters. Invisible characters that a script needs
/// are not included: see [`joins`].
pub fn steers(c: char) -> bool {
    let is_of_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}');
    let is_of_lines = matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}');
    c.is_control()
        || is_of_direction
        || is_of_lines
        || is_blank(c)
        || is_noncharacter(c)
        || is_invisible(c) && !joins(c)
}

/// Whether a character is invisible in a document: it [`steers`], or joins others. JSON and TOML write these as escapes, so
/// that nothing is hidden and the document stays exact.
pub fn is_unseen(c: char) -> bool {
    steers(c) || joins(c)
}

/// Whether a character looks like a space: the Braille pattern without dots, the note without a head, and fillers of the
/// Khitan and Egyptian scripts.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{2800}' | '\u{13441}' | '\u{13442}' | '\u{16fe4}' | '\u{1d159}')
}

/// Whether this is a code point that will never be a character: `Noncharacter_Code_Point`.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// Whether a character is invisible and joins, separates or shapes the letters around it: joiners of Indic and Arabic
/// scripts and of emoji, format controls of Egyptian hieroglyphs, and variation selectors.
fn joins(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{13430}'..='\u{13440}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a character is invisible: `Default_Ignorable_Code_Point` of Unicode 16.0, `DerivedCoreProperties.txt`.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The characters of a text that are not printed as they are, with their offsets: those that [`steers`], and joiners that
/// have no letter to join. Such a joiner would only make a name look like another one.
fn hidden(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut before = 'a';
    text.char_indices().filter(move |(_, c)| {
        let is_hidden = steers(*c) || joins(*c) && (before.is_ascii() || before.is_whitespace());
        // A joiner after a hidden character has nothing to join either.
        before = if is_hidden { ' ' } else { *c };
        is_hidden
    })
}

/// A text with a space in place of each hidden character. The number of characters stays the same.
pub fn printable(text: &str) -> Cow<'_, str> {
    replaced(text, |_, out| out.push(' '))
}

/// A text with the code point in place of each hidden character, such as `[U+200B]`. Line ends and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, |c, out| match c {
        '\n' | '\r' | '\t' => out.push(c),
        // Writing to a string does not fail.
        _ => drop(write!(out, "[U+{:04X}]", u32::from(c))),
    })
}

fn replaced(text: &str, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    for (at, c) in hidden(text) {
        out.push_str(text.get(done..at).unwrap_or_default());
        write(c, &mut out);
        done = at.saturating_add(c.len_utf8());
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(out)
}

/// A parser's message without anything that it quotes from the file, which may contain secrets.
///
/// Parsers say first what they found and last what they expected: `invalid type: string "secret", expected u32`.
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
    fn a_text_keeps_its_letters_and_loses_control_characters() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("Ünïcode 你好 עברית 👩\u{200d}💻", "Ünïcode 你好 עברית 👩\u{200d}💻");
        check("a\u{1b}]0;b\u{7}\r\n\tc\u{9b}2J\u{7f}", "a ]0;b    c 2J ");
        check("\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}", "     ");
        check("\u{2066}\u{2067}\u{2068}\u{2069}\u{206a}", "     ");
        check("\u{200e}\u{200f}\u{61c}\u{2028}\u{2029}\u{fff9}\u{e0041}", "       ");
    }

    #[test]
    fn no_name_looks_like_another_because_of_invisible_characters() {
        let invisible = "\u{ad}\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{180e}\u{180f}\u{200b}\u{200c}\u{200d}\
                         \u{2060}\u{2064}\u{2065}\u{206f}\u{3164}\u{fe00}\u{fe0f}\u{feff}\u{ffa0}\u{fff0}\u{1bca0}\
                         \u{1d173}\u{e0001}\u{e0100}\u{e0fff}";
        for c in invisible.chars() {
            assert_eq!(printable(&format!("Order{c}Service")), "Order Service", "{:04x}", u32::from(c));
            assert_eq!(printable(&format!("{c}Order")), " Order", "{:04x}", u32::from(c));
        }
        // Between letters that they join or shape, they are part of the text.
        for text in ["می\u{200c}خواهم", "क्\u{200d}ष", "❤\u{fe0f}", "葛\u{e0100}", "👩\u{200d}💻"]
        {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn no_name_looks_like_another_because_of_blanks_or_noncharacters() {
        let blanks = "\u{2800}\u{1d159}\u{16fe4}\u{13441}\u{13442}\u{13430}\u{1343f}";
        let noncharacters = "\u{fffe}\u{ffff}\u{fdd0}\u{fdef}\u{1fffe}\u{1ffff}\u{10fffe}\u{10ffff}";
        for c in blanks.chars().chain(noncharacters.chars()) {
            assert_eq!(printable(&format!("Order{c}Service")), "Order Service", "{:04x}", u32::from(c));
        }
    }

    #[test]
    fn a_joiner_after_a_hidden_character_is_hidden_too() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("Order\u{200b}\u{fe0f}\u{34f}x", "Order   x");
        check("Order\u{fe0f}\u{fe0f}\u{200d}x", "Order   x");
        check("Order\u{a0}\u{fe0f}x", "Order\u{a0} x");
        assert_eq!(visible("a\u{2800}\u{fe0f}"), "a[U+2800][U+FE0F]");
        // In an emoji of several characters it is visible.
        check("👁\u{fe0f}\u{200d}🗨\u{fe0f}", "👁\u{fe0f}\u{200d}🗨\u{fe0f}");
    }

    #[test]
    fn a_message_of_a_parser_loses_what_it_quotes() {
        let check = |message: &str, expected: &str| assert_eq!(without_quotes(message), expected);
        check("invalid type: string \"hunter2\", expected u32", "expected u32");
        check("invalid value: string \"x, expected y\", expected a date", "expected a date");
        check("unknown variant `hunter2`, expected one of `a`, `b`", "expected one of `a`, `b`");
        check("duplicate key: `hunter2`", "a value or its syntax is not as expected");
    }
}
