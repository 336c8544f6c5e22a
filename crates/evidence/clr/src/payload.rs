//! Values of a payload by the names of its fields.
//!
//! A field is found by walking over those before it, without allocating, unless the payload was walked over before. Any
//! bytes are safe: what the payload does not hold has no value.

use crate::layout::{Field, Kind, Layout, MAX_VALUES, MAX_VALUES_PER_BYTE};
use crate::whole::{Places, Starts, Whole};
use base::bytes::{Cause, Cursor, ReadError, utf16_text};
use std::cell::Cell;

/// Objects nested deeper than this are not read.
pub(crate) const MAX_DEPTH: u32 = 24;

/// A payload with the layout of its fields.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    fields: &'a [Field],
    bytes: &'a [u8],
    pointer_size: u8,
    /// Where the fields are, if the payload was walked over already.
    places: Option<Places<'a>>,
}

impl<'a> Payload<'a> {
    /// A payload of a stream whose addresses have `pointer_size` bytes.
    pub fn new(layout: &'a Layout, bytes: &'a [u8], pointer_size: u8) -> Self {
        Self { fields: &layout.fields, bytes, pointer_size, places: None }
    }

    /// A payload that is walked over at once, so that its fields are found without a walk each. `whole` is of its layout.
    #[inline]
    pub fn walked(
        layout: &'a Layout,
        whole: &'a Whole,
        bytes: &'a [u8],
        pointer_size: u8,
        starts: &'a mut Starts,
    ) -> Self {
        let places = whole.walk(bytes, pointer_size, starts);
        Self { places, ..Self::new(layout, bytes, pointer_size) }
    }

    /// Whether all fields can be read: then [`damaged`] finds none that cannot.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.places.is_some() || walk(self.fields, self.bytes, self.pointer_size).is_ok()
    }

    /// The first field of that name.
    fn find(&self, name: &str) -> Option<(&'a Kind, Cursor<'a>)> {
        let at = self.fields.iter().position(|field| field.name == name)?;
        let kind = &self.fields.get(at)?.kind;
        if let Some(cursor) = self.places.and_then(|places| places.cursor(at, self.bytes, self.pointer_size))
        {
            return Some((kind, cursor));
        }
        let mut cursor = Cursor::new(self.bytes, 0);
        let left = values_left(self.bytes);
        let (bytes, pointer_size) = (self.bytes, self.pointer_size);
        let scope = Scope { bytes, fields: self.fields, start: cursor, pointer_size, left: &left };
        for field in self.fields.get(..at)? {
            skip(&field.kind, &mut cursor, &scope, 0).ok()?;
        }
        Some((kind, cursor))
    }

    /// An integer, address, truth value, or the number of an enum or of flags.
    pub fn int(&self, name: &str) -> Option<i64> {
        let (kind, mut cursor) = self.find(name)?;
        read_int(kind, &mut cursor, self.pointer_size).ok()?
    }

    /// Any number.
    pub fn real(&self, name: &str) -> Option<f64> {
        let (kind, mut cursor) = self.find(name)?;
        match kind {
            Kind::F32 => cursor.f32("f32").ok().map(f64::from),
            Kind::F64 => cursor.f64("f64").ok(),
            _ => read_int(kind, &mut cursor, self.pointer_size).ok()?.map(|value| value as f64),
        }
    }

    /// The word of an enum, or those of flags; the number where it has none.
    pub fn word(&self, name: &str) -> Option<String> {
        let (kind, mut cursor) = self.find(name)?;
        let value = read_int(kind, &mut cursor, self.pointer_size).ok()??;
        let word = match kind {
            Kind::Enum(words, _) => words.word(value).map(str::to_owned),
            Kind::Flags(words, _) => words.flags(value),
            _ => None,
        };
        Some(word.unwrap_or_else(|| value.to_string()))
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<String> {
        let (kind, mut cursor) = self.find(name)?;
        let mut text = String::new();
        match kind {
            Kind::Utf16Z => utf16_text(cursor.utf16z("text").ok()?, &mut text),
            Kind::Utf8Z => text = String::from_utf8_lossy(cursor.utf8z("text").ok()?).into_owned(),
            _ => return None,
        }
        Some(text)
    }

    /// A text of 16-bit units as it lies in the payload, without its NUL.
    pub fn utf16(&self, name: &str) -> Option<&'a [u8]> {
        let (kind, mut cursor) = self.find(name)?;
        if matches!(kind, Kind::Utf16Z) { cursor.utf16z("text").ok() } else { None }
    }

    /// A GUID's bytes.
    pub fn guid(&self, name: &str) -> Option<[u8; 16]> {
        let (kind, mut cursor) = self.find(name)?;
        if matches!(kind, Kind::Guid) { cursor.guid("GUID").ok() } else { None }
    }

    /// The sum of a member over the objects of a list, which has as many as an earlier field says. `None` if one of them
    /// cannot be read.
    pub fn sum(&self, list: &str, member: &str) -> Option<i64> {
        let (Kind::Counted { count, element }, mut cursor) = self.find(list)? else { return None };
        let Kind::Object(fields) = &**element else { return None };
        let mut sum = 0i64;
        for _ in 0..self.int(count)? {
            let object = Self { fields, bytes: cursor.rest(), places: None, ..*self };
            sum = sum.saturating_add(object.int(member)?);
            let left = values_left(object.bytes);
            let (bytes, pointer_size) = (object.bytes, self.pointer_size);
            let scope = Scope { bytes, fields, start: cursor, pointer_size, left: &left };
            skip(element, &mut cursor, &scope, 0).ok()?;
        }
        Some(sum)
    }

    /// Raw bytes whose length another field gives.
    pub fn raw(&self, name: &str) -> Option<&'a [u8]> {
        let (kind, mut cursor) = self.find(name)?;
        let Kind::Bytes { count } = kind else { return None };
        let len = usize::try_from(self.int(count)?).ok()?;
        cursor.take(len, "bytes").ok()
    }
}

