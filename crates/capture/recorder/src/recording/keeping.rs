//! Keeping only the end of a recording: segments that begin and are removed, and copies of what is kept.

use super::{KeptSegment, NAMES_PATIENCE, Recorder, TICK};
use crate::bursts;
use crate::error::Error;
use crate::file::Written;
use crate::output;
use crate::provenance;
use crate::pump::Role;
use crate::segments::Segment;
use crate::tables::monotonic_ns;
use base::number::saturated;
use base::time::{Deadline, Stopwatch};
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

impl Recorder<'_> {
    /// Begins a new segment, and removes the oldest ones that are no longer needed.
    pub(super) fn rotate(&mut self) -> Result<(), Error> {
        let Some(keep) = self.options.keep else { return Ok(()) };
        let number = self.kept.back().map_or(1, |last| last.number.saturating_add(1));
        let session = self.starter.start(&self.request, self.patience())?;
        let began_ns = monotonic_ns();
        let reader = (self.make_reader)(Role::Main);
        let name = self.names.trace(number);
        let next = Segment::begin(session, &self.folder, name.as_ref(), &self.budget, reader)?;
        let last = std::mem::replace(&mut self.main, next);
        self.main_begun = Stopwatch::start();
        last.stop()?;
        self.let_end(last);
        self.kept.push_back(KeptSegment { number, began_ns });
        self.begin_first_uses(number);
        self.take_names(number);
        self.exchange_samples(number)?;
        self.remove_before(began_ns.saturating_sub(nanos(keep)));
        Ok(())
    }

    /// Removes the segments that ended before a time.
    fn remove_before(&mut self, oldest_needed: i64) {
        for _ in 0..unneeded(&self.kept, oldest_needed) {
            let Some(gone) = self.kept.pop_front() else { break };
            self.remove(gone.number);
        }
    }

    /// Removes the segments that are older than what should be kept, once everything has ended.
    pub(super) fn remove_at_end(&mut self) {
        if let Some(keep) = self.options.keep {
            self.remove_before(self.stopped_ns.saturating_sub(nanos(keep)));
        }
    }

    fn exchange_samples(&mut self, number: u32) -> Result<(), Error> {
        let Some(bursts) = &self.bursts else { return Ok(()) };
        let next = bursts::BurstFile::new(&self.folder, self.names.samples(number), &self.budget);
        let last = std::mem::replace(&mut *bursts.file.lock().unwrap_or_else(PoisonError::into_inner), next);
        self.written.extend(last.finish()?);
        Ok(())
    }

    /// Removes the files of a segment, and the rows of its time.
    fn remove(&mut self, segment: u32) {
        let names = self.names;
        let gone =
            [names.trace(segment), names.samples(segment), names.names(segment), names.first_uses(segment)];
        for name in &gone {
            // The segment may not have all of them: one without bursts has no samples.
            drop(self.folder.remove(name));
        }
        let (gone, kept) =
            std::mem::take(&mut self.written).into_iter().partition(|file| gone.contains(&file.name));
        self.written = kept;
        self.budget.give_back(bytes_of(&gone));
        if let (Some(tables), Some(first)) = (&mut self.tables, self.kept.front()) {
            let (before, cut) = (tables.bytes(), tables.forget_before(first.began_ns));
            self.budget.recount(before, tables.bytes());
            if let Err(error) = cut {
                self.notes.push(format!("the host's tables could not be cut: {error}"));
            }
        }
    }

    /// Copies what is kept to a folder of its own. The recording goes on.
    pub(super) fn copy(&mut self) {
        if let Err(error) = self.try_copy() {
            self.notes.push(format!("what is kept could not be copied: {error}"));
        }
    }

    fn try_copy(&mut self) -> Result<(), Error> {
        if self.options.keep.is_none() {
            self.notes.push("nothing was copied: only a recording with --keep can be copied".to_owned());
            return Ok(());
        }
        // A new segment begins, so that all segments to copy are complete once they have ended.
        self.rotate()?;
        let deadline = Deadline::after(NAMES_PATIENCE);
        while !self.ending.is_empty() && deadline.pause(TICK) {
            self.gather();
        }
        if !self.budget.has_room_for(bytes_of(&self.written)) {
            self.notes.push("nothing was copied: the disk has no room for a copy".to_owned());
            return Ok(());
        }
        let (path, copy) = output::create_beside(&self.options.out, self.options.rules)?;
        for file in &self.written {
            self.folder.copy_file(&file.name, &copy)?;
        }
        for name in self.table_names() {
            self.folder.copy_file(name, &copy)?;
        }
        if let Some(manifest) = &self.manifest {
            let mut manifest = manifest.clone();
            provenance::end(&mut manifest, "complete", self.cost(None), self.limits(), &self.written)?;
            manifest.create_in(&copy)?;
        }
        self.copies.push(path);
        Ok(())
    }
}

/// How many segments, from the first on, ended before the oldest time that is needed. A segment ends when the next one begins,
/// so the last one is always needed.
fn unneeded(kept: &VecDeque<KeptSegment>, oldest_needed: i64) -> usize {
    kept.iter().skip(1).take_while(|next| next.began_ns <= oldest_needed).count()
}

/// A time that does not fit is longer than any recording.
fn nanos(time: Duration) -> i64 {
    saturated(time.as_nanos())
}

/// The size of files on the disk.
fn bytes_of(files: &[Written]) -> u64 {
    files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_segment_that_holds_the_oldest_needed_time_is_the_first_that_is_kept() {
        let kept = |(number, began_ns)| KeptSegment { number, began_ns };
        let kept: VecDeque<KeptSegment> = [(1, 0), (2, 20), (3, 90), (4, 110)].map(kept).into();
        let unneeded = |oldest| unneeded(&kept, oldest);
        assert_eq!([-5, 0, 19, 20, 89, 90, 109].map(unneeded), [0, 0, 0, 1, 1, 2, 2]);
        assert_eq!([110, 111, i64::MAX].map(unneeded), [3, 3, 3], "the last one stays");
        assert_eq!(super::unneeded(&VecDeque::new(), 0), 0);
    }
}
