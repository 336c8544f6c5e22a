//! Why a row's verdict is not the one that its values suggest.

use crate::noise::Outcome;
use crate::tally::Around;
use report::unit::show;
use report::{Change, ChangeVerdict};

/// A difference below this share of the larger value surprises nobody by being noise.
const NOTED: f64 = 0.1;
/// A difference of the whole service from this share of the larger value on surprises everybody by being noise.
const LARGE: f64 = 0.5;
/// A difference looks certain if its probability by the noise within the recordings is at most this.
const LOOKS_CERTAIN: f64 = 0.01;
/// Two runs of one service usually differ by as much if the probability is larger than this.
const USUAL: f64 = 0.05;

const VARIES: &str = "varies too much within the recordings, or follows a trend: record longer to tell";
/// Values that differ by at least this factor do differ, even if it is not known by how much.
const FAR_APART: f64 = 10.0;

/// Whether two values are far apart, and at least one varies too much to say what is usual.
pub(crate) fn is_unsteady(row: &Change, outcome: &Outcome) -> bool {
    let Outcome::Tested(test) = outcome else { return false };
    let values = row.before.zip(row.after).map(|(before, after)| (before.abs(), after.abs()));
    let is_far = values.is_some_and(|(before, after)| {
        before.min(after) * FAR_APART <= before.max(after) && before.max(after) > 0.0
    });
    is_far && row.verdict != ChangeVerdict::BeyondNoise && test.p_within > LOOKS_CERTAIN
}

/// Says that nearly all slices are on one side: `lower in 24 of 24 time slices`. `None` if they are not.
fn one_sided(around: Around) -> Option<String> {
    let Around { below, above, pieces } = around;
    let (most, side) = if below > above { (below, "lower") } else { (above, "higher") };
    (most * 10 >= pieces * 9 && most > 1).then(|| format!("{side} in {most} of {pieces} time slices"))
}

/// The reason, if there is something to explain. `around` is how the pieces after lie around the value before.
pub(crate) fn reason(
    row: &Change,
    outcome: &Outcome,
    around: Option<Around>,
    comparisons: usize,
) -> Option<String> {
    let most = row.before?.abs().max(row.after?.abs());
    let is_noted = row.difference()?.abs() >= NOTED * most && most > 0.0;
    let test = match outcome {
        Outcome::TooLittle(why) => return is_noted.then(|| why.clone()),
        Outcome::Tested(test) => test,
    };
    if row.verdict != ChangeVerdict::WithinNoise || !is_noted {
        return None;
    }
    if test.p_within > LOOKS_CERTAIN {
        let is_large = row.name.is_empty() && row.difference()?.abs() >= LARGE * most;
        return (is_large || is_unsteady(row, outcome)).then(|| VARIES.to_owned());
    }
    let seen = around
        .and_then(one_sided)
        .unwrap_or_else(|| "the difference is clear within the recordings".to_owned());
    if test.p > USUAL {
        let usual = show(test.between, &row.unit);
        return Some(format!("{seen}, but two runs of one service differ by up to {usual}"));
    }
    Some(format!("{seen}, but with {comparisons} figures tested, one may differ this much by chance"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Test;
    use report::{Better, Subject};

    fn row(before: f64, after: f64) -> Change {
        Change {
            subject: Subject::Threads,
            measure: "threads waiting".to_owned(),
            name: String::new(),
            label: None,
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
            is_handler: false,
            class: None,
            table: "samples",
        }
    }

    #[test]
    fn a_row_that_looks_certain_and_is_noise_says_why() {
        let tested = |p, p_within| Outcome::Tested(Test { p, p_within, margin: 1.0, between: 9.5 });
        let all_lower = Some(Around { below: 24, above: 0, pieces: 24 });
        let check = |outcome: &Outcome, around, expected: Option<&str>| {
            assert_eq!(reason(&row(23.0, 18.0), outcome, around, 40).as_deref(), expected);
        };
        check(
            &tested(0.01, 1e-9),
            all_lower,
            Some(
                "lower in 24 of 24 time slices, but with 40 figures tested, one may differ this much by chance",
            ),
        );
        check(
            &tested(0.4, 1e-9),
            all_lower,
            Some("lower in 24 of 24 time slices, but two runs of one service differ by up to 9.50 threads"),
        );
        let looks = Some(
            "the difference is clear within the recordings, but with 40 figures tested, one may differ this much by chance",
        );
        check(&tested(0.01, 1e-9), Some(Around { below: 12, above: 12, pieces: 24 }), looks);
        check(&tested(0.4, 0.3), all_lower, None);
        let varies = "varies too much within the recordings, or follows a trend: record longer to tell";
        let fell = reason(&row(1_242.0, 44.0), &tested(0.3, 0.3), None, 40);
        assert_eq!(fell.as_deref(), Some(varies), "a 28th of the requests is noise without a reason");
        let few = "only 6 values in both recordings together";
        check(&Outcome::TooLittle(few.to_owned()), None, Some(few));
        assert_eq!(reason(&row(23.0, 22.5), &tested(0.01, 1e-9), all_lower, 40), None);
        assert_eq!(reason(&row(0.0, 0.0), &tested(1.0, 1.0), None, 40), None);
    }
}
