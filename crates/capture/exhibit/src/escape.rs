//! Escapes characters in `exhibit.toml` that control a terminal or are invisible, since people look at the file in terminals
//! and editors.
//!
//! The TOML writer does not escape all of them. So each is replaced by a mark before the text is written, and each mark by an
//! escape afterwards. A mark begins with U+0001, which makes the writer use a string with escapes rather than a literal
//! one, in which an escape would stand for itself.

use base::steering::is_unseen;
use std::borrow::Cow;
use toml::{Table, Value};

/// The second character of a mark. If a text has this character itself, it is marked too.
const MARK: char = '\u{f8ff}';
/// The beginning of a mark as the writer writes it.
const WRITTEN: &str = "\\u0001\u{f8ff}";
/// Hexadecimal digits of a mark: the code of the character.
const DIGITS: usize = 8;

/// A table in which such characters are replaced by marks.
pub(crate) fn marked(table: Table) -> Table {
    table.into_iter().map(|(key, value)| (mark(&key).into_owned(), marked_value(value))).collect()
}

fn marked_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(mark(&text).into_owned()),
        Value::Array(values) => Value::Array(values.into_iter().map(marked_value).collect()),
        Value::Table(table) => Value::Table(marked(table)),
        other => other,
    }
}

/// Whether the TOML writer would leave a character as it is although it must be escaped.
fn is_left(c: char) -> bool {
    c == MARK || !c.is_ascii() && is_unseen(c)
}

fn mark(text: &str) -> Cow<'_, str> {
    if !text.contains(is_left) {
        return Cow::Borrowed(text);
    }
    let mut marked = String::new();
    for c in text.chars() {
        if is_left(c) {
            marked.extend(['\u{1}', MARK]);
            marked.extend([format!("{:0DIGITS$X}", u32::from(c))]);
        } else {
            marked.push(c);
        }
    }
    Cow::Owned(marked)
}

/// The text of the TOML writer, with an escape in place of each mark.
pub(crate) fn escaped(text: &str) -> String {
    let mut parts = text.split(WRITTEN);
    let mut escaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.strip_prefix("0000") {
            Some(short) => escaped.extend(["\\u", short]),
            None => escaped.extend(["\\U", part]),
        }
    }
    escaped
}
