//! A cursor over bytes that came from outside.
//!
//! Every read is checked against the bytes that are left, and an error names the field and its absolute offset. All
//! numbers are little-endian, as in every format that is read with it. It copies only numbers.

use thiserror::Error;

/// Why a field could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Cause {
    /// The input ends within the field.
    #[error("{0} more bytes are needed than the input has")]
    End(u64),
    /// A length or count that is larger than the rest of the input.
    #[error("count {0} is larger than the rest of the input")]
    Count(u64),
    /// A variable-length number that is longer than its type.
    #[error("the variable-length number does not end")]
    Varint,
    /// A value that the format does not allow in this field.
    #[error("value {0} is not one the format allows")]
    Value(u64),
    /// Types that are nested deeper than any writer nests them.
    #[error("types are nested deeper than {0}")]
    Depth(u64),
}

/// A field that could not be read, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cannot read {what} at offset {offset:#x}: {cause}")]
pub struct ReadError {
    /// Absolute offset of the field.
    pub offset: u64,
    /// The field's name in the document of its format.
    pub what: &'static str,
    /// Why it could not be read.
    pub cause: Cause,
}

/// Reads fields from the front of a slice, and tracks the absolute offset.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    offset: u64,
}

macro_rules! numbers {
    ($($(#[$about:meta])* $name:ident: $number:ty),* $(,)?) => {$(
        $(#[$about])*
        #[inline]
        pub fn $name(&mut self, what: &'static str) -> Result<$number, ReadError> {
            const LEN: usize = size_of::<$number>();
            match self.rest.split_first_chunk::<LEN>() {
                Some((bytes, rest)) => {
                    self.rest = rest;
                    self.offset = self.offset.wrapping_add(LEN as u64);
                    Ok(<$number>::from_le_bytes(*bytes))
                }
                None => Err(self.short(what, LEN)),
            }
        }
    )*};
}

impl<'a> Cursor<'a> {
    /// Starts at the front of `bytes`, which are at `offset` in the input.
    pub fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self { rest: bytes, offset }
    }

    /// The bytes that have not been read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Absolute offset of the next byte.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether all bytes have been read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    numbers! {
        /// Reads a byte.
        u8: u8,
        /// Reads a signed byte.
        i8: i8,
        /// Reads 16 bits.
        u16: u16,
        /// Reads 16 bits, signed.
        i16: i16,
        /// Reads 32 bits.
        u32: u32,
        /// Reads 32 bits, signed.
        i32: i32,
        /// Reads 64 bits.
        u64: u64,
        /// Reads 64 bits, signed.
        i64: i64,
        /// Reads a single-precision number.
        f32: f32,
        /// Reads a double-precision number.
        f64: f64,
    }

    /// Reads 16 bytes without interpreting them.
    #[inline]
    pub fn guid(&mut self, what: &'static str) -> Result<[u8; 16], ReadError> {
        match self.rest.split_first_chunk::<16>() {
            Some((bytes, rest)) => {
                self.rest = rest;
                self.offset = self.offset.wrapping_add(16);
                Ok(*bytes)
            }
            None => Err(self.short(what, 16)),
        }
    }

    /// Takes the next `len` bytes.
    #[inline]
    pub fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], ReadError> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                self.offset = self.offset.wrapping_add(len as u64);
                Ok(taken)
            }
            None => Err(self.short(what, len)),
        }
    }

    /// Returns a cursor over the next `len` bytes, and skips them.
    pub fn part(&mut self, len: usize, what: &'static str) -> Result<Cursor<'a>, ReadError> {
        let offset = self.offset;
        self.take(len, what).map(|bytes| Cursor { rest: bytes, offset })
    }

    /// Reads a variable-length number (seven bits per byte, low bits first) that fits in 32 bits.
    #[inline]
    pub fn varu32(&mut self, what: &'static str) -> Result<u32, ReadError> {
        let offset = self.offset;
        let value = self.varu64(what)?;
        u32::try_from(value).map_err(|_too_large| ReadError { offset, what, cause: Cause::Value(value) })
    }

    /// Reads a variable-length number: seven bits per byte, low bits first.
    #[inline]
    pub fn varu64(&mut self, what: &'static str) -> Result<u64, ReadError> {
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            self.offset = self.offset.wrapping_add(1);
            return Ok(u64::from(byte));
        }
        self.varu64_long(what)
    }

    fn varu64_long(&mut self, what: &'static str) -> Result<u64, ReadError> {
        let mut value = 0u64;
        for ((at, &byte), shift) in self.rest.iter().enumerate().zip((0u32..64).step_by(7)) {
            // Only one bit of the tenth byte fits.
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte < 0x80 {
                self.rest = self.rest.get(at.saturating_add(1)..).unwrap_or_default();
                self.offset = self.offset.wrapping_add(at as u64).wrapping_add(1);
                return Ok(value);
            }
        }
        if self.rest.len() < 10 {
            return Err(self.short(what, self.rest.len().saturating_add(1)));
        }
        Err(ReadError { offset: self.offset, what, cause: Cause::Varint })
    }

    /// Reads a signed variable-length number in zig-zag encoding.
    pub fn vari64(&mut self, what: &'static str) -> Result<i64, ReadError> {
        let value = self.varu64(what)?;
        Ok((value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg())
    }

    /// Takes a string of 16-bit units and the NUL after it. Returns its bytes without the NUL.
    #[inline]
    pub fn utf16z(&mut self, what: &'static str) -> Result<&'a [u8], ReadError> {
        let end = nul_unit(self.rest);
        let Some(units) = end else {
            return Err(self.short(what, self.rest.len().saturating_add(2)));
        };
        let text = self.take(units.saturating_mul(2), what)?;
        self.take(2, what)?;
        Ok(text)
    }

    /// Takes a string of bytes and the NUL after it. Returns its bytes without the NUL.
    pub fn utf8z(&mut self, what: &'static str) -> Result<&'a [u8], ReadError> {
        let Some(len) = self.rest.iter().position(|byte| *byte == 0) else {
            return Err(self.short(what, self.rest.len().saturating_add(1)));
        };
        let text = self.take(len, what)?;
        self.take(1, what)?;
        Ok(text)
    }

    /// Takes the bytes of a UTF-8 string that follow their length, a variable-length number. They are not validated.
    pub fn utf8_counted(&mut self, what: &'static str) -> Result<&'a [u8], ReadError> {
        let len = self.varu32(what)?;
        self.take(len as usize, what)
    }

    /// Refuses a count of elements, each of at least `min_len` bytes, that the rest of the input cannot hold.
    pub fn fits(&self, count: u64, min_len: usize, what: &'static str) -> Result<usize, ReadError> {
        let error = ReadError { offset: self.offset, what, cause: Cause::Count(count) };
        let Ok(n) = usize::try_from(count) else { return Err(error) };
        match n.checked_mul(min_len) {
            Some(len) if len <= self.rest.len() => Ok(n),
            _ => Err(error),
        }
    }

    #[cold]
    fn short(&self, what: &'static str, needed: usize) -> ReadError {
        let missing = needed.saturating_sub(self.rest.len()) as u64;
        ReadError { offset: self.offset, what, cause: Cause::End(missing) }
    }
}

/// The index of the first 16-bit unit that is 0.
pub fn nul_unit(bytes: &[u8]) -> Option<usize> {
    // Eight units at once, in a form that the compiler turns into one comparison.
    let (blocks, rest) = bytes.as_chunks::<16>();
    let before = blocks.iter().position(has_nul);
    let at = match before.and_then(|before| blocks.get(before)) {
        Some(block) => first_nul(block),
        None => rest.as_chunks::<2>().0.iter().position(|unit| *unit == [0, 0])?,
    };
    Some(before.unwrap_or(blocks.len()).saturating_mul(8).saturating_add(at))
}

/// The index of the first unit that is 0 in a block that has one.
fn first_nul(block: &[u8; 16]) -> usize {
    const ONES: u128 = 0x0001_0001_0001_0001_0001_0001_0001_0001;
    let block = u128::from_le_bytes(*block);
    // Subtracting 1 from each unit sets the high bit of a unit that is 0. The borrow may also set it in higher units, so
    // only the lowest high bit that is set says which unit is 0.
    let nuls = block.wrapping_sub(ONES) & !block & (ONES << 15);
    (nuls.trailing_zeros() / 16) as usize
}

#[inline]
fn has_nul(block: &[u8; 16]) -> bool {
    // Without an early exit, so that the compiler can compare all units at once.
    block.as_chunks::<2>().0.iter().fold(false, |has, unit| has | (u16::from_ne_bytes(*unit) == 0))
}

/// The number of 16-bit units that are 0, which is an upper bound on the strings that end in these bytes.
pub fn nul_units(bytes: &[u8]) -> usize {
    let units = bytes.as_chunks::<2>().0;
    // Counters as wide as the units let the compiler count many units at once. Chunks keep them from overflowing.
    let counts = units.chunks(usize::from(u16::MAX)).map(|units| {
        units.iter().fold(0u16, |nuls, unit| nuls.wrapping_add(u16::from(u16::from_ne_bytes(*unit) == 0)))
    });
    counts.map(usize::from).sum()
}

/// Replaces `into` by the text of UTF-16 in little-endian order. Invalid units become U+FFFD, and an odd last byte is
/// ignored.
pub fn utf16_text(bytes: &[u8], into: &mut String) {
    let units = bytes.as_chunks::<2>().0;
    let mut narrow = std::mem::take(into).into_bytes();
    narrow.clear();
    // Most texts are ASCII, and then the low byte of each unit is the text.
    if units.iter().fold(0, |seen, unit| seen | unit[1] | (unit[0] & 0x80)) == 0 {
        narrow.extend(units.iter().map(|unit| unit[0]));
        // ASCII is always UTF-8, so this does not lose the text.
        *into = String::from_utf8(narrow).unwrap_or_default();
        return;
    }
    let text = char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)));
    into.extend(text.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_field_and_its_offset() {
        let mut cursor = Cursor::new(&[1, 2, 3, 4, 5], 0x10);
        assert_eq!(cursor.u32("stack id"), Ok(0x0403_0201));
        let error = cursor.u16("flags").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read flags at offset 0x14: 1 more bytes are needed than the input has"
        );
        assert_eq!(cursor.u8("flags"), Ok(5), "a failed read takes nothing");
    }

    #[test]
    fn variable_length_numbers_end_within_their_type() {
        let varint = |bytes: &[u8]| Cursor::new(bytes, 0).varu64("n");
        assert_eq!(varint(&[0x7f]), Ok(127));
        assert_eq!(varint(&[0x80, 0x01]), Ok(128));
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), Ok(u64::MAX));
        assert_eq!(varint(&[0xff; 10]).unwrap_err().cause, Cause::Varint);
        assert_eq!(varint(&[0x80]).unwrap_err().cause, Cause::End(1));
        assert_eq!(
            Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0x7f], 0).varu32("n").unwrap_err().cause,
            Cause::Value(0x7_ffff_ffff)
        );
        assert_eq!(Cursor::new(&[0x03], 0).vari64("n"), Ok(-2));
    }

    #[test]
    fn a_count_is_checked_against_the_rest_of_the_input() {
        let cursor = Cursor::new(&[0; 8], 0);
        assert_eq!(cursor.fits(2, 4, "frames"), Ok(2));
        assert_eq!(
            cursor.fits(u64::from(u32::MAX), 8, "frames").unwrap_err().cause,
            Cause::Count(0xffff_ffff)
        );
    }

    #[test]
    fn utf16_is_read_up_to_its_nul() {
        let mut text = String::new();
        let mut cursor = Cursor::new(&[b'o', 0, 0x34, 0xd8, 0x1e, 0xdd, 0x00, 0xd8, 0, 0, 9], 0);
        utf16_text(cursor.utf16z("name").unwrap(), &mut text);
        assert_eq!(text, "o\u{1d11e}\u{fffd}");
        assert_eq!(cursor.u8("next"), Ok(9));
        assert!(Cursor::new(b"a\0b", 0).utf16z("name").is_err());
        assert_eq!(Cursor::new(&[1, 0, 0, 0, 1, 0, 0, 0], 0).utf16z("name"), Ok(&[1, 0][..]));
        for len in 0..40 {
            let mut bytes = vec![b'x'; 2 * len];
            bytes.extend_from_slice(&[0, 0, 0, 0, 1]);
            assert_eq!(Cursor::new(&bytes, 0).utf16z("name").unwrap().len(), 2 * len);
            let offset = [&[0, 1, 1, 0, 0xff, 0xff][..], &bytes].concat();
            assert_eq!(Cursor::new(&offset, 0).utf16z("name").unwrap().len(), 2 * len + 6);
            // Only whole units at even offsets count.
            assert_eq!(nul_units(&bytes), 2);
            assert_eq!(nul_units(&bytes[1..]), 1);
        }
        assert_eq!(nul_units(&vec![0; 400_001]), 200_000);
    }
}
