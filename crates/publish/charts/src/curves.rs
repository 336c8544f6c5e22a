//! Percentiles as curves: along the axis the odds of a slower one (`p99` is 1 in 100), up the value, both logarithmic.

use crate::colours::of_layer;
use crate::escape::escape;
use crate::number::coordinate;
use crate::plane::{HEIGHT, Scale, Tick, WIDTH, plane};
use report::Curve;
use report::unit::show;

/// The odds at which the axis has a tick, with its name.
const PERCENTILES: [(f64, &str); 8] = [
    (2.0, "p50"),
    (10.0, "p90"),
    (100.0, "p99"),
    (1e3, "p99.9"),
    (1e4, "p99.99"),
    (1e5, "p99.999"),
    (1e6, "p99.9999"),
    (1e7, "p99.99999"),
];
/// The most points of a curve.
const MAX_POINTS: usize = 2_000;

/// The curves in one plane, with their key. `label` says what there is to see. Empty without a point that can be drawn.
pub fn percentiles(curves: &[Curve], unit: &str, label: &str) -> String {
    let points = || curves.iter().flat_map(|curve| curve.points.iter().take(MAX_POINTS));
    let Some(scale) = Scale::decades(points().map(|(_, value)| *value)) else { return String::new() };
    let last = points().map(|(odds, _)| *odds).filter(|odds| odds.is_finite()).fold(2.0, f64::max);
    let odds = Scale::between(1.0, last);
    let mut shapes = String::new();
    for (number, curve) in curves.iter().enumerate() {
        shapes.push_str(&line(curve, number, odds, scale, unit));
    }
    let along: Vec<Tick> = PERCENTILES
        .iter()
        .filter(|(at, _)| *at <= last)
        .map(|(at, name)| (odds.place(*at), (*name).to_owned()))
        .collect();
    let up: Vec<Tick> =
        scale.ticks().into_iter().map(|value| (scale.place(value), show(value, unit))).collect();
    plane("curves", label, &along, &up, &shapes) + &key(curves)
}

/// A curve, and a dot with a text at each percentile of the axis. Every second curve is dashed, so that colour is not all
/// that tells them apart.
fn line(curve: &Curve, number: usize, odds: Scale, scale: Scale, unit: &str) -> String {
    let place = |(at, value): (f64, f64)| {
        (coordinate(odds.place(at) * WIDTH, 1), coordinate((1.0 - scale.place(value)) * HEIGHT, 1))
    };
    let mut path = String::new();
    for point in curve.points.iter().take(MAX_POINTS) {
        let (x, y) = place(*point);
        path.extend([if path.is_empty() { "M" } else { "L" }, &x, " ", &y]);
    }
    let dash = if number % 2 == 1 { " dashed" } else { "" };
    let class = of_layer("", curve.name);
    let mut shapes = format!("<path class=\"curve {class}{dash}\" d=\"{path}\"/>");
    for (at, name) in PERCENTILES {
        // The value at which the curve passes these odds.
        let Some((_, value)) = curve.points.iter().take(MAX_POINTS).find(|(of, _)| *of >= at) else {
            continue;
        };
        let (x, y) = place((at, *value));
        let text = escape(&format!("{name}: {} {}", show(*value, unit), curve.name));
        shapes.extend([format!("<path class=\"dot {class}\" d=\"M{x} {y}h0\"><title>{text}</title></path>")]);
    }
    shapes
}

fn key(curves: &[Curve]) -> String {
    let of = |curve: &Curve| {
        let class = of_layer("", curve.name);
        format!("<span><span class=\"swatch {class}\"></span>{}</span> ", escape(curve.name))
    };
    format!("<p class=\"heat-key\">{}</p>", curves.iter().map(of).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{attribute, elements};

    #[test]
    fn a_curve_rises_from_left_to_right_and_has_a_dot_at_each_percentile() {
        let points = vec![(1.0, 0.2), (2.0, 0.2), (10.0, 500.0), (100.0, 950.0), (400.0, 990.0)];
        let markup = percentiles(&[Curve { name: "from the schedule", points }], "ms", "<x>");
        let tags = elements(&markup);
        let of = |class: &str| tags.iter().filter(|tag| attribute(tag, "class").starts_with(class)).count();
        assert_eq!((of("curve "), of("dot ")), (1, 3));
        assert!(markup.contains("<title>p99: 950 ms from the schedule</title>"), "{markup}");
        assert!(markup.contains(">p99</text>") && !markup.contains(">p99.9</text>"));
    }

    #[test]
    fn hostile_points_have_coordinates_that_svg_can_read() {
        let points = vec![(f64::NAN, f64::NAN), (f64::INFINITY, 1.0), (0.0, f64::MAX), (5.0, -3.0)];
        let markup = percentiles(&[Curve { name: "from the send", points }], "ms", "x");
        for tag in elements(&markup) {
            assert!(!attribute(&tag, "d").contains(['N', 'i', 'e']), "{tag}");
        }
        assert_eq!(percentiles(&[], "ms", "x"), "");
    }
}
