//! Times at which a series changed for good, though its values depend on each other and have a long tail.
//!
//! A change is where the mean rank of the values before differs most from the mean rank of those after: the rank test of A. Pettitt
//! (A Non-Parametric Approach to the Change-Point Problem, Applied Statistics 28, 1979), with each place weighted by its standard
//! deviation, so that a change near an end is found too. Ranks make single large values harmless.
//!
//! Whether it is chance is decided by permutations of what is left once the supposed change is subtracted: does a series in that order
//! have a place that explains as much of its variation? Neighbouring values of a real series are alike, so blocks of neighbours are
//! shuffled, not single values (C. Kirch, Block Permutation Principles for the Change Analysis of Dependent Data, Journal of
//! Statistical Planning and Inference 137, 2007). How long a block is depends on how far the values are alike; in a series that repeats
//! itself it is a period. Further changes are looked for on both sides of one that was found.
//!
//! The permutations have a fixed seed: the same series has the same changes.

use super::{Share, select};
use crate::number::count;
use crate::random::SplitMix;

/// Fewer values are not tested.
pub const MIN_VALUES: usize = 30;
/// Values between two changes, at least: what lasts less has not changed for good.
const MIN_PART: usize = 5;
/// The number of permutations.
const PERMUTATIONS: u32 = 999;
/// There are at least so many blocks: fewer have too few permutations to decide anything.
const MIN_BLOCKS: usize = 10;
/// The seed of the permutations.
const SEED: u64 = 0x5eed;

/// A change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The place of the first value after it.
    pub at: usize,
    /// The median of the values before it, from the change before this one on.
    pub before: f64,
    /// The median of the values after it, up to the next change.
    pub after: f64,
}

/// The changes of a series, in order of time. `chance` is the share of series without a change in which one may be found. A change whose
/// medians differ by less than the factor `least` is left out: it may be certain, but it is of no importance. Values must be
/// positive. `None` if there are fewer than [`MIN_VALUES`].
pub fn changes(values: &[f64], chance: f64, least: f64) -> Option<Vec<Change>> {
    if values.len() < MIN_VALUES {
        return None;
    }
    let mut places = Vec::new();
    // Parts that may have a change: from where, and up to where.
    let mut parts = vec![(0, values.len())];
    while let Some((from, to)) = parts.pop() {
        let Some(of) = values.get(from..to) else { continue };
        if let Some(at) = change(of, chance).filter(|at| differs(of, *at, least)) {
            let at = from.saturating_add(at);
            places.push(at);
            parts.extend([(from, at), (at, to)]);
        }
    }
    places.sort_unstable();
    Some(described(values, places, least))
}

/// The changes at these places. Those between parts whose medians hardly differ are left out.
fn described(values: &[f64], mut places: Vec<usize>, least: f64) -> Vec<Change> {
    loop {
        let ends = places.iter().copied().chain([values.len()]);
        let starts = [0].into_iter().chain(places.iter().copied());
        let medians: Vec<f64> =
            starts.zip(ends).map(|(from, to)| median(values.get(from..to).unwrap_or_default())).collect();
        let pairs = medians.iter().zip(medians.iter().skip(1));
        let found: Vec<Change> = (places.iter().zip(pairs))
            .map(|(at, (before, after))| Change { at: *at, before: *before, after: *after })
            .collect();
        match found.iter().position(|of| factor(of.before, of.after) < least) {
            Some(place) => drop(places.remove(place)),
            None => return found,
        }
    }
}

/// Whether the medians of both sides differ by a factor.
fn differs(values: &[f64], at: usize, least: f64) -> bool {
    let (before, after) = values.split_at_checked(at).unwrap_or((values, &[]));
    factor(median(before), median(after)) >= least
}

/// By which factor two values differ, whichever is larger.
fn factor(one: f64, other: f64) -> f64 {
    let factor = one / other;
    factor.max(1.0 / factor)
}

fn median(values: &[f64]) -> f64 {
    select(&mut values.to_vec(), Share::MEDIAN, f64::total_cmp).unwrap_or(f64::NAN)
}

