//! Texts and numbers as the formats want them.

use model::Trace;
use std::borrow::Cow;
use std::io::{Result, Write};

/// Writes a text as a JSON string.
pub(crate) fn json(out: &mut dyn Write, text: &str) -> Result<()> {
    serde_json::to_writer(out, text).map_err(std::io::Error::from)
}

/// Characters of a name where it is written out each time that it occurs.
const MOST_CHARS: usize = 2_000;

/// The beginning of a text that is longer than any viewer shows.
pub(crate) fn short(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MOST_CHARS) {
        Some((at, _)) => Cow::Owned(format!("{}…", text.get(..at).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// What the service is called: the recorder's name for it, its program, or the file that was read.
pub(crate) fn subject(recording: &Trace) -> &str {
    let exhibit = &recording.exhibit;
    let known = [exhibit.name.as_deref(), exhibit.command_line.as_deref(), Some(exhibit.file.as_str())];
    known.into_iter().flatten().find(|text| !text.is_empty()).unwrap_or("recording")
}
