//! Characters of texts, as SQLite reads them.

/// One character of a text as SQLite reads it: what is not UTF-8 still is a character. `None` at the end.
pub(super) fn character(text: &[u8], at: &mut usize) -> Option<u32> {
    let first = *text.get(*at)?;
    *at = at.saturating_add(1);
    if first < 0xc0 {
        return Some(u32::from(first));
    }
    let mut value = match first {
        0xc0..=0xdf => u32::from(first & 0x1f),
        0xe0..=0xef => u32::from(first & 0x0f),
        0xf0..=0xf7 => u32::from(first & 0x07),
        0xf8..=0xfb => u32::from(first & 0x03),
        0xfc..=0xfd => u32::from(first & 0x01),
        _ => 0,
    };
    while let Some(byte) = text.get(*at).filter(|byte| is_inner(**byte)) {
        value = (value << 6).wrapping_add(u32::from(byte & 0x3f));
        *at = at.saturating_add(1);
    }
    let is_none = value < 0x80 || value & 0xffff_f800 == 0xd800;
    Some(if is_none { 0xfffd } else { value })
}

/// Whether a byte goes on with a character of UTF-8.
pub(super) fn is_inner(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// A text up to its first zero byte: where most of SQLite's functions take it to end.
pub(super) fn until_zero(text: &[u8]) -> &[u8] {
    text.get(..memchr::memchr(0, text).unwrap_or(text.len())).unwrap_or_default()
}
