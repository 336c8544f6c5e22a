//! How much a quantile varies, by the same quantile of each piece.
//!
//! The interval of a quantile's rank says nothing of the quantile where it takes in most of the values: with few
//! requests that come in phases, half of which are slow in one piece and none in the next. The quantile of each piece then
//! says how it varies, as batch means do (B. Schmeiser, Batch Size Effects in the Analysis of Simulation Output,
//! Operations Research 30, 1982), if each piece has values on both sides of it.

use crate::noise::Tally;
use base::number::count;
use base::stats::{self, Share, Sorted};

/// Values that a piece has on the thinner side of the quantile at least.
const LEAST_ASIDE: f64 = 5.0;

/// The quantile of each piece, as a mean by the values of each. Pieces with too few values are left out.
pub(crate) fn of(values: &[(f64, usize)], share: f64, ramp: &[bool]) -> Tally {
    let mut pieces: Vec<Vec<f64>> = vec![Vec::new(); ramp.len()];
    for (value, piece) in values {
        if let Some(of_piece) = pieces.get_mut(*piece) {
            of_piece.push(*value);
        }
    }
    let mut tally = Tally::mean(ramp);
    for (piece, of_piece) in pieces.iter_mut().enumerate() {
        let many = count(of_piece.len());
        if many * share.min(1.0 - share) < LEAST_ASIDE {
            continue;
        }
        let sorted = Sorted::by(of_piece, f64::total_cmp);
        if let Some(value) = stats::quantile(&sorted, Share::Fraction(share)) {
            tally.value(piece, value, many);
        }
    }
    tally
}
