//! Values of counters as text, by the units that their authors wrote.

use crate::page::{cut, printable};
use report::unit;

/// The longest unknown unit, in letters.
const MAX_UNIT: usize = 12;
/// Larger values are shown in scientific notation.
const MOST: f64 = 1e15;

/// What a unit measures.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Measure<'a> {
    /// Bytes; how many each unit is.
    Bytes(f64),
    /// Time; how many milliseconds each unit is.
    Time(f64),
    Percent,
    Count,
    Other(&'a str),
}

fn measure(unit: &str) -> Measure<'_> {
    match unit {
        "By" | "B" | "bytes" | "Bytes" | "byte" => Measure::Bytes(1.0),
        "kBy" | "kB" | "KB" => Measure::Bytes(1e3),
        "MBy" | "MB" => Measure::Bytes(1e6),
        "GBy" | "GB" => Measure::Bytes(1e9),
        "KiBy" | "KiB" => Measure::Bytes(1024.0),
        "MiBy" | "MiB" => Measure::Bytes(1024.0 * 1024.0),
        "GiBy" | "GiB" => Measure::Bytes(1024.0 * 1024.0 * 1024.0),
        "ns" => Measure::Time(1e-6),
        "us" | "µs" | "μs" => Measure::Time(1e-3),
        "ms" | "msec" => Measure::Time(1.0),
        "s" | "sec" | "seconds" => Measure::Time(1e3),
        "min" => Measure::Time(60e3),
        "h" => Measure::Time(3600e3),
        "%" => Measure::Percent,
        "" | "1" | "count" | "Count" => Measure::Count,
        // An annotation, as in {request}, says what is counted.
        annotated if annotated.starts_with('{') => Measure::Count,
        other => Measure::Other(other),
    }
}

/// A value, or with `per_second` its change per second.
pub(super) fn show(value: f64, unit: &str, per_second: bool) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "–" } else { "∞" }.to_owned();
    }
    if value < 0.0 {
        return format!("-{}", show(-value, unit, per_second));
    }
    let per = if per_second { "/s" } else { "" };
    if let Some(share) = share(value, unit).filter(|_| per_second) {
        return format!("{} %", number(share));
    }
    let text = match measure(unit) {
        Measure::Bytes(each) => unit::show((value * each).min(MOST), "B"),
        Measure::Time(each) => unit::duration((value * each).min(MOST)),
        Measure::Percent => format!("{} %", number(value)),
        Measure::Count => number(value),
        Measure::Other(unit) => format!("{} {}", number(value), cut(&printable(unit), MAX_UNIT)),
    };
    format!("{text}{per}")
}

/// The share of the time in per cent, of so much time per second. `None` if the unit is not of time.
pub(super) fn share(per_second: f64, unit: &str) -> Option<f64> {
    let Measure::Time(each) = measure(unit) else { return None };
    Some(per_second * each / 10.0)
}

/// The value in the basic unit of what it measures, and the place of that measure among all: values of different measures
/// cannot be compared.
pub(super) fn comparable(value: f64, unit: &str, per_second: bool) -> (u8, f64) {
    match (measure(unit), per_second) {
        (Measure::Time(each), true) => (0, value * each / 10.0),
        (Measure::Percent, _) => (0, value),
        (Measure::Count | Measure::Other(_), true) => (1, value),
        (Measure::Bytes(each), true) => (2, value * each),
        (Measure::Time(each), false) => (3, value * each),
        (Measure::Count, false) => (4, value),
        (Measure::Bytes(each), false) => (5, value * each),
        (Measure::Other(_), false) => (6, value),
    }
}

fn number(value: f64) -> String {
    match value {
        vast if vast >= MOST => format!("{vast:.2e}"),
        // Would round to zero, but is not zero.
        tiny if tiny > 0.0 && tiny < 0.005 => "<0.01".to_owned(),
        value => unit::short(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_meters_and_of_event_counters_read_alike() {
        let check = |value, unit, expected: &str| assert_eq!(show(value, unit, false), expected);
        check(123_456_789.0, "By", "123 MB");
        check(98.5, "MB", "98.5 MB");
        check(0.0123, "s", "12.3 ms");
        check(12.5, "ms", "12.5 ms");
        check(12.345, "%", "12.3 %");
        check(1_234.0, "{request}", "1,234");
        check(3.0, "count", "3");
        check(21.5, "Cel", "21.5 Cel");
        check(0.0, "s", "0 ms");
        check(-2_000.0, "By", "-2 kB");
        check(0.001, "", "<0.01");
    }

    #[test]
    fn rates_say_that_they_are() {
        let check = |value, unit, expected: &str| assert_eq!(show(value, unit, true), expected);
        check(1_203.4, "{request}", "1,203/s");
        check(12_300_000.0, "By", "12.3 MB/s");
        check(0.0, "", "0/s");
    }

    #[test]
    fn seconds_per_second_are_a_share_of_the_time() {
        let check = |value, unit, expected: &str| assert_eq!(show(value, unit, true), expected);
        check(0.125, "s", "12.5 %");
        check(125.0, "ms", "12.5 %");
        check(1.5, "s", "150 %");
        check(0.0, "s", "0 %");
        check(0.000_01, "s", "<0.01 %");
        assert_eq!(share(0.5, "By"), None);
    }

    #[test]
    fn no_value_is_wider_than_its_digits_say_something() {
        for value in [f64::MAX, -f64::MAX, 1e16, f64::MIN_POSITIVE] {
            for unit in ["", "By", "s", "%", "an unheard-of unit of many words", "\u{1b}[2J"] {
                let shown = show(value, unit, true);
                assert!(shown.chars().count() <= 32 && !shown.contains('\u{1b}'), "{shown:?}");
            }
        }
        assert_eq!([f64::NAN, f64::INFINITY].map(|value| show(value, "s", false)), ["–", "∞"]);
    }
}
