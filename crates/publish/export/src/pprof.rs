//! The `profile.proto` of pprof, packed with gzip.
//!
//! One file has several types of values, like Go's own heap profiles: `samples`, `running`, `wall`, `alloc_space`,
//! `delay` … Pyroscope and Parca make one series per type; `go tool pprof -sample_index` chooses one. Rows of the
//! same stack, thread and kind are one sample with the labels `thread`, `thread_kind`, `state`, `waiting_on` and
//! `type`. A location is a method, since the recording has no line numbers.

use crate::error::Error;
use crate::held::Held;
use crate::proto::Message;
use crate::text::subject;
use crate::threads::{Names, os_id};
use crate::tree::{NO_STACK, Node, Tree};
use crate::weigh::{Leaf, States, Unit, What, each};
use crate::written::{Count, LeftOut, Written, left_out, wide};
use base::steering::printable;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::{ThreadId, Trace};
use rustc_hash::FxHashMap;
use std::io::Write;

/// The tables whose rows are in the file.
const TABLES: [&str; 5] = ["samples", "allocations", "exceptions", "contention", "waits"];

/// The largest value of a sample: the format's numbers are signed.
const MAX_VALUE: u64 = i64::MAX.cast_unsigned();

/// Fields of `Profile`.
mod profile {
    pub(super) const SAMPLE_TYPE: u64 = 1;
    pub(super) const SAMPLE: u64 = 2;
    pub(super) const MAPPING: u64 = 3;
    pub(super) const LOCATION: u64 = 4;
    pub(super) const FUNCTION: u64 = 5;
    pub(super) const STRING_TABLE: u64 = 6;
    pub(super) const TIME_NANOS: u64 = 9;
    pub(super) const DURATION_NANOS: u64 = 10;
    pub(super) const PERIOD_TYPE: u64 = 11;
    pub(super) const PERIOD: u64 = 12;
    pub(super) const COMMENT: u64 = 13;
    pub(super) const DEFAULT_SAMPLE_TYPE: u64 = 14;
}

/// Fields of `Mapping`.
mod mapping {
    pub(super) const ID: u64 = 1;
    pub(super) const FILENAME: u64 = 5;
    pub(super) const HAS_FUNCTIONS: u64 = 7;
}

/// Writes the recording.
pub(crate) fn write(recording: &Trace, first: Option<What>, out: &mut dyn Write) -> Result<Written, Error> {
    let tree = Tree::new(recording);
    let held = Held::new(recording);
    let mut report = Written { left_out: left_out(recording, &TABLES), ..Written::default() };
    report.left_out.extend(tree.left_out());
    let types = Types::new(recording, &held);
    let mut packed = GzEncoder::new(out, Compression::default());
    let mut file = File { recording, tree: &tree, strings: Strings::default(), out: &mut packed };
    file.strings.number("");
    file.head(&types, first, &held)?;
    for what in [What::Samples, What::Allocations, What::Contention, What::Waits, What::Exceptions] {
        let groups = Groups::new(recording, &tree, &held, what);
        if what == What::Samples {
            report.samples = groups.rows;
        }
        report.left_out.extend(what.without_weight(groups.without_weight));
        if groups.rows > 0 {
            report.holds.push(Count::new(what.rows(), groups.rows));
            file.samples(what, &groups, &types)?;
        }
    }
    file.comments(&report)?;
    file.methods()?;
    file.strings_at_the_end()?;
    if file.strings.changed > 0 {
        let texts = Count::new("texts", file.strings.changed).words();
        let about =
            format!("the exact form of {texts} (characters that steer a terminal are replaced by spaces)");
        report.left_out.push(LeftOut::cut(about, file.strings.changed));
    }
    packed.finish()?;
    Ok(report)
}

/// A type of values.
#[derive(Debug, Clone, Copy)]
struct ValueType {
    name: &'static str,
    unit: &'static str,
}

impl ValueType {
    const fn counts(name: &'static str) -> Self {
        Self { name, unit: "count" }
    }

    const fn times(name: &'static str) -> Self {
        Self { name, unit: "nanoseconds" }
    }
}

/// The time that samples last.
const WALL: ValueType = ValueType::times("wall");

/// The types of values that a file has rows for.
#[derive(Debug)]
struct Types(Vec<ValueType>);

impl Types {
    fn new(recording: &Trace, held: &Held) -> Self {
        let mut types = ["samples", "running", "waiting"].map(ValueType::counts).to_vec();
        if held.interval_ns.is_some() {
            types.push(WALL);
        }
        if !recording.allocations.ts_ns.is_empty() {
            types.push(ValueType::counts("alloc_samples"));
            types.push(ValueType { name: "alloc_space", unit: "bytes" });
        }
        if !recording.contention.ts_ns.is_empty() {
            types.extend([ValueType::counts("contentions"), ValueType::times("delay")]);
        }
        if !recording.waits.ts_ns.is_empty() {
            types.extend([ValueType::counts("waits"), ValueType::times("wait_delay")]);
        }
        if !recording.exceptions.ts_ns.is_empty() {
            types.push(ValueType::counts("exceptions"));
        }
        Self(types)
    }

