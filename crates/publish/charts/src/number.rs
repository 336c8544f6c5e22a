//! Numbers in a picture.

/// A coordinate with `decimals` decimals or fewer. NaN becomes 0 and huge values are clamped, so that SVG can read all.
pub(crate) fn coordinate(value: f64, decimals: usize) -> String {
    const FAR: f64 = 1e6;
    let value = if value.is_finite() { value.clamp(-FAR, FAR) } else { 0.0 };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { String::from("0") } else { text.to_owned() }
}

/// A part of a whole, from 0 to 1; 0 if the whole is 0 or a value is NaN.
pub(crate) fn share(part: f64, whole: f64) -> f64 {
    let share = part / whole;
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

/// A share in percent, for people.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_one_that_svg_can_read() {
        let check = |value, expected: &str| assert_eq!(coordinate(value, 2), expected, "{value}");
        check(1.5, "1.5");
        check(100.0, "100");
        check(-0.001, "0");
        check(1.0 / 3.0, "0.33");
        check(f64::NAN, "0");
        check(f64::INFINITY, "0");
        check(1e300, "1000000");
        assert_eq!(coordinate(20.0, 0), "20");
    }

    #[test]
    fn a_share_of_nothing_is_nothing() {
        let shares = [share(1.0, 4.0), share(1.0, 0.0), share(0.0, 0.0), share(5.0, 1.0)];
        assert_eq!(shares.map(percent), ["25.0 %", "0.0 %", "0.0 %", "100.0 %"]);
    }
}