/// A field that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged {
    /// Which field of the layout.
    pub field: usize,
    /// Why.
    pub error: ReadError,
}

/// The first field of a payload that cannot be read; `None` if all can.
///
/// This alone decides whether an event is damaged, for whoever counts them and for whoever shows their fields.
pub fn damaged(layout: &Layout, bytes: &[u8], pointer_size: u8) -> Option<Damaged> {
    walk(&layout.fields, bytes, pointer_size).err()
}

/// How many bytes of a payload its layout takes.
///
/// # Errors
///
/// A field cannot be read.
pub fn consumed(layout: &Layout, bytes: &[u8], pointer_size: u8) -> Result<usize, ReadError> {
    walk(&layout.fields, bytes, pointer_size).map_err(|damaged| damaged.error)
}

fn walk(fields: &[Field], bytes: &[u8], pointer_size: u8) -> Result<usize, Damaged> {
    let mut cursor = Cursor::new(bytes, 0);
    let left = values_left(bytes);
    let scope = Scope { bytes, fields, start: cursor, pointer_size, left: &left };
    for (field, of) in fields.iter().enumerate() {
        skip(&of.kind, &mut cursor, &scope, 0).map_err(|error| Damaged { field, error })?;
    }
    Ok(bytes.len().saturating_sub(cursor.rest().len()))
}

/// Where a count that a field refers to is looked for: among the fields of the same object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'s, 'a> {
    /// The whole payload, for elements elsewhere.
    pub(crate) bytes: &'a [u8],
    pub(crate) fields: &'s [Field],
    pub(crate) start: Cursor<'a>,
    pub(crate) pointer_size: u8,
    /// How many values may still be gone over.
    pub(crate) left: &'s Cell<usize>,
}

/// How many values may be gone over in a payload.
pub(crate) fn values_left(bytes: &[u8]) -> Cell<usize> {
    Cell::new(bytes.len().saturating_mul(MAX_VALUES_PER_BYTE).saturating_add(MAX_VALUES))
}

