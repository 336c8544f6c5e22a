//! Payloads as JSON: every field by its name, numbers as numbers, enums as words.

use crate::layout::{Field, Kind, Layout};
use crate::payload::{Damaged, MAX_DEPTH, Scope, damaged, elsewhere, read_int, values_left};
use base::bytes::{Cause, Cursor, ReadError, utf16_text};
use serde_json::{Map, Number, Value};
use std::cell::Cell;

/// About the bytes written for one payload: elements elsewhere may be pointed at again and again, and every element of
/// a list repeats the names of its members; a payload of 64 KB must not become gigabytes.
const MAX_OUTPUT: usize = 1 << 20;
/// About the bytes of a number, or of the marks around a text or a list.
const VALUE: usize = 8;

/// The member that tells why fields cannot be read.
const DAMAGED: &str = "<damaged>";
/// The member that tells that fields are too much to be written, though nothing is wrong with them.
const LEFT_OUT: &str = "<left out>";

/// A payload as a JSON object, with its fields in order.
///
/// What cannot be read, and what follows it, is left out; a member `<damaged>` then says where. Fields that would become
/// more text than anybody reads are left out too; a member `<left out>` then says so.
pub fn json(layout: &Layout, bytes: &[u8], pointer_size: u8) -> String {
    json_within(layout, bytes, pointer_size, MAX_OUTPUT)
}

/// The same with another limit on about the bytes that are written, for whoever writes that of many payloads.
pub fn json_within(layout: &Layout, bytes: &[u8], pointer_size: u8, most: usize) -> String {
    let writer = Writer { bytes, pointer_size, left: Cell::new(most.min(MAX_OUTPUT)) };
    let mut cursor = Cursor::new(bytes, 0);
    let mut object = String::from("{");
    let damage = damaged(layout, bytes, pointer_size);
    let whole = damage.map_or(layout.fields.len(), |damage| damage.field);
    let left = values_left(bytes);
    let scope = Scope { bytes, fields: &layout.fields, start: cursor, pointer_size, left: &left };
    let mut left_out = None;
    for field in layout.fields.iter().take(whole) {
        match writer.member(field, &mut cursor, &scope, 0) {
            Ok(None) => {}
            Ok(Some(value)) => member(&mut object, &field.name, &value),
            Err(_too_much) => {
                left_out = Some(format!("{} and what follows", field.name));
                break;
            }
        }
    }
    if let Some(left_out) = left_out {
        member(&mut object, LEFT_OUT, &Value::String(left_out));
    }
    if let Some(Damaged { field, error }) = damage {
        let name = layout.fields.get(field).map_or("", |field| field.name.as_str());
        let damage = format!("cannot read {name} at offset {:#x}", error.offset);
        member(&mut object, DAMAGED, &Value::String(damage));
    }
    object.push('}');
    object
}

fn member(object: &mut String, name: &str, value: &Value) {
    if object.len() > 1 {
        object.push(',');
    }
    object.push_str(&Value::String(name.to_owned()).to_string());
    object.push(':');
    object.push_str(&value.to_string());
}

struct Writer<'a> {
    bytes: &'a [u8],
    pointer_size: u8,
    /// About the bytes that may still be written.
    left: Cell<usize>,
}

impl<'a> Writer<'a> {
    fn spend(&self, output: usize, offset: u64) -> Result<(), ReadError> {
        let left = self.left.get().checked_sub(output);
        let spent = ReadError { offset, what: "more than is written", cause: Cause::Count(output as u64) };
        self.left.set(left.ok_or(spent)?);
        Ok(())
    }

    /// The value of a field that is written with its name.
    fn member(
        &self,
        field: &Field,
        cursor: &mut Cursor<'a>,
        scope: &Scope<'_, 'a>,
        depth: u32,
    ) -> Result<Option<Value>, ReadError> {
        self.spend(field.name.len(), cursor.offset())?;
        self.value(&field.kind, cursor, scope, depth)
    }

