//! The end of reading: everything into the order of time, addresses into names, and what follows from both.

use super::builder::Builder;
use super::memory::{self, Memory};
use super::methods::{Methods, Naming};
use super::processes::OfProcess;
use super::rawstacks::{MOST_FRAMES, RawStacks};
use super::states::set_states;
use model::{CoverageRow, EarlyEnd, JitRow, LimitKind, Sym, Trace};

/// Files that are named with the place where they end early: the main session and those beside it are fewer.
const MOST_EARLY_ENDS: usize = 20;

impl Builder {
    /// Ends the reading.
    pub(crate) fn finish(mut self, name: &str) -> Trace {
        self.count_work(self.work);
        let (contention, waits) = self.rows.unfinished();
        let mut recording = std::mem::take(&mut self.recording);
        name.clone_into(&mut recording.exhibit.file);
        for row in contention {
            recording.contention.push(row);
        }
        for row in waits {
            recording.waits.push(row);
        }
        self.enter(0);
        let others = self.processes.take_others();
        let first = OfProcess {
            methods: std::mem::take(&mut self.methods),
            gc: std::mem::take(&mut self.gc),
            loads: std::mem::take(&mut self.rows.loads),
        };
        let mut methods = Vec::new();
        let mut gcs = std::mem::take(&mut self.earlier_gc);
        // The first one's place among the others is empty: its state was here.
        for of in std::iter::once(first).chain(others.into_iter().skip(1)) {
            for (code, row) in of.loads {
                let method = of.methods.full_name(&code, &recording.strings);
                let method = recording.strings.intern(&method);
                recording.jit.push(JitRow { method, ..row });
            }
            methods.push(of.methods);
            gcs.push(of.gc);
        }
        recording.sort_by_time();
        let mut samplers = Vec::new();
        for gc in gcs {
            samplers.extend(gc.finish(&mut recording));
        }
        // Collections and their pauses are known only now.
        recording.sort_by_time();
        let no_methods = methods.iter().all(Methods::is_empty);
        let mut raw = std::mem::take(&mut self.raw);
        raw.close();
        if raw.cut > 0 {
            let limit = recording.missing.limits.of(LimitKind::LongStacks);
            (limit.count, limit.limit) = (raw.cut, u64::try_from(MOST_FRAMES).ok());
        }
        let spaces = std::mem::take(&mut self.spaces);
        let (cpu_samples, has_symbols) = (spaces.cpu_samples, spaces.has_symbols());
        let memory = Memory::new(spaces, &self.processes, &mut recording);
        let naming = Naming::new(methods, memory, &raw, &mut recording);
        name_stacks(naming, &raw, cpu_samples, &mut recording);
        drop(raw);
        set_states(&mut recording);
        let rate = self.main.as_ref().and_then(|header| header.sampling_rate);
        recording.session.sampler = memory::sampler(&recording, cpu_samples, rate);
        recording.stacks.close();
        super::cut::find(&mut recording);
        self.limit_series(&mut recording);
        self.threads.are_samplers(&samplers);
        for (stream, process) in self.streams.iter().map(|stream| (stream, stream.process)) {
            if let Some(process) = process.and_then(|id| self.processes.find(id.cast_signed())) {
                let span = [stream.from_ns, stream.to_ns];
                self.processes.add_stream(process, span, [stream.events, stream.samples]);
            }
        }
        self.processes.fill(&mut recording);
        self.threads.finish(&mut recording);
        self.cover(&mut recording);
        let sampled = !recording.samples.ts_ns.is_empty();
        let needs_rundown = sampled && !has_symbols;
        let mut rundowns = self.streams.iter().filter(|stream| stream.has_rundown()).peekable();
        let rundown = rundowns.peek().is_some();
        recording.missing.rundown_cut = needs_rundown && rundown && rundowns.all(|stream| stream.is_cut);
        recording.missing.no_rundown = needs_rundown && (no_methods || !rundown);
        recording.events.decoder = Some(Box::new(std::mem::take(&mut self.decoder)));
        super::metrics::fill(&mut recording);
        recording
    }

    /// Notes that a file ends within its last stream.
    pub(crate) fn note_early_end(&mut self, offset: u64, file: &str) {
        let is_first = self.origins.streams == 0;
        let Some(stream) = self.streams.get_mut(self.origins.streams..).and_then(<[_]>::last_mut) else {
            return;
        };
        stream.is_cut = true;
        let ends = &mut self.recording.missing.early_ends;
        if ends.len() < MOST_EARLY_ENDS {
            ends.push(EarlyEnd {
                file: file.to_owned(),
                is_main: stream.is_main.unwrap_or(true) || is_first,
                at_ns: stream.to_ns,
                offset,
                in_names: stream.rundown_ns > stream.to_ns,
            });
        }
    }

    /// When what was recorded: each stream from its start to its last event that is no rundown.
    fn cover(&self, recording: &mut Trace) {
        let [events, samples] = ["events", "samples"].map(|source| recording.strings.intern(source));
        let mut end = i64::MIN;
        let mut are_beside = Vec::with_capacity(self.streams.len());
        for (number, stream) in self.streams.iter().enumerate() {
            let (from_ns, to_ns) = (stream.from_ns, stream.to_ns);
            // A burst beside the main session adds samples; of events, only what the main session did not see.
            let beside = number > 0 && stream.is_main.map_or(end > from_ns, |is_main| !is_main);
            are_beside.push(beside);
            end = end.max(to_ns);
            if stream.events > 0 && !beside && to_ns > from_ns {
                recording.coverage.push(CoverageRow { source: events, from_ns, to_ns });
            }
            if stream.samples > 0 || stream.sampled {
                recording.coverage.push(CoverageRow { source: samples, from_ns, to_ns });
            }
        }
        recording.exhibit.duration_ns = end.max(0);
        recording.count_events(&are_beside);
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
