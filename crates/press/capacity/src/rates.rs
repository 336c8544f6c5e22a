//! Headroom from runs at several rates, each with a measured value such as a p99: between which rates an objective breaks.
//!
//! A percentile has no law that a fit could follow beyond the measurements, so this says what was measured and nothing more.

/// A run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Its rate, in requests per second.
    pub rate: f64,
    /// Its value. `None` if it has too few requests for it.
    pub value: Option<f64>,
    /// Whether the value holds the objective.
    pub holds: bool,
}

/// Between which rates an objective breaks.
#[derive(Debug, Clone, PartialEq)]
pub struct Bracket {
    /// The highest rate below all that miss the objective.
    pub held: Option<Measured>,
    /// The lowest rate that misses it.
    pub missed: Option<Measured>,
    /// Rates above the lowest that misses it which hold it nevertheless: the runs are not comparable, or vary.
    pub odd: Vec<f64>,
    /// Runs without a value.
    pub unknown: usize,
}

/// Sorts runs by their rate, and says where the objective breaks.
pub fn bracket(runs: &[Measured]) -> Bracket {
    let mut known: Vec<Measured> = runs.iter().filter(|of| of.value.is_some()).copied().collect();
    known.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    let missed = known.iter().find(|of| !of.holds).copied();
    let is_below = |of: &&Measured| missed.is_none_or(|missed| of.rate < missed.rate);
    let held = known.iter().filter(|of| of.holds).rfind(is_below).copied();
    let odd = known.iter().filter(|of| of.holds && !is_below(of)).map(|of| of.rate).collect();
    Bracket { held, missed, odd, unknown: runs.len().saturating_sub(known.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(of: &[(f64, Option<f64>)]) -> Vec<Measured> {
        of.iter()
            .map(|(rate, value)| Measured {
                rate: *rate,
                value: *value,
                holds: value.is_some_and(|of| of < 50.0),
            })
            .collect()
    }

    #[test]
    fn an_objective_breaks_between_two_rates() {
        let of =
            bracket(&runs(&[(400.0, Some(80.0)), (100.0, Some(10.0)), (200.0, Some(30.0)), (300.0, None)]));
        assert_eq!((of.held.map(|of| of.rate), of.missed.map(|of| of.rate)), (Some(200.0), Some(400.0)));
        assert_eq!((of.odd, of.unknown), (vec![], 1));
        let of = bracket(&runs(&[(100.0, Some(60.0)), (200.0, Some(30.0))]));
        assert_eq!((of.held, of.missed.map(|of| of.rate), of.odd), (None, Some(100.0), vec![200.0]));
        let of = bracket(&runs(&[(100.0, Some(10.0))]));
        assert_eq!((of.held.map(|of| of.rate), of.missed), (Some(100.0), None));
        assert_eq!(bracket(&[]).held, None);
    }
}
