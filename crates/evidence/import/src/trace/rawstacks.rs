//! Stacks as addresses, before anybody knows what the addresses are.
//!
//! Names come at the end of a recording (the rundown), stacks all along: so addresses are kept as a tree and named
//! once, when all is read.

use rustc_hash::{FxHashMap, FxHasher};
use std::hash::Hasher;

/// No stack.
pub(crate) const NO_STACK: u32 = u32::MAX;

/// The tree of addresses; a node's parent is its caller and has a smaller number.
#[derive(Debug, Default)]
pub(crate) struct RawStacks {
    pub(crate) parent: Vec<u32>,
    pub(crate) address: Vec<u64>,
    children: FxHashMap<(u32, u64), u32>,
    by_serial: Vec<u32>,
    /// Whole stacks by a hash of their addresses: the same stacks come again in every region of a trace.
    by_hash: FxHashMap<u64, u32>,
}

impl RawStacks {
    /// The node of a stack of the stream being read; the same serial number is looked at once.
    #[inline]
    pub(crate) fn node(&mut self, serial: u32, addresses: &[u8], pointer_size: u8) -> u32 {
        let at = serial as usize;
        if let Some(node) = self.by_serial.get(at)
            && *node != NO_STACK
        {
            return *node;
        }
        let node = self.insert(addresses, pointer_size);
        if at >= self.by_serial.len() {
            self.by_serial.resize(at + 1, NO_STACK);
        }
        if let Some(known) = self.by_serial.get_mut(at) {
            *known = node;
        }
        node
    }

    /// Begins a file: serial numbers start anew.
    pub(crate) fn begin_file(&mut self) {
        self.by_serial.clear();
    }

    fn insert(&mut self, addresses: &[u8], pointer_size: u8) -> u32 {
        let mut hasher = FxHasher::default();
        hasher.write(addresses);
        let hash = hasher.finish();
        if let Some(node) = self.by_hash.get(&hash)
            && self.is_stack(*node, addresses, pointer_size)
        {
            return *node;
        }
        let node = read_addresses(addresses, pointer_size)
            .rev()
            .fold(NO_STACK, |node, address| self.child(node, address));
        self.by_hash.insert(hash, node);
        node
    }

    /// Whether a node is the stack of these addresses, innermost first.
    fn is_stack(&self, node: u32, addresses: &[u8], pointer_size: u8) -> bool {
        let mut at = node;
        for address in read_addresses(addresses, pointer_size) {
            if self.address.get(at as usize) != Some(&address) {
                return false;
            }
            at = self.parent.get(at as usize).copied().unwrap_or(NO_STACK);
        }
        at == NO_STACK
    }

    fn child(&mut self, parent: u32, address: u64) -> u32 {
        let next = u32::try_from(self.parent.len()).unwrap_or(NO_STACK);
        let node = *self.children.entry((parent, address)).or_insert(next);
        if node == next {
            self.parent.push(parent);
            self.address.push(address);
        }
        node
    }

    /// Gives back what was only needed to build the tree.
    pub(crate) fn close(&mut self) {
        self.children = FxHashMap::default();
        self.by_serial = Vec::new();
        self.by_hash = FxHashMap::default();
    }
}

/// The addresses of a stack, innermost first, each of the stream's pointer size.
fn read_addresses(bytes: &[u8], pointer_size: u8) -> impl DoubleEndedIterator<Item = u64> + '_ {
    let size = if pointer_size == 4 { 4 } else { 8 };
    bytes.chunks_exact(size).map(|chunk| match chunk.first_chunk::<8>() {
        Some(whole) => u64::from_le_bytes(*whole),
        None => chunk.first_chunk::<4>().map_or(0, |half| u64::from(u32::from_le_bytes(*half))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_are_one_node_and_share_their_callers() {
        let mut stacks = RawStacks::default();
        let bytes = |list: &[u64]| list.iter().flat_map(|address| address.to_le_bytes()).collect::<Vec<u8>>();
        let inner = stacks.node(0, &bytes(&[3, 2, 1]), 8);
        assert_eq!(stacks.node(1, &bytes(&[3, 2, 1]), 8), inner);
        let other = stacks.node(2, &bytes(&[4, 2, 1]), 8);
        assert_eq!(stacks.parent[other as usize], stacks.parent[inner as usize]);
        assert_eq!(
            (stacks.address.as_slice(), stacks.parent.as_slice()),
            (&[1, 2, 3, 4][..], &[NO_STACK, 0, 1, 1][..])
        );
        assert_eq!(stacks.node(3, &[], 8), NO_STACK);
        assert_eq!(stacks.node(4, &[1, 0, 0, 0], 4), 0);
    }
}
