//! Small pictures inside lines and cells.

use crate::escape::escape;
use crate::number::{coordinate, share};
use base::number::count;

/// Width and height of a sparkline in its own units.
const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 20.0;
/// More values than this are joined, so that each column has one.
const MAX_VALUES: usize = 120;

/// Values over time as a small line from 0 to the maximum, with gaps where there are none. `label` says what they are.
pub fn sparkline(values: &[Option<f64>], label: &str) -> String {
    let values = columns(values);
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let step = WIDTH / count(values.len().max(1));
    let mut path = String::new();
    let mut is_drawing = false;
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_drawing = false;
            continue;
        };
        let y = coordinate(HEIGHT - 1.0 - share(*value, most) * (HEIGHT - 2.0), 1);
        let (from, to) = (coordinate(count(at) * step, 1), coordinate(count(at + 1) * step, 1));
        // Each value is a step, so that a single value between gaps is visible too.
        let begin = if is_drawing { format!("V{y}H{to}") } else { format!("M{from} {y}H{to}") };
        path.push_str(&begin);
        is_drawing = true;
    }
    let label = escape(label);
    format!(
        "<svg class=\"sparkline\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{label}\"><title>{label}</title><path d=\"{path}\"/></svg>"
    )
}

/// One value per column: the largest of those that fall into it.
fn columns(values: &[Option<f64>]) -> Vec<Option<f64>> {
    let known = |value: &Option<f64>| value.filter(|value| value.is_finite());
    let each = values.len().div_ceil(MAX_VALUES).max(1);
    values.chunks(each).map(|few| few.iter().filter_map(known).max_by(f64::total_cmp)).collect()
}

/// A share from 0 to 1 as a bar. The cell around it has the number.
pub fn bar(share: f64) -> String {
    let part = coordinate(crate::number::share(share, 1.0) * 100.0, 1);
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"of\" width=\"100\" height=\"8\"/><rect class=\"part\" width=\"{part}\" height=\"8\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(values: &[Option<f64>]) -> String {
        let svg = sparkline(values, "x");
        let from = svg.find("d=\"").unwrap() + 3;
        svg[from..].split('"').next().unwrap().to_owned()
    }

    #[test]
    fn a_line_goes_from_nothing_to_the_most_and_breaks_where_there_is_no_value() {
        assert_eq!(path(&[Some(0.0), Some(4.0), None, Some(2.0)]), "M0 19H30V1H60M90 10H120");
        assert_eq!(path(&[]), "");
        assert_eq!(path(&[None, Some(f64::NAN)]), "");
        assert_eq!(path(&[Some(0.0), Some(-7.0)]), "M0 19H60V19H120");
        assert_eq!(path(&[Some(f64::MAX), Some(f64::MAX)]), "M0 1H60V1H120");
    }

    #[test]
    fn of_many_values_the_largest_of_each_column_is_drawn() {
        let mut values = vec![Some(1.0); 100_000];
        values[50_000] = Some(2.0);
        let path = path(&values);
        assert_eq!(path.matches('H').count(), MAX_VALUES);
        assert_eq!(path.matches("V1H").count(), 1);
    }

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        for (share, width) in [(0.375, "37.5"), (0.0, "0"), (-1.0, "0"), (7.0, "100"), (f64::NAN, "0")] {
            assert!(bar(share).contains(&format!("class=\"part\" width=\"{width}\"")), "{share}");
        }
    }

    #[test]
    fn a_label_stays_a_text() {
        assert!(sparkline(&[], "\"><script>").contains("aria-label=\"&quot;&gt;&lt;script&gt;\""));
    }
}
