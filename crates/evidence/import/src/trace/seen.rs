//! One event, as the parts that fill the tables get it.

use super::rawstacks::RawStack;
use clr::layout::Layout;
use clr::payload::Payload;
use model::{ActivityId, Lost, Strings, Sym, ThreadId};
use std::ops::RangeInclusive;

const IMPOSSIBLE: &str = "value that cannot be: left out";

/// An event with its fields, and with the recording's numbers for its thread, stack and activity.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    /// Nanoseconds since the main session's start.
    pub(crate) ns: i64,
    pub(crate) thread: ThreadId,
    pub(crate) stack: Option<RawStack>,
    pub(crate) activity: Option<ActivityId>,
    pub(crate) layout: &'a Layout,
    pub(crate) payload: &'a [u8],
    pub(crate) pointer_size: u8,
    /// Where the payload begins in its stream.
    pub(crate) offset: u64,
    pub(crate) fields: Payload<'a>,
}

impl Seen<'_> {
    /// The word that the schema has for a field's value.
    pub(crate) fn word(&self, name: &str, strings: &mut Strings) -> Sym {
        self.fields.word(name).map_or(Sym::NONE, |word| strings.intern(&word))
    }

    /// An address as its digits; none if it is 0 or missing.
    pub(crate) fn address(&self, name: &str, strings: &mut Strings) -> Sym {
        match self.fields.int(name) {
            None | Some(0) => Sym::NONE,
            Some(address) => strings.intern(&format!("{:#x}", address.cast_unsigned())),
        }
    }

    /// The value if it is possible; any other was written by damage, and is counted as such.
    pub(crate) fn possible<T: PartialOrd>(
        &self,
        value: T,
        range: RangeInclusive<T>,
        lost: &mut Lost,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        lost.damage.note(IMPOSSIBLE, self.offset);
        None
    }
}
