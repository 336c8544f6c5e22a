//! `LIKE` and `GLOB`.
//!
//! A pattern is taken apart once; the last one is kept, since a statement has the same for all rows. Matching never goes
//! back before the last `%`, so its time is at most that of the text's length times the pattern's, and it looks at the
//! clock.

use super::characters::{character, until_zero};
use crate::call::{Call, Outcome};
use crate::limits::is_over;
use rusqlite::ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH;
use std::cell::RefCell;

/// Steps between looks at the clock.
const STEPS: u32 = 1 << 16;

/// `like(Y, X)` and `like(Y, X, escape)`: whether X has the form of the pattern Y, whatever the case of its letters.
pub(super) fn like(call: &Call<'_>) -> Outcome {
    matched(call, false).unwrap_or_else(|outcome| outcome)
}

/// `glob(Y, X)`.
pub(super) fn glob(call: &Call<'_>) -> Outcome {
    matched(call, true).unwrap_or_else(|outcome| outcome)
}

thread_local! {
    static LAST: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// The last pattern, and from what it was made.
struct Kept {
    text: Vec<u8>,
    escape: Option<u32>,
    is_glob: bool,
    pattern: Vec<Part>,
}

fn matched(call: &Call<'_>, is_glob: bool) -> Result<Outcome, Outcome> {
    let pattern = call.bytes(0);
    if pattern.as_ref().is_ok_and(|text| text.len() > call.limit(SQLITE_LIMIT_LIKE_PATTERN_LENGTH)) {
        return Err(Outcome::Error("LIKE or GLOB pattern too complex".to_owned()));
    }
    let escape = if call.len() > 2 { Some(escape(call)?) } else { None };
    let (pattern, text) = (until_zero(pattern?), until_zero(call.bytes(1)?));
    LAST.with_borrow_mut(|last| {
        let is_same = |of: &&mut Kept| of.text == pattern && of.escape == escape && of.is_glob == is_glob;
        let kept = match last.as_mut().filter(is_same) {
            Some(kept) => kept,
            None => last.insert(Kept {
                text: pattern.to_vec(),
                escape,
                is_glob,
                pattern: if is_glob { parts_of_glob(pattern) } else { parts_of_like(pattern, escape) },
            }),
        };
        Ok(Outcome::Int(i64::from(matches(&kept.pattern, text)?)))
    })
}

fn escape(call: &Call<'_>) -> Result<u32, Outcome> {
    let (text, mut at) = (until_zero(call.bytes(2)?), 0);
    match character(text, &mut at) {
        Some(escape) if at == text.len() => Ok(escape),
        _ => Err(Outcome::Error("ESCAPE expression must be a single character".to_owned())),
    }
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Any text, an empty one too.
    Any,
    /// One character, whichever it is.
    One,
    /// One character, this one.
    This(u32),
    /// One letter of ASCII in either case, of which this is the lower one.
    Letter(u8),
    /// One character within, or outside of, these ranges, which are sorted and apart.
    Among { ranges: Vec<(u32, u32)>, outside: bool },
    /// Nothing has this form.
    Never,
}

fn parts_of_like(pattern: &[u8], escape: Option<u32>) -> Vec<Part> {
    let (mut parts, mut at) = (Vec::new(), 0);
    let [any, one] = ['%', '_'].map(|sign| Some(u32::from(sign)).filter(|_| escape != Some(sign.into())));
    while let Some(next) = character(pattern, &mut at) {
        let part = if Some(next) == any {
            Part::Any
        } else if Some(next) == escape {
            character(pattern, &mut at).map_or(Part::Never, this)
        } else if Some(next) == one {
            Part::One
        } else {
            this(next)
        };
        push(&mut parts, part);
    }
    parts
}

fn this(character: u32) -> Part {
    match u8::try_from(character).map(|byte| byte.to_ascii_lowercase()) {
        Ok(letter) if letter.is_ascii_lowercase() => Part::Letter(letter),
        _ => Part::This(character),
    }
}

fn parts_of_glob(pattern: &[u8]) -> Vec<Part> {
    let (mut parts, mut at) = (Vec::new(), 0);
    while let Some(next) = character(pattern, &mut at) {
        let part = match char::from_u32(next) {
            Some('*') => Part::Any,
            Some('?') => Part::One,
            Some('[') => among(pattern, &mut at),
            _ => Part::This(next),
        };
        push(&mut parts, part);
    }
    parts
}

/// A second `%` after another says nothing new.
fn push(parts: &mut Vec<Part>, part: Part) {
    if part != Part::Any || parts.last() != Some(&Part::Any) {
        parts.push(part);
    }
}

/// What stands between `[` and `]`.
fn among(pattern: &[u8], at: &mut usize) -> Part {
    let [hyphen, open, not] = [b'-', b']', b'^'].map(u32::from);
    let (mut ranges, mut before) = (Vec::new(), None);
    let mut next = character(pattern, at);
    let outside = next == Some(not);
    if outside {
        next = character(pattern, at);
    }
    // As the first one it is a character like others.
    if next == Some(open) {
        ranges.push((open, open));
        next = character(pattern, at);
    }
    while let Some(one) = next.filter(|next| *next != open) {
        let from = before.filter(|_| one == hyphen && pattern.get(*at).is_some_and(|byte| *byte != b']'));
        if let Some(from) = from {
            ranges.extend(character(pattern, at).map(|to| (from, to)));
            before = None;
        } else {
            ranges.push((one, one));
            before = Some(one);
        }
        next = character(pattern, at);
    }
    if next.is_none() {
        return Part::Never;
    }
    ranges.retain(|(from, to)| from <= to);
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let overlaps = next.0 <= last.1;
        if overlaps {
            last.1 = last.1.max(next.1);
        }
        overlaps
    });
    Part::Among { ranges, outside }
}

