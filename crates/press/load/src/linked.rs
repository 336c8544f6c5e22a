//! Numbers of connections in the order in which they were added: of busy ones the first expires first, since all have the same
//! time-out; of idle ones the first was free first.

/// A list of numbers below a limit, in the order in which they were added. Adding and removing take constant time.
#[derive(Debug)]
pub(crate) struct LinkedNumbers {
    /// The number before and the one after each; the last place is both ends. A number that is not in the list is its own neighbour.
    links: Vec<(u32, u32)>,
}

impl LinkedNumbers {
    /// An empty list for numbers below `limit`.
    pub(crate) fn new(limit: u32) -> Self {
        Self { links: (0..=limit).map(|at| (at, at)).collect() }
    }

    fn ends(&self) -> u32 {
        u32::try_from(self.links.len() - 1).unwrap_or(u32::MAX)
    }

    /// The number that was added first.
    #[inline]
    pub(crate) fn first(&self) -> Option<u32> {
        let ends = self.ends();
        self.links.last().map(|(_, first)| *first).filter(|first| *first != ends)
    }

    /// Adds a number at the end.
    #[inline]
    pub(crate) fn push(&mut self, number: u32) {
        self.remove(number);
        let ends = self.ends();
        let last = self.link(ends).0;
        self.set(number, (last, ends));
        let before = self.link(last).0;
        self.set(last, (before, number));
        let after = self.link(ends).1;
        self.set(ends, (number, if last == ends { number } else { after }));
    }

    /// Removes a number, if it is there.
    #[inline]
    pub(crate) fn remove(&mut self, number: u32) {
        let (before, after) = self.link(number);
        if before == number && after == number {
            return;
        }
        let (first, _) = self.link(before);
        self.set(before, (first, after));
        let (_, last) = self.link(after);
        self.set(after, (before, last));
        self.set(number, (number, number));
    }

    fn link(&self, at: u32) -> (u32, u32) {
        self.links.get(at as usize).copied().unwrap_or((at, at))
    }

    fn set(&mut self, at: u32, link: (u32, u32)) {
        if let Some(place) = self.links.get_mut(at as usize) {
            *place = link;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_queue_from_whose_middle_numbers_can_be_taken(steps in prop::collection::vec((any::<bool>(), 0..6u32), 0..60)) {
            let (mut list, mut expected) = (LinkedNumbers::new(6), Vec::new());
            for (adds, number) in steps {
                expected.retain(|of| *of != number);
                if adds {
                    list.push(number);
                    expected.push(number);
                } else {
                    list.remove(number);
                }
                prop_assert_eq!(list.first(), expected.first().copied());
            }
            while let Some(first) = list.first() {
                prop_assert_eq!(first, expected.remove(0));
                list.remove(first);
            }
            prop_assert!(expected.is_empty());
        }
    }
}
