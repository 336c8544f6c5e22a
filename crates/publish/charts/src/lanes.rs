//! Lanes over time, one below the other, all with the same extent and one axis.
//!
//! ```text
//! Lane ─┬─► caption: title, what it is, figures, key      text above the plot
//!       ├─► scale: 0 and the value at the upper edge      text at the plot's left edge
//!       ├─► plot: an svg that is stretched to its room    only shapes, no text
//!       └─► the same in words, for screen readers
//! ```
//!
//! Plots are linear in time, so script computes the time of a position from `data-from-ns` and `data-to-ns` of the
//! block.
//!
//! A time that was not recorded is hatched, and so differs from a value of 0, which is a line at the bottom.

mod plot;

pub use plot::LaneOptions;

use crate::colours::{PAUSES, of_layer};
use crate::escape::escape;
use crate::number::{coordinate, percent, share};
use base::number::{count, real, real_u64};
use plot::Plot;
use report::unit::{duration, short, show};
use timeline::{Lane, LaneValues, Layer, Span, Tick, ticks};

/// The most ticks of the axis.
const MAX_TICKS: usize = 6;

/// Draws lanes one below the other, with one axis. Without lanes the result is empty.
pub fn lanes(lanes: &[Lane], span: Span, options: &LaneOptions) -> String {
    if lanes.is_empty() {
        return String::new();
    }
    let ticks = ticks(span, MAX_TICKS);
    let mut out =
        format!("<div class=\"lanes\" data-from-ns=\"{}\" data-to-ns=\"{}\">", span.from_ns, span.to_ns);
    for lane in lanes {
        let plot = Plot::new(span, *options, lane);
        let id = if options.is_main { format!(" id=\"lane-{}\"", escape(lane.id)) } else { String::new() };
        out.extend([figure(lane, span, &plot, &ticks, Extra { id: &id, which: "" })]);
    }
    out.extend([axis(span, &ticks, lanes.iter().any(plot::has_gaps)), String::from("</div>")]);
    out
}

/// A subject of one of two recordings, which are drawn below each other.
#[derive(Debug, Clone, Copy)]
pub struct LaneSide<'a> {
    /// Which recording it is: `before: NAME`.
    pub label: &'a str,
    /// The whole range of the recording.
    pub span: Span,
    /// Its lane, with as many pieces as `columns`. `None` if the recording has nothing of the subject.
    pub lane: Option<&'a Lane>,
    /// Columns of its plot: as many per second as the other recording has.
    pub columns: u32,
}

