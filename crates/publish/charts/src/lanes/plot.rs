//! The shapes of a lane. The page stretches the picture to the available width, so it contains no text, and its lines
//! keep their width.

use crate::colours::{of_layer, of_pause};
use crate::number::{coordinate, share};
use base::number::{count, real};
use timeline::{Lane, LaneValues, MAX_PIECES, Span, Stretch, Tick};

/// How lanes are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaneOptions {
    /// Columns of a plot, in its own units: the page stretches it to the available width.
    pub width: u32,
    /// The height of a plot in pixels.
    pub height: u32,
    /// A range to mark.
    pub marked: Option<Span>,
    /// Whether the lanes are those of the page, which script finds by their ids, and not a copy within a card.
    pub is_main: bool,
    /// The value at the full height, in the unit of [`Lane::most`], if another lane shares it. `None` for the lane's own maximum.
    pub most: Option<f64>,
    /// The range of the whole width, if a longer lane shares it. `None` for the lane's own range.
    pub axis: Option<Span>,
}

/// A lane may be scaled to its full level only if its largest value is at least this part of it: below, nothing would be seen.
const SEEN_OF_FULL: f64 = 0.1;

/// The value at the upper edge of a lane, and whether that is the lane's upper limit. `None` without any value.
pub(super) fn top(lane: &Lane) -> Option<(f64, bool)> {
    let most = match &lane.shape {
        LaneValues::Area { .. } => {
            lane.levels().flatten().filter(|value| value.is_finite()).fold(0.0, f64::max)
        }
        LaneValues::Spans(_) | LaneValues::Marks(_) => lane.most().filter(|most| most.is_finite())?,
    };
    let full = lane.full.filter(|full| most <= *full && most >= SEEN_OF_FULL * full);
    Some((full.unwrap_or(most), full.is_some()))
}

/// The position of a time within a range, from 0 to 1.
pub(super) fn place(span: Span, ns: i64) -> f64 {
    // Subtract before converting: a double cannot represent the nanoseconds of a year exactly.
    share(real(ns.saturating_sub(span.from_ns)), real(span.len_ns()))
}

/// A plot of a lane.
#[derive(Debug)]
pub(super) struct Plot<'a> {
    lane: &'a Lane,
    span: Span,
    columns: usize,
    height: f64,
    marked: Option<Span>,
    shared_most: Option<f64>,
    axis: Span,
}

impl<'a> Plot<'a> {
    pub(super) fn new(span: Span, options: LaneOptions, lane: &'a Lane) -> Self {
        let columns = usize::try_from(options.width).unwrap_or(MAX_PIECES).clamp(1, MAX_PIECES);
        let height = f64::from(options.height.clamp(4, 1_000));
        let axis = options.axis.unwrap_or(span);
        Self { lane, span, columns, height, marked: options.marked, shared_most: options.most, axis }
    }

    /// The plot as an element.
    pub(super) fn svg(&self, ticks: &[Tick]) -> String {
        let (width, height) = (self.columns, self.height);
        // The columns are those of the lane; the picture is as much wider as its axis is longer.
        let per_ns = count(width) / real(self.span.len_ns().max(1));
        let before = self.span.from_ns.saturating_sub(self.axis.from_ns).max(0);
        let from = coordinate(-real(before) * per_ns, 2);
        let axis = coordinate((real(self.axis.len_ns()) * per_ns).max(count(width)), 2);
        format!(
            "<svg class=\"lane-plot\" preserveAspectRatio=\"none\" viewBox=\"{from} 0 {axis} {height}\" \
             height=\"{height}\" aria-hidden=\"true\">{}{}{}{}</svg>",
            self.seen(),
            self.grid(ticks),
            self.shapes(),
            self.mark(),
        )
    }

    fn mark(&self) -> String {
        let Some(marked) = self.marked else { return String::new() };
        let at = |ns| place(self.span, ns) * count(self.columns);
        let (from, to) = (at(marked.from_ns), at(marked.to_ns));
        format!(
            "<rect class=\"marked\" x=\"{}\" width=\"{}\" height=\"{}\"/>",
            coordinate(from, 2),
            coordinate((to - from).max(1.0), 2),
            self.height
        )
    }

    fn shapes(&self) -> String {
        match &self.lane.shape {
            LaneValues::Area { stacked, layers } => self.areas(layers, *stacked),
            LaneValues::Spans(spans) => self.stretches(spans),
            LaneValues::Marks(counts) => {
                let values: Vec<_> = counts.iter().map(|of| of.map(f64::from)).collect();
                self.area(&values, self.most(most(&values)), of_layer(self.lane.id, ""))
            }
        }
    }