    /// The value of a kind; none for what nobody shows.
    fn value(
        &self,
        kind: &Kind,
        cursor: &mut Cursor<'a>,
        scope: &Scope<'_, 'a>,
        depth: u32,
    ) -> Result<Option<Value>, ReadError> {
        let offset = cursor.offset();
        scope.visit(offset)?;
        self.spend(VALUE, offset)?;
        let value = self.read(kind, cursor, scope, depth)?;
        if let Some(Value::String(text)) = &value {
            self.spend(text.len(), offset)?;
        }
        Ok(value)
    }

    fn read(
        &self,
        kind: &Kind,
        cursor: &mut Cursor<'a>,
        scope: &Scope<'_, 'a>,
        depth: u32,
    ) -> Result<Option<Value>, ReadError> {
        let deeper = depth.saturating_add(1);
        if deeper > MAX_DEPTH {
            let cause = Cause::Depth(u64::from(MAX_DEPTH));
            return Err(ReadError { offset: cursor.offset(), what: "nested value", cause });
        }
        let mut text = String::new();
        Ok(Some(match kind {
            Kind::F32 => single(cursor.f32("f32")?),
            Kind::F64 => number(cursor.f64("f64")?),
            Kind::U64 | Kind::Pointer | Kind::VarUInt => unsigned(read_int(kind, cursor, self.pointer_size)?),
            Kind::Bool8 | Kind::Bool32 => Value::Bool(read_int(kind, cursor, self.pointer_size)? == Some(1)),
            Kind::Utf16Unit => {
                utf16_text(cursor.take(2, "unit")?, &mut text);
                Value::String(text)
            }
            Kind::Utf8Unit => Value::String(String::from_utf8_lossy(cursor.take(1, "unit")?).into_owned()),
            Kind::Utf16Z => {
                utf16_text(cursor.utf16z("text")?, &mut text);
                Value::String(text)
            }
            Kind::Utf8Z => Value::String(String::from_utf8_lossy(cursor.utf8z("text")?).into_owned()),
            Kind::Guid => Value::String(guid_text(cursor.guid("GUID")?)),
            Kind::Decimal => Value::String(hex(cursor.take(16, "decimal")?)),
            Kind::DateTime => Value::String(date_text(cursor.i64("date")?)),
            // The schema gives words to integers only.
            Kind::Enum(words, of) => {
                let value = read_int(of, cursor, self.pointer_size)?.unwrap_or(0);
                words.word(value).map_or_else(|| Value::from(value), Value::from)
            }
            Kind::Flags(words, of) => {
                let value = read_int(of, cursor, self.pointer_size)?.unwrap_or(0);
                words.flags(value).map_or_else(|| Value::from(value), Value::from)
            }
            Kind::Object(fields) => self.object(fields, cursor, scope, deeper)?,
            Kind::Array(element) => {
                let count = u64::from(cursor.u16("count")?);
                self.list(element, count, cursor, scope, deeper)?
            }
            Kind::FixedArray(element, count) => {
                self.list(element, u64::from(*count), cursor, scope, deeper)?
            }
            Kind::Counted { count, element } => {
                self.list(element, scope.count(count)?, cursor, scope, deeper)?
            }
            Kind::Bytes { count } => {
                let len = cursor.fits(scope.count(count)?, 1, "bytes")?;
                Value::String(hex(cursor.take(len, "bytes")?))
            }
            Kind::Skip(len) => {
                cursor.take(usize::from(*len), "reserved")?;
                return Ok(None);
            }
            Kind::RelLoc(element) | Kind::DataLoc(element) => {
                let behind = matches!(kind, Kind::RelLoc(_));
                let elements = elsewhere(behind, cursor, self.bytes)?;
                self.elements(element, elements, scope, deeper)?
            }
            _ => read_int(kind, cursor, self.pointer_size)?.map_or(Value::Null, Value::from),
        }))
    }

