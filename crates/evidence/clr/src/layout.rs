//! How the fields of a payload lie one after another.

use std::sync::Arc;

/// How many values of one payload are read: so many, and so many more for each of its bytes. Values of no bytes, such as
/// an empty list, would otherwise be read again for every element of a list.
pub(crate) const MAX_VALUES: usize = 256;
pub(crate) const MAX_VALUES_PER_BYTE: usize = 8;

/// How a value is encoded.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the numbers' names say what they are")]
pub enum Kind {
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
    /// One byte.
    Bool8,
    /// Four bytes.
    Bool32,
    /// A 16-bit unit of text.
    Utf16Unit,
    /// An 8-bit unit of text.
    Utf8Unit,
    /// 16-bit units up to a NUL.
    Utf16Z,
    /// Bytes up to a NUL.
    Utf8Z,
    Guid,
    /// 16 bytes as .NET lays out its decimal.
    Decimal,
    /// 100-nanosecond ticks since 1601.
    DateTime,
    /// 4 or 8 bytes, as the stream says.
    Pointer,
    /// Signed, of variable length.
    VarInt,
    /// Unsigned, of variable length.
    VarUInt,
    /// A number that stands for a word.
    Enum(Arc<Words>, Box<Kind>),
    /// Bits that each stand for a word.
    Flags(Arc<Words>, Box<Kind>),
    /// Fields one after another.
    Object(Vec<Field>),
    /// A 16-bit count, then the elements.
    Array(Box<Kind>),
    /// A fixed number of elements.
    FixedArray(Box<Kind>, u16),
    /// As many elements as an earlier field says.
    Counted {
        /// The earlier field's name.
        count: String,
        /// The elements.
        element: Box<Kind>,
    },
    /// As many raw bytes as an earlier field says.
    Bytes {
        /// The earlier field's name.
        count: String,
    },
    /// Bytes that nobody shows.
    Skip(u16),
    /// Elements elsewhere: 16 bits position, counted from behind this field, and 16 bits size in bytes.
    RelLoc(Box<Kind>),
    /// Elements elsewhere: 16 bits position, counted from the payload's start, and 16 bits size in bytes.
    DataLoc(Box<Kind>),
}

/// A named value.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name; may be empty.
    pub name: String,
    /// Its encoding.
    pub kind: Kind,
}

/// The fields of a payload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    /// In the order of the bytes.
    pub fields: Vec<Field>,
}

impl Layout {
    /// About how many bytes it takes.
    pub fn kept_bytes(&self) -> usize {
        fields_bytes(&self.fields)
    }
}

fn fields_bytes(fields: &[Field]) -> usize {
    let bytes = |field: &Field| {
        size_of::<Field>().saturating_add(field.name.len()).saturating_add(field.kind.kept_bytes())
    };
    fields.iter().fold(0, |sum, field| sum.saturating_add(bytes(field)))
}

impl Kind {
    /// About how many bytes it takes beside its own place.
    fn kept_bytes(&self) -> usize {
        match self {
            Self::Object(fields) => fields_bytes(fields),
            Self::Enum(_, of)
            | Self::Flags(_, of)
            | Self::Array(of)
            | Self::FixedArray(of, _)
            | Self::Counted { element: of, .. }
            | Self::RelLoc(of)
            | Self::DataLoc(of) => size_of::<Self>().saturating_add(of.kept_bytes()),
            _ => 0,
        }
    }

    /// The fewest bytes that a value takes; an address counts as 4.
    pub(crate) fn least_bytes(&self) -> usize {
        match self {
            Self::I8
            | Self::U8
            | Self::Bool8
            | Self::Utf8Unit
            | Self::Utf8Z
            | Self::VarInt
            | Self::VarUInt => 1,
            Self::I16 | Self::U16 | Self::Utf16Unit | Self::Utf16Z | Self::Array(_) => 2,
            Self::I32
            | Self::U32
            | Self::F32
            | Self::Bool32
            | Self::Pointer
            | Self::RelLoc(_)
            | Self::DataLoc(_) => 4,
            Self::I64 | Self::U64 | Self::F64 | Self::DateTime => 8,
            Self::Guid | Self::Decimal => 16,
            Self::Enum(_, of) | Self::Flags(_, of) => of.least_bytes(),
            Self::Object(fields) => {
                fields.iter().fold(0, |sum, field| sum.saturating_add(field.kind.least_bytes()))
            }
            Self::FixedArray(element, count) => element.least_bytes().saturating_mul(usize::from(*count)),
            Self::Counted { .. } | Self::Bytes { .. } => 0,
            Self::Skip(len) => usize::from(*len),
        }
    }
}

/// Numbers and the words they stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    pub(crate) words: Vec<(i64, String)>,
    /// Bits that are something else and are left out of flags.
    pub(crate) ignored: i64,
}

impl Words {
    /// The word of a number.
    pub fn word(&self, value: i64) -> Option<&str> {
        self.words.iter().find(|(known, _)| *known == value).map(|(_, word)| word.as_str())
    }

    /// The words of all bits set, lowest first, or nothing where a bit has no word.
    pub fn flags(&self, value: i64) -> Option<String> {
        let value = value & !self.ignored;
        if let Some(word) = self.word(value) {
            return Some(word.to_owned());
        }
        let mut rest = value;
        let mut list: Vec<&(i64, String)> = self
            .words
            .iter()
            .filter(|(bits, _)| {
                let set = *bits != 0 && value & bits == *bits;
                if set {
                    rest &= !bits;
                }
                set
            })
            .collect();
        list.sort_by_key(|(bits, _)| bits.cast_unsigned());
        let joined = list.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(", ");
        (rest == 0 && !joined.is_empty()).then_some(joined)
    }
}
