//! Student's t distribution: how likely a difference is to occur by chance.
//!
//! Computed from the incomplete beta function as a continued fraction (W. Press et al., Numerical Recipes, 3rd edition, 6.4
//! and 6.14; DLMF 8.17.22), which is evaluated by Lentz's method.

/// Limit on the terms of the continued fraction, which converges long before.
const MAX_TERMS: u32 = 300;
/// Replaces a denominator of 0.
const TINY: f64 = 1e-300;

/// The probability that a value is at least as far from 0 as `t`, on either side: the p-value of a two-sided t test.
///
/// Degrees of freedom are limited to the range from 1 to a million. The probability is 1 if `t` is not a number, and 0 if
/// it is infinite.
pub fn two_sided(t: f64, degrees: f64) -> f64 {
    if !t.is_finite() {
        return if t.is_nan() { 1.0 } else { 0.0 };
    }
    let degrees = degrees.clamp(1.0, 1e6);
    incomplete_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5).clamp(0.0, 1.0)
}

/// The critical value: the `t` whose [`two_sided`] probability is `p`, found by bisection up to 2^30. The limit is also
/// the answer for a `p` of 0.
pub fn threshold(p: f64, degrees: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided(high, degrees) > p && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if two_sided(middle, degrees) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function, for x from 0 to 1.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    // The fraction converges fast only below the mean; above it, the symmetric function does.
    if x < (a + 1.0) / (a + b + 2.0) {
        front.exp() * fraction(x, a, b) / a
    } else {
        1.0 - front.exp() * fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of the incomplete beta function, evaluated from the front: each term multiplies the value by
/// the ratio of successive numerators and the ratio of successive denominators.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut numerators = 1.0;
    let mut denominators = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = denominators;
    for term in (1..=MAX_TERMS).map(f64::from) {
        let even = a + 2.0 * term;
        for step in [
            term * (b - term) * x / ((even - 1.0) * even),
            -(a + term) * (a + b + term) * x / (even * (even + 1.0)),
        ] {
            denominators = 1.0 / away_from_zero(1.0 + step * denominators);
            numerators = away_from_zero(1.0 + step / numerators);
            value *= numerators * denominators;
        }
        if (numerators * denominators - 1.0).abs() < 1e-12 {
            break;
        }
    }
    value
}

/// The logarithm of the gamma function of a positive number, by Lanczos' approximation with g = 7 and nine terms.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum =
        (1u32..).zip(TERMS).fold(0.999_999_999_999_809_9, |sum, (at, term)| sum + term / (x + f64::from(at)));
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_matches_printed_tables() {
        // Critical values of Student's distribution, two-sided (NIST/SEMATECH e-Handbook, 1.3.6.7.2).
        for (degrees, p, expected) in [
            (1.0, 0.05, 12.706),
            (9.0, 0.05, 2.262),
            (9.0, 0.002, 4.297),
            (18.0, 0.05, 2.101),
            (18.0, 0.01, 2.878),
            (100.0, 0.02, 2.364),
        ] {
            let t = threshold(p, degrees);
            assert!((t - expected).abs() < 6e-4, "{degrees} {p}: {t}");
            assert!((two_sided(t, degrees) - p).abs() < 1e-9);
        }
        // With one degree of freedom it is Cauchy's distribution: half of all values are beyond 1 or -1.
        assert!((two_sided(1.0, 1.0) - 0.5).abs() < 1e-12);
        // With very many it is the normal distribution.
        assert!((two_sided(1.959_964, 1e6) - 0.05).abs() < 1e-6);
    }

    #[test]
    fn a_t_that_is_not_a_number_is_not_unusual_and_an_infinite_one_is() {
        assert_eq!(two_sided(f64::NAN, 9.0).to_bits(), 1.0f64.to_bits());
        assert_eq!(two_sided(f64::INFINITY, 9.0).to_bits(), 0.0f64.to_bits());
        assert_eq!(two_sided(0.0, 9.0).to_bits(), 1.0f64.to_bits());
    }
}
