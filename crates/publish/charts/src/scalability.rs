//! The Universal Scalability Law and the measurements that it is fitted to: the curve with its band, and the residuals below.
//!
//! The same shapes are drawn in two ways: on the planes of a page, which are stretched to their room and take their colours from
//! classes; and in a file of its own, with colours and texts in it, for whatever shows SVG.

use crate::colours::light;
use crate::escape::escape;
use crate::number::{coordinate, share};
use crate::plane::{HEIGHT, Tick, WIDTH, plane};
use base::number::count;
use capacity::{Fit, Interval, Point};
use report::unit::short;

/// Points of the curve.
const STEPS: usize = 200;
/// Measurements that are drawn.
const MAX_POINTS: usize = 5_000;
/// Ticks that an axis has, about.
const TICKS: f64 = 5.0;
/// A peak farther away than this many times the largest load is not drawn: it would press the measurements together.
const NEAR: f64 = 1.5;
/// The band beyond this many times the highest throughput is cut.
const WIDE: f64 = 1.6;

/// A linear scale.
#[derive(Debug, Clone, Copy)]
struct Linear {
    low: f64,
    high: f64,
}

impl Linear {
    /// The place of a value, from 0 to 1.
    fn place(self, value: f64) -> f64 {
        share(value - self.low, self.high - self.low)
    }

    /// Round values on it: multiples of 1, 2 or 5 times a power of ten.
    fn ticks(self) -> Vec<f64> {
        let rough = (self.high - self.low) / TICKS;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|of| of * power).find(|step| *step >= rough);
        let Some(step) = step.filter(|step| step.is_finite() && *step > 0.0) else { return Vec::new() };
        let first = (self.low / step).ceil();
        // A scale has no more than twice the wanted ticks.
        let ticks = (0..12u32).map(|at| (first + f64::from(at)) * step);
        ticks.filter(|tick| *tick <= self.high + step * 1e-9).collect()
    }

    fn named_ticks(self) -> Vec<Tick> {
        self.ticks().into_iter().map(|value| (self.place(value), label(value))).collect()
    }
}

/// A number for an axis.
fn label(value: f64) -> String {
    if value.abs() < 1e-12 { "0".to_owned() } else { short(value) }
}

/// What is drawn, on its scales.
struct Picture<'a> {
    fit: &'a Fit,
    load: Linear,
    throughput: Linear,
    residual: Linear,
}

impl<'a> Picture<'a> {
    fn new(fit: &'a Fit) -> Self {
        let measured = fit.range().high;
        let peak = fit.model.peak_load().filter(|peak| *peak <= measured * NEAR);
        let last = peak.map_or(measured, |peak| peak.max(measured)) * 1.05;
        let load = Linear { low: 0.0, high: last };
        let largest = fit.points.iter().map(|of| of.throughput).fold(0.0, f64::max);
        let curve = (0..=STEPS).map(|at| fit.model.throughput(step(load, at)));
        let high = curve.fold(largest, f64::max);
        // The whole band, unless it is so wide that the curve would be flat.
        let bands = (1..=STEPS).filter_map(|at| fit.band(step(load, at)));
        let band = bands.map(|of| of.high).fold(high, f64::max).min(high * WIDE);
        let high = band.max(high * 1.1);
        let residual = fit.points.iter().map(|of| fit.residual(of).abs()).fold(0.0, f64::max);
        let residual = if residual > 0.0 { residual * 1.15 } else { 1.0 };
        Self {
            fit,
            load,
            throughput: Linear { low: 0.0, high },
            residual: Linear { low: -residual, high: residual },
        }
    }

    /// The curve, from the left to the right.
    fn curve(&self) -> Vec<(f64, f64)> {
        self.along(|load| self.fit.model.throughput(load))
    }

    /// The outline of its band. Empty if it has none.
    fn band(&self) -> Vec<(f64, f64)> {
        let end = |load, of: fn(Interval) -> f64| self.fit.band(load).map_or(f64::NAN, of);
        let mut outline = self.along(|load| end(load, |of| of.high));
        let below = self.along(|load| end(load, |of| of.low));
        outline.extend(below.into_iter().rev());
        if outline.iter().all(|(_, y)| y.is_finite()) { outline } else { Vec::new() }
    }

    fn along(&self, of: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        let place = |at| {
            let load = step(self.load, at);
            (self.load.place(load), self.throughput.place(of(load)))
        };
        (1..=STEPS).map(place).collect()
    }

    fn points(&self) -> impl Iterator<Item = &Point> {
        self.fit.points.iter().take(MAX_POINTS)
    }

    /// The place of a measurement, and what it is in words.
    fn measured(&self, of: &Point) -> (f64, f64, String) {
        let words = format!(
            "load {}: {}, fitted {}",
            label(of.load),
            label(of.throughput),
            label(self.fit.model.throughput(of.load))
        );
        (self.load.place(of.load), self.throughput.place(of.throughput), words)
    }