impl Scope<'_, '_> {
    /// Counts one more value gone over, however it is used: what one walk over a payload refuses, all do.
    pub(crate) fn visit(&self, offset: u64) -> Result<(), ReadError> {
        let cause = Cause::Count(MAX_VALUES as u64);
        let refused = ReadError { offset, what: "values of no bytes", cause };
        self.left.set(self.left.get().checked_sub(1).ok_or(refused)?);
        Ok(())
    }

    /// The value of an earlier field, or the literal number that stands for one. A field that this version does not
    /// have counts nothing.
    pub(crate) fn count(&self, name: &str) -> Result<u64, ReadError> {
        if let Ok(literal) = name.parse() {
            return Ok(literal);
        }
        let mut cursor = self.start;
        for field in self.fields {
            if field.name == name {
                let value = read_int(&field.kind, &mut cursor, self.pointer_size)?;
                // A negative count counts nothing.
                return Ok(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0));
            }
            // A count that this version does not have is reached by what it would count: there is nothing of it.
            if matches!(&field.kind, Kind::Counted { count, .. } | Kind::Bytes { count } if count == name) {
                break;
            }
            skip(&field.kind, &mut cursor, self, 0)?;
        }
        Ok(0)
    }
}

/// The integer of a kind that is one.
pub(crate) fn read_int(
    kind: &Kind,
    cursor: &mut Cursor<'_>,
    pointer_size: u8,
) -> Result<Option<i64>, ReadError> {
    Ok(Some(match kind {
        Kind::I8 => i64::from(cursor.i8("i8")?),
        Kind::U8 | Kind::Utf8Unit => i64::from(cursor.u8("u8")?),
        Kind::Bool8 => i64::from(cursor.u8("bool")? != 0),
        Kind::I16 => i64::from(cursor.i16("i16")?),
        Kind::U16 | Kind::Utf16Unit => i64::from(cursor.u16("u16")?),
        Kind::I32 => i64::from(cursor.i32("i32")?),
        Kind::U32 => i64::from(cursor.u32("u32")?),
        Kind::Bool32 => i64::from(cursor.u32("bool")? != 0),
        Kind::I64 | Kind::DateTime => cursor.i64("i64")?,
        Kind::U64 => cursor.u64("u64")?.cast_signed(),
        Kind::Pointer if pointer_size == 4 => i64::from(cursor.u32("pointer")?),
        Kind::Pointer => cursor.u64("pointer")?.cast_signed(),
        Kind::VarInt => cursor.vari64("varint")?,
        Kind::VarUInt => cursor.varu64("varuint")?.cast_signed(),
        Kind::Enum(_, of) | Kind::Flags(_, of) => return read_int(of, cursor, pointer_size),
        _ => return Ok(None),
    }))
}

