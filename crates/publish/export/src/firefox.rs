//! The processed profile of profiler.firefox.com, packed with gzip.
//!
//! Each thread has its samples, one for each look of the sampler, and the waits, exceptions and compilations that it
//! had as markers with their stacks. A first thread, named after the service, has no samples: it has what is of the
//! whole process (requests, spans, collections, pauses, values of the thread pool), and the allocations, which the
//! viewer shows by bytes. The heap after each collection is the memory counter.
//!
//! A sample has the category of its state: managed code, waiting, outside managed code. The format has room for the
//! processor time of each sample, which no recording has, so the member is left out: zeros would say that nothing ran,
//! and anything else would be made up.

mod fill;
mod kinds;

use crate::Report;
use crate::error::Error;
use crate::held::Held;
use crate::left::{Count, LeftOut, left_out, wide};
use crate::text::{json, subject};
use crate::threads::{Names, os_id, sampled};
use crate::tree::{NO_STACK, Tree};
use crate::weigh::{Leaf, States, What};
use crate::without::Without;
use flate2::Compression;
use flate2::write::GzEncoder;
use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, CpuDelta, Frame, FrameFlags, FrameInfo, ProcessHandle, Profile,
    ReferenceTimestamp, SamplingInterval, StackHandle, StringHandle, ThreadHandle, Timestamp,
};
use kinds::Kinds;
use model::{NO_ID, Trace};
use rustc_hash::FxHashMap;
use std::io::{BufWriter, Write};

/// The tables whose rows are in the file.
const TABLES: [&str; 9] =
    ["samples", "allocations", "exceptions", "contention", "waits", "gc", "pauses", "requests", "spans"];

/// Threads of their own in the file; a viewer with more is of no use, and the others share one.
const MOST_THREADS: usize = 1_000;

/// What is shown where the recording does not tell how often the sampler looked.
const NO_INTERVAL_NS: u64 = 1_000_000;

/// Members of the format that would say something about processor time.
const ABOUT_CPU: &[(&[u8], u8)] = &[(b",\"threadCPUDelta\":", b']'), (b",\"sampleUnits\":", b'}')];

/// Writes the recording.
pub(crate) fn write(recording: &Trace, out: &mut dyn Write) -> Result<Report, Error> {
    let tree = Tree::new(recording);
    let mut left_out = left_out(recording, &[TABLES.as_slice(), &["jit", "counters"]].concat());
    left_out.extend(tree.left_out());
    let report = Report { left_out, ..Report::default() };
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

/// The categories of frames and markers.
#[derive(Debug)]
struct Categories {
    managed: CategoryHandle,
    waiting: CategoryHandle,
    external: CategoryHandle,
    collector: CategoryHandle,
    request: CategoryHandle,
    exception: CategoryHandle,
    compiler: CategoryHandle,
}

impl Categories {
    fn new(profile: &mut Profile) -> Self {
        Self {
            managed: profile.add_category("Managed code", CategoryColor::Green),
            waiting: profile.add_category("Waiting", CategoryColor::LightBlue),
            external: profile.add_category("Outside managed code", CategoryColor::Gray),
            collector: profile.add_category("GC", CategoryColor::Orange),
            request: profile.add_category("Requests and spans", CategoryColor::Blue),
            exception: profile.add_category("Exceptions", CategoryColor::Red),
            compiler: profile.add_category("JIT", CategoryColor::Purple),
        }
    }
}

/// A thread of the file, and the stacks that it has so far: every thread has its own.
#[derive(Debug)]
struct Thread {
    handle: ThreadHandle,
    nodes: FxHashMap<u32, StackHandle>,
    leaves: FxHashMap<(u32, Leaf), StackHandle>,
}

/// The place of a thread in [`File::threads`]; the first is of the whole process.
type Place = usize;
const PROCESS: Place = 0;

struct File<'a> {
    recording: &'a Trace,
    tree: &'a Tree<'a>,
    thread_names: Names<'a>,
    profile: Profile,
    process: ProcessHandle,
    categories: Categories,
    kinds: Kinds,
    /// The frames' names, as the file has them.
    names: Vec<StringHandle>,
    threads: Vec<Thread>,
    places: FxHashMap<u32, Place>,
    report: Report,
}

impl<'a> File<'a> {
    fn new(recording: &'a Trace, tree: &'a Tree<'a>, report: Report) -> Self {
        let exhibit = &recording.exhibit;
        let start = exhibit.start_utc.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond);
        let interval = Held::new(recording).interval_ns.and_then(|ns| u64::try_from(ns).ok());
        let name = subject(recording);
        let mut profile = Profile::new(
            name,
            ReferenceTimestamp::from_millis_since_unix_epoch(start as f64),
            SamplingInterval::from_nanos(interval.unwrap_or(NO_INTERVAL_NS)),
        );
        profile.set_symbolicated(true);
        if let Some(os) = &exhibit.os {
            profile.set_os_name(os);
        }
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

    /// The thread of a number of the recording.
    fn place(&mut self, thread: u32) -> Place {
        // Beyond the limit, threads share one, which has no number of its own.
        let is_new = !self.places.contains_key(&thread);
        let thread = if is_new && self.places.len() >= MOST_THREADS { NO_ID } else { thread };
        if let Some(place) = self.places.get(&thread) {
            return *place;
        }
        let id = u32::try_from(os_id(self.recording, thread)).unwrap_or(0);
        let name = if thread == NO_ID { "other threads".to_owned() } else { self.thread_names.label(thread) };
        let place = self.thread(&name, id, false);
        self.places.insert(thread, place);
        place
    }

    /// The stack of a node on a thread, with what stands inside of it.
    fn stack(&mut self, place: Place, node: u32, leaf: Leaf) -> Option<StackHandle> {
        let Self { recording, tree, profile, categories, names, threads, .. } = self;
        let thread = threads.get_mut(place)?;
        if let Some(stack) = thread.leaves.get(&(node, leaf)) {
            return Some(*stack);
        }
        // The part of the path that is not there yet, from the inside outwards.
        let mut missing = Vec::new();
        let mut outer = None;
        let mut at = node;
        while let Some(name) = tree.name(at) {
            outer = thread.nodes.get(&at).copied();
            if outer.is_some() {
                break;
            }
            missing.push((at, name));
            at = tree.parent(at);
        }
        let category = match leaf {
            Leaf::Waiting(_) => categories.waiting,
            Leaf::External => categories.external,
            Leaf::Own | Leaf::Type(_) => categories.managed,
        };
        let no_stack = (node == NO_ID).then(|| NO_STACK.to_owned());
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
            let Some(name) = names.get(name as usize) else { continue };
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
                // There is no processor time; see the module.
                self.profile.add_sample(thread.handle, at(sample.ts_ns), stack, CpuDelta::ZERO, 1);
            }
        }
        self.show(&threads.iter().map(|of| of.thread).collect::<Vec<_>>());
        if self.report.samples > 0 {
            self.report.holds.push(Count::new(What::Samples.rows(), self.report.samples));
        }
        if threads.len() > MOST_THREADS {
            let about = "names of the least busy threads: their samples are on the thread of the others";
            self.report.left_out.push(LeftOut::new(about, wide(threads.len() - MOST_THREADS)));
        }
    }

    /// Shows the process and the busiest threads, and selects the busiest.
    fn show(&mut self, threads: &[u32]) {
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

/// A time of the recording; none is before its start.
fn at(ns: i64) -> Timestamp {
    Timestamp::from_nanos_since_reference(u64::try_from(ns).unwrap_or(0))
}

#[cfg(test)]
mod tests;
