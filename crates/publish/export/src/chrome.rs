//! The Trace Event JSON of Chrome, Perfetto and speedscope.
//!
//! ```text
//!  GC            ├──┤        ├──┤
//!  Pauses         ├┤          ├┤
//!  Requests 1    ├────────┤  ├──────┤      what overlaps lies on lanes of its own
//!  Requests 2       ├────────────┤
//!  pool 4711     ├─ Main ─────────────┤    a thread's stacks, as a time line of its samples
//!                  ├─ Add ─┤├─ Wait ┤
//! ```
//!
//! A lane is a thread to the viewers. On each, what begins later ends earlier or begins after: Perfetto drops what
//! overlaps only in part. Beginnings and ends are events of their own (`B`, `E`), so that both are exact decimals: a
//! beginning and a length add up to one bit too much in readers that keep doubles.

mod lines;

use crate::Report;
use crate::error::Error;
use crate::lanes::Lanes;
use crate::left::{Count, LeftOut, left_out, wide};
use crate::text::{json, short, subject};
use crate::tree::Tree;
use crate::weigh::{What, nanoseconds, rows};
use model::{NO_INT, Sym, Trace};
use std::borrow::Cow;
use std::io::Write;

/// The tables whose rows are in the file.
const TABLES: [&str; 10] =
    ["samples", "exceptions", "contention", "waits", "gc", "pauses", "requests", "spans", "jit", "counters"];

/// Writes the recording.
pub(crate) fn write(recording: &Trace, out: &mut dyn Write) -> Result<Report, Error> {
    let tree = Tree::new(recording);
    let mut left_out = left_out(recording, &TABLES);
    left_out.extend(tree.left_out());
    let report = Report { left_out, ..Report::default() };
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
    /// Events written.
    events: u64,
    /// Lanes that have a name.
    lanes: u64,
    report: Report,
}

/// Something with a beginning, and an end where the recording has it.
#[derive(Debug)]
struct Interval {
    from_ns: i64,
    dur_ns: i64,
    /// Its row in its table: texts are looked up when they are written, for a text may be that of a million rows.
    row: usize,
}

/// What is known of an event beside its name: keys are the program's own.
type Args<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// What a box is called, and what else is known of it.
type Described<'a> = Option<(Cow<'a, str>, Args<'a>)>;