/// Goes over a value.
pub(crate) fn skip<'a>(
    kind: &Kind,
    cursor: &mut Cursor<'a>,
    scope: &Scope<'_, 'a>,
    depth: u32,
) -> Result<(), ReadError> {
    let deeper = depth.saturating_add(1);
    if deeper > MAX_DEPTH {
        let cause = Cause::Depth(u64::from(MAX_DEPTH));
        return Err(ReadError { offset: cursor.offset(), what: "nested value", cause });
    }
    scope.visit(cursor.offset())?;
    match kind {
        Kind::I8 | Kind::U8 | Kind::Bool8 | Kind::Utf8Unit => drop(cursor.take(1, "byte")?),
        Kind::I16 | Kind::U16 | Kind::Utf16Unit => drop(cursor.take(2, "16 bits")?),
        Kind::I32 | Kind::U32 | Kind::F32 | Kind::Bool32 => drop(cursor.take(4, "32 bits")?),
        Kind::RelLoc(element) | Kind::DataLoc(element) => {
            let bytes = elsewhere(matches!(kind, Kind::RelLoc(_)), cursor, scope.bytes)?;
            // The elements are all of one length, so only what is left over can be wrong with them.
            // Elements without a length leave nothing over.
            let over = bytes.rest().len().checked_rem(element.least_bytes()).unwrap_or(0);
            if over > 0 {
                let cause = Cause::End(over as u64);
                return Err(ReadError { offset: bytes.offset(), what: "elements elsewhere", cause });
            }
        }
        Kind::I64 | Kind::U64 | Kind::F64 | Kind::DateTime => drop(cursor.take(8, "64 bits")?),
        Kind::Guid | Kind::Decimal => drop(cursor.take(16, "128 bits")?),
        Kind::Pointer => drop(cursor.take(usize::from(scope.pointer_size), "pointer")?),
        Kind::VarInt | Kind::VarUInt => drop(cursor.varu64("variable-length number")?),
        Kind::Utf16Z => drop(cursor.utf16z("text")?),
        Kind::Utf8Z => drop(cursor.utf8z("text")?),
        Kind::Skip(len) => drop(cursor.take(usize::from(*len), "reserved")?),
        Kind::Enum(_, of) | Kind::Flags(_, of) => skip(of, cursor, scope, deeper)?,
        Kind::Object(fields) => {
            let inner = Scope { fields, start: *cursor, ..*scope };
            for field in fields {
                skip(&field.kind, cursor, &inner, deeper)?;
            }
        }
        Kind::Array(element) => {
            let count = u64::from(cursor.u16("count")?);
            skip_many(element, count, cursor, scope, deeper)?;
        }
        Kind::FixedArray(element, count) => skip_many(element, u64::from(*count), cursor, scope, deeper)?,
        Kind::Counted { count, element } => skip_many(element, scope.count(count)?, cursor, scope, deeper)?,
        Kind::Bytes { count } => {
            let len = cursor.fits(scope.count(count)?, 1, "bytes")?;
            cursor.take(len, "bytes")?;
        }
    }
    Ok(())
}

/// The bytes that elements elsewhere lie in. `behind`: their place is counted from behind the field.
pub(crate) fn elsewhere<'a>(
    behind: bool,
    cursor: &mut Cursor<'a>,
    bytes: &'a [u8],
) -> Result<Cursor<'a>, ReadError> {
    let position = usize::from(cursor.u16("position")?);
    let size = usize::from(cursor.u16("size")?);
    let from = if behind { bytes.len().saturating_sub(cursor.rest().len()) } else { 0 };
    let start = from.saturating_add(position);
    let offset = start as u64;
    let missing = ReadError { offset, what: "elements elsewhere", cause: Cause::Count(size as u64) };
    let bytes = bytes.get(start..start.saturating_add(size)).ok_or(missing)?;
    Ok(Cursor::new(bytes, offset))
}

fn skip_many<'a>(
    element: &Kind,
    count: u64,
    cursor: &mut Cursor<'a>,
    scope: &Scope<'_, 'a>,
    depth: u32,
) -> Result<(), ReadError> {
    for _ in 0..count {
        let before = cursor.offset();
        skip(element, cursor, scope, depth)?;
        if cursor.offset() == before {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_values_of_no_bytes_does_not_take_minutes() {
        let field = |name: &str, kind| Field { name: name.to_owned(), kind };
        let mut members: Vec<Field> =
            (0..10_000).map(|_| field("", Kind::FixedArray(Box::new(Kind::U8), 0))).collect();
        members.push(field("", Kind::U8));
        let list = Kind::Array(Box::new(Kind::Object(members)));
        let layout = Layout { fields: vec![field("list", list), field("behind", Kind::U8)] };
        let bytes = vec![0xff; 1 << 16];
        let error = consumed(&layout, &bytes, 8).unwrap_err();
        assert_eq!(error.what, "values of no bytes");
        assert_eq!(Payload::new(&layout, &bytes, 8).int("behind"), None);
    }
}
