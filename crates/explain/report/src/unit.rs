//! Values as text: a number in the unit that reads best.

/// A share from here on is written as a factor.
const A_FACTOR: f64 = 10.0;

/// A value as text, in one of the units of figures: `ms`, `ns`, `B`, `B/s`, `1/s`, `share`, `cores`, or empty for a count. Any
/// other unit is written after the number.
pub fn show(value: f64, unit: &str) -> String {
    match unit {
        "ms" => duration(value),
        "ns" if value.abs() < 1e3 => format!("{} ns", short(value)),
        "ns" => duration(value / 1e6),
        "B" => bytes(value),
        "B/s" => format!("{}/s", bytes(value)),
        "1/s" => format!("{}/s", short(value)),
        // "49,481 %" looks like a mistake.
        "share" if value >= A_FACTOR => format!("{} times", short(value)),
        "share" => format!("{} %", short(value * 100.0)),
        "cores" => cores(value),
        "" => short(value),
        other => format!("{} {other}", short(value)),
    }
}

/// The bounds of a value as text: `80.7–214 ms`, or one number if both read alike.
pub fn range(low: f64, high: f64, unit: &str) -> String {
    let (low, high) = (show(low, unit), show(high, unit));
    match (low.rsplit_once(' '), high.rsplit_once(' ')) {
        _ if low == high => high,
        (Some((number, unit)), Some((_, of_high))) if unit == of_high => format!("{number}–{high}"),
        _ => format!("{low} – {high}"),
    }
}

/// How many seconds a unit is, by the names that instruments use. `None` if it is not a unit of time.
pub fn in_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" | "msec" => 1e-3,
        "s" | "sec" | "seconds" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

/// A duration as text.
pub fn duration(millis: f64) -> String {
    match millis {
        0.0 => "0 ms".to_owned(),
        micros if micros < 1.0 => format!("{} µs", short(micros * 1000.0)),
        millis if millis < 1000.0 => format!("{} ms", short(millis)),
        seconds if seconds < 600_000.0 => format!("{} s", short(seconds / 1000.0)),
        long => format!("{} min", short(long / 60_000.0)),
    }
}

/// CPU cores: `0.5 cores`, `1 core`.
fn cores(value: f64) -> String {
    let text = short(value);
    let text = if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text} {}", if text == "1" { "core" } else { "cores" })
}

fn bytes(bytes: f64) -> String {
    match bytes {
        few if few < 1e3 => format!("{} B", short(few)),
        kilo if kilo < 1e6 => format!("{} kB", short(kilo / 1e3)),
        mega if mega < 1e9 => format!("{} MB", short(mega / 1e6)),
        giga => format!("{} GB", short(giga / 1e9)),
    }
}

/// Numbers from here on are written with an exponent: nobody reads more digits.
pub const MANY_DIGITS: f64 = 1e15;

/// A number with at least three significant digits and commas between thousands. A number above 0 is never written as 0.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if value > 0.0 && size < 0.005 {
        return "<0.01".to_owned();
    }
    if size >= MANY_DIGITS && size.is_finite() {
        return format!("{value:.2e}");
    }
    if size >= 100.0 || value.fract() == 0.0 {
        return base::number::thousands(&format!("{value:.0}"));
    }
    if size >= 10.0 { format!("{value:.1}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_in_the_unit_that_reads_best() {
        let check = |value, unit, expected: &str| assert_eq!(show(value, unit), expected);
        check(0.0, "ms", "0 ms");
        check(0.0123, "ms", "12.3 µs");
        check(12.34, "ms", "12.3 ms");
        check(564.57, "ns", "565 ns");
        check(54_828.1, "ns", "54.8 µs");
        check(61_234.0, "ms", "61.2 s");
        check(1_234_567.0, "B", "1.23 MB");
        check(98_000_000.0, "B/s", "98 MB/s");
        check(0.0375, "share", "3.75 %");
        check(1_234_567.0, "", "1,234,567");
        check(-1_234.5, "", "-1,234");
        check(250.4, "1/s", "250/s");
        check(7.4e-5, "threads", "<0.01 threads");
        check(0.00002, "share", "<0.01 %");
        check(999_999_999_999_999.0, "", "999,999,999,999,999");
    }

    #[test]
    fn a_number_of_three_hundred_digits_is_not_printed_in_full() {
        let check = |value, unit, expected: &str| assert_eq!(show(value, unit), expected);
        check(1_000_000_000_000_000.0, "", "1.00e15");
        check(-1_234_567_890_123_456_789.0, "", "-1.23e18");
        check(1e300, "ms", "1.67e295 min");
        check(1e300, "B", "1.00e291 GB");
        check(1e300, "ns", "1.67e289 min");
        check(1e300, "share", "1.00e300 times");
        check(1e300, "cores", "1.00e300 cores");
        for unit in ["", "ms", "ns", "B", "B/s", "1/s", "share", "cores", "x"] {
            for value in [f64::MAX, f64::MIN, -1e300] {
                assert!(show(value, unit).len() < 24, "{value:e} {unit}: {}", show(value, unit));
            }
        }
    }
}
