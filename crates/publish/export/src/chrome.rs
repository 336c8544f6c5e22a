//! The Trace Event JSON of Chrome, Perfetto and speedscope.
//!
//! ```text
//!  GC            ├──┤        ├──┤
//!  Pauses         ├┤          ├┤
//!  Requests 1    ├────────┤  ├──────┤      intervals that overlap are on different lanes
//!  Requests 2       ├────────────┤
//!  pool 4711     ├─ Main ─────────────┤    a thread's stacks, as a time line of its samples
//!                  ├─ Add ─┤├─ Wait ┤
//! ```
//!
//! Viewers take a lane for a thread. On a lane, a later box is inside an earlier one or behind it, since Perfetto
//! drops what overlaps only in part. Each box is two events (`B` and `E`) and not a beginning with a length: readers
//! that add doubles would get ends that are off by a bit.

mod lines;

use crate::error::Error;
use crate::lanes::Lanes;
use crate::text::{json, short, subject};
use crate::threads::id_text;
use crate::tree::Tree;
use crate::weigh::{What, nanoseconds, rows};
use crate::written::{Count, LeftOut, Written, left_out, pauses_by_cause, wide};
use model::{NO_INT, StackId, Sym, ThreadId, Trace};
use std::borrow::Cow;
use std::io::Write;

/// The tables whose rows are in the file.
const TABLES: [&str; 10] =
    ["samples", "exceptions", "contention", "waits", "gc", "pauses", "requests", "spans", "jit", "counters"];

/// Writes the recording.
pub(crate) fn write(recording: &Trace, out: &mut dyn Write) -> Result<Written, Error> {
    let tree = Tree::new(recording);
    let mut left_out = left_out(recording, &TABLES);
    left_out.extend(tree.left_out());
    let report = Written { left_out, ..Written::default() };
    let pid = recording.exhibit.pid.unwrap_or(1);
    let mut file = File { recording, tree: &tree, out, pid, events: 0, lanes: 0, report };
    file.begin()?;
    file.collections()?;
    file.requests()?;
    file.waits()?;
    file.compilations()?;
    file.exceptions()?;
    file.counters()?;
    file.threads()?;
    file.out.write_all(b"\n]}\n")?;
    Ok(file.report)
}

struct File<'a> {
    recording: &'a Trace,
    tree: &'a Tree<'a>,
    out: &'a mut dyn Write,
    pid: u64,
    /// How many events are written.
    events: u64,
    /// How many lanes there are.
    lanes: u64,
    report: Written,
}

/// A row with a beginning, and an end if the recording has it.
#[derive(Debug)]
struct Interval {
    from_ns: i64,
    dur_ns: i64,
    /// The row in its table. Texts are looked up only when they are written, since a million rows may share a text.
    row: usize,
}

/// The arguments of an event. Their keys are our own texts.
type Args<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// The name and arguments of a box.
struct Described<'a> {
    name: Cow<'a, str>,
    args: Args<'a>,
}

/// The intervals of a table, from its columns.
fn intervals_of(starts: &[i64], durations: &[i64]) -> Vec<Interval> {
    let rows = starts.iter().zip(durations).enumerate();
    rows.map(|(row, (from_ns, dur_ns))| Interval { from_ns: *from_ns, dur_ns: *dur_ns, row }).collect()
}

impl<'a> File<'a> {
    /// The head of the file, and the name of the process.
    fn begin(&mut self) -> Result<(), Error> {
        self.out.write_all(b"{\"displayTimeUnit\":\"ms\",\"otherData\":{\"exporter\":")?;
        json(self.out, &format!("casebook {}", env!("CARGO_PKG_VERSION")))?;
        let exhibit = &self.recording.exhibit;
        for (key, text) in [
            ("recording", exhibit.file.as_str()),
            ("start_utc", exhibit.start_utc.as_str()),
            ("samples", "of the wall clock: running and waiting, not CPU time"),
        ] {
            write!(self.out, ",\"{key}\":")?;
            json(self.out, text)?;
        }
        self.out.write_all(b"},\"traceEvents\":[")?;
        let name = subject(self.recording);
        self.meta("process_name", 0, name)
    }

