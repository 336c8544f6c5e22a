//! Stacks as addresses, before anybody knows what the addresses are.
//!
//! Names come at the end of a recording (the rundown), stacks all along: so addresses are kept as a tree and named
//! once, when all is read.

use rustc_hash::FxHashMap;

/// No stack.
pub(crate) const NO_STACK: u32 = u32::MAX;

/// The tree of addresses; a node's parent is its caller and has a smaller number.
#[derive(Debug, Default)]
pub(crate) struct RawStacks {
    pub(crate) parent: Vec<u32>,
    pub(crate) address: Vec<u64>,
    children: FxHashMap<(u32, u64), u32>,
    by_serial: Vec<u32>,
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
        let mut node = NO_STACK;
        if pointer_size == 4 {
            for address in addresses.as_chunks::<4>().0.iter().rev() {
                node = self.child(node, u64::from(u32::from_le_bytes(*address)));
            }
        } else {
            for address in addresses.as_chunks::<8>().0.iter().rev() {
                node = self.child(node, u64::from_le_bytes(*address));
            }
        }
        node
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
    }
}
