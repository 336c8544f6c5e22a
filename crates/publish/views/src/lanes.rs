//! Lanes over time: drawn, and their values as JSON for script.

use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};
use timeline::{Lane, LaneValues, Layer, Span, Stretch};

/// How many pieces a lane is cut into: one per column of its picture.
pub const PIECES: usize = 600;
/// The height of a lane's picture, in pixels.
const HEIGHT: u32 = 34;

/// Lanes of a range, cut into [`PIECES`].
pub fn drawn(lanes: &[Lane], span: Span) -> Markup {
    let options = charts::LaneOptions { is_main: true, ..OPTIONS };
    html! { @if !lanes.is_empty() { (PreEscaped(charts::lanes(lanes, span, &options))) } }
}

/// A copy of one lane, in which a range is marked.
pub fn marked(lane: &Lane, span: Span, marked: Option<Span>) -> Markup {
    let options = charts::LaneOptions { marked, ..OPTIONS };
    html! { (PreEscaped(charts::lanes(std::slice::from_ref(lane), span, &options))) }
}

#[expect(clippy::cast_possible_truncation, reason = "a few hundred")]
const OPTIONS: charts::LaneOptions =
    charts::LaneOptions { width: PIECES as u32, height: HEIGHT, marked: None, is_main: false };

/// The values of lanes: one list per layer with one value per piece, or the stretches.
pub fn json(lanes: &[Lane]) -> Value {
    json!({"lanes": lanes.iter().map(lane_json).collect::<Vec<_>>()})
}

fn lane_json(lane: &Lane) -> Value {
    /// The most stretches of a lane.
    const MOST: usize = 5_000;
    let rounded =
        |value: &Option<f64>| value.map(|value| format!("{value:.4e}").parse::<f64>().unwrap_or(value));
    let (layers, stretches) = match &lane.shape {
        LaneValues::Area { layers, .. } => {
            let of = |layer: &Layer| json!({"name": layer.name, "values": layer.values.iter().map(rounded).collect::<Vec<_>>()});
            (layers.iter().map(of).collect(), Vec::new())
        }
        LaneValues::Marks(counts) => (vec![json!({"name": "", "values": counts})], Vec::new()),
        LaneValues::Spans(spans) => {
            let of = |of: &Stretch| json!([of.from_ns, of.dur_ns]);
            // If there are too many, the longest are kept: a picture shows only those anyway.
            let mut longest: Vec<&Stretch> = spans.iter().collect();
            longest.sort_by_key(|of| std::cmp::Reverse(of.dur_ns));
            (Vec::new(), longest.into_iter().take(MOST).map(of).collect())
        }
    };
    json!({"id": lane.id, "unit": lane.unit, "layers": layers, "stretches": stretches})
}
