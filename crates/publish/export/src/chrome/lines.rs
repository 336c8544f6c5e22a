//! The time lines of threads: one box per frame, as long as neighbouring samples have that frame.

use super::File;
use crate::boxes::{Seen, boxes};
use crate::error::Error;
use crate::held::Held;
use crate::text::{json, short};
use crate::threads::{Names, Sampled, sampled};
use crate::tree::{self, NO_STACK, NameId, Tree};
use crate::weigh::What;
use crate::written::{Count, LeftOut, wide};
use base::number::{grouped, saturated};
use model::ById;

/// The most boxes of all time lines: browsers cannot read larger files.
const MAX_BOXES: u64 = 1_000_000;
/// The most bytes of names of these boxes. The format repeats a name at the beginning and at the end of each box.
const MAX_NAME_BYTES: u64 = 500_000_000;

impl File<'_> {
    /// The threads, the busiest first, as long as there is room.
    pub(super) fn threads(&mut self) -> Result<(), Error> {
        let threads = sampled(self.recording);
        let held = Held::new(self.recording);
        let all = self.recording.samples.ts_ns.len();
        let names = Names::new(self.recording);
        let (mut boxes_left, mut name_bytes_left) = (MAX_BOXES, MAX_NAME_BYTES);
        let (mut lines, mut in_lines) = (0, 0);
        let costs: ById<tree::Name, u64> = self.tree.names.iter().map(|name| written(name)).collect();
        for thread in &threads {
            let line = Line::new(self, thread, &held, &costs);
            if line.samples == 0 || line.boxes > boxes_left || line.name_bytes > name_bytes_left {
                continue;
            }
            boxes_left -= line.boxes;
            name_bytes_left -= line.name_bytes;
            self.line(&names.label(thread.thread), &line)?;
            lines += 1;
            self.report.samples += line.samples;
            in_lines += thread.rows.len();
        }
        if self.report.samples > 0 {
            self.report.holds.push(Count::new(What::Samples.rows(), self.report.samples));
            self.report.holds.push(Count::new("time lines of threads", lines));
        }
        let no_time = wide(in_lines) - self.report.samples;
        if no_time > 0 {
            let samples = Count::new(What::Samples.rows(), no_time).words();
            let about = format!("{samples} (another sample of the thread has the same time)");
            self.report.left_out.push(LeftOut::cut(about, no_time));
        }
        let others = wide(all - in_lines);
        if held.interval_ns.is_none() && others > 0 {
            let samples = Count::new(What::Samples.rows(), others).words();
            let about = format!("{samples} (no thread was sampled twice, so no sample has a length)");
            self.report.left_out.push(LeftOut::cut(about, others));
        } else if others > 0 {
            let about = format!(
                "{} of threads without a time line (a file has at most {} boxes, and {} MB of their names)",
                Count::new(What::Samples.rows(), others).words(),
                grouped(MAX_BOXES),
                MAX_NAME_BYTES / 1_000_000
            );
            self.report.left_out.push(LeftOut::cut(about, others));
        }
        Ok(())
    }

    fn line(&mut self, name: &str, line: &Line) -> Result<(), Error> {
        let lane = self.lane(name)?;
        let mut open: Vec<Name> = Vec::new();
        let mut at = 0_u64;
        let mut path = Vec::new();
        for stretch in &line.stretches {
            self.names_of(stretch.seen, &mut path);
            let (before, common) = (open.len(), common(&open, &path));
            while open.len() > common {
                let Some(name) = open.pop() else { break };
                self.edge('E', lane, name, at)?;
            }
            // A box behind another begins a nanosecond later, if there is room: viewers take an end and a beginning
            // of the same name at the same time for a box without length.
            let begin = if common < before && stretch.ns > 1 { at.saturating_add(1) } else { at };
            for name in path.iter().skip(common) {
                self.edge('B', lane, *name, begin)?;
                open.push(*name);
            }
            at = at.saturating_add(stretch.ns);
        }
        while let Some(name) = open.pop() {
            self.edge('E', lane, name, at)?;
        }
        Ok(())
    }

    fn edge(&mut self, phase: char, lane: u64, name: Name, at_ns: u64) -> Result<(), Error> {
        let tree: &Tree<'_> = self.tree;
        match name {
            Name::Method(name) => {
                let name = tree.names.get(name).copied().unwrap_or_default();
                self.event(phase, lane, name)?;
            }
            Name::NoStack => self.event(phase, lane, NO_STACK)?,
            Name::Leaf(leaf) => {
                let name = leaf.frame(self.recording).unwrap_or_default();
                self.event(phase, lane, &name)?;
            }
        }
        // Only damaged lengths add up to more than an `i64` holds.
        self.time(saturated(at_ns))?;
        self.out.write_all(b"}")?;
        Ok(())
    }

    /// The names of a stack's boxes, from the outermost frame inwards.
    fn names_of(&self, seen: Option<Seen>, into: &mut Vec<Name>) {
        into.clear();
        let Some(Seen { node, leaf }) = seen else { return };
        let mut numbers = Vec::new();
        self.tree.path(node, &mut numbers);
        into.extend(numbers.into_iter().map(Name::Method));
        if node.is_none() {
            into.push(Name::NoStack);
        }
        into.extend(leaf.frame(self.recording).map(|_| Name::Leaf(leaf)));
    }
}

/// The name of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Method(NameId),
    NoStack,
    Leaf(crate::weigh::Leaf),
}

/// A thread's time line and its size in the file.
#[derive(Debug)]
struct Line {
    stretches: Vec<crate::boxes::Stretch>,
    boxes: u64,
    /// Bytes of the names at the beginnings and ends of boxes.
    name_bytes: u64,
    samples: u64,
}

impl Line {
    fn new(file: &File<'_>, thread: &Sampled, held: &Held, costs: &ById<tree::Name, u64>) -> Self {
        let stretches = boxes(file.recording, file.tree, thread, held);
        let (mut before, mut path, mut boxes, mut samples) = (Vec::new(), Vec::new(), 0, 0);
        let mut name_bytes = 0u64;
        let cost = |name: &Name| match name {
            // `costs` has all names of the tree.
            Name::Method(name) => costs.get(*name).copied().unwrap_or(0),
            Name::NoStack => written(NO_STACK),
            Name::Leaf(leaf) => leaf.frame(file.recording).map_or(0, |name| written(&name)),
        };
        for stretch in &stretches {
            file.names_of(stretch.seen, &mut path);
            let new = path.get(common(&before, &path)..).unwrap_or_default();
            boxes += wide(new.len());
            name_bytes = new.iter().map(|name| 2 * cost(name)).fold(name_bytes, u64::saturating_add);
            samples += stretch.samples;
            std::mem::swap(&mut before, &mut path);
        }
        Self { stretches, boxes, name_bytes, samples }
    }
}

/// Bytes of a name in the file.
fn written(name: &str) -> u64 {
    let mut out = Vec::new();
    // Writing to a vector cannot fail.
    drop(json(&mut out, &*short(name)));
    wide(out.len())
}

/// How many boxes two neighbouring stacks have in common.
fn common(before: &[Name], after: &[Name]) -> usize {
    before.iter().zip(after).take_while(|(before, after)| before == after).count()
}
