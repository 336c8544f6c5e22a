//! The end of reading: everything into the order of time, addresses into names, and what follows from both.

use super::byprocess::ByProcess;
use super::code::Methods;
use super::counters::CounterRows;
use super::kinds::PayloadDecoder;
use super::memory::{self, Memory};
use super::naming::Naming;
use super::pairs::Pairs;
use super::processes::Processes;
use super::rawstacks::{MOST_FRAMES, RawStacks};
use super::states::set_states;
use super::streams::{Rundown, Streams};
use super::threads::ThreadFacts;
use super::universal::Spaces;
use model::{LimitKind, Sym, Trace};

/// What was kept beside the tables until the end.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) streams: Streams,
    pub(crate) processes: Processes,
    pub(crate) by_process: ByProcess,
    pub(crate) raw: RawStacks,
    pub(crate) spaces: Spaces,
    pub(crate) threads: ThreadFacts,
    pub(crate) pairs: Pairs,
    pub(crate) counters: CounterRows,
    pub(crate) decoder: PayloadDecoder,
}

impl Parts {
    /// Completes the recording.
    pub(crate) fn finish(self, mut recording: Trace) -> Trace {
        let Self { streams, mut processes, by_process, mut raw, spaces, mut threads, pairs, .. } = self;
        pairs.finish(&mut recording.contention, &mut recording.waits);
        let (of_processes, mut gcs) = by_process.into_all();
        let mut methods = Vec::new();
        for of in of_processes {
            of.loads.finish(&of.methods, &mut recording.strings, &mut recording.jit);
            methods.push(of.methods);
            gcs.push(of.gc);
        }
        recording.sort_by_time();
        // Which thread is the sampler shows in its pauses, by the samples within them.
        let mut samplers = Vec::new();
        for gc in gcs {
            samplers.extend(gc.finish(&mut recording));
        }
        // Collections and their pauses are known only now.
        recording.sort_by_time();

        let no_methods = methods.iter().all(Methods::is_empty);
        raw.close();
        if raw.cut > 0 {
            let limit = recording.missing.limits.of(LimitKind::LongStacks);
            (limit.count, limit.limit) = (raw.cut, u64::try_from(MOST_FRAMES).ok());
        }
        let (cpu_samples, has_symbols) = (spaces.cpu_samples, spaces.has_symbols());
        let memory = Memory::new(spaces, &processes, &mut recording);
        let naming = Naming::new(methods, memory, &raw, &mut recording);
        name_stacks(naming, &raw, cpu_samples, &mut recording);
        drop(raw);

        // What follows from named stacks.
        set_states(&mut recording);
        recording.session.sampler = memory::sampler(&recording, cpu_samples, streams.sampling_rate());
        recording.stacks.close();
        super::cut::find(&mut recording);
        self.counters.limit_series(&mut recording);
        threads.are_samplers(&samplers);
        processes.add_streams(streams.all());
        processes.fill(&mut recording);
        threads.finish(&mut recording);
        streams.cover(&mut recording);

        let needs_rundown = !recording.samples.ts_ns.is_empty() && !has_symbols;
        let rundown = streams.rundown();
        recording.missing.rundown_cut = needs_rundown && rundown == Rundown::Cut;
        recording.missing.no_rundown = needs_rundown && (no_methods || rundown == Rundown::Missing);
        recording.events.decoder = Some(Box::new(self.decoder));
        super::metrics::fill(&mut recording);
        recording
    }
}

/// Replaces raw nodes by rows of `stacks` in every table that has stacks.
fn name_stacks(mut naming: Naming, raw: &RawStacks, cpu_samples: u64, recording: &mut Trace) {
    recording.rename_stacks(|recording, stack, ns| naming.stack(stack, ns, raw, recording));
    if cpu_samples > 0 {
        memory::set_kinds(recording, naming.unknown_frame());
    }
    count_unnamed(recording);
}

/// Counts the frames of all samples, and those without a name.
fn count_unnamed(recording: &mut Trace) {
    let Trace { stacks, frames, .. } = recording;
    let is_unnamed = |frame: &u32| frames.method.get(*frame as usize) == Some(&Sym::NONE);
    let mut unnamed = vec![0u64; stacks.len()];
    for node in 0..unnamed.len() {
        let parent = stacks.parent.get(node).map_or(usize::MAX, |parent| *parent as usize);
        let above = unnamed.get(parent).copied().unwrap_or(0);
        let own = u64::from(stacks.frame.get(node).is_some_and(is_unnamed));
        if let Some(place) = unnamed.get_mut(node) {
            *place = above.saturating_add(own);
        }
    }
    for stack in &recording.samples.stack {
        let at = *stack as usize;
        if let (Some(depth), Some(none)) = (recording.stacks.depth.get(at), unnamed.get(at)) {
            recording.missing.frames += u64::from(*depth) + 1;
            recording.missing.unnamed_frames += none;
        }
    }
}
