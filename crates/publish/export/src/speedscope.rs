//! The JSON of speedscope.app.
//!
//! The first profiles are sums over all threads, by stack: of samples, bytes or time. They are small however many
//! threads there are. Then each thread has a time line from the recording's start, on which neighbouring samples with
//! the same stack are one box, and time without a sample is blank. A waiting sample has `[waiting: task]` as its
//! innermost frame.
//!
//! The file is written front to back. Frames come last, since only then all of them are known.

use crate::boxes::{Seen, boxes};
use crate::error::Error;
use crate::held::Held;
use crate::text::{json, subject};
use crate::threads::{self, Names, Sampled};
use crate::tree::{NO_STACK, Tree};
use crate::weigh::{Leaf, Sums, Unit, What, sums};
use crate::written::{Count, LeftOut, Written, left_out, wide};
use model::Trace;
use rustc_hash::FxHashMap;
use std::io::Write;

/// The most time lines. speedscope copies the list of all frames for each profile, so it cannot open a file with
/// thousands.
const MAX_THREADS: usize = 200;

/// The tables whose rows are in the file.
const TABLES: [&str; 5] = ["samples", "allocations", "exceptions", "contention", "waits"];

/// Writes the recording.
pub(crate) fn write(recording: &Trace, out: &mut dyn Write) -> Result<Written, Error> {
    let tree = Tree::new(recording);
    let mut report = Written { left_out: left_out(recording, &TABLES), ..Written::default() };
    report.left_out.extend(tree.left_out());
    write!(
        out,
        "{{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":\"casebook@{}\",\"name\":",
        env!("CARGO_PKG_VERSION")
    )?;
    json(out, subject(recording))?;
    out.write_all(b",\"activeProfileIndex\":0,\"profiles\":[")?;
    let mut file = File { recording, tree: &tree, out, leaves: Leaves::default(), profiles: 0 };
    for what in What::ALL {
        let sums = sums(recording, &tree, what);
        if what == What::Samples {
            report.samples = sums.rows;
        }
        report.left_out.extend(what.without_weight(sums.without_weight));
        if sums.rows > 0 {
            report.holds.push(Count::new(what.rows(), sums.rows));
            file.all_threads(what, &sums)?;
        }
    }
    let (lines, left) = file.time_lines()?;
    if lines > 0 {
        report.holds.push(Count::new("time lines of threads", lines));
    }
    report.left_out.extend(left);
    if file.profiles == 0 {
        // The viewer refuses a file without a profile.
        file.begin("Nothing with a stack was recorded", "none", 0)?;
        file.out.write_all(b"\"samples\":[],\"weights\":[]}")?;
    }
    file.frames()?;
    Ok(report)
}

/// Frames that the recording does not have, by their numbers in the file. The key `None` is a missing stack.
#[derive(Debug, Default)]
struct Leaves {
    texts: Vec<String>,
    of: FxHashMap<Option<Leaf>, usize>,
}

struct File<'a> {
    recording: &'a Trace,
    tree: &'a Tree<'a>,
    out: &'a mut dyn Write,
    leaves: Leaves,
    profiles: usize,
}

