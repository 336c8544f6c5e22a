//! The shapes of a lane. The picture is stretched to the room that it gets, so it holds no text, and its lines keep
//! their width.

use super::LaneOptions;
use crate::number::{coordinate, share};
use base::number::{count, real};
use timeline::{Lane, MOST_PIECES, Shape, Span, Stretch, Tick};

/// Colours of layers.
const SERIES: [&str; 7] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6"];

/// Kinds of stretches: class, colour, what people call them.
pub(super) const CLASSES: [(&str, &str, &str); 6] = [
    ("gen0", "s0", "gen 0"),
    ("gen1", "s4", "gen 1"),
    ("gen2", "s1", "full"),
    ("background", "s2", "background"),
    ("gc", "s6", "of a kind not told"),
    ("other", "s6", "other"),
];

/// Layers that have the colours of frames.
const CODE: [(&str, &str); 2] = [("your code", "user"), ("other code", "framework")];

/// The colour of a layer: whose code it is has the colour that frames have.
pub(super) fn series(layer: usize, name: &str) -> &'static str {
    if let Some((_, class)) = CODE.iter().find(|(of, _)| *of == name) {
        return class;
    }
    SERIES.get(layer % SERIES.len()).copied().unwrap_or("s0")
}

/// The place of a time within a range, from 0 to 1.
pub(super) fn place(span: Span, ns: i64) -> f64 {
    // Differences of whole numbers first: a double has no nanoseconds of a year.
    share(real(ns.saturating_sub(span.from_ns)), real(span.len_ns()))
}

/// A plot of a lane.
#[derive(Debug)]
pub(super) struct Plot<'a> {
    lane: &'a Lane,
    span: Span,
    columns: usize,
    height: f64,
}

impl<'a> Plot<'a> {
    pub(super) fn new(span: Span, options: LaneOptions, lane: &'a Lane) -> Self {
        let columns = usize::try_from(options.width).unwrap_or(MOST_PIECES).clamp(1, MOST_PIECES);
        Self { lane, span, columns, height: f64::from(options.height.clamp(4, 1_000)) }
    }

    /// All of it as an element.
    pub(super) fn svg(&self, ticks: &[Tick]) -> String {
        let (width, height) = (self.columns, self.height);
        format!(
            "<svg class=\"lane-plot\" preserveAspectRatio=\"none\" viewBox=\"0 0 {width} {height}\" \
             height=\"{height}\" aria-hidden=\"true\">{}{}{}<path class=\"base\" d=\"M0 {height}H{width}\"/></svg>",
            self.gaps(),
            self.grid(ticks),
            self.shapes(),
        )
    }

    fn shapes(&self) -> String {
        match &self.lane.shape {
            Shape::Area { stacked, layers } => self.areas(layers, *stacked),
            Shape::Spans(spans) => self.stretches(spans),
            Shape::Marks(counts) => {
                let values: Vec<_> = counts.iter().map(|of| of.map(f64::from)).collect();
                self.area(&values, most(&values), series(0, ""))
            }
        }
    }

    /// Where nothing was observed.
    fn gaps(&self) -> String {
        let mut out = String::new();
        let observed = &self.lane.observed;
        let (pieces, height) = (observed.len(), self.height);
        let mut at = 0;
        while at < pieces {
            let rest = observed.get(at..).unwrap_or_default();
            let unseen = rest.iter().take_while(|share| **share <= 0.0).count();
            if unseen > 0 {
                let (from, to) = (self.x(at, pieces), self.x(at + unseen, pieces));
                let (x, right) = (coordinate(from, 2), coordinate(to, 2));
                let width = coordinate(to - from, 2);
                out.extend([format!(
                    "<rect class=\"gap\" x=\"{x}\" width=\"{width}\" height=\"{height}\"/>\
                     <path class=\"gap-line\" d=\"M{x} {0}H{right}\"/>",
                    height / 2.0
                )]);
            }
            at += unseen.max(1);
        }
        out
    }

    fn grid(&self, ticks: &[Tick]) -> String {
        let line = |tick: &Tick| {
            let x = coordinate(place(self.span, tick.at_ns) * count(self.columns), 2);
            format!("M{x} 0V{}", self.height)
        };
        format!("<path class=\"tick\" d=\"{}\"/>", ticks.iter().map(line).collect::<String>())
    }

    /// The left end of a piece.
    fn x(&self, piece: usize, pieces: usize) -> f64 {
        share(count(piece), count(pieces)) * count(self.columns)
    }

    /// The height of a value; the largest leaves room for its line.
    fn y(&self, value: f64, most: f64) -> String {
        coordinate(self.height - share(value, most) * (self.height - 1.0), 1)
    }

