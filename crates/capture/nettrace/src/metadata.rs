//! Metadata rows: the name of a kind of event, and how its fields are encoded.
//!
//! Rows of version 3 to 5 may list their fields twice: in the old list, which has no arrays, and in a newer one in a tag
//! (`V2Params`), which replaces it. An unknown type code discards the list of fields and nothing else.

use base::bytes::{Cause, Cursor, ReadError, utf16_text};

/// Types nested deeper than this are refused; writers nest two or three.
const MAX_DEPTH: u32 = 16;

/// Fields that a kind of event may have, in both lists together and including nested ones; event sources allow 128. The limit
/// matters because finding a field by its name visits all of them.
const MAX_FIELDS: usize = 1024;
const TOO_MANY_FIELDS: &str = "count of fields, of which 1,024 are allowed";

/// How a field's value is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the numbers' names are those of the format")]
pub enum FieldType {
    /// 4 bytes; false if all are 0.
    Bool32,
    /// One byte, 0 or 1.
    Bool8,
    /// A 16-bit unit of text.
    Utf16Unit,
    /// An 8-bit unit of text.
    Utf8Unit,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    /// 16 bytes, as .NET lays out its decimal.
    Decimal,
    /// 8 bytes: 100-nanosecond ticks since 1601, as writers encode it (the document says 16 bytes, and no writer does).
    DateTime,
    Guid,
    /// 16-bit units up to a NUL.
    Utf16Z,
    /// The fields one after another.
    Object(Vec<Field>),
    /// A 16-bit count, then the elements.
    Array(Box<FieldType>),
    /// A fixed number of elements.
    FixedArray(Box<FieldType>, u16),
    /// Signed, of variable length.
    VarInt,
    /// Unsigned, of variable length.
    VarUInt,
    /// Elements elsewhere in the payload: their size and position, counted from the end of this field.
    RelLoc(Box<FieldType>),
    /// Elements elsewhere in the payload: their size and position, counted from the payload's start.
    DataLoc(Box<FieldType>),
}

impl FieldType {
    /// The size of a value in bytes, if all values have the same size.
    pub fn fixed_size(&self) -> Option<usize> {
        Some(match self {
            Self::Bool8 | Self::Utf8Unit | Self::I8 | Self::U8 => 1,
            Self::Utf16Unit | Self::I16 | Self::U16 => 2,
            Self::Bool32 | Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 | Self::DateTime => 8,
            Self::Decimal | Self::Guid => 16,
            Self::Object(fields) => {
                let mut sum = 0usize;
                for field in fields {
                    sum = sum.checked_add(field.kind.fixed_size()?)?;
                }
                sum
            }
            Self::FixedArray(element, count) => element.fixed_size()?.checked_mul(usize::from(*count))?,
            Self::Utf16Z
            | Self::Array(_)
            | Self::VarInt
            | Self::VarUInt
            | Self::RelLoc(_)
            | Self::DataLoc(_) => {
                return None;
            }
        })
    }
}

/// A named field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name; may be empty.
    pub name: String,
    /// Its encoding.
    pub kind: FieldType,
}

/// A kind of event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Number of the kind in its stream, so that tables of kinds can be indexed without hashing.
    pub index: u32,
    /// The id by which events refer to it, valid within its stream.
    pub id: u32,
    /// The provider that sends it.
    pub provider: String,
    /// The event's id within its provider.
    pub event_id: u32,
    /// The event's name; empty for events of the runtime, which are known by their id.
    pub name: String,
    /// Groups of events that it belongs to, as bits.
    pub keywords: u64,
    /// Version of its fields.
    pub version: u8,
    /// 1 critical to 5 verbose; 0 always.
    pub level: u8,
    /// What it marks (1 start, 2 stop), if the writer says.
    pub opcode: Option<u8>,
    /// Its fields; empty if only the provider's manifest has them.
    pub fields: Vec<Field>,
}

/// What a field takes in memory beside its name; in a description it may take only four bytes.
const FIELD_BYTES: usize = size_of::<Field>();

impl Metadata {
    /// About how many bytes it takes in memory.
    pub fn kept_bytes(&self) -> usize {
        let texts = self.provider.len().saturating_add(self.name.len());
        size_of::<Self>().saturating_add(texts).saturating_add(kept_bytes(&self.fields))
    }
}

