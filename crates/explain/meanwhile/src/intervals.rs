//! Sets of intervals: how much of a time they cover, and what overlap chance alone would make.

use base::number::{count, real};

/// Intervals that do not touch, in order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Intervals {
    /// From and to, in nanoseconds; half-open.
    of: Vec<(i64, i64)>,
    /// How long all before each interval are, so that covered time is a difference of two looks.
    before: Vec<i64>,
}

impl Intervals {
    /// Those intervals as a set: joined where they touch. Empty and reversed ones are left out.
    pub(crate) fn of(intervals: impl Iterator<Item = (i64, i64)>) -> Self {
        let mut sorted: Vec<(i64, i64)> = intervals.filter(|(from, to)| from < to).collect();
        sorted.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::with_capacity(sorted.len());
        for (from, to) in sorted {
            match joined.last_mut().filter(|last| from <= last.1) {
                Some(last) => last.1 = last.1.max(to),
                None => joined.push((from, to)),
            }
        }
        let mut sum = 0i64;
        let before = joined.iter().map(|(from, to)| {
            let so_far = sum;
            sum = sum.saturating_add(to.saturating_sub(*from));
            so_far
        });
        Self { before: before.collect(), of: joined }
    }

    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// How much is covered before a time.
    fn until(&self, at: i64) -> i64 {
        let after = self.of.partition_point(|(from, _)| *from < at);
        let last = after.checked_sub(1).and_then(|last| Some((self.of.get(last)?, self.before.get(last)?)));
        last.map_or(0, |((from, to), before)| before.saturating_add(at.min(*to).saturating_sub(*from)))
    }

    /// How much of a time is covered, in nanoseconds.
    pub(crate) fn covered(&self, from: i64, to: i64) -> i64 {
        if from < to { self.until(to).saturating_sub(self.until(from)) } else { 0 }
    }

    /// The covered share of a time, from 0 to 1.
    pub(crate) fn share(&self, from: i64, to: i64) -> f64 {
        real(self.covered(from, to)) / real(to.saturating_sub(from).max(1))
    }

    /// Whether any of them overlaps a time.
    pub(crate) fn touches(&self, from: i64, to: i64) -> bool {
        let next = self.of.partition_point(|(_, end)| *end <= from);
        from < to && self.of.get(next).is_some_and(|(begin, _)| *begin < to)
    }

    /// How likely it is that something of this length overlaps them, if it starts at any time and ends before `to`. 1 if it does not fit.
    ///
    /// It overlaps an interval if it starts no earlier than its own length before the interval, and before the interval's end:
    ///
    /// ```text
    ///       ├──length──┤├─interval─┤
    ///       starts here … to … here
    /// ```
    pub(crate) fn by_chance(&self, length: i64, from: i64, to: i64) -> f64 {
        let last_begin = to.saturating_sub(length);
        if last_begin <= from {
            return 1.0;
        }
        let wider = self.of.iter().map(|(begin, end)| (begin.saturating_sub(length), *end));
        Self::of(wider).share(from, last_begin)
    }
}

/// How likely it is that at least `found` of `drawn` are marked by chance, if `marked` of `all` are (the upper tail of the
/// hypergeometric distribution, as in Fisher's exact test).
pub(crate) fn at_least_by_chance(found: usize, drawn: usize, marked: usize, all: usize) -> f64 {
    let most = drawn.min(marked);
    if found > most {
        return 0.0;
    }
    // The logarithm of the factorial of each number up to all, so that a term costs nothing but looks.
    let mut sum = 0.0;
    let factorials = (0..=all).map(|number| {
        sum += count(number.max(1)).ln();
        sum
    });
    let factorials: Vec<f64> = factorials.collect();
    let factorial = |of: usize| factorials.get(of).copied().unwrap_or(f64::INFINITY);
    let choose =
        |of: usize, some: usize| factorial(of) - factorial(some) - factorial(of.saturating_sub(some));
    let ways = choose(all, drawn);
    let unmarked = all.saturating_sub(marked);
    let one = |number: usize| {
        // So many unmarked ones are drawn, of those that there are.
        let rest = drawn.saturating_sub(number);
        if rest > unmarked { 0.0 } else { (choose(marked, number) + choose(unmarked, rest) - ways).exp() }
    };
    (found..=most).map(one).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(of: &[(i64, i64)]) -> Intervals {
        Intervals::of(of.iter().copied())
    }

    #[test]
    fn overlapping_intervals_count_once() {
        let of = set(&[(30, 40), (0, 10), (5, 20), (20, 25), (7, 7), (9, 3)]);
        assert_eq!(of, set(&[(0, 25), (30, 40)]));
        let check = |from, to, covered, touches| {
            assert_eq!((of.covered(from, to), of.touches(from, to)), (covered, touches), "{from} {to}");
        };
        check(-10, 100, 35, true);
        check(25, 30, 0, false);
        check(24, 31, 2, true);
        check(10, 10, 0, false);
        check(40, 50, 0, false);
        check(i64::MIN, i64::MAX, 35, true);
        assert!((of.share(20, 40) - 0.75).abs() < 1e-12);
    }

    #[test]
    fn a_request_meets_a_pause_by_chance_as_often_as_lengths_say() {
        // A pause of 10 in every 100: a request of 20 meets it if it begins in the 20 before or the 10 during it.
        let pauses = Intervals::of((0..10).map(|at| (at * 100 + 50, at * 100 + 60)));
        let check = |length, expected: f64| {
            let found = pauses.by_chance(length, 0, 1_000 + length);
            assert!((found - expected).abs() < 1e-9, "{length}: {found}");
        };
        check(0, 0.1);
        check(20, 0.3);
        check(90, 0.96);
        assert_eq!((pauses.by_chance(500, 0, 400), set(&[]).by_chance(5, 0, 100)), (1.0, 0.0));
    }

    #[test]
    fn the_tail_is_that_of_drawing_without_putting_back() {
        let check = |[found, drawn, marked, all]: [usize; 4], expected: f64| {
            let p = at_least_by_chance(found, drawn, marked, all);
            assert!((p - expected).abs() < 1e-9, "{p} {expected}");
        };
        // Two of two, of three marked among six: 3/6 × 2/5.
        check([2, 2, 3, 6], 0.2);
        check([0, 2, 3, 6], 1.0);
        check([1, 2, 3, 6], 0.8);
        check([3, 2, 3, 6], 0.0);
        // All are marked: nothing else is possible.
        check([4, 4, 9, 9], 1.0);
        check([0, 0, 0, 0], 1.0);
        // A day of seconds is no more work than it has seconds.
        check([30_000, 30_000, 30_000, 86_400], 0.0);
    }
}
