//! Stacks as addresses, before anybody knows what the addresses are.
//!
//! Names come at the end of a recording (the rundown), stacks all along: so addresses are kept as a tree and named
//! once, when all is read. An address means something in one process alone: where there are several, each has trees of
//! its own.

use super::budget::{MAP, of};
use base::seeded::SeededMap;
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Frames that are kept of a stack, the innermost ones: ten times as many as any runtime sends. What goes over the frames
/// of each event's stack then costs no more an event.
pub(crate) const MOST_FRAMES: usize = 1024;

/// No stack.
pub(crate) const NO_STACK: u32 = u32::MAX;

/// The tree of addresses; a node's parent is its caller and has a smaller number.
#[derive(Debug, Default)]
pub(crate) struct RawStacks {
    pub(crate) parent: Vec<u32>,
    pub(crate) address: Vec<u64>,
    children: SeededMap<(u32, u64), u32>,
    by_serial: Vec<u32>,
    /// Whole stacks by a hash of their addresses: the same stacks come again in every region of a trace.
    by_hash: SeededMap<u64, u32>,
    /// The process whose stacks are read, by its number in the recording.
    process: u32,
    /// `by_serial` of all processes but the first: writers share a stack between processes.
    by_process: SeededMap<(u32, u32), u32>,
    /// The process of each node; empty as long as there is only the first.
    processes: Vec<u32>,
    has_processes: bool,
    /// How many stacks were longer than is kept.
    pub(crate) cut: u64,
}

/// Parents beyond any node, which stand for the outermost frames of processes in `children`.
const FIRST_ROOT: u32 = u32::MAX / 2;

impl RawStacks {
    /// The node of a stack of the stream being read; the same serial number is looked at once.
    #[inline]
    pub(crate) fn node(&mut self, serial: u32, addresses: &[u8], pointer_size: u8) -> u32 {
        if self.process != 0 {
            return self.node_of_process(serial, addresses, pointer_size);
        }
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

    fn node_of_process(&mut self, serial: u32, addresses: &[u8], pointer_size: u8) -> u32 {
        if let Some(node) = self.by_process.get(&(self.process, serial)) {
            return *node;
        }
        let node = self.insert(addresses, pointer_size);
        self.by_process.insert((self.process, serial), node);
        node
    }

    /// Begins a file: serial numbers start anew.
    pub(crate) fn begin_file(&mut self) {
        self.by_serial.clear();
        self.by_process.clear();
    }

    /// Says whose stacks come next, by the process's number in the recording.
    pub(crate) fn of_process(&mut self, process: u32) {
        self.process = process.min(FIRST_ROOT - 1);
        if process != 0 && !self.has_processes {
            self.processes = vec![0; self.parent.len()];
            self.has_processes = true;
        }
    }

    /// The process that a node is of, by its number in the recording.
    #[inline]
    pub(crate) fn process_of(&self, node: u32) -> u32 {
        self.processes.get(node as usize).copied().unwrap_or(0)
    }

    fn insert(&mut self, addresses: &[u8], pointer_size: u8) -> u32 {
        let most = MOST_FRAMES.saturating_mul(usize::from(pointer_size.max(4)));
        let addresses = match addresses.get(..most) {
            Some(innermost) if addresses.len() > most => {
                self.cut = self.cut.saturating_add(1);
                innermost
            }
            _ => addresses,
        };
        let mut hasher = FxHasher::default();
        if self.process != 0 {
            hasher.write_u32(self.process);
        }
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

    /// Whether a node is the stack of these addresses, innermost first, in the process at hand.
    fn is_stack(&self, node: u32, addresses: &[u8], pointer_size: u8) -> bool {
        if self.process_of(node) != self.process {
            return false;
        }
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
        let is_root = parent == NO_STACK && self.process != 0;
        let key = if is_root { FIRST_ROOT.saturating_add(self.process) } else { parent };
        let node = *self.children.entry((key, address)).or_insert(next);
        if node == next {
            self.parent.push(parent);
            self.address.push(address);
            if self.has_processes {
                self.processes.push(self.process);
            }
        }
        node
    }

    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        /// A node's caller and address, and its place among the caller's children.
        const NODE: usize = 12 + MAP * 21;
        let stacks = of(self.by_hash.len().saturating_add(self.by_process.len()), MAP * 13);
        let serials = size_of_val(self.by_serial.as_slice()).saturating_add(of(self.processes.len(), 4));
        of(self.address.len(), NODE).saturating_add(stacks).saturating_add(serials)
    }

    /// Gives back what was only needed to build the tree.
    pub(crate) fn close(&mut self) {
        self.children = SeededMap::default();
        self.by_serial = Vec::new();
        self.by_hash = SeededMap::default();
        self.by_process = SeededMap::default();
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
        stacks.of_process(1);
        let elsewhere = stacks.node(0, &bytes(&[3, 2, 1]), 8);
        assert_eq!(
            stacks.process_of(elsewhere),
            1,
            "the same addresses are another stack in another process"
        );
        assert_eq!((elsewhere, stacks.node(7, &bytes(&[3, 2, 1]), 8)), (6, 6));
        stacks.of_process(0);
        assert_eq!(stacks.node(0, &bytes(&[3, 2, 1]), 8), inner);
        assert_eq!(stacks.node(3, &[], 8), NO_STACK);
        assert_eq!(stacks.node(4, &[1, 0, 0, 0], 4), 0);
    }

    #[test]
    fn a_stack_of_a_million_frames_does_not_make_every_event_expensive() {
        let mut stacks = RawStacks::default();
        let bytes: Vec<u8> = (0..5000u64).flat_map(u64::to_le_bytes).collect();
        stacks.node(0, &bytes, 8);
        assert_eq!((stacks.address.len(), stacks.address.last(), stacks.cut), (MOST_FRAMES, Some(&0), 1));
    }
}
