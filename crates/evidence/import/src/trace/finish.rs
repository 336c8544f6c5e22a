//! The end of reading: everything into the order of time, addresses into names, and what follows from both.

use super::builder::Builder;
use super::methods::Naming;
use super::rawstacks::RawStacks;
use super::states::set_states;
use model::{CoverageRow, JitRow, Trace};

impl Builder {
    /// Ends the reading.
    pub(crate) fn finish(mut self, name: &str) -> Trace {
        let (contention, waits) = self.rows.unfinished();
        let mut recording = std::mem::take(&mut self.recording);
        name.clone_into(&mut recording.exhibit.file);
        for row in contention {
            recording.contention.push(row);
        }
        for row in waits {
            recording.waits.push(row);
        }
        for (code, row) in std::mem::take(&mut self.rows.loads) {
            let method = self.methods.full_name(&code, &recording.strings);
            let method = recording.strings.intern(&method);
            recording.jit.push(JitRow { method, ..row });
        }
        recording.sort_by_time();
        let mut samplers = Vec::new();
        for gc in std::mem::take(&mut self.earlier_gc).into_iter().chain([std::mem::take(&mut self.gc)]) {
            samplers.extend(gc.finish(&mut recording));
        }
        // Collections and their pauses are known only now.
        recording.sort_by_time();
        let no_methods = self.methods.is_empty();
        let mut raw = std::mem::take(&mut self.raw);
        raw.close();
        let naming = Naming::new(std::mem::take(&mut self.methods), &raw, &mut recording);
        name_stacks(naming, &raw, &mut recording);
        drop(raw);
        set_states(&mut recording);
        recording.stacks.close();
        self.threads.are_samplers(&samplers);
        self.threads.finish(&mut recording);
        self.cover(&mut recording);
        let sampled = !recording.samples.ts_ns.is_empty();
        let rundown = self.streams.iter().any(|stream| stream.rundown);
        recording.missing.no_rundown = sampled && (no_methods || !rundown);
        recording.events.decoder = Some(Box::new(std::mem::take(&mut self.decoder)));
        super::metrics::fill(&mut recording);
        recording
    }

    /// When what was recorded: each stream from its start to its last event that is no rundown.
    fn cover(&self, recording: &mut Trace) {
        let [events, samples] = ["events", "samples"].map(|source| recording.strings.intern(source));
        let mut end = 0;
        let mut are_beside = Vec::with_capacity(self.streams.len());
        for (number, stream) in self.streams.iter().enumerate() {
            end = end.max(stream.to_ns);
            let (from_ns, to_ns) = (stream.from_ns, stream.to_ns);
            // A burst beside the main session adds samples; of events, only what the main session did not see.
            let overlaps = || self.streams.iter().take(number).any(|earlier| earlier.to_ns > from_ns);
            let beside = number > 0 && stream.is_main.map_or_else(overlaps, |is_main| !is_main);
            are_beside.push(beside);
            if stream.events > 0 && !beside && to_ns > from_ns {
                recording.coverage.push(CoverageRow { source: events, from_ns, to_ns });
            }
            if stream.samples > 0 {
                recording.coverage.push(CoverageRow { source: samples, from_ns, to_ns });
            }
        }
        recording.exhibit.duration_ns = end.max(0);
        recording.count_events(&are_beside);
    }
}

/// Replaces raw nodes by rows of `stacks` in every table that has stacks.
fn name_stacks(mut naming: Naming, raw: &RawStacks, recording: &mut Trace) {
    recording.rename_stacks(|recording, stack, ns| naming.stack(stack, ns, raw, recording));
    count_unnamed(naming.unknown_frame(), recording);
}

/// Counts the frames of all samples, and those without a name.
fn count_unnamed(unknown: u32, recording: &mut Trace) {
    let mut unnamed = vec![0u64; recording.stacks.len()];
    for node in 0..unnamed.len() {
        let parent = recording.stacks.parent.get(node).map_or(usize::MAX, |parent| *parent as usize);
        let above = unnamed.get(parent).copied().unwrap_or(0);
        let own = u64::from(recording.stacks.frame.get(node) == Some(&unknown));
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
