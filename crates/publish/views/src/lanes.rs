//! Lanes over time: drawn, and their values as JSON for script.

use base::number::{count, real};
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

/// Copies of lanes of a range, cut into [`PIECES`]: pictures that script adds nothing to.
pub fn still(lanes: &[Lane], span: Span) -> Markup {
    html! { @if !lanes.is_empty() { (PreEscaped(charts::lanes(lanes, span, &OPTIONS))) } }
}

/// A copy of one lane, in which a range is marked.
pub fn marked(lane: &Lane, span: Span, marked: Option<Span>) -> Markup {
    let options = charts::LaneOptions { marked, ..OPTIONS };
    html! { (PreEscaped(charts::lanes(std::slice::from_ref(lane), span, &options))) }
}

/// The time line of one of two recordings.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// Which recording it is: `before: NAME`.
    pub label: &'a str,
    /// All of it.
    pub span: Span,
    /// Its lanes, in [`pieces`] pieces.
    pub lanes: &'a [Lane],
}

/// Into how many pieces the lanes of a range are cut, if `longest` is the longest range beside it: pieces of both are of one
/// length, so that counts per piece can be compared.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and the pieces")]
pub fn pieces(span: Span, longest: Span) -> usize {
    let part = real(span.len_ns()) / real(longest.len_ns().max(1));
    (part * count(PIECES)).round().clamp(1.0, count(PIECES)) as usize
}

/// The lanes with these ids of two recordings, those of one subject directly below each other and in the same scale.
pub fn pairs(ids: &[&str], recorded: [Recorded<'_>; 2]) -> Markup {
    let [before, after] = recorded;
    let longest = if before.span.len_ns() > after.span.len_ns() { before.span } else { after.span };
    let all = ids.iter().map(|id| [before, after].map(|of| side(of, id, longest)));
    let sides: Vec<[charts::LaneSide<'_>; 2]> = all.collect();
    html! { (PreEscaped(charts::lane_pairs(&sides, &OPTIONS))) }
}

fn side<'a>(of: Recorded<'a>, id: &str, longest: Span) -> charts::LaneSide<'a> {
    let Recorded { label, span, lanes } = of;
    let columns = u32::try_from(pieces(span, longest)).unwrap_or(OPTIONS.width);
    charts::LaneSide { label, span, lane: lanes.iter().find(|lane| lane.id == id), columns }
}

#[expect(clippy::cast_possible_truncation, reason = "a few hundred")]
const OPTIONS: charts::LaneOptions = charts::LaneOptions {
    width: PIECES as u32,
    height: HEIGHT,
    marked: None,
    is_main: false,
    most: None,
    axis: None,
};

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
