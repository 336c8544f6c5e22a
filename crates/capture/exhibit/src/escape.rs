//! Texts that steer what shows them, as escapes of TOML: somebody may look at the file in a terminal or an editor.
//!
//! The writer of TOML escapes what it must, which is less. So such characters are marked before it writes, and the marks are
//! made escapes in its text. A mark begins with U+0001: a string with that is never one in which escapes stand for
//! themselves.

use base::steering::is_unseen;
use std::borrow::Cow;
use toml::{Table, Value};

/// What stands in a mark for nothing else; of a text's own, it is marked too.
const MARK: char = '\u{f8ff}';
/// How the writer writes the beginning of a mark.
const WRITTEN: &str = "\\u0001\u{f8ff}";
/// Digits of a mark's code.
const DIGITS: usize = 8;

/// A table with its texts marked.
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

/// Whether the writer would leave a character as it is that steers or is not seen.
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

/// The writer's text, with an escape in place of each mark.
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