    fn meta(&mut self, what: &str, lane: u64, name: &str) -> Result<(), Error> {
        self.event('M', lane, what)?;
        self.out.write_all(b",\"args\":{\"name\":")?;
        json(self.out, name)?;
        self.out.write_all(b"}}")?;
        Ok(())
    }

    /// The members that every event has; the caller ends it.
    fn event(&mut self, phase: char, lane: u64, name: &str) -> Result<(), Error> {
        let comma = if self.events == 0 { "" } else { "," };
        self.events += 1;
        write!(self.out, "{comma}\n{{\"ph\":\"{phase}\",\"pid\":{},\"tid\":{lane},\"name\":", self.pid)?;
        json(self.out, &short(name))?;
        Ok(())
    }

    /// Microseconds, as the format has them, to the nanosecond. Times before the start, which only damage makes,
    /// become 0.
    fn time(&mut self, ns: i64) -> Result<(), Error> {
        let ns = ns.max(0);
        write!(self.out, ",\"ts\":{}.{:03}", ns / 1_000, ns % 1_000)?;
        Ok(())
    }

    /// A new lane with its name.
    fn lane(&mut self, name: &str) -> Result<u64, Error> {
        self.lanes += 1;
        let lane = self.lanes;
        self.meta("thread_name", lane, name)?;
        self.event('M', lane, "thread_sort_index")?;
        write!(self.out, ",\"args\":{{\"sort_index\":{lane}}}}}")?;
        Ok(lane)
    }

    /// The arguments of an event, and its end.
    fn args(&mut self, args: &Args<'_>) -> Result<(), Error> {
        if args.is_empty() {
            self.out.write_all(b"}")?;
            return Ok(());
        }
        self.out.write_all(b",\"args\":{")?;
        for (at, (key, text)) in args.iter().enumerate() {
            write!(self.out, "{}\"{key}\":", if at == 0 { "" } else { "," })?;
            json(self.out, &short(text))?;
        }
        self.out.write_all(b"}}")?;
        Ok(())
    }

    /// Writes intervals of one kind, on as many lanes as they need. `describe` takes the number of a row.
    fn intervals(
        &mut self,
        kind: &str,
        what: &str,
        mut of: Vec<Interval>,
        describe: &dyn Fn(&Self, usize) -> Option<Described<'a>>,
    ) -> Result<(), Error> {
        of.sort_by_key(|interval| interval.from_ns);
        let end_of_recording = self.recording.exhibit.duration_ns;
        let mut lanes = Lanes::default();
        let mut numbers: Vec<u64> = Vec::new();
        for interval in &of {
            let from = interval.from_ns.max(0);
            let length = nanoseconds(interval.dur_ns).and_then(|ns| i64::try_from(ns).ok());
            let to = length.map_or(end_of_recording, |ns| from.saturating_add(ns)).max(from);
            let Some(place) = lanes.place(from, to) else { continue };
            if place == numbers.len() {
                let number = lanes.len();
                let name = if number == 1 { kind.to_owned() } else { format!("{kind} {number}") };
                numbers.push(self.lane(&name)?);
            }
            let Some(lane) = numbers.get(place).copied() else { continue };
            let Some(Described { name, mut args }) = describe(self, interval.row) else { continue };
            if length.is_none() {
                args.push(("end", "not in the recording: drawn to its end".into()));
            }
            // The end repeats the name and arguments of the beginning: speedscope matches the two by all of them.
            for (phase, at) in [('B', from), ('E', to)] {
                self.event(phase, lane, &name)?;
                self.time(at)?;
                self.args(&args)?;
            }
        }
        let shown = wide(of.len()).saturating_sub(lanes.left_out);
        self.holds(what, shown);
        if lanes.left_out > 0 {
            let left = Count::new(what, lanes.left_out).words();
            let about = format!("{left} (too many at once, so there is no lane for them)");
            self.report.left_out.push(LeftOut::cut(about, lanes.left_out));
        }
        Ok(())
    }

