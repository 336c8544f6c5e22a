//! `instr`, `replace`, `trim` and `unhex`.

use super::characters::{character, is_inner, until_zero};
use crate::call::{Call, Outcome, Type};
use crate::limits::is_over;
use base::number::saturated;
use memchr::memmem;

/// `instr(X, Y)`: where Y is in X for the first time, in characters, or in bytes if both are blobs.
pub(super) fn instr(call: &Call<'_>) -> Outcome {
    place(call).unwrap_or_else(|outcome| outcome)
}

fn place(call: &Call<'_>) -> Result<Outcome, Outcome> {
    let (hay, needle) = (call.bytes(0)?, call.bytes(1)?);
    let is_text = call.kind(0) != Type::Blob || call.kind(1) != Type::Blob;
    Ok(Outcome::Int(saturated(find(hay, needle, is_text))))
}

fn find(hay: &[u8], needle: &[u8], is_text: bool) -> usize {
    // In a text it begins where a character does; the first place counts as one whatever stands there.
    let is_inside = is_text && needle.first().is_some_and(|first| is_inner(*first));
    let found = if is_inside { hay.starts_with(needle).then_some(0) } else { memmem::find(hay, needle) };
    match found {
        None => 0,
        Some(0) => 1,
        Some(at) if is_text => {
            let before = hay.get(1..=at).unwrap_or_default();
            before.iter().filter(|byte| !is_inner(**byte)).count().saturating_add(1)
        }
        Some(at) => at.saturating_add(1),
    }
}

/// `replace(X, Y, Z)`: X with Z wherever it has Y.
pub(super) fn replace(call: &Call<'_>) -> Outcome {
    replaced(call).unwrap_or_else(|outcome| outcome)
}

fn replaced(call: &Call<'_>) -> Result<Outcome, Outcome> {
    let (text, old) = (call.bytes(0)?, call.bytes(1)?);
    if until_zero(old).is_empty() {
        return Ok(Outcome::Text(text.to_vec()));
    }
    let new = call.bytes(2)?;
    let (longest, mut result, mut from) = (call.longest(), Vec::with_capacity(text.len()), 0);
    for at in memmem::find_iter(text, old) {
        result.extend_from_slice(text.get(from..at).unwrap_or_default());
        result.extend_from_slice(new);
        from = at.saturating_add(old.len());
        if result.len() > longest {
            return Err(Outcome::TooLong);
        }
    }
    result.extend_from_slice(text.get(from..).unwrap_or_default());
    Ok(Outcome::Text(result))
}

/// `trim(X, Y)`: X without the characters of Y, or blanks, at its ends.
pub(super) fn trim(call: &Call<'_>) -> Outcome {
    trimmed(call, Ends::Both).unwrap_or_else(|outcome| outcome)
}

/// `ltrim(X, Y)`: as `trim`, at the beginning.
pub(super) fn ltrim(call: &Call<'_>) -> Outcome {
    trimmed(call, Ends::Left).unwrap_or_else(|outcome| outcome)
}

/// `rtrim(X, Y)`: as `trim`, at the end.
pub(super) fn rtrim(call: &Call<'_>) -> Outcome {
    trimmed(call, Ends::Right).unwrap_or_else(|outcome| outcome)
}

/// Where a text is trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Left,
    Right,
    Both,
}

fn trimmed(call: &Call<'_>, ends: Ends) -> Result<Outcome, Outcome> {
    let mut text = call.bytes(0)?;
    let set = if call.len() > 1 { until_zero(call.bytes(1)?) } else { b" " };
    let set = Set::of(set);
    while ends != Ends::Right
        && let Some(len) = set.of_begin(text)?
    {
        text = text.get(len..).unwrap_or_default();
    }
    while ends != Ends::Left
        && let Some(len) = set.of_end(text)?
    {
        text = text.get(..text.len().saturating_sub(len)).unwrap_or_default();
    }
    Ok(Outcome::Text(text.to_vec()))
}

/// Characters to trim.
enum Set<'a> {
    /// All of them are ASCII: a bit each.
    Ascii(u128),
    /// In the order in which they are tried: of bytes that are not UTF-8, one can be the beginning of another.
    Characters(Vec<&'a [u8]>),
}

impl<'a> Set<'a> {
    fn of(text: &'a [u8]) -> Self {
        if text.is_ascii() {
            return Self::Ascii(text.iter().fold(0, |set, byte| set | bit(*byte)));
        }
        let (mut characters, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let start = at;
            character(text, &mut at);
            characters.extend(text.get(start..at));
        }
        Self::Characters(characters)
    }

    /// Bytes of the character that the text begins with, if it is one of these.
    fn of_begin(&self, text: &[u8]) -> Result<Option<usize>, Outcome> {
        self.first_that(text.first(), |character| text.starts_with(character))
    }

    /// Bytes of the character that the text ends with, if it is one of these.
    fn of_end(&self, text: &[u8]) -> Result<Option<usize>, Outcome> {
        self.first_that(text.last(), |character| text.ends_with(character))
    }

    fn first_that(
        &self,
        outermost: Option<&u8>,
        has: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<usize>, Outcome> {
        /// A set of more characters takes long enough to look at the clock before each look at it.
        const MANY: usize = 256;
        let Some(outermost) = outermost else { return Ok(None) };
        match self {
            Self::Ascii(set) => Ok((set & bit(*outermost) != 0).then_some(1)),
            Self::Characters(characters) => {
                if characters.len() > MANY && is_over() {
                    return Err(Outcome::Stopped);
                }
                Ok(characters.iter().find(|character| has(character)).map(|character| character.len()))
            }
        }
    }
}

/// The bit of a character of ASCII; none of any other byte.
fn bit(byte: u8) -> u128 {
    // Other bytes are beyond the last bit.
    1u128.checked_shl(u32::from(byte)).unwrap_or(0)
}

/// `unhex(X, Y)`: the bytes that X has as digits; the characters of Y may stand between two bytes.
pub(super) fn unhex(call: &Call<'_>) -> Outcome {
    decoded(call).unwrap_or_else(|outcome| outcome)
}

fn decoded(call: &Call<'_>) -> Result<Outcome, Outcome> {
    let hex = until_zero(call.bytes(0)?);
    let mut between = Vec::new();
    if call.len() > 1 {
        let (text, mut at) = (call.bytes(1)?, 0);
        while let Some(next) = character(text, &mut at) {
            between.push(next);
        }
        between.sort_unstable();
    }
    let digit = |at: usize| hex.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut bytes, mut at) = (Vec::with_capacity(hex.len() / 2), 0_usize);
    while at < hex.len() {
        if let Some(high) = digit(at) {
            let Some(low) = digit(at.saturating_add(1)) else { return Err(Outcome::Null) };
            // Two digits fit.
            bytes.push(u8::try_from(high * 16 + low).unwrap_or(0));
            at = at.saturating_add(2);
        } else if character(hex, &mut at).is_none_or(|next| between.binary_search(&next).is_err()) {
            return Err(Outcome::Null);
        }
    }
    Ok(Outcome::Blob(bytes))
}
