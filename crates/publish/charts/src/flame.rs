//! Flame graphs with the root on top.
//!
//! Positions and widths of frames are in percent and heights in pixels, so that a picture fits any width and its
//! letters keep their size. Each frame is an `svg` of its own, which clips text that is too long for it.

use crate::colours::tone;
use crate::escape::{clipped, escape};
use crate::number::{coordinate, percent, share};
use base::number::count;
use report::unit::{duration, short};
use stacks::{TreeView, WeightedTree, written_weight};

/// The most frames of a picture. Nobody could tell more links apart.
const MAX_FRAMES: usize = 4_000;
/// The height of a row, and how much of it a frame fills.
const ROW: u64 = 18;
const FRAME: u64 = 17;
/// The average width of a letter, and of a bold one: names of the user's code are bold.
const LETTER: f64 = 6.8;
const BOLD_LETTER: f64 = 7.5;
/// The space on both sides of a text.
const PADDING: f64 = 8.0;
/// A text with fewer letters is not shown, since it says nothing.
const MIN_LETTERS: usize = 3;
/// Narrower frames have no border, which would cover them.
const BORDERED: f64 = 4.0;
/// The longest full name in letters. A hostile recording may have names of millions.
const MAX_LETTERS: usize = 600;

/// How a flame graph is drawn.
pub struct FlameOptions<'a> {
    /// The assumed width in pixels. Frames narrower than a pixel are left out, and texts are cut to fit.
    pub width: f64,
    /// The unit of weights, from `stacks::Metric::unit`.
    pub unit: &'a str,
    /// How much time of a thread a weight of 1 stands for, in nanoseconds, if that is known.
    pub time_ns: Option<f64>,
    /// The address of a node's frame; empty if it has none.
    pub link: &'a dyn Fn(&str) -> String,
}

impl std::fmt::Debug for FlameOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlameOptions")
            .field("width", &self.width)
            .field("unit", &self.unit)
            .finish_non_exhaustive()
    }
}

/// A flame graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flame {
    /// An `svg` element.
    pub svg: String,
    /// How many nodes of the view are not drawn.
    pub left_out: u64,
}

/// A frame of the picture.
struct Frame<'a> {
    id: &'a str,
    full: &'a str,
    short: &'a str,
    /// Whose code it is.
    class: &'static str,
    /// Its colour.
    tone: &'static str,
    depth: u64,
    start: f64,
    width: f64,
    weight: f64,
    own: f64,
    /// The weight of the frame above; `None` below the whole.
    caller: Option<f64>,
    against: Option<f64>,
}

/// Draws the nodes of a view. Colours say which module a frame is from. In a comparison they show how the weight of each node
/// changed, against the other recording's scaled weight.
pub fn flame(profile: &WeightedTree, view: &TreeView, options: &FlameOptions<'_>) -> Flame {
    let (mut frames, mut drawn, mut left_out, mut deepest) = (String::new(), 0usize, 0u64, 0u64);
    // The weights of the node and of those above it, the outermost first.
    let mut path: Vec<f64> = Vec::new();
    for at in 0..view.nodes.id.len() {
        let depth = view.nodes.depth.get(at).copied().unwrap_or(0);
        path.truncate(usize::try_from(depth).unwrap_or(usize::MAX));
        let caller = path.last().copied().filter(|_| path.len() > 1);
        path.push(view.nodes.weight.get(at).copied().unwrap_or(0.0));
        let frame = frame(profile, view, at).filter(|of| {
            let is_wide = of.width * options.width >= 1.0 || of.depth == 0;
            is_wide && drawn < MAX_FRAMES
        });
        let Some(frame) = frame else {
            left_out += 1;
            continue;
        };
        drawn += 1;
        deepest = deepest.max(frame.depth);
        draw(&mut frames, view, &Frame { caller, ..frame }, options);
    }
    let height = if drawn == 0 { 0 } else { (deepest + 1) * ROW };
    let label = format!("Flame graph of {} frames", short(count(drawn)));
    let svg = format!(
        "<svg class=\"flame-plot\" width=\"100%\" height=\"{height}\" role=\"group\" aria-label=\"{label}\">\
         {frames}</svg>"
    );
    Flame { svg, left_out }
}

