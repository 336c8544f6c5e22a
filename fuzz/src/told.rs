//! A sink that looks at everything it is told and keeps a hash of it.

use nettrace::{Event, Gap, Sink, StreamHeader};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What was told: equal for equal events in equal order.
#[derive(Debug, Default)]
pub struct Told {
    hash: DefaultHasher,
    streams: u64,
    events: u64,
    gaps: u64,
    /// By the number of the kind in this stream: whether its description was looked at.
    kinds: Vec<bool>,
}

impl Told {
    /// A number for all that was told, and how many streams, events and gaps it was.
    pub fn sum(&self) -> (u64, u64, u64, u64) {
        (self.hash.finish(), self.streams, self.events, self.gaps)
    }
}

impl Sink for Told {
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
