//! A distribution as a box plot over its values: each value is a dot, and outliers are marked.
//!
//! ```text
//!            ┌────┬──────┐
//!   ├────────┤    │      ├──────┤        o      box: quartiles and median; ends: the last values within the fences
//!            └────┴──────┘
//! ```

use crate::escape::escape;
use crate::number::{coordinate, share};
use base::number::count;
use report::Distribution;
use report::unit::show;

/// The plot's own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 48.0;
/// Space at both ends, so that the first and last dots are whole.
const MARGIN: f64 = 8.0;
const MIDDLE: f64 = HEIGHT / 2.0;
const BOX: f64 = 24.0;
/// The most dots. Of more values, only every n-th is drawn.
const MAX_DOTS: usize = 300;

/// The plot, with its smallest value, median and largest value below it.
pub fn distribution(of: &Distribution) -> String {
    let (Some(first), Some(last)) = (of.values.first(), of.values.last()) else { return String::new() };
    let place = |value: f64| MARGIN + share(value - first, last - first) * (WIDTH - 2.0 * MARGIN);
    let at = |value: f64| coordinate(place(value), 1);
    let shown = |value: f64| escape(&show(value, of.unit));
    let [lower, median, upper] = of.quartiles;
    let (from, to) = of.whiskers;
    let (top, bottom) = (coordinate(MIDDLE - BOX / 2.0, 1), coordinate(MIDDLE + BOX / 2.0, 1));
    let mut marks = format!(
        "<path class=\"whisker\" d=\"M{} {MIDDLE}H{}M{} {MIDDLE}H{}M{} {top}V{bottom}M{} {top}V{bottom}\"/>\
         <rect class=\"box\" x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{BOX}\"/>",
        at(from),
        at(lower),
        at(upper),
        at(to),
        at(from),
        at(to),
        at(lower),
        coordinate(place(upper) - place(lower), 1),
    );
    marks.push_str(&dots(of, &at));
    marks.extend([format!("<path class=\"median\" d=\"M{} {top}V{bottom}\"/>", at(median))]);
    let label = format!(
        "{}: {} values from {} to {}, median {}, outliers: {}",
        of.name,
        of.values.len(),
        show(*first, of.unit),
        show(*last, of.unit),
        show(median, of.unit),
        of.outliers
    );
    let label = escape(&label);
    format!(
        "<figure class=\"distribution\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{label}\"><title>{label}</title>{marks}</svg><figcaption><span>{}</span>\
         <span>median {}</span><span>{}</span></figcaption></figure>",
        shown(*first),
        shown(median),
        shown(*last),
    )
}

/// The values as dots, on three rows so that close ones do not cover each other. All outliers are drawn.
fn dots(of: &Distribution, at: &dyn Fn(f64) -> String) -> String {
    let each = of.values.len().div_ceil(MAX_DOTS).max(1);
    let mut dots = String::new();
    let mut outliers = 0;
    for (number, value) in of.values.iter().enumerate() {
        let is_outlier = of.is_outlier(*value);
        outliers += usize::from(is_outlier);
        let is_drawn = if is_outlier { outliers <= MAX_DOTS } else { number.is_multiple_of(each) };
        if !is_drawn {
            continue;
        }
        let class = if is_outlier { "outlier" } else { "value" };
        let row = MIDDLE + (count(number % 3) - 1.0) * 6.0;
        // A line of length 0 with round ends stays a circle at any width of the plot.
        dots.extend([format!("<path class=\"{class}\" d=\"M{} {}h0\"/>", at(*value), coordinate(row, 1))]);
    }
    dots
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::elements;

    fn plot(values: Vec<f64>) -> String {
        distribution(&Distribution::of("<Parse>".to_owned(), "ns", values).unwrap())
    }

    fn classes(markup: &str, class: &str) -> usize {
        elements(markup).iter().filter(|tag| tag.contains(&format!("class=\"{class}\""))).count()
    }

    #[test]
    fn every_value_is_a_dot_and_an_outlier_is_marked() {
        let markup = plot(vec![1.0, 2.0, 3.0, 4.0, 5.0, 90.0]);
        assert_eq!((classes(&markup, "value"), classes(&markup, "outlier")), (5, 1));
        assert!(
            markup.contains("<span>1 ns</span><span>median 3.50 ns</span><span>90 ns</span>"),
            "{markup}"
        );
        assert!(markup.contains("&lt;Parse&gt;: 6 values from 1 ns to 90 ns"), "{markup}");
    }

    #[test]
    fn of_many_values_every_few_are_drawn_and_every_outlier() {
        let mut values: Vec<f64> = (0..10_000).map(f64::from).collect();
        values.extend([1e6, 2e6]);
        let markup = plot(values);
        assert!(classes(&markup, "value") <= MAX_DOTS);
        assert_eq!(classes(&markup, "outlier"), 2);
    }

    #[test]
    fn equal_values_and_strange_ones_have_a_plot_that_svg_can_read() {
        for values in [vec![7.0; 4], vec![0.0], vec![f64::MIN, f64::MAX], vec![-1e300, 1e300, 0.0]] {
            let markup = plot(values);
            assert!(!markup.contains("NaN") && !markup.contains("inf"), "{markup}");
            elements(&markup);
        }
    }
}
