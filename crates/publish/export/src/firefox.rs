//! The processed profile of profiler.firefox.com, packed with gzip.
//!
//! Each thread has its samples, and its waits, exceptions and compilations as markers with stacks. The first thread,
//! named after the service, has no samples. It has what belongs to the whole process: requests, spans, collections,
//! pauses, values of the thread pool, and the allocations, which the viewer shows by bytes. The heap after each
//! collection is the memory counter.
//!
//! The category of a sample is its state: managed code, waiting, native code. The format has a member for
//! the CPU time of each sample. No recording knows that time, so the member is left out: zeros would mean that
//! nothing ran.

mod fill;
mod kinds;

use crate::error::Error;
use crate::held::Held;
use crate::text::{json, subject};
use crate::threads::{Names, os_id, sampled};
use crate::tree::{NO_STACK, Name, Node, Tree};
use crate::weigh::{Leaf, States, What};
use crate::without::{Member, Without};
use crate::written::{Count, LeftOut, Written, left_out, wide};
use flate2::Compression;
use flate2::write::GzEncoder;
use fxprof_processed_profile::{
    CategoryHandle, CpuDelta, Frame, FrameFlags, FrameInfo, ProcessHandle, Profile, ReferenceTimestamp,
    SamplingInterval, StackHandle, StringHandle, ThreadHandle, Timestamp,
};
use kinds::{Categories, Kinds};
use model::{ById, ThreadId, Trace};
use rustc_hash::FxHashMap;
use std::io::{BufWriter, Write};

/// The tables whose rows are in the file.
const TABLES: [&str; 9] =
    ["samples", "allocations", "exceptions", "contention", "waits", "gc", "pauses", "requests", "spans"];

/// The most threads. A viewer with more is of no use, so all others share one.
const MAX_THREADS: usize = 1_000;

/// The interval in the file if the recording does not know its own: the format requires one.
const DEFAULT_INTERVAL_NS: u64 = 1_000_000;

/// Members of the format about CPU time.
const ABOUT_CPU: &[Member] = &[
    Member { begin: b",\"threadCPUDelta\":", end: b']' },
    Member { begin: b",\"sampleUnits\":", end: b'}' },
];

/// Writes the recording.
pub(crate) fn write(recording: &Trace, out: &mut dyn Write) -> Result<Written, Error> {
    let tree = Tree::new(recording);
    let mut left_out = left_out(recording, &[TABLES.as_slice(), &["jit", "counters"]].concat());
    left_out.extend(tree.left_out());
    let report = Written { left_out, ..Written::default() };
    let mut file = File::new(recording, &tree, report);
    file.samples();
    file.allocations();
    file.heap();
    file.markers();
    let File { profile, report, .. } = file;
    let packed = GzEncoder::new(out, Compression::default());
    let mut without = Without::new(BufWriter::new(packed), ABOUT_CPU);
    json(&mut without, &profile)?;
    let packed = without.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    packed.finish()?;
    Ok(report)
}

/// A thread of the file with its stacks so far: in this format, threads share no stacks.
#[derive(Debug)]
struct Thread {
    handle: ThreadHandle,
    nodes: FxHashMap<Node, StackHandle>,
    leaves: FxHashMap<(Node, Leaf), StackHandle>,
}

/// The place of a thread in [`File::threads`].
type Place = usize;
/// The thread of the whole process.
const PROCESS: Place = 0;

struct File<'a> {
    recording: &'a Trace,
    tree: &'a Tree<'a>,
    thread_names: Names<'a>,
    profile: Profile,
    process: ProcessHandle,
    categories: Categories,
    kinds: Kinds,
    /// The names of frames.
    names: ById<Name, StringHandle>,
    threads: Vec<Thread>,
    places: FxHashMap<ThreadId, Place>,
    /// The thread that all share for which there was no room, once there is one.
    others: Option<Place>,
    report: Written,
}

