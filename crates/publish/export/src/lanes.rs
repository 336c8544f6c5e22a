//! Puts intervals on lanes, so that none overlaps another on the same lane.
//!
//! Viewers nest what is on one lane, and drop or misdraw what overlaps only in part. Requests, waits and collections
//! overlap in any way, so each goes to the first free lane. An interval that begins in the nanosecond in which
//! another ends needs another lane, because viewers do not agree which of the two comes first.

/// The most lanes of one kind. A viewer with more is of no use, and finding a free one takes time.
const MAX_LANES: usize = 256;

/// The lanes of one kind.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    /// When each lane is free again.
    free_from: Vec<i64>,
    /// How many intervals found no lane.
    pub(crate) left_out: u64,
}

impl Lanes {
    /// The lane for an interval, if one is free. Intervals must come in the order of their beginnings.
    pub(crate) fn place(&mut self, from: i64, to: i64) -> Option<usize> {
        let free = self.free_from.iter().position(|free| *free <= from);
        if let Some(lane) = free {
            if let Some(until) = self.free_from.get_mut(lane) {
                *until = to.max(from).saturating_add(1);
            }
            return Some(lane);
        }
        if self.free_from.len() >= MAX_LANES {
            self.left_out += 1;
            return None;
        }
        self.free_from.push(to.max(from).saturating_add(1));
        Some(self.free_from.len() - 1)
    }

    /// How many lanes there are.
    pub(crate) fn len(&self) -> usize {
        self.free_from.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_lies_on_lanes_of_its_own() {
        let mut lanes = Lanes::default();
        let placed: Vec<_> = [(0, 10), (5, 6), (7, 20), (10, 12), (11, 11), (11, 11)]
            .map(|(from, to)| lanes.place(from, to))
            .into();
        assert_eq!(placed, [Some(0), Some(1), Some(1), Some(2), Some(0), Some(3)]);
        assert_eq!(lanes.len(), 4);
    }

    #[test]
    fn lanes_have_a_limit_and_what_finds_none_is_counted() {
        let mut lanes = Lanes::default();
        let placed = (0..MAX_LANES + 3).filter_map(|_| lanes.place(0, 10)).count();
        assert_eq!((placed, lanes.left_out), (MAX_LANES, 3));
    }
}