    /// Layers from the rearmost on: of stacked ones the sums with all below them, the highest first.
    fn areas(&self, layers: &[timeline::Layer], stacked: bool) -> String {
        let pieces = layers.iter().map(|layer| layer.values.len()).max().unwrap_or(0);
        let mut drawn: Vec<(Vec<Option<f64>>, &'static str)> = Vec::new();
        let mut below: Vec<Option<f64>> = vec![None; pieces];
        for (at, layer) in layers.iter().enumerate() {
            let finite =
                |piece: usize| layer.values.get(piece).copied().flatten().filter(|value| value.is_finite());
            let values: Vec<_> = if stacked {
                let sums = below.iter().enumerate().map(|(piece, below)| match (below, finite(piece)) {
                    (Some(below), Some(value)) => Some(below + value.max(0.0)),
                    (below, value) => value.or(*below),
                });
                sums.collect()
            } else {
                (0..pieces).map(finite).collect()
            };
            below.clone_from(&values);
            drawn.push((values, series(at, layer.name)));
        }
        if stacked {
            drawn.reverse();
        }
        let most = drawn.iter().map(|(values, _)| most(values)).fold(0.0, f64::max);
        drawn.iter().map(|(values, series)| self.area(values, most, series)).collect()
    }

    /// A step for each piece, closed at the bottom where there is no value.
    fn area(&self, values: &[Option<f64>], most: f64, series: &str) -> String {
        let (mut path, mut open) = (String::new(), None::<String>);
        let bottom = self.height;
        for (at, value) in values.iter().enumerate() {
            let x = coordinate(self.x(at, values.len()), 2);
            let y = value.map(|value| self.y(value, most));
            if y == open {
                continue;
            }
            match (&y, &open) {
                (Some(y), None) => path.extend([format!("M{x} {bottom}V{y}")]),
                (Some(y), Some(_)) => path.extend([format!("H{x}V{y}")]),
                (None, _) => path.extend([format!("H{x}V{bottom}Z")]),
            }
            open = y;
        }
        if open.is_some() {
            path.extend([format!("H{}V{bottom}Z", self.columns)]);
        }
        if path.is_empty() {
            String::new()
        } else {
            format!("<path class=\"series {series}\" d=\"{path}\"/>")
        }
    }

    /// Stretches as bars as wide as they are long, and at least a column; the longest is the highest. Of those that
    /// share a column the longest is drawn, so there are never more bars than columns.
    fn stretches(&self, spans: &[Stretch]) -> String {
        let longest = spans.iter().map(|of| real(of.dur_ns)).fold(0.0, f64::max);
        let columns = self.painted(spans);
        let look = |number: &Option<usize>| {
            let of = number.and_then(|number| spans.get(number))?;
            let part = share(real(of.dur_ns), longest).max(0.15);
            Some((colour(of.class), coordinate(part * (self.height - 1.0), 0)))
        };
        let looks: Vec<_> = columns.iter().map(look).collect();
        let mut out = String::new();
        let mut at = 0;
        while at < looks.len() {
            let Some(first) = looks.get(at) else { break };
            let same = looks.iter().skip(at).take_while(|of| *of == first).count().max(1);
            if let Some((series, height)) = first {
                let y = coordinate(self.height - height.parse::<f64>().unwrap_or(0.0), 1);
                out.extend([format!(
                    "<rect class=\"series {series}\" x=\"{at}\" y=\"{y}\" width=\"{same}\" height=\"{height}\"/>"
                )]);
            }
            at += same;
        }
        out
    }

    /// The number of the longest stretch in each column.
    fn painted(&self, spans: &[Stretch]) -> Vec<Option<usize>> {
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|number| std::cmp::Reverse(spans.get(*number).map_or(0, |of| of.dur_ns)));
        let mut columns: Vec<Option<usize>> = vec![None; self.columns];
        // The next column at or behind each that is free: each is painted once, however many stretches cover it.
        let mut free: Vec<usize> = (0..=self.columns).collect();
        for number in order {
            let Some(of) = spans.get(number) else { continue };
            let end = of.from_ns.saturating_add(of.dur_ns.max(1));
            if of.from_ns >= self.span.to_ns || end <= self.span.from_ns {
                continue;
            }
            let from = self.column(of.from_ns).min(self.columns - 1);
            let to = self.column_behind(end).clamp(from + 1, self.columns);
            let mut at = next_free(&mut free, from);
            while at < to {
                if let (Some(column), Some(next)) = (columns.get_mut(at), free.get_mut(at)) {
                    (*column, *next) = (Some(number), at + 1);
                }
                at = next_free(&mut free, at + 1);
            }
        }
        columns
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the columns")]
    fn column(&self, ns: i64) -> usize {
        (place(self.span, ns) * count(self.columns)).floor() as usize
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the columns")]
    fn column_behind(&self, ns: i64) -> usize {
        (place(self.span, ns) * count(self.columns)).ceil() as usize
    }
}

/// The first free column at or behind one; the way to it is made shorter for the next who asks.
fn next_free(free: &mut [usize], from: usize) -> usize {
    let mut end = from;
    while let Some(next) = free.get(end).copied().filter(|next| *next != end) {
        end = next;
    }
    let mut at = from;
    while let Some(next) = free.get_mut(at).filter(|next| **next != end && at != end) {
        at = std::mem::replace(next, end);
    }
    end
}

fn colour(class: &str) -> &'static str {
    CLASSES.iter().find(|(of, ..)| *of == class).map_or("s6", |(_, series, _)| series)
}

/// The largest finite value.
fn most(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
}