/// About how many bytes fields take in memory. The recursion ends, since they are nested up to [`MAX_DEPTH`] deep.
fn kept_bytes(fields: &[Field]) -> usize {
    let of_field = |field: &Field| {
        let mut sum = FIELD_BYTES.saturating_add(field.name.len());
        let mut kind = &field.kind;
        loop {
            kind = match kind {
                FieldType::Object(fields) => return sum.saturating_add(kept_bytes(fields)),
                FieldType::Array(element)
                | FieldType::FixedArray(element, _)
                | FieldType::RelLoc(element)
                | FieldType::DataLoc(element) => element,
                _ => return sum,
            };
            sum = sum.saturating_add(FIELD_BYTES);
        }
    };
    fields.iter().fold(0, |sum, field| sum.saturating_add(of_field(field)))
}

/// How a list of fields is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListEncoding {
    V1,
    V2Params,
    V6,
}

/// Reads the payload of a metadata event, versions 3 to 5.
pub(crate) fn read_v5(cursor: &mut Cursor<'_>) -> Result<Metadata, ReadError> {
    let mut left = MAX_FIELDS;
    let mut row = Metadata { id: cursor.u32("MetaDataId")?, ..Metadata::default() };
    utf16_text(cursor.utf16z("ProviderName")?, &mut row.provider);
    row.event_id = cursor.u32("EventId")? & 0xffff;
    utf16_text(cursor.utf16z("EventName")?, &mut row.name);
    row.keywords = cursor.u64("Keywords")?;
    row.version = low_byte(cursor.u32("Version")?);
    row.level = low_byte(cursor.u32("Level")?);
    if cursor.is_empty() {
        return Ok(row);
    }
    match fields(cursor, ListEncoding::V1, 0, &mut left) {
        Ok(fields) => row.fields = fields,
        Err(error) if error.what == TOO_MANY_FIELDS => return Err(error),
        // It is not known where an unknown type ends, so the tags behind it cannot be found.
        Err(_unknown_type) => return Ok(row),
    }
    while !cursor.is_empty() {
        let len = cursor.u32("tag length")? as usize;
        let tag = cursor.u8("tag kind")?;
        let mut part = cursor.part(len, "tag payload")?;
        match tag {
            1 => row.opcode = Some(part.u8("Opcode")?),
            2 => match fields(&mut part, ListEncoding::V2Params, 0, &mut left) {
                Err(error) if error.what == TOO_MANY_FIELDS => return Err(error),
                fields => row.fields = fields.unwrap_or_default(),
            },
            _ => {}
        }
    }
    Ok(row)
}

/// Reads a row of a version 6 metadata block. The cursor begins behind the row's size.
pub(crate) fn read_v6(cursor: &mut Cursor<'_>) -> Result<Metadata, ReadError> {
    let mut row = Metadata { id: cursor.varu32("MetaDataId")?, ..Metadata::default() };
    row.provider = utf8(cursor.utf8_counted("ProviderName")?);
    row.event_id = cursor.varu32("EventId")?;
    row.name = utf8(cursor.utf8_counted("EventName")?);
    let mut left = MAX_FIELDS;
    row.fields = fields(cursor, ListEncoding::V6, 0, &mut left)?;
    let size = usize::from(cursor.u16("OptionalMetadata size")?);
    let mut optional = cursor.part(size, "OptionalMetadata")?;
    while !optional.is_empty() {
        let offset = optional.offset();
        match optional.u8("OptionalMetadata kind")? {
            1 => row.opcode = Some(optional.u8("OpCode")?),
            3 => row.keywords = optional.u64("Keywords")?,
            4 => drop(optional.utf8_counted("MessageTemplate")?),
            5 => drop(optional.utf8_counted("Description")?),
            6 => {
                optional.utf8_counted("Key")?;
                optional.utf8_counted("Value")?;
            }
            7 => drop(optional.guid("ProviderGuid")?),
            8 => row.level = optional.u8("Level")?,
            9 => row.version = optional.u8("Version")?,
            kind => {
                let cause = Cause::Value(u64::from(kind));
                return Err(ReadError { offset, what: "OptionalMetadata kind", cause });
            }
        }
    }
    Ok(row)
}

