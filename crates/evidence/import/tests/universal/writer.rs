//! Writes recordings as `dotnet-trace collect-linux` does: version 6, the memory of processes and samples of CPUs.
//!
//! The layout is that of the NetTrace document. Texts of metadata are described as this tool describes them: as one unit,
//! though a length and all units follow.

/// Fields of the metadata: names, and their types as numbers of the format.
type Fields = &'static [(&'static str, u8)];

const VAR: u8 = 21;
const TEXT: u8 = 23;
const CREATE: Fields = &[("NamespaceId", VAR), ("Name", TEXT), ("NamespaceName", TEXT)];

/// Kinds of events, by their numbers in the metadata from 1 on: provider, number, name, fields.
const KINDS: [(&str, u32, &str, Fields); 10] = [
    ("Universal.System", 0, "ExistingProcess", CREATE),
    ("Universal.System", 1, "ProcessCreate", CREATE),
    ("Universal.System", 2, "ProcessExit", &[]),
    (
        "Universal.System",
        3,
        "ProcessMapping",
        &[
            ("Id", VAR),
            ("StartAddress", VAR),
            ("EndAddress", VAR),
            ("FileOffset", VAR),
            ("FileName", TEXT),
            ("MetadataId", VAR),
        ],
    ),
    (
        "Universal.System",
        4,
        "ProcessSymbol",
        &[("Id", VAR), ("MappingId", VAR), ("StartAddress", VAR), ("EndAddress", VAR), ("Name", TEXT)],
    ),
    ("Universal.System", 9, "ProcessRenamed", &[]),
    ("Universal.Events", 7, "cpu", &[("Value", VAR)]),
    ("Universal.Events", 8, "cswitch", &[("Value", VAR)]),
    ("Universal.Events", 9, "page-fault", &[("Value", VAR)]),
    ("Microsoft-Windows-DotNETRuntime", 80, "", &[]),
];

/// An event: when, of which process and thread, with which stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who {
    pub(crate) ns: u64,
    pub(crate) process: u64,
    pub(crate) thread: u64,
}

/// A recording that is being written.
#[derive(Debug)]
pub(crate) struct Writer {
    /// What `ExpectedCPUSamplingRate` says.
    rate: &'static str,
    /// What `ProcessId` says, if anything.
    process: Option<u64>,
    threads: Vec<(u64, u64)>,
    stacks: Vec<Vec<u64>>,
    /// Time, kind, thread, stack, payload.
    events: Vec<(u64, u32, usize, usize, Vec<u8>)>,
}

fn var(mut value: u64, into: &mut Vec<u8>) {
    while value >= 128 {
        into.push((value & 127) as u8 | 128);
        value >>= 7;
    }
    into.push(value as u8);
}

fn counted(text: &str, into: &mut Vec<u8>) {
    var(text.len() as u64, into);
    into.extend_from_slice(text.as_bytes());
}

fn text16(text: &str, into: &mut Vec<u8>) {
    into.extend_from_slice(&u16::try_from(text.len()).unwrap().to_le_bytes());
    into.extend_from_slice(text.as_bytes());
}

fn block(kind: u8, bytes: &[u8], into: &mut Vec<u8>) {
    let head = u32::try_from(bytes.len()).unwrap() | u32::from(kind) << 24;
    into.extend_from_slice(&head.to_le_bytes());
    into.extend_from_slice(bytes);
}

impl Writer {
    pub(crate) fn new(rate: &'static str) -> Self {
        Self { rate, process: None, threads: Vec::new(), stacks: Vec::new(), events: Vec::new() }
    }

    /// A recording that says itself of which process it is.
    pub(crate) fn of_process(process: u64) -> Self {
        Self { process: Some(process), ..Self::new("1000000") }
    }

    fn event(&mut self, kind: &str, who: Who, stack: &[u64], payload: Vec<u8>) {
        let kind = KINDS.iter().position(|of| of.2 == kind).unwrap() + 1;
        let place = |list: &mut Vec<(u64, u64)>, of| {
            list.iter().position(|known| *known == of).unwrap_or_else(|| {
                list.push(of);
                list.len() - 1
            })
        };
        let thread = place(&mut self.threads, (who.process, who.thread)) + 1;
        let known = self.stacks.iter().position(|of| of == stack);
        let stack = match (stack, known) {
            ([], _) => 0,
            (_, Some(at)) => at + 1,
            (stack, None) => {
                self.stacks.push(stack.to_vec());
                self.stacks.len()
            }
        };
        self.events.push((who.ns, u32::try_from(kind).unwrap(), thread, stack, payload));
    }

    /// An event of any kind, with a payload as it stands.
    pub(crate) fn raw(&mut self, kind: &str, who: Who, payload: &[u8]) {
        self.event(kind, who, &[], payload.to_vec());
    }

    /// `ExistingProcess` or `ProcessCreate`.
    pub(crate) fn process(&mut self, kind: &str, who: Who, own_id: u64, name: &str) {
        let mut payload = Vec::new();
        var(own_id, &mut payload);
        text16(name, &mut payload);
        text16("Unknown", &mut payload);
        self.event(kind, Who { thread: 0, ..who }, &[], payload);
    }

