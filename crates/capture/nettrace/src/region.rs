//! What events refer to by id between two sequence points: stacks and label lists.
//!
//! Both are dropped at a sequence point, after which their ids may be reused.

use base::bytes::{Cause, Cursor, ReadError};
use base::damage::DamageLog;
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

/// Stacks between two sequence points. Each takes 17 to 35 bytes beside its addresses, although it may come from four bytes
/// of the input. The runtime writes about ten thousand.
const MAX_STACKS: usize = 1 << 20;
/// Label lists between two sequence points. Each takes 41 to 82 bytes, although it may come from two bytes of the input. A
/// writer has one per activity.
const MAX_LABEL_LISTS: usize = 1 << 19;

const TOO_MANY_STACKS: &str = "stack beyond the million that are kept between two sequence points";
const TOO_MANY_LABELS: &str = "label list beyond the half million that are kept between two sequence points";

/// A stack: where its addresses lie in [`Stacks`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StackRef {
    pub(crate) serial: u32,
    start: u32,
    len: u32,
}

impl StackRef {
    pub(crate) fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// The stacks since the last sequence point, up to [`MAX_STACKS`]. Each is stored and found in constant time.
#[derive(Debug, Default)]
pub(crate) struct Stacks {
    by_id: FxHashMap<u32, StackRef>,
    bytes: Vec<u8>,
    next_serial: u32,
}

impl Stacks {
    /// Stores the stacks of a block: first id, count, then size and addresses of each.
    pub(crate) fn read_block(
        &mut self,
        mut cursor: Cursor<'_>,
        damage: &mut DamageLog,
    ) -> Result<(), ReadError> {
        let block = cursor.offset();
        let first = cursor.u32("First Id")?;
        let count = cursor.u32("Count")?;
        for at in 0..count {
            if self.by_id.len() >= MAX_STACKS {
                damage.note(TOO_MANY_STACKS, block);
                break;
            }
            let size = cursor.u32("StackSize")? as usize;
            let addresses = cursor.take(size, "stack addresses")?;
            let stack = self.store(addresses);
            self.by_id.insert(first.wrapping_add(at), stack);
        }
        Ok(())
    }

    /// Stores a stack. In version 3 it stands behind its event and has no id.
    pub(crate) fn store(&mut self, addresses: &[u8]) -> StackRef {
        // More than 4 GiB of addresses are more than any recording has: the stack is then left empty.
        let place = u32::try_from(self.bytes.len()).ok().zip(u32::try_from(addresses.len()).ok());
        let serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(1);
        let Some((start, len)) = place else { return StackRef { serial, start: 0, len: 0 } };
        self.bytes.extend_from_slice(addresses);
        StackRef { serial, start, len }
    }

    pub(crate) fn find(&self, id: u32) -> Option<StackRef> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn addresses(&self, stack: StackRef) -> &[u8] {
        let start = stack.start as usize;
        self.bytes.get(start..start.saturating_add(stack.len as usize)).unwrap_or_default()
    }

    pub(crate) fn forget(&mut self) {
        clear_map(&mut self.by_id);
        self.bytes.clear();
    }
}

/// What a label list says of its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) activity: [u8; 16],
    pub(crate) related: [u8; 16],
    pub(crate) opcode: Option<u8>,
    pub(crate) version: Option<u8>,
}

/// The label lists since the last sequence point (version 6), up to [`MAX_LABEL_LISTS`]. Each is stored and found in
/// constant time.
#[derive(Debug, Default)]
pub(crate) struct LabelLists {
    by_index: FxHashMap<u32, Labels>,
}

impl LabelLists {
    /// Stores the lists of a block.
    pub(crate) fn read_block(
        &mut self,
        mut cursor: Cursor<'_>,
        damage: &mut DamageLog,
    ) -> Result<(), ReadError> {
        let block = cursor.offset();
        let first = cursor.u32("firstIndex")?;
        let count = cursor.u32("count")?;
        for at in 0..count {
            if self.by_index.len() >= MAX_LABEL_LISTS {
                damage.note(TOO_MANY_LABELS, block);
                break;
            }
            let list = read_labels(&mut cursor)?;
            self.by_index.insert(first.wrapping_add(at), list);
        }
        Ok(())
    }

    /// The list of an index; index 0 is the empty list.
    pub(crate) fn find(&self, index: u32) -> Option<Labels> {
        if index == 0 { Some(Labels::default()) } else { self.by_index.get(&index).copied() }
    }

    pub(crate) fn forget(&mut self) {
        clear_map(&mut self.by_index);
    }
}

/// Empties a map at a cost in proportion to what it holds.
///
/// `HashMap::clear` costs as much as the capacity, which stays as large as the map ever was. So one large map would make
/// every later sequence point expensive; a map that is far too large is dropped instead.
pub(crate) fn clear_map<K: Eq + Hash, V, S: BuildHasher + Default>(map: &mut HashMap<K, V, S>) {
    const SMALL: usize = 256;
    if map.capacity() / 16 > map.len().max(SMALL) {
        *map = HashMap::default();
    } else {
        map.clear();
    }
}

fn read_labels(cursor: &mut Cursor<'_>) -> Result<Labels, ReadError> {
    let mut labels = Labels::default();
    loop {
        let offset = cursor.offset();
        let kind = cursor.u8("label kind")?;
        match kind & 0x7f {
            1 => labels.activity = cursor.guid("ActivityId")?,
            2 => labels.related = cursor.guid("RelatedActivityId")?,
            3 => drop(cursor.guid("TraceId")?),
            4 => drop(cursor.u64("SpanId")?),
            5 => {
                cursor.utf8_counted("label key")?;
                cursor.utf8_counted("label value")?;
            }
            6 => {
                cursor.utf8_counted("label key")?;
                cursor.vari64("label value")?;
            }
            7 => labels.opcode = Some(cursor.u8("OpCode")?),
            8 => drop(cursor.u64("Keywords")?),
            9 => drop(cursor.u8("Level")?),
            10 => labels.version = Some(cursor.u8("Version")?),
            other => {
                return Err(ReadError { offset, what: "label kind", cause: Cause::Value(u64::from(other)) });
            }
        }
        if kind & 0x80 != 0 {
            return Ok(labels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_large_region_does_not_make_every_later_one_expensive() {
        let mut map: FxHashMap<u32, u32> = (0..100_000).map(|at| (at, at)).collect();
        clear_map(&mut map);
        assert!(map.capacity() >= 100_000, "a full map is kept: clearing costs no more than filling it did");
        map.insert(1, 1);
        clear_map(&mut map);
        assert!(map.capacity() < 100 && map.is_empty());
    }
}