    fn object(
        &self,
        fields: &[Field],
        cursor: &mut Cursor<'a>,
        scope: &Scope<'_, 'a>,
        depth: u32,
    ) -> Result<Value, ReadError> {
        let inner = Scope { fields, start: *cursor, ..*scope };
        let mut object = Map::new();
        for field in fields {
            if let Some(value) = self.member(field, cursor, &inner, depth)? {
                object.insert(field.name.clone(), value);
            }
        }
        Ok(Value::Object(object))
    }

    fn list(
        &self,
        element: &Kind,
        count: u64,
        cursor: &mut Cursor<'a>,
        scope: &Scope<'_, 'a>,
        depth: u32,
    ) -> Result<Value, ReadError> {
        let unit = match element {
            Kind::Utf16Unit => 2,
            Kind::Utf8Unit => 1,
            _ => 0,
        };
        if unit > 0 {
            let len = cursor.fits(count, unit, "text")?.saturating_mul(unit);
            let bytes = cursor.take(len, "text")?;
            return Ok(Value::String(units_text(element, bytes)));
        }
        let mut list = Vec::new();
        for _ in 0..count {
            let before = cursor.offset();
            list.extend(self.value(element, cursor, scope, depth)?);
            if cursor.offset() == before {
                break;
            }
        }
        Ok(Value::Array(list))
    }

    fn elements(
        &self,
        element: &Kind,
        mut elements: Cursor<'a>,
        scope: &Scope<'_, 'a>,
        depth: u32,
    ) -> Result<Value, ReadError> {
        if matches!(element, Kind::Utf16Unit | Kind::Utf8Unit) {
            return Ok(Value::String(units_text(element, elements.rest())));
        }
        self.until_end(element, &mut elements, scope, depth)
    }

    fn until_end(
        &self,
        element: &Kind,
        cursor: &mut Cursor<'a>,
        scope: &Scope<'_, 'a>,
        depth: u32,
    ) -> Result<Value, ReadError> {
        let mut list = Vec::new();
        while !cursor.is_empty() {
            let before = cursor.offset();
            list.extend(self.value(element, cursor, scope, depth)?);
            if cursor.offset() == before {
                break;
            }
        }
        Ok(Value::Array(list))
    }
}

fn units_text(element: &Kind, bytes: &[u8]) -> String {
    let mut text = String::new();
    if matches!(element, Kind::Utf16Unit) {
        utf16_text(bytes, &mut text);
    } else {
        text = String::from_utf8_lossy(bytes).into_owned();
    }
    text
}

/// A single-precision number by its own shortest digits, not by those of the double it becomes.
fn single(value: f32) -> Value {
    value.to_string().parse().map_or(Value::Null, number)
}

fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn unsigned(value: Option<i64>) -> Value {
    value.map_or(Value::Null, |value| Value::from(value.cast_unsigned()))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}

fn guid_text(bytes: [u8; 16]) -> String {
    let value = u128::from_le_bytes(bytes);
    let tail = hex(bytes.get(8..).unwrap_or_default());
    let (clock, node) = tail.split_at_checked(4).unwrap_or_default();
    let (low, middle, high) = (value & 0xffff_ffff, (value >> 32) & 0xffff, (value >> 48) & 0xffff);
    format!("{low:08x}-{middle:04x}-{high:04x}-{clock}-{node}")
}