impl File<'_> {
    /// A profile of all threads.
    fn all_threads(&mut self, what: What, sums: &Sums) -> Result<(), Error> {
        let (name, unit) = match what {
            What::Running => ("All threads: running (samples, not CPU time)", "none"),
            What::Samples => ("All threads: running and waiting (samples of the wall clock)", "none"),
            What::Waiting => ("All threads: waiting (samples)", "none"),
            What::Allocations => ("All threads: allocations (bytes, estimated from samples)", "bytes"),
            What::Contention => ("All threads: waits for locks", "nanoseconds"),
            What::Waits => ("All threads: waits for handles", "nanoseconds"),
            What::Exceptions => ("All threads: exceptions thrown", "none"),
        };
        debug_assert_eq!(unit == "bytes", what.weight() == Unit::Bytes);
        self.begin(name, unit, sums.total)?;
        let stacks = sums.groups.iter().map(|group| Some(Seen { node: group.node, leaf: group.leaf }));
        let weights = sums.groups.iter().map(|group| group.weight);
        self.samples(stacks, weights)
    }

    /// The time lines of the busiest threads. Returns how many there are, and what is left out.
    fn time_lines(&mut self) -> Result<(u64, Vec<LeftOut>), Error> {
        let threads = threads::sampled(self.recording);
        let held = Held::new(self.recording);
        let mut left = Vec::new();
        if held.interval_ns.is_none() {
            if !threads.is_empty() {
                let lines = Count::new("time lines of threads", wide(threads.len())).words();
                let about = format!("{lines} (no thread was sampled twice, so no sample has a length)");
                left.push(LeftOut::cut(about, wide(threads.len())));
            }
            return Ok((0, left));
        }
        let (shown, others) = threads.split_at(threads.len().min(MAX_THREADS));
        if !others.is_empty() {
            let lines = Count::new("time lines of the least busy threads", wide(others.len())).words();
            let about = format!("{lines} (their samples are in the sums of all threads)");
            left.push(LeftOut::cut(about, wide(others.len())));
        }
        let names = Names::new(self.recording);
        for thread in shown {
            self.time_line(thread, &names, &held)?;
        }
        Ok((wide(shown.len()), left))
    }

    fn time_line(&mut self, thread: &Sampled, names: &Names<'_>, held: &Held) -> Result<(), Error> {
        let boxes = boxes(self.recording, self.tree, thread, held);
        let total = boxes.iter().map(|of| of.ns).fold(0, u64::saturating_add);
        self.begin(&format!("{}: wall clock", names.label(thread.thread)), "nanoseconds", total)?;
        let stacks = boxes.iter().map(|of| of.seen);
        self.samples(stacks, boxes.iter().map(|of| of.ns))
    }

    fn begin(&mut self, name: &str, unit: &str, end: u64) -> Result<(), Error> {
        self.out.write_all(if self.profiles == 0 { b"" } else { b"," })?;
        self.profiles += 1;
        self.out.write_all(b"\n{\"type\":\"sampled\",\"name\":")?;
        json(self.out, name)?;
        write!(self.out, ",\"unit\":\"{unit}\",\"startValue\":0,\"endValue\":{end},")?;
        Ok(())
    }

    /// The rest of a profile. `None` is time without a sample.
    fn samples(
        &mut self,
        stacks: impl Iterator<Item = Option<Seen>>,
        weights: impl Iterator<Item = u64>,
    ) -> Result<(), Error> {
        self.out.write_all(b"\"samples\":[")?;
        let (mut path, mut frames) = (Vec::new(), Vec::new());
        for (at, seen) in stacks.enumerate() {
            frames.clear();
            if let Some(Seen { node, leaf }) = seen {
                self.tree.path(node, &mut path);
                frames.extend(path.iter().map(|name| name.index()));
                if node.is_none() {
                    frames.extend(self.leaf(None));
                }
                frames.extend(self.leaf(Some(leaf)));
            }
            self.out.write_all(if at == 0 { b"[" } else { b",[" })?;
            for (at, frame) in frames.iter().enumerate() {
                write!(self.out, "{}{frame}", if at == 0 { "" } else { "," })?;
            }
            self.out.write_all(b"]")?;
        }
        self.out.write_all(b"],\"weights\":[")?;
        for (at, weight) in weights.enumerate() {
            write!(self.out, "{}{weight}", if at == 0 { "" } else { "," })?;
        }
        self.out.write_all(b"]}")?;
        Ok(())
    }

    /// The number of the frame for a leaf, or for a missing stack. `None` if the leaf has no frame.
    fn leaf(&mut self, leaf: Option<Leaf>) -> Option<usize> {
        if let Some(frame) = self.leaves.of.get(&leaf) {
            return Some(*frame);
        }
        let text = leaf.map_or_else(|| Some(NO_STACK.to_owned()), |leaf| leaf.frame(self.recording))?;
        let frame = self.tree.names.len().saturating_add(self.leaves.texts.len());
        self.leaves.texts.push(text);
        self.leaves.of.insert(leaf, frame);
        Some(frame)
    }

    /// The frames, and the end of the file.
    fn frames(self) -> Result<(), Error> {
        self.out.write_all(b"],\n\"shared\":{\"frames\":[")?;
        let names = self.tree.names.iter().copied().chain(self.leaves.texts.iter().map(String::as_str));
        for (at, name) in names.enumerate() {
            self.out.write_all(if at == 0 { b"\n{\"name\":" } else { b",\n{\"name\":" })?;
            json(self.out, name)?;
            self.out.write_all(b"}")?;
        }
        self.out.write_all(b"]}}\n")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Builder, usual};

    fn written(recording: &Trace) -> (String, Written) {
        let mut out = Vec::new();
        let report = write(recording, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), report)
    }

    #[test]
    fn all_threads_come_first_and_time_lines_have_their_own_times() {
        let (text, report) = written(&usual());
        insta::assert_snapshot!(text);
        insta::assert_debug_snapshot!(report);
    }

    #[test]
    fn an_empty_recording_has_a_profile_that_opens() {
        let (text, report) = written(&Trace::default());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["profiles"].as_array().unwrap().len(), 1);
        assert_eq!(report, Written::default());
    }

    #[test]
    fn a_file_of_thousands_of_threads_still_opens_and_says_which_lines_it_lacks() {
        let mut builder = Builder::default();
        for thread in 0..300 {
            builder.sample(0, thread, "running", None, &["A"]);
            builder.sample(1, thread, "running", None, &["A"]);
        }
        let (text, report) = written(&builder.done());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["profiles"].as_array().unwrap().len(), 2 + MAX_THREADS);
        assert_eq!(report.samples, 600);
        assert_eq!(report.left_out.last().unwrap().count, Some(100));
    }
}