/// The place of the change of a series, if it has one that is not chance.
fn change(values: &[f64], chance: f64) -> Option<usize> {
    if values.len() < MIN_VALUES {
        return None;
    }
    let ranks = centred_ranks(values);
    let (at, largest) = largest_difference(&ranks)?;
    let mut rest = without(&ranks, at);
    let variation: f64 = rest.iter().map(|value| value * value).sum();
    // How much of the variation a change explains, in proportion to what it leaves.
    let explains = |difference: f64| {
        let explained = difference * difference;
        explained / (variation - explained).max(f64::MIN_POSITIVE)
    };
    let explained = largest * largest / variation.max(f64::MIN_POSITIVE);
    let Dependence { block, excess } = dependence(&rest);
    let mut random = SplitMix(SEED);
    let mut order: Vec<usize> = (0..rest.len().div_ceil(block)).collect();
    let mut shuffled = Vec::with_capacity(rest.len());
    // The series itself is one of the permutations that chance could have chosen.
    let allowed = chance * (f64::from(PERMUTATIONS) + 1.0);
    let mut as_large = 1.0;
    for _ in 0..PERMUTATIONS {
        // Blocks begin at another place each time, so that no border counts more than others.
        rest.rotate_left(random.place(block));
        random.shuffle(&mut order);
        shuffled.clear();
        for number in &order {
            let from = number.saturating_mul(block);
            let to = from.saturating_add(block).min(rest.len());
            shuffled.extend_from_slice(rest.get(from..to).unwrap_or_default());
        }
        if largest_difference(&shuffled).is_some_and(|(_, of)| explains(of) * excess >= explained) {
            as_large += 1.0;
            if as_large > allowed {
                return None;
            }
        }
    }
    Some(at)
}

/// What is left of centred ranks without a change at a place.
fn without(centred: &[f64], at: usize) -> Vec<f64> {
    let (before, after) = centred.split_at_checked(at).unwrap_or((centred, &[]));
    let part = |part: &[f64]| -> Vec<f64> {
        let mean = part.iter().sum::<f64>() / count(part.len().max(1));
        part.iter().map(|value| value - mean).collect()
    };
    [part(before), part(after)].concat()
}

/// The ranks of values, less their mean. Equal values have the mean of their ranks.
fn centred_ranks(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = (count(values.len()) - 1.0) / 2.0;
    let rank = |value: &f64| {
        let below = sorted.partition_point(|of| of.total_cmp(value).is_lt());
        let up_to = sorted.partition_point(|of| of.total_cmp(value).is_le());
        f64::midpoint(count(below), count(up_to) - 1.0) - middle
    };
    values.iter().map(rank).collect()
}

/// Where the mean before and the mean after differ most, and by how much, in standard deviations of independent values.
fn largest_difference(centred: &[f64]) -> Option<(usize, f64)> {
    let len = count(centred.len());
    let last = centred.len().checked_sub(MIN_PART)?;
    let mut sum = 0.0;
    let mut largest = None;
    for (at, value) in (1usize..).zip(centred) {
        sum += value;
        if at < MIN_PART || at > last {
            continue;
        }
        let difference = sum.abs() / (count(at) * (len - count(at)) / len).sqrt();
        if largest.is_none_or(|(_, of)| difference > of) {
            largest = Some((at, difference));
        }
    }
    largest
}

/// How values depend on those before.
struct Dependence {
    /// How long a block must be.
    block: usize,
    /// By which factor chance explains more of the variation than in shuffled blocks, since blocks of a short series are too short.
    excess: f64,
}