/// A node as a frame, with position and width as shares of the first node. `None` if it has no width.
fn frame<'a>(profile: &'a WeightedTree, view: &'a TreeView, at: usize) -> Option<Frame<'a>> {
    let nodes = &view.nodes;
    let name = profile.shape.names.get(*nodes.name.get(at)?)?;
    let (whole, zero) = (nodes.span.first().copied()?, nodes.start.first().copied()?);
    let (span, start) = (nodes.span.get(at).copied()?, nodes.start.get(at).copied()?);
    let depth = u64::from(nodes.depth.get(at).copied()?);
    let (start, width) =
        if depth == 0 { (0.0, 1.0) } else { (share(start - zero, whole), share(span, whole)) };
    // All columns of the nodes are equally long; `against` is empty without a comparison.
    let weight = nodes.weight.get(at).copied().unwrap_or(0.0);
    let against = view.total_against.map(|_| nodes.against.get(at).copied().unwrap_or(0.0));
    let tone = match against {
        Some(against) => changed(weight, against),
        None => tone(name.class, &name.module),
    };
    Some(Frame {
        id: nodes.id.get(at)?,
        full: &name.full,
        short: &name.short,
        class: name.class.name(),
        tone,
        depth,
        start,
        width,
        weight,
        own: nodes.own.get(at).copied().unwrap_or(0.0),
        caller: None,
        against,
    })
}

/// The step of the scale from less to more: the difference of both weights, as a part of their sum.
fn changed(weight: f64, against: f64) -> &'static str {
    const STEPS: [(f64, &str); 10] = [
        (-0.9, "d-5"),
        (-0.7, "d-4"),
        (-0.5, "d-3"),
        (-0.3, "d-2"),
        (-0.1, "d-1"),
        (0.1, "d0"),
        (0.3, "d1"),
        (0.5, "d2"),
        (0.7, "d3"),
        (0.9, "d4"),
    ];
    let sum = weight + against;
    let change = if sum > 0.0 && sum.is_finite() { (weight - against) / sum } else { 0.0 };
    STEPS.iter().find(|(below, _)| change < *below).map_or("d5", |(_, class)| class)
}

fn draw(out: &mut String, view: &TreeView, frame: &Frame<'_>, options: &FlameOptions<'_>) {
    let width = frame.width * options.width;
    let link = (options.link)(frame.id);
    let (element, href) =
        if link.is_empty() { ("g", String::new()) } else { ("a", format!(" href=\"{}\"", escape(&link))) };
    let thin = if width < BORDERED { " thin" } else { "" };
    let (x, y) = (coordinate(frame.start * 100.0, 4), frame.depth * ROW);
    let part = coordinate(frame.width * 100.0, 4);
    out.extend([
        format!("<{element} class=\"frame {} {}{thin}\"{href}><title>", frame.class, frame.tone),
        escape(&tooltip(view, frame, options)),
        format!("</title><svg x=\"{x}%\" y=\"{y}\" width=\"{part}%\" height=\"{FRAME}\">"),
        String::from("<rect width=\"100%\" height=\"100%\"/>"),
    ]);
    let letter = if frame.class == "user" { BOLD_LETTER } else { LETTER };
    if let Some(text) = fitting(frame.short, width, letter) {
        out.extend([format!("<text x=\"4\" y=\"12.5\">{}</text>", escape(&text))]);
    }
    out.extend([format!("</svg></{element}>")]);
}

