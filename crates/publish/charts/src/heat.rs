//! A heat map: when which value occurred how often. Time is linear, values and counts are on logarithmic scales.
//!
//! ```text
//!  1 s  │   ▒▓        ▒▓          a stall: a tooth
//!       │  ▒▓█       ▒▓█
//!  1 ms │██████████████████       most are quick
//!       └──────────────────▶ time
//! ```

use crate::escape::escape;
use crate::number::{coordinate, share};
use crate::plane::{HEIGHT, Scale, WIDTH, plane};
use base::number::{grouped, real, real_u64};
use report::unit::{duration, range, show};
use report::{HeatCell, HeatMap};
use timeline::{Span, ticks};

/// Steps of the colour; each has a class `h1` to `h5`.
const STEPS: u8 = 5;
/// The most ticks of the time axis.
const MAX_TICKS: usize = 6;
/// Cells with a text of their own, which shows under the mouse; of more cells none has one.
const MAX_TEXTS: usize = 3_000;

/// The map, with the key of its colours. `label` says what there is to see. Empty without a cell that can be drawn.
pub fn heat_map(of: &HeatMap, label: &str) -> String {
    let ends = of.cells.iter().flat_map(|cell| [cell.low, cell.high]);
    let Some(scale) = Scale::decades(ends) else { return String::new() };
    let most = of.cells.iter().map(|cell| cell.count).max().unwrap_or(0);
    let length = real(of.to_ns.saturating_sub(of.from_ns).max(1));
    let across = |ns: i64| share(real(ns.saturating_sub(of.from_ns)), length);
    let has_texts = of.cells.len() <= MAX_TEXTS;
    let mut shapes = String::new();
    for cell in &of.cells {
        let (left, right) = (across(cell.from_ns), across(cell.to_ns));
        let (top, bottom) = (1.0 - scale.place(cell.high), 1.0 - scale.place(cell.low));
        let text =
            if has_texts { format!("<title>{}</title>", escape(&said(of, cell))) } else { String::new() };
        shapes.extend([format!(
            "<rect class=\"h{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">{text}</rect>",
            step(cell.count, most),
            coordinate(left * WIDTH, 1),
            coordinate(top * HEIGHT, 1),
            // Neighbours overlap by a hair, so that no line shows between them.
            coordinate((right - left) * WIDTH + 0.3, 1),
            coordinate((bottom - top) * HEIGHT + 0.3, 1),
        )]);
    }
    let span = Span { from_ns: of.from_ns, to_ns: of.to_ns };
    let along: Vec<_> =
        ticks(span, MAX_TICKS).into_iter().map(|tick| (across(tick.at_ns), tick.label)).collect();
    let up: Vec<_> =
        scale.ticks().into_iter().map(|value| (scale.place(value), show(value, of.unit))).collect();
    plane("heat", label, &along, &up, &shapes) + &key(most)
}

/// A cell in words.
fn said(of: &HeatMap, cell: &HeatCell) -> String {
    let at = real(cell.from_ns) / 1e6;
    format!("{} at {}: {}", range(cell.low, cell.high, of.unit), duration(at), grouped(cell.count))
}

/// The step of a count, from 1 to [`STEPS`]: a single one has the first, the most have the last.
fn step(count: u64, most: u64) -> u8 {
    if most <= 1 {
        return STEPS;
    }
    let place = share(real_u64(count.max(1)).ln(), real_u64(most).ln());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the steps")]
    let step = (place * f64::from(STEPS)) as u8;
    step.saturating_add(1).min(STEPS)
}

/// What the colours mean.
fn key(most: u64) -> String {
    let mut key = String::from("<p class=\"heat-key\">");
    for number in 1..=STEPS {
        let from = real_u64(most).powf(f64::from(number - 1) / f64::from(STEPS)).ceil();
        let text = if number == STEPS && most > 1 { format!("to {}", grouped(most)) } else { String::new() };
        key.extend([format!(
            "<span><span class=\"swatch h{number}\"></span>{} {text}</span> ",
            coordinate(from, 0)
        )]);
    }
    key + "</p>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{attribute, elements};

    fn cell(from_ns: i64, low: f64, count: u64) -> HeatCell {
        HeatCell { from_ns, to_ns: from_ns.saturating_add(1_000), low, high: low * 2.0, count }
    }

    fn map(cells: Vec<HeatCell>) -> HeatMap {
        HeatMap { from_ns: 0, to_ns: 2_000, unit: "ms", cells }
    }

    #[test]
    fn a_cell_lies_at_its_time_and_value_and_is_darker_the_more_it_holds() {
        let markup = heat_map(&map(vec![cell(0, 1.0, 1), cell(1_000, 5.0, 900)]), "<all>");
        let tags = elements(&markup);
        let cells: Vec<_> = tags.iter().filter(|tag| tag.starts_with("rect ")).collect();
        let of = |name| cells.iter().map(|tag| attribute(tag, name)).collect::<Vec<_>>();
        assert_eq!(
            (of("class"), of("x")),
            (vec!["h1".to_owned(), "h5".to_owned()], vec!["0".to_owned(), "500".to_owned()])
        );
        assert_eq!(of("y")[1], "0", "the scale ends at 10 ms");
        assert!(markup.contains("<title>5–10 ms at 1 µs: 900</title>"), "{markup}");
        assert!(
            markup.contains("aria-label=\"&lt;all&gt;\" ") || markup.contains("aria-label=\"&lt;all&gt;\">")
        );
    }

    #[test]
    fn hostile_cells_have_coordinates_that_svg_can_read() {
        let cells = [
            (i64::MIN, f64::NAN, u64::MAX),
            (i64::MAX, f64::INFINITY, 0),
            (5, 0.0, 1),
            (7, 1e300, 9),
            (9, 1.0, 1),
        ];
        let cells = cells.into_iter().map(|(from, low, count)| cell(from, low, count)).collect();
        let markup = heat_map(&HeatMap { from_ns: i64::MIN, to_ns: i64::MAX, unit: "ms", cells }, "x");
        for tag in elements(&markup) {
            for name in ["x", "y", "width", "height"] {
                assert!(!attribute(&tag, name).contains(['N', 'i', 'e']), "{tag}");
            }
        }
        assert_eq!(heat_map(&map(Vec::new()), "x"), "");
    }
}
