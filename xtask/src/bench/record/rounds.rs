//! Rounds of measurements: the folder that they record into, their order, and the spread of their figures.

use crate::bench::figures::median;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use cargo_metadata::camino::Utf8PathBuf;
use std::fmt;

/// A folder for what is recorded, empty at first and gone at the end.
#[derive(Debug)]
pub(super) struct Scratch(pub(super) Utf8PathBuf);

impl Scratch {
    pub(super) fn make(workspace: &Workspace) -> Result<Self> {
        let folder = Self(workspace.target.join("bench/record"));
        folder.remove()?;
        std::fs::create_dir_all(&folder.0).with_context(|| format!("cannot make {}", folder.0))?;
        Ok(folder)
    }

    fn remove(&self) -> Result<()> {
        // What an interrupted run left goes too.
        if self.0.exists() {
            std::fs::remove_dir_all(&self.0).with_context(|| format!("cannot remove {}", self.0))?;
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next run removes what could not be removed now.
        drop(self.remove());
    }
}

/// A row of numbers that a seed decides (SplitMix64).
#[derive(Debug)]
pub(super) struct Seeded(pub(super) u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let at = self.next() % (last as u64 + 1);
            items.swap(last, usize::try_from(at).unwrap_or(last));
        }
    }
}

/// The middle of some figures, the least and the most, as `0.95 (0.93–0.97)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    pub(super) fn of(figures: impl Iterator<Item = f64>) -> Self {
        let figures: Vec<f64> = figures.collect();
        let least = figures.iter().copied().reduce(f64::min).unwrap_or(f64::NAN);
        let most = figures.iter().copied().reduce(f64::max).unwrap_or(f64::NAN);
        Self { median: median(figures), least, most }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.3} ({:.3}–{:.3})", self.median, self.least, self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::{Seeded, Spread};

    #[test]
    fn a_seed_gives_the_same_order_each_time_and_loses_nothing() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..20).collect();
            Seeded(seed).shuffle(&mut items);
            items
        };
        let mut sorted = shuffled(1);
        assert_eq!(sorted, shuffled(1));
        assert_ne!(sorted, shuffled(2));
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_spread_is_padded_as_a_whole() {
        let spread = Spread::of([3.0, 1.0, 2.0].into_iter());
        assert_eq!(format!("{spread:>22}"), "   2.000 (1.000–3.000)");
    }
}
