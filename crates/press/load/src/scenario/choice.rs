//! Random choices that only depend on the seed and on what they are for: any number of threads makes the same ones.

use base::random::SplitMix;

/// A number whose bits all depend on all bits of the other.
pub(super) fn mix(number: u64) -> u64 {
    SplitMix(number).number()
}

/// A random number for these: the seed, the number of the arrival, and which of its choices it is.
pub(super) fn random(seed: u64, arrival: u64, choice: u64) -> u64 {
    mix(mix(mix(seed) ^ arrival) ^ choice)
}

/// A random number below another one. 0 below 0.
pub(super) fn below(random: u64, bound: u64) -> u64 {
    let scaled = u128::from(random) * u128::from(bound);
    u64::try_from(scaled >> 64).unwrap_or(0)
}

/// Which of several things is chosen. `sums` are their weights, each with all before it.
pub(super) fn weighted(random: u64, sums: &[u64]) -> usize {
    let at = below(random, sums.last().copied().unwrap_or(0));
    sums.partition_point(|sum| *sum <= at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_chosen_as_often_as_its_weight_says() {
        let mut counts = [0u32; 4];
        for arrival in 0..60_000 {
            counts[weighted(random(1, arrival, 0), &[1, 1, 4, 6])] += 1;
        }
        // Six standard deviations of a binomial count are below 750.
        for (count, expected) in counts.into_iter().zip([10_000u32, 0, 30_000, 20_000]) {
            assert!(count.abs_diff(expected) < 750, "{counts:?}");
        }
        assert_eq!(counts[1], 0);
    }
}
