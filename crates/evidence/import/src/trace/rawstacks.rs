//! Stacks as addresses, before anybody knows what the addresses are.
//!
//! Names come at the end of a recording (the rundown), stacks all along: so addresses are kept as a tree and named
//! once, when all is read. An address means something in one process alone: where there are several, each has trees of
//! its own.

use super::budget::{MAP, of};
use super::ids::ProcessId;
use base::seeded::SeededMap;
use model::{ById, Id};
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Frames that are kept of a stack, the innermost ones: ten times as many as any runtime sends. What goes over the frames
/// of each event's stack then costs no more an event.
pub(crate) const MAX_FRAMES: usize = 1024;

/// A stack of addresses: a node of the tree. `None` is a stack without frames, as that of an event that has none.
pub(crate) type RawStack = Id<RawStacks>;

/// The tree of addresses; a node's parent is its caller and has a smaller number.
#[derive(Debug)]
pub(crate) struct RawStacks {
    pub(crate) parent: ById<RawStacks, Option<RawStack>>,
    pub(crate) address: ById<RawStacks, u64>,
    /// By process, caller and address.
    children: SeededMap<(ProcessId, Option<RawStack>, u64), RawStack>,
    by_serial: Vec<Option<RawStack>>,
    /// Whole stacks by a hash of their addresses: the same stacks come again in every region of a trace.
    by_hash: SeededMap<u64, RawStack>,
    /// The process whose stacks are read.
    process: ProcessId,
    /// `by_serial` of all processes but the first: writers share a stack between processes.
    by_process: SeededMap<(ProcessId, u32), Option<RawStack>>,
    /// The process of each node; empty as long as there is only the first.
    processes: ById<RawStacks, ProcessId>,
    has_processes: bool,
    /// How many stacks were longer than is kept.
    pub(crate) cut: u64,
}

impl Default for RawStacks {
    fn default() -> Self {
        Self {
            parent: ById::default(),
            address: ById::default(),
            children: SeededMap::default(),
            by_serial: Vec::new(),
            by_hash: SeededMap::default(),
            process: ProcessId::FIRST,
            by_process: SeededMap::default(),
            processes: ById::default(),
            has_processes: false,
            cut: 0,
        }
    }
}

impl RawStacks {
    /// The node of a stack of the stream being read; the same serial number is looked at once.
    #[inline]
    pub(crate) fn node(&mut self, serial: u32, addresses: &[u8], pointer_size: u8) -> Option<RawStack> {
        if self.process != ProcessId::FIRST {
            return self.node_of_process(serial, addresses, pointer_size);
        }
        let at = serial as usize;
        if let Some(known @ Some(_)) = self.by_serial.get(at) {
            return *known;
        }
        let node = self.insert(addresses, pointer_size);
        if at >= self.by_serial.len() {
            self.by_serial.resize(at + 1, None);
        }
        if let Some(known) = self.by_serial.get_mut(at) {
            *known = node;
        }
        node
    }

    fn node_of_process(&mut self, serial: u32, addresses: &[u8], pointer_size: u8) -> Option<RawStack> {
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

    /// Says whose stacks come next.
    pub(crate) fn of_process(&mut self, process: ProcessId) {
        self.process = process;
        if process != ProcessId::FIRST && !self.has_processes {
            self.processes = vec![ProcessId::FIRST; self.parent.len()].into();
            self.has_processes = true;
        }
    }

    /// The process that a node is of.
    #[inline]
    pub(crate) fn process_of(&self, node: RawStack) -> ProcessId {
        // Nothing is kept as long as all nodes are of the first process.
        self.processes.get(node).copied().unwrap_or(ProcessId::FIRST)
    }

    fn insert(&mut self, addresses: &[u8], pointer_size: u8) -> Option<RawStack> {
        let most = MAX_FRAMES.saturating_mul(usize::from(pointer_size.max(4)));
        let addresses = match addresses.get(..most) {
            Some(innermost) if addresses.len() > most => {
                self.cut = self.cut.saturating_add(1);
                innermost
            }
            _ => addresses,
        };
        let mut hasher = FxHasher::default();
        if self.process != ProcessId::FIRST {
            hasher.write_u32(self.process.number());
        }
        hasher.write(addresses);
        let hash = hasher.finish();
        if let Some(node) = self.by_hash.get(&hash)
            && self.is_stack(*node, addresses, pointer_size)
        {
            return Some(*node);
        }
        let mut node = None;
        for address in read_addresses(addresses, pointer_size).rev() {
            node = Some(self.child(node, address));
        }
        if let Some(node) = node {
            self.by_hash.insert(hash, node);
        }
        node
    }

    /// Whether a node is the stack of these addresses, innermost first, in the process at hand.
    fn is_stack(&self, node: RawStack, addresses: &[u8], pointer_size: u8) -> bool {
        if self.process_of(node) != self.process {
            return false;
        }
        let mut rest = Some(node);
        for address in read_addresses(addresses, pointer_size) {
            let Some(at) = rest.filter(|at| self.address.get(*at) == Some(&address)) else { return false };
            rest = self.parent.get(at).copied().flatten();
        }
        rest.is_none()
    }

    fn child(&mut self, parent: Option<RawStack>, address: u64) -> RawStack {
        *self.children.entry((self.process, parent, address)).or_insert_with(|| {
            self.parent.push(parent);
            if self.has_processes {
                self.processes.push(self.process);
            }
            self.address.push(address)
        })
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
        let id = |number: u16| Some(RawStack::from(number));
        let inner = stacks.node(0, &bytes(&[3, 2, 1]), 8);
        assert_eq!(stacks.node(1, &bytes(&[3, 2, 1]), 8), inner);
        let other = stacks.node(2, &bytes(&[4, 2, 1]), 8);
        assert_eq!((inner, other), (id(2), id(3)));
        assert_eq!(
            (&*stacks.address, &*stacks.parent),
            (&[1, 2, 3, 4][..], &[None, id(0), id(1), id(1)][..])
        );
        stacks.of_process(ProcessId::at(1));
        let elsewhere = stacks.node(0, &bytes(&[3, 2, 1]), 8);
        assert_eq!(
            stacks.process_of(elsewhere.unwrap()),
            ProcessId::at(1),
            "the same addresses are another stack in another process"
        );
        assert_eq!((elsewhere, stacks.node(7, &bytes(&[3, 2, 1]), 8)), (id(6), id(6)));
        stacks.of_process(ProcessId::FIRST);
        assert_eq!(stacks.node(0, &bytes(&[3, 2, 1]), 8), inner);
        assert_eq!(stacks.node(3, &[], 8), None);
        assert_eq!(stacks.node(4, &[1, 0, 0, 0], 4), id(0));
    }

    #[test]
    fn a_stack_of_a_million_frames_does_not_make_every_event_expensive() {
        let mut stacks = RawStacks::default();
        let bytes: Vec<u8> = (0..5000u64).flat_map(u64::to_le_bytes).collect();
        stacks.node(0, &bytes, 8);
        assert_eq!((stacks.address.len(), stacks.address.last(), stacks.cut), (MAX_FRAMES, Some(&0), 1));
    }
}
