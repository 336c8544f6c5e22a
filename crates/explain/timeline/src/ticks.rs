//! Marks of a time axis at round times.

use crate::grid::Span;

/// A mark of an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// The time.
    pub at_ns: i64,
    /// The time as text: `1.5 s`, `2:30`, `1:02:30`.
    pub label: String,
}

/// Steps of more than 5 seconds.
const CLOCK_S: [i64; 13] = [10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400];
const SECOND: i64 = 1_000_000_000;

/// At most `most` marks at round times within a range, with as many decimals as the step between them needs.
pub fn ticks(span: Span, most: usize) -> Vec<Tick> {
    // Within these limits, no difference of two times overflows.
    const FAR: i64 = i64::MAX / 4;
    let span = Span { from_ns: span.from_ns.clamp(-FAR, FAR), to_ns: span.to_ns.clamp(-FAR, FAR) };
    let length = span.len_ns();
    // Between 1 and 100, so it fits.
    let most = i64::try_from(most.clamp(1, 100)).unwrap_or(1);
    let step = step_for(length / most);
    // The first round time in the range.
    let mut at = span.from_ns.div_euclid(step).saturating_mul(step);
    if at < span.from_ns {
        at = at.saturating_add(step);
    }
    let in_minutes = span.to_ns >= 120 * SECOND && step >= SECOND;
    let mut ticks = Vec::new();
    while at < span.to_ns && ticks.len() < 101 {
        ticks.push(Tick { at_ns: at, label: if in_minutes { clock(at) } else { seconds(at, step) } });
        at = at.saturating_add(step);
    }
    ticks
}

/// The smallest round step above a length.
fn step_for(least_ns: i64) -> i64 {
    let mut decade = 1i64;
    while decade <= SECOND {
        for step in [decade, 2 * decade, 5 * decade] {
            if step > least_ns {
                return step;
            }
        }
        decade = decade.saturating_mul(10);
    }
    let on_the_clock = CLOCK_S.iter().map(|step| step * SECOND).find(|step| *step > least_ns);
    // Whole days, as many as needed.
    let days = least_ns / (86_400 * SECOND) + 1;
    on_the_clock.unwrap_or_else(|| days.saturating_mul(86_400 * SECOND))
}

fn seconds(at_ns: i64, step: i64) -> String {
    let mut decimals = 0usize;
    let mut unit = SECOND;
    while unit > 1 && step % unit != 0 {
        unit /= 10;
        decimals += 1;
    }
    let sign = if at_ns < 0 { "-" } else { "" };
    let (whole, rest) = (at_ns.unsigned_abs() / 1_000_000_000, at_ns.unsigned_abs() % 1_000_000_000);
    if decimals == 0 {
        return format!("{sign}{whole} s");
    }
    let digits = format!("{rest:09}");
    format!("{sign}{whole}.{} s", digits.get(..decimals).unwrap_or(&digits))
}

fn clock(at_ns: i64) -> String {
    let sign = if at_ns < 0 { "-" } else { "" };
    let whole = at_ns.unsigned_abs() / 1_000_000_000;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{sign}{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{sign}{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(from_ns: i64, to_ns: i64, most: usize, expected: &[&str]) {
        let labels: Vec<String> =
            ticks(Span { from_ns, to_ns }, most).into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, expected);
    }

    #[test]
    fn marks_stand_at_round_times_with_the_decimals_they_need() {
        check(0, 10_148_769_577, 6, &["0 s", "2 s", "4 s", "6 s", "8 s", "10 s"]);
        check(1_200_000_000, 1_900_000_000, 4, &["1.2 s", "1.4 s", "1.6 s", "1.8 s"]);
        check(1_000_000, 1_000_900, 3, &["0.0010000 s", "0.0010005 s"]);
        check(-1_500_000_000, 500_000_000, 3, &["-1 s", "0 s"]);
        check(60 * SECOND, 200 * SECOND, 4, &["1:00", "2:00", "3:00"]);
        check(3_600 * SECOND, 7_300 * SECOND, 3, &["1:00:00", "1:30:00", "2:00:00"]);
        check(5, 5, 4, &[]);
        assert_eq!(ticks(Span { from_ns: i64::MIN, to_ns: i64::MAX }, 13).len(), 13);
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_asked_for_by_more_than_one(
            from in any::<i64>(), to in any::<i64>(), most in 0usize..30,
        ) {
            let ticks = ticks(Span { from_ns: from, to_ns: to }, most);
            prop_assert!(ticks.len() <= most.max(1) + 1);
            prop_assert!(ticks.iter().all(|tick| tick.at_ns >= from && tick.at_ns < to));
        }
    }
}