    /// The type that readers show first: the requested one, if the file has it.
    fn first(&self, recording: &Trace, asked: Option<What>) -> &'static str {
        let running = States::new(recording).running;
        let runs = running.is_some_and(|running| recording.samples.state.contains(&running));
        let name = match asked {
            Some(What::Running) => "running",
            Some(What::Waiting) => "waiting",
            Some(What::Allocations) => "alloc_space",
            Some(What::Contention) => "delay",
            Some(What::Waits) => "wait_delay",
            Some(What::Exceptions) => "exceptions",
            None if runs => "running",
            Some(What::Samples) | None => "samples",
        };
        self.0.iter().map(|of| of.name).find(|of| *of == name).unwrap_or("samples")
    }

    /// The values of a group, one per type; 0 for types that do not apply to it.
    fn values(&self, what: What, group: &Group) -> Vec<u64> {
        let running = if group.leaf == Leaf::Own { group.rows } else { 0 };
        let waiting = if matches!(group.leaf, Leaf::Waiting(_)) { group.rows } else { 0 };
        let of = match what {
            What::Allocations => vec![("alloc_samples", group.rows), ("alloc_space", group.weight)],
            What::Contention => vec![("contentions", group.rows), ("delay", group.weight)],
            What::Waits => vec![("waits", group.rows), ("wait_delay", group.weight)],
            What::Exceptions => vec![("exceptions", group.rows)],
            What::Samples | What::Running | What::Waiting => vec![
                ("samples", group.rows),
                ("running", running),
                ("waiting", waiting),
                ("wall", group.weight),
            ],
        };
        let value = |name: &str| {
            of.iter().find(|(of, _)| *of == name).map_or(0, |(_, value)| (*value).min(MAX_VALUE))
        };
        self.0.iter().map(|of| value(of.name)).collect()
    }
}

/// Rows of one stack, thread and leaf.
#[derive(Debug)]
struct Group {
    node: Node,
    thread: ThreadId,
    leaf: Leaf,
    rows: u64,
    weight: u64,
}

#[derive(Debug, Default)]
struct Groups {
    list: Vec<Group>,
    rows: u64,
    without_weight: u64,
}

impl Groups {
    fn new(recording: &Trace, tree: &Tree<'_>, held: &Held, what: What) -> Self {
        let mut groups = Self::default();
        let mut places: FxHashMap<(Node, ThreadId, Leaf), usize> = FxHashMap::default();
        groups.without_weight = each(recording, tree, what, &mut |row| {
            groups.rows += 1;
            let weight = if what.weight() == Unit::Samples { held.of(row.row) } else { row.weight };
            let next = groups.list.len();
            let (node, thread, leaf) = (row.node, row.thread, row.leaf);
            let place = *places.entry((node, thread, leaf)).or_insert(next);
            match groups.list.get_mut(place) {
                Some(group) => {
                    group.rows += 1;
                    group.weight = group.weight.saturating_add(weight);
                }
                None => groups.list.push(Group { node, thread, leaf, rows: 1, weight }),
            }
        });
        groups
    }
}

/// The texts of the file, by number. Characters that steer a terminal are replaced, since `go tool pprof` prints
/// texts as they are.
#[derive(Debug, Default)]
struct Strings {
    texts: Vec<String>,
    numbers: FxHashMap<String, u64>,
    /// How many texts had such characters.
    changed: u64,
}

impl Strings {
    fn number(&mut self, text: &str) -> u64 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = wide(self.texts.len());
        let shown = printable(text);
        self.changed += u64::from(shown != text);
        self.texts.push(shown.into_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

struct File<'a, W: Write> {
    recording: &'a Trace,
    tree: &'a Tree<'a>,
    strings: Strings,
    out: &'a mut W,
}

impl<W: Write> File<'_, W> {
    fn value_type(&mut self, ValueType { name, unit }: ValueType) -> Message {
        let mut of = Message::default();
        of.number(1, self.strings.number(name)).number(2, self.strings.number(unit));
        of
    }

