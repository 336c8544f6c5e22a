//! Sizes on the command line: `500MB`, `64GB`, `1TB`.

/// Reads a number and its unit, as bytes.
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
    let bytes = in_bytes(digits.trim(), unit_bytes);
    let bytes =
        bytes.ok_or_else(|| format!("`{text}` is not a size: expected a number with a unit, as in 500MB"))?;
    if bytes < MIN { Err(format!("`{text}` is too little: expected 1MB or more")) } else { Ok(bytes) }
}

/// A decimal number of units. `None` if it is not a number, or too large.
fn in_bytes(number: &str, unit_bytes: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let places = u32::try_from(part.len()).ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()))?;
    let of_part = unit_bytes.checked_mul(part.parse().ok()?)? / 10u64.checked_pow(places)?;
    whole.parse::<u64>().ok()?.checked_mul(unit_bytes)?.checked_add(of_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_its_unit() {
        let sizes = ["500MB", "64 GB", "1t", "2M", "1.5GB"].map(parse);
        assert_eq!(
            sizes,
            [Ok(500_000_000), Ok(64_000_000_000), Ok(1_000_000_000_000), Ok(2_000_000), Ok(1_500_000_000)]
        );
        for text in ["", "7", "10kB", "0MB", "-1GB", "99999999999TB", "1.GB", ".5GB", "1.-5GB", "0.5MB"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