    pub(crate) fn exit(&mut self, who: Who) {
        self.event("ProcessExit", who, &[], Vec::new());
    }

    pub(crate) fn mapping(&mut self, who: Who, id: u64, range: [u64; 2], file: &str) {
        let mut payload = Vec::new();
        for value in [id, range[0], range[1], 0] {
            var(value, &mut payload);
        }
        text16(file, &mut payload);
        var(0, &mut payload);
        // The tool writes the mapping's metadata behind its fields as well.
        text16("", &mut payload);
        self.event("ProcessMapping", Who { thread: 0, ..who }, &[], payload);
    }

    pub(crate) fn symbol(&mut self, who: Who, mapping: u64, range: [u64; 2], name: &str) {
        let mut payload = Vec::new();
        for value in [77, mapping, range[0], range[1]] {
            var(value, &mut payload);
        }
        text16(name, &mut payload);
        self.event("ProcessSymbol", Who { thread: 0, ..who }, &[], payload);
    }

    /// An event with a value and a stack, innermost address first.
    pub(crate) fn value(&mut self, kind: &str, who: Who, value: u64, stack: &[u64]) {
        let mut payload = Vec::new();
        var(value, &mut payload);
        self.event(kind, who, stack, payload);
    }

    /// The file.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let mut file = b"Nettrace".to_vec();
        for number in [0u32, 6, 0] {
            file.extend_from_slice(&number.to_le_bytes());
        }
        let mut header = Vec::new();
        for part in [2026u16, 2, 3, 4, 5, 6, 7, 8] {
            header.extend_from_slice(&part.to_le_bytes());
        }
        for ticks in [1_000u64, 1_000_000_000] {
            header.extend_from_slice(&ticks.to_le_bytes());
        }
        header.extend_from_slice(&8u32.to_le_bytes());
        let mut facts = vec![("HardwareThreadCount", "4".to_owned())];
        facts.push(("ExpectedCPUSamplingRate", self.rate.to_owned()));
        facts.extend(self.process.map(|process| ("ProcessId", process.to_string())));
        header.extend_from_slice(&u32::try_from(facts.len()).unwrap().to_le_bytes());
        for (name, value) in facts {
            counted(name, &mut header);
            counted(&value, &mut header);
        }
        block(1, &header, &mut file);
        block(3, &metadata(), &mut file);
        let mut stacks = Vec::new();
        for of in [1, u32::try_from(self.stacks.len()).unwrap()] {
            stacks.extend_from_slice(&of.to_le_bytes());
        }
        for stack in &self.stacks {
            stacks.extend_from_slice(&u32::try_from(8 * stack.len()).unwrap().to_le_bytes());
            for address in stack {
                stacks.extend_from_slice(&address.to_le_bytes());
            }
        }
        block(5, &stacks, &mut file);
        let mut threads = Vec::new();
        // Number 0 stands for whoever captured an event.
        let all = [(0, 0)].into_iter().chain(self.threads.iter().copied());
        for (index, (process, thread)) in (0u64..).zip(all) {
            let mut row = Vec::new();
            var(index, &mut row);
            row.push(2);
            var(process, &mut row);
            row.push(3);
            var(thread, &mut row);
            threads.extend_from_slice(&u16::try_from(row.len()).unwrap().to_le_bytes());
            threads.extend(row);
        }
        block(6, &threads, &mut file);
        block(2, &self.event_block(), &mut file);
        file.extend_from_slice(&0u32.to_le_bytes());
        file
    }

    fn event_block(&mut self) -> Vec<u8> {
        self.events.sort_by_key(|event| event.0);
        let mut events = Vec::new();
        for number in [20u16, 1] {
            events.extend_from_slice(&number.to_le_bytes());
        }
        let times = [self.events.first(), self.events.last()].map(|event| event.map_or(0, |event| event.0));
        for ns in times {
            events.extend_from_slice(&(1_000 + ns).to_le_bytes());
        }
        let mut last = 0;
        for (ns, kind, thread, stack, payload) in &self.events {
            events.push(223);
            let ticks = 1_000 + ns;
            let [thread, stack] = [thread, stack].map(|of| *of as u64);
            // No sequence number, no thread that captured it, no processor; no label.
            for value in [u64::from(*kind), 0, 0, 0, thread, stack, ticks - last, 0, payload.len() as u64] {
                var(value, &mut events);
            }
            events.extend_from_slice(payload);
            last = ticks;
        }
        events
    }
}

fn metadata() -> Vec<u8> {
    let mut all = vec![0, 0];
    for (number, (provider, id, name, fields)) in (1u64..).zip(KINDS) {
        let mut row = Vec::new();
        var(number, &mut row);
        counted(provider, &mut row);
        var(u64::from(id), &mut row);
        counted(name, &mut row);
        row.extend_from_slice(&u16::try_from(fields.len()).unwrap().to_le_bytes());
        for (name, kind) in fields {
            let mut field = Vec::new();
            counted(name, &mut field);
            field.push(*kind);
            row.extend_from_slice(&u16::try_from(field.len()).unwrap().to_le_bytes());
            row.extend(field);
        }
        row.extend_from_slice(&[0, 0]);
        all.extend_from_slice(&u16::try_from(row.len()).unwrap().to_le_bytes());
        all.extend(row);
    }
    all
}
