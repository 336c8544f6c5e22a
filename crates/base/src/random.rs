//! Random numbers that a seed repeats: for schedules and for tests by permutation, not for secrets.

use crate::number::real_u64;

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitMix(pub u64);

impl SplitMix {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number above 0 and at most 1.
    pub fn unit(&mut self) -> f64 {
        (real_u64(self.number() >> 11) + 1.0) / real_u64(1 << 53)
    }

    /// A place in a list of so many, all equally likely. 0 if the list is empty.
    pub fn place(&mut self, len: usize) -> usize {
        // The upper half of the product is below `len` (Lemire, Fast Random Integer Generation in an Interval, 2019). Its bias is
        // below 2^-40 for any list that fits in memory.
        let product = u128::from(self.number()).saturating_mul(u128::from(crate::number::wide(len)));
        usize::try_from(product >> 64).unwrap_or(0)
    }

    /// Shuffles a list (Fisher and Yates).
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.place(last.saturating_add(1));
            list.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers_and_places_are_within_the_list() {
        let mut random = SplitMix(1_234_567);
        // The first numbers of the author's own program with this seed.
        assert_eq!(
            [random.number(), random.number()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
        let mut seen = [0u32; 7];
        (0..7_000).for_each(|_| seen[random.place(7)] += 1);
        assert!(seen.iter().all(|of| (850..1_150).contains(of)), "{seen:?}");
        assert_eq!((random.place(0), random.place(1)), (0, 0));
        let mut list: Vec<u32> = (0..50).collect();
        random.shuffle(&mut list);
        assert!(!list.is_sorted());
        list.sort_unstable();
        assert_eq!(list, (0..50).collect::<Vec<u32>>());
    }
}