/// The full name, its weight with the time that it stands for, and its share of the total and of the frame above; in a comparison also
/// those of the other recording.
fn tooltip(view: &TreeView, frame: &Frame<'_>, options: &FlameOptions<'_>) -> String {
    let mut text = clipped(frame.full, MAX_LETTERS);
    let time = |weight: f64| match options.time_ns {
        Some(each) => format!(" ≈ {}", duration(each * weight / 1e6)),
        None => String::new(),
    };
    let part = |weight: f64, total: f64| {
        format!("{}{} ({})", weighed(weight, options.unit), time(weight), percent(share(weight, total)))
    };
    let (all, own) = (part(frame.weight, view.total), part(frame.own, view.total));
    text.extend([format!("\n{all}, {own} of it itself")]);
    if let Some(caller) = frame.caller {
        text.extend([format!("\n{} of the frame above", percent(share(frame.weight, caller)))]);
    }
    if let (Some(against), Some(total)) = (frame.against, view.total_against) {
        // The other recording may have been sampled at another interval, so its samples are no time here.
        let there = format!("{} ({})", weighed(against, options.unit), percent(share(against, total)));
        text.extend([format!("\nin the other recording {there}")]);
    }
    text
}

/// A weight in words.
fn weighed(value: f64, unit: &str) -> String {
    match unit {
        "ns" | "bytes" | "" => written_weight(value, unit),
        count => format!("{} {count}", written_weight(value, unit)),
    }
}

