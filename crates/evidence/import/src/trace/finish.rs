//! The end of reading: everything into the order of time, addresses into names, and what follows from both.

use super::byprocess::ByProcess;
use super::code::Methods;
use super::counters::CounterRows;
use super::kinds::PayloadDecoder;
use super::memory::{self, Memory};
use super::naming::Naming;
use super::pairs::Pairs;
use super::processes::Processes;
use super::rawrows::RawRows;
use super::rawstacks::{MAX_FRAMES, RawStacks};
use super::states::set_states;
use super::streams::{Rundown, Streams};
use super::threads::ThreadFacts;
use super::universal::Spaces;
use model::{ByStack, LimitKind, Sym, Trace};

/// What was kept beside the tables until the end.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) streams: Streams,
    pub(crate) processes: Processes,
    pub(crate) by_process: ByProcess,
    pub(crate) raw: RawStacks,
    pub(crate) rows: RawRows,
    pub(crate) spaces: Spaces,
    pub(crate) threads: ThreadFacts,
    pub(crate) pairs: Pairs,
    pub(crate) counters: CounterRows,
    pub(crate) decoder: PayloadDecoder,
}

impl Parts {
    /// Completes the recording.
    pub(crate) fn finish(self, mut recording: Trace) -> Trace {
        let Self {
            streams, mut processes, by_process, mut raw, mut rows, spaces, mut threads, pairs, ..
        } = self;
        pairs.finish(&mut rows.contention, &mut rows.waits);
        let (of_processes, mut gcs) = by_process.into_all();
        let mut methods = Vec::new();
        for of in of_processes {
            of.loads.finish(&of.methods, &mut recording.strings, &mut rows.jit);
            methods.push(of.methods);
            gcs.push(of.gc);
        }
        recording.sort_by_time();
        rows.sort_by_time();
        // Which thread is the sampler shows in its pauses, by the samples within them.
        let mut samplers = Vec::new();
        for gc in gcs {
            samplers.extend(gc.finish(&mut recording, &mut rows));
        }
        // Collections and their pauses are known only now.
        recording.sort_by_time();
        rows.sort_by_time();

        let no_methods = methods.iter().all(Methods::is_empty);
        raw.close();
        if raw.cut > 0 {
            let limit = recording.missing.limits.of(LimitKind::LongStacks);
            (limit.count, limit.limit) = (raw.cut, u64::try_from(MAX_FRAMES).ok());
        }
        let (cpu_samples, has_symbols) = (spaces.cpu_samples, spaces.has_symbols());
        let memory = Memory::new(spaces, &processes, &mut recording);
        let naming = Naming::new(methods, memory, &raw, &mut recording);
        name_stacks(naming, rows, &raw, cpu_samples, &mut recording);
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

/// Moves the rows with stacks into the recording, where they refer to rows of `stacks`.
fn name_stacks(mut naming: Naming, rows: RawRows, raw: &RawStacks, cpu_samples: u64, recording: &mut Trace) {
    rows.name_stacks(recording, |recording, stack, ns| naming.stack(stack, ns, raw, recording));
    if cpu_samples > 0 {
        memory::set_kinds(recording, naming.unknown_frame());
    }
    count_unnamed(recording);
}

/// Counts the frames of all samples, and those without a name.
fn count_unnamed(recording: &mut Trace) {
    let Trace { stacks, frames, .. } = recording;
    let mut unnamed: ByStack<u64> = ByStack::default();
    for (parent, frame) in stacks.parent.iter().zip(&stacks.frame) {
        let above = parent.and_then(|parent| unnamed.get(parent)).copied();
        let own = u64::from(frames.method.get(*frame) == Some(&Sym::NONE));
        unnamed.push(above.map_or(own, |above| above.saturating_add(own)));
    }
    for stack in recording.samples.stack.iter().flatten() {
        if let (Some(depth), Some(none)) = (stacks.depth.get(*stack), unnamed.get(*stack)) {
            recording.missing.frames += u64::from(*depth) + 1;
            recording.missing.unnamed_frames += none;
        }
    }
}