fn fields(
    cursor: &mut Cursor<'_>,
    encoding: ListEncoding,
    depth: u32,
    left: &mut usize,
) -> Result<Vec<Field>, ReadError> {
    if depth > MAX_DEPTH {
        let cause = Cause::Depth(u64::from(MAX_DEPTH));
        return Err(ReadError { offset: cursor.offset(), what: "FieldDescriptions", cause });
    }
    let count = match encoding {
        ListEncoding::V6 => u64::from(cursor.u16("field count")?),
        ListEncoding::V1 | ListEncoding::V2Params => u64::from(cursor.u32("field count")?),
    };
    let offset = cursor.offset();
    let count = cursor.fits(count, 3, "field count")?;
    let Some(rest) = left.checked_sub(count) else {
        return Err(ReadError { offset, what: TOO_MANY_FIELDS, cause: Cause::Value(count as u64) });
    };
    *left = rest;
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        list.push(field(cursor, encoding, depth, left)?);
    }
    Ok(list)
}

fn field(
    cursor: &mut Cursor<'_>,
    encoding: ListEncoding,
    depth: u32,
    left: &mut usize,
) -> Result<Field, ReadError> {
    let mut name = String::new();
    let kind = match encoding {
        ListEncoding::V1 => {
            let kind = field_type(cursor, encoding, depth, left)?;
            utf16_text(cursor.utf16z("field name")?, &mut name);
            kind
        }
        ListEncoding::V2Params => {
            let len = (cursor.u32("field size")? as usize).saturating_sub(4);
            let mut part = cursor.part(len, "field")?;
            utf16_text(part.utf16z("field name")?, &mut name);
            field_type(&mut part, encoding, depth, left)?
        }
        ListEncoding::V6 => {
            let len = usize::from(cursor.u16("FieldSize")?);
            let mut part = cursor.part(len, "field")?;
            name = utf8(part.utf8_counted("FieldName")?);
            field_type(&mut part, encoding, depth, left)?
        }
    };
    Ok(Field { name, kind })
}

fn field_type(
    cursor: &mut Cursor<'_>,
    encoding: ListEncoding,
    depth: u32,
    left: &mut usize,
) -> Result<FieldType, ReadError> {
    let offset = cursor.offset();
    let code = match encoding {
        ListEncoding::V6 => u32::from(cursor.u8("TypeCode")?),
        ListEncoding::V1 | ListEncoding::V2Params => cursor.u32("TypeCode")?,
    };
    let unknown = ReadError { offset, what: "TypeCode", cause: Cause::Value(u64::from(code)) };
    let deeper = depth.saturating_add(1);
    if deeper > MAX_DEPTH {
        return Err(ReadError { offset, what: "TypeCode", cause: Cause::Depth(u64::from(MAX_DEPTH)) });
    }
    Ok(match code {
        1 => FieldType::Object(fields(cursor, encoding, deeper, left)?),
        3 => FieldType::Bool32,
        4 => FieldType::Utf16Unit,
        5 => FieldType::I8,
        6 => FieldType::U8,
        7 => FieldType::I16,
        8 => FieldType::U16,
        9 => FieldType::I32,
        10 => FieldType::U32,
        11 => FieldType::I64,
        12 => FieldType::U64,
        13 => FieldType::F32,
        14 => FieldType::F64,
        15 => FieldType::Decimal,
        16 => FieldType::DateTime,
        17 => FieldType::Guid,
        18 => FieldType::Utf16Z,
        19 if encoding != ListEncoding::V1 => {
            FieldType::Array(Box::new(field_type(cursor, encoding, deeper, left)?))
        }
        _ if encoding != ListEncoding::V6 => return Err(unknown),
        20 => FieldType::VarInt,
        21 => FieldType::VarUInt,
        22 => {
            let element = field_type(cursor, encoding, deeper, left)?;
            FieldType::FixedArray(Box::new(element), cursor.u16("ElementCount")?)
        }
        23 => FieldType::Utf8Unit,
        24 => FieldType::RelLoc(fixed_element(cursor, encoding, deeper, left)?),
        25 => FieldType::DataLoc(fixed_element(cursor, encoding, deeper, left)?),
        26 => FieldType::Bool8,
        _ => return Err(unknown),
    })
}

fn fixed_element(
    cursor: &mut Cursor<'_>,
    encoding: ListEncoding,
    depth: u32,
    left: &mut usize,
) -> Result<Box<FieldType>, ReadError> {
    let offset = cursor.offset();
    let element = field_type(cursor, encoding, depth, left)?;
    match element.fixed_size() {
        Some(size) if size > 0 => Ok(Box::new(element)),
        _ => Err(ReadError { offset, what: "element of fixed size", cause: Cause::Value(0) }),
    }
}

fn low_byte(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
