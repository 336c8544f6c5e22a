//! Why a row's verdict is not the one that its values suggest.

use crate::noise::Outcome;
use report::unit::show;
use report::{Change, ChangeVerdict};

/// A difference of a smaller share of the larger value surprises nobody by being noise.
const NOTED: f64 = 0.1;
/// A difference of this share of the larger value surprises everybody by being noise, if it is of the whole service.
const LARGE: f64 = 0.5;
/// From here on a difference looks certain by what each recording varies within itself.
const LOOKS_CERTAIN: f64 = 0.01;
/// A difference that is likelier between two runs than this is what runs differ by.
const USUAL: f64 = 0.05;

const VARIES: &str =
    "the values within a recording vary too much, or follow a trend; longer recordings show more";
/// Values of which one is so many times the other differ: only by how much is not known.
const UNLIKE: f64 = 10.0;

/// Whether two values are far apart, and one of them comes so unevenly that nothing says what it usually is.
pub(crate) fn is_unsteady(row: &Change, outcome: &Outcome) -> bool {
    let Outcome::Told(told) = outcome else { return false };
    let values = row.before.zip(row.after).map(|(before, after)| (before.abs(), after.abs()));
    let is_far = values.is_some_and(|(before, after)| {
        before.min(after) * UNLIKE <= before.max(after) && before.max(after) > 0.0
    });
    is_far && row.verdict != ChangeVerdict::BeyondNoise && told.p_within > LOOKS_CERTAIN
}

/// On which side of the value before the pieces after are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pieces {
    below: usize,
    above: usize,
    all: usize,
}

impl Pieces {
    pub(crate) fn new((below, above, all): (usize, usize, usize)) -> Self {
        Self { below, above, all }
    }

    /// Most of them, on one side: `24 of 24 values lower`.
    fn said(self) -> Option<String> {
        let (most, side) =
            if self.below > self.above { (self.below, "lower") } else { (self.above, "higher") };
        (most * 10 >= self.all * 9 && most > 1).then(|| format!("{most} of {} values {side}", self.all))
    }
}

/// The reason, if there is something to explain.
pub(crate) fn reason(
    row: &Change,
    outcome: &Outcome,
    pieces: Option<Pieces>,
    comparisons: usize,
) -> Option<String> {
    let most = row.before?.abs().max(row.after?.abs());
    let is_noted = row.difference()?.abs() >= NOTED * most && most > 0.0;
    let told = match outcome {
        Outcome::TooLittle(why) => return is_noted.then(|| why.clone()),
        Outcome::Told(told) => told,
    };
    if row.verdict != ChangeVerdict::WithinNoise || !is_noted {
        return None;
    }
    if told.p_within > LOOKS_CERTAIN {
        let is_large = row.name.is_empty() && row.difference()?.abs() >= LARGE * most;
        return (is_large || is_unsteady(row, outcome)).then(|| VARIES.to_owned());
    }
    let seen = pieces.and_then(Pieces::said).unwrap_or_else(|| "the difference looks certain".to_owned());
    if told.p > USUAL {
        let usual = show(told.between, &row.unit);
        return Some(format!("{seen}, but two runs of one service differ by up to {usual}"));
    }
    Some(format!("{seen}, but {comparisons} comparisons were made"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Told;
    use report::{Better, Subject};

    fn row(before: f64, after: f64) -> Change {
        Change {
            subject: Subject::Threads,
            measure: "threads waiting".to_owned(),
            name: String::new(),
            before: Some(before),
            after: Some(after),
            unit: "threads".to_owned(),
            shares: None,
            interval: None,
            p: Some(0.01),
            verdict: ChangeVerdict::WithinNoise,
            reason: None,
            better: Better::Neither,
            impact: 0.5,
            metric: None,
            method: None,
            class: None,
            table: "samples",
        }
    }

    #[test]
    fn a_row_that_looks_certain_and_is_noise_says_why() {
        let told = |p, p_within| Outcome::Told(Told { p, p_within, margin: 1.0, between: 9.5 });
        let all_lower = Some(Pieces::new((24, 0, 24)));
        let check = |outcome: &Outcome, pieces, expected: Option<&str>| {
            assert_eq!(reason(&row(23.0, 18.0), outcome, pieces, 40).as_deref(), expected);
        };
        check(&told(0.01, 1e-9), all_lower, Some("24 of 24 values lower, but 40 comparisons were made"));
        check(
            &told(0.4, 1e-9),
            all_lower,
            Some("24 of 24 values lower, but two runs of one service differ by up to 9.50 threads"),
        );
        let looks = Some("the difference looks certain, but 40 comparisons were made");
        check(&told(0.01, 1e-9), Some(Pieces::new((12, 12, 24))), looks);
        check(&told(0.4, 0.3), all_lower, None);
        let varies =
            "the values within a recording vary too much, or follow a trend; longer recordings show more";
        let fell = reason(&row(1_242.0, 44.0), &told(0.3, 0.3), None, 40);
        assert_eq!(fell.as_deref(), Some(varies), "a 28th of the requests is noise without a reason");
        let few = "only 6 values in both recordings together";
        check(&Outcome::TooLittle(few.to_owned()), None, Some(few));
        assert_eq!(reason(&row(23.0, 22.5), &told(0.01, 1e-9), all_lower, 40), None);
        assert_eq!(reason(&row(0.0, 0.0), &told(1.0, 1.0), None, 40), None);
    }
}