    fn instant(&mut self, lane: u64, at_ns: i64, name: &str, args: &Args<'_>) -> Result<(), Error> {
        self.event('i', lane, name)?;
        self.time(at_ns)?;
        self.out.write_all(b",\"s\":\"t\"")?;
        self.args(args)
    }

    fn holds(&mut self, what: &str, count: u64) {
        if count > 0 {
            self.report.holds.push(Count::new(what, count));
        }
    }

    fn text(&self, sym: Sym) -> &'a str {
        self.recording.strings.text(sym)
    }

    fn thread_id(&self, thread: ThreadId) -> Cow<'a, str> {
        id_text(self.recording, thread).into()
    }

    fn collections(&mut self) -> Result<(), Error> {
        let gc = &self.recording.gc;
        let of = intervals_of(&gc.start_ns, &gc.dur_ns);
        self.intervals("GC", "collections", of, &|file, at| {
            let row = gc.row(at)?;
            let args = vec![("kind", file.text(row.kind).into()), ("reason", file.text(row.reason).into())];
            Some(Described { name: format!("GC of generation {}", row.generation).into(), args })
        })?;
        let pauses = &self.recording.pauses;
        let of = intervals_of(&pauses.ts_ns, &pauses.dur_ns);
        self.intervals("Pauses", "pauses", of, &|file, at| {
            let cause = short(file.text(pauses.row(at)?.cause));
            Some(Described { name: format!("Pause: {cause}").into(), args: Vec::new() })
        })?;
        if self
            .report
            .holds
            .pop_if(|of| of.what == "pauses" && of.count == wide(pauses.ts_ns.len()))
            .is_some()
        {
            self.report.holds.extend(pauses_by_cause(self.recording));
        }
        Ok(())
    }

    fn requests(&mut self) -> Result<(), Error> {
        let requests = &self.recording.requests;
        let of = intervals_of(&requests.start_ns, &requests.dur_ns);
        self.intervals("Requests", "requests", of, &|file, at| {
            let row = requests.row(at)?;
            let path = if row.route == Sym::NONE { row.path } else { row.route };
            let mut args: Args<'a> = vec![("path", file.text(row.path).into())];
            if row.status != NO_INT {
                args.push(("status", row.status.to_string().into()));
            }
            let (method, path) = (short(file.text(row.method)), short(file.text(path)));
            Some(Described { name: format!("{method} {path}").into(), args })
        })?;
        let spans = &self.recording.spans;
        let of = intervals_of(&spans.start_ns, &spans.dur_ns);
        self.intervals("Spans", "spans", of, &|file, at| {
            let row = spans.row(at)?;
            let args = vec![("source", file.text(row.source).into()), ("tags", file.text(row.tags).into())];
            Some(Described { name: file.text(row.name).into(), args })
        })
    }

    fn waits(&mut self) -> Result<(), Error> {
        let contention = &self.recording.contention;
        let of = intervals_of(&contention.ts_ns, &contention.dur_ns);
        self.intervals("Waits for locks", What::Contention.rows(), of, &|file, at| {
            let row = contention.row(at)?;
            let mut args = vec![("thread", file.thread_id(row.thread)), ("lock", file.text(row.lock).into())];
            if row.owner_thread != NO_INT {
                args.push(("held by thread", row.owner_thread.to_string().into()));
            }
            args.extend(file.leaf(row.stack));
            Some(Described { name: "Wait for a lock".into(), args })
        })?;
        let waits = &self.recording.waits;
        let of = intervals_of(&waits.ts_ns, &waits.dur_ns);
        self.intervals("Waits for handles", What::Waits.rows(), of, &|file, at| {
            let row = waits.row(at)?;
            let mut args =
                vec![("thread", file.thread_id(row.thread)), ("object", file.text(row.object).into())];
            args.extend(file.leaf(row.stack));
            Some(Described { name: format!("Wait: {}", short(file.text(row.source))).into(), args })
        })
    }

    fn leaf(&self, stack: Option<StackId>) -> Option<(&'static str, Cow<'a, str>)> {
        self.recording.leaf_name(stack).map(|name| ("method", name.into()))
    }

    /// Compilations. Loads of code without a start are instants.
    fn compilations(&mut self) -> Result<(), Error> {
        let jit = &self.recording.jit;
        let describe = |file: &Self, at: usize| {
            let row = jit.row(at)?;
            let args = vec![("thread", file.thread_id(row.thread)), ("tier", file.text(row.tier).into())];
            Some(Described { name: file.text(row.method).into(), args })
        };
        let (mut of, mut loads) = (Vec::new(), Vec::new());
        for (at, row) in rows(jit.ts_ns.len(), |at| jit.row(at)) {
            let list = if nanoseconds(row.dur_ns).is_some() { &mut of } else { &mut loads };
            list.push(Interval { from_ns: row.ts_ns, dur_ns: row.dur_ns, row: at });
        }
        self.intervals("JIT", "compilations", of, &describe)?;
        if !loads.is_empty() {
            let lane = self.lane("Loads of compiled code")?;
            for load in &loads {
                let Some(Described { name, args }) = describe(self, load.row) else { continue };
                self.instant(lane, load.from_ns, &name, &args)?;
            }
            self.holds("loads of compiled code", wide(loads.len()));
        }
        Ok(())
    }

    fn exceptions(&mut self) -> Result<(), Error> {
        let exceptions = &self.recording.exceptions;
        if exceptions.ts_ns.is_empty() {
            return Ok(());
        }
        let lane = self.lane("Exceptions")?;
        for (_, row) in rows(exceptions.ts_ns.len(), |at| exceptions.row(at)) {
            let mut args =
                vec![("thread", self.thread_id(row.thread)), ("message", self.text(row.message).into())];
            args.extend(self.leaf(row.stack));
            self.instant(lane, row.ts_ns, self.text(row.class), &args)?;
        }
        self.holds(What::Exceptions.rows(), wide(exceptions.ts_ns.len()));
        Ok(())
    }

    /// Values of counters, one track per name and tags, and the heap after each collection.
    fn counters(&mut self) -> Result<(), Error> {
        let counters = &self.recording.counters;
        let (mut shown, mut unknown) = (0, 0);
        for (_, row) in rows(counters.ts_ns.len(), |at| counters.row(at)) {
            if !row.value.is_finite() {
                unknown += 1;
                continue;
            }
            let tags = self.recording.strings.get(row.tags).filter(|tags| !tags.is_empty() && *tags != "{}");
            let (name, kind) = (short(self.text(row.name)), short(self.text(row.kind)));
            let name = if kind == "value" { name } else { format!("{name} {kind}").into() };
            let name = match tags {
                Some(tags) => format!("{name} {}", short(tags)).into(),
                None => name,
            };
            self.value(row.ts_ns, &name, row.value)?;
            shown += 1;
        }
        self.holds("values of counters", shown);
        if unknown > 0 {
            let values = Count::new("values of counters", unknown).words();
            self.report.left_out.push(LeftOut::cut(format!("{values} (not a number)"), unknown));
        }
        let gc = &self.recording.gc;
        for (_, row) in rows(gc.start_ns.len(), |at| gc.row(at)) {
            if row.heap_after_bytes >= 0 && nanoseconds(row.dur_ns).is_some() {
                let ended = row.start_ns.max(0).saturating_add(row.dur_ns);
                self.value(ended, "heap after GC (bytes)", row.heap_after_bytes as f64)?;
            }
        }
        Ok(())
    }

    fn value(&mut self, at_ns: i64, name: &str, value: f64) -> Result<(), Error> {
        self.event('C', 0, name)?;
        self.time(at_ns)?;
        write!(self.out, ",\"args\":{{\"value\":")?;
        serde_json::to_writer(&mut *self.out, &value)?;
        self.out.write_all(b"}}")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