    fn head(&mut self, types: &Types, first: Option<What>, held: &Held) -> Result<(), Error> {
        let mut head = Message::default();
        for of in &types.0 {
            head.message(profile::SAMPLE_TYPE, &self.value_type(*of));
        }
        let exhibit = &self.recording.exhibit;
        let start = exhibit.start_utc.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_nanosecond);
        // In this format, a time of 0 is an unknown time.
        let start = start.and_then(|ns| u64::try_from(ns).ok()).unwrap_or(0);
        head.number(profile::TIME_NANOS, start);
        // The same holds for its duration; damage may make it negative.
        head.number(profile::DURATION_NANOS, u64::try_from(exhibit.duration_ns).unwrap_or(0));
        if let Some(interval) = held.interval_ns.and_then(|ns| u64::try_from(ns).ok()) {
            head.message(profile::PERIOD_TYPE, &self.value_type(WALL));
            head.number(profile::PERIOD, interval);
        }
        let default = types.first(self.recording, first);
        head.number(profile::DEFAULT_SAMPLE_TYPE, self.strings.number(default));
        let mut mapping = Message::default();
        mapping
            .number(mapping::ID, 1)
            .number(mapping::FILENAME, self.strings.number(subject(self.recording)));
        mapping.number(mapping::HAS_FUNCTIONS, 1);
        head.message(profile::MAPPING, &mapping);
        head.flush(self.out)?;
        Ok(())
    }

    fn samples(&mut self, what: What, groups: &Groups, types: &Types) -> Result<(), Error> {
        let names = Names::new(self.recording);
        let no_stack = wide(self.tree.names.len()).saturating_add(1);
        let mut path = Vec::new();
        let mut all = Message::default();
        for group in &groups.list {
            self.tree.path(group.node, &mut path);
            // The innermost frame comes first, and numbers begin at 1.
            let mut locations: Vec<u64> =
                path.iter().rev().map(|name| u64::from(name.number()) + 1).collect();
            if group.node.is_none() {
                locations.push(no_stack);
            }
            let mut sample = Message::default();
            sample.numbers(1, &locations).numbers(2, &types.values(what, group));
            for (key, value) in self.labels(what, group, &names) {
                let mut label = Message::default();
                label.number(1, self.strings.number(key)).number(2, self.strings.number(&value));
                sample.message(3, &label);
            }
            all.message(profile::SAMPLE, &sample);
            all.flush(self.out)?;
        }
        Ok(())
    }

    fn labels(&self, what: What, group: &Group, names: &Names<'_>) -> Vec<(&'static str, String)> {
        let mut labels = Vec::new();
        labels.extend(os_id(self.recording, group.thread).map(|id| ("thread", id.to_string())));
        labels.extend(names.kind(group.thread).map(|kind| ("thread_kind", kind.to_owned())));
        let text = |sym| self.recording.strings.get(sym).map(str::to_owned);
        match group.leaf {
            Leaf::Own if what == What::Samples => labels.push(("state", "running".to_owned())),
            Leaf::Own => {}
            Leaf::External => labels.push(("state", "external".to_owned())),
            Leaf::Waiting(on) => {
                labels.push(("state", "waiting".to_owned()));
                labels.extend(text(on).map(|on| ("waiting_on", on)));
            }
            Leaf::Type(class) => labels.extend(text(class).map(|class| ("type", class))),
        }
        labels
    }

    /// What a reader has to know, and what is missing, in words.
    fn comments(&mut self, report: &Written) -> Result<(), Error> {
        let mut comments = vec![format!("written by casebook {}", env!("CARGO_PKG_VERSION"))];
        comments.push(
            "samples measure wall-clock time, not CPU time: the sampler records every managed thread, whether it runs or \
             waits; running counts samples whose stack does not wait, wall is the time until the next sample"
                .to_owned(),
        );
        comments.extend(report.absent());
        let numbers: Vec<u64> = comments.iter().map(|text| self.strings.number(text)).collect();
        Message::default().numbers(profile::COMMENT, &numbers).flush(self.out)?;
        Ok(())
    }

    /// One function and one location per name, and for rows without a stack.
    fn methods(&mut self) -> Result<(), Error> {
        let tree = self.tree;
        let mut all = Message::default();
        for (at, name) in tree.names.iter().copied().chain([NO_STACK]).enumerate() {
            let id = wide(at).saturating_add(1);
            // The module takes the place of the file name, by which readers group.
            let module = name.split_once('!').map_or("", |(module, _)| module);
            let text = self.strings.number(name);
            let (mut function, mut line, mut location) =
                (Message::default(), Message::default(), Message::default());
            function.number(1, id).number(2, text).number(3, text).number(4, self.strings.number(module));
            line.number(1, id);
            location.number(1, id).number(2, 1).message(4, &line);
            all.message(profile::FUNCTION, &function).message(profile::LOCATION, &location);
            all.flush(self.out)?;
        }
        Ok(())
    }

    fn strings_at_the_end(&mut self) -> Result<(), Error> {
        let mut all = Message::default();
        for text in &self.strings.texts {
            all.bytes(profile::STRING_TABLE, text.as_bytes());
            all.flush(self.out)?;
        }
        Ok(())
    }
}
