//! Writes recordings of version 6 with anything in them, also what no runtime writes.

/// The runtime's events at the end of a session, of which 144 tells of a method.
pub(crate) const RUNDOWN: &str = "Microsoft-Windows-DotNETRuntimeRundown";
pub(crate) const RUNTIME: &str = "Microsoft-Windows-DotNETRuntime";
pub(crate) const SAMPLER: &str = "Microsoft-DotNETCore-SampleProfiler";
pub(crate) const METRICS: &str = "System.Diagnostics.Metrics";

/// The type of text in descriptions of fields.
pub(crate) const TEXT: u8 = 18;
/// That of a byte.
pub(crate) const BYTE: u8 = 6;

/// A recording that is being written.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
    /// Compressed headers and payloads of the block at hand.
    events: Vec<u8>,
    /// Ticks of the last event.
    now: u64,
}

/// An event: the number of its kind, its thread, its stack, its labels, and whether all before it are there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Event {
    pub(crate) kind: u64,
    pub(crate) thread: u64,
    pub(crate) stack: u64,
    pub(crate) labels: u64,
    /// Ticks since the event before it.
    pub(crate) ticks: u64,
    pub(crate) sorted: bool,
}

pub(crate) fn var(mut value: u64, into: &mut Vec<u8>) {
    while value >= 128 {
        into.push(u8::try_from(value & 127).unwrap() | 128);
        value >>= 7;
    }
    into.push(u8::try_from(value).unwrap());
}

pub(crate) fn text8(text: &str, into: &mut Vec<u8>) {
    var(text.len() as u64, into);
    into.extend_from_slice(text.as_bytes());
}

pub(crate) fn text16(text: &str, into: &mut Vec<u8>) {
    into.extend(text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
}

impl Writer {
    /// Begins a stream of a process, with eight threads that are known.
    pub(crate) fn stream(&mut self, second: u16) {
        self.bytes.extend(b"Nettrace\0\0\0\0\x06\0\0\0\0\0\0\0");
        let mut header = Vec::new();
        for part in [2026u16, 2, 3, 4, 5, 6, second % 60, 8] {
            header.extend(part.to_le_bytes());
        }
        header.extend((u64::from(second) * 1_000_000_000).to_le_bytes());
        header.extend(1_000_000_000u64.to_le_bytes());
        header.extend(8u32.to_le_bytes());
        header.extend(1u32.to_le_bytes());
        text8("ProcessId", &mut header);
        text8("7", &mut header);
        self.block(1, &header);
        self.threads(0..8);
    }

    pub(crate) fn block(&mut self, kind: u8, payload: &[u8]) {
        assert!(payload.len() < 1 << 24, "a block has at most 16 MB");
        let word = u32::try_from(payload.len()).unwrap() | u32::from(kind) << 24;
        self.bytes.extend(word.to_le_bytes());
        self.bytes.extend(payload);
    }

    /// Ends the stream.
    pub(crate) fn end(&mut self) {
        self.flush();
        self.block(0, &[]);
    }

    /// Describes a kind of event: its number here, provider, number, fields.
    pub(crate) fn kind(&mut self, number: u64, provider: &str, id: u64, fields: &[(&str, u8)]) {
        let mut row = Vec::new();
        var(number, &mut row);
        text8(provider, &mut row);
        var(id, &mut row);
        text8("", &mut row);
        row.extend(u16::try_from(fields.len()).unwrap().to_le_bytes());
        for (name, code) in fields {
            let mut field = Vec::new();
            text8(name, &mut field);
            field.push(*code);
            row.extend(u16::try_from(field.len()).unwrap().to_le_bytes());
            row.extend(field);
        }
        row.extend([2, 0, 9, 1]);
        let mut block = vec![0, 0];
        block.extend(u16::try_from(row.len()).unwrap().to_le_bytes());
        block.extend(row);
        self.block(3, &block);
    }

    pub(crate) fn threads(&mut self, numbers: std::ops::Range<u64>) {
        let mut rows = Vec::new();
        for number in numbers {
            let mut row = Vec::new();
            var(number, &mut row);
            row.push(3);
            var(number + 1, &mut row);
            rows.extend(u16::try_from(row.len()).unwrap().to_le_bytes());
            rows.extend(row);
        }
        self.block(6, &rows);
    }

    /// Stacks from number 1 on, innermost address first.
    pub(crate) fn stacks(&mut self, stacks: &[Vec<u64>]) {
        let mut block = [1u32, u32::try_from(stacks.len()).unwrap()].map(u32::to_le_bytes).concat();
        for stack in stacks {
            block.extend(u32::try_from(8 * stack.len()).unwrap().to_le_bytes());
            block.extend(stack.iter().flat_map(|address| address.to_le_bytes()));
        }
        self.block(5, &block);
    }

    /// Lists of labels from number 1 on, each as it stands.
    pub(crate) fn labels(&mut self, lists: &[Vec<u8>]) {
        let mut block = [1u32, u32::try_from(lists.len()).unwrap()].map(u32::to_le_bytes).concat();
        block.extend(lists.concat());
        self.block(8, &block);
    }

    pub(crate) fn sequence_point(&mut self, threads: std::ops::Range<u64>) {
        self.flush();
        let mut block = [0; 12].to_vec();
        block.extend(u32::try_from(threads.end - threads.start).unwrap().to_le_bytes());
        for thread in threads {
            var(thread, &mut block);
            var(0, &mut block);
        }
        self.block(4, &block);
    }

    /// Adds an event to the block at hand, which is written before it is larger than a runtime's.
    pub(crate) fn event(&mut self, event: Event, payload: &[u8]) {
        let Event { kind, thread, stack, labels, ticks, sorted } = event;
        self.now = self.now.wrapping_add(ticks);
        let ticks = if self.events.is_empty() { self.now } else { ticks };
        self.events.push(if sorted { 0xdf } else { 0x9f });
        for value in [kind, 0, thread, 0, thread, stack, ticks, labels, payload.len() as u64] {
            var(value, &mut self.events);
        }
        self.events.extend(payload);
        if self.events.len() > 90_000 {
            self.flush();
        }
    }

    /// Writes the block of events at hand.
    pub(crate) fn flush(&mut self) {
        if self.events.is_empty() {
            return;
        }
        let mut block = vec![20, 0, 1, 0];
        block.extend([0; 16]);
        block.append(&mut self.events);
        self.block(2, &block);
    }

    /// Tells of a method at a range of addresses; kind 144 of the rundown.
    pub(crate) fn method(&mut self, event: Event, [start, size]: [u64; 2], name: &str) {
        let mut payload = [1u64, 2, start].map(u64::to_le_bytes).concat();
        payload.extend([u32::try_from(size).unwrap(), 0, 0].map(u32::to_le_bytes).concat());
        for text in ["N", name, ""] {
            text16(text, &mut payload);
        }
        payload.extend([0, 0]);
        self.event(event, &payload);
    }
}
