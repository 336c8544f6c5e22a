//! Durations on the command line: `500ms`, `10s`, `2m`, `1h`.

use std::time::Duration;

/// Reads a number and its unit; without a unit it is in seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let invalid =
        || format!("`{text}` is not a duration: expected 500ms, 10s, 2m or 1h; a number alone is in seconds");
    let trimmed = text.trim();
    // No unit: all of the text is the number.
    let unit_at = trimmed.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(unit_at);
    let seconds = match unit.trim() {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(invalid()),
    };
    let number: f64 = number.parse().map_err(|_no_number| invalid())?;
    let time =
        Duration::try_from_secs_f64(number * seconds).map_err(|_too_long| format!("`{text}` is too long"))?;
    if time.is_zero() { Err(format!("`{text}` is too short: expected more than 0")) } else { Ok(time) }
}

/// A time in nanoseconds, which 64 bits hold for 584 years.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        let millis = |text: &str| parse(text).map(|time| time.as_millis()).ok();
        let read = ["500ms", "10s", "10", "1.5m", "1h", "2 min"].map(millis);
        assert_eq!(read.map(Option::unwrap), [500, 10_000, 10_000, 90_000, 3_600_000, 120_000]);
        let refused = |text: &str, why: &str| {
            let message = parse(text).unwrap_err();
            assert!(message.contains(why), "{message}");
        };
        refused("0s", "too short: expected more than 0");
        refused("99999999999999999999999h", "too long");
        refused("10x", "a number alone is in seconds");
        assert_eq!(["", "s", "0s", "-1s", "10d", "1e9s", "99999999999999999999999h"].map(millis), [None; 7]);
    }
}
