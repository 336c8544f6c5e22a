//! Sizes on the command line: `500MB`, `64GB`, `1TB`.

/// Reads a whole number and its unit, as bytes.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    /// A smaller limit leaves no room for anything useful, so it is a typing error.
    const MIN: u64 = 1_000_000;
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit_bytes = match text.get(digits.len()..).unwrap_or_default().to_ascii_uppercase().as_str() {
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "T" | "TB" => 1_000_000_000_000u64,
        _ => return Err(format!("`{text}` is not a size: expected a number with MB, GB or TB, as in 500MB")),
    };
    let bytes = digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit_bytes));
    bytes.filter(|bytes| *bytes >= MIN).ok_or_else(|| format!("`{text}` is not a size: expected 1MB or more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_its_unit() {
        let sizes = ["500MB", "64 GB", "1t", "2M"].map(parse);
        assert_eq!(sizes, [Ok(500_000_000), Ok(64_000_000_000), Ok(1_000_000_000_000), Ok(2_000_000)]);
        for text in ["", "7", "10kB", "0MB", "-1GB", "99999999999TB", "1.5GB"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
