//! Which of many differences stand out: Holm's procedure with weights.
//!
//! Of hundreds of rows some differ by chance. Holm's procedure keeps the probability of *any* false row in the whole list at
//! one in twenty, however the rows depend on each other (S. Holm, A Simple Sequentially Rejective Multiple Test Procedure,
//! Scandinavian Journal of Statistics 6, 1979).
//!
//! The usual alternative, Benjamini's and Hochberg's procedure, keeps the *share* of false rows among the reported ones at
//! one in twenty. If a service got slower, dozens of rows change with it, and two or three false rows come along; but readers
//! act on each of the ten rows that they read. It also does not hold for rows that move in opposite directions, and rows of
//! one service do: a slower handler means fewer collections.
//!
//! Thousands of methods must not hide what users feel. So the rows of the one list have weights (the same paper, section 4):
//! each [`Tier`] has a part of the whole weight, which its rows share.

use base::number::count;

/// The probability that a comparison of two runs of one service has any row beyond noise, by chance.
pub(crate) const FALSE_ALARM: f64 = 0.05;

/// What a row is of, which decides its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// Throughput, failures, latency and CPU of the whole service.
    Felt,
    /// Other figures of the whole service.
    Figures,
    /// Routes.
    Routes,
    /// Methods, types, places, counters.
    Details,
}

impl Tier {
    const ALL: [Self; 4] = [Self::Felt, Self::Figures, Self::Routes, Self::Details];

    /// The part of the whole weight that its rows share.
    fn weight(self) -> f64 {
        match self {
            Self::Felt => 0.4,
            Self::Figures | Self::Routes | Self::Details => 0.2,
        }
    }
}

/// Flags the probabilities that are too small for chance.
pub(crate) fn beyond_chance(rows: &[(Tier, f64)]) -> Vec<bool> {
    let weights: Vec<f64> =
        rows.iter().map(|(tier, _)| tier.weight() / count(members(rows, *tier))).collect();
    let mut order: Vec<(f64, usize)> =
        rows.iter().zip(&weights).map(|((_, p), weight)| p / weight).zip(0..).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    // The weight of a tier without rows is shared by the others.
    let mut left: f64 =
        Tier::ALL.iter().filter(|tier| members(rows, **tier) > 0).map(|tier| tier.weight()).sum();
    let mut flags = vec![false; rows.len()];
    for (weighted, at) in order {
        // The sum of weights is what the rows that are left share; rounding must not make it 0.
        if weighted > FALSE_ALARM / left.max(f64::MIN_POSITIVE) {
            break;
        }
        if let Some(flag) = flags.get_mut(at) {
            *flag = true;
        }
        // Every place has a weight.
        left -= weights.get(at).copied().unwrap_or(0.0);
    }
    flags
}

fn members(rows: &[(Tier, f64)], tier: Tier) -> usize {
    rows.iter().filter(|(of, _)| *of == tier).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_weights_it_is_holms_procedure() {
        let check = |p: &[f64], expected: &str| {
            let rows: Vec<(Tier, f64)> = p.iter().map(|p| (Tier::Details, *p)).collect();
            let flags: String =
                beyond_chance(&rows).into_iter().map(|of| if of { 'x' } else { '.' }).collect();
            assert_eq!(flags, expected, "{p:?}");
        };
        // Held against 0.05 / 4, / 3, / 2, / 1 in the order of their size.
        check(&[0.01, 0.04, 0.03, 0.005], "x..x");
        check(&[0.012, 0.016, 0.024, 0.049], "xxxx");
        check(&[0.013, 0.016, 0.024, 0.049], "....");
        // Benjamini's and Hochberg's example of 1995: four by theirs, three by Holm's.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        check(&p, "xxx............");
        check(&[], "");
    }

    #[test]
    fn a_thousand_methods_do_not_hide_the_throughput() {
        let mut rows = vec![(Tier::Felt, 0.004); 3];
        rows.extend([(Tier::Details, 0.004); 1_000]);
        let flags = beyond_chance(&rows);
        assert_eq!(flags.iter().filter(|flag| **flag).count(), 3);
        assert!(flags[..3].iter().all(|flag| *flag));
    }

    #[test]
    fn a_list_in_which_nothing_changed_has_a_row_beyond_noise_one_time_in_twenty() {
        let mut next = crate::testing::chance(5);
        let tiers = [(Tier::Felt, 5), (Tier::Figures, 30), (Tier::Routes, 12), (Tier::Details, 250)];
        let (mut alarms, all) = (0, 2_000);
        for _ in 0..all {
            let rows: Vec<(Tier, f64)> = tiers
                .iter()
                .flat_map(|(tier, many)| std::iter::repeat_n(*tier, *many))
                .map(|tier| (tier, next()))
                .collect();
            alarms += usize::from(beyond_chance(&rows).contains(&true));
        }
        let share = f64::from(u32::try_from(alarms).unwrap()) / f64::from(all);
        assert!((0.03..0.065).contains(&share), "{share}");
    }
}
