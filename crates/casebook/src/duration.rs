//! Times on the command line: `500ms`, `10s`, `2m`, `1h`.

use std::time::Duration;

/// Reads a time: a number with its unit, seconds where there is none.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let unit_at = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit.trim() {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("`{text}` is no time: expected a number with ms, s, m or h, as in 10s")),
    };
    let number: f64 = number
        .parse()
        .map_err(|_no_number| format!("`{text}` is no time: expected a number with a unit, as in 10s"))?;
    let time = Duration::try_from_secs_f64(number * seconds).ok().filter(|time| !time.is_zero());
    time.ok_or_else(|| format!("`{text}` is no time that can be waited for"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        let millis = |text: &str| parse(text).map(|time| time.as_millis()).ok();
        let read = ["500ms", "10s", "10", "1.5m", "1h", "2 min"].map(millis);
        assert_eq!(read.map(Option::unwrap), [500, 10_000, 10_000, 90_000, 3_600_000, 120_000]);
        assert_eq!(["", "s", "0s", "-1s", "10d", "1e9s", "99999999999999999999999h"].map(millis), [None; 7]);
    }
}
