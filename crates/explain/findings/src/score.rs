//! The score of a finding: how much of the problem it explains, times how certain that is.
//!
//! Rules hand over what they measured; nothing else computes a score. [`rank`](crate::rank) then puts an effect behind
//! its cause.

/// What a rule measured of the harm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Harm {
    /// A part of a whole that it explains: of the requests' time, of the threads at work, of the CPU, of the memory.
    Share(f64),
    /// A number without a whole, such as a rate. All of it up to `harmless` would harm nobody: the rest is the harm.
    Beyond { value: f64, harmless: f64 },
}

/// How sure it is that the finding explains what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sure {
    /// Events or stacks show it as it happens.
    Seen,
    /// Totals fit nothing else, but nothing shows it as it happens.
    Inferred,
    /// It grows. `rising` is the share of pairs of readings of which the later is larger.
    Trend { rising: f64 },
    /// A single reading, too few to compare, or a setting whose harm was not measured.
    Hint,
}

/// The score, from 0 to 1. Harm that was measured in several ways counts once, by the largest.
pub(crate) fn score(harms: &[Harm], sure: Sure) -> f64 {
    let explained = |harm: &Harm| match *harm {
        Harm::Share(share) => share,
        Harm::Beyond { value, harmless } if value > harmless => 1.0 - harmless / value,
        Harm::Beyond { .. } => 0.0,
    };
    let explained = harms.iter().map(explained).fold(0.0, f64::max).min(1.0);
    let sure = match sure {
        Sure::Seen => 1.0,
        // One in five such conclusions may have another cause.
        Sure::Inferred => 0.8,
        // Kendall's tau: 1 if every later reading is larger, 0 if readings go up and down alike.
        Sure::Trend { rising } => (2.0 * rising - 1.0).clamp(0.0, 1.0),
        // As likely as not.
        Sure::Hint => 0.5,
    };
    explained * if sure.is_nan() { 0.0 } else { sure }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Harm::{Beyond, Share};

    fn check(harms: &[Harm], sure: Sure, expected: f64) {
        let score = score(harms, sure);
        assert!((score - expected).abs() < 1e-9, "{harms:?}, {sure:?}: {score}");
    }

    #[test]
    fn a_score_is_the_explained_share_times_how_sure_that_is() {
        check(&[Share(0.6)], Sure::Seen, 0.6);
        check(&[Share(0.6)], Sure::Inferred, 0.48);
        check(&[Share(0.6)], Sure::Hint, 0.3);
        check(&[Share(0.6)], Sure::Trend { rising: 1.0 }, 0.6);
        check(&[Share(0.6)], Sure::Trend { rising: 0.75 }, 0.3);
        check(&[Share(0.6)], Sure::Trend { rising: 0.3 }, 0.0);
    }

    #[test]
    fn of_a_rate_only_what_is_beyond_its_threshold_is_harm() {
        check(&[Beyond { value: 50.0, harmless: 50.0 }], Sure::Seen, 0.0);
        check(&[Beyond { value: 200.0, harmless: 50.0 }], Sure::Seen, 0.75);
        check(&[Beyond { value: 20.0, harmless: 50.0 }], Sure::Seen, 0.0);
    }

    #[test]
    fn harm_measured_in_several_ways_counts_once() {
        check(&[Share(0.2), Beyond { value: 100.0, harmless: 50.0 }], Sure::Seen, 0.5);
        check(&[], Sure::Seen, 0.0);
    }

    #[test]
    fn damaged_numbers_stay_between_nothing_and_all() {
        check(&[Share(f64::NAN)], Sure::Seen, 0.0);
        check(&[Share(7.0)], Sure::Seen, 1.0);
        check(&[Share(-1.0)], Sure::Seen, 0.0);
        check(&[Beyond { value: 0.0, harmless: 0.0 }], Sure::Seen, 0.0);
        check(&[Beyond { value: -1.0, harmless: 5.0 }], Sure::Seen, 0.0);
        check(&[Beyond { value: 3.0, harmless: 0.0 }], Sure::Seen, 1.0);
        check(&[Share(0.5)], Sure::Trend { rising: f64::NAN }, 0.0);
    }
}