/// As much of a text as fits into a width. `None` if that is too little to read.
fn fitting(text: &str, width: f64, letter: f64) -> Option<String> {
    let room = ((width - PADDING) / letter).clamp(0.0, 1_000.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1,000")]
    let letters = room as usize;
    (letters >= MIN_LETTERS).then(|| clipped(text, letters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{attribute, elements};
    use model::Trace;
    use stacks::{Direction, Filter, Metric, ShapedTree, Shaping, ViewOptions, view, weigh};
    use std::sync::Arc;

    fn shape(recording: &Trace) -> ShapedTree {
        ShapedTree::new(recording, &runtime::StackIndex::new(recording), &Shaping::default())
    }

    fn weighed(recording: &Trace) -> stacks::Weighed {
        weigh(recording, &Metric::Wall, &Filter::default())
    }

    fn drawn(profile: &WeightedTree, width: f64, least_share: f64) -> Flame {
        let (direction, most_nodes) = (Direction::Down, 100_000);
        let view =
            view(profile, &ViewOptions { direction, method: None, zoom: None, least_share, most_nodes });
        flame(
            profile,
            &view,
            &FlameOptions {
                width,
                unit: "samples",
                time_ns: None,
                link: &|id| format!("/stacks?root={id}&x=\""),
            },
        )
    }

    fn alone(stacks: &[(&[&str], u64)], width: f64) -> Flame {
        let recording = Trace::sampled(stacks);
        drawn(&WeightedTree::new(Arc::new(shape(&recording)), &weighed(&recording)), width, 0.0)
    }

    /// Place, width, and row of each frame.
    fn places(svg: &str) -> Vec<(String, String, String)> {
        let of = elements(svg).into_iter().filter(|tag| tag.starts_with("svg x="));
        of.map(|tag| ["x", "width", "y"].map(|name| attribute(&tag, name)))
            .map(|[x, width, y]| (x, width, y))
            .collect()
    }

    #[test]
    fn frames_lie_below_their_callers_as_wide_as_they_weigh() {
        let flame = alone(&[(&["A!main", "A!pay"], 3), (&["A!main", "A!ship"], 1)], 1000.0);
        let expected = [("0%", "100%", "0"), ("0%", "100%", "18"), ("0%", "75%", "36"), ("75%", "25%", "36")];
        let expected = expected.map(|(x, width, y)| (x.to_owned(), width.to_owned(), y.to_owned()));
        assert_eq!((places(&flame.svg), flame.left_out), (expected.to_vec(), 0));
        assert_eq!(attribute(&elements(&flame.svg)[0], "height"), "54");
        assert!(flame.svg.contains(
            "<title>A!pay\n3 samples (75.0 %), 3 samples (75.0 %) of it itself\n75.0 % of the frame above</title>"
        ));
        assert!(
            flame.svg.contains("<title>A!main\n4 samples (100.0 %), 0 samples (0.0 %) of it itself</title>")
        );
    }

    #[test]
    fn what_is_narrower_than_a_pixel_is_counted() {
        let flame = alone(&[(&["A!main", "A!pay"], 999), (&["A!main", "A!ship"], 1)], 900.0);
        assert_eq!((places(&flame.svg).len(), flame.left_out), (3, 1));
    }

    #[test]
    fn no_more_frames_are_drawn_than_anyone_can_tell_apart() {
        let names: Vec<String> = (0..6_000).map(|at| format!("A!m{at}")).collect();
        let stack: Vec<&str> = names.iter().map(String::as_str).collect();
        let flame = alone(&[(&stack, 1)], 1000.0);
        assert_eq!((places(&flame.svg).len(), flame.left_out), (MAX_FRAMES, 2_001));
    }

    #[test]
    fn a_hostile_name_stays_a_text_and_a_long_one_is_cut() {
        let long = format!("A!{}", "<a>".repeat(100_000));
        let hostile =
            ["A!</title></svg><script>alert(1)</script>", "B!\" onload=\"x", "C!<!--&\0\u{1b}", &long];
        let flame = alone(&[(&hostile, 1)], 2000.0);
        let tags = elements(&flame.svg);
        let known = ["svg", "a", "title", "rect", "text"];
        assert!(
            tags.iter().all(|tag| known.contains(&tag.split(' ').next().unwrap_or_default())),
            "{tags:?}"
        );
        assert!(tags.iter().all(|tag| !tag.contains("onload") && !tag.contains("style")));
        assert!(flame.svg.len() < 20_000, "{}", flame.svg.len());
    }

    #[test]
    fn of_a_comparison_the_colours_say_how_weights_changed() {
        let (here, other) = (
            Trace::sampled(&[(&["A!same"], 2), (&["A!more"], 6), (&["A!new"], 2)]),
            Trace::sampled(&[(&["A!same"], 4), (&["A!more"], 6), (&["A!gone"], 10)]),
        );
        let shapes = (shape(&here), shape(&other));
        let profile = WeightedTree::compared(&shapes.0, &weighed(&here), (&shapes.1, &weighed(&other)), 1.0);
        let svg = drawn(&profile, 1000.0, 0.0).svg;
        let class_of = |name: &str| {
            let before = svg.split(&format!("<title>{name}\n")).next().unwrap();
            attribute(&format!("a {}", &before[before.rfind("class=").unwrap()..]), "class")
        };
        let classes = ["A!same", "A!more", "A!new", "A!gone"].map(class_of);
        assert_eq!(classes, ["d-2", "d0", "d5", "d-5"].map(|step| format!("frame user {step}")));
        assert!(svg.contains("\nin the other recording 10 samples (50.0 %)</title>"));
    }

    #[test]
    fn nothing_is_an_empty_picture() {
        let flame = alone(&[], 1000.0);
        assert_eq!((places(&flame.svg).len(), flame.left_out), (1, 0));
        let nothing = flame_of(&TreeView::default());
        assert!(elements(&nothing.svg).len() == 1 && nothing.left_out == 0);
    }

    #[test]
    fn weights_beyond_all_numbers_are_drawn_as_something() {
        let huge = [f64::MAX, f64::INFINITY, f64::NAN, -1.0];
        for span in huge {
            let mut view = TreeView { total: span, ..TreeView::default() };
            for depth in 0..2 {
                let nodes = &mut view.nodes;
                nodes.id.push(String::new());
                nodes.name.push(0.into());
                nodes.depth.push(depth);
                for column in [&mut nodes.start, &mut nodes.span, &mut nodes.weight, &mut nodes.own] {
                    column.push(span);
                }
            }
            let svg = flame_of(&view).svg;
            elements(&svg);
            assert!(
                places(&svg).iter().all(|(x, width, _)| !format!("{x}{width}").contains(['N', 'i', 'e'])),
                "{svg}"
            );
        }
    }

    fn flame_of(view: &TreeView) -> Flame {
        let recording = Trace::sampled(&[(&["A!main"], 1)]);
        let profile = WeightedTree::new(Arc::new(shape(&recording)), &weighed(&recording));
        flame(
            &profile,
            view,
            &FlameOptions { width: 100.0, unit: "ns", time_ns: None, link: &|_| String::new() },
        )
    }
}