/// Draws pairs of lanes, those of a pair directly below each other, all with one axis. Lanes of a pair have the same scale: the
/// same height is the same value, the same width the same time. A pair without any lane is left out.
pub fn lane_pairs(pairs: &[[LaneSide<'_>; 2]], options: &LaneOptions) -> String {
    let sides = || pairs.iter().flatten();
    let from_ns = sides().map(|side| side.span.from_ns).min().unwrap_or(0);
    let to_ns = sides().map(|side| side.span.to_ns).max().unwrap_or(0);
    let axis_span = Span { from_ns, to_ns };
    let ticks = ticks(axis_span, MAX_TICKS);
    let mut drawn = String::new();
    for pair in pairs {
        let lanes = || pair.iter().filter_map(|side| side.lane);
        let Some(title) = lanes().map(|lane| lane.title).next() else { continue };
        // Lanes of different units have no common scale.
        let is_one_unit = lanes().all(|lane| lanes().all(|other| lane.unit == other.unit));
        let tops = lanes().filter_map(plot::top).map(|(top, _)| top).filter(|_| is_one_unit);
        let most = tops.max_by(f64::total_cmp);
        drawn.extend([String::from("<div class=\"lane-pair\">")]);
        for side in pair {
            let options = LaneOptions { width: side.columns, most, axis: Some(axis_span), ..*options };
            let label = escape(side.label);
            let which = format!("<span class=\"lane-side\" title=\"{label}\">{label}</span>");
            drawn.extend([match side.lane {
                Some(lane) => {
                    let extra = Extra { id: "", which: &which };
                    figure(lane, side.span, &Plot::new(side.span, options, lane), &ticks, extra)
                }
                None => nothing(title, &which),
            }]);
        }
        drawn.extend([String::from("</div>")]);
    }
    if drawn.is_empty() {
        return drawn;
    }
    let has_gaps = sides().filter_map(|side| side.lane).any(plot::has_gaps);
    format!("<div class=\"lanes pairs\">{drawn}{}</div>", axis(axis_span, &ticks, has_gaps))
}

/// The place of a lane that a recording does not have.
fn nothing(title: &str, which: &str) -> String {
    format!(
        "<figure class=\"lane\"><figcaption><span class=\"lane-title\">{}</span> {which}</figcaption>\
         <div class=\"lane-room\"><span class=\"lane-none\">nothing recorded</span></div></figure>",
        escape(title)
    )
}

/// Markup that is not of the lane itself.
#[derive(Debug, Clone, Copy)]
struct Extra<'a> {
    /// The attribute by which script finds the lane; empty for a copy.
    id: &'a str,
    /// Which of two recordings it is; empty for a recording alone.
    which: &'a str,
}

fn figure(lane: &Lane, span: Span, plot: &Plot<'_>, ticks: &[Tick], extra: Extra<'_>) -> String {
    let name = escape(lane.id);
    let Extra { id, which } = extra;
    let gaps = if plot::has_gaps(lane) { " gaps" } else { "" };
    format!(
        "<figure class=\"lane{gaps}\"{id} data-lane=\"{name}\">\
         <figcaption><span class=\"lane-title\">{}</span> {which}<span class=\"lane-figures\">{}</span> \
         <span class=\"lane-about\">{}</span>{}<span class=\"visually-hidden\">{}</span></figcaption>\
         {}<div class=\"lane-room\">{}</div></figure>",
        escape(lane.title),
        escape(&figures(lane, span)),
        escape(&about(lane, plot.top())),
        key(lane),
        escape(&spoken(lane)),
        scale(lane, span, plot.top()),
        plot.svg(ticks),
    )
}

/// The ends of a lane's scale, in its unit. `top` is the value at the upper edge.
fn scale(lane: &Lane, span: Span, top: Option<f64>) -> String {
    let top = top.map_or_else(String::new, |top| {
        // As a rate, the busiest piece would contradict the busiest second: "132/s" of 2 exceptions.
        if lane.busiest_second.is_some() {
            let piece_ns = real(span.len_ns()) / count(lane.observed.len().max(1));
            return format!("{} in {}", short((top * piece_ns / 1e9).round()), duration(piece_ns / 1e6));
        }
        match lane.counts {
            "" => show(top, lane.unit),
            counts => {
                let top = show(top, lane.unit);
                let counts = if top == "1" { singular(counts) } else { counts };
                format!("{top} {counts}")
            }
        }
    });
    format!(
        "<div class=\"lane-scale\" aria-hidden=\"true\"><span>{}</span><span>0</span></div>",
        escape(&top)
    )
}

/// One of what is counted.
fn singular(counts: &str) -> &str {
    counts.strip_suffix('s').unwrap_or(counts)
}

/// What the lane shows, what a full one means, and how much is not drawn.
fn about(lane: &Lane, top: Option<f64>) -> String {
    let full = match plot::top(lane).filter(|(own, _)| top == Some(*own)) {
        Some((full, true)) if lane.counts.is_empty() => format!("; a full lane is {}", show(full, lane.unit)),
        Some((full, true)) => format!("; a full lane is all {} {}", short(full), lane.counts),
        _ => String::new(),
    };
    let left_out = short(real_u64(lane.left_out));
    let not_drawn = match &lane.shape {
        _ if lane.left_out == 0 => String::new(),
        LaneValues::Spans(_) => format!(" {left_out} are too close to a longer one to be drawn."),
        LaneValues::Area { .. } | LaneValues::Marks(_) => format!(" {left_out} rows are left out."),
    };
    if not_drawn.is_empty() {
        format!("{}{full}", lane.about)
    } else {
        format!("{}{full}.{not_drawn}", lane.about)
    }
}

/// The figures of a caption: the mean or the number, and the maximum.
fn figures(lane: &Lane, span: Span) -> String {
    let value = |value: f64| show(value, lane.unit);
    let most = lane.most();
    let left_out = if lane.left_out == 0 {
        String::new()
    } else {
        format!(" · {} left out", short(real_u64(lane.left_out)))
    };
    match &lane.shape {
        LaneValues::Spans(spans) => {
            let all = count(spans.len()) + real_u64(lane.left_out);
            let longest = most.map_or_else(String::new, |ns| format!(" · longest {}", duration(ns / 1e6)));
            format!("{} in all{longest}", short(all))
        }
        LaneValues::Marks(counts) => {
            let piece_ms = real(span.len_ns()) / count(counts.len().max(1)) / 1e6;
            let Some(total) = lane.mean_or_total() else { return "not observed".to_owned() };
            let most = most
                .map_or_else(String::new, |most| format!(" · max {} in {}", short(most), duration(piece_ms)));
            format!("{} in all{most}{left_out}", short(total))
        }
        LaneValues::Area { stacked, layers } => {
            // The layer that the maximum is of.
            let most_of =
                |layer: &Layer| layer.values.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
            let largest = layers.iter().rev().max_by(|one, other| most_of(one).total_cmp(&most_of(other)));
            let name = largest.map_or("", |layer| layer.name);
            let most = match (lane.busiest_second, most) {
                (Some(of), _) if of.is_at_once() => {
                    format!("max {} within {}", short(count(of.rows)), duration(real(of.within_ns) / 1e6))
                }
                (Some(of), _) => format!("max {} in a second", short(count(of.rows))),
                (None, Some(most)) => format!("max {}", value(most)),
                (None, None) => String::new(),
            };
            if !stacked && layers.len() > 1 {
                return format!("{most} ({name}){left_out}");
            }
            let mean =
                lane.mean_or_total().map_or_else(String::new, |mean| format!("mean {} · ", value(mean)));
            format!("{mean}{most}{left_out}")
        }
    }
}

/// What each colour means, if there are several.
fn key(lane: &Lane) -> String {
    let entries: Vec<(&str, &str)> = match &lane.shape {
        LaneValues::Area { layers, .. } => {
            layers.iter().map(|layer| (of_layer(lane.id, layer.name), layer.name)).collect()
        }
        LaneValues::Spans(spans) => {
            let has = |class: &str| spans.iter().any(|of| of.class == class);
            PAUSES.iter().filter(|(kind, ..)| has(kind)).map(|(_, class, title)| (*class, *title)).collect()
        }
        LaneValues::Marks(_) => Vec::new(),
    };
    if entries.len() < 2 {
        return String::new();
    }
    let entry = |(class, name): &(&str, &str)| {
        format!("<span><span class=\"swatch {class}\"></span>{}</span>", escape(name))
    };
    format!("<span class=\"lane-key\">{}</span>", entries.iter().map(entry).collect::<Vec<_>>().join(" "))
}

/// What the picture shows besides its caption, for screen readers.
fn spoken(lane: &Lane) -> String {
    let mut text = String::new();
    if let (LaneValues::Area { .. }, Some(last)) = (&lane.shape, lane.last()) {
        text.extend([format!(" At the end {}.", show(last, lane.unit))]);
    }
    let unseen = lane.observed.iter().filter(|share| plot::is_gap(**share)).count();
    if unseen > 0 {
        let part = share(count(unseen), count(lane.observed.len()));
        text.extend([format!(" In {} of the time shown it was not observed.", percent(part))]);
    }
    text
}

fn axis(span: Span, ticks: &[Tick], has_gaps: bool) -> String {
    let mut marks = String::new();
    for tick in ticks {
        let at = plot::place(span, tick.at_ns);
        let anchor = match at {
            near if near < 0.04 => "start",
            far if far > 0.96 => "end",
            _ => "middle",
        };
        let x = coordinate(at * 100.0, 3);
        marks.extend([format!(
            "<line x1=\"{x}%\" x2=\"{x}%\" y1=\"0\" y2=\"4\"/>\
             <text x=\"{x}%\" y=\"15\" text-anchor=\"{anchor}\">{}</text>",
            escape(&tick.label)
        )]);
    }
    let note = "<p class=\"lane-note\"><span class=\"swatch gap\"></span>not recorded</p>";
    let note = if has_gaps { note } else { "" };
    format!(
        "<div class=\"lane-foot\"><svg class=\"lane-axis\" width=\"100%\" height=\"18\" aria-hidden=\"true\">{marks}</svg></div>\
         {note}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{attribute, elements};
    use timeline::{Busiest, Layer, Stretch};

    const SPAN: Span = Span { from_ns: 0, to_ns: 1_000 };

    /// What a lane alone says of itself.
    fn about_alone(lane: &Lane) -> String {
        about(lane, plot::top(lane).map(|(top, _)| top))
    }

    const OPTIONS: LaneOptions =
        LaneOptions { width: 100, height: 11, marked: None, is_main: true, most: None, axis: None };

    fn lane(shape: LaneValues, observed: Vec<f64>) -> Lane {
        let (id, title, unit, counts, about, table) = ("x", "Title", "ms", "", "What it shows", "samples");
        Lane {
            id,
            title,
            unit,
            counts,
            about,
            table,
            metric: Some("wall"),
            observed,
            shape,
            full: None,
            busiest_second: None,
            left_out: 0,
        }
    }

    fn area(layers: &[&[Option<f64>]], stacked: bool) -> Lane {
        let pieces = layers.first().map_or(0, |values| values.len());
        let names = ["gen 0", "gen 1", "gen 2"];
        let layers = names.iter().zip(layers).map(|(name, values)| Layer { name, values: values.to_vec() });
        lane(LaneValues::Area { stacked, layers: layers.collect() }, vec![1.0; pieces])
    }

    fn stretches(of: &[(i64, i64, &'static str)]) -> Lane {
        let stretch = |(from_ns, dur_ns, class): &(i64, i64, &'static str)| Stretch {
            from_ns: *from_ns,
            dur_ns: *dur_ns,
            class,
        };
        lane(LaneValues::Spans(of.iter().map(stretch).collect()), vec![1.0])
    }

    /// The elements of a lane whose class begins with `class`.
    fn drawn(lane: &Lane, class: &str) -> Vec<String> {
        let markup = lanes(std::slice::from_ref(lane), SPAN, &OPTIONS);
        elements(&markup).into_iter().filter(|tag| attribute(tag, "class").starts_with(class)).collect()
    }

    fn paths(lane: &Lane) -> Vec<(String, String)> {
        let paths = drawn(lane, "series");
        paths.iter().map(|tag| (attribute(tag, "class"), attribute(tag, "d"))).collect()
    }

    fn bars(lane: &Lane) -> Vec<[String; 5]> {
        let names = ["class", "x", "y", "width", "height"];
        drawn(lane, "series").iter().map(|tag| names.map(|name| attribute(tag, name))).collect()
    }

    #[test]
    fn an_area_has_a_step_for_each_piece_and_a_gap_where_there_is_no_value() {
        let lane = area(&[&[Some(0.0), Some(10.0), Some(10.0), None, Some(5.0)]], false);
        let path = "M0 11V11H20V1H60V11ZM80 11V6H100V11Z";
        assert_eq!(paths(&lane), [("series c-gen0".to_owned(), path.to_owned())]);
    }

    #[test]
    fn stacked_layers_are_drawn_as_sums_from_the_highest_down() {
        let lane = area(&[&[Some(2.0), None], &[Some(3.0), Some(5.0)]], true);
        let drawn = paths(&lane);
        let expected = [("series c-gen1", "M0 11V1H100V11Z"), ("series c-gen0", "M0 11V7H50V11Z")];
        assert_eq!(drawn, expected.map(|(class, path)| (class.to_owned(), path.to_owned())));
    }

    #[test]
    fn layers_in_front_of_each_other_share_their_scale() {
        let drawn = paths(&area(&[&[Some(10.0)], &[Some(5.0)]], false));
        assert_eq!(
            drawn.iter().map(|(_, path)| path.as_str()).collect::<Vec<_>>(),
            ["M0 11V1H100V11Z", "M0 11V6H100V11Z"]
        );
    }

    #[test]
    fn what_was_not_observed_is_left_out_of_the_ground_and_has_a_legend() {
        let lane = Lane {
            observed: vec![0.0, 0.0, 1.0, 0.0, 0.5],
            ..area(&[&[None, None, Some(1.0), None, None]], false)
        };
        let seen = drawn(&lane, "seen");
        let places = seen.iter().filter(|tag| tag.starts_with("rect"));
        let places = places.map(|tag| (attribute(tag, "x"), attribute(tag, "width")));
        let expected = [("40", "20"), ("80", "20")].map(|(x, width)| (x.to_owned(), width.to_owned()));
        assert_eq!(places.collect::<Vec<_>>(), expected);
        let markup = lanes(std::slice::from_ref(&lane), SPAN, &OPTIONS);
        assert!(markup.contains("In 60.0 % of the time shown it was not observed."));
        assert!(markup.contains("swatch gap"));
        let whole = Lane { observed: vec![1.0; 5], ..lane };
        assert!(!lanes(&[whole], SPAN, &OPTIONS).contains("swatch gap"));
    }

    #[test]
    fn a_stretch_is_as_wide_as_it_is_long_and_at_least_a_column() {
        let lane = stretches(&[(100, 200, "gen2"), (505, 1, "gen0")]);
        let expected = [["series c-gen2", "10", "1", "20", "10"], ["series c-gen0", "50", "9", "1", "2"]];
        assert_eq!(bars(&lane), expected.map(|bar| bar.map(str::to_owned)));
    }

    #[test]
    fn many_stretches_become_no_more_bars_than_there_are_columns() {
        let of: Vec<_> =
            (0..100_000).map(|at| (at / 100, at % 7, if at % 3 == 0 { "gen0" } else { "gen1" })).collect();
        let bars = bars(&stretches(&of));
        assert!((1..=100).contains(&bars.len()), "{}", bars.len());
        let width: u32 = bars.iter().map(|bar| bar[3].parse::<u32>().unwrap()).sum();
        assert_eq!(width, 100, "each column has its longest");
    }

    #[test]
    fn of_stretches_over_each_other_the_longest_is_seen() {
        let lane = stretches(&[(0, 1_000, "background"), (300, 100, "gen0"), (i64::MIN, i64::MAX, "gen1")]);
        assert_eq!(
            bars(&lane).iter().map(|bar| bar[0].as_str()).collect::<Vec<_>>(),
            ["series c-background"]
        );
    }

    #[test]
    fn numbers_beyond_all_bounds_are_drawn_as_something() {
        let huge = [Some(f64::MAX), Some(f64::INFINITY), Some(f64::NAN), Some(f64::MIN), Some(-0.0)];
        let far = stretches(&[
            (i64::MIN, i64::MAX, "?"),
            (i64::MAX, i64::MAX, "?"),
            (5, i64::MAX, "?"),
            (7, i64::MIN, "?"),
        ]);
        let marks = lane(LaneValues::Marks(vec![Some(u32::MAX), None, Some(0)]), vec![f64::NAN, -1.0, 7.0]);
        let all = [area(&[&huge, &huge], true), area(&[&huge], false), area(&[], true), far, marks];
        let (zero, most) = (
            LaneOptions { width: 0, height: 0, ..OPTIONS },
            LaneOptions { width: u32::MAX, height: u32::MAX, ..OPTIONS },
        );
        for (from_ns, to_ns) in [(0, 1_000), (i64::MIN, i64::MAX), (5, 5), (9, -9)] {
            for options in [&OPTIONS, &zero, &most] {
                for tag in elements(&lanes(&all, Span { from_ns, to_ns }, options)) {
                    let numbers =
                        ["d", "x", "y", "width", "height", "x1", "x2"].map(|name| attribute(&tag, name));
                    let readable =
                        |text: &String| !text.contains("NaN") && !text.contains("inf") && !text.contains('e');
                    assert!(numbers.iter().all(readable), "{tag}");
                }
            }
        }
    }

    #[test]
    fn the_caption_says_in_words_what_is_drawn_and_what_is_not() {
        let figures = |lane: &Lane| super::figures(lane, SPAN);
        assert_eq!(figures(&area(&[&[Some(1.0), Some(3.0)]], false)), "mean 2 ms · max 3 ms");
        assert_eq!(figures(&area(&[&[Some(9.0)], &[Some(3.0)]], false)), "max 9 ms (gen 0)");
        assert_eq!(figures(&area(&[&[Some(3.0)], &[Some(9.0)]], false)), "max 9 ms (gen 1)");
        let pauses = Lane { left_out: 3, ..stretches(&[(0, 2_000_000, "gen0")]) };
        assert_eq!(figures(&pauses), "4 in all · longest 2 ms");
        assert_eq!(about_alone(&pauses), "What it shows. 3 are too close to a longer one to be drawn.");
        let marks = Lane { left_out: 1, ..lane(LaneValues::Marks(vec![Some(4), Some(6)]), vec![1.0; 2]) };
        assert_eq!(figures(&marks), "10 in all · max 6 in 0.50 µs · 1 left out");
    }

    #[test]
    fn a_lane_shows_the_ends_of_its_scale() {
        let texts = |lane: &Lane| {
            let markup = scale(lane, SPAN, plot::top(lane).map(|(top, _)| top));
            let spans = markup.split("<span>").skip(1).filter_map(|rest| rest.split("</span>").next());
            spans.map(str::to_owned).collect::<Vec<_>>()
        };
        let check = |lane: &Lane, top: &str| assert_eq!(texts(lane), [top, "0"]);
        let level = || area(&[&[Some(1.0), Some(3.0)]], false);
        check(&level(), "3 ms");
        check(&area(&[&[Some(2.0)], &[Some(3.0)]], true), "5 ms");
        check(&Lane { unit: "ns", ..stretches(&[(0, 2_000_000, "gen0")]) }, "2 ms");
        let cores =
            |used: f64| Lane { unit: "", counts: "cores", full: Some(4.0), ..area(&[&[Some(used)]], false) };
        check(&cores(2.0), "4 cores");
        assert_eq!(about_alone(&cores(2.0)), "What it shows; a full lane is all 4 cores");
        assert_eq!(paths(&cores(2.0))[0].1, "M0 11V6H100V11Z");
        // Of all cores this would be a line at the bottom.
        check(&cores(0.25), "0.25 cores");
        check(&cores(1.0), "4 cores");
        check(&Lane { full: None, ..cores(1.0) }, "1 core");
        let burst = Busiest { rows: 2, within_ns: 400 };
        check(
            &Lane { unit: "1/s", busiest_second: Some(burst), ..area(&[&[Some(4e6), Some(0.0)]], false) },
            "2 in 0.50 µs",
        );
    }

    #[test]
    fn all_plots_are_of_the_same_extent_and_hold_no_text() {
        let all = [area(&[&[Some(1.0)]], false), stretches(&[(0, 5, "gen0"), (500, 5, "gen1")])];
        let markup = lanes(&all, SPAN, &OPTIONS);
        let tags = elements(&markup);
        assert!(tags[0].ends_with("data-from-ns=\"0\" data-to-ns=\"1000\""));
        let plots: Vec<_> = tags.iter().filter(|tag| attribute(tag, "class") == "lane-plot").collect();
        assert!(plots.len() == 2 && plots.iter().all(|tag| attribute(tag, "viewBox") == "0 0 100 11"));
        for plot in markup.split("<svg class=\"lane-plot\"").skip(1) {
            assert!(!plot.split("</svg>").next().unwrap().contains("<text"));
        }
        let ticks = tags.iter().filter(|tag| tag.starts_with("text ")).map(|tag| attribute(tag, "x"));
        assert_eq!(ticks.collect::<Vec<_>>(), ["0%", "20%", "40%", "60%", "80%"]);
        assert_eq!(lanes(&[], SPAN, &OPTIONS), "");
    }

    #[test]
    fn lanes_of_two_recordings_have_one_scale_and_the_shorter_one_is_shorter() {
        let (low, high) = (area(&[&[Some(5.0)]], false), area(&[&[Some(10.0)]], false));
        let span = |to_ns| Span { from_ns: 0, to_ns };
        let before = LaneSide { label: "before: <a>", span: span(500), lane: Some(&low), columns: 50 };
        let after = LaneSide { label: "after: b", span: SPAN, lane: Some(&high), columns: 100 };
        let markup = lane_pairs(&[[before, after]], &OPTIONS);
        let tags = elements(&markup);
        let of = |name: &str, class: &str| -> Vec<String> {
            let found = tags.iter().filter(|tag| attribute(tag, "class").starts_with(class));
            found.map(|tag| attribute(tag, name)).collect()
        };
        assert_eq!(of("viewBox", "lane-plot"), ["0 0 100 11", "0 0 100 11"]);
        // Half as high, and half as wide.
        assert_eq!(of("d", "series"), ["M0 11V6H50V11Z", "M0 11V1H100V11Z"]);
        assert!(markup.contains("before: &lt;a&gt;</span>") && markup.contains("after: b</span>"));
        assert_eq!(markup.matches("lane-axis").count(), 1);
        // A level that only one of them is scaled to alone is that of both.
        let cores = |used: f64| Lane { counts: "cores", full: Some(8.0), ..area(&[&[Some(used)]], false) };
        let (few, many) = (cores(0.5), cores(3.0));
        let pair = [LaneSide { lane: Some(&few), ..before }, LaneSide { lane: Some(&many), ..after }];
        assert_eq!(lane_pairs(&[pair], &OPTIONS).matches("<span>8 ms cores</span>").count(), 2);
        let nothing = lane_pairs(&[[LaneSide { lane: None, ..before }, after]], &OPTIONS);
        assert!(nothing.contains("nothing recorded"));
        assert_eq!(lane_pairs(&[[LaneSide { lane: None, ..before }; 2]], &OPTIONS), "");
    }

    #[test]
    fn the_lanes_of_a_recording_are_small_and_well_formed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fixtures/starvation.nettrace.zst");
        let options = import::Options { payloads: false, threads: 2 };
        let recording = import::open(std::path::Path::new(path), options).unwrap().into_trace().unwrap();
        let span = Span::whole(&recording);
        let all = timeline::lanes(&recording, &runtime::StackIndex::new(&recording), span, 600);
        let markup = lanes(&all, span, &LaneOptions { width: 600, height: 34, ..OPTIONS });
        let figures = elements(&markup).into_iter().filter(|tag| tag.starts_with("figure ")).count();
        assert_eq!(figures, all.len());
        assert!(markup.len() < 60_000, "{}", markup.len());
    }
}