/// RFC 3339 of 100-nanosecond ticks since 1601; the number itself where no calendar has it.
fn date_text(ticks: i64) -> String {
    const FROM_1601_TO_1970: i128 = 116_444_736_000_000_000;
    let nanos = i128::from(ticks).saturating_sub(FROM_1601_TO_1970).saturating_mul(100);
    jiff::Timestamp::from_nanosecond(nanos).map_or_else(|_no_date| ticks.to_string(), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: Vec<(&str, Kind)>, bytes: &[u8], expected: &str) {
        let fields = fields.into_iter().map(|(name, kind)| Field { name: name.to_owned(), kind }).collect();
        assert_eq!(json(&Layout { fields }, bytes, 8), expected);
    }

    #[test]
    fn numbers_texts_and_what_is_cut_off() {
        check(vec![("a", Kind::U16), ("b", Kind::Utf16Z)], &[1, 0, b'x', 0, 0, 0], r#"{"a":1,"b":"x"}"#);
        check(
            vec![("a", Kind::U16), ("b", Kind::U64)],
            &[1, 0, 9],
            r#"{"a":1,"<damaged>":"cannot read b at offset 0x2"}"#,
        );
        check(vec![("d", Kind::F64)], &f64::NAN.to_le_bytes(), r#"{"d":null}"#);
    }

    #[test]
    fn arrays_counted_here_and_elsewhere() {
        let array = Kind::Array(Box::new(Kind::U8));
        check(vec![("a", array)], &[2, 0, 7, 8], r#"{"a":[7,8]}"#);
        let counted = Kind::Counted { count: "n".to_owned(), element: Box::new(Kind::I16) };
        check(vec![("n", Kind::U8), ("c", counted)], &[2, 1, 0, 255, 255], r#"{"n":2,"c":[1,-1]}"#);
        let rel = Kind::RelLoc(Box::new(Kind::Utf8Unit));
        check(vec![("r", rel)], &[1, 0, 2, 0, 0, b'o', b'k'], r#"{"r":"ok"}"#);
        let data = Kind::DataLoc(Box::new(Kind::U8));
        check(vec![("r", data)], &[4, 0, 9, 0, 1], r#"{"<damaged>":"cannot read r at offset 0x4"}"#);
    }

    #[test]
    fn fields_keep_their_order_and_single_precision_its_digits() {
        let field = |name: &str, kind| Field { name: name.to_owned(), kind };
        let object = Kind::Object(vec![field("z", Kind::U8), field("a", Kind::F32)]);
        check(vec![("o", object)], &[1, 0xcd, 0xcc, 0xcc, 0x3d], r#"{"o":{"z":1,"a":0.1}}"#);
    }

    #[test]
    fn elements_that_all_lie_in_one_place_cannot_grow_without_end() {
        let array = Kind::Array(Box::new(Kind::DataLoc(Box::new(Kind::U8))));
        let mut bytes = vec![0u8; 16 << 10];
        bytes[0..2].copy_from_slice(&4000u16.to_le_bytes());
        for place in bytes[2..].chunks_exact_mut(4).take(4000) {
            place.copy_from_slice(&[0, 0, 0, 0x3f]);
        }
        let layout = Layout { fields: vec![Field { name: "a".to_owned(), kind: array }] };
        let text = json(&layout, &bytes, 8);
        assert!(text.starts_with(r#"{"<left out>""#) && text.len() < 100, "{}", text.len());
    }

    #[test]
    fn neither_names_nor_texts_in_lists_grow_without_end() {
        let check = |kind, bytes: &[u8]| {
            let layout = Layout { fields: vec![Field { name: "a".to_owned(), kind }] };
            let text = json(&layout, bytes, 8);
            assert!(text.starts_with(r#"{"<left out>""#) && text.len() < 100, "{}", text.len());
        };
        let named = Kind::Object(vec![Field { name: "long".repeat(1000), kind: Kind::U8 }]);
        check(Kind::FixedArray(Box::new(named), 1000), &[0; 1000]);
        let text = Kind::FixedArray(Box::new(Kind::Utf8Unit), 10_000);
        check(
            Kind::FixedArray(Box::new(Kind::DataLoc(Box::new(text))), 1000),
            &[0, 0, 0x10, 0x27].repeat(3000),
        );
    }

    #[test]
    fn dates_count_from_1601() {
        assert_eq!(date_text(0), "1601-01-01T00:00:00Z");
        assert_eq!(date_text(116_444_736_000_000_001), "1970-01-01T00:00:00.0000001Z");
        assert_eq!(date_text(i64::MAX), i64::MAX.to_string());
    }
}
