//! Only the last of a recording is kept: segments that begin and go, and copies of what is kept.

use super::{NAMES_PATIENCE, Recorder, TICK};
use crate::bursts;
use crate::error::Error;
use crate::file::Written;
use crate::output;
use crate::provenance;
use crate::pump::Role;
use crate::segments::Segment;
use crate::tables::monotonic_ns;
use base::time::{Deadline, Stopwatch};
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

impl Recorder<'_> {
    /// Begins a new segment; the oldest goes once what is left is enough without it.
    pub(super) fn rotate(&mut self) -> Result<(), Error> {
        let Some(keep) = self.options.keep else { return Ok(()) };
        let number = self.kept.back().map_or(1, |(last, _)| last.saturating_add(1));
        let session = self.starter.start(&self.request, self.patience())?;
        let began = monotonic_ns();
        let reader = (self.make_reader)(Role::Main);
        let name = self.names.trace(number);
        let next = Segment::begin(session, &self.folder, name.as_ref(), &self.room, reader)?;
        let last = std::mem::replace(&mut self.main, next);
        self.main_begun = Stopwatch::start();
        last.stop()?;
        self.ending.push((Stopwatch::start(), last));
        self.kept.push_back((number, began));
        self.begin_first_uses(number);
        self.take_names(number);
        self.exchange_samples(number)?;
        self.forget_before(began.saturating_sub(nanos(keep)));
        Ok(())
    }

    /// Removes what ended before a time.
    fn forget_before(&mut self, oldest_needed: i64) {
        for _ in 0..unneeded(&self.kept, oldest_needed) {
            let Some((gone, _)) = self.kept.pop_front() else { break };
            self.forget(gone);
        }
    }

    /// Removes what is older than what was to be kept, once everything has ended.
    pub(super) fn forget_at_end(&mut self) {
        if let Some(keep) = self.options.keep {
            self.forget_before(self.stopped_ns.saturating_sub(nanos(keep)));
        }
    }

    fn exchange_samples(&mut self, number: u32) -> Result<(), Error> {
        let Some(bursts) = &self.bursts else { return Ok(()) };
        let next = bursts::BurstFile::new(&self.folder, self.names.samples(number), &self.room);
        let last = std::mem::replace(&mut *bursts.file.lock().unwrap_or_else(PoisonError::into_inner), next);
        self.written.extend(last.finish()?);
        Ok(())
    }

    /// Removes a segment's files and the rows of that time.
    fn forget(&mut self, segment: u32) {
        let names = self.names;
        let gone =
            [names.trace(segment), names.samples(segment), names.names(segment), names.first_uses(segment)];
        for name in &gone {
            // A segment that had no samples has no file of them.
            drop(self.folder.remove(name));
        }
        let (gone, kept) =
            std::mem::take(&mut self.written).into_iter().partition(|file| gone.contains(&file.name));
        self.written = kept;
        self.room.give_back(packed(&gone));
        if let (Some(tables), Some((_, began))) = (&mut self.tables, self.kept.front()) {
            let (before, cut) = (tables.bytes(), tables.forget_before(*began));
            self.room.recount(before, tables.bytes());
            if let Err(error) = cut {
                self.notes.push(format!("the host's tables could not be cut: {error}"));
            }
        }
    }

    /// Copies what is kept into a folder of its own, and goes on.
    pub(super) fn copy(&mut self) {
        if let Err(error) = self.try_copy() {
            self.notes.push(format!("what is kept could not be copied: {error}"));
        }
    }

    fn try_copy(&mut self) -> Result<(), Error> {
        if self.options.keep.is_none() {
            self.notes.push("nothing was copied: copies are of what --keep keeps".to_owned());
            return Ok(());
        }
        self.rotate()?;
        let deadline = Deadline::after(NAMES_PATIENCE);
        while !self.ending.is_empty() && deadline.pause(TICK) {
            self.gather();
        }
        if !self.room.has_room_for(packed(&self.written)) {
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
        if let Some(exhibit) = &self.exhibit {
            let mut exhibit = exhibit.clone();
            provenance::end(&mut exhibit, "complete", self.cost(None), self.limits(), &self.written)?;
            exhibit.create_in(&copy)?;
        }
        self.copies.push(path);
        Ok(())
    }
}

/// How many of the first segments (number and beginning) are older than the oldest time that is needed: a segment lasts until
/// the next one begins, and the last one is always needed.
fn unneeded(kept: &VecDeque<(u32, i64)>, oldest_needed: i64) -> usize {
    kept.iter().skip(1).take_while(|(_, next)| *next <= oldest_needed).count()
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// Bytes of files on the disk.
fn packed(files: &[Written]) -> u64 {
    files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_segment_that_holds_the_oldest_needed_time_is_the_first_that_is_kept() {
        let kept = VecDeque::from([(1, 0), (2, 20), (3, 90), (4, 110)]);
        let unneeded = |oldest| unneeded(&kept, oldest);
        assert_eq!([-5, 0, 19, 20, 89, 90, 109].map(unneeded), [0, 0, 0, 1, 1, 2, 2]);
        assert_eq!([110, 111, i64::MAX].map(unneeded), [3, 3, 3], "the last one stays");
        assert_eq!(super::unneeded(&VecDeque::new(), 0), 0);
    }
}
