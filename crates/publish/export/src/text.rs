//! Texts and numbers as the formats want them.

use base::steering::is_unseen;
use model::Trace;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use std::borrow::Cow;
use std::io::{Result, Write};

/// Writes a value as JSON in which no text can steer a terminal, and nothing is invisible.
pub(crate) fn json(out: &mut dyn Write, value: &(impl Serialize + ?Sized)) -> Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Escaped)).map_err(std::io::Error::from)
}

/// Compact JSON that also escapes characters that steer a terminal or the writing direction, or are invisible; JSON itself requires
/// escapes only for the first 32 characters. The document means the same.
struct Escaped;

impl Formatter for Escaped {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unseen(*c)) {
            out.write_all(rest.get(..at).unwrap_or_default().as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = rest.get(at.saturating_add(c.len_utf8())..).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }
}

/// The longest name in formats that repeat names wherever they occur.
const MAX_CHARS: usize = 2_000;

/// A text, cut to [`MAX_CHARS`].
pub(crate) fn short(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => Cow::Owned(format!("{}…", text.get(..at).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// What the service is called: its name in the recording, its command line, or the name of the file.
pub(crate) fn subject(recording: &Trace) -> &str {
    let exhibit = &recording.exhibit;
    let known = [exhibit.name.as_deref(), exhibit.command_line.as_deref(), Some(exhibit.file.as_str())];
    known.into_iter().flatten().find(|text| !text.is_empty()).unwrap_or("recording")
}
