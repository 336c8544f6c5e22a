//! A sink that hashes everything that the decoder hands to it.

use nettrace::{Event, Gap, Sink, StreamHeader};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A hash of all streams, events and gaps: equal for equal events in equal order.
#[derive(Debug, Default)]
pub struct HashSink {
    hash: DefaultHasher,
    streams: u64,
    events: u64,
    gaps: u64,
    /// By the index of the event kind in this stream: whether its metadata was hashed.
    kinds: Vec<bool>,
}

impl HashSink {
    /// The hash, and the numbers of streams, events and gaps.
    pub fn sum(&self) -> (u64, u64, u64, u64) {
        (self.hash.finish(), self.streams, self.events, self.gaps)
    }
}

impl Sink for HashSink {
    fn stream(&mut self, header: &StreamHeader) {
        format!("{header:?}").hash(&mut self.hash);
        self.streams += 1;
        self.kinds.clear();
    }

    fn event(&mut self, event: &Event<'_>) {
        let index = event.metadata.index as usize;
        if index >= self.kinds.len() {
            self.kinds.resize(index + 1, false);
        }
        if !std::mem::replace(&mut self.kinds[index], true) {
            format!("{:?}", event.metadata).hash(&mut self.hash);
        }
        let Event { ticks, thread, thread_slot, process, activity, related, .. } = event;
        (index, ticks, thread, thread_slot, process, activity, related).hash(&mut self.hash);
        (event.opcode, event.version, event.payload, event.offset).hash(&mut self.hash);
        event.stack.map(|stack| (stack.serial, stack.addresses)).hash(&mut self.hash);
        self.events += 1;
    }

    fn gap(&mut self, gap: Gap) {
        let Gap { thread, from_ticks, to_ticks, events } = gap;
        (thread, from_ticks, to_ticks, events).hash(&mut self.hash);
        self.gaps += 1;
    }
}
