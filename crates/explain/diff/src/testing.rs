//! What tests of several files need.

use crate::tally::Tally;

/// A tally of pieces of one second each, with enough rows to be judged.
pub(crate) fn tally(amounts: &[f64]) -> Tally {
    let mut tally = Tally::of_base(&vec![1.0; amounts.len()], &vec![false; amounts.len()]);
    tally.amount = amounts.to_vec();
    tally.rows = 1_000;
    tally
}

/// Numbers from 0 to 1 that look like chance, the same for each seed (Knuth's MMIX generator).
pub(crate) fn chance(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1u32 << 31)
    }
}