impl<'a> File<'a> {
    /// The head of the file, and what the process is called.
    fn begin(&mut self) -> Result<(), Error> {
        self.out.write_all(b"{\"displayTimeUnit\":\"ms\",\"otherData\":{\"exporter\":")?;
        json(self.out, &format!("casebook {}", env!("CARGO_PKG_VERSION")))?;
        let exhibit = &self.recording.exhibit;
        for (key, text) in [
            ("recording", exhibit.file.as_str()),
            ("start_utc", exhibit.start_utc.as_str()),
            ("samples", "of the wall clock: running and waiting, not processor time"),
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

    /// Microseconds, as the format has them, to the nanosecond.
    fn time(&mut self, ns: u64) -> Result<(), Error> {
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

    /// What else is known of an event, and its end.
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

    /// Intervals of one kind onto lanes. `describe` says what a row's box is called, and what else is known of it.
    fn intervals(
        &mut self,
        kind: &str,
        what: &str,
        mut of: Vec<Interval>,
        describe: &dyn Fn(&Self, usize) -> Described<'a>,
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
            let Some((name, mut args)) = describe(self, interval.row) else { continue };
            if length.is_none() {
                args.push(("end", "not in the recording: drawn to its end".into()));
            }
            // An end has what its beginning has: speedscope tells boxes apart by all of it.
            for (phase, at) in [('B', from), ('E', to)] {
                self.event(phase, lane, &name)?;
                self.time(u64::try_from(at).unwrap_or(0))?;
                self.args(&args)?;
            }
        }
        let shown = wide(of.len()).saturating_sub(lanes.left_out);
        self.holds(what, shown);
        if lanes.left_out > 0 {
            let about = format!("{what}: too many at once, there is no lane for them");
            self.report.left_out.push(LeftOut::new(about, lanes.left_out));
        }
        Ok(())
    }

    fn instant(&mut self, lane: u64, at_ns: i64, name: &str, args: &Args<'_>) -> Result<(), Error> {
        self.event('i', lane, name)?;
        self.time(u64::try_from(at_ns).unwrap_or(0))?;
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

    fn thread_id(&self, thread: u32) -> Cow<'a, str> {
        crate::threads::os_id(self.recording, thread).to_string().into()
    }

    fn collections(&mut self) -> Result<(), Error> {
        let gc = &self.recording.gc;
        let of = rows(gc.start_ns.len(), |at| gc.row(at)).map(|(at, row)| Interval {
            from_ns: row.start_ns,
            dur_ns: row.dur_ns,
            row: at,
        });
        self.intervals("GC", "collections", of.collect(), &|file, at| {
            let row = gc.row(at)?;
            let args = vec![("kind", file.text(row.kind).into()), ("reason", file.text(row.reason).into())];
            Some((format!("GC of generation {}", row.generation).into(), args))
        })?;
        let pauses = &self.recording.pauses;
        let of = rows(pauses.ts_ns.len(), |at| pauses.row(at)).map(|(at, row)| Interval {
            from_ns: row.ts_ns,
            dur_ns: row.dur_ns,
            row: at,
        });
        self.intervals("Pauses", "pauses", of.collect(), &|file, at| {
            let cause = short(file.text(pauses.row(at)?.cause));
            Some((format!("Pause: {cause}").into(), Vec::new()))
        })
    }

    fn requests(&mut self) -> Result<(), Error> {
        let requests = &self.recording.requests;
        let of = rows(requests.start_ns.len(), |at| requests.row(at)).map(|(at, row)| Interval {
            from_ns: row.start_ns,
            dur_ns: row.dur_ns,
            row: at,
        });
        self.intervals("Requests", "requests", of.collect(), &|file, at| {
            let row = requests.row(at)?;
            let path = if row.route == Sym::NONE { row.path } else { row.route };
            let mut args: Args<'a> = vec![("path", file.text(row.path).into())];
            if row.status != NO_INT {
                args.push(("status", row.status.to_string().into()));
            }
            let (method, path) = (short(file.text(row.method)), short(file.text(path)));
            Some((format!("{method} {path}").into(), args))
        })?;
        let spans = &self.recording.spans;
        let of = rows(spans.start_ns.len(), |at| spans.row(at)).map(|(at, row)| Interval {
            from_ns: row.start_ns,
            dur_ns: row.dur_ns,
            row: at,
        });
        self.intervals("Spans", "spans", of.collect(), &|file, at| {
            let row = spans.row(at)?;
            let args = vec![("source", file.text(row.source).into()), ("tags", file.text(row.tags).into())];
            Some((file.text(row.name).into(), args))
        })
    }

    fn waits(&mut self) -> Result<(), Error> {
        let contention = &self.recording.contention;
        let of = rows(contention.ts_ns.len(), |at| contention.row(at)).map(|(at, row)| Interval {
            from_ns: row.ts_ns,
            dur_ns: row.dur_ns,
            row: at,
        });
        self.intervals("Waits for locks", What::Contention.rows(), of.collect(), &|file, at| {
            let row = contention.row(at)?;
            let mut args = vec![("thread", file.thread_id(row.thread)), ("lock", file.text(row.lock).into())];
            if row.owner_thread != NO_INT {
                args.push(("held by thread", row.owner_thread.to_string().into()));
            }
            args.extend(file.leaf(row.stack));
            Some(("Wait for a lock".into(), args))
        })?;
        let waits = &self.recording.waits;
        let of = rows(waits.ts_ns.len(), |at| waits.row(at)).map(|(at, row)| Interval {
            from_ns: row.ts_ns,
            dur_ns: row.dur_ns,
            row: at,
        });
        self.intervals("Waits for handles", What::Waits.rows(), of.collect(), &|file, at| {
            let row = waits.row(at)?;
            let mut args =
                vec![("thread", file.thread_id(row.thread)), ("object", file.text(row.object).into())];
            args.extend(file.leaf(row.stack));
            Some((format!("Wait: {}", short(file.text(row.source))).into(), args))
        })
    }

    fn leaf(&self, stack: u32) -> Option<(&'static str, Cow<'a, str>)> {
        self.recording.leaf_name(stack).map(|name| ("method", name.into()))
    }

    /// Compilations, and those without a start as instants.
    fn compilations(&mut self) -> Result<(), Error> {
        let jit = &self.recording.jit;
        let describe = |file: &Self, at: usize| {
            let row = jit.row(at)?;
            let args = vec![("thread", file.thread_id(row.thread)), ("tier", file.text(row.tier).into())];
            Some((Cow::Borrowed(file.text(row.method)), args))
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
                let Some((name, args)) = describe(self, load.row) else { continue };
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

    /// Values of counters, a track for each name and its tags, and the heap after each collection.
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
            let about = "rows of counters: their value is no number";
            self.report.left_out.push(LeftOut::new(about, unknown));
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
        self.time(u64::try_from(at_ns).unwrap_or(0))?;
        write!(self.out, ",\"args\":{{\"value\":")?;
        serde_json::to_writer(&mut *self.out, &value)?;
        self.out.write_all(b"}}")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