    /// The stretches of time that were observed, on which the values are drawn. The page shows through the rest.
    fn seen(&self) -> String {
        let observed = &self.lane.observed;
        let (pieces, height) = (observed.len(), self.height);
        let mut out = String::new();
        let mut at = 0;
        while at < pieces {
            let rest = observed.get(at..).unwrap_or_default();
            let seen = rest.iter().take_while(|share| !is_gap(**share)).count();
            if seen > 0 {
                let (from, to) = (self.x(at, pieces), self.x(at + seen, pieces));
                let (x, right, width) = (coordinate(from, 2), coordinate(to, 2), coordinate(to - from, 2));
                out.extend([format!(
                    "<rect class=\"seen\" x=\"{x}\" width=\"{width}\" height=\"{height}\"/>\
                     <path class=\"base\" d=\"M{x} {height}H{right}\"/>"
                )]);
            }
            at += seen.max(1);
        }
        out
    }

    fn grid(&self, ticks: &[Tick]) -> String {
        let line = |tick: &Tick| {
            let x = coordinate(place(self.span, tick.at_ns) * count(self.columns), 2);
            format!("M{x} 0V{}", self.height)
        };
        let own = ticks.iter().filter(|tick| tick.at_ns <= self.span.to_ns);
        format!("<path class=\"tick\" d=\"{}\"/>{}", own.map(line).collect::<String>(), self.end())
    }

    /// The end of a lane that is shorter than its axis. Without it, the rest of the width would look like zero.
    fn end(&self) -> String {
        if self.axis.to_ns <= self.span.to_ns {
            return String::new();
        }
        format!("<path class=\"base\" d=\"M{} 0V{}\"/>", self.columns, self.height)
    }

    /// The left end of a piece.
    fn x(&self, piece: usize, pieces: usize) -> f64 {
        share(count(piece), count(pieces)) * count(self.columns)
    }

    /// The value at the upper edge: that of the lane, or a larger one that another lane shares. `None` without any value.
    pub(super) fn top(&self) -> Option<f64> {
        let shared = self.shared_most.filter(|most| most.is_finite());
        shared.or_else(|| top(self.lane).map(|(top, _)| top))
    }

    /// The value at the full height: at least the lane's own largest, so that nothing is cut.
    fn most(&self, own: f64) -> f64 {
        self.top().map_or(own, |top| top.max(own))
    }

    /// The vertical position of a value. The largest leaves room for its line.
    fn y(&self, value: f64, most: f64) -> String {
        coordinate(self.height - share(value, most) * (self.height - 1.0), 1)
    }

    /// Layers, the rearmost first. A stacked layer is drawn as the sum with all layers below it, the highest sum first.
    fn areas(&self, layers: &[timeline::Layer], stacked: bool) -> String {
        let pieces = layers.iter().map(|layer| layer.values.len()).max().unwrap_or(0);
        let mut drawn: Vec<(Vec<Option<f64>>, &'static str)> = Vec::new();
        let mut below: Vec<Option<f64>> = vec![None; pieces];
        for layer in layers {
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
            drawn.push((values, of_layer(self.lane.id, layer.name)));
        }
        if stacked {
            drawn.reverse();
        }
        let most = self.most(drawn.iter().map(|(values, _)| most(values)).fold(0.0, f64::max));
        drawn.iter().map(|(values, series)| self.area(values, most, series)).collect()
    }

    /// One step per piece; pieces without a value are a gap.
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

    /// Stretches as bars, as wide as they are long but at least one column; the longest is the highest. In each
    /// column only the longest stretch is drawn, so there are never more bars than columns.
    fn stretches(&self, spans: &[Stretch]) -> String {
        let longest = self.most(spans.iter().map(|of| real(of.dur_ns)).fold(0.0, f64::max));
        let columns = self.painted(spans);
        let look = |number: &Option<usize>| {
            let of = number.and_then(|number| spans.get(number))?;
            let part = share(real(of.dur_ns), longest).max(0.15);
            Some((of_pause(of.class), coordinate(part * (self.height - 1.0), 0)))
        };
        let looks: Vec<_> = columns.iter().map(look).collect();
        let mut out = String::new();
        let mut at = 0;
        while at < looks.len() {
            let Some(first) = looks.get(at) else { break };
            let same = looks.iter().skip(at).take_while(|of| *of == first).count().max(1);
            if let Some((series, height)) = first {
                // `coordinate` wrote it, so it is a number.
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
        // For each column, the next free one at or behind it: each column is painted once, however many stretches
        // cover it.
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

/// The first free column at or behind `from`. Shortens the path to it for later calls, as in a union-find.
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

/// Whether nothing was recorded in any piece of a lane.
pub(super) fn has_gaps(lane: &Lane) -> bool {
    lane.observed.iter().any(|share| is_gap(*share))
}

/// Whether a piece is a gap, by the share of it that was observed.
pub(super) fn is_gap(observed: f64) -> bool {
    observed <= 0.0
}

/// The largest finite value.
fn most(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
}
