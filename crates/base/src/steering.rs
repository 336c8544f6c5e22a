//! Texts that steer what shows them: controls of a terminal, and controls of the direction of writing.
//!
//! Names come from recordings, from files and from running processes, so anyone may have written them. Whatever prints
//! a text for people asks here which of its characters must not reach the terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does something to what shows it instead of being shown.
///
/// These are the C0 and C1 controls with DEL, the controls that change the direction or the order of letters, what ends
/// a line for some readers only, what is invisible by design, what shows as a blank, and what is not a character. See
/// [`joins`] for what is invisible and yet part of a writing.
pub fn steers(c: char) -> bool {
    let is_of_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}');
    let is_of_lines = matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}');
    c.is_control()
        || is_of_direction
        || is_of_lines
        || is_blank(c)
        || is_none(c)
        || is_invisible(c) && !joins(c)
}

/// Whether a reader of a document does not see a character: one that [`steers`], or joins others. JSON and TOML write all of
/// these as escapes, with which the document stays exact.
pub fn is_unseen(c: char) -> bool {
    steers(c) || joins(c)
}

/// Whether a character shows as a blank and is none: a Braille pattern without dots, a note without a head, what fills
/// places of Khitan and Egyptian writing.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{2800}' | '\u{13441}' | '\u{13442}' | '\u{16fe4}' | '\u{1d159}')
}

/// Whether it is no character, and never will be one: `Noncharacter_Code_Point`.
fn is_none(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// Whether a character joins, parts or shapes the letters around it, and is not seen otherwise: the joiners of Indic and
/// Arabic writing and of emoji, what arranges Egyptian hieroglyphs, and selectors of variations.
fn joins(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{13430}'..='\u{13440}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether nothing is shown for a character: `Default_Ignorable_Code_Point` of Unicode 16.0, `DerivedCoreProperties.txt`.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Where a text has characters that are not shown as they are: those that [`steers`], and those that join letters where
/// there are none to be joined. In a name of plain letters they would only make it look like another.
fn unshown(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut before = 'a';
    text.char_indices().filter(move |(_, c)| {
        let is_unshown = steers(*c) || joins(*c) && (before.is_ascii() || before.is_whitespace());
        // Behind what is not shown, nothing is joined.
        before = if is_unshown { ' ' } else { *c };
        is_unshown
    })
}

/// A text with a blank in place of each character that is not shown. Its number of characters stays the same.
pub fn printable(text: &str) -> Cow<'_, str> {
    replaced(text, |_, out| out.push(' '))
}

/// A text in which each character that is not shown is written as its number, but ends of lines and tabulators.
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
    for (at, c) in unshown(text) {
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
    fn no_name_looks_like_another_by_what_nobody_sees() {
        let invisible = "\u{ad}\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{180e}\u{180f}\u{200b}\u{200c}\u{200d}\
                         \u{2060}\u{2064}\u{2065}\u{206f}\u{3164}\u{fe00}\u{fe0f}\u{feff}\u{ffa0}\u{fff0}\u{1bca0}\
                         \u{1d173}\u{e0001}\u{e0100}\u{e0fff}";
        for c in invisible.chars() {
            assert_eq!(printable(&format!("Order{c}Service")), "Order Service", "{:04x}", u32::from(c));
            assert_eq!(printable(&format!("{c}Order")), " Order", "{:04x}", u32::from(c));
        }
        // Between letters that they join or shape they are part of the writing.
        for text in ["می\u{200c}خواهم", "क्\u{200d}ष", "❤\u{fe0f}", "葛\u{e0100}", "👩\u{200d}💻"]
        {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn what_looks_like_a_blank_or_is_no_character_makes_no_name_another() {
        let blanks = "\u{2800}\u{1d159}\u{16fe4}\u{13441}\u{13442}\u{13430}\u{1343f}";
        let none = "\u{fffe}\u{ffff}\u{fdd0}\u{fdef}\u{1fffe}\u{1ffff}\u{10fffe}\u{10ffff}";
        for c in blanks.chars().chain(none.chars()) {
            assert_eq!(printable(&format!("Order{c}Service")), "Order Service", "{:04x}", u32::from(c));
        }
    }

    #[test]
    fn nothing_hides_behind_a_character_that_is_itself_hidden() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("Order\u{200b}\u{fe0f}\u{34f}x", "Order   x");
        check("Order\u{fe0f}\u{fe0f}\u{200d}x", "Order   x");
        check("Order\u{a0}\u{fe0f}x", "Order\u{a0} x");
        assert_eq!(visible("a\u{2800}\u{fe0f}"), "a[U+2800][U+FE0F]");
        // Of an emoji of several characters it is a part.
        check("👁\u{fe0f}\u{200d}🗨\u{fe0f}", "👁\u{fe0f}\u{200d}🗨\u{fe0f}");
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