impl Part {
    /// Takes one character off the text. Whether it is one that this part stands for.
    fn takes(&self, text: &[u8], at: &mut usize) -> bool {
        let Some(found) = character(text, at) else { return false };
        match self {
            Self::Any | Self::Never => false,
            Self::One => true,
            Self::This(this) => found == *this,
            Self::Letter(letter) => {
                u8::try_from(found).is_ok_and(|byte| byte.to_ascii_lowercase() == *letter)
            }
            Self::Among { ranges, outside } => {
                let after = ranges.partition_point(|(from, _)| *from <= found);
                let last = after.checked_sub(1).and_then(|last| ranges.get(last));
                last.is_some_and(|(_, to)| found <= *to) != *outside
            }
        }
    }

    /// The first place from `at` on where this part could take a character.
    fn place_from(&self, text: &[u8], at: usize) -> Option<usize> {
        let rest = text.get(at..)?;
        let found = match self {
            Self::Letter(letter) => memchr::memchr2(*letter, letter.to_ascii_uppercase(), rest)?,
            Self::This(this) => match u8::try_from(*this) {
                Ok(byte) if byte.is_ascii() => memchr::memchr(byte, rest)?,
                _ => 0,
            },
            _ => 0,
        };
        Some(at.saturating_add(found))
    }
}

/// Whether a text has the form of a pattern.
fn matches(parts: &[Part], text: &[u8]) -> Result<bool, Outcome> {
    let (mut part, mut at, mut steps) = (0_usize, 0_usize, 0_u32);
    // After the last `%`: the part behind it, and the place in the text from which it is tried next.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        steps = steps.wrapping_add(1);
        if steps.is_multiple_of(STEPS) && is_over() {
            return Err(Outcome::Stopped);
        }
        match parts.get(part) {
            Some(Part::Any) => {
                part = part.saturating_add(1);
                match parts.get(part) {
                    None => return Ok(true),
                    Some(behind) => match behind.place_from(text, at) {
                        Some(place) => at = place,
                        None => return Ok(false),
                    },
                }
                retry = Some((part, at));
                continue;
            }
            Some(wanted) if wanted.takes(text, &mut at) => {
                part = part.saturating_add(1);
                continue;
            }
            None if at >= text.len() => return Ok(true),
            _ => {}
        }
        let Some((behind, mut place)) = retry else { return Ok(false) };
        if character(text, &mut place).is_none() {
            return Ok(false);
        }
        let Some(place) = parts.get(behind).and_then(|part| part.place_from(text, place)) else {
            return Ok(false);
        };
        (part, at, retry) = (behind, place, Some((behind, place)));
    }
}
