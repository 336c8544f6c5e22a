//! Ranges of addresses that may overlap, and which of them an address is in.

/// How many ranges one address may be in; if it is in more, none is returned. Memory has a few layers over time.
const MAX_LAYERS: usize = 64;

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AddressRange<T> {
    pub(crate) first: u64,
    /// The last address that is in it.
    pub(crate) last: u64,
    /// What the range is of.
    pub(crate) of: T,
}

/// Ranges, sorted by their start.
///
/// `reach` is a tree over them, as an array: a node has the furthest end of the ranges below it, so that those that end
/// before an address are passed over together, and each answer takes few steps whatever the ranges are.
#[derive(Debug)]
pub(crate) struct Ranges<T> {
    sorted: Vec<AddressRange<T>>,
    reach: Vec<u64>,
    /// The first leaf in `reach`.
    leaves: usize,
}

impl<T: Copy + Ord> Ranges<T> {
    pub(crate) fn new(mut ranges: Vec<AddressRange<T>>) -> Self {
        ranges.sort_unstable();
        let leaves = ranges.len().next_power_of_two();
        let mut reach = vec![0; leaves.saturating_mul(2)];
        for (at, range) in ranges.iter().enumerate() {
            if let Some(place) = reach.get_mut(leaves.saturating_add(at)) {
                *place = range.last;
            }
        }
        for at in (1..leaves).rev() {
            // A node without a child has nothing that reaches any address.
            let [left, right] = [2 * at, 2 * at + 1].map(|child| reach.get(child).copied().unwrap_or(0));
            if let Some(place) = reach.get_mut(at) {
                *place = left.max(right);
            }
        }
        Self { sorted: ranges, reach, leaves }
    }

    /// What the ranges are of that an address is in, in the order of their starts.
    pub(crate) fn at(&self, address: u64) -> Vec<T> {
        let behind = self.sorted.partition_point(|range| range.first <= address);
        let mut found = Vec::new();
        // Nodes to look at, each with its first leaf and how many it has.
        let mut open = vec![(1usize, 0usize, self.leaves)];
        while let Some((node, first, len)) = open.pop() {
            if first >= behind || self.reach.get(node).is_none_or(|reach| *reach < address) {
                continue;
            }
            if len > 1 {
                let half = len / 2;
                open.push((2 * node + 1, first.saturating_add(half), half));
                open.push((2 * node, first, half));
                continue;
            }
            found.extend(self.sorted.get(first).map(|range| range.of));
            if found.len() > MAX_LAYERS {
                return Vec::new();
            }
        }
        found
    }

    /// What the ranges are of that share an address with another one.
    pub(crate) fn overlapping(&self) -> impl Iterator<Item = T> + '_ {
        let mut end = None;
        let before = self.sorted.iter().map(move |range| {
            let overlaps = end.is_some_and(|end| range.first <= end);
            end = end.max(Some(range.last));
            overlaps
        });
        let after = self.sorted.iter().zip(self.sorted.iter().skip(1).map(Some).chain([None]));
        let after = after.map(|(range, next)| next.is_some_and(|next| next.first <= range.last));
        let flags = before.zip(after).map(|(before, after)| before || after);
        self.sorted.iter().zip(flags).filter(|(_, overlaps)| *overlaps).map(|(range, _)| range.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_that_an_address_is_in_is_found_and_no_other() {
        let list = [(10, 100, 0), (20, 30, 1), (25, 26, 2), (90, 90, 3), (200, u64::MAX, 4)];
        let list = list.map(|(first, last, of)| AddressRange { first, last, of });
        let ranges = Ranges::new(list.to_vec());
        for address in (0..300).chain([u64::MAX]) {
            let all = list.iter().filter(|range| (range.first..=range.last).contains(&address));
            assert_eq!(ranges.at(address), all.map(|range| range.of).collect::<Vec<_>>(), "{address}");
        }
        assert_eq!(ranges.overlapping().collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(Ranges::<u8>::new(Vec::new()).at(5).is_empty());
    }

    #[test]
    fn an_address_in_any_number_of_ranges_is_answered_at_once() {
        let range = |at: u32| AddressRange { first: u64::from(at), last: 1 << 40, of: at };
        let ranges = Ranges::new((0..100_000u32).map(range).collect());
        assert_eq!(ranges.at(10), (0..=10).collect::<Vec<_>>());
        assert!((0..100_000).all(|address| ranges.at(200_000 + address).is_empty()));
    }
}
