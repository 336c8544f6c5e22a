//! What the earlier streams of a recording held: the time that they cover for each kind of event, and their sessions.
//!
//! Two sessions of one process may send the same event, and a copy of a session sends all of it again. Both are looked up
//! by key, so that a stream costs no more in a recording of many streams than in one of few.

use super::budget::{MAP, of};
use base::seeded::SeededMap;
use model::Sym;
use nettrace::StreamHeader;
use std::collections::BTreeMap;

/// A process, as streams identify it: whether it is the main session's, and its number.
pub(crate) type ProcessKey = (bool, Option<u64>);

/// A kind of event as streams share it: provider and number.
pub(crate) type KindKey = (Sym, i64);

/// What a copy of a session shares with it: its header and its first event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey {
    pub(crate) header: StreamHeader,
    pub(crate) ticks: i64,
    pub(crate) thread: u64,
    pub(crate) event_id: u32,
    pub(crate) payload: Vec<u8>,
}

/// What the streams that have ended held.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    times: SeededMap<(ProcessKey, KindKey), Ranges>,
    /// The last tick of each session that has ended.
    sessions: SeededMap<SessionKey, i64>,
    /// Bytes of their first events.
    payloads: usize,
    /// How many ranges were added to `times`.
    ranges: usize,
}

impl Earlier {
    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        let sessions = of(self.sessions.len(), MAP * size_of::<(SessionKey, i64)>());
        of(self.times.len(), MAP * 64)
            .saturating_add(of(self.ranges, 32))
            .saturating_add(sessions)
            .saturating_add(self.payloads)
    }

    /// Notes a stream that has ended: the kinds that it sends, and the time that it covers.
    pub(crate) fn covered(
        &mut self,
        process: ProcessKey,
        kinds: impl IntoIterator<Item = KindKey>,
        from_ns: i64,
        to_ns: i64,
    ) {
        for kind in kinds {
            self.ranges = self.ranges.saturating_add(1);
            self.times.entry((process, kind)).or_default().add(from_ns, to_ns);
        }
    }

    /// Whether a stream that has ended covers this time, is of this process, and sends events of this kind.
    pub(crate) fn has(&self, process: ProcessKey, kind: KindKey, ns: i64) -> bool {
        self.times.get(&(process, kind)).is_some_and(|ranges| ranges.has(ns))
    }

    /// Notes the last tick of a session.
    pub(crate) fn ended(&mut self, session: SessionKey, last_ticks: i64) {
        self.payloads = self.payloads.saturating_add(session.payload.len());
        let until = self.sessions.entry(session).or_insert(last_ticks);
        *until = last_ticks.max(*until);
    }

    /// The last tick of the streams of this session that have ended; `None` if it is new.
    pub(crate) fn until(&self, session: &SessionKey) -> Option<i64> {
        self.sessions.get(session).copied()
    }
}

/// Times, as ranges that do not touch: their first instants with their last ones.
#[derive(Debug, Default)]
struct Ranges(BTreeMap<i64, i64>);

impl Ranges {
    fn add(&mut self, from: i64, to: i64) {
        if to < from {
            return;
        }
        let (mut from, mut to) = (from, to);
        // Each range that is swallowed is gone for good, so the work is by the ranges that were added.
        while let Some((start, end)) = self.0.range(..=to).next_back().map(|(start, end)| (*start, *end))
            && end >= from
        {
            (from, to) = (from.min(start), to.max(end));
            self.0.remove(&start);
        }
        self.0.insert(from, to);
    }

    fn has(&self, at: i64) -> bool {
        self.0.range(..=at).next_back().is_some_and(|(_, end)| *end >= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_overlap_become_one() {
        let mut ranges = Ranges::default();
        for (from, to) in [(10, 20), (40, 50), (30, 35), (15, 32), (60, 55), (36, 36)] {
            ranges.add(from, to);
        }
        assert_eq!(ranges.0.into_iter().collect::<Vec<_>>(), [(10, 35), (36, 36), (40, 50)]);
    }

    #[test]
    fn what_a_stream_covers_of_one_process_or_kind_it_does_not_cover_of_another() {
        let mut earlier = Earlier::default();
        earlier.covered((true, Some(1)), [(Sym(3), 10)], 5, 9);
        assert!(earlier.has((true, Some(1)), (Sym(3), 10), 9));
        assert!(!earlier.has((true, Some(1)), (Sym(3), 10), 10));
        assert!(!earlier.has((true, Some(1)), (Sym(3), 11), 9));
        assert!(!earlier.has((false, Some(1)), (Sym(3), 10), 9));
    }
}
