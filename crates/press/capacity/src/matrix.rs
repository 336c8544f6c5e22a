//! Symmetric systems of three equations.

/// A vector of the three parameters: α, β, γ.
pub(crate) type Three = [f64; 3];
/// A symmetric matrix of them.
pub(crate) type Matrix = [Three; 3];

/// The scalar product.
pub(crate) fn dot(one: Three, other: Three) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// The product of a matrix and a vector.
pub(crate) fn times(matrix: Matrix, vector: Three) -> Three {
    matrix.map(|row| dot(row, vector))
}

/// The solution of `matrix · x = vector`, by Cholesky's decomposition after the diagonal is scaled to 1. `None` unless the
/// matrix is positive definite to the precision of doubles.
pub(crate) fn solve(matrix: Matrix, vector: Three) -> Option<Three> {
    /// A pivot below this is 0 but for rounding.
    const LEAST: f64 = 1e-14;
    let [[aa, ab, ac], [_, bb, bc], [_, _, cc]] = matrix;
    let scale = [aa, bb, cc].map(f64::sqrt);
    let [sa, sb, sc] = scale;
    if !scale.iter().all(|scale| scale.is_finite() && *scale > 0.0) {
        return None;
    }
    // The lower triangle, whose first entry is 1.
    let (ba, ca, cb) = (ab / (sa * sb), ac / (sa * sc), bc / (sb * sc));
    let second = 1.0 - ba * ba;
    if second.is_nan() || second < LEAST {
        return None;
    }
    let second = second.sqrt();
    let below = (cb - ca * ba) / second;
    let third = 1.0 - ca * ca - below * below;
    if third.is_nan() || third < LEAST {
        return None;
    }
    let third = third.sqrt();
    let [first, next, last] = vector;
    // Down with the triangle, then up with its transpose.
    let first = first / sa;
    let next = (next / sb - ba * first) / second;
    let last = (last / sc - ca * first - below * next) / third;
    let last = last / third;
    let next = (next - below * last) / second;
    let first = first - ba * next - ca * last;
    let solution = [first / sa, next / sb, last / sc];
    solution.iter().all(|of| of.is_finite()).then_some(solution)
}

/// The inverse, under the same condition.
pub(crate) fn inverse(matrix: Matrix) -> Option<Matrix> {
    let unit = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let [a, b, c] = unit.map(|column| solve(matrix, column));
    Some([a?, b?, c?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_times_the_matrix_is_one_even_if_the_scales_differ_by_much() {
        let matrix = [[4e12, 2e4, 1e6], [2e4, 9e-4, 1e-3], [1e6, 1e-3, 2.0]];
        let inverse = inverse(matrix).unwrap();
        for (at, row) in matrix.into_iter().enumerate() {
            for (column, vector) in inverse.into_iter().enumerate() {
                let expected = if at == column { 1.0 } else { 0.0 };
                let size: f64 = row.iter().zip(vector).map(|(a, b)| (a * b).abs()).sum();
                assert!((dot(row, vector) - expected).abs() < 1e-12 * size.max(1.0), "{at} {column}");
            }
        }
    }

    #[test]
    fn a_matrix_that_determines_nothing_has_no_inverse() {
        assert_eq!(inverse([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), None);
        assert_eq!(inverse([[0.0; 3]; 3]), None);
        assert_eq!(inverse([[f64::NAN; 3]; 3]), None);
    }
}