    fn residual(&self, of: &Point) -> (f64, f64, String) {
        let residual = self.fit.residual(of);
        let words = format!("load {}: {} beside the curve", label(of.load), label(residual));
        (self.load.place(of.load), self.residual.place(residual), words)
    }
}

fn step(load: Linear, at: usize) -> f64 {
    // Throughput is 0 at a load of 0, where the law has no other meaning.
    (load.high * count(at) / count(STEPS)).max(1e-12)
}

/// A rectangle in which places from 0 to 1 are drawn, with y upwards.
#[derive(Debug, Clone, Copy)]
struct Room {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Room {
    fn x(self, place: f64) -> String {
        coordinate(self.left + place * self.width, 1)
    }

    fn y(self, place: f64) -> String {
        coordinate(self.top + (1.0 - place) * self.height, 1)
    }

    fn path(self, places: &[(f64, f64)]) -> String {
        let mut path = String::new();
        for (x, y) in places {
            path.extend([if path.is_empty() { "M" } else { "L" }, &self.x(*x), " ", &self.y(*y)]);
        }
        path
    }
}

/// The curve with its measurements and its band, and the residuals below. `label` says what there is to see.
pub fn scalability(fit: &Fit, label: &str) -> String {
    let picture = Picture::new(fit);
    let room = Room { left: 0.0, top: 0.0, width: WIDTH, height: HEIGHT };
    let dot = |(x, y, words): (f64, f64, String)| {
        let (x, y) = (room.x(x), room.y(y));
        format!("<path class=\"dot c-running\" d=\"M{x} {y}h0\"><title>{}</title></path>", escape(&words))
    };
    let mut shapes = String::new();
    let band = room.path(&picture.band());
    if !band.is_empty() {
        shapes.extend([format!("<path class=\"band c-requests\" d=\"{band}Z\"/>")]);
    }
    shapes.extend([format!("<path class=\"curve c-requests\" d=\"{}\"/>", room.path(&picture.curve()))]);
    shapes.extend(picture.points().map(|of| dot(picture.measured(of))));
    let along = picture.load.named_ticks();
    let fitted = plane("scalability", label, &along, &picture.throughput.named_ticks(), &shapes);
    let zero = room.y(picture.residual.place(0.0));
    let mut shapes = format!("<path class=\"curve c-requests\" d=\"M0 {zero}H{WIDTH}\"/>");
    shapes.extend(picture.points().map(|of| dot(picture.residual(of))));
    let about = "Residuals: measured throughput less the curve, by load";
    fitted + &plane("residuals", about, &along, &picture.residual.named_ticks(), &shapes)
}

/// The width of the file, its margins, and the heights of both plots.
const FILE_WIDTH: f64 = 800.0;
const MARGIN: f64 = 70.0;
const CURVE_HEIGHT: f64 = 300.0;
const RESIDUAL_HEIGHT: f64 = 110.0;
/// Letters in a line of its sentence.
const LINE: usize = 105;
/// Letters of a title.
const MAX_TITLE: usize = 80;

/// The same as a file: an SVG with a title, a sentence, axes, and colours of its own.
pub fn scalability_file(fit: &Fit, title: &str, sentence: &str) -> String {
    let picture = Picture::new(fit);
    let [ink, quiet, grid, line, point] =
        ["text", "text-quiet", "faint", "c-requests", "c-running"].map(light);
    let title: String = title.chars().take(MAX_TITLE).collect();
    let lines = wrapped(sentence);
    let top = 66.0 + 16.0 * count(lines.len());
    let width = FILE_WIDTH - 1.3 * MARGIN;
    let curve = Room { left: MARGIN, top, width, height: CURVE_HEIGHT };
    let below = Room { top: top + CURVE_HEIGHT + 60.0, height: RESIDUAL_HEIGHT, ..curve };
    let height = below.top + RESIDUAL_HEIGHT + 45.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {FILE_WIDTH} {}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" \
         fill=\"{ink}\"><title>{}</title><desc>{}</desc><rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\
         <text x=\"20\" y=\"28\" font-size=\"16\" font-weight=\"600\">{}</text>",
        coordinate(height, 0),
        escape(&title),
        escape(sentence),
        light("surface"),
        escape(&title)
    );
    for (text, number) in lines.iter().zip(1..) {
        let y = coordinate(32.0 + 16.0 * f64::from(number), 1);
        out.extend([format!("<text x=\"20\" y=\"{y}\">{}</text>", escape(text))]);
    }
    let dot = |room: Room, (x, y, words): (f64, f64, String)| {
        let (x, y) = (room.x(x), room.y(y));
        format!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"4\" fill=\"{point}\"><title>{}</title></circle>",
            escape(&words)
        )
    };
    out.push_str(&axes(curve, picture.load, picture.throughput, "throughput", [quiet, grid]));
    let band = curve.path(&picture.band());
    if !band.is_empty() {
        out.extend([format!("<path d=\"{band}Z\" fill=\"{line}\" fill-opacity=\"0.15\"/>")]);
    }
    let path = curve.path(&picture.curve());
    out.extend([format!("<path d=\"{path}\" fill=\"none\" stroke=\"{line}\" stroke-width=\"2\"/>")]);
    out.extend(picture.points().map(|of| dot(curve, picture.measured(of))));
    out.push_str(&axes(below, picture.load, picture.residual, "residual", [quiet, grid]));
    let zero = [(0.0, 0.5), (1.0, 0.5)];
    out.extend([format!("<path d=\"{}\" stroke=\"{line}\"/>", below.path(&zero))]);
    out.extend(picture.points().map(|of| dot(below, picture.residual(of))));
    out + "</svg>\n"
}

