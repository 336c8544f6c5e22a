//! The time lines of threads: a box for each frame, as long as neighbouring samples have it.

use super::File;
use crate::boxes::{Seen, boxes};
use crate::error::Error;
use crate::held::Held;
use crate::left::{Count, LeftOut, wide};
use crate::text::{json, short};
use crate::threads::{Names, Sampled, sampled};
use crate::tree::{NO_STACK, Tree};
use crate::weigh::What;
use model::NO_ID;

/// Boxes of all time lines. A file with more is larger than browsers read; threads that ran most come first.
const MOST_BOXES: u64 = 1_000_000;
/// Bytes of the names of all these boxes, for the same reason: the format has no way to name a method once, and writes the
/// name out at the beginning and at the end of each box.
const MOST_NAMES: u64 = 500_000_000;

impl File<'_> {
    /// The threads, the busiest first, as long as there is room.
    pub(super) fn threads(&mut self) -> Result<(), Error> {
        let threads = sampled(self.recording);
        let held = Held::new(self.recording);
        let all = self.recording.samples.ts_ns.len();
        let names = Names::new(self.recording);
        let (mut left, mut lines, mut in_lines) = ((MOST_BOXES, MOST_NAMES), 0, 0);
        let costs: Vec<u64> = self.tree.names.iter().map(|name| written(name)).collect();
        for thread in &threads {
            let line = Line::new(self, thread, &held, &costs);
            let (Some(boxes), Some(names_left)) =
                (left.0.checked_sub(line.boxes), left.1.checked_sub(line.name_bytes))
            else {
                continue;
            };
            if line.samples == 0 {
                continue;
            }
            left = (boxes, names_left);
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
            let about = "samples that stand for no time: another of their thread is of the same instant";
            self.report.left_out.push(LeftOut::new(about, no_time));
        }
        let others = wide(all - in_lines);
        if held.interval_ns.is_none() && others > 0 {
            let about = "samples: no thread was seen twice, so none has a length";
            self.report.left_out.push(LeftOut::new(about, others));
        } else if others > 0 {
            let about = format!(
                "samples of threads that have no time line: a file has at most {MOST_BOXES} boxes, and {} MB of their names",
                MOST_NAMES / 1_000_000
            );
            self.report.left_out.push(LeftOut::new(about, others));
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
            // What follows on something begins a nanosecond later, where there is one: a viewer that meets an end and a
            // beginning of one name at one time takes them for a box of no length.
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
                let name = tree.names.get(name as usize).copied().unwrap_or_default();
                self.event(phase, lane, name)?;
            }
            Name::NoStack => self.event(phase, lane, NO_STACK)?,
            Name::Leaf(leaf) => {
                let name = leaf.frame(self.recording).unwrap_or_default();
                self.event(phase, lane, &name)?;
            }
        }
        self.time(at_ns)?;
        self.out.write_all(b"}")?;
        Ok(())
    }

    /// What a stack's boxes are called, from the outside inwards.
    fn names_of(&self, seen: Option<Seen>, into: &mut Vec<Name>) {
        into.clear();
        let Some((node, leaf)) = seen else { return };
        let mut numbers = Vec::new();
        self.tree.path(node, &mut numbers);
        into.extend(numbers.into_iter().map(Name::Method));
        if node == NO_ID {
            into.push(Name::NoStack);
        }
        into.extend(leaf.frame(self.recording).map(|_| Name::Leaf(leaf)));
    }
}

/// What a box is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Method(u32),
    NoStack,
    Leaf(crate::weigh::Leaf),
}

/// A thread's time line, and how large it is.
#[derive(Debug)]
struct Line {
    stretches: Vec<crate::boxes::Stretch>,
    boxes: u64,
    /// What the names of the boxes take, at their beginnings and ends.
    name_bytes: u64,
    samples: u64,
}

impl Line {
    fn new(file: &File<'_>, thread: &Sampled, held: &Held, costs: &[u64]) -> Self {
        let stretches = boxes(file.recording, file.tree, thread, held);
        let (mut before, mut path, mut boxes, mut samples) = (Vec::new(), Vec::new(), 0, 0);
        let mut name_bytes = 0u64;
        let cost = |name: &Name| match name {
            Name::Method(name) => costs.get(*name as usize).copied().unwrap_or(0),
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
    // A vector takes everything.
    drop(json(&mut out, &*short(name)));
    wide(out.len())
}

/// How many boxes go on from one stack to the next.
fn common(before: &[Name], after: &[Name]) -> usize {
    before.iter().zip(after).take_while(|(before, after)| before == after).count()
}