/// How values depend on each other, whose mean is 0.
fn dependence(rest: &[f64]) -> Dependence {
    let most = (rest.len() / MIN_BLOCKS).max(1);
    let product =
        |lag: usize| -> f64 { rest.iter().zip(rest.iter().skip(lag)).map(|(one, other)| one * other).sum() };
    let variance = product(0).max(f64::MIN_POSITIVE);
    let correlation = |lag: usize| product(lag) / variance;
    let error = 1.0 / count(rest.len().max(1)).sqrt();
    let alike = (1..=most).find(|lag| correlation(*lag) <= error).unwrap_or(most);
    let block = if alike > 1 {
        alike.saturating_mul(2).min(most)
    } else {
        // Neighbours that are not alike need no block, unless the series repeats itself: then a block is a period.
        let period = (2..=most).max_by(|one, other| correlation(*one).total_cmp(&correlation(*other)));
        period.filter(|lag| correlation(*lag) > 2.0 * error).unwrap_or(1)
    };
    // What a series of which each value depends on the one before has, and what blocks of that length keep of it. An estimate from
    // few values is too low (F. Marriott and J. Pope, Bias in the Estimation of Autocorrelations, Biometrika 41, 1954).
    let first = correlation(1);
    let first = (first + (1.0 + 3.0 * first) / count(rest.len())).clamp(0.0, 0.9);
    let kept: f64 = (1..block).map(|lag| (1.0 - count(lag) / count(block)) * first.powf(count(lag))).sum();
    let excess = (1.0 + first) / (1.0 - first) / (1.0 + 2.0 * kept);
    Dependence { block, excess }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANCE: f64 = 0.0025;
    const LEAST: f64 = 1.15;

    /// A made series: how values arise from random numbers, and a factor for each place.
    struct Made {
        name: &'static str,
        value: fn(&mut Noise, usize) -> f64,
    }

    struct Noise {
        random: SplitMix,
        last: f64,
    }

    impl Noise {
        fn normal(&mut self) -> f64 {
            // Box and Muller, 1958.
            let (radius, angle) = (self.random.unit(), self.random.unit());
            (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
        }

        /// The median of so many exponential values with the mean 1.
        fn median_of_exponential(&mut self, number: usize) -> f64 {
            let values: Vec<f64> = (0..number).map(|_| -self.random.unit().ln()).collect();
            median(&values)
        }
    }

    /// What stationary latencies look like: the median of 51 requests, a single value with a long tail, one value in five
    /// at which the service stops, and values that are like the one before.
    const STATIONARY: [Made; 4] = [
        Made { name: "exponential", value: |noise, _| noise.median_of_exponential(51) },
        Made { name: "lognormal", value: |noise, _| (0.3 * noise.normal()).exp() },
        Made {
            name: "stalls every 5 s",
            value: |noise, at| if at % 5 == 2 { 500.0 } else { 0.2 * noise.median_of_exponential(51) },
        },
        Made {
            name: "alike by 0.5",
            value: |noise, _| {
                noise.last = 0.5 * noise.last + 0.15 * noise.normal();
                noise.last.exp()
            },
        },
    ];

    fn series(of: &Made, seed: u64, len: usize, factor: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut noise = Noise { random: SplitMix(seed), last: 0.0 };
        (0..len).map(|at| (of.value)(&mut noise, at) * factor(at)).collect()
    }

    /// The share of 200 series in which changes are found.
    fn share(
        of: &Made,
        len: usize,
        factor: impl Fn(usize) -> f64,
        is_found: impl Fn(&[Change]) -> bool,
    ) -> f64 {
        let found = (0..200u64).filter(|seed| {
            let values = series(of, *seed, len, &factor);
            is_found(&changes(&values, CHANCE, LEAST).unwrap())
        });
        count(found.count()) / 200.0
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "the rates are what the test is about")]
    fn false_alarms_are_rare_and_real_changes_are_found() {
        for of in &STATIONARY {
            for len in [30, 60, 120] {
                let none = share(of, len, |_| 1.0, |changes| !changes.is_empty());
                println!("{}, {len} s: changes are found in {none} of the steady series", of.name);
                // In 30 values that are like the ones before, chance looks most like a change.
                let most = if of.name.starts_with("alike") && len == 30 { 0.06 } else { 0.03 };
                assert!(none <= most, "{}, {len}: {none}", of.name);
            }
            let step = |by: f64| move |at: usize| if at < 30 { 1.0 } else { by };
            let near = |changes: &[Change]| changes.iter().any(|of| of.at.abs_diff(30) <= 6);
            let third = share(of, 60, step(1.3), near);
            let twice = share(of, 60, step(2.0), near);
            let ramp = share(of, 60, |at| 1.0 + count(at) / 60.0, |changes| !changes.is_empty());
            println!("{}, 60 s: found are +30 % {third}, twice {twice}, a ramp to twice {ramp}", of.name);
            assert!(twice >= 0.95 && ramp >= 0.7, "{}: {twice}, {ramp}", of.name);
        }
    }

    #[test]
    fn several_changes_are_told_apart_and_described() {
        let levels = [(0, 1.0), (40, 3.0), (70, 1.5)];
        let level = |at: usize| levels.iter().rev().find(|(from, _)| *from <= at).unwrap().1;
        let values = series(&STATIONARY[0], 5, 120, level);
        let found = changes(&values, CHANCE, LEAST).unwrap();
        assert_eq!(found.iter().map(|of| of.at).collect::<Vec<_>>(), [40, 70]);
        let ratio = found[0].after / found[0].before;
        assert!((2.5..3.5).contains(&ratio) && (found[1].before - found[0].after).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn what_does_not_vary_or_is_too_short_has_no_change() {
        assert_eq!(changes(&[1.0; 29], CHANCE, LEAST), None);
        assert_eq!(changes(&[1.0; 500], CHANCE, LEAST), Some(Vec::new()));
        // Certain, and of no importance.
        let slight: Vec<f64> = (0..100).map(|at| if at < 50 { 1.0 } else { 1.05 }).collect();
        assert_eq!(changes(&slight, CHANCE, LEAST), Some(Vec::new()));
        let one = [vec![1.0; 30], vec![900.0], vec![1.0; 30]].concat();
        assert_eq!(changes(&one, CHANCE, LEAST), Some(Vec::new()));
        for odd in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            let values: Vec<f64> = (0..60).map(|at| if at % 3 == 0 { odd } else { count(at) }).collect();
            assert!(changes(&values, CHANCE, LEAST).is_some());
        }
    }
}