/// The grid of a plot, with the texts at its ticks and the names of its axes.
fn axes(room: Room, along: Linear, up: Linear, name: &str, [text, grid]: [&str; 2]) -> String {
    let mut out = String::new();
    let (bottom, right) = (room.y(0.0), room.x(1.0));
    for (place, label) in up.named_ticks() {
        let y = room.y(place);
        out.extend([format!(
            "<path d=\"M{} {y}H{right}\" stroke=\"{grid}\"/><text x=\"{}\" y=\"{y}\" text-anchor=\"end\" dominant-baseline=\"central\" \
             fill=\"{text}\">{}</text>",
            room.x(0.0),
            coordinate(room.left - 6.0, 1),
            escape(&label)
        )]);
    }
    for (place, label) in along.named_ticks() {
        let x = room.x(place);
        out.extend([format!(
            "<path d=\"M{x} {}V{bottom}\" stroke=\"{grid}\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" fill=\"{text}\">{}</text>",
            room.y(1.0),
            coordinate(room.top + room.height + 16.0, 1),
            escape(&label)
        )]);
    }
    let above = coordinate(room.top - 8.0, 1);
    let below = coordinate(room.top + room.height + 32.0, 1);
    out.extend([format!(
        "<text x=\"{}\" y=\"{above}\" fill=\"{text}\">{name}</text><text x=\"{right}\" y=\"{below}\" text-anchor=\"end\" fill=\"{text}\">load</text>",
        room.x(0.0)
    )]);
    out
}

/// A sentence in lines, broken at blanks.
fn wrapped(sentence: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in sentence.split_whitespace() {
        let Some(last) = lines.last_mut() else { break };
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > LINE {
            lines.push(word.to_owned());
        } else {
            last.extend([if last.is_empty() { "" } else { " " }, word]);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{attribute, elements};

    fn fit(rows: &[(f64, f64)]) -> Fit {
        let point =
            |(load, throughput): &(f64, f64)| Point { load: *load, throughput: *throughput, latency: None };
        Fit::of(rows.iter().map(point).collect()).unwrap()
    }

    #[test]
    fn each_measurement_has_a_dot_on_the_curve_and_one_among_the_residuals() {
        let fit = fit(&[
            (1.0, 64.9),
            (18.0, 995.9),
            (36.0, 1652.4),
            (72.0, 1853.2),
            (108.0, 1828.9),
            (216.0, 1702.2),
        ]);
        let markup = scalability(&fit, "<label>");
        let tags = elements(&markup);
        let of = |class: &str| tags.iter().filter(|tag| attribute(tag, "class").starts_with(class)).count();
        assert_eq!((of("dot "), of("band "), of("curve ")), (12, 1, 2));
        let file = scalability_file(&fit, "a & b", "One sentence.");
        let circles = elements(&file).iter().filter(|tag| tag.starts_with("circle")).count();
        assert_eq!(circles, 12);
        assert!(file.contains("<title>a &amp; b</title>") && file.contains(">load</text>"), "{file}");
    }

    #[test]
    fn extreme_measurements_have_coordinates_that_svg_can_read() {
        for rows in [
            [(1.0, 1e15), (1e15, 0.0), (2.0, 1.0), (3.0, 5.0)],
            [(1e-9, 1e-300), (1e-8, 1e-300), (1e-7, 1e-300), (1.0, 1e-300)],
            [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0)],
        ] {
            let fit = fit(&rows);
            for tag in
                elements(&scalability(&fit, "x")).iter().chain(&elements(&scalability_file(&fit, "x", "y")))
            {
                for name in ["d", "x", "y", "cx", "cy"] {
                    assert!(!attribute(tag, name).contains(['N', 'i', 'e']), "{tag}");
                }
            }
        }
    }

    #[test]
    fn ticks_are_round() {
        let of = |low, high| Linear { low, high }.ticks();
        assert_eq!(of(0.0, 226.8), [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert_eq!(of(-12.0, 12.0), [-10.0, -5.0, 0.0, 5.0, 10.0]);
        assert!(of(1.0, 1.0).is_empty() && of(0.0, f64::INFINITY).is_empty());
    }
}