impl<'a> File<'a> {
    fn new(recording: &'a Trace, tree: &'a Tree<'a>, report: Written) -> Self {
        let exhibit = &recording.exhibit;
        let start = exhibit.start_utc.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond);
        let interval = Held::new(recording).interval_ns.and_then(|ns| u64::try_from(ns).ok());
        let name = subject(recording);
        let mut profile = Profile::new(
            name,
            ReferenceTimestamp::from_millis_since_unix_epoch(start as f64),
            SamplingInterval::from_nanos(interval.unwrap_or(DEFAULT_INTERVAL_NS)),
        );
        profile.set_symbolicated(true);
        if let Some(os) = &exhibit.os {
            profile.set_os_name(os);
        }
        // No recorded process has the number 0, so 0 means unknown.
        let pid = exhibit.pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
        let process = profile.add_process(name, pid, at(0));
        let categories = Categories::new(&mut profile);
        let kinds = Kinds::new(&mut profile, &categories);
        let names = tree.names.iter().map(|name| profile.intern_string(name)).collect();
        let mut file = Self {
            recording,
            tree,
            thread_names: Names::new(recording),
            profile,
            process,
            categories,
            kinds,
            names,
            threads: Vec::new(),
            places: FxHashMap::default(),
            others: None,
            report,
        };
        let first = file.thread(name, pid, true);
        if let Some(first) = file.threads.get(first) {
            file.profile.set_thread_show_markers_in_timeline(first.handle, true);
        }
        file
    }

    fn thread(&mut self, name: &str, id: u32, is_first: bool) -> Place {
        let handle = self.profile.add_thread(self.process, id, at(0), is_first);
        self.profile.set_thread_name(handle, name);
        self.threads.push(Thread { handle, nodes: FxHashMap::default(), leaves: FxHashMap::default() });
        self.threads.len() - 1
    }

    /// The place of a thread of the recording.
    fn place(&mut self, thread: ThreadId) -> Place {
        if let Some(place) = self.places.get(&thread) {
            return *place;
        }
        if self.places.len() >= MAX_THREADS {
            if let Some(others) = self.others {
                return others;
            }
            // No thread has the number 0.
            let others = self.thread("other threads", 0, false);
            self.others = Some(others);
            return others;
        }
        // No thread has the number 0, so 0 means unknown.
        let id = os_id(self.recording, thread).and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
        let name = self.thread_names.label(thread);
        let place = self.thread(&name, id, false);
        self.places.insert(thread, place);
        place
    }

    /// The stack of a node and its leaf on a thread.
    fn stack(&mut self, place: Place, node: Node, leaf: Leaf) -> Option<StackHandle> {
        let Self { recording, tree, profile, categories, names, threads, .. } = self;
        let thread = threads.get_mut(place)?;
        if let Some(stack) = thread.leaves.get(&(node, leaf)) {
            return Some(*stack);
        }
        // The part of the path that the thread does not have yet, from the innermost frame outwards.
        let mut missing = Vec::new();
        let mut outer = None;
        let mut at = node;
        while let Some((parent, name)) = tree.step(at) {
            outer = thread.nodes.get(&at).copied();
            if outer.is_some() {
                break;
            }
            missing.push((at, name));
            at = parent;
        }
        let category = match leaf {
            Leaf::Waiting(_) => categories.waiting,
            Leaf::External => categories.external,
            Leaf::Own | Leaf::Type(_) => categories.managed,
        };
        let no_stack = (node.is_none()).then(|| NO_STACK.to_owned());
        let inside: Vec<StringHandle> = no_stack
            .into_iter()
            .chain(leaf.frame(recording))
            .map(|text| profile.intern_string(&text))
            .collect();
        let mut frame = |name: StringHandle, category: CategoryHandle, outer: Option<StackHandle>| {
            let category_pair = category.into();
            let info = FrameInfo { frame: Frame::Label(name), category_pair, flags: FrameFlags::empty() };
            let frame = profile.intern_frame(thread.handle, info);
            profile.intern_stack(thread.handle, outer, frame)
        };
        for (node, name) in missing.into_iter().rev() {
            let Some(name) = names.get(name) else { continue };
            let stack = frame(*name, categories.managed, outer);
            thread.nodes.insert(node, stack);
            outer = Some(stack);
        }
        for name in inside {
            outer = Some(frame(name, category, outer));
        }
        thread.leaves.extend(outer.map(|stack| ((node, leaf), stack)));
        outer
    }

    /// Every sample, on its thread; the threads that ran most are shown first.
    fn samples(&mut self) {
        let states = States::new(self.recording);
        let threads = sampled(self.recording);
        self.report.samples = wide(self.recording.samples.ts_ns.len());
        for thread in &threads {
            let place = self.place(thread.thread);
            for row in &thread.rows {
                let Some(sample) = self.recording.samples.row(*row as usize) else { continue };
                let leaf = Leaf::of_sample(states, sample.state, sample.waiting_on);
                let stack = self.stack(place, self.tree.node(sample.stack), leaf);
                let Some(thread) = self.threads.get(place) else { continue };
                // `Without` drops the CPU time again; see the module.
                self.profile.add_sample(thread.handle, at(sample.ts_ns), stack, CpuDelta::ZERO, 1);
            }
        }
        self.show(&threads.iter().map(|of| of.thread).collect::<Vec<_>>());
        if self.report.samples > 0 {
            self.report.holds.push(Count::new(What::Samples.rows(), self.report.samples));
        }
        if threads.len() > MAX_THREADS {
            let others = wide(threads.len() - MAX_THREADS);
            let threads = Count::new("threads", others).words();
            let about =
                format!("the names of the least busy {threads} (their samples are on \"other threads\")");
            self.report.left_out.push(LeftOut::cut(about, others));
        }
    }

    /// Shows the process and the busiest threads, and selects the busiest.
    fn show(&mut self, threads: &[ThreadId]) {
        const SHOWN: usize = 20;
        let places = threads.iter().filter_map(|of| self.places.get(of)).take(SHOWN).copied();
        let places: Vec<Place> = [PROCESS].into_iter().chain(places).collect();
        let handles: Vec<ThreadHandle> =
            places.iter().filter_map(|place| self.threads.get(*place)).map(|of| of.handle).collect();
        for handle in &handles {
            self.profile.add_initial_visible_thread(*handle);
        }
        if let Some(handle) = handles.get(1).or(handles.first()) {
            self.profile.add_initial_selected_thread(*handle);
        }
    }
}

/// A time of the recording. A time before its start, which only damage makes, becomes the start.
fn at(ns: i64) -> Timestamp {
    Timestamp::from_nanos_since_reference(u64::try_from(ns).unwrap_or(0))
}

#[cfg(test)]
mod tests;
